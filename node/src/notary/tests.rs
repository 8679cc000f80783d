//! A village, its town and its county, each with a journal and a notary, and the questions between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anjuan_sync::{LogEpoch, NetworkId, Timestamp};
use ed25519_dalek::{SigningKey, VerifyingKey};
use tempfile::TempDir;

use super::asking::{Asking, Gained, Wanted};
use super::exchange::{Answer, Declined, Question};
use super::*;
use crate::evidence::bracket::Bracket;
use crate::evidence::checkpoint::{CosignedCheckpoint, SignedCheckpoint};
use crate::evidence::merkle::{ConsistencyProof, record_leaf};
use crate::evidence::witness::Conflict;
use crate::files::Disk;
use crate::journal::{Frame, Journal, Options};
use crate::ledger::FrameKind;

/// 2026-01-01T00:00:00Z.
const NEW_YEAR: i64 = 1_767_225_600_000;

fn epoch(byte: u8) -> LogEpoch {
    LogEpoch::from_bytes([byte; 16])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NEW_YEAR + 1000 * seconds)
}

struct Node {
    key: SigningKey,
    name: NodeName,
    journal: Arc<Journal>,
    notary: Notary,
    epoch: LogEpoch,
    folder: TempDir,
}

impl Node {
    fn new(seed: u8, unit: &str) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let network = NetworkId::from_bytes([0x11; 32]);
        let name = NodeName::new(network, unit.parse().expect("a unit"), &key.verifying_key());
        let folder = tempfile::tempdir().expect("a folder");
        let (journal, notary) = open(&folder, &key, &name);
        Self {
            key,
            name,
            journal,
            notary,
            epoch: epoch(seed),
            folder,
        }
    }

    /// The process ends, something is done to the home, and it starts again.
    fn restarted(self, between: impl FnOnce(&std::path::Path)) -> Self {
        let Self {
            key,
            name,
            journal,
            notary,
            epoch,
            folder,
        } = self;
        drop(notary);
        drop(journal);
        between(folder.path());
        let (journal, notary) = open(&folder, &key, &name);
        Self {
            key,
            name,
            journal,
            notary,
            epoch,
            folder,
        }
    }

    fn as_peer(&self) -> Peer {
        Peer {
            name: self.name.clone(),
            key: self.key.verifying_key(),
        }
    }

    /// Records so many more things, and signs.
    fn work(&mut self, records: u64) {
        self.record(records, "record");
        assert!(self.sign());
    }

    fn record(&self, records: u64, what: &str) {
        for _ in 0..records {
            let bytes = format!("{what} {}", self.journal.end());
            let frame = Frame {
                kind: FrameKind::Credential.into(),
                bytes: bytes.as_bytes(),
            };
            let ticket = self.journal.append(&[frame]).expect("appended");
            ticket.wait().expect("durable");
        }
    }

    fn sign(&mut self) -> bool {
        self.notary.sign(self.epoch, &self.key).expect("signed")
    }

    fn size(&self) -> u64 {
        self.notary.newest().expect("signed").head().size
    }

    /// Asks until there is nothing more to ask; what the last question came to.
    fn witnessed_by(&mut self, witness: &mut Node, seconds: i64) -> Option<Gained> {
        self.ask(&mut Asking::default(), witness, seconds, false)
    }

    fn ask(
        &mut self,
        asking: &mut Asking,
        witness: &mut Node,
        seconds: i64,
        reports: bool,
    ) -> Option<Gained> {
        let keys = keys([self, witness]);
        let (me, it) = (self.as_peer(), witness.as_peer());
        let mut gained = None;
        for _ in 0..10 {
            let wanted = Wanted {
                epoch: self.epoch,
                again: false,
                reports,
            };
            let question = self.notary.question(asking, &it, wanted).expect("readable");
            let Some(question) = question else { return gained };
            let answered = witness
                .notary
                .answer(&me, &question, &keys, at(seconds), &witness.key);
            let came = self.notary.answered(asking, &it, &answered.answer, &keys);
            gained = Some(came.expect("kept"));
            if matches!(
                gained,
                Some(Gained::SetBack(_) | Gained::Accused(_) | Gained::Declined)
            ) {
                return gained;
            }
        }
        panic!("it asks without end");
    }

    fn cosigned(&self, others: &[&Node]) -> CosignedCheckpoint {
        let own = self.notary.cosigned().expect("cosigned").clone();
        own.cosigned(keys_of(others)).expect("all lines hold")
    }
}

