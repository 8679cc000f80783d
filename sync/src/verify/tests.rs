use std::time::Instant;

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use ed25519_dalek::SigningKey;
use rand::rngs::StdRng;

use super::*;
use crate::id::{CertificateId, DocumentId, LogEpoch, NetworkId};
use crate::path::Space;
use crate::signed::SignedHeader;
use crate::update::{HEADER_VERSION, Header, RawHeader, Timestamp, payload_hash};

fn header(author: [u8; 32], number: u32, payload: &[u8]) -> Header {
    Header::try_from(RawHeader {
        version: HEADER_VERSION,
        network: NetworkId::from_bytes([2; 32]),
        space: Space::up("4509/02/001/001".parse().expect("a path")),
        author: AuthorKey::from_bytes(author),
        epoch: LogEpoch::from_bytes([3; 16]),
        seq: 1,
        previous: None,
        document: DocumentId::from_bytes([4; 16]),
        payload_hash: payload_hash(payload),
        payload_length: payload.len() as u32,
        certificate: CertificateId::from_bytes([5; 32]),
        recorded_at: Timestamp::from_millis(1_700_000_000_000 + i64::from(number)),
        continues: None,
        bracket: None,
    })
    .expect("a header")
}

fn with_signature(header: &Header, signature: [u8; 64], payload: &[u8]) -> SignedUpdate {
    let signed = SignedHeader::from_parts(&header.encode(), signature).expect("a header");
    SignedUpdate::from_parts(signed, payload.to_vec()).expect("an update")
}

fn honest(count: u32, authors: u32) -> Vec<SignedUpdate> {
    (0..count)
        .map(|number| {
            let mut seed = [7; 32];
            seed[..4].copy_from_slice(&(number % authors).to_be_bytes());
            let key = SigningKey::from_bytes(&seed);
            let header = header(key.verifying_key().to_bytes(), number, b"payload");
            SignedUpdate::sign(header, b"payload".to_vec(), &key)
                .expect("signed")
                .into_inner()
        })
        .collect()
}

/// A signature whose R, or whose key, has a component in the small subgroup, made so that the equation
/// holds but for that component.
fn torsioned(number: u32, of_r: usize, of_key: usize) -> SignedUpdate {
    let a = Scalar::from(12_345u64);
    let key = (a * ED25519_BASEPOINT_POINT + EIGHT_TORSION[of_key])
        .compress()
        .to_bytes();
    let header = header(key, number, b"payload");
    let nonce = Scalar::from(99u64 + u64::from(number));
    let r = (nonce * ED25519_BASEPOINT_POINT + EIGHT_TORSION[of_r])
        .compress()
        .to_bytes();
    let mut hash = Sha512::new();
    hash.update(r);
    hash.update(key);
    hash.update(Header::signing_input(&header.encode()));
    let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice((nonce + k * a).as_bytes());
    with_signature(&header, signature, b"payload")
}

fn agrees_with_strict(updates: &[SignedUpdate], rng: &mut StdRng) {
    for (verdict, update) in verify_all(updates.to_vec(), rng).into_iter().zip(updates) {
        match (verdict, update.clone().verify()) {
            (Ok(a), Ok(b)) => assert_eq!(a, b),
            (Err((back, a)), Err(b)) => assert_eq!((&back, a), (update, b)),
            (a, b) => panic!("all at once: {a:?}, strictly: {b:?}"),
        }
    }
}

#[test]
fn honest_signatures_take_the_fast_way() {
    let mut rng = StdRng::seed_from_u64(1);
    let updates = honest(WORTHWHILE as u32 + 1, 5);
    assert!(holds(&updates, &mut rng));
    agrees_with_strict(&updates, &mut rng);
    assert!(verify_all(Vec::new(), &mut rng).is_empty());
}

#[test]
fn bad_ones_are_named() {
    let mut rng = StdRng::seed_from_u64(2);
    let mut updates = honest(CHUNK as u32 + 200, 7);
    for at in [0, 50, CHUNK - 1, CHUNK + 3] {
        let mut signature = *updates[at].signed_header().signature();
        signature[40] ^= 1;
        updates[at] = with_signature(updates[at].header(), signature, b"payload");
    }
    let verdicts = verify_all(updates.clone(), &mut rng);
    let bad: Vec<_> = (0..verdicts.len()).filter(|&at| verdicts[at].is_err()).collect();
    assert_eq!(bad, [0, 50, CHUNK - 1, CHUNK + 3]);
}

