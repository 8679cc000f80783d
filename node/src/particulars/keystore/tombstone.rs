//! Tombstones: what is left of an erased subject.

use anjuan_sync::hash::Domain;
use anjuan_sync::{Timestamp, UpdateId};
use minicbor::{Decode, Encode};

use crate::particulars::name::Subject;

const VERSION: u8 = 1;
const CHECK_DOMAIN: Domain = Domain::new("anjuan/tombstone/1");
/// Bytes in the longest tombstone.
pub(super) const MAX_TOMBSTONE: usize = 512;

/// The event that ordered an erasure, and when this node carried it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Erasure {
    /// The update that carries the event.
    #[n(0)]
    pub update: UpdateId,
    /// When it was carried out here.
    #[n(1)]
    pub at: Timestamp,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    version: u8,
    #[n(1)]
    subject: Subject,
    #[n(2)]
    erasure: Erasure,
}

/// The file of a tombstone: CBOR, then its hash.
pub(super) fn encode(subject: &Subject, erasure: Erasure) -> Vec<u8> {
    let wire = Wire {
        version: VERSION,
        subject: subject.clone(),
        erasure,
    };
    let mut bytes = minicbor::to_vec(&wire).expect("writing to a vector does not fail");
    let check = CHECK_DOMAIN.hash(&[&bytes]);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

/// Reads a tombstone; `None` when it is damaged or of another version.
pub(super) fn decode(bytes: &[u8]) -> Option<(Subject, Erasure)> {
    let (content, check) = bytes.split_last_chunk::<32>()?;
    if CHECK_DOMAIN.hash(&[content]).as_bytes() != check {
        return None;
    }
    let wire: Wire = minicbor::decode(content).ok()?;
    (wire.version == VERSION).then_some((wire.subject, wire.erasure))
}

#[cfg(test)]
mod tests {
    use anjuan_sync::{DocumentId, Space};

    use super::*;
    use crate::particulars::name::Commitment;

    #[test]
    fn the_encoding_is_pinned_and_guarded() {
        let subject = Subject {
            space: Space::up("4509/02/001/001".parse().expect("a path")),
            document: DocumentId::from_bytes([1; 16]),
            commitment: Commitment::from_bytes([2; 32]),
        };
        let erasure = Erasure {
            update: UpdateId::from_bytes([3; 32]),
            at: Timestamp::from_millis(1_700_000_000_000),
        };
        let bytes = encode(&subject, erasure);
        assert_eq!(
            hex::encode(&bytes),
            "830183826f343530392f30322f3030312f3030310050010101010101010101010101010101015820020202020202020202020202020202020202020202020202020202020202020282582003030303030303030303030303030303030303030303030303030303030303031b0000018bcfe56800bdbd9d2fba29f83dccf7165e3cb700e3b59bfce4e13710692a35ebe842926942"
        );
        assert!(bytes.len() <= MAX_TOMBSTONE);
        assert_eq!(decode(&bytes), Some((subject, erasure)));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(decode(&changed), None, "byte {at}");
            assert_eq!(decode(&bytes[..at]), None, "length {at}");
        }
    }
}
