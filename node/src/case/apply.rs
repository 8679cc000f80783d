//! How a counted event changes the state of a case.
//!
//! An event that did not know of another one may find a state in which it would not have been allowed. It
//! is recorded all the same; it moves the stage only from where it may.

mod closing;
mod moving;
mod opening;

use jiff::civil::Date;

use super::events::{Event, EventKind};
use super::policy;
use super::state::{Agreement, CaseState, Correction, FollowUp, Late, Sealed, Stage, papers_of};
use super::tables::tables;
use crate::authority::role::Role;
use crate::calendar::{Calendar, Term, local_date};
use crate::kind::causal::Act;
use crate::kind::field::Commitment;
use crate::kind::{Link, Signer};
use crate::unit::UnitCode;

/// The last day of `term` from `from`.
pub(super) fn due(from: Date, term: Term) -> Date {
    Calendar::built_in().due(from, term)
}

pub(super) fn apply(act: Act<'_, Event>, state: &mut CaseState) {
    let today = local_date(act.entry.recorded_at);
    if state.opened_at.is_none() {
        state.opened_at = Some(act.entry.recorded_at);
    }
    for paper in papers_of(act.event) {
        if !state.papers.contains(paper) {
            state.papers.insert(paper.to_owned());
        }
    }
    state.take(act, today);
}

impl CaseState {
    /// Moves to `stage`, if the policy lets an event of this type happen in the present one.
    fn move_to(&mut self, stage: Stage, kind: EventKind, today: Date) -> bool {
        let moves = policy::stages(kind).contains(&self.stage);
        if moves && self.stage != stage {
            self.stage = stage;
            self.since = Some(today);
        }
        moves
    }

    /// The last day of mediation that begins on `from`.
    fn mediation_due(&self, from: Date) -> Date {
        let category = self.category.as_ref().map_or("", |category| category.as_str());
        due(from, tables().mediation_term(category))
    }

    fn mark_late(&mut self, event: EventKind, due: Option<Date>, done: Date) {
        if let Some(due) = due.filter(|due| done > *due) {
            let event = event.name();
            self.late.push(Late { event, due, done });
        }
    }

    fn own(&mut self, unit: UnitCode) {
        if !self.owners.contains(&unit) {
            self.owners.push(unit.clone());
        }
        self.owner = unit;
    }

    fn seal(&mut self, commitment: Commitment, role: &str, restricted: bool) {
        if self.sealed(commitment).is_none() {
            self.sealed.push(Sealed {
                commitment,
                role: role.to_owned(),
                restricted,
                erased: false,
                disclosed_to: Vec::new(),
                shared_with: None,
            });
        }
    }

