//! What comes in from a peer, a bundle or this node's own operators: stored, held back, or refused with a
//! reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anjuan_sync::id::ItemId;
use anjuan_sync::replica::{BlobKind, LogItem, Offer};
use anjuan_sync::{Head, LogId, LogState, SignatureVerified, SignedHeader, SignedUpdate, Space, UpdateId};

use super::document_state::{DocumentState, Payloads};
use super::fork::{fork_bytes, read_fork};
use super::incoming::{Checked, One, Outcome, Taken};
use super::index::{DocumentKey, LogEntry, Table, encode, log_key, run_key, space_key};
use super::query::is_past_fork;
use super::sealed::sync_id;
use super::{Durable, FrameKind, Ledger, LedgerError};
use crate::authority::credentials::{AuthorError, Offered, Refused, Unjudged};
use crate::epoch;
use crate::journal::{Frame, Kind};
use crate::particulars::{Offered as SealedOffered, SealedItem, VerifiedItem};

/// Evidence kept at most: pieces, and bytes in all. A peer that sends more of it is told apart by then.
const MAX_EVIDENCE: (u64, u64) = (1_000, 8 * 1024 * 1024);

impl Ledger {
    /// Takes in what was checked. What is stored is durable when the returned [`Durable`] was waited for.
    ///
    /// # Errors
    /// When the disk fails; nothing of it is acknowledged then.
    pub fn take(&mut self, checked: Checked) -> Result<(Taken, Durable), LedgerError> {
        self.resume()?;
        let taken = self.take_in(checked);
        // What is in memory by now may never get into the journal.
        self.is_ahead |= taken.is_err();
        taken
    }

    fn take_in(&mut self, checked: Checked) -> Result<(Taken, Durable), LedgerError> {
        let mut intake = Intake::new(self);
        let outcomes = checked
            .0
            .into_iter()
            .map(|one| intake.take_one(one))
            .collect::<Result<Vec<_>, LedgerError>>()?;
        let (touched, durable) = intake.finish()?;
        Ok((Taken { outcomes, touched }, durable))
    }
}

/// One round of taking in: frames for the journal, documents touched. A round that fails half-way leaves the
/// ledger ahead of its journal, and everything in memory is read anew before the next.
pub(super) struct Intake<'l> {
    ledger: &'l mut Ledger,
    start: u64,
    frames: Vec<(Kind, Vec<u8>)>,
    touched: BTreeMap<DocumentKey, DocumentState>,
    rebuild: BTreeSet<DocumentKey>,
    recent: BTreeMap<u64, SignedUpdate>,
    replay: bool,
}

/// Updates of this round, and those in the journal.
struct Source<'a> {
    ledger: &'a Ledger,
    recent: &'a BTreeMap<u64, SignedUpdate>,
}

impl Payloads for Source<'_> {
    fn update(&self, position: u64) -> Result<SignedUpdate, LedgerError> {
        match self.recent.get(&position) {
            Some(update) => Ok(update.clone()),
            None => self.ledger.update_at(position),
        }
    }
}

impl<'l> Intake<'l> {
    pub(super) fn new(ledger: &'l mut Ledger) -> Self {
        Self {
            start: ledger.next,
            ledger,
            frames: Vec::new(),
            touched: BTreeMap::new(),
            rebuild: BTreeSet::new(),
            recent: BTreeMap::new(),
            replay: false,
        }
    }

    /// A round that takes frames back in from the journal, where they stand already, from `start` on.
    pub(super) fn replay(ledger: &'l mut Ledger, start: u64) -> Self {
        Self {
            start,
            replay: true,
            ..Self::new(ledger)
        }
    }

    /// Takes the next frame of the journal back in. It was checked before it was written.
    pub(super) fn replay_frame(&mut self, kind: Kind, bytes: Vec<u8>) -> Result<(), LedgerError> {
        let position = self.start + self.frames.len() as u64;
        let broken = |what: String| LedgerError::Frame { position, what };
        let frames = self.frames.len();
        match FrameKind::of(kind) {
            Some(FrameKind::Credential) => {
                self.take_credential(Unjudged::read(&bytes), bytes.clone())?;
            }
            Some(FrameKind::Update) => {
                let update = SignedUpdate::decode(&bytes).map_err(|error| broken(error.to_string()))?;
                self.take_update(update.trust_journal())?;
            }
            Some(FrameKind::Fork) => {
                let [a, b] = read_fork(&bytes).map_err(&broken)?;
                self.take_fork([a, b])?;
            }
            Some(FrameKind::Evidence) => self.count_evidence(bytes.len()),
            None => return Err(broken(format!("{kind:?} is not known to this program"))),
        }
        // A frame that has become useless, or that adopted several waiting ones, still takes one place.
        self.frames.truncate(frames);
        self.frames.push((kind, Vec::new()));
        Ok(())
    }

