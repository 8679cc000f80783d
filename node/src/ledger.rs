//! The ledger: what this node has accepted, in order, and what the documents come to.
//!
//! Everything that enters, from an operator or from a peer, enters by [`Ledger::take`] or
//! [`Ledger::record`], through the same checks, and is written to the journal first. The case store, the
//! digests and the open documents follow from the journal and can be rebuilt from it.
//!
//! A ledger is a plain structure for one thread at a time; whoever shares it puts it behind a lock, and
//! waits for the [`Durable`] that a change returns after letting the lock go.

mod admission;
mod bracket;
mod carried;
mod cases;
mod commit;
mod document_state;
mod fork;
mod incoming;
pub mod index;
mod open;
mod order;
mod projection;
mod query;
mod replica;
mod sealed;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use anjuan_sync::digest::Digests;
use anjuan_sync::replica::{LogTable, Waiting};
use anjuan_sync::{LogEpoch, NetworkId, Scope, SignedUpdate, Space};
use lru::LruCache;
use minicbor::{Decode, Encode};

use self::bracket::Brackets;
pub use self::carried::Journalled;
pub(crate) use self::carried::{Replayed, replay};
use self::cases::Cases;
pub use self::commit::{Draft, RecordError, Recorded};
use self::document_state::DocumentState;
pub(crate) use self::fork::read_fork;
pub(crate) use self::incoming::processors;
pub use self::incoming::{Checked, Outcome, Taken, check, check_on};
pub use self::index::{DocumentKey, Held, Standing};
pub use self::open::{OpenReport, Opening};
use self::order::Order;
pub use self::query::{Merged, Told};
pub use self::verify::{Fault, Verification, Verifier};
use crate::authority::credentials::Credentials;
use crate::epoch::{self, Epochs};
use crate::journal::{AppendError, Journal, Kind, OpenError, ReadError, Stopped, Ticket};
use crate::kind::Projection;
use crate::particulars::{Keystore, KeystoreError};
use crate::store::StoreError;

/// Documents kept open at a time: about as many as a city has cases open at once, so that catching up on a
/// year in the order of acceptance does not open and close each with every update. One takes some 35 KB.
const OPEN_DOCUMENTS: NonZeroUsize = NonZeroUsize::new(1_600).expect("not zero");
/// Projections kept at a time. One takes some 10 KB.
const PROJECTIONS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// What kind of thing a frame of the journal holds. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// A certificate or a revocation.
    Credential = 1,
    /// A signed update.
    Update = 2,
    /// Two signed headers for one place of a log.
    Fork = 3,
    /// Something refused, kept as evidence.
    Evidence = 4,
}

impl FrameKind {
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        [Self::Credential, Self::Update, Self::Fork, Self::Evidence]
            .into_iter()
            .find(|known| Kind::from(*known) == kind)
    }
}

impl From<FrameKind> for Kind {
    fn from(kind: FrameKind) -> Self {
        Self::new(kind as u8)
    }
}

/// Why the ledger can't do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The journal can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The journal does not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The journal has stopped: nothing is acknowledged until it resumes.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The case store can't be written or read. One that is damaged is opened anew by the next call.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record of the case store is not what it should be; the store is rebuilt at the next start.
    #[error("a record of the case store cannot be read: {0}")]
    Index(String),
    /// The keystore can't be written or read.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// A frame of the journal is not what the index says it is.
    #[error("journal position {position}: {what}")]
    Frame {
        /// The position.
        position: u64,
        /// What is wrong.
        what: String,
    },
    /// A document and its index do not fit together.
    #[error("document {} in {}: {what}", document.id, document.space)]
    Document {
        /// The document.
        document: DocumentKey,
        /// What is wrong.
        what: String,
    },
    /// The epoch marker can't be written.
    #[error(transparent)]
    Epoch(#[from] crate::epoch::EpochError),
}

/// What a change to the ledger returns: it is acknowledged once this has been waited for.
#[derive(Debug)]
#[must_use = "nothing is acknowledged before it is durable"]
pub struct Durable(Option<Ticket>);

