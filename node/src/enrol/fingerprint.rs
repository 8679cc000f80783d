//! A number short enough to read out over the telephone.

use std::fmt;
use std::str::FromStr;

use anjuan_sync::hash::Domain;
use anjuan_sync::{Digest, NetworkId};

const REQUEST: Domain = Domain::new("anjuan/join-fingerprint/1");
const NETWORK: Domain = Domain::new("anjuan/network-fingerprint/1");
/// 25 digits, 83 bits: to make another request with a given fingerprint takes 2^83 tries.
const MODULUS: u128 = 10u128.pow(25);

/// Stands for a join request, or a network, where people compare: five groups of five digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u128);

/// A text that is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has five groups of five digits")]
pub struct ParseFingerprintError;

impl Fingerprint {
    pub(super) fn of_request(id: Digest) -> Self {
        Self::from_digest(REQUEST.hash(&[id.as_bytes()]))
    }

    /// The network's, for the person who brings a grant by file to compare.
    pub fn of_network(network: NetworkId) -> Self {
        Self::from_digest(NETWORK.hash(&[network.as_bytes()]))
    }

    fn from_digest(digest: Digest) -> Self {
        let (first, _) = digest.as_bytes().split_at(16);
        let number = first
            .iter()
            .fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        Self(number % MODULUS)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:025}", self.0);
        for at in (0..25).step_by(5) {
            let blank = if at == 0 { "" } else { " " };
            write!(f, "{blank}{}", &digits[at..at + 5])?;
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    /// Blanks and hyphens between the digits don't matter.
    fn from_str(text: &str) -> Result<Self, ParseFingerprintError> {
        let mut digits = 0;
        let mut number = 0u128;
        for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let digit = c
                .to_digit(10)
                .filter(|_| digits < 25)
                .ok_or(ParseFingerprintError)?;
            number = number * 10 + u128::from(digit);
            digits += 1;
        }
        if digits == 25 {
            Ok(Self(number))
        } else {
            Err(ParseFingerprintError)
        }
    }
}
