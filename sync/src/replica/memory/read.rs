//! Reading a replica in memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Entry, MemoryReplica};
use crate::id::{ItemId, StoreEpoch, UpdateId};
use crate::log::{LogId, LogState};
use crate::path::{Path, Reach, Scope};
use crate::replica::{
    Blob, BlobKind, Branch, LogItem, Page, Position, Record, Replica, ReplicaError, Status, Tree,
};
use crate::signed::SignedUpdate;

impl MemoryReplica {
    /// The positions of each place within a scope, from `after` on.
    fn places_within<'a>(&'a self, scope: &'a Scope, after: Position) -> impl Iterator<Item = &'a [u64]> {
        let unit = scope.unit();
        Tree::ALL
            .into_iter()
            .flat_map(move |tree| {
                // Paths sort as texts, so what is below a unit stands within what begins like it.
                let below = self
                    .places
                    .range((tree, unit.clone())..)
                    .take_while(move |((of, path), _)| {
                        *of == tree && path.as_str().starts_with(unit.as_str())
                    })
                    .filter(|((_, path), _)| unit.is_at_or_above(path))
                    .map(|(_, positions)| positions);
                let above = unit
                    .ancestors()
                    .filter(move |_| tree.reach() == Reach::Down)
                    .filter_map(move |path| self.places.get(&(tree, path)));
                below.chain(above)
            })
            .map(move |positions| &positions[positions.partition_point(|&at| at < after.count())..])
            .filter(|positions| !positions.is_empty())
    }

    fn record_at(&self, position: u64) -> Option<Record> {
        match self.entries.get(usize::try_from(position).ok()?)? {
            Entry::Update(update) => self.counts(update).then(|| Record::Update(update.clone())),
            Entry::Fork(log) => Some(Record::Fork(Box::new(self.forks.get(log)?.clone()))),
            Entry::Blob(kind, path, id) => {
                let bytes = self.blobs.get(&(*kind, path.clone(), *id))?;
                Some(match kind {
                    BlobKind::Sealed => Record::Held {
                        path: path.clone(),
                        id: *id,
                    },
                    BlobKind::Credential => Record::Credential(Blob {
                        path: path.clone(),
                        id: *id,
                        bytes: bytes.clone(),
                    }),
                })
            }
        }
    }
}

impl Replica for MemoryReplica {
    fn epoch(&self) -> StoreEpoch {
        self.epoch
    }

    fn status(&self, scope: &Scope) -> Result<Status, ReplicaError> {
        Ok(Status {
            position: self.position(),
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
        Ok(self.stored(log, seq).map(SignedUpdate::id))
    }

    fn wants(&self, kind: BlobKind, path: &Path, id: &ItemId) -> Result<bool, ReplicaError> {
        let key = (kind, path.clone(), *id);
        let held_here = Tree::of_blobs(kind).is_held(&self.scope, path);
        Ok(held_here && !self.blobs.contains_key(&key) && !self.erased.contains(&key))
    }

    fn since(&self, scope: &Scope, after: Position, limit: usize) -> Result<Page, ReplicaError> {
        let mut places: Vec<_> = self.places_within(scope, after).collect();
        let mut remaining: u64 = places.iter().map(|positions| positions.len() as u64).sum();
        let mut heap: BinaryHeap<_> = places
            .iter()
            .enumerate()
            .map(|(place, positions)| Reverse((positions[0], place)))
            .collect();
        let mut page = Page {
            records: Vec::new(),
            next: self.position(),
            remaining: 0,
        };
        let mut bytes = 0;
        while let Some(Reverse((position, place))) = heap.pop() {
            if let Some(record) = self.record_at(position) {
                let size = record.size();
                if bytes + size > limit && !page.records.is_empty() {
                    page.next = Position::new(position);
                    page.remaining = remaining;
                    break;
                }
                bytes += size;
                page.records.push(record);
            }
            remaining -= 1;
            places[place] = &places[place][1..];
            if let Some(&next) = places[place].first() {
                heap.push(Reverse((next, place)));
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
        for seq in from..=to.min(state.counted()) {
            let Some(update) = self.stored(log, seq) else {
                break;
            };
            let record = Record::Update(update.clone());
            bytes += record.size();
            if bytes > limit && !records.is_empty() {
                return Ok(records);
            }
            records.push(record);
        }
        if let LogState::Forked { seq, .. } = state
            && *seq <= to
            && let Some(pair) = self.forks.get(log)
        {
            records.push(Record::Fork(Box::new(pair.clone())));
        }
        Ok(records)
    }

    fn blob(&self, kind: BlobKind, path: &Path, id: &ItemId) -> Result<Option<Vec<u8>>, ReplicaError> {
        Ok(self.blobs.get(&(kind, path.clone(), *id)).cloned())
    }
}
