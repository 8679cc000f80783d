//! A node's home: one folder that holds all of it, open in one process at a time.
//!
//! ```text
//! config.toml   settings, by hand          root.cert   the network's root certificate
//! keys/         node, authority, operators journal/    the truth
//! sled/         the case store             keystore/   sealed particulars
//! tickets       invitations given out      cursors     how far peers' stores were taken in
//! marks         what peers have of it      api.json    address and token, while the node runs
//! epoch.json    this life of the store
//! ```

use std::io;
use std::path::{Path, PathBuf};

use crate::authority::certificate::{CertificateError, Certified, ChainError, SignedCertificate};
use crate::config::{Config, ConfigError};
use crate::enrol::{BookError, TicketBook};
use crate::files::{self, Disk};
use crate::keys::{KdfCost, KeyStore};
use crate::lock::{HomeLock, LockError};

/// Why a home can't be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// There is none.
    #[error("{} is not the home of a node", .0.display())]
    Missing(PathBuf),
    /// There is one already.
    #[error("{} is the home of a node already", .0.display())]
    Exists(PathBuf),
    /// In use, or of another version.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file can't be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The root certificate is gone.
    #[error("{}: root.cert is missing", .0.display())]
    NoRoot(PathBuf),
    /// The root certificate is damaged.
    #[error("root.cert: {0}")]
    Root(#[from] CertificateError),
    /// The root certificate is not a root's.
    #[error("root.cert: {0}")]
    Chain(#[from] ChainError),
    /// The tickets are damaged.
    #[error(transparent)]
    Tickets(#[from] BookError),
}

/// An opened home.
#[derive(Debug)]
pub struct Home {
    lock: HomeLock,
    config: Config,
}

impl Home {
    /// Makes a home in a folder that has none, for a node with these settings.
    pub fn create(folder: &Path, config: Config, root: Option<&Certified>) -> Result<Self, HomeError> {
        std::fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
        if is_home(folder) {
            return Err(HomeError::Exists(folder.to_owned()));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let owner_alone = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(folder, owner_alone).map_err(|source| io_error(folder, source))?;
        }
        let lock = HomeLock::acquire(folder)?;
        let home = Self { lock, config };
        if let Some(root) = root {
            home.write("root.cert", &root.signed().encode())?;
        }
        // Last: a folder is a home once it has settings.
        home.save_config()?;
        Ok(home)
    }

    /// Opens the home in `folder`.
    pub fn open(folder: &Path) -> Result<Self, HomeError> {
        if !is_home(folder) {
            return Err(HomeError::Missing(folder.to_owned()));
        }
        let lock = HomeLock::acquire(folder)?;
        let path = folder.join("config.toml");
        let text = std::fs::read_to_string(&path).map_err(|source| io_error(&path, source))?;
        Ok(Self {
            lock,
            config: Config::parse(&text)?,
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.lock.home()
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Changes the settings, and writes them.
    pub fn change_config(&mut self, change: impl FnOnce(&mut Config)) -> Result<(), HomeError> {
        let mut config = self.config.clone();
        change(&mut config);
        let before = std::mem::replace(&mut self.config, config);
        self.save_config().inspect_err(|_| self.config = before)
    }

    fn save_config(&self) -> Result<(), HomeError> {
        self.write("config.toml", self.config.to_text().as_bytes())
    }

    /// Its keys; new ones are sealed at `cost`.
    pub fn keys(&self, cost: KdfCost) -> KeyStore {
        KeyStore::new(self.folder().join("keys"), cost)
    }

    /// The network's root certificate.
    pub fn root(&self) -> Result<Certified, HomeError> {
        let bytes = self
            .read("root.cert")?
            .ok_or_else(|| HomeError::NoRoot(self.folder().to_owned()))?;
        Ok(Certified::root(SignedCertificate::decode(&bytes)?)?)
    }

    /// The tickets given out.
    pub fn tickets(&self) -> Result<TicketBook, HomeError> {
        match self.read("tickets")? {
            Some(bytes) => Ok(TicketBook::decode(&bytes)?),
            None => Ok(TicketBook::default()),
        }
    }

    /// Writes the tickets down.
    pub fn save_tickets(&self, book: &TicketBook) -> Result<(), HomeError> {
        self.write("tickets", &book.encode())
    }

    /// A small file of the home; `None` where there is none.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, HomeError> {
        let path = self.folder().join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(io_error(&path, source)),
        }
    }

    /// Writes a small file of the home: whole or not at all, durably, for the owner alone.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), HomeError> {
        let path = self.folder().join(name);
        files::write_atomically(&Disk, &path, bytes).map_err(|source| io_error(&path, source))
    }

    /// Removes a small file of the home, if it is there.
    pub fn remove(&self, name: &str) -> Result<(), HomeError> {
        let path = self.folder().join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(&path, error)),
            _ => Ok(()),
        }
    }
}

/// Does this folder hold a home?
pub fn is_home(folder: &Path) -> bool {
    folder.join("config.toml").exists()
}

fn io_error(path: &Path, source: io::Error) -> HomeError {
    HomeError::Io {
        path: path.to_owned(),
        source,
    }
}
