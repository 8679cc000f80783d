//! The case store, written behind: what follows from the journal's last updates is kept in memory, read as
//! if it were written, and written many updates at a time.
//!
//! Nothing is lost by that. An update is acknowledged when the journal has it, and what the case store
//! lacks of the journal is taken in again when it is opened. A sled batch for each update cost 430 of the
//! 690 µs that one took; a busy document's record was written anew with each of its updates.

use std::collections::BTreeMap;

use super::LedgerError;
use super::index::Table;
use crate::store::{Batch, CaseStore, Reflects};

/// Bytes kept in memory before they are written: some 10,000 updates.
const FULL: usize = 8 << 20;
/// Memory that a record takes beside its bytes, about.
const OVERHEAD: usize = 96;
/// Records written or deleted in one batch of sled, which holds a copy of each.
const STEP: usize = 4_000;

/// A key of the case store and its value.
pub(super) type Stored = (Vec<u8>, Vec<u8>);

/// The case store, with what is not written to it yet.
#[derive(Debug)]
pub(super) struct Cases {
    /// None where nothing is ever written, and everything taken in from the journal at each start.
    store: Option<CaseStore>,
    pending: BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>,
    bytes: usize,
}

impl Cases {
    pub(super) fn new(store: Option<CaseStore>) -> Self {
        Self {
            store,
            pending: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Is anything ever written?
    pub(super) fn is_kept(&self) -> bool {
        self.store.is_some()
    }

    /// The value as it will be.
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        match self.pending.get(&table).and_then(|records| records.get(key)) {
            Some(value) => Ok(Some(value.clone())),
            None => match &self.store {
                Some(store) => Ok(store.get(table.into(), key)?),
                None => Ok(None),
            },
        }
    }

    /// Puts a value, to be written later.
    pub(super) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len() + OVERHEAD;
        self.pending.entry(table).or_default().insert(key, value);
    }

    /// Every record whose key begins with `prefix`, as it will be, in the order of keys.
    pub(super) fn scan(&self, table: Table, prefix: &[u8]) -> Result<Vec<Stored>, LedgerError> {
        let written = self
            .store
            .iter()
            .flat_map(|store| store.scan_prefix(table.into(), prefix));
        let Some(pending) = self.pending.get(&table) else {
            return Ok(written.collect::<Result<_, _>>()?);
        };
        let mut records: BTreeMap<_, _> = written.collect::<Result<_, _>>()?;
        let behind = pending.range(prefix.to_vec()..);
        for (key, value) in behind.take_while(|(key, _)| key.starts_with(prefix)) {
            records.insert(key.clone(), value.clone());
        }
        Ok(records.into_iter().collect())
    }

    /// Is there so much in memory that it should be written?
    pub(super) fn is_full(&self) -> bool {
        self.store.is_some() && self.bytes >= FULL
    }

    /// How far of the journal is written.
    pub(super) fn reflects(&self) -> Option<Reflects> {
        self.store.as_ref()?.reflects()
    }

    /// Writes everything. What it `reflects` of the journal has to be durable there.
    ///
    /// In one batch: the store is never between two states of the journal.
    pub(super) fn write(&mut self, reflects: Reflects) -> Result<(), LedgerError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let mut batch = Batch::new();
        for (table, records) in &self.pending {
            for (key, value) in records {
                batch.put((*table).into(), key, value.clone());
            }
        }
        batch.reflect(reflects);
        store.apply(batch)?;
        self.forget();
        Ok(())
    }

    /// Forgets what is not written.
    pub(super) fn forget(&mut self) {
        self.pending.clear();
        self.bytes = 0;
    }

    /// Deletes everything.
    pub(super) fn clear(&mut self) -> Result<(), LedgerError> {
        self.forget();
        let Some(store) = &self.store else {
            return Ok(());
        };
        for table in Table::ALL {
            let records = store.scan_prefix(table.into(), &[]);
            let keys: Vec<_> = records
                .map(|record| record.map(|(key, _)| key))
                .collect::<Result<_, _>>()?;
            for some in keys.chunks(STEP) {
                let mut batch = Batch::new();
                for key in some {
                    batch.delete(table.into(), key);
                }
                store.apply(batch)?;
            }
        }
        Ok(())
    }
}
