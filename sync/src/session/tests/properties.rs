//! What holds for any history: after both took each other in, nothing is left to tell.

use std::time::Duration;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::sim::{NETWORK, World, path};
use crate::path::Space;
use crate::replica::conformance::{Author, Subject};
use crate::replica::memory::Judge;
use crate::replica::{Record, Replica};
use crate::session::Event;

const UNITS: [&str; 5] = [
    "4509",
    "4509/02",
    "4509/02/001",
    "4509/02/001/001",
    "4509/02/001/002",
];

/// A chain of updates with forks at random places, of a few authors.
fn history(rng: &mut StdRng, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    for seed in 1..=3 {
        let space = Space::up(path(UNITS[3 + usize::from(seed) % 2]));
        let mut maker = Judge::lenient();
        maker.certified = std::sync::Arc::new(|_, _| true);
        let certificate = crate::id::CertificateId::from_bytes([seed; 32]);
        let mut author = Author::new(seed, NETWORK, space, certificate);
        let mut chain = vec![None];
        for number in 0..count {
            if rng.random_ratio(1, 6) {
                let from = chain[rng.random_range(0..chain.len())];
                author.resume(from);
            }
            let update = author.write(&format!("{number} {}", rng.random::<u32>()));
            chain.push(author.last());
            records.push(Record::Update(update));
        }
    }
    records
}

fn assert_level(world: &World, a: usize, b: usize) {
    let shared = |node: usize| world.nodes[node].replica.scope().clone();
    let scope = shared(a).shared(&shared(b)).expect("in line");
    let status = |node: usize| world.nodes[node].replica.status(&scope).expect("readable");
    assert_eq!(status(a).roots, status(b).roots);
}

/// Levels two nodes and then connects them once more without cursors: nothing may be delivered.
fn level_and_compare_afresh(world: &mut World, a: usize, b: usize) {
    let link = world.connect(a, b);
    world.run(Duration::from_secs(900));
    assert!(world.links[link].is_up(), "{:?}", world.links[link].closed);
    assert_level(world, a, b);
    assert!(!world.links[link].had(|event| matches!(event, Event::NotLevel { .. })));
    world.cut(link);
    world.forget_cursors();
    let link = world.connect(b, a);
    world.settle();
    assert_eq!(world.links[link].delivered, 0, "a fresh diff is empty");
    assert!(world.links[link].sent <= 5);
    world.cut(link);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Two replicas saw different parts of one history, in different orders, forks included.
    #[test]
    fn after_both_took_each_other_in_a_fresh_diff_is_empty(seed in any::<u64>(), count in 1usize..14) {
        eprintln!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::new(seed);
        let town = world.node_with(UNITS[2], Judge::lenient());
        let county = world.node_with(UNITS[1], Judge::lenient());
        let records = history(&mut rng, count);
        for node in [town, county] {
            let mut some: Vec<_> = records.iter().filter(|_| rng.random_bool(0.7)).cloned().collect();
            if rng.random() {
                some.shuffle(&mut rng);
            }
            world.take(node, some);
            for number in 0..rng.random_range(0..5u8) {
                let blob = world.nodes[node].replica.sealed(&path(UNITS[3]), number * 2 + node as u8);
                world.take(node, vec![Record::Sealed(blob)]);
            }
        }
        level_and_compare_afresh(&mut world, town, county);
    }

    /// The same records in any order, each offered again until nothing new is taken: the same states and
    /// digests, forks included.
    #[test]
    fn any_order_of_arrival_gives_the_same_digests(seed in any::<u64>(), count in 1usize..12) {
        eprintln!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::new(seed);
        let nodes = [0; 3].map(|_| world.node_with(UNITS[1], Judge::lenient()));
        let mut records = history(&mut rng, count);
        for node in nodes {
            records.shuffle(&mut rng);
            while Subject::take(&mut world.nodes[node].replica, records.clone()).taken > 0 {}
        }
        let tables = nodes.map(|node| world.nodes[node].replica.log_table().clone());
        prop_assert_eq!(&tables[0], &tables[1]);
        prop_assert_eq!(&tables[0], &tables[2]);
        assert_level(&world, nodes[0], nodes[1]);
        assert_level(&world, nodes[0], nodes[2]);
    }

    /// Five nodes in a tree work, connect, break and come back at random; in the end all are level.
    #[test]
    fn weak_links_level_in_the_end(seed in any::<u64>()) {
        eprintln!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::new(seed);
        let nodes = UNITS.map(|unit| world.node(unit));
        let pairs = [(1, 0), (2, 1), (3, 2), (4, 2), (3, 1), (4, 0)];
        for step in 0..40u32 {
            match rng.random_range(0..10) {
                0..=4 => {
                    let node = rng.random_range(0..nodes.len());
                    let operator = 10 * node as u8 + rng.random_range(1..3);
                    let unit = path(UNITS[node]);
                    let space = if rng.random_bool(0.2) { Space::down(unit) } else { Space::up(unit) };
                    world.write(nodes[node], operator, &space, &format!("step {step}"));
                }
                5 => {
                    let node = rng.random_range(0..nodes.len());
                    let blob = world.nodes[node].replica.sealed(&path(UNITS[node]), step as u8);
                    world.take(node, vec![Record::Sealed(blob)]);
                }
                6..=8 => {
                    let (a, b) = pairs[rng.random_range(0..pairs.len())];
                    world.connect_until(nodes[a], nodes[b], rng.random_range(1..40));
                }
                _ => world.run(Duration::from_millis(rng.random_range(1..200))),
            }
        }
        world.run(Duration::from_secs(1));
        for link in 0..world.links.len() {
            world.cut(link);
        }
        for (a, b) in pairs {
            world.connect(nodes[a], nodes[b]);
        }
        world.run(Duration::from_secs(300));
        for (a, b) in pairs {
            assert_level(&world, nodes[a], nodes[b]);
        }
        for link in &world.links {
            prop_assert!(link.closed.is_empty(), "{:?}", link.closed);
        }
        for link in 0..world.links.len() {
            world.cut(link);
        }
        level_and_compare_afresh(&mut world, nodes[1], nodes[0]);
    }
}
