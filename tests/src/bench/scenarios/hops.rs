//! S5: one new update, from a village over its town and its county to the city, all four connected.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Instant;

use anjuan_node::unit::UnitCode;
use serde_json::{Value, json};

use super::{Stage, line, opened, percentile, serve};
use crate::bench::people::CITY;
use crate::bench::{AnyError, homes};

/// Updates, one after the other, and how long after one another.
const UPDATES: u64 = 200;
const EVERY_MS: u64 = 60;
/// Bytes of a round trip, and of what is synced: one update.
const BYTES: usize = 900;

pub(in crate::bench) fn run(stage: &mut Stage<'_>) -> Result<Value, AnyError> {
    (stage.tell)("S5: one update over three hops");
    let (village, town) = line(stage)?;
    let county = town.parent().ok_or("a town has a county")?;
    let year = stage.year;
    let units: [UnitCode; 4] = [CITY.parse()?, county, town, village];
    let mut nodes = Vec::new();
    let mut above: Option<String> = None;
    for unit in &units {
        let home = stage.home(&format!("hops-{unit}"));
        match unit.as_str() {
            CITY => homes::copy(&year.city, &home)?,
            _ => homes::make(&home, unit, false, &year.people, &year.updates)?,
        }
        let mut node = opened(stage.plan, &[&home])?;
        let peers: Vec<&str> = above.iter().map(String::as_str).collect();
        above = serve(&mut node, &peers)?.pop();
        nodes.push(node);
    }
    for (at, node) in nodes.iter_mut().enumerate() {
        let peers = if at == 0 || at == 3 { 1 } else { 2 };
        node.ask(&json!({"do": "await-level", "peers": peers}))?;
    }
    nodes[0].ask(&json!({"do": "mark"}))?;
    nodes[0].send(&json!({"do": "arrivals", "count": UPDATES}))?;
    let recorded = nodes[3].ask(&json!({"do": "record", "count": UPDATES, "every_ms": EVERY_MS}))?;
    let arrived = nodes[0].answer()?;
    let (mut acknowledged, mut asked) = (Vec::new(), Vec::new());
    for (recorded, arrived) in times(&recorded).zip(times(&arrived)) {
        let since = |at: &Value| arrived.as_f64().unwrap_or(0.0) - at.as_f64().unwrap_or(0.0);
        asked.push(since(&recorded[0]) / 1e6);
        acknowledged.push(since(&recorded[1]) / 1e6);
    }
    let trip = round_trips()?;
    let synced = syncs(&stage.home("synced"))?;
    let least = |part| 3.0 * (percentile(&trip, part) + percentile(&synced, part));
    let (p50, p99) = (percentile(&acknowledged, 0.5), percentile(&acknowledged, 0.99));
    let round = |value: f64| (value * 1e6).round() / 1e6;
    Ok(json!({
        "updates": acknowledged.len(),
        "p50_s": round(p50), "p99_s": round(p99),
        "from_asked_p50_s": round(percentile(&asked, 0.5)), "from_asked_p99_s": round(percentile(&asked, 0.99)),
        "round_trip_p50_s": round(percentile(&trip, 0.5)), "round_trip_p99_s": round(percentile(&trip, 0.99)),
        "fdatasync_p50_s": round(percentile(&synced, 0.5)), "fdatasync_p99_s": round(percentile(&synced, 0.99)),
        "p50_ratio": (p50 / least(0.5) * 100.0).round() / 100.0,
        "p99_ratio": (p99 / least(0.99) * 100.0).round() / 100.0,
        "p99_ratio_to_medians": (p99 / least(0.5) * 100.0).round() / 100.0,
    }))
}

fn times(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["times"].as_array().into_iter().flatten()
}

/// Seconds of round trips of one update's bytes over loopback.
fn round_trips() -> Result<Vec<f64>, AnyError> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let echo = thread::spawn(move || {
        let mut bytes = [0; BYTES];
        while far.read_exact(&mut bytes).is_ok() && far.write_all(&bytes).is_ok() {}
    });
    let mut figures = Vec::new();
    for _ in 0..UPDATES {
        let began = Instant::now();
        near.write_all(&[1; BYTES])?;
        near.read_exact(&mut [0; BYTES])?;
        figures.push(began.elapsed().as_secs_f64());
        thread::sleep(std::time::Duration::from_millis(2));
    }
    drop(near);
    let _ = echo.join();
    Ok(figures)
}

/// Seconds of appending one update's bytes and `fdatasync`.
fn syncs(file: &Path) -> Result<Vec<f64>, AnyError> {
    let mut out = File::create(file)?;
    let mut figures = Vec::new();
    for _ in 0..UPDATES {
        let began = Instant::now();
        out.write_all(&[1; BYTES])?;
        out.sync_data()?;
        figures.push(began.elapsed().as_secs_f64());
        thread::sleep(std::time::Duration::from_millis(2));
    }
    Ok(figures)
}
