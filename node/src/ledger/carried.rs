//! What leaves the ledger for an audit, and how a document is judged that came back from one.

use std::sync::Arc;

use super::document_state::DocumentState;
use super::index::{DocumentKey, Held};
use super::projection::history;
use super::{Ledger, LedgerError};
use crate::authority::credentials::Credentials;
use crate::journal::Journal;
use crate::kind::{self, History, Projection};

/// The journal as it stood at one moment: read without holding up the ledger.
#[derive(Clone, Debug)]
pub struct Journalled {
    journal: Arc<Journal>,
    end: u64,
}

impl Journalled {
    /// How many records there are.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Kind and bytes of the record at `position`.
    ///
    /// # Errors
    /// When it cannot be read, or was lost to damage.
    pub fn record(&self, position: u64) -> Result<(u8, Vec<u8>), LedgerError> {
        let record = self.journal.read(position)?;
        Ok((record.kind.number(), record.bytes))
    }
}

impl Ledger {
    /// Everything that is durable now. Waits for the disk.
    pub fn journalled(&self) -> Result<Journalled, LedgerError> {
        self.barrier()?.wait()?;
        Ok(Journalled {
            journal: Arc::clone(&self.journal),
            end: self.journal.end(),
        })
    }
}

/// A document built from its updates alone.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// Its kind; none if its creating change is not among them.
    pub(crate) kind: Option<String>,
    /// Every update, with where it stands, as they were given.
    pub(crate) updates: Vec<Held>,
    /// The applied ones, in canonical order.
    pub(crate) history: History,
    /// What they come to, if the kind is known.
    pub(crate) projection: Option<Projection>,
}

/// Judges and folds a document from its updates, given with their payloads in the order of acceptance, by
/// the rules by which a ledger does. `forked` tells what stands at or after the fork of its log.
pub(crate) fn replay(
    key: DocumentKey,
    updates: Vec<(Held, Box<[u8]>)>,
    forked: impl Fn(&Held) -> bool,
    credentials: &Credentials,
) -> Result<Replayed, LedgerError> {
    let state = DocumentState::rebuilt(key, updates, forked)?;
    let history = history(&state, credentials)?;
    let kind = state.record.kind.as_deref().and_then(kind::kind);
    Ok(Replayed {
        projection: kind.map(|kind| kind.fold(&history)),
        history,
        kind: state.record.kind.clone(),
        updates: state.record.updates,
    })
}
