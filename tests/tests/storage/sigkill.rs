//! A process is killed at random moments: what it acknowledged is there.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anjuan_node::files::Disk;
use anjuan_node::journal::{Journal, Options};
use anjuan_node::lock::{HomeLock, LockError};
use anjuan_node::store::{Batch, CaseStore, Opened};
use anjuan_tests::crash::{DOCUMENTS, INDEX, SEGMENT_BYTES, entries, payload};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{rounds, seed};

fn crash_writer(home: &Path, life: u64) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crash-writer"));
    command
        .arg(home)
        .arg(life.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a writer for about `life_time`, kills it, and adds what it acknowledged.
fn live_and_die(home: &Path, life: u64, life_time: Duration, acknowledged: &mut BTreeMap<u64, Vec<u8>>) {
    let mut child = crash_writer(home, life).spawn().expect("started");
    let out = child.stdout.take().expect("piped");
    let reader = std::thread::spawn(move || {
        BufReader::new(out)
            .lines()
            .map_while(Result::ok)
            .collect::<Vec<_>>()
    });
    std::thread::sleep(life_time);
    child.kill().expect("killed");
    child.wait().expect("reaped");
    let mut errors = String::new();
    child
        .stderr
        .take()
        .expect("piped")
        .read_to_string(&mut errors)
        .expect("read");
    assert!(errors.is_empty(), "life {life}: {errors}");
    // The last line may be cut; a cut number would be another record, so it must be whole.
    for line in reader.join().expect("read") {
        let numbers: Vec<u64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
        if let [position, writer, n] = numbers[..] {
            let before = acknowledged.insert(position, payload(life, writer, n));
            assert!(
                before.is_none(),
                "life {life}: position {position} acknowledged twice"
            );
        }
    }
}

/// Every acknowledged record is in the journal; the store is whole as of where it says.
fn check(home: &Path, acknowledged: &BTreeMap<u64, Vec<u8>>, context: &str) -> bool {
    let options = Options {
        segment_bytes: SEGMENT_BYTES,
        ..Options::default()
    };
    let (journal, _) = Journal::open(Arc::new(Disk), &home.join("journal"), options)
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    for (position, bytes) in acknowledged {
        let record = journal
            .read(*position)
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(record.bytes == *bytes, "{context}: record {position} differs");
    }
    let (store, aside) = match CaseStore::open(home, 4 << 20).expect("opened") {
        Opened::Ready(store) => (store, false),
        Opened::SetAside { store, .. } => (store, true),
    };
    let reflected = store.reflects().map_or(0, |reflects| reflects.position);
    assert!(
        reflected <= journal.end(),
        "{context}: the store is ahead of the journal"
    );
    for (table, documents) in [(DOCUMENTS, true), (INDEX, false)] {
        let mut next = 0_u64;
        for entry in store.scan_prefix(table, &[]) {
            let (key, value) = entry.expect("readable");
            assert_eq!(key, next.to_be_bytes(), "{context}");
            let bytes = journal.read(next).expect("reflected").bytes;
            let expected = if documents {
                bytes
            } else {
                (bytes.len() as u64).to_le_bytes().to_vec()
            };
            assert!(value == expected, "{context}: entry {next} differs");
            next += 1;
        }
        assert_eq!(next, reflected, "{context}: half a batch");
    }
    // What the store has not seen is brought in from the journal.
    let mut batch = Batch::new();
    for record in journal.records(reflected) {
        let record = record.expect("readable");
        entries(&mut batch, record.position, &record.bytes, journal.id());
    }
    store.apply(batch).expect("applied");
    assert_eq!(store.count(INDEX), journal.end(), "{context}");
    aside
}

#[test]
fn every_acknowledged_record_outlives_the_process() {
    const LIVES: u64 = 10;
    let mut rng = StdRng::seed_from_u64(seed());
    let mut acknowledged_in_all = 0;
    let mut aside = 0;
    let rounds = rounds(200);
    for home_number in 0..rounds.div_ceil(LIVES) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut acknowledged = BTreeMap::new();
        for life in home_number * LIVES..((home_number + 1) * LIVES).min(rounds) {
            live_and_die(
                folder.path(),
                life,
                Duration::from_millis(rng.random_range(1..250)),
                &mut acknowledged,
            );
            aside += u64::from(check(folder.path(), &acknowledged, &format!("life {life}")));
        }
        acknowledged_in_all += acknowledged.len();
    }
    assert!(
        acknowledged_in_all as u64 > rounds,
        "the writers hardly wrote: {acknowledged_in_all}"
    );
    eprintln!("{rounds} kills, {acknowledged_in_all} records acknowledged, store set aside {aside} times");
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = crash_writer(folder.path(), 0).spawn().expect("started");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped"))
        .read_line(&mut line)
        .expect("read");
    assert_eq!(line, "open\n");
    let refused = HomeLock::acquire(folder.path()).expect_err("the home is in use");
    assert!(
        matches!(refused, LockError::InUse { holder: Some(pid), .. } if pid == child.id()),
        "{refused}"
    );
    let second = crash_writer(folder.path(), 1).output().expect("ran");
    let message = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success());
    assert!(message.contains("in use by another anjuan process"), "{message}");
    assert!(
        message.contains(&folder.path().display().to_string()),
        "{message}"
    );
    child.kill().expect("killed");
    child.wait().expect("reaped");
    // The system lets go of the lock of a killed process.
    HomeLock::acquire(folder.path()).expect("free");
}
