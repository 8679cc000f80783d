//! Crafted changes against honest documents, and honest histories in every order.
//!
//! `ANJUAN_SEED` repeats a run, `ANJUAN_ROUNDS` sets its length.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anjuan_node::document::{Admission, Document, Refusal, change_hash, document_id};
use anjuan_sync::update::payload_hash;
use anjuan_tests::crafted::{Answer, Crafted, Scene, craft};
use anjuan_tests::honest::{Author, Case, Update, content};
use automerge::{Automerge, ChangeHash};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn seeded() -> StdRng {
    let seed = from_environment("ANJUAN_SEED", 4509);
    eprintln!("ANJUAN_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// What crafted changes met with.
#[derive(Default)]
struct Tally {
    by_code: BTreeMap<&'static str, usize>,
    by_way: BTreeMap<&'static str, usize>,
    applied: usize,
    waiting: usize,
    honest: usize,
    slowest: (Duration, &'static str),
}

impl Tally {
    /// Notes the answer, which has to be the right one.
    fn note(&mut self, crafted: &Crafted, answer: &Result<Admission, Refusal>, took: Duration) {
        *self.by_way.entry(crafted.way).or_default() += 1;
        self.slowest = self.slowest.max((took, crafted.way));
        let as_it_must_be = match (crafted.answer, answer) {
            (Answer::Any, _) | (Answer::RefusedSomehow, Err(_)) => true,
            (Answer::Refused(code), Err(refusal)) => refusal.code() == code,
            (Answer::Waiting, Ok(Admission::Waiting { .. })) => true,
            _ => false,
        };
        assert!(
            as_it_must_be,
            "{}: expected {:?}, met with {answer:?}; payload {}",
            crafted.way,
            crafted.answer,
            hex::encode(&crafted.payload[..crafted.payload.len().min(2_000)]),
        );
        match answer {
            Ok(Admission::Applied(_)) => self.applied += 1,
            Ok(Admission::Waiting { .. }) => self.waiting += 1,
            Err(refusal) => {
                assert!(!refusal.to_string().is_empty());
                *self.by_code.entry(refusal.code()).or_default() += 1;
            }
        }
    }
}

/// Automerge takes all that is in the document, and it can be saved and loaded again, by it and by us.
fn whole(document: &mut Document) {
    let mut loaded = Document::reread(document.changes().iter().cloned()).expect("applied");
    assert_eq!(loaded, *document);
    assert_eq!(loaded.entries(), document.entries());
    assert_eq!(loaded.record(), document.record());
    let again = loaded.merge().expect("Automerge takes what the guard let in");
    // The one got its changes as they came, the other all at once.
    let merged = document.merge().expect("Automerge takes what the guard let in");
    assert_eq!(merged.get_heads(), again.get_heads());
    assert_eq!(merged.hydrate(None), again.hydrate(None));
    let reloaded = Automerge::load(&merged.save()).expect("Automerge just saved it");
    assert_eq!(reloaded.get_heads(), merged.get_heads());
}

/// A document under attack, as saved when it last changed.
struct Target {
    case: Case,
    saved: Vec<Arc<[u8]>>,
}

impl Target {
    fn new(rng: &mut StdRng) -> Self {
        let (authors, changes) = (rng.random_range(1..5), rng.random_range(2..10));
        let case = Case::random(rng, authors, changes);
        let saved = case.document.changes().to_vec();
        Self { case, saved }
    }

    fn settle(&mut self) {
        self.saved = self.case.document.changes().to_vec();
        whole(&mut self.case.document);
    }

    /// Throws a few crafted changes at the document, all bent from one honest change. Returns how many.
    fn attack(&mut self, rng: &mut StdRng, elsewhere: &Case, tally: &mut Tally) -> u64 {
        let author = rng.random_range(0..self.case.authors.len());
        let actor = self.case.authors[author].actor();
        let said = content(rng);
        let honest = self.case.write(&self.case.document, author, &said);
        // The same key in the same epoch also writes to other documents.
        let mut other = elsewhere.clone();
        other.authors.push(self.case.authors[author].clone());
        let other = other.write(&other.document, other.authors.len() - 1, &said);
        let applied = self.case.updates.iter().rfind(|update| update.author == author);
        let scene = Scene {
            document: &self.case.document,
            honest: &honest.payload,
            actor: &actor,
            elsewhere: &other.payload,
            applied: applied.map(|update| update.payload.as_slice()),
        };
        let expected = self.case.expected(author, honest.own_last);
        for thrown in 1..=4 {
            let crafted = craft(rng, &scene);
            let mut document = self.case.document.clone();
            let began = Instant::now();
            let answer = document.admit(&crafted.payload, &expected);
            tally.note(&crafted, &answer, began.elapsed());
            if matches!(answer, Ok(Admission::Applied(_))) {
                self.case.document = document;
                self.case.updates.push(Update {
                    payload: crafted.payload,
                    ..honest
                });
                self.settle();
                return thrown;
            }
            assert_eq!(document, self.case.document, "{}", crafted.way);
            // Byte for byte what `settle` has loaded again.
            assert!(
                document.changes() == self.saved,
                "{}: the document changed",
                crafted.way
            );
            let merged = document.merge().map(|merged| merged.get_heads());
            assert_eq!(merged, Ok(document.heads()), "{}", crafted.way);
        }
        4
    }

    /// An honest change, which must get through.
    fn work(&mut self, rng: &mut StdRng, tally: &mut Tally) {
        let author = rng.random_range(0..self.case.authors.len());
        let update = self.case.write(&self.case.document, author, &content(rng));
        let expected = self.case.expected(author, update.own_last);
        let mut document = self.case.document.clone();
        let answer = document.admit(&update.payload, &expected);
        assert!(matches!(answer, Ok(Admission::Applied(_))), "honest: {answer:?}");
        self.case.document = document;
        self.case.updates.push(update);
        self.settle();
        tally.honest += 1;
    }
}

#[test]
fn no_crafted_change_harms_a_document_and_no_honest_one_is_refused() {
    let mut rng = seeded();
    let rounds = from_environment("ANJUAN_ROUNDS", 24_000);
    let mut tally = Tally::default();
    let mut targets: Vec<_> = (0..6).map(|_| Target::new(&mut rng)).collect();
    let mut thrown = 0;
    while thrown < rounds {
        let (one, other) = (
            rng.random_range(0..targets.len()),
            rng.random_range(0..targets.len() - 1),
        );
        let elsewhere = targets[if other < one { other } else { other + 1 }].case.clone();
        thrown += targets[one].attack(&mut rng, &elsewhere, &mut tally);
        if rng.random_bool(0.2) {
            targets[one].work(&mut rng, &mut tally);
        }
        if targets[one].case.updates.len() > 25 {
            targets[one] = Target::new(&mut rng);
        }
    }
    eprintln!(
        "{thrown} crafted: {} applied, {} waiting; {} honest; slowest {:?}; {:#?} {:#?}",
        tally.applied, tally.waiting, tally.honest, tally.slowest, tally.by_code, tally.by_way
    );
    if rounds >= 20_000 {
        assert!(tally.honest >= 600);
        assert!(tally.by_code.len() >= 36, "{} reasons", tally.by_code.len());
        assert!(tally.by_way.len() >= 80, "{} ways", tally.by_way.len());
    }
}

#[test]
fn no_crafted_creation_makes_a_harmful_document() {
    let mut rng = seeded();
    let mut tally = Tally::default();
    for _ in 0..2_000 {
        let case = Case::random(&mut rng, 1, 1);
        let (creator, honest) = (&case.authors[0], &case.updates[0].payload);
        let actor = creator.actor();
        let scene = Scene {
            document: &case.document,
            honest,
            actor: &actor,
            elsewhere: honest,
            applied: None,
        };
        let crafted = Crafted {
            // What is right to say of a next change need not be of a first one.
            answer: Answer::Any,
            ..craft(&mut rng, &scene)
        };
        // The forger signs what he wants: here the id that follows from the payload.
        let id = document_id(
            &case.space,
            &creator.key,
            &creator.epoch,
            &payload_hash(&crafted.payload),
        );
        let mut expected = case.expected(0, None);
        expected.document = &id;
        let began = Instant::now();
        let answer = Document::open(&crafted.payload, &expected);
        let took = began.elapsed();
        match answer {
            Ok((mut document, extracted)) => {
                tally.note(&crafted, &Ok(Admission::Applied(extracted)), took);
                whole(&mut document);
            }
            Err(refusal) => tally.note(&crafted, &Err(refusal), took),
        }
        // Signed for the document that the honest change creates, a crafted one never is.
        if crafted.payload != *honest {
            let refused = Document::open(&crafted.payload, &case.expected(0, None));
            assert!(refused.is_err(), "{}", crafted.way);
        }
    }
    assert!(tally.by_code.len() >= 20, "{:?}", tally.by_code);
}

/// Where each update stands once nothing more happens.
type Standings = BTreeMap<ChangeHash, Result<Admission, Refusal>>;

/// Hands the updates in, those that wait again and again, until nothing more happens.
fn deliver(case: &Case, order: &[&Update]) -> (Document, Standings) {
    let creation = &case.updates[0];
    let (mut document, _) =
        Document::open(&creation.payload, &case.expected(0, None)).expect("an honest creation");
    let mut standings = Standings::new();
    let mut open: Vec<&Update> = order.to_vec();
    loop {
        let before = document.heads();
        open.retain(|update| {
            let answer = document.admit(&update.payload, &case.expected(update.author, update.own_last));
            let waits = matches!(answer, Ok(Admission::Waiting { .. }));
            standings.insert(change_hash(&update.payload), answer);
            waits
        });
        if document.heads() == before {
            return (document, standings);
        }
    }
}

#[test]
fn the_order_of_arrival_makes_no_difference() {
    let mut rng = seeded();
    let mut codes = BTreeSet::new();
    let (mut waiting, mut branches) = (0, 0);
    for _ in 0..60 {
        let mut case = Case::random(&mut rng, 4, 16);
        let elsewhere = Case::random(&mut rng, 1, 2);
        // Each forger has one log, of one crafted update, made on some replica's state.
        for _ in 0..12 {
            case.authors.push(Author::random(&mut rng));
            let forger = case.authors.len() - 1;
            let some: Vec<_> = case.updates[1..rng.random_range(1..=case.updates.len())]
                .iter()
                .collect();
            let (document, _) = deliver(&case, &some);
            let actor = case.authors[forger].actor();
            let honest = case.write(&document, forger, &content(&mut rng));
            let scene = Scene {
                document: &document,
                honest: &honest.payload,
                actor: &actor,
                elsewhere: &elsewhere.updates[1].payload,
                applied: None,
            };
            let payload = craft(&mut rng, &scene).payload;
            case.updates.push(Update { payload, ..honest });
        }
        let mut order: Vec<_> = case.updates[1..].iter().collect();
        let (mut first, standings) = deliver(&case, &order);
        branches += usize::from(first.heads().len() > 1);
        for answer in standings.values() {
            match answer {
                Ok(Admission::Waiting { .. }) => waiting += 1,
                Ok(Admission::Applied(_)) => {}
                Err(refusal) => {
                    codes.insert(refusal.code());
                }
            }
        }
        for _ in 0..8 {
            order.shuffle(&mut rng);
            let (mut document, again) = deliver(&case, &order);
            assert_eq!(again, standings);
            assert_eq!(document.heads(), first.heads());
            assert_eq!(document.record(), first.record());
            whole(&mut document);
            assert_eq!(
                document.merge().expect("just merged").hydrate(None),
                first.merge().expect("honest").hydrate(None)
            );
        }
    }
    assert!(
        codes.len() >= 20 && waiting > 20 && branches > 20,
        "{codes:?} {waiting} {branches}"
    );
}

/// What the crafted changes do to Automerge without the guard: the proof that they are worth refusing.
#[test]
#[ignore = "a measurement; writes the messages of many panics"]
fn control_without_the_guard() {
    let mut rng = seeded();
    let (mut thrown, mut panicked, mut poisoned, mut rejected) = (0, 0, 0, 0);
    let elsewhere = Case::random(&mut rng, 1, 2);
    for _ in 0..from_environment("ANJUAN_ROUNDS", 2_000) {
        let mut case = Case::random(&mut rng, 2, 4);
        let actor = case.authors[1].actor();
        let honest = case.write(&case.document, 1, &content(&mut rng));
        let scene = Scene {
            document: &case.document,
            honest: &honest.payload,
            actor: &actor,
            elsewhere: &elsewhere.updates[1].payload,
            applied: None,
        };
        let crafted = craft(&mut rng, &scene);
        if crafted.way.starts_with("bomb") {
            continue;
        }
        thrown += 1;
        let mut automerge = case.document.merge().expect("honest").clone();
        let applied = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let change = automerge::Change::from_bytes(crafted.payload).map_err(drop)?;
            automerge.apply_changes([change]).map_err(drop)?;
            let saved = automerge.save();
            Ok::<_, ()>(automerge::Automerge::load(&saved).is_ok())
        }));
        match applied {
            Err(_) => panicked += 1,
            Ok(Ok(false)) => poisoned += 1,
            Ok(Err(())) => rejected += 1,
            Ok(Ok(true)) => {}
        }
    }
    eprintln!("{thrown} thrown: {panicked} panicked, {poisoned} poisoned, {rejected} rejected by Automerge");
    assert!(panicked > 0 && poisoned > 0);
}
