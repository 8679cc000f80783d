//! One form of each note, and nothing else passes.

use anjuan_sync::update::MAX_BRACKET;

use super::super::checkpoint::{CheckpointError, SignedCheckpoint};
use super::super::note::{MAX_NOTE, MAX_SIGNATURES, Note, NoteError, SignatureType, verifier_key};
use super::super::testing::{Node, at, keys};

const EXAMPLE: &str = "\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
";

#[test]
fn the_specifications_example_is_a_note() {
    let note = Note::parse(EXAMPLE.as_bytes()).expect("a note");
    assert_eq!(note.encode(), EXAMPLE.as_bytes());
    let [log, witness] = note.signatures() else {
        panic!("two signatures");
    };
    assert_eq!(
        (log.name(), log.bytes().len()),
        ("example.com/behind-the-sofa", 64)
    );
    assert_eq!(
        (witness.name(), witness.bytes().len()),
        ("witness.example.com/w1", 72)
    );
    // A log of another system: not one of ours.
    assert!(matches!(
        SignedCheckpoint::parse(EXAMPLE.as_bytes()),
        Err(CheckpointError::Origin(_))
    ));
}

#[test]
fn a_verifier_key_as_the_go_library_writes_it() {
    // From the documentation of golang.org/x/mod/sumdb/note.
    let encoded = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let (_, bytes) = encoded.rsplit_once('+').expect("three parts");
    let bytes = data_encoding::BASE64.decode(bytes.as_bytes()).expect("base64");
    let key = bytes[1..].try_into().expect("32 bytes");
    let key = ed25519_dalek::VerifyingKey::from_bytes(&key).expect("a key");
    assert_eq!(
        verifier_key("PeterNeumann", SignatureType::Ed25519, &key),
        encoded
    );
    let note = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let note = Note::parse(note.as_bytes()).expect("a note");
    assert_eq!(note.is_signed_by("PeterNeumann", &key), Some(true));
    assert_eq!(note.is_signed_by("EnochRoot", &key), None);
}

#[test]
fn notes_in_another_form_are_refused() {
    let dash = '\u{2014}';
    let sig = "AAAAAAA=";
    let ok = format!("text\n\n{dash} name {sig}\n");
    Note::parse(ok.as_bytes()).expect("a note");
    for (bytes, error) in [
        (String::new(), NoteError::Parts),
        ("text\n".into(), NoteError::Parts),
        ("text\n\n".into(), NoteError::Parts),
        (format!("\n\n{dash} name {sig}\n"), NoteError::Parts),
        (format!("\n\n\n{dash} name {sig}\n"), NoteError::Parts),
        (format!("text\n{dash} name {sig}\n"), NoteError::Parts),
        (format!("text\n\n{dash} name {sig}"), NoteError::Parts),
        (format!("text\n\n{dash} name {sig}\n\n"), NoteError::Line(2)),
        (format!("text\n\n\n{dash} name {sig}\n"), NoteError::Line(1)),
        (format!("text\n\ntext\n\n{dash} name {sig}\n"), NoteError::Line(1)),
        (format!("text\n\n- name {sig}\n"), NoteError::Line(1)),
        (format!("text\n\n{dash} {sig}\n"), NoteError::Line(1)),
        (format!("text\n\n{dash}  {sig}\n"), NoteError::Line(1)),
        (format!("text\n\n{dash} na+me {sig}\n"), NoteError::Line(1)),
        (format!("text\n\n{dash} na\u{2003}me {sig}\n"), NoteError::Line(1)),
        (format!("text\n\n{dash} name {sig} \n"), NoteError::Line(1)),
        (format!("text\n\n{dash} name AAAAAA==\n"), NoteError::Line(1)),
        (format!("text\n\n{dash} name AAAAAAA\n"), NoteError::Line(1)),
        // The same bytes, with something in the spare bits.
        (format!("text\n\n{dash} name AAAAAAB=\n"), NoteError::Line(1)),
        (
            format!("text\n\n{dash} name {sig}\n{dash} name AAAAAAE=\n"),
            NoteError::Repeated(2),
        ),
        (format!("te\rxt\n\n{dash} name {sig}\n"), NoteError::NotText),
        (format!("te\txt\n\n{dash} name {sig}\n"), NoteError::NotText),
    ] {
        assert_eq!(Note::parse(bytes.as_bytes()), Err(error), "{bytes:?}");
    }
    assert_eq!(Note::parse(b"\xff\n\n"), Err(NoteError::NotText));
    assert_eq!(
        Note::parse(&[b'a'; MAX_NOTE + 1]),
        Err(NoteError::TooLong(MAX_NOTE + 1))
    );
    let lines = |n: usize| -> String { (0..n).map(|i| format!("{dash} name{i} {sig}\n")).collect() };
    Note::parse(format!("text\n\n{}", lines(MAX_SIGNATURES)).as_bytes()).expect("as many as can be");
    assert_eq!(
        Note::parse(format!("text\n\n{}", lines(MAX_SIGNATURES + 1)).as_bytes()),
        Err(NoteError::TooMany)
    );
}

