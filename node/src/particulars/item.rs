//! Sealed items: what carries particulars between nodes, opaque to every node that cannot open them.
//!
//! bytes → [`SealedItem`] (well formed) → [`VerifiedItem`] (its maker signed it). Whether the maker might
//! is for the keystore's judge to say.

use anjuan_sync::hash::Domain;
use anjuan_sync::{AuthorKey, CertificateId};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use minicbor::{Decode, Encode};

use super::content::MAX_ENCODED;
use super::name::{ItemId, SealKey, Subject};

/// Bytes in the longest encoded item.
pub const MAX_ITEM: usize = MAX_SEALED + 1024;
/// Bytes in the longest ciphertext of a body: salt, length, content, padding, tag.
pub(super) const MAX_SEALED: usize = MAX_ENCODED + 36 + super::seal::LARGE_STEP + 16;
/// Bytes in a data key wrapped by HPKE: the key and a tag.
pub(super) const WRAPPED: usize = 32 + 16;

const VERSION: u8 = 1;
const ITEM_DOMAIN: Domain = Domain::new("anjuan/sealed-item/1");
const STATEMENT_DOMAIN: Domain = Domain::new("anjuan/sealed-statement/1");

/// A node to which a data key is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Recipient {
    /// The node's certificate.
    #[n(0)]
    pub certificate: CertificateId,
    /// The seal key that the certificate vouches for.
    #[n(1)]
    pub key: SealKey,
}

/// Why a data key was wrapped for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Purpose {
    /// 承办: the unit that handles the case.
    #[n(0)]
    Handling,
    /// 指导监督: the town's judicial office that supervises the handling unit.
    #[n(1)]
    Supervision,
    /// 转办: the receiver of a transfer, or the router who carries it over.
    #[n(2)]
    Transfer,
    /// 上报: the unit to which the case was escalated.
    #[n(3)]
    Escalation,
    /// 查阅: a superior who reads by a signed event with a reason.
    #[n(4)]
    Disclosure,
}

/// What an item carries.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum ItemContent {
    /// The particulars, sealed under a data key.
    #[n(0)]
    Body {
        /// XChaCha20's nonce.
        #[cbor(n(0), with = "minicbor::bytes")]
        nonce: [u8; 24],
        /// Ciphertext and tag.
        #[cbor(n(1), with = "minicbor::bytes")]
        sealed: Vec<u8>,
    },
    /// The data key, wrapped for one node.
    #[n(1)]
    Wrap {
        /// The node.
        #[n(0)]
        recipient: Recipient,
        /// Why.
        #[n(1)]
        purpose: Purpose,
        /// HPKE's encapsulated key.
        #[cbor(n(2), with = "minicbor::bytes")]
        encapsulated: [u8; 32],
        /// The data key and a tag.
        #[cbor(n(3), with = "minicbor::bytes")]
        wrapped: [u8; WRAPPED],
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Statement {
    #[n(0)]
    version: u8,
    #[n(1)]
    subject: Subject,
    #[n(2)]
    maker: AuthorKey,
    #[n(3)]
    certificate: CertificateId,
    #[n(4)]
    content: ItemContent,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[cbor(n(0), with = "minicbor::bytes")]
    statement: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// Why bytes are not a sealed item, or not one that its maker signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// Longer than any item.
    #[error("sealed item of {0} bytes is longer than {MAX_ITEM}")]
    TooLong(usize),
    /// Not the CBOR of an item, or a ciphertext of a length that sealing does not make.
    #[error("sealed item is not well-formed")]
    Malformed,
    /// Well formed, but not in the one canonical encoding.
    #[error("sealed item is not in canonical encoding")]
    NotCanonical,
    /// A version this code does not know.
    #[error("sealed item version {0} is not supported; this program reads version {VERSION}")]
    Version(u8),
    /// The maker's key is no usable Ed25519 key.
    #[error("the maker's key is not a usable Ed25519 key")]
    Key,
    /// The maker did not sign this item.
    #[error("the signature is not the maker's over this item")]
    Forged,
}

/// A well-formed sealed item with a signature not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedItem {
    statement: Statement,
    encoded: Box<[u8]>,
    id: ItemId,
}

