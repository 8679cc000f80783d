//! A full disk, and a disk that fails.

use std::path::Path;
use std::sync::Arc;

use anjuan_node::journal::{AppendError, Journal, Options, Stopped};
use anjuan_tests::faulty_files::{FaultyFiles, Luck};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{DIR, append, open, payload, rounds, seed};

fn fill(journal: &Journal, known: &mut Vec<Vec<u8>>, rng: &mut StdRng) -> Option<AppendError> {
    for _ in 0..200 {
        let bytes = payload(known.len() as u64, rng);
        match append(journal, std::slice::from_ref(&bytes)) {
            Ok(_) => known.push(bytes),
            Err(error) => return Some(error),
        }
    }
    None
}

fn check(journal: &Journal, known: &[Vec<u8>], context: &str) {
    let found: Vec<Vec<u8>> = journal
        .records(0)
        .map(|record| record.expect("readable").bytes)
        .collect();
    assert!(found == known, "{context}: {} of {}", found.len(), known.len());
}

/// The disk is full at any byte: a clear error, reads go on, writing resumes with room.
#[test]
fn a_full_disk_stops_and_resumes() {
    for round in 0..rounds(60) {
        let mut rng = StdRng::seed_from_u64(seed() + round);
        let files = FaultyFiles::new();
        let (journal, _) = open(&files).expect("begun");
        let mut known = Vec::new();
        for _ in 0..3 {
            files.set_capacity(Some(files.used() + rng.random_range(0..9000)));
            let error = fill(&journal, &mut known, &mut rng).expect("full").to_string();
            assert!(error.contains("stopped"), "{error}");
            check(&journal, &known, "full");
            let refused = append(&journal, &[vec![1]]).expect_err("still stopped");
            assert!(matches!(refused, AppendError::Stopped(_)));
            files.set_capacity(Some(files.used() + 30_000));
            journal
                .try_resume()
                .unwrap_or_else(|error| panic!("round {round}: {error}"));
            let bytes = payload(known.len() as u64, &mut rng);
            append(&journal, std::slice::from_ref(&bytes)).expect("resumed");
            known.push(bytes);
            check(&journal, &known, "resumed");
        }
        drop(journal);
        let (journal, _) = open(&files.after_power_loss(Luck::None)).expect("whole");
        check(&journal, &known, "reopened");
    }
}

#[test]
fn room_is_checked_before_it_runs_out() {
    let files = FaultyFiles::new();
    files.set_capacity(Some(20_000));
    let options = Options {
        segment_bytes: 6000,
        reserve_bytes: 10_000,
    };
    let (journal, recovery) = Journal::open(Arc::new(files.clone()), Path::new(DIR), options).expect("begun");
    assert!(recovery.stopped.is_none());
    let mut known = Vec::new();
    let error = fill(&journal, &mut known, &mut StdRng::seed_from_u64(1)).expect("stops");
    assert!(
        matches!(error, AppendError::Stopped(Stopped::NoRoom { .. })),
        "{error}"
    );
    assert!(files.used() <= 10_000, "the reserve is kept: {}", files.used());
    assert!(matches!(journal.try_resume(), Err(Stopped::NoRoom { .. })));
    drop(journal);
    // A start without room: all can be read, nothing is taken in.
    files.set_capacity(Some(files.used()));
    let (journal, recovery) =
        Journal::open(Arc::new(files.clone()), Path::new(DIR), options).expect("opened");
    assert!(matches!(recovery.stopped, Some(Stopped::NoRoom { .. })));
    check(&journal, &known, "opened without room");
    append(&journal, &[vec![1]]).expect_err("no room");
    files.set_capacity(None);
    journal.try_resume().expect("room");
    append(&journal, &[vec![1]]).expect("resumed");
}

/// Writes and syncs fail now and then, and at last the power goes: what was acknowledged is there.
#[test]
fn a_failing_disk_is_never_trusted() {
    for round in 0..rounds(150) {
        let mut rng = StdRng::seed_from_u64(seed() + round);
        let files = FaultyFiles::new();
        let (journal, _) = open(&files).expect("begun");
        let mut known: Vec<Vec<u8>> = Vec::new();
        for step in 0..40 {
            match rng.random_range(0..10) {
                0 => files.fail_syncs(rng.random_range(1..4)),
                1 => files.fail_writes(rng.random_range(1..4)),
                _ => {}
            }
            let bytes = payload(step, &mut rng);
            if append(&journal, std::slice::from_ref(&bytes)).is_ok() {
                known.push(bytes);
            } else {
                check(&journal, &known, "after an error");
                while journal.try_resume().is_err() {}
                check(&journal, &known, "resumed");
            }
        }
        files.cut_power();
        drop(journal);
        let luck = if rng.random_bool(0.5) {
            Luck::None
        } else {
            Luck::Seed(round)
        };
        let (journal, recovery) = open(&files.after_power_loss(luck)).expect("whole");
        check(&journal, &known, &format!("round {round}: {recovery:?}"));
    }
}