#[test]
fn checkpoints_in_another_form_are_refused() {
    let mut town = Node::town();
    town.grow(3);
    let bytes = town.checkpoint().note().to_string();
    let origin = town.origin().to_string();
    SignedCheckpoint::parse(bytes.as_bytes()).expect("a checkpoint");
    let root = data_encoding::BASE64.encode(town.log.head().root.as_bytes());
    for (from, to) in [
        ("\n3\n", "\n03\n"),
        ("\n3\n", "\n+3\n"),
        ("\n3\n", "\n3 \n"),
        ("\n3\n", "\n\u{ff13}\n"),
        ("\n3\n", "\n-3\n"),
        ("\n3\n", "\n0\n"),
        ("\n3\n", "\n281474976710657\n"),
        ("\n3\n", "\n99999999999999999999\n"),
        (&root, &root[..43]),
        (&root, "AAAA"),
        ("=\n\n", "=\nepoch 5\n\n"),
        (&format!("{origin}\n3"), "3"),
        (&format!("{origin}\n3"), &format!("{origin}/\n3")),
        (&format!("{origin}\n3"), "anjuan\n3"),
    ] {
        let changed = bytes.replacen(from, to, 1);
        assert_ne!(changed, bytes);
        let refused = SignedCheckpoint::parse(changed.as_bytes());
        assert!(
            !matches!(refused, Ok(_) | Err(CheckpointError::Note(_))),
            "{to:?}"
        );
    }
}

#[test]
fn every_changed_byte_of_a_cosigned_checkpoint_is_seen() {
    let (mut town, mut county) = (Node::town(), Node::county());
    town.grow(300);
    let cosigned = town.cosigned(&mut [(&mut county, 5)]);
    let bytes = cosigned.note().encode();
    let read = |bytes: &[u8]| {
        let checkpoint = SignedCheckpoint::parse(bytes)?;
        let verified = checkpoint.verify(&town.key.verifying_key())?;
        verified.cosigned(keys(&[&town, &county]))
    };
    let sound = read(&bytes).expect("holds");
    assert_eq!(sound.witnesses().len(), 1);
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            if let Ok(checkpoint) = read(&changed) {
                // The line is no longer said to be the county's: an unknown key's, which means nothing.
                assert!(checkpoint.witnesses().is_empty(), "byte {place}, bit {bit}");
                let line = bytes.len() - cosigned.note().signatures()[1].to_string().len();
                assert!(place > line, "byte {place}, bit {bit}");
            }
        }
        assert!(
            read(&bytes[..place]).is_err() || read(&bytes[..place]).expect("holds").witnesses().is_empty()
        );
    }
    let mut longer = bytes.clone();
    longer.push(b'\n');
    read(&longer).expect_err("more than a note");
}

#[test]
fn a_checkpoint_is_of_one_node_in_one_epoch() {
    let (mut town, county) = (Node::town(), Node::county());
    town.grow(3);
    let checkpoint = town.checkpoint();
    let parsed = SignedCheckpoint::parse(&checkpoint.note().encode()).expect("a checkpoint");
    assert_eq!(
        parsed.verify(&county.key.verifying_key()),
        Err(CheckpointError::Key(town.origin()))
    );
    let unsigned = super::super::checkpoint::Checkpoint::new(town.origin(), town.log.head());
    assert_eq!(
        unsigned.sign(&county.key),
        Err(CheckpointError::Key(town.origin()))
    );
    // The same head under another epoch is another text, and the signature is not its.
    let other = checkpoint
        .note()
        .to_string()
        .replace(&"22".repeat(16), &"33".repeat(16));
    let other = SignedCheckpoint::parse(other.as_bytes()).expect("well formed");
    assert!(matches!(
        other.verify(&town.key.verifying_key()),
        Err(CheckpointError::Unsigned(_))
    ));
}

#[test]
fn a_header_carries_the_latest_cosignatures_that_fit() {
    let mut town = Node::town();
    town.grow(300);
    let mut others: Vec<_> = (2..8).map(|seed| Node::new(seed, "450902001001")).collect();
    let mut witnesses: Vec<_> = others.iter_mut().zip([50, 10, 60, 20, 40, 30]).collect();
    let note = town.cosigned(&mut witnesses);
    let known: Vec<_> = others.iter().chain([&town]).collect();
    let whole = note.cosigned(keys(&known)).expect("holds");
    assert_eq!(whole.witnesses().len(), 6);

    let short = whole.shortened(MAX_BRACKET).expect("there is room");
    let read = SignedCheckpoint::parse(&short).expect("a checkpoint");
    let read = read.verify(&town.key.verifying_key()).expect("signed");
    let read = read.cosigned(keys(&known)).expect("holds");
    let mut times: Vec<_> = read
        .witnesses()
        .iter()
        .map(|witness| witness.time.first())
        .collect();
    times.sort();
    assert_eq!(times, [at(40), at(50), at(60)]);
    // Nothing that doesn't fit, and nothing that no witness vouches for.
    assert_eq!(whole.shortened(300), None);
    let unknown = town.checkpoint().cosigned(keys(&known)).expect("holds");
    assert_eq!(unknown.shortened(MAX_BRACKET), None);
}
