//! The life of a case: what is recorded next, by whom, at which node.
//!
//! Whoever goes on with a case does it at a node of his own and sees what that node has. What may come next
//! is read from the projection there; which of it comes is drawn by the table's probabilities.

use std::collections::BTreeSet;
use std::time::Duration;

use anjuan_node::authority::role::Role;
use anjuan_node::kind::{NextStep, Projection};
use anjuan_node::ledger::{DocumentKey, LedgerError};
use anjuan_node::unit::Level;
use anjuan_sync::Space;
use rand::RngExt as _;
use serde_json::Value;

use super::events;
use super::people::Operator;
use super::simulation::{DAY, HOUR, Simulation, What};

/// Attempts that come to nothing until a case is left alone.
const PATIENCE: u32 = 12;

/// A case as the simulation follows it.
#[derive(Debug)]
pub(super) struct Case {
    home: usize,
    key: Option<DocumentKey>,
    /// Where somebody goes on with it.
    at: usize,
    tries: u32,
    ended: bool,
    archived_at: bool,
}

/// What becomes of one attempt.
enum Went {
    /// Recorded.
    On,
    /// Nobody could do anything here; perhaps later.
    Nowhere,
    /// It goes on at this node.
    To(usize),
    /// There is nothing left to do.
    Ended,
}

/// Events by stage with their weights, in percent about.
fn table(stage: &str) -> &'static [(&'static str, u32)] {
    match stage {
        "registered" => &[("CaseAccepted", 97), ("CaseDeclined", 3)],
        "accepted" => &[
            ("CaseAssigned", 97),
            ("EscalationProposed", 2),
            ("LitigationGuided", 1),
        ],
        "assigned" => &[
            ("AssignmentConfirmed", 95),
            ("MediatorRecused", 4),
            ("PartyWithdrew", 1),
        ],
        "in-hand" => &[("Prepared", 99), ("PartyWithdrew", 1)],
        "prepared" => &[("FactsVerified", 85), ("SessionHeld", 15)],
        "verified" => &[("SessionHeld", 96), ("ExtensionAgreed", 3), ("PartyWithdrew", 1)],
        "mediating" => &[
            ("AgreementSigned", 50),
            ("OralAgreementRecorded", 16),
            ("SessionHeld", 28),
            ("MediationFailed", 3),
            ("ExtensionAgreed", 2),
            ("PartyWithdrew", 1),
        ],
        "agreed" => &[
            ("CaseClosed", 66),
            ("FollowUpRecorded", 30),
            ("ConfirmationApplied", 3),
            ("ConfirmationRuled", 3),
        ],
        "failed" => &[
            ("EscalationProposed", 30),
            ("LitigationGuided", 30),
            ("CaseClosed", 40),
        ],
        "withdrawn" | "guided" => &[("CaseClosed", 100)],
        "declined" => &[("ResultReported", 95), ("CaseReopened", 5)],
        "closed" => &[
            ("ResultReported", 70),
            ("FollowUpRecorded", 10),
            ("Archived", 18),
            ("CaseReopened", 2),
        ],
        "archived" => &[("ResultReported", 50), ("ResultAcknowledged", 50)],
        _ => &[],
    }
}

impl Simulation {
    /// Draws when and where disputes arise.
    pub(super) fn draw_cases(&mut self, cases: u32, time: Duration) {
        self.span = (45 * DAY).min(time / 3);
        let mut weights = Vec::with_capacity(self.nodes.len());
        let mut sum = 0.0;
        for unit in &self.roll.units {
            let most: f64 = match unit.code.level() {
                Level::Village | Level::Committee => 1.0,
                Level::Town => 2.0,
                Level::County | Level::City => 4.0,
            };
            sum += most * self.tales.random_range(0.1..1.0f64).powi(2);
            weights.push(sum);
        }
        for case in 0..cases as usize {
            let drawn = self.tales.random_range(0.0..sum);
            let home = weights
                .partition_point(|upto| *upto <= drawn)
                .min(weights.len() - 1);
            self.cases.push(Case {
                home,
                key: None,
                at: home,
                tries: 0,
                ended: false,
                archived_at: false,
            });
            let begins = (time - self.span).mul_f64(self.tales.random_range(0.0..1.0)) + HOUR;
            self.schedule(begins, What::Step { case });
            if self.tales.random_bool(0.2) {
                let later = begins + self.span.mul_f64(self.tales.random_range(0.1..1.0));
                self.schedule(later, What::Aside { case });
            }
        }
    }

