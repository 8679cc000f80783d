//! One document with every stored update of it: which are applied, and why the others are not.
//!
//! The standing of an update is a pure function of the stored updates: of its own change, of its causal
//! past, and of what its author wrote to the document before it. So updates may be judged in any order in
//! which they happen to become judgeable.

use std::collections::HashMap;
use std::sync::Arc;

use anjuan_sync::{AuthorKey, LogEpoch, SignedUpdate};
use automerge::ChangeHash;

use super::index::{DocumentKey, DocumentRecord, Held, Standing};
use crate::document::{self, Admission, Document, Expected, Extracted, MergeError, Refusal};

/// The type of the event, of any kind of document, that orders particulars to be erased.
pub(super) const ERASURE: &str = "ParticularsErased";

/// Gives back the bytes of stored updates.
pub(super) trait Payloads {
    /// The update in the frame at this position of the journal.
    fn update(&self, position: u64) -> Result<SignedUpdate, super::LedgerError>;
}

/// Gives back the payload of an update, by its place in the document and what is known of it.
type PayloadOf<'a> = dyn Fn(usize, &Held) -> Result<Box<[u8]>, super::LedgerError> + 'a;

/// A document opened.
#[derive(Debug)]
pub(super) struct DocumentState {
    pub(super) key: DocumentKey,
    pub(super) record: DocumentRecord,
    /// Has the case store what is here?
    pub(super) is_written: bool,
    document: Option<Document>,
    extracted: HashMap<ChangeHash, Arc<Extracted>>,
    /// Where the update stands that brought a change first, signed by the change's own author. Those that
    /// can bring one change are of one log, so which came first is the same everywhere.
    place: HashMap<ChangeHash, usize>,
    /// Does an applied update order an erasure?
    orders_erasure: bool,
}

impl DocumentState {
    /// A document of which nothing is stored.
    pub(super) fn new(key: DocumentKey) -> Self {
        Self {
            key,
            record: DocumentRecord::default(),
            is_written: false,
            document: None,
            extracted: HashMap::new(),
            place: HashMap::new(),
            orders_erasure: false,
        }
    }

    /// A document as the case store keeps it, with the changes of its applied updates from the journal.
    /// `None` where the two do not fit together, and all of it has to be judged anew.
    pub(super) fn load(
        key: DocumentKey,
        record: DocumentRecord,
        payloads: &dyn Payloads,
    ) -> Result<Option<Self>, super::LedgerError> {
        let applied = |held: &&Held| held.standing == Standing::Applied;
        let changes = record.updates.iter().filter(applied).map(|held| {
            let update = payloads.update(held.position)?;
            Ok((update.id() == held.id).then(|| update.payload().into()))
        });
        let changes: Option<Vec<Arc<[u8]>>> = changes.collect::<Result<_, super::LedgerError>>()?;
        let document = match changes {
            Some(changes) if changes.is_empty() => None,
            Some(changes) => match Document::reread(changes) {
                Ok(document) => Some(document),
                Err(_) => return Ok(None),
            },
            None => return Ok(None),
        };
        let entries = document.iter().flat_map(|document| document.entries());
        let extracted: HashMap<_, _> = entries.map(|one| (one.hash, Arc::clone(one))).collect();
        let mut place = HashMap::new();
        for (at, held) in record.updates.iter().enumerate().filter(|(_, held)| held.genuine) {
            place.entry(ChangeHash(held.change)).or_insert(at);
        }
        let applied = record.updates.iter().filter(applied);
        let fits = applied
            .clone()
            .all(|held| extracted.contains_key(&ChangeHash(held.change)))
            && applied.count() == extracted.len();
        Ok(fits.then_some(Self {
            key,
            record,
            is_written: true,
            document,
            orders_erasure: extracted.values().any(|one| orders_erasure(one)),
            extracted,
            place,
        }))
    }

    /// The Automerge document, once its creating change is here.
    pub(super) fn document(&self) -> Option<&Document> {
        self.document.as_ref()
    }

    /// Has Automerge merge the document, and compares.
    pub(super) fn merge(&mut self) -> Result<(), MergeError> {
        match &mut self.document {
            Some(document) => document.merge().map(drop),
            None => Ok(()),
        }
    }

