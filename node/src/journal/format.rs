//! The bytes of a segment: a header, then frames.
//!
//! ```text
//! segment  magic 8 | version u32 | journal id 16 | first position u64 | crc32c u32 over the 36 before
//! frame    crc32c u32 | crc32c of the payload u32 | length u32 | position u64 | kind u8 | payload
//! ```
//! Integers are little endian. The first checksum of a frame is over the journal's id and the rest of the
//! frame's header, so that a frame of another journal, or moved to another place, is not taken for one of
//! this; and a header that holds while the payload is cut off tells a torn write from a damaged length.
//! The first 40 bytes of a segment keep this layout in every version.

use std::fmt;

use crc32c::{crc32c, crc32c_append};

/// The segment format that this program writes, and the newest it reads.
pub(super) const VERSION: u32 = 1;
pub(super) const SEGMENT_HEADER: usize = 40;
pub(super) const FRAME_HEADER: usize = 21;
/// Bytes in the longest payload.
pub const MAX_PAYLOAD: usize = 1 << 20;
/// Bytes that a whole batch takes in a segment, at the most: far below what an offset can say.
pub(super) const MAX_BATCH: usize = 16 << 20;

const MAGIC: [u8; 8] = *b"anjuanjl";
const SEGMENT_SUFFIX: &str = ".seg";

/// Names a journal for its life, so that files of two journals are not mixed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JournalId([u8; 16]);

impl JournalId {
    /// An id from its bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JournalId({self})")
    }
}

/// What a record is; the journal does not know the meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(u8);

impl Kind {
    /// Stands where a record was lost and none has been put back yet.
    pub(super) const LOST: Self = Self(0xfe);
    /// Ends a batch.
    pub(super) const SEAL: Self = Self(0xff);

    /// A kind of record.
    ///
    /// # Panics
    /// From 0xf0 on, which the journal keeps for itself. Make kinds constants, and the compiler checks it.
    pub const fn new(kind: u8) -> Self {
        assert!(kind < 0xf0, "kinds from 0xf0 on belong to the journal");
        Self(kind)
    }

    /// The number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// The name of the segment whose first record has this position.
pub(super) fn segment_name(first: u64) -> String {
    format!("{first:020}{SEGMENT_SUFFIX}")
}

/// The first position that a segment's name gives.
pub(super) fn parse_segment_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SEGMENT_SUFFIX)?;
    let first = digits.parse().ok()?;
    (segment_name(first) == name).then_some(first)
}

pub(super) fn encode_segment_header(id: JournalId, first: u64) -> [u8; SEGMENT_HEADER] {
    let mut bytes = [0; SEGMENT_HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..28].copy_from_slice(&id.0);
    bytes[28..36].copy_from_slice(&first.to_le_bytes());
    let crc = crc32c(&bytes[..36]);
    bytes[36..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// What a segment says of itself.
pub(super) enum SegmentHeader {
    Sound { id: JournalId, first: u64 },
    Newer(u32),
    Broken,
}

pub(super) fn decode_segment_header(bytes: &[u8]) -> SegmentHeader {
    let Some(bytes) = bytes.get(..SEGMENT_HEADER) else {
        return SegmentHeader::Broken;
    };
    if bytes[..8] != MAGIC || u32_at(bytes, 36) != crc32c(&bytes[..36]) {
        return SegmentHeader::Broken;
    }
    match u32_at(bytes, 8) {
        VERSION => SegmentHeader::Sound {
            id: JournalId(array_at(bytes, 12)),
            first: u64_at(bytes, 28),
        },
        version => SegmentHeader::Newer(version),
    }
}

/// The header of a frame, its own checksum proven.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHeader {
    pub(super) payload_crc: u32,
    pub(super) length: u32,
    pub(super) position: u64,
    pub(super) kind: Kind,
}

impl FrameHeader {
    pub(super) fn of(position: u64, kind: Kind, payload: &[u8]) -> Self {
        Self {
            payload_crc: crc32c(payload),
            length: payload.len() as u32,
            position,
            kind,
        }
    }

    pub(super) fn encode(&self, id: JournalId) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        bytes[4..8].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.position.to_le_bytes());
        bytes[20] = self.kind.0;
        let crc = header_crc(id, &bytes);
        bytes[..4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(id: JournalId, bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..FRAME_HEADER)?;
        let header = Self {
            payload_crc: u32_at(bytes, 4),
            length: u32_at(bytes, 8),
            position: u64_at(bytes, 12),
            kind: Kind(bytes[20]),
        };
        let sound = u32_at(bytes, 0) == header_crc(id, bytes) && header.length as usize <= MAX_PAYLOAD;
        sound.then_some(header)
    }

    /// Bytes of header and payload.
    pub(super) fn frame_length(&self) -> usize {
        FRAME_HEADER + self.length as usize
    }

    pub(super) fn payload_holds(&self, payload: &[u8]) -> bool {
        payload.len() == self.length as usize && crc32c(payload) == self.payload_crc
    }
}

