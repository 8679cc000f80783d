//! What a node signs of its own journal, who cosigned it, and what it cosigns of others.
//!
//! ```text
//! journal ── leaves ── Merkle log ── checkpoint, signed ── witnesses ── cosigned ── kept
//!                                                              │
//!                       other nodes' checkpoints ── witness ───┘
//! ```
//!
//! The log is caught up with the journal when a checkpoint is wanted, from what the journal has synced: it
//! is never ahead of it, and a commit costs nothing. Below the home's `evidence/`: `merkle/` (a cache),
//! `own/` ([`kept`]: the checkpoints signed), `witness/` (what was cosigned of others), `reports/` (what
//! others found), `foreign.note` (the newest checkpoint of another node that headers may name).
//!
//! **One log, one history.** A node signs no two checkpoints of one log of which neither continues the
//! other. So each new one is compared with the last that was signed, and where the journal does not
//! contain that, a new epoch is opened first: [`NotaryError::SetBack`] asks for it. What the disk can't
//! tell, since all of it was set back, a witness does: it is asked what it saw last before it is shown
//! anything.
//!
//! Locks: whoever needs the ledger as well takes the notary's lock first.

pub mod answering;
mod archive;
pub mod asking;
pub mod exchange;
mod exhibits;
mod foreign;
mod kept;
mod leaf;
mod reports;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anjuan_sync::LogEpoch;
use ed25519_dalek::{SigningKey, VerifyingKey};

use self::archive::Archive;
use self::foreign::Foreign;
use self::kept::Own;
use self::reports::Reports;
use crate::authority::certificate::CertificateKind;
use crate::authority::credentials::Credentials;
use crate::evidence::checkpoint::{Checkpoint, CheckpointError, CosignedCheckpoint, VerifiedCheckpoint};
use crate::evidence::merkle::{MerkleError, MerkleLog, TreeHead};
use crate::evidence::name::{NodeName, Origin};
use crate::evidence::note::NoteError;
use crate::evidence::witness::{Conflict, Evidence, Witness, WitnessError};
use crate::files::Files;
use crate::journal::{Journal, ReadError};

pub use self::exhibits::{Exhibits, Former};
pub use self::leaf::leaf;

/// Records whose leaves are appended at a time.
const STEP: u64 = 4_096;

/// Why there is no checkpoint, or none can be kept.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// The journal does not contain what was signed: the store was set back. A new epoch has to be opened
    /// before anything is signed.
    #[error("what was signed of {origin}, {signed} records, is not in the journal, which has {here}")]
    SetBack {
        /// The log.
        origin: Box<Origin>,
        /// Records signed.
        signed: u64,
        /// Records here.
        here: u64,
    },
    /// A record can't be read, so that it has no leaf.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record that is none of this program's.
    #[error("journal position {position}: {what}")]
    Record {
        /// The position.
        position: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The Merkle log can't be written or read.
    #[error(transparent)]
    Merkle(#[from] MerkleError),
    /// The witness can't.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// The key at hand does not sign for this node.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A note has no room left.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A file can't be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The folder was written by a newer program, or is none of this program's.
    #[error("{} is not in a format this program knows", .0.display())]
    Format(PathBuf),
}

/// A node's own log and checkpoints, and what it witnesses. One process at a time: the caller holds the
/// home's lock.
#[derive(Debug)]
pub struct Notary {
    name: NodeName,
    public: VerifyingKey,
    journal: Arc<Journal>,
    log: Arc<Mutex<MerkleLog>>,
    own: Own,
    /// The cosigned one of its own as it was shown to others last.
    shown: Option<CosignedCheckpoint>,
    witness: Witness,
    /// What the witness found itself.
    found: Vec<Evidence>,
    reports: Reports,
    foreign: Foreign,
    /// At an auditor's node: what was cosigned, day by day.
    archive: Option<Archive>,
}

/// A node that this one speaks with, by the certificate that let it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub name: NodeName,
    /// Its key.
    pub key: VerifyingKey,
}