    /// What an applied update says.
    pub(super) fn extracted(&self, held: &Held) -> Option<&Arc<Extracted>> {
        self.extracted.get(&ChangeHash(held.change))
    }

    /// Takes in an update that was just stored at `position`, and judges what can be judged now.
    pub(super) fn add(
        &mut self,
        update: &SignedUpdate,
        position: u64,
        payloads: &dyn Payloads,
    ) -> Result<(), super::LedgerError> {
        let at = self.note(update, position);
        if self.judge(at, update.payload()) {
            self.settle(payloads)?;
        }
        Ok(())
    }

    /// Takes in an update that was stored at `position`, to be judged later, and says where.
    fn note(&mut self, update: &SignedUpdate, position: u64) -> usize {
        let header = update.header();
        let held = Held {
            id: update.id(),
            position,
            author: header.author(),
            epoch: header.epoch(),
            seq: header.seq(),
            certificate: header.certificate(),
            recorded_at: header.recorded_at(),
            change: [0; 32],
            standing: Standing::Waiting,
            genuine: false,
        };
        self.note_held(held, update.payload())
    }

    /// The same, of what is known of the update apart from its payload.
    fn note_held(&mut self, held: Held, payload: &[u8]) -> usize {
        let change = document::change_hash(payload);
        let actor = document::actor(&held.author, &held.epoch);
        let genuine = document::is_written_by(payload, &actor);
        let at = self.record.updates.len();
        if genuine {
            self.place.entry(change).or_insert(at);
        }
        self.record.updates.push(Held {
            change: change.0,
            standing: Standing::Waiting,
            genuine,
            ..held
        });
        at
    }

    /// A document built from its updates alone, given with their payloads in the order of acceptance; what
    /// they say of change, standing and genuineness is found here. `forked` are left out.
    pub(super) fn rebuilt(
        key: DocumentKey,
        updates: Vec<(Held, Box<[u8]>)>,
        forked: impl Fn(&Held) -> bool,
    ) -> Result<Self, super::LedgerError> {
        let mut state = Self::new(key);
        let mut payloads = Vec::with_capacity(updates.len());
        for (held, payload) in updates {
            state.note_held(held, &payload);
            payloads.push(payload);
        }
        state.clear(forked);
        state.settle_by(&|at, _| Ok(payloads[at].clone()))?;
        Ok(state)
    }

    /// A document built from its updates alone: those at `positions` of the journal.
    pub(super) fn replay(
        key: DocumentKey,
        positions: impl Iterator<Item = u64>,
        forked: impl Fn(&Held) -> bool,
        payloads: &dyn Payloads,
    ) -> Result<Self, super::LedgerError> {
        let mut state = Self::new(key);
        for position in positions {
            state.note(&payloads.update(position)?, position);
        }
        state.rebuild(forked, payloads)?;
        Ok(state)
    }

    /// Judges everything anew, with the updates that `forked` names left out.
    pub(super) fn rebuild(
        &mut self,
        forked: impl Fn(&Held) -> bool,
        payloads: &dyn Payloads,
    ) -> Result<(), super::LedgerError> {
        self.clear(forked);
        self.settle(payloads)
    }

    fn clear(&mut self, forked: impl Fn(&Held) -> bool) {
        self.document = None;
        self.extracted.clear();
        self.orders_erasure = false;
        self.record.kind = None;
        for held in &mut self.record.updates {
            held.standing = if forked(held) {
                Standing::Forked
            } else {
                Standing::Waiting
            };
        }
    }

    /// The author's own last update before this one that is not refused, if the document holds one.
    ///
    /// One that is blocked counts: a replica that has not seen the forked update below it only sees it wait,
    /// and what comes after it must not be applied here and wait there.
    fn own_before(&self, at: usize) -> Option<&Held> {
        let this = &self.record.updates[at];
        self.record
            .updates
            .iter()
            .filter(|held| held.author == this.author && held.epoch == this.epoch && held.seq < this.seq)
            .filter(|held| {
                matches!(
                    held.standing,
                    Standing::Applied | Standing::Waiting | Standing::Blocked
                )
            })
            .max_by_key(|held| held.seq)
    }

