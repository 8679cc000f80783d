//! S4: a village comes level with its town after a week in which both wrote.

use anjuan_node::unit::UnitCode;
use serde_json::{Value, json};

use super::{Stage, digest, level, opened, sum};
use crate::bench::{AnyError, homes};

/// Updates of a week: of the village's own cases, and the town's in them.
const OF_THE_VILLAGE: u64 = 6;
const OF_THE_TOWN: u64 = 3;

pub(in crate::bench) fn run(stage: &mut Stage<'_>) -> Result<Value, AnyError> {
    (stage.tell)("S4: a village and its town, after a week");
    let (village, town) = line(stage)?;
    let [low, high] = ["week-village", "week-town"].map(|name| stage.home(name));
    let year = stage.year;
    homes::make(&low, &village, false, &year.people, &year.updates)?;
    homes::make(&high, &town, false, &year.people, &year.updates)?;
    // They have met before.
    let mut listener = opened(stage.plan, &[&high])?;
    let mut dialer = opened(stage.plan, &[&low])?;
    level(&mut listener, &mut dialer, None, true)?;
    drop((listener, dialer));

    let mut bytes = 0;
    for (home, count) in [(&low, OF_THE_VILLAGE), (&high, OF_THE_TOWN)] {
        let mut writer = opened(stage.plan, &[home])?;
        let unit = village.as_str();
        let written = writer.ask(&json!({"do": "write", "count": count, "seed": count, "unit": unit}))?;
        bytes += sum(&[&written["bytes"]]);
        writer.ask(&json!({"do": "close"}))?;
    }
    let mut listener = opened(stage.plan, &[&high])?;
    let mut dialer = opened(stage.plan, &[&low])?;
    let mut met = level(&mut listener, &mut dialer, None, false)?;
    met["updates"] = json!(OF_THE_VILLAGE + OF_THE_TOWN);
    met["updates_bytes"] = json!(bytes);
    let all = sum(&[&met["bytes_to_receiver"], &met["bytes_to_sender"]]);
    met["overhead_bytes"] = json!(all.saturating_sub(sum(&[&met["page_bytes"]])));
    let theirs = listener.ask(&json!({"do": "digests", "units": [village.as_str()]}))?;
    met["level"] = json!(theirs["digests"][0] == json!(digest(&mut dialer)?));
    Ok(met)
}

/// A village with cases, the last of the list, and its town.
pub(super) fn line(stage: &Stage<'_>) -> Result<(UnitCode, UnitCode), AnyError> {
    let village = stage.year.villages.last().ok_or("no village")?.clone();
    let town = village.parent().ok_or("a village has a town")?;
    Ok((village, town))
}
