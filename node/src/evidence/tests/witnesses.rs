//! What a witness signs, what it refuses, and what it keeps.

use std::sync::Arc;

use anjuan_sync::hash::sha256;
use anjuan_sync::{LogEpoch, Timestamp};

use super::super::checkpoint::Checkpoint;
use super::super::merkle::ConsistencyProof;
use super::super::testing::{Node, at, keys};
use super::super::witness::{Conflict, MAX_LOGS_OF_NODE, Outcome, Witness, WitnessError};
use crate::files::Disk;

fn none() -> ConsistencyProof {
    ConsistencyProof::from_hashes(Vec::new())
}

fn reopen(node: &Node) -> Witness {
    Witness::open(Arc::new(Disk), &node.folder.path().join("witness")).expect("opens")
}

#[test]
fn a_log_that_grows_is_cosigned_each_time() {
    let (mut town, mut county) = (Node::town(), Node::county());
    for (seconds, size) in [(0, 0), (1, 1), (2, 1), (3, 5), (4, 300), (5, 301)] {
        town.grow(size);
        let cosigned = town.cosigned(&mut [(&mut county, seconds)]);
        let cosigned = cosigned.cosigned(keys(&[&town, &county])).expect("holds");
        let [witness] = cosigned.witnesses() else {
            panic!("one witness");
        };
        assert_eq!((&witness.name, witness.time.first()), (&county.name, at(seconds)));
        let kept = reopen(&county);
        let kept = kept.last(&town.origin()).expect("readable").expect("kept");
        assert_eq!(kept.head(), &town.log.head());
    }
}

#[test]
fn a_proof_from_elsewhere_is_told_where_to_begin() {
    let (mut town, mut county) = (Node::town(), Node::county());
    town.grow(10);
    town.cosigned(&mut [(&mut county, 0)]);
    let ten = town.checkpoint();
    town.grow(20);
    let checkpoint = town.checkpoint();
    let stale = Outcome::Stale { last: 10 };
    assert_eq!(county.cosign(&checkpoint, 0, &none(), 1), stale);
    assert_eq!(county.cosign(&checkpoint, 5, &town.proof_from(5), 1), stale);
    assert_eq!(county.cosign(&checkpoint, 20, &none(), 1), stale);
    assert!(matches!(
        county.cosign(&checkpoint, 10, &town.proof_from(10), 1),
        Outcome::Cosigned(_)
    ));
    // An old one, late: no contradiction, and no cosignature either.
    let proof = town.proof_from(10);
    assert_eq!(county.cosign(&ten, 10, &proof, 2), Outcome::Stale { last: 20 });
}

#[test]
fn a_log_that_contradicts_itself_is_kept_as_evidence() {
    let (mut town, mut county) = (Node::town(), Node::county());
    town.grow(10);
    town.cosigned(&mut [(&mut county, 0)]);
    // The same node with another history: it knows five of the ten records.
    let mut other = Node::town();
    other.grow(5);
    let mut seen = Vec::new();
    for (size, from, conflict) in [
        (8, 8, Conflict::WentBack),
        (10, 10, Conflict::TwoRoots),
        (12, 10, Conflict::NotContinued),
    ] {
        other.grow_otherwise(size);
        let proof = other.proof_from(from);
        let outcome = county.cosign(&other.checkpoint(), from, &proof, 1);
        let Outcome::Inconsistent(evidence) = outcome else {
            panic!("{size}: {outcome:?}");
        };
        assert_eq!(evidence.conflict, conflict);
        assert_eq!(evidence.earlier.unverified().head(), &town.log.head());
        assert_eq!(evidence.later.unverified().head(), &other.log.head());
        // Anybody who has the node's key can check both.
        for note in [&evidence.earlier, &evidence.later] {
            note.clone()
                .verify(&town.key.verifying_key())
                .expect("signed by the town");
        }
        seen.push(evidence);
    }
    // The first of each kind stays, over a restart, whatever comes later; and so does what was cosigned.
    other.grow_otherwise(13);
    let outcome = county.cosign(&other.checkpoint(), 10, &other.proof_from(10), 2);
    assert!(matches!(outcome, Outcome::Inconsistent(_)));
    let witness = reopen(&county);
    for evidence in seen {
        let kept = witness
            .evidence(&town.origin(), evidence.conflict)
            .expect("readable");
        assert_eq!(kept.as_ref(), Some(&*evidence));
    }
    assert_eq!(
        witness
            .evidence(&county.origin(), Conflict::TwoRoots)
            .expect("readable"),
        None
    );
    assert_eq!(witness.logs().count(), 1);
    // The honest history goes on.
    town.grow(11);
    assert!(matches!(town.bring_to(&mut county, 3), Outcome::Cosigned(_)));
}

#[test]
fn no_log_grows_from_an_empty_one_by_a_wrong_proof() {
    let (mut town, mut county) = (Node::town(), Node::county());
    town.grow(10);
    let proof = town.proof_from(5);
    assert_eq!(
        county.cosign(&town.checkpoint(), 0, &proof, 0),
        Outcome::Stale { last: 0 }
    );
    assert_eq!(county.witness.logs().count(), 0);
}

