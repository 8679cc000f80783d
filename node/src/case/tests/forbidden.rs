//! For every stage, every event that is not allowed there is void, and the reason says which are.

use std::collections::BTreeSet;

use super::*;
use crate::case::events::{EventKind, catalog};
use crate::case::policy::weight;
use crate::kind::Verdict;
use crate::kind::causal::Weight;

/// What moves the case, by stage: the last column of the mechanism's table, with what may happen at any
/// time left out (messages, papers, corrections).
const NEXT: &[(&str, &[&str])] = &[
    ("unopened", &["CaseRegistered", "TransferReceived"]),
    (
        "registered",
        &[
            "CaseAccepted",
            "CaseDeclined",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    ("declined", &["ResultReported", "CaseReopened"]),
    (
        "accepted",
        &[
            "CaseAssigned",
            "TransferProposed",
            "EscalationProposed",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    (
        "assigned",
        &[
            "CaseAssigned",
            "AssignmentConfirmed",
            "MediatorRecused",
            "TransferProposed",
            "EscalationProposed",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    (
        "in-hand",
        &[
            "CaseAssigned",
            "MediatorRecused",
            "Prepared",
            "TransferProposed",
            "EscalationProposed",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    (
        "prepared",
        &[
            "CaseAssigned",
            "MediatorRecused",
            "FactsVerified",
            "SessionHeld",
            "ExtensionAgreed",
            "TransferProposed",
            "EscalationProposed",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    (
        "verified",
        &[
            "CaseAssigned",
            "MediatorRecused",
            "FactsVerified",
            "SessionHeld",
            "ExtensionAgreed",
            "TransferProposed",
            "EscalationProposed",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    (
        "mediating",
        &[
            "CaseAssigned",
            "MediatorRecused",
            "SessionHeld",
            "ExtensionAgreed",
            "AgreementSigned",
            "OralAgreementRecorded",
            "MediationFailed",
            "TransferProposed",
            "EscalationProposed",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    (
        "agreed",
        &[
            "MediatorRecused",
            "ConfirmationApplied",
            "FollowUpRecorded",
            "CaseClosed",
            "CaseReopened",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    (
        "failed",
        &[
            "MediatorRecused",
            "TransferProposed",
            "EscalationProposed",
            "CaseClosed",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    (
        "withdrawn",
        &[
            "MediatorRecused",
            "CaseClosed",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    (
        "guided",
        &[
            "MediatorRecused",
            "CaseClosed",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    (
        "closed",
        &[
            "MediatorRecused",
            "ConfirmationApplied",
            "FollowUpRecorded",
            "ResultReported",
            "CaseReopened",
            "Archived",
        ],
    ),
    ("archived", &["ResultReported", "CaseReopened"]),
    (
        "received",
        &[
            "TransferAccepted",
            "TransferRejected",
            "PartyWithdrew",
            "LitigationGuided",
        ],
    ),
    ("rejected", &[]),
    ("transferred", &["ResultReported"]),
];

/// An event of each type, such as would count somewhere.
fn event(kind: EventKind, people: &Cast) -> Value {
    match kind.name() {
        "CaseRegistered" => registered(),
        "CaseAccepted" => accepted(),
        "CaseDeclined" => declined(),
        "CaseAssigned" => assigned(&[&people.second]),
        "AssignmentConfirmed" => confirmed(),
        "MediatorRecused" => recused(&people.mediator),
        "Prepared" => prepared(),
        "FactsVerified" => verified(),
        "SessionHeld" => session("2019-12-02"),
        "ExtensionAgreed" => {
            json!({"type": "ExtensionAgreed", "until": "2020-02-01", "consents": true, "reason": "待鉴定"})
        }
        "AgreementSigned" => agreement("2019-12-02"),
        "OralAgreementRecorded" => {
            json!({"type": "OralAgreementRecorded", "content": "道歉", "manner": "at-once", "on": "2019-12-02"})
        }
        "PartyWithdrew" => withdrew(),
        "MediationFailed" => failed(),
        "LitigationGuided" => guided(),
        "ConfirmationApplied" => {
            json!({"type": "ConfirmationApplied", "both_parties": true, "court": "法院", "on": "2019-12-02"})
        }
        "ConfirmationRuled" => {
            json!({"type": "ConfirmationRuled", "number": "1", "valid": true, "on": "2019-12-02"})
        }
        "FollowUpRecorded" => follow_up("2019-12-02"),
        "TransferProposed" => transfer_proposed("450902001003"),
        "TransferRouted" => transfer_routed(OTHER_VILLAGE),
        "TransferReceived" => transfer_received("450902001003"),
        "TransferAccepted" => json!({"type": "TransferAccepted", "rights_notice": true}),
        "TransferRejected" => json!({"type": "TransferRejected", "reason": "不在本村"}),
        "TransferConcluded" => transfer_concluded("rejected"),
        "EscalationProposed" => escalated(),
        "EscalationAccepted" => escalation_accepted(),
        "EscalationReturned" => escalation_returned(),

        "ResultAcknowledged" => acknowledged(),
        "CaseReopened" => reopened(),
        "Archived" => archived(),
        "ConflictResolved" => resolved(&commitment(4)),
        "UpdateAdopted" => json!({"type": "UpdateAdopted", "update": commitment(4), "reason": "属实"}),
        "MessageSent" => message("好"),
        "RecordCorrected" => {
            json!({"type": "RecordCorrected", "update": commitment(4), "field": "x", "correction": "x", "reason": "x"})
        }
        "ParticularsAttached" => {
            json!({"type": "ParticularsAttached", "items": [{"commitment": commitment(5), "role": "identity"}]})
        }
        "ParticularsDisclosed" => {
            json!({"type": "ParticularsDisclosed", "commitments": [commitment(1)], "reason": "复核"})
        }
        "ParticularsErased" => json!({
            "type": "ParticularsErased", "commitments": [commitment(1)], "basis": "ordered", "reference": "1",
        }),
        name => panic!("no example of {name}"),
    }
}

/// Events of one type that fit different stages: a closing names its result.
pub(super) fn events_of(kind: EventKind, people: &Cast) -> Vec<Value> {
    match kind {
        EventKind::CaseClosed => [
            "agreement-written",
            "agreement-oral",
            "failed",
            "withdrawn",
            "guided",
        ]
        .map(closed)
        .to_vec(),
        EventKind::ResultReported => ["agreement-written", "declined"].map(reported).to_vec(),
        _ => vec![event(kind, people)],
    }
}

#[test]
fn what_the_table_does_not_allow_is_void_and_the_reason_says_what_is() {
    let people = cast();
    let others = [
        person("other chair", OTHER_VILLAGE, &[Role::Chair]),
        person("other mediator", OTHER_VILLAGE, &[Role::Mediator]),
    ];
    let signers: Vec<_> = people.everybody().into_iter().chain(&others).collect();
    let mut forbidden = 0;
    for (stage, allowed) in NEXT {
        let story = at(stage);
        for kind in EventKind::ALL.iter().copied() {
            if weight(kind) == Weight::Note && *stage != "unopened" {
                continue;
            }
            let mut counted = false;
            let mut reasons = Vec::new();
            for signer in &signers {
                for event in events_of(kind, &people) {
                    let mut story = story.clone();
                    let index = story.record(signer, event);
                    match story.verdict(index) {
                        Verdict::Counts => counted = true,
                        Verdict::Void(reason) => reasons.push(reason),
                        other => panic!("{stage} {}: {other:?}", kind.name()),
                    }
                }
            }
            let name = kind.name();
            assert_eq!(counted, allowed.contains(&name), "{stage} {name}: {reasons:?}");
            if !counted {
                forbidden += 1;
                let named = |reason: &crate::text::Text| {
                    allowed.iter().all(|next| reason.en.contains(next)) && !reason.zh.is_empty()
                };
                let stage_gate = reasons
                    .iter()
                    .filter(|reason| reason.en.contains("not possible at stage"));
                assert!(stage_gate.clone().all(named), "{stage} {name}: {reasons:?}");
            }
        }
    }
    assert!(forbidden > 400, "{forbidden}");
}

#[test]
fn next_steps_are_what_the_table_allows() {
    for (stage, allowed) in NEXT {
        let notes: BTreeSet<&str> = EventKind::ALL
            .iter()
            .filter(|kind| weight(**kind) == Weight::Note)
            .map(|kind| kind.name())
            .collect();
        let next: BTreeSet<&str> = at(stage)
            .fold()
            .next
            .iter()
            .map(|step| step.event)
            .filter(|event| !notes.contains(event))
            .collect();
        assert_eq!(next, allowed.iter().copied().collect(), "{stage}");
    }
}

#[test]
fn whoever_may_not_is_told_who_may() {
    let people = cast();
    let reason = at("registered").void(&people.mediator, accepted());
    assert_eq!(
        reason.en,
        "\"case accepted\" may be recorded by committee chair of 450902001001; the signer is mediator of 450902001001"
    );
    let reason = at("registered").void(&people.town_chair, accepted());
    assert!(reason.zh.contains("450902001001的调委会主任"), "{reason:?}");
    let reason = at("mediating").void(&people.second, session("2019-12-02"));
    assert!(reason.en.contains("the mediator handling it"), "{reason:?}");
    let stranger = person("stranger", OTHER_VILLAGE, &[Role::Mediator]);
    at("registered").void(&stranger, message("我来"));
    at("registered").void(&people.auditor, message("我来"));
    assert_eq!(catalog().len(), EventKind::ALL.len());
}
