//! One story for each branch of the flow.

use super::*;
use crate::kind::Verdict;

fn owner(story: &Story) -> String {
    story.fold().summary.owner.to_string()
}

#[test]
fn from_registration_to_the_archive() {
    let people = cast();
    let mut story = at("agreed");
    story.counts(&people.mediator, follow_up("2019-12-02"));
    story.counts(&people.mediator, closed("agreement-written"));
    assert_eq!(story.stage(), "agreed", "the chair has yet to sign");
    assert_eq!(story.fold().duties[0].event, "CaseClosed");
    let again = story.void(&people.mediator, closed("agreement-written"));
    assert!(again.en.contains("the chair has to sign"), "{again:?}");
    story.counts(&people.chair, closed("agreement-written"));
    assert_eq!(story.stage(), "closed");
    story.counts(&people.town_clerk, reported("agreement-written"));
    story.counts(&people.town_petition, acknowledged());
    story.counts(&people.archivist, archived());
    let projection = story.fold();
    assert!(
        projection
            .verdicts
            .iter()
            .all(|verdict| *verdict == Verdict::Counts)
    );
    let summary = projection.summary;
    assert!(summary.finished && !summary.needs_decision);
    assert_eq!(summary.number.as_deref(), Some("(2019)玉州东成人调字第12号"));
    assert_eq!(summary.title, "相邻排水纠纷");
    assert_eq!(
        summary.category_title.map(|text| text.zh),
        Some("邻里".to_owned())
    );
    assert_eq!(projection.state["result"], "agreement-written");
    assert_eq!(projection.duties, []);
}

#[test]
fn one_person_who_mediates_and_chairs_signs_once() {
    let both = person("both", VILLAGE, &[Role::Mediator, Role::Chair]);
    let mut story = Story::new(&Case, VILLAGE);
    for event in [
        registered(),
        accepted(),
        assigned(&[&both]),
        confirmed(),
        prepared(),
        session("2019-12-02"),
    ] {
        story.counts(&both, event);
    }
    story.counts(
        &both,
        json!({
            "type": "OralAgreementRecorded", "content": "当场赔礼", "manner": "at-once", "on": "2019-12-02",
        }),
    );
    story.counts(&both, closed("agreement-oral"));
    assert_eq!(story.stage(), "closed");
}

#[test]
fn a_closing_without_its_papers_says_which_are_missing() {
    let people = cast();
    let mut story = at("withdrawn");
    story.counts(&people.mediator, closed("withdrawn"));
    story.counts(&people.chair, closed("withdrawn"));
    let bare = json!({"type": "Archived", "file_number": "1", "pages": 1});
    story.counts(&people.archivist, bare.clone());
    let mut agreed = at("agreed");
    let result = agreed.void(&people.mediator, closed("failed"));
    assert!(result.en.contains("can't be closed with"), "{result:?}");
    let without = json!({"type": "CaseClosed", "result": "agreement-written", "report": "已办结"});
    agreed.counts(&people.mediator, without.clone());
    agreed.counts(&people.chair, without);
    let reason = agreed.void(&people.archivist, bare);
    assert!(
        reason.en.contains("identity") && reason.en.contains("follow-up-record"),
        "{reason:?}"
    );
    agreed.counts(
        &people.mediator,
        json!({
            "type": "ParticularsAttached", "items": [{"commitment": commitment(5), "role": "identity"}],
        }),
    );
    agreed.counts(&people.mediator, follow_up("2019-12-02"));
    agreed.counts(
        &people.archivist,
        json!({"type": "Archived", "file_number": "1", "pages": 1}),
    );
}

