//! As a witness: what another node's questions are answered with.

use anjuan_sync::{LogEpoch, Timestamp};
use ed25519_dalek::{SigningKey, VerifyingKey};
use minicbor::bytes::ByteVec;

use super::exchange::{Answer, Declined, Question, conflict_number, conflict_of};
use super::foreign::time_for;
use super::{KeyOf, Notary, NotaryError, Peer};
use crate::evidence::checkpoint::{Checkpoint, CosignedCheckpoint, SignedCheckpoint, VerifiedCheckpoint};
use crate::evidence::cosignature::COSIGNATURE;
use crate::evidence::merkle::{ConsistencyProof, TreeHead};
use crate::evidence::name::Origin;
use crate::evidence::witness::{Conflict, Evidence, Outcome};

/// A foreign checkpoint is handed on if its cosignature is so many seconds newer than the asker's newest.
const WORTH: u64 = 3_600;

/// What came of a question.
#[derive(Debug)]
pub(crate) struct Answered {
    /// For the peer.
    pub(crate) answer: Vec<u8>,
    /// The peer, or one that it reports, contradicted itself for the first time.
    pub(crate) found: Option<Evidence>,
}

impl Notary {
    /// Answers what `peer` asks. Whatever it asks, there is an answer.
    pub(crate) fn answer(
        &mut self,
        peer: &Peer,
        question: &[u8],
        keys: &KeyOf<'_>,
        now: Timestamp,
        key: &SigningKey,
    ) -> Answered {
        let mut found = None;
        let answer = match Question::decode(question) {
            Err(error) => {
                tracing::warn!(peer = %peer.name, %error, "a question that can't be read");
                Ok(Answer::Declined(Declined::Malformed))
            }
            Ok(Question::Last { epoch, expected }) => self.last_of(peer, epoch, expected),
            Ok(Question::Cosign {
                epoch,
                size,
                root,
                signature,
                from,
                proof,
                newest,
            }) => {
                let origin = peer.name.clone().log(epoch);
                let head = TreeHead { size, root };
                match signed_by(peer, Checkpoint::at(origin, head), &signature) {
                    None => Ok(Answer::Declined(Declined::Unknown)),
                    Some(checkpoint) => self
                        .cosign(&checkpoint, from, &proof, now, key, &mut found)
                        .map(|answer| self.with_newest(answer, peer, newest, keys)),
                }
            }
            Ok(Question::Report {
                conflict,
                earlier,
                later,
            }) if self.is_in_line_with(peer) => {
                self.take_report(conflict, &earlier, &later, keys, &mut found)
            }
            // Whoever is witnessed here from out of line is nobody to report others.
            Ok(Question::Report { .. }) => Ok(Answer::Declined(Declined::Unknown)),
        };
        let answer = answer.unwrap_or_else(|error| {
            tracing::warn!(peer = %peer.name, %error, "a peer's checkpoint is not cosigned");
            Answer::Declined(Declined::Unable)
        });
        Answered {
            answer: answer.encode(),
            found,
        }
    }

    fn last_of(
        &self,
        peer: &Peer,
        epoch: LogEpoch,
        expected: Option<TreeHead>,
    ) -> Result<Answer, NotaryError> {
        let last = self.witness.last(&peer.name.clone().log(epoch))?;
        Ok(match last {
            Some(kept) if Some(kept.head()) == expected.as_ref() => Answer::AsExpected,
            last => Answer::Last(last.map(|kept| kept.checkpoint().note().encode().into())),
        })
    }

    fn cosign(
        &mut self,
        checkpoint: &VerifiedCheckpoint,
        from: u64,
        proof: &ConsistencyProof,
        now: Timestamp,
        key: &SigningKey,
        found: &mut Option<Evidence>,
    ) -> Result<Answer, NotaryError> {
        let is_new = self.witness.last(checkpoint.origin())?.is_none();
        let outcome = self
            .witness
            .cosign(checkpoint, from, proof, now, &self.name, key)?;
        if matches!(outcome, Outcome::Cosigned(_)) {
            self.note_seen(checkpoint, is_new, now);
        }
        Ok(match outcome {
            Outcome::Cosigned(line) => line.bytes().try_into().map_or(
                Answer::Declined(Declined::Unable),
                |bytes: [u8; COSIGNATURE]| Answer::Cosigned {
                    cosignature: bytes.into(),
                    newest: None,
                },
            ),
            Outcome::Stale { last } => Answer::Stale { last },
            Outcome::Full => Answer::Declined(Declined::Full),
            Outcome::Inconsistent(evidence) => {
                let answer = Answer::Inconsistent {
                    conflict: conflict_number(evidence.conflict),
                    earlier: evidence.earlier.note().encode().into(),
                };
                if !self.found.iter().any(|other| same(other, &evidence)) {
                    self.found.push((*evidence).clone());
                    *found = Some(*evidence);
                }
                answer
            }
        })
    }

