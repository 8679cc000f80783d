//! The Merkle log is never believed when the power tore it, and a witness never forgets what it cosigned.

use std::path::Path;
use std::sync::Arc;

use anjuan_node::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use anjuan_node::evidence::merkle::{MerkleError, MerkleLog, Start, TreeHead, record_leaf};
use anjuan_node::evidence::name::{NodeName, Origin};
use anjuan_node::evidence::witness::{Outcome, Witness, WitnessError};
use anjuan_node::journal::JournalId;
use anjuan_sync::hash::sha256;
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
                            files = files.after_power_loss(Luck::Seed(rng.random()));
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

/// A town's log, and a county that cosigns it.
struct Witnessed {
    heads: Vec<TreeHead>,
    log: MerkleLog,
    origin: Origin,
    town: SigningKey,
    county: (NodeName, SigningKey),
}

impl Witnessed {
    fn new() -> Self {
        let (mut log, _) = open_log(&FaultyFiles::new(), 0).expect("opens");
        log.append(&(0..LEAVES).map(leaf).collect::<Vec<_>>())
            .expect("appended");
        let named = |seed: u8, unit: &str| {
            let (key, network) = (
                SigningKey::from_bytes(&[seed; 32]),
                NetworkId::from_bytes([0x11; 32]),
            );
            let name = NodeName::new(network, unit.parse().expect("a unit"), &key.verifying_key());
            (name, key)
        };
        let (town, town_key) = named(1, "450902001");
        Self {
            heads: heads(),
            log,
            origin: town.log(LogEpoch::from_bytes([0x22; 16])),
            town: town_key,
            county: named(2, "450902"),
        }
    }

    /// What the county comes to when the town has grown.
    fn cosign(&mut self, witness: &mut Witness, from: u64, to: u64) -> Result<Outcome, WitnessError> {
        let checkpoint = Checkpoint::new(self.origin.clone(), self.heads[to as usize]);
        let checkpoint = checkpoint.sign(&self.town).expect("its key");
        let proof = self.log.prove_consistency(from, to).expect("proven");
        let now = Timestamp::from_millis(1_767_225_600_000);
        witness.cosign(&checkpoint, from, &proof, now, &self.county.0, &self.county.1)
    }

    /// The size cosigned last, as the files have it.
    fn last(&self, files: &FaultyFiles) -> u64 {
        let witness = Witness::open(Arc::new(files.clone()), Path::new(WITNESS)).expect("opens");
        assert_eq!(witness.damaged().count(), 0);
        let last = witness.last(&self.origin).expect("readable");
        last.map_or(0, |kept| kept.head().size)
    }
}

const WITNESS: &str = "/home/witness";

#[test]
fn a_witness_that_could_not_write_goes_on_once_it_can() {
    let mut town = Witnessed::new();
    let files = FaultyFiles::new();
    let mut witness = Witness::open(Arc::new(files.clone()), Path::new(WITNESS)).expect("opens");
    for (from, to) in [(0, 10), (10, 30), (30, 31)] {
        files.fail_syncs(1);
        town.cosign(&mut witness, from, to).expect_err("not synced");
        // Neither added, nor written anew.
        files.fail_writes(1);
        town.cosign(&mut witness, from, to).expect_err("not written");
        let cosigned = town.cosign(&mut witness, from, to).expect("goes on");
        assert!(matches!(cosigned, Outcome::Cosigned(_)));
        assert_eq!(town.last(&files.copy()), to);
        assert_eq!(town.last(&files.after_power_loss(Luck::Seed(to))), to);
    }
}

#[test]
fn a_folder_with_a_file_for_each_log_is_taken_over_whenever_the_power_goes() {
    let mut town = Witnessed::new();
    let files = FaultyFiles::new();
    let mut witness = Witness::open(Arc::new(files.clone()), Path::new(WITNESS)).expect("opens");
    town.cosign(&mut witness, 0, 10).expect("cosigned");
    let note = witness.last(&town.origin).expect("readable").expect("kept");
    let name = sha256(town.origin.to_string().as_bytes());
    let dir = Path::new(WITNESS);
    let first = FaultyFiles::new();
    first.set_bytes(&dir.join("format"), Some(b"anjuan witness 1\n".to_vec()));
    first.set_bytes(
        &dir.join(format!("{name}.note")),
        Some(note.checkpoint().note().encode()),
    );
    let mut taken_over = 0;
    for round in 0..rounds(60) {
        let mut rng = StdRng::seed_from_u64(seed() + round);
        let mut files = first.copy();
        for _ in 0..3 {
            files.fail_power_at(rng.random_range(0..16));
            taken_over += u32::from(Witness::open(Arc::new(files.clone()), dir).is_ok());
            files.cut_power();
            files = files.after_power_loss(Luck::Seed(rng.random()));
        }
        assert_eq!(town.last(&files), 10, "round {round}, seed {}", seed());
        assert_eq!(files.bytes(&dir.join(format!("{name}.note"))), None);
    }
    assert!(taken_over > 0, "the power always went before");
}

#[test]
fn a_cosignature_that_left_is_remembered_when_the_power_goes() {
    let mut town = Witnessed::new();
    let origin = town.origin.clone();
    let dir = Path::new(WITNESS);
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
                    match town.cosign(&mut witness, left, to) {
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
            note.verify(&town.town.verifying_key()).expect("signed");
        }
    }
}
