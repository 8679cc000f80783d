//! What the events of a story say.

use std::collections::BTreeMap;

use anjuan_node::calendar::{add_days, local_date};
use anjuan_node::case::tables::tables;
use anjuan_node::kind::Content;
use anjuan_sync::{AuthorKey, Timestamp};
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

const PHRASES: &[&str] = &[
    "双方因相邻排水走向发生争执",
    "经现场查看,沟渠淤塞属实",
    "雨季积水流入邻院,墙脚受潮",
    "申请人要求恢复原状",
    "被申请人称系历史形成",
    "村委会曾两次到场劝说",
    "双方同意由调委会主持调解",
    "费用分担尚有分歧",
    "工资结算单据不全,正在核对",
    "界址以承包合同附图为准",
    "已告知权利义务和其他途径",
    "双方均愿各让一步",
];

/// Some sentences, as a mediator writes them.
pub(super) fn prose(rng: &mut StdRng, sentences: usize) -> String {
    let mut text = String::new();
    for _ in 0..sentences {
        text.push_str(PHRASES[rng.random_range(0..PHRASES.len())]);
        text.push('。');
    }
    text
}

fn commitment(rng: &mut StdRng) -> String {
    hex::encode(rng.random::<[u8; 32]>())
}

/// The content of the event named, as recorded at `wall`; `None` for one that needs more than that.
pub(super) fn event(name: &str, rng: &mut StdRng, wall: Timestamp) -> Option<Content> {
    let today = local_date(wall);
    let papers = || -> Vec<&str> {
        tables()
            .papers
            .iter()
            .map(|paper| paper.code.as_str())
            .take(30)
            .collect()
    };
    let number = rng.random_range(1..10_000);
    let value = match name {
        "CaseRegistered" => {
            let categories = &tables().categories;
            json!({
                "source": (["applied", "proactive", "screening", "police"][rng.random_range(0..4)]),
                "category": categories[rng.random_range(0..categories.len())].code,
                "brief": "相邻排水纠纷", "facts": prose(rng, 6),
                "parties": [
                    {"commitment": commitment(rng), "role": "applicant", "kind": "person"},
                    {"commitment": commitment(rng), "role": "respondent", "kind": "person"},
                ],
                "headcount": "up-to-4",
            })
        }
        "CaseAccepted" => json!({"consent": true, "rights_notice": true, "no_exclusion": true}),
        "CaseDeclined" => {
            json!({"reason": "seised", "explanation": prose(rng, 2), "remedies": ["litigation"]})
        }
        "AssignmentConfirmed" => json!({"no_interest": true}),
        "Prepared" => json!({
            "plan": prose(rng, 4), "notified": 2, "invitees": ["cadre"], "invitees_consented": true,
        }),
        "FactsVerified" => json!({"findings": prose(rng, 5), "records": 1, "evidence": [commitment(rng)]}),
        "SessionHeld" => json!({
            "on": today.to_string(), "attendance": 3, "record": prose(rng, 6), "result": "continues",
        }),
        "AgreementSigned" => json!({
            "number": format!("玉州东成人调协字〔2024〕{number}号"), "facts": prose(rng, 3),
            "dispute": prose(rng, 2), "responsibility": prose(rng, 2), "terms": prose(rng, 4),
            "manner": "dated", "perform_by": add_days(today, 20).to_string(), "on": today.to_string(),
            "signatures": true, "seal": true,
        }),
        "OralAgreementRecorded" => json!({
            "content": prose(rng, 4), "manner": "at-once", "on": today.to_string(),
        }),
        "ExtensionAgreed" => json!({
            "until": add_days(today, 90).to_string(), "consents": true, "reason": prose(rng, 1),
        }),
        "MediationFailed" => json!({"reason": prose(rng, 2), "remedies": ["litigation"]}),
        "PartyWithdrew" => json!({"party": "respondent"}),
        "LitigationGuided" => json!({"route": "litigation"}),
        "ConfirmationApplied" => {
            json!({"both_parties": true, "court": "玉州区人民法院", "on": today.to_string()})
        }
        "ConfirmationRuled" => json!({
            "number": format!("(2024)桂09司确{number}号"), "valid": true, "on": today.to_string(),
        }),
        "FollowUpRecorded" => json!({
            "on": today.to_string(), "performance": "full", "satisfaction": "satisfied", "relapse": false,
        }),
        "EscalationProposed" => json!({"steps_tried": prose(rng, 2), "reason": prose(rng, 1)}),
        "EscalationAccepted" | "ResultAcknowledged" => json!({}),
        "EscalationReturned" => json!({"reason": prose(rng, 1)}),
        "CaseReopened" => json!({"ground": "agreement-broken", "explanation": prose(rng, 2)}),
        "Archived" => json!({"file_number": format!("2024-{number}"), "pages": 23, "papers": papers()}),
        "MessageSent" => json!({"text": prose(rng, 2)}),
        _ => return None,
    };
    Some(content(name, value, rng))
}

/// The mediators named.
pub(super) fn assigned(to: AuthorKey, rng: &mut StdRng) -> Content {
    content("CaseAssigned", json!({"mediators": [to.to_string()]}), rng)
}

/// A mediator is taken off.
pub(super) fn recused(who: AuthorKey, rng: &mut StdRng) -> Content {
    let value = json!({"mediator": who.to_string(), "asked_by": "party", "ground": "kinship"});
    content("MediatorRecused", value, rng)
}

/// The case ends as its stage says.
pub(super) fn closed(result: &str, rng: &mut StdRng) -> Content {
    let papers: Vec<&str> = tables()
        .papers
        .iter()
        .map(|paper| paper.code.as_str())
        .take(30)
        .collect();
    let value = json!({"result": result, "report": prose(rng, 3), "papers": papers});
    content("CaseClosed", value, rng)
}

/// The result goes to the unit above.
pub(super) fn reported(result: &str, to: &str, rng: &mut StdRng) -> Content {
    let value = json!({"result": result, "summary": prose(rng, 2), "to": to});
    content("ResultReported", value, rng)
}

/// The chair keeps one of several decisions.
pub(super) fn resolved(kept: &str, rng: &mut StdRng) -> Content {
    content(
        "ConflictResolved",
        json!({"kept": kept, "reason": prose(rng, 1)}),
        rng,
    )
}

fn content(name: &str, value: Value, rng: &mut StdRng) -> Content {
    let Value::Object(mut event) = value else {
        unreachable!("events are objects");
    };
    event.insert("type".into(), name.into());
    let mut record = BTreeMap::new();
    // Small fields that merge, so that two levels write the same one at once.
    if rng.random_bool(0.2) {
        record.insert(
            "title".to_owned(),
            format!("{name}-{}", rng.random_range(0..100)).into(),
        );
    }
    Content { event, record }
}
