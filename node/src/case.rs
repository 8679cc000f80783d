//! 案件: the kind of document that a mediation case is.

mod agenda;
mod apply;
pub mod events;
mod needs;
pub mod number;
pub mod policy;
pub mod state;
pub mod tables;

use std::collections::BTreeMap;

use anjuan_sync::{Reach, Space};
use serde_json::{Map, Value};

use self::events::{Event, TransferOutcome};
use self::state::{CaseState, Stage, supervisor};
use crate::authority::role::Role;
use crate::calendar::to_jiff;
use crate::kind::catalog::EventSpec;
use crate::kind::causal::{self, Act, Reference, Rules, Weight};
use crate::kind::field::{Fault, Field, Line, Prose};
use crate::kind::{History, Kind, ParticularsRef, Projection, Summary, Verdict};
use crate::text::Text;
use crate::unit::UnitCode;

/// A case.
#[derive(Clone, Copy, Debug)]
pub struct Case;

/// Every event of a case with its fields.
pub fn catalog() -> &'static [EventSpec] {
    events::catalog()
}

impl Kind for Case {
    fn name(&self) -> &'static str {
        "case"
    }

    fn title(&self) -> Text {
        Text::new("案件", "case")
    }

    fn reach(&self) -> Reach {
        Reach::Up
    }

    fn catalog(&self) -> &'static [EventSpec] {
        catalog()
    }

    fn fold(&self, history: &History) -> Projection {
        project(causal::fold(self, history))
    }
}

impl Rules for Case {
    type Event = Event;
    type State = CaseState;

    fn blank(&self, space: &Space) -> CaseState {
        CaseState::unopened(home_of(space))
    }

    fn parse(&self, map: &Map<String, Value>) -> Result<Option<Event>, Fault> {
        Event::parse(map)
    }

    fn title(&self, event: &Event) -> Text {
        event.kind().title()
    }

    fn weight(&self, event: &Event) -> Weight {
        policy::weight(event.kind())
    }

    fn reference(&self, event: &Event) -> Option<Reference> {
        match event {
            Event::ConflictResolved(event) => Some(Reference::Keeps(event.kept)),
            Event::UpdateAdopted(event) => Some(Reference::Adopts(event.update)),
            _ => None,
        }
    }

    /// The same decision, whatever the words in which it was taken down.
    fn same(&self, a: &Event, b: &Event) -> bool {
        match (a, b) {
            (Event::CaseClosed(a), Event::CaseClosed(b)) => a.result == b.result,
            (Event::CaseAssigned(a), Event::CaseAssigned(b)) => {
                let sorted = |event: &events::CaseAssigned| {
                    let mut keys = event.mediators.as_slice().to_vec();
                    keys.sort_unstable();
                    keys
                };
                sorted(a) == sorted(b)
            }
            (Event::MediatorRecused(a), Event::MediatorRecused(b)) => a.mediator == b.mediator,
            (Event::TransferProposed(a), Event::TransferProposed(b)) => a.to == b.to,
            (Event::TransferConcluded(a), Event::TransferConcluded(b)) => a.outcome == b.outcome,
            (Event::TransferRouted(_), _)
            | (Event::AgreementSigned(_), _)
            | (Event::OralAgreementRecorded(_), _) => a == b,
            _ => a.kind() == b.kind(),
        }
    }

    fn excludes(&self, a: &Event, b: &Event) -> bool {
        !self.same(a, b) && !go_together(a, b) && !go_together(b, a)
    }

    /// A person's freedom waits for no committee.
    fn is_free(&self, event: &Event) -> bool {
        matches!(event, Event::PartyWithdrew(_) | Event::LitigationGuided(_))
    }

    fn decides(&self, state: &CaseState) -> (UnitCode, Role) {
        (state.acting_unit().clone(), Role::Chair)
    }

    fn judge(&self, act: Act<'_, Event>, state: &CaseState) -> Result<(), Text> {
        policy::judge(act, state)
    }

    fn apply(&self, act: Act<'_, Event>, state: &mut CaseState) {
        apply::apply(act, state);
    }
}