impl Notary {
    /// Opens what is in `dir`, or begins it, for the node of this name and key with this journal.
    pub fn open(
        files: Arc<dyn Files>,
        dir: &Path,
        name: NodeName,
        public: VerifyingKey,
        journal: Arc<Journal>,
    ) -> Result<Self, NotaryError> {
        files.create_dir(dir).map_err(failed("make", dir))?;
        let merkle = dir.join("merkle");
        let (log, _) = MerkleLog::open(Arc::clone(&files), &merkle, journal.id(), journal.end())?;
        let own = Own::open(Arc::clone(&files), &dir.join("own"), &public)?;
        let witness = Witness::open(Arc::clone(&files), &dir.join("witness"))?;
        let found = found(&witness)?;
        let reports = Reports::open(Arc::clone(&files), &dir.join("reports"))?;
        let foreign = Foreign::open(files, &dir.join("foreign.note"))?;
        Ok(Self {
            name,
            public,
            journal,
            log: Arc::new(Mutex::new(log)),
            own,
            shown: None,
            witness,
            found,
            reports,
            foreign,
            archive: None,
        })
    }

    /// Keeps from now on, below `dir`, a checkpoint of each day of each log that is witnessed.
    pub(crate) fn archive(&mut self, files: Arc<dyn Files>, dir: PathBuf) {
        self.archive = Some(Archive::new(files, dir));
    }

    /// The name under which this node signs.
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// The last checkpoint signed, of whatever epoch.
    pub fn newest(&self) -> Option<&VerifiedCheckpoint> {
        self.own.newest()
    }

    /// The largest checkpoint that a witness cosigned in this epoch, with the lines of those that did.
    pub fn cosigned(&self) -> Option<&VerifiedCheckpoint> {
        self.own.cosigned()
    }

    /// The Merkle log, as far as it was caught up.
    pub fn log(&self) -> MutexGuard<'_, MerkleLog> {
        lock(&self.log)
    }

    /// What this node cosigned of others.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// Checkpoints that don't go together: as this node found them, then as others told it, of third ones
    /// and of this one.
    pub fn conflicts(&self) -> impl Iterator<Item = &Evidence> {
        self.found.iter().chain(self.reports.iter())
    }

    /// Last checkpoints of this node's epochs that have ended.
    pub fn former(&self) -> impl Iterator<Item = &VerifiedCheckpoint> {
        self.own.former().iter().map(|(last, _)| last)
    }

    /// The newest checkpoint of another node that third ones cosigned, as headers name it.
    pub fn bracket(&self) -> Option<&[u8]> {
        self.foreign.note()
    }

    /// Appends what the journal has synced since, and gives the head.
    pub fn catch_up(&self) -> Result<TreeHead, NotaryError> {
        match self.try_catch_up() {
            // A cache that a power loss left half: all of it once more.
            Err(NotaryError::Merkle(MerkleError::Damaged { path })) => {
                tracing::warn!(path = %path.display(), "the Merkle log is built anew from the journal");
                self.log().clear()?;
                self.try_catch_up()
            }
            caught_up => caught_up,
        }
    }

    fn try_catch_up(&self) -> Result<TreeHead, NotaryError> {
        let mut log = self.log();
        let end = self.journal.end();
        while log.size() < end {
            let to = end.min(log.size() + STEP);
            let leaves = (log.size()..to).map(|position| {
                let record = self.journal.read(position)?;
                leaf(record.kind, &record.bytes).map_err(|what| NotaryError::Record { position, what })
            });
            let leaves = leaves.collect::<Result<Vec<_>, NotaryError>>()?;
            log.append(&leaves)?;
        }
        Ok(log.head())
    }

    /// Is everything that was signed in this epoch in the journal still?
    ///
    /// # Errors
    /// [`NotaryError::SetBack`] if it is not.
    pub fn check(&self, epoch: LogEpoch) -> Result<(), NotaryError> {
        let set_back = |signed| NotaryError::SetBack {
            origin: Box::new(self.name.clone().log(epoch)),
            signed,
            here: self.journal.end(),
        };
        if self.own.is_damaged() {
            return Err(set_back(0));
        }
        match self
            .own
            .newest()
            .filter(|newest| newest.origin().epoch() == epoch)
        {
            Some(newest) if !self.contains(newest.head())? => Err(set_back(newest.head().size)),
            _ => Ok(()),
        }
    }

    /// Is the log with this head a beginning of the journal, as far as it is synced?
    pub(crate) fn contains(&self, head: &TreeHead) -> Result<bool, NotaryError> {
        if head.size > self.journal.end() {
            return Ok(false);
        }
        if self.log().size() < head.size {
            self.catch_up()?;
        }
        let at = self.log().head_at(head.size);
        match at {
            Err(MerkleError::Damaged { .. }) => {
                self.log().clear()?;
                self.catch_up()?;
                Ok(self.log().head_at(head.size)? == *head)
            }
            at => Ok(at? == *head),
        }
    }

    /// Signs a checkpoint of all that is synced, unless the last one says it already. It is on disk before
    /// this returns. Tells whether there is a new one.
    ///
    /// # Errors
    /// [`NotaryError::SetBack`]: a new epoch has to be opened, and this called again with that.
    pub fn sign(&mut self, epoch: LogEpoch, key: &SigningKey) -> Result<bool, NotaryError> {
        self.check(epoch)?;
        let head = self.catch_up()?;
        let origin = self.name.clone().log(epoch);
        if let Some(newest) = self.own.newest() {
            if *newest.origin() != origin {
                self.own.retire()?;
            } else if *newest.head() == head {
                return Ok(false);
            }
        }
        if head.size == 0 {
            return Ok(false);
        }
        let signed = Checkpoint::new(origin, head).sign(key)?;
        self.own.keep(signed)?;
        Ok(true)
    }

    /// Begins a new epoch: what was signed in the last one is put aside, for good. `last` is what a
    /// witness showed of it, where that is more than this node knew.
    pub(crate) fn begin_anew(&mut self, last: Option<VerifiedCheckpoint>) -> Result<(), NotaryError> {
        if let Some(last) = last {
            self.own.keep(last)?;
        }
        self.own.retire()
    }
}

