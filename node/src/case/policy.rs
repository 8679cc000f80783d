//! Who may do what, and when: the table of the mechanism as three pure functions. [`stages`] says in which
//! stage an event may happen, [`who`] who may record it, [`super::needs`] what it needs besides.
//!
//! The ladder (小纠纷不出组,大纠纷不出村) is not here: it is a service target, never a gate on a person.

use super::events::{Event, EventKind};
use super::state::{CaseState, Stage, common_ancestor, supervisor};
use crate::authority::role::Role;
use crate::kind::causal::{Act, Weight};
use crate::kind::who::{Who, anyone_of, require};
use crate::text;
use crate::text::Text;

/// Roles that write messages: all but the auditor, who signs nothing but what an auditor signs.
const WRITERS: &[Role] = &[
    Role::PetitionClerk,
    Role::PetitionReviewer,
    Role::JudicialClerk,
    Role::Mediator,
    Role::Chair,
    Role::Recorder,
    Role::Router,
    Role::Archivist,
    Role::Registrar,
    Role::FinanceClerk,
];

const OPEN: &[Stage] = &[
    Stage::Registered,
    Stage::Accepted,
    Stage::Assigned,
    Stage::InHand,
    Stage::Prepared,
    Stage::Verified,
    Stage::Mediating,
    Stage::Agreed,
    Stage::Failed,
    Stage::Withdrawn,
    Stage::Guided,
    Stage::Received,
];

/// Every stage of a document that has been opened.
const OPENED: &[Stage] = &[
    Stage::Registered,
    Stage::Declined,
    Stage::Accepted,
    Stage::Assigned,
    Stage::InHand,
    Stage::Prepared,
    Stage::Verified,
    Stage::Mediating,
    Stage::Agreed,
    Stage::Failed,
    Stage::Withdrawn,
    Stage::Guided,
    Stage::Closed,
    Stage::Archived,
    Stage::Received,
    Stage::Rejected,
    Stage::Transferred,
];

/// In which stages an event of this type may happen.
pub fn stages(kind: EventKind) -> &'static [Stage] {
    use EventKind as E;
    match kind {
        // A document begins with one of these, and with nothing else.
        E::CaseRegistered | E::TransferReceived => &[Stage::Unopened],
        E::CaseAccepted | E::CaseDeclined => &[Stage::Registered],
        E::TransferAccepted | E::TransferRejected => &[Stage::Received],
        // Mediators are named once the case is accepted, and may be changed until mediation has ended.
        E::CaseAssigned => &[
            Stage::Accepted,
            Stage::Assigned,
            Stage::InHand,
            Stage::Prepared,
            Stage::Verified,
            Stage::Mediating,
        ],
        E::AssignmentConfirmed => &[
            Stage::Assigned,
            Stage::InHand,
            Stage::Prepared,
            Stage::Verified,
            Stage::Mediating,
        ],
        // Also when mediation is over: a case whose mediator is gone must still be closed and followed up.
        E::MediatorRecused => &[
            Stage::Assigned,
            Stage::InHand,
            Stage::Prepared,
            Stage::Verified,
            Stage::Mediating,
            Stage::Agreed,
            Stage::Failed,
            Stage::Withdrawn,
            Stage::Guided,
            Stage::Closed,
        ],
        E::Prepared => &[Stage::InHand],
        E::FactsVerified => &[Stage::Prepared, Stage::Verified],
        E::SessionHeld | E::ExtensionAgreed => &[Stage::Prepared, Stage::Verified, Stage::Mediating],
        E::AgreementSigned | E::OralAgreementRecorded | E::MediationFailed => &[Stage::Mediating],
        // Mediation is voluntary, and the court is open to everybody, at any time (Art. 3, 17 and 26 of the
        // People's Mediation Law).
        E::PartyWithdrew | E::LitigationGuided => OPEN,
        E::ConfirmationApplied | E::ConfirmationRuled | E::FollowUpRecorded => {
            &[Stage::Agreed, Stage::Closed]
        }
        E::TransferProposed | E::EscalationProposed => &[
            Stage::Accepted,
            Stage::Assigned,
            Stage::InHand,
            Stage::Prepared,
            Stage::Verified,
            Stage::Mediating,
            Stage::Failed,
        ],
        // The answer comes in whatever stage the owner has reached meanwhile.
        E::TransferRouted | E::TransferConcluded | E::EscalationAccepted | E::EscalationReturned => OPEN,
        E::CaseClosed => &[Stage::Agreed, Stage::Failed, Stage::Withdrawn, Stage::Guided],
        E::ResultReported | E::ResultAcknowledged => &[
            Stage::Declined,
            Stage::Closed,
            Stage::Archived,
            Stage::Transferred,
        ],
        E::CaseReopened => &[Stage::Declined, Stage::Agreed, Stage::Closed, Stage::Archived],
        E::Archived => &[Stage::Closed],
        E::RecordCorrected
        | E::MessageSent
        | E::ConflictResolved
        | E::ParticularsAttached
        | E::ParticularsDisclosed
        | E::ParticularsErased => OPENED,
        // What is adopted has its own stages.
        E::UpdateAdopted => OPENED,
    }
}

