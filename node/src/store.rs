//! The case store: what became of each document's updates, log heads and indexes, in sled. A cache of what the
//! journal says, and rebuilt from it whenever there is doubt.
//!
//! sled 0.34.7 can lose acknowledged writes at a power loss, lose records of a truncated file without a
//! word, and panic on a flipped bit. So nothing here is trusted:
//!
//! - One tree, so that a batch over several tables is atomic; the first byte of a key is its [`Table`].
//! - A batch carries how far of the journal it reflects ([`Reflects`]), in the same transaction: what
//!   sled lost is exactly what the journal has after that position.
//! - Every value carries a checksum over key and value. Every batch carries, for each table, the number of
//!   entries and the sum of their checksums; opening walks the whole store and compares.
//!   (Not yet timed at a city's size, where a year's 16,000 cases make some 800,000 entries.)
//! - Every call into sled is guarded: a panic becomes an error, and after the first one the store says
//!   [`StoreError::Broken`] to everything. The caller drops it and opens it anew, which sets it aside.
//! - A store that does not hold is set aside, not deleted, and a fresh one begun: [`Opened::SetAside`].

mod guarded;
mod open;
mod record;
mod scan;
mod totals;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, RwLock};

use guarded::Guarded;
pub use open::Opened;
pub use scan::Scan;
use totals::Totals;

use crate::journal::JournalId;

/// Bytes in the longest key.
pub const MAX_KEY: usize = 512;
/// Bytes in the longest value.
pub const MAX_VALUE: usize = 64 << 20;

/// A table of the store: a name space for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(u8);

impl Table {
    /// A table.
    ///
    /// # Panics
    /// For 0 and from 0xf0 on, which the store keeps for itself. Make tables constants, and the compiler
    /// checks it.
    pub const fn new(number: u8) -> Self {
        assert!(
            number > 0 && number < 0xf0,
            "tables 0 and from 0xf0 on belong to the store"
        );
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// How much of which journal the store reflects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reflects {
    /// The journal.
    pub journal: JournalId,
    /// Records before this position are reflected.
    pub position: u64,
}

/// Changes that become visible together, or not at all. A later change of a key wins.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    changes: std::collections::BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    reflects: Option<Reflects>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value in place of whatever is there. At most [`MAX_KEY`] and [`MAX_VALUE`] bytes.
    pub fn put(&mut self, table: Table, key: &[u8], value: impl Into<Vec<u8>>) -> &mut Self {
        self.changes.insert(full_key(table, key), Some(value.into()));
        self
    }

    /// Removes a value, if there is one.
    pub fn delete(&mut self, table: Table, key: &[u8]) -> &mut Self {
        self.changes.insert(full_key(table, key), None);
        self
    }

    /// Says how far of the journal the store reflects with this batch.
    pub fn reflect(&mut self, reflects: Reflects) -> &mut Self {
        self.reflects = Some(reflects);
        self
    }

    /// Changes nothing?
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.reflects.is_none()
    }

    /// Number of keys changed.
    pub fn len(&self) -> usize {
        self.changes.len()
    }
}

/// Why the store did not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// What is there does not hold. Drop the store and rebuild it from the journal.
    #[error("the case store is damaged ({0}); it is rebuilt from the journal")]
    Damaged(String),
    /// sled panicked or failed before; nothing more is asked of it.
    #[error("the case store has failed ({0}); it is opened anew, or rebuilt from the journal")]
    Broken(String),
    /// The disk refused.
    #[error("cannot {doing} the case store in {}: {message}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The store's folder.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// Another process has it open.
    #[error("the case store in {} is open in another process", path.display())]
    InUse {
        /// The store's folder.
        path: PathBuf,
    },
    /// Written by a newer program.
    #[error(
        "the case store in {} has format {found}, written by a newer version of anjuan; this one reads up to format {}",
        path.display(), totals::VERSION
    )]
    Newer {
        /// The store's folder.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A key or value is too long.
    #[error(
        "a key of {key} bytes with a value of {value} is too long; keys have at most {MAX_KEY} bytes, values {MAX_VALUE}"
    )]
    TooLong {
        /// Bytes in the key.
        key: usize,
        /// Bytes in the value.
        value: usize,
    },
}

