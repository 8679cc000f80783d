//! A record, its place and its witnesses, in one piece.

use super::super::checkpoint::SignedCheckpoint;
use super::super::proof::{RecordProof, RecordProofError};
use super::super::testing::{KIND, Node, keys, record};
use crate::authority::encoding::EncodingError;

fn proof(town: &Node, county: &mut Node, index: u64) -> RecordProof {
    let checkpoint: SignedCheckpoint = town.cosigned(&mut [(county, 7)]).as_signed().clone();
    let path = town.log.prove_inclusion(index, town.log.size()).expect("proven");
    RecordProof::new(KIND, &record(index), index, path, checkpoint)
}

#[test]
fn it_says_what_where_and_who_saw_it() {
    let (mut town, mut county) = (Node::town(), Node::county());
    town.grow(300);
    let bytes = proof(&town, &mut county, 150).encode();
    let included = RecordProof::decode(&bytes).expect("well formed");
    let included = included.verify(keys(&[&town, &county])).expect("holds");
    assert_eq!(
        (included.kind(), included.record(), included.index()),
        (KIND, &*record(150), 150)
    );
    assert_eq!(included.checkpoint().checkpoint().head(), &town.log.head());
    assert_eq!(included.checkpoint().witnesses().len(), 1);

    // Without the county's key it has no witness; without the town's it is nothing.
    let unwitnessed = RecordProof::decode(&bytes)
        .expect("well formed")
        .verify(keys(&[&town]));
    assert!(unwitnessed.expect("holds").checkpoint().witnesses().is_empty());
    let unknown = RecordProof::decode(&bytes)
        .expect("well formed")
        .verify(keys(&[&county]));
    assert_eq!(unknown, Err(RecordProofError::Unknown(town.name.clone())));
}

#[test]
fn every_changed_byte_is_refused() {
    let (mut town, mut county) = (Node::town(), Node::county());
    town.grow(40);
    let bytes = proof(&town, &mut county, 17).encode();
    let known = keys(&[&town, &county]);
    for place in 0..bytes.len() {
        for bit in [1, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[place] ^= bit;
            let read = RecordProof::decode(&changed).and_then(|proof| proof.verify(&known));
            // All that can pass is a note whose cosignature has become an unknown key's.
            if let Ok(included) = read {
                assert!(included.checkpoint().witnesses().is_empty(), "byte {place}");
            }
        }
        assert!(RecordProof::decode(&bytes[..place]).is_err());
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(
        RecordProof::decode(&longer),
        Err(RecordProofError::Encoding(EncodingError::NotCanonical))
    );
    let mut newer = bytes;
    newer[1] = 2;
    assert_eq!(RecordProof::decode(&newer), Err(RecordProofError::Version(2)));
}
