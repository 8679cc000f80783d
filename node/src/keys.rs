//! The secret keys of a home, in its `keys` folder.
//!
//! | file | what | protected by |
//! |---|---|---|
//! | `node.key` | the node's Ed25519 key (its peer id) and X25519 key (particulars are sealed to it) | file mode 0600, for a node starts with nobody there |
//! | `operator-NAME.key`, `authority-NAME.key` | an Ed25519 key that signs updates, or certificates | a passphrase, and 0600 |
//!
//! Files are written to a temporary name, synced, renamed, and the folder is synced; so a key is there
//! whole or not at all. On Unix a file that others may read is refused; elsewhere the folder's own access
//! list has to keep others out.

mod file;
mod node;
mod passphrase;
mod sealed;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anjuan_sync::AuthorKey;
use ed25519_dalek::SigningKey;
use rand::CryptoRng;

pub use self::file::KeyFileError;
pub use self::node::NodeKey;
pub use self::passphrase::{KdfCost, NewPassphrase, Passphrase, PassphraseError};
use self::sealed::SealedKey;

/// What a sealed key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum KeyKind {
    /// Updates.
    #[n(0)]
    Operator,
    /// Certificates and revocations.
    #[n(1)]
    Authority,
}

impl KeyKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "operator-",
            Self::Authority => "authority-",
        }
    }
}

/// What a key is called in its home: 1 to 32 of `a`–`z`, `0`–`9`, `-` and `_`, so that it makes a file
/// name on every system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName(Box<str>);

/// A text that cannot name a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot name a key; use 1 to 32 of a-z, 0-9, - and _")]
pub struct ParseKeyNameError(String);

impl KeyName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = ParseKeyNameError;

    fn from_str(text: &str) -> Result<Self, ParseKeyNameError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        if (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(ParseKeyNameError(text.chars().take(40).collect()))
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a key cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The passphrase is wrong or there is no key of that name; which of the two is not said.
    #[error("no key of that name opens with that passphrase")]
    Refused,
    /// There is a key of that name already.
    #[error("there is a key at {} already", .0.display())]
    Exists(PathBuf),
    /// The home has no node key.
    #[error("there is no node key at {}", .0.display())]
    NoNodeKey(PathBuf),
    /// A key file cannot be read or written.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// Not enough memory for the key derivation.
    #[error("the passphrase cannot be checked: {0} KiB of memory are needed")]
    Memory(u32),
}

/// An operator's or authority's key in memory. Wiped when dropped; shows its public half only.
pub struct Unlocked {
    kind: KeyKind,
    name: KeyName,
    key: SigningKey,
}

impl Unlocked {
    /// What it signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// What it is called here.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The public half.
    pub fn public(&self) -> AuthorKey {
        AuthorKey::from_bytes(self.key.verifying_key().to_bytes())
    }

    /// To sign with.
    pub fn signing_key(&self) -> &SigningKey {
        &self.key
    }
}

#[cfg(test)]
impl Unlocked {
    /// The authority key of whoever goes by this name in [`crate::authority::testing`].
    pub(crate) fn for_tests(name: &str) -> Self {
        Self::from_key_for_tests(crate::authority::testing::key(name))
    }

    pub(crate) fn from_key_for_tests(key: SigningKey) -> Self {
        Self {
            kind: KeyKind::Authority,
            name: KeyName("test".into()),
            key,
        }
    }
}

impl fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Unlocked");
        debug.field("kind", &self.kind).field("name", &self.name);
        debug.field("public", &self.public()).finish_non_exhaustive()
    }
}

/// The keys of one home.
#[derive(Clone, Debug)]
pub struct KeyStore {
    folder: PathBuf,
    cost: KdfCost,
}

impl KeyStore {
    /// The keys in `folder`, which is made when the first one is written. New keys are sealed at `cost`:
    /// [`KdfCost::STANDARD`] but in tests.
    pub fn new(folder: impl Into<PathBuf>, cost: KdfCost) -> Self {
        Self {
            folder: folder.into(),
            cost,
        }
    }

    /// Makes the node's keys.
    pub fn create_node<R: CryptoRng>(&self, rng: &mut R) -> Result<NodeKey, KeysError> {
        let key = NodeKey::generate(rng);
        self.create(&self.node_path(), &key.to_file())?;
        Ok(key)
    }

