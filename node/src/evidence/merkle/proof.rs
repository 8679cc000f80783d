//! Proofs that one record lies in a log, and that one log continues another (RFC 6962, sections 2.1.1
//! and 2.1.2).

use anjuan_sync::Digest;
use ct_merkle::RootHash;
use minicbor::{Decode, Encode};
use sha2::Sha256;

use super::{MAX_SIZE, ProofError, TreeHead};

/// Hashes in the longest proof: a log of [`MAX_SIZE`] is 48 high, and a consistency proof may have one more.
pub const MAX_PROOF: usize = 49;

/// A proof that a record has a place in a log: the hashes beside its path to the root, from the leaf up.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct InclusionProof(#[n(0)] Vec<Digest>);

/// A proof that a log continues a smaller one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct ConsistencyProof(#[n(0)] Vec<Digest>);

/// A record as `ct-merkle` hashes it, behind its own 0x00.
struct Leaf<'a> {
    kind: u8,
    bytes: &'a [u8],
}

impl ct_merkle::HashableLeaf for Leaf<'_> {
    fn hash<H: ct_merkle::digest::Update>(&self, hasher: &mut H) {
        hasher.update(&[self.kind]);
        hasher.update(self.bytes);
    }
}

impl InclusionProof {
    /// A proof from its hashes; whether it proves anything shows when it is verified.
    pub fn from_hashes(hashes: Vec<Digest>) -> Self {
        Self(hashes)
    }

    /// The hashes, from the leaf up.
    pub fn hashes(&self) -> &[Digest] {
        &self.0
    }

    /// Does the log with this head have this record at `index`?
    pub fn verify(&self, head: &TreeHead, index: u64, kind: u8, bytes: &[u8]) -> Result<(), ProofError> {
        use ct_merkle::InclusionVerifError as Error;
        // The library asserts beyond 2^63.
        if head.size > MAX_SIZE || index >= head.size {
            return Err(ProofError::Range);
        }
        let proof = ct_merkle::InclusionProof::<Sha256>::try_from_bytes(joined(&self.0)?)
            .map_err(|_| ProofError::Length)?;
        root_hash(head)
            .verify_inclusion(&Leaf { kind, bytes }, index, &proof)
            .map_err(|error| match error {
                Error::MalformedProof => ProofError::Length,
                Error::IncorrectHash => ProofError::Root,
                Error::IndexOutOfRange | Error::TreeEmpty => ProofError::Range,
            })
    }
}

impl ConsistencyProof {
    /// A proof from its hashes; whether it proves anything shows when it is verified.
    pub fn from_hashes(hashes: Vec<Digest>) -> Self {
        Self(hashes)
    }

    /// The hashes, in the order of RFC 6962.
    pub fn hashes(&self) -> &[Digest] {
        &self.0
    }

    /// Does `new` continue `old`? Everything continues the empty log, and every log itself; the proof is
    /// empty then.
    pub fn verify(&self, old: &TreeHead, new: &TreeHead) -> Result<(), ProofError> {
        use ct_merkle::ConsistencyVerifError as Error;
        if old.size > new.size || new.size > MAX_SIZE {
            return Err(ProofError::Range);
        }
        if old.size == 0 || old.size == new.size {
            if !self.0.is_empty() {
                return Err(ProofError::Length);
            }
            let expected = if old.size == 0 { TreeHead::empty() } else { *new };
            return if *old == expected {
                Ok(())
            } else {
                Err(ProofError::Root)
            };
        }
        let proof = ct_merkle::ConsistencyProof::<Sha256>::try_from_bytes(joined(&self.0)?)
            .map_err(|_| ProofError::Length)?;
        root_hash(new)
            .verify_consistency(&root_hash(old), &proof)
            .map_err(|error| match error {
                Error::MalformedProof => ProofError::Length,
                Error::OldTreeEmpty | Error::OldTreeLarger | Error::NewTreeTooBig => ProofError::Range,
                Error::VerificationFailure => ProofError::Root,
            })
    }
}

fn root_hash(head: &TreeHead) -> RootHash<Sha256> {
    RootHash::new((*head.root.as_bytes()).into(), head.size)
}

fn joined(hashes: &[Digest]) -> Result<Vec<u8>, ProofError> {
    if hashes.len() > MAX_PROOF {
        return Err(ProofError::Length);
    }
    Ok(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect())
}

/// A node of the tree of `size` leaves that a proof needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) length: u64,
}

/// The nodes that prove leaf `index` in a log of `size`; `index` lies within.
pub(super) fn inclusion_ranges(index: u64, size: u64) -> Vec<Range> {
    ranges(ct_merkle::indices_for_inclusion_proof(size, index), size)
}

/// The nodes that prove that the log of `new` leaves continues that of `old`; `0 < old <= new`.
pub(super) fn consistency_ranges(old: u64, new: u64) -> Vec<Range> {
    ranges(ct_merkle::indices_for_consistency_proof(old, new - old), new)
}

/// From places in the array form of a tree (RFC 9420, appendix C) to leaves: a place with k trailing ones
/// stands for the 2^k leaves around it, as far as there are so many.
fn ranges(places: Vec<u64>, size: u64) -> Vec<Range> {
    places
        .into_iter()
        .map(|place| {
            let span = 1u64 << place.trailing_ones();
            let start = (place + 1 - span) / 2;
            Range {
                start,
                length: span.min(size - start),
            }
        })
        .collect()
}
