//! The same things in any order come to the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use anjuan_node::authority::certificate::{CertificateKind, Certified};
use anjuan_node::authority::revocation::{Cutoff, Extent, Revocation, RevocationId};
use anjuan_node::document::{Admission, Document, Expected, change_hash};
use anjuan_node::ledger::{DocumentKey, Ledger, Outcome, Standing};
use anjuan_sync::id::ItemId;
use anjuan_sync::replica::{Blob, Record, Replica as _, Roots};
use anjuan_sync::{LogEpoch, LogState, Reach, SignedUpdate, Space, UpdateId};
use automerge::ChangeHash;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::Value;

use crate::pipe;
use crate::{from_environment, seeded};
use anjuan_tests::world::{
    NOW, Writer, accepted, assigned, certify, credential, declined, key, message, open, public, registered,
    root, roots, take, verified,
};

const TOWN: &str = "450902001";
const VILLAGE: &str = "450902001001";

/// Everything that was ever signed, and the cases it concerns.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) records: Vec<Record>,
    pub(crate) documents: Vec<DocumentKey>,
}

/// One case, as each writer sees it.
struct Case {
    key: DocumentKey,
    views: Vec<Document>,
    /// Honest updates, with their author and his change of the case before.
    updates: Vec<(usize, Option<ChangeHash>, SignedUpdate)>,
}

impl Case {
    fn level(&mut self, to: usize, writers: &[Writer], from: &Document) {
        for (author, own_last, update) in &self.updates {
            let hash = change_hash(update.payload());
            if from.contains(&hash) && !self.views[to].contains(&hash) {
                let (author, epoch) = (writers[*author].author(), writers[*author].epoch);
                let expected = Expected {
                    space: &self.key.space,
                    author: &author,
                    epoch: &epoch,
                    document: &self.key.id,
                    own_last: *own_last,
                };
                let admitted = self.views[to].admit(update.payload(), &expected);
                assert!(matches!(admitted, Ok(Admission::Applied(_))), "{admitted:?}");
            }
        }
    }
}

fn event(rng: &mut StdRng, writers: &[Writer]) -> Value {
    match rng.random_range(0..10) {
        0 | 1 => accepted(),
        2 => declined(),
        3 | 4 => assigned(writers[rng.random_range(0..writers.len())].author()),
        5 => verified(rng.random_range(0..1000)),
        _ => message(rng.random_range(0..1000)),
    }
}

/// Names of the operators: the last but one is revoked, the last forks his log.
const NAMES: [&str; 5] = ["zhang", "li", "wang", "thief", "forker"];

/// Operators of a village write about `changes` updates to a few cases, most of them honestly.
pub(crate) fn story(rng: &mut StdRng, changes: usize) -> Story {
    let chain = chain();
    let village = chain.last().expect("a village");
    let space = Space::up("4509/02/001/001".parse().expect("a path"));
    let operators: Vec<_> = NAMES
        .iter()
        .map(|name| {
            certify(
                village,
                CertificateKind::Operator,
                public(&key(name)),
                name,
                VILLAGE,
            )
        })
        .collect();
    let mut records: Vec<_> = chain[1..]
        .iter()
        .chain(&operators)
        .map(|one| credential(one))
        .collect();
    let mut writers: Vec<_> = NAMES
        .iter()
        .zip(&operators)
        // Not one of those that tests give their stores: a store that hears of its own epoch takes itself for old.
        .map(|(name, certified)| Writer::new(name, certified, rng.random_range(16..=u8::MAX), space.clone()))
        .collect();
    let mut cases: Vec<Case> = Vec::new();
    for n in 0..4 {
        let author = rng.random_range(0..writers.len());
        let (key, document, update) = writers[author].create(&registered(n));
        records.push(Record::Update(update.clone()));
        cases.push(Case {
            key,
            views: vec![document; writers.len()],
            updates: vec![(author, None, update)],
        });
    }
    for step in 0..changes {
        let author = rng.random_range(0..writers.len());
        let at = rng.random_range(0..cases.len());
        let case = &mut cases[at];
        if rng.random_bool(0.6) {
            let from = case.views[rng.random_range(0..writers.len())].clone();
            case.level(author, &writers, &from);
        }
        let said = event(rng, &writers);
        if rng.random_bool(0.25) {
            records.extend(crooked(rng, &mut writers[author], case, author, &said).map(Record::Update));
            continue;
        }
        let actor = anjuan_node::document::actor(&writers[author].author(), &writers[author].epoch);
        let own_last = case.views[author].last_of(&actor);
        let fork = (NAMES[author] == "forker" && step > changes / 2).then(|| writers[author].clone());
        let before = case.views[author].clone();
        let update = writers[author].change(&case.key, &mut case.views[author], &said);
        records.push(Record::Update(update.clone()));
        case.updates.push((author, own_last, update));
        if let Some(mut other) = fork {
            let mut view = before;
            records.push(Record::Update(other.change(
                &case.key,
                &mut view,
                &verified(2_000 + step as u64),
            )));
        }
    }
    records.push(revocation(village, &operators[3], &writers[3], &records));
    Story {
        records,
        documents: cases.into_iter().map(|case| case.key).collect(),
    }
}

