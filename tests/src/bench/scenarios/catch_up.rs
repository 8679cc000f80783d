//! S1 to S3: a second node of the city, empty, then level, then a little behind.

use std::path::Path;

use serde_json::{Value, json};

use super::{Stage, digest, level, opened, ratio};
use crate::bench::people::CITY;
use crate::bench::{AnyError, homes};

/// Cases that get one more update each.
const CHANGED: usize = 100;

pub(in crate::bench) fn run(stage: &mut Stage<'_>, report: &mut Value) -> Result<(), AnyError> {
    let (plan, year) = (stage.plan, stage.year);
    let (sender, receiver) = (stage.home("city"), stage.home("standby"));
    homes::copy(&year.city, &sender)?;
    homes::make_empty(&receiver, &CITY.parse()?, true, &year.people)?;
    let homes = [&sender, &receiver].map(|home| home.as_path());
    (stage.tell)("S1: an empty node catches up");
    // Left as a link leaves them that lasts: S2 is about what comes after that.
    let mut caught_up = meet(stage, homes, true, &mut |_| Ok(()))?;
    if plan.wants("S1") {
        let floor = &report["floor"];
        caught_up["wall_ratio"] = ratio(&caught_up["wall_s"], &floor["wall_s"]);
        caught_up["cpu_ratio"] = ratio(&caught_up["receiver_cpu_s"], &floor["cpu_s"]);
        caught_up["bytes_ratio"] = ratio(&caught_up["bytes_to_receiver"], &json!(year.signed_bytes));
        report["S1"] = caught_up;
    }
    if plan.wants("S2") {
        (stage.tell)("S2: nothing changed, after a restart");
        report["S2"] = meet(stage, homes, false, &mut |_| Ok(()))?;
    }
    if plan.wants("S3") {
        (stage.tell)("S3: 100 cases got an update each");
        report["S3"] = changed(stage, homes, 3, &mut |_| Ok(()))?;
        (stage.tell)("S3: the same, with the cursors lost");
        report["S3_by_digests"] = changed(stage, homes, 4, &mut |home| {
            Ok(std::fs::remove_file(home.join("cursors"))?)
        })?;
    }
    Ok(())
}

/// Opens both, and has them come level.
fn meet(
    stage: &Stage<'_>,
    [sender, receiver]: [&Path; 2],
    witnessed: bool,
    before: &mut dyn FnMut(&Path) -> Result<(), AnyError>,
) -> Result<Value, AnyError> {
    for home in [sender, receiver] {
        before(home)?;
    }
    let mut listener = opened(stage.plan, &[sender])?;
    let mut dialer = opened(stage.plan, &[receiver])?;
    let expected = digest(&mut listener)?;
    level(&mut listener, &mut dialer, Some(&expected), witnessed)
}

/// The city's own people write in some cases while the other node is away.
fn changed(
    stage: &Stage<'_>,
    homes: [&Path; 2],
    seed: u64,
    before: &mut dyn FnMut(&Path) -> Result<(), AnyError>,
) -> Result<Value, AnyError> {
    let mut writer = opened(stage.plan, &homes[..1])?;
    let count = CHANGED.min(stage.plan.cases);
    let written = writer.ask(&json!({"do": "write", "count": count, "seed": seed}))?;
    writer.ask(&json!({"do": "close"}))?;
    drop(writer);
    let mut met = meet(stage, homes, false, before)?;
    met["updates_bytes"] = written["bytes"].clone();
    met["bytes_ratio"] = ratio(&met["bytes_to_receiver"], &written["bytes"]);
    Ok(met)
}
