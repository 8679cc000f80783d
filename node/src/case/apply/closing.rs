//! Closing, reporting, reopening, archiving.

use jiff::civil::Date;

use super::{due, is_chair};
use crate::authority::role::Role;
use crate::case::events::Event;
use crate::case::policy;
use crate::case::state::{CaseState, Cosigned, Stage, supervisor};
use crate::case::tables::tables;
use crate::kind::causal::Act;
use crate::kind::who::is_at_or_above;

impl CaseState {
    pub(super) fn take_closing(&mut self, act: Act<'_, Event>, today: Date) {
        let kind = act.event.kind();
        let deadlines = &tables().deadlines;
        let signer = &act.entry.signer;
        match act.event {
            Event::CaseClosed(event) => {
                if !self.stage.is_open() {
                    return;
                }
                let handlers = self.handlers();
                // Where nobody has taken the case on, the chair's signature is enough.
                let mediator = handlers.contains(&signer.key) || handlers.is_empty();
                let chair = is_chair(signer, self.acting_unit());
                let known = self.closing.take().filter(|known| known.what == event.result);
                let closing = Cosigned {
                    what: event.result,
                    since: known.as_ref().map_or(today, |known| known.since),
                    first: mediator || known.as_ref().is_some_and(|known| known.first),
                    second: chair || known.as_ref().is_some_and(|known| known.second),
                };
                if closing.first && closing.second {
                    self.result = Some(event.result);
                    self.closed_on = Some(today);
                    self.stage = Stage::Closed;
                    self.since = Some(today);
                    self.escalation = None;
                    self.transfer = None;
                } else {
                    self.closing = Some(closing);
                }
            }
            Event::ResultReported(_) => {
                self.mark_late(kind, self.report_by(), today);
                self.reported_on = Some(today);
            }
            Event::ResultAcknowledged(_) => self.acknowledged_on = Some(today),
            Event::CaseReopened(_) => {
                if !policy::stages(kind).contains(&self.stage) {
                    return;
                }
                let known = self.reopening.take();
                let chair = is_chair(signer, self.acting_unit());
                let office = signer.is_any(&[Role::JudicialClerk])
                    && is_at_or_above(&signer.unit, &supervisor(self.acting_unit()));
                let reopening = Cosigned {
                    what: (),
                    since: known.as_ref().map_or(today, |known| known.since),
                    first: chair || known.as_ref().is_some_and(|known| known.first),
                    second: office || known.as_ref().is_some_and(|known| known.second),
                };
                if reopening.first && reopening.second {
                    self.reopen(today);
                } else {
                    self.reopening = Some(reopening);
                }
            }
            Event::Archived(_) => {
                let archive_by = self.closed_on.map(|day| due(day, deadlines.archive));
                if self.move_to(Stage::Archived, kind, today) {
                    self.archived_on = Some(today);
                    self.mark_late(kind, archive_by, today);
                }
            }
            _ => {}
        }
    }

    fn reopen(&mut self, today: Date) {
        self.stage = Stage::Accepted;
        self.since = Some(today);
        self.reopened += 1;
        self.mediators.clear();
        self.assigned_until = None;
        self.agreement = None;
        self.follow_up = None;
        self.closing = None;
        self.result = None;
        self.declined = None;
        self.closed_on = None;
        self.reported_on = None;
        self.acknowledged_on = None;
        self.archived_on = None;
        self.mediate_by = Some(self.mediation_due(today));
    }
}
