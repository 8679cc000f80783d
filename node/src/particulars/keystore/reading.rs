//! Opening particulars, and wrapping their key for further nodes.

use rand::CryptoRng;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use super::{Erasure, Keystore, KeystoreError};
use crate::particulars::content::Particulars;
use crate::particulars::item::{Purpose, Recipient, SealedItem, VerifiedItem};
use crate::particulars::name::{ItemId, Subject};
use crate::particulars::seal::{Maker, Opened, SALT_LENGTH, SealError, UnsealError, seal_key, unseal, wrap};

/// Pairs of wrap and body tried for one subject. There is one honest body; the rest is somebody's mischief,
/// and signed by him.
const MAX_TRIES: usize = 4096;

/// Why particulars do not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// They were erased.
    #[error("these particulars were erased")]
    Erased(Option<Erasure>),
    /// Their body is not here.
    #[error("the sealed body is not on this node yet; it comes with the next sync")]
    NoBody,
    /// Their data key is not wrapped for this node.
    #[error("these particulars are not sealed for this node; the unit that handles the case can grant it")]
    NoWrap,
    /// There are a body and a wrap, but they do not fit together.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
    /// A recipient's key is unusable.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The keystore failed.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
}

/// What a commitment was made of: whoever has it can compute the commitment.
pub struct Preimage {
    /// The random salt.
    pub salt: Zeroizing<[u8; SALT_LENGTH]>,
    /// The canonical bytes of the particulars.
    pub content: Zeroizing<Vec<u8>>,
}

/// Shows nothing of it.
impl std::fmt::Debug for Preimage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Preimage(..)")
    }
}

impl Keystore {
    /// Opens particulars with this node's seal secret.
    pub fn open_particulars(
        &self,
        subject: &Subject,
        secret: &StaticSecret,
    ) -> Result<Particulars, OpenError> {
        self.unseal(subject, secret).map(|opened| opened.particulars)
    }

    /// Opens particulars to disclose them.
    pub fn preimage(&self, subject: &Subject, secret: &StaticSecret) -> Result<Preimage, OpenError> {
        let opened = self.unseal(subject, secret)?;
        Ok(Preimage {
            content: opened.particulars.encode(),
            salt: opened.salt,
        })
    }

    /// Wraps the data key for further nodes: on transfer, escalation, disclosure, or when a node joins.
    /// Stores the wraps and returns them. That the body opens, and is what was committed to, is checked
    /// first, so that nothing bogus is passed on.
    pub fn rewrap(
        &self,
        subject: &Subject,
        secret: &StaticSecret,
        recipients: &[(Recipient, Purpose)],
        maker: Maker<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<VerifiedItem>, OpenError> {
        let key = self.unseal(subject, secret)?.key;
        let wraps = recipients
            .iter()
            .map(|(recipient, purpose)| wrap(&key, subject, *recipient, *purpose, maker, rng))
            .collect::<Result<Vec<_>, _>>()?;
        self.add(&wraps)?;
        Ok(wraps)
    }

    fn unseal(&self, subject: &Subject, secret: &StaticSecret) -> Result<Opened, OpenError> {
        let own = seal_key(secret);
        let (bodies, wraps) = {
            let index = self.read_index();
            if index.is_erased(subject) {
                return Err(OpenError::Erased(index.erasure(subject)));
            }
            let bodies: Vec<ItemId> = index.bodies(subject).collect();
            let wraps: Vec<ItemId> = index
                .wraps(subject)
                .filter(|(_, recipient)| recipient.key == own)
                .map(|(id, _)| id)
                .collect();
            (bodies, wraps)
        };
        if wraps.is_empty() {
            return Err(OpenError::NoWrap);
        }
        let mut last = None;
        let mut tries = 0;
        for body in bodies {
            let Some(body) = self.load(body)? else { continue };
            for wrap in &wraps {
                tries += 1;
                if tries > MAX_TRIES {
                    break;
                }
                let Some(wrap) = self.load(*wrap)? else { continue };
                match unseal(&body, &wrap, secret) {
                    Ok(opened) => return Ok(opened),
                    Err(error) => last = Some(error),
                }
            }
        }
        Err(last.map_or(OpenError::NoBody, OpenError::Unseal))
    }

    fn load(&self, id: ItemId) -> Result<Option<SealedItem>, KeystoreError> {
        let bytes = self.get(id)?;
        bytes
            .map(|bytes| SealedItem::decode(&bytes).map_err(|_| KeystoreError::Damaged(id)))
            .transpose()
    }
}
