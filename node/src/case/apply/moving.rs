//! A case that goes to another unit or to the next level.

use jiff::civil::Date;

use super::due;
use crate::case::events::{Event, TransferOutcome};
use crate::case::state::{CaseState, Stage, Transfer};
use crate::case::tables::tables;
use crate::kind::causal::Act;

impl CaseState {
    pub(super) fn take_moving(&mut self, act: Act<'_, Event>, today: Date) {
        let kind = act.event.kind();
        let deadlines = &tables().deadlines;
        match act.event {
            Event::TransferProposed(event) if self.stage.is_open() => {
                self.transfer = Some(Transfer {
                    to: event.to.clone(),
                    since: today,
                    document: None,
                    shared: event.shared.as_slice().to_vec(),
                });
            }
            Event::TransferRouted(event) => {
                if let Some(transfer) = self.transfer.as_mut().filter(|transfer| transfer.to == event.to) {
                    let route_by = due(transfer.since, deadlines.route);
                    transfer.document = Some(event.document);
                    transfer.since = today;
                    self.mark_late(kind, Some(route_by), today);
                    self.link(&event.to, event.document.to_string(), "transfer-target");
                }
            }
            Event::TransferConcluded(event) => {
                let Some(transfer) = self.transfer.take() else {
                    return;
                };
                if event.outcome == TransferOutcome::Accepted && self.stage.is_open() {
                    for item in self
                        .sealed
                        .iter_mut()
                        .filter(|item| transfer.shared.contains(&item.commitment))
                    {
                        item.shared_with = Some(transfer.to.clone());
                    }
                    self.owner = transfer.to;
                    self.mediators.clear();
                    self.stage = Stage::Transferred;
                    self.since = Some(today);
                }
            }
            Event::TransferAccepted(event) => {
                let accept_by = self.since.map(|day| due(day, deadlines.route));
                if self.move_to(Stage::Accepted, kind, today) {
                    self.own(self.home.clone());
                    self.number = event.number.clone();
                    self.accepted_on = Some(today);
                    self.mark_late(kind, accept_by, today);
                    if self.mediate_by.is_none() {
                        self.mediate_by = Some(self.mediation_due(today));
                    }
                }
            }
            Event::TransferRejected(_) => {
                self.move_to(Stage::Rejected, kind, today);
            }
            Event::EscalationProposed(_) if self.stage.is_open() => self.escalation = Some(today),
            Event::EscalationAccepted(_) => {
                let (Some(since), Some(parent)) = (self.escalation.take(), self.owner.parent()) else {
                    return;
                };
                if self.stage.is_open() {
                    self.mark_late(kind, Some(due(since, deadlines.escalate)), today);
                    self.own(parent);
                    self.mediators.clear();
                    self.assigned_until = None;
                    self.transfer = None;
                    // A party that has withdrawn in the meantime has withdrawn.
                    if !matches!(self.stage, Stage::Withdrawn | Stage::Guided) {
                        self.stage = Stage::Accepted;
                        self.since = Some(today);
                    }
                }
            }
            Event::EscalationReturned(_) => self.escalation = None,
            _ => {}
        }
    }
}