    /// Villages with open cases.
    pub(super) fn busy_villages(&self) -> Vec<usize> {
        let open = self.cases.iter().filter(|case| case.key.is_some() && !case.ended);
        let homes: BTreeSet<usize> = open.map(|case| case.home).collect();
        let is_village = |at: &usize| self.roll.units[*at].code.level() == Level::Village;
        homes.into_iter().filter(is_village).collect()
    }

    fn pause(&mut self) -> Duration {
        (self.span / 12).mul_f64(self.tales.random_range(0.2..1.6))
    }

    /// Somebody goes on with a case.
    pub(super) fn go_on(&mut self, case: usize) -> Result<(), LedgerError> {
        if self.is_over || self.cases[case].ended {
            return Ok(());
        }
        let node = self.cases[case].at;
        let went = if !self.nodes[node].is_running() || self.nodes[node].waits_for_level {
            Went::Nowhere
        } else if let Some(key) = self.cases[case].key.clone() {
            self.act(case, node, &key)?
        } else {
            self.register(case)?
        };
        let pause = self.pause();
        match went {
            Went::On => self.cases[case].tries = 0,
            Went::To(node) => self.cases[case].at = node,
            Went::Ended => self.cases[case].ended = true,
            Went::Nowhere => {
                self.cases[case].tries += 1;
                self.cases[case].at = self.cases[case].home;
                if self.cases[case].tries > PATIENCE {
                    self.give_up(case)?;
                }
            }
        }
        if !self.cases[case].ended {
            self.after(pause, What::Step { case });
        }
        Ok(())
    }

    fn give_up(&mut self, case: usize) -> Result<(), LedgerError> {
        self.cases[case].ended = true;
        let (home, key) = (self.cases[case].home, self.cases[case].key.clone());
        let here = match &key {
            Some(key) => self.nodes[home].ledger_mut().projection(key)?.is_some(),
            None => true,
        };
        *(if here {
            &mut self.tally.abandoned
        } else {
            &mut self.tally.vanished
        }) += 1;
        Ok(())
    }

    fn register(&mut self, case: usize) -> Result<Went, LedgerError> {
        let home = self.cases[case].home;
        let wall = self.nodes[home].wall(self.now);
        let Some(mediator) = self.roll.units[home]
            .operators
            .iter()
            .find(|one| !one.dismissed)
            .cloned()
        else {
            return Ok(Went::Nowhere);
        };
        let content = events::event("CaseRegistered", &mut self.tales, wall).expect("known");
        let space = Space::up(self.roll.units[home].path.clone());
        let recorded = self.record(home, &mediator, space, None, content)?;
        Ok(match recorded {
            Some(recorded) => {
                self.cases[case].key = Some(recorded.document);
                Went::On
            }
            None => Went::Nowhere,
        })
    }

