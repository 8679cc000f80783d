//! Checkpoints: who signed them, who cosigned them, and whether the journal leads to them.

use std::collections::BTreeMap;

use anjuan_sync::{CertificateId, Digest, Timestamp};
use ed25519_dalek::VerifyingKey;

use super::Auditor;
use super::journal::Journal;
use crate::audit::format::Record;
use crate::audit::policy::Policy;
use crate::audit::report::{Check, Findings};
use crate::audit::scope::Header;
use crate::authority::certificate::CertificateKind;
use crate::authority::credentials::{Credentials, Standing};
use crate::evidence::checkpoint::{CheckpointError, CosignedCheckpoint, SignedCheckpoint};
use crate::evidence::cosignature::Seconds;
use crate::evidence::merkle::TreeHead;
use crate::evidence::name::{NodeName, Origin};
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;

/// Nodes that are certified, by the names under which they sign.
#[derive(Debug)]
pub(super) struct Known(BTreeMap<NodeName, (VerifyingKey, CertificateId)>);

impl Known {
    pub(super) fn new(credentials: &Credentials) -> Self {
        let network = credentials.network();
        let nodes = credentials
            .certificates()
            .filter(|certified| certified.certificate().kind() == CertificateKind::Node);
        Self(
            nodes
                .map(|certified| {
                    let certificate = certified.certificate();
                    let name = NodeName::new(network, certificate.unit().clone(), certificate.key());
                    (name, (*certificate.key(), certified.id()))
                })
                .collect(),
        )
    }

    fn key(&self, name: &NodeName) -> Option<VerifyingKey> {
        self.0.get(name).map(|(key, _)| *key)
    }

    /// Reads a note as a checkpoint of a certified node, with the cosignatures that hold.
    pub(super) fn read(&self, note: &[u8]) -> Result<CosignedCheckpoint, ReadError> {
        let signed = SignedCheckpoint::parse(note)?;
        self.verify(signed)
    }

    fn verify(&self, signed: SignedCheckpoint) -> Result<CosignedCheckpoint, ReadError> {
        let node = signed.unverified().origin().node().clone();
        let key = self.key(&node).ok_or(ReadError::Unknown(node))?;
        Ok(signed.verify(&key)?.cosigned(|name| self.key(name))?)
    }

    /// Was the certificate of this node revoked?
    fn is_revoked(&self, name: &NodeName, credentials: &Credentials) -> bool {
        let certificate = self.0.get(name).map(|(_, certificate)| *certificate);
        certificate.is_some_and(|certificate| credentials.revocations_of(certificate).next().is_some())
    }

    /// The witnesses of a checkpoint that count for the auditor: named by the policy, certified and in force
    /// when they cosigned, and not of the unit whose log it is.
    pub(super) fn witnesses(
        &self,
        checkpoint: &CosignedCheckpoint,
        policy: &Policy,
        credentials: &Credentials,
    ) -> Seen {
        let own = checkpoint.checkpoint().origin().node().unit();
        let counting = checkpoint.witnesses().iter().filter(|witness| {
            let in_force = self.0.get(&witness.name).is_some_and(|(_, certificate)| {
                credentials.standing(*certificate, witness.time.first()) == Some(Standing::Valid)
            });
            in_force && policy.counts(&witness.name) && witness.name.unit() != own
        });
        counting
            .map(|witness| (witness.name.unit().clone(), witness.time))
            .collect()
    }
}

/// Why a note is no checkpoint of the network.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{0} is not a certified node")]
    Unknown(NodeName),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Witnesses that count, by unit, and when each cosigned.
pub(super) type Seen = Vec<(UnitCode, Seconds)>;

/// A checkpoint of the bundle's journal to which the records lead.
#[derive(Debug)]
pub(super) struct Witnessed {
    pub(super) size: u64,
    pub(super) witnesses: Seen,
}

/// The checkpoints of a bundle.
#[derive(Debug)]
pub(super) struct Checkpoints {
    origin: Origin,
    policy: Policy,
    kept: Vec<SignedCheckpoint>,
    /// Those signed by their node, of the bundle's own.
    own: Vec<CosignedCheckpoint>,
    /// Whoever signed two roots for one size shows up here.
    heads: BTreeMap<(Origin, u64), Digest>,
    /// Those that the records lead to, by size.
    good: Vec<Witnessed>,
    /// Who cosigned the checkpoints that headers carry, by the hash of the note; none where it doesn't hold.
    foreign: BTreeMap<Digest, Option<Seen>>,
    witnessed: u64,
    until: Option<Timestamp>,
}

