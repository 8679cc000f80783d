//! The end of the journal: the one place that is written to.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::error::{Damage, DamageKind, Stopped};
use super::format::{FRAME_HEADER, JournalId, SEGMENT_HEADER, Seal, encode_segment_header, segment_name};
use super::marker::Marker;
use super::scan::scan;
use super::{Cut, Options};
use crate::files::{File, Files, read_file, write_atomically};

/// Torn tails kept; each is at most one batch that was never acknowledged.
const TORN_KEPT: usize = 16;
/// Offsets in a segment have 32 bits.
const MAX_SEGMENT: u64 = 1 << 30;
const TORN_PREFIX: &str = "torn-";
/// What a file system writes at a time, at the most.
const BLOCK: u64 = 4096;

/// A batch of frames on its way, its seal not yet in it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    /// Where its records begin in `bytes`.
    pub(super) offsets: Vec<u32>,
}

/// What the last batch was like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Last {
    /// How many waited for it.
    pub(super) threads: usize,
    /// How long writing and syncing it took.
    pub(super) took: Duration,
}

/// Where the next batch goes.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) files: Arc<dyn Files>,
    pub(super) dir: PathBuf,
    pub(super) id: JournalId,
    pub(super) options: Options,
    /// First position of the last segment.
    pub(super) first: u64,
    pub(super) file: Arc<dyn File>,
    /// Where its durable bytes end.
    pub(super) end: u64,
    /// The position after the last durable record.
    pub(super) next: u64,
    pub(super) marker: Option<Marker>,
    /// An empty batch, for its memory.
    pub(super) spare: Batch,
    pub(super) last: Last,
}

impl Tail {
    /// Writes a batch and makes it durable; gives where in the last segment it begins. After an error nothing of it counts, and [`Self::restore`]
    /// must succeed before the next one.
    pub(super) fn commit(&mut self, batch: &mut Batch) -> Result<u32, Stopped> {
        self.check_room((batch.bytes.len() + Seal::LENGTH + SEGMENT_HEADER) as u64)?;
        let length = (batch.bytes.len() + Seal::LENGTH) as u64;
        if self.end > SEGMENT_HEADER as u64 && self.end + length > self.options.segment_bytes.min(MAX_SEGMENT)
        {
            self.roll()?;
        }
        let next = self.next + batch.offsets.len() as u64;
        Seal {
            first: self.next,
            start: self.end,
        }
        .push(&mut batch.bytes, self.id, next);
        let written = self
            .file
            .write_at(&batch.bytes, self.end)
            .map_err(|error| self.failed("write to", error));
        if let Err(stopped) =
            written.and_then(|()| self.file.sync_data().map_err(|error| self.failed("sync", error)))
        {
            // What was refused should not be there after a restart; if this fails too, it is cut later.
            let _ = self.file.truncate(self.end);
            return Err(stopped);
        }
        let start = self.end;
        self.end += length;
        self.next = next;
        if let Some(marker) = &mut self.marker
            && let Err(error) = marker.advance(next)
        {
            tracing::warn!(%error, dir = %self.dir.display(), "the journal's marker is behind");
        }
        Ok(start as u32)
    }

    /// Begins the next segment. It gets its name only when its head is durable.
    fn roll(&mut self) -> Result<(), Stopped> {
        let path = self.dir.join(segment_name(self.next));
        let file = create_segment(&*self.files, &path, self.id, self.next);
        self.file = file.map_err(|error| io_stopped("make", path, error))?;
        self.first = self.next;
        self.end = SEGMENT_HEADER as u64;
        Ok(())
    }

    fn check_room(&self, length: u64) -> Result<(), Stopped> {
        let free = self
            .files
            .free_space(&self.dir)
            .map_err(|error| io_stopped("ask for room in", self.dir.clone(), error))?;
        let needed = self.options.reserve_bytes.saturating_add(length);
        if free < needed {
            Err(Stopped::NoRoom { free, needed })
        } else {
            Ok(())
        }
    }

