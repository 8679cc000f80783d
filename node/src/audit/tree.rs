//! A Merkle log of which parts are folded into hashes, and the roots that follow from what is left.
//!
//! One representation serves as inclusion proof of every record shown, as consistency proof between the
//! sizes named, and, where nothing is folded, as the log itself.

use std::collections::BTreeMap;

use anjuan_sync::Digest;

use crate::evidence::merkle::{MAX_SIZE, TreeHead, inner};

/// The highest subtree that can be folded.
const MAX_LEVEL: u8 = 47;

/// A log from its first leaf on: leaves, and complete aligned subtrees that stand for 2^level leaves.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<(u8, Digest)>,
    size: u64,
    folded: u64,
    /// The first two folded subtrees that should have been one, or that lie across a split.
    stray: Option<u64>,
    last_folded: Option<(u8, u64)>,
    splits: Vec<u64>,
}

impl Tree {
    /// An empty log. At each of `splits`, ascending, the root is wanted.
    pub(super) fn new(splits: Vec<u64>) -> Self {
        Self {
            splits,
            ..Self::default()
        }
    }

    /// Leaves so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Leaves that are not shown.
    pub(super) fn folded(&self) -> u64 {
        self.folded
    }

    pub(super) fn push(&mut self, leaf: Digest) {
        self.last_folded = None;
        self.nodes.push((0, leaf));
        self.size += 1;
    }

    /// Adds 2^level leaves at once; false if no such subtree begins here.
    pub(super) fn push_folded(&mut self, level: u8, hash: Digest) -> bool {
        if level > MAX_LEVEL || self.size + (1 << level) > MAX_SIZE || !self.size.is_multiple_of(1 << level) {
            return false;
        }
        let end = self.size + (1 << level);
        let (from, to) = (self.split_after(self.size), self.split_after(end - 1));
        // Of what is folded there is one way to fold it: as far as alignment and splits allow.
        let before = self.size.wrapping_sub(1 << level);
        let mergeable = self.last_folded == Some((level, before))
            && before.is_multiple_of(1 << (level + 1))
            && self.splits.binary_search(&self.size).is_err();
        if from != to || mergeable {
            self.stray.get_or_insert(self.size);
        }
        self.last_folded = Some((level, self.size));
        self.nodes.push((level, hash));
        self.size = end;
        self.folded += 1 << level;
        true
    }

    fn split_after(&self, position: u64) -> usize {
        self.splits.partition_point(|split| *split <= position)
    }

    /// Where something is folded in another way than the one there is.
    pub(super) fn stray(&self) -> Option<u64> {
        self.stray
    }

    /// The roots at these sizes, ascending; `None` where a folded subtree lies across, or the log is
    /// shorter.
    pub(super) fn roots(&self, sizes: &[u64]) -> BTreeMap<u64, Option<Digest>> {
        let mut roots: BTreeMap<u64, Option<Digest>> = sizes.iter().map(|size| (*size, None)).collect();
        let mut stack: Vec<(u8, Digest)> = Vec::new();
        let mut at = 0;
        let mut note = |at: u64, stack: &[(u8, Digest)]| {
            if let Some(root) = roots.get_mut(&at) {
                *root = Some(root_of(stack));
            }
        };
        note(0, &stack);
        for (level, hash) in &self.nodes {
            let (mut level, mut hash) = (*level, *hash);
            at += 1 << level;
            while stack.last().is_some_and(|(top, _)| *top == level) {
                let (_, left) = stack.pop().expect("just seen");
                hash = inner(&left, &hash);
                level += 1;
            }
            stack.push((level, hash));
            note(at, &stack);
        }
        roots
    }
}

fn root_of(stack: &[(u8, Digest)]) -> Digest {
    let mut parts = stack.iter().rev().map(|(_, hash)| *hash);
    match parts.next() {
        None => TreeHead::empty().root,
        Some(last) => parts.fold(last, |right, left| inner(&left, &right)),
    }
}

/// How to fold what is not shown: the levels of the subtrees that cover positions `from` to `to`, of which
/// none is shown. `splits` as in [`Tree::new`].
pub(super) fn fold(from: u64, to: u64, splits: &[u64]) -> Vec<u8> {
    let mut levels = Vec::new();
    let mut at = from;
    while at < to {
        let next_split = splits
            .get(splits.partition_point(|split| *split <= at))
            .copied()
            .unwrap_or(u64::MAX);
        let fits = |level: u8| at.is_multiple_of(1 << level) && at + (1 << level) <= to.min(next_split);
        let level = (0..=MAX_LEVEL).rev().find(|level| fits(*level)).unwrap_or(0);
        levels.push(level);
        at += 1 << level;
    }
    levels
}

/// The root of 2^level leaves.
pub(super) fn subtree(leaves: &[Digest]) -> Digest {
    match leaves {
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(leaves.len() / 2);
            inner(&subtree(left), &subtree(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use anjuan_sync::hash::sha256;

    use super::*;

    #[test]
    fn whatever_is_folded_the_roots_are_the_same() {
        let leaves: Vec<Digest> = (0..37u8).map(|n| sha256(&[n])).collect();
        let mut whole = Tree::default();
        leaves.iter().for_each(|leaf| whole.push(*leaf));
        let sizes: Vec<u64> = (0..=37).collect();
        let expected = whole.roots(&sizes);
        for shown in [vec![], vec![0], vec![5, 6, 30], vec![36], (0..37).collect()] {
            for splits in [vec![], vec![7], vec![7, 8, 21, 37]] {
                let mut tree = Tree::new(splits.clone());
                let mut at = 0;
                for next in shown.iter().copied().chain([37]) {
                    for level in fold(at, next, &splits) {
                        let range = at as usize..(at + (1 << level)) as usize;
                        assert!(tree.push_folded(level, subtree(&leaves[range])));
                        at += 1 << level;
                    }
                    if next < 37 {
                        tree.push(leaves[next as usize]);
                        at += 1;
                    }
                }
                assert_eq!((tree.size(), tree.stray()), (37, None), "{shown:?} {splits:?}");
                let roots = tree.roots(&sizes);
                for size in splits.iter().chain(&[37]) {
                    assert_eq!(roots[size], expected[size], "{shown:?} {splits:?} {size}");
                }
                for (size, root) in roots {
                    assert!(root.is_none() || root == expected[&size]);
                }
            }
        }
    }

    #[test]
    fn there_is_one_way_to_fold() {
        let hash = sha256(b"");
        let mut tree = Tree::default();
        assert!(tree.push_folded(0, hash) && tree.push_folded(0, hash));
        assert_eq!(tree.stray(), Some(1));
        let mut tree = Tree::new(vec![1]);
        assert!(tree.push_folded(0, hash) && tree.push_folded(0, hash));
        assert_eq!(tree.stray(), None);
        let mut tree = Tree::new(vec![1]);
        assert!(tree.push_folded(1, hash));
        assert_eq!(tree.stray(), Some(0));
        assert!(!tree.push_folded(2, hash), "not aligned");
        assert!(!tree.push_folded(48, hash));
    }
}
