//! The ledger: what it takes in, in whatever order, comes to the same, and is never lost or forked.
//!
//! `ANJUAN_SEED` repeats a run, `ANJUAN_ROUNDS` sets its length.

mod conformance;
mod convergence;
mod hostile;
mod pipe;
mod rebuilt;

use rand::SeedableRng;
use rand::rngs::StdRng;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(otherwise, |text| text.parse().expect("a number"))
}

/// The seed of this run, printed.
fn seeded() -> StdRng {
    let seed = from_environment("ANJUAN_SEED", rand::random());
    eprintln!("ANJUAN_SEED={seed}");
    StdRng::seed_from_u64(seed)
}