    /// Brings the last segment to a state that can be written to: cut to the whole batches, those
    /// durable, the marker in place. Wants `room` bytes besides the reserve; `keep` puts what is cut aside.
    ///
    /// After a failed sync the system's cache can't be trusted to reach the disk: the segment is read
    /// again through a new handle, compared, and its last block is written and synced once more.
    pub(super) fn restore(&mut self, room: u64, keep: bool, verify: bool) -> Result<Option<Cut>, Stopped> {
        self.check_room(room)?;
        let path = self.path();
        if verify {
            self.file = self
                .files
                .open(&path)
                .map_err(|error| self.failed("open", error))?;
        }
        let size = self.file.size().map_err(|error| self.failed("measure", error))?;
        let mut cut = None;
        if size > self.end {
            if keep {
                cut = Some(
                    self.keep_aside(size)
                        .map_err(|error| self.failed("keep the torn end of", error))?,
                );
            }
            self.file
                .truncate(self.end)
                .map_err(|error| self.failed("cut", error))?;
        }
        if verify {
            self.verify()?;
        }
        self.file
            .sync_data()
            .map_err(|error| self.failed("sync", error))?;
        self.marker = None;
        let marker = Marker::create(&*self.files, &self.dir, self.id, self.next);
        self.marker =
            Some(marker.map_err(|error| io_stopped("write the marker in", self.dir.clone(), error))?);
        Ok(cut)
    }

    fn verify(&self) -> Result<(), Stopped> {
        let bytes = read_file(&*self.file).map_err(|error| self.failed("read", error))?;
        let scanned = scan(&bytes, self.id, self.first, self.next, true);
        if scanned.next != self.next || bytes.len() as u64 != self.end || !scanned.damages.is_empty() {
            let changed = Damage {
                segment: segment_name(self.first),
                offset: scanned.end as u64,
                length: FRAME_HEADER as u64,
                positions: scanned.next.min(self.next)..self.next,
                what: DamageKind::Missing,
            };
            return Err(Stopped::Damaged(
                scanned.damages.into_iter().next().unwrap_or(changed),
            ));
        }
        let block = self.end.saturating_sub(BLOCK);
        let again = bytes.get(block as usize..).unwrap_or_default();
        self.file
            .write_at(again, block)
            .map_err(|error| self.failed("write to", error))
    }

    /// Copies what follows the whole batches to a file of its own, durably.
    fn keep_aside(&self, size: u64) -> io::Result<Cut> {
        let mut bytes = vec![0; usize::try_from(size - self.end).map_err(|_| io::ErrorKind::FileTooLarge)?];
        let read = self.file.read_at(&mut bytes, self.end)?;
        bytes.truncate(read);
        let mut kept: Vec<String> = self.files.list(&self.dir)?;
        kept.retain(|name| name.starts_with(TORN_PREFIX) && !name.ends_with(crate::files::TEMPORARY));
        let number = kept
            .last()
            .and_then(|name| name[TORN_PREFIX.len()..].split('-').next()?.parse::<u64>().ok());
        let name = format!(
            "{TORN_PREFIX}{:08}-{:020}-{}",
            number.map_or(0, |n| n + 1),
            self.first,
            self.end
        );
        write_atomically(&*self.files, &self.dir.join(&name), &bytes)?;
        for old in kept.iter().take((kept.len() + 1).saturating_sub(TORN_KEPT)) {
            self.files.remove(&self.dir.join(old))?;
        }
        Ok(Cut {
            segment: segment_name(self.first),
            offset: self.end,
            bytes: bytes.len() as u64,
            kept_in: self.dir.join(name),
        })
    }

    /// Makes what the marker says durable; called when there is nothing better to do.
    pub(super) fn sync_marker(&mut self) {
        if let Some(marker) = self.marker.as_mut().filter(|marker| marker.is_dirty())
            && let Err(error) = marker.sync()
        {
            tracing::warn!(%error, dir = %self.dir.display(), "the journal's marker is behind");
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(segment_name(self.first))
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> Stopped {
        io_stopped(doing, self.path(), error)
    }
}

fn io_stopped(doing: &'static str, path: PathBuf, error: io::Error) -> Stopped {
    Stopped::Io {
        doing,
        path,
        source: Arc::new(error),
    }
}

/// Makes an empty segment, durable with its name.
pub(super) fn create_segment(
    files: &dyn Files,
    path: &Path,
    id: JournalId,
    first: u64,
) -> io::Result<Arc<dyn File>> {
    write_atomically(files, path, &encode_segment_header(id, first))?;
    files.open(path)
}
