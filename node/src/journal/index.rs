//! Where each durable record lies: four bytes a record.

use std::path::Path;
use std::sync::Arc;

use super::Record;
use super::error::ReadError;
use super::format::{JournalId, Kind};
use super::inspect::{SegmentFound, read_record};
use super::scan::Found;
use crate::files::File;

/// The durable records of an open journal.
#[derive(Debug, Default)]
pub(super) struct Index {
    segments: Vec<Segment>,
    end: u64,
}

#[derive(Debug)]
struct Segment {
    first: u64,
    file: Arc<dyn File>,
    offsets: Vec<u32>,
}

/// Where one record is to be read, held without the index.
pub(super) struct Place {
    first: u64,
    file: Arc<dyn File>,
    found: Found,
}

impl Place {
    pub(super) fn read(&self, dir: &Path, id: JournalId) -> Result<Record, ReadError> {
        read_record(&*self.file, dir, self.first, Some(id), self.found)
    }
}

impl Index {
    pub(super) fn of(segments: Vec<SegmentFound>, end: u64) -> Self {
        let segments = segments.into_iter().map(|segment| Segment {
            first: segment.first,
            file: segment.file,
            offsets: segment.scanned.records.iter().map(|found| found.offset).collect(),
        });
        Self {
            segments: segments.collect(),
            end,
        }
    }

    /// The position after the last durable record.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn place(&self, position: u64) -> Result<Place, ReadError> {
        let segment = self.segment_of(position).and_then(|at| self.segments.get(at));
        let place = segment.and_then(|segment| {
            let offset = *segment
                .offsets
                .get(usize::try_from(position - segment.first).ok()?)?;
            // The kind is what the frame itself says.
            let found = Found {
                position,
                offset,
                kind: Kind::LOST,
            };
            Some(Place {
                first: segment.first,
                file: Arc::clone(&segment.file),
                found,
            })
        });
        place.ok_or(ReadError::BeyondEnd {
            position,
            end: self.end,
        })
    }

    /// The segment that holds `position`: first position, and the positions of its records.
    pub(super) fn segment_range(&self, position: u64) -> Option<std::ops::Range<u64>> {
        let segment = self.segments.get(self.segment_of(position)?)?;
        let range = segment.first..segment.first + segment.offsets.len() as u64;
        range.contains(&position).then_some(range)
    }

    fn segment_of(&self, position: u64) -> Option<usize> {
        self.segments
            .partition_point(|segment| segment.first <= position)
            .checked_sub(1)
    }

    /// First position of the last segment.
    pub(super) fn last_first(&self) -> Option<u64> {
        self.segments.last().map(|segment| segment.first)
    }

    /// A new last segment.
    pub(super) fn add_segment(&mut self, first: u64, file: Arc<dyn File>) {
        self.segments.push(Segment {
            first,
            file,
            offsets: Vec::new(),
        });
    }

    /// Records that have become durable at the end of the last segment.
    pub(super) fn add_records(&mut self, offsets: impl Iterator<Item = u32>, end: u64) {
        if let Some(last) = self.segments.last_mut() {
            last.offsets.extend(offsets);
            self.end = end;
        }
    }

    /// Another file in place of the segment that begins with `first`, with the records at `offsets` if
    /// they have moved.
    pub(super) fn replace(&mut self, first: u64, file: Arc<dyn File>, offsets: Option<Vec<u32>>) {
        if let Some(segment) = self.segments.iter_mut().find(|segment| segment.first == first) {
            segment.file = file;
            if let Some(offsets) = offsets {
                segment.offsets = offsets;
            }
        }
    }
}
