//! Digests along the tree of paths, kept up as items change.
//!
//! The administrative tree is the Merkle tree: two replicas that differ in one village find it by
//! comparing city, county, town and village. With `tag` the byte of the [`Tree`]:
//! - `own(path)` = hash of `tag` and each item exactly at `path`, in order;
//! - `subtree(path)` = hash of `tag`, `own(path)` (empty if there is nothing) and, for each label below in
//!   order, the label and its `subtree`. A path with nothing at or below it has none, and leaves no trace;
//! - `root(scope)` = hash of `tag`, the scope's path, its `subtree` and, in the trees that flow down, the
//!   `own` of each path above, nearest first.
//!
//! An item that changes marks its path; [`DigestTree::settle`] then hashes each marked place once, so a
//! page of updates costs the places it touched, whatever the size of the tree. Which places those were is
//! remembered until somebody asks: only the roots of scopes that hold one of them can have changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::hash::{Digest, Domain, Hasher};
use crate::id::{AuthorKey, ItemId, LogEpoch};
use crate::log::LogState;
use crate::path::{Path, Reach, Scope, Space};
use crate::replica::{BlobKind, Branch, LogItem, Roots, Tree};

const OWN: Domain = Domain::new("anjuan/tree-own/1");
const SUBTREE: Domain = Domain::new("anjuan/tree-subtree/1");
const ROOT: Domain = Domain::new("anjuan/tree-root/1");

/// What stands at a path of a digest tree.
pub trait Leaf: Copy {
    /// What items are sorted by; one item of a path has it.
    type Key: Ord + Copy;

    /// The key.
    fn key(&self) -> Self::Key;

    /// Adds the bytes that stand for the item in digests.
    fn hash_into(&self, hasher: &mut Hasher);
}

impl Leaf for ItemId {
    type Key = Self;

    fn key(&self) -> Self {
        *self
    }

    fn hash_into(&self, hasher: &mut Hasher) {
        hasher.part(self.as_bytes());
    }
}

impl Leaf for LogItem {
    type Key = (AuthorKey, LogEpoch);

    fn key(&self) -> Self::Key {
        (self.author, self.epoch)
    }

    /// Author, epoch, then `0`, place and id of the head, or `1`, place and both ids of the fork;
    /// places are 64 bits, big endian.
    fn hash_into(&self, hasher: &mut Hasher) {
        let mut bytes = Vec::with_capacity(48 + 1 + 8 + 64);
        bytes.extend_from_slice(self.author.as_bytes());
        bytes.extend_from_slice(self.epoch.as_bytes());
        match &self.state {
            LogState::Whole(head) => {
                bytes.push(0);
                bytes.extend_from_slice(&head.seq.to_be_bytes());
                bytes.extend_from_slice(head.id.as_bytes());
            }
            LogState::Forked { seq, first, second } => {
                bytes.push(1);
                bytes.extend_from_slice(&seq.to_be_bytes());
                bytes.extend_from_slice(first.as_bytes());
                bytes.extend_from_slice(second.as_bytes());
            }
        }
        hasher.part(&bytes);
    }
}

#[derive(Clone, Debug)]
struct Node<L> {
    /// Sorted by key.
    items: Vec<L>,
    children: BTreeMap<Box<str>, Node<L>>,
    /// Digests of `items` and of the whole; `None` while they are to be hashed anew.
    own: Option<Digest>,
    subtree: Option<Digest>,
}

impl<L: Leaf> Node<L> {
    fn new() -> Self {
        Self {
            items: Vec::new(),
            children: BTreeMap::new(),
            own: None,
            subtree: None,
        }
    }

    fn is_empty(&self) -> bool {
        self.items.is_empty() && self.children.is_empty()
    }

    fn own(&self, tag: u8) -> Option<Digest> {
        if self.items.is_empty() {
            return None;
        }
        self.own.or_else(|| {
            let mut hasher = Hasher::new(OWN);
            hasher.part(&[tag]);
            self.items.iter().for_each(|item| item.hash_into(&mut hasher));
            Some(hasher.finish())
        })
    }

    fn subtree(&self, tag: u8) -> Digest {
        self.subtree.unwrap_or_else(|| {
            let mut hasher = Hasher::new(SUBTREE);
            hasher.part(&[tag]);
            hasher.part(bytes_of(self.own(tag).as_ref()));
            for (label, child) in &self.children {
                hasher.part(label.as_bytes());
                hasher.part(child.subtree(tag).as_bytes());
            }
            hasher.finish()
        })
    }