/// The open store, shared by reference among threads.
#[derive(Debug)]
pub struct CaseStore {
    dir: PathBuf,
    sled: Guarded,
    totals: Mutex<Totals>,
    /// A value of several parts is read while no batch is applied.
    applying: RwLock<()>,
}

impl CaseStore {
    /// The value of a key.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let _still = self.applying.read().unwrap_or_else(PoisonError::into_inner);
        let key = full_key(table, key);
        let stored = self.sled.call("read", |tree| tree.get(&key))?;
        stored.map(|stored| self.value_of(&key, &stored)).transpose()
    }

    /// Entries whose key begins with `prefix`, in the order of keys. Keys are given without the table.
    ///
    /// Reads a bounded number at a time: batches applied meanwhile may or may not be seen.
    pub fn scan_prefix(&self, table: Table, prefix: &[u8]) -> Scan<'_> {
        Scan::new(self, full_key(table, prefix), None)
    }

    /// As [`Self::scan_prefix`], beginning behind `after`, a key without the table: for the next page.
    pub fn scan_after(&self, table: Table, prefix: &[u8], after: &[u8]) -> Scan<'_> {
        Scan::new(self, full_key(table, prefix), Some(full_key(table, after)))
    }

    /// Applies a batch. Durable some time later, or after [`Self::flush`]; atomic always.
    pub fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        for (key, value) in &batch.changes {
            let (key, value) = (key.len() - 1, value.as_ref().map_or(0, Vec::len));
            if key > MAX_KEY || value > MAX_VALUE {
                return Err(StoreError::TooLong { key, value });
            }
        }
        // Held by one batch at a time: what is there does not change while the next one is prepared.
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let mut after = totals.clone();
        let mut writes = sled::Batch::default();
        for (key, value) in &batch.changes {
            let old = self.sled.call("read", |tree| tree.get(key))?;
            let old_parts = match &old {
                Some(old) => record::parts(key, old)?,
                None => 0,
            };
            let entry = value.as_ref().map(|value| record::encode(key, value));
            after.change(
                key[0],
                old.as_deref().map(record::checksum),
                entry.as_ref().map(|e| record::checksum(&e.head)),
            );
            let new_parts = entry.as_ref().map_or(0, |entry| entry.parts.len());
            for part in new_parts..old_parts {
                writes.remove(record::part_key(key, part));
            }
            match entry {
                Some(entry) => {
                    for (part, bytes) in entry.parts.into_iter().enumerate() {
                        writes.insert(record::part_key(key, part), bytes);
                    }
                    writes.insert(key.as_slice(), entry.head);
                }
                None => writes.remove(key.as_slice()),
            }
        }
        if let Some(reflects) = batch.reflects {
            after.reflects = Some(reflects);
        }
        writes.insert(&totals::KEY, after.encode());
        let alone = self.applying.write().unwrap_or_else(PoisonError::into_inner);
        self.sled
            .call("write to", |tree| tree.apply_batch(writes.clone()))?;
        drop(alone);
        *totals = after;
        Ok(())
    }

    /// How far of which journal the store reflects; none before the first batch that says so.
    pub fn reflects(&self) -> Option<Reflects> {
        self.totals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .reflects
    }

    /// Number of entries in a table.
    pub fn count(&self, table: Table) -> u64 {
        self.totals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(table.0)
    }

    /// Hands all that was applied to the system. Not a sync: the journal is what is durable.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.sled.call("flush", |tree| tree.flush()).map(|_| ())
    }

    /// The store's folder.
    pub fn dir(&self) -> &std::path::Path {
        &self.dir
    }

    /// The value behind what is stored for `key`, all checksums proven.
    fn value_of(&self, key: &[u8], stored: &[u8]) -> Result<Vec<u8>, StoreError> {
        record::decode(key, stored, |part| {
            let key = record::part_key(key, part);
            Ok(self
                .sled
                .call("read", |tree| tree.get(&key))?
                .map(|bytes| bytes.to_vec()))
        })
    }
}

fn full_key(table: Table, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len() + 1);
    full.push(table.0);
    full.extend_from_slice(key);
    full
}
