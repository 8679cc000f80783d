//! The leaf of a record of the journal.

use anjuan_sync::Digest;
use anjuan_sync::hash::sha256;
use minicbor::Decoder;

use crate::evidence::merkle::record_leaf;
use crate::journal::Kind;
use crate::ledger::FrameKind;

/// An update is an array of three byte strings in the journal; its signed header is an array of the first
/// two.
const UPDATE: u8 = 0x83;
const SIGNED_HEADER: u8 = 0x82;

/// The hash of a record as a leaf of the Merkle log: of its kind and its bytes, of an update of its signed
/// header alone. The record is as the journal has it, and was checked before it got there.
///
/// # Errors
/// What is wrong with an update's bytes.
pub fn leaf(kind: Kind, bytes: &[u8]) -> Result<Digest, &'static str> {
    if kind != Kind::from(FrameKind::Update) {
        return Ok(record_leaf(kind.number(), bytes));
    }
    if bytes.first() != Some(&UPDATE) {
        return Err("an update is not what it should be");
    }
    let mut decoder = Decoder::new(&bytes[1..]);
    let read = |decoder: &mut Decoder<'_>| decoder.bytes().map(<[u8]>::len);
    if read(&mut decoder).is_err() || read(&mut decoder).is_err() {
        return Err("an update is not what it should be");
    }
    let length = decoder.position();
    let mut record = Vec::with_capacity(3 + length);
    record.extend_from_slice(&[0, kind.number(), SIGNED_HEADER]);
    record.extend_from_slice(&bytes[1..=length]);
    Ok(sha256(&record))
}
