//! What the ledger costs, against the least that its work can cost, in the same run.
//!
//! **Admission**: cases of 20 updates, each taken in as it comes from a peer, one `Ledger::take` for one
//! update, not waiting for the disk. Against the strict check of the signature and applying the change to
//! an Automerge document, nothing else. Aim: at most 1.6 times as much. What the parts take follows.
//!
//! **Catching up**: pages of 256 updates of many cases, interleaved, each waited for until it is durable.
//! Against the signatures in batches of 256, a hash, and the bytes appended with `fdatasync` every 1,000.
//! Aim: at most 3 times as much.
//!
//! **Durable commits**: 16 threads record a message through `Ledger::record`, wait until it is durable, and
//! record the next. Against 16 threads that append as many bytes to a file and wait for `fdatasync`:
//! *each* for itself, and *grouped*, as [`anjuan_tests::disk`] says. Aim: 0.8 of the better one.
//!
//! **Checkpoints and witnesses**: the same commits, alone, and while each second a checkpoint is signed and
//! two witnesses, whose work is done on this machine as well, check and cosign it. Aim: at most 10 % slower.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anjuan_node::authority::certificate::CertificateKind;
use anjuan_node::document::{Document, Expected, actor, change_hash};
use anjuan_node::evidence::merkle::TreeHead;
use anjuan_node::evidence::name::NodeName;
use anjuan_node::evidence::witness::{Outcome, Witness};
use anjuan_node::files::Disk;
use anjuan_node::ledger::{DocumentKey, Draft, Ledger, check};
use anjuan_node::notary::Notary;
use anjuan_sync::replica::Record;
use anjuan_sync::update::MAX_BRACKET;
use anjuan_sync::{LogEpoch, SignedUpdate, Space};
use anjuan_tests::disk::{commits_per_second, median, raw_each, raw_grouped};
use anjuan_tests::world::{
    NOW, Writer, certify, content, credential, key, message, open, public, registered, root, take,
};
use automerge::{Automerge, Change};
use ed25519_dalek::SigningKey;

const VILLAGE: &str = "450902001001";
const LENGTH: u64 = 20;
const THREADS: usize = 16;
/// Updates of a case in a catch-up, cases worked on at a time, updates of a page, updates between syncs.
const CASE: u64 = 12;
const OPEN: usize = 64;
const BATCH: usize = 256;
const SYNCED: usize = 1_000;
const TURN: Duration = Duration::from_millis(600);
const SECOND: Duration = Duration::from_secs(1);

/// Size of a run.
struct Size {
    cases: u64,
    turns: usize,
    /// Of a turn with checkpoints.
    seconds: u32,
}

fn space() -> Space {
    Space::up("4509/02/001/001".parse().expect("a path"))
}

/// Not in the system's temporary folder, which may be in memory.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

fn ledger(home: &Path) -> (Ledger, Writer) {
    let (mut ledger, _) = open(home, VILLAGE, LogEpoch::from_bytes([9; 16]));
    let zhang = certify(
        &root(),
        CertificateKind::Operator,
        public(&key("zhang")),
        "zhang",
        VILLAGE,
    );
    take(&mut ledger, vec![credential(&zhang)]);
    (ledger, Writer::new("zhang", &zhang, 1, space()))
}

/// Microseconds for one of `count`.
fn timed(count: u64, work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64() * 1e6 / count as f64
}

fn write(writer: &mut Writer, cases: u64) -> Vec<Vec<SignedUpdate>> {
    (0..cases)
        .map(|case| {
            let (key, mut document, update) = writer.create(&registered(case));
            let mut updates = vec![update];
            updates.extend((1..LENGTH).map(|n| writer.change(&key, &mut document, &message(n))));
            updates
        })
        .collect()
}

/// The signature and Automerge alone.
fn least(updates: &[SignedUpdate]) {
    let mut document = Automerge::new();
    for update in updates {
        let verified = update.clone().verify().expect("signed");
        let change = Change::from_bytes(verified.get().payload().to_vec()).expect("a change");
        document.apply_changes([change]).expect("applies");
    }
    black_box(document);
}

fn guarded(updates: &[SignedUpdate]) {
    let mut document: Option<Document> = None;
    let mut own_last = None;
    for update in updates {
        let header = update.header();
        let (space, author, epoch, id) = (header.space(), header.author(), header.epoch(), header.document());
        let expected = Expected {
            space,
            author: &author,
            epoch: &epoch,
            document: &id,
            own_last,
        };
        own_last = Some(change_hash(update.payload()));
        match &mut document {
            Some(document) => drop(black_box(document.admit(update.payload(), &expected)).expect("admitted")),
            None => document = Some(Document::open(update.payload(), &expected).expect("opened").0),
        }
    }
    assert!(document.is_some_and(|document| document.last_of(&actor(
        &updates[0].header().author(),
        &updates[0].header().epoch()
    )) == own_last));
}

