//! Durable commits a second: the journal against the raw disk, in the same run.
//!
//! Each writer appends one record of 900 bytes, waits until it is durable, and appends the next.
//!
//! - **journal**: `Journal::append` and `Ticket::wait`; framed, checksummed, read back by position.
//! - **raw each**, **raw grouped**: as [`anjuan_tests::disk`] says.
//!
//! The ratio that is aimed at (0.8 with 16 writers) is against the better of the two in the same turn. A
//! turn is short and there are many of them: a disk that others use, too, is ten times slower at one
//! moment than at the next. All figures are medians over the turns.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anjuan_node::files::Disk;
use anjuan_node::journal::{Frame, Journal, Kind, Options};
use anjuan_tests::disk::{commits_per_second, median, raw_each, raw_grouped};

const RECORD: [u8; 900] = [0x5a; 900];
const TURNS: usize = 21;
const TURN: Duration = Duration::from_millis(150);

fn journal(folder: &Path, writers: usize) -> f64 {
    let (journal, _) =
        Journal::open(Arc::new(Disk), &folder.join("journal"), Options::default()).expect("opened");
    commits_per_second(writers, TURN, |_| {
        let frame = Frame {
            kind: Kind::new(1),
            bytes: &RECORD,
        };
        journal.append(&[frame]).expect("taken").wait().expect("durable");
    })
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
            let kinds: [fn(&Path, usize) -> f64; 3] = [
                journal,
                |folder, writers| raw_each(folder, writers, TURN, &RECORD),
                |folder, writers| raw_grouped(folder, writers, TURN, &RECORD),
            ];
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
