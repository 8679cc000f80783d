//! Decisions of people who did not know of each other.

use std::collections::BTreeSet;

use super::*;
use crate::kind::Verdict;

fn contested(story: &Story, index: usize) -> bool {
    matches!(story.verdict(index), Verdict::Contested(_))
}

fn void(story: &Story, index: usize) -> bool {
    matches!(story.verdict(index), Verdict::Void(_))
}

/// The village closes what its town takes over: neither knows of the other.
struct CloseAndEscalate {
    story: Story,
    closing: usize,
    closed: usize,
    accepted: usize,
}

fn close_and_escalate() -> CloseAndEscalate {
    let people = cast();
    let mut story = at("failed");
    story.counts(&people.mediator, escalated());
    let before = story.all();
    let accepted = story.record_knowing(&before, &people.town_clerk, escalation_accepted());
    let closing = story.record_knowing(&before, &people.mediator, closed("failed"));
    let village: BTreeSet<usize> = before.iter().copied().chain([closing]).collect();
    let closed = story.record_knowing(&village, &people.chair, super::closed("failed"));
    CloseAndEscalate {
        story,
        closing,
        closed,
        accepted,
    }
}

#[test]
fn a_close_and_an_escalation_wait_for_the_chair() {
    let people = cast();
    let CloseAndEscalate {
        mut story,
        closing,
        closed,
        accepted,
    } = close_and_escalate();
    let projection = story.fold();
    assert!(projection.summary.needs_decision);
    assert_eq!(
        (
            projection.summary.stage.as_str(),
            projection.summary.owner.as_str()
        ),
        ("failed", VILLAGE)
    );
    assert!(contested(&story, closing) && contested(&story, closed) && contested(&story, accepted));
    assert_eq!(projection.conflicts.len(), 1);
    let conflict = &projection.conflicts[0];
    assert_eq!((conflict.decides.as_str(), conflict.kept), (VILLAGE, None));
    assert_eq!(conflict.entries, [accepted, closing]);
    assert_eq!(projection.duties[0].event, "ConflictResolved");
    assert_eq!(projection.next[0].event, "ConflictResolved");

    // Nothing else is decided meanwhile, but notes and steps go on, and a party may leave.
    let blocked = story.void(&people.mediator, transfer_proposed(OTHER_VILLAGE));
    assert!(
        blocked
            .en
            .contains("wait for the committee chair of 450902001001"),
        "{blocked:?}"
    );
    story.counts(&people.town_clerk, message("请裁定"));
    story.clone().counts(&people.second, withdrew());

    // Who may not decide, and what is no choice.
    let kept = story.id(accepted);
    assert!(
        story
            .void(&people.town_chair, resolved(&kept))
            .en
            .contains("committee chair of 450902001001")
    );
    assert!(
        story
            .void(&people.chair, resolved(&story.id(0)))
            .en
            .contains("not one of those")
    );

    let mut keeps_town = story.clone();
    keeps_town.counts(&people.chair, resolved(&kept));
    let projection = keeps_town.fold();
    assert_eq!(
        (
            projection.summary.stage.as_str(),
            projection.summary.owner.as_str()
        ),
        ("accepted", TOWN)
    );
    assert!(!projection.summary.needs_decision);
    assert!(void(&keeps_town, closing) && void(&keeps_town, closed));
    assert_eq!(projection.conflicts[0].kept, Some(accepted));
    assert!(
        matches!(keeps_town.verdict(closing), Verdict::Void(reason) if reason.en.contains("decided against"))
    );

    let kept = story.id(closing);
    story.counts(&people.chair, resolved(&kept));
    let projection = story.fold();
    assert_eq!(
        (
            projection.summary.stage.as_str(),
            projection.summary.owner.as_str()
        ),
        ("closed", VILLAGE)
    );
    assert!(void(&story, accepted));
    assert_eq!(
        story.verdict(closed),
        Verdict::Counts,
        "what follows from the kept one counts again"
    );
    assert!(
        story
            .void(&people.chair, resolved(&kept))
            .en
            .contains("no conflict")
    );
}

