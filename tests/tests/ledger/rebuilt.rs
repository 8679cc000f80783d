//! What can be rebuilt is, and a store that is a copy, or old, forks nothing.

use std::path::Path as FilePath;

use anjuan_node::authority::certificate::{CertificateKind, Certified};
use anjuan_node::ledger::{DocumentKey, Draft, Durable, Ledger, RecordError, Recorded, Standing};
use anjuan_node::store::{Batch, CaseStore, Opened as StoreOpened, Table};
use anjuan_sync::replica::{Record, Replica as _};
use anjuan_sync::{LogEpoch, LogId, LogState, Space};
use serde_json::Value;
use std::sync::Arc;

use crate::convergence::{deliver, state, story};
use crate::{pipe, seeded};
use anjuan_tests::world::{
    NOW, certify, content, credential, key, message, open, public, registered, root, roots, sign, take,
};

const VILLAGE: &str = "450902001001";

fn copy(from: &FilePath, to: &FilePath) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn epoch(byte: u8) -> LogEpoch {
    LogEpoch::from_bytes([byte; 16])
}

fn space() -> Space {
    Space::up("4509/02/001/001".parse().expect("a path"))
}

fn operator() -> Arc<Certified> {
    certify(
        &root(),
        CertificateKind::Operator,
        public(&key("zhang")),
        "zhang",
        VILLAGE,
    )
}

/// Records an event, as the operator of the village; `fresh` is the epoch if a new one is due.
fn record(
    ledger: &mut Ledger,
    by: &Certified,
    document: Option<&DocumentKey>,
    event: &Value,
    fresh: u8,
) -> DocumentKey {
    let (recorded, durable) = try_record(ledger, by, document, event, fresh).expect("recorded");
    durable.wait().expect("durable");
    recorded.document
}

fn try_record(
    ledger: &mut Ledger,
    by: &Certified,
    document: Option<&DocumentKey>,
    event: &Value,
    fresh: u8,
) -> Result<(Recorded, Durable), RecordError> {
    let draft = Draft {
        kind: "case".into(),
        space: space(),
        document: document.cloned(),
        content: content(event),
    };
    ledger.record(
        &draft,
        by.id(),
        &key("zhang"),
        NOW,
        epoch(fresh),
        |_, _, _| Ok(()),
    )
}

fn log(of: u8) -> LogId {
    LogId {
        space: space(),
        author: public(&key("zhang")),
        epoch: epoch(of),
    }
}

fn updates(ledger: &Ledger, of: u8, from: u64) -> Vec<Record> {
    ledger
        .log_range(&log(of), from, u64::MAX, usize::MAX)
        .expect("readable")
}

fn nothing_is_forked(ledger: &Ledger) {
    for (log, state) in ledger.logs().iter() {
        assert!(matches!(state, LogState::Whole(_)), "{log:?}: {state:?}");
    }
}

#[test]
fn a_store_without_its_index_comes_to_the_same() {
    let mut rng = seeded();
    let story = story(&mut rng, 60);
    let home = tempfile::tempdir().expect("a folder");
    let (mut ledger, _) = open(home.path(), "450902001", epoch(1));
    deliver(&mut rng, &mut ledger, &story.records);
    let other = root_of_another_network();
    take(&mut ledger, vec![other]);
    let before = (
        state(&mut ledger, &story.documents),
        ledger.counts(),
        ledger.journal_end(),
    );
    assert_eq!(ledger.counts().evidence, 1);
    drop(ledger);
    // As it is, then rebuilt, then as it was rebuilt; then as a former version left it.
    for (delete, is_outdated) in [
        (false, false),
        (true, false),
        (false, false),
        (false, true),
        (false, false),
    ] {
        if delete {
            std::fs::remove_dir_all(home.path().join("sled")).expect("deleted");
        }
        if is_outdated {
            let StoreOpened::Ready(store) = CaseStore::open(home.path(), 8 << 20).expect("a store") else {
                panic!("the store was set aside");
            };
            let mut batch = Batch::new();
            batch.put(Table::new(3), b"a place of a log", b"of format 1");
            store.apply(batch).expect("written");
        }
        let (mut ledger, report) = open(home.path(), "450902001", epoch(2));
        let of_former_format = report.notes.iter().any(|note| note.en.contains("former format"));
        assert_eq!(of_former_format, is_outdated, "{report:?}");
        let after = (
            state(&mut ledger, &story.documents),
            ledger.counts(),
            ledger.journal_end(),
        );
        assert_eq!(after, before, "{report:?}");
        assert_eq!(ledger.epochs().current, epoch(1));
        assert_eq!(
            ledger
                .verifier()
                .expect("durable")
                .run(&mut |_, _| {})
                .expect("readable")
                .faults,
            []
        );
    }
}

