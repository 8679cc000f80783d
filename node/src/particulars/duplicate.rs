//! Finding the same person in two claims without keeping a hash that could be searched.
//!
//! There are few enough ID numbers to hash them all, so a bare hash is no protection. The mark is an HMAC
//! under a key that only the county holds.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::identity::IdNumber;

const MARK_DOMAIN: &[u8] = b"anjuan/duplicate-mark/1\0";

/// The county's key for [`DuplicateMark`]s.
pub struct DuplicateKey(Zeroizing<[u8; 32]>);

impl DuplicateKey {
    /// A key of 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The mark of a person's ID number.
    pub fn mark(&self, number: &IdNumber) -> DuplicateMark {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes keys of any length");
        mac.update(MARK_DOMAIN);
        mac.update(number.reveal().as_bytes());
        DuplicateMark(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for DuplicateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DuplicateKey")
    }
}

/// Equal for equal ID numbers under the same key; says nothing to whoever lacks the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DuplicateMark([u8; 32]);

impl DuplicateMark {
    /// A mark read back from where the county keeps it.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DuplicateMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DuplicateMark({})", hex::encode(&self.0[..4]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_pinned_and_differ_by_key_and_number() {
        let woman = IdNumber::parse("11010519491231002X").expect("valid");
        let man = IdNumber::parse("440524188001010014").expect("valid");
        let county = DuplicateKey::from_bytes([1; 32]);
        let mark = county.mark(&woman);
        assert_eq!(
            hex::encode(mark.as_bytes()),
            "4cf1fd4b60b8e3db34040f5f2ff97eb6f7058d327be2d55848b386295c809672"
        );
        assert_eq!(county.mark(&woman), mark);
        assert_ne!(county.mark(&man), mark);
        assert_ne!(DuplicateKey::from_bytes([2; 32]).mark(&woman), mark);
        assert!(!format!("{county:?} {mark:?}").contains("1949"));
    }
}