fn open(folder: &TempDir, key: &SigningKey, name: &NodeName) -> (Arc<Journal>, Notary) {
    let (journal, _) =
        Journal::open(Arc::new(Disk), &folder.path().join("journal"), Options::default()).expect("a journal");
    let journal = Arc::new(journal);
    let notary = Notary::open(
        Arc::new(Disk),
        &folder.path().join("evidence"),
        name.clone(),
        key.verifying_key(),
        Arc::clone(&journal),
    );
    (journal, notary.expect("opens"))
}

fn keys_of(nodes: &[&Node]) -> impl Fn(&NodeName) -> Option<VerifyingKey> + use<> {
    let known: BTreeMap<_, _> = nodes
        .iter()
        .map(|node| (node.name.clone(), node.key.verifying_key()))
        .collect();
    move |name| known.get(name).copied()
}

/// Everybody's, for a conversation of two.
fn keys(nodes: [&Node; 2]) -> impl Fn(&NodeName) -> Option<VerifyingKey> + use<> {
    let known = keys_of(&nodes);
    let others = [(1, "450902001001"), (2, "450902001"), (3, "450902")];
    move |name| {
        let of = |seed: u8| SigningKey::from_bytes(&[seed; 32]).verifying_key();
        let other = others
            .iter()
            .map(|(seed, _)| of(*seed))
            .find(|key| name.is_of(key));
        known(name).or(other)
    }
}

fn village() -> Node {
    Node::new(1, "450902001001")
}

fn town() -> Node {
    Node::new(2, "450902001")
}

fn county() -> Node {
    Node::new(3, "450902")
}

#[test]
fn the_log_follows_the_journal_and_a_checkpoint_is_signed_once() {
    let mut village = village();
    assert!(!village.sign(), "nothing to sign");
    village.work(5);
    assert!(!village.sign(), "nothing new");
    village.work(300);
    let leaves: Vec<_> = (0..305)
        .map(|position| record_leaf(1, format!("record {position}").as_bytes()))
        .collect();
    let log = village.notary.log();
    assert_eq!(log.leaf(304).expect("there"), leaves[304]);
    assert_eq!(log.head(), *village.notary.newest().expect("signed").head());
    drop(log);
    // What is not synced is not in it; and nothing is lost by a restart, nor by a cache that is.
    let mut again = village.restarted(|home| {
        std::fs::remove_dir_all(home.join("evidence/merkle")).expect("removed");
    });
    assert_eq!(again.size(), 305);
    assert!(!again.sign());
    again.work(1);
    assert_eq!(again.size(), 306);
}

#[test]
fn a_village_is_witnessed_by_its_town_and_its_county_and_both_are_kept() {
    let (mut village, mut town, mut county) = (village(), town(), county());
    village.work(3);
    assert!(matches!(
        village.witnessed_by(&mut town, 10),
        Some(Gained::Cosigned)
    ));
    assert!(matches!(
        village.witnessed_by(&mut county, 20),
        Some(Gained::Cosigned)
    ));
    let cosigned = village.cosigned(&[&town, &county]);
    assert_eq!(cosigned.witnesses().len(), 2);
    assert_eq!(cosigned.checkpoint().head().size, 3);

    let mut village = village.restarted(|_| {});
    assert_eq!(village.cosigned(&[&town, &county]).witnesses().len(), 2);
    // A session later it says what it expects, and is believed.
    village.work(4);
    village.witnessed_by(&mut town, 7_200);
    assert_eq!(village.cosigned(&[&town]).checkpoint().head().size, 7);
    let exhibits = village.notary.exhibits().expect("readable");
    let sizes = exhibits.history.iter().map(|one| one.head().size);
    assert_eq!(sizes.collect::<Vec<_>>(), [3], "an hour apart, it is kept");
    assert_eq!(exhibits.frames(0..99).count(), 7);
    assert_eq!(town.notary.exhibits().expect("readable").witnessed.len(), 1);
}

