//! `anjuan demo`: the main job on four nodes of the real Yulin tree, told as it happens.

mod family;
mod link;
mod story;
mod teller;

use std::path::PathBuf;
use std::time::Instant;

use anjuan_node::running::runtime;
use anjuan_node::service::ServiceError;
use serde::Serialize;

use self::family::Family;
use self::teller::Teller;
use crate::console::Console;
use crate::output::Ui;

/// What the demo is asked for.
#[derive(Clone, Debug)]
pub struct Demo {
    /// End after the story; otherwise the nodes stay up until Ctrl-C.
    pub exit: bool,
    /// Leave the homes and the root certificate here.
    pub keep: Option<PathBuf>,
}

/// What came of it. The keys are a promise to scripts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// Nodes that took part.
    pub nodes: u64,
    /// Cases in the city's ledger at the end.
    pub cases: u64,
    /// Updates in the city's ledger at the end.
    pub updates: u64,
    /// Did all nodes come to the same digest over what they share, and to the same state of every case?
    pub converged: bool,
    /// Did every node's own check of everything find no fault?
    pub verified: bool,
    /// Was the conflict shown on every node?
    pub conflict_shown: bool,
    /// Was it decided, on every node?
    pub conflict_resolved: bool,
    /// Updates quarantined at the end, the same on every node.
    pub quarantined: u64,
    /// Are the erased particulars gone from every node?
    pub erased: bool,
    /// For each unit, the digest of the spaces that all four share.
    pub root_digests: std::collections::BTreeMap<String, String>,
    /// Seconds that the story took.
    pub seconds: f64,
}

impl Outcome {
    /// Did all of it hold?
    pub fn holds(&self) -> bool {
        self.converged
            && self.verified
            && self.conflict_shown
            && self.conflict_resolved
            && self.quarantined > 0
            && self.erased
    }
}

/// Runs the story; `Ok(false)` if something in it did not hold.
pub fn run(demo: &Demo, ui: &Ui, console: &mut dyn Console) -> Result<bool, ServiceError> {
    let started = Instant::now();
    let teller = Teller::new(ui, console, started);
    let runtime = runtime()?;
    let mut family = Family::found(&runtime, demo.keep.as_deref(), &teller)?;
    let mut outcome = story::tell(&mut family, &teller)?;
    outcome.seconds = started.elapsed().as_millis() as f64 / 1000.0;
    teller.end(&outcome, &family)?;
    if !demo.exit {
        teller.stays_up(&family);
        runtime.block_on(async {
            let _ = tokio::signal::ctrl_c().await;
        });
    }
    family.stop(&runtime);
    Ok(outcome.holds())
}
