//! What the keystore knows without reading files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use anjuan_sync::{AuthorKey, DocumentId, Path};

use super::tombstone::Erasure;
use super::{MAX_BODIES, MAX_WRAPS};
use crate::particulars::item::{ItemContent, Recipient, SealedItem};
use crate::particulars::name::{ItemId, Subject};

/// What a bound is on: one maker's bodies, or wraps, in one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Bucket {
    document: DocumentId,
    maker: AuthorKey,
    bodies: bool,
}

impl Bucket {
    pub(super) fn of(item: &SealedItem) -> Self {
        Self {
            document: item.subject().document,
            maker: item.maker(),
            bodies: matches!(item.content(), ItemContent::Body { .. }),
        }
    }

    fn most(&self) -> usize {
        if self.bodies { MAX_BODIES } else { MAX_WRAPS }
    }
}

#[derive(Debug)]
struct Entry {
    subject: Arc<Subject>,
    maker: AuthorKey,
    /// Whom a wrap is for; none for a body.
    recipient: Option<Recipient>,
}

/// Items by id, place, subject and bucket; erased subjects.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: HashMap<ItemId, Entry>,
    by_path: BTreeMap<Path, BTreeSet<ItemId>>,
    by_subject: BTreeMap<Arc<Subject>, BTreeSet<ItemId>>,
    by_bucket: BTreeMap<Bucket, BTreeSet<ItemId>>,
    /// By the digest of the subject. No erasure where the tombstone could not be read: erased all the same.
    erased: BTreeMap<[u8; 32], Option<Erasure>>,
}

impl Index {
    pub(super) fn insert(&mut self, item: &SealedItem) {
        let id = item.id();
        if self.entries.contains_key(&id) {
            return;
        }
        let subject = match self.by_subject.get_key_value(item.subject()) {
            Some((known, _)) => known.clone(),
            None => Arc::new(item.subject().clone()),
        };
        let recipient = match item.content() {
            ItemContent::Body { .. } => None,
            ItemContent::Wrap { recipient, .. } => Some(*recipient),
        };
        self.by_path
            .entry(subject.space.unit.clone())
            .or_default()
            .insert(id);
        self.by_subject.entry(subject.clone()).or_default().insert(id);
        self.by_bucket.entry(Bucket::of(item)).or_default().insert(id);
        let maker = item.maker();
        self.entries.insert(
            id,
            Entry {
                subject,
                maker,
                recipient,
            },
        );
    }

    pub(super) fn remove(&mut self, id: ItemId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        let bucket = Bucket {
            document: entry.subject.document,
            maker: entry.maker,
            bodies: entry.recipient.is_none(),
        };
        take_out(&mut self.by_path, &entry.subject.space.unit, id);
        take_out(&mut self.by_subject, &entry.subject, id);
        take_out(&mut self.by_bucket, &bucket, id);
    }

    pub(super) fn contains(&self, id: ItemId) -> bool {
        self.entries.contains_key(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.by_path.keys()
    }

    pub(super) fn ids(&self, path: &Path) -> impl Iterator<Item = ItemId> {
        self.by_path.get(path).into_iter().flatten().copied()
    }

    /// Bodies and wraps of a subject.
    pub(super) fn all(&self, subject: &Subject) -> impl Iterator<Item = ItemId> {
        self.by_subject.get(subject).into_iter().flatten().copied()
    }

    pub(super) fn bodies(&self, subject: &Subject) -> impl Iterator<Item = ItemId> {
        self.all(subject).filter(|id| self.recipient(*id).is_none())
    }

    pub(super) fn wraps(&self, subject: &Subject) -> impl Iterator<Item = (ItemId, Recipient)> {
        self.all(subject).filter_map(|id| Some((id, self.recipient(id)?)))
    }

    fn recipient(&self, id: ItemId) -> Option<Recipient> {
        self.entries.get(&id).and_then(|entry| entry.recipient)
    }

    pub(super) fn count(&self, bucket: &Bucket) -> usize {
        self.by_bucket.get(bucket).map_or(0, BTreeSet::len)
    }

    /// Would an item with this id be beyond the bound of its bucket?
    pub(super) fn is_beyond(&self, bucket: &Bucket, id: ItemId) -> bool {
        let last_kept = self
            .by_bucket
            .get(bucket)
            .and_then(|ids| ids.iter().nth(bucket.most() - 1));
        last_kept.is_some_and(|last| *last < id)
    }

    /// Items beyond the bound of a bucket.
    pub(super) fn beyond(&self, bucket: &Bucket) -> Vec<ItemId> {
        let ids = self.by_bucket.get(bucket).into_iter().flatten();
        ids.skip(bucket.most()).copied().collect()
    }

    pub(super) fn erase(&mut self, subject: [u8; 32], erasure: Option<Erasure>) {
        let known = self.erased.entry(subject).or_insert(erasure);
        *known = known.or(erasure);
    }

    pub(super) fn lift(&mut self, subject: &[u8; 32]) {
        self.erased.remove(subject);
    }

    pub(super) fn is_erased(&self, subject: &Subject) -> bool {
        // Most keystores have few erasures; spare them the hash.
        !self.erased.is_empty() && self.erased.contains_key(&subject.digest())
    }

    pub(super) fn erasure(&self, subject: &Subject) -> Option<Erasure> {
        self.erased.get(&subject.digest()).copied().flatten()
    }
}

fn take_out<K: Ord + Clone>(map: &mut BTreeMap<K, BTreeSet<ItemId>>, key: &K, id: ItemId) {
    if let Some(ids) = map.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}
