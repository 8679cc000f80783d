//! What a sync session reads of the ledger: all that was taken in, durable or not. Who reads tells nobody
//! before it is: were it lost after a peer got it, its author would write its place anew.

use anjuan_sync::id::ItemId;
use anjuan_sync::replica::{
    Blob, BlobKind, Branch, LogItem, Page, Position, Record, Replica, ReplicaError, Status, Tree,
};
use anjuan_sync::{Digest, LogId, LogState, Path, Reach, Scope, SignedUpdate, StoreEpoch, UpdateId};

use super::fork::read_fork;
use super::index::{LogEntry, Table, log_key, run_key};
use super::{FrameKind, Ledger, LedgerError};
use crate::journal::Journal;

/// The update in the durable frame at `position`.
pub(super) fn read_update(journal: &Journal, position: u64) -> Result<SignedUpdate, LedgerError> {
    let frame = journal.read(position)?;
    let broken = |what: String| LedgerError::Frame { position, what };
    if FrameKind::of(frame.kind) != Some(FrameKind::Update) {
        return Err(broken("an update was expected here".into()));
    }
    SignedUpdate::read_back(&frame.bytes).map_err(|error| broken(error.to_string()))
}

impl From<LedgerError> for ReplicaError {
    fn from(error: LedgerError) -> Self {
        Self(error.to_string())
    }
}

impl Ledger {
    pub(super) fn log_entry(&self, log: &LogId, seq: u64) -> Result<Option<LogEntry>, LedgerError> {
        Ok(self.log_run(log, seq)?.into_iter().next())
    }

    /// The entry of a place of a log, and those after it as far as they stand in one record.
    fn log_run(&self, log: &LogId, seq: u64) -> Result<Vec<LogEntry>, LedgerError> {
        let (key, before) = run_key(log, seq);
        let run = self.cases.get(Table::Run, &key)?.unwrap_or_default();
        Ok(LogEntry::read_run(run.get(before..).unwrap_or_default()).collect())
    }

    /// The update in the frame at `position`.
    pub(super) fn update_at(&self, position: u64) -> Result<SignedUpdate, LedgerError> {
        if let Some(update) = self.recent.get(&position) {
            return Ok(update.clone());
        }
        read_update(&self.journal, position)
    }

    /// What stands at or after a fork is served as the fork's evidence only.
    fn counted(&self, update: SignedUpdate) -> Option<Record> {
        let header = update.header();
        let counted = self.logs.state(&header.log()).map_or(0, LogState::counted);
        (header.seq() <= counted).then_some(Record::Update(update))
    }

    fn record_at(&self, position: u64) -> Result<Option<Record>, LedgerError> {
        if let Some(update) = self.recent.get(&position) {
            return Ok(self.counted(update.clone()));
        }
        let frame = self.journal.read(position)?;
        let broken = |what: String| LedgerError::Frame { position, what };
        Ok(match FrameKind::of(frame.kind) {
            Some(FrameKind::Update) => {
                let update =
                    SignedUpdate::read_back(&frame.bytes).map_err(|error| broken(error.to_string()))?;
                self.counted(update)
            }
            Some(FrameKind::Fork) => Some(Record::Fork(Box::new(read_fork(&frame.bytes).map_err(broken)?))),
            Some(FrameKind::Credential) => {
                let Some((id, path)) = self.credentials.describe(&frame.bytes) else {
                    return Err(broken("a credential was expected here".into()));
                };
                let id = ItemId::from_bytes(*id.as_bytes());
                Some(Record::Credential(Blob {
                    path,
                    id,
                    bytes: frame.bytes,
                }))
            }
            Some(FrameKind::Evidence) | None => None,
        })
    }
}

impl Replica for Ledger {
    fn epoch(&self) -> StoreEpoch {
        // A store that opens a new epoch may have been set back: cursors into its former order are void.
        StoreEpoch::from_bytes(*self.epochs.current.as_bytes())
    }

    fn status(&self, scope: &Scope) -> Result<Status, ReplicaError> {
        Ok(Status {
            // Evidence does not move it: what somebody forged is no news for others.
            position: Position::new(self.order.end()),
            roots: self.digests.roots(scope),
        })
    }

