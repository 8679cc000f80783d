//! Writes to a home folder until it is killed, and says on its output what was acknowledged.
//!
//! `crash-writer HOME LIFE`: a line `position writer n` for every record, after it was acknowledged.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anjuan_node::files::Disk;
use anjuan_node::journal::{Frame, Journal, Options};
use anjuan_node::lock::HomeLock;
use anjuan_node::store::{Batch, CaseStore, Opened};
use anjuan_tests::crash::{RECORD, SEGMENT_BYTES, entries, payload};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, home, life] = arguments.as_slice() else {
        return Err("usage: crash-writer HOME LIFE".into());
    };
    let (home, life) = (Path::new(home), life.parse()?);
    let _lock = HomeLock::acquire(home).map_err(|error| error.to_string())?;
    let options = Options {
        segment_bytes: SEGMENT_BYTES,
        ..Options::default()
    };
    let (journal, _) = Journal::open(Arc::new(Disk), &home.join("journal"), options)?;
    let store = match CaseStore::open(home, 4 << 20)? {
        Opened::Ready(store) | Opened::SetAside { store, .. } => store,
    };
    writeln!(io::stdout(), "open")?;
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let journal = &journal;
            scope.spawn(move || write(journal, life, writer));
        }
        follow(&journal, &store)
    })
}

/// Appends for ever, one to three records at a time.
fn write(journal: &Journal, life: u64, writer: u64) -> Result<(), AnyError> {
    let mut n = 0;
    loop {
        let payloads: Vec<Vec<u8>> = (n..=n + n % 3).map(|n| payload(life, writer, n)).collect();
        let frames: Vec<Frame<'_>> = payloads
            .iter()
            .map(|bytes| Frame { kind: RECORD, bytes })
            .collect();
        let positions = journal.append(&frames)?.wait()?;
        let mut lines = String::new();
        for position in positions {
            lines.push_str(&format!("{position} {writer} {n}\n"));
            n += 1;
        }
        let mut out = io::stdout().lock();
        out.write_all(lines.as_bytes())?;
        out.flush()?;
    }
}

/// Brings the store level with the journal, for ever.
fn follow(journal: &Journal, store: &CaseStore) -> Result<(), AnyError> {
    loop {
        let from = store.reflects().map_or(0, |reflects| reflects.position);
        let mut batch = Batch::new();
        for record in journal.records(from).take(10) {
            let record = record?;
            entries(&mut batch, record.position, &record.bytes, journal.id());
        }
        if batch.is_empty() {
            std::thread::sleep(Duration::from_micros(200));
        } else {
            store.apply(batch)?;
        }
    }
}