    fn settle(&mut self, tag: u8) {
        if self.subtree.is_some() {
            return;
        }
        self.own = self.own(tag);
        self.children.values_mut().for_each(|child| child.settle(tag));
        self.subtree = Some(self.subtree(tag));
    }

    /// Changes the items at the path of `labels`, marks the places from here to there if anything changed,
    /// and drops the ones left empty.
    fn change(&mut self, labels: &[&str], change: impl FnOnce(&mut Vec<L>) -> bool) -> bool {
        let changed = match labels {
            [] => {
                let changed = change(&mut self.items);
                if changed {
                    self.own = None;
                }
                changed
            }
            [label, rest @ ..] => {
                if !self.children.contains_key(*label) {
                    self.children.insert((*label).into(), Self::new());
                }
                let Some(child) = self.children.get_mut(*label) else {
                    return false;
                };
                let changed = child.change(rest, change);
                if child.is_empty() {
                    self.children.remove(*label);
                }
                changed
            }
        };
        if changed {
            self.subtree = None;
        }
        changed
    }
}

fn bytes_of(digest: Option<&Digest>) -> &[u8] {
    digest.map_or(&[], |digest| digest.as_bytes())
}

/// One of the four trees, with its items and digests.
///
/// Reads are right at any time; between a change and the next [`DigestTree::settle`] they hash the changed
/// places anew each time.
#[derive(Clone, Debug)]
pub struct DigestTree<L> {
    tree: Tree,
    top: Node<L>,
    /// Where something changed since this was last asked.
    changed: BTreeSet<Path>,
}

impl<L: Leaf> DigestTree<L> {
    /// An empty tree.
    pub fn new(tree: Tree) -> Self {
        Self {
            tree,
            top: Node::new(),
            changed: BTreeSet::new(),
        }
    }

    fn tag(&self) -> u8 {
        match self.tree {
            Tree::Credentials => 0,
            Tree::Up => 1,
            Tree::Down => 2,
            Tree::Sealed => 3,
        }
    }

    /// Puts an item at `path`, in place of the one with the same key. False if it was there already.
    pub fn put(&mut self, path: &Path, item: L) -> bool
    where
        L: PartialEq,
    {
        self.change(path, |items| {
            match items.binary_search_by_key(&item.key(), Leaf::key) {
                Ok(at) if items[at] == item => false,
                Ok(at) => {
                    items[at] = item;
                    true
                }
                Err(at) => {
                    items.insert(at, item);
                    true
                }
            }
        })
    }

    /// Removes the item with this key from `path`. False if there is none.
    pub fn remove(&mut self, path: &Path, key: &L::Key) -> bool {
        self.change(path, |items| match items.binary_search_by_key(key, Leaf::key) {
            Ok(at) => {
                items.remove(at);
                true
            }
            Err(_) => false,
        })
    }

    fn change(&mut self, path: &Path, change: impl FnOnce(&mut Vec<L>) -> bool) -> bool {
        let labels: Vec<_> = path.labels().collect();
        let changed = self.top.change(&labels, change);
        if changed && !self.changed.contains(path) {
            self.changed.insert(path.clone());
        }
        changed
    }

    /// Hashes what changed since the last time.
    pub fn settle(&mut self) {
        let tag = self.tag();
        self.top.settle(tag);
    }

    fn node(&self, path: &Path) -> Option<&Node<L>> {
        path.labels()
            .try_fold(&self.top, |node, label| node.children.get(label))
    }

    /// The items exactly at `path`, sorted by key.
    pub fn items(&self, path: &Path) -> &[L] {
        self.node(path).map_or(&[], |node| &node.items)
    }

    /// The item with this key at `path`.
    pub fn get(&self, path: &Path, key: &L::Key) -> Option<&L> {
        let items = self.items(path);
        let at = items.binary_search_by_key(key, Leaf::key).ok()?;
        items.get(at)
    }

    /// The digest of the items exactly at `path`; none where there are none.
    pub fn own(&self, path: &Path) -> Option<Digest> {
        self.node(path)?.own(self.tag())
    }

