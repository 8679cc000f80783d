//! What two nodes say to each other about their logs, and its bytes.
//!
//! Canonical CBOR: an array of the version, 1, and the message, itself an array of its number and its
//! fields. The peer's name is known from its certificate, so that a checkpoint travels as epoch, size, root
//! and signature, and a cosignature as time and signature: both sides can write the notes. A village pays
//! some 600 bytes for having a day's work witnessed.

use anjuan_sync::{Digest, LogEpoch};
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use crate::authority::encoding::{EncodingError, decode, encode};
use crate::evidence::cosignature::COSIGNATURE;
use crate::evidence::merkle::{ConsistencyProof, MAX_PROOF, TreeHead};
use crate::evidence::note::MAX_NOTE;
use crate::evidence::witness::Conflict;

/// The topic of these messages in a session.
pub const TOPIC: u16 = 1;
/// The version that this program speaks.
const VERSION: u8 = 1;
/// Bytes in the longest message: two notes.
pub const MAX_MESSAGE: usize = 2 * MAX_NOTE + 256;

/// What a node asks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Question {
    /// What did you cosign last of my log of this epoch? As far as I know it is this.
    #[n(0)]
    Last {
        #[n(0)]
        epoch: LogEpoch,
        #[n(1)]
        expected: Option<TreeHead>,
    },
    /// Cosign this, which continues what you cosigned last.
    #[n(1)]
    Cosign {
        #[n(0)]
        epoch: LogEpoch,
        #[n(1)]
        size: u64,
        #[n(2)]
        root: Digest,
        #[n(3)]
        signature: ByteArray<64>,
        /// The proof begins here.
        #[n(4)]
        from: u64,
        #[n(5)]
        proof: ConsistencyProof,
        /// The time of the newest foreign cosignature known, in seconds since 1970.
        #[n(6)]
        newest: Option<u64>,
    },
    /// A third node showed this. Two notes: the one cosigned before, the one that does not go with it.
    #[n(2)]
    Report {
        #[n(0)]
        conflict: u8,
        #[n(1)]
        earlier: ByteVec,
        #[n(2)]
        later: ByteVec,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Answer {
    /// To `Last`: it is what you expect.
    #[n(0)]
    AsExpected,
    /// To `Last`: this note, or none.
    #[n(1)]
    Last(#[n(0)] Option<ByteVec>),
    /// To `Cosign`: done.
    #[n(2)]
    Cosigned {
        /// Time and signature.
        #[n(0)]
        cosignature: ByteArray<COSIGNATURE>,
        /// The answering node's own newest checkpoint that others cosigned, if it is worth having.
        #[n(1)]
        newest: Option<ByteVec>,
    },
    /// To `Cosign`: the proof has to begin elsewhere.
    #[n(3)]
    Stale {
        #[n(0)]
        last: u64,
    },
    /// To `Cosign`: it contradicts this one, and both are kept as evidence.
    #[n(4)]
    Inconsistent {
        #[n(0)]
        conflict: u8,
        #[n(1)]
        earlier: ByteVec,
    },
    /// Not now, or not by this node.
    #[n(5)]
    Declined(#[n(0)] Declined),
    /// To `Report`: taken in.
    #[n(6)]
    Kept,
}

/// Why a node does not do what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum Declined {
    /// No certificate of the asking node is here yet, or the note is not signed by it.
    #[n(0)]
    Unknown,
    /// It keeps as many logs as it can.
    #[n(1)]
    Full,
    /// It can't read or write what it keeps, or its clock is not set.
    #[n(2)]
    Unable,
    /// The message can't be read.
    #[n(3)]
    Malformed,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Versioned<T> {
    #[n(0)]
    version: u8,
    #[n(1)]
    message: T,
}

fn write<T: Encode<()>>(message: T) -> Vec<u8> {
    encode(&Versioned {
        version: VERSION,
        message,
    })
}

fn read<T: Encode<()> + for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, EncodingError> {
    let read: Versioned<T> = decode(bytes, MAX_MESSAGE)?;
    match read.version {
        VERSION => Ok(read.message),
        version => Err(EncodingError::Malformed(format!(
            "version {version}; this program speaks {VERSION}"
        ))),
    }
}

impl Question {
    pub(crate) fn encode(&self) -> Vec<u8> {
        write(self.clone())
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, EncodingError> {
        let question: Self = read(bytes)?;
        match &question {
            Self::Cosign { proof, .. } if proof.hashes().len() > MAX_PROOF => {
                Err(EncodingError::Malformed("a proof longer than any".into()))
            }
            _ => Ok(question),
        }
    }
}

impl Answer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        write(self.clone())
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, EncodingError> {
        read(bytes)
    }
}

/// The answer to what can't be read.
pub(crate) fn malformed() -> Vec<u8> {
    Answer::Declined(Declined::Malformed).encode()
}

/// The number of a kind of conflict.
pub(crate) fn conflict_number(conflict: Conflict) -> u8 {
    match conflict {
        Conflict::TwoRoots => 0,
        Conflict::WentBack => 1,
        Conflict::NotContinued => 2,
    }
}

/// The kind of conflict of a number.
pub(crate) fn conflict_of(number: u8) -> Option<Conflict> {
    [Conflict::TwoRoots, Conflict::WentBack, Conflict::NotContinued]
        .into_iter()
        .find(|conflict| conflict_number(*conflict) == number)
}
