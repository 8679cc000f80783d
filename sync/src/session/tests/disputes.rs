//! Stories of logs that part and of replicas that cannot agree.

use std::sync::Arc;
use std::time::Duration;

use super::sim::{NETWORK, World, path};
use super::stories::{COUNTY, TOWN, VILLAGE, cases, level};
use crate::log::LogState;
use crate::replica::conformance::{Author, Subject};
use crate::replica::memory::Judge;
use crate::replica::{BlobKind, Record, Replica};
use crate::session::{Event, NotLevel};

/// An operator's key is used on two machines: one log, two chains. The nodes that saw one chain and those
/// that saw the other end with the same evidence.
#[test]
fn a_fork_is_found_and_known_everywhere() {
    for parting in [0, 1, 5] {
        let mut world = World::new(10);
        let nodes = [VILLAGE, TOWN, COUNTY].map(|unit| world.node(unit));
        let [village, town, county] = nodes;
        let space = cases(VILLAGE);
        world.write(village, 1, &space, "the first");
        let link = world.connect(village, town);
        world.connect(town, county);
        for number in 0..parting {
            world.write(village, 1, &space, &format!("common {number}"));
        }
        world.settle();
        world.cut(link);
        // From here on the two machines go apart.
        let mut other = {
            let author = world.author(village, 1, &space);
            let last = author.last();
            let certificate = author.certificate();
            let mut copy = Author::new(1, NETWORK, space.clone(), certificate);
            copy.resume(last);
            copy
        };
        for number in 0..4 {
            world.write(village, 1, &space, &format!("village {number}"));
            let update = other.write(&format!("town {number}"));
            world.take(town, vec![Record::Update(update)]);
        }
        world.settle();
        let link = world.connect(village, town);
        world.settle();
        world.run(Duration::from_secs(600));
        let log = other.log();
        let state = world.nodes[village].replica.log_state(&log).expect("readable");
        assert!(
            matches!(state, Some(LogState::Forked { seq, .. }) if seq == parting + 2),
            "{state:?}"
        );
        for node in nodes {
            assert_eq!(
                world.nodes[node].replica.log_state(&log).expect("readable"),
                state
            );
            level(&world, node, village, VILLAGE);
        }
        assert!(!world.links[link].had(|event| matches!(event, Event::NotLevel { .. })));
    }
}

/// A replica that refuses what the other holds: both notice, say so, and leave it for longer each time.
#[test]
fn replicas_that_cannot_level_back_off() {
    let mut world = World::new(11);
    let village = world.node(VILLAGE);
    let mut strict = Judge::certificate_known();
    strict.certified = Arc::new(|header, known| known && header.seq() < 2);
    let town = world.node_with(TOWN, strict);
    world.write(village, 1, &cases(VILLAGE), "one");
    world.write(village, 1, &cases(VILLAGE), "two");
    let link = world.connect(village, town);
    world.run(Duration::from_secs(3600));
    assert!(world.links[link].is_up());
    let why = |event: &Event| {
        matches!(
            event,
            Event::NotLevel {
                why: NotLevel::NothingGained,
                ..
            }
        )
    };
    assert!(world.links[link].had(why));
    let frames = world.links[link].sent;
    world.run(Duration::from_secs(86_400));
    let more = world.links[link].sent - frames;
    assert!(more < 24 * 30, "{more} frames in a day");
    // What does not depend on it still flows.
    world.write(village, 2, &cases(VILLAGE), "another operator");
    world.settle();
    assert_eq!(world.nodes[town].replica.counted().count(), 2);
}

/// Two replicas that cannot level have come to pauses of an hour. Then something is sealed that the other one
/// can take: it does not wait for the end of a pause that was for something else.
#[test]
fn a_pause_after_a_fruitless_repair_holds_for_what_was_compared_only() {
    let mut world = World::new(16);
    let village = world.node(VILLAGE);
    let mut strict = Judge::certificate_known();
    strict.certified = Arc::new(|header, known| known && header.seq() < 2);
    let town = world.node_with(TOWN, strict);
    world.write(village, 1, &cases(VILLAGE), "one");
    world.write(village, 1, &cases(VILLAGE), "two");
    let link = world.connect(village, town);
    world.run(Duration::from_secs(6 * 3600));
    let repairs = |world: &World| {
        let events = world.links[link].events.iter();
        let of_town =
            events.filter(|(_, side, event)| *side == 1 && matches!(event, Event::Repairing { .. }));
        of_town.map(|(at, ..)| *at).collect::<Vec<_>>()
    };
    let paused = repairs(&world);
    let pause = paused[paused.len() - 1] - paused[paused.len() - 2];
    assert!(pause > Duration::from_secs(600), "{pause:?}");
    // Just after the town's last repair: the whole pause lies ahead.
    while repairs(&world).len() == paused.len() {
        world.run(Duration::from_secs(1));
    }

    let sealed = world.nodes[village].replica.sealed(&path(VILLAGE), 7);
    world.nodes[village].replica.seal_beside(sealed.clone());
    world.take(village, Vec::new());
    world.run(Duration::from_secs(5));
    let held = world.nodes[town]
        .replica
        .blob(BlobKind::Sealed, &path(VILLAGE), &sealed.id);
    assert_eq!(held.expect("readable"), Some(sealed.bytes));
}
