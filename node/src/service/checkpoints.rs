//! The node's own checkpoints: signed, witnessed, shown.

use std::path::Path;
use std::sync::{Arc, MutexGuard};

use anjuan_sync::{NodeKey as PeerKey, Path as UnitPath};
use ed25519_dalek::VerifyingKey;

use super::{ErrorKind, Service, ServiceError, fresh_epoch, instant, lock, unit_view, view};
use crate::evidence::checkpoint::VerifiedCheckpoint;
use crate::evidence::merkle::MerkleError;
use crate::evidence::name::NodeName;
use crate::evidence::witness::{Conflict, Evidence};
use crate::files::Disk;
use crate::keys::NodeKey;
use crate::ledger::Ledger;
use crate::notary::asking::{Asking, Gained, Wanted};
use crate::notary::{Exhibits, Notary, NotaryError, Peer, key_of};
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;

/// What came of a witness's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It cosigned.
    Cosigned,
    /// It told something else; there may be more to ask.
    Taken,
    /// By what it told, a new epoch was opened, and a checkpoint signed in it.
    SignedAnew,
    /// It is to be asked later.
    Declined,
}

/// Opens the notary of a home. Where the journal lacks what was signed once, a new epoch is opened before
/// anything else is.
pub(super) fn open(
    home: &Path,
    unit: &UnitCode,
    node: &NodeKey,
    auditor: bool,
    ledger: &mut Ledger,
    notes: &mut Vec<Text>,
) -> Result<Notary, ServiceError> {
    let key = node.signing_key().verifying_key();
    let name = NodeName::new(ledger.network(), unit.clone(), &key);
    let mut notary = Notary::open(
        Arc::new(Disk),
        &home.join("evidence"),
        name,
        key,
        ledger.journal(),
    )?;
    if auditor {
        notary.archive(Arc::new(Disk), home.join("evidence").join("seen"));
    }
    match notary.check(ledger.epochs().current) {
        Err(error @ NotaryError::SetBack { .. }) => {
            tracing::warn!(%error, "the store was set back; it goes on in a new epoch");
            ledger.begin_epoch(fresh_epoch())?;
            notary.begin_anew(None)?;
            notes.push(set_back());
        }
        // A record that is lost, a tile that can't be written: nothing is signed, all else goes on.
        Err(error) => {
            let told = error.to_string();
            tracing::warn!(%error, "the journal can't be compared with what was signed");
            notes.push(text!(
                "不能签署检查点:{told}",
                "no checkpoints can be signed: {told}"
            ));
        }
        Ok(()) => {}
    }
    ledger.set_bracket(notary.bracket());
    Ok(notary)
}

/// The store was set back behind what it signed.
fn set_back() -> Text {
    Text::new(
        "本节点的数据比已签署的检查点旧(恢复过备份,或断电丢失);今后写入新的日志,anjuan doctor 有说明",
        "this store is older than what it signed (a backup was restored, or power was lost); it writes to new logs from now on; `anjuan doctor` explains",
    )
}

impl From<NotaryError> for ServiceError {
    fn from(error: NotaryError) -> Self {
        let kind = match &error {
            NotaryError::Merkle(MerkleError::Newer { .. }) => ErrorKind::Damaged,
            NotaryError::Io { .. } | NotaryError::Merkle(_) => ErrorKind::Storage,
            NotaryError::Checkpoint(_) | NotaryError::Note(_) => ErrorKind::Internal,
            NotaryError::SetBack { .. }
            | NotaryError::Read(_)
            | NotaryError::Record { .. }
            | NotaryError::Witness(_)
            | NotaryError::Format(_) => ErrorKind::Damaged,
        };
        let told = error.to_string();
        Self::new(kind, text!("检查点:{told}", "checkpoint: {told}"))
    }
}

