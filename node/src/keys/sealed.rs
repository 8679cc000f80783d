//! A signing key sealed by a passphrase: Argon2id, then XChaCha20-Poly1305.

use anjuan_sync::AuthorKey;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use ed25519_dalek::SigningKey;
use minicbor::{Decode, Encode};
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::file::{self, ContentProblem};
use super::{KdfCost, KeyKind, KeyName, KeysError, Passphrase, Unlocked};
use crate::authority::encoding;

const NAME: &str = "anjuan-sealed-key";
const FORMAT: u8 = 1;
const MAX_BODY: usize = 512;

/// What can be read without the passphrase. All of it is authenticated with the key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Header {
    #[n(0)]
    kind: KeyKind,
    #[n(1)]
    name: String,
    #[n(2)]
    public: AuthorKey,
    #[n(3)]
    cost: KdfCost,
    #[cbor(n(4), with = "minicbor::bytes")]
    salt: [u8; 16],
    #[cbor(n(5), with = "minicbor::bytes")]
    nonce: [u8; 24],
}

impl Header {
    fn associated(&self) -> Vec<u8> {
        [format!("{NAME} {FORMAT}\n").as_bytes(), &encoding::encode(self)].concat()
    }
}

/// A key file's content.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct SealedKey {
    #[n(0)]
    header: Header,
    /// The 32 bytes of the seed, sealed, and 16 of the tag.
    #[cbor(n(1), with = "minicbor::bytes")]
    sealed: [u8; 48],
}

impl SealedKey {
    pub(super) fn seal<R: CryptoRng>(
        unlocked: &Unlocked,
        passphrase: &Passphrase,
        cost: KdfCost,
        rng: &mut R,
    ) -> Result<Self, KeysError> {
        let mut header = Header {
            kind: unlocked.kind,
            name: unlocked.name.as_str().to_owned(),
            public: unlocked.public(),
            cost,
            salt: [0; 16],
            nonce: [0; 24],
        };
        rng.fill_bytes(&mut header.salt);
        rng.fill_bytes(&mut header.nonce);
        let key = passphrase.derive(cost, &header.salt)?;
        let payload = Payload {
            msg: unlocked.key.as_bytes(),
            aad: &header.associated(),
        };
        let sealed = XChaCha20Poly1305::new(&Key::from(*key))
            .encrypt(&XNonce::from(header.nonce), payload)
            .expect("32 bytes are within the cipher's bound");
        let sealed = sealed.try_into().expect("a tag has 16 bytes");
        Ok(Self { header, sealed })
    }

    /// The key, if `derived` is the one it was sealed by and the file is the one of that name.
    pub(super) fn open(&self, kind: KeyKind, name: &KeyName, derived: &[u8; 32]) -> Option<Unlocked> {
        let payload = Payload {
            msg: &self.sealed,
            aad: &self.header.associated(),
        };
        let opened = XChaCha20Poly1305::new(&Key::from(*derived))
            .decrypt(&XNonce::from(self.header.nonce), payload)
            .ok()?;
        let seed = Zeroizing::new(opened);
        let key = SigningKey::from_bytes(seed.as_slice().try_into().ok()?);
        let unlocked = Unlocked {
            kind,
            name: name.clone(),
            key,
        };
        let same = self.header.kind == kind && self.header.name == name.as_str();
        (same && unlocked.public() == self.header.public).then_some(unlocked)
    }

    pub(super) fn from_file(bytes: &[u8]) -> Result<Self, ContentProblem> {
        let body = file::body(bytes, NAME, FORMAT)?;
        let sealed: Self = encoding::decode(body, MAX_BODY).map_err(|_| ContentProblem::Damaged)?;
        if sealed.header.cost.is_bounded() {
            Ok(sealed)
        } else {
            Err(ContentProblem::Damaged)
        }
    }

    /// The name and format, a line's end, then canonical CBOR.
    pub(super) fn to_file(&self) -> Vec<u8> {
        let mut bytes = format!("{NAME} {FORMAT}\n").into_bytes();
        bytes.extend(encoding::encode(self));
        bytes
    }

    pub(super) fn cost(&self) -> KdfCost {
        self.header.cost
    }

    pub(super) fn salt(&self) -> [u8; 16] {
        self.header.salt
    }

    pub(super) fn public(&self) -> AuthorKey {
        self.header.public
    }
}
