//! The case store, written behind: what follows from the journal's last updates is kept in memory, read as
//! if it were written, and written many updates at a time, by a thread of its own.
//!
//! Nothing is lost by that. An update is acknowledged when the journal has it, and what the case store
//! lacks of the journal is taken in again when it is opened. A sled batch for each update cost 430 of the
//! 690 µs that one took; a busy document's record was written anew with each of its updates.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::index::{RETIRED, Table};
use super::{Durable, LedgerError};
use crate::store::{Batch, CaseStore, Reflects, StoreError};

/// Bytes kept in memory before they are written: some 2,000 updates. sled lets nobody read while it applies a
/// batch, and what is being taken in waits for that.
const FULL: usize = 512 << 10;
/// Memory that a record takes beside its bytes, about.
const OVERHEAD: usize = 96;
/// Records deleted in one batch of sled, which holds a copy of each.
const STEP: usize = 4_000;

/// A key of the case store and its value.
pub(super) type Stored = (Vec<u8>, Vec<u8>);

/// Records on their way.
#[derive(Debug, Default)]
struct Pending {
    tables: BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>,
    bytes: usize,
}

impl Pending {
    fn get(&self, table: Table, key: &[u8]) -> Option<&Vec<u8>> {
        self.tables.get(&table)?.get(key)
    }

    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        let length = key.len() + OVERHEAD;
        self.bytes += value.len();
        match self.tables.entry(table).or_default().insert(key, value) {
            Some(old) => self.bytes -= old.len(),
            None => self.bytes += length,
        }
    }

    /// Adds to a value that is here, if it is as long as stated. False where there is none.
    fn extend(&mut self, table: Table, key: &[u8], at: usize, more: &[u8]) -> bool {
        let value = self
            .tables
            .get_mut(&table)
            .and_then(|records| records.get_mut(key));
        match value.filter(|value| value.len() == at) {
            Some(value) => {
                value.extend_from_slice(more);
                self.bytes += more.len();
                true
            }
            None => false,
        }
    }

    fn scan(&self, table: Table, prefix: &[u8]) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        let records = self.tables.get(&table).into_iter();
        records
            .flat_map(|records| records.range(prefix.to_vec()..))
            .take_while(move |(key, _)| key.starts_with(prefix))
    }
}

/// What is being written, and by whom; nobody any more if that failed.
#[derive(Debug)]
struct Writing {
    records: Arc<Pending>,
    writer: Option<JoinHandle<Result<(), LedgerError>>>,
}

/// The case store, with what is not written to it yet.
#[derive(Debug)]
pub(super) struct Cases {
    /// None where nothing is ever written, and everything taken in from the journal at each start.
    store: Option<Arc<CaseStore>>,
    pending: Pending,
    writing: Option<Writing>,
    /// How far of the journal is written, or being written.
    reflects: Option<Reflects>,
    /// Something that was read or written did not hold.
    failed: AtomicBool,
}

impl Cases {
    pub(super) fn new(store: Option<CaseStore>) -> Self {
        Self {
            reflects: store.as_ref().and_then(CaseStore::reflects),
            store: store.map(Arc::new),
            pending: Pending::default(),
            writing: None,
            failed: AtomicBool::new(false),
        }
    }