    fn next_position(&self) -> u64 {
        self.start + self.frames.len() as u64
    }

    fn frame(&mut self, kind: FrameKind, bytes: Vec<u8>) -> u64 {
        let position = self.next_position();
        self.frames.push((kind.into(), bytes));
        position
    }

    fn take_one(&mut self, one: One) -> Result<Outcome, LedgerError> {
        match one {
            One::Own(update) => self.take_update(update),
            One::Update(update) => {
                let ours = update.get().header().epoch() == self.ledger.epochs.current;
                let outcome = self.take_update(update)?;
                // A peer has more of this store's own epoch than the store: it was set back in time.
                if ours && matches!(outcome, Outcome::Stored | Outcome::Waiting) && !self.ledger.epoch_is_old
                {
                    // On disk before anything of it is durable: a restart must not forget.
                    epoch::mark_old(&self.ledger.home, &self.ledger.epochs)?;
                    self.ledger.epoch_is_old = true;
                }
                Ok(outcome)
            }
            One::Fork(pair) => {
                let [a, b] = *pair;
                self.take_fork([a.into_inner(), b.into_inner()])
            }
            One::Credential { read, bytes } => self.take_credential(read, bytes),
            One::Sealed(bytes) => self.take_sealed(&bytes),
            One::Forged { reason, bytes } => {
                self.keep_evidence(&reason, &bytes);
                Ok(Outcome::Forged(reason))
            }
        }
    }

    fn take_update(&mut self, update: SignatureVerified<SignedUpdate>) -> Result<Outcome, LedgerError> {
        let header = update.get().header();
        if !self.ledger.scope.holds(header.space()) {
            return Ok(Outcome::Refused(format!(
                "{} is not a space of this node",
                header.space()
            )));
        }
        match self.ledger.credentials.certify_author(header) {
            Ok(_) => {}
            Err(error @ AuthorError::Unknown(_)) => return Ok(Outcome::Refused(error.to_string())),
            Err(error) => {
                self.keep_evidence(&error.to_string(), &update.get().encode());
                return Ok(match error {
                    AuthorError::ForeignNetwork { .. } => Outcome::Forged(error.to_string()),
                    _ => Outcome::Refused(error.to_string()),
                });
            }
        }
        let log = header.log();
        match self
            .ledger
            .logs
            .offer(update.get().signed_header(), |seq| self.stored_id(&log, seq))?
        {
            Offer::Next => {
                self.store_chain(update)?;
                Ok(Outcome::Stored)
            }
            Offer::Known => Ok(Outcome::Known),
            Offer::Gap { have } => Ok(if self.ledger.waiting.keep(update, have) {
                Outcome::Waiting
            } else {
                Outcome::Refused("too many updates wait for their predecessors".into())
            }),
            Offer::Fork { seq, first, second } => {
                self.fork(
                    &log,
                    seq,
                    [first, second],
                    vec![update.get().signed_header().clone()],
                )?;
                Ok(Outcome::Stored)
            }
            Offer::PastFork { seq } => Ok(Outcome::Refused(format!(
                "the log is forked at {seq}; nothing after that counts"
            ))),
            Offer::Detached { seq } => Ok(Outcome::Refused(format!(
                "place {seq} of the log has another predecessor here"
            ))),
        }
    }

    /// Stores an update that is next in its log, and those that waited for it.
    fn store_chain(&mut self, update: SignatureVerified<SignedUpdate>) -> Result<(), LedgerError> {
        let mut next = Some(update);
        while let Some(update) = next.take() {
            let log = update.get().header().log();
            let seq = update.get().header().seq();
            self.store(update.into_inner())?;
            if let Some(waiting) = self.ledger.waiting.take(&log, seq + 1) {
                let header = waiting.get().signed_header();
                if self.ledger.logs.offer(header, |seq| self.stored_id(&log, seq))? == Offer::Next {
                    next = Some(waiting);
                }
            }
        }
        Ok(())
    }

    fn store(&mut self, update: SignedUpdate) -> Result<(), LedgerError> {
        let header = update.header();
        let log = header.log();
        let document = DocumentKey {
            space: header.space().clone(),
            id: header.document(),
        };
        let position = self.frame(FrameKind::Update, update.encode());
        self.ledger.logs.advance(update.signed_header());
        let state = LogState::Whole(Head {
            seq: header.seq(),
            id: update.id(),
        });
        self.set_log(&log, state);
        self.ledger.order.push(header.space(), position);
        self.ledger.counts.updates += 1;
        let entry = LogEntry {
            id: update.id(),
            position,
            document: header.document(),
        };
        let (run, before) = run_key(&log, header.seq());
        let cases = &mut self.ledger.cases;
        cases.put(Table::Head, log_key(&log), encode(&state));
        cases.extend(Table::Run, run, before, &entry.to_bytes())?;

        self.recent.insert(position, update.clone());
        self.touch(&document)?;
        let source = Source {
            ledger: self.ledger,
            recent: &self.recent,
        };
        let state = self.touched.get_mut(&document).expect("just touched");
        state.add(&update, position, &source)
    }

