//! Who comes after whom in one document, and which values of the record are current at a place in its past.
//!
//! Kept beside Automerge's own graph, which answers for the whole document as it stands: the guard may
//! look at a change's causal past only, or its answer would depend on the order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use automerge::legacy::OpId;
use automerge::{ActorId, ChangeHash};

use super::Extracted;

/// The applied changes of one document.
#[derive(Clone, Debug, Default)]
pub(super) struct Causal {
    nodes: Vec<Node>,
    by_hash: BTreeMap<ChangeHash, usize>,
    last_of: BTreeMap<ActorId, usize>,
    heads: BTreeSet<ChangeHash>,
    /// Every value a field of the record was ever given.
    record: BTreeMap<String, Vec<Written>>,
}

#[derive(Clone, Debug)]
struct Node {
    hash: ChangeHash,
    actor: ActorId,
    seq: u64,
    max_op: u64,
    deps: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Written {
    id: OpId,
    by: usize,
    /// Changes that replaced it.
    replaced_by: Vec<usize>,
}

/// A set of changes that holds, with each, all that came before it.
#[derive(Clone, Debug)]
pub(super) struct Past {
    member: Vec<bool>,
}

impl Past {
    fn contains(&self, node: usize) -> bool {
        self.member.get(node).copied().unwrap_or(false)
    }
}

impl Causal {
    pub(super) fn contains(&self, hash: &ChangeHash) -> bool {
        self.by_hash.contains_key(hash)
    }

    /// In ascending order.
    pub(super) fn heads(&self) -> impl Iterator<Item = ChangeHash> {
        self.heads.iter().copied()
    }

    pub(super) fn seq(&self, hash: &ChangeHash) -> Option<u64> {
        self.by_hash.get(hash).map(|node| self.nodes[*node].seq)
    }

    /// The last change of `actor`, and its number.
    pub(super) fn last_of(&self, actor: &ActorId) -> Option<(ChangeHash, u64)> {
        let last = &self.nodes[*self.last_of.get(actor)?];
        Some((last.hash, last.seq))
    }

    /// Adds a change whose dependencies are all here. `replaced` gives, for each field of the record that it
    /// sets, the operations whose values it replaces.
    pub(super) fn insert(&mut self, placed: &Extracted, replaced: &[Vec<OpId>]) {
        let index = self.nodes.len();
        // In a canonical change the fields of the record come last, in order.
        let fields = placed.content.record.len() as u64;
        let counters = (placed.max_op + 1).saturating_sub(fields)..;
        for ((field, replaced), counter) in placed.content.record.keys().zip(replaced).zip(counters) {
            let written = match self.record.get_mut(field) {
                Some(written) => written,
                None => self.record.entry(field.clone()).or_default(),
            };
            for earlier in written
                .iter_mut()
                .filter(|earlier| replaced.contains(&earlier.id))
            {
                earlier.replaced_by.push(index);
            }
            written.push(Written {
                id: OpId::new(counter, &placed.actor),
                by: index,
                replaced_by: Vec::new(),
            });
        }
        for dep in &placed.deps {
            self.heads.remove(dep);
        }
        self.heads.insert(placed.hash);
        self.by_hash.insert(placed.hash, index);
        self.last_of.insert(placed.actor.clone(), index);
        self.nodes.push(Node {
            hash: placed.hash,
            actor: placed.actor.clone(),
            seq: placed.seq,
            max_op: placed.max_op,
            deps: placed
                .deps
                .iter()
                .filter_map(|dep| self.by_hash.get(dep).copied())
                .collect(),
        });
    }

    /// All that came before a change with these dependencies, themselves included. Linear in the
    /// document's changes, whatever their shape; no more than a look at the heads for a change on top of
    /// them all.
    pub(super) fn past(&self, deps: &[ChangeHash]) -> Past {
        if self.heads.iter().eq(deps) {
            return Past {
                member: vec![true; self.nodes.len()],
            };
        }
        let mut member = vec![false; self.nodes.len()];
        let mut open: Vec<_> = deps
            .iter()
            .filter_map(|dep| self.by_hash.get(dep).copied())
            .collect();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut member[node], true) {
                open.extend(&self.nodes[node].deps);
            }
        }
        Past { member }
    }

    /// Does one of `deps` lie in the past of another?
    pub(super) fn has_redundant(&self, deps: &[ChangeHash]) -> bool {
        if deps.len() < 2 || self.heads.iter().eq(deps) {
            return false;
        }
        let nodes: Vec<_> = deps
            .iter()
            .filter_map(|dep| self.by_hash.get(dep).copied())
            .collect();
        let mut member = vec![false; self.nodes.len()];
        let mut open: Vec<_> = nodes
            .iter()
            .flat_map(|node| &self.nodes[*node].deps)
            .copied()
            .collect();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut member[node], true) {
                open.extend(&self.nodes[node].deps);
            }
        }
        nodes.into_iter().any(|node| member[node])
    }

    pub(super) fn is_in(&self, past: &Past, hash: &ChangeHash) -> bool {
        self.by_hash.get(hash).is_some_and(|node| past.contains(*node))
    }

    /// The highest operation counter among `deps`; those further back are lower.
    pub(super) fn max_op(&self, deps: &[ChangeHash]) -> u64 {
        deps.iter()
            .filter_map(|dep| self.by_hash.get(dep))
            .map(|node| self.nodes[*node].max_op)
            .max()
            .unwrap_or(0)
    }

    /// The operations whose values `field` has at the end of `past`, in ascending order.
    pub(super) fn current(&self, past: &Past, field: &str) -> Vec<OpId> {
        let mut current: Vec<_> = self
            .record
            .get(field)
            .into_iter()
            .flatten()
            .filter(|written| {
                past.contains(written.by) && !written.replaced_by.iter().any(|node| past.contains(*node))
            })
            .map(|written| written.id.clone())
            .collect();
        current.sort_unstable();
        current
    }

    /// For each field of the record, which change gave it its merged value: of those that no other replaced,
    /// the one with the highest operation id. Changes are counted in the order in which they were added.
    pub(super) fn merged(&self) -> impl Iterator<Item = (&str, usize)> {
        self.record.iter().filter_map(|(field, written)| {
            let current = written.iter().filter(|written| written.replaced_by.is_empty());
            let last = current.max_by(|a, b| a.id.cmp(&b.id))?;
            Some((field.as_str(), last.by))
        })
    }

    /// Of the heads, as many as one change can depend on, the one after `actor`'s last change among them.
    pub(super) fn heads_for(&self, actor: &ActorId, limit: usize) -> Vec<ChangeHash> {
        let mut heads: Vec<_> = self.heads().collect();
        if heads.len() > limit {
            let own = self.last_of.get(actor);
            let after_own = heads
                .iter()
                .position(|head| own.is_some_and(|own| self.past(std::slice::from_ref(head)).contains(*own)));
            if let Some(place) = after_own {
                heads.swap(0, place);
            }
            heads.truncate(limit);
            heads.sort_unstable();
        }
        heads
    }

    /// The actor of the change that everything else comes after.
    pub(super) fn creator(&self) -> Option<&ActorId> {
        self.nodes.first().map(|node| &node.actor)
    }
}
