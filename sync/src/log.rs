//! Logs: the updates of one author, in one epoch, in one space.

use minicbor::{Decode, Encode};

use crate::id::{AuthorKey, LogEpoch, UpdateId};
use crate::path::Space;

/// Names a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct LogId {
    /// The space whose documents the log changes.
    #[n(0)]
    pub space: Space,
    /// Who writes.
    #[n(1)]
    pub author: AuthorKey,
    /// The life of the author's store.
    #[n(2)]
    pub epoch: LogEpoch,
}

/// The last update of a log. Stated with its id, since a sequence number alone would hide a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Head {
    /// Place of the last update.
    #[n(0)]
    pub seq: u64,
    /// Its id.
    #[n(1)]
    pub id: UpdateId,
}

/// Where a log stands at a replica.
///
/// Two replicas that exchange what they know of a log come to the same state, whatever the order: a
/// higher head wins over one it extends, a fork wins over a head, the lower fork over the higher, and at
/// the same place the two smallest ids are kept as its evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(flat)]
pub enum LogState {
    /// One unbroken chain up to this head.
    #[n(0)]
    Whole(#[n(0)] Head),
    /// Two headers signed for one place: proof that the author equivocated. Nothing at or after that
    /// place counts.
    #[n(1)]
    Forked {
        /// The first place that has two headers.
        #[n(0)]
        seq: u64,
        /// The two smallest ids known for it, in order.
        #[n(1)]
        first: UpdateId,
        /// The other one.
        #[n(2)]
        second: UpdateId,
    },
}

impl LogState {
    /// The last place whose update counts.
    pub fn counted(&self) -> u64 {
        match self {
            Self::Whole(head) => head.seq,
            Self::Forked { seq, .. } => seq - 1,
        }
    }
}
