//! Looks at a journal's files without changing anything.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Record;
use super::error::{Damage, DamageKind, Damages, OpenError, ReadError};
use super::format::{
    FRAME_HEADER, FrameHeader, JournalId, Kind, SEGMENT_HEADER, SegmentHeader, decode_segment_header,
    parse_segment_name, segment_name,
};
use super::marker::{self, Mark};
use super::scan::{Found, Scanned, scan};
use crate::files::{File, Files, TEMPORARY, read_file};

/// What was found of the marker that says how far the journal had been synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watermark {
    /// There is no journal yet.
    New,
    /// It is there and holds.
    Sound,
    /// It is gone or does not hold: a last batch that is cut off can't be told from a torn one.
    Lost,
}

/// A journal's files as they are: whole, torn at the end, or damaged. For reading a damaged journal, and
/// for checking one that is not in use. Nothing is changed on the disk.
#[derive(Debug)]
pub struct Inspection {
    pub(super) dir: PathBuf,
    pub(super) id: Option<JournalId>,
    pub(super) segments: Vec<SegmentFound>,
    pub(super) watermark: Watermark,
    pub(super) end: u64,
    pub(super) damages: Vec<Damage>,
    pub(super) leftovers: Vec<PathBuf>,
}

/// One segment file.
#[derive(Debug)]
pub(super) struct SegmentFound {
    pub(super) first: u64,
    pub(super) name: String,
    pub(super) file: Arc<dyn File>,
    pub(super) size: usize,
    pub(super) scanned: Scanned,
}

