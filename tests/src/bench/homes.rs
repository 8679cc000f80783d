//! Homes of nodes on the disk, without enrolling each: what a join leaves behind, and what came by sync.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anjuan_node::config::Config;
use anjuan_node::files::Disk;
use anjuan_node::home::Home;
use anjuan_node::keys::{KdfCost, KeyKind, KeyStore, NewPassphrase};
use anjuan_node::ledger::{Ledger, Opening, Outcome, check};
use anjuan_node::unit::UnitCode;
use anjuan_sync::replica::Record;
use anjuan_sync::{LogEpoch, Scope, SignedUpdate};
use rand::RngExt as _;

use super::AnyError;
use super::people::{HANDLES, People, chance, node_name, operator_name};

/// Seals the operators' keys.
pub(super) const PASSPHRASE: &str = "sync-bench";
/// Updates handed to the ledger at once, as a page brings them.
const PAGE: usize = 512;

/// Makes the home of a unit's node, level with the year's work.
pub(super) fn make(
    folder: &Path,
    unit: &UnitCode,
    standby: bool,
    people: &People,
    updates: &[SignedUpdate],
) -> Result<(), AnyError> {
    let scope = Scope::of(unit.path());
    let mut records = people.credentials();
    records.retain(|record| record.is_within(&scope));
    let within = updates
        .iter()
        .filter(|update| scope.holds(update.header().space()));
    records.extend(within.cloned().map(Record::Update));
    fill(folder, unit, standby, people, records)
}

/// The same with nothing in it but what a join brings.
pub(super) fn make_empty(
    folder: &Path,
    unit: &UnitCode,
    standby: bool,
    people: &People,
) -> Result<(), AnyError> {
    fill(folder, unit, standby, people, people.chain(unit)?)
}

fn fill(
    folder: &Path,
    unit: &UnitCode,
    standby: bool,
    people: &People,
    records: Vec<Record>,
) -> Result<(), AnyError> {
    fs::create_dir_all(folder)?;
    let keys = KeyStore::new(folder.join("keys"), KdfCost::reduced_for_tests());
    keys.create_node(&mut chance(&node_name(unit, standby)))?;
    let passphrase = NewPassphrase::chosen(PASSPHRASE.to_owned())?;
    for handle in HANDLES {
        let mut chance = chance(&operator_name(unit, handle));
        keys.create_sealed(KeyKind::Operator, &handle.parse()?, &passphrase, &mut chance)?;
    }
    drop(Home::create(
        folder,
        Config::new(unit.clone()),
        Some(&people.root),
    )?);
    let opening = Opening {
        home: folder,
        root: people.root.as_ref().clone(),
        unit,
        files: Arc::new(Disk),
        cache_bytes: Some(64 << 20),
        fresh: LogEpoch::from_bytes(rand::rng().random()),
    };
    let (mut ledger, _) = Ledger::open(opening, &mut |_, _| {})?;
    let mut last = None;
    let mut records = records.into_iter().peekable();
    while records.peek().is_some() {
        let page = records.by_ref().take(PAGE).collect();
        let (taken, durable) = ledger.take(check(page, &mut rand::rng()))?;
        if let Some(other) = taken.outcomes.iter().find(|one| **one != Outcome::Stored) {
            return Err(format!("the home of {unit} did not take what it should: {other:?}").into());
        }
        last = Some(durable);
    }
    if let Some(durable) = last {
        durable.wait()?;
    }
    Ok(())
}

/// Copies a home that is not open.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), AnyError> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
