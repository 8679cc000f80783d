//! The scenarios: who has what, what is done, and what it came to.

mod catch_up;
mod hops;
mod returning;
mod week;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(super) use self::catch_up::run as catch_up;
pub(super) use self::hops::run as three_hops;
pub(super) use self::returning::run as all_return;
use self::week::line;
pub(super) use self::week::run as after_a_week;
use super::process::Child;
use super::year::Year;
use super::{AnyError, Plan};

/// What the scenarios share.
pub(super) struct Stage<'a> {
    pub(super) plan: &'a Plan,
    pub(super) year: &'a Year,
    /// For homes that are written to.
    pub(super) folder: &'a Path,
    pub(super) tell: &'a mut dyn FnMut(&str),
}

impl Stage<'_> {
    fn home(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A folder for homes that stand for other machines: in memory where there is such a place, so that their
    /// disk is not this machine's.
    fn elsewhere(&self) -> io::Result<TempDir> {
        let memory = Path::new("/dev/shm");
        tempfile::tempdir_in(if memory.is_dir() { memory } else { self.folder })
    }
}

/// A process with these homes open.
fn opened(plan: &Plan, homes: &[&Path]) -> Result<Child, AnyError> {
    open_in(Child::start(plan)?, homes)
}

/// The same on other machines, as far as one machine can be several.
fn opened_elsewhere(plan: &Plan, homes: &[&Path]) -> Result<Child, AnyError> {
    open_in(Child::start_elsewhere(plan)?, homes)
}

fn open_in(mut child: Child, homes: &[&Path]) -> Result<Child, AnyError> {
    child.ask(&json!({"do": "open", "homes": homes}))?;
    Ok(child)
}

/// Runs its nodes, which dial these addresses; where they listen.
fn serve(child: &mut Child, peers: &[&str]) -> Result<Vec<String>, AnyError> {
    let serving = child.ask(&json!({"do": "serve", "peers": peers}))?;
    let addresses = serving["addresses"].as_array().into_iter().flatten();
    Ok(addresses
        .filter_map(|address| address.as_str().map(str::to_owned))
        .collect())
}

/// The digest over what its first node holds.
fn digest(child: &mut Child) -> Result<String, AnyError> {
    let digests = child.ask(&json!({"do": "digests"}))?;
    Ok(digests["digests"][0]
        .as_str()
        .ok_or("a digest is missing")?
        .to_owned())
}

/// Two nodes come level; what that cost. `expected` is the digest that the one who dials comes to, if that
/// can be known before; otherwise they are level once both say so. `witnessed`: only left once each has
/// cosigned what the other signed.
fn level(
    listener: &mut Child,
    dialer: &mut Child,
    expected: Option<&str>,
    witnessed: bool,
) -> Result<Value, AnyError> {
    let address = serve(listener, &[])?.remove(0);
    let before = cpu(listener)?;
    serve(dialer, &[&address])?;
    let came = |child: &mut Child| child.ask(&json!({"do": "await-level", "peers": 1}));
    let took = match expected {
        Some(digest) => dialer.ask(&json!({"do": "await-digest", "digest": digest}))?,
        None => came(dialer)?,
    };
    let after = cpu(listener)?;
    came(dialer)?;
    came(listener)?;
    if witnessed {
        for node in [&mut *listener, &mut *dialer] {
            node.ask(&json!({"do": "await-witnessed"}))?;
        }
    }
    let low = dialer.ask(&json!({"do": "stop"}))?["sessions"][0].clone();
    let high = listener.ask(&json!({"do": "stop"}))?["sessions"][0].clone();
    let usage = json!({"do": "usage"});
    let (sender, receiver) = (listener.ask(&usage)?, dialer.ask(&usage)?);
    let trips = [&low, &high].map(|session| session["round_trips"].as_u64().unwrap_or(0));
    Ok(json!({
        "wall_s": took["wall_s"], "sender_cpu_s": after - before, "receiver_cpu_s": took["cpu_s"],
        "bytes_to_receiver": low["received"], "bytes_to_sender": low["sent"],
        "round_trips": trips[0].max(trips[1]),
        "sender_rss_bytes": sender["peak_rss_bytes"], "receiver_rss_bytes": receiver["peak_rss_bytes"],
        "pages": sum(&[&low["pages"], &high["pages"]]),
        "page_bytes": sum(&[&low["page_bytes"], &high["page_bytes"]]),
        "records": sum(&[&low["records"], &high["records"]]),
    }))
}

fn cpu(child: &mut Child) -> Result<f64, AnyError> {
    let usage = child.ask(&json!({"do": "usage"}))?;
    Ok(usage["cpu_s"].as_f64().unwrap_or(0.0))
}

fn sum(values: &[&Value]) -> u64 {
    values.iter().filter_map(|value| value.as_u64()).sum()
}

fn ratio(value: &Value, of: &Value) -> Value {
    match (value.as_f64(), of.as_f64()) {
        (Some(value), Some(of)) if of > 0.0 => json!((value / of * 1000.0).round() / 1000.0),
        _ => Value::Null,
    }
}

/// The value below which this part of the figures lies.
fn percentile(figures: &[f64], part: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(0.0)
}