    /// Judges the update at `at`, which waits. True if its standing changed.
    fn judge(&mut self, at: usize, payload: &[u8]) -> bool {
        let own_last = match self.own_before(at) {
            Some(held) if held.standing == Standing::Waiting => return false,
            Some(held) if held.standing == Standing::Blocked => {
                self.record.updates[at].standing = Standing::Blocked;
                return true;
            }
            held => held.map(|held| ChangeHash(held.change)),
        };
        let held = &self.record.updates[at];
        if held.genuine && self.place.get(&ChangeHash(held.change)) != Some(&at) {
            // Whatever became of it the first time: what builds on it may have been judged by that.
            self.record.updates[at].standing = Standing::Refused(Refusal::AlreadyApplied.to_string());
            return true;
        }
        let expected = Expected {
            space: &self.key.space,
            document: &self.key.id,
            author: &held.author,
            epoch: &held.epoch,
            own_last,
        };
        let admission = match &mut self.document {
            Some(document) => match document.admit(payload, &expected) {
                // What it would have met with, had it come before the creating change.
                Err(Refusal::SecondCreation) => Err(Document::open(payload, &expected)
                    .err()
                    .unwrap_or(Refusal::SecondCreation)),
                admission => admission,
            },
            None => match Document::open(payload, &expected) {
                Ok((document, extracted)) => {
                    self.record.kind = Some(document.kind().to_owned());
                    self.document = Some(document);
                    Ok(Admission::Applied(extracted))
                }
                // It builds on something; whatever that is, the creating change comes first.
                Err(Refusal::NotACreation) => return false,
                Err(refusal) => Err(refusal),
            },
        };
        let standing = match admission {
            Ok(Admission::Applied(extracted)) => {
                self.orders_erasure |= orders_erasure(&extracted);
                self.extracted.insert(extracted.hash, extracted);
                Standing::Applied
            }
            Ok(Admission::Waiting { missing }) if missing.iter().any(|dep| self.is_ruled_out(dep)) => {
                Standing::Blocked
            }
            Ok(Admission::Waiting { .. }) => return false,
            Err(refusal) => Standing::Refused(refusal.to_string()),
        };
        self.record.updates[at].standing = standing;
        true
    }

    fn is_ruled_out(&self, change: &ChangeHash) -> bool {
        self.place.get(change).is_some_and(|at| {
            matches!(
                self.record.updates[*at].standing,
                Standing::Refused(_) | Standing::Blocked | Standing::Forked
            )
        })
    }

    /// Judges those that wait until nothing changes. Each round settles at least one or is the last.
    fn settle(&mut self, payloads: &dyn Payloads) -> Result<(), super::LedgerError> {
        self.settle_by(&|_, held| Ok(payloads.update(held.position)?.payload().into()))
    }

    /// The same; `payload` gives that of the update at a place.
    fn settle_by(&mut self, payload: &PayloadOf<'_>) -> Result<(), super::LedgerError> {
        loop {
            let waiting: Vec<_> = (0..self.record.updates.len())
                .filter(|at| self.record.updates[*at].standing == Standing::Waiting)
                .collect();
            let mut changed = false;
            for at in waiting {
                let payload = payload(at, &self.record.updates[at])?;
                changed |= self.judge(at, &payload);
            }
            if !changed {
                return Ok(());
            }
        }
    }

    /// Is one of this store's own updates not applied? Its Automerge actor can't go back, so the store has
    /// to go on under another.
    pub(super) fn own_is_ruled_out(&self, author: AuthorKey, epoch: LogEpoch) -> bool {
        self.record
            .updates
            .iter()
            .any(|held| held.author == author && held.epoch == epoch && held.standing != Standing::Applied)
    }

    /// Can it be that something was, or has to be, erased by what this document says? An erasure may also
    /// have to be taken back, after its event turned out not to be applied.
    pub(super) fn may_order_erasures(&self) -> bool {
        let unapplied = |held: &Held| held.standing != Standing::Applied;
        self.orders_erasure || self.record.updates.iter().any(unapplied)
    }

    /// The store and its documents do not fit together.
    pub(super) fn broken(&self, what: &str) -> super::LedgerError {
        super::LedgerError::Document {
            document: self.key.clone(),
            what: what.to_owned(),
        }
    }
}

fn orders_erasure(one: &Extracted) -> bool {
    one.content.event.get("type").is_some_and(|name| name == ERASURE)
}