    /// A checkpoint was cosigned: it goes into the archive, and a second log of a node is worth a line.
    fn note_seen(&mut self, checkpoint: &VerifiedCheckpoint, is_new: bool, now: Timestamp) {
        let (origin, size) = (checkpoint.origin(), checkpoint.head().size);
        let of_node = |(one, _): &(&Origin, _)| one.node() == origin.node();
        if is_new && self.witness.logs().filter(of_node).count() > 1 {
            tracing::warn!(node = %origin.node(), log = %origin, size, "a node begins another log: its store was set back or copied; what was seen of the former one is kept");
        }
        let kept = self.witness.last(origin).ok().flatten();
        if let (Some(archive), Some(kept)) = (&mut self.archive, kept)
            && let Err(error) = archive.keep(kept.checkpoint(), now)
        {
            tracing::error!(log = %origin, size, %error, "a checkpoint that was seen is not archived");
        }
    }

    fn is_in_line_with(&self, peer: &Peer) -> bool {
        let (own, theirs) = (self.name.unit().path(), peer.name.unit().path());
        own.is_in_line_with(&theirs)
    }

    /// Adds this node's own newest cosigned checkpoint, where the peer can use it.
    fn with_newest(&mut self, answer: Answer, peer: &Peer, newest: Option<u64>, keys: &KeyOf<'_>) -> Answer {
        let Answer::Cosigned { cosignature, .. } = answer else {
            return answer;
        };
        // One out of line is told of nothing that it does not have itself.
        if !self.is_in_line_with(peer) {
            return Answer::Cosigned {
                cosignature,
                newest: None,
            };
        }
        let offered = self.shown(keys).and_then(|own| {
            let time = time_for(own, &peer.name)?;
            newest
                .is_none_or(|newest| time.as_u64() >= newest.saturating_add(WORTH))
                .then(|| ByteVec::from(own.checkpoint().note().encode()))
        });
        Answer::Cosigned {
            cosignature,
            newest: offered,
        }
    }

    /// This node's own newest cosigned checkpoint, with the cosignatures that hold. They are checked once:
    /// hundreds of nodes may ask for the same one.
    fn shown(&mut self, keys: &KeyOf<'_>) -> Option<&CosignedCheckpoint> {
        let own = self.own.cosigned()?;
        if self.shown.as_ref().is_none_or(|shown| shown.checkpoint() != own) {
            self.shown = own.clone().cosigned(keys).ok();
        }
        self.shown.as_ref()
    }

    fn take_report(
        &mut self,
        conflict: u8,
        earlier: &[u8],
        later: &[u8],
        keys: &KeyOf<'_>,
        found: &mut Option<Evidence>,
    ) -> Result<Answer, NotaryError> {
        let Some(evidence) = reported(conflict, earlier, later, keys) else {
            return Ok(Answer::Declined(Declined::Malformed));
        };
        // Two nodes of one unit report to each other, also what they have from each other.
        if self.conflicts().any(|other| same(other, &evidence)) {
            return Ok(Answer::Kept);
        }
        if !self.reports.keep(evidence.clone())? {
            return Ok(Answer::Declined(Declined::Full));
        }
        *found = Some(evidence);
        Ok(Answer::Kept)
    }
}

fn same(a: &Evidence, b: &Evidence) -> bool {
    a.conflict == b.conflict && a.earlier.unverified().origin() == b.earlier.unverified().origin()
}

fn signed_by(
    peer: &Peer,
    checkpoint: Option<Checkpoint>,
    signature: &[u8; 64],
) -> Option<VerifiedCheckpoint> {
    checkpoint?
        .with_signature(&peer.key, signature)
        .verify(&peer.key)
        .ok()
}

/// A report, if it shows what it says: two checkpoints of one log, both signed by its node. Two roots of one
/// size prove themselves; of the others it takes a known witness's word, who cosigned the earlier one.
fn reported(conflict: u8, earlier: &[u8], later: &[u8], keys: &KeyOf<'_>) -> Option<Evidence> {
    let conflict = conflict_of(conflict)?;
    let earlier = SignedCheckpoint::parse(earlier).ok()?;
    let later = SignedCheckpoint::parse(later).ok()?;
    let origin = earlier.unverified().origin();
    if origin != later.unverified().origin() {
        return None;
    }
    let key: VerifyingKey = keys(origin.node())?;
    let (first, second) = (*earlier.unverified().head(), *later.unverified().head());
    let shown = match conflict {
        Conflict::TwoRoots => first.size == second.size && first.root != second.root,
        Conflict::WentBack => second.size < first.size,
        Conflict::NotContinued => second.size > first.size,
    };
    let verified = earlier.clone().verify(&key).ok()?;
    later.clone().verify(&key).ok()?;
    let cosigned = verified.cosigned(keys).ok()?;
    let is_witnessed = conflict == Conflict::TwoRoots || !cosigned.witnesses().is_empty();
    (shown && is_witnessed).then_some(Evidence {
        conflict,
        earlier,
        later,
    })
}
