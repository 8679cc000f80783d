//! A small city: 120 nodes and 800 cases come to the same everywhere, whatever the weather.
//!
//! `ANJUAN_SEED` repeats a run, `ANJUAN_ROUNDS` sets how many seeds are run.

use std::path::Path;

use anjuan_tests::city::{Plan, run, small_city};

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(otherwise, |text| text.parse().expect("a number"))
}

fn temporary() -> std::path::PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    }
}

fn tell(
    counties: u32,
    towns: u32,
    villages: u32,
    cases: u32,
    days: u32,
    seed: u64,
) -> anjuan_tests::city::Outcome {
    println!("ANJUAN_SEED={seed}");
    let plan = Plan { cases, days, seed };
    let divisions = small_city(counties, towns, villages);
    let outcome = run(&divisions, plan, &temporary(), &mut |_, _| {}).expect("no ledger fails");
    println!("{:?} in {:.1} s", outcome.figures, outcome.seconds);
    assert!(outcome.holds(), "seed {seed}: {:#?}", outcome.wrong);
    outcome
}

#[test]
fn three_towns_come_to_the_same() {
    let seed = from_environment("ANJUAN_SEED", 1);
    for seed in seed..seed + from_environment("ANJUAN_ROUNDS", 2) {
        let outcome = tell(1, 3, 3, 40, 30, seed);
        assert!(
            outcome.figures["updates"].as_u64() > Some(200),
            "stories are told"
        );
    }
}