    /// The digest of everything at or below `path`; none where there is nothing.
    pub fn subtree(&self, path: &Path) -> Option<Digest> {
        Some(self.node(path)?.subtree(self.tag()))
    }

    /// One place: its own digest, and the labels below that have something, with theirs.
    pub fn branch(&self, path: &Path) -> Branch {
        let tag = self.tag();
        self.node(path).map_or_else(Branch::default, |node| Branch {
            own: node.own(tag),
            children: node
                .children
                .iter()
                .map(|(label, child)| (label.to_string(), child.subtree(tag)))
                .collect(),
        })
    }

    /// The digest of everything in this tree that nodes of `scope` hold.
    pub fn root(&self, scope: &Scope) -> Digest {
        let mut hasher = Hasher::new(ROOT);
        hasher.part(&[self.tag()]);
        hasher.part(scope.unit().as_str().as_bytes());
        hasher.part(bytes_of(self.subtree(scope.unit()).as_ref()));
        if self.tree.reach() == Reach::Down {
            for above in scope.unit().ancestors() {
                hasher.part(bytes_of(self.own(&above).as_ref()));
            }
        }
        hasher.finish()
    }
}

/// The four trees of a store.
#[derive(Clone, Debug)]
pub struct Digests {
    credentials: DigestTree<ItemId>,
    up: DigestTree<LogItem>,
    down: DigestTree<LogItem>,
    sealed: DigestTree<ItemId>,
}

impl Default for Digests {
    fn default() -> Self {
        Self::new()
    }
}

impl Digests {
    /// Four empty trees.
    pub fn new() -> Self {
        Self {
            credentials: DigestTree::new(Tree::Credentials),
            up: DigestTree::new(Tree::Up),
            down: DigestTree::new(Tree::Down),
            sealed: DigestTree::new(Tree::Sealed),
        }
    }

    /// The logs of spaces of this reach.
    pub fn logs(&self, reach: Reach) -> &DigestTree<LogItem> {
        match reach {
            Reach::Up => &self.up,
            Reach::Down => &self.down,
        }
    }

    /// The same, to change.
    pub fn logs_mut(&mut self, reach: Reach) -> &mut DigestTree<LogItem> {
        match reach {
            Reach::Up => &mut self.up,
            Reach::Down => &mut self.down,
        }
    }

    /// The items of this kind.
    pub fn blobs(&self, kind: BlobKind) -> &DigestTree<ItemId> {
        match kind {
            BlobKind::Credential => &self.credentials,
            BlobKind::Sealed => &self.sealed,
        }
    }

    /// The same, to change.
    pub fn blobs_mut(&mut self, kind: BlobKind) -> &mut DigestTree<ItemId> {
        match kind {
            BlobKind::Credential => &mut self.credentials,
            BlobKind::Sealed => &mut self.sealed,
        }
    }

    /// Hashes what changed since the last time.
    pub fn settle(&mut self) {
        self.credentials.settle();
        self.up.settle();
        self.down.settle();
        self.sealed.settle();
    }

    /// Where something changed since this was last asked: only scopes that hold one of these places can have
    /// other roots now.
    pub fn take_changed(&mut self) -> BTreeSet<Space> {
        let (credentials, up) = (&mut self.credentials.changed, &mut self.up.changed);
        let (down, sealed) = (&mut self.down.changed, &mut self.sealed.changed);
        let trees = [
            (Tree::Credentials, credentials),
            (Tree::Up, up),
            (Tree::Down, down),
            (Tree::Sealed, sealed),
        ];
        let spaces = trees.into_iter().flat_map(|(tree, changed)| {
            let reach = tree.reach();
            std::mem::take(changed)
                .into_iter()
                .map(move |unit| Space { unit, reach })
        });
        spaces.collect()
    }

    /// One place of one tree.
    pub fn branch(&self, tree: Tree, path: &Path) -> Branch {
        match tree {
            Tree::Credentials => self.credentials.branch(path),
            Tree::Up => self.up.branch(path),
            Tree::Down => self.down.branch(path),
            Tree::Sealed => self.sealed.branch(path),
        }
    }

    /// The roots of the four trees within a scope.
    pub fn roots(&self, scope: &Scope) -> Roots {
        Roots {
            credentials: self.credentials.root(scope),
            up: self.up.root(scope),
            down: self.down.root(scope),
            sealed: self.sealed.root(scope),
        }
    }
}

#[cfg(test)]
mod tests;