#[test]
fn a_journal_that_was_set_back_is_noticed_before_anything_is_signed() {
    let mut village = village();
    village.work(3);
    let copy = tempfile::tempdir().expect("a folder");
    copy_all(&village.folder.path().join("journal"), copy.path());
    village.work(4);
    let mut village = village.restarted(|home| {
        std::fs::remove_dir_all(home.join("journal")).expect("removed");
        copy_all(copy.path(), &home.join("journal"));
    });
    let old = village.epoch;
    assert!(matches!(
        village.notary.sign(old, &village.key),
        Err(NotaryError::SetBack {
            signed: 7,
            here: 3,
            ..
        })
    ));
    // Even when the journal has grown past it.
    village.record(9, "other");
    assert!(matches!(
        village.notary.check(old),
        Err(NotaryError::SetBack {
            signed: 7,
            here: 12,
            ..
        })
    ));
    village.epoch = epoch(0x99);
    village.notary.begin_anew(None).expect("put aside");
    assert!(village.sign());
    let exhibits = village.notary.exhibits().expect("readable");
    let [former] = &exhibits.former[..] else {
        panic!("{exhibits:?}")
    };
    assert_eq!((former.last.head().size, former.is_contained), (7, false));
    assert_eq!(former.last.origin().epoch(), old);
    let village = village.restarted(|_| {});
    assert_eq!(village.notary.former().count(), 1);
    assert_eq!(village.size(), 12);
}

#[test]
fn a_store_set_back_with_all_it_knew_learns_it_from_its_witness_and_nobody_is_accused() {
    let (mut village, mut town) = (village(), town());
    village.work(3);
    let copy = tempfile::tempdir().expect("a folder");
    copy_all(village.folder.path(), copy.path());
    village.work(4);
    village.witnessed_by(&mut town, 10);
    let mut village = village.restarted(|home| {
        for part in ["journal", "evidence"] {
            std::fs::remove_dir_all(home.join(part)).expect("removed");
            copy_all(&copy.path().join(part), &home.join(part));
        }
    });
    village.record(6, "other");
    assert!(village.sign(), "it can't know yet");
    let Some(Gained::SetBack(last)) = village.witnessed_by(&mut town, 20) else {
        panic!("the town has more of it");
    };
    assert_eq!(last.head().size, 7);
    village.epoch = epoch(0x99);
    village.notary.begin_anew(Some(*last)).expect("put aside");
    assert!(village.sign());
    assert!(matches!(
        village.witnessed_by(&mut town, 30),
        Some(Gained::Cosigned)
    ));
    assert_eq!(town.notary.conflicts().count(), 0);
    assert_eq!(
        town.notary.witness().logs().count(),
        2,
        "the old log and the new one"
    );
    let former = village.notary.exhibits().expect("readable").former;
    assert_eq!(former[0].last.head().size, 7);
    assert!(!former[0].is_contained);
}

