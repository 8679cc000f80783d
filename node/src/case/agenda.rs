//! What comes next in a case, and what is owed by when.

use jiff::civil::Date;

use super::apply::due;
use super::events::EventKind;
use super::policy::{possible, weight, who};
use super::state::{CaseState, Stage};
use super::tables::tables;
use crate::authority::role::Role;
use crate::kind::causal::Weight;
use crate::kind::who::Who;
use crate::kind::{Duty, NextStep};
use crate::text;
use crate::text::Text;

/// What may come next. While a conflict is open, that is its resolution, and whatever moves nothing.
pub(super) fn next(state: &CaseState, conflict: bool, adoptable: bool) -> Vec<NextStep> {
    let free = |kind| matches!(kind, EventKind::PartyWithdrew | EventKind::LitigationGuided);
    let mut steps: Vec<(EventKind, Vec<Who>)> = possible(state)
        .filter(|(kind, _)| !conflict || free(*kind) || weight(*kind) != Weight::Decision)
        .collect();
    if conflict {
        steps.insert(
            0,
            (
                EventKind::ConflictResolved,
                who(EventKind::ConflictResolved, state, None),
            ),
        );
    }
    if adoptable {
        steps.push((
            EventKind::UpdateAdopted,
            who(EventKind::UpdateAdopted, state, None),
        ));
    }
    steps
        .iter()
        .flat_map(|(kind, who)| who.iter().map(|who| who.step(kind.name())))
        .filter(|step| step.roles != [Role::Mediator] || !step.or_above || !step.assignees.is_empty())
        .collect()
}

/// What is owed.
pub(super) fn duties(state: &CaseState, conflict: bool) -> Vec<Duty> {
    let mut duties = Duties {
        state,
        list: Vec::new(),
    };
    if conflict {
        let what = Text::new(
            "裁定相互排斥的决定",
            "decide between decisions that exclude one another",
        );
        duties.add(EventKind::ConflictResolved, what, None);
    }
    duties.of_the_stage();
    duties.of_what_waits();
    duties.list
}

/// The day by which mediation is to be done: the term, or the day set at assignment if that is earlier.
fn mediate_by(state: &CaseState) -> Option<Date> {
    match (state.mediate_by, state.assigned_until) {
        (Some(term), Some(set)) => Some(term.min(set)),
        (term, set) => term.or(set),
    }
}

struct Duties<'a> {
    state: &'a CaseState,
    list: Vec<Duty>,
}

