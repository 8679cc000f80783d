//! When something was recorded, by what witnesses saw.

use std::num::NonZeroUsize;

use anjuan_sync::Timestamp;

use super::super::bracket::{Bracket, Judgement};
use super::super::checkpoint::CosignedCheckpoint;
use super::super::testing::{Node, at, keys};

fn quorum(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("not zero")
}

struct World {
    village: Node,
    town: Node,
    county: Node,
    city: Node,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            village: Node::new(3, "450902001001"),
            town: Node::town(),
            county: Node::county(),
            city: Node::new(4, "4509"),
        };
        world.village.grow(5);
        world.town.grow(5);
        world
    }

    /// The town's checkpoint, which the village names in its headers.
    fn named(&mut self, village: i64, county: i64, city: i64) -> CosignedCheckpoint {
        let note = self.town.cosigned(&mut [
            (&mut self.village, village),
            (&mut self.county, county),
            (&mut self.city, city),
        ]);
        note.cosigned(keys(&[&self.village, &self.town, &self.county, &self.city]))
            .expect("holds")
    }

    /// The village's checkpoint, which includes the update.
    fn own(&mut self, town: i64, county: i64) -> CosignedCheckpoint {
        let note = self
            .village
            .cosigned(&mut [(&mut self.town, town), (&mut self.county, county)]);
        note.cosigned(keys(&[&self.village, &self.town, &self.county, &self.city]))
            .expect("holds")
    }
}

#[test]
fn after_the_latest_it_names_and_before_the_earliest_that_includes_it() {
    let mut world = World::new();
    // The village's own clock, far ahead, does not count.
    let named = world.named(9000, 100, 160);
    let (first, later) = (world.own(400, 300), world.own(350, 1000));
    let name = world.village.name.clone();
    let last = |seconds| Timestamp::from_millis(at(seconds).as_millis() + 999);

    let one = Bracket::of(&name, Some(&named), [&first, &later], quorum(1));
    assert_eq!((one.not_before, one.not_after), (Some(at(160)), Some(last(300))));
    let two = Bracket::of(&name, Some(&named), [&first, &later], quorum(2));
    assert_eq!((two.not_before, two.not_after), (Some(at(100)), Some(last(400))));
    let three = Bracket::of(&name, Some(&named), [&first, &later], quorum(3));
    assert_eq!(three, Bracket::default());
    assert_eq!(Bracket::of(&name, None, [], quorum(1)), Bracket::default());
}

#[test]
fn a_nodes_own_cosignature_of_its_log_bounds_nothing() {
    let mut world = World::new();
    let note = {
        let proof = world.town.proof_from(0);
        let mut checkpoint = world.town.checkpoint();
        let outcome = world.town.cosign(&checkpoint.clone(), 0, &proof, 5);
        let super::super::witness::Outcome::Cosigned(line) = outcome else {
            panic!("a witness is not asked whose log it is");
        };
        checkpoint.add(line).expect("room");
        checkpoint
    };
    let cosigned = note.cosigned(keys(&[&world.town])).expect("holds");
    assert_eq!(cosigned.witnesses().len(), 1);
    let bracket = Bracket::of(&world.village.name, Some(&cosigned), [&cosigned], quorum(1));
    assert_eq!(bracket, Bracket::default());
}

#[test]
fn a_claim_is_inside_or_proven_false_or_not_judged() {
    let both = Bracket {
        not_before: Some(at(100)),
        not_after: Some(at(200)),
    };
    for (seconds, judgement) in [
        (100, Judgement::Inside),
        (150, Judgement::Inside),
        (200, Judgement::Inside),
        (90, Judgement::Inside),
        (210, Judgement::Inside),
        (89, Judgement::ClaimedBefore { by: 11_000 }),
        (-86_400, Judgement::ClaimedBefore { by: 86_500_000 }),
        (211, Judgement::ClaimedAfter { by: 11_000 }),
    ] {
        assert_eq!(both.judge(at(seconds), 10_000), judgement, "{seconds}");
    }
    let lower = Bracket {
        not_after: None,
        ..both
    };
    assert_eq!(lower.judge(at(500), 0), Judgement::HalfOpen);
    assert_eq!(lower.judge(at(99), 0), Judgement::ClaimedBefore { by: 1000 });
    let upper = Bracket {
        not_before: None,
        ..both
    };
    assert_eq!(upper.judge(at(50), 0), Judgement::HalfOpen);
    assert_eq!(upper.judge(at(201), 0), Judgement::ClaimedAfter { by: 1000 });
    assert_eq!(Bracket::default().judge(at(0), 0), Judgement::Unbracketed);

    // Clocks that disagree prove nothing, unless by no more than clocks may.
    let crossed = Bracket {
        not_before: both.not_after,
        not_after: both.not_before,
    };
    assert_eq!(crossed.judge(at(0), 0), Judgement::Contradictory);
    assert_eq!(crossed.judge(at(150), 100_000), Judgement::Inside);
    let (min, max) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
    assert_eq!(both.judge(min, u64::MAX), Judgement::Inside);
    assert!(matches!(both.judge(max, 0), Judgement::ClaimedAfter { .. }));
}
