//! Updates that came before their predecessors, in a bounded table.

use std::collections::BTreeMap;

use crate::log::LogId;
use crate::signed::{SignatureVerified, SignedUpdate};

/// Updates that wait for their predecessor.
///
/// Bounded in count and bytes; what does not fit is dropped, and comes again with the next comparison of
/// digests. Of one log only places up to [`Waiting::REACH`] after its head are kept, so that one author
/// cannot fill the table with places far ahead.
#[derive(Clone, Debug)]
pub struct Waiting {
    updates: BTreeMap<(LogId, u64), SignatureVerified<SignedUpdate>>,
    bytes: usize,
    max_count: usize,
    max_bytes: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        Self::new(4096, 8 * 1024 * 1024)
    }
}

impl Waiting {
    /// How far after the head of its log an update may stand.
    pub const REACH: u64 = 1024;

    /// An empty table with bounds.
    pub fn new(max_count: usize, max_bytes: usize) -> Self {
        Self {
            updates: BTreeMap::new(),
            bytes: 0,
            max_count,
            max_bytes,
        }
    }

    /// Updates in the table.
    pub fn len(&self) -> usize {
        self.updates.len()
    }

    /// Is it empty?
    pub fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    /// Keeps an update whose log is stored up to place `have`. False if it was dropped, for want of room or
    /// because another one waits at its place.
    pub fn keep(&mut self, update: SignatureVerified<SignedUpdate>, have: u64) -> bool {
        let (log, seq) = (update.get().header().log(), update.get().header().seq());
        let size = size(update.get());
        if seq.saturating_sub(have) > Self::REACH
            || self.updates.len() >= self.max_count
            || self.bytes + size > self.max_bytes
        {
            return false;
        }
        let key = (log, seq);
        if let Some(there) = self.updates.get(&key) {
            return *there == update;
        }
        self.bytes += size;
        self.updates.insert(key, update);
        true
    }

    /// Takes out the update that waits at this place.
    pub fn take(&mut self, log: &LogId, seq: u64) -> Option<SignatureVerified<SignedUpdate>> {
        let update = self.updates.remove(&(log.clone(), seq))?;
        self.bytes -= size(update.get());
        Some(update)
    }

    /// Drops what waits at these places of a log: after a fork, or below its head.
    pub fn forget(&mut self, log: &LogId, seqs: std::ops::RangeInclusive<u64>) {
        let keys: Vec<_> = self
            .updates
            .range((log.clone(), *seqs.start())..=(log.clone(), *seqs.end()))
            .map(|(key, _)| key.clone())
            .collect();
        for (log, seq) in keys {
            self.take(&log, seq);
        }
    }
}

fn size(update: &SignedUpdate) -> usize {
    update.payload().len() + 1024
}
