//! From registration to a mediator who has taken the case on.

use jiff::civil::Date;

use super::due;
use crate::case::events::Event;
use crate::case::state::{CaseState, Mediator, Petition, Stage};
use crate::case::tables::tables;
use crate::kind::causal::Act;

impl CaseState {
    pub(super) fn take_opening(&mut self, act: Act<'_, Event>, today: Date) {
        let kind = act.event.kind();
        let deadlines = &tables().deadlines;
        match act.event {
            Event::CaseRegistered(event) => {
                if !self.move_to(Stage::Registered, kind, today) {
                    return;
                }
                self.own(self.home.clone());
                self.registered_on = Some(today);
                self.source = Some(event.source);
                self.category = Some(event.category.clone());
                self.brief = Some(event.brief.clone());
                self.facts = Some(event.facts.clone());
                self.headcount = event.headcount;
                self.parties = event.parties.as_slice().to_vec();
                self.restricted = event.restricted == Some(true);
                self.number = event.number.clone();
                self.seal_parties();
                if event.petition.is_some() || event.petition_on.is_some() || event.petition_unit.is_some() {
                    self.petition = Some(Petition {
                        unit: event.petition_unit.clone(),
                        document: event.petition,
                        on: event.petition_on.map(|day| day.date()),
                    });
                }
                if let (Some(unit), Some(document)) = (&event.petition_unit, event.petition) {
                    self.link(unit, document.to_string(), "petition");
                }
            }
            Event::TransferReceived(event) => {
                if !self.move_to(Stage::Received, kind, today) {
                    return;
                }
                // Ownership changes only on acceptance.
                self.owner = event.source_unit.clone();
                self.registered_on = Some(today);
                self.source = Some(event.source);
                self.category = Some(event.category.clone());
                self.brief = Some(event.brief.clone());
                self.facts = Some(event.facts.clone());
                self.headcount = event.headcount;
                self.parties = event.parties.as_slice().to_vec();
                self.restricted = event.restricted == Some(true);
                self.mediate_by = event.mediate_by.map(|day| day.date());
                self.seal_parties();
                self.petition = event.petition_on.map(|day| Petition {
                    unit: None,
                    document: None,
                    on: Some(day.date()),
                });
                self.link(
                    &event.source_unit,
                    event.source_document.to_string(),
                    "transfer-source",
                );
            }
            Event::CaseAccepted(event) => {
                if self.number.is_none() {
                    self.number = event.number.clone();
                }
                if self.move_to(Stage::Accepted, kind, today) {
                    let on = event.on.map_or(today, |day| day.date());
                    self.accepted_on = Some(on);
                    self.mediate_by = Some(self.mediation_due(on));
                    let decide_by = self.registered_on.map(|day| due(day, deadlines.decide));
                    self.mark_late(kind, decide_by, today);
                }
            }
            Event::CaseDeclined(event) => {
                let decide_by = self.registered_on.map(|day| due(day, deadlines.decide));
                if self.move_to(Stage::Declined, kind, today) {
                    self.declined = Some(event.reason);
                    self.mark_late(kind, decide_by, today);
                }
            }
            Event::CaseAssigned(event) => {
                let assign_by = match self.stage {
                    Stage::Accepted => self.since.map(|day| due(day, deadlines.assign)),
                    _ => None,
                };
                if self.move_to(Stage::Assigned, kind, today) {
                    self.since = Some(today);
                    self.mark_late(kind, assign_by, today);
                    self.assigned_until = event.due.map(|day| day.date());
                    let known = std::mem::take(&mut self.mediators);
                    self.mediators = event
                        .mediators
                        .iter()
                        .map(|key| Mediator {
                            key: *key,
                            confirmed: known.iter().any(|m| m.key == *key && m.confirmed),
                        })
                        .collect();
                    // Who has taken it on already need not do so again.
                    if self.mediators.iter().any(|m| m.confirmed) {
                        self.stage = Stage::InHand;
                    }
                }
            }
            Event::AssignmentConfirmed(_) => {
                let signer = act.entry.signer.key;
                let confirm_by = self.since.map(|day| due(day, deadlines.confirm_assignment));
                let Some(mediator) = self.mediators.iter_mut().find(|m| m.key == signer) else {
                    return;
                };
                mediator.confirmed = true;
                if self.stage == Stage::Assigned {
                    self.mark_late(kind, confirm_by, today);
                    self.move_to(Stage::InHand, kind, today);
                }
            }
            Event::MediatorRecused(event) => {
                self.mediators.retain(|m| m.key != event.mediator);
                let mediation = Stage::Assigned..=Stage::Mediating;
                if self.mediators.is_empty() && mediation.contains(&self.stage) {
                    self.move_to(Stage::Accepted, kind, today);
                }
            }
            _ => {}
        }
    }
}
