//! The one order of a document's changes that every replica computes alike.

use std::collections::BTreeMap;

use automerge::{ActorId, ChangeHash};

use crate::kind::positions::Positions;

/// Where a change stands among others: the counter of its first operation, then its actor. A change counts
/// on from all in its past, so whatever precedes it in time precedes it here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderKey {
    /// Lamport time: one more than the highest operation counter in the past.
    pub counter: u64,
    /// Who, between concurrent ones with the same counter.
    pub actor: ActorId,
}

/// Changes in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// Positions in the list that was given, in canonical order.
    pub order: Vec<usize>,
    /// For each place in the canonical order, the earlier places that are in its causal past.
    pub past: Vec<Positions>,
}

/// A list of changes that is not a history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A dependency is not in the list, or does not precede the change that names it.
    #[error("change {change} depends on {dependency}, which is not before it in the history")]
    Dependency {
        /// The change.
        change: ChangeHash,
        /// What it depends on.
        dependency: ChangeHash,
    },
}

/// Puts changes, each given as hash, dependencies and key, in the canonical order. Independent of the order
/// in which they are given. Takes a bit for each two of them, since that is what pasts are.
pub fn canonical(changes: &[(ChangeHash, &[ChangeHash], OrderKey)]) -> Result<Ordered, OrderError> {
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_unstable_by_key(|index| (&changes[*index].2, changes[*index].0));
    let mut place_of = BTreeMap::new();
    let mut pasts: Vec<Positions> = Vec::with_capacity(order.len());
    for (place, index) in order.iter().enumerate() {
        let (hash, deps, _) = &changes[*index];
        let mut past = Positions::none();
        for dep in *deps {
            let before: usize = *place_of.get(dep).ok_or(OrderError::Dependency {
                change: *hash,
                dependency: *dep,
            })?;
            past.add_all(&pasts[before]);
            past.insert(before);
        }
        place_of.insert(*hash, place);
        pasts.push(past);
    }
    Ok(Ordered { order, past: pasts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> ChangeHash {
        ChangeHash([byte; 32])
    }

    fn key(counter: u64, actor: u8) -> OrderKey {
        OrderKey {
            counter,
            actor: ActorId::from([actor; 16]),
        }
    }

    #[test]
    fn a_diamond_is_ordered_alike_however_it_is_given() {
        let (root, sides) = ([hash(1)], [hash(2), hash(3)]);
        let mut changes = vec![
            (hash(4), &sides[..], key(9, 1)),
            (hash(2), &root[..], key(5, 7)),
            (hash(3), &root[..], key(5, 2)),
            (hash(1), &[][..], key(1, 7)),
        ];
        for _ in 0..changes.len() {
            changes.rotate_left(1);
            let ordered = canonical(&changes).expect("a history");
            let hashes: Vec<_> = ordered.order.iter().map(|index| changes[*index].0).collect();
            assert_eq!(hashes, [hash(1), hash(3), hash(2), hash(4)]);
            let pasts: Vec<Vec<usize>> = ordered.past.iter().map(|past| past.iter().collect()).collect();
            assert_eq!(pasts, [vec![], vec![0], vec![0], vec![0, 1, 2]]);
        }
    }

    #[test]
    fn a_missing_dependency_is_named() {
        let deps = [hash(1)];
        assert_eq!(
            canonical(&[(hash(2), &deps, key(5, 1))]),
            Err(OrderError::Dependency {
                change: hash(2),
                dependency: hash(1)
            })
        );
    }
}