impl Service {
    /// The notary, for one thread at a time. Never asked for with the ledger's lock held.
    pub(crate) fn notary(&self) -> MutexGuard<'_, Notary> {
        lock(&self.0.notary)
    }

    /// Signs a checkpoint of everything that is synced, unless there is one. Tells whether it is new.
    pub fn sign_checkpoint(&self) -> Result<bool, ServiceError> {
        let mut notary = self.notary();
        let epoch = self.ledger_for_peers().epochs().current;
        match notary.sign(epoch, self.0.node.signing_key()) {
            Err(error @ NotaryError::SetBack { .. }) => {
                tracing::warn!(%error, "the store was set back; it goes on in a new epoch");
                self.begin_epoch(&mut notary, None)
            }
            signed => Ok(signed?),
        }
    }

    /// Opens a new epoch, and signs in it.
    fn begin_epoch(
        &self,
        notary: &mut Notary,
        last: Option<VerifiedCheckpoint>,
    ) -> Result<bool, ServiceError> {
        let epoch = fresh_epoch();
        self.ledger().begin_epoch(epoch)?;
        notary.begin_anew(last)?;
        Ok(notary.sign(epoch, self.0.node.signing_key())?)
    }

    /// Everything that proves this node's log, with a checkpoint of all that is synced.
    pub fn exhibits(&self) -> Result<Exhibits, ServiceError> {
        self.sign_checkpoint()?;
        Ok(self.notary().exhibits()?)
    }

    /// A peer as it signs; none while its key is no key.
    pub(crate) fn witness_peer(&self, key: PeerKey, unit: &UnitPath) -> Option<Peer> {
        let key = VerifyingKey::from_bytes(key.as_bytes()).ok()?;
        let unit = UnitCode::from_path(unit).ok()?;
        let name = NodeName::new(self.ledger_for_peers().network(), unit, &key);
        Some(Peer { name, key })
    }

    /// The key of a node. The ledger is held for no longer than it takes to look it up.
    fn key_of(&self, name: &NodeName) -> Option<VerifyingKey> {
        key_of(self.ledger_for_peers().credentials(), name)
    }

    /// What to ask a witness next.
    pub(crate) fn question(
        &self,
        asking: &mut Asking,
        peer: &Peer,
        again: bool,
        reports: bool,
    ) -> Result<Option<Vec<u8>>, ServiceError> {
        let notary = self.notary();
        let epoch = self.ledger_for_peers().epochs().current;
        Ok(notary.question(
            asking,
            peer,
            Wanted {
                epoch,
                again,
                reports,
            },
        )?)
    }

    /// Takes in what a witness answered.
    pub(crate) fn answered(
        &self,
        asking: &mut Asking,
        peer: &Peer,
        answer: &[u8],
    ) -> Result<Answered, ServiceError> {
        let mut notary = self.notary();
        Ok(
            match notary.answered(asking, peer, answer, &|name| self.key_of(name))? {
                Gained::Nothing => Answered::Taken,
                Gained::Cosigned => Answered::Cosigned,
                Gained::Foreign => {
                    self.ledger_for_peers().set_bracket(notary.bracket());
                    Answered::Cosigned
                }
                Gained::SetBack(last) => {
                    let size = last.head().size;
                    tracing::warn!(peer = %peer.name, size, "a witness has seen more than is here: the store was set back; it goes on in a new epoch");
                    self.begin_epoch(&mut notary, Some(*last))?;
                    Answered::SignedAnew
                }
                Gained::Accused(evidence) => {
                    tracing::error!(peer = %peer.name, conflict = ?evidence.conflict, "a witness holds two checkpoints of this node that do not go together");
                    Answered::Taken
                }
                Gained::Declined => Answered::Declined,
            },
        )
    }

    /// Answers what a peer asks of this node as a witness; and whether it, or one that it reports, was found
    /// to contradict itself.
    pub(crate) fn answer(&self, peer: &Peer, question: &[u8]) -> (Vec<u8>, bool) {
        let mut notary = self.notary();
        let key = self.0.node.signing_key();
        let answered = notary.answer(peer, question, &|name| self.key_of(name), self.now(), key);
        if let Some(Evidence {
            conflict,
            earlier,
            later,
        }) = &answered.found
        {
            let (earlier, later) = (earlier.unverified(), later.unverified());
            let (first, second) = (earlier.head(), later.head());
            tracing::error!(
                node = %earlier.origin(), ?conflict, first = first.size, second = second.size,
                "a node's checkpoints do not go together; both are kept as evidence"
            );
        }
        (answered.answer, answered.found.is_some())
    }

    /// The newest checkpoint, for people.
    pub(super) fn checkpoint_view(&self) -> Option<view::CheckpointView> {
        let notary = self.notary();
        let newest = notary.newest()?;
        Some(view::CheckpointView {
            log: newest.origin().to_string(),
            size: newest.head().size,
            root: newest.head().root.to_string(),
            cosigned: notary.cosigned().map(|cosigned| self.cosigned_view(cosigned)),
        })
    }

    fn cosigned_view(&self, checkpoint: &VerifiedCheckpoint) -> view::CosignedView {
        let cosigned = checkpoint.clone().cosigned(|name| self.key_of(name));
        let witnesses = cosigned
            .map(|cosigned| cosigned.witnesses().to_vec())
            .unwrap_or_default();
        view::CosignedView {
            size: checkpoint.head().size,
            witnesses: witnesses
                .iter()
                .map(|witness| view::WitnessView {
                    unit: unit_view(witness.name.unit()),
                    node: witness.name.to_string(),
                    at: instant(witness.time.first()),
                })
                .collect(),
        }
    }
}

/// How two checkpoints don't go together, for people.
pub(super) fn conflict_text(conflict: Conflict) -> Text {
    match conflict {
        Conflict::TwoRoots => Text::new(
            "同一长度有两个不同的根:日志被改写过,或对不同节点出示了不同内容",
            "two roots for one size: the log was rewritten, or shown differently to different nodes",
        ),
        Conflict::WentBack => Text::new(
            "后来出示的比先前的短,且没有证明是其开头",
            "what was shown later is shorter, and not shown to be the beginning of what was shown before",
        ),
        Conflict::NotContinued => Text::new(
            "后来出示的没有证明是先前内容的延续",
            "what was shown later is not shown to continue what was shown before",
        ),
    }
}