impl Checkpoints {
    pub(super) fn new(header: &Header, auditor: &Auditor<'_>) -> Self {
        Self {
            origin: header.origin.clone(),
            policy: auditor.policy.clone(),
            kept: auditor.kept.to_vec(),
            own: Vec::new(),
            heads: BTreeMap::new(),
            good: Vec::new(),
            foreign: BTreeMap::new(),
            witnessed: 0,
            until: None,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.own.len() as u64
    }

    /// Records under a checkpoint that enough witnesses cosigned.
    pub(super) fn witnessed(&self) -> u64 {
        self.witnessed
    }

    /// The newest time that enough witnesses vouch for.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Checkpoints to which the records lead, ascending.
    pub(super) fn good(&self) -> &[Witnessed] {
        &self.good
    }

    /// Who cosigned the checkpoints that headers carry, by the hash of the note.
    pub(super) fn foreign(&self) -> &BTreeMap<Digest, Option<Seen>> {
        &self.foreign
    }

    /// Reads the notes of the bundle.
    pub(super) fn read(
        &mut self,
        notes: &[Record],
        journal: &Journal,
        known: &Known,
        findings: &mut Findings,
    ) {
        let mut last: Option<(u64, Origin)> = None;
        for (number, note) in notes.iter().enumerate() {
            findings.look(Check::Checkpoints);
            let place = format!("checkpoint {number}");
            let checkpoint = match known.read(&note.body) {
                Ok(checkpoint) => checkpoint,
                Err(ReadError::Checkpoint(error @ CheckpointError::Signature(_))) => {
                    findings.forged(
                        Check::Checkpoints,
                        place,
                        text!(
                            "检查点签名不成立:{error}",
                            "the checkpoint does not hold: {error}"
                        ),
                    );
                    continue;
                }
                Err(error) => {
                    findings.unproven(
                        Check::Checkpoints,
                        place,
                        text!("检查点不可用:{error}", "the checkpoint proves nothing: {error}"),
                    );
                    continue;
                }
            };
            let lines = checkpoint.checkpoint().note().signatures().len();
            if lines != checkpoint.witnesses().len() + 1 {
                findings.gap(
                    Check::Witnesses,
                    place.clone(),
                    Text::new(
                        "检查点上有不属于任何持证节点的签名行",
                        "a signature line on the checkpoint is of no certified node",
                    ),
                );
            }
            let origin = checkpoint.checkpoint().origin().clone();
            let key = (checkpoint.checkpoint().head().size, origin.clone());
            if last.as_ref().is_some_and(|last| *last >= key) {
                findings.unproven(
                    Check::Format,
                    place.clone(),
                    Text::new(
                        "检查点重复或次序不对",
                        "a checkpoint stands twice, or out of order",
                    ),
                );
            }
            last = Some(key);
            if origin.node() != self.origin.node() {
                findings.unproven(
                    Check::Checkpoints,
                    place,
                    text!(
                        "检查点属于另一日志 {origin}",
                        "the checkpoint is of another log, {origin}"
                    ),
                );
                continue;
            }
            self.note_head(&checkpoint, &place, findings);
            self.own.push(checkpoint);
        }
        for (digest, note) in journal.brackets() {
            let seen = known.read(note).ok().map(|checkpoint| {
                self.note_head(&checkpoint, "a header's checkpoint", findings);
                known.witnesses(&checkpoint, &self.policy, &journal.credentials)
            });
            self.foreign.insert(*digest, seen);
        }
        let kept = std::mem::take(&mut self.kept);
        for signed in &kept {
            if let Ok(checkpoint) = known.verify(signed.clone()) {
                self.note_head(&checkpoint, "the checkpoint you kept", findings);
            }
        }
        self.kept = kept;
    }

    /// Two roots for one size of one log, both signed, prove that the node shows two histories.
    fn note_head(&mut self, checkpoint: &CosignedCheckpoint, place: &str, findings: &mut Findings) {
        let (origin, head) = (checkpoint.checkpoint().origin(), checkpoint.checkpoint().head());
        let first = *self.heads.entry((origin.clone(), head.size)).or_insert(head.root);
        if first != head.root {
            let size = head.size;
            findings.forged(
                Check::Checkpoints,
                place,
                text!(
                    "{origin} 对 {size} 条记录签署了两个不同的树根:它向不同的人出示了不同的历史",
                    "{origin} signed two roots for {size} records: it shows different histories to different people"
                ),
            );
        }
    }

    /// Compares everything that was signed of this journal with the journal.
    pub(super) fn compare(&mut self, journal: &Journal, known: &Known, findings: &mut Findings) {
        let tree = journal.tree();
        let own_heads = self
            .heads
            .keys()
            .filter(|(origin, _)| origin.node() == self.origin.node());
        let mut sizes: Vec<u64> = own_heads.map(|(_, size)| *size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let roots = tree.roots(&sizes);
        let fits = |head: &TreeHead| {
            roots
                .get(&head.size)
                .copied()
                .flatten()
                .map(|root| root == head.root)
        };
        if known.is_revoked(self.origin.node(), &journal.credentials) {
            findings.gap(
                Check::Checkpoints,
                "journal",
                Text::new(
                    "该节点的证书已被吊销:它的检查点只凭见证人的联署可信",
                    "the node's certificate was revoked: its checkpoints are worth what witnesses vouch for",
                ),
            );
        }
        let own = std::mem::take(&mut self.own);
        for checkpoint in &own {
            let (origin, head) = (checkpoint.checkpoint().origin(), checkpoint.checkpoint().head());
            let size = head.size;
            let place = format!("checkpoint of {size} records");
            let is_current = *origin == self.origin;
            match fits(head) {
                Some(true) => self.good.push(Witnessed {
                    size,
                    witnesses: known.witnesses(checkpoint, &self.policy, &journal.credentials),
                }),
                Some(false) if is_current => findings.forged(
                    Check::Journal,
                    place,
                    Text::new(
                        "所示记录算出的树根与节点签署的不同:有记录被改、删、增或调换",
                        "the records shown do not lead to the root that the node signed: some were changed, dropped, added or moved",
                    ),
                ),
                None if is_current => findings.unproven(
                    Check::Journal,
                    place,
                    text!("不能从所示记录算出 {size} 条时的树根", "the root at {size} records cannot be computed from what is shown"),
                ),
                Some(false) | None => findings.gap(Check::Checkpoints, place, set_back(origin)),
            }
        }
        if let Some(newest) = own.last()
            && *newest.checkpoint().origin() != self.origin
        {
            let origin = newest.checkpoint().origin();
            findings.gap(
                Check::Checkpoints,
                "newest checkpoint",
                text!(
                    "最新的检查点属于 {origin},不是文件所称的日志",
                    "the newest checkpoint is of {origin}, not of the log that the bundle names"
                ),
            );
        }
        self.own = own;
        for ((origin, size), root) in &self.heads {
            let head = TreeHead {
                size: *size,
                root: *root,
            };
            let is_listed = self.own.iter().any(|own| own.checkpoint().head() == &head);
            if *origin == self.origin && !is_listed && fits(&head) == Some(false) {
                findings.forged(
                    Check::Journal,
                    format!("checkpoint of {size} records"),
                    Text::new(
                        "节点曾签署另一树根,他人的签名头或您的留存可证:日志被改写",
                        "the node once signed another root, as somebody's header or what you kept shows: the journal was rewritten",
                    ),
                );
            }
        }
        self.compare_kept(tree.size(), &fits, known, findings);
        self.check_quorum(tree.size(), findings);
    }

    fn compare_kept(
        &self,
        shown: u64,
        fits: &dyn Fn(&TreeHead) -> Option<bool>,
        known: &Known,
        findings: &mut Findings,
    ) {
        for kept in &self.kept {
            findings.look(Check::Since);
            let (origin, head) = (kept.unverified().origin(), kept.unverified().head());
            let size = head.size;
            let place = format!("kept checkpoint of {size} records");
            if let Err(error) = known.verify(kept.clone()) {
                let what = text!(
                    "留存的检查点不可用:{error}",
                    "the checkpoint you kept proves nothing here: {error}"
                );
                findings.unproven(Check::Since, place, what);
                continue;
            }
            if origin.node() != self.origin.node() {
                findings.unproven(
                    Check::Since,
                    place,
                    text!(
                        "留存的检查点属于 {origin},与本日志无从比较",
                        "the checkpoint you kept is of {origin}; it cannot be compared with this journal"
                    ),
                );
                continue;
            }
            let is_current = *origin == self.origin;
            match fits(head) {
                Some(true) => {}
                Some(false) if is_current => findings.forged(
                    Check::Since,
                    place,
                    Text::new(
                        "日志不再包含您当时所见的内容:前 N 条的树根不同,日志被改写或曾向您出示另一历史",
                        "the journal no longer holds what you saw: its beginning has another root. It was rewritten, or you were shown another history",
                    ),
                ),
                _ if !is_current => findings.gap(Check::Since, place, set_back(origin)),
                _ if size > shown => findings.unproven(
                    Check::Since,
                    place,
                    text!(
                        "您留存的检查点已有 {size} 条记录,本文件只有 {shown} 条:文件较旧,或末尾被截去",
                        "you kept a checkpoint of {size} records, and the bundle has {shown}: it is older, or its end was cut"
                    ),
                ),
                _ => findings.unproven(
                    Check::Since,
                    place,
                    Text::new(
                        "本次导出不能与留存的检查点比较;请用 audit export --since 重新导出",
                        "this export cannot be compared with the checkpoint you kept; have it exported again with --since",
                    ),
                ),
            }
        }
    }

    fn check_quorum(&mut self, shown: u64, findings: &mut Findings) {
        findings.look(Check::Witnesses);
        self.good.sort_by_key(|one| one.size);
        let signed = self.good.last().map_or(0, |one| one.size);
        if signed < shown {
            let rest = shown - signed;
            findings.gap(
                Check::Journal,
                "journal",
                text!(
                    "末尾 {rest} 条记录没有节点签署的检查点",
                    "the last {rest} records are under no checkpoint of the node"
                ),
            );
        }
        let asked = self.policy.quorum;
        let Some(quorum) = self.policy.quorum() else {
            findings.gap(
                Check::Witnesses,
                "journal",
                Text::new(
                    "按所给政策不要求见证:日志被整体改写不能排除",
                    "the policy goes without witnesses: that the journal was rewritten as a whole cannot be ruled out",
                ),
            );
            return;
        };
        let place = quorum.get() - 1;
        let reached = |one: &&Witnessed| one.witnesses.len() >= quorum.get();
        let Some(last) = self.good.iter().rev().find(reached) else {
            let most = self.good.iter().map(|one| one.witnesses.len()).max().unwrap_or(0);
            findings.unproven(
                Check::Witnesses,
                "journal",
                text!(
                    "没有检查点得到 {asked} 名见证人联署(最多 {most} 名)",
                    "no checkpoint to which the records lead has {asked} witnesses (the most is {most})"
                ),
            );
            return;
        };
        self.witnessed = last.size;
        let times = self.good.iter().filter(reached).filter_map(|one| {
            let mut times: Vec<_> = one.witnesses.iter().map(|(_, time)| *time).collect();
            times.sort_by(|a, b| b.cmp(a));
            times.get(place).copied()
        });
        self.until = times.max().map(Seconds::first);
        if self.witnessed < shown {
            let rest = shown - self.witnessed;
            findings.gap(
                Check::Witnesses,
                "journal",
                text!(
                    "末尾 {rest} 条记录尚无足够见证",
                    "the last {rest} records are not witnessed by enough yet"
                ),
            );
        }
    }

    /// Two checkpoints that a witness could not bring together: length of the first, then both.
    pub(super) fn conflict(&mut self, body: &[u8], known: &Known, findings: &mut Findings) {
        findings.look(Check::Checkpoints);
        let pair = body
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.split_at_checked(u32::from_be_bytes(*length) as usize));
        let pair = pair.and_then(|(a, b)| Some((known.read(a).ok()?, known.read(b).ok()?)));
        let pair = pair.filter(|(a, b)| {
            let (a, b) = (a.checkpoint(), b.checkpoint());
            a.origin() == b.origin() && a.head() != b.head()
        });
        let Some((a, b)) = pair else {
            let what = Text::new("冲突证据不成立", "what is said to be a conflict is none");
            return findings.unproven(Check::Checkpoints, "conflict", what);
        };
        let origin = a.checkpoint().origin().clone();
        let (first, second) = (a.checkpoint().head().size, b.checkpoint().head().size);
        if first != second {
            return findings.gap(
                Check::Checkpoints,
                "conflict",
                text!(
                    "{origin} 在 {first} 条与 {second} 条之间未能证明连续",
                    "{origin} did not show that its log of {second} records goes with that of {first}"
                ),
            );
        }
        let what = text!(
            "{origin} 对 {first} 条记录签署了两个树根,见证人留有两份原件",
            "{origin} signed two roots for {first} records; a witness kept both"
        );
        match origin.node() == self.origin.node() {
            true => findings.forged(Check::Checkpoints, "conflict", what),
            false => findings.gap(Check::Checkpoints, "conflict", what),
        }
    }
}

fn set_back(origin: &Origin) -> Text {
    let epoch = origin.epoch();
    text!(
        "节点的存储曾回退(多为恢复旧备份)并改用新的日志名:旧日志 {epoch} 的检查点无从与现日志比较;请核对恢复记录,并与其他节点所持比对",
        "the node's store was set back, most likely to an old backup, and goes on under a new log name: the checkpoint of the former log {epoch} cannot be compared with this one. Compare with the record of that restore, and with what other nodes hold"
    )
}
