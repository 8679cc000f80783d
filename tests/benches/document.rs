//! What a document costs, part by part, in microseconds; the best of several runs.
//!
//! A case of 20 updates by two authors, each building on all before it, as they come from a peer. What
//! Automerge takes for the same changes alone stands beside it, in the same run.

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use anjuan_node::authority::certificate::CertificateKind;
use anjuan_node::document::{Document, Expected, actor, change_hash};
use anjuan_sync::{AuthorKey, DocumentId, LogEpoch, SignedUpdate, Space};
use anjuan_tests::world::{
    Writer, accepted, assigned, certify, content, key, message, public, registered, root, verified,
};
use automerge::{Automerge, Change, ChangeHash};

const VILLAGE: &str = "450902001001";
const LENGTH: usize = 20;

/// Microseconds for one `work`, the best of `runs` runs of a few: short ones, so that on a machine that
/// others use too some are not interrupted.
fn microseconds<T>(runs: usize, mut work: impl FnMut() -> T) -> f64 {
    const TIMES: u32 = 10;
    let best = (0..runs)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..TIMES {
                black_box(work());
            }
            began.elapsed()
        })
        .min()
        .unwrap_or_default();
    best.as_secs_f64() * 1e6 / f64::from(TIMES)
}

/// What a document is handed of a signed update.
struct Update {
    payload: Vec<u8>,
    space: Space,
    author: AuthorKey,
    epoch: LogEpoch,
    document: DocumentId,
    own_last: Option<ChangeHash>,
}

impl Update {
    fn new(signed: &SignedUpdate, own_last: Option<ChangeHash>) -> Self {
        let header = signed.header();
        Self {
            payload: signed.payload().to_vec(),
            space: header.space().clone(),
            author: header.author(),
            epoch: header.epoch(),
            document: header.document(),
            own_last,
        }
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            space: &self.space,
            author: &self.author,
            epoch: &self.epoch,
            document: &self.document,
            own_last: self.own_last,
        }
    }

    fn change(&self) -> Change {
        Change::from_bytes(self.payload.clone()).expect("a change")
    }
}

fn case() -> Vec<Update> {
    let space = Space::up("4509/02/001/001".parse().expect("a path"));
    let mut writers = ["zhang", "li"].map(|name| {
        let public = public(&key(name));
        let certified = certify(&root(), CertificateKind::Operator, public, name, VILLAGE);
        Writer::new(name, &certified, 1, space.clone())
    });
    let (id, mut document, first) = writers[0].create(&registered(1));
    let mut updates = vec![Update::new(&first, None)];
    for n in 1..LENGTH {
        let event = match n % 5 {
            1 => accepted(),
            2 => assigned(writers[1].author()),
            3 => verified(n as u64),
            _ => message(n as u64),
        };
        let writer = &mut writers[n % 2];
        let own_last = document.last_of(&actor(&writer.author(), &writer.epoch));
        updates.push(Update::new(&writer.change(&id, &mut document, &event), own_last));
    }
    updates
}

/// The document of these updates.
fn build(updates: &[Update]) -> Document {
    let (mut document, _) = Document::open(&updates[0].payload, &updates[0].expected()).expect("honest");
    for update in &updates[1..] {
        let admitted = document.admit(&update.payload, &update.expected());
        black_box(admitted.expect("honest"));
    }
    document
}

/// For each update, to admit it and to merge after each `every` of them.
fn merge(runs: usize, updates: &[Update], every: usize) -> f64 {
    let all = microseconds(runs, || {
        let mut document = build(&updates[..1]);
        for (update, count) in updates[1..].iter().zip(2..) {
            let admitted = document.admit(&update.payload, &update.expected());
            black_box(admitted.expect("honest"));
            if count % every == 0 {
                black_box(document.merge().expect("applicable"));
            }
        }
        document
    });
    all / updates.len() as f64
}

fn automerge(changes: &[Change], batch: bool) -> Automerge {
    let mut automerge = Automerge::new();
    if batch {
        automerge.apply_changes(changes.to_vec()).expect("applies");
    } else {
        for change in changes {
            automerge.apply_changes([change.clone()]).expect("applies");
        }
    }
    automerge
}

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let runs = if std::env::args().any(|argument| argument == "--bench") {
        500
    } else {
        1
    };
    let mut out = std::io::stdout().lock();
    let mut line = |what: &str, took: f64| writeln!(out, "{what:<58}{took:>9.1}").expect("printed");
    let updates = case();
    let document = build(&updates);
    let bytes: usize = updates.iter().map(|update| update.payload.len()).sum();
    let changes: Vec<_> = updates.iter().map(Update::change).collect();
    let last = &updates[LENGTH - 1];
    let writer = actor(&last.author, &last.epoch);
    let said = content(&message(99));

    line("bytes of a change, mean", bytes as f64 / LENGTH as f64);
    line("its hash", microseconds(runs, || change_hash(&last.payload)));
    let admit = microseconds(runs, || build(&updates)) / LENGTH as f64;
    line("admit, mean of 20 into a new document", admit);
    line(
        "make a change on 20",
        microseconds(runs, || document.change(&writer, &said)),
    );
    line("merge 20 one by one, for each", merge(runs, &updates, 1) - admit);
    for batch in [12, LENGTH] {
        let took = merge(runs, &updates[..batch], batch) - admit;
        line(&format!("merge {batch} at once, for each"), took);
    }
    line("clone", microseconds(runs, || document.clone()));
    let payloads: Vec<Arc<[u8]>> = updates.iter().map(|one| one.payload.clone().into()).collect();
    let reread = || Document::reread(payloads.iter().cloned()).expect("applied");
    line("read 20 again", microseconds(runs, reread));
    let merged = microseconds(runs, || reread().merge().map(drop));
    line("read 20 again and merge", merged);

    line("Automerge: parse a change", microseconds(runs, || last.change()));
    line(
        "Automerge: a change to bytes, composed anew",
        microseconds(runs, || Change::from(changes[LENGTH - 1].decode())),
    );
    for length in [12, LENGTH] {
        for (what, batch) in [("one by one", false), ("at once", true)] {
            let took = microseconds(runs, || automerge(&changes[..length], batch));
            line(
                &format!("Automerge: apply {length} {what}, for each"),
                took / length as f64,
            );
        }
    }
    let merged = automerge(&changes, true);
    let file = merged.save();
    line("Automerge: save 20", microseconds(runs, || merged.save()));
    line("  bytes", file.len() as f64);
    line(
        "Automerge: load 20",
        microseconds(runs, || Automerge::load(&file).expect("saved")),
    );
}