    fn act(&mut self, case: usize, node: usize, key: &DocumentKey) -> Result<Went, LedgerError> {
        let Some(projection) = self.nodes[node].ledger_mut().projection(key)? else {
            return Ok(Went::Nowhere);
        };
        if projection.summary.needs_decision {
            return self.resolve(node, key, &projection);
        }
        let stage = projection.summary.stage.as_str();
        let owner = self.roll.by_code[&projection.summary.owner];
        let over = matches!(stage, "closed" | "archived" | "declined");
        let office = self.supervisor(owner);
        let reopening = &projection.state["reopening"];
        let wants_chair = reopening["second"] == true && reopening["first"] != true;
        if over && !wants_chair && node != office {
            return Ok(Went::To(office));
        }
        if wants_chair && node != owner {
            return Ok(Went::To(owner));
        }
        let above = self.roll.units[owner].parent;
        if !over && !projection.state["escalation"].is_null() {
            // The level above answers; those below may not wait for it.
            let answers = above.filter(|above| *above != node && self.tales.random_bool(0.85));
            if let Some(above) = answers {
                return Ok(Went::To(above));
            }
            if above == Some(node) {
                let accepts = self.tales.random_bool(0.75);
                let name = if accepts {
                    "EscalationAccepted"
                } else {
                    "EscalationReturned"
                };
                let recorded = self.try_event(node, key, &projection, name)?;
                return Ok(if recorded { Went::On } else { Went::To(owner) });
            }
        } else if !over && node != owner {
            return Ok(Went::To(owner));
        }
        if stage == "archived"
            && !projection
                .next
                .iter()
                .any(|step| step.event.starts_with("Result"))
        {
            return Ok(Went::Ended);
        }
        self.cases[case].archived_at |= stage == "archived";
        let Some(name) = self.draw(node, &projection) else {
            return Ok(Went::Nowhere);
        };
        if matches!(name, "AgreementSigned" | "CaseAssigned" | "CaseClosed") && self.tales.random_bool(0.02) {
            self.rival(node, key, name)?;
        }
        let went = self.try_event(node, key, &projection, name)?;
        Ok(if went { Went::On } else { Went::Nowhere })
    }

    /// The judicial office that supervises a unit.
    fn supervisor(&self, unit: usize) -> usize {
        match self.roll.units[unit].code.level() {
            Level::Village | Level::Committee => self.roll.units[unit].parent.unwrap_or(unit),
            _ => unit,
        }
    }

    /// One of the events that may come next and that somebody at this node may record.
    fn draw(&mut self, node: usize, projection: &Projection) -> Option<&'static str> {
        let possible: Vec<(&'static str, u32)> = table(&projection.summary.stage)
            .iter()
            .copied()
            .filter(|(name, _)| self.doer(node, projection, name).is_some())
            .collect();
        let sum: u32 = possible.iter().map(|(_, weight)| weight).sum();
        if sum == 0 {
            return None;
        }
        let mut drawn = self.tales.random_range(0..sum);
        for (name, weight) in possible {
            if drawn < weight {
                return Some(name);
            }
            drawn -= weight;
        }
        None
    }

    /// Who at this node may record it, by what the projection says.
    fn doer(&self, node: usize, projection: &Projection, name: &str) -> Option<&Operator> {
        let unit = &self.roll.units[node];
        let steps = projection.next.iter().filter(|step| step.event == name);
        // What two must sign: of a closing the mediator and the chair, of a reopening chair and office.
        let signed = match name {
            "CaseClosed" => &projection.state["closing"],
            "CaseReopened" => &projection.state["reopening"],
            _ => &Value::Null,
        };
        let is_first = |step: &&NextStep| match name {
            "CaseClosed" => !step.assignees.is_empty(),
            _ => step.roles.contains(&Role::Chair),
        };
        let missing = |step: &&NextStep| match is_first(step) {
            true => signed["first"] != true,
            false => signed["second"] != true,
        };
        let mut doers = steps.filter(missing).filter_map(|step| {
            let fits =
                step.unit == unit.code || step.or_above && step.unit.path().is_in_line_with(&unit.path);
            let may = |operator: &&Operator| {
                !operator.dismissed
                    && fits
                    && match step.assignees.is_empty() {
                        true => operator.is_any(&step.roles),
                        false => step.assignees.contains(&operator.author),
                    }
            };
            unit.operators.iter().find(may)
        });
        doers.next()
    }