#[test]
fn what_rests_on_a_contested_decision_is_suspended_and_falls_with_it() {
    let people = cast();
    let CloseAndEscalate {
        mut story,
        closing,
        accepted,
        ..
    } = close_and_escalate();
    let town: BTreeSet<usize> = [accepted].into();
    let assignment = story.record_knowing(&town, &people.town_chair, assigned(&[&people.town_mediator]));
    let note = story.record_knowing(&[assignment].into(), &people.town_clerk, message("已交办"));
    assert!(contested(&story, assignment), "{:?}", story.verdict(assignment));
    assert_eq!(story.verdict(note), Verdict::Counts, "a message rests on nothing");
    assert_eq!(
        story.fold().conflicts[0].entries,
        [accepted, closing],
        "what follows is no choice"
    );
    let (mut town, kept) = (story.clone(), story.id(accepted));
    town.counts(&people.chair, resolved(&kept));
    assert_eq!(town.verdict(assignment), Verdict::Counts);
    assert_eq!(town.stage(), "assigned");
    let kept = story.id(closing);
    story.counts(&people.chair, resolved(&kept));
    assert!(void(&story, assignment));
    assert_eq!(story.stage(), "closed");
}

#[test]
fn decisions_that_exclude_one_another() {
    let people = cast();
    let agree_orally =
        json!({"type": "OralAgreementRecorded", "content": "道歉", "manner": "at-once", "on": "2019-12-02"});
    let pairs = vec![
        ("registered", &people.chair, accepted(), &people.chair, declined()),
        (
            "accepted",
            &people.chair,
            assigned(&[&people.mediator]),
            &people.town_clerk,
            assigned(&[&people.second]),
        ),
        (
            "mediating",
            &people.mediator,
            agreement("2019-12-02"),
            &people.mediator,
            failed(),
        ),
        (
            "mediating",
            &people.mediator,
            agreement("2019-12-02"),
            &people.mediator,
            agree_orally,
        ),
        (
            "mediating",
            &people.mediator,
            agreement("2019-12-02"),
            &people.chair,
            escalated(),
        ),
        (
            "mediating",
            &people.mediator,
            agreement("2019-12-02"),
            &people.second,
            withdrew(),
        ),
        (
            "mediating",
            &people.mediator,
            transfer_proposed(OTHER_VILLAGE),
            &people.chair,
            escalated(),
        ),
        ("closed", &people.archivist, archived(), &people.chair, reopened()),
    ];
    for (stage, a, first, b, second) in pairs {
        let mut story = at(stage);
        let before = story.all();
        let owner = story.fold().summary.owner;
        let first = story.record_knowing(&before, a, first);
        let second = story.record_knowing(&before, b, second);
        assert!(contested(&story, first) && contested(&story, second), "{stage}");
        let projection = story.fold();
        assert_eq!(
            (projection.summary.stage, projection.summary.owner),
            (stage.to_owned(), owner)
        );
        assert!(projection.summary.needs_decision);
    }
}

#[test]
fn what_does_not_exclude_simply_counts() {
    let people = cast();
    let pairs = vec![
        (
            "registered",
            &people.chair,
            accepted(),
            &people.chair,
            accepted(),
            "accepted",
        ),
        (
            "mediating",
            &people.mediator,
            session("2019-12-02"),
            &people.recorder,
            session("2019-12-02"),
            "mediating",
        ),
        (
            "mediating",
            &people.mediator,
            message("一"),
            &people.town_clerk,
            message("二"),
            "mediating",
        ),
        (
            "mediating",
            &people.mediator,
            session("2019-12-02"),
            &people.second,
            withdrew(),
            "withdrawn",
        ),
        (
            "mediating",
            &people.mediator,
            failed(),
            &people.second,
            withdrew(),
            "withdrawn",
        ),
        (
            "failed",
            &people.mediator,
            guided(),
            &people.second,
            withdrew(),
            "guided",
        ),
        (
            "failed",
            &people.mediator,
            closed("failed"),
            &people.chair,
            closed("failed"),
            "closed",
        ),
        (
            "accepted",
            &people.chair,
            assigned(&[&people.mediator]),
            &people.town_clerk,
            assigned(&[&people.mediator]),
            "assigned",
        ),
        (
            "assigned",
            &people.chair,
            assigned(&[&people.second]),
            &people.mediator,
            recused(&people.mediator),
            "assigned",
        ),
        (
            "agreed",
            &people.mediator,
            follow_up("2019-12-02"),
            &people.mediator,
            closed("agreement-written"),
            "agreed",
        ),
        (
            "mediating",
            &people.mediator,
            escalated(),
            &people.chair,
            escalated(),
            "mediating",
        ),
    ];
    for (stage, a, first, b, second, reached) in pairs {
        for turn in [false, true] {
            let mut story = at(stage);
            let before = story.all();
            let mut both = [(a, first.clone()), (b, second.clone())];
            if turn {
                both.reverse();
            }
            for (signer, event) in both {
                story.record_knowing(&before, signer, event);
            }
            let projection = story.fold();
            assert!(
                projection
                    .verdicts
                    .iter()
                    .all(|verdict| *verdict == Verdict::Counts),
                "{stage} {first}"
            );
            assert_eq!(projection.summary.stage, reached, "{stage} {first}");
        }
    }
}