impl Durable {
    /// Waits until everything up to the change is synced to disk.
    pub fn wait(self) -> Result<(), LedgerError> {
        match self.0 {
            Some(ticket) => ticket.wait().map(drop).map_err(LedgerError::from),
            None => Ok(()),
        }
    }

    /// As [`Self::wait`], in a task.
    pub async fn settled(self) -> Result<(), LedgerError> {
        match self.0 {
            Some(ticket) => ticket.await.map(drop).map_err(LedgerError::from),
            None => Ok(()),
        }
    }
}

/// What one node has accepted.
#[derive(Debug)]
pub struct Ledger {
    home: PathBuf,
    network: NetworkId,
    scope: Scope,
    epochs: Epochs,
    /// Shared with whoever judges by them as they were at a moment.
    credentials: Arc<Credentials>,
    logs: LogTable,
    digests: Digests,
    order: Order,
    journal: Arc<Journal>,
    /// The position that the next frame gets; those not synced yet are before it, too.
    next: u64,
    cases: Cases,
    /// As in [`Opening`].
    cache_bytes: Option<u64>,
    keystore: Keystore,
    documents: LruCache<DocumentKey, DocumentState>,
    /// What documents come to, for those asked about since they last changed.
    projections: LruCache<DocumentKey, Arc<Projection>>,
    waiting: Waiting,
    /// Updates appended but perhaps not synced yet: the journal reads back durable frames only.
    recent: BTreeMap<u64, SignedUpdate>,
    counts: Counts,
    /// Something in memory was not taken by the journal.
    is_ahead: bool,
    brackets: Brackets,
    /// A log of this epoch came from a peer with more in it than this store has: the store is old.
    epoch_is_old: bool,
}

/// Figures kept up as things are taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Counts {
    /// Updates stored.
    #[n(0)]
    pub updates: u64,
    /// Pieces of evidence kept.
    #[n(1)]
    pub evidence: u64,
    /// Bytes of evidence kept.
    #[n(2)]
    pub evidence_bytes: u64,
}

impl Ledger {
    /// The network.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// What this node holds.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Where digests have changed since this was last asked: sessions that share one of these spaces have
    /// something to look at.
    pub fn take_changed(&mut self) -> BTreeSet<Space> {
        self.digests.take_changed()
    }

    /// All certificates and revocations known; a clone of it is what they are now.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Sealed particulars.
    pub fn keystore(&self) -> &Keystore {
        &self.keystore
    }

    /// The logs.
    pub fn logs(&self) -> &LogTable {
        &self.logs
    }

    /// The epochs of this store.
    pub fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// Figures.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Updates that wait for their predecessor in the log.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Waits for everything taken in so far.
    pub fn barrier(&self) -> Result<Durable, LedgerError> {
        let pending = self.next > self.journal.end();
        Ok(Durable(if pending {
            Some(self.journal.append(&[])?)
        } else {
            None
        }))
    }

    /// Frames taken in that are not synced to disk yet.
    pub fn unsynced(&self) -> u64 {
        self.next.saturating_sub(self.journal.end())
    }

    /// How many frames of the journal are durable.
    pub fn journal_end(&self) -> u64 {
        self.journal.end()
    }

    /// Has the case store fail.
    #[cfg(test)]
    pub(crate) fn fail_store(&self) {
        self.cases.fail();
    }

    /// The journal, to be read beside the ledger.
    pub fn journal(&self) -> Arc<Journal> {
        Arc::clone(&self.journal)
    }

    /// Opens a new epoch: this store contradicts what was signed or sent in the one so far.
    pub fn begin_epoch(&mut self, fresh: LogEpoch) -> Result<(), LedgerError> {
        self.epochs = epoch::renew(&self.home, &self.epochs, fresh)?;
        self.epoch_is_old = false;
        Ok(())
    }

    /// Why nothing is acknowledged at present.
    pub fn stopped(&self) -> Option<Stopped> {
        self.journal.stopped()
    }
}

impl Drop for Ledger {
    /// Writes the case store, so that the next start has nothing to take in again.
    fn drop(&mut self) {
        if self.is_ahead || !self.cases.is_kept() || std::thread::panicking() {
            return;
        }
        if let Err(error) = self.flush() {
            tracing::warn!(%error, "the case store is not level with the journal; it is at the next start");
        }
    }
}
