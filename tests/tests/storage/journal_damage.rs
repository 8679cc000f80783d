//! Bits flip and files are cut: never a silent loss.

use std::path::PathBuf;
use std::sync::Arc;

use anjuan_node::journal::{Frame, Inspection, Journal, OpenError, Watermark};
use anjuan_tests::faulty_files::{FaultyFiles, Luck};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{DIR, RECORD, SMALL, append, open, payload, rounds, seed};

/// A journal of several segments, closed.
fn written(rng: &mut StdRng) -> (FaultyFiles, Vec<Vec<u8>>) {
    let files = FaultyFiles::new();
    let (journal, _) = open(&files).expect("begun");
    let mut known = Vec::new();
    for _ in 0..rng.random_range(10..40) {
        let batch: Vec<Vec<u8>> = (0..rng.random_range(1..4))
            .map(|n| payload(known.len() as u64 + n, rng))
            .collect();
        append(&journal, &batch).expect("written");
        known.extend(batch);
    }
    drop(journal);
    (files, known)
}

fn files_of(files: &FaultyFiles) -> Vec<PathBuf> {
    files.paths()
}

/// Every record is there, or the damage is named; then mending keeps all that is whole, and a peer fills
/// the rest.
fn check(files: &FaultyFiles, known: &[Vec<u8>], context: &str) {
    match open(files) {
        Ok((journal, recovery)) => {
            let found: Vec<Vec<u8>> = journal
                .records(0)
                .map(|record| record.expect("whole").bytes)
                .collect();
            assert!(
                found == known,
                "{context}: {} of {} records, {recovery:?}",
                found.len(),
                known.len()
            );
        }
        Err(OpenError::Damaged { damages, .. }) => {
            let text = damages.to_string();
            assert!(
                text.contains("segment 0") && text.contains("offset"),
                "{context}: {text}"
            );
            let inspection = Inspection::of(files, DIR.as_ref()).expect("readable");
            assert_eq!(inspection.end(), known.len() as u64, "{context}");
            let (journal, recovery) = Journal::mend(Arc::new(files.clone()), DIR.as_ref(), SMALL)
                .unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(recovery.records, known.len() as u64, "{context}");
            for (position, bytes) in known.iter().enumerate() {
                let position = position as u64;
                if recovery.lost.contains(&position) {
                    assert!(
                        inspection.read(position).is_err(),
                        "{context}: {position} was readable"
                    );
                    journal
                        .put_back(position, Frame { kind: RECORD, bytes })
                        .expect("put back");
                }
                assert!(
                    journal.read(position).expect("whole").bytes == *bytes,
                    "{context}: {position}"
                );
            }
            append(&journal, &[b"and on".to_vec()]).expect("it goes on");
            drop(journal);
            let (journal, recovery) = open(files).expect("mended");
            assert_eq!(
                (journal.end(), recovery.lost),
                (known.len() as u64 + 1, Vec::new()),
                "{context}"
            );
        }
        Err(error) => panic!("{context}: {error}"),
    }
}

#[test]
fn flipped_bits_are_found() {
    for round in 0..rounds(400) {
        let mut rng = StdRng::seed_from_u64(seed() + round);
        let (files, known) = written(&mut rng);
        let paths = files_of(&files);
        let path = &paths[rng.random_range(0..paths.len())];
        let mut bytes = files.bytes(path).expect("bytes");
        let (at, bit) = (rng.random_range(0..bytes.len()), rng.random_range(0..8));
        bytes[at] ^= 1 << bit;
        files.set_bytes(path, Some(bytes));
        check(
            &files,
            &known,
            &format!("round {round}: {} byte {at} bit {bit}", path.display()),
        );
    }
}

#[test]
fn files_cut_short_or_gone_are_found() {
    for round in 0..rounds(400) {
        let mut rng = StdRng::seed_from_u64(seed() + round);
        let (files, known) = written(&mut rng);
        let paths: Vec<PathBuf> = files_of(&files)
            .into_iter()
            .filter(|path| path.extension().is_some())
            .collect();
        let path = &paths[rng.random_range(0..paths.len())];
        let bytes = files.bytes(path).expect("bytes");
        let keep = rng.random_range(0..=bytes.len());
        files.set_bytes(path, (keep < bytes.len()).then(|| bytes[..keep].to_vec()));
        check(
            &files,
            &known,
            &format!(
                "round {round}: {} cut to {keep} of {}",
                path.display(),
                bytes.len()
            ),
        );
    }
}

/// Without the marker a journal still opens, and says that it could not tell everything.
#[test]
fn a_lost_marker_is_told() {
    let mut rng = StdRng::seed_from_u64(seed());
    let (files, known) = written(&mut rng);
    files.set_bytes(&PathBuf::from(DIR).join("synced"), None);
    let (journal, recovery) = open(&files).expect("opened");
    assert_eq!(
        (recovery.watermark, journal.end()),
        (Watermark::Lost, known.len() as u64)
    );
    drop(journal);
    assert_eq!(open(&files).expect("opened").1.watermark, Watermark::Sound);
}

/// The marker is behind after a power loss; a flipped bit in the last batch is damage all the same.
#[test]
fn a_flipped_bit_in_the_last_batch_is_not_a_torn_end() {
    for round in 0..rounds(200) {
        let mut rng = StdRng::seed_from_u64(seed() + round);
        let files = FaultyFiles::new();
        let (journal, _) = open(&files).expect("begun");
        let known: Vec<Vec<u8>> = (0..4).map(|tag| payload(tag, &mut rng)).collect();
        append(&journal, &known[..2]).expect("written");
        let before = files
            .paths()
            .into_iter()
            .find(|path| path.extension().is_some())
            .expect("a segment");
        let sound = files.bytes(&before).expect("bytes").len();
        append(&journal, &known[2..]).expect("written");
        files.cut_power();
        drop(journal);
        // Only what was synced: the marker says nothing of these records.
        let files = files.after_power_loss(Luck::None);
        let mut bytes = files.bytes(&before).expect("bytes");
        if bytes.len() == sound {
            continue; // The second batch went to another segment.
        }
        let (at, bit) = (rng.random_range(sound..bytes.len()), rng.random_range(0..8));
        bytes[at] ^= 1 << bit;
        files.set_bytes(&before, Some(bytes));
        let error = open(&files).err();
        assert!(
            matches!(error, Some(OpenError::Damaged { .. })),
            "round {round}, byte {at} bit {bit}: {error:?}"
        );
    }
}