#[test]
fn declined_reported_and_reopened() {
    let people = cast();
    let mut story = at("declined");
    story.counts(&people.town_clerk, reported("declined"));
    assert!(story.fold().summary.finished);
    story.counts(&people.chair, reopened());
    assert_eq!(story.stage(), "declined", "the town has yet to approve");
    let duty = story.fold().duties.pop().expect("a duty");
    assert_eq!((duty.event, duty.unit.as_str()), ("CaseReopened", TOWN));
    story.counts(&people.town_clerk, reopened());
    assert_eq!(story.stage(), "accepted");
    story.counts(&people.chair, assigned(&[&people.mediator]));
}

#[test]
fn reopened_after_the_archive_when_the_agreement_is_broken() {
    let people = cast();
    let mut story = at("archived");
    story.counts(&people.town_clerk, reopened());
    story.counts(&people.chair, reopened());
    let projection = story.fold();
    assert_eq!(projection.summary.stage, "accepted");
    assert_eq!(
        (&projection.state["reopened"], &projection.state["result"]),
        (&json!(1), &Value::Null)
    );
    story.counts(&people.chair, assigned(&[&people.second]));
}

#[test]
fn transferred_through_the_common_ancestor() {
    let people = cast();
    let mut story = at("in-hand");
    let up = story.void(&people.mediator, transfer_proposed(TOWN));
    assert!(up.en.contains("EscalationProposed"), "{up:?}");
    story.counts(&people.mediator, transfer_proposed(OTHER_VILLAGE));
    let wrong = story.void(&people.county_router, transfer_routed(OTHER_VILLAGE));
    assert!(
        wrong.en.contains("router of 450902001;"),
        "the town is the lowest above both: {wrong:?}"
    );
    story.counts(&people.town_router, transfer_routed(OTHER_VILLAGE));
    assert_eq!(
        (story.stage(), owner(&story)),
        ("in-hand".to_owned(), VILLAGE.to_owned())
    );

    let mut there = at("received");
    assert_eq!(owner(&there), VILLAGE, "ownership changes only on acceptance");
    assert_eq!(readers(&there, 1), Vec::<String>::new());
    let chair = person("other chair", OTHER_VILLAGE, &[Role::Chair]);
    there.counts(&chair, json!({"type": "TransferAccepted", "rights_notice": true}));
    assert_eq!(
        (there.stage(), owner(&there)),
        ("accepted".to_owned(), OTHER_VILLAGE.to_owned())
    );
    assert_eq!(readers(&there, 1), [OTHER_VILLAGE, TOWN]);
    assert_eq!(there.fold().links[0].relation, "transfer-source");
    let mediator = person("other mediator", OTHER_VILLAGE, &[Role::Mediator]);
    there.counts(&chair, assigned(&[&mediator]));

    story.counts(&people.town_router, transfer_concluded("accepted"));
    assert_eq!(
        (story.stage(), owner(&story)),
        ("transferred".to_owned(), OTHER_VILLAGE.to_owned())
    );
    assert_eq!(
        readers(&story, 1),
        [VILLAGE, TOWN, OTHER_VILLAGE],
        "what was shared"
    );
    assert_eq!(readers(&story, 2), [VILLAGE, TOWN], "what was not");
    assert!(story.fold().summary.finished);
    story.counts(&people.town_clerk, reported("agreement-written"));
}

#[test]
fn a_rejected_transfer_stays_with_its_owner() {
    let people = cast();
    let mut story = at("in-hand");
    story.counts(&people.chair, transfer_proposed(OTHER_VILLAGE));
    let early = story.void(&people.town_router, transfer_concluded("accepted"));
    assert!(early.en.contains("not been routed"), "{early:?}");
    story.counts(&people.town_router, transfer_routed(OTHER_VILLAGE));
    story.counts(&people.town_router, transfer_concluded("rejected"));
    assert_eq!(
        (story.stage(), owner(&story)),
        ("in-hand".to_owned(), VILLAGE.to_owned())
    );
    story.counts(&people.mediator, prepared());
    assert!(at("rejected").fold().summary.finished);
}

