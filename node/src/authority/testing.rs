//! A network of Yulin for tests: 玉林市, 玉州区, 玉城街道, 东成社区, and 福绵区 beside them.

use std::collections::BTreeSet;
use std::sync::Arc;

use anjuan_sync::update::{HEADER_VERSION, payload_hash};
use anjuan_sync::{AuthorKey, DocumentId, Header, LogEpoch, RawHeader, Space, Timestamp, UpdateId};
use ed25519_dalek::SigningKey;
use x25519_dalek::{PublicKey, StaticSecret};

use super::certificate::{CertificateKind, Certified, Issue};
use super::credentials::{Credentials, Offered};
use super::role::Role;
use crate::unit::UnitCode;

pub(crate) const DAY: i64 = 24 * 3_600_000;

/// A day of the network's life; certificates are valid from day 0 to day 1000.
pub(crate) fn day(number: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + number * DAY)
}

pub(crate) fn code(text: &str) -> UnitCode {
    text.parse().expect("a unit code")
}

/// The key of whoever goes by this name.
pub(crate) fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(anjuan_sync::hash::sha256(name.as_bytes()).as_bytes())
}

pub(crate) fn public(name: &str) -> AuthorKey {
    AuthorKey::from_bytes(key(name).verifying_key().to_bytes())
}

pub(crate) fn seal_public(name: &str) -> [u8; 32] {
    let secret = StaticSecret::from(*anjuan_sync::hash::sha256(name.as_bytes()).as_bytes());
    PublicKey::from(&secret).to_bytes()
}

/// What an authority is asked to certify for `name`.
pub(crate) fn issue(kind: CertificateKind, name: &str, unit: &str, serial: u64) -> Issue {
    Issue {
        kind,
        subject: public(name),
        seal_key: (kind == CertificateKind::Node).then(|| seal_public(name)),
        unit: code(unit),
        organisation: None,
        roles: match kind {
            CertificateKind::Operator => BTreeSet::from([Role::Mediator]),
            _ => BTreeSet::new(),
        },
        label: name.to_owned(),
        serial,
        not_before: day(0),
        not_after: day(1000),
    }
}

/// A certificate for `name` under `issuer`, whose key goes by the issuer's label.
pub(crate) fn issued(
    issuer: &Arc<Certified>,
    kind: CertificateKind,
    name: &str,
    unit: &str,
    serial: u64,
) -> Arc<Certified> {
    let key = key(issuer.certificate().label());
    Arc::new(
        issuer
            .issue(&key, issue(kind, name, unit, serial))
            .expect("the issuer may"),
    )
}

pub(crate) fn found(name: &str, unit: &str) -> Arc<Certified> {
    let root = Certified::found(&key(name), &code(unit), name.to_owned(), day(0), day(1000));
    Arc::new(root.expect("a root"))
}

/// An authority for each unit in line, one beside it, a node and an operator in the village.
pub(crate) struct Network {
    pub(crate) city: Arc<Certified>,
    pub(crate) county: Arc<Certified>,
    pub(crate) town: Arc<Certified>,
    pub(crate) village: Arc<Certified>,
    pub(crate) beside: Arc<Certified>,
    pub(crate) node: Arc<Certified>,
    pub(crate) mediator: Arc<Certified>,
}

impl Network {
    pub(crate) fn new() -> Self {
        use CertificateKind::{Authority, Node, Operator};
        let city = found("city", "4509");
        let county = issued(&city, Authority, "county", "450902", 1);
        let town = issued(&county, Authority, "town", "450902001", 1);
        let village = issued(&town, Authority, "village", "450902001001", 1);
        Self {
            beside: issued(&city, Authority, "beside", "450903", 2),
            node: issued(&village, Node, "node", "450902001001", 1),
            mediator: issued(&village, Operator, "mediator", "450902001001", 2),
            city,
            county,
            town,
            village,
        }
    }

    /// All certificates, none before its issuer.
    pub(crate) fn all(&self) -> Vec<Arc<Certified>> {
        [
            &self.city,
            &self.county,
            &self.town,
            &self.village,
            &self.beside,
            &self.node,
            &self.mediator,
        ]
        .map(Arc::clone)
        .to_vec()
    }

    pub(crate) fn credentials(&self) -> Credentials {
        let mut credentials = Credentials::new((*self.city).clone()).expect("a root");
        for certified in &self.all()[1..] {
            let offered = credentials.offer(&certified.signed().encode());
            assert!(matches!(offered, Offered::New(_)), "{offered:?}");
        }
        credentials
    }
}

pub(crate) const EPOCH: LogEpoch = LogEpoch::from_bytes([7; 16]);

/// The header of an update in the log of `signer`, in its own unit's `up` space.
pub(crate) fn raw_header(signer: &Certified, seq: u64, recorded_at: Timestamp) -> RawHeader {
    RawHeader {
        version: HEADER_VERSION,
        network: signer.network(),
        space: Space::up(signer.certificate().path().clone()),
        author: signer.certificate().subject(),
        epoch: EPOCH,
        seq,
        previous: (seq > 1).then_some(UpdateId::from_bytes([seq as u8; 32])),
        document: DocumentId::from_bytes([4; 16]),
        payload_hash: payload_hash(b"payload"),
        payload_length: 7,
        certificate: signer.id(),
        recorded_at,
        continues: None,
        bracket: None,
    }
}

pub(crate) fn header(signer: &Certified, seq: u64, recorded_at: Timestamp) -> Header {
    Header::try_from(raw_header(signer, seq, recorded_at)).expect("a header")
}

/// Every way in which one bit of `bytes` can be another.
pub(crate) fn bit_flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    })
}

/// Every way in which `bytes` can be cut short.
pub(crate) fn cuts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..bytes.len()).map(|end| &bytes[..end])
}

/// Bytes that look random and are the same for ever, which `StdRng` does not promise: encodings are
/// pinned by them. The n-th draw of a seed is SHA-256 of seed and n, repeated.
pub(crate) struct TestRng {
    seed: u64,
    drawn: u64,
}

impl TestRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }
}

impl rand::TryRng for TestRng {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(32) {
            self.drawn += 1;
            let input = [self.seed.to_be_bytes(), self.drawn.to_be_bytes()].concat();
            let block = anjuan_sync::hash::sha256(&input);
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand::TryCryptoRng for TestRng {}
