//! How far the journal is known to have been synced, kept beside it.
//!
//! Every batch is written only after the one before was synced, so whatever follows a batch proves that
//! it had been durable. Only for the last batch nothing follows; this file says it. It is written after
//! every sync without being synced itself, so it survives the end of the process at once, and a power
//! loss as soon as the journal has been idle for a moment or was closed. It never says too much; after a
//! power loss it may say too little.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crc32c::crc32c;

use super::format::{JournalId, array_at, u32_at, u64_at};
use crate::files::{File, Files, TEMPORARY, read_file};

pub(super) const MARKER_FILE: &str = "synced";
/// Two slots in two sectors, written in turn: a torn write leaves the other one.
const SLOT: usize = 512;
const LENGTH: usize = 48;
const MAGIC: [u8; 8] = *b"anjuanjm";
const VERSION: u32 = 1;

/// What the marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) id: JournalId,
    /// Records before this position were synced.
    pub(super) next: u64,
    counter: u64,
}

/// What is found of a marker.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Unreadable,
    Newer(u32),
    Mark(Mark),
}

pub(super) fn read(files: &dyn Files, dir: &Path) -> io::Result<Found> {
    let bytes = match files.open(&dir.join(MARKER_FILE)) {
        Ok(file) => read_file(&*file)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    let slots = [bytes.get(..LENGTH), bytes.get(SLOT..SLOT + LENGTH)];
    let mut found = Found::Unreadable;
    for slot in slots.into_iter().flatten() {
        if slot[..8] != MAGIC || u32_at(slot, LENGTH - 4) != crc32c(&slot[..LENGTH - 4]) {
            continue;
        }
        if u32_at(slot, 8) != VERSION {
            return Ok(Found::Newer(u32_at(slot, 8)));
        }
        let mark = Mark {
            id: JournalId::from_bytes(array_at(slot, 12)),
            next: u64_at(slot, 28),
            counter: u64_at(slot, 36),
        };
        found = match found {
            Found::Mark(other) if other.counter > mark.counter => Found::Mark(other),
            _ => Found::Mark(mark),
        };
    }
    Ok(found)
}

/// The marker of an open journal.
#[derive(Debug)]
pub(super) struct Marker {
    file: Arc<dyn File>,
    mark: Mark,
    dirty: bool,
}

impl Marker {
    /// Puts a fresh marker in place of whatever is there.
    pub(super) fn create(files: &dyn Files, dir: &Path, id: JournalId, next: u64) -> io::Result<Self> {
        let temporary = dir.join(format!("{MARKER_FILE}{TEMPORARY}"));
        let file = files.create(&temporary)?;
        let mark = Mark { id, next, counter: 0 };
        let mut bytes = vec![0; 2 * SLOT];
        bytes[..LENGTH].copy_from_slice(&encode(mark));
        file.write_at(&bytes, 0)?;
        file.sync_data()?;
        files.rename(&temporary, &dir.join(MARKER_FILE))?;
        files.sync_dir(dir)?;
        Ok(Self {
            file,
            mark,
            dirty: false,
        })
    }

    /// Notes that all records before `next` were synced. Does not sync.
    pub(super) fn advance(&mut self, next: u64) -> io::Result<()> {
        let mark = Mark {
            next,
            counter: self.mark.counter + 1,
            ..self.mark
        };
        self.file
            .write_at(&encode(mark), (mark.counter % 2) * SLOT as u64)?;
        self.mark = mark;
        self.dirty = true;
        Ok(())
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.dirty = false;
        self.file.sync_data()
    }
}

fn encode(mark: Mark) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..28].copy_from_slice(mark.id.as_bytes());
    bytes[28..36].copy_from_slice(&mark.next.to_le_bytes());
    bytes[36..44].copy_from_slice(&mark.counter.to_le_bytes());
    let crc = crc32c(&bytes[..LENGTH - 4]);
    bytes[LENGTH - 4..].copy_from_slice(&crc.to_le_bytes());
    bytes
}