#[test]
fn contradictory_resolutions_leave_the_conflict_open() {
    let people = cast();
    let deputy = person("deputy", VILLAGE, &[Role::Chair]);
    let CloseAndEscalate {
        mut story,
        closing,
        accepted,
        ..
    } = close_and_escalate();
    let (keep_closing, keep_accepted) = (story.id(closing), story.id(accepted));
    let before = story.all();
    let one = story.record_knowing(&before, &people.chair, resolved(&keep_closing));
    let other = story.record_knowing(&before, &deputy, resolved(&keep_accepted));
    let projection = story.fold();
    assert!(contested(&story, one) && contested(&story, other));
    assert_eq!(projection.summary.stage, "failed");
    assert_eq!(
        projection.conflicts.len(),
        1,
        "the question is still the same: {:?}",
        projection.conflicts
    );
    assert_eq!(projection.conflicts[0].entries, [accepted, closing]);
    story.counts(&people.chair, resolved(&keep_accepted));
    assert_eq!(story.fold().summary.owner.as_str(), TOWN);
    assert!(void(&story, one), "{:?}", story.verdict(one));
    assert_eq!(story.verdict(other), Verdict::Counts);
    assert!(!story.fold().summary.needs_decision);
}

#[test]
fn identical_resolutions_both_count() {
    let people = cast();
    let deputy = person("deputy", VILLAGE, &[Role::Chair]);
    let CloseAndEscalate {
        mut story, accepted, ..
    } = close_and_escalate();
    let (kept, before) = (story.id(accepted), story.all());
    for signer in [&people.chair, &deputy] {
        let resolution = story.record_knowing(&before, signer, resolved(&kept));
        assert_eq!(story.verdict(resolution), Verdict::Counts);
    }
    assert_eq!(story.fold().conflicts.len(), 1);
}

#[test]
fn a_rival_that_comes_late_opens_the_question_again() {
    let people = cast();
    let mut story = at("mediating");
    let before = story.all();
    let agreed = story.record_knowing(&before, &people.mediator, agreement("2019-12-02"));
    let escalation = story.record_knowing(&before, &people.chair, escalated());
    let kept = story.id(agreed);
    let resolution = story.counts(&people.chair, resolved(&kept));
    let follow = story.counts(&people.mediator, follow_up("2019-12-02"));
    // From a machine that was off all the while.
    let late = story.record_knowing(&before, &people.second, withdrew());
    assert!(contested(&story, agreed) && contested(&story, late) && contested(&story, follow));
    assert_eq!(story.verdict(resolution), Verdict::Counts);
    assert!(void(&story, escalation), "what was decided stays decided");
    assert_eq!(story.stage(), "mediating");
    let kept = story.id(late);
    story.counts(&people.chair, resolved(&kept));
    assert_eq!(story.stage(), "withdrawn");
    assert!(void(&story, agreed) && void(&story, follow));
}

#[test]
fn a_party_leaves_while_the_chair_decides() {
    let people = cast();
    let CloseAndEscalate {
        mut story, accepted, ..
    } = close_and_escalate();
    let (kept, before) = (story.id(accepted), story.all());
    let leaves = story.record_knowing(&before, &people.second, withdrew());
    let decides = story.record_knowing(&before, &people.chair, resolved(&kept));
    assert_eq!(
        (story.verdict(leaves), story.verdict(decides)),
        (Verdict::Counts, Verdict::Counts)
    );
    let summary = story.fold().summary;
    assert_eq!(
        (summary.stage.as_str(), summary.owner.as_str()),
        ("withdrawn", TOWN)
    );
}