/// Different decisions that can both hold.
fn go_together(a: &Event, b: &Event) -> bool {
    match (a, b) {
        // Two mediators step back.
        (Event::MediatorRecused(_), Event::MediatorRecused(_)) => true,
        // One steps back while the chair names others.
        (Event::MediatorRecused(recused), Event::CaseAssigned(assigned)) => {
            !assigned.mediators.iter().any(|key| *key == recused.mediator)
        }
        // A proposal moves nothing yet.
        (
            Event::EscalationProposed(_) | Event::TransferProposed(_),
            Event::CaseAssigned(_) | Event::MediatorRecused(_) | Event::MediationFailed(_),
        ) => true,
        // The next level takes a case over, and with it the question who mediates.
        (Event::EscalationAccepted(_), Event::MediatorRecused(_)) => true,
        // What is given back has never left.
        (Event::EscalationReturned(_), other) => !matches!(other, Event::EscalationAccepted(_)),
        (Event::TransferConcluded(concluded), other) if concluded.outcome == TransferOutcome::Rejected => {
            !matches!(other, Event::TransferConcluded(_))
        }
        // Who routes a transfer does not decide it.
        (Event::TransferRouted(_), other) => !matches!(
            other,
            Event::TransferRouted(_) | Event::TransferConcluded(_) | Event::CaseClosed(_)
        ),
        // A party leaves, whoever mediates and at whatever level. With an agreement, a refusal or a closing
        // it does not go together: somebody has to say which was first.
        (Event::PartyWithdrew(_) | Event::LitigationGuided(_), other) => !matches!(
            other,
            Event::AgreementSigned(_)
                | Event::OralAgreementRecorded(_)
                | Event::CaseDeclined(_)
                | Event::CaseClosed(_)
                | Event::CaseReopened(_)
                | Event::TransferConcluded(_)
                | Event::TransferRejected(_)
        ),
        _ => false,
    }
}

/// The unit whose space it is.
pub(crate) fn home_of(space: &Space) -> UnitCode {
    // A space whose path is no unit's has no documents: certificates name units. Its root is one.
    UnitCode::from_path(&space.unit).unwrap_or_else(|_| "4509".parse().expect("a unit code"))
}

fn project(outcome: causal::Outcome<CaseState>) -> Projection {
    let state = &outcome.state;
    let conflict = outcome.conflicts.iter().any(|conflict| conflict.kept.is_none());
    let adoptable = outcome
        .verdicts
        .iter()
        .any(|verdict| matches!(verdict, Verdict::Quarantined(_)));
    let duties = agenda::duties(state, conflict);
    let finished = duties.is_empty() && !state.stage.is_open() && state.stage != Stage::Unopened;
    let summary = Summary {
        number: state.number.as_ref().map(ToString::to_string),
        title: title(state, &outcome.record),
        stage: state.stage.code().to_owned(),
        stage_title: state.stage.title(),
        category: state
            .category
            .as_ref()
            .map(|category| category.as_str().to_owned()),
        category_title: state.category.as_ref().map(events::Category::title),
        owner: state.owner.clone(),
        opened_at: state.opened_at.map(to_jiff),
        due: duties.iter().filter_map(|duty| duty.due).min(),
        needs_decision: conflict,
        finished,
    };
    let mut shown = serde_json::to_value(state).unwrap_or(Value::Null);
    if let Value::Object(map) = &mut shown {
        map.insert("record".to_owned(), record(&outcome.record));
    }
    Projection {
        next: agenda::next(state, conflict, adoptable),
        particulars: particulars(state),
        links: state.links.clone(),
        state: shown,
        verdicts: outcome.verdicts,
        conflicts: outcome.conflicts,
        summary,
        duties,
    }
}

/// The title in the record, if somebody has given one; otherwise the brief of the registration.
fn title(state: &CaseState, record: &BTreeMap<String, Value>) -> String {
    let given = record.get("title").and_then(|title| Line::<60>::read(title).ok());
    let title = given.as_ref().or(state.brief.as_ref());
    title.map_or_else(String::new, |title| title.as_str().to_owned())
}

/// The record fields as shown: texts of a bounded length, numbers and booleans.
fn record(fields: &BTreeMap<String, Value>) -> Value {
    let fits = |value: &Value| match value {
        Value::String(_) => Prose::<2000>::read(value).is_ok(),
        Value::Number(_) | Value::Bool(_) => true,
        _ => false,
    };
    fields
        .iter()
        .filter(|(_, value)| fits(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}

/// Who may read what: every unit that handles or handled the case; the office that supervises it, unless
/// the item is for the handling unit alone; units above whose reading is on record; and the receiver of a
/// transfer, once it has accepted.
fn particulars(state: &CaseState) -> Vec<ParticularsRef> {
    let handling = state.owners.clone();
    let mut supervised = handling.clone();
    for unit in state.owners.iter().map(supervisor) {
        if !supervised.contains(&unit) {
            supervised.push(unit);
        }
    }
    state
        .sealed
        .iter()
        .map(|item| {
            let mut readers = if item.restricted {
                handling.clone()
            } else {
                supervised.clone()
            };
            for unit in item.disclosed_to.iter().chain(&item.shared_with) {
                if !readers.contains(unit) {
                    readers.push(unit.clone());
                }
            }
            ParticularsRef {
                commitment: item.commitment.to_string(),
                role: item.role.clone(),
                restricted: item.restricted,
                readers,
                erased: item.erased,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