/// The plain batch equation lets an R with a component of order 2 pass every other time. One of them
/// among honest ones must be refused each time, with its strict verdict.
#[test]
fn components_of_small_order_are_found() {
    let mut rng = StdRng::seed_from_u64(3);
    let honest = honest(WORTHWHILE as u32, 3);
    let mut equation_alone = 0;
    for round in 0..24 {
        let mut updates = honest.clone();
        let bad = torsioned(round, 1 + round as usize % 7, 0);
        assert!(bad.clone().verify().is_err());
        updates.insert(round as usize, bad);
        let (sum, points) = equation(&updates, &mut rng).expect("well-formed");
        equation_alone += u32::from(sum.is_identity());
        assert!(!in_prime_subgroup(&points, &mut rng));
        assert!(!holds(&updates, &mut rng));
    }
    assert!(
        equation_alone > 0,
        "the attack is real: the equation alone accepts some"
    );
    // Two that cancel out, and keys with a component, which the strict check judges one way or the other.
    for (of_r, of_key) in [(4, 0), (0, 4), (4, 4), (2, 6), (1, 3)] {
        let mut updates = honest.clone();
        updates.push(torsioned(1, of_r, of_key));
        updates.push(torsioned(2, of_r, of_key));
        agrees_with_strict(&updates, &mut rng);
    }
}

#[test]
fn points_outside_the_subgroup_never_pass() {
    let mut rng = StdRng::seed_from_u64(4);
    let points: Vec<_> = (1u64..30)
        .map(|n| Scalar::from(n) * ED25519_BASEPOINT_POINT)
        .collect();
    assert!(in_prime_subgroup(&points, &mut rng));
    for torsion in &EIGHT_TORSION[1..] {
        for at in 0..points.len() {
            let mut points = points.clone();
            points[at] += torsion;
            assert!(!in_prime_subgroup(&points, &mut rng));
        }
    }
    assert!(points.iter().all(is_torsion_free));
    assert!(!EIGHT_TORSION[1..].iter().any(is_torsion_free));
}

#[test]
fn odd_encodings_get_the_strict_verdict() {
    let mut rng = StdRng::seed_from_u64(5);
    let mut updates = honest(WORTHWHILE as u32, 3);
    let author = *updates[0].author().as_bytes();
    let mut signatures = vec![[0; 64], [0xff; 64]];
    // The identity, as R, canonical and not; the point of order 2; s not reduced.
    for r in [
        [1u8, 0x00, 0x00],
        [0xee, 0xff, 0x7f],
        [1, 0, 0x80],
        [0xec, 0xff, 0x7f],
    ] {
        let mut signature = [0; 64];
        signature[..32].fill(r[1]);
        signature[0] = r[0];
        signature[31] = r[2];
        signatures.push(signature);
    }
    let mut unreduced = *updates[0].signed_header().signature();
    unreduced[63] |= 0x10;
    signatures.push(unreduced);
    for (number, signature) in signatures.into_iter().enumerate() {
        updates.push(with_signature(
            &header(author, number as u32, b"payload"),
            signature,
            b"payload",
        ));
    }
    // Keys: not a point; the identity; of order 2.
    let mut keys = [[2; 32], [0; 32], [0xff; 32]];
    keys[1][0] = 1;
    keys[2][0] = 0xec;
    keys[2][31] = 0x7f;
    for key in keys {
        let signature = *updates[0].signed_header().signature();
        updates.push(with_signature(&header(key, 1, b"payload"), signature, b"payload"));
    }
    for at in WORTHWHILE..updates.len() {
        let mut one_bad = updates[..WORTHWHILE].to_vec();
        one_bad.push(updates[at].clone());
        agrees_with_strict(&one_bad, &mut rng);
    }
    agrees_with_strict(&updates, &mut rng);
}

/// Prints the cost of a signature, one by one and all at once: `cargo test --release -- --ignored cost`.
#[test]
#[ignore = "a measurement"]
fn cost() {
    let mut rng = StdRng::seed_from_u64(6);
    for count in [64, 96, 128, 256, 512, 1024] {
        let updates = honest(count, 40);
        let each = |start: Instant| start.elapsed().as_secs_f64() * 1e6 / f64::from(count);
        let start = Instant::now();
        assert!(updates.iter().all(|update| update.clone().verify().is_ok()));
        let strict = each(start);
        let start = Instant::now();
        let (sum, points) = equation(&updates, &mut rng).expect("well-formed");
        assert!(sum.is_identity());
        let equation = each(start);
        let start = Instant::now();
        assert!(in_prime_subgroup(&points, &mut rng));
        eprintln!(
            "{count}: strict {strict:.1} µs, equation {equation:.1} µs, subgroup {:.1} µs",
            each(start)
        );
    }
}
