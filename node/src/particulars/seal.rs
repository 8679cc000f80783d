//! Committing, sealing, wrapping and opening. Randomness is handed in.
//!
//! A body is sealed with XChaCha20-Poly1305 under a data key used once; the data key is wrapped for each
//! reading node with HPKE (RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
//! ChaCha20Poly1305). Neither cipher commits to its key; that is why opening recomputes the commitment.
//!
//! Plaintext of a body: salt, length (u32, big endian), canonical content, zeros. The zeros round the length
//! up, so that who only carries the body does not learn whether it has an address in it.

use anjuan_sync::CertificateId;
use anjuan_sync::hash::Domain;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use ed25519_dalek::SigningKey;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::content::{BodyError, Particulars};
use super::item::{ItemContent, Purpose, Recipient, SealedItem, VerifiedItem, WRAPPED};
use super::name::{Commitment, SealKey, Subject};

/// Bytes in a salt.
pub const SALT_LENGTH: usize = 32;
/// Plaintexts up to [`SMALL`] bytes are padded to a multiple of this many, longer ones to [`LARGE_STEP`].
const SMALL_STEP: usize = 256;
const SMALL: usize = 4096;
pub(super) const LARGE_STEP: usize = 4096;
const TAG: usize = 16;
const PREFIX: usize = SALT_LENGTH + 4;

const COMMITMENT_DOMAIN: Domain = Domain::new("anjuan/particulars/1");
const BODY_AAD: &[u8] = b"anjuan/sealed-body/1";
const WRAP_INFO: &[u8] = b"anjuan/sealed-wrap/1";

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type KemPublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Why a data key could not be wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The recipient's seal key is a point of small order, to which nothing can be sealed.
    #[error("the seal key of node certificate {0} is not usable; the node needs a new certificate")]
    Recipient(CertificateId),
}

/// Why a body and a wrap do not give particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The wrap is for another key, was changed, or is bound to another document.
    #[error("the wrapped key does not open with this node's seal key")]
    Wrap,
    /// The body was changed, is bound to another document, or the data key is another's.
    #[error("the sealed body does not open with the data key")]
    Body,
    /// It opened, but is not what the document committed to.
    #[error("the sealed body is not what the document committed to")]
    Commitment,
    /// What was sealed is of a newer version.
    #[error("the particulars are of a newer version; this node has to be updated to read them")]
    Newer,
    /// What was sealed is no particulars.
    #[error("the sealed body does not hold particulars")]
    Content,
}

/// Who makes items: an operator's signing key, and the certificate he acts under.
#[derive(Clone, Copy)]
pub struct Maker<'a> {
    /// The key.
    pub key: &'a SigningKey,
    /// The certificate.
    pub certificate: CertificateId,
}

impl std::fmt::Debug for Maker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maker")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// Particulars with their salt: the commitment is known, the document not yet.
pub struct Prepared {
    plaintext: Zeroizing<Vec<u8>>,
    commitment: Commitment,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("commitment", &self.commitment)
            .finish_non_exhaustive()
    }
}

/// What sealing makes: a body, and a wrap of its data key for each recipient.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The body.
    pub body: VerifiedItem,
    /// The wraps, in the order of the recipients.
    pub wraps: Vec<VerifiedItem>,
}

impl Sealed {
    /// All items.
    pub fn items(&self) -> Vec<VerifiedItem> {
        std::iter::once(&self.body).chain(&self.wraps).cloned().collect()
    }
}

/// A data key. Used for one body only.
pub(super) struct DataKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey")
    }
}

impl Prepared {
    /// Draws a salt for `particulars` and commits to them.
    pub fn new(particulars: &Particulars, rng: &mut impl CryptoRng) -> Self {
        let content = particulars.encode();
        let mut plaintext = Zeroizing::new(vec![0; padded(PREFIX + content.len())]);
        let (salt, rest) = plaintext.split_at_mut(SALT_LENGTH);
        rng.fill_bytes(salt);
        rest[..4].copy_from_slice(&(content.len() as u32).to_be_bytes());
        rest[4..4 + content.len()].copy_from_slice(&content);
        Self {
            commitment: commit(salt, &content),
            plaintext,
        }
    }

    /// What the document's event carries.
    pub fn commitment(&self) -> Commitment {
        self.commitment
    }

    /// Seals under a fresh data key for the document that `subject` names, and wraps the key for every
    /// recipient.
    ///
    /// # Errors
    /// When a recipient's key is unusable. Nothing is made then.
    ///
    /// # Panics
    /// When `subject` names another commitment.
    pub fn seal(
        &self,
        subject: &Subject,
        recipients: &[(Recipient, Purpose)],
        maker: Maker<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Sealed, SealError> {
        assert_eq!(
            subject.commitment, self.commitment,
            "a subject names its own commitment"
        );
        let mut key = DataKey(Zeroizing::new([0; 32]));
        rng.fill_bytes(&mut *key.0);
        let mut nonce = [0; 24];
        rng.fill_bytes(&mut nonce);
        let sealed = cipher(&key)
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: &self.plaintext,
                    aad: &body_aad(subject),
                },
            )
            .expect("a body is far shorter than the cipher's limit");
        let wraps = recipients
            .iter()
            .map(|(recipient, purpose)| wrap(&key, subject, *recipient, *purpose, maker, rng))
            .collect::<Result<_, _>>()?;
        let body = VerifiedItem::sign(
            subject.clone(),
            ItemContent::Body { nonce, sealed },
            maker.certificate,
            maker.key,
        );
        Ok(Sealed { body, wraps })
    }
}