    fn try_event(
        &mut self,
        node: usize,
        key: &DocumentKey,
        projection: &Projection,
        name: &str,
    ) -> Result<bool, LedgerError> {
        let Some(operator) = self.doer(node, projection, name).cloned() else {
            return Ok(false);
        };
        let unit = &self.roll.units[node];
        let wall = self.nodes[node].wall(self.now);
        let mediators = unit.operators.iter().filter(|one| !one.dismissed);
        let mediators: Vec<_> = mediators.map(|one| one.author).collect();
        let rng = &mut self.tales;
        let content = match name {
            "CaseAssigned" => events::assigned(mediators[rng.random_range(0..mediators.len().min(2))], rng),
            "MediatorRecused" => {
                let named = projection.state["mediators"][0]["key"]
                    .as_str()
                    .and_then(|key| key.parse().ok());
                let Some(named) = named else { return Ok(false) };
                events::recused(named, rng)
            }
            "CaseClosed" => {
                let result = match projection.summary.stage.as_str() {
                    "agreed" if projection.state["agreement"]["written"] == true => "agreement-written",
                    "agreed" => "agreement-oral",
                    stage => stage,
                };
                events::closed(result, rng)
            }
            "ResultReported" => {
                let result = projection.state["result"].as_str().unwrap_or("declined");
                events::reported(result, unit.code.as_str(), rng)
            }
            _ => match events::event(name, rng, wall) {
                Some(content) => content,
                None => return Ok(false),
            },
        };
        let space = key.space.clone();
        let recorded = self.record(node, &operator, space, Some(key.clone()), content)?;
        Ok(recorded.is_some())
    }

    /// At the same time the office above decides otherwise, not knowing of it.
    fn rival(&mut self, node: usize, key: &DocumentKey, name: &str) -> Result<(), LedgerError> {
        let Some(above) = self.roll.units[node].parent else {
            return Ok(());
        };
        if !self.nodes[above].is_running() || self.nodes[above].waits_for_level {
            return Ok(());
        }
        let Some(clerk) = self.roll.units[above].operators.get(2).cloned() else {
            return Ok(());
        };
        if self.nodes[above].ledger_mut().projection(key)?.is_none() {
            return Ok(());
        }
        let wall = self.nodes[above].wall(self.now);
        let content = match name {
            "CaseAssigned" => events::assigned(self.roll.units[node].operators[1].author, &mut self.tales),
            _ => events::event("PartyWithdrew", &mut self.tales, wall).expect("known"),
        };
        self.record(above, &clerk, key.space.clone(), Some(key.clone()), content)?;
        Ok(())
    }

    /// The chair keeps one of the decisions that exclude one another.
    fn resolve(
        &mut self,
        node: usize,
        key: &DocumentKey,
        projection: &Projection,
    ) -> Result<Went, LedgerError> {
        let Some(conflict) = projection.conflicts.iter().find(|one| one.kept.is_none()) else {
            return Ok(Went::Nowhere);
        };
        let decides = self.roll.by_code[&conflict.decides];
        if decides != node {
            return Ok(Went::To(decides));
        }
        let Some((history, _)) = self.nodes[node].ledger_mut().told(key)? else {
            return Ok(Went::Nowhere);
        };
        let keep = conflict.entries[self.tales.random_range(0..conflict.entries.len())];
        let kept = history.entries[keep].update.to_string();
        let operators = &self.roll.units[node].operators;
        let chair = operators.iter().rfind(|one| one.roles.contains(&Role::Chair));
        let Some(chair) = chair.cloned() else {
            return Ok(Went::Nowhere);
        };
        let content = events::resolved(&kept, &mut self.tales);
        let recorded = self.record(node, &chair, key.space.clone(), Some(key.clone()), content)?;
        Ok(if recorded.is_some() {
            Went::On
        } else {
            Went::Nowhere
        })
    }

    /// Somebody at a unit above writes on a case.
    pub(super) fn aside(&mut self, case: usize) -> Result<(), LedgerError> {
        let Some(key) = self.cases[case].key.clone().filter(|_| !self.is_over) else {
            return Ok(());
        };
        let line: Vec<usize> = self.roll.line(self.cases[case].home).skip(1).collect();
        if line.is_empty() {
            return Ok(());
        }
        let node = line[self.tales.random_range(0..line.len())];
        if !self.nodes[node].is_running() || self.nodes[node].waits_for_level {
            return Ok(());
        }
        if self.nodes[node].ledger_mut().projection(&key)?.is_none() {
            self.after(DAY, What::Aside { case });
            return Ok(());
        }
        let wall = self.nodes[node].wall(self.now);
        let content = events::event("MessageSent", &mut self.tales, wall).expect("known");
        let clerk = self.roll.units[node].operators[2].clone();
        self.record(node, &clerk, key.space.clone(), Some(key), content)?;
        Ok(())
    }
}
