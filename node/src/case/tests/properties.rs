//! What holds for every history, however it came about.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::case::events::EventKind;
use crate::kind::{History, Verdict};

/// What happens at one of the desks: which desk, what (to level it with another one, or to record
/// something), and which of the possibilities.
type Turn = (usize, u8, u16);

const DESKS: usize = 4;

fn turns(at_most: usize) -> impl Strategy<Value = (usize, Vec<Turn>)> {
    let turn = (0..DESKS, any::<u8>(), any::<u16>());
    (0..STARTS.len(), prop::collection::vec(turn, 1..at_most))
}

const STARTS: [&str; 6] = [
    "registered",
    "accepted",
    "in-hand",
    "mediating",
    "failed",
    "agreed",
];

/// A history written at four desks that are levelled with one another now and then. Mostly, people do what
/// is open to them as far as they know; now and then, anything.
fn story_of((start, turns): &(usize, Vec<Turn>)) -> Story {
    let people = cast();
    let both = person("both", VILLAGE, &[Role::Mediator, Role::Chair]);
    let town = person(
        "town all",
        TOWN,
        &[Role::JudicialClerk, Role::Chair, Role::Router, Role::Archivist],
    );
    let signers: Vec<_> = people.everybody().into_iter().chain([&both, &town]).collect();
    let mut story = at(STARTS[*start]);
    let mut desks: Vec<BTreeSet<usize>> = vec![story.all(); DESKS];
    for (desk, action, pick) in turns {
        let pick = usize::from(*pick);
        if action % 5 == 0 {
            let other = desks[(desk + 1 + pick % (DESKS - 1)) % DESKS].clone();
            desks[*desk].extend(other);
            continue;
        }
        let known = desks[*desk].clone();
        let seen = story.part(&known);
        let projection = seen.fold();
        let some_id = seen.id(pick % seen.history.entries.len());
        let (kind, who) = if action % 5 == 1 {
            (EventKind::ALL[pick % EventKind::ALL.len()], None)
        } else {
            // What decides is picked more often than its share.
            let moves = |step: &&crate::kind::NextStep| {
                step.event != "MessageSent" && !step.event.contains("Particulars")
            };
            let steps: Vec<_> = projection.next.iter().filter(moves).collect();
            let Some(step) = steps.get(pick % steps.len().max(1)) else {
                continue;
            };
            let may = |signer: &&&Arc<Signer>| match step.assignees.as_slice() {
                [] => signer.is_any(&step.roles) && signer.unit == step.unit,
                keys => keys.contains(&signer.key),
            };
            let kind = EventKind::ALL
                .iter()
                .find(|kind| kind.name() == step.event)
                .expect("an event");
            (*kind, signers.iter().find(may))
        };
        let signer = who.unwrap_or(&signers[pick % signers.len()]);
        let event = match kind {
            EventKind::ConflictResolved => {
                let choices: Vec<usize> = projection
                    .conflicts
                    .iter()
                    .flat_map(|conflict| conflict.entries.clone())
                    .collect();
                match choices.get(pick % choices.len().max(1)) {
                    Some(kept) => resolved(&seen.id(*kept)),
                    None => resolved(&some_id),
                }
            }
            EventKind::UpdateAdopted => json!({"type": "UpdateAdopted", "update": some_id, "reason": "属实"}),
            kind => {
                let mut events = super::forbidden::events_of(kind, &people);
                events.swap_remove(pick % events.len())
            }
        };
        let index = story.record_knowing(&known, signer, event);
        desks[*desk].insert(index);
        if action % 29 == 7 {
            story.history.entries[index].quarantined = Some(crate::text::Text::new("撤销", "revoked"));
        }
    }
    story
}