#[test]
fn a_rewritten_journal_is_proven_and_reported_above_and_to_its_node() {
    let (mut village, mut town, mut county) = (village(), town(), county());
    village.work(5);
    village.witnessed_by(&mut town, 10);
    // Somebody with the village's key, who forgot what it signed.
    let mut rewritten = Node::new(1, "450902001001");
    rewritten.record(5, "another");
    assert!(rewritten.sign());
    let question = Question::Cosign {
        epoch: rewritten.epoch,
        size: 5,
        root: rewritten.notary.newest().expect("signed").head().root,
        signature: rewritten
            .notary
            .newest()
            .and_then(VerifiedCheckpoint::signature)
            .expect("signed")
            .into(),
        from: 5,
        proof: ConsistencyProof::from_hashes(Vec::new()),
        newest: None,
    };
    let keys = keys([&village, &town]);
    let answered = town
        .notary
        .answer(&rewritten.as_peer(), &question.encode(), &keys, at(20), &town.key);
    let found = answered.found.expect("it is new");
    assert_eq!(found.conflict, Conflict::TwoRoots);
    assert!(matches!(
        Answer::decode(&answered.answer),
        Ok(Answer::Inconsistent { .. })
    ));
    let again = town
        .notary
        .answer(&rewritten.as_peer(), &question.encode(), &keys, at(21), &town.key);
    assert!(again.found.is_none(), "told once");

    // The town tells the county; the county keeps it over a restart, and tells nobody twice.
    let mut asking = Asking::default();
    town.work(1);
    town.ask(&mut asking, &mut county, 30, true);
    town.ask(&mut asking, &mut county, 40, true);
    let county = county.restarted(|_| {});
    let [kept] = &county.notary.conflicts().collect::<Vec<_>>()[..] else {
        panic!("one report");
    };
    assert_eq!(kept.conflict, Conflict::TwoRoots);
    assert_eq!(kept.later, found.later);
    // And the town over a restart.
    let town = town.restarted(|_| {});
    assert_eq!(town.notary.conflicts().count(), 1);
    assert_eq!(town.notary.exhibits().expect("readable").conflicts.len(), 1);
}

#[test]
fn a_report_has_to_show_what_it_says() {
    let (mut village, mut town, mut county) = (village(), town(), county());
    village.work(2);
    let early = village.notary.newest().expect("signed").clone();
    village.work(2);
    let late = village.notary.newest().expect("signed").clone();
    village.witnessed_by(&mut town, 10);
    let cosigned = village.notary.cosigned().expect("cosigned").clone();
    let keys = keys([&town, &county]);
    let mut report = |conflict, earlier: &VerifiedCheckpoint, later: &VerifiedCheckpoint| {
        let question = Question::Report {
            conflict,
            earlier: earlier.note().encode().into(),
            later: later.note().encode().into(),
        };
        let answered = county
            .notary
            .answer(&town.as_peer(), &question.encode(), &keys, at(50), &county.key);
        Answer::decode(&answered.answer).expect("an answer")
    };
    let refused = Answer::Declined(Declined::Malformed);
    assert_eq!(report(0, &late, &late), refused, "one root");
    assert_eq!(report(0, &early, &late), refused, "two sizes");
    assert_eq!(report(2, &late, &early), refused, "it went back");
    assert_eq!(report(1, &early, &late), refused, "it did not");
    assert_eq!(report(2, &early, &late), refused, "nobody's word for it");
    assert_eq!(report(9, &early, &late), refused, "no such conflict");
    // With a witness's word: that it was shown these two, and no proof between them.
    assert_eq!(report(1, &cosigned, &early), Answer::Kept);
}

#[test]
fn headers_get_the_newest_checkpoint_that_a_third_node_cosigned() {
    let (mut village, mut town, mut county) = (village(), town(), county());
    town.work(2);
    town.witnessed_by(&mut county, 100);
    village.work(1);
    // The town's own word, and the village's, bound nothing for the village; the county's does.
    village.witnessed_by(&mut town, 200);
    let note = village.notary.bracket().expect("there is one").to_vec();
    let named = SignedCheckpoint::parse(&note).expect("a checkpoint");
    assert_eq!(named.unverified().origin().node(), &town.name);
    let named = named.verify(&town.key.verifying_key()).expect("signed");
    let named = named.cosigned(keys_of(&[&county, &village])).expect("holds");
    let one = std::num::NonZeroUsize::MIN;
    let bracket = Bracket::of(&village.name, Some(&named), [], one);
    assert_eq!(bracket.not_before, Some(at(100)));

    // One that is hardly newer is not taken; it is there after a restart.
    town.work(1);
    town.witnessed_by(&mut county, 130);
    village.work(1);
    village.witnessed_by(&mut town, 230);
    assert_eq!(village.notary.bracket(), Some(&note[..]));
    let village = village.restarted(|_| {});
    assert_eq!(village.notary.bracket(), Some(&note[..]));
}

