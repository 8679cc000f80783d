//! Passphrases, and the keys derived from them.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::KeysError;

/// Characters in the shortest passphrase: the minimum of NIST SP 800-63B-4, section 3.1.1.2, for a secret
/// that serves beside another factor, which here is the key file.
pub(super) const MIN_CHARACTERS: usize = 8;
/// Bytes in the longest passphrase.
pub(super) const MAX_BYTES: usize = 1024;

/// A passphrase that somebody entered. Wiped when dropped, never shown.
pub struct Passphrase(Zeroizing<String>);

/// A passphrase that somebody chose and that is long enough.
pub struct NewPassphrase(Passphrase);

/// Why a passphrase cannot be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Shorter than 8 characters.
    #[error("the passphrase is too short; use {MIN_CHARACTERS} characters or more")]
    Short,
    /// Longer than 1,024 bytes.
    #[error("the passphrase is longer than {MAX_BYTES} bytes")]
    Long,
}

#[cfg(test)]
thread_local! {
    /// Keys derived in this thread: what a test can count where a clock would mislead.
    pub(super) static DERIVED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

impl Passphrase {
    /// What was typed, or read from a file or variable; the end of the line is not part of it.
    pub fn entered(text: String) -> Self {
        let text = Zeroizing::new(text);
        Self(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// The key that this passphrase makes with `salt`.
    pub(super) fn derive(&self, cost: KdfCost, salt: &[u8; 16]) -> Result<Zeroizing<[u8; 32]>, KeysError> {
        #[cfg(test)]
        DERIVED.set(DERIVED.get() + 1);
        let memory = || KeysError::Memory(cost.memory_kib);
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| memory())?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.0.as_bytes(), salt, &mut *key)
            .map_err(|_| memory())?;
        Ok(key)
    }
}

impl NewPassphrase {
    /// A passphrase to seal by.
    pub fn chosen(text: String) -> Result<Self, PassphraseError> {
        let passphrase = Passphrase::entered(text);
        if passphrase.0.chars().count() < MIN_CHARACTERS {
            return Err(PassphraseError::Short);
        }
        if passphrase.0.len() > MAX_BYTES {
            return Err(PassphraseError::Long);
        }
        Ok(Self(passphrase))
    }

    /// To open again what it sealed.
    pub fn get(&self) -> &Passphrase {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl fmt::Debug for NewPassphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassphrase(…)")
    }
}

/// What one guess at a passphrase costs: parameters of Argon2id, version 0x13. Every sealed key names its
/// own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct KdfCost {
    #[n(0)]
    memory_kib: u32,
    #[n(1)]
    passes: u32,
    #[n(2)]
    lanes: u32,
}

impl KdfCost {
    /// 64 MiB, 3 passes, 4 lanes: the second recommended choice of RFC 9106, section 4, for machines that
    /// cannot spare 2 GiB, as those of village offices.
    pub const STANDARD: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 4,
    };

    /// Far too little, so that tests that seal hundreds of keys do not wait for them.
    pub const fn reduced_for_tests() -> Self {
        Self {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        }
    }

    /// Within what a file may ask for? A crafted one could else take all memory.
    pub(super) fn is_bounded(self) -> bool {
        (1..=16).contains(&self.passes)
            && (1..=16).contains(&self.lanes)
            // The lower bound is Argon2's own.
            && (8 * self.lanes..=1024 * 1024).contains(&self.memory_kib)
    }
}