/// Who may record an event of this type. The event itself is at hand where it names a unit.
pub fn who(kind: EventKind, state: &CaseState, event: Option<&Event>) -> Vec<Who> {
    use EventKind as E;
    let (home, unit) = (&state.home, state.acting_unit());
    let chair = || Who::at(&[Role::Chair], unit);
    let mediators = |keys| Who::Persons {
        keys,
        role: Role::Mediator,
        unit: unit.clone(),
    };
    let handlers = || mediators(state.handlers());
    let assigned = || mediators(state.mediators.iter().map(|m| m.key).collect());
    let router = |to: Option<&crate::unit::UnitCode>| {
        let ancestor = to.and_then(|to| common_ancestor(home, to));
        ancestor
            .map(|unit| Who::at(&[Role::Router], &unit))
            .into_iter()
            .collect::<Vec<_>>()
    };
    match kind {
        // A mediator takes a dispute down at his own committee; a judicial office above may do it for him.
        E::CaseRegistered => vec![
            Who::at(&[Role::Mediator, Role::Chair], home),
            Who::at_or_above(&[Role::JudicialClerk], home),
        ],
        // The chair, or the delegate that the committee named, accepts or declines.
        E::CaseAccepted | E::CaseDeclined => vec![chair()],
        // The chair assigns; so does a judicial office at or above the owner.
        E::CaseAssigned => vec![chair(), Who::at_or_above(&[Role::JudicialClerk], unit)],
        // Each assigned mediator confirms for himself.
        E::AssignmentConfirmed => vec![mediators(
            state
                .mediators
                .iter()
                .filter(|m| !m.confirmed)
                .map(|m| m.key)
                .collect(),
        )],
        // The mediator steps back, or the chair takes him off, if need be at a party's request.
        E::MediatorRecused => vec![assigned(), chair()],
        // Mediation is the work of those who have taken the case on.
        E::Prepared
        | E::FactsVerified
        | E::ExtensionAgreed
        | E::AgreementSigned
        | E::OralAgreementRecorded
        | E::MediationFailed => vec![handlers()],
        // Where no mediator is left, the chair visits.
        E::FollowUpRecorded if state.handlers().is_empty() => vec![chair()],
        E::FollowUpRecorded => vec![handlers()],
        E::SessionHeld => vec![handlers(), Who::at(&[Role::Recorder], unit)],
        // Whoever the party tells takes it down: nobody has to wait for a certain mediator.
        E::PartyWithdrew | E::LitigationGuided => vec![
            assigned(),
            Who::at(&[Role::Mediator, Role::Chair], unit),
            Who::at_or_above(&[Role::JudicialClerk], unit),
        ],
        E::ConfirmationApplied | E::ConfirmationRuled => vec![Who::at_or_above(&[Role::JudicialClerk], unit)],
        // The owner gives a case away; nobody takes it.
        E::TransferProposed | E::EscalationProposed => vec![handlers(), chair()],
        // The lowest unit that sees both ends routes.
        E::TransferRouted | E::TransferConcluded => {
            router(state.transfer.as_ref().map(|transfer| &transfer.to))
        }
        E::TransferReceived => match event {
            Some(Event::TransferReceived(event)) => router(Some(&event.source_unit)),
            _ => router(home.parent().as_ref()),
        },
        E::TransferAccepted | E::TransferRejected => vec![Who::at(&[Role::Chair, Role::JudicialClerk], home)],
        // The next level answers, and no other.
        E::EscalationAccepted | E::EscalationReturned => unit
            .parent()
            .map(|parent| Who::at(&[Role::Chair, Role::JudicialClerk], &parent))
            .into_iter()
            .collect(),
        // The mediator and the chair, each with his own signature.
        E::CaseClosed => vec![handlers(), chair()],
        E::ResultReported => vec![Who::at_or_above(&[Role::JudicialClerk], home)],
        E::ResultAcknowledged => vec![Who::at_or_above(
            &[Role::PetitionClerk, Role::PetitionReviewer],
            home,
        )],
        // The chair, with the approval of the office that supervises, each with a signature.
        E::CaseReopened => vec![
            chair(),
            Who::at_or_above(&[Role::JudicialClerk], &supervisor(unit)),
        ],
        E::Archived => vec![Who::at_or_above(&[Role::Archivist], unit)],
        // The author of what is corrected, and the chair.
        E::RecordCorrected => vec![chair()],
        E::MessageSent => vec![Who::at_or_above(WRITERS, home)],
        E::ParticularsAttached => vec![
            assigned(),
            Who::at(
                &[Role::Mediator, Role::Chair, Role::Recorder, Role::Archivist],
                unit,
            ),
            Who::at_or_above(&[Role::JudicialClerk], unit),
        ],
        E::ParticularsDisclosed => vec![Who::at_or_above(&[Role::JudicialClerk, Role::Auditor], unit)],
        E::ParticularsErased => vec![chair(), Who::at_or_above(&[Role::JudicialClerk], unit)],
        E::ConflictResolved => vec![chair()],
        E::UpdateAdopted => vec![
            chair(),
            Who::at_or_above(&[Role::JudicialClerk], &supervisor(unit)),
        ],
    }
}

