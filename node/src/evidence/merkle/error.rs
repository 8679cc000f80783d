//! What goes wrong with a Merkle log and its proofs.

use std::io;
use std::path::PathBuf;

use super::MAX_SIZE;

/// A proof that proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf lies outside the log, or one log outside the other, or a log is larger than any.
    #[error("leaf or size is outside the log")]
    Range,
    /// Not the number of hashes that leaf and size ask for.
    #[error("the proof has another number of hashes than leaf and size ask for")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Why a log can't answer, or take leaves.
#[derive(Debug, thiserror::Error)]
pub enum MerkleError {
    /// A file can't be read or written.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// A tile is not what the tile above says. The log is to be built anew from the journal.
    #[error("{path} is damaged; the Merkle log has to be built anew from the journal")]
    Damaged {
        /// The tile.
        path: PathBuf,
    },
    /// Written by a newer program.
    #[error("{path} is not in a format this program knows")]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// Asked for what the log does not have yet.
    #[error("the Merkle log has {size} leaves; {asked} were asked for")]
    Beyond {
        /// What there is.
        size: u64,
        /// What was asked for.
        asked: u64,
    },
    /// More than [`MAX_SIZE`] leaves.
    #[error("a Merkle log holds at most {MAX_SIZE} leaves")]
    Full,
}