#[test]
fn nothing_a_peer_says_does_harm() {
    let (mut village, mut town) = (village(), town());
    village.work(3);
    let keys = keys([&village, &town]);
    let (me, it) = (village.as_peer(), town.as_peer());
    let wanted = Wanted {
        epoch: village.epoch,
        again: false,
        reports: false,
    };
    let mut asking = Asking::default();
    let last = village.notary.question(&mut asking, &it, wanted);
    let last = last.expect("readable").expect("there is something to ask");
    let none = Answer::Last(None).encode();
    village
        .notary
        .answered(&mut asking, &it, &none, &keys)
        .expect("taken");
    let cosign = village.notary.question(&mut asking, &it, wanted);
    let cosign = cosign.expect("readable").expect("there is something to ask");
    for question in [&last, &cosign] {
        for at_byte in 0..question.len() {
            let mut changed = question.clone();
            changed[at_byte] ^= 0x11;
            let answered = town.notary.answer(&me, &changed, &keys, at(0), &town.key);
            Answer::decode(&answered.answer).expect("an answer");
            town.notary
                .answer(&me, &question[..at_byte], &keys, at(0), &town.key);
        }
    }
    assert_eq!(
        town.notary.conflicts().count(),
        0,
        "nobody is accused by accident"
    );
    let answered = town.notary.answer(&me, &cosign, &keys, at(0), &town.key);
    for at_byte in 0..answered.answer.len() {
        let mut changed = answered.answer.clone();
        changed[at_byte] ^= 0x11;
        let mut asking = Asking::default();
        for answer in [&none, &changed] {
            let question = village.notary.question(&mut asking, &it, wanted);
            question.expect("readable").expect("there is something to ask");
            let came = village.notary.answered(&mut asking, &it, answer, &keys);
            assert!(!matches!(came, Err(_) | Ok(Gained::Cosigned)), "byte {at_byte}");
        }
    }
    assert!(village.notary.cosigned().is_none());
}

#[test]
fn questions_and_answers_keep_their_bytes() {
    let question = Question::Last {
        epoch: epoch(0x22),
        expected: None,
    };
    assert_eq!(
        hex::encode(question.encode()),
        "82018200815022222222222222222222222222222222"
    );
    let head = TreeHead {
        size: 3,
        root: anjuan_sync::Digest::from_bytes([7; 32]),
    };
    let question = Question::Cosign {
        epoch: epoch(0x22),
        size: head.size,
        root: head.root,
        signature: [9; 64].into(),
        from: 1,
        proof: ConsistencyProof::from_hashes(vec![anjuan_sync::Digest::from_bytes([8; 32])]),
        newest: Some(1_767_225_600),
    };
    let [epoch, root, signature, hash] = ["22".repeat(16), "07".repeat(32), "09".repeat(64), "08".repeat(32)];
    assert_eq!(
        hex::encode(question.encode()),
        format!("820182018750{epoch}035820{root}5840{signature}01815820{hash}1a6955b900")
    );
    let answer = Answer::Cosigned {
        cosignature: [5; 72].into(),
        newest: None,
    };
    assert_eq!(
        hex::encode(answer.encode()),
        format!("82018202815848{}", "05".repeat(72))
    );
    assert_eq!(Question::decode(&question.encode()), Ok(question));
    assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    assert!(
        Answer::decode(&[0x82, 2, 0x82, 6, 0x80]).is_err(),
        "a later version"
    );
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy_all(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("copied")),
        }
    }
}
