//! Records for the case store on their way: read as if they were there, written together or not at all.

use std::collections::BTreeMap;

use super::LedgerError;
use super::index::Table;
use crate::store::{Batch, CaseStore, Reflects};

/// Records not yet in the store.
#[derive(Debug, Default)]
pub(super) struct Staged(BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl Staged {
    pub(super) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert((table, key), value);
    }

    /// The value as it will be.
    pub(super) fn get(
        &self,
        store: &CaseStore,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        match self.0.get(&(table, key.to_vec())) {
            Some(value) => Ok(Some(value.clone())),
            None => Ok(store.get(table.into(), key)?),
        }
    }

    /// Writes everything, with what the store reflects of the journal from then on.
    pub(super) fn apply(self, store: &CaseStore, reflects: Reflects) -> Result<(), LedgerError> {
        let mut batch = Batch::new();
        for ((table, key), value) in self.0 {
            batch.put(table.into(), &key, value);
        }
        batch.reflect(reflects);
        Ok(store.apply(batch)?)
    }
}
