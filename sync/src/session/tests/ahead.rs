//! Standing requests: what is new is sent without being asked for again, if it is little.

use std::time::Duration;

use super::hostile::{Victim, head, page_of};
use super::sim::{NETWORK, ROUND_TRIP, World, path};
use super::stories::{CITY, COUNTY, TOWN, VILLAGE, cases, level};
use crate::id::CertificateId;
use crate::path::Space;
use crate::replica::Record;
use crate::replica::conformance::{Author, Subject};
use crate::session::message::Message;
use crate::session::{Event, Input, Violation};

/// A village, its town, its county and its city, each connected with the next and level with it after the
/// village's first update.
fn line(world: &mut World) -> ([usize; 4], [usize; 3]) {
    let nodes = [VILLAGE, TOWN, COUNTY, CITY].map(|unit| world.node(unit));
    let links = [0, 1, 2].map(|at| world.connect(nodes[at], nodes[at + 1]));
    world.settle();
    world.write(nodes[0], 1, &cases(VILLAGE), "registered");
    world.settle();
    (nodes, links)
}

#[test]
fn an_update_takes_half_a_round_trip_each_hop() {
    let mut world = World::new(1);
    let (nodes, links) = line(&mut world);
    let asked = links.map(|link| world.links[link].figures(1).round_trips);
    for number in 0..20 {
        let before = world.now;
        world.write(nodes[0], 1, &cases(VILLAGE), &format!("update {number}"));
        while world.status(nodes[0], VILLAGE).roots != world.status(nodes[3], VILLAGE).roots {
            world.run(Duration::from_millis(1));
        }
        let took = world.now - before;
        world.settle();
        for (link, side) in links.into_iter().flat_map(|link| [(link, 0), (link, 1)]) {
            let told = world.links[link].events.iter().rfind(|(_, of, event)| {
                *of == side && matches!(event, Event::Level | Event::Progress { .. })
            });
            assert!(
                matches!(told, Some((_, _, Event::Level))),
                "{number}: {side} of {link}"
            );
        }
        // Three hops of half a round trip, and what the stores take.
        assert!(took < ROUND_TRIP * 5 / 2, "{number}: {took:?}");
    }
    assert_eq!(
        links.map(|link| world.links[link].figures(1).round_trips),
        asked,
        "nothing was asked for"
    );
    assert_eq!(links.map(|link| world.links[link].delivered), [22; 3]);
}

#[test]
fn what_is_much_is_asked_for() {
    let mut world = World::new(2);
    let (nodes, links) = line(&mut world);
    let asked = world.links[links[0]].figures(1).round_trips;
    let records = (0..40)
        .map(|number| {
            let text = format!("{number} {}", "调解双方当事人就宅基地边界达成一致".repeat(20));
            Record::Update(world.author(nodes[0], 1, &cases(VILLAGE)).write(&text))
        })
        .collect();
    world.take(nodes[0], records);
    world.settle();
    level(&world, nodes[0], nodes[3], VILLAGE);
    assert!(world.links[links[0]].figures(1).round_trips > asked);
    assert_eq!(links.map(|link| world.links[link].delivered), [42; 3]);
}

#[test]
fn what_comes_from_a_peer_is_not_sent_back_to_it() {
    let mut world = World::new(3);
    let (nodes, links) = line(&mut world);
    for number in 0..10 {
        world.write(nodes[0], 1, &cases(VILLAGE), &format!("of the village {number}"));
        world.settle();
        world.write(
            nodes[3],
            2,
            &Space::down(path(CITY)),
            &format!("of the city {number}"),
        );
        world.settle();
    }
    for at in 0..3 {
        level(&world, nodes[at], nodes[at + 1], VILLAGE);
    }
    // 21 updates, and the certificates of their authors.
    assert_eq!(links.map(|link| world.links[link].delivered), [23; 3]);
}

/// A county that gave a standing request, and its number.
fn asking() -> (Victim, u32, Author) {
    let space = Space::up(path("4509/02/001"));
    let mut writer = Author::new(5, NETWORK, space, CertificateId::from_bytes([0; 32]));
    let mut victim = Victim::streaming();
    victim.say(&head(0, 1 << 10, 1, 0));
    victim.say(&page_of(0, &[Record::Update(writer.write("asked for"))]));
    let (token, records) = victim.delivered.pop().expect("a delivery");
    let summary = Subject::take(&mut victim.replica, records);
    victim.feed(Input::Delivered {
        token,
        result: Ok(summary),
    });
    let ahead = victim.sent.iter().rev().find_map(|message| match message {
        Message::State(state) => state.ahead,
        _ => None,
    });
    (victim, ahead.expect("a standing request"), writer)
}

#[test]
fn a_standing_request_is_answered_once_and_in_full() {
    let (mut victim, id, mut writer) = asking();
    let page = page_of(id, &[Record::Update(writer.write("new"))]);
    victim.say(&head(id, 1025, 1, 0));
    victim.say(&page);
    assert_eq!(victim.delivered.len(), 1);
    victim.say(&head(id, 1026, 1, 0));
    assert_eq!(victim.violation(), Violation::Unsolicited);

    let cases = [
        (vec![head(id, 1025, 0, 0)], Violation::Position),
        (vec![head(id, 1025, 1, 1)], Violation::Position),
        (vec![page.clone()], Violation::Unsolicited),
        (vec![head(id + 1, 1025, 1, 0)], Violation::Unsolicited),
        (
            vec![head(id, 1025, 2, 0), page],
            Violation::Page("another number of records than stated".into()),
        ),
    ];
    for (messages, violation) in cases {
        let (mut victim, ..) = asking();
        messages.iter().for_each(|message| victim.say(message));
        assert!(victim.delivered.is_empty());
        assert_eq!(victim.violation(), violation);
    }
}
