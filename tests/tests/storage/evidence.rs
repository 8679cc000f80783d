//! The Merkle log is never believed when the power tore it, and a witness never forgets what it cosigned.

use std::path::Path;
use std::sync::Arc;

use anjuan_node::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use anjuan_node::evidence::merkle::{MerkleError, MerkleLog, Start, TreeHead, record_leaf};
use anjuan_node::evidence::name::NodeName;
use anjuan_node::evidence::witness::{Outcome, Witness};
use anjuan_node::journal::JournalId;
use anjuan_sync::{Digest, LogEpoch, NetworkId, Timestamp};
use anjuan_tests::faulty_files::{FaultyFiles, Luck};
use ed25519_dalek::SigningKey;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{rounds, seed};

const LEAVES: u64 = 900;

fn leaf(index: u64) -> Digest {
    record_leaf(1, &index.to_be_bytes())
}

fn open_log(files: &FaultyFiles, end: u64) -> Result<(MerkleLog, Start), MerkleError> {
    let dir = Path::new("/home/merkle");
    MerkleLog::open(Arc::new(files.clone()), dir, JournalId::from_bytes([7; 16]), end)
}

/// The heads of the log at every size.
fn heads() -> Vec<TreeHead> {
    let (mut log, _) = open_log(&FaultyFiles::new(), 0).expect("opens");
    let mut heads = vec![TreeHead::empty()];
    for index in 0..LEAVES {
        heads.push(log.append(&[leaf(index)]).expect("appended"));
    }
    heads
}

#[test]
fn a_merkle_log_torn_by_a_power_loss_is_built_anew() {
    let heads = heads();
    let (mut continued, mut anew, mut damaged) = (0, 0, 0);
    for round in 0..rounds(150) {
        let mut rng = StdRng::seed_from_u64(seed() + round);
        let mut files = FaultyFiles::new();
        for life in 0..4 {
            let context = format!("round {round} life {life}, seed {}", seed());
            files.fail_power_at(rng.random_range(0..90));
            // The journal has what was appended, and is never behind.
            if let Ok((mut log, start)) = open_log(&files, LEAVES) {
                match start {
                    Start::Continued => continued += 1,
                    Start::Anew => anew += 1,
                    Start::New => {}
                }
                assert_eq!(log.head(), heads[log.size() as usize], "{context}");
                match log.check() {
                    Ok(()) => {}
                    Err(MerkleError::Damaged { .. }) => {
                        damaged += 1;
                        if log.clear().is_err() {
                            continue;
                        }
                    }
                    Err(MerkleError::Io { .. }) => {}
                    Err(error) => panic!("{context}: {error}"),
                }
                while log.size() < LEAVES {
                    let more = rng.random_range(1..200).min(LEAVES - log.size());
                    let leaves: Vec<_> = (log.size()..log.size() + more).map(leaf).collect();
                    match log.append(&leaves) {
                        Ok(head) => assert_eq!(head, heads[head.size as usize], "{context}"),
                        Err(_) => break,
                    }
                }
            }
            if rng.random_bool(0.5) {
                files.cut_power();
                files = files.after_power_loss(Luck::Seed(rng.random()));
                continue;
            }
            // The process was killed; of what it wrote at most one tile never came to the disk.
            let killed = files;
            files = FaultyFiles::new();
            for path in killed.paths() {
                files.set_bytes(&path, killed.bytes(&path));
            }
            let full = files
                .paths()
                .into_iter()
                .filter(|path| files.bytes(path).is_some_and(|b| b.len() == 8192));
            let full: Vec<_> = full.collect();
            if !full.is_empty() && rng.random_bool(0.5) {
                let torn = &full[rng.random_range(0..full.len())];
                files.set_bytes(torn, Some(vec![0; rng.random_range(0..=8192)]));
            }
        }
        let (mut log, _) = open_log(&files, LEAVES).expect("opens");
        if log.check().is_err() {
            log.clear().expect("cleared");
        }
        let rest: Vec<_> = (log.size()..LEAVES).map(leaf).collect();
        log.append(&rest).expect("appended");
        log.check().expect("sound");
        assert_eq!(log.head(), heads[LEAVES as usize]);
        let proof = log.prove_inclusion(100, LEAVES).expect("proven");
        proof
            .verify(&log.head(), 100, 1, &100u64.to_be_bytes())
            .expect("holds");
    }
    assert!(
        anew > 0 && continued > 0 && damaged > 0,
        "{continued} {anew} {damaged}: not all was seen"
    );
}

#[test]
fn a_cosignature_that_left_is_remembered_when_the_power_goes() {
    let heads = heads();
    let (files_log, network) = (FaultyFiles::new(), NetworkId::from_bytes([0x11; 32]));
    let (mut log, _) = open_log(&files_log, 0).expect("opens");
    log.append(&(0..LEAVES).map(leaf).collect::<Vec<_>>())
        .expect("appended");
    let named = |seed: u8, unit: &str| {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let name = NodeName::new(network, unit.parse().expect("a unit"), &key.verifying_key());
        (name, key)
    };
    let (town, town_key) = named(1, "450902001");
    let (county, county_key) = named(2, "450902");
    let origin = town.log(LogEpoch::from_bytes([0x22; 16]));
    let dir = Path::new("/home/witness");
    for round in 0..rounds(200) {
        let mut rng = StdRng::seed_from_u64(seed() + round);
        let mut files = FaultyFiles::new();
        // The size that left, and the one that may be on disk without having left.
        let (mut left, mut untold) = (0, 0);
        for life in 0..5 {
            let context = format!("round {round} life {life}, seed {}", seed());
            files.fail_power_at(rng.random_range(0..40));
            if let Ok(mut witness) = Witness::open(Arc::new(files.clone()), dir) {
                assert_eq!(witness.damaged().count(), 0, "{context}");
                let last = witness.last(&origin).expect("readable");
                let size = last.map_or(0, |kept| kept.head().size);
                assert!(
                    size == left || size == untold,
                    "{context}: {size}, not {left} or {untold}"
                );
                (left, untold) = (size, size);
                for _ in 0..10 {
                    let to = (left + rng.random_range(1..20)).min(LEAVES);
                    let head = heads[to as usize];
                    let checkpoint = Checkpoint::new(origin.clone(), head)
                        .sign(&town_key)
                        .expect("its key");
                    let proof = log.prove_consistency(left, to).expect("proven");
                    let now = Timestamp::from_millis(1_767_225_600_000);
                    match witness.cosign(&checkpoint, left, &proof, now, &county, &county_key) {
                        Ok(Outcome::Cosigned(_)) => (left, untold) = (to, to),
                        Ok(other) => panic!("{context}: {other:?}"),
                        Err(_) => {
                            untold = to;
                            break;
                        }
                    }
                }
            }
            files.cut_power();
            files = files.after_power_loss(Luck::Seed(rng.random()));
        }
        let witness = Witness::open(Arc::new(files), dir).expect("opens");
        if let Some(kept) = witness.last(&origin).expect("readable") {
            let note = kept.checkpoint().note().encode();
            let note = SignedCheckpoint::parse(&note).expect("a checkpoint");
            note.verify(&town_key.verifying_key()).expect("signed");
        }
    }
}
