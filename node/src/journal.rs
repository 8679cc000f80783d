//! The journal: the append-only file of every record a node accepted, in the order of acceptance. It is
//! the truth; all else in a store can be rebuilt from it.
//!
//! Records have dense positions from 0 and lie in segment files that are never written to again once the
//! next one is begun. What is acknowledged has been synced. The driving contract:
//!
//! 1. [`Journal::open`] reads every byte. A torn end, which a power loss leaves, is cut to the last whole
//!    batch and kept aside. Damage to what had been synced is an error that names segment and offset;
//!    nothing is changed then. [`Journal::mend`] opens such a journal with [`ReadError::Lost`] in place of
//!    what can't be read, and [`Journal::put_back`] takes the record from a peer.
//! 2. [`Journal::append`] gives a [`Ticket`]; the records of one call are there all or none, and count
//!    once the ticket says so. After any failed write or sync nothing is acknowledged until
//!    [`Journal::try_resume`] succeeds; reads go on.
//! 3. [`Journal::read`] gives durable records only, while others are being appended.
//!
//! **What can be known.** Every byte is under a checksum, positions are dense, each batch is closed by a
//! seal and followed by the next one only after it was synced, and a marker says how far that was. So
//! damage is told from a torn end except at one place: a last batch that is cut off, or has a sector
//! zeroed, after it was synced and before the marker was (half a second of idleness, and only after a
//! power loss). Such an end is cut, kept and reported as [`Recovery::cut`]; a store that has seen a
//! later position tells too. Checksums find accidents; that nobody changed the files on purpose is for
//! signatures and checkpoints to show.

mod commit;
mod error;
mod format;
mod index;
mod inspect;
mod marker;
mod repair;
mod scan;
mod tail;
mod ticket;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use commit::Shared;
pub use error::{AppendError, Damage, DamageKind, Damages, OpenError, ReadError, RepairError, Stopped};
use format::segment_name;
pub use format::{JournalId, Kind, MAX_PAYLOAD};
use index::Index;
pub use inspect::{Inspection, Watermark};
use tail::{Batch, Last, Tail, create_segment};
pub use ticket::Ticket;

use crate::files::Files;

/// A record to append.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Kind,
    /// At most [`MAX_PAYLOAD`] bytes.
    pub bytes: &'a [u8],
}

/// A record as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the journal.
    pub position: u64,
    /// What it is.
    pub kind: Kind,
    /// The bytes appended.
    pub bytes: Vec<u8>,
}

/// Sizes of a journal.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes after which a new segment is begun; at most 1 GiB.
    pub segment_bytes: u64,
    /// Bytes left free on the disk: the store needs them, and a full disk is hard to put right.
    pub reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            reserve_bytes: 64 << 20,
        }
    }
}

/// What was found when a journal was opened.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// The journal's id; fresh for a new journal.
    pub id: JournalId,
    /// Number of records, lost ones included.
    pub records: u64,
    /// The torn end that was cut, if there was one.
    pub cut: Option<Cut>,
    /// What was found of the marker. When lost, a last batch that vanished would not have been noticed.
    pub watermark: Watermark,
    /// Records lost to damage and not put back yet.
    pub lost: Vec<u64>,
    /// Why the journal can be read but not written to, if so.
    pub stopped: Option<Stopped>,
}

/// A torn end that was cut. As far as can be known it was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Name of the segment file.
    pub segment: String,
    /// Where it was cut.
    pub offset: u64,
    /// Bytes cut.
    pub bytes: u64,
    /// The file they are kept in; the last 16 such files are.
    pub kept_in: PathBuf,
}

