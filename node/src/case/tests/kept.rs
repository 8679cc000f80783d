//! What is kept beside the flow: sealed particulars, quarantined updates, what can't be read, the record.

use super::*;
use crate::kind::Verdict;

#[test]
fn particulars_are_attached_read_with_a_reason_and_erased() {
    let people = cast();
    let mut story = at("mediating");
    let attach = json!({"type": "ParticularsAttached", "items": [
        {"commitment": commitment(5), "role": "identity", "restricted": true},
    ]});
    story.counts(&people.mediator, attach);
    assert_eq!(readers(&story, 5), [VILLAGE], "for the handling unit alone");
    let disclose =
        |n| json!({"type": "ParticularsDisclosed", "commitments": [commitment(n)], "reason": "复核"});
    assert!(
        story
            .void(&people.auditor, disclose(5))
            .en
            .contains("nobody above but a judicial clerk")
    );
    assert!(
        story
            .void(&people.county_clerk, disclose(8))
            .en
            .contains("no sealed item")
    );
    story.counts(&people.county_clerk, disclose(5));
    assert_eq!(readers(&story, 5), [VILLAGE, COUNTY]);
    let erase = json!({
        "type": "ParticularsErased", "commitments": [commitment(5)], "basis": "consent-withdrawn",
        "reference": "个人信息保护法第四十七条",
    });
    assert!(
        story
            .void(&people.mediator, erase.clone())
            .en
            .contains("committee chair")
    );
    story.counts(&people.chair, erase);
    assert!(
        story
            .fold()
            .particulars
            .iter()
            .any(|item| item.commitment == commitment(5) && item.erased)
    );
    assert!(
        story
            .void(&people.county_clerk, disclose(5))
            .en
            .contains("is erased")
    );
}

#[test]
fn a_restricted_case_is_for_the_handling_unit_alone() {
    let people = cast();
    let mut event = registered();
    event["restricted"] = json!(true);
    let mut story = Story::new(&Case, VILLAGE);
    story.counts(&people.mediator, event);
    assert_eq!(readers(&story, 1), [VILLAGE]);
}

#[test]
fn a_quarantined_update_is_left_out_and_may_be_adopted() {
    let people = cast();
    let mut story = at("verified");
    let late = story.record(&people.mediator, session("2019-12-02"));
    let rests = story.record(&people.mediator, agreement("2019-12-02"));
    story.history.entries[late].quarantined = Some(crate::text::Text::new("撤销之后", "past the cutoff"));
    story.retitle(late, "新题");
    assert_eq!(story.stage(), "verified");
    assert_eq!(
        story.fold().summary.title,
        "相邻排水纠纷",
        "its record fields are left out, too"
    );
    assert!(matches!(story.verdict(late), Verdict::Quarantined(_)));
    assert!(matches!(story.verdict(rests), Verdict::Void(_)));
    assert!(story.fold().next.iter().any(|step| step.event == "UpdateAdopted"));
    let adopt = |update: String| json!({"type": "UpdateAdopted", "update": update, "reason": "属实"});
    let (late_id, rests_id, sound) = (story.id(late), story.id(rests), story.id(0));
    assert!(
        story
            .void(&people.second, adopt(late_id.clone()))
            .en
            .contains("committee chair")
    );
    assert!(
        story
            .void(&people.chair, adopt(sound))
            .en
            .contains("counts already")
    );
    let too_early = story.void(&people.chair, adopt(rests_id.clone()));
    assert!(too_early.en.contains("not possible at stage"), "{too_early:?}");
    story.counts(&people.chair, adopt(late_id));
    assert_eq!(
        (story.stage(), story.fold().summary.title),
        ("mediating".to_owned(), "新题".to_owned())
    );
    story.counts(&people.chair, adopt(rests_id));
    assert_eq!(story.stage(), "agreed");
}

#[test]
fn malformed_and_unknown_events_are_kept_and_do_not_count() {
    let people = cast();
    let mut story = at("registered");
    let mut event = accepted();
    event["consent"] = json!(false);
    let reason = story.void(&people.chair, event);
    assert!(reason.en.starts_with("field consent:"), "{reason:?}");
    let unknown = story.record(&people.chair, json!({"type": "FromANewerProgram", "x": 1}));
    assert_eq!(story.verdict(unknown), Verdict::Unknown);
    let future = json!({"type": "CaseAccepted", "consent": true, "rights_notice": true, "no_exclusion": true, "on": "2019-12-03"});
    assert!(
        story
            .void(&people.chair, future)
            .en
            .contains("later than the day of recording")
    );
}

#[test]
fn the_record_is_what_its_last_writer_made_it() {
    let people = cast();
    let mut story = at("registered");
    for (title, signer) in [("甲", &people.mediator), ("乙", &people.chair)] {
        let index = story.counts(signer, message("改题"));
        story.retitle(index, title);
    }
    let stranger = person("stranger", OTHER_VILLAGE, &[Role::Mediator]);
    let void = story.record(&stranger, message("改题"));
    story.retitle(void, "丙");
    assert_eq!(story.fold().summary.title, "乙");
}