#[test]
fn escalated_level_by_level() {
    let people = cast();
    let mut story = at("mediating");
    story.counts(&people.mediator, escalated());
    let wrong = story.void(&people.county_clerk, escalation_accepted());
    assert!(
        wrong.en.contains("judicial clerk of 450902001;"),
        "the next level answers: {wrong:?}"
    );
    assert_eq!(owner(&story), VILLAGE);
    story.counts(&people.town_clerk, escalation_accepted());
    assert_eq!(
        (story.stage(), owner(&story)),
        ("accepted".to_owned(), TOWN.to_owned())
    );
    assert_eq!(readers(&story, 1), [VILLAGE, TOWN]);
    let late = story.void(&people.chair, assigned(&[&people.mediator]));
    assert!(late.en.contains("committee chair of 450902001"), "{late:?}");
    story.counts(&people.town_chair, assigned(&[&people.town_mediator]));
    story.counts(&people.town_mediator, confirmed());
    story.counts(&people.town_chair, escalated());
    story.counts(&people.county_clerk, escalation_accepted());
    assert_eq!(
        (owner(&story), readers(&story, 1)),
        (
            COUNTY.to_owned(),
            vec![VILLAGE.to_owned(), TOWN.to_owned(), COUNTY.to_owned()]
        )
    );
}

#[test]
fn an_escalation_given_back_stays_with_its_owner() {
    let people = cast();
    let mut story = at("mediating");
    story.counts(&people.chair, escalated());
    let twice = story.void(&people.chair, escalated());
    assert!(twice.en.contains("waiting for its answer"), "{twice:?}");
    story.counts(&people.town_chair, escalation_returned());
    assert_eq!(
        (story.stage(), owner(&story)),
        ("mediating".to_owned(), VILLAGE.to_owned())
    );
    story.counts(&people.mediator, agreement("2019-12-02"));
}

#[test]
fn a_party_may_leave_or_go_to_court_in_any_open_state() {
    let people = cast();
    for stage in [
        "registered",
        "accepted",
        "assigned",
        "in-hand",
        "prepared",
        "verified",
        "mediating",
        "agreed",
        "failed",
        "withdrawn",
        "guided",
    ] {
        for signer in [
            &people.mediator,
            &people.second,
            &people.chair,
            &people.town_clerk,
        ] {
            let mut story = at(stage);
            story.counts(signer, withdrew());
            assert_eq!(
                story.stage(),
                if stage == "guided" { "guided" } else { "withdrawn" }
            );
            story.counts(signer, guided());
            assert_eq!(story.stage(), "guided");
        }
    }
    let mut story = at("registered");
    story.counts(&people.mediator, withdrew());
    story.counts(&people.chair, closed("withdrawn"));
    assert_eq!(
        story.stage(),
        "closed",
        "nobody has taken it on: the chair's signature is enough"
    );
}

#[test]
fn a_failure_is_guided_to_court_and_closed() {
    let people = cast();
    let mut story = at("failed");
    story.counts(&people.mediator, guided());
    story.counts(&people.chair, closed("guided"));
    story.counts(&people.mediator, closed("guided"));
    assert_eq!(story.fold().state["result"], "guided");
}

#[test]
fn extended_before_the_term_ends_or_not_at_all() {
    let people = cast();
    let extend = |until: &str| json!({"type": "ExtensionAgreed", "until": until, "consents": true, "reason": "待鉴定"});
    let mut story = at("mediating");
    assert_eq!(story.fold().state["mediate_by"], "2020-01-01");
    assert!(
        story
            .void(&people.mediator, extend("2019-12-20"))
            .en
            .contains("must be later")
    );
    story.counts(&people.mediator, extend("2020-02-01"));
    assert_eq!(story.fold().state["mediate_by"], "2020-02-01");
    story.today = "2020-02-03".to_owned();
    assert!(
        story
            .void(&people.mediator, extend("2020-03-01"))
            .en
            .contains("ended on 2020-02-01")
    );
}

