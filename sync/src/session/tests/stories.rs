//! Stories of a village, its town, its county and its city.

use std::time::Duration;

use super::sim::{World, path};
use crate::path::Space;
use crate::replica::conformance::Subject;
use crate::replica::{BlobKind, Record, Replica};
use crate::session::{Behind, Event, Input};

pub(super) const VILLAGE: &str = "4509/02/001/001";
pub(super) const TOWN: &str = "4509/02/001";
pub(super) const COUNTY: &str = "4509/02";
pub(super) const CITY: &str = "4509";

pub(super) fn cases(unit: &str) -> Space {
    Space::up(path(unit))
}

/// Cases of many villages at one node: `updates` in all, by the villages' own operators.
fn fill(world: &mut World, node: usize, villages: usize, updates: usize) {
    for number in 0..updates {
        let village = number % villages;
        let space = cases(&format!(
            "4509/02/{:03}/{:03}",
            village / 15 + 1,
            village % 15 + 1
        ));
        // As much as a case event has in facts: not to be compressed away.
        let text: String = (0..12u64)
            .map(|part| crate::hash::sha256(&(number as u64 * 16 + part).to_be_bytes()).to_string())
            .map(|hex| hex[..24].to_owned())
            .collect();
        world.write(node, (village % 200) as u8 + 1, &space, &text);
    }
}

pub(super) fn level(world: &World, a: usize, b: usize, scope: &str) {
    assert_eq!(world.status(a, scope).roots, world.status(b, scope).roots);
}

#[test]
fn a_village_registers_a_case_and_the_town_has_it_at_once() {
    let mut world = World::new(1);
    let (village, town) = (world.node(VILLAGE), world.node(TOWN));
    let link = world.connect(village, town);
    world.settle();
    assert!(world.links[link].is_up());
    let before = world.now;
    world.write(village, 1, &cases(VILLAGE), "a dispute over a boundary");
    world.settle();
    level(&world, village, town, VILLAGE);
    let at = world.links[link]
        .events
        .iter()
        .rfind(|(_, side, event)| *side == 1 && *event == Event::Level)
        .map(|(at, ..)| *at)
        .expect("the town is level");
    assert!(
        at - before <= Duration::from_millis(62),
        "one and a half round trips: {:?}",
        at - before
    );
}

#[test]
fn notices_flow_down_and_cases_stay_below() {
    let mut world = World::new(2);
    let (village, town) = (world.node(VILLAGE), world.node(TOWN));
    world.write(town, 1, &Space::down(path(TOWN)), "a notice");
    world.write(town, 2, &cases(TOWN), "the town's own case");
    world.write(town, 3, &cases("4509/02/001/002"), "another village's case");
    world.connect(village, town);
    world.settle();
    level(&world, village, town, VILLAGE);
    let held: Vec<_> = world.nodes[village]
        .replica
        .counted()
        .map(|update| update.payload())
        .collect();
    assert_eq!(held, [b"a notice"]);
}

/// Four levels, one link after the other; the town's node is down, and the village reaches the county
/// itself.
#[test]
fn the_town_is_down_and_the_village_levels_with_the_county() {
    let mut world = World::new(3);
    let nodes = [VILLAGE, TOWN, COUNTY, CITY].map(|unit| world.node(unit));
    let [village, town, county, city] = nodes;
    world.write(village, 1, &cases(VILLAGE), "one");
    let hops = [(village, town), (town, county), (county, city)].map(|(a, b)| world.connect(a, b));
    world.write(village, 1, &cases(VILLAGE), "two");
    world.settle();
    for node in nodes {
        level(&world, village, node, VILLAGE);
    }
    world.cut(hops[0]);
    world.cut(hops[1]);
    world.write(village, 1, &cases(VILLAGE), "three");
    world.write(county, 2, &Space::down(path(COUNTY)), "a notice");
    world.connect(village, county);
    world.settle();
    level(&world, village, city, VILLAGE);
    assert_ne!(
        world.status(town, VILLAGE).roots,
        world.status(village, VILLAGE).roots
    );
    world.connect(village, town);
    world.settle();
    world.connect(town, county);
    world.settle();
    for node in nodes {
        level(&world, village, node, VILLAGE);
    }
    level(&world, town, county, TOWN);
}

