//! Storage: what was acknowledged stays, whatever happens to power, disk and files.
//!
//! `ANJUAN_SEED` replays a run, `ANJUAN_ROUNDS` makes it longer or shorter.

mod evidence;
mod journal_damage;
mod power;
mod room;
mod sigkill;
mod sled_damage;

use std::path::Path;
use std::sync::Arc;

use anjuan_node::journal::{Frame, Journal, Kind, OpenError, Options, Recovery};
use anjuan_tests::faulty_files::FaultyFiles;
use rand::RngExt;
use rand::rngs::StdRng;

const RECORD: Kind = Kind::new(1);
const DIR: &str = "/home/journal";
const SMALL: Options = Options {
    segment_bytes: 6000,
    reserve_bytes: 0,
};

fn seed() -> u64 {
    std::env::var("ANJUAN_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_260_101)
}

fn rounds(usual: u64) -> u64 {
    std::env::var("ANJUAN_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(usual)
}

fn open(files: &FaultyFiles) -> Result<(Journal, Recovery), OpenError> {
    Journal::open(Arc::new(files.clone()), Path::new(DIR), SMALL)
}

/// Bytes that tell which record they are.
fn payload(tag: u64, rng: &mut StdRng) -> Vec<u8> {
    let length = match rng.random_range(0..10) {
        0 => 0,
        1 => rng.random_range(1500..4000),
        _ => rng.random_range(1..600),
    };
    let mut bytes = tag.to_le_bytes().to_vec();
    bytes.extend((0..length).map(|_| rng.random::<u8>()));
    bytes
}

/// Appends all as one batch of frames.
fn append(journal: &Journal, payloads: &[Vec<u8>]) -> Result<u64, anjuan_node::journal::AppendError> {
    let frames: Vec<Frame<'_>> = payloads
        .iter()
        .map(|bytes| Frame { kind: RECORD, bytes })
        .collect();
    Ok(journal.append(&frames)?.wait()?.start)
}