impl Inspection {
    /// Reads every byte of the journal in `dir`; no folder is an empty journal.
    pub fn of(files: &dyn Files, dir: &Path) -> Result<Self, OpenError> {
        let io = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { doing, path, source }
        };
        let names = match files.list(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            names => names.map_err(io("list", dir))?,
        };
        let mark = match marker::read(files, dir).map_err(io("read the marker in", dir))? {
            marker::Found::Newer(found) => {
                return Err(OpenError::Newer {
                    path: dir.join(marker::MARKER_FILE),
                    found,
                });
            }
            marker::Found::Nothing => None,
            marker::Found::Unreadable => Some(None),
            marker::Found::Mark(mark) => Some(Some(mark)),
        };
        let mut firsts: Vec<u64> = names.iter().filter_map(|name| parse_segment_name(name)).collect();
        firsts.sort_unstable();
        let watermark = match mark {
            Some(Some(_)) => Watermark::Sound,
            None if firsts.is_empty() => Watermark::New,
            _ => Watermark::Lost,
        };
        let mut inspection = Self {
            dir: dir.to_owned(),
            id: mark.flatten().map(|mark| mark.id),
            segments: Vec::new(),
            watermark,
            end: 0,
            damages: Vec::new(),
            leftovers: names
                .iter()
                .filter(|name| name.ends_with(TEMPORARY))
                .map(|name| dir.join(name))
                .collect(),
        };
        inspection.read_segments(files, &firsts, mark.flatten())?;
        Ok(inspection)
    }

    fn read_segments(
        &mut self,
        files: &dyn Files,
        firsts: &[u64],
        mark: Option<Mark>,
    ) -> Result<(), OpenError> {
        let synced = mark.map_or(0, |mark| mark.next);
        if self.id.is_none() {
            self.id = self.id_from_heads(files, firsts)?;
        }
        for (n, first) in firsts.iter().copied().enumerate() {
            let name = segment_name(first);
            let path = self.dir.join(&name);
            let io = |doing| {
                let path = path.clone();
                move |source| OpenError::Io { doing, path, source }
            };
            self.note_gap(first);
            let file = files.open(&path).map_err(io("open"))?;
            let bytes = read_file(&*file).map_err(io("read"))?;
            let head = |what, length| Damage {
                segment: name.clone(),
                offset: 0,
                length,
                positions: 0..0,
                what,
            };
            match decode_segment_header(&bytes) {
                SegmentHeader::Newer(found) => return Err(OpenError::Newer { path, found }),
                SegmentHeader::Broken => self.damages.push(head(DamageKind::Header, SEGMENT_HEADER as u64)),
                SegmentHeader::Sound { id, first: said } if said == first && self.id == Some(id) => {}
                SegmentHeader::Sound { .. } => {
                    self.damages.push(head(DamageKind::Foreign, bytes.len() as u64))
                }
            }
            // A file whose end an offset can't say is not one of ours.
            let known = self.id.filter(|_| u32::try_from(bytes.len()).is_ok());
            let last = n + 1 == firsts.len();
            let scanned = match known {
                Some(id) => scan(&bytes, id, first, synced, last),
                None => Scanned {
                    next: first,
                    end: bytes.len(),
                    ..Scanned::default()
                },
            };
            self.damages.extend(scanned.damages.iter().cloned());
            self.end = scanned.next;
            self.segments.push(SegmentFound {
                first,
                name,
                file,
                size: bytes.len(),
                scanned,
            });
        }
        self.note_gap(synced.max(self.end));
        self.end = self.end.max(synced);
        Ok(())
    }

    /// Without a marker, the first segment whose head holds says which journal this is.
    fn id_from_heads(&self, files: &dyn Files, firsts: &[u64]) -> Result<Option<JournalId>, OpenError> {
        for first in firsts {
            let path = self.dir.join(segment_name(*first));
            let mut head = [0; SEGMENT_HEADER];
            let read = files.open(&path).and_then(|file| file.read_at(&mut head, 0));
            read.map_err(|source| OpenError::Io {
                doing: "read",
                path,
                source,
            })?;
            if let SegmentHeader::Sound { id, .. } = decode_segment_header(&head) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Notes that records are missing before position `next`, if they are.
    fn note_gap(&mut self, next: u64) {
        if self.end == next {
            return;
        }
        let (segment, offset) = match self.segments.last() {
            Some(segment) => (segment.name.clone(), segment.size as u64),
            None => (segment_name(0), 0),
        };
        // A segment that begins before the last one ends overlaps it: nothing is missing, all is wrong.
        let (positions, what) = if self.end < next {
            (self.end..next, DamageKind::Missing)
        } else {
            (next..next, DamageKind::Foreign)
        };
        self.damages.push(Damage {
            segment,
            offset,
            length: 0,
            positions,
            what,
        });
    }

    /// What is damaged; empty for a journal that can be opened.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// The journal's id; none if there is no journal, or none of its files can say.
    pub fn id(&self) -> Option<JournalId> {
        self.id
    }

    /// The position after the last record, lost ones included.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// What was found of the marker.
    pub fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// Records lost to damage that was mended, and not put back yet, in order.
    pub fn lost(&self) -> Vec<u64> {
        let records = self.segments.iter().flat_map(|segment| &segment.scanned.records);
        records
            .filter(|found| found.kind == Kind::LOST)
            .map(|found| found.position)
            .collect()
    }

    /// A torn tail, never acknowledged as far as can be known: segment and bytes.
    pub(super) fn tail(&self) -> Option<(&SegmentFound, Range<usize>)> {
        let segment = self.segments.last()?;
        (segment.scanned.end < segment.size).then_some((segment, segment.scanned.end..segment.size))
    }

    /// Reads a record, if it is whole.
    pub fn read(&self, position: u64) -> Result<Record, ReadError> {
        let at = self.segments.partition_point(|segment| segment.first <= position);
        let segment = at.checked_sub(1).and_then(|at| self.segments.get(at));
        let found = segment.and_then(|segment| {
            let records = &segment.scanned.records;
            let n = records
                .binary_search_by_key(&position, |found| found.position)
                .ok()?;
            Some((segment, records[n]))
        });
        let Some((segment, found)) = found else {
            return Err(if position < self.end {
                ReadError::Lost { position }
            } else {
                ReadError::BeyondEnd {
                    position,
                    end: self.end,
                }
            });
        };
        read_record(&*segment.file, &self.dir, segment.first, self.id, found)
    }

    pub(super) fn into_damaged(self) -> OpenError {
        OpenError::Damaged {
            dir: self.dir,
            damages: Damages(self.damages),
        }
    }
}

/// Reads and checks one record of the segment that begins with `first`.
pub(super) fn read_record(
    file: &dyn File,
    dir: &Path,
    first: u64,
    id: Option<JournalId>,
    found: Found,
) -> Result<Record, ReadError> {
    let io = |source| ReadError::Io {
        path: dir.join(segment_name(first)),
        source,
    };
    let damaged = || {
        ReadError::Damaged(Damage {
            segment: segment_name(first),
            offset: u64::from(found.offset),
            length: FRAME_HEADER as u64,
            positions: found.position..found.position + 1,
            what: DamageKind::Frame,
        })
    };
    // Most records fit into the first read.
    let mut bytes = vec![0; 2048];
    let read = file.read_at(&mut bytes, u64::from(found.offset)).map_err(io)?;
    bytes.truncate(read);
    let header = id.and_then(|id| FrameHeader::decode(id, &bytes));
    let header = header
        .filter(|header| header.position == found.position)
        .ok_or_else(damaged)?;
    if header.kind == Kind::LOST {
        return Err(ReadError::Lost {
            position: found.position,
        });
    }
    let have = bytes.len();
    bytes.resize(header.frame_length(), 0);
    if bytes.len() > have {
        file.read_at(&mut bytes[have..], u64::from(found.offset) + have as u64)
            .map_err(io)?;
    }
    bytes.drain(..FRAME_HEADER);
    if !header.payload_holds(&bytes) {
        return Err(damaged());
    }
    Ok(Record {
        position: found.position,
        kind: header.kind,
        bytes,
    })
}