#[test]
fn an_empty_county_takes_everything_in_with_pages_overlapping() {
    let mut world = World::new(4);
    let (county, city) = (world.node(COUNTY), world.node(CITY));
    fill(&mut world, city, 60, 3000);
    let written: u64 = world.nodes[city]
        .replica
        .counted()
        .map(|update| update.encode().len() as u64)
        .sum();
    let link = world.connect(county, city);
    world.settle();
    level(&world, county, city, COUNTY);
    let link = &world.links[link];
    let ratio = link.bytes[1] as f64 / written as f64;
    eprintln!(
        "empty: {} B of updates, {} B down, {} B up, ratio {ratio:.3}, {} round trips",
        written,
        link.bytes[1],
        link.bytes[0],
        link.round_trips()
    );
    assert!(link.bytes[0] < 8_000, "asking costs {} B", link.bytes[0]);
    let progress = link.events.iter().filter_map(|(_, _, event)| match event {
        Event::Progress { remaining, .. } => Some(*remaining),
        _ => None,
    });
    assert!(
        progress.clone().is_sorted_by(|a, b| a >= b),
        "what remains gets less"
    );
    assert!(progress.count() > 3);
}

/// What a broken link left behind is not asked for again, though there is no cursor yet.
#[test]
fn an_empty_standby_takes_a_year_in_place_by_place_over_a_link_that_breaks() {
    const UPDATES: usize = 4_500;
    let mut world = World::new(19);
    let (county, standby) = (world.node(COUNTY), world.node(COUNTY));
    fill(&mut world, county, 60, UPDATES);
    world.connect_until(standby, county, 32);
    world.settle();
    let held = world.nodes[standby].replica.counted().count();
    assert!(held > 0 && held < UPDATES, "{held}");
    let link = world.connect(standby, county);
    world.settle();
    level(&world, county, standby, COUNTY);
    let figures = world.links[link].figures(0);
    assert_eq!(figures.records as usize, UPDATES - held, "{figures:?}");
}

#[test]
fn nothing_changed_costs_two_round_trips_and_a_kilobyte() {
    let mut world = World::new(5);
    let (county, city) = (world.node(COUNTY), world.node(CITY));
    fill(&mut world, city, 60, 400);
    let link = world.connect(county, city);
    world.settle();
    world.cut(link);
    for with_cursor in [true, false] {
        if !with_cursor {
            world.forget_cursors();
        }
        let link = world.connect(county, city);
        world.settle();
        let link = &world.links[link];
        eprintln!(
            "nothing changed: {:?} B, {} round trips",
            link.bytes,
            link.round_trips()
        );
        assert!(link.round_trips() <= 2);
        assert!(link.bytes[0] + link.bytes[1] < 1000);
        assert_eq!(link.delivered, 0);
    }
}

#[test]
fn a_hundred_changed_cases_cost_little_with_and_without_a_cursor() {
    let mut world = World::new(6);
    let (county, city) = (world.node(COUNTY), world.node(CITY));
    fill(&mut world, city, 300, 3000);
    let link = world.connect(county, city);
    world.settle();
    world.cut(link);
    for with_cursor in [true, false] {
        fill(&mut world, city, 300, 100);
        if !with_cursor {
            world.forget_cursors();
        }
        let link = world.connect(county, city);
        world.settle();
        level(&world, county, city, COUNTY);
        let link = &world.links[link];
        eprintln!(
            "100 changed, cursor {with_cursor}: {:?} B, {} round trips",
            link.bytes,
            link.round_trips()
        );
        assert!(link.round_trips() <= if with_cursor { 3 } else { 4 });
        assert!(link.bytes[0] + link.bytes[1] < 110 * 900 + 64 * 1024);
        assert_eq!(link.delivered, 100);
        let link = world.links.len() - 1;
        world.cut(link);
    }
}