/// How much an event of this type moves.
pub fn weight(kind: EventKind) -> Weight {
    use EventKind as E;
    match kind {
        E::MessageSent
        | E::RecordCorrected
        | E::ParticularsAttached
        | E::ParticularsDisclosed
        | E::ParticularsErased => Weight::Note,
        E::AssignmentConfirmed
        | E::Prepared
        | E::FactsVerified
        | E::SessionHeld
        | E::ExtensionAgreed
        | E::ConfirmationApplied
        | E::ConfirmationRuled
        | E::FollowUpRecorded
        | E::ResultReported
        | E::ResultAcknowledged => Weight::Step,
        E::CaseRegistered
        | E::CaseAccepted
        | E::CaseDeclined
        | E::CaseAssigned
        | E::MediatorRecused
        | E::AgreementSigned
        | E::OralAgreementRecorded
        | E::PartyWithdrew
        | E::MediationFailed
        | E::LitigationGuided
        | E::TransferProposed
        | E::TransferRouted
        | E::TransferReceived
        | E::TransferAccepted
        | E::TransferRejected
        | E::TransferConcluded
        | E::EscalationProposed
        | E::EscalationAccepted
        | E::EscalationReturned
        | E::CaseClosed
        | E::CaseReopened
        | E::Archived
        | E::ConflictResolved
        | E::UpdateAdopted => Weight::Decision,
    }
}

