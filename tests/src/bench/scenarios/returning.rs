//! S6: all villages of a county return at once after a power cut, each with some work of its own; and again after
//! two more. The villages are other machines, so the county comes first where both want the processor, and has
//! the disk to itself.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Stage, opened, opened_elsewhere, percentile, ratio, serve};
use crate::bench::process::Child;
use crate::bench::year::COUNTY;
use crate::bench::{AnyError, homes};

/// Villages that one process runs.
const TOGETHER: usize = 60;
/// Updates that each village has recorded meanwhile.
const WRITTEN: u64 = 2;
/// Power cuts. The commits of all three returns count together: of one alone, the 99th in a hundred would be the
/// sixth slowest, which is luck.
const CUTS: u64 = 3;
/// Local commits at the county: one every so often, and for so long before each return.
const EVERY_MS: u64 = 5;
const USUAL: Duration = Duration::from_secs(3);
/// Only a hang takes longer.
const PATIENCE: Duration = Duration::from_secs(600);

pub(in crate::bench) fn run(stage: &mut Stage<'_>) -> Result<Value, AnyError> {
    let year = stage.year;
    let children = &year.children;
    (stage.tell)("S6: homes of the villages");
    let county = stage.home("county");
    homes::make(&county, &COUNTY.parse()?, false, &year.people, &year.updates)?;
    let elsewhere = stage.elsewhere()?;
    let mut folders = Vec::new();
    for child in children {
        let home = elsewhere.path().join(child.as_str());
        homes::make(&home, child, false, &year.people, &year.updates)?;
        folders.push(home);
    }
    let mut parent = opened(stage.plan, &[&county])?;
    let address = serve(&mut parent, &[])?.remove(0);
    let mut groups = Vec::new();
    for homes in folders.chunks(TOGETHER) {
        let homes: Vec<_> = homes.iter().map(|home| home.as_path()).collect();
        groups.push(opened_elsewhere(stage.plan, &homes)?);
    }
    (stage.tell)("S6: the villages meet their county");
    for group in &mut groups {
        serve(group, &[&address])?;
        group.ask(&json!({"do": "await-level", "peers": 1}))?;
    }
    let (mut usual, mut during) = (Vec::new(), Vec::new());
    let (mut wall, mut cpu) = (0.0_f64, 0.0_f64);
    let before = parent.ask(&json!({"do": "usage"}))?;
    for cut in 1..=CUTS {
        (stage.tell)("S6: the power fails, the villages work on");
        for group in &mut groups {
            group.ask(&json!({"do": "stop"}))?;
            group.ask(&json!({"do": "write", "count": WRITTEN, "seed": cut}))?;
            group.ask(&json!({"do": "close"}))?;
        }
        drop(groups);
        groups = Vec::new();
        for homes in folders.chunks(TOGETHER) {
            let homes: Vec<_> = homes.iter().map(|home| home.as_path()).collect();
            groups.push(opened_elsewhere(stage.plan, &homes)?);
        }
        usual.extend(commits(&mut parent, &mut |_| {
            thread::sleep(USUAL);
            Ok(())
        })?);
        (stage.tell)("S6: all return at once");
        let used = cpu_seconds(&mut parent)?;
        let began = Instant::now();
        during.extend(commits(&mut parent, &mut |parent| {
            all_return(parent, &mut groups, &address, stage)?;
            wall = wall.max(began.elapsed().as_secs_f64());
            Ok(())
        })?);
        cpu = cpu.max(cpu_seconds(&mut parent)? - used);
    }
    let after = parent.ask(&json!({"do": "usage"}))?;
    let (usual_p99, p99) = (percentile(&usual, 0.99), percentile(&during, 0.99));
    Ok(json!({
        "children": children.len(), "level": true, "returns": CUTS, "wall_s": wall,
        "county_rss_bytes": after["peak_rss_bytes"], "county_rss_before_bytes": before["rss_bytes"],
        "county_cpu_s": cpu,
        "usual_commits": usual.len(), "usual_commit_p50_s": percentile(&usual, 0.5), "usual_commit_p99_s": usual_p99,
        "commit_p50_s": percentile(&during, 0.5), "commit_p99_s": p99,
        "commits": during.len(), "commit_ratio": ratio(&json!(p99), &json!(usual_p99)),
    }))
}

/// Has all villages run, and waits until each is level with the county.
fn all_return(
    county: &mut Child,
    groups: &mut [Child],
    address: &str,
    stage: &Stage<'_>,
) -> Result<(), AnyError> {
    let began = Instant::now();
    for group in &mut *groups {
        group.send(&json!({"do": "serve", "peers": [address]}))?;
    }
    for group in &mut *groups {
        group.answer()?;
    }
    // They know first, and ask nothing of the county for it.
    for group in &mut *groups {
        group.send(&json!({"do": "await-level", "peers": 1}))?;
    }
    for group in &mut *groups {
        group.answer()?;
    }
    while !are_level(county, groups, stage)? {
        if began.elapsed() > PATIENCE {
            return Err("not all villages came level".into());
        }
        thread::sleep(Duration::from_millis(250));
    }
    Ok(())
}

fn cpu_seconds(child: &mut Child) -> Result<f64, AnyError> {
    let usage = child.ask(&json!({"do": "usage"}))?;
    Ok(usage["cpu_s"].as_f64().ok_or("a figure is missing")?)
}

/// What local commits at the county take, in seconds, while something else is done.
fn commits(
    county: &mut Child,
    meanwhile: &mut dyn FnMut(&mut Child) -> Result<(), AnyError>,
) -> Result<Vec<f64>, AnyError> {
    county.ask(&json!({"do": "commits-begin", "every_ms": EVERY_MS}))?;
    meanwhile(county)?;
    let ended = county.ask(&json!({"do": "commits-end"}))?;
    let seconds = ended["seconds"].as_array().into_iter().flatten();
    Ok(seconds.filter_map(Value::as_f64).collect())
}

fn are_level(county: &mut Child, groups: &mut [Child], stage: &Stage<'_>) -> Result<bool, AnyError> {
    let units: Vec<_> = stage.year.children.iter().map(|unit| unit.as_str()).collect();
    let theirs = county.ask(&json!({"do": "digests", "units": units}))?;
    let mut ours = Vec::new();
    for group in groups {
        let digests = group.ask(&json!({"do": "digests"}))?;
        ours.extend(digests["digests"].as_array().into_iter().flatten().cloned());
    }
    Ok(theirs["digests"] == Value::Array(ours))
}