    /// Opens a document to change it.
    fn touch(&mut self, key: &DocumentKey) -> Result<(), LedgerError> {
        if !self.touched.contains_key(key) {
            let state = match self.ledger.documents.pop(key) {
                Some(state) => state,
                None => self
                    .ledger
                    .load_document(key)?
                    .unwrap_or_else(|| DocumentState::new(key.clone())),
            };
            self.ledger.projections.pop(key);
            self.touched.insert(key.clone(), state);
        }
        Ok(())
    }

    fn stored_id(&self, log: &LogId, seq: u64) -> Result<Option<UpdateId>, LedgerError> {
        Ok(self.ledger.log_entry(log, seq)?.map(|entry| entry.id))
    }

    fn take_fork(&mut self, pair: [SignedHeader; 2]) -> Result<Outcome, LedgerError> {
        let log = pair[0].header().log();
        if !self.ledger.scope.holds(&log.space) {
            return Ok(Outcome::Refused(format!(
                "{} is not a space of this node",
                log.space
            )));
        }
        for signed in &pair {
            if let Err(error) = self.ledger.credentials.certify_author(signed.header()) {
                return Ok(Outcome::Refused(error.to_string()));
            }
        }
        match self
            .ledger
            .logs
            .offer_fork(&pair, |seq| self.stored_id(&log, seq))?
        {
            Offer::Fork { seq, first, second } => {
                self.fork(&log, seq, [first, second], pair.into())?;
                Ok(Outcome::Stored)
            }
            Offer::Known => Ok(Outcome::Known),
            Offer::Next | Offer::Gap { .. } | Offer::PastFork { .. } | Offer::Detached { .. } => Ok(
                Outcome::Refused("the two headers are no fork of the log as it stands here".into()),
            ),
        }
    }

    /// Marks `log` as forked at `seq`. `offered` are headers that came in; others named by `ids` are here.
    fn fork(
        &mut self,
        log: &LogId,
        seq: u64,
        ids: [UpdateId; 2],
        offered: Vec<SignedHeader>,
    ) -> Result<(), LedgerError> {
        let mut candidates = offered;
        if let Some(bytes) = self.ledger.cases.get(Table::Fork, &log_key(log))? {
            let broken = |what| LedgerError::Frame { position: 0, what };
            candidates.extend(read_fork(&bytes).map_err(broken)?);
        }
        if let Some(entry) = self.ledger.log_entry(log, seq)? {
            let source = Source {
                ledger: self.ledger,
                recent: &self.recent,
            };
            candidates.push(source.update(entry.position)?.signed_header().clone());
        }
        let header = |id: UpdateId| {
            candidates
                .iter()
                .find(|signed| signed.id() == id)
                .ok_or_else(|| LedgerError::Frame {
                    position: 0,
                    what: format!("the header of update {id}, evidence of a fork, is missing"),
                })
        };
        let bytes = fork_bytes(header(ids[0])?, header(ids[1])?);
        let position = self.frame(FrameKind::Fork, bytes.clone());
        let state = self.ledger.logs.fork(log.clone(), seq, ids[0], ids[1]);
        tracing::error!(author = %log.author.short(), space = %log.space, seq, "a log is forked: two signed updates for one place, both kept; nothing counts from there on");
        self.set_log(log, state);
        self.ledger.order.push(&log.space, position);
        self.ledger.waiting.forget(log, seq..=u64::MAX);
        let cases = &mut self.ledger.cases;
        cases.put(Table::Fork, log_key(log), bytes);
        cases.put(Table::Head, log_key(log), encode(&state));
        cases.put(
            Table::Order,
            position.to_be_bytes().to_vec(),
            space_key(&log.space),
        );
        let mut at = seq;
        while let Some(entry) = self.ledger.log_entry(log, at)? {
            self.rebuild.insert(DocumentKey {
                space: log.space.clone(),
                id: entry.document,
            });
            at += 1;
        }
        Ok(())
    }

