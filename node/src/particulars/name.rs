//! What particulars are called: the commitment, the case file they belong to, the items that carry them.

use std::fmt;
use std::str::FromStr;

use anjuan_sync::hash::Domain;
use anjuan_sync::{DocumentId, Space};
use minicbor::{Decode, Encode};

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: expected 64 hexadecimal digits")]
pub struct ParseNameError(&'static str);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]);

        impl $name {
            /// From its bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(&self.0[..4]))
            }
        }

        impl FromStr for $name {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, ParseNameError> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseNameError(stringify!($name)))?;
                Ok(Self(bytes))
            }
        }
    };
}

name!(
    /// SHA-256(domain, salt, body): what a document carries in place of the particulars.
    Commitment
);
impl Commitment {
    /// What commits to `content` under `salt`.
    pub fn of(salt: &[u8; super::SALT_LENGTH], content: &[u8]) -> Self {
        super::seal::commit(salt, content)
    }
}

name!(
    /// A sealed item: the hash of its encoding.
    ItemId
);
name!(
    /// A node's X25519 public key, to which data keys are wrapped; its certificate vouches for it.
    SealKey
);

const SUBJECT_DOMAIN: Domain = Domain::new("anjuan/sealed-subject/1");

/// What a sealed item is about: one commitment of one document.
///
/// Everything that can be done to particulars is done to a subject, never to a bare commitment. Commitments
/// can be copied into another document; if erasing went by commitment alone, whoever may order an erasure
/// in his own case could destroy the papers of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Subject {
    /// Where the document lives.
    #[n(0)]
    pub space: Space,
    /// The document.
    #[n(1)]
    pub document: DocumentId,
    /// The commitment it carries.
    #[n(2)]
    pub commitment: Commitment,
}

impl Subject {
    /// The canonical encoding.
    pub(super) fn encode(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to a vector does not fail")
    }

    /// A fixed-length name for the subject.
    pub(super) fn digest(&self) -> [u8; 32] {
        *SUBJECT_DOMAIN.hash(&[&self.encode()]).as_bytes()
    }
}
