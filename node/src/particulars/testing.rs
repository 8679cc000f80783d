//! What the tests of this module share: people, nodes and randomness that are the same every time.

use std::convert::Infallible;

use anjuan_sync::{CertificateId, DocumentId, Space};
use ed25519_dalek::SigningKey;
use jiff::civil::Date;
use rand::{TryCryptoRng, TryRng};
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use super::content::tests::woman;
use super::item::{Purpose, Recipient};
use super::seal::{Maker, Prepared, Sealed, seal_key};
use super::{Particulars, RawFile, RawParticulars, Subject};

/// Randomness that is the same every time, whatever the version of any crate.
#[derive(Debug)]
pub(super) struct Counter(pub(super) u64);

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.try_next_u64()? as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            self.0 += 1;
            let block = anjuan_sync::hash::sha256(&self.0.to_be_bytes());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}

/// A node with a seal secret.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) secret: StaticSecret,
    pub(super) recipient: Recipient,
}

pub(super) fn node(number: u8) -> Node {
    let secret = StaticSecret::from([number; 32]);
    let recipient = Recipient {
        certificate: CertificateId::from_bytes([number; 32]),
        key: seal_key(&secret),
    };
    Node { secret, recipient }
}

pub(super) fn operator(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub(super) fn maker(key: &SigningKey) -> Maker<'_> {
    Maker {
        key,
        certificate: CertificateId::from_bytes([0xcc; 32]),
    }
}

pub(super) fn person() -> Particulars {
    let today = Date::constant(2026, 6, 1);
    Particulars::new(RawParticulars::Person(woman()), today).expect("valid")
}

pub(super) fn file(length: usize) -> Particulars {
    let raw = RawFile {
        name: "扫描件.pdf".into(),
        media_type: "application/pdf".into(),
        bytes: Zeroizing::new(vec![0x25; length]),
    };
    Particulars::new(RawParticulars::File(raw), Date::constant(2026, 6, 1)).expect("valid")
}

/// Seals for a document of a village.
pub(super) fn sealed(
    particulars: &Particulars,
    document: u8,
    recipients: &[(Recipient, Purpose)],
    seed: u64,
) -> (Subject, Sealed) {
    let mut rng = Counter(seed);
    let prepared = Prepared::new(particulars, &mut rng);
    let subject = Subject {
        space: Space::up("4509/02/001/001".parse().expect("a path")),
        document: DocumentId::from_bytes([document; 16]),
        commitment: prepared.commitment(),
    };
    let key = operator(7);
    let sealed = prepared
        .seal(&subject, recipients, maker(&key), &mut rng)
        .expect("usable keys");
    (subject, sealed)
}
