//! The journal in a bundle: certificates, headers, logs, forks, and the leaves of its Merkle log.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use anjuan_sync::hash::sha256;
use anjuan_sync::replica::{LogTable, Offer};
use anjuan_sync::verify::verify_headers;
use anjuan_sync::{CertificateId, Digest, LogId, LogState, PayloadHash, SignedHeader, Timestamp, UpdateId};
use rand::CryptoRng;

use crate::audit::report::{Check, Findings};
use crate::audit::scope::{DocumentName, Header};
use crate::audit::tree::Tree;
use crate::authority::certificate::Certified;
use crate::authority::credentials::{Credentials, Offered};
use crate::authority::revocation::Extent;
use crate::evidence::merkle::record_leaf;
use crate::journal::Kind;
use crate::ledger::{FrameKind, read_fork};
use crate::text;
use crate::text::Text;

/// Headers whose signatures are checked at a time.
const BATCH: usize = 1024;

/// An update that a bundle shows.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// Its place in the journal.
    pub(super) position: u64,
    pub(super) id: UpdateId,
    /// Which log, of [`Journal::log`].
    pub(super) log: u32,
    pub(super) seq: u64,
    pub(super) certificate: CertificateId,
    pub(super) claimed: Timestamp,
    pub(super) payload_hash: PayloadHash,
    /// The foreign checkpoint that its header carries, by the hash of its bytes.
    pub(super) bracket: Option<Digest>,
    /// Signed by who might, and next in its log.
    pub(super) is_sound: bool,
}

/// A log with its updates, those that are sound and in order.
#[derive(Debug)]
struct Log {
    number: u32,
    updates: Vec<u32>,
    /// From when its author's store was set back: the last update known of the log before.
    continues: Option<UpdateId>,
    /// Something does not fit; what follows from that is not told again.
    is_broken: bool,
}

/// The journal as far as it was read.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) credentials: Credentials,
    tree: Tree,
    table: LogTable,
    logs: BTreeMap<LogId, Log>,
    names: Vec<LogId>,
    shown: Vec<Shown>,
    documents: BTreeMap<DocumentName, Vec<u32>>,
    asked_for: BTreeSet<DocumentName>,
    brackets: BTreeMap<Digest, Vec<u8>>,
    pending: Vec<(u64, SignedHeader)>,
    header: Header,
    evidence: u64,
    offered: u64,
}

impl Journal {
    pub(super) fn new(root: &Certified, header: &Header) -> Self {
        Self {
            credentials: Credentials::new(root.clone()).expect("the auditor's root is one"),
            tree: Tree::new(header.splits.clone()),
            table: LogTable::new(),
            logs: BTreeMap::new(),
            names: Vec::new(),
            shown: Vec::new(),
            documents: BTreeMap::new(),
            asked_for: BTreeSet::new(),
            brackets: BTreeMap::new(),
            pending: Vec::new(),
            header: header.clone(),
            evidence: 0,
            offered: 0,
        }
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(super) fn logs(&self) -> &LogTable {
        &self.table
    }

    pub(super) fn updates(&self) -> &[Shown] {
        &self.shown
    }

    pub(super) fn credentials_seen(&self) -> u64 {
        self.offered
    }

    pub(super) fn log(&self, number: u32) -> &LogId {
        &self.names[number as usize]
    }

    /// The foreign checkpoints that headers carry.
    pub(super) fn brackets(&self) -> &BTreeMap<Digest, Vec<u8>> {
        &self.brackets
    }

    /// The documents that were asked for, in order, with the places of their updates in [`Self::updates`].
    pub(super) fn documents(&self) -> impl Iterator<Item = (&DocumentName, &[u32])> {
        self.asked_for
            .iter()
            .map(|name| (name, self.documents.get(name).map_or(&[][..], Vec::as_slice)))
    }

    /// Does this update stand at or after a fork of its log?
    pub(super) fn is_forked(&self, log: &LogId, seq: u64) -> bool {
        matches!(self.table.state(log), Some(LogState::Forked { seq: fork, .. }) if seq >= *fork)
    }

    /// The next record of the journal.
    pub(super) fn show(
        &mut self,
        body: &[u8],
        rng: &mut impl CryptoRng,
        findings: &mut Findings,
    ) -> Result<(), &'static str> {
        let Some((kind, bytes)) = body.split_first() else {
            return Err("a record without content");
        };
        let position = self.tree.size();
        self.tree.push(record_leaf(*kind, bytes));
        findings.look(Check::Journal);
        let known = (*kind < 0xf0).then(|| FrameKind::of(Kind::new(*kind))).flatten();
        match known {
            Some(FrameKind::Update) => {
                findings.look(Check::Headers);
                match SignedHeader::decode(bytes) {
                    Ok(header) => self.pending.push((position, header)),
                    Err(error) => findings.forged(
                        Check::Headers,
                        place(position),
                        text!("签名头不合格式:{error}", "the header is malformed: {error}"),
                    ),
                }
                if self.pending.len() >= BATCH {
                    self.flush(rng, findings);
                }
            }
            Some(FrameKind::Credential) => {
                self.flush(rng, findings);
                self.credential(position, bytes, findings);
            }
            Some(FrameKind::Fork) => {
                self.flush(rng, findings);
                self.fork(position, bytes, findings);
            }
            Some(FrameKind::Evidence) => self.evidence += 1,
            None => findings.unproven(
                Check::Coverage,
                place(position),
                text!(
                    "本程序不认识第 {kind} 类记录;请用更新的版本核验",
                    "this program does not know records of kind {kind}; check with a newer one"
                ),
            ),
        }
        Ok(())
    }