/// Two nodes of the city, as many villages as it has, and a case in a hundred of them went on.
#[test]
fn a_hundred_changed_of_fifteen_hundred_villages_take_five_round_trips() {
    for pulling_side in 0..2 {
        let mut world = World::new(16);
        let (first, second) = (world.node(CITY), world.node(CITY));
        let villages: Vec<_> = (0..1500)
            .map(|village| {
                let (county, town) = (village / 15 % 7 + 1, village / 105 + 1);
                cases(&format!("4509/{county:02}/{town:03}/{:03}", village % 15 + 1))
            })
            .collect();
        for (at, space) in villages.iter().enumerate() {
            world.write(first, (at % 200) as u8 + 1, space, "registered");
        }
        let link = world.connect(second, first);
        world.settle();
        world.cut(link);
        world.forget_cursors();
        let mut changed = 0;
        for number in 0..100 {
            let at = number * 7919 % 1500;
            let text = format!("{number} {}", "调解双方当事人就宅基地边界达成一致".repeat(8));
            let update = world.write(first, (at % 200) as u8 + 1, &villages[at], &text);
            changed += update.encode().len() as u64;
        }
        let link = match pulling_side {
            0 => world.connect(second, first),
            _ => world.connect(first, second),
        };
        world.settle();
        level(&world, first, second, CITY);
        let link = &world.links[link];
        let bytes = link.bytes[0] + link.bytes[1];
        eprintln!(
            "100 of 1500 villages, side {pulling_side} pulls: {:?} B for {changed} B of updates, {} round trips",
            link.bytes,
            link.round_trips()
        );
        assert_eq!(link.delivered, 100);
        assert!(link.round_trips() <= 5);
        let figures = link.figures(pulling_side);
        assert_eq!(figures.round_trips, 4, "hello, two levels twice, what is lacking");
        assert_eq!((figures.records, figures.behind), (100, Behind::Level));
        assert_eq!(
            (figures.sent, figures.received),
            (link.bytes[pulling_side], link.bytes[1 - pulling_side])
        );
        assert!(bytes <= changed * 11 / 10 + 64 * 1024, "{bytes} B");
    }
}

#[test]
fn a_village_levels_with_its_town_after_a_week() {
    let mut world = World::new(7);
    let (village, town) = (world.node(VILLAGE), world.node(TOWN));
    for number in 0..120 {
        world.write(village, 1, &cases(VILLAGE), &format!("update {number}"));
    }
    let link = world.connect(village, town);
    world.settle();
    world.cut(link);
    world.run(Duration::from_secs(7 * 86_400));
    world.write(village, 1, &cases(VILLAGE), "this week");
    world.write(town, 9, &Space::down(path(TOWN)), "a notice");
    let sealed = world.nodes[village].replica.sealed(&path(VILLAGE), 1);
    world.take(village, vec![Record::Sealed(sealed)]);
    let link = world.connect(village, town);
    world.settle();
    level(&world, village, town, VILLAGE);
    let link = &world.links[link];
    eprintln!(
        "after a week: {:?} B, {} round trips",
        link.bytes,
        link.round_trips()
    );
    assert!(link.round_trips() <= 4);
    assert!(link.bytes[0] + link.bytes[1] < 2048 + 900);
    assert_eq!(
        link.delivered, 4,
        "an update, a notice with its certificate, a sealed item"
    );
}

/// The link breaks before each of its frames in turn; each new connection goes on where the last one
/// stopped.
#[test]
fn a_link_that_breaks_anywhere_still_gets_there() {
    for step in [1, 2, 3, 4, 5, 7, 11] {
        let mut world = World::new(step);
        let (county, city) = (world.node(COUNTY), world.node(CITY));
        fill(&mut world, city, 30, 1500);
        fill(&mut world, county, 3, 30);
        let sealed: Vec<_> = (0..40)
            .map(|number| Record::Sealed(world.nodes[city].replica.sealed(&path(VILLAGE), number)))
            .collect();
        world.take(city, sealed);
        let (mut bytes, mut tries) = (0, 0);
        for frames in (step..).step_by(step as usize) {
            let link = world.connect_until(county, city, frames);
            world.settle();
            bytes += world.links[link].bytes[1];
            tries += 1;
            if world.links[link].is_up() {
                break;
            }
            assert!(tries < 200, "it never gets there");
        }
        level(&world, county, city, COUNTY);
        let written: u64 = world.nodes[city]
            .replica
            .counted()
            .map(|update| update.encode().len() as u64)
            .sum();
        eprintln!("broken every {step}: {tries} connections, {bytes} B for {written} B of updates");
    }
}

