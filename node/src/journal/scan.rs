//! Reads a segment's bytes and tells what is whole, what is torn and what is damaged. Pure.
//!
//! **Torn or damaged.** A batch is written by one write and then synced, and nothing is written after it
//! before that. So what a power loss leaves behind is a last batch of which parts are absent: the file
//! ends early, or whole sectors are zeros. Anything else is damage to bytes that had been there: wrong
//! bytes that are not zeros, anything followed by a later batch, anything before the marker. Damage that
//! looks exactly like absence (a last batch cut off, or a sector of it zeroed, after it was synced but
//! before the marker was) can't be told from a power loss; it is cut, kept aside and reported, never
//! passed over.

use std::ops::Range;

use super::error::{Damage, DamageKind};
use super::format::{FRAME_HEADER, FrameHeader, JournalId, Kind, SEGMENT_HEADER, Seal, segment_name};

const SECTOR: usize = 512;

/// A record in a segment, its checksums proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) position: u64,
    pub(super) offset: u32,
    pub(super) kind: Kind,
}

/// What a segment holds.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// Whole records, in order. Dense from the first position, unless there are damages.
    pub(super) records: Vec<Found>,
    /// The position after the last record.
    pub(super) next: u64,
    /// Where the whole batches end.
    pub(super) end: usize,
    /// What had been synced and can't be read.
    pub(super) damages: Vec<Damage>,
}

/// Bytes that can't be read as frames.
struct Bad {
    bytes: Range<usize>,
    positions: Range<u64>,
    /// Can be explained as never having been written.
    absent: bool,
}

/// Scans the segment `bytes` of journal `id` that begins with record `first`. `synced` is the position
/// up to which the marker says that records were synced; `last` whether no segment follows.
///
/// The segment's header is not looked at. A torn tail is what follows `end` when there are no damages.
pub(super) fn scan(bytes: &[u8], id: JournalId, first: u64, synced: u64, last: bool) -> Scanned {
    let mut records: Vec<Found> = Vec::new();
    let mut bads: Vec<Bad> = Vec::new();
    // Up to here everything is whole: (bytes, records, next position).
    let mut whole = (SEGMENT_HEADER.min(bytes.len()), 0, first);
    let mut certain = false;
    let (mut at, mut next) = (whole.0, first);
    while at < bytes.len() {
        let Some(header) = frame_at(bytes, id, at).filter(|header| header.position == next) else {
            let bad = bad_at(bytes, id, at, next, whole.0);
            (at, next) = (bad.bytes.end, bad.positions.end);
            bads.push(bad);
            continue;
        };
        let end = at + header.frame_length();
        if header.kind == Kind::SEAL {
            let seal = Seal::decode(&bytes[end - header.length as usize..end]);
            // A batch that begins after the bad bytes was written after they had been synced.
            certain |= match (&seal, bads.last()) {
                (Some(seal), Some(bad)) => seal.start > bad.bytes.start as u64,
                (None, _) => true,
                (_, None) => false,
            };
            if bads.is_empty() {
                whole = (end, records.len(), next);
            }
        } else {
            records.push(Found {
                position: next,
                offset: at as u32,
                kind: header.kind,
            });
            next += 1;
        }
        at = end;
    }

    let tail = whole.0 < bytes.len();
    let torn = last && tail && !certain && bads.iter().all(|bad| bad.absent) && whole.2 >= synced;
    if !tail || torn {
        records.truncate(whole.1);
        return Scanned {
            records,
            next: whole.2,
            end: whole.0,
            damages: Vec::new(),
        };
    }
    let damage = |offset: usize, length: usize, positions, what| Damage {
        segment: segment_name(first),
        offset: offset as u64,
        length: length as u64,
        positions,
        what,
    };
    let mut damages: Vec<Damage> = bads
        .into_iter()
        .map(|bad| damage(bad.bytes.start, bad.bytes.len(), bad.positions, DamageKind::Frame))
        .collect();
    if damages.is_empty() {
        damages.push(damage(
            whole.0,
            bytes.len() - whole.0,
            next..next,
            DamageKind::Unsealed,
        ));
    }
    Scanned {
        records,
        next,
        end: bytes.len(),
        damages,
    }
}

/// The header of the frame at `at`, if header and payload are whole.
fn frame_at(bytes: &[u8], id: JournalId, at: usize) -> Option<FrameHeader> {
    let header = FrameHeader::decode(id, &bytes[at..])?;
    let payload = bytes[at..].get(FRAME_HEADER..header.frame_length())?;
    header.payload_holds(payload).then_some(header)
}

/// Judges the bytes at `at`, where record `next` should begin, up to the next whole frame.
fn bad_at(bytes: &[u8], id: JournalId, at: usize, next: u64, whole: usize) -> Bad {
    let header = FrameHeader::decode(id, &bytes[at..]).filter(|header| header.position == next);
    let length = header.map_or(FRAME_HEADER, |header| header.frame_length());
    let absent = match bytes.get(at..at + length) {
        None => header.is_some() || bytes.len() - at < FRAME_HEADER,
        Some(_) => false,
    } || has_empty_sector(bytes, at..(at + length).min(bytes.len()), whole);
    // A whole header tells where the next frame begins, so a payload's bytes are not searched for frames.
    let from = if header.is_some() && at + length <= bytes.len() {
        at + length
    } else {
        at
    };
    let found = (from..bytes.len()).find_map(|at| {
        Some((
            at,
            frame_at(bytes, id, at).filter(|header| header.position >= next)?,
        ))
    });
    let (end, positions) = match found {
        Some((end, header)) => (end, next..header.position),
        None => (bytes.len(), next..next),
    };
    Bad {
        bytes: at..end,
        positions,
        absent: absent && end > at,
    }
}

/// Is one of the sectors under `range`, as far as it lies after `whole`, all zeros?
fn has_empty_sector(bytes: &[u8], range: Range<usize>, whole: usize) -> bool {
    let mut start = range.start / SECTOR * SECTOR;
    while start < range.end {
        let sector = &bytes[start.max(whole)..(start + SECTOR).min(bytes.len())];
        if sector.iter().all(|byte| *byte == 0) {
            return true;
        }
        start += SECTOR;
    }
    false
}
