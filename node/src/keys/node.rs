//! The node's own keys. Not sealed: a node starts with nobody there to type.

use std::fmt;

use anjuan_sync::AuthorKey;
use ed25519_dalek::SigningKey;
use rand::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::file::{self, ContentProblem};

const NAME: &str = "anjuan-node-key";
const FORMAT: u8 = 1;

/// The keys of a node: Ed25519 for its peer id and its checkpoints, X25519 for what is sealed to it. Wiped
/// when dropped; shows its public halves only.
pub struct NodeKey {
    signing: SigningKey,
    seal: StaticSecret,
}

impl NodeKey {
    /// New keys.
    pub fn generate<R: CryptoRng>(rng: &mut R) -> Self {
        let signing = SigningKey::generate(rng);
        let mut seal = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seal);
        // As RFC 7748, section 5, says; done here so that a secret has one form in the file.
        seal[0] &= 0xf8;
        seal[31] = seal[31] & 0x3f | 0x40;
        Self {
            signing,
            seal: StaticSecret::from(*seal),
        }
    }

    /// Reads what [`Self::to_file`] writes. The public halves show damage to the secret ones.
    pub(super) fn from_file(bytes: &[u8]) -> Result<Self, ContentProblem> {
        let body = file::body(bytes, NAME, FORMAT)?;
        let ([seed, public, seal, seal_public], []) = body.as_chunks::<32>() else {
            return Err(ContentProblem::Damaged);
        };
        let key = Self {
            signing: SigningKey::from_bytes(seed),
            seal: StaticSecret::from(*seal),
        };
        // The public half alone would not show a change of the bits that using the secret sets anyway.
        let clamped = seal[0] & 7 == 0 && seal[31] & 0xc0 == 0x40;
        if key.public().as_bytes() == public && key.seal_public() == *seal_public && clamped {
            Ok(key)
        } else {
            Err(ContentProblem::Damaged)
        }
    }

    /// The name and format, a line's end, then 32 bytes each: Ed25519 seed, its public key, X25519 secret,
    /// its public key.
    pub(super) fn to_file(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(256));
        bytes.extend_from_slice(format!("{NAME} {FORMAT}\n").as_bytes());
        bytes.extend_from_slice(self.signing.as_bytes());
        bytes.extend_from_slice(self.public().as_bytes());
        bytes.extend_from_slice(self.seal.as_bytes());
        bytes.extend_from_slice(&self.seal_public());
        bytes
    }

    /// The public key, which is also the peer's.
    pub fn public(&self) -> AuthorKey {
        AuthorKey::from_bytes(self.signing.verifying_key().to_bytes())
    }

    /// To sign with.
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// The public key that things are sealed to.
    pub fn seal_public(&self) -> [u8; 32] {
        PublicKey::from(&self.seal).to_bytes()
    }

    /// To open what was sealed to this node.
    pub fn seal_secret(&self) -> &StaticSecret {
        &self.seal
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("NodeKey");
        debug.field("public", &self.public()).finish_non_exhaustive()
    }
}
