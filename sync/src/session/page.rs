//! Records as the bytes of a page.
//!
//! A page is its format, then columns: what is alike in its records stands together ([`columns`]). What
//! the receiver can derive is left out ([`updates`], [`chunk`]), since hashes and keys do not compress. A
//! list of records has one page: wherever there would be two ways to say a thing, the reader refuses the one
//! that the writer does not take.

use minicbor::{Decode, Encode};

use crate::id::{ItemId, NetworkId};
use crate::path::Path;
use crate::replica::{Blob, MAX_BLOB, Record};
use crate::session::error::Violation;
use crate::session::message::MAX_FRAME;
use crate::signed::{MAX_UPDATE, SignedHeader};

use columns::{Column, Reader, Writer, damaged, not_canonical};
use updates::SoFar;

mod chunk;
mod columns;
mod updates;

/// The format that this code writes, and the only one it reads.
const FORMAT: u8 = 1;
/// Bytes that a page may be asked for; with one record more it stays under [`MAX_PAGE`]. The more signatures
/// are checked at once, the less each costs.
pub const MAX_PAGE_LIMIT: u32 = 768_000;
/// Bytes in the longest page before compression, and of its records ([`Record::size`]).
pub const MAX_PAGE: usize = 1_036_000;
/// Level 7 takes two to five times as long for a hundredth less.
const ZSTD_LEVEL: i32 = 3;
/// Pages of more bytes than this are asked for only over links of more than a megabit a second, and there time
/// is worth more than the twentieth of the bytes that it saves.
const LONG: usize = 512 * 1024;
const ZSTD_LEVEL_LONG: i32 = 1;

const _: () = assert!(MAX_PAGE_LIMIT as usize + MAX_BLOB + 4096 <= MAX_PAGE && MAX_UPDATE < MAX_BLOB);
// What does not compress grows by 1/256 at the most.
const _: () = assert!(MAX_PAGE + MAX_PAGE / 256 + 1024 <= MAX_FRAME);

/// An update: see [`updates`]. Any other record stands by itself, as [`Other`].
const UPDATE: u8 = 0;
const OTHER: u8 = 1;

#[derive(Encode, Decode)]
enum Other {
    #[n(0)]
    Fork(
        #[cbor(n(0), with = "minicbor::bytes")] Vec<u8>,
        #[cbor(n(1), with = "minicbor::bytes")] Vec<u8>,
    ),
    #[n(1)]
    Credential(
        #[n(0)] Path,
        #[n(1)] ItemId,
        #[cbor(n(2), with = "minicbor::bytes")] Vec<u8>,
    ),
    #[n(2)]
    Sealed(
        #[n(0)] Path,
        #[n(1)] ItemId,
        #[cbor(n(2), with = "minicbor::bytes")] Vec<u8>,
    ),
    #[n(3)]
    Held(#[n(0)] Path, #[n(1)] ItemId),
}

/// The bytes of a page before compression.
pub fn encode(records: &[Record]) -> Vec<u8> {
    let mut so_far = SoFar::default();
    let mut writer = Writer::default();
    for record in records {
        let other = match record {
            Record::Update(update) => {
                writer.byte(Column::Kind, UPDATE);
                so_far.write(&mut writer, update);
                continue;
            }
            Record::Fork(pair) => Other::Fork(pair[0].encode(), pair[1].encode()),
            Record::Credential(blob) => Other::Credential(blob.path.clone(), blob.id, blob.bytes.clone()),
            Record::Sealed(blob) => Other::Sealed(blob.path.clone(), blob.id, blob.bytes.clone()),
            Record::Held { path, id } => Other::Held(path.clone(), *id),
        };
        writer.byte(Column::Kind, OTHER);
        minicbor::encode(&other, writer.column(Column::Others)).expect("writing to a vector does not fail");
    }
    writer.finish(vec![FORMAT])
}

/// Reads a page's records, of updates of `network`.
pub fn decode(bytes: &[u8], network: NetworkId) -> Result<Vec<Record>, Violation> {
    let columns = match bytes.split_first() {
        Some((&FORMAT, columns)) => columns,
        Some((other, _)) => return Err(Violation::Page(format!("format {other}, not {FORMAT}"))),
        None => return Err(damaged("no bytes at all")),
    };
    let mut reader = Reader::new(columns)?;
    let mut so_far = SoFar::default();
    let mut records = Vec::new();
    let mut size = 0;
    while !reader.is_empty(Column::Kind) {
        let record = match reader.byte(Column::Kind)? {
            UPDATE => Record::Update(so_far.read(&mut reader, network)?),
            OTHER => other(&mut reader)?,
            _ => return Err(damaged("a record of an unknown kind")),
        };
        // A reference of one byte can stand for many: what it comes to is bounded like a page.
        size += record.size();
        if size > MAX_PAGE {
            return Err(damaged("records of more bytes than a page may have"));
        }
        records.push(record);
    }
    reader.finish()?;
    Ok(records)
}

fn other(reader: &mut Reader<'_>) -> Result<Record, Violation> {
    let failed = |error: String| Violation::Page(error);
    let rest = reader.rest(Column::Others);
    let mut decoder = minicbor::Decoder::new(rest);
    let other: Other = decoder.decode().map_err(|error| failed(error.to_string()))?;
    let (read, after) = rest.split_at(decoder.position());
    *rest = after;
    not_canonical(minicbor::to_vec(&other).is_ok_and(|written| written != read))?;
    Ok(match other {
        Other::Fork(a, b) => {
            let read = |bytes: &[u8]| SignedHeader::decode(bytes).map_err(|error| failed(error.to_string()));
            Record::Fork(Box::new([read(&a)?, read(&b)?]))
        }
        Other::Credential(path, id, bytes) => Record::Credential(blob(path, id, bytes)?),
        Other::Sealed(path, id, bytes) => Record::Sealed(blob(path, id, bytes)?),
        Other::Held(path, id) => Record::Held { path, id },
    })
}

fn blob(path: Path, id: ItemId, bytes: Vec<u8>) -> Result<Blob, Violation> {
    if bytes.len() > MAX_BLOB {
        return Err(Violation::Page(format!("item of {} bytes", bytes.len())));
    }
    Ok(Blob { path, id, bytes })
}

/// Compresses a page.
pub fn compress(page: &[u8]) -> Vec<u8> {
    let level = match page.len() > LONG {
        true => ZSTD_LEVEL_LONG,
        false => ZSTD_LEVEL,
    };
    zstd::bulk::compress(page, level).expect("compression into a growing buffer does not fail")
}

/// Expands a page that is said to have `length` bytes, and never to more than that.
pub fn expand(body: &[u8], length: u32) -> Result<Vec<u8>, Violation> {
    let length = length as usize;
    if length > MAX_PAGE {
        return Err(Violation::Page(format!("{length} bytes, more than {MAX_PAGE}")));
    }
    let page = zstd::bulk::decompress(body, length).map_err(|error| Violation::Page(error.to_string()))?;
    if page.len() != length {
        return Err(Violation::Page("another length than stated".into()));
    }
    Ok(page)
}

#[cfg(test)]
mod tests;
