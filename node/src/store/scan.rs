//! Entries in order, a bounded number at a time.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::PoisonError;

use super::{CaseStore, StoreError};

/// Entries read in one go.
const CHUNK: usize = 128;

/// Iterates over entries, as keys (without the table) and values. Ends after the first error.
#[derive(Debug)]
pub struct Scan<'a> {
    store: &'a CaseStore,
    prefix: Vec<u8>,
    /// The full key behind which the next chunk begins.
    after: Option<Vec<u8>>,
    chunk: VecDeque<(Vec<u8>, Vec<u8>)>,
    done: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(store: &'a CaseStore, prefix: Vec<u8>, after: Option<Vec<u8>>) -> Self {
        Self {
            store,
            prefix,
            after,
            chunk: VecDeque::new(),
            done: false,
        }
    }

    fn fill(&mut self) -> Result<(), StoreError> {
        let _still = self.store.applying.read().unwrap_or_else(PoisonError::into_inner);
        let from = match &self.after {
            Some(after) if *after >= self.prefix => Bound::Excluded(after.clone()),
            _ => Bound::Included(self.prefix.clone()),
        };
        let heads = self.store.sled.call("read", |tree| {
            tree.range((from, Bound::Unbounded))
                .take_while(|entry| {
                    entry
                        .as_ref()
                        .map_or(true, |(key, _)| key.starts_with(&self.prefix))
                })
                .take(CHUNK)
                .collect::<Result<Vec<_>, _>>()
        })?;
        self.done = heads.len() < CHUNK;
        for (key, head) in heads {
            let value = self.store.value_of(&key, &head)?;
            self.chunk.push_back((key[1..].to_vec(), value));
            self.after = Some(key.to_vec());
        }
        Ok(())
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<(Vec<u8>, Vec<u8>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.chunk.is_empty()
            && !self.done
            && let Err(error) = self.fill()
        {
            self.done = true;
            self.chunk.clear();
            return Some(Err(error));
        }
        self.chunk.pop_front().map(Ok)
    }
}
