//! At the end: does everybody hold the same, all of it, and nothing else?

use std::collections::BTreeSet;

use anjuan_node::kind::Verdict;
use anjuan_node::ledger::LedgerError;
use anjuan_sync::replica::{Replica as _, ReplicaError};
use anjuan_sync::{LogState, Reach};

use super::simulation::Simulation;

/// What the checks found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) lost: u64,
    pub(super) lost_by_restore: u64,
    pub(super) ruled_out_by_fork: u64,
    pub(super) forks_found: u64,
    /// One of two updates was on one disk alone when an old backup took its place: no fork is left.
    pub(super) forks_gone: u64,
    pub(super) documents: u64,
    pub(super) projections: u64,
    pub(super) quarantined: u64,
    pub(super) conflicts: u64,
    pub(super) resolved: u64,
    /// Places where replicas differ or a node holds what is not its own, the first of them in words.
    pub(super) diverged: u64,
    pub(super) differences: Vec<String>,
}

impl Found {
    fn differ(&mut self, what: impl FnOnce() -> String) {
        self.diverged += 1;
        if self.differences.len() < 20 {
            self.differences.push(what());
        }
    }
}

fn unreadable(error: ReplicaError) -> LedgerError {
    LedgerError::Index(error.to_string())
}

impl Simulation {
    /// Compares every node with the city, which holds everything.
    pub(super) fn check(&mut self) -> Result<Found, LedgerError> {
        let mut found = Found::default();
        self.check_scopes(&mut found)?;
        self.check_promises(&mut found)?;
        self.check_forgeries(&mut found);
        self.check_documents(&mut found)?;
        Ok(found)
    }

    /// Each node holds what the city holds within the node's scope, and nothing outside of it.
    fn check_scopes(&self, found: &mut Found) -> Result<(), LedgerError> {
        let city = self.nodes[0].ledger();
        for (unit, node) in self.roll.units.iter().zip(&self.nodes) {
            let ledger = node.ledger();
            let scope = ledger.scope();
            let own = ledger.status(scope).map_err(unreadable)?.roots;
            let whole = city.status(scope).map_err(unreadable)?.roots;
            if own != whole {
                found.differ(|| {
                    format!(
                        "{} differs from the city in {:?}",
                        unit.code,
                        own.differing(&whole)
                    )
                });
            }
            let documents = [Reach::Up, Reach::Down].map(|reach| ledger.documents(reach));
            for documents in documents {
                for document in documents? {
                    if !scope.holds(&document.space) {
                        found.differ(|| format!("{} holds a document of {}", unit.code, document.space));
                    }
                }
            }
            for (log, _) in ledger.logs().iter() {
                if !scope.holds(&log.space) {
                    found.differ(|| format!("{} holds a log of {}", unit.code, log.space));
                }
            }
        }
        Ok(())
    }

    /// What was acknowledged is at the city.
    fn check_promises(&self, found: &mut Found) -> Result<(), LedgerError> {
        let city = self.nodes[0].ledger();
        for promised in &self.acknowledged {
            if let Some(LogState::Forked { seq, .. }) = city.logs().state(&promised.log)
                && promised.seq >= *seq
            {
                found.ruled_out_by_fork += 1;
                continue;
            }
            let head = city.head_at(&promised.log, promised.seq)?;
            if head.is_some_and(|head| head.id == promised.id) {
                continue;
            }
            if promised.lost_by_restore {
                found.lost_by_restore += 1;
            } else {
                found.lost += 1;
                if found.differences.len() < 20 {
                    let (unit, log) = (&self.roll.units[promised.node].code, &promised.log);
                    found.differences.push(format!(
                        "acknowledged at {unit} on day {}, not at the city: place {} of a log in {}",
                        promised.at.as_secs() / 86_400,
                        promised.seq,
                        log.space
                    ));
                }
            }
        }
        Ok(())
    }

    /// A fork is found when the home, the county and the city know it.
    fn check_forgeries(&self, found: &mut Found) {
        for forged in &self.forgeries {
            let known = self.roll.line(forged.unit).all(|node| {
                let state = self.nodes[node].ledger().logs().state(&forged.log);
                matches!(state, Some(LogState::Forked { seq, .. }) if *seq == forged.seq)
            });
            found.forks_found += u64::from(known);
            let is_gone = |at: &usize| self.acknowledged[*at].lost_by_restore;
            found.forks_gone += u64::from(!known && forged.branches.iter().any(is_gone));
        }
        // Nobody else's log may be forked.
        for (log, state) in self.nodes[0].ledger().logs().iter() {
            let forged = || self.forgeries.iter().any(|forged| forged.log == *log);
            if matches!(state, LogState::Forked { .. }) && !forged() {
                found.differ(|| format!("a log in {} is forked, and nobody forged it", log.space));
            }
        }
    }

    /// Every document comes to the same at every node that holds it.
    fn check_documents(&mut self, found: &mut Found) -> Result<(), LedgerError> {
        let everywhere = self.nodes[0].ledger().documents(Reach::Up)?;
        for key in everywhere {
            let code = anjuan_node::unit::UnitCode::from_path(&key.space.unit);
            let Some(home) = code.ok().and_then(|code| self.roll.by_code.get(&code)) else {
                found.differ(|| format!("a document of no unit, {}", key.space));
                continue;
            };
            let line: Vec<usize> = self.roll.line(*home).collect();
            let mut states = BTreeSet::new();
            for node in line {
                let ledger = self.nodes[node].ledger_mut();
                let projection = ledger.projection(&key)?;
                if node == 0
                    && let Some(projection) = &projection
                {
                    let quarantined = |verdict: &&Verdict| matches!(verdict, Verdict::Quarantined(_));
                    found.quarantined += projection.verdicts.iter().filter(quarantined).count() as u64;
                    found.conflicts += projection.conflicts.len() as u64;
                    let kept = projection.conflicts.iter().filter(|one| one.kept.is_some());
                    found.resolved += kept.count() as u64;
                }
                let merged = ledger.merged(&key)?.map(|merged| (merged.heads, merged.record));
                found.projections += 1;
                states.insert(format!("{projection:?} {merged:?}"));
            }
            found.documents += 1;
            if states.len() > 1 {
                found.differ(|| format!("document {} of {} comes to different things", key.id, key.space));
            }
        }
        Ok(())
    }

    /// Opens a share of the stores anew, as after a power cut, so that what they come to is computed from
    /// their journals alone.
    pub(super) fn reopen_some(&mut self, every: usize) -> Result<(), LedgerError> {
        for node in (0..self.nodes.len()).step_by(every.max(1)) {
            self.cut_all(node);
            let fresh = self.fresh();
            self.nodes[node].restart(fresh)?;
        }
        Ok(())
    }
}