fn admission(size: &Size, line: &mut dyn FnMut(String)) {
    let mut figures = [const { Vec::new() }; 4];
    let mut durable = 0;
    for _ in 0..size.turns {
        let home = folder();
        let (mut ledger, mut writer) = ledger(home.path());
        let cases = write(&mut writer, size.cases);
        let count = size.cases * LENGTH;
        let before = ledger.counts().updates;
        let mut rng = rand::rng();
        let parts = [
            timed(count, || cases.iter().for_each(|case| least(case))),
            timed(count, || {
                for update in cases.iter().flatten() {
                    let (taken, _) = ledger
                        .take(check(vec![Record::Update(update.clone())], &mut rng))
                        .expect("taken");
                    black_box(taken);
                }
                // The case store is written behind; that it is written belongs to the work.
                ledger.flush().expect("written");
            }),
            timed(count, || {
                for update in cases.iter().flatten() {
                    black_box(update.clone().verify().expect("signed"));
                }
            }),
            timed(count, || cases.iter().for_each(|case| guarded(case))),
        ];
        ledger.barrier().expect("taken").wait().expect("durable");
        durable += ledger.counts().updates - before;
        for (figures, part) in figures.iter_mut().zip(parts) {
            figures.push(part);
        }
    }
    assert_eq!(durable, size.cases * LENGTH * size.turns as u64);
    let [least, admitted, verify, guarded] = figures.map(median);
    line(format!("admission of one update, µs, median of {}", size.turns));
    line(format!("  signature and Automerge alone  {least:>8.1}"));
    line(format!(
        "  Ledger::take                   {admitted:>8.1}   ratio {:.2} (aim 1.60)",
        admitted / least
    ));
    line(format!("    of it: signature             {verify:>8.1}"));
    line(format!("           guard                 {guarded:>8.1}"));
    line(format!(
        "           the rest              {:>8.1}",
        admitted - verify - guarded
    ));
}

/// Updates of many cases, interleaved as a year's work is, each after what it builds on.
fn interleaved(writer: &mut Writer, cases: u64) -> Vec<SignedUpdate> {
    let mut open: VecDeque<(DocumentKey, Document, u64)> = VecDeque::new();
    let mut updates = Vec::new();
    let mut begun = 0;
    while begun < cases || !open.is_empty() {
        if begun < cases {
            let (key, document, update) = writer.create(&registered(begun));
            updates.push(update);
            open.push_back((key, document, 1));
            begun += 1;
        }
        for _ in 0..OPEN.min(open.len()) / 4 + 1 {
            let Some((key, mut document, n)) = open.pop_front() else {
                continue;
            };
            updates.push(writer.change(&key, &mut document, &message(n)));
            if n + 1 < CASE {
                open.push_back((key, document, n + 1));
            }
        }
    }
    updates
}

/// What a replica that catches up can't do without: the signatures in batches, a hash, the disk.
fn floor(folder: &Path, updates: &[SignedUpdate]) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("floor"))
        .expect("made");
    for page in updates.chunks(SYNCED) {
        for batch in page.chunks(BATCH) {
            let signatures: Vec<_> = batch
                .iter()
                .map(|update| ed25519_dalek::Signature::from_bytes(update.signed_header().signature()))
                .collect();
            let messages: Vec<_> = batch
                .iter()
                .map(|update| update.signed_header().signing_input())
                .collect();
            let messages: Vec<_> = messages.iter().map(Vec::as_slice).collect();
            let keys: Vec<_> = batch
                .iter()
                .map(|update| {
                    ed25519_dalek::VerifyingKey::from_bytes(update.header().author().as_bytes())
                        .expect("a key")
                })
                .collect();
            ed25519_dalek::verify_batch(&messages, &signatures, &keys).expect("signed");
        }
        for update in page {
            let bytes = update.encode();
            black_box(anjuan_sync::update::payload_hash(update.payload()));
            file.write_all(&bytes).expect("written");
        }
        file.sync_data().expect("synced");
    }
}