fn chain() -> [Arc<Certified>; 4] {
    let authority = |above: &Arc<Certified>, name: &str, unit: &str| {
        certify(above, CertificateKind::Authority, public(&key(name)), name, unit)
    };
    let city = root();
    let county = authority(&city, "county", "450902");
    let town = authority(&county, "town", TOWN);
    let village = authority(&town, "village", VILLAGE);
    [city, county, town, village]
}

/// Updates that the guard refuses, or that never can be applied. The author's view stays as it was.
fn crooked(
    rng: &mut StdRng,
    writer: &mut Writer,
    case: &mut Case,
    author: usize,
    said: &Value,
) -> impl Iterator<Item = SignedUpdate> + use<> {
    let document = case.key.id;
    let mut updates = Vec::new();
    match rng.random_range(0..5) {
        0 => {
            // Another's words, or his own a second time.
            let (_, _, copied) = &case.updates[rng.random_range(0..case.updates.len())];
            updates.push(writer.sign(document, copied.payload().to_vec()));
        }
        1 => updates.push(writer.sign(document, vec![rng.random(); 40])),
        2 => {
            let mut other = writer.clone();
            let (_, _, second) = other.create(&registered(rng.random_range(10..1000)));
            updates.push(writer.sign(document, second.payload().to_vec()));
        }
        3 => {
            // Damaged, and another update on top of it; sometimes the same undamaged, too late.
            let mut view = case.views[author].clone();
            let mut scratch = writer.clone();
            let below = scratch.change(&case.key, &mut view, said);
            let mut damaged = below.payload().to_vec();
            damaged[4] ^= 1;
            updates.push(writer.sign(document, damaged));
            let above = scratch.change(&case.key, &mut view, said);
            if rng.random_bool(0.5) {
                updates.push(writer.sign(document, above.payload().to_vec()));
                updates.push(writer.sign(document, below.payload().to_vec()));
            } else {
                updates.push(writer.sign(document, below.payload().to_vec()));
                updates.push(writer.sign(document, above.payload().to_vec()));
            }
        }
        _ => {
            // On top of something that nobody ever gets. What he writes here later waits, too; so he uses
            // a log of his own for it.
            let mut view = case.views[author].clone();
            let mut aside = writer.clone();
            aside.epoch = LogEpoch::from_bytes(rng.random());
            aside.head = None;
            let mut hidden = aside.clone();
            hidden.change(&case.key, &mut view, said);
            let above = hidden.change(&case.key, &mut view, said);
            updates.push(aside.sign(document, above.payload().to_vec()));
        }
    }
    updates.into_iter()
}

