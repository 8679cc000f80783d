//! What is counted, and what was promised.

use std::collections::BTreeMap;
use std::time::Duration;

use anjuan_sync::{LogId, UpdateId};

/// Something that a node acknowledged to its operator.
#[derive(Debug)]
pub(super) struct Acknowledged {
    pub(super) log: LogId,
    pub(super) seq: u64,
    pub(super) id: UpdateId,
    pub(super) node: usize,
    pub(super) at: Duration,
    /// When an old backup was put back at its node, no other node had it.
    pub(super) lost_by_restore: bool,
}

/// Two updates that one key signed for one place.
#[derive(Debug)]
pub(super) struct Forgery {
    pub(super) log: LogId,
    pub(super) seq: u64,
    /// The unit in whose space it is.
    pub(super) unit: usize,
    /// Which of the acknowledged ones they are, but for a thief's.
    pub(super) branches: Vec<usize>,
}

/// Figures kept up as things happen.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) updates: u64,
    pub(super) link_failures: u64,
    pub(super) restores: u64,
    pub(super) restarts: u64,
    pub(super) revocations: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_to_get: u64,
    pub(super) sessions: u64,
    pub(super) delivered: u64,
    pub(super) repairs: u64,
    /// Whole comparisons that brought nothing.
    pub(super) not_level: u64,
    pub(super) skewed: u64,
    pub(super) forged: u64,
    /// Cases that nobody could go on with.
    pub(super) abandoned: u64,
    /// Cases that were gone with the disk of their node.
    pub(super) vanished: u64,
    /// What should never happen.
    pub(super) broken: Vec<String>,
    /// Refusals of `record`, by event and why.
    pub(super) refused: BTreeMap<String, u64>,
    /// Sessions that ended by themselves, by why.
    pub(super) closes: BTreeMap<String, u64>,
}
