//! A small city comes to the same everywhere, whatever the weather.
//!
//! `ANJUAN_SEED` is the first seed, `ANJUAN_ROUNDS` the number of seeds. The city of 120 nodes over 50 seeds
//! is for a release build, as `.ci/run` has it: `cargo test --release -p anjuan-tests --test city -- --ignored`.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anjuan_tests::city::{Outcome, Plan, run, small_city};

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(otherwise, |text| text.parse().expect("a number"))
}

fn temporary() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// Runs a city of so many counties, towns in each and villages in each of those; all has to hold.
fn tell((counties, towns, villages): (u32, u32, u32), plan: Plan) -> Outcome {
    let seed = plan.seed;
    eprintln!("ANJUAN_SEED={seed}");
    let divisions = small_city(counties, towns, villages);
    let outcome = run(&divisions, plan, &temporary(), &mut |_, _| {}).expect("no ledger fails");
    eprintln!("seed {seed}: {:.1} s, {:?}", outcome.seconds, outcome.figures);
    assert!(outcome.holds(), "seed {seed}: {:#?}", outcome.wrong);
    outcome
}

fn seeds(rounds: u64) -> impl Iterator<Item = u64> {
    let seed = from_environment("ANJUAN_SEED", 1);
    seed..seed + from_environment("ANJUAN_ROUNDS", rounds)
}

#[test]
fn a_county_of_three_towns_comes_to_the_same() {
    for seed in seeds(1) {
        let plan = Plan {
            cases: 24,
            days: 30,
            seed,
            hardship: 3,
        };
        let outcome = tell((1, 3, 3), plan);
        assert!(
            outcome.figures["updates"].as_u64() > Some(150),
            "stories are told"
        );
        assert!(
            outcome.figures["forks_made"].as_u64() > Some(0),
            "a key is stolen"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let plan = Plan {
        cases: 6,
        days: 20,
        seed: from_environment("ANJUAN_SEED", 1),
        hardship: 1,
    };
    let figures = || tell((1, 1, 3), plan).figures;
    assert_eq!(figures(), figures());
}

#[test]
#[ignore = "120 nodes and 800 cases; for a release build"]
fn a_city_of_120_nodes_comes_to_the_same() {
    // A run keeps one processor busy.
    let seeds = Mutex::new(seeds(50));
    let next = || seeds.lock().ok()?.next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    let plan = Plan {
                        cases: 800,
                        days: 60,
                        seed,
                        hardship: 1,
                    };
                    tell((7, 2, 7), plan);
                }
            });
        }
    });
}
