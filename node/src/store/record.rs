//! What is stored for a key: the value with a checksum, in parts when it is long.
//!
//! ```text
//! whole    1 | value | crc32c over full key and all before
//! parted   2 | length u32 | crc32c of the value u32 | crc32c over full key and all before
//! part     bytes, at 0xf0 | full key | number u32 (big endian)
//! ```
//! Over about 4 KB sled puts a value into a file of its own, which it never syncs; parts keep below that.

use crc32c::{crc32c, crc32c_append};

use super::{MAX_VALUE, StoreError};

/// Bytes in the longest value, or part of one, that is handed to sled.
const PART: usize = 3500;
/// Table of the parts.
pub(super) const PARTS: u8 = 0xf0;

const WHOLE: u8 = 1;
const PARTED: u8 = 2;

/// What is stored for one value.
pub(super) struct Encoded {
    pub(super) head: Vec<u8>,
    pub(super) parts: Vec<Vec<u8>>,
}

pub(super) fn encode(key: &[u8], value: &[u8]) -> Encoded {
    let mut head = Vec::with_capacity(value.len().min(PART) + 13);
    let mut parts = Vec::new();
    if value.len() <= PART {
        head.push(WHOLE);
        head.extend_from_slice(value);
    } else {
        head.push(PARTED);
        head.extend_from_slice(&(value.len() as u32).to_le_bytes());
        head.extend_from_slice(&crc32c(value).to_le_bytes());
        parts.extend(value.chunks(PART).map(<[u8]>::to_vec));
    }
    let crc = crc32c_append(crc32c(key), &head);
    head.extend_from_slice(&crc.to_le_bytes());
    Encoded { head, parts }
}

/// The value whose head is `stored`; asks for its parts.
pub(super) fn decode(
    key: &[u8],
    stored: &[u8],
    part: impl Fn(usize) -> Result<Option<Vec<u8>>, StoreError>,
) -> Result<Vec<u8>, StoreError> {
    match open(key, stored)? {
        Head::Whole(value) => Ok(value.to_vec()),
        Head::Parted { length, crc } => {
            let mut value = Vec::with_capacity(length);
            for n in 0..length.div_ceil(PART) {
                value.extend_from_slice(&part(n)?.ok_or_else(|| damaged(key))?);
            }
            if value.len() == length && crc32c(&value) == crc {
                Ok(value)
            } else {
                Err(damaged(key))
            }
        }
    }
}

/// How many parts the value has whose head is `stored`.
pub(super) fn parts(key: &[u8], stored: &[u8]) -> Result<usize, StoreError> {
    Ok(match open(key, stored)? {
        Head::Whole(_) => 0,
        Head::Parted { length, .. } => length.div_ceil(PART),
    })
}

/// The checksum at the end of a head, over key and value; 0 for what is no head.
pub(super) fn checksum(stored: &[u8]) -> u32 {
    stored.last_chunk().map_or(0, |crc| u32::from_le_bytes(*crc))
}

pub(super) fn part_key(key: &[u8], part: usize) -> Vec<u8> {
    let mut part_key = Vec::with_capacity(key.len() + 5);
    part_key.push(PARTS);
    part_key.extend_from_slice(key);
    part_key.extend_from_slice(&(part as u32).to_be_bytes());
    part_key
}

enum Head<'a> {
    Whole(&'a [u8]),
    Parted { length: usize, crc: u32 },
}

fn open<'a>(key: &[u8], stored: &'a [u8]) -> Result<Head<'a>, StoreError> {
    let (body, crc) = stored.split_last_chunk::<4>().ok_or_else(|| damaged(key))?;
    if crc32c_append(crc32c(key), body) != u32::from_le_bytes(*crc) {
        return Err(damaged(key));
    }
    match body.split_first() {
        Some((&WHOLE, value)) => Ok(Head::Whole(value)),
        Some((&PARTED, rest)) => {
            let (length, crc) = rest.split_first_chunk::<4>().ok_or_else(|| damaged(key))?;
            let length = u32::from_le_bytes(*length) as usize;
            match crc.first_chunk::<4>() {
                Some(crc) if length <= MAX_VALUE => Ok(Head::Parted {
                    length,
                    crc: u32::from_le_bytes(*crc),
                }),
                _ => Err(damaged(key)),
            }
        }
        _ => Err(damaged(key)),
    }
}

/// Names the table only: keys can carry what people typed.
fn damaged(key: &[u8]) -> StoreError {
    StoreError::Damaged(format!(
        "a value in table {} does not hold",
        key.first().copied().unwrap_or(0)
    ))
}
