//! What is owed, by whom, and by when.

use super::*;
use crate::kind::Duty;

fn duty(story: &Story, event: &str) -> Duty {
    let duties = story.fold().duties;
    duties
        .into_iter()
        .find(|duty| duty.event == event)
        .expect("a duty")
}

#[test]
fn each_stage_owes_its_next_step() {
    let people = cast();
    // Recorded on Monday 2019-12-02. 2020 is not in the table of holidays: weekends alone count.
    for (stage, event, unit, due) in [
        ("registered", "CaseAccepted", VILLAGE, Some("2019-12-05")),
        ("accepted", "CaseAssigned", VILLAGE, Some("2019-12-04")),
        ("assigned", "AssignmentConfirmed", VILLAGE, Some("2019-12-05")),
        ("in-hand", "Prepared", VILLAGE, Some("2020-01-01")),
        ("mediating", "SessionHeld", VILLAGE, Some("2020-01-01")),
        ("agreed", "FollowUpRecorded", VILLAGE, Some("2020-01-01")),
        ("failed", "CaseClosed", VILLAGE, None),
        ("closed", "ResultReported", VILLAGE, Some("2019-12-05")),
        ("closed", "Archived", VILLAGE, Some("2020-01-01")),
        ("declined", "ResultReported", VILLAGE, Some("2019-12-05")),
        ("received", "TransferAccepted", OTHER_VILLAGE, Some("2019-12-05")),
    ] {
        let duty = duty(&at(stage), event);
        assert_eq!(duty.unit.as_str(), unit, "{stage}");
        assert_eq!(
            duty.due.map(|due| due.to_string()).as_deref(),
            due,
            "{stage} {event}"
        );
    }
    assert_eq!(
        duty(&at("assigned"), "AssignmentConfirmed").assignees,
        [people.mediator.key]
    );
    assert_eq!(
        at("registered").fold().summary.due.map(|due| due.to_string()),
        Some("2019-12-05".to_owned())
    );
}

#[test]
fn the_category_sets_the_term_of_mediation() {
    let people = cast();
    for (category, term) in [
        ("neighbours", "2020-01-01"),
        ("labour", "2019-12-17"),
        ("medical", "2020-01-13"),
        ("a-newer-code", "2020-01-01"),
    ] {
        let mut event = registered();
        event["category"] = json!(category);
        let mut story = Story::new(&Case, VILLAGE);
        story.counts(&people.mediator, event);
        story.counts(&people.chair, accepted());
        assert_eq!(story.fold().state["mediate_by"], term, "{category}");
    }
}

#[test]
fn the_petition_s_clock_runs_on() {
    let people = cast();
    let mut event = registered();
    event["source"] = json!("petition");
    event["petition_unit"] = json!(TOWN);
    event["petition"] = json!("ef".repeat(16));
    event["petition_on"] = json!("2019-11-01");
    let mut story = Story::new(&Case, VILLAGE);
    story.counts(&people.mediator, event);
    story.counts(&people.chair, declined());
    assert_eq!(
        duty(&story, "ResultReported").due.map(|d| d.to_string()),
        Some("2019-12-31".to_owned())
    );
    assert_eq!(story.fold().links[0].relation, "petition");
    story.counts(&people.town_clerk, reported("declined"));
    assert_eq!(duty(&story, "ResultAcknowledged").unit.as_str(), VILLAGE);
}

#[test]
fn what_waits_for_an_answer_has_a_day() {
    let people = cast();
    let mut story = at("mediating");
    story.counts(&people.mediator, escalated());
    let answer = duty(&story, "EscalationAccepted");
    assert_eq!(
        (answer.unit.as_str(), answer.due.map(|d| d.to_string())),
        (TOWN, Some("2019-12-05".to_owned()))
    );
    let mut story = at("in-hand");
    story.counts(&people.mediator, transfer_proposed(OTHER_VILLAGE));
    assert_eq!(duty(&story, "TransferRouted").unit.as_str(), TOWN);
}

#[test]
fn a_late_step_counts_and_is_marked() {
    let people = cast();
    let mut story = at("registered");
    story.today = "2019-12-09".to_owned();
    story.counts(&people.chair, accepted());
    let late = &story.fold().state["late"][0];
    assert_eq!(
        (&late["event"], &late["due"], &late["done"]),
        (&json!("CaseAccepted"), &json!("2019-12-05"), &json!("2019-12-09"))
    );
}

#[test]
fn a_day_set_at_assignment_comes_first() {
    let people = cast();
    let mut story = at("accepted");
    let mut event = assigned(&[&people.mediator]);
    event["due"] = json!("2019-12-10");
    story.counts(&people.chair, event);
    story.counts(&people.mediator, confirmed());
    assert_eq!(
        duty(&story, "Prepared").due.map(|d| d.to_string()),
        Some("2019-12-10".to_owned())
    );
}
