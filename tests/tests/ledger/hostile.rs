//! What strangers and bad operators send: named, kept as evidence within bounds, and in nobody's way.

use std::sync::Arc;

use anjuan_node::authority::certificate::{CertificateKind, Certified};
use anjuan_node::document::Document;
use anjuan_node::ledger::{DocumentKey, Ledger, Outcome, Standing, check_on};
use anjuan_sync::replica::{Record, Replica as _};
use anjuan_sync::{LogEpoch, LogState, NetworkId, SignedHeader, SignedUpdate, Space, Timestamp};
use tempfile::TempDir;

use anjuan_tests::world::{
    Writer, certify, credential, key, message, open, public, registered, root, roots, sign, take,
};

const TOWN: &str = "450902001";
const VILLAGE: &str = "450902001001";

struct Scene {
    ledger: Ledger,
    zhang: Writer,
    case: DocumentKey,
    view: Document,
    home: TempDir,
}

fn operator(name: &str, unit: &str) -> Arc<Certified> {
    certify(&root(), CertificateKind::Operator, public(&key(name)), name, unit)
}

fn space(unit: &str) -> Space {
    Space::up(unit.parse().expect("a path"))
}

impl Scene {
    /// A ledger with one honest case in it.
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let (mut ledger, _) = open(home.path(), TOWN, LogEpoch::from_bytes([9; 16]));
        let certified = operator("zhang", VILLAGE);
        let mut zhang = Writer::new("zhang", &certified, 1, space("4509/02/001/001"));
        let (case, view, update) = zhang.create(&registered(1));
        take(&mut ledger, vec![credential(&certified), Record::Update(update)]);
        let mut scene = Self {
            ledger,
            zhang,
            case,
            view,
            home,
        };
        scene.goes_on();
        scene
    }

    fn next(&mut self) -> SignedUpdate {
        self.zhang.change(
            &self.case,
            &mut self.view,
            &message(self.zhang.head.map_or(0, |head| head.seq)),
        )
    }

    fn offer(&mut self, update: SignedUpdate) -> Outcome {
        take(&mut self.ledger, vec![Record::Update(update)])
            .outcomes
            .remove(0)
    }

    /// An honest update is stored, applied, and counts.
    fn goes_on(&mut self) {
        let update = self.next();
        let id = update.id();
        assert_eq!(self.offer(update), Outcome::Stored);
        let (_, told) = self.ledger.told(&self.case).expect("readable").expect("stored");
        let held = told.iter().find(|one| one.held.id == id).expect("listed");
        assert_eq!(held.held.standing, Standing::Applied);
    }

    /// Changes nothing, is kept as evidence or not, and is in nobody's way.
    fn turns_away(mut self, update: SignedUpdate, is: fn(&Outcome) -> bool, why: &str, evidence: u64) {
        let before = (roots(&self.ledger), self.ledger.counts());
        let outcome = self.offer(update);
        assert!(is(&outcome), "{outcome:?}");
        let (Outcome::Refused(reason) | Outcome::Forged(reason)) = &outcome else {
            panic!("{outcome:?} names no reason");
        };
        assert!(reason.contains(why), "{reason:?} does not say {why:?}");
        let after = (roots(&self.ledger), self.ledger.counts());
        assert_eq!(after.0, before.0, "nothing is stored");
        assert_eq!(after.1.evidence, before.1.evidence + evidence);
        self.goes_on();
        assert_eq!(
            self.ledger
                .verifier()
                .expect("durable")
                .run(&mut |_, _| {})
                .expect("readable")
                .faults,
            []
        );
    }
}

fn refused(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(_))
}

fn forged(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Forged(_))
}

/// Bytes that mean nothing; storing does not look at them.
const PAYLOAD: &[u8] = b"payload";

#[test]
fn of_another_network() {
    let scene = Scene::new();
    let mut raw = scene.zhang.header(scene.case.id, PAYLOAD);
    raw.network = NetworkId::from_bytes([7; 32]);
    let update = sign(raw, PAYLOAD.to_vec(), &scene.zhang.key);
    scene.turns_away(update, forged, "network", 1);
}

#[test]
fn under_the_certificate_of_another() {
    let scene = Scene::new();
    let mut thief = scene.zhang.clone();
    thief.key = key("thief");
    thief.head = None;
    let update = thief.sign(scene.case.id, PAYLOAD.to_vec());
    scene.turns_away(update, refused, "key", 1);
}