fn header_crc(id: JournalId, header: &[u8]) -> u32 {
    crc32c_append(crc32c(&id.0), &header[4..])
}

/// Appends one frame to `bytes`.
pub(super) fn push_frame(bytes: &mut Vec<u8>, id: JournalId, position: u64, kind: Kind, payload: &[u8]) {
    bytes.extend_from_slice(&FrameHeader::of(position, kind, payload).encode(id));
    bytes.extend_from_slice(payload);
}

/// What ends a batch: all of a batch is there, or none of it counts. Takes no position of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// Position of the batch's first record.
    pub(super) first: u64,
    /// Where in the segment the batch begins.
    pub(super) start: u64,
}

impl Seal {
    const PAYLOAD: usize = 17;
    pub(super) const LENGTH: usize = FRAME_HEADER + Self::PAYLOAD;
    /// The last byte of a batch is not zero, so its last sector is never taken for one not written.
    const END: u8 = 0x5e;

    /// Appends the seal of a batch that ends before position `next`.
    pub(super) fn push(self, bytes: &mut Vec<u8>, id: JournalId, next: u64) {
        let mut payload = [Self::END; Self::PAYLOAD];
        payload[..8].copy_from_slice(&self.first.to_le_bytes());
        payload[8..16].copy_from_slice(&self.start.to_le_bytes());
        push_frame(bytes, id, next, Kind::SEAL, &payload);
    }

    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        (payload.len() == Self::PAYLOAD).then(|| Self {
            first: u64_at(payload, 0),
            start: u64_at(payload, 8),
        })
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// The caller has checked that the bytes are there.
pub(super) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: JournalId = JournalId::from_bytes([7; 16]);

    #[test]
    fn the_encoding_is_pinned() {
        let mut bytes = encode_segment_header(ID, 3).to_vec();
        push_frame(&mut bytes, ID, 3, Kind::new(1), b"payload");
        Seal { first: 3, start: 40 }.push(&mut bytes, ID, 4);
        assert_eq!(hex::encode(bytes), PINNED);
    }

    const PINNED: &str = "616e6a75616e6a6c0100000007070707070707070707070707070707030000000000000072c1ef96\
        05d362987069e3f4070000000300000000000000017061796c6f61641ea64cbcd577f99511000000\
        0400000000000000ff030000000000000028000000000000005e";

    #[test]
    fn a_frame_belongs_to_its_journal_and_place() {
        let mut bytes = Vec::new();
        push_frame(&mut bytes, ID, 3, Kind::new(1), b"payload");
        assert!(FrameHeader::decode(ID, &bytes).is_some());
        assert!(FrameHeader::decode(JournalId::from_bytes([8; 16]), &bytes).is_none());
        for bit in 0..FRAME_HEADER * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(FrameHeader::decode(ID, &changed).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn only_whole_names_are_segments() {
        assert_eq!(parse_segment_name(&segment_name(42)), Some(42));
        for name in [
            "42.seg",
            "00000000000000000042.seg.tmp",
            "0000000000000000004x.seg",
            "synced",
        ] {
            assert_eq!(parse_segment_name(name), None, "{name}");
        }
    }
}
