//! The evidence of a fork, as the journal and the case store keep it.

use anjuan_sync::SignedHeader;

use super::index::{ForkRecord, encode};

/// Two headers signed for one place.
pub(super) fn fork_bytes(a: &SignedHeader, b: &SignedHeader) -> Vec<u8> {
    encode(&ForkRecord {
        first: a.encode(),
        second: b.encode(),
    })
}

/// Reads what [`fork_bytes`] writes.
pub(crate) fn read_fork(bytes: &[u8]) -> Result<[SignedHeader; 2], String> {
    let record: ForkRecord = minicbor::decode(bytes).map_err(|error| error.to_string())?;
    let header = |bytes: &[u8]| SignedHeader::decode(bytes).map_err(|error| error.to_string());
    Ok([header(&record.first)?, header(&record.second)?])
}