#[test]
fn both_sides_worked_while_the_link_was_cut() {
    let mut world = World::new(8);
    let (village, town) = (world.node(VILLAGE), world.node(TOWN));
    let link = world.connect(village, town);
    world.write(village, 1, &cases(VILLAGE), "before");
    world.settle();
    world.cut(link);
    for number in 0..50 {
        world.write(village, 1, &cases(VILLAGE), &format!("village {number}"));
        world.write(town, 2, &cases(VILLAGE), &format!("town {number}"));
    }
    let link = world.connect(village, town);
    world.settle();
    level(&world, village, town, VILLAGE);
    let link = &world.links[link];
    assert!(!link.had(|event| matches!(event, Event::Repairing { .. } | Event::NotLevel { .. })));
    assert_eq!(
        link.delivered, 101,
        "nothing came twice: 100 updates and a certificate"
    );
}

#[test]
fn a_restored_backup_gets_back_what_it_lost() {
    let mut world = World::new(9);
    let (village, town) = (world.node(VILLAGE), world.node(TOWN));
    let link = world.connect(village, town);
    world.write(village, 1, &cases(VILLAGE), "one");
    world.settle();
    let backup = world.nodes[village].replica.clone();
    world.write(village, 1, &cases(VILLAGE), "two");
    world.write(village, 1, &cases(VILLAGE), "three");
    world.settle();
    world.cut(link);
    world.restore(village, backup);
    let link = world.connect(village, town);
    world.settle();
    level(&world, village, town, VILLAGE);
    assert_eq!(world.nodes[village].replica.counted().count(), 3);
    assert_eq!(world.links[link].delivered, 2);
}

/// Each side in turn has lost everything, its knowledge of the other included, and the other, who has a
/// cursor, greets it as an old acquaintance.
#[test]
fn who_was_forgotten_introduces_himself_anew() {
    for forgetful in 0..2 {
        let mut world = World::new(17);
        let nodes = [world.node(VILLAGE), world.node(TOWN)];
        world.write(nodes[0], 1, &cases(VILLAGE), "one");
        let link = world.connect(nodes[0], nodes[1]);
        world.settle();
        world.cut(link);
        let empty = world.node([VILLAGE, TOWN][forgetful]);
        let backup = world.nodes[empty].replica.clone();
        world.restore(nodes[forgetful], backup);
        let link = world.connect(nodes[0], nodes[1]);
        world.settle();
        assert!(world.links[link].is_up(), "{:?}", world.links[link].closed);
        level(&world, nodes[0], nodes[1], VILLAGE);
    }
}

#[test]
fn what_was_erased_does_not_come_back() {
    let mut world = World::new(12);
    let (village, town) = (world.node(VILLAGE), world.node(TOWN));
    let sealed = world.nodes[village].replica.sealed(&path(VILLAGE), 7);
    world.take(village, vec![Record::Sealed(sealed.clone())]);
    let link = world.connect(village, town);
    world.settle();
    level(&world, village, town, VILLAGE);
    world.nodes[village]
        .replica
        .erase(BlobKind::Sealed, &path(VILLAGE), &sealed.id);
    world.cut(link);
    world.connect(village, town);
    world.run(Duration::from_secs(3600));
    let held = |world: &World, node: usize| {
        let replica = &world.nodes[node].replica;
        replica
            .blob(BlobKind::Sealed, &path(VILLAGE), &sealed.id)
            .expect("readable")
    };
    assert_eq!(held(&world, village), None);
    assert!(
        held(&world, town).is_some(),
        "the town erases for itself, by the same signed event"
    );
    world.nodes[town]
        .replica
        .erase(BlobKind::Sealed, &path(VILLAGE), &sealed.id);
    world.write(village, 1, &cases(VILLAGE), "life goes on");
    world.settle();
    level(&world, village, town, VILLAGE);
}

/// Two nodes of one unit, and both connected to the parent: what one got, the other is not sent twice.
#[test]
fn a_standby_mirrors_its_unit() {
    let mut world = World::new(13);
    let (town, standby, village) = (world.node(TOWN), world.node(TOWN), world.node(VILLAGE));
    fill(&mut world, town, 10, 300);
    world.connect(standby, town);
    world.connect(village, town);
    world.settle();
    level(&world, town, standby, TOWN);
    world.write(village, 201, &cases(VILLAGE), "seen by both");
    world.settle();
    level(&world, town, standby, TOWN);
    let link = world.connect(village, standby);
    world.settle();
    assert_eq!(
        world.links[link].delivered, 0,
        "a level replica is not sent anything"
    );
}