    fn branch(&self, tree: Tree, path: &Path) -> Result<Branch, ReplicaError> {
        Ok(self.digests.branch(tree, path))
    }

    fn logs(&self, reach: Reach, path: &Path) -> Result<Vec<LogItem>, ReplicaError> {
        Ok(self.digests.logs(reach).items(path).to_vec())
    }

    fn ids(&self, kind: BlobKind, path: &Path) -> Result<Vec<ItemId>, ReplicaError> {
        Ok(self.digests.blobs(kind).items(path).to_vec())
    }

    fn log_state(&self, log: &LogId) -> Result<Option<LogState>, ReplicaError> {
        Ok(self.logs.state(log).copied())
    }

    fn update_at(&self, log: &LogId, seq: u64) -> Result<Option<UpdateId>, ReplicaError> {
        Ok(self.log_entry(log, seq)?.map(|entry| entry.id))
    }

    fn wants(&self, kind: BlobKind, path: &Path, id: &ItemId) -> Result<bool, ReplicaError> {
        Ok(match kind {
            BlobKind::Credential => self
                .credentials
                .item(&Digest::from_bytes(*id.as_bytes()))
                .is_none(),
            BlobKind::Sealed => {
                self.scope.holds(&anjuan_sync::Space::up(path.clone()))
                    && !self.keystore.contains(sealed_id(id))
            }
        })
    }

    fn since(&self, scope: &Scope, after: Position, limit: usize) -> Result<Page, ReplicaError> {
        let end = self.order.end();
        let (positions, count) = self.order.since(scope, after.count(), end);
        let mut page = Page {
            records: Vec::new(),
            next: Position::new(end),
            remaining: 0,
        };
        let mut bytes = 0;
        for (read, position) in positions.enumerate() {
            if bytes >= limit && !page.records.is_empty() {
                page.next = Position::new(position);
                page.remaining = count - read as u64;
                break;
            }
            if position >= self.journal.end() && !self.recent.contains_key(&position) {
                // It is no update, and not in the journal yet: for the next page, which is asked for later.
                page.next = Position::new(position);
                break;
            }
            if let Some(record) = self.record_at(position)? {
                bytes += record.size();
                page.records.push(record);
            }
        }
        Ok(page)
    }

    fn log_range(&self, log: &LogId, from: u64, to: u64, limit: usize) -> Result<Vec<Record>, ReplicaError> {
        let Some(state) = self.logs.state(log) else {
            return Ok(Vec::new());
        };
        let mut records = Vec::new();
        let mut bytes = 0;
        let (mut seq, last) = (from.max(1), to.min(state.counted()));
        while seq <= last {
            let run = self.log_run(log, seq)?;
            if run.is_empty() {
                return Err(ReplicaError(format!(
                    "place {seq} of a log in {} is not in the index",
                    log.space
                )));
            }
            let left = usize::try_from(last - seq + 1).unwrap_or(usize::MAX);
            for entry in run.into_iter().take(left) {
                let record = Record::Update(Ledger::update_at(self, entry.position)?);
                bytes += record.size();
                records.push(record);
                if bytes >= limit {
                    return Ok(records);
                }
                seq += 1;
            }
        }
        if let LogState::Forked { seq, .. } = state
            && *seq <= to
            && let Some(pair) = self.cases.get(Table::Fork, &log_key(log))?
        {
            records.push(Record::Fork(Box::new(read_fork(&pair).map_err(ReplicaError)?)));
        }
        Ok(records)
    }

    fn blob(&self, kind: BlobKind, path: &Path, id: &ItemId) -> Result<Option<Vec<u8>>, ReplicaError> {
        // The path decides whether the peer may have it, so it has to be the item's own.
        if self.digests.blobs(kind).items(path).binary_search(id).is_err() {
            return Ok(None);
        }
        Ok(match kind {
            BlobKind::Credential => self.credentials.item(&Digest::from_bytes(*id.as_bytes())),
            BlobKind::Sealed => self.keystore.get(sealed_id(id)).map_err(LedgerError::from)?,
        })
    }
}

fn sealed_id(id: &ItemId) -> crate::particulars::ItemId {
    crate::particulars::ItemId::from_bytes(*id.as_bytes())
}
