//! A city in one process: every unit's ledger and the real sync sessions, in virtual time.
//!
//! Signing, certificates, guard, ledger, fold and sessions are those of the program. Simulated are the
//! clock, the network (latency, bandwidth, connections that break with frames on their way) and the disk,
//! which is memory. There is one queue of what happens next and one thread that lets it happen, so the same
//! seed gives the same run.

mod checks;
mod events;
mod link;
mod memory_files;
mod node;
mod people;
mod recording;
mod simulation;
mod story;
mod tally;
mod weather;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anjuan_node::ledger::LedgerError;
use anjuan_node::unit::divisions::Divisions;
use serde_json::{Value, json};

pub use self::memory_files::MemoryFiles;
use self::people::Roll;
use self::simulation::{DAY, HOUR, Simulation};

/// How long links may take at the end until everybody is level, in virtual time.
const PATIENCE: Duration = Duration::from_secs(14 * 86_400);

/// What is to be simulated.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Disputes.
    pub cases: u32,
    /// Days in which they arise and are dealt with.
    pub days: u32,
    /// Everything else follows from it.
    pub seed: u64,
    /// How often things go wrong: 1 as in a bad year, more to look for faults.
    pub hardship: u32,
}

/// What came of it. All but the figures of the machine follow from the plan.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The figures that do.
    pub figures: BTreeMap<&'static str, Value>,
    /// What is wrong, in words; empty if nothing is.
    pub wrong: Vec<String>,
    /// Wall-clock time.
    pub seconds: f64,
}

impl Outcome {
    /// Was nothing lost, does everybody agree, and was every fork found?
    pub fn holds(&self) -> bool {
        self.wrong.is_empty()
    }
}

/// Runs a city; `progress` is told the virtual days done and in all. Small files go below `temporary`.
///
/// # Errors
/// When a ledger fails: on a disk in memory it never should.
pub fn run(
    divisions: &Divisions,
    plan: Plan,
    temporary: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Outcome, LedgerError> {
    let begun = Instant::now();
    let folder = tempfile::tempdir_in(temporary).expect("a temporary folder");
    let mut city = Simulation::new(Roll::found(divisions, plan.seed), plan.seed, folder)?;
    let time = DAY * plan.days.max(1);
    city.draw_cases(plan.cases, time);
    city.draw_weather(plan, time);
    for node in 0..city.nodes.len() {
        city.dial_soon(node, HOUR);
    }
    let all = u64::from(plan.days.max(1));
    for day in 1..=all {
        let end = DAY * u32::try_from(day).unwrap_or(u32::MAX);
        while city.step(end)? {}
        progress(day, all);
    }
    city.end_stories();
    // What is down comes up by itself: the last of it some days after the end.
    let mended = city.now + 9 * DAY;
    while city.step(mended)? {}
    let settled = city.settle(PATIENCE)?;
    let settled_after = city.now - time;
    let found = city.check()?;
    city.reopen_some(1.max(city.nodes.len() / 40))?;
    let again = city.check()?;

    let tally = &city.tally;
    let mut wrong = found.differences.clone();
    if !settled {
        wrong.push("the network does not come to rest".to_owned());
    }
    if (again.lost, again.diverged) != (found.lost, found.diverged) {
        wrong.push("stores that were opened anew come to something else".to_owned());
        wrong.extend(again.differences);
    }
    let forks_made = city.forgeries.len() as u64 - found.forks_gone;
    if found.forks_found != forks_made {
        wrong.push(format!("{forks_made} forks made, {} found", found.forks_found));
    }
    wrong.extend(tally.broken.iter().take(20).cloned());
    let figures = [
        ("nodes", json!(city.nodes.len())),
        ("cases", json!(plan.cases)),
        ("updates", json!(tally.updates)),
        ("virtual_days", json!(plan.days)),
        ("link_failures", json!(tally.link_failures)),
        ("restores", json!(tally.restores)),
        ("restarts", json!(tally.restarts)),
        ("revocations", json!(tally.revocations)),
        ("quarantined", json!(found.quarantined)),
        ("forks_made", json!(forks_made)),
        ("forks_found", json!(found.forks_found)),
        ("forks_gone_with_a_disk", json!(found.forks_gone)),
        ("ruled_out_by_fork", json!(found.ruled_out_by_fork)),
        ("lost", json!(found.lost)),
        ("lost_by_restore", json!(found.lost_by_restore)),
        ("diverged", json!(found.diverged + again.diverged)),
        ("documents", json!(found.documents)),
        ("projections_compared", json!(found.projections)),
        ("refused", json!(tally.refused.values().sum::<u64>())),
        ("refused_by_reason", json!(tally.refused)),
        ("conflicts", json!(found.conflicts)),
        ("resolved", json!(found.resolved)),
        ("abandoned", json!(tally.abandoned)),
        ("vanished", json!(tally.vanished)),
        ("sessions", json!(tally.sessions)),
        ("sessions_ended_by_themselves", json!(tally.closes)),
        ("repairs", json!(tally.repairs)),
        ("repairs_in_vain", json!(tally.not_level)),
        ("clock_skews", json!(tally.skewed)),
        ("records_delivered", json!(tally.delivered)),
        ("settled_after_hours", json!(settled_after.as_secs() / 3_600)),
        ("bytes_sent", json!(tally.bytes_sent)),
        (
            "bytes_minimum",
            json!(tally.bytes_to_get + city.roll.bytes_to_get),
        ),
        ("seed", json!(plan.seed)),
    ];
    Ok(Outcome {
        figures: figures.into_iter().collect(),
        wrong,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// A city of one: so many counties, towns in each, villages in each of those.
pub fn small_city(counties: u32, towns: u32, villages: u32) -> Divisions {
    let mut csv = String::from("code,name,level,parent\n450900000000,市,city,\n");
    for county in 1..=counties {
        let county = format!("4509{county:02}");
        csv.push_str(&format!("{county}000000,县{county},county,450900000000\n"));
        for town in 1..=towns {
            let town = format!("{county}{town:03}");
            csv.push_str(&format!("{town}000,镇{town},town,{county}000000\n"));
            for village in 1..=villages {
                csv.push_str(&format!(
                    "{town}{village:03},村{town}{village:03},village,{town}000\n"
                ));
            }
        }
    }
    Divisions::parse(csv.as_bytes()).expect("a list of units")
}