/// A linear order, other than the one of recording, in which every entry stands after its past.
fn linearised(history: &History, mut dice: u64) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < history.entries.len() {
        let ready: Vec<usize> = (0..history.entries.len())
            .filter(|i| !order.contains(i) && history.entries[*i].past.iter().all(|p| order.contains(&p)))
            .collect();
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        order.push(ready[(dice >> 33) as usize % ready.len()]);
    }
    order
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_order_of_arrival_changes_nothing(turns in turns(40), dice in any::<u64>()) {
        let story = story_of(&turns);
        let order = linearised(&story.history, dice);
        let (one, other) = (story.fold(), story.reordered(&order).fold());
        for (new, old) in order.iter().enumerate() {
            prop_assert_eq!(&other.verdicts[new], &one.verdicts[*old]);
        }
        prop_assert_eq!(&one.state, &other.state);
        prop_assert_eq!(&one.summary, &other.summary);
        prop_assert_eq!(&one.duties, &other.duties);
        prop_assert_eq!(&one.next, &other.next);
        prop_assert_eq!(&one.particulars, &other.particulars);
    }

    /// Whether an entry was allowed depends on nothing that comes later; and what counts goes on counting
    /// while everybody who writes knows of it and of all that goes with it.
    #[test]
    fn what_everybody_knows_is_settled(turns in turns(40), cut in any::<prop::sample::Index>()) {
        let story = story_of(&turns);
        let whole = story.fold();
        let count = cut.index(story.history.entries.len()) + 1;
        let part = story.part(&(0..count).collect()).fold();
        let later = &story.history.entries[count..];
        let all_knew = later.iter().all(|entry| (0..count).all(|i| entry.past.has(i)));
        let forbidden = |verdict: &Verdict| match verdict {
            Verdict::Void(reason) if !reason.en.contains("decided against") => Some(reason.clone()),
            _ => None,
        };
        for (before, after) in part.verdicts.iter().zip(&whole.verdicts) {
            prop_assert_eq!(forbidden(before), forbidden(after));
            if all_knew && *before == Verdict::Counts {
                prop_assert_eq!(after, before);
            }
        }
    }

    /// While a conflict is open, none of its entries counts, and the state is what it would be had nobody
    /// written what does not count. Not so once it is decided: see
    /// [`what_was_allowed_while_a_conflict_was_open_counts_after_it_too`].
    #[test]
    fn an_open_conflict_leaves_the_state_before_it(turns in turns(40)) {
        let story = story_of(&turns);
        let projection = story.fold();
        for conflict in projection.conflicts.iter().filter(|conflict| conflict.kept.is_none()) {
            for i in &conflict.entries {
                prop_assert!(matches!(projection.verdicts[*i], Verdict::Contested(_)));
            }
        }
        let contested = projection.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Contested(_)));
        prop_assert_eq!(contested, projection.summary.needs_decision);
        if projection.conflicts.iter().any(|conflict| conflict.kept.is_some()) {
            return Ok(());
        }
        let mut without = story.clone();
        for (entry, verdict) in without.history.entries.iter_mut().zip(&projection.verdicts) {
            if *verdict != Verdict::Counts {
                entry.quarantined = Some(crate::text::Text::new("试", "left out"));
            }
        }
        let without = without.fold().summary;
        prop_assert_eq!((projection.summary.stage, projection.summary.owner), (without.stage, without.owner));
    }

    /// A step that the fold offers is not refused for the stage or for the signer, and is never contested.
    #[test]
    fn what_is_offered_may_be_done(turns in turns(30)) {
        let (story, people) = (story_of(&turns), cast());
        for step in story.fold().next {
            let kind = EventKind::ALL.iter().find(|kind| kind.name() == step.event).expect("an event");
            let mut signer = crate::kind::Signer::clone(&person("somebody", step.unit.as_str(), &step.roles));
            signer.key = step.assignees.first().copied().unwrap_or(signer.key);
            for event in super::forbidden::events_of(*kind, &people) {
                let mut next = story.clone();
                let index = next.record(&Arc::new(signer.clone()), event);
                match next.verdict(index) {
                    Verdict::Counts => {}
                    Verdict::Void(reason) => prop_assert!(
                        !reason.en.contains("not possible") && !reason.en.contains("may be recorded by"),
                        "{} {reason:?}", step.event
                    ),
                    other => prop_assert!(false, "{} {other:?}", step.event),
                }
            }
        }
    }
}

/// The village's mediator records that a party withdrew while it is open whether the town has taken the case
/// over: as far as anybody knows then, the case is the village's. That it was decided for the town later does
/// not take back what was allowed, though without the conflict only the town could have recorded it.
#[test]
fn what_was_allowed_while_a_conflict_was_open_counts_after_it_too() {
    let people = cast();
    let mut story = at("accepted");
    let before = story.all();
    let proposed = story.record_knowing(
        &before,
        &people.chair,
        json!({"type": "EscalationProposed", "steps_tried": "两次调解", "reason": "涉及两村"}),
    );
    let known = BTreeSet::from_iter(before.iter().copied().chain([proposed]));
    let accepted = story.record_knowing(&known, &people.town_clerk, json!({"type": "EscalationAccepted"}));
    let mediators = json!([people.mediator.key.to_string()]);
    let assigned = story.record_knowing(
        &before,
        &people.chair,
        json!({"type": "CaseAssigned", "mediators": mediators}),
    );
    let withdrew = story.record_knowing(
        &story.all(),
        &people.mediator,
        json!({"type": "PartyWithdrew", "party": "respondent"}),
    );
    let open = story.fold();
    assert!(open.summary.needs_decision);
    assert_eq!(open.verdicts[withdrew], Verdict::Counts);
    let kept = resolved(&story.id(accepted));
    story.record_knowing(&story.all(), &people.chair, kept);
    let decided = story.fold();
    assert!(!decided.summary.needs_decision);
    assert!(matches!(decided.verdicts[assigned], Verdict::Void(_)));
    assert_eq!(decided.verdicts[accepted], Verdict::Counts);
    assert_eq!(decided.verdicts[withdrew], Verdict::Counts);
}