    /// The node's keys.
    pub fn node(&self) -> Result<NodeKey, KeysError> {
        let path = self.node_path();
        let bytes = file::read(&path)?.ok_or_else(|| KeysError::NoNodeKey(path.clone()))?;
        Ok(NodeKey::from_file(&bytes).map_err(|problem| problem.at(&path))?)
    }

    /// Makes a key and seals it by a passphrase.
    pub fn create_sealed<R: CryptoRng>(
        &self,
        kind: KeyKind,
        name: &KeyName,
        passphrase: &NewPassphrase,
        rng: &mut R,
    ) -> Result<Unlocked, KeysError> {
        let unlocked = Unlocked {
            kind,
            name: name.clone(),
            key: SigningKey::generate(rng),
        };
        let sealed = SealedKey::seal(&unlocked, passphrase.get(), self.cost, rng)?;
        self.create(&self.path(kind, name), &sealed.to_file())?;
        Ok(unlocked)
    }

    /// Opens a sealed key. Takes the same time whether the passphrase is wrong or the key is not there.
    ///
    /// # Errors
    /// [`KeysError::Refused`] for both; a damaged file, or one open to others, is named as such.
    pub fn unlock(
        &self,
        kind: KeyKind,
        name: &KeyName,
        passphrase: &Passphrase,
    ) -> Result<Unlocked, KeysError> {
        let path = self.path(kind, name);
        let read = file::read(&path).and_then(|bytes| {
            let sealed = bytes.map(|bytes| SealedKey::from_file(&bytes)).transpose();
            sealed.map_err(|problem| problem.at(&path))
        });
        // Derived whatever was read, so that the delay tells nothing.
        let (cost, salt) = match &read {
            Ok(Some(sealed)) => (sealed.cost(), sealed.salt()),
            _ => (self.cost, [0; 16]),
        };
        let key = passphrase.derive(cost, &salt)?;
        let sealed = read?.ok_or(KeysError::Refused)?;
        sealed.open(kind, name, &key).ok_or(KeysError::Refused)
    }

    /// Seals a key anew by another passphrase.
    pub fn change_passphrase<R: CryptoRng>(
        &self,
        kind: KeyKind,
        name: &KeyName,
        old: &Passphrase,
        new: &NewPassphrase,
        rng: &mut R,
    ) -> Result<(), KeysError> {
        let unlocked = self.unlock(kind, name, old)?;
        let sealed = SealedKey::seal(&unlocked, new.get(), self.cost, rng)?;
        Ok(file::replace(&self.path(kind, name), &sealed.to_file())?)
    }

    /// The names and public halves of all sealed keys of this kind, in the order of their names.
    pub fn list(&self, kind: KeyKind) -> Result<Vec<(KeyName, AuthorKey)>, KeysError> {
        let mut found = Vec::new();
        for file_name in file::names(&self.folder)? {
            let name = file_name
                .strip_prefix(kind.prefix())
                .and_then(|rest| rest.strip_suffix(".key"));
            let Some(Ok(name)) = name.map(KeyName::from_str) else {
                continue;
            };
            let path = self.path(kind, &name);
            let Some(bytes) = file::read(&path)? else { continue };
            let sealed = SealedKey::from_file(&bytes).map_err(|problem| problem.at(&path))?;
            found.push((name, sealed.public()));
        }
        found.sort();
        Ok(found)
    }

    /// Removes a sealed key that no certificate was issued for.
    pub fn remove(&self, kind: KeyKind, name: &KeyName) -> std::io::Result<()> {
        std::fs::remove_file(self.path(kind, name))
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> Result<(), KeysError> {
        file::make_folder(&self.folder)?;
        if file::create(path, bytes)? {
            Ok(())
        } else {
            Err(KeysError::Exists(path.to_owned()))
        }
    }

    fn node_path(&self) -> PathBuf {
        self.folder.join("node.key")
    }

    fn path(&self, kind: KeyKind, name: &KeyName) -> PathBuf {
        self.folder.join(format!("{}{name}.key", kind.prefix()))
    }
}

#[cfg(test)]
mod tests;