#[test]
fn what_recording_says_of_a_case_is_what_a_fresh_fold_says() {
    let home = tempfile::tempdir().expect("a folder");
    let zhang = operator();
    let (mut ledger, _) = open(home.path(), VILLAGE, epoch(1));
    take(&mut ledger, vec![credential(&zhang)]);
    let case = record(&mut ledger, &zhang, None, &registered(1), 9);
    let one = |ledger: &mut Ledger| ledger.projection(&case).expect("readable").expect("a case");
    for n in 1..6 {
        record(&mut ledger, &zhang, Some(&case), &message(n), 9);
        let told = one(&mut ledger);
        drop(ledger);
        ledger = open(home.path(), VILLAGE, epoch(2)).0;
        let fresh = one(&mut ledger);
        assert_eq!(told.verdicts.len() as u64, n + 1);
        assert_eq!(
            (
                &told.verdicts,
                &told.state,
                &told.summary,
                &told.next,
                &told.duties
            ),
            (
                &fresh.verdicts,
                &fresh.state,
                &fresh.summary,
                &fresh.next,
                &fresh.duties
            )
        );
    }
}

/// The second would be the same document; stored as a change that is there already, it would also cost the
/// store its epoch.
#[test]
fn a_document_is_not_opened_twice_with_the_same_words() {
    let home = tempfile::tempdir().expect("a folder");
    let zhang = operator();
    let (mut ledger, _) = open(home.path(), VILLAGE, epoch(1));
    take(&mut ledger, vec![credential(&zhang)]);
    let case = record(&mut ledger, &zhang, None, &registered(1), 9);
    let before = ledger.journal_end();
    let again = try_record(&mut ledger, &zhang, None, &registered(1), 9);
    assert!(matches!(again, Err(RecordError::Twice(first)) if first == case));
    record(&mut ledger, &zhang, Some(&case), &message(1), 9);
    assert_eq!(ledger.journal_end(), before + 1);
    assert_eq!(ledger.epochs().current, epoch(1));
    assert_ne!(record(&mut ledger, &zhang, None, &registered(2), 9), case);
}

/// A certificate that nobody here issued.
fn root_of_another_network() -> Record {
    let unit = "4601".parse().expect("a unit code");
    let from = anjuan_sync::Timestamp::from_millis(1_690_000_000_000);
    let root = Certified::found(&key("other"), &unit, "other".into(), from, NOW).expect("a root");
    credential(&root)
}

#[test]
fn a_restored_backup_writes_to_new_logs() {
    let (home, elsewhere) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let zhang = operator();
    let (mut ledger, _) = open(home.path(), VILLAGE, epoch(1));
    take(&mut ledger, vec![credential(&zhang)]);
    let case = record(&mut ledger, &zhang, None, &registered(1), 9);
    drop(ledger);
    copy(home.path(), &elsewhere.path().join("home"));
    let (mut ledger, _) = open(home.path(), VILLAGE, epoch(2));
    let (mut restored, report) = open(&elsewhere.path().join("home"), VILLAGE, epoch(3));
    assert_eq!(report.notes.len(), 1, "{report:?}");
    assert_eq!(
        (ledger.epochs().current, restored.epochs().current),
        (epoch(1), epoch(3))
    );
    assert_eq!(roots(&ledger), roots(&restored));
    record(&mut ledger, &zhang, Some(&case), &message(1), 9);
    record(&mut restored, &zhang, Some(&case), &message(2), 9);
    record(&mut restored, &zhang, None, &registered(2), 9);
    pipe::level([&mut ledger, &mut restored], &mut seeded());
    nothing_is_forked(&ledger);
    assert_eq!(
        state(&mut ledger, std::slice::from_ref(&case)),
        state(&mut restored, &[case])
    );
    let continues = |record: &Record| match record {
        Record::Update(update) => update.header().continues(),
        _ => None,
    };
    let new = updates(&ledger, 3, 1);
    assert!(continues(&new[0]).is_some(), "the new log names the former one");
    assert!(continues(&new[1]).is_none());
}

