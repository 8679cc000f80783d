//! The power goes at any operation.

use std::sync::Arc;

use anjuan_node::journal::{Journal, Watermark};
use anjuan_tests::faulty_files::{FaultyFiles, Luck};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{append, open, payload, rounds, seed};

/// What the caller knows: records acknowledged, in order, and those whose fate was not told.
#[derive(Default)]
struct Known {
    acknowledged: Vec<Vec<u8>>,
    untold: Vec<Vec<u8>>,
}

/// Every acknowledged record is there; of the untold ones a prefix, in whole batches.
fn check(journal: &Journal, known: &mut Known, context: &str) {
    let found: Vec<Vec<u8>> = journal
        .records(0)
        .map(|record| record.unwrap_or_else(|e| panic!("{context}: {e}")).bytes)
        .collect();
    assert_eq!(found.len() as u64, journal.end(), "{context}");
    let (acknowledged, more) = found
        .split_at_checked(known.acknowledged.len())
        .unwrap_or_else(|| {
            panic!(
                "{context}: {} of {} acknowledged records",
                found.len(),
                known.acknowledged.len()
            )
        });
    assert!(
        acknowledged == known.acknowledged,
        "{context}: acknowledged records differ"
    );
    assert!(
        known.untold.starts_with(more),
        "{context}: records that nobody wrote"
    );
    assert!(
        more.is_empty() || more.len() == known.untold.len(),
        "{context}: half a batch"
    );
    known.acknowledged = found;
    known.untold.clear();
}

/// Writes batches until the power goes; then notes the last batch as untold.
fn write_until_dark(journal: &Journal, known: &mut Known, tag: &mut u64, rng: &mut StdRng) {
    for _ in 0..rng.random_range(1..40) {
        let batch: Vec<Vec<u8>> = (0..rng.random_range(1..5))
            .map(|_| {
                *tag += 1;
                payload(*tag, rng)
            })
            .collect();
        match append(journal, &batch) {
            Ok(start) => {
                assert_eq!(start, known.acknowledged.len() as u64);
                known.acknowledged.extend(batch);
            }
            Err(_) => {
                known.untold = batch;
                return;
            }
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_goes() {
    for round in 0..rounds(300) {
        let mut rng = StdRng::seed_from_u64(seed() + round);
        let mut files = FaultyFiles::new();
        let mut known = Known::default();
        let mut tag = 0;
        for life in 0..6 {
            let context = format!("round {round} life {life}");
            files.fail_power_at(rng.random_range(0..120));
            // The power can go while the journal is being opened, too.
            if let Ok((journal, _)) = open(&files) {
                if journal.stopped().is_none() {
                    check(&journal, &mut known, &context);
                    write_until_dark(&journal, &mut known, &mut tag, &mut rng);
                }
                files.cut_power();
            }
            let luck = if rng.random_bool(0.3) {
                Luck::None
            } else {
                Luck::Seed(rng.random())
            };
            files = files.after_power_loss(luck);
        }
        let (journal, recovery) = open(&files).unwrap_or_else(|error| panic!("round {round}: {error}"));
        check(&journal, &mut known, &format!("round {round} end"));
        assert!(recovery.lost.is_empty(), "round {round}");
    }
}

/// One history, the power taken at each of its operations in turn, with every kind of luck.
#[test]
fn the_power_may_go_at_each_operation() {
    let run = |files: &FaultyFiles, known: &mut Known| {
        let mut rng = StdRng::seed_from_u64(seed());
        let Ok((journal, _)) = open(files) else { return };
        for tag in 0..12 {
            let batch: Vec<Vec<u8>> = (0..3).map(|n| payload(tag * 3 + n, &mut rng)).collect();
            match append(&journal, &batch) {
                Ok(_) => known.acknowledged.extend(batch),
                Err(_) => {
                    known.untold = batch;
                    return;
                }
            }
        }
    };
    let whole = FaultyFiles::new();
    run(&whole, &mut Known::default());
    let changes = whole.changes();
    assert!(changes > 40, "{changes}");
    for at in 0..changes {
        let files = FaultyFiles::new();
        files.fail_power_at(at);
        let mut known = Known::default();
        run(&files, &mut known);
        for luck in (0..6).map(Luck::Seed).chain([Luck::None]) {
            let files = files.after_power_loss(luck);
            let mut known = Known {
                acknowledged: known.acknowledged.clone(),
                untold: known.untold.clone(),
            };
            let context = format!("power off at change {at}, {luck:?}");
            let (journal, _) = open(&files).unwrap_or_else(|error| panic!("{context}: {error}"));
            check(&journal, &mut known, &context);
            append(&journal, &[b"and on".to_vec()]).expect("it goes on");
        }
    }
}

/// The power goes while a damaged segment is being rewritten, and while a record is put back.
#[test]
fn mending_survives_a_power_loss() {
    let files = FaultyFiles::new();
    let mut rng = StdRng::seed_from_u64(seed());
    let payloads: Vec<Vec<u8>> = (0..40).map(|tag| payload(tag, &mut rng)).collect();
    let (journal, _) = open(&files).expect("begun");
    for payload in &payloads {
        append(&journal, std::slice::from_ref(payload)).expect("written");
    }
    drop(journal);
    let segment = files
        .paths()
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "seg"))
        .expect("one");
    let mut bytes = files.bytes(&segment).expect("bytes");
    bytes[200] ^= 4;
    files.set_bytes(&segment, Some(bytes));
    let mend =
        |files: &FaultyFiles| Journal::mend(Arc::new(files.clone()), super::DIR.as_ref(), super::SMALL);
    let put_back = |journal: &Journal| {
        for position in journal.lost() {
            let frame = super::Frame {
                kind: super::RECORD,
                bytes: &payloads[position as usize],
            };
            if journal.put_back(position, frame).is_err() {
                return;
            }
        }
    };
    let whole = files.copy();
    let before = whole.changes();
    put_back(&mend(&whole).expect("mended").0);
    for at in 0..whole.changes() - before {
        let trial = files.copy();
        trial.fail_power_at(at);
        if let Ok((journal, _)) = mend(&trial) {
            put_back(&journal);
        }
        let after = trial.after_power_loss(Luck::Seed(at));
        let (journal, recovery) = mend(&after).unwrap_or_else(|error| panic!("change {at}: {error}"));
        assert_ne!(recovery.watermark, Watermark::New);
        put_back(&journal);
        let found: Vec<Vec<u8>> = journal
            .records(0)
            .map(|record| record.expect("whole").bytes)
            .collect();
        assert!(found == payloads, "change {at}");
    }
}
