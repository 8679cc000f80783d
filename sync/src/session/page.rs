//! Records as the bytes of a page.
//!
//! Of an update, what the receiver can derive is left out: the network is the session's, hash and length
//! of the payload come from the payload, and the predecessor's id from the update before it in the same
//! log, if that stands earlier in the page. Hashes do not compress, so this saves a sixth of a page.
//! Nothing depends on the receiver's deriving it right: the signature is over the whole header.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::id::{AuthorKey, CertificateId, DocumentId, ItemId, LogEpoch, NetworkId, PayloadHash, UpdateId};
use crate::log::LogId;
use crate::path::{Path, Space};
use crate::replica::{Blob, MAX_BLOB, Record};
use crate::session::error::Violation;
use crate::signed::{MAX_UPDATE, SignedHeader, SignedUpdate};
use crate::update::{HEADER_VERSION, RawHeader, Timestamp};

/// Bytes that a page may be asked for; with one record more it stays under [`MAX_PAGE`].
pub const MAX_PAGE_LIMIT: u32 = 512 * 1024;
/// Bytes in the longest page, before compression.
pub const MAX_PAGE: usize = 800_000;
const ZSTD_LEVEL: i32 = 3;

const _: () = assert!(MAX_PAGE_LIMIT as usize + MAX_BLOB + 4096 <= MAX_PAGE && MAX_UPDATE < MAX_BLOB);

#[derive(Encode, Decode)]
enum Wire {
    #[n(0)]
    Update(#[n(0)] Box<UpdateWire>),
    #[n(1)]
    Fork(
        #[cbor(n(0), with = "minicbor::bytes")] Vec<u8>,
        #[cbor(n(1), with = "minicbor::bytes")] Vec<u8>,
    ),
    #[n(2)]
    Credential(
        #[n(0)] Path,
        #[n(1)] ItemId,
        #[cbor(n(2), with = "minicbor::bytes")] Vec<u8>,
    ),
    #[n(3)]
    Sealed(
        #[n(0)] Path,
        #[n(1)] ItemId,
        #[cbor(n(2), with = "minicbor::bytes")] Vec<u8>,
    ),
    #[n(4)]
    Held(#[n(0)] Path, #[n(1)] ItemId),
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct UpdateWire {
    #[n(0)]
    space: Space,
    #[n(1)]
    author: AuthorKey,
    #[n(2)]
    epoch: LogEpoch,
    #[n(3)]
    seq: u64,
    /// None: none for the first of its log; otherwise the one before it in the page.
    #[n(4)]
    previous: Option<UpdateId>,
    #[n(5)]
    document: DocumentId,
    #[n(6)]
    certificate: CertificateId,
    #[n(7)]
    recorded_at: Timestamp,
    #[n(8)]
    continues: Option<UpdateId>,
    #[cbor(n(9), with = "minicbor::bytes")]
    bracket: Option<Vec<u8>>,
    #[cbor(n(10), with = "minicbor::bytes")]
    signature: [u8; 64],
    #[cbor(n(11), with = "minicbor::bytes")]
    payload: Vec<u8>,
}

/// The last update of each log that stands in the page so far.
#[derive(Default)]
struct Before(BTreeMap<LogId, (u64, UpdateId)>);

impl Before {
    fn id(&self, log: &LogId, seq: u64) -> Option<UpdateId> {
        let (last, id) = self.0.get(log)?;
        (last.checked_add(1) == Some(seq)).then_some(*id)
    }

    fn note(&mut self, update: &SignedUpdate) {
        let header = update.header();
        self.0.insert(header.log(), (header.seq(), update.id()));
    }
}

/// The bytes of a page before compression.
pub fn encode(records: &[Record]) -> Vec<u8> {
    let mut before = Before::default();
    let mut bytes = Vec::new();
    for record in records {
        let wire = match record {
            Record::Update(update) => {
                let raw = update.header().clone().into_raw();
                let derived = before.id(&update.header().log(), raw.seq);
                before.note(update);
                Wire::Update(Box::new(UpdateWire {
                    previous: raw.previous.filter(|_| raw.previous != derived),
                    space: raw.space,
                    author: raw.author,
                    epoch: raw.epoch,
                    seq: raw.seq,
                    document: raw.document,
                    certificate: raw.certificate,
                    recorded_at: raw.recorded_at,
                    continues: raw.continues,
                    bracket: raw.bracket,
                    signature: *update.signed_header().signature(),
                    payload: update.payload().to_vec(),
                }))
            }
            Record::Fork(pair) => Wire::Fork(pair[0].encode(), pair[1].encode()),
            Record::Credential(blob) => Wire::Credential(blob.path.clone(), blob.id, blob.bytes.clone()),
            Record::Sealed(blob) => Wire::Sealed(blob.path.clone(), blob.id, blob.bytes.clone()),
            Record::Held { path, id } => Wire::Held(path.clone(), *id),
        };
        minicbor::encode(&wire, &mut bytes).expect("writing to a vector does not fail");
    }
    bytes
}

/// Reads a page's records, of updates of `network`.
pub fn decode(bytes: &[u8], network: NetworkId) -> Result<Vec<Record>, Violation> {
    let damaged = |error: String| Violation::Page(error);
    let mut before = Before::default();
    let mut records = Vec::new();
    let mut decoder = minicbor::Decoder::new(bytes);
    while decoder.position() < bytes.len() {
        let wire: Wire = decoder.decode().map_err(|error| damaged(error.to_string()))?;
        records.push(match wire {
            Wire::Update(wire) => {
                let update = assemble(*wire, network, &before)?;
                before.note(&update);
                Record::Update(update)
            }
            Wire::Fork(a, b) => {
                let read =
                    |bytes: &[u8]| SignedHeader::decode(bytes).map_err(|error| damaged(error.to_string()));
                Record::Fork(Box::new([read(&a)?, read(&b)?]))
            }
            Wire::Credential(path, id, bytes) => Record::Credential(blob(path, id, bytes)?),
            Wire::Sealed(path, id, bytes) => Record::Sealed(blob(path, id, bytes)?),
            Wire::Held(path, id) => Record::Held { path, id },
        });
    }
    Ok(records)
}

fn blob(path: Path, id: ItemId, bytes: Vec<u8>) -> Result<Blob, Violation> {
    if bytes.len() > MAX_BLOB {
        return Err(Violation::Page(format!("item of {} bytes", bytes.len())));
    }
    Ok(Blob { path, id, bytes })
}

fn assemble(wire: UpdateWire, network: NetworkId, before: &Before) -> Result<SignedUpdate, Violation> {
    let log = LogId {
        space: wire.space,
        author: wire.author,
        epoch: wire.epoch,
    };
    let previous = match wire.previous {
        Some(id) => Some(id),
        None if wire.seq == 1 => None,
        None => before.id(&log, wire.seq),
    };
    let raw = RawHeader {
        version: HEADER_VERSION,
        network,
        space: log.space,
        author: log.author,
        epoch: log.epoch,
        seq: wire.seq,
        previous,
        document: wire.document,
        payload_hash: PayloadHash::from_bytes([0; 32]),
        payload_length: 0,
        certificate: wire.certificate,
        recorded_at: wire.recorded_at,
        continues: wire.continues,
        bracket: wire.bracket,
    };
    SignedUpdate::assemble(raw, wire.signature, wire.payload)
        .map_err(|error| Violation::Page(error.to_string()))
}

/// Compresses a page.
pub fn compress(page: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(page, ZSTD_LEVEL).expect("compression into a growing buffer does not fail")
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
