//! Writing a segment anew: with lost records marked, or one of them put back.
//!
//! The new file takes the old one's place by one rename, so a crash leaves the one or the other.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::commit::Shared;
use super::error::{Damages, OpenError, ReadError, RepairError, Stopped};
use super::format::{
    JournalId, Kind, MAX_PAYLOAD, SEGMENT_HEADER, Seal, encode_segment_header, push_frame, segment_name,
};
use super::inspect::Inspection;
use super::{Frame, Record};
use crate::files::{Files, read_file, write_atomically};

/// More records than this missing in one place is not a gap but nonsense.
const MAX_LOST: u64 = 16 << 20;
const DAMAGED_PREFIX: &str = "damaged-";

/// A segment being composed: all of it is one batch.
struct Rewritten {
    id: JournalId,
    first: u64,
    next: u64,
    bytes: Vec<u8>,
    offsets: Vec<u32>,
}

impl Rewritten {
    fn new(id: JournalId, first: u64) -> Self {
        Self {
            id,
            first,
            next: first,
            bytes: encode_segment_header(id, first).to_vec(),
            offsets: Vec::new(),
        }
    }

    fn push(&mut self, kind: Kind, payload: &[u8]) {
        self.offsets.push(self.bytes.len() as u32);
        push_frame(&mut self.bytes, self.id, self.next, kind, payload);
        self.next += 1;
    }

    fn push_lost(&mut self, before: u64) {
        while self.next < before {
            self.push(Kind::LOST, &[]);
        }
    }

    fn finish(mut self) -> (Vec<u8>, Vec<u32>) {
        if self.next > self.first {
            let seal = Seal {
                first: self.first,
                start: SEGMENT_HEADER as u64,
            };
            seal.push(&mut self.bytes, self.id, self.next);
        }
        (self.bytes, self.offsets)
    }
}

/// Rewrites every segment that is damaged or followed by a gap.
pub(super) fn mend(files: &dyn Files, inspection: &Inspection) -> Result<(), OpenError> {
    let beyond = || OpenError::BeyondMending {
        dir: inspection.dir.clone(),
        damages: Damages(inspection.damages.clone()),
    };
    let io = |doing, name: &str| {
        let path = inspection.dir.join(name);
        move |source| OpenError::Io { doing, path, source }
    };
    let id = inspection.id.ok_or_else(beyond)?;
    // Every segment and where the next one begins; the first one may be missing.
    let mut begins: Vec<u64> = inspection.segments.iter().map(|segment| segment.first).collect();
    if begins.first() != Some(&0) {
        begins.insert(0, 0);
    }
    let ends = begins.iter().skip(1).copied().chain([inspection.end]);
    let mut by_first: BTreeMap<u64, _> = inspection
        .segments
        .iter()
        .map(|segment| (segment.first, segment))
        .collect();
    for (first, end) in begins.iter().copied().zip(ends) {
        let name = segment_name(first);
        let found = by_first.remove(&first);
        let hit = inspection.damages.iter().any(|damage| damage.segment == name);
        if !hit && found.is_some() {
            continue;
        }
        let records = found.map_or(&[][..], |segment| &segment.scanned.records);
        let held = records.iter().filter(|record| record.position < end).count() as u64;
        if end.checked_sub(first).is_none_or(|all| all - held > MAX_LOST) {
            return Err(beyond());
        }
        let mut rewritten = Rewritten::new(id, first);
        for record in records.iter().filter(|record| record.position < end) {
            rewritten.push_lost(record.position);
            match inspection.read(record.position) {
                Ok(Record { kind, bytes, .. }) => rewritten.push(kind, &bytes),
                Err(ReadError::Io { path, source }) => {
                    return Err(OpenError::Io {
                        doing: "read",
                        path,
                        source,
                    });
                }
                Err(_) => rewritten.push_lost(record.position + 1),
            }
        }
        rewritten.push_lost(end);
        if let Some(segment) = found {
            let bytes = read_file(&*segment.file).map_err(io("read", &name))?;
            keep_damaged(files, &inspection.dir, &name, &bytes).map_err(io("keep a copy of", &name))?;
        }
        write_atomically(files, &inspection.dir.join(&name), &rewritten.finish().0)
            .map_err(io("rewrite", &name))?;
    }
    Ok(())
}

/// The damaged file stays as it was found, beside the mended one.
fn keep_damaged(files: &dyn Files, dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let names = files.list(dir)?;
    let prefix = format!("{DAMAGED_PREFIX}{name}-");
    let number = names.iter().filter(|other| other.starts_with(&prefix)).count();
    write_atomically(files, &dir.join(format!("{prefix}{number}")), bytes)
}

/// Rewrites the segment of `position` with `frame` in its place.
pub(super) fn put_back(shared: &Shared, position: u64, frame: Frame<'_>) -> Result<(), RepairError> {
    if frame.bytes.len() > MAX_PAYLOAD {
        return Err(RepairError::TooLong {
            length: frame.bytes.len(),
        });
    }
    let mut tail = shared.tail();
    if !shared.lost().contains(&position) {
        return Err(RepairError::NotLost { position });
    }
    let range: Option<Range<u64>> = shared.index().segment_range(position);
    let range = range.ok_or(RepairError::NotLost { position })?;
    let mut rewritten = Rewritten::new(shared.id, range.start);
    for at in range.clone() {
        if at == position {
            rewritten.push(frame.kind, frame.bytes);
            continue;
        }
        let place = shared.index().place(at)?;
        match place.read(&shared.dir, shared.id) {
            Ok(record) => rewritten.push(record.kind, &record.bytes),
            Err(ReadError::Lost { .. }) => rewritten.push(Kind::LOST, &[]),
            Err(error) => return Err(error.into()),
        }
    }
    let (bytes, offsets) = rewritten.finish();
    let path = shared.dir.join(segment_name(range.start));
    let io = |doing| {
        let path = path.clone();
        move |source| RepairError::Io { doing, path, source }
    };
    let written = write_atomically(&*tail.files, &path, &bytes).map_err(io("rewrite"));
    let file = match written.and_then(|()| tail.files.open(&path).map_err(io("open"))) {
        Ok(file) => file,
        Err(error) => {
            // Whether the new file has taken the old one's place is not known: no more is written to the
            // end of the journal until it was looked at.
            if tail.first == range.start {
                shared.stop(tail.next, &Stopped::Unfinished { path });
            }
            return Err(error);
        }
    };
    if tail.first == range.start {
        tail.file = Arc::clone(&file);
        tail.end = bytes.len() as u64;
    }
    shared.index_mut().replace(range.start, file, Some(offsets));
    shared.lost().remove(&position);
    Ok(())
}
