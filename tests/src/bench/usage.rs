//! What this process has used. Read from `/proc`; zero where there is none.

use std::fs;

/// Ticks of the CPU clock a second, as `/proc` counts them on every Linux.
const TICKS: f64 = 100.0;

/// Seconds of CPU, of all threads, those that have ended included.
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in brackets, may hold spaces; times are the 14th and 15th fields.
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / TICKS
}

/// The most memory it ever had, in bytes.
pub fn peak_memory() -> u64 {
    status("VmHWM:")
}

/// The memory it has, in bytes.
pub(super) fn memory() -> u64 {
    status("VmRSS:")
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
