//! What is asked of documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anjuan_sync::replica::LogTable;
use anjuan_sync::{Head, Header, LogId, LogState, Reach, Space};

use super::cases::Cases;
use super::document_state::{DocumentState, Payloads};
use super::index::{DocumentKey, DocumentRecord, Held, Standing, Table, decode, encode};
use super::projection::{history, project};
use super::{Ledger, LedgerError};
use crate::document::Extracted;
use crate::kind::{History, Projection};
use crate::store::{CaseStore, Reflects};

/// One stored update of a document with all that is known of it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The update.
    pub held: Held,
    /// What it says, if it is applied.
    pub extracted: Option<Arc<Extracted>>,
    /// Its place in the history, if it is applied.
    pub entry: Option<usize>,
}

/// A document as Automerge merged it.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// The changes that no other builds on.
    pub heads: Vec<automerge::ChangeHash>,
    /// The small fields that merge.
    pub record: BTreeMap<String, serde_json::Value>,
}

impl Payloads for Ledger {
    fn update(&self, position: u64) -> Result<anjuan_sync::SignedUpdate, LedgerError> {
        self.update_at(position)
    }
}

/// Is this update at or after the place where its log is forked?
pub(super) fn is_past_fork(logs: &LogTable, space: &Space, held: &Held) -> bool {
    match logs.state(&held.log(space)) {
        Some(LogState::Forked { seq, .. }) => held.seq >= *seq,
        _ => false,
    }
}

/// The documents that were there at a moment, and perhaps some that came since. Documents never go.
pub(crate) struct DocumentList {
    /// Those that may not be in the store yet.
    keys: BTreeSet<DocumentKey>,
    /// [`Table::Document`], or one with some of its keys.
    table: Table,
    prefix: &'static [u8],
    store: Option<Arc<CaseStore>>,
}

impl DocumentList {
    pub(crate) fn read(self) -> Result<Vec<DocumentKey>, LedgerError> {
        let mut keys = self.keys;
        if let Some(store) = self.store {
            for stored in store.scan_prefix(self.table.into(), self.prefix) {
                keys.extend(DocumentKey::from_key(&stored?.0));
            }
        }
        Ok(keys.into_iter().collect())
    }
}

impl Ledger {
    /// Reads a document from case store and journal; one that does not fit together is judged anew.
    pub(super) fn load_document(&self, key: &DocumentKey) -> Result<Option<DocumentState>, LedgerError> {
        let Some(record) = self.cases.get(Table::Document, &key.to_key())? else {
            return Ok(None);
        };
        let record: DocumentRecord = decode(&record)?;
        if let Some(state) = DocumentState::load(key.clone(), record.clone(), self)? {
            return Ok(Some(state));
        }
        tracing::warn!(document = %key.id, space = %key.space, "what is kept of a document does not fit; judged anew from the journal");
        let positions = record.updates.iter().map(|held| held.position);
        let forked = |held: &Held| is_past_fork(&self.logs, &key.space, held);
        Ok(Some(DocumentState::replay(key.clone(), positions, forked, self)?))
    }

    /// Keeps a document open, and notes for the case store what it pushes out.
    pub(super) fn keep_open(&mut self, key: DocumentKey, state: DocumentState) -> Result<(), LedgerError> {
        if let Some((_, mut out)) = self.documents.push(key, state) {
            note(&mut self.cases, &mut out);
        }
        Ok(())
    }

    /// Begins to write to the case store what it lacks of the journal.
    ///
    /// # Errors
    /// When journal or store fail; then what the store lacks is taken in again from the journal later.
    pub fn write_cases(&mut self) -> Result<(), LedgerError> {
        if self
            .cases
            .reflects()
            .is_some_and(|reflects| reflects.position == self.next)
        {
            return Ok(());
        }
        for (_, state) in &mut self.documents {
            note(&mut self.cases, state);
        }
        self.cases.put(Table::Counts, Vec::new(), encode(&self.counts));
        let durable = self.barrier()?;
        let reflects = Reflects {
            journal: self.journal.id(),
            position: self.next,
        };
        self.cases.write(reflects, durable)
    }

    /// Has the case store level with the journal, and written.
    ///
    /// # Errors
    /// When journal or store fail; then what the store lacks is taken in again from the journal later.
    pub fn flush(&mut self) -> Result<(), LedgerError> {
        self.write_cases()?;
        self.cases.finish()
    }

    /// Opens a document, if anything of it is stored.
    pub(super) fn open_document(&mut self, key: &DocumentKey) -> Result<Option<&DocumentState>, LedgerError> {
        if self.documents.get(key).is_none() {
            let loaded = match self.load_document(key) {
                Err(LedgerError::Store(_)) if self.cases.has_failed() => {
                    self.mend()?;
                    self.load_document(key)?
                }
                loaded => loaded?,
            };
            let Some(state) = loaded else {
                return Ok(None);
            };
            self.keep_open(key.clone(), state)?;
        }
        Ok(self.documents.peek(key))
    }

    /// Every document stored in the spaces of this reach at or below the node's unit, or above it.
    pub fn documents(&self, reach: Reach) -> Result<Vec<DocumentKey>, LedgerError> {
        self.list(Table::Document, reach, |_| true)?.read()
    }