#[test]
fn outside_the_signers_unit() {
    let mut scene = Scene::new();
    let elsewhere = operator("li", "450902001002");
    take(&mut scene.ledger, vec![credential(&elsewhere)]);
    let mut li = Writer::new("li", &elsewhere, 2, space("4509/02/001/001"));
    let update = li.sign(scene.case.id, PAYLOAD.to_vec());
    scene.turns_away(update, refused, "cannot write in", 1);
}

#[test]
fn under_a_certificate_that_is_not_an_operators() {
    let mut scene = Scene::new();
    let authority = certify(
        &root(),
        CertificateKind::Authority,
        public(&key("li")),
        "li",
        TOWN,
    );
    take(&mut scene.ledger, vec![credential(&authority)]);
    let mut li = Writer::new("li", &authority, 2, space("4509/02/001/001"));
    let update = li.sign(scene.case.id, PAYLOAD.to_vec());
    scene.turns_away(update, refused, "operator", 1);
}

#[test]
fn under_an_unknown_certificate() {
    let mut scene = Scene::new();
    let certified = operator("li", TOWN);
    let mut li = Writer::new("li", &certified, 2, space("4509/02/001/001"));
    let update = li.sign(scene.case.id, PAYLOAD.to_vec());
    // Once it is known, the same update is taken.
    let before = scene.ledger.counts();
    let outcome = scene.offer(update.clone());
    assert!(
        matches!(&outcome, Outcome::Refused(reason) if reason.contains("not known here")),
        "{outcome:?}"
    );
    assert_eq!(scene.ledger.counts(), before, "it may be an honest one");
    take(&mut scene.ledger, vec![credential(&certified)]);
    assert_eq!(scene.offer(update), Outcome::Stored);
    scene.goes_on();
}

#[test]
fn outside_the_nodes_scope() {
    let mut scene = Scene::new();
    let certified = operator("li", "4509");
    take(&mut scene.ledger, vec![credential(&certified)]);
    let mut li = Writer::new("li", &certified, 2, space("4509/03"));
    let update = li.sign(scene.case.id, PAYLOAD.to_vec());
    scene.turns_away(update, refused, "not a space of this node", 0);
}