#[test]
fn a_new_epoch_is_a_new_log_and_there_is_an_end_to_it() {
    let (mut town, mut county) = (Node::town(), Node::county());
    town.grow(10);
    let head = town.log.head();
    for epoch in 0..=MAX_LOGS_OF_NODE {
        let epoch = LogEpoch::from_bytes([epoch as u8; 16]);
        let checkpoint = Checkpoint::new(town.name.clone().log(epoch), head);
        let checkpoint = checkpoint.sign(&town.key).expect("its own key");
        let outcome = county.cosign(&checkpoint, 0, &none(), 0);
        let full = county.witness.logs().count() == MAX_LOGS_OF_NODE && outcome == Outcome::Full;
        assert!(
            matches!(outcome, Outcome::Cosigned(_)) || full,
            "{epoch}: {outcome:?}"
        );
    }
    assert_eq!(county.witness.logs().count(), MAX_LOGS_OF_NODE);
    let mut village = Node::new(3, "450902001001");
    village.grow(1);
    assert!(matches!(village.bring_to(&mut county, 0), Outcome::Cosigned(_)));
}

/// Has the county cosign what a node grew to.
fn grown(node: &mut Node, county: &mut Node, size: u64) {
    node.grow(size);
    node.cosigned(&mut [(county, 0)]);
}

fn size_kept(witness: &Witness, of: &Node) -> u64 {
    let kept = witness.last(&of.origin()).expect("certain").expect("kept");
    kept.head().size
}

