//! A proof that somebody can carry away: one record, its place in a log, and the checkpoint of that log
//! with its cosignatures.
//!
//! Canonical CBOR (RFC 8949, section 4.2.1), an array of 6: version 1, kind, the record's bytes, index,
//! array of hashes from the leaf up, the note's bytes.

use anjuan_sync::Digest;
use ed25519_dalek::VerifyingKey;
use minicbor::{Decode, Encode};

use super::checkpoint::{CheckpointError, CosignedCheckpoint, SignedCheckpoint};
use super::merkle::{InclusionProof, MAX_PROOF, ProofError};
use super::name::NodeName;
use super::note::MAX_NOTE;
use crate::authority::encoding::{EncodingError, decode, encode};
use crate::journal::MAX_PAYLOAD;

/// The proof format this code writes, and the only one it reads.
pub const PROOF_VERSION: u8 = 1;
/// Bytes in the longest proof.
pub const MAX_RECORD_PROOF: usize = MAX_PAYLOAD + MAX_NOTE + MAX_PROOF * 34 + 64;

/// Why bytes prove nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordProofError {
    /// Not a proof, or not in the one encoding.
    #[error("proof: {0}")]
    Encoding(#[from] EncodingError),
    /// A version this code does not know.
    #[error("proof version {0} is not supported; this program reads version {PROOF_VERSION}")]
    Version(u8),
    /// The checkpoint is none, or its signatures don't hold.
    #[error("proof: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Signed by a node that the verifier does not know.
    #[error("proof: no key is known of {0:?}")]
    Unknown(NodeName),
    /// The record does not lie in the log there.
    #[error("proof: {0}")]
    Proof(#[from] ProofError),
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    version: u8,
    #[n(1)]
    kind: u8,
    #[cbor(n(2), with = "minicbor::bytes")]
    record: Vec<u8>,
    #[n(3)]
    index: u64,
    #[n(4)]
    path: Vec<Digest>,
    #[cbor(n(5), with = "minicbor::bytes")]
    note: Vec<u8>,
}

/// What a proof of another version has in common with this one.
#[derive(Decode)]
#[cbor(array)]
struct Version(#[n(0)] u8);

/// A well-formed proof; whether it holds is not yet known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordProof {
    kind: u8,
    record: Box<[u8]>,
    index: u64,
    path: InclusionProof,
    checkpoint: SignedCheckpoint,
}

impl RecordProof {
    /// A proof that `record` is leaf `index` of the log of `checkpoint`. Whether it holds shows when it is
    /// verified.
    pub fn new(
        kind: u8,
        record: &[u8],
        index: u64,
        path: InclusionProof,
        checkpoint: SignedCheckpoint,
    ) -> Self {
        Self {
            kind,
            record: record.into(),
            index,
            path,
            checkpoint,
        }
    }

    /// Reads the canonical encoding, and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordProofError> {
        if bytes.len() <= MAX_RECORD_PROOF
            && let Ok(Version(version)) = minicbor::decode(bytes)
            && version != PROOF_VERSION
        {
            return Err(RecordProofError::Version(version));
        }
        let wire: Wire = decode(bytes, MAX_RECORD_PROOF)?;
        Ok(Self {
            kind: wire.kind,
            record: wire.record.into(),
            index: wire.index,
            path: InclusionProof::from_hashes(wire.path),
            checkpoint: SignedCheckpoint::parse(&wire.note)?,
        })
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(&Wire {
            version: PROOF_VERSION,
            kind: self.kind,
            record: self.record.to_vec(),
            index: self.index,
            path: self.path.hashes().to_vec(),
            note: self.checkpoint.note().encode(),
        })
    }

    /// Checks the log's signature, the cosignatures of all witnesses that `key_of` knows, and the place in
    /// the log. `key_of` answers from certificates that the verifier has checked; how many witnesses are
    /// enough is for the verifier's policy to say.
    pub fn verify(
        self,
        key_of: impl Fn(&NodeName) -> Option<VerifyingKey>,
    ) -> Result<Included, RecordProofError> {
        let node = self.checkpoint.unverified().origin().node().clone();
        let key = key_of(&node).ok_or(RecordProofError::Unknown(node))?;
        let checkpoint = self.checkpoint.verify(&key)?;
        self.path
            .verify(checkpoint.head(), self.index, self.kind, &self.record)?;
        Ok(Included {
            kind: self.kind,
            record: self.record,
            index: self.index,
            checkpoint: checkpoint.cosigned(key_of)?,
        })
    }
}

/// A record that lies in a log, as a checkpoint says that the log's node signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    kind: u8,
    record: Box<[u8]>,
    index: u64,
    checkpoint: CosignedCheckpoint,
}

impl Included {
    /// What the record is.
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// The record; of an update, its signed header.
    pub fn record(&self) -> &[u8] {
        &self.record
    }

    /// Its place in the journal.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint, with the witnesses whose cosignatures hold.
    pub fn checkpoint(&self) -> &CosignedCheckpoint {
        &self.checkpoint
    }
}