    fn take_credential(
        &mut self,
        read: Result<Unjudged, Refused>,
        bytes: Vec<u8>,
    ) -> Result<Outcome, LedgerError> {
        let offered = match read {
            Ok(unjudged) => Arc::make_mut(&mut self.ledger.credentials).offer_read(unjudged, &bytes),
            Err(refused) => Offered::Refused(refused),
        };
        match offered {
            Offered::New(adopted) => {
                for one in adopted {
                    let Some(bytes) = self.ledger.credentials.item(&one.id) else {
                        continue;
                    };
                    let space = Space::down(one.path.clone());
                    let position = self.frame(FrameKind::Credential, bytes.clone());
                    let id = ItemId::from_bytes(*one.id.as_bytes());
                    self.ledger
                        .digests
                        .blobs_mut(BlobKind::Credential)
                        .put(&one.path, id);
                    self.ledger.order.push(&space, position);
                    let cases = &mut self.ledger.cases;
                    cases.put(Table::Credential, one.id.as_bytes().to_vec(), bytes);
                    cases.put(Table::Order, position.to_be_bytes().to_vec(), space_key(&space));
                }
                // A revocation may change what counts anywhere below it.
                self.ledger.projections.clear();
                Ok(Outcome::Stored)
            }
            Offered::Known => Ok(Outcome::Known),
            Offered::Waiting(_) => Ok(Outcome::Waiting),
            Offered::Refused(refused) => {
                self.keep_evidence(&refused.to_string(), &bytes);
                Ok(Outcome::Refused(refused.to_string()))
            }
        }
    }

    fn take_sealed(&mut self, bytes: &[u8]) -> Result<Outcome, LedgerError> {
        let ledger = &mut *self.ledger;
        let judge = |item: &VerifiedItem| ledger.may_seal(item);
        Ok(match ledger.keystore.offer(bytes, &judge)? {
            SealedOffered::Stored(_) => {
                let placed = SealedItem::decode(bytes).map_err(|error| error.to_string());
                if let Ok(item) = placed {
                    let path = &item.subject().space.unit;
                    ledger
                        .digests
                        .blobs_mut(BlobKind::Sealed)
                        .put(path, sync_id(item.id()));
                }
                Outcome::Stored
            }
            SealedOffered::Known(_) => Outcome::Known,
            SealedOffered::Erased => Outcome::Refused("it was erased here".into()),
            SealedOffered::Refused(refusal) => Outcome::Refused(refusal.to_string()),
        })
    }

    fn set_log(&mut self, log: &LogId, state: LogState) {
        let item = LogItem {
            author: log.author,
            epoch: log.epoch,
            state,
        };
        self.ledger
            .digests
            .logs_mut(log.space.reach)
            .put(&log.space.unit, item);
    }

    fn keep_evidence(&mut self, reason: &str, bytes: &[u8]) {
        let counts = &self.ledger.counts;
        if self.replay || counts.evidence >= MAX_EVIDENCE.0 || counts.evidence_bytes >= MAX_EVIDENCE.1 {
            return;
        }
        tracing::warn!(reason, bytes = bytes.len(), "refused, kept as evidence");
        let mut evidence = Vec::new();
        evidence.extend_from_slice(&(reason.len() as u32).to_be_bytes());
        evidence.extend_from_slice(reason.as_bytes());
        evidence.extend_from_slice(bytes);
        self.count_evidence(evidence.len());
        self.frame(FrameKind::Evidence, evidence);
    }

    fn count_evidence(&mut self, bytes: usize) {
        self.ledger.counts.evidence += 1;
        self.ledger.counts.evidence_bytes += bytes as u64;
    }

    /// Rebuilds what a fork changed, writes the journal, and puts the documents back.
    pub(super) fn finish(mut self) -> Result<(Vec<DocumentKey>, Durable), LedgerError> {
        for key in std::mem::take(&mut self.rebuild) {
            self.touch(&key)?;
            let state = self.touched.get_mut(&key).expect("just touched");
            let source = Source {
                ledger: self.ledger,
                recent: &self.recent,
            };
            state.rebuild(|held| is_past_fork(&self.ledger.logs, &key.space, held), &source)?;
        }
        let end = self.start + self.frames.len() as u64;
        let ticket = if self.replay || self.frames.is_empty() {
            None
        } else {
            let frames: Vec<_> = self
                .frames
                .iter()
                .map(|(kind, bytes)| Frame { kind: *kind, bytes })
                .collect();
            let ticket = self.ledger.journal.append(&frames)?;
            self.ledger.recent.append(&mut self.recent);
            Some(ticket)
        };
        self.ledger.digests.settle();
        let touched = self.touched.keys().cloned().collect();
        for (key, mut state) in self.touched {
            state.is_written = false;
            self.ledger.keep_open(key, state)?;
        }
        self.ledger.next = end;
        let durable = self.ledger.journal.end();
        self.ledger.recent = self.ledger.recent.split_off(&durable);
        if self.ledger.cases.is_full() {
            self.ledger.write_cases()?;
        }
        Ok((touched, Durable(ticket)))
    }
}