/// May this act be done in this state? `Err` says why not, which events may be recorded, and who may.
pub fn judge(act: Act<'_, Event>, state: &CaseState) -> Result<(), Text> {
    let kind = act.event.kind();
    if !stages(kind).contains(&state.stage) {
        return Err(not_at_this_stage(kind, state));
    }
    let mut who = who(kind, state, Some(act.event));
    if let Event::RecordCorrected(event) = act.event {
        who.extend(author_of(act, event.update));
    }
    if act.adopted {
        // Besides those who might have recorded it themselves.
        who.extend(self::who(EventKind::UpdateAdopted, state, None));
    }
    require(&kind.title(), &who, &act.entry.signer)?;
    super::needs::check(act, state)
}

fn author_of(act: Act<'_, Event>, update: anjuan_sync::UpdateId) -> Option<Who> {
    let entry = act
        .entry
        .past
        .iter()
        .filter_map(|i| act.history.entries.get(i))
        .find(|entry| entry.update == update)?;
    Some(Who::Persons {
        keys: vec![entry.signer.key],
        role: entry.signer.roles.first().copied().unwrap_or(Role::Recorder),
        unit: entry.signer.unit.clone(),
    })
}

/// Is there something that this event answers, where it is an answer?
pub(super) fn is_called_for(kind: EventKind, state: &CaseState) -> bool {
    use EventKind as E;
    let routed = state
        .transfer
        .as_ref()
        .map(|transfer| transfer.document.is_some());
    match kind {
        E::TransferProposed | E::EscalationProposed => {
            state.transfer.is_none()
                && state.escalation.is_none()
                && (kind == E::TransferProposed || state.owner.parent().is_some())
        }
        E::TransferRouted => routed == Some(false),
        E::TransferConcluded => routed.is_some(),
        E::EscalationAccepted | E::EscalationReturned => state.escalation.is_some(),
        E::AssignmentConfirmed => state.mediators.iter().any(|m| !m.confirmed),
        E::MediatorRecused => !state.mediators.is_empty(),
        E::ConfirmationApplied => state
            .agreement
            .as_ref()
            .is_some_and(|a| a.confirmation_applied.is_none()),
        E::ConfirmationRuled => state
            .agreement
            .as_ref()
            .is_some_and(|a| a.confirmation_applied.is_some() && a.confirmed.is_none()),
        E::FollowUpRecorded => state.agreement.is_some(),
        E::ResultReported => state.reported_on.is_none(),
        E::ResultAcknowledged => state.reported_on.is_some() && state.acknowledged_on.is_none(),
        E::ParticularsDisclosed | E::ParticularsErased => state.sealed.iter().any(|item| !item.erased),
        E::ConflictResolved | E::UpdateAdopted => false,
        _ => true,
    }
}

/// What may be recorded in this state, in the order of the flow, and by whom.
pub(super) fn possible(state: &CaseState) -> impl Iterator<Item = (EventKind, Vec<Who>)> + '_ {
    EventKind::ALL
        .iter()
        .copied()
        .filter(|kind| stages(*kind).contains(&state.stage) && is_called_for(*kind, state))
        .map(|kind| (kind, who(kind, state, None)))
        .filter(|(_, who)| !who.is_empty())
}

fn not_at_this_stage(kind: EventKind, state: &CaseState) -> Text {
    let (mut zh, mut en) = (Vec::new(), Vec::new());
    for (kind, who) in possible(state).filter(|(kind, _)| weight(*kind) != Weight::Note) {
        let (title, who, name) = (kind.title(), anyone_of(&who), kind.name());
        zh.push(format!("{}({})", title.zh, who.zh));
        en.push(format!("{name} ({})", who.en));
    }
    let (title, stage, name) = (kind.title().zh, state.stage.title(), kind.name());
    let (stage_zh, stage_en) = (stage.zh, stage.en);
    match zh.is_empty() {
        true => text!(
            "“{stage_zh}”阶段不能“{title}”;此阶段已无后续步骤",
            "{name} is not possible at stage \"{stage_en}\"; no further step is"
        ),
        false => {
            let (zh, en) = (zh.join("、"), en.join(", "));
            text!(
                "“{stage_zh}”阶段不能“{title}”;现可:{zh}",
                "{name} is not possible at stage \"{stage_en}\"; possible now: {en}"
            )
        }
    }
}
