//! The order of acceptance, by space: which journal positions hold what a scope holds.

use std::collections::BTreeMap;

use anjuan_sync::{Path, Reach, Scope, Space};

/// Journal positions of updates, forks and credentials, in order, for each space. Credentials stand with
/// the `down` space of the unit they concern, since they flow like it.
#[derive(Debug, Default)]
pub(super) struct Order {
    up: BTreeMap<Path, Vec<u64>>,
    down: BTreeMap<Path, Vec<u64>>,
    end: u64,
}

impl Order {
    /// Notes that the frame at `position`, higher than any before, belongs to `space`.
    pub(super) fn push(&mut self, space: &Space, position: u64) {
        self.end = position + 1;
        let spaces = match space.reach {
            Reach::Up => &mut self.up,
            Reach::Down => &mut self.down,
        };
        match spaces.get_mut(&space.unit) {
            Some(positions) => positions.push(position),
            None => {
                spaces.insert(space.unit.clone(), vec![position]);
            }
        }
    }

    /// The position after the last one noted. What only this node keeps, evidence, may come after it.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The positions within `scope` from `after` on and before `end`, in order; with how many there are.
    ///
    /// A merge of the scope's lists: what lies outside the scope is never looked at.
    pub(super) fn since(&self, scope: &Scope, after: u64, end: u64) -> (impl Iterator<Item = u64>, u64) {
        let mut lists: Vec<&[u64]> = self
            .lists(scope)
            .map(|list| {
                let from = list.partition_point(|position| *position < after);
                let to = list.partition_point(|position| *position < end);
                &list[from..to.max(from)]
            })
            .filter(|list| !list.is_empty())
            .collect();
        let count = lists.iter().map(|list| list.len() as u64).sum();
        let mut heap: std::collections::BinaryHeap<_> = lists
            .iter()
            .enumerate()
            .map(|(at, list)| std::cmp::Reverse((list[0], at)))
            .collect();
        let positions = std::iter::from_fn(move || {
            let std::cmp::Reverse((position, at)) = heap.pop()?;
            lists[at] = &lists[at][1..];
            if let Some(next) = lists[at].first() {
                heap.push(std::cmp::Reverse((*next, at)));
            }
            Some(position)
        });
        (positions, count)
    }

    fn lists(&self, scope: &Scope) -> impl Iterator<Item = &Vec<u64>> {
        let unit = scope.unit().clone();
        let below = move |path: &Path| unit.is_at_or_above(path);
        let up = self
            .up
            .range(scope.unit().clone()..)
            .filter(move |(path, _)| below(path));
        let unit = scope.unit().clone();
        let down = self
            .down
            .iter()
            .filter(move |(path, _)| path.is_in_line_with(&unit));
        up.chain(down).map(|(_, list)| list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_sees_its_own_in_order() {
        let space = |text: &str| Space::up(text.parse().expect("a path"));
        let mut order = Order::default();
        order.push(&Space::down("4509".parse().expect("a path")), 0);
        for (position, unit) in ["4509/02/001", "4509/03", "4509/02/002", "4509/02/001"]
            .iter()
            .enumerate()
        {
            order.push(&space(unit), position as u64 + 1);
        }
        let since = |unit: &str, after, end| {
            let scope = Scope::of(unit.parse().expect("a path"));
            let (positions, count) = order.since(&scope, after, end);
            let positions: Vec<_> = positions.collect();
            assert_eq!(positions.len() as u64, count);
            positions
        };
        assert_eq!(since("4509", 0, 9), [0, 1, 2, 3, 4]);
        assert_eq!(since("4509/02", 1, 9), [1, 3, 4]);
        assert_eq!(since("4509/02/001", 0, 4), [0, 1]);
        assert!(since("4509/02/001", 2, 2).is_empty());
    }
}
