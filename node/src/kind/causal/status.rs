//! Which allowed entries of a set count, which are contested, which were decided against.

use super::{Fold, Own, Rules, Weight};
use crate::kind::positions::Positions;

/// Where the allowed entries of a set stand. Those in none of the sets were decided against.
#[derive(Clone, Debug)]
pub(super) struct Status {
    /// They count.
    pub(super) counted: Positions,
    /// Those of them that are decisions.
    pub(super) decisions: Positions,
    /// Excluded by an entry that would otherwise count as well.
    pub(super) contested: Positions,
    /// Rest on a contested entry; may be contested themselves, but are not there to choose yet.
    pub(super) suspended: Positions,
    /// For each open conflict, the entries of which one is to be kept. Ordered by position.
    pub(super) open: Vec<Vec<usize>>,
}

impl Status {
    pub(super) fn none() -> Self {
        Self {
            counted: Positions::none(),
            decisions: Positions::none(),
            contested: Positions::none(),
            suspended: Positions::none(),
            open: Vec::new(),
        }
    }

    /// Adds an entry that knows of all others, so that nothing else changes.
    pub(super) fn counts(&mut self, i: usize, weight: Weight) {
        self.counted.insert(i);
        if weight == Weight::Decision {
            self.decisions.insert(i);
        }
    }

    /// May a resolution keep entry `i`?
    pub(super) fn is_choice(&self, i: usize) -> bool {
        self.open.iter().any(|choices| choices.contains(&i))
    }
}

impl<R: Rules> Fold<'_, R> {
    fn weight(&self, i: usize) -> Option<Weight> {
        match self.judged(i).own {
            Own::Allowed(weight) => Some(weight),
            _ => None,
        }
    }

    /// Where the entries of `members` stand.
    pub(super) fn settle(&self, members: &Positions) -> Status {
        let within = |i: &usize| members.has(*i);
        let rivals: Vec<(usize, usize)> = self
            .rivals
            .iter()
            .copied()
            .filter(|(a, b)| within(a) && within(b))
            .collect();
        let resolutions: Vec<usize> = self.resolutions.iter().copied().filter(within).collect();
        let mut dropped = Positions::none();
        // A resolution can itself turn out contested, dropped, or resting on what is; what it drops then
        // comes back. Each round settles at least the causally latest that is still open; the bound makes
        // the answer a function of the set even where a history is contrived to go round in circles.
        for _ in 0..=resolutions.len() {
            let status = self.settle_with(members, &rivals, &dropped);
            let mut next = Positions::none();
            for r in resolutions.iter().filter(|r| status.counted.has(**r)) {
                next.add_all(&self.judged(*r).drops);
            }
            if next == dropped {
                return status;
            }
            dropped = next;
        }
        self.settle_with(members, &rivals, &dropped)
    }

    fn settle_with(&self, members: &Positions, rivals: &[(usize, usize)], dropped: &Positions) -> Status {
        let in_order = || self.order.iter().copied().filter(|i| members.has(*i));
        let rests_on = |i: usize, set: &Positions| {
            self.weight(i) != Some(Weight::Note) && self.judged(i).basis.meets(set)
        };
        let mut gone = dropped.clone();
        let mut status = Status::none();
        for i in in_order() {
            let Some(weight) = self.weight(i) else { continue };
            if gone.has(i) || rests_on(i, &gone) {
                gone.insert(i);
            } else {
                status.counts(i, weight);
            }
        }
        let live: Vec<(usize, usize)> = rivals
            .iter()
            .copied()
            .filter(|(a, b)| status.counted.has(*a) && status.counted.has(*b))
            .collect();
        if live.is_empty() {
            return status;
        }
        let alive = std::mem::replace(&mut status, Status::none());
        for (a, b) in &live {
            status.contested.insert(*a);
            status.contested.insert(*b);
        }
        for i in in_order().filter(|i| alive.counted.has(*i)) {
            if rests_on(i, &status.contested) || rests_on(i, &status.suspended) {
                status.suspended.insert(i);
            } else if !status.contested.has(i) {
                status.counts(i, self.weight(i).unwrap_or(Weight::Note));
            }
        }
        status.open = self.open_conflicts(&status, &live);
        status
    }

    /// Groups what is contested into conflicts, and names in each the entries to choose from.
    fn open_conflicts(&self, status: &Status, live: &[(usize, usize)]) -> Vec<Vec<usize>> {
        let mut group: Vec<usize> = (0..self.judged.len()).collect();
        let mut join = |a: usize, b: usize| {
            let (from, to) = (group[a].max(group[b]), group[a].min(group[b]));
            group.iter_mut().filter(|g| **g == from).for_each(|g| *g = to);
        };
        for (a, b) in live {
            join(*a, *b);
            for i in [*a, *b] {
                self.judged(i)
                    .basis
                    .iter()
                    .filter(|j| status.contested.has(*j))
                    .for_each(|j| join(i, j));
                if let Some(kept) = self.judged(i).keeps {
                    join(i, kept);
                }
            }
        }
        let mut conflicts: Vec<(usize, Vec<usize>)> = Vec::new();
        for i in status.contested.iter() {
            // Of two resolutions that contradict one another, the question is still what they decided.
            if status.suspended.has(i) || self.judged(i).keeps.is_some() {
                continue;
            }
            match conflicts.iter_mut().find(|(name, _)| *name == group[i]) {
                Some((_, choices)) => choices.push(i),
                None => conflicts.push((group[i], vec![i])),
            }
        }
        conflicts.into_iter().map(|(_, choices)| choices).collect()
    }

    /// What keeping `kept` drops, for somebody who sees `status`: its rivals, and every resolution that
    /// kept another one.
    pub(super) fn dropped_by_keeping(&self, kept: usize, status: &Status) -> Positions {
        let disputed = |i: usize| status.contested.has(i) || status.suspended.has(i);
        let mut drops = Positions::none();
        for (a, b) in &self.rivals {
            let rival = match kept {
                kept if kept == *a => *b,
                kept if kept == *b => *a,
                _ => continue,
            };
            if disputed(rival) {
                drops.insert(rival);
            }
        }
        for r in self.resolutions.iter().copied().filter(|r| disputed(*r)) {
            let other = self.judged(r);
            let contradicts =
                other.keeps.is_some_and(|keeps| keeps != kept && drops.has(keeps)) || other.drops.has(kept);
            if contradicts {
                drops.insert(r);
            }
        }
        drops
    }
}