/// Catching up: pages of updates, against the [`floor`].
fn catch_up(size: &Size, line: &mut dyn FnMut(String)) {
    let mut figures = [const { Vec::new() }; 2];
    for _ in 0..size.turns {
        let home = folder();
        let (mut ledger, mut writer) = ledger(home.path());
        let updates = interleaved(&mut writer, size.cases * 10);
        let count = updates.len() as u64;
        let mut rng = rand::rng();
        figures[0].push(timed(count, || floor(home.path(), &updates)));
        figures[1].push(timed(count, || {
            for page in updates.chunks(BATCH) {
                let records = page.iter().cloned().map(Record::Update).collect();
                let (taken, durable) = ledger.take(check(records, &mut rng)).expect("taken");
                durable.wait().expect("durable");
                ledger.settle_sealed(&taken.touched).expect("settled");
            }
            ledger.flush().expect("written");
        }));
        assert_eq!(ledger.counts().updates, count);
    }
    let [floor, taken] = figures.map(median);
    line(format!(
        "catching up, µs for one update in pages of {BATCH}, median of {}",
        size.turns
    ));
    line(format!("  signatures in batches, disk    {floor:>8.1}"));
    line(format!(
        "  check, Ledger::take, settle    {taken:>8.1}   ratio {:.2} (aim 3.00)",
        taken / floor
    ));
}

/// The case a thread writes to, and how much it has written there.
type Open = Mutex<(Option<DocumentKey>, u64)>;

fn recorded(home: &Path) -> f64 {
    let (ledger, writer) = ledger(home);
    recorded_in(&Mutex::new(ledger), &writer, TURN)
}

fn recorded_in(ledger: &Mutex<Ledger>, writer: &Writer, turn: Duration) -> f64 {
    let open: Vec<Open> = (0..THREADS).map(|_| Open::default()).collect();
    let begun = AtomicU64::new(0);
    let fresh = LogEpoch::from_bytes([3; 16]);
    commits_per_second(THREADS, turn, |thread| {
        let mut mine = open[thread].lock().expect("its own");
        if mine.1 == LENGTH {
            *mine = (None, 0);
        }
        let event = match &mine.0 {
            Some(_) => message(mine.1),
            // Another one each time: the same words by the same author would be the same document.
            None => registered(begun.fetch_add(1, Ordering::Relaxed)),
        };
        let draft = Draft {
            kind: "case".into(),
            space: space(),
            document: mine.0.clone(),
            content: content(&event),
        };
        let (recorded, durable) = ledger
            .lock()
            .expect("not poisoned")
            .record(
                &draft,
                writer.certified.id(),
                &writer.key,
                NOW,
                fresh,
                |_, _, _| Ok(()),
            )
            .expect("recorded");
        durable.wait().expect("durable");
        *mine = (Some(recorded.document), mine.1 + 1);
    })
}

/// A node with its notary, and two that cosign what it signs.
struct Witnessed {
    notary: Notary,
    name: NodeName,
    witnesses: Vec<(NodeName, SigningKey, Witness)>,
    last: TreeHead,
}

impl Witnessed {
    fn new(home: &Path, ledger: &Ledger) -> Self {
        let named = |who: &str, unit: &str| {
            let key = key(who);
            let unit = unit.parse().expect("a unit code");
            (NodeName::new(ledger.network(), unit, &key.verifying_key()), key)
        };
        let (name, own) = named("node", VILLAGE);
        let notary = Notary::open(
            Arc::new(Disk),
            &home.join("evidence"),
            name.clone(),
            own.verifying_key(),
            ledger.journal(),
        );
        let witnesses = [("town", "450902001"), ("county", "450902")].map(|(who, unit)| {
            let (name, key) = named(who, unit);
            let witness = Witness::open(Arc::new(Disk), &home.join(who)).expect("opened");
            (name, key, witness)
        });
        Self {
            notary: notary.expect("opened"),
            name,
            witnesses: witnesses.into(),
            last: TreeHead::empty(),
        }
    }

    /// Signs what is synced by now, and has it cosigned by both.
    fn checkpoint(&mut self) {
        let epoch = LogEpoch::from_bytes([9; 16]);
        if !self.notary.sign(epoch, &key("node")).expect("signed") {
            return;
        }
        let newest = self.notary.newest().expect("just signed").clone();
        assert_eq!(newest.origin().node(), &self.name);
        let head = *newest.head();
        let proof = self.notary.log().prove_consistency(self.last.size, head.size);
        let proof = proof.expect("proven");
        for (name, key, witness) in &mut self.witnesses {
            let outcome = witness.cosign(&newest, self.last.size, &proof, NOW, name, key);
            assert!(matches!(outcome, Ok(Outcome::Cosigned(_))), "{outcome:?}");
        }
        self.last = head;
    }
}

