//! What can go wrong with a journal, by operation.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::format::{MAX_PAYLOAD, VERSION};

/// A place in the journal's files that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Name of the segment file.
    pub segment: String,
    /// Where in the file.
    pub offset: u64,
    /// Bytes that cannot be read; 0 where something is missing.
    pub length: u64,
    /// Records that cannot be read; empty where only framing was hit, or where a following entry says.
    pub positions: Range<u64>,
    /// In which way.
    pub what: DamageKind,
}

/// In which way a journal's files are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// The head of the segment does not hold.
    Header,
    /// The head belongs to another journal or another place.
    Foreign,
    /// Frames do not match their checksums.
    Frame,
    /// A batch without its end, which had been synced.
    Unsealed,
    /// Records are missing after this place: a file was cut short or taken away.
    Missing,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {}, offset {}: ", self.segment, self.offset)?;
        f.write_str(match self.what {
            DamageKind::Header => "the head of the file does not hold",
            DamageKind::Foreign => "the file belongs to another journal or place",
            DamageKind::Frame => "bytes do not match their checksum",
            DamageKind::Unsealed => "a synced batch has lost its end",
            DamageKind::Missing => "the file was cut short, or the one after it is gone",
        })?;
        match (
            self.positions.end.saturating_sub(self.positions.start),
            self.length,
        ) {
            (0, 0) => Ok(()),
            (0, length) => write!(f, " ({length} bytes)"),
            (1, _) => write!(f, " (record {})", self.positions.start),
            (_, _) => write!(
                f,
                " (records {} to {})",
                self.positions.start,
                self.positions.end - 1
            ),
        }
    }
}

/// All that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damages(pub Vec<Damage>);

impl fmt::Display for Damages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        for (n, damage) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{damage}", if n == 0 { "" } else { "; " })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// Why a journal cannot be opened or mended.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file could not be read or written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A segment was written by a newer program.
    #[error(
        "the journal segment {} has format {found}, written by a newer version of anjuan; this one reads up to format {VERSION}",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Something that had been synced cannot be read. Nothing was changed.
    #[error("the journal in {} is damaged: {damages}; mend it, and what was lost is asked from a peer", dir.display())]
    Damaged {
        /// The journal's folder.
        dir: PathBuf,
        /// Where.
        damages: Damages,
    },
    /// No head of any file says which journal this is, or more is missing than a journal can hold.
    #[error("the journal in {} is beyond mending: {damages}; restore it from a backup or a peer", dir.display())]
    BeyondMending {
        /// The journal's folder.
        dir: PathBuf,
        /// Where.
        damages: Damages,
    },
}

/// Why nothing is taken in any more.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Stopped {
    /// The disk is nearly full.
    #[error(
        "only {free} bytes are free where the journal lies, and {needed} are needed; make room, and writing goes on"
    )]
    NoRoom {
        /// Bytes free.
        free: u64,
        /// Bytes that must be, the reserve included.
        needed: u64,
    },
    /// A write or a sync failed.
    #[error("cannot {doing} {}: {source}; nothing is taken in until this works again", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// What was durable does not read back as it was written.
    #[error("the journal does not read back as it was written: {0}; restart to have it checked")]
    Damaged(Damage),
    /// A segment was being rewritten.
    #[error("rewriting {} was not finished; nothing is taken in until it was checked", path.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

/// Why records were not taken in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// A record or a batch of records is too long.
    #[error("{length} bytes do not fit into the journal at once; a record may have {MAX_PAYLOAD}")]
    TooLong {
        /// Bytes given.
        length: usize,
    },
    /// The journal does not take anything in. Whether records that were waiting are there after a
    /// restart is not known; they were not acknowledged.
    #[error("the journal has stopped: {0}")]
    Stopped(#[from] Stopped),
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no durable record of this position yet.
    #[error("the journal has no record {position}; it ends before {end}")]
    BeyondEnd {
        /// Asked for.
        position: u64,
        /// The first position without a record.
        end: u64,
    },
    /// The record was lost to damage, and not put back yet.
    #[error("record {position} was lost to damage and waits to be put back from a peer")]
    Lost {
        /// Asked for.
        position: u64,
    },
    /// The record does not match its checksum any more.
    #[error("the journal is damaged: {0}")]
    Damaged(Damage),
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a lost record was not put back.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The position holds a record.
    #[error("record {position} is not lost")]
    NotLost {
        /// Asked for.
        position: u64,
    },
    /// More than a record may have.
    #[error("a record of {length} bytes is longer than {MAX_PAYLOAD}")]
    TooLong {
        /// Bytes given.
        length: usize,
    },
    /// Another record of the segment cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file could not be written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
