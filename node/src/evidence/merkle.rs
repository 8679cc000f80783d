//! The journal as a Merkle log (RFC 6962, section 2.1, SHA-256).
//!
//! A leaf is one record: its kind, then its bytes. Of an update the bytes are its signed header alone: the
//! header names the payload by hash and length, so the leaf binds the payload as well, and a history
//! without payloads can still be shown to lie in the log.

mod error;
mod log;
mod proof;
mod tile;

#[cfg(test)]
mod tests;

use anjuan_sync::Digest;
use anjuan_sync::hash::sha256;
use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

pub use error::{MerkleError, ProofError};
pub use log::{MerkleLog, Start};
pub use proof::{ConsistencyProof, InclusionProof, MAX_PROOF};

/// Leaves in the largest log: at a million a day, seven hundred thousand years.
pub const MAX_SIZE: u64 = 1 << 48;

/// A log up to some leaf: how many leaves, and the hash over all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct TreeHead {
    /// Number of leaves.
    #[n(0)]
    pub size: u64,
    /// Merkle tree hash.
    #[n(1)]
    pub root: Digest,
}

impl TreeHead {
    /// The head of a log without leaves.
    pub fn empty() -> Self {
        Self {
            size: 0,
            root: sha256(b""),
        }
    }
}

/// The hash of a record as a leaf: SHA-256(0x00, kind, bytes).
pub fn record_leaf(kind: u8, bytes: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update([0, kind]);
    hasher.update(bytes);
    Digest::from_bytes(hasher.finalize().into())
}

/// The hash of an inner node: SHA-256(0x01, left, right).
pub(crate) fn inner(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [0; 65];
    bytes[0] = 1;
    bytes[1..33].copy_from_slice(left.as_bytes());
    bytes[33..].copy_from_slice(right.as_bytes());
    sha256(&bytes)
}