/// An open journal, shared by reference among threads. Closing syncs what waits.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal in `dir`, or begins one there. Reads all of it.
    ///
    /// One process at a time: the caller holds the home's lock.
    pub fn open(files: Arc<dyn Files>, dir: &Path, options: Options) -> Result<(Self, Recovery), OpenError> {
        let inspection = Inspection::of(&*files, dir)?;
        if !inspection.damages.is_empty() {
            return Err(inspection.into_damaged());
        }
        Self::start(files, inspection, options)
    }

    /// Opens a journal that may be damaged: what can't be read is marked as lost, in new files that take
    /// the place of the damaged ones; those are kept as `damaged-…`, for ever.
    pub fn mend(files: Arc<dyn Files>, dir: &Path, options: Options) -> Result<(Self, Recovery), OpenError> {
        let inspection = Inspection::of(&*files, dir)?;
        if inspection.damages.is_empty() {
            return Self::start(files, inspection, options);
        }
        repair::mend(&*files, &inspection)?;
        drop(inspection);
        Self::open(files, dir, options)
    }

    fn start(
        files: Arc<dyn Files>,
        mut inspection: Inspection,
        options: Options,
    ) -> Result<(Self, Recovery), OpenError> {
        let dir = inspection.dir.clone();
        let io = |doing| {
            let path = dir.clone();
            move |source| OpenError::Io { doing, path, source }
        };
        for path in &inspection.leftovers {
            files.remove(path).map_err(io("remove unfinished files in"))?;
        }
        let id = match inspection.id {
            Some(id) => id,
            None => fresh_id().map_err(io("find a random id for the journal in"))?,
        };
        let lost = inspection.lost();
        let tail_cut = inspection.tail().is_some();
        let (first, file, end) = match inspection.segments.last() {
            Some(last) => (last.first, Arc::clone(&last.file), last.scanned.end as u64),
            None => {
                files.create_dir(&dir).map_err(io("make the folder"))?;
                if let Some(parent) = dir.parent() {
                    files.sync_dir(parent).map_err(io("sync the folder above"))?;
                }
                let file = create_segment(&*files, &dir.join(segment_name(0)), id, 0)
                    .map_err(io("begin a segment in"))?;
                (0, file, format::SEGMENT_HEADER as u64)
            }
        };
        let next = inspection.end;
        let mut index = Index::of(std::mem::take(&mut inspection.segments), next);
        if index.last_first().is_none() {
            index.add_segment(first, Arc::clone(&file));
        }
        let mut tail = Tail {
            files,
            dir: dir.clone(),
            id,
            options,
            first,
            file,
            end,
            next,
            marker: None,
            spare: Batch::default(),
            last: Last::default(),
        };
        let (cut, stopped) = match tail.restore(0, tail_cut, false) {
            Ok(cut) => (cut, None),
            Err(stopped) => (None, Some(stopped)),
        };
        let recovery = Recovery {
            id,
            records: next,
            cut,
            watermark: inspection.watermark,
            lost: lost.clone(),
            stopped: stopped.clone(),
        };
        let shared = Arc::new(Shared::new(tail, index, lost.into_iter().collect(), stopped));
        let writer = std::thread::Builder::new().name("journal".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.write_batches()
        });
        let writer = writer.map_err(io("start the writer of"))?;
        Ok((
            Self {
                shared,
                writer: Some(writer),
            },
            recovery,
        ))
    }

    /// Hands records to the writer, in this order, all into one batch: after a crash all of them are
    /// there or none. Blocks only while more than 16 MiB wait to be written.
    pub fn append(&self, frames: &[Frame<'_>]) -> Result<Ticket, AppendError> {
        self.shared.append(frames)
    }

    /// Reads a durable record.
    pub fn read(&self, position: u64) -> Result<Record, ReadError> {
        let place = self.shared.index().place(position)?;
        place.read(&self.shared.dir, self.shared.id)
    }

    /// Durable records from `from` on, in order, up to where the journal ends when it gets there.
    pub fn records(&self, from: u64) -> impl Iterator<Item = Result<Record, ReadError>> + '_ {
        (from..).map_while(|position| match self.read(position) {
            Err(ReadError::BeyondEnd { .. }) => None,
            record => Some(record),
        })
    }

    /// The position after the last durable record.
    pub fn end(&self) -> u64 {
        self.shared.index().end()
    }

    /// The journal's id.
    pub fn id(&self) -> JournalId {
        self.shared.id
    }

    /// Why nothing is taken in at present.
    pub fn stopped(&self) -> Option<Stopped> {
        self.shared.stopped()
    }

    /// Goes on after a stop, if it can: with room on the disk, and what was durable proven to be there
    /// still. Nothing that was refused comes back by it. Does nothing if the journal has not stopped.
    pub fn try_resume(&self) -> Result<(), Stopped> {
        self.shared.try_resume()
    }

    /// Records lost to damage and not put back yet, in order.
    pub fn lost(&self) -> Vec<u64> {
        self.shared.lost().iter().copied().collect()
    }

    /// Puts a lost record back. That it is the same one as was lost is for the caller to know. Rewrites
    /// the segment; appends wait meanwhile.
    pub fn put_back(&self, position: u64, frame: Frame<'_>) -> Result<(), RepairError> {
        let repaired = repair::put_back(&self.shared, position, frame);
        self.shared.hurry();
        repaired
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(writer) = self.writer.take() {
            // A panic there has already told everyone who waited.
            let _ = writer.join();
        }
    }
}

fn fresh_id() -> io::Result<JournalId> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(JournalId::from_bytes(bytes))
}