    fn take(&mut self, act: Act<'_, Event>, today: Date) {
        let kind = act.event.kind();
        let signer = &act.entry.signer;
        match act.event {
            Event::CaseRegistered(_)
            | Event::TransferReceived(_)
            | Event::CaseAccepted(_)
            | Event::CaseDeclined(_)
            | Event::CaseAssigned(_)
            | Event::AssignmentConfirmed(_)
            | Event::MediatorRecused(_) => self.take_opening(act, today),
            Event::TransferProposed(_)
            | Event::TransferRouted(_)
            | Event::TransferAccepted(_)
            | Event::TransferRejected(_)
            | Event::TransferConcluded(_)
            | Event::EscalationProposed(_)
            | Event::EscalationAccepted(_)
            | Event::EscalationReturned(_) => self.take_moving(act, today),
            Event::CaseClosed(_)
            | Event::ResultReported(_)
            | Event::ResultAcknowledged(_)
            | Event::CaseReopened(_)
            | Event::Archived(_) => self.take_closing(act, today),
            Event::Prepared(_) => {
                self.move_to(Stage::Prepared, kind, today);
            }
            Event::FactsVerified(event) => {
                for commitment in event.evidence.iter() {
                    self.seal(*commitment, "evidence", self.restricted);
                }
                self.move_to(Stage::Verified, kind, today);
            }
            Event::SessionHeld(event) => {
                self.sessions += 1;
                self.last_session = self.last_session.max(Some(event.on.date()));
                if let Some(minutes) = event.minutes {
                    self.seal(minutes, "mediation-record", self.restricted);
                }
                self.mark_late(kind, self.mediate_by, event.on.date());
                self.move_to(Stage::Mediating, kind, today);
            }
            Event::ExtensionAgreed(event) => {
                self.mediate_by = self.mediate_by.max(Some(event.until.date()));
            }
            Event::AgreementSigned(event) => {
                if let Some(document) = event.document {
                    self.seal(document, "agreement", self.restricted);
                }
                self.agree(
                    kind,
                    today,
                    Agreement {
                        written: true,
                        number: Some(event.number.clone()),
                        on: event.on.date(),
                        manner: event.manner,
                        perform_by: event.perform_by.map(|day| day.date()),
                        confirm_by: due(event.on.date(), tables().deadlines.confirm_agreement),
                        confirmation_applied: None,
                        confirmed: None,
                    },
                );
            }
            Event::OralAgreementRecorded(event) => self.agree(
                kind,
                today,
                Agreement {
                    written: false,
                    number: None,
                    on: event.on.date(),
                    manner: event.manner,
                    perform_by: event.perform_by.map(|day| day.date()),
                    confirm_by: due(event.on.date(), tables().deadlines.confirm_agreement),
                    confirmation_applied: None,
                    confirmed: None,
                },
            ),
            Event::MediationFailed(_) => {
                self.move_to(Stage::Failed, kind, today);
            }
            // Who went to court has gone further than who withdrew.
            Event::PartyWithdrew(_) => {
                if self.stage != Stage::Guided {
                    self.move_to(Stage::Withdrawn, kind, today);
                }
            }
            Event::LitigationGuided(_) => {
                self.move_to(Stage::Guided, kind, today);
            }
            Event::ConfirmationApplied(event) => {
                if let Some(agreement) = &mut self.agreement {
                    agreement.confirmation_applied = Some(event.on.date());
                    let confirm_by = agreement.confirm_by;
                    self.mark_late(kind, Some(confirm_by), event.on.date());
                }
            }
            Event::ConfirmationRuled(event) => {
                if let Some(agreement) = &mut self.agreement {
                    agreement.confirmed = Some(event.valid);
                }
            }
            Event::FollowUpRecorded(event) => {
                let visits = self.follow_up.as_ref().map_or(0, |visit| visit.visits) + 1;
                let last = self.follow_up.as_ref().map(|visit| visit.on);
                let visit = FollowUp {
                    visits,
                    on: event.on.date(),
                    performance: event.performance,
                    satisfaction: event.satisfaction,
                    relapse: event.relapse,
                };
                match &mut self.follow_up {
                    Some(known) if last > Some(visit.on) => known.visits = visits,
                    known => *known = Some(visit),
                }
            }
            Event::RecordCorrected(event) => {
                let author = act
                    .history
                    .entries
                    .iter()
                    .find(|entry| entry.update == event.update)
                    .is_some_and(|entry| entry.signer.key == signer.key);
                let chair = is_chair(signer, self.acting_unit());
                let known = self.corrections.iter_mut().find(|known| {
                    known.update == event.update
                        && known.field == event.field
                        && known.correction == event.correction
                });
                match known {
                    Some(known) => {
                        known.by_author |= author;
                        known.by_chair |= chair;
                    }
                    None => self.corrections.push(Correction {
                        update: event.update,
                        field: event.field.clone(),
                        correction: event.correction.clone(),
                        by_author: author,
                        by_chair: chair,
                    }),
                }
            }
            Event::MessageSent(_) => self.messages += 1,
            Event::ParticularsAttached(event) => {
                for item in event.items.iter() {
                    let restricted = self.restricted || item.restricted == Some(true);
                    self.seal(item.commitment, item.role.as_str(), restricted);
                }
            }
            Event::ParticularsDisclosed(event) => {
                for item in self.sealed.iter_mut() {
                    let named = event.commitments.iter().any(|one| *one == item.commitment);
                    if named && !item.disclosed_to.contains(&signer.unit) {
                        item.disclosed_to.push(signer.unit.clone());
                    }
                }
            }
            Event::ParticularsErased(event) => {
                for item in self.sealed.iter_mut() {
                    item.erased |= event.commitments.iter().any(|one| *one == item.commitment);
                }
            }
            Event::ConflictResolved(_) | Event::UpdateAdopted(_) => {}
        }
    }

    fn agree(&mut self, kind: EventKind, today: Date, agreement: Agreement) {
        if self.move_to(Stage::Agreed, kind, today) {
            self.mark_late(kind, self.mediate_by, agreement.on);
            self.agreement = Some(agreement);
            self.follow_up = None;
        }
    }

    /// The last day to report the result: the petition's clock runs on while mediation goes on.
    pub(super) fn report_by(&self) -> Option<Date> {
        let deadlines = &tables().deadlines;
        match self.petition.as_ref().and_then(|petition| petition.on) {
            Some(on) => Some(due(on, deadlines.report_petition)),
            None => self
                .closed_on
                .or(self.since.filter(|_| !self.stage.is_open()))
                .map(|day| due(day, deadlines.report)),
        }
    }

    fn seal_parties(&mut self) {
        for commitment in self
            .parties
            .iter()
            .map(|party| party.commitment)
            .collect::<Vec<_>>()
        {
            self.seal(commitment, "party", self.restricted);
        }
    }

    fn link(&mut self, unit: &UnitCode, document: String, relation: &str) {
        self.links.push(Link {
            unit: unit.clone(),
            document,
            relation: relation.to_owned(),
        });
    }
}

pub(super) fn is_chair(signer: &Signer, unit: &UnitCode) -> bool {
    signer.is_any(&[Role::Chair]) && signer.unit == *unit
}
