//! A replica in memory: complete, and never durable. For tests and simulations.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::digest::Digests;
use crate::hash::sha256;
use crate::id::{ItemId, NetworkId, StoreEpoch, UpdateId};
use crate::log::{LogId, LogState};
use crate::path::{Path, Scope};
use crate::replica::{
    Blob, BlobKind, LogItem, LogTable, MAX_BLOB, Offer, Position, Record, Summary, Tree, Waiting,
};
use crate::signed::{SignatureVerified, SignedHeader, SignedUpdate};
use crate::update::Header;
use crate::verify::verify_all;

mod read;

/// What the replica asks whoever knows what credentials mean.
#[derive(Clone)]
pub struct Judge {
    /// Is it a credential of this network?
    pub credential: Arc<dyn Fn(&Blob) -> bool + Send + Sync>,
    /// Might the author of this header write there? The flag says whether an item with the id of the
    /// header's certificate is among the credentials here.
    pub certified: Arc<Certified>,
}

/// See [`Judge::certified`].
pub type Certified = dyn Fn(&Header, bool) -> bool + Send + Sync;

impl Judge {
    /// Takes every credential, and every author whose certificate is here.
    pub fn certificate_known() -> Self {
        Self {
            credential: Arc::new(|_| true),
            certified: Arc::new(|_, known| known),
        }
    }

