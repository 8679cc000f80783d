//! Stories of the register.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Register;
use super::events::catalog;
use crate::authority::role::Role;
use crate::kind::story::{Story, person};
use crate::kind::{Kind, Signer, Verdict};

const TOWN: &str = "450902001";

fn registrar() -> Arc<Signer> {
    person("registrar", "450902", &[Role::Registrar])
}

fn clerk() -> Arc<Signer> {
    person("clerk", TOWN, &[Role::JudicialClerk])
}

fn organisation() -> Value {
    json!({
        "type": "OrganisationFiled", "code": "YZ-T-001", "name": "玉城街道人民调解委员会", "kind": "town",
        "fields": ["neighbours", "a-newer-field"], "established": "2009-05-01",
    })
}

fn mediator() -> Value {
    json!({
        "type": "MediatorFiled", "label": "调解员0231", "organisation": "YZ-T-001", "backgrounds": ["retired-judge"],
        "specialities": ["land"], "employment": "full-time", "salaried": false,
    })
}

#[test]
fn an_organisation_is_filed_changed_and_dissolved() {
    let mut story = Story::new(&Register, TOWN);
    story.counts(&clerk(), organisation());
    story.counts(
        &registrar(),
        json!({"type": "OrganisationChanged", "fields": ["traffic"]}),
    );
    let projection = story.fold();
    assert_eq!(projection.summary.title, "玉城街道人民调解委员会");
    assert_eq!(projection.summary.number.as_deref(), Some("YZ-T-001"));
    assert_eq!(projection.state["fields"], json!(["traffic"]));
    story.counts(
        &registrar(),
        json!({"type": "OrganisationDissolved", "reason": "merged"}),
    );
    assert!(story.fold().summary.finished);
    let reason = story.void(&registrar(), json!({"type": "OrganisationChanged", "name": "甲"}));
    assert!(reason.en.contains("no further step"), "{reason:?}");
}

#[test]
fn a_mediator_gets_a_key_and_is_removed() {
    let mut story = Story::new(&Register, TOWN);
    story.counts(&registrar(), mediator());
    let key = registrar().key.to_string();
    story.counts(
        &clerk(),
        json!({"type": "MediatorChanged", "key": key, "employment": "part-time"}),
    );
    let state = story.fold().state;
    assert_eq!(
        (&state["key"], &state["employment"], &state["label"]),
        (&json!(key), &json!("part-time"), &json!("调解员0231"))
    );
    let reason = story.void(
        &registrar(),
        json!({"type": "OrganisationDissolved", "reason": "merged"}),
    );
    assert!(
        reason.en.contains("MediatorChanged") && reason.en.contains("registrar"),
        "{reason:?}"
    );
    story.counts(
        &registrar(),
        json!({"type": "MediatorRemoved", "reason": "resigned"}),
    );
    assert_eq!(story.stage(), "struck");
}

#[test]
fn only_a_keeper_of_the_register_at_or_above_the_unit_may() {
    let story = Story::new(&Register, TOWN);
    for (unit, role) in [
        (TOWN, Role::Chair),
        ("450902001001", Role::Registrar),
        ("450921", Role::Registrar),
    ] {
        let reason = story.void(&person("x", unit, &[role]), organisation());
        assert!(
            reason
                .en
                .contains("registrar, judicial clerk of 450902001 or above"),
            "{reason:?}"
        );
    }
    let reason = story.void(
        &registrar(),
        json!({"type": "MediatorRemoved", "reason": "resigned"}),
    );
    assert!(reason.en.contains("OrganisationFiled"), "{reason:?}");
}

#[test]
fn changes_of_the_same_field_exclude_one_another_others_do_not() {
    let mut story = Story::new(&Register, TOWN);
    story.counts(&registrar(), mediator());
    let before: BTreeSet<usize> = story.all();
    let salary = story.record_knowing(
        &before,
        &clerk(),
        json!({"type": "MediatorChanged", "salaried": true}),
    );
    let job = story.record_knowing(
        &before,
        &registrar(),
        json!({"type": "MediatorChanged", "employment": "part-time"}),
    );
    assert_eq!(
        (story.verdict(salary), story.verdict(job)),
        (Verdict::Counts, Verdict::Counts)
    );
    let rival = story.record_knowing(
        &before,
        &registrar(),
        json!({"type": "MediatorChanged", "salaried": false}),
    );
    assert!(matches!(story.verdict(salary), Verdict::Contested(_)));
    let projection = story.fold();
    assert!(projection.summary.needs_decision);
    assert_eq!(projection.duties[0].event, "ConflictResolved");
    let kept = story.id(rival);
    story.counts(
        &registrar(),
        json!({"type": "ConflictResolved", "kept": kept, "reason": "以工资册为准"}),
    );
    assert_eq!(story.fold().state["salaried"], false);
    assert_eq!(story.fold().conflicts[0].kept, Some(rival));
}

#[test]
fn a_quarantined_filing_may_be_adopted() {
    let mut story = Story::new(&Register, TOWN);
    let filed = story.record(&clerk(), mediator());
    story.history.entries[filed].quarantined = Some(crate::text::Text::new("撤销", "revoked"));
    assert_eq!(story.stage(), "unfiled");
    let update = story.id(filed);
    story.counts(
        &registrar(),
        json!({"type": "UpdateAdopted", "update": update, "reason": "属实"}),
    );
    assert_eq!(story.stage(), "filed");
}

#[test]
fn the_catalogue_opens_with_what_creates() {
    let creates: Vec<&str> = catalog()
        .iter()
        .filter(|spec| spec.creates)
        .map(|spec| spec.name)
        .collect();
    assert_eq!(creates, ["OrganisationFiled", "MediatorFiled"]);
    assert_eq!(Register.catalog().len(), 8);
    for kind in crate::kind::kinds() {
        assert!(crate::kind::kind(kind.name()).is_some());
    }
}