fn refused(node: &Node, county: &mut Node) -> std::path::PathBuf {
    let refused = county
        .witness
        .cosign(&node.checkpoint(), 0, &none(), at(1), &county.name, &county.key);
    match refused {
        Err(WitnessError::Damaged { path, .. }) => path,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_cosigned_and_can_not_be_read_is_not_forgotten() {
    let (mut town, mut county) = (Node::town(), Node::county());
    let (mut village, mut other) = (Node::new(3, "450902001001"), Node::new(4, "450902001002"));
    grown(&mut town, &mut county, 10);
    grown(&mut village, &mut county, 1);
    grown(&mut town, &mut county, 11);
    let path = county.folder.path().join("witness").join("cosigned");
    let sound = std::fs::read(&path).expect("read");
    let places = sound.windows(7).enumerate();
    let places = places.filter(|(_, bytes)| *bytes == b"anjuan/").map(|(at, _)| at);
    let places: Vec<_> = places.collect();
    assert!(places.len() >= 3, "{places:?}");
    let [first, .., last] = places[..] else {
        panic!("three notes")
    };
    // In the first note: the town has a later one, all others are in doubt, new ones too.
    let mut damaged = sound.clone();
    damaged[first + 1] = 7;
    std::fs::write(&path, &damaged).expect("written");
    county.witness = reopen(&county);
    assert!(county.witness.damaged().eq([path.clone()]));
    assert_eq!(refused(&other, &mut county), path);
    other.grow(1);
    assert_eq!(refused(&other, &mut county), path);
    assert_eq!(size_kept(&county.witness, &town), 11);
    grown(&mut village, &mut county, 2);
    grown(&mut town, &mut county, 12);
    assert_eq!(size_kept(&reopen(&county), &town), 12);
    // In the last one, of the head line, or of everything: nothing is certain.
    let mut at_the_end = sound.clone();
    at_the_end[last + 1] = 7;
    let mut headless = sound.clone();
    headless.drain(..3);
    for damaged in [&at_the_end[..], &[7; 300], b""] {
        std::fs::write(&path, damaged).expect("written");
        county.witness = reopen(&county);
        assert!(county.witness.damaged().eq([path.clone()]));
        assert_eq!(refused(&town, &mut county), path);
        assert_eq!(reopen(&county).damaged().count(), 1, "still");
    }
    std::fs::remove_file(&path).expect("removed");
    county.witness = reopen(&county);
    assert_eq!(refused(&town, &mut county), path);
    std::fs::write(&path, sound).expect("written");
    assert_eq!(reopen(&county).damaged().count(), 0);
    let dir = county.folder.path().join("witness");
    std::fs::write(dir.join("format"), "anjuan witness 3\n").expect("written");
    let newer = Witness::open(Arc::new(Disk), &dir);
    assert!(matches!(newer, Err(WitnessError::Format { .. })));
}

#[test]
fn a_folder_that_lost_its_format_has_forgotten_nothing() {
    let (mut town, mut county) = (Node::town(), Node::county());
    grown(&mut town, &mut county, 10);
    let format = county.folder.path().join("witness").join("format");
    for _ in 0..2 {
        std::fs::remove_file(&format).expect("removed");
        assert_eq!(size_kept(&reopen(&county), &town), 10);
        assert!(format.exists());
    }
}

#[test]
fn a_note_that_was_torn_before_it_was_acknowledged_is_left_out() {
    let (mut town, mut county) = (Node::town(), Node::county());
    grown(&mut town, &mut county, 10);
    let path = county.folder.path().join("witness").join("cosigned");
    let before = std::fs::read(&path).expect("read");
    grown(&mut town, &mut county, 20);
    let after = std::fs::read(&path).expect("read");
    let unwritten = [
        &after[..before.len() + 30],
        &vec![0; after.len() - before.len() - 30],
    ]
    .concat();
    let torn = (before.len()..after.len()).map(|end| after[..end].to_vec());
    for torn in torn.chain([unwritten]) {
        std::fs::write(&path, &torn).expect("written");
        county.witness = reopen(&county);
        let size = size_kept(&county.witness, &town);
        // All but the last line feed makes a whole one.
        assert!(
            size == 10 || (size == 20 && torn.len() + 2 >= after.len()),
            "{} bytes",
            torn.len()
        );
        assert_eq!(county.witness.damaged().count(), 0);
        let proof = town.proof_from(size);
        let outcome = county.cosign(&town.checkpoint(), size, &proof, 1);
        assert!(matches!(outcome, Outcome::Cosigned(_)), "{} bytes", torn.len());
        let kept = reopen(&county);
        assert_eq!(size_kept(&kept, &town), 20);
    }
}

#[test]
fn the_file_of_notes_does_not_grow_for_ever() {
    let (mut town, mut county) = (Node::town(), Node::county());
    let mut village = Node::new(3, "450902001001");
    grown(&mut village, &mut county, 3);
    let path = county.folder.path().join("witness").join("cosigned");
    let (mut longest, mut shortened) = (0, 0);
    for size in 1..=5_000 {
        grown(&mut town, &mut county, size);
        let length = std::fs::metadata(&path).expect("there").len();
        shortened += u32::from(length < longest);
        longest = longest.max(length);
    }
    assert!(
        shortened > 0 && longest < 1_100_000,
        "{longest} bytes, {shortened} times"
    );
    let kept = reopen(&county);
    assert_eq!((size_kept(&kept, &town), size_kept(&kept, &village)), (5_000, 3));
}

/// As the first version of the folder was: a file for each log.
fn as_version_1(county: &Node) -> Vec<std::path::PathBuf> {
    let dir = county.folder.path().join("witness");
    let mut paths = Vec::new();
    for (origin, kept) in county.witness.logs() {
        let path = dir.join(format!("{}.note", sha256(origin.to_string().as_bytes())));
        std::fs::write(&path, kept.checkpoint().note().encode()).expect("written");
        paths.push(path);
    }
    std::fs::remove_file(dir.join("cosigned")).expect("removed");
    std::fs::write(dir.join("format"), "anjuan witness 1\n").expect("written");
    paths
}

#[test]
fn a_folder_with_a_file_for_each_log_is_taken_over() {
    let (mut town, mut county) = (Node::town(), Node::county());
    let mut village = Node::new(3, "450902001001");
    grown(&mut town, &mut county, 10);
    grown(&mut village, &mut county, 3);
    let paths = as_version_1(&county);
    county.witness = reopen(&county);
    assert!(paths.iter().all(|path| !path.exists()));
    assert_eq!(county.witness.logs().count(), 2);
    grown(&mut town, &mut county, 11);
    let kept = reopen(&county);
    assert_eq!(size_kept(&kept, &town), 11);

    // One of them can't be read: it is not forgotten, and that log alone is refused.
    let paths = as_version_1(&county);
    let of_town = sha256(town.origin().to_string().as_bytes()).to_string();
    let damaged = paths
        .iter()
        .find(|path| path.display().to_string().contains(&of_town));
    let damaged = damaged.expect("the town's").clone();
    let sound = std::fs::read(&damaged).expect("read");
    std::fs::write(&damaged, &sound[..50]).expect("written");
    for _ in 0..2 {
        county.witness = reopen(&county);
        assert!(county.witness.damaged().eq([damaged.clone()]));
        assert_eq!(refused(&town, &mut county), damaged);
    }
    grown(&mut village, &mut county, 4);
    // And is taken over once it was put back.
    std::fs::write(&damaged, sound).expect("written");
    county.witness = reopen(&county);
    assert_eq!((county.witness.damaged().count(), damaged.exists()), (0, false));
    grown(&mut town, &mut county, 12);
}

#[test]
fn only_with_a_clock_and_its_own_key() {
    let (mut town, mut county) = (Node::town(), Node::county());
    town.grow(1);
    let checkpoint = town.checkpoint();
    for millis in [i64::MIN, 0, 7_258_118_400_001, i64::MAX] {
        let now = Timestamp::from_millis(millis);
        let refused = county
            .witness
            .cosign(&checkpoint, 0, &none(), now, &county.name, &county.key);
        assert!(matches!(refused, Err(WitnessError::Clock(m)) if m == millis));
    }
    let now = at(0);
    let refused = county
        .witness
        .cosign(&checkpoint, 0, &none(), now, &county.name, &town.key);
    assert!(matches!(refused, Err(WitnessError::Key(_))));
    assert_eq!(reopen(&county).logs().count(), 0);
}
