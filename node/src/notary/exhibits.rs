//! What an auditor is shown of a node's log.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Notary, NotaryError, lock};
use crate::evidence::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use crate::evidence::merkle::MerkleLog;
use crate::evidence::name::NodeName;
use crate::evidence::witness::Evidence;
use crate::journal::{Journal, ReadError, Record};

/// What was signed in an epoch that has ended.
#[derive(Clone, Debug)]
pub struct Former {
    /// The last checkpoint.
    pub last: VerifiedCheckpoint,
    /// The last one that a witness cosigned.
    pub cosigned: Option<VerifiedCheckpoint>,
    /// Does the journal contain all that was signed? If not, the store was set back.
    pub is_contained: bool,
}

/// A node's journal with all that proves it, as it is at one moment. Reading it holds nobody up.
#[derive(Clone, Debug)]
pub struct Exhibits {
    /// The node.
    pub name: NodeName,
    /// The newest checkpoint of this epoch; it covers the records before its size.
    pub newest: Option<VerifiedCheckpoint>,
    /// The newest one that a witness cosigned, with the lines of all that did. The cosignatures were
    /// checked when they came.
    pub cosigned: Option<VerifiedCheckpoint>,
    /// Those cosigned before, of all epochs, oldest first, about an hour apart.
    pub history: Vec<VerifiedCheckpoint>,
    /// Epochs that have ended.
    pub former: Vec<Former>,
    /// What this node cosigned last of each log of others, with their signature and its own.
    pub witnessed: Vec<SignedCheckpoint>,
    /// Checkpoints of others that don't go together, as this node saw them, or was told.
    pub conflicts: Vec<Evidence>,
    journal: Arc<Journal>,
    log: Arc<Mutex<MerkleLog>>,
}

impl Exhibits {
    /// The records of the journal at these positions; those not synced are left out.
    pub fn frames(&self, range: Range<u64>) -> impl Iterator<Item = Result<Record, ReadError>> + '_ {
        range.map_while(|position| match self.journal.read(position) {
            Err(ReadError::BeyondEnd { .. }) => None,
            record => Some(record),
        })
    }

    /// The Merkle log, to prove with. It has the leaves of all records that the newest checkpoint covers,
    /// and perhaps later ones. Not to be held for long: it is what the next checkpoint is made from.
    pub fn log(&self) -> MutexGuard<'_, MerkleLog> {
        lock(&self.log)
    }
}

impl Notary {
    /// Everything there is to show, as far as it was signed: call [`Notary::sign`] before.
    pub fn exhibits(&self) -> Result<Exhibits, NotaryError> {
        self.catch_up()?;
        let former = self.own.former().iter().map(|(last, cosigned)| {
            Ok(Former {
                is_contained: self.contains(last.head())?,
                last: last.clone(),
                cosigned: cosigned.clone(),
            })
        });
        Ok(Exhibits {
            name: self.name.clone(),
            newest: self.own.newest().cloned(),
            cosigned: self.own.cosigned().cloned(),
            history: self.own.history(&self.public)?,
            former: former.collect::<Result<_, NotaryError>>()?,
            witnessed: self
                .witness
                .logs()
                .map(|(_, kept)| kept.checkpoint().clone())
                .collect(),
            conflicts: self.conflicts().cloned().collect(),
            journal: Arc::clone(&self.journal),
            log: Arc::clone(&self.log),
        })
    }
}
