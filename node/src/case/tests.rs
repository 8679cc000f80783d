//! Stories of a case, told by the people of one village, its town and its county.

mod branches;
mod conflicts;
mod deadlines;
mod forbidden;
mod kept;
mod properties;

use std::sync::Arc;

use serde_json::{Value, json};

use super::Case;
use crate::authority::role::Role;
use crate::kind::Signer;
use crate::kind::story::{Story, person};

const VILLAGE: &str = "450902001001";
const TOWN: &str = "450902001";
const COUNTY: &str = "450902";
const OTHER_VILLAGE: &str = "450902001002";

/// Everybody who signs.
struct Cast {
    mediator: Arc<Signer>,
    second: Arc<Signer>,
    chair: Arc<Signer>,
    recorder: Arc<Signer>,
    town_clerk: Arc<Signer>,
    town_chair: Arc<Signer>,
    town_mediator: Arc<Signer>,
    town_petition: Arc<Signer>,
    town_router: Arc<Signer>,
    archivist: Arc<Signer>,
    county_clerk: Arc<Signer>,
    county_router: Arc<Signer>,
    auditor: Arc<Signer>,
}

fn cast() -> Cast {
    Cast {
        mediator: person("mediator", VILLAGE, &[Role::Mediator]),
        second: person("second", VILLAGE, &[Role::Mediator]),
        chair: person("chair", VILLAGE, &[Role::Chair]),
        recorder: person("recorder", VILLAGE, &[Role::Recorder]),
        town_clerk: person("town clerk", TOWN, &[Role::JudicialClerk]),
        town_chair: person("town chair", TOWN, &[Role::Chair]),
        town_mediator: person("town mediator", TOWN, &[Role::Mediator]),
        town_petition: person("town petition clerk", TOWN, &[Role::PetitionClerk]),
        town_router: person("town router", TOWN, &[Role::Router]),
        archivist: person("archivist", TOWN, &[Role::Archivist]),
        county_clerk: person("county clerk", COUNTY, &[Role::JudicialClerk]),
        county_router: person("county router", COUNTY, &[Role::Router]),
        auditor: person("auditor", COUNTY, &[Role::Auditor]),
    }
}

impl Cast {
    fn everybody(&self) -> [&Arc<Signer>; 13] {
        [
            &self.mediator,
            &self.second,
            &self.chair,
            &self.recorder,
            &self.town_clerk,
            &self.town_chair,
            &self.town_mediator,
            &self.town_petition,
            &self.town_router,
            &self.archivist,
            &self.county_clerk,
            &self.county_router,
            &self.auditor,
        ]
    }
}

fn commitment(n: u8) -> String {
    hex::encode([n; 32])
}

fn parties() -> Value {
    json!([
        {"commitment": commitment(1), "role": "applicant", "kind": "person"},
        {"commitment": commitment(2), "role": "respondent", "kind": "organisation"},
    ])
}

fn registered() -> Value {
    json!({
        "type": "CaseRegistered", "source": "applied", "category": "neighbours", "brief": "相邻排水纠纷",
        "facts": "雨季排水流入邻院。", "parties": parties(), "headcount": "up-to-4",
        "number": "(2019)玉州东成人调字第12号",
    })
}

fn accepted() -> Value {
    json!({"type": "CaseAccepted", "consent": true, "rights_notice": true, "no_exclusion": true})
}

fn declined() -> Value {
    json!({"type": "CaseDeclined", "reason": "seised", "explanation": "法院已立案", "remedies": ["litigation"]})
}

fn assigned(to: &[&Arc<Signer>]) -> Value {
    let keys: Vec<String> = to.iter().map(|signer| signer.key.to_string()).collect();
    json!({"type": "CaseAssigned", "mediators": keys})
}

fn confirmed() -> Value {
    json!({"type": "AssignmentConfirmed", "no_interest": true})
}

fn recused(who: &Arc<Signer>) -> Value {
    json!({"type": "MediatorRecused", "mediator": who.key.to_string(), "asked_by": "party", "ground": "kinship"})
}

fn prepared() -> Value {
    json!({"type": "Prepared", "plan": "先分别谈话", "notified": 2, "invitees": ["cadre"], "invitees_consented": true})
}

fn verified() -> Value {
    json!({"type": "FactsVerified", "findings": "现场查看属实", "records": 1, "evidence": [commitment(7)]})
}

fn session(on: &str) -> Value {
    json!({"type": "SessionHeld", "on": on, "attendance": 3, "record": "双方陈述", "result": "continues"})
}

fn agreement(on: &str) -> Value {
    json!({
        "type": "AgreementSigned", "number": "玉州东成人调协字〔2019〕12号", "facts": "排水", "dispute": "排水走向",
        "responsibility": "双方各半", "terms": "共修排水沟", "manner": "dated", "perform_by": "2020-01-10",
        "on": on, "signatures": true, "seal": true,
    })
}

fn withdrew() -> Value {
    json!({"type": "PartyWithdrew", "party": "respondent"})
}

fn failed() -> Value {
    json!({"type": "MediationFailed", "reason": "分歧过大", "undisputed": "排水事实", "remedies": ["litigation"]})
}