/// Knows the keys of nodes by their names: [`key_of`] the credentials there are.
pub(crate) type KeyOf<'a> = dyn Fn(&NodeName) -> Option<VerifyingKey> + 'a;

/// The key of a node, if a certificate names it: in force or not, since what it signed stays signed.
pub fn key_of(credentials: &Credentials, name: &NodeName) -> Option<VerifyingKey> {
    if !name.is_in(credentials.network()) {
        return None;
    }
    let path = name.unit().path();
    let mut nodes = credentials
        .certificates_of(&path)
        .filter(|certified| certified.certificate().kind() == CertificateKind::Node);
    nodes.find_map(|certified| {
        let key = VerifyingKey::from_bytes(certified.certificate().subject().as_bytes()).ok()?;
        name.is_of(&key).then_some(key)
    })
}

fn found(witness: &Witness) -> Result<Vec<Evidence>, WitnessError> {
    let mut found = Vec::new();
    for (origin, _) in witness.logs() {
        for conflict in [Conflict::TwoRoots, Conflict::WentBack, Conflict::NotContinued] {
            found.extend(witness.evidence(origin, conflict)?);
        }
    }
    Ok(found)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> NotaryError {
    let path = path.to_owned();
    move |source| NotaryError::Io { doing, path, source }
}

/// The bytes of a file, at most one more than `max`; `None` if there is none.
fn read(files: &dyn Files, path: &Path, max: usize) -> Result<Option<Vec<u8>>, NotaryError> {
    let file = match files.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed("open", path))?,
    };
    let size = usize::try_from(file.size().map_err(failed("read", path))?).unwrap_or(usize::MAX);
    let mut bytes = vec![0; size.min(max.saturating_add(1))];
    let read = file.read_at(&mut bytes, 0).map_err(failed("read", path))?;
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// Writes the format's line into a new folder, or reads it in one that is there.
fn open_format(files: &dyn Files, dir: &Path, format: &str) -> Result<(), NotaryError> {
    files.create_dir(dir).map_err(failed("make", dir))?;
    let path = dir.join("format");
    match read(files, &path, format.len())? {
        None => {
            crate::files::write_atomically(files, &path, format.as_bytes()).map_err(failed("write", &path))
        }
        Some(bytes) if bytes == format.as_bytes() => Ok(()),
        Some(_) => Err(NotaryError::Format(path)),
    }
}

#[cfg(test)]
mod tests;