    /// Has the store failed, so that it has to be opened anew?
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Has the store fail, as sled does on what it can't read.
    #[cfg(test)]
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
        let dir = self.store.as_ref().expect("a store").dir();
        std::fs::write(dir.join("broken"), "by a test").expect("written");
    }

    /// Closes the store, and begins with the one that `open` gives. What is not written is forgotten.
    pub(super) fn reopen(
        &mut self,
        open: impl FnOnce() -> Result<CaseStore, LedgerError>,
    ) -> Result<(), LedgerError> {
        self.forget();
        // sled lets nobody have the folder twice.
        self.store = None;
        let store = open()?;
        *self = Self::new(Some(store));
        Ok(())
    }

    /// The store, if there is to be one.
    fn store(&self) -> Result<Option<&Arc<CaseStore>>, LedgerError> {
        match &self.store {
            None if self.has_failed() => Err(StoreError::Broken("it cannot be opened anew".into()).into()),
            store => Ok(store.as_ref()),
        }
    }

    /// Remembers a failure that only a new beginning cures.
    fn heed<T>(&self, result: Result<T, StoreError>) -> Result<T, LedgerError> {
        if matches!(result, Err(StoreError::Damaged(_) | StoreError::Broken(_))) {
            self.failed.store(true, Ordering::Relaxed);
        }
        Ok(result?)
    }

    /// What is on its way, the oldest first.
    fn on_the_way(&self) -> impl DoubleEndedIterator<Item = &Pending> {
        let writing = self.writing.as_ref().map(|writing| &*writing.records);
        writing.into_iter().chain([&self.pending])
    }

    /// Is anything ever written?
    pub(super) fn is_kept(&self) -> bool {
        self.store.is_some()
    }

    /// The value as it will be.
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        if let Some(value) = self.on_the_way().rev().find_map(|some| some.get(table, key)) {
            return Ok(Some(value.clone()));
        }
        match self.store()? {
            Some(store) => self.heed(store.get(table.into(), key)),
            None => Ok(None),
        }
    }

    /// Puts a value, to be written later.
    pub(super) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.pending.put(table, key, value);
    }

    /// Adds to a value, which is `at` bytes long.
    ///
    /// # Errors
    /// When it is not as long as that.
    pub(super) fn extend(
        &mut self,
        table: Table,
        key: Vec<u8>,
        at: usize,
        more: &[u8],
    ) -> Result<(), LedgerError> {
        if self.pending.extend(table, &key, at, more) {
            return Ok(());
        }
        let mut value = match at {
            0 => Vec::new(),
            _ => self.get(table, &key)?.unwrap_or_default(),
        };
        if value.len() != at {
            let what = format!("{} bytes in a record of {table:?} instead of {at}", value.len());
            return Err(LedgerError::Index(what));
        }
        value.extend_from_slice(more);
        self.pending.put(table, key, value);
        Ok(())
    }

    /// Is the store of a former format?
    pub(super) fn is_outdated(&self) -> bool {
        let store = self.store.as_ref();
        store.is_some_and(|store| RETIRED.iter().any(|table| store.count(*table) > 0))
    }

    /// Every record whose key begins with `prefix`, as it will be, in the order of keys.
    pub(super) fn scan(&self, table: Table, prefix: &[u8]) -> Result<Vec<Stored>, LedgerError> {
        let written = self
            .store()?
            .into_iter()
            .flat_map(|store| store.scan_prefix(table.into(), prefix));
        let written: Vec<Stored> = self.heed(written.collect())?;
        let mut news = self
            .on_the_way()
            .flat_map(|some| some.scan(table, prefix))
            .peekable();
        if news.peek().is_none() {
            return Ok(written);
        }
        let mut records: BTreeMap<_, _> = written.into_iter().collect();
        records.extend(news.map(|(key, value)| (key.clone(), value.clone())));
        Ok(records.into_iter().collect())
    }

    /// Where the records of a table are, to be read without the ledger, and the keys of those that may not be
    /// there yet.
    pub(super) fn keys(
        &self,
        table: Table,
        prefix: &[u8],
    ) -> Result<(Option<Arc<CaseStore>>, impl Iterator<Item = &Vec<u8>>), LedgerError> {
        let news = self.on_the_way().flat_map(move |some| some.scan(table, prefix));
        Ok((self.store()?.cloned(), news.map(|(key, _)| key)))
    }

    /// Is there so much in memory that it should be written?
    pub(super) fn is_full(&self) -> bool {
        self.store.is_some() && self.pending.bytes >= FULL
    }

    /// How far of the journal is written, or being written.
    pub(super) fn reflects(&self) -> Option<Reflects> {
        self.reflects
    }

    /// Begins to write everything, once what it `reflects` of the journal is `durable` there.
    ///
    /// In one batch: the store is never between two states of the journal.
    ///
    /// # Errors
    /// When what was begun to be written before could not be.
    pub(super) fn write(&mut self, reflects: Reflects, durable: Durable) -> Result<(), LedgerError> {
        self.finish()?;
        if self.writing.is_some() {
            // Without what comes before it, it would leave a hole.
            return Err(StoreError::Broken("what came before could not be written".into()).into());
        }
        let Some(store) = self.store()?.cloned() else {
            return Ok(());
        };
        let records = Arc::new(std::mem::take(&mut self.pending));
        let ours = Arc::clone(&records);
        let writer = std::thread::spawn(move || {
            let mut batch = Batch::new();
            for (table, records) in &ours.tables {
                for (key, value) in records {
                    batch.put((*table).into(), key, value.clone());
                }
            }
            batch.reflect(reflects);
            // The store must never be ahead of the journal.
            durable.wait()?;
            Ok(store.apply(batch)?)
        });
        self.writing = Some(Writing {
            records,
            writer: Some(writer),
        });
        self.reflects = Some(reflects);
        Ok(())
    }

    /// Waits until what is being written is.
    ///
    /// # Errors
    /// When it could not be; it is still read as if it were, until all is read anew.
    pub(super) fn finish(&mut self) -> Result<(), LedgerError> {
        let writer = self.writing.as_mut().and_then(|writing| writing.writer.take());
        let Some(writer) = writer else {
            return Ok(());
        };
        let panicked = |_| Err(StoreError::Broken("its writer panicked".into()).into());
        match writer.join().unwrap_or_else(panicked) {
            Err(LedgerError::Store(error)) => self.heed(Err(error))?,
            written => written?,
        }
        self.writing = None;
        Ok(())
    }

    /// Forgets what is not written.
    pub(super) fn forget(&mut self) {
        if let Err(error) = self.finish() {
            tracing::warn!(%error, "the case store is behind the journal");
        }
        self.writing = None;
        self.pending = Pending::default();
        self.reflects = self.store.as_ref().and_then(|store| store.reflects());
    }

    /// Deletes everything.
    pub(super) fn clear(&mut self) -> Result<(), LedgerError> {
        self.forget();
        let Some(store) = self.store()? else {
            return Ok(());
        };
        for table in Table::ALL.map(Into::into).into_iter().chain(RETIRED) {
            let records = store.scan_prefix(table, &[]);
            let keys: Vec<_> = records
                .map(|record| record.map(|(key, _)| key))
                .collect::<Result<_, _>>()?;
            for some in keys.chunks(STEP) {
                let mut batch = Batch::new();
                for key in some {
                    batch.delete(table, key);
                }
                store.apply(batch)?;
            }
        }
        Ok(())
    }
}

impl Drop for Cases {
    /// A writer that is left behind would keep the folder.
    fn drop(&mut self) {
        self.forget();
    }
}