/// A home that was set back with its file system: what it had written since comes from peers, in pieces.
fn set_back(then: impl FnOnce(Ledger, &FilePath) -> Ledger) {
    let home = tempfile::tempdir().expect("a folder");
    let peers = tempfile::tempdir().expect("a folder");
    let zhang = operator();
    // The same life of the same store, twice: as it went on, and as it was.
    let (mut first, _) = open(&peers.path().join("first"), VILLAGE, epoch(1));
    let (mut second, _) = open(home.path(), VILLAGE, epoch(1));
    for ledger in [&mut first, &mut second] {
        take(ledger, vec![credential(&zhang)]);
    }
    let case = record(&mut first, &zhang, None, &registered(1), 9);
    take(&mut second, updates(&first, 1, 1));
    drop(second);
    // What came is its own update: known as old from then on. For a clean start, forget that.
    std::fs::remove_file(home.path().join("epoch.json")).expect("deleted");
    let (mut second, _) = open(home.path(), VILLAGE, epoch(1));
    for n in 0..3 {
        record(&mut first, &zhang, Some(&case), &message(n), 9);
    }
    take(&mut second, updates(&first, 1, 2)[..2].to_vec());
    let mut second = then(second, home.path());
    record(&mut second, &zhang, Some(&case), &message(7), 4);
    assert_eq!(
        second.epochs().current,
        epoch(4),
        "a new epoch before the next update"
    );
    assert_eq!(second.epochs().former[0], epoch(1));
    pipe::level([&mut first, &mut second], &mut seeded());
    nothing_is_forked(&second);
    let (_, told) = second.told(&case).expect("readable").expect("stored");
    assert_eq!(told.len(), 5);
    assert!(told.iter().all(|one| one.held.standing == Standing::Applied));
}

#[test]
fn a_store_set_back_in_time_learns_it_from_a_peer() {
    set_back(|ledger, _| ledger);
}

#[test]
fn a_store_set_back_in_time_does_not_forget_it() {
    set_back(|ledger, home| {
        drop(ledger);
        open(home, VILLAGE, epoch(4)).0
    });
}

#[test]
fn a_log_that_was_forked_is_left() {
    let home = tempfile::tempdir().expect("a folder");
    let zhang = operator();
    let (mut ledger, _) = open(home.path(), VILLAGE, epoch(1));
    take(&mut ledger, vec![credential(&zhang)]);
    let case = record(&mut ledger, &zhang, None, &registered(1), 9);
    record(&mut ledger, &zhang, Some(&case), &message(1), 9);
    let Record::Update(second) = updates(&ledger, 1, 2).remove(0) else {
        panic!("an update");
    };
    let mut raw = second.header().clone().into_raw();
    raw.recorded_at = anjuan_sync::Timestamp::from_millis(1_700_000_000_001);
    let other = sign(raw, second.payload().to_vec(), &key("zhang"));
    take(&mut ledger, vec![Record::Update(other)]);
    assert!(matches!(
        ledger.log_state(&log(1)).expect("readable"),
        Some(LogState::Forked { seq: 2, .. })
    ));
    drop(ledger);
    let (mut ledger, _) = open(home.path(), VILLAGE, epoch(5));
    record(&mut ledger, &zhang, Some(&case), &message(2), 6);
    record(&mut ledger, &zhang, None, &registered(2), 7);
    assert_ne!(ledger.epochs().current, epoch(1));
    assert_eq!(
        ledger
            .verifier()
            .expect("durable")
            .run(&mut |_, _| {})
            .expect("readable")
            .faults,
        []
    );
}