    /// Records that are not shown.
    pub(super) fn fold(&mut self, body: &[u8]) -> Result<(), &'static str> {
        let folded = body
            .split_first()
            .and_then(|(level, hash)| Some((*level, Digest::from_bytes(hash.try_into().ok()?))));
        match folded {
            Some((level, hash)) if self.tree.push_folded(level, hash) => Ok(()),
            _ => Err("a folded part of the journal that cannot stand here"),
        }
    }

    fn credential(&mut self, position: u64, bytes: &[u8], findings: &mut Findings) {
        findings.look(Check::Certificates);
        self.offered += 1;
        let what = match self.credentials.offer(bytes) {
            Offered::New(_) => return,
            Offered::Known => Text::new(
                "同一证书或吊销出现两次",
                "the same certificate or revocation stands twice",
            ),
            Offered::Waiting(missing) => text!(
                "其所依据的证书 {missing} 不在它之前",
                "certificate {missing}, which it rests on, does not stand before it"
            ),
            Offered::Refused(refused) => text!("不成立:{refused}", "it does not hold: {refused}"),
        };
        findings.forged(Check::Certificates, place(position), what);
    }

    fn flush(&mut self, rng: &mut impl CryptoRng, findings: &mut Findings) {
        let (positions, headers): (Vec<_>, Vec<_>) = self.pending.drain(..).unzip();
        for (position, verdict) in positions.into_iter().zip(verify_headers(headers, rng)) {
            findings.look(Check::Signatures);
            match verdict {
                Ok(verified) => self.enter(position, verified.get(), true, findings),
                Err((header, error)) => {
                    findings.forged(
                        Check::Signatures,
                        place(position),
                        text!("签名不成立:{error}", "the signature does not hold: {error}"),
                    );
                    self.enter(position, &header, false, findings);
                }
            }
        }
    }

    /// Enters an update into its log and its document.
    fn enter(&mut self, position: u64, signed: &SignedHeader, is_signed: bool, findings: &mut Findings) {
        let header = signed.header();
        findings.look(Check::Authority);
        let is_certified = match self.credentials.certify_author(header) {
            Ok(_) => true,
            Err(error) => {
                findings.forged(
                    Check::Authority,
                    place(position),
                    text!(
                        "签名人无权作此记录:{error};诚实的节点不会接收",
                        "who signed this might not: {error}; no honest node takes it in"
                    ),
                );
                false
            }
        };
        let number = self.shown.len() as u32;
        let (log, is_next) = self.chain(position, signed, is_signed, number, findings);
        let bracket = header.bracket().map(|note| {
            let digest = sha256(note);
            self.brackets.entry(digest).or_insert_with(|| note.to_vec());
            digest
        });
        let name = DocumentName {
            space: header.space().clone(),
            id: header.document(),
        };
        let scope = &self.header.scope;
        if scope.asks_for(&name.space, name.id, header.recorded_at()) && !self.asked_for.contains(&name) {
            self.asked_for.insert(name.clone());
        }
        self.documents.entry(name).or_default().push(number);
        self.shown.push(Shown {
            position,
            id: signed.id(),
            log,
            seq: header.seq(),
            certificate: header.certificate(),
            claimed: header.recorded_at(),
            payload_hash: header.payload_hash(),
            bracket,
            is_sound: is_signed && is_certified && is_next,
        });
    }

    /// Is this the next update of its log?
    fn chain(
        &mut self,
        position: u64,
        signed: &SignedHeader,
        is_signed: bool,
        number: u32,
        findings: &mut Findings,
    ) -> (u32, bool) {
        findings.look(Check::Logs);
        let id = signed.header().log();
        let next = self.names.len() as u32;
        let log = self.logs.entry(id.clone()).or_insert_with(|| {
            self.names.push(id.clone());
            Log {
                number: next,
                updates: Vec::new(),
                continues: None,
                is_broken: false,
            }
        });
        let shown = &self.shown;
        let stored = |seq: u64| {
            let at = usize::try_from(seq).ok()?.checked_sub(1)?;
            Some(shown[*log.updates.get(at)? as usize].id)
        };
        let offer = self
            .table
            .offer(signed, |seq| Ok::<_, Infallible>(stored(seq)))
            .unwrap_or_else(|never| match never {});
        let seq = signed.header().seq();
        let what = match offer {
            Offer::Next => {
                self.table.advance(signed);
                log.updates.push(number);
                if let Some(continues) = signed.header().continues() {
                    log.continues = Some(continues);
                }
                return (log.number, true);
            }
            Offer::Fork { seq, first, second } if is_signed => {
                self.table.fork(id.clone(), seq, first, second);
                let (who, space) = (id.author.short(), &id.space);
                findings.forged(
                    Check::Forks,
                    place(position),
                    text!(
                        "{who} 在 {space} 的日志第 {seq} 位签了两条不同的更新,而日志把第二条也当作更新收下",
                        "{who} signed two updates for place {seq} of a log in {space}, and the journal took the second in as an update, too"
                    ),
                );
                return (log.number, false);
            }
            Offer::Known => text!("第 {seq} 条更新出现两次", "update {seq} of the log stands twice"),
            Offer::Gap { have } => {
                let first = have + 1;
                let last = seq - 1;
                text!(
                    "日志第 {first} 至 {last} 条更新缺失",
                    "updates {first} to {last} of the log are missing"
                )
            }
            Offer::PastFork { seq: fork } => text!(
                "日志在第 {fork} 位已分叉,其后不应再收",
                "the log is forked at {fork}, and nothing is taken in after that"
            ),
            Offer::Detached { .. } | Offer::Fork { .. } => text!(
                "第 {seq} 条更新接续的不是所示的前一条",
                "update {seq} of the log names another predecessor than the one shown"
            ),
        };
        if !std::mem::replace(&mut log.is_broken, true) {
            let (who, space) = (id.author.short(), &id.space);
            findings.forged(
                Check::Logs,
                format!("{} ({who} in {space})", place(position)),
                what,
            );
        }
        (log.number, false)
    }

    fn fork(&mut self, position: u64, bytes: &[u8], findings: &mut Findings) {
        findings.look(Check::Forks);
        let pair = match read_fork(bytes) {
            Ok(pair) => pair,
            Err(error) => {
                let what = text!(
                    "分叉证据不合格式:{error}",
                    "the evidence of a fork is malformed: {error}"
                );
                return findings.forged(Check::Forks, place(position), what);
            }
        };
        for signed in &pair {
            let holds =
                signed.clone().verify().is_ok() && self.credentials.certify_author(signed.header()).is_ok();
            if !holds {
                let what = Text::new(
                    "分叉证据中有一条不是其作者所签",
                    "a header of the evidence of a fork is not signed by who might",
                );
                return findings.forged(Check::Forks, place(position), what);
            }
        }
        let id = pair[0].header().log();
        let (shown, log) = (&self.shown, self.logs.get(&id));
        let stored = |seq: u64| {
            let at = usize::try_from(seq).ok()?.checked_sub(1)?;
            Some(shown[*log?.updates.get(at)? as usize].id)
        };
        let offer = self
            .table
            .offer_fork(&pair, |seq| Ok::<_, Infallible>(stored(seq)))
            .unwrap_or_else(|never| match never {});
        let (who, space) = (id.author.short(), id.space.clone());
        match offer {
            Offer::Fork { seq, first, second } => {
                self.table.fork(id, seq, first, second);
                findings.gap(
                    Check::Forks,
                    place(position),
                    text!(
                        "{who} 在 {space} 的日志第 {seq} 位签了两条不同的更新;自该处起均不计入,请向签名人和保管其密钥的节点查问",
                        "{who} signed two different updates for place {seq} of a log in {space}; nothing of it counts from there on. Ask the signer, and who keeps the node of the key"
                    ),
                );
            }
            Offer::Known => {}
            // Of a part of the journal the log may not be shown.
            Offer::Gap { .. } if !self.header.shows_all() => {}
            _ => findings.forged(
                Check::Forks,
                place(position),
                Text::new(
                    "分叉证据与所示日志不符",
                    "the evidence of a fork does not fit the log that is shown",
                ),
            ),
        }
    }

    /// After the last record.
    pub(super) fn finish(&mut self, rng: &mut impl CryptoRng, is_broken: bool, findings: &mut Findings) {
        self.flush(rng, findings);
        if is_broken {
            return;
        }
        self.check_coverage(findings);
        self.check_continued(findings);
        self.check_cutoffs(findings);
    }

    fn check_coverage(&self, findings: &mut Findings) {
        findings.look(Check::Coverage);
        let (folded, size) = (self.tree.folded(), self.tree.size());
        if let Some(stray) = self.tree.stray() {
            findings.unproven(
                Check::Format,
                place(stray),
                Text::new(
                    "未示部分的折叠方式不规范",
                    "what is not shown is folded in another way than there is",
                ),
            );
        }
        if folded > 0 && self.header.shows_all() {
            findings.unproven(
                Check::Coverage,
                "journal",
                text!(
                    "文件自称展示全部 {size} 条记录,却隐去 {folded} 条",
                    "the bundle says that it shows all {size} records, and holds {folded} back"
                ),
            );
        } else if folded > 0 {
            findings.gap(
                Check::Coverage,
                "journal",
                text!(
                    "日志共 {size} 条记录,本次导出未展示 {folded} 条;其中是否有相关更新不能排除",
                    "{folded} of the journal's {size} records are not shown in this export; that some of them belong to what is shown cannot be ruled out"
                ),
            );
        }
        let evidence = self.evidence;
        if evidence > 0 {
            findings.note(
                Check::Coverage,
                "journal",
                text!(
                    "节点保留了 {evidence} 件拒收之物作为证据",
                    "the node kept {evidence} things that it refused, as evidence"
                ),
            );
        }
    }

    /// Logs that go on after a store was set back.
    fn check_continued(&self, findings: &mut Findings) {
        let named: BTreeSet<UpdateId> = self.logs.values().filter_map(|log| log.continues).collect();
        let places: BTreeMap<UpdateId, &Shown> = self
            .shown
            .iter()
            .filter(|shown| named.contains(&shown.id))
            .map(|shown| (shown.id, shown))
            .collect();
        for (id, log) in &self.logs {
            let Some(continues) = log.continues else { continue };
            let (who, space) = (id.author.short(), &id.space);
            let place = format!("log of {who} in {space}");
            let Some(before) = places.get(&continues) else {
                let what = text!(
                    "此日志接续 {continues},而该更新未展示",
                    "the log continues update {continues}, which is not shown"
                );
                match self.header.shows_all() {
                    true => findings.gap(Check::Logs, place, what),
                    false => findings.note(Check::Logs, place, what),
                }
                continue;
            };
            let former = &self.logs[self.log(before.log)];
            let (known, had) = (before.seq, former.updates.len() as u64);
            if had > known {
                findings.gap(
                    Check::Logs,
                    place,
                    text!(
                        "该操作员的存储曾回退:新日志自第 {known} 条接续,而旧日志已有 {had} 条。多为恢复旧备份;旧日志后来的记录仍在并已核验,请核对当时的恢复记录",
                        "the store of this operator was set back: the new log goes on from update {known}, and the one before had {had}. Most likely an old backup was restored; the later updates are here and verified. Compare with the record of that restore"
                    ),
                );
            } else {
                findings.note(
                    Check::Logs,
                    place,
                    text!(
                        "该操作员自第 {known} 条起换用新日志,没有遗失",
                        "the operator went on in a new log after update {known}; nothing was lost"
                    ),
                );
            }
        }
    }

    /// A revocation names how far a log had come: at least so much has to be shown.
    fn check_cutoffs(&self, findings: &mut Findings) {
        for revocation in self.credentials.revocations() {
            let Extent::Operator(cutoffs) = revocation.get().extent() else {
                continue;
            };
            let Some(certified) = self.credentials.certificate(revocation.get().certificate()) else {
                continue;
            };
            let author = certified.certificate().subject();
            for cutoff in cutoffs {
                let id = LogId {
                    space: cutoff.space.clone(),
                    author,
                    epoch: cutoff.epoch,
                };
                let log = self.logs.get(&id);
                if log.is_none() && !self.header.shows_all() {
                    continue;
                }
                let have = log.map_or(0, |log| log.updates.len() as u64);
                let named = cutoff.head.seq;
                if have < named {
                    let (who, space) = (author.short(), &id.space);
                    findings.gap(
                        Check::Coverage,
                        format!("log of {who} in {space}"),
                        text!(
                            "吊销书提到该日志已有 {named} 条,所示只有 {have} 条",
                            "a revocation knows of {named} updates of this log; {have} are shown"
                        ),
                    );
                }
            }
        }
    }
}

/// How a record of the journal is named.
pub(super) fn place(position: u64) -> String {
    format!("record {position}")
}
