//! `sync-bench`: what it costs real nodes to come level, against the least that it can cost.
//!
//! Exit code 0 if it ran to the end, whatever the figures are.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anjuan_tests::bench::{AnyError, Plan, ROLE, SCENARIOS, print, run, run_child};
use clap::Parser;
use mimalloc::MiMalloc;

/// As in `anjuan`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Nodes as processes of their own, on disk, over loopback: wall, CPU, bytes, round trips and memory of six
/// scenarios, and in the same run the floor they are compared with.
#[derive(Debug, Parser)]
#[command(name = "sync-bench")]
struct Args {
    /// Cases of 12 updates each.
    #[arg(long, default_value_t = 15_638)]
    cases: usize,
    /// Everything that is made up follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Villages that return at once in S6.
    #[arg(long, default_value_t = 360)]
    children: usize,
    /// The scenarios to run, such as S1,S3; all if left out.
    #[arg(long, value_delimiter = ',', value_parser = SCENARIOS)]
    only: Vec<String>,
    /// Keeps the year's work here for the next run, and works here.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

fn measure(args: Args) -> Result<(), AnyError> {
    let only: BTreeSet<String> = match args.only.is_empty() {
        true => SCENARIOS.map(str::to_owned).into(),
        false => args.only.into_iter().collect(),
    };
    let plan = Plan {
        cases: args.cases.max(1),
        seed: args.seed,
        children: args.children.max(1),
        only,
        keep: args.keep,
        program: std::env::current_exe()?,
    };
    let began = Instant::now();
    let report = run(&plan, &mut |what| {
        let _ = writeln!(io::stderr(), "{:>7.1} s  {what}", began.elapsed().as_secs_f64());
    })?;
    let mut out = io::stdout().lock();
    match args.json {
        true => writeln!(out, "{report}")?,
        false => write!(out, "{}", print(&report))?,
    }
    Ok(())
}

fn main() -> ExitCode {
    let ran = match std::env::args().nth(1).as_deref() {
        Some(ROLE) => run_child(),
        _ => measure(Args::parse()),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "sync-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