    /// Takes everything.
    pub fn lenient() -> Self {
        Self {
            credential: Arc::new(|_| true),
            certified: Arc::new(|_, _| true),
        }
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all entries are updates")]
enum Entry {
    Update(SignedUpdate),
    /// The evidence itself is in `forks`, at its newest.
    Fork(LogId),
    Blob(BlobKind, Path, ItemId),
}

/// A complete [`Replica`] in memory. What it takes is at once as good as durable.
#[derive(Clone, Debug)]
pub struct MemoryReplica {
    network: NetworkId,
    scope: Scope,
    epoch: StoreEpoch,
    judge: Judge,
    /// Deliveries so far: what the randomness of signature checks is derived from, so that a simulation is
    /// the same each time.
    deliveries: u64,
    entries: Vec<Entry>,
    /// Positions of the entries of each place of each tree, in order.
    places: BTreeMap<(Tree, Path), Vec<u64>>,
    /// Positions of each log's updates, by place.
    updates: BTreeMap<LogId, Vec<u64>>,
    logs: LogTable,
    forks: BTreeMap<LogId, [SignedHeader; 2]>,
    blobs: BTreeMap<(BlobKind, Path, ItemId), Vec<u8>>,
    certificates: BTreeSet<ItemId>,
    erased: BTreeSet<(BlobKind, Path, ItemId)>,
    digests: Digests,
    waiting: Waiting,
}

/// The id under which a [`MemoryReplica`] takes an item with these bytes.
pub fn item_id(bytes: &[u8]) -> ItemId {
    ItemId::from_bytes(*sha256(bytes).as_bytes())
}

enum Outcome {
    Taken,
    Known,
    Waiting,
    Refused,
    Forged,
}

impl MemoryReplica {
    /// An empty replica of a node of `scope`.
    pub fn new(network: NetworkId, scope: Scope, epoch: StoreEpoch, judge: Judge) -> Self {
        Self {
            network,
            scope,
            epoch,
            judge,
            deliveries: 0,
            entries: Vec::new(),
            places: BTreeMap::new(),
            updates: BTreeMap::new(),
            logs: LogTable::new(),
            forks: BTreeMap::new(),
            blobs: BTreeMap::new(),
            certificates: BTreeSet::new(),
            erased: BTreeSet::new(),
            digests: Digests::new(),
            waiting: Waiting::default(),
        }
    }

    /// Begins another life of the store, as after a backup was restored.
    pub fn set_epoch(&mut self, epoch: StoreEpoch) {
        self.epoch = epoch;
    }

    /// What this replica holds.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The states of all logs.
    pub fn log_table(&self) -> &LogTable {
        &self.logs
    }

    /// The evidence of a fork.
    pub fn fork_of(&self, log: &LogId) -> Option<&[SignedHeader; 2]> {
        self.forks.get(log)
    }

    /// Updates that wait for their predecessors.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The updates that count, in the order of acceptance: stored, and before any fork of their log.
    pub fn counted(&self) -> impl Iterator<Item = &SignedUpdate> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Update(update) if self.counts(update) => Some(update),
            _ => None,
        })
    }

    /// Judges records and stores what passes, in order.
    pub fn take(&mut self, records: Vec<Record>) -> Summary {
        let updates = records
            .iter()
            .filter_map(|record| match record {
                Record::Update(update) => Some(update.clone()),
                _ => None,
            })
            .collect();
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(self.epoch.as_bytes());
        seed[16..24].copy_from_slice(&self.deliveries.to_be_bytes());
        self.deliveries += 1;
        let mut verdicts = verify_all(updates, &mut StdRng::from_seed(seed)).into_iter();
        let mut summary = Summary::default();
        for record in records {
            let outcome = match record {
                _ if !record.is_within(&self.scope) => {
                    if matches!(record, Record::Update(_)) {
                        verdicts.next();
                    }
                    Outcome::Refused
                }
                Record::Update(_) => match verdicts.next() {
                    Some(Ok(update)) => self.take_update(update),
                    _ => Outcome::Forged,
                },
                Record::Fork(pair) => self.take_fork(*pair),
                Record::Credential(blob) => self.take_blob(BlobKind::Credential, blob),
                Record::Sealed(blob) => self.take_blob(BlobKind::Sealed, blob),
                Record::Held { .. } => Outcome::Refused,
            };
            let count = match outcome {
                Outcome::Taken => &mut summary.taken,
                Outcome::Known => &mut summary.known,
                Outcome::Waiting => &mut summary.waiting,
                Outcome::Refused => &mut summary.refused,
                Outcome::Forged => &mut summary.forged,
            };
            *count += 1;
        }
        self.digests.settle();
        summary
    }

    /// Destroys an item for good: it leaves the digests and is never taken again.
    pub fn erase(&mut self, kind: BlobKind, path: &Path, id: &ItemId) {
        let key = (kind, path.clone(), *id);
        self.blobs.remove(&key);
        self.erased.insert(key);
        self.digests.blobs_mut(kind).remove(path, id);
        self.digests.settle();
    }

    /// Takes in what this replica's own operators sealed, as the ledger does: digests cover it, and it has no
    /// place in the order of acceptance.
    #[cfg(test)]
    pub(crate) fn seal_beside(&mut self, blob: Blob) {
        self.digests.blobs_mut(BlobKind::Sealed).put(&blob.path, blob.id);
        self.digests.settle();
        self.blobs
            .insert((BlobKind::Sealed, blob.path, blob.id), blob.bytes);
    }

    fn counts(&self, update: &SignedUpdate) -> bool {
        let state = self.logs.state(&update.header().log());
        state.is_some_and(|state| update.header().seq() <= state.counted())
    }

    fn certified(&self, header: &Header) -> bool {
        let certificate = ItemId::from_bytes(*header.certificate().as_bytes());
        (self.judge.certified)(header, self.certificates.contains(&certificate))
    }

    fn stored(&self, log: &LogId, seq: u64) -> Option<&SignedUpdate> {
        let at = usize::try_from(seq.checked_sub(1)?).ok()?;
        let position = *self.updates.get(log)?.get(at)?;
        match &self.entries[usize::try_from(position).ok()?] {
            Entry::Update(update) => Some(update),
            _ => None,
        }
    }

    fn stored_id(&self, log: &LogId, seq: u64) -> Result<Option<UpdateId>, Infallible> {
        Ok(self.stored(log, seq).map(SignedUpdate::id))
    }

    fn take_update(&mut self, update: SignatureVerified<SignedUpdate>) -> Outcome {
        let header = update.get().header();
        if header.network() != self.network {
            return Outcome::Forged;
        }
        if !self.certified(header) {
            return Outcome::Refused;
        }
        let log = header.log();
        let Ok(offer) = self
            .logs
            .offer(update.get().signed_header(), |seq| self.stored_id(&log, seq));
        match offer {
            Offer::Next => {
                self.store(update.into_inner());
                self.take_waiting(&log);
                Outcome::Taken
            }
            Offer::Known => Outcome::Known,
            Offer::Gap { have } => match self.waiting.keep(update, have) {
                true => Outcome::Waiting,
                false => Outcome::Refused,
            },
            Offer::Fork { seq, first, second } => {
                let signed = update.into_inner().signed_header().clone();
                self.store_fork(log, seq, [first, second], vec![signed]);
                Outcome::Taken
            }
            Offer::PastFork { .. } | Offer::Detached { .. } => Outcome::Refused,
        }
    }

    fn take_waiting(&mut self, log: &LogId) {
        while let Some(LogState::Whole(head)) = self.logs.state(log)
            && let Some(update) = self.waiting.take(log, head.seq + 1)
        {
            self.take_update(update);
        }
    }

    fn take_fork(&mut self, pair: [SignedHeader; 2]) -> Outcome {
        if pair.iter().any(|signed| signed.clone().verify().is_err())
            || pair
                .iter()
                .any(|signed| signed.header().network() != self.network)
        {
            return Outcome::Forged;
        }
        if !pair.iter().all(|signed| self.certified(signed.header())) {
            return Outcome::Refused;
        }
        let log = pair[0].header().log();
        let Ok(offer) = self.logs.offer_fork(&pair, |seq| self.stored_id(&log, seq));
        match offer {
            Offer::Fork { seq, first, second } => {
                self.store_fork(log, seq, [first, second], pair.into());
                Outcome::Taken
            }
            Offer::Known => Outcome::Known,
            Offer::Next | Offer::Gap { .. } | Offer::PastFork { .. } | Offer::Detached { .. } => {
                Outcome::Refused
            }
        }
    }

    fn store(&mut self, update: SignedUpdate) {
        let log = update.header().log();
        let state = self.logs.advance(update.signed_header());
        let tree = Tree::of_logs(log.space.reach);
        let position = self.push(tree, log.space.unit.clone(), Entry::Update(update));
        self.set_state(&log, state);
        self.updates.entry(log).or_default().push(position);
    }

    fn store_fork(&mut self, log: LogId, seq: u64, ids: [UpdateId; 2], offered: Vec<SignedHeader>) {
        let candidates: Vec<_> = offered
            .into_iter()
            .chain(
                self.stored(&log, seq)
                    .map(|update| update.signed_header().clone()),
            )
            .chain(self.forks.get(&log).into_iter().flatten().cloned())
            .collect();
        let find = |id| candidates.iter().find(|signed| signed.id() == id).cloned();
        let (Some(first), Some(second)) = (find(ids[0]), find(ids[1])) else {
            return;
        };
        self.forks.insert(log.clone(), [first, second]);
        self.waiting.forget(&log, seq..=u64::MAX);
        let state = self.logs.fork(log.clone(), seq, ids[0], ids[1]);
        self.set_state(&log, state);
        let tree = Tree::of_logs(log.space.reach);
        self.push(tree, log.space.unit.clone(), Entry::Fork(log));
    }

    fn set_state(&mut self, log: &LogId, state: LogState) {
        let item = LogItem {
            author: log.author,
            epoch: log.epoch,
            state,
        };
        self.digests.logs_mut(log.space.reach).put(&log.space.unit, item);
    }

    fn take_blob(&mut self, kind: BlobKind, blob: Blob) -> Outcome {
        if blob.bytes.len() > MAX_BLOB || item_id(&blob.bytes) != blob.id {
            return Outcome::Forged;
        }
        let key = (kind, blob.path.clone(), blob.id);
        if self.blobs.contains_key(&key) {
            return Outcome::Known;
        }
        if self.erased.contains(&key) || (kind == BlobKind::Credential && !(self.judge.credential)(&blob)) {
            return Outcome::Refused;
        }
        if kind == BlobKind::Credential {
            self.certificates.insert(blob.id);
        }
        self.digests.blobs_mut(kind).put(&blob.path, blob.id);
        let entry = Entry::Blob(kind, blob.path.clone(), blob.id);
        self.push(Tree::of_blobs(kind), blob.path, entry);
        self.blobs.insert(key, blob.bytes);
        Outcome::Taken
    }

    fn push(&mut self, tree: Tree, path: Path, entry: Entry) -> u64 {
        let position = self.entries.len() as u64;
        self.entries.push(entry);
        self.places.entry((tree, path)).or_default().push(position);
        position
    }

    fn position(&self) -> Position {
        Position::new(self.entries.len() as u64)
    }
}

#[cfg(test)]
mod tests;
