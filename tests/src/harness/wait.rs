//! Waiting for what another process does.

use std::thread;
use std::time::{Duration, Instant};

/// Only a hang takes longer, even on a busy machine with two cores.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until `attempt` succeeds; panics with what it said last after [`PATIENCE`].
pub fn until<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match attempt() {
            Ok(value) => {
                // Shown by the test runner where the story fails later.
                eprintln!("{:?} until {what}", start.elapsed());
                return value;
            }
            Err(seen) if start.elapsed() > PATIENCE => {
                panic!("waited {PATIENCE:?} until {what}; seen last:\n{seen}")
            }
            Err(_) => thread::sleep(pause),
        }
        // Each question may start a process; those asked about need the cores more.
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}
