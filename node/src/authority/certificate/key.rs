//! Which public keys may stand in a certificate.

use anjuan_sync::verify::is_torsion_free;
use ed25519_dalek::VerifyingKey;

/// Why a public key may not stand in a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No point of the curve.
    #[error("not a point of the curve")]
    NotAPoint,
    /// One point, several encodings: the same key could be certified under two names.
    #[error("not the canonical encoding of its point")]
    NotCanonical,
    /// A signature by it would hold for almost any message; a secret agreed with it is known to all.
    #[error("a point of small order")]
    SmallOrder,
    /// A point with a part of small order: verifiers disagree about its signatures.
    #[error("a point of mixed order")]
    MixedOrder,
}

/// The Ed25519 key that `bytes` encode, fit to sign: canonical, and in the group of prime order.
pub fn signing_key(bytes: &[u8; 32]) -> Result<VerifyingKey, KeyError> {
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
    let point = key.to_edwards();
    if point.compress().as_bytes() != bytes {
        return Err(KeyError::NotCanonical);
    }
    if point.is_small_order() {
        return Err(KeyError::SmallOrder);
    }
    if !is_torsion_free(&point) {
        return Err(KeyError::MixedOrder);
    }
    Ok(key)
}

/// Checks an X25519 key that something will be sealed to: canonical, and not of small order. A part of
/// small order does no harm there, for every X25519 secret is a multiple of 8 (RFC 7748, section 5).
pub fn seal_key(bytes: &[u8; 32]) -> Result<(), KeyError> {
    // 2^255 - 19, little endian.
    const PRIME: [u8; 32] = {
        let mut prime = [0xff; 32];
        prime[0] = 0xed;
        prime[31] = 0x7f;
        prime
    };
    if bytes.iter().rev().ge(PRIME.iter().rev()) {
        return Err(KeyError::NotCanonical);
    }
    match SMALL_ORDER.contains(bytes) {
        true => Err(KeyError::SmallOrder),
        false => Ok(()),
    }
}

/// The u-coordinates of points of small order, of the curve and of its twist, each in its canonical encoding:
/// 0, 1, the two of order 8, and −1. To agree on a secret with each key would show it too, at a fifth of what it
/// costs to judge a certificate.
const SMALL_ORDER: [[u8; 32]; 5] = [
    edge(0, 0, 0),
    edge(1, 0, 0),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
        0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04,
        0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    edge(0xec, 0xff, 0x7f),
];

const fn edge(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use x25519_dalek::{PublicKey, StaticSecret};

    use super::*;

    fn bytes(text: &str) -> [u8; 32] {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).expect("32 bytes");
        bytes
    }

    #[test]
    fn weak_signing_keys_are_refused() {
        let honest = SigningKey::from_bytes(&[7; 32]).verifying_key();
        assert_eq!(signing_key(honest.as_bytes()), Ok(honest));
        // From "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko 2020), table 6.
        for (text, error) in [
            (
                "0100000000000000000000000000000000000000000000000000000000000000",
                KeyError::SmallOrder,
            ),
            (
                "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                KeyError::SmallOrder,
            ),
            (
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
                KeyError::SmallOrder,
            ),
            (
                "0100000000000000000000000000000000000000000000000000000000000080",
                KeyError::NotCanonical,
            ),
            (
                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                KeyError::NotCanonical,
            ),
            (
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                KeyError::NotCanonical,
            ),
            (
                "0200000000000000000000000000000000000000000000000000000000000000",
                KeyError::NotAPoint,
            ),
        ] {
            assert_eq!(signing_key(&bytes(text)), Err(error), "{text}");
        }
        let torsion = VerifyingKey::from_bytes(&bytes(
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ))
        .expect("a point");
        let mixed = (honest.to_edwards() + torsion.to_edwards()).compress().to_bytes();
        assert_eq!(signing_key(&mixed), Err(KeyError::MixedOrder));
    }

    #[test]
    fn weak_seal_keys_are_refused() {
        let honest = PublicKey::from(&StaticSecret::from([9; 32]));
        assert_eq!(seal_key(honest.as_bytes()), Ok(()));
        for key in SMALL_ORDER {
            assert_eq!(seal_key(&key), Err(KeyError::SmallOrder), "{}", hex::encode(key));
            let shared = StaticSecret::from([1; 32]).diffie_hellman(&PublicKey::from(key));
            assert!(!shared.was_contributory(), "{}", hex::encode(key));
        }
        for text in [
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        ] {
            assert_eq!(seal_key(&bytes(text)), Err(KeyError::NotCanonical), "{text}");
        }
    }
}