#[test]
fn a_recused_mediator_is_replaced() {
    let people = cast();
    let mut story = at("in-hand");
    let other = story.void(&people.chair, recused(&people.second));
    assert!(other.en.contains("not assigned"), "{other:?}");
    story.counts(&people.chair, recused(&people.mediator));
    assert_eq!(story.stage(), "accepted");
    let gone = story.void(&people.mediator, prepared());
    assert!(gone.en.contains("CaseAssigned"), "{gone:?}");
    story.counts(&people.town_clerk, assigned(&[&people.second]));
    story.counts(&people.second, confirmed());
    let mut two = at("accepted");
    two.counts(&people.chair, assigned(&[&people.mediator, &people.second]));
    two.counts(&people.mediator, confirmed());
    two.counts(&people.second, recused(&people.second));
    assert_eq!(two.stage(), "in-hand", "the other one goes on");
}

#[test]
fn a_correction_needs_author_and_chair_and_moves_nothing() {
    let people = cast();
    let mut story = at("mediating");
    let correction = json!({
        "type": "RecordCorrected", "update": story.id(0), "field": "facts", "correction": "排水流入前院", "reason": "笔误",
    });
    assert!(
        story
            .void(&people.second, correction.clone())
            .en
            .contains("committee chair")
    );
    story.counts(&people.mediator, correction.clone());
    let correction_of = |story: &Story| story.fold().state["corrections"][0].clone();
    assert_eq!(correction_of(&story)["by_chair"], false);
    assert!(
        story
            .fold()
            .duties
            .iter()
            .any(|duty| duty.event == "RecordCorrected")
    );
    story.counts(&people.chair, correction);
    assert_eq!(
        (
            &correction_of(&story)["by_author"],
            &correction_of(&story)["by_chair"]
        ),
        (&json!(true), &json!(true))
    );
    assert_eq!(story.stage(), "mediating");
}

#[test]
fn judicial_confirmation_and_an_agreement_found_void() {
    let people = cast();
    let apply = json!({"type": "ConfirmationApplied", "both_parties": true, "court": "玉州区人民法院", "on": "2019-12-02"});
    let rule = json!({"type": "ConfirmationRuled", "number": "(2019)桂0902民特1号", "valid": false, "on": "2019-12-02"});
    let mut story = at("agreed");
    assert!(
        story
            .void(&people.town_clerk, rule.clone())
            .en
            .contains("no application")
    );
    story.counts(&people.town_clerk, apply.clone());
    assert!(
        story
            .void(&people.town_clerk, apply)
            .en
            .contains("applied for already")
    );
    story.counts(&people.town_clerk, rule);
    story.counts(&people.chair, reopened());
    story.counts(&people.county_clerk, reopened());
    assert_eq!(story.stage(), "accepted");
}

#[test]
fn a_case_whose_mediator_is_gone_is_still_brought_to_its_end() {
    let people = cast();
    let mut story = at("agreed");
    assert!(
        story
            .void(&people.chair, follow_up("2019-12-02"))
            .en
            .contains("the mediator handling it")
    );
    assert!(
        story
            .void(&people.second, recused(&people.mediator))
            .en
            .contains("committee chair")
    );
    story.counts(&people.chair, recused(&people.mediator));
    story.counts(&people.chair, follow_up("2019-12-02"));
    story.counts(&people.chair, closed("agreement-written"));
    assert_eq!(story.stage(), "closed");
}

#[test]
fn a_party_that_leaves_before_the_receiver_answers() {
    let people = cast();
    let chair = person("other chair", OTHER_VILLAGE, &[Role::Chair]);
    let mut story = at("received");
    story.counts(&people.town_clerk, withdrew());
    story.counts(&chair, closed("withdrawn"));
    assert_eq!(story.stage(), "closed");
}

#[test]
fn what_is_reported_is_what_it_came_to() {
    let people = cast();
    let reason = at("closed").void(&people.town_clerk, reported("failed"));
    assert!(reason.en.contains("came to agreement-written"), "{reason:?}");
}
