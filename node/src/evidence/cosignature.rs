//! Cosignatures (C2SP tlog-cosignature, Ed25519, `cosignature/v1`): a witness says that at a time the
//! checkpoint was the largest it had seen of that log, and continued all it had seen before.
//!
//! What is signed is `cosignature/v1`, `time <seconds>`, and the checkpoint's text, each with a line feed;
//! what stands in the note is the time (u64, big endian) and the signature. The key is the node's own, as
//! it signs its checkpoints; a checkpoint begins with `anjuan/`, so the two can't be taken for each other.

use anjuan_sync::Timestamp;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::name::NodeName;
use super::note::{KeyId, SignatureLine, SignatureType};

/// Seconds since 1970-01-01T00:00:00Z, by the clock of the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(u64);

impl Seconds {
    /// The second that an instant lies in; instants before 2000 or after 2200 are of a clock that is not
    /// set, and nobody is to vouch for them.
    pub fn of(time: Timestamp) -> Option<Self> {
        let seconds = u64::try_from(time.as_millis().div_euclid(1000)).ok()?;
        time.is_plausible().then_some(Self(seconds))
    }

    /// Seconds since the Unix epoch.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The first instant of the second.
    pub fn first(self) -> Timestamp {
        // Within [`Self::of`]'s bounds, far from the end of an i64.
        Timestamp::from_millis((self.0 * 1000) as i64)
    }

    /// The last instant of the second.
    pub fn last(self) -> Timestamp {
        Timestamp::from_millis((self.0 * 1000 + 999) as i64)
    }
}

/// Who cosigned, and when by his own clock. Exists only where the cosignature holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cosigned {
    /// The witness.
    pub name: NodeName,
    /// The time it put to the checkpoint.
    pub time: Seconds,
}

/// Cosigns a checkpoint's text. Only the witness does, which keeps what it signed first.
pub(super) fn cosign(text: &str, name: &NodeName, key: &SigningKey, time: Seconds) -> SignatureLine {
    let signature = key.sign(&message(text, time)).to_bytes();
    let bytes = [&time.0.to_be_bytes()[..], &signature].concat();
    let name = name.to_string();
    let id = KeyId::of(&name, SignatureType::Cosignature, &key.verifying_key());
    SignatureLine::new(&name, id, &bytes)
}

/// Bytes of a cosignature: the time, the signature.
pub(crate) const COSIGNATURE: usize = 72;

/// The line that a witness's cosignature, which came without name, stands in; to be checked.
pub(crate) fn line_of(name: &NodeName, key: &VerifyingKey, bytes: &[u8; COSIGNATURE]) -> SignatureLine {
    let name = name.to_string();
    SignatureLine::new(&name, KeyId::of(&name, SignatureType::Cosignature, key), bytes)
}

/// What a signature line comes to as a cosignature of one witness.
pub(super) enum Verdict {
    /// It is not said to be one.
    Other,
    Holds(Cosigned),
    Fails,
}

/// Checks a line that may be a cosignature of `name` by `key`.
pub(super) fn verify(text: &str, line: &SignatureLine, name: &NodeName, key: &VerifyingKey) -> Verdict {
    if !line.is_by(&name.to_string(), SignatureType::Cosignature, key) {
        return Verdict::Other;
    }
    let holds = || {
        let (time, signature) = line.bytes().split_first_chunk::<8>()?;
        let millis = i64::try_from(u64::from_be_bytes(*time)).ok()?.checked_mul(1000)?;
        let time = Seconds::of(Timestamp::from_millis(millis))?;
        let signature = Signature::from_slice(signature).ok()?;
        key.verify_strict(&message(text, time), &signature).ok()?;
        Some(Cosigned {
            name: name.clone(),
            time,
        })
    };
    holds().map_or(Verdict::Fails, Verdict::Holds)
}

/// The time that a line puts to a checkpoint, if it has the form of a cosignature. Nothing is checked.
pub(super) fn time_of(line: &SignatureLine) -> Option<Seconds> {
    let bytes: &[u8; COSIGNATURE] = line.bytes().try_into().ok()?;
    let (time, _) = bytes.split_first_chunk::<8>()?;
    let millis = i64::try_from(u64::from_be_bytes(*time)).ok()?.checked_mul(1000)?;
    Seconds::of(Timestamp::from_millis(millis))
}

fn message(text: &str, time: Seconds) -> Vec<u8> {
    format!("cosignature/v1\ntime {}\n{text}", time.0).into_bytes()
}
