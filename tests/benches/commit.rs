//! Durable commits a second: the journal against the raw disk, in the same run.
//!
//! Each writer appends one record of 900 bytes, waits until it is durable, and appends the next.
//!
//! - **journal**: `Journal::append` and `Ticket::wait`; framed, checksummed, read back by position.
//! - **raw each**: a lock around one `write` to the end of a file, then the writer's own `fdatasync`
//!   outside the lock, so that those of several writers may overlap: what one gets without a journal.
//! - **raw grouped**: the bytes alone, but all that wait at the time go into one `write` and one
//!   `fdatasync` by whichever writer comes first: the most one gets without framing or a thread.
//!
//! The ratio that is aimed at (0.8 with 16 writers) is against the better of the two in the same turn. A
//! turn is short and there are many of them: a disk that others use, too, is ten times slower at one
//! moment than at the next. All figures are medians over the turns.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use anjuan_node::files::Disk;
use anjuan_node::journal::{Frame, Journal, Kind, Options};

const RECORD: [u8; 900] = [0x5a; 900];
const TURNS: usize = 21;
const TURN: Duration = Duration::from_millis(150);

/// Runs `commit` in `writers` threads for a while; gives commits a second.
fn measure(writers: usize, commit: impl Fn() + Sync) -> f64 {
    let stop = AtomicBool::new(false);
    let commits = AtomicU64::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    commit();
                    commits.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(TURN);
        stop.store(true, Ordering::Relaxed);
    });
    commits.into_inner() as f64 / begun.elapsed().as_secs_f64()
}

fn journal(folder: &Path, writers: usize) -> f64 {
    let (journal, _) =
        Journal::open(Arc::new(Disk), &folder.join("journal"), Options::default()).expect("opened");
    measure(writers, || {
        let frame = Frame {
            kind: Kind::new(1),
            bytes: &RECORD,
        };
        journal.append(&[frame]).expect("taken").wait().expect("durable");
    })
}

fn raw_each(folder: &Path, writers: usize) -> f64 {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("each"))
        .expect("made");
    let lock = Mutex::new(());
    measure(writers, || {
        let held = lock.lock().expect("not poisoned");
        (&file).write_all(&RECORD).expect("written");
        drop(held);
        file.sync_data().expect("synced");
    })
}

#[derive(Default)]
struct Group {
    pending: Vec<u8>,
    taken: u64,
    durable: u64,
    leading: bool,
}

fn raw_grouped(folder: &Path, writers: usize) -> f64 {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("grouped"))
        .expect("made");
    let group = Mutex::new(Group::default());
    let synced = Condvar::new();
    measure(writers, || {
        let mut state = group.lock().expect("not poisoned");
        state.pending.extend_from_slice(&RECORD);
        state.taken += 1;
        let mine = state.taken;
        while state.durable < mine {
            if state.leading {
                state = synced.wait(state).expect("not poisoned");
                continue;
            }
            state.leading = true;
            let (bytes, upto) = (std::mem::take(&mut state.pending), state.taken);
            drop(state);
            (&file).write_all(&bytes).expect("written");
            file.sync_data().expect("synced");
            state = group.lock().expect("not poisoned");
            state.leading = false;
            state.durable = upto;
            synced.notify_all();
        }
    })
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let turns = if std::env::args().any(|argument| argument == "--bench") {
        TURNS
    } else {
        1
    };
    let mut out = std::io::stdout().lock();
    let mut line = |text: String| writeln!(out, "{text}").expect("printed");
    line(format!(
        "durable commits a second, {} bytes each, medians of {turns} turns",
        RECORD.len()
    ));
    line("writers   journal  raw each  raw grouped   ratio to the better".into());
    // Not in the system's temporary folder, which may be in memory.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("commit-bench");
    fs::create_dir_all(&folder).expect("made");
    for writers in [1, 4, 16, 64] {
        let mut figures = [const { Vec::new() }; 3];
        for turn in 0..turns {
            let kinds: [fn(&Path, usize) -> f64; 3] = [journal, raw_each, raw_grouped];
            for kind in (0..3).map(|n| (n + turn) % 3) {
                figures[kind].push(kinds[kind](&folder, writers));
            }
        }
        let ratios = (0..turns).map(|turn| figures[0][turn] / f64::max(figures[1][turn], figures[2][turn]));
        let ratio = median(ratios.collect());
        let [journal, each, grouped] = figures.map(median);
        line(format!(
            "{writers:>7} {journal:>9.0} {each:>9.0} {grouped:>12.0} {ratio:>8.2}"
        ));
    }
}