/// Much that both have already came by another way: after a few useless pages digests take over.
#[test]
fn what_came_by_another_way_is_not_sent_all_over() {
    let mut world = World::new(14);
    let (county, city, standby) = (world.node(COUNTY), world.node(CITY), world.node(CITY));
    let first = world.connect(county, standby);
    world.settle();
    world.cut(first);
    fill(&mut world, city, 60, 5000);
    for (a, b) in [(county, city), (standby, city)] {
        let link = world.connect(a, b);
        world.settle();
        world.cut(link);
    }
    world.write(standby, 200, &Space::down(path(CITY)), "and one more");
    let link = world.connect(county, standby);
    world.settle();
    level(&world, county, standby, COUNTY);
    let link = &world.links[link];
    eprintln!(
        "came by another way: {:?} B, {} delivered",
        link.bytes, link.delivered
    );
    assert!(link.delivered < 3000);
}

/// More than fits a page, in more logs than one request names, and no cursor: every update comes once.
#[test]
fn a_large_difference_is_repaired_page_by_page() {
    let mut world = World::new(15);
    let (county, city) = (world.node(COUNTY), world.node(CITY));
    fill(&mut world, city, 300, 300);
    let link = world.connect(county, city);
    world.settle();
    world.cut(link);
    fill(&mut world, city, 300, 4500);
    world.forget_cursors();
    let link = world.connect(county, city);
    world.settle();
    level(&world, county, city, COUNTY);
    let link = &world.links[link];
    eprintln!(
        "large difference: {:?} B, {} round trips",
        link.bytes,
        link.round_trips()
    );
    assert_eq!(link.delivered, 4500);
    assert!(
        !link.had(|event| matches!(event, Event::Repairing { .. })),
        "one comparison is enough"
    );
}

/// The power comes back: all villages of a county call it in the same moment, each with work of its own and
/// behind with the county's. It serves and hears a few at a time; all come level.
#[test]
fn three_hundred_and_sixty_children_return_at_once() {
    let mut world = World::new(18);
    let county = world.node(COUNTY);
    world.take_turns(county, 8, Duration::from_secs(2));
    for number in 0..4 {
        world.write(county, 1, &Space::down(path(COUNTY)), &format!("notice {number}"));
    }
    let villages: Vec<_> = (0..360)
        .map(|number| {
            let unit = format!("4509/02/{:03}/{:03}", number / 15 + 1, number % 15 + 1);
            let village = world.node(&unit);
            world.write(
                village,
                (number % 200) as u8 + 2,
                &cases(&unit),
                "while the power was off",
            );
            (village, unit)
        })
        .collect();
    let links: Vec<_> = villages
        .iter()
        .map(|(village, _)| world.connect(*village, county))
        .collect();
    let begun = world.now;
    let is_level = |world: &World| {
        villages
            .iter()
            .all(|(village, unit)| world.status(*village, unit).roots == world.status(county, unit).roots)
    };
    while !is_level(&world) {
        assert!(
            world.now - begun < Duration::from_secs(600),
            "it never gets there"
        );
        world.run(Duration::from_secs(5));
    }
    let deliveries = links
        .iter()
        .map(|&link| world.links[link].delivered)
        .sum::<usize>();
    assert!(links.iter().all(|&link| world.links[link].is_up()));
    eprintln!(
        "360 children: {deliveries} records, level after {:?}",
        world.now - begun
    );
    let open = world.most_open[&county];
    assert!(open <= 8 * 3, "{open} deliveries waited at once");
}

#[test]
fn what_means_nothing_to_the_session_is_asked_and_answered_both_ways() {
    let mut world = World::new(11);
    let (county, town) = (world.node(COUNTY), world.node(TOWN));
    let link = world.connect(town, county);
    world.settle();
    for (side, body) in [(0, vec![1, 2, 3]), (1, vec![4])] {
        world.feed(link, side, Input::Ask { topic: 7, body });
    }
    world.settle();
    let mut answers = world.links[link].answers.clone();
    answers.sort();
    assert_eq!(answers, [(0, vec![3, 2, 1, 0, 7]), (1, vec![4, 0, 7])]);
    assert!(world.links[link].is_up());
}