fn revocation(by: &Arc<Certified>, of: &Arc<Certified>, writer: &Writer, records: &[Record]) -> Record {
    let mut theirs: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Update(update)
                if update.header().author() == writer.author() && update.header().epoch() == writer.epoch =>
            {
                Some(anjuan_sync::Head {
                    seq: update.header().seq(),
                    id: update.id(),
                })
            }
            _ => None,
        })
        .collect();
    theirs.truncate(theirs.len().div_ceil(2));
    let cutoffs = theirs.last().map(|head| Cutoff {
        space: writer.space.clone(),
        epoch: writer.epoch,
        head: *head,
    });
    let extent = Extent::Operator(cutoffs.into_iter().collect());
    let revoked =
        Revocation::sign(by, &key("village"), of, extent, "钥匙被盗".into(), NOW).expect("may revoke");
    Record::Credential(Blob {
        path: of.certificate().path().clone(),
        id: ItemId::from_bytes(*id_of(&revoked).as_digest().as_bytes()),
        bytes: revoked.signed().encode(),
    })
}

fn id_of(revocation: &Revocation) -> RevocationId {
    revocation.signed().id()
}

/// Takes everything in, in an order and in batches of chance, until nothing changes.
pub(crate) fn deliver(rng: &mut StdRng, ledger: &mut Ledger, records: &[Record]) {
    let mut left = records.to_vec();
    loop {
        left.shuffle(rng);
        let before = (roots(ledger), left.len());
        let mut again = Vec::new();
        let mut rest = &left[..];
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(rng.random_range(1..=rest.len().min(40)));
            rest = after;
            let taken = take(ledger, batch.to_vec());
            for (record, outcome) in batch.iter().zip(taken.outcomes) {
                match outcome {
                    Outcome::Stored | Outcome::Known => {}
                    Outcome::Waiting | Outcome::Refused(_) => again.push(record.clone()),
                    Outcome::Forged(why) => panic!("nothing here is forged: {why}"),
                }
            }
        }
        left = again;
        if (roots(ledger), left.len()) == before || left.is_empty() {
            return;
        }
    }
}

/// What a ledger comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) roots: Roots,
    projections: BTreeMap<DocumentKey, Value>,
    standings: BTreeMap<DocumentKey, BTreeMap<UpdateId, Standing>>,
}

/// Standings of a document in which somebody forked his log are compared but for this: whether what was
/// built on the forked part is known to be blocked, or waits, depends on whether a replica has seen the
/// part of it that does not count, which no replica hands on.
pub(crate) fn state(ledger: &mut Ledger, documents: &[DocumentKey]) -> State {
    let forked: BTreeSet<_> = ledger
        .logs()
        .iter()
        .filter_map(|(log, state)| match state {
            LogState::Forked { .. } => Some((log.author, log.epoch)),
            LogState::Whole(_) => None,
        })
        .collect();
    let mut projections = BTreeMap::new();
    let mut standings = BTreeMap::new();
    for key in documents {
        let projection = ledger.projection(key).expect("readable");
        let json = projection.map_or(Value::Null, |projection| {
            serde_json::to_value(&*projection).expect("plain")
        });
        projections.insert(key.clone(), json);
        let (_, told) = ledger.told(key).expect("readable").unwrap_or_else(|| {
            panic!("nothing of {} was stored", key.id);
        });
        let of_key = told
            .into_iter()
            .filter(|one| one.held.standing != Standing::Forked)
            .map(|one| match one.held.standing {
                Standing::Blocked if !forked.is_empty() => (one.held.id, Standing::Waiting),
                standing => (one.held.id, standing),
            })
            .collect();
        standings.insert(key.clone(), of_key);
    }
    State {
        roots: roots(ledger),
        projections,
        standings,
    }
}