#[test]
fn a_forged_signature() {
    let mut scene = Scene::new();
    let update = scene.next();
    let mut signature = *update.signed_header().signature();
    signature[40] ^= 1;
    let header = SignedHeader::from_parts(&update.header().encode(), signature).expect("a header");
    let bent = SignedUpdate::from_parts(header, update.payload().to_vec()).expect("an update");
    let before = scene.ledger.counts().evidence;
    // Among honest ones, of which it spoils none.
    let others: Vec<_> = (0..3).map(|_| Record::Update(scene.next())).collect();
    let mut records = vec![Record::Update(bent), Record::Update(update)];
    records.extend(others);
    let outcomes = take(&mut scene.ledger, records).outcomes;
    assert!(forged(&outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[1..], [const { Outcome::Stored }; 4]);
    assert_eq!(scene.ledger.counts().evidence, before + 1);
    scene.goes_on();
}

#[test]
fn a_replay() {
    let mut scene = Scene::new();
    let update = scene.next();
    assert_eq!(scene.offer(update.clone()), Outcome::Stored);
    let before = (
        roots(&scene.ledger),
        scene.ledger.journal_end(),
        scene.ledger.counts(),
    );
    assert_eq!(scene.offer(update.clone()), Outcome::Known);
    let twice = vec![Record::Update(update.clone()), Record::Update(update.clone())];
    assert_eq!(
        take(&mut scene.ledger, twice).outcomes,
        [Outcome::Known, Outcome::Known]
    );
    assert_eq!(
        (
            roots(&scene.ledger),
            scene.ledger.journal_end(),
            scene.ledger.counts()
        ),
        before
    );
    // Another operator signs its payload as his own: stored in his log, and refused by the guard.
    let certified = operator("li", TOWN);
    let mut li = Writer::new("li", &certified, 2, scene.zhang.space.clone());
    let copied = li.sign(scene.case.id, update.payload().to_vec());
    let id = copied.id();
    take(
        &mut scene.ledger,
        vec![credential(&certified), Record::Update(copied)],
    );
    let (_, told) = scene.ledger.told(&scene.case).expect("readable").expect("stored");
    let standing = &told
        .iter()
        .find(|one| one.held.id == id)
        .expect("listed")
        .held
        .standing;
    assert!(matches!(standing, Standing::Refused(_)), "{standing:?}");
    scene.goes_on();
}

#[test]
fn what_another_signed_again_rules_nothing_out() {
    let mut scene = Scene::new();
    let (below, above) = (scene.next(), scene.next());
    let certified = operator("li", TOWN);
    let mut li = Writer::new("li", &certified, 2, scene.zhang.space.clone());
    let copied = li.sign(scene.case.id, below.payload().to_vec());
    // The copy comes first, then what builds on the original by somebody else, then the original.
    let wang = operator("wang", TOWN);
    let mut by_wang = Writer::new("wang", &wang, 3, scene.zhang.space.clone());
    let mut view = scene.view.clone();
    let on_top = by_wang.change(&scene.case, &mut view, &message(77));
    let id = on_top.id();
    take(&mut scene.ledger, vec![credential(&certified), credential(&wang)]);
    for update in [copied, on_top, below, above] {
        assert_eq!(scene.offer(update), Outcome::Stored);
    }
    let (_, told) = scene.ledger.told(&scene.case).expect("readable").expect("stored");
    let standing = &told
        .iter()
        .find(|one| one.held.id == id)
        .expect("listed")
        .held
        .standing;
    assert_eq!(*standing, Standing::Applied);
}

#[test]
fn a_fork() {
    let mut scene = Scene::new();
    let certified = operator("li", TOWN);
    let mut li = Writer::new("li", &certified, 2, scene.zhang.space.clone());
    take(&mut scene.ledger, vec![credential(&certified)]);
    let mut view = scene.view.clone();
    let first = li.change(&scene.case, &mut view, &message(1));
    let mut twin = li.clone();
    let mut other_view = view.clone();
    let second = li.change(&scene.case, &mut view, &message(2));
    let other = twin.change(&scene.case, &mut other_view, &message(3));
    let past = twin.change(&scene.case, &mut other_view, &message(4));
    for update in [&first, &second] {
        assert_eq!(scene.offer(update.clone()), Outcome::Stored);
    }
    assert_eq!(scene.offer(other.clone()), Outcome::Stored, "as evidence");
    let log = first.header().log();
    let state = scene.ledger.log_state(&log).expect("readable");
    assert!(
        matches!(state, Some(LogState::Forked { seq: 2, .. })),
        "{state:?}"
    );
    let outcome = scene.offer(past);
    assert!(
        matches!(&outcome, Outcome::Refused(reason) if reason.contains("forked at 2")),
        "{outcome:?}"
    );
    let (_, told) = scene.ledger.told(&scene.case).expect("readable").expect("stored");
    let standing = |update: &SignedUpdate| {
        let one = told.iter().find(|one| one.held.id == update.id());
        one.map(|one| one.held.standing.clone())
    };
    assert_eq!(
        standing(&first),
        Some(Standing::Applied),
        "what was before goes on counting"
    );
    assert_eq!(standing(&second), Some(Standing::Forked));
    scene.goes_on();
}

#[test]
fn evidence_is_bounded_also_over_restarts() {
    let mut scene = Scene::new();
    let mut raw = scene.zhang.header(scene.case.id, PAYLOAD);
    raw.network = NetworkId::from_bytes([7; 32]);
    let mut sent = 0_i64;
    for _ in 0..3 {
        let records = (0..500)
            .map(|_| {
                sent += 1;
                let mut raw = raw.clone();
                raw.recorded_at = Timestamp::from_millis(1_700_000_000_000 + sent);
                Record::Update(sign(raw, PAYLOAD.to_vec(), &scene.zhang.key))
            })
            .collect();
        assert!(take(&mut scene.ledger, records).outcomes.iter().all(forged));
        drop(scene.ledger);
        scene.ledger = open(scene.home.path(), TOWN, LogEpoch::from_bytes([9; 16])).0;
    }
    assert_eq!(scene.ledger.counts().evidence, 1_000);
    scene.goes_on();
}

#[test]
fn the_forged_one_is_named_however_many_threads_check() {
    let mut scene = Scene::new();
    let mut updates: Vec<_> = (0..600).map(|_| scene.next()).collect();
    for at in [0, 250, 599] {
        let signed = updates[at].signed_header();
        let mut signature = *signed.signature();
        signature[1] ^= 1;
        let header = SignedHeader::from_parts(&signed.header().encode(), signature).expect("well formed");
        updates[at] = SignedUpdate::from_parts(header, updates[at].payload().to_vec()).expect("its payload");
    }
    for threads in [0, 1, 3, 64] {
        let records = updates.iter().cloned().map(Record::Update).collect();
        let checked = check_on(threads, records, &mut rand::rng());
        let (taken, durable) = scene.ledger.take(checked).expect("the disk holds");
        durable.wait().expect("durable");
        let bad: Vec<_> = (0..600).filter(|at| forged(&taken.outcomes[*at])).collect();
        assert_eq!(bad, [0, 250, 599], "{threads} threads");
    }
}