impl SealedItem {
    /// Reads the canonical encoding, and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, ItemError> {
        if bytes.len() > MAX_ITEM {
            return Err(ItemError::TooLong(bytes.len()));
        }
        let wire: Wire = minicbor::decode(bytes).map_err(|_| ItemError::Malformed)?;
        let statement: Statement =
            minicbor::decode(&wire.statement).map_err(|_| wrong_statement(&wire.statement))?;
        if statement.version != VERSION {
            return Err(ItemError::Version(statement.version));
        }
        if let ItemContent::Body { sealed, .. } = &statement.content
            && (sealed.len() > MAX_SEALED || !super::seal::is_sealed_length(sealed.len()))
        {
            return Err(ItemError::Malformed);
        }
        // One encoding for one item: otherwise the same item could be stored under many ids.
        let canonical = encode(&Wire {
            statement: encode(&statement),
            signature: wire.signature,
        });
        if canonical != bytes {
            return Err(ItemError::NotCanonical);
        }
        Ok(Self {
            statement,
            id: Self::id_of(bytes),
            encoded: bytes.into(),
        })
    }

    /// The id of the item with this encoding.
    pub(super) fn id_of(encoded: &[u8]) -> ItemId {
        ItemId::from_bytes(*ITEM_DOMAIN.hash(&[encoded]).as_bytes())
    }

    /// The canonical encoding: a CBOR array of statement bytes and signature bytes.
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// The id.
    pub fn id(&self) -> ItemId {
        self.id
    }

    /// What it is about.
    pub fn subject(&self) -> &Subject {
        &self.statement.subject
    }

    /// The key that is said to have signed it.
    pub fn maker(&self) -> AuthorKey {
        self.statement.maker
    }

    /// The operator certificate that the maker acted under.
    pub fn certificate(&self) -> CertificateId {
        self.statement.certificate
    }

    /// What it carries.
    pub fn content(&self) -> &ItemContent {
        &self.statement.content
    }

    /// Checks the signature, strictly: no small-order keys or points, one encoding of each signature.
    pub fn verify(self) -> Result<VerifiedItem, ItemError> {
        let key = VerifyingKey::from_bytes(self.statement.maker.as_bytes()).map_err(|_| ItemError::Key)?;
        let wire: Wire = minicbor::decode(&self.encoded).map_err(|_| ItemError::Malformed)?;
        key.verify_strict(
            &STATEMENT_DOMAIN.signing_input(&wire.statement),
            &Signature::from_bytes(&wire.signature),
        )
        .map_err(|_| ItemError::Forged)?;
        Ok(VerifiedItem(self))
    }
}

/// Tells a newer version, whose fields may be others, from garbage.
fn wrong_statement(bytes: &[u8]) -> ItemError {
    let mut decoder = minicbor::Decoder::new(bytes);
    match decoder.array().and_then(|_| decoder.u8()) {
        Ok(version) if version > VERSION => ItemError::Version(version),
        _ => ItemError::Malformed,
    }
}

fn encode(value: &(impl minicbor::Encode<()> + ?Sized)) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to a vector does not fail")
}

/// A sealed item whose maker's signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedItem(SealedItem);

impl VerifiedItem {
    /// Signs an item.
    pub(super) fn sign(
        subject: Subject,
        content: ItemContent,
        certificate: CertificateId,
        key: &SigningKey,
    ) -> Self {
        let statement = Statement {
            version: VERSION,
            subject,
            maker: AuthorKey::from_bytes(key.verifying_key().to_bytes()),
            certificate,
            content,
        };
        let bytes = encode(&statement);
        let signature = key.sign(&STATEMENT_DOMAIN.signing_input(&bytes)).to_bytes();
        let encoded = encode(&Wire {
            statement: bytes,
            signature,
        });
        Self(SealedItem {
            statement,
            id: SealedItem::id_of(&encoded),
            encoded: encoded.into(),
        })
    }

    /// What the proof is about.
    pub fn get(&self) -> &SealedItem {
        &self.0
    }
}

#[cfg(test)]
mod tests;