#[test]
fn any_order_comes_to_the_same() {
    let mut rng = seeded();
    for round in 0..from_environment("ANJUAN_ROUNDS", 4) {
        let story = story(&mut rng, 60);
        let mut first = None;
        for order in 0..6 {
            let home = tempfile::tempdir().expect("a folder");
            let (mut ledger, _) = open(home.path(), TOWN, LogEpoch::from_bytes([8; 16]));
            deliver(&mut rng, &mut ledger, &story.records);
            let state = state(&mut ledger, &story.documents);
            let verification = ledger
                .verifier()
                .expect("durable")
                .run(&mut |_, _| {})
                .expect("readable");
            assert_eq!(verification.faults, [], "round {round}, order {order}");
            if order == 0 {
                let all = state.standings.values().flat_map(BTreeMap::values);
                let (mut applied, mut refused, mut idle) = (0, 0, 0);
                for standing in all {
                    match standing {
                        Standing::Applied => applied += 1,
                        Standing::Refused(_) => refused += 1,
                        _ => idle += 1,
                    }
                }
                eprintln!("round {round}: {applied} applied, {refused} refused, {idle} blocked or waiting");
                assert!(applied > 10, "the story says something");
            }
            let first = first.get_or_insert_with(|| state.clone());
            let differences = differences(first, &state, &story);
            assert!(
                differences.is_empty(),
                "round {round}, order {order}:\n{differences}"
            );
        }
    }
}

/// What is not the same in two states, a line each.
fn differences(one: &State, other: &State, story: &Story) -> String {
    let mut lines = String::new();
    let trees = one.roots.differing(&other.roots);
    if !trees.is_empty() {
        let _ = writeln!(lines, "roots differ in {trees:?}");
    }
    for (key, standings) in &one.standings {
        let others = &other.standings[key];
        let ids: BTreeSet<_> = standings.keys().chain(others.keys()).collect();
        for id in ids.into_iter().filter(|id| standings.get(id) != others.get(id)) {
            let header = story.records.iter().find_map(|record| match record {
                Record::Update(update) if update.id() == *id => Some(update.header()),
                _ => None,
            });
            let place = header.map(|header| (header.author().short(), header.epoch(), header.seq()));
            let (a, b) = (standings.get(id), others.get(id));
            let _ = writeln!(lines, "{}, {place:?}: {a:?} and {b:?}", key.id);
        }
        if one.projections[key] != other.projections[key] {
            let (a, b) = (&one.projections[key], &other.projections[key]);
            let _ = writeln!(lines, "{}:\n{a}\n{b}", key.id);
        }
    }
    lines
}

#[test]
fn two_that_take_each_other_in_are_level() {
    let mut rng = seeded();
    for _ in 0..from_environment("ANJUAN_ROUNDS", 3) {
        let story = story(&mut rng, 60);
        let homes = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let [mut a, mut b] = homes
            .each_ref()
            .map(|home| open(home.path(), TOWN, LogEpoch::from_bytes(rng.random())).0);
        let mut halves = [Vec::new(), Vec::new()];
        for record in &story.records {
            // What comes before its certificate is refused for then, and not kept.
            let whose = match record {
                Record::Credential(_) => 2,
                _ => rng.random_range(0..4),
            };
            match whose {
                0 => halves[0].push(record.clone()),
                1 => halves[1].push(record.clone()),
                _ => halves.iter_mut().for_each(|half| half.push(record.clone())),
            }
        }
        deliver(&mut rng, &mut a, &halves[0]);
        deliver(&mut rng, &mut b, &halves[1]);
        pipe::level([&mut a, &mut b], &mut rng);
        let differences = differences(
            &state(&mut a, &story.documents),
            &state(&mut b, &story.documents),
            &story,
        );
        assert!(differences.is_empty(), "{differences}");
        let documents = |ledger: &Ledger| ledger.documents(Reach::Up).expect("readable");
        assert_eq!(documents(&a), documents(&b));
        let scope = a.scope().clone();
        assert!(
            a.status(&scope)
                .expect("readable")
                .roots
                .differing(&b.status(&scope).expect("readable").roots)
                .is_empty()
        );
    }
}
