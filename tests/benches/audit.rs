//! What verifying an audit bundle costs, against the least that its work can cost, in the same run.
//!
//! A bundle of N cases of 12 updates (100, or `--cases N`), all headers and payloads, one checkpoint with two
//! cosignatures; no header carries a foreign checkpoint. Against the signatures of its updates in batches, and
//! replaying and folding its documents by the guard, nothing else. Aim: at most 1.5 times as much.
//!
//! Once more from a file, in a process of its own that does nothing else: the most memory it had. Aim: at most
//! 500 MB.

use std::collections::BTreeMap;
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

use anjuan_node::audit::{Auditor, Policy, Verdict, verify};
use anjuan_node::document::{Document, Expected, actor, change_hash};
use anjuan_node::kind::positions::Positions;
use anjuan_node::kind::{Entry, History};
use anjuan_sync::verify::verify_all;
use anjuan_sync::{DocumentId, SignedUpdate};
use anjuan_tests::bench::{cpu_seconds, peak_memory};
use anjuan_tests::bundle::{Scene, audit, hour};
use anjuan_tests::world::{accepted, message, registered, root};

const LENGTH: u64 = 12;
const TURNS: usize = 5;
const ALONE: &str = "--alone";

/// The guard and the fold of one case, written by one person one after the other.
fn fold(scene: &Scene, updates: &[SignedUpdate]) {
    let mut document: Option<Document> = None;
    let mut own_last = None;
    for update in updates {
        let header = update.header();
        let (author, epoch, id) = (header.author(), header.epoch(), header.document());
        let expected = Expected {
            space: header.space(),
            author: &author,
            epoch: &epoch,
            document: &id,
            own_last,
        };
        own_last = Some(change_hash(update.payload()));
        match &mut document {
            Some(document) => drop(document.admit(update.payload(), &expected).expect("fits")),
            None => document = Some(Document::open(update.payload(), &expected).expect("opens").0),
        }
    }
    let document = document.expect("some updates");
    assert!(document.last_of(&actor(&updates[0].author(), &updates[0].header().epoch())) == own_last);
    let signer = std::sync::Arc::new(scene.zhang.certified.signer().expect("an operator"));
    let entries = document.entries().iter().zip(updates).enumerate();
    let history = History {
        space: updates[0].header().space().clone(),
        document: updates[0].header().document(),
        entries: entries
            .map(|(at, (extracted, update))| Entry {
                update: update.id(),
                signer: signer.clone(),
                recorded_at: update.header().recorded_at(),
                past: Positions::all(at),
                quarantined: None,
                content: extracted.content.clone(),
            })
            .collect(),
    };
    black_box(anjuan_node::kind::kind("case").expect("known").fold(&history));
}

/// The process that verifies a file and tells its peak, in bytes.
fn verify_alone(file: &str) {
    let input = File::open(file).expect("the bundle");
    let (root, policy) = (root(), Policy::default());
    let auditor = Auditor {
        root: &root,
        policy: &policy,
        kept: &[],
        as_of: None,
        particulars: false,
    };
    let mut told = 0_u64;
    let report = verify(input, &auditor, &mut rand::rng(), &mut |_| told += 1).expect("a bundle");
    assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.findings);
    line(&format!("{} {told}", peak_memory()));
}

/// The peak of such a process, in bytes, and how often it told how far it is.
fn peak_of(bundle: &[u8]) -> (u64, u64) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bundle).expect("written");
    let program = std::env::current_exe().expect("this program");
    let told = Command::new(program).arg(ALONE).arg(file.path()).output();
    let told = told.expect("it ran");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told = String::from_utf8(told.stdout).expect("text");
    let mut numbers = told
        .split_whitespace()
        .map(|number| number.parse().expect("a number"));
    (numbers.next().expect("bytes"), numbers.next().expect("times"))
}

fn line(text: &str) {
    writeln!(std::io::stdout(), "{text}").expect("standard output");
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == ALONE) {
        return verify_alone(&args[at + 1]);
    }
    let cases = args.iter().position(|arg| arg == "--cases");
    let cases: u64 = cases.map_or(100, |at| args[at + 1].parse().expect("a number"));
    let mut scene = Scene::new();
    let mut updates = Vec::new();
    for n in 0..cases {
        let (key, mut document, update) = scene.zhang.create(&registered(n));
        updates.push(update);
        updates.push(scene.zhang.change(&key, &mut document, &accepted()));
        for m in 2..LENGTH {
            updates.push(scene.zhang.change(&key, &mut document, &message(m)));
        }
    }
    updates.iter().for_each(|update| scene.records.update(update));
    scene.checkpoint(hour(1));
    let bundle = scene.bundle();
    let mut by_case: BTreeMap<DocumentId, Vec<SignedUpdate>> = BTreeMap::new();
    for update in &updates {
        by_case
            .entry(update.header().document())
            .or_default()
            .push(update.clone());
    }
    let mut figures = [const { Vec::new() }; 3];
    let mut measure = |at: usize, work: &mut dyn FnMut()| {
        let (begun, spent) = (Instant::now(), cpu_seconds());
        work();
        figures[at].push([begun.elapsed().as_secs_f64(), cpu_seconds() - spent]);
    };
    for _ in 0..TURNS {
        let mut copies = updates.clone();
        measure(0, &mut || {
            let verdicts = verify_all(std::mem::take(&mut copies), &mut rand::rng());
            assert!(verdicts.iter().all(Result::is_ok));
        });
        measure(1, &mut || by_case.values().for_each(|case| fold(&scene, case)));
        measure(2, &mut || {
            let report = audit(&bundle, &Policy::default(), &[]);
            assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.findings);
            assert_eq!(report.figures.documents, cases);
        });
    }
    line(&format!(
        "audit bundle of {cases} cases, {} updates, {} bytes; µs for one update, median of {TURNS}",
        updates.len(),
        bundle.len()
    ));
    // CPU says the same on a machine that others use, in steps of 10 ms.
    for (clock, name) in ["wall", "CPU"].into_iter().enumerate() {
        let [signatures, folds, verified] = figures.each_ref().map(|turns| {
            let mut seconds: Vec<_> = turns.iter().map(|turn| turn[clock]).collect();
            seconds.sort_by(f64::total_cmp);
            seconds[seconds.len() / 2] * 1e6 / (cases * LENGTH) as f64
        });
        line(&format!(
            "  {name:<4}  signatures in batches {signatures:>7.1}   guard and fold {folds:>7.1}   audit verify {verified:>7.1}   ratio {:.2} (aim 1.50)",
            verified / (signatures + folds)
        ));
    }
    let (peak, told) = peak_of(&bundle);
    line(&format!(
        "  peak memory {:.1} MB (aim 500.0), progress told {told} times",
        peak as f64 / 1e6
    ));
}
