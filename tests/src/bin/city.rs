//! `city`: a year of a whole city in sync, in one process and in virtual time.
//!
//! Exit code 0 exactly if nothing was lost, nothing diverged and every fork was found.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anjuan_node::unit::divisions::Divisions;
use anjuan_tests::city::{Outcome, Plan, run};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

/// Every unit of a city, a year of cases, links that fail: does everybody end up with the same?
#[derive(Debug, Parser)]
#[command(name = "city")]
struct Args {
    /// The list of units (code,name,level,parent); without it the official list of Yulin.
    #[arg(long)]
    divisions: Option<PathBuf>,
    /// Cases in all.
    #[arg(long, default_value_t = 15_638)]
    cases: u32,
    /// Days in which they arise.
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Everything else follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often things go wrong: 1 as in a bad year.
    #[arg(long, default_value_t = 1)]
    hardship: u32,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

fn divisions(args: &Args) -> Result<Divisions, String> {
    let Some(path) = &args.divisions else {
        return Ok(Divisions::official().clone());
    };
    let read = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| read(&error))?;
    Divisions::parse(&bytes).map_err(|error| read(&error))
}

/// The most memory this process ever had; 0 where the system does not say.
fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn print(outcome: &Outcome, as_json: bool) -> io::Result<()> {
    let mut figures = outcome.figures.clone();
    figures.insert("seconds", json!((outcome.seconds * 10.0).round() / 10.0));
    figures.insert("peak_rss_bytes", json!(peak_rss_bytes()));
    let mut out = io::stdout().lock();
    if as_json {
        return writeln!(out, "{}", json!(figures));
    }
    for (name, value) in &figures {
        writeln!(out, "{:<30} {value}", name.replace('_', " "))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let args = Args::parse();
    let divisions = match divisions(&args) {
        Ok(divisions) => divisions,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            return ExitCode::from(2);
        }
    };
    let bar = match io::stderr().is_terminal() {
        true => ProgressBar::new(u64::from(args.days)),
        false => ProgressBar::hidden(),
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} day {pos} of {len}, {elapsed} {eta}") {
        bar.set_style(style);
    }
    let plan = Plan {
        cases: args.cases,
        days: args.days,
        seed: args.seed,
        hardship: args.hardship,
    };
    // Thousands of small files, each synced: in memory where there is a place for that.
    let shared = Path::new("/dev/shm");
    let temporary = if shared.is_dir() {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    };
    let outcome = run(&divisions, plan, &temporary, &mut |day, _| bar.set_position(day));
    bar.finish_and_clear();
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            let _ = writeln!(io::stderr(), "a ledger failed: {error}");
            return ExitCode::FAILURE;
        }
    };
    for wrong in &outcome.wrong {
        let _ = writeln!(io::stderr(), "wrong: {wrong}");
    }
    match print(&outcome, args.json) {
        Ok(()) if outcome.holds() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