/// Commits a second while a checkpoint is signed and cosigned each second; and how many were covered.
fn witnessed(home: &Path, turn: Duration) -> (f64, u64) {
    let (mut ledger, writer) = ledger(home);
    let mut witnessed = Witnessed::new(home, &ledger);
    // As long as headers can carry: what is named once an hour.
    ledger.set_bracket(Some(&[b'x'; MAX_BRACKET]));
    let ledger = Mutex::new(ledger);
    let stop = AtomicBool::new(false);
    let commits = std::thread::scope(|scope| {
        let signing = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                witnessed.checkpoint();
                std::thread::park_timeout(SECOND);
            }
            witnessed.checkpoint();
        });
        let commits = recorded_in(&ledger, &writer, turn);
        stop.store(true, Ordering::Relaxed);
        signing.thread().unpark();
        signing.join().expect("it signs");
        commits
    });
    assert_eq!(
        witnessed.last.size,
        ledger.lock().expect("not poisoned").journal_end(),
        "everything is covered"
    );
    (commits, witnessed.last.size)
}

fn witnesses(size: &Size, line: &mut dyn FnMut(String)) {
    let turn = SECOND * size.seconds;
    let (mut alone, mut on, mut covered) = (Vec::new(), Vec::new(), 0);
    for _ in 0..size.turns {
        let folders = [folder(), folder()];
        let (ledger, writer) = ledger(folders[0].path());
        alone.push(recorded_in(&Mutex::new(ledger), &writer, turn));
        let (commits, records) = witnessed(folders[1].path(), turn);
        on.push(commits);
        covered += records;
    }
    let pairs = alone.iter().zip(&on).map(|(alone, on)| 1.0 - on / alone);
    let overhead = median(pairs.collect());
    let (alone, on) = (median(alone), median(on));
    line(format!(
        "commits a second, {THREADS} threads, turns of {} s, median of {}; {covered} records in checkpoints",
        size.seconds, size.turns
    ));
    line(format!("  alone                          {alone:>8.0}"));
    line(format!(
        "  a checkpoint each second, cosigned by two {on:>8.0}   slower by {:.1} % (aim 10 %)",
        overhead * 100.0
    ));
}

/// What `Ledger::record` takes alone, not waiting for the disk: no more commits than that leaves room for.
fn recording(home: &Path, cases: u64) -> f64 {
    let (mut ledger, writer) = ledger(home);
    let fresh = LogEpoch::from_bytes([3; 16]);
    timed(cases * LENGTH, || {
        for case in 0..cases {
            let mut document = None;
            for n in 0..LENGTH {
                let event = if n == 0 { registered(case) } else { message(n) };
                let draft = Draft {
                    kind: "case".into(),
                    space: space(),
                    document: document.clone(),
                    content: content(&event),
                };
                let (recorded, _) = ledger
                    .record(
                        &draft,
                        writer.certified.id(),
                        &writer.key,
                        NOW,
                        fresh,
                        |_, _, _| Ok(()),
                    )
                    .expect("recorded");
                document = Some(recorded.document);
            }
        }
    })
}

fn commits(size: &Size, line: &mut dyn FnMut(String)) {
    let home = folder();
    let (_, mut writer) = ledger(home.path());
    let some = write(&mut writer, 1);
    let length = some[0].iter().map(|update| update.encode().len()).sum::<usize>() / LENGTH as usize;
    let bytes = vec![0x5a; length];
    let mut figures = [const { Vec::new() }; 3];
    for _ in 0..size.turns {
        let folder = folder();
        fs::create_dir_all(folder.path()).expect("made");
        figures[0].push(recorded(folder.path()));
        figures[1].push(raw_each(folder.path(), THREADS, TURN, &bytes));
        figures[2].push(raw_grouped(folder.path(), THREADS, TURN, &bytes));
    }
    let [recorded, each, grouped] = figures.map(median);
    let alone = recording(folder().path(), size.cases);
    line(format!(
        "durable commits a second, {THREADS} threads, {length} bytes each, median of {}",
        size.turns
    ));
    line(format!("  raw, each for itself           {each:>8.0}"));
    line(format!("  raw, grouped                   {grouped:>8.0}"));
    line(format!(
        "  Ledger::record                 {recorded:>8.0}   ratio {:.2} (aim 0.80)",
        recorded / each.max(grouped)
    ));
    line(format!(
        "  Ledger::record alone takes     {alone:>8.1} µs: at most {:.0} a second",
        1e6 / alone
    ));
}

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let size = if std::env::args().any(|argument| argument == "--bench") {
        Size {
            cases: 50,
            turns: 5,
            seconds: 4,
        }
    } else {
        Size {
            cases: 2,
            turns: 1,
            seconds: 1,
        }
    };
    let mut out = std::io::stdout().lock();
    let mut line = |text: String| writeln!(out, "{text}").expect("printed");
    // Names of parts choose them; none, all.
    let named: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let is_chosen = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    if is_chosen("admission") {
        admission(&size, &mut line);
    }
    if is_chosen("catch-up") {
        catch_up(&size, &mut line);
    }
    if is_chosen("commits") {
        commits(&size, &mut line);
    }
    if is_chosen("witnesses") {
        witnesses(&size, &mut line);
    }
}