impl Duties<'_> {
    /// A duty of whoever comes first among those who may record `kind`.
    fn add(&mut self, kind: EventKind, what: Text, due: Option<Date>) {
        if let Some(who) = who(kind, self.state, None).into_iter().next() {
            self.add_for(kind, who, what, due);
        }
    }

    fn add_for(&mut self, kind: EventKind, who: Who, what: Text, due: Option<Date>) {
        let step = who.step(kind.name());
        self.list.push(Duty {
            what,
            event: step.event,
            unit: step.unit,
            or_above: step.or_above,
            roles: step.roles,
            assignees: step.assignees,
            due,
        });
    }

    fn of_the_stage(&mut self) {
        let state = self.state;
        let deadlines = &tables().deadlines;
        let within = |term| state.since.map(|since| due(since, term));
        match state.stage {
            Stage::Registered => self.add(
                EventKind::CaseAccepted,
                Text::new("决定受理或不予受理", "accept or decline"),
                state.registered_on.map(|day| due(day, deadlines.decide)),
            ),
            Stage::Received => self.add(
                EventKind::TransferAccepted,
                Text::new("决定是否接受转入", "accept or reject the transfer"),
                within(deadlines.route),
            ),
            Stage::Accepted => self.add(
                EventKind::CaseAssigned,
                Text::new("指定调解员", "assign mediators"),
                within(deadlines.assign),
            ),
            Stage::Assigned => self.add(
                EventKind::AssignmentConfirmed,
                Text::new("确认承办", "confirm the assignment"),
                within(deadlines.confirm_assignment),
            ),
            Stage::InHand => self.add(
                EventKind::Prepared,
                Text::new("做好调解准备", "prepare mediation"),
                mediate_by(state),
            ),
            Stage::Prepared | Stage::Verified => self.add(
                EventKind::SessionHeld,
                Text::new("组织调解", "hold a session"),
                mediate_by(state),
            ),
            Stage::Mediating => self.add(
                EventKind::SessionHeld,
                Text::new("期限内完成调解", "bring mediation to its end within the term"),
                mediate_by(state),
            ),
            Stage::Agreed | Stage::Closed => self.after_agreement(),
            Stage::Failed | Stage::Withdrawn | Stage::Guided => self.closing(),
            Stage::Declined => self.report(),
            Stage::Archived => self.acknowledge(),
            Stage::Unopened | Stage::Rejected | Stage::Transferred => {}
        }
        if state.stage == Stage::Closed {
            self.report();
            self.add(
                EventKind::Archived,
                Text::new("整理卷宗并归档", "complete the file and archive it"),
                state.closed_on.map(|day| due(day, deadlines.archive)),
            );
        }
    }

    fn after_agreement(&mut self) {
        let state = self.state;
        let Some(agreement) = &state.agreement else { return };
        if state.follow_up.is_none() {
            self.add(
                EventKind::FollowUpRecorded,
                Text::new("回访", "follow up"),
                Some(due(agreement.on, tables().deadlines.follow_up)),
            );
        } else if state.stage == Stage::Agreed {
            self.closing();
        }
    }

    fn closing(&mut self) {
        let handlers = self.state.handlers();
        let chair = Who::at(&[Role::Chair], self.state.acting_unit());
        let mediator = Who::Persons {
            keys: handlers.clone(),
            role: Role::Mediator,
            unit: self.state.acting_unit().clone(),
        };
        let signed = self.state.closing.as_ref();
        if !handlers.is_empty() && !signed.is_some_and(|closing| closing.first) {
            let what = Text::new("签署结案", "sign the closing");
            self.add_for(EventKind::CaseClosed, mediator, what, None);
        } else if !signed.is_some_and(|closing| closing.second) {
            let what = Text::new("主任签署结案", "sign the closing as chair");
            self.add_for(EventKind::CaseClosed, chair, what, None);
        }
    }

    fn report(&mut self) {
        match self.state.reported_on {
            None => self.add(
                EventKind::ResultReported,
                Text::new("反馈结果", "report the result"),
                self.state.report_by(),
            ),
            Some(_) => self.acknowledge(),
        }
    }

    fn acknowledge(&mut self) {
        let waits = self.state.reported_on.is_some() && self.state.acknowledged_on.is_none();
        if waits && self.state.petition.is_some() {
            let what = Text::new("签收结果", "acknowledge the result");
            self.add(EventKind::ResultAcknowledged, what, None);
        }
    }

    fn of_what_waits(&mut self) {
        let state = self.state;
        let deadlines = &tables().deadlines;
        if let Some(since) = state.escalation {
            self.add(
                EventKind::EscalationAccepted,
                Text::new("答复上报", "answer the escalation"),
                Some(due(since, deadlines.escalate)),
            );
        }
        if let Some(transfer) = &state.transfer {
            let to = &transfer.to;
            let (kind, what) = match transfer.document {
                None => (
                    EventKind::TransferRouted,
                    text!("分流转办至{to}", "route the transfer to {to}"),
                ),
                Some(_) => (
                    EventKind::TransferConcluded,
                    text!("登记{to}的答复", "report the answer of {to}"),
                ),
            };
            self.add(kind, what, Some(due(transfer.since, deadlines.route)));
        }
        if let Some(reopening) = &state.reopening {
            let index = usize::from(reopening.first);
            if let Some(who) = who(EventKind::CaseReopened, state, None).into_iter().nth(index) {
                let what = Text::new("签署重开", "sign the reopening");
                self.add_for(EventKind::CaseReopened, who, what, None);
            }
        }
        for correction in state
            .corrections
            .iter()
            .filter(|one| one.by_author && !one.by_chair)
        {
            let update = correction.update.short();
            let what = text!(
                "签署对更新 {update} 的更正",
                "sign the correction of update {update}"
            );
            self.add(EventKind::RecordCorrected, what, None);
        }
    }
}
