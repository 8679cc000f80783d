//! The worked example of `docs/formats.md`, byte for byte.

use super::super::note::{SignatureType, verifier_key};
use super::super::proof::RecordProof;
use super::super::testing::{KIND, Node, keys, record};

const DOCUMENT: &str = include_str!("../../../../docs/formats.md");

fn stands_in_document(what: &str, text: &str) {
    assert!(
        DOCUMENT.contains(text),
        "docs/formats.md has another {what} than this:\n{text}"
    );
}

/// Hexadecimal in lines of 32 bytes.
fn lines(bytes: &[u8]) -> String {
    bytes.chunks(32).map(|line| hex::encode(line) + "\n").collect()
}

#[test]
fn the_document_shows_what_the_program_writes() {
    let (mut town, mut county) = (Node::town(), Node::county());
    town.grow(2);
    let two = town.log.head();
    town.grow(3);
    stands_in_document(
        "public key of the town",
        &hex::encode(town.key.verifying_key().as_bytes()),
    );
    stands_in_document(
        "public key of the county",
        &hex::encode(county.key.verifying_key().as_bytes()),
    );
    for index in 0..3 {
        stands_in_document("leaf", &town.log.leaf(index).expect("there").to_string());
    }
    stands_in_document("root of two", &two.root.to_string());
    stands_in_document("root of three", &town.log.head().root.to_string());
    let origin = town.origin().to_string();
    let log_key = verifier_key(&origin, SignatureType::Ed25519, &town.key.verifying_key());
    stands_in_document("verifier key of the log", &log_key);
    let name = county.name.to_string();
    let county_key = verifier_key(&name, SignatureType::Cosignature, &county.key.verifying_key());
    stands_in_document("verifier key of the witness", &county_key);
    let checkpoint = town.cosigned(&mut [(&mut county, 0)]);
    stands_in_document("cosigned checkpoint", &checkpoint.note().to_string());
    let path = town.log.prove_inclusion(1, 3).expect("proven");
    let proof = RecordProof::new(KIND, &record(1), 1, path, checkpoint.as_signed().clone());
    stands_in_document("proof", &lines(&proof.encode()));
    let proof = RecordProof::decode(&proof.encode()).expect("well formed");
    let included = proof.verify(keys(&[&town, &county])).expect("holds");
    assert_eq!(included.checkpoint().witnesses().len(), 1);
}