fn guided() -> Value {
    json!({"type": "LitigationGuided", "route": "litigation", "receipt": "2019-88"})
}

fn follow_up(on: &str) -> Value {
    json!({"type": "FollowUpRecorded", "on": on, "performance": "full", "satisfaction": "satisfied", "relapse": false})
}

fn closed(result: &str) -> Value {
    json!({"type": "CaseClosed", "result": result, "report": "已办结", "papers": ["identity"]})
}

fn reported(result: &str) -> Value {
    json!({"type": "ResultReported", "result": result, "summary": "已办结", "to": TOWN})
}

fn acknowledged() -> Value {
    json!({"type": "ResultAcknowledged"})
}

fn archived() -> Value {
    json!({"type": "Archived", "file_number": "2019-12", "pages": 23, "papers": ["identity", "follow-up-record"]})
}

fn reopened() -> Value {
    json!({"type": "CaseReopened", "ground": "agreement-broken", "explanation": "排水沟未修"})
}

fn escalated() -> Value {
    json!({"type": "EscalationProposed", "steps_tried": "两次调解", "reason": "涉及两村"})
}

fn escalation_accepted() -> Value {
    json!({"type": "EscalationAccepted"})
}

fn escalation_returned() -> Value {
    json!({"type": "EscalationReturned", "reason": "村内可解"})
}

fn transfer_proposed(to: &str) -> Value {
    json!({"type": "TransferProposed", "to": to, "reason": "标的在该村", "consent": true, "shared": [commitment(1)]})
}

fn transfer_routed(to: &str) -> Value {
    json!({"type": "TransferRouted", "to": to, "document": "ab".repeat(16)})
}

fn transfer_concluded(outcome: &str) -> Value {
    json!({"type": "TransferConcluded", "outcome": outcome})
}

fn transfer_received(from: &str) -> Value {
    json!({
        "type": "TransferReceived", "source_unit": from, "source_document": "cd".repeat(16),
        "heads": [commitment(3)], "source": "applied", "category": "neighbours", "brief": "相邻排水纠纷",
        "facts": "排水", "parties": parties(), "reason": "标的在该村", "mediate_by": "2019-12-31",
    })
}

fn message(text: &str) -> Value {
    json!({"type": "MessageSent", "text": text})
}

fn resolved(kept: &str) -> Value {
    json!({"type": "ConflictResolved", "kept": kept, "reason": "经核实"})
}

/// A story that has come to `stage`, in the village unless it begins with a transfer.
fn at(stage: &str) -> Story {
    let people = cast();
    let mut story = Story::new(&Case, VILLAGE);
    let flow: Vec<(&Arc<Signer>, Value, &str)> = vec![
        (&people.mediator, registered(), "registered"),
        (&people.chair, accepted(), "accepted"),
        (&people.chair, assigned(&[&people.mediator]), "assigned"),
        (&people.mediator, confirmed(), "in-hand"),
        (&people.mediator, prepared(), "prepared"),
        (&people.mediator, verified(), "verified"),
        (&people.mediator, session("2019-12-02"), "mediating"),
        (&people.mediator, agreement("2019-12-02"), "agreed"),
        (&people.mediator, closed("agreement-written"), "agreed"),
        (&people.chair, closed("agreement-written"), "closed"),
        (&people.archivist, archived(), "archived"),
    ];
    match stage {
        "unopened" => {}
        "declined" => {
            story.counts(&people.mediator, registered());
            story.counts(&people.chair, declined());
        }
        "failed" => {
            story = at("mediating");
            story.counts(&people.mediator, failed());
        }
        "withdrawn" => {
            story = at("mediating");
            story.counts(&people.mediator, withdrew());
        }
        "guided" => {
            story = at("failed");
            story.counts(&people.mediator, guided());
        }
        "received" => {
            story = Story::new(&Case, OTHER_VILLAGE);
            story.counts(&people.town_router, transfer_received(VILLAGE));
        }
        "rejected" => {
            story = at("received");
            let chair = person("other chair", OTHER_VILLAGE, &[Role::Chair]);
            story.counts(&chair, json!({"type": "TransferRejected", "reason": "不在本村"}));
        }
        "transferred" => {
            story = at("in-hand");
            story.counts(&people.mediator, transfer_proposed(OTHER_VILLAGE));
            story.counts(&people.town_router, transfer_routed(OTHER_VILLAGE));
            story.counts(&people.town_router, transfer_concluded("accepted"));
        }
        _ => {
            for (signer, event, reached) in flow {
                story.counts(signer, event);
                assert_eq!(story.stage(), reached);
                if reached == stage {
                    return story;
                }
            }
        }
    }
    assert_eq!(story.stage(), stage);
    story
}

/// The units that may read a sealed item.
fn readers(story: &Story, n: u8) -> Vec<String> {
    let particulars = story.fold().particulars;
    let item = particulars
        .iter()
        .find(|item| item.commitment == commitment(n))
        .expect("sealed");
    item.readers.iter().map(ToString::to_string).collect()
}
