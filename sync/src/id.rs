//! Identifiers: fixed-length bytes, each of its own type, hexadecimal for people.

use std::fmt;
use std::str::FromStr;

/// A text that is not the hexadecimal form of an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: expected {expected} hexadecimal digits")]
pub struct ParseIdError {
    kind: &'static str,
    expected: usize,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $length;

            /// An identifier from its bytes.
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// The first eight hexadecimal digits, for display where the whole would be noise.
            pub fn short(&self) -> String {
                hex::encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let mut bytes = [0; $length];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| ParseIdError { kind: stringify!($name), expected: 2 * $length })?;
                Ok(Self(bytes))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let array = d.bytes()?.try_into().map_err(|_| {
                    minicbor::decode::Error::message(concat!(stringify!($name), " has another length"))
                })?;
                Ok(Self(array))
            }
        }
    };
}

id!(
    /// The network: the hash of its root certificate. Nodes of different networks never sync.
    NetworkId, 32
);
id!(
    /// An Ed25519 public key that signs updates.
    AuthorKey, 32
);
id!(
    /// The Ed25519 public key by which a node proves who it is when it connects.
    NodeKey, 32
);
id!(
    /// A fresh random value for each life of a store. A store that was created anew or restored from a
    /// backup continues in new logs instead of forking the old ones.
    LogEpoch, 16
);
id!(
    /// Names one life of a peer's store, so that a cursor into another life of it is not trusted.
    StoreEpoch, 16
);
id!(
    /// One document, random, unique within its space.
    DocumentId, 16
);
id!(
    /// A signed update: the hash of its header. Independent of the signature's bytes.
    UpdateId, 32
);
id!(
    /// The SHA-256 of a payload.
    PayloadHash, 32
);
id!(
    /// A certificate: the hash of its signed bytes.
    CertificateId, 32
);
id!(
    /// An opaque item that is synced by its id: a credential or a sealed item.
    ItemId, 32
);

impl NetworkId {
    /// The id of the network whose root certificate is `root`.
    pub const fn of_root(root: CertificateId) -> Self {
        Self(root.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_refuses_other_lengths() {
        let id = DocumentId::from_bytes([7; 16]);
        assert_eq!(id.to_string().parse::<DocumentId>(), Ok(id));
        assert!("07".parse::<DocumentId>().is_err());
        assert!("zz".repeat(16).parse::<DocumentId>().is_err());
    }
}