    /// The documents among them that may order particulars to be erased, or an erasure to be taken back; to be
    /// read once the ledger is let go of: there may be many.
    pub(crate) fn erasing(&self, reach: Reach) -> Result<DocumentList, LedgerError> {
        self.list(Table::Erasing, reach, DocumentState::may_order_erasures)
    }

    /// The documents of a table; `open` tells which of those that are open belong there.
    fn list(
        &self,
        table: Table,
        reach: Reach,
        open: impl Fn(&DocumentState) -> bool,
    ) -> Result<DocumentList, LedgerError> {
        let prefix: &[u8] = match reach {
            Reach::Up => b"u",
            Reach::Down => b"d",
        };
        let (store, news) = self.cases.keys(table, prefix)?;
        let open = self.documents.iter().filter(|(_, state)| open(state));
        let open = open.map(|(key, _)| key).filter(|key| key.space.reach == reach);
        let news = news.filter_map(|key| DocumentKey::from_key(key));
        Ok(DocumentList {
            keys: open.cloned().chain(news).collect(),
            table,
            prefix,
            store,
        })
    }

    /// Every document with what is stored of it.
    pub(super) fn records(&self) -> Result<BTreeMap<DocumentKey, DocumentRecord>, LedgerError> {
        let mut records = BTreeMap::new();
        for (key, record) in self.cases.scan(Table::Document, &[])? {
            if let Some(key) = DocumentKey::from_key(&key) {
                records.insert(key, decode(&record)?);
            }
        }
        let open = self.documents.iter();
        records.extend(open.map(|(key, state)| (key.clone(), state.record.clone())));
        Ok(records)
    }

    /// What a document comes to; `None` where nothing of it is stored, its creating change is missing, or
    /// its kind is not known to this program.
    pub fn projection(&mut self, key: &DocumentKey) -> Result<Option<Arc<Projection>>, LedgerError> {
        if let Some(projection) = self.projections.get(key) {
            return Ok(Some(Arc::clone(projection)));
        }
        if self.open_document(key)?.is_none() {
            return Ok(None);
        }
        let state = self.documents.peek(key).expect("just opened");
        let Some(projection) = project(state, &self.credentials)? else {
            return Ok(None);
        };
        let projection = Arc::new(projection);
        self.projections.put(key.clone(), Arc::clone(&projection));
        Ok(Some(projection))
    }

    /// The kind of a document, the number of updates stored for it, and how many are not applied.
    pub fn figures(&mut self, key: &DocumentKey) -> Result<Option<(Option<String>, u64, u64)>, LedgerError> {
        Ok(self.open_document(key)?.map(|state| {
            let updates = &state.record.updates;
            let idle = updates
                .iter()
                .filter(|held| held.standing != Standing::Applied)
                .count();
            (state.record.kind.clone(), updates.len() as u64, idle as u64)
        }))
    }

    /// Every stored update of a document in the order of acceptance, and the history of those applied.
    pub fn told(&mut self, key: &DocumentKey) -> Result<Option<(History, Vec<Told>)>, LedgerError> {
        if self.open_document(key)?.is_none() {
            return Ok(None);
        }
        let state = self.documents.peek(key).expect("just opened");
        let applied = history(state, &self.credentials)?;
        let told = state
            .record
            .updates
            .iter()
            .map(|held| Told {
                held: held.clone(),
                extracted: state
                    .extracted(held)
                    .filter(|_| held.standing == Standing::Applied)
                    .cloned(),
                entry: applied.entries.iter().position(|entry| entry.update == held.id),
            })
            .collect();
        Ok(Some((applied, told)))
    }

    /// The Automerge heads of a document and its record as merged.
    pub fn merged(&mut self, key: &DocumentKey) -> Result<Option<Merged>, LedgerError> {
        let state = self.open_document(key)?;
        let document = state.and_then(DocumentState::document);
        Ok(document.map(|document| Merged {
            heads: document.heads(),
            record: document.record(),
        }))
    }

    /// The stored update in the frame at `position`.
    pub fn stored_update(&self, position: u64) -> Result<anjuan_sync::SignedUpdate, LedgerError> {
        self.update_at(position)
    }

    /// The head that a log had at this place.
    pub fn head_at(&self, log: &LogId, seq: u64) -> Result<Option<Head>, LedgerError> {
        Ok(self.log_entry(log, seq)?.map(|entry| Head { seq, id: entry.id }))
    }

    /// The header of the update stored at this place of a log.
    pub fn header_at(&self, log: &LogId, seq: u64) -> Result<Option<Header>, LedgerError> {
        let Some(entry) = self.log_entry(log, seq)? else {
            return Ok(None);
        };
        Ok(Some(self.update_at(entry.position)?.header().clone()))
    }
}

/// Notes a document for the case store, if it changed since.
fn note(cases: &mut Cases, state: &mut DocumentState) {
    if std::mem::replace(&mut state.is_written, true) {
        return;
    }
    let key = state.key.to_key();
    if state.may_order_erasures() {
        cases.put(Table::Erasing, key.clone(), Vec::new());
    }
    cases.put(Table::Document, key, encode(&state.record));
}