pub(super) fn commit(salt: &[u8], content: &[u8]) -> Commitment {
    Commitment::from_bytes(*COMMITMENT_DOMAIN.hash(&[salt, content]).as_bytes())
}

fn padded(length: usize) -> usize {
    let step = if length <= SMALL { SMALL_STEP } else { LARGE_STEP };
    length.next_multiple_of(step)
}

/// Is this the length of a ciphertext that sealing makes?
pub(super) fn is_sealed_length(length: usize) -> bool {
    length
        .checked_sub(TAG)
        .is_some_and(|plain| plain > 0 && padded(plain) == plain)
}

fn cipher(key: &DataKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(<&Key>::from(&*key.0))
}

fn body_aad(subject: &Subject) -> Vec<u8> {
    [BODY_AAD, &subject.encode()].concat()
}

/// The public half of a node's seal secret.
pub(super) fn seal_key(secret: &StaticSecret) -> SealKey {
    SealKey::from_bytes(PublicKey::from(secret).to_bytes())
}

fn wrap_aad(subject: &Subject, recipient: &Recipient, purpose: Purpose) -> Vec<u8> {
    minicbor::to_vec((subject, recipient, purpose)).expect("writing to a vector does not fail")
}

/// Wraps a data key for one node.
pub(super) fn wrap(
    key: &DataKey,
    subject: &Subject,
    recipient: Recipient,
    purpose: Purpose,
    maker: Maker<'_>,
    rng: &mut impl CryptoRng,
) -> Result<VerifiedItem, SealError> {
    let unusable = SealError::Recipient(recipient.certificate);
    let public = KemPublicKey::from_bytes(recipient.key.as_bytes()).map_err(|_| unusable)?;
    let (encapsulated, wrapped) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public,
            WRAP_INFO,
            &*key.0,
            &wrap_aad(subject, &recipient, purpose),
            rng,
        )
        .map_err(|_| unusable)?;
    let wrapped: [u8; WRAPPED] = wrapped.try_into().expect("a data key and a tag");
    let content = ItemContent::Wrap {
        recipient,
        purpose,
        encapsulated: encapsulated.to_bytes().into(),
        wrapped,
    };
    Ok(VerifiedItem::sign(
        subject.clone(),
        content,
        maker.certificate,
        maker.key,
    ))
}

/// The data key in a wrap.
fn unwrap(item: &SealedItem, secret: &StaticSecret) -> Result<DataKey, UnsealError> {
    let ItemContent::Wrap {
        recipient,
        purpose,
        encapsulated,
        wrapped,
    } = item.content()
    else {
        return Err(UnsealError::Wrap);
    };
    let private = Zeroizing::new(secret.to_bytes());
    let private = PrivateKey::from_bytes(&*private).map_err(|_| UnsealError::Wrap)?;
    let encapsulated = EncappedKey::from_bytes(encapsulated).map_err(|_| UnsealError::Wrap)?;
    let key = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &private,
        &encapsulated,
        WRAP_INFO,
        wrapped,
        &wrap_aad(item.subject(), recipient, *purpose),
    )
    .map(Zeroizing::new)
    .map_err(|_| UnsealError::Wrap)?;
    let mut data_key = DataKey(Zeroizing::new([0; 32]));
    if key.len() != data_key.0.len() {
        return Err(UnsealError::Wrap);
    }
    data_key.0.copy_from_slice(&key);
    Ok(data_key)
}

/// What opening gives.
pub(super) struct Opened {
    pub(super) particulars: Particulars,
    pub(super) salt: Zeroizing<[u8; SALT_LENGTH]>,
    pub(super) key: DataKey,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("particulars", &self.particulars)
            .finish_non_exhaustive()
    }
}

/// Opens a body with one wrap of its key; fails closed on anything that does not fit together.
pub(super) fn unseal(
    body: &SealedItem,
    wrap: &SealedItem,
    secret: &StaticSecret,
) -> Result<Opened, UnsealError> {
    let ItemContent::Body { nonce, sealed } = body.content() else {
        return Err(UnsealError::Body);
    };
    if body.subject() != wrap.subject() {
        return Err(UnsealError::Body);
    }
    let key = unwrap(wrap, secret)?;
    let payload = Payload {
        msg: sealed,
        aad: &body_aad(body.subject()),
    };
    let plaintext = cipher(&key)
        .decrypt(&XNonce::from(*nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| UnsealError::Body)?;
    let content = content(&plaintext).ok_or(UnsealError::Content)?;
    let mut salt = Zeroizing::new([0; SALT_LENGTH]);
    salt.copy_from_slice(&plaintext[..SALT_LENGTH]);
    if commit(&*salt, content) != body.subject().commitment {
        return Err(UnsealError::Commitment);
    }
    match Particulars::decode(content) {
        Ok(particulars) => Ok(Opened {
            particulars,
            salt,
            key,
        }),
        Err(BodyError::Version(_)) => Err(UnsealError::Newer),
        Err(BodyError::Malformed | BodyError::NotCanonical) => Err(UnsealError::Content),
    }
}

/// The content within a plaintext; `None` where length or padding are off.
fn content(plaintext: &[u8]) -> Option<&[u8]> {
    let (length, rest) = plaintext.get(SALT_LENGTH..)?.split_first_chunk::<4>()?;
    let (content, padding) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    padding.iter().all(|byte| *byte == 0).then_some(content)
}

#[cfg(test)]
mod tests;
