//! What a witness signs, what it refuses, and what it keeps.

use std::sync::Arc;

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

#[test]
fn what_was_cosigned_and_can_not_be_read_is_not_forgotten() {
    let (mut town, mut county) = (Node::town(), Node::county());
    town.grow(10);
    town.cosigned(&mut [(&mut county, 0)]);
    let dir = county.folder.path().join("witness");
    let mut notes = std::fs::read_dir(&dir)
        .expect("listed")
        .map(|entry| entry.expect("an entry").path());
    let note = notes
        .find(|path| path.extension().is_some_and(|e| e == "note"))
        .expect("one");
    let sound = std::fs::read(&note).expect("read");
    for damaged in [&sound[..50], b""] {
        std::fs::write(&note, damaged).expect("written");
        county.witness = reopen(&county);
        assert!(county.witness.damaged().eq([note.clone()]));
        let refused = county
            .witness
            .cosign(&town.checkpoint(), 0, &none(), at(1), &county.name, &county.key);
        assert!(matches!(refused, Err(WitnessError::Damaged { path, .. }) if path == note));
    }
    std::fs::write(&note, sound).expect("written");
    assert_eq!(reopen(&county).damaged().count(), 0);
    std::fs::write(dir.join("format"), "anjuan witness 2\n").expect("written");
    let newer = Witness::open(Arc::new(Disk), &dir);
    assert!(matches!(newer, Err(WitnessError::Format { .. })));
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
