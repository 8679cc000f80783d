//! Sync between real processes, measured: `sync-bench`.
//!
//! One process leads; the nodes are processes of their own, which the leading one starts from the same
//! program with another role and asks, line by line, over their standard input. A node is what `anjuan serve`
//! runs: `Service`, `Node`, a home on the disk. Bytes and round trips are those of the session, above the
//! transport; CPU, memory and times are read within each process.
//!
//! What the scenarios are measured against is measured in the same run: the [`floor`] for a catch-up,
//! loopback and `fdatasync` for one update on its way up.

mod child;
mod floor;
mod homes;
mod pair;
mod people;
mod process;
mod report;
mod scenarios;
mod text;
mod usage;
mod writing;
mod year;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

pub use self::child::run as run_child;
pub use self::pair::Pair;
pub use self::process::ROLE;
pub use self::report::print;
use self::scenarios::Stage;
pub use self::usage::{cpu_seconds, peak_memory};

/// Any error: this is a program's inside, and its message is all that is made of it.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// The scenarios, in the order in which they are run.
pub const SCENARIOS: [&str; 6] = ["S1", "S2", "S3", "S4", "S5", "S6"];

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Cases of 12 updates.
    pub cases: usize,
    /// Everything that is made up follows from it.
    pub seed: u64,
    /// Villages that return at once in S6.
    pub children: usize,
    /// The scenarios asked for.
    pub only: BTreeSet<String>,
    /// Where the year's work is kept for the next run; none to make it anew and remove it.
    pub keep: Option<PathBuf>,
    /// The program to start the nodes from.
    pub program: PathBuf,
}

impl Plan {
    fn wants(&self, scenario: &str) -> bool {
        self.only.contains(scenario)
    }
}

/// Runs what the plan asks for; one JSON object of what it came to. `tell` is told what is done.
pub fn run(plan: &Plan, tell: &mut dyn FnMut(&str)) -> Result<Value, AnyError> {
    let beside = plan.program.parent().unwrap_or(Path::new("."));
    // Not in the system's temporary folder, which may be in memory.
    let scratch = tempfile::Builder::new()
        .prefix("sync-bench-")
        .tempdir_in(plan.keep.as_deref().map_or(beside, |keep| {
            let _ = std::fs::create_dir_all(keep);
            keep
        }))?;
    let data = plan.keep.as_deref().unwrap_or(scratch.path());
    tell("the year's work");
    let year = year::Year::made(data, plan, tell)?;
    let mut report = json!({
        "cases": plan.cases, "seed": plan.seed,
        "updates": year.updates.len(), "signed_update_bytes": year.signed_bytes,
    });
    let mut stage = Stage {
        plan,
        year: &year,
        folder: scratch.path(),
        tell,
    };
    let catches_up = ["S1", "S2", "S3"].iter().any(|one| plan.wants(one));
    if plan.wants("S1") {
        (stage.tell)("the floor");
        report["floor"] = floor::measure(plan, &year.file, scratch.path())?;
    }
    if catches_up {
        scenarios::catch_up(&mut stage, &mut report)?;
    }
    if plan.wants("S4") {
        report["S4"] = scenarios::after_a_week(&mut stage)?;
    }
    if plan.wants("S5") {
        report["S5"] = scenarios::three_hops(&mut stage)?;
    }
    if plan.wants("S6") {
        report["S6"] = scenarios::all_return(&mut stage)?;
    }
    Ok(report)
}
