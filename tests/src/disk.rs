//! What a disk gives to many who commit at once: the yardstick of the benchmarks.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// The middle one.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Runs `commit` in so many threads for a while, each told its number; gives commits a second.
///
/// Keeps the processors awake meanwhile. A virtual machine's that fall asleep while a sync is under way
/// take milliseconds to notice that it is done (measured: 4 ms, awake 0.15 to 0.4), and that hits whoever
/// waits alone or as one of a group, not many who wait each for himself: the ratio would tell of the
/// machine.
///
/// # Panics
/// If a thread can't be started.
pub fn commits_per_second(threads: usize, turn: Duration, commit: impl Fn(usize) + Sync) -> f64 {
    let (stop, commits) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut seconds = 0.0;
    std::thread::scope(|scope| {
        let (stop, commits, commit) = (&stop, &commits, &commit);
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
            });
        }
        let begun = Instant::now();
        for thread in 0..threads {
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    commit(thread);
                    commits.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(turn);
        seconds = begun.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
    });
    commits.into_inner() as f64 / seconds
}

fn appended(folder: &Path, name: &str) -> File {
    let path = folder.join(name);
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.expect("made")
}

/// Each writes to the end of a file under a lock, then waits for his own `fdatasync` outside it, so that
/// those of several may overlap: what one gets without a journal.
///
/// # Panics
/// If the disk refuses.
pub fn raw_each(folder: &Path, threads: usize, turn: Duration, bytes: &[u8]) -> f64 {
    let file = appended(folder, "each");
    let lock = Mutex::new(());
    commits_per_second(threads, turn, |_| {
        let held = lock.lock().expect("not poisoned");
        (&file).write_all(bytes).expect("written");
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

/// The bytes of all who wait at the time go into one write and one `fdatasync`, by whoever comes first: the
/// most one gets without framing.
///
/// # Panics
/// If the disk refuses.
pub fn raw_grouped(folder: &Path, threads: usize, turn: Duration, bytes: &[u8]) -> f64 {
    let file = appended(folder, "grouped");
    let (group, synced) = (Mutex::new(Group::default()), Condvar::new());
    commits_per_second(threads, turn, |_| {
        let mut state = group.lock().expect("not poisoned");
        state.pending.extend_from_slice(bytes);
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
