//! Digests and states of logs, shortened for comparison.
//!
//! What is compared in full are the roots. Below them a prefix tells what differs: whoever makes two
//! things that begin alike only hides from himself what he would otherwise be sent, and the roots show it.

use minicbor::{Decode, Encode};

use crate::hash::{Digest, Domain};
use crate::log::LogState;
use crate::replica::LogItem;

const LOG: Domain = Domain::new("anjuan/short-log/1");

/// The first 16 bytes of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Short(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

impl From<Digest> for Short {
    fn from(digest: Digest) -> Self {
        Self(first(digest.as_bytes()))
    }
}

/// Where one log of a place stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ShortHead {
    /// Which log: the first bytes of a hash of its author and epoch.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub log: [u8; 8],
    /// The place of its last update; 0 for a forked log.
    #[n(1)]
    pub seq: u64,
    /// The first bytes of that update's id; of a forked log, of a hash of its state.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub id: [u8; 8],
}

impl From<&LogItem> for ShortHead {
    fn from(item: &LogItem) -> Self {
        let log = LOG.hash(&[item.author.as_bytes(), item.epoch.as_bytes()]);
        let (seq, id) = match &item.state {
            LogState::Whole(head) => (head.seq, first(head.id.as_bytes())),
            LogState::Forked {
                seq,
                first: a,
                second,
            } => {
                let state = LOG.hash(&[&seq.to_be_bytes(), a.as_bytes(), second.as_bytes()]);
                (0, first(state.as_bytes()))
            }
        };
        Self {
            log: first(log.as_bytes()),
            seq,
            id,
        }
    }
}

/// The first `N` of 32 bytes.
pub(crate) fn first<const N: usize>(bytes: &[u8; 32]) -> [u8; N] {
    std::array::from_fn(|at| bytes[at])
}
