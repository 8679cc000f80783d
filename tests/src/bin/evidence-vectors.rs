//! Writes what the evidence core makes into a folder, for programs that share no code with it:
//! `evidence-vectors FOLDER` leaves `vectors.json` and `log/tile/…` there. `tests/second-opinion/run` calls it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anjuan_node::evidence::checkpoint::{Checkpoint, VerifiedCheckpoint};
use anjuan_node::evidence::merkle::{MerkleLog, record_leaf};
use anjuan_node::evidence::name::NodeName;
use anjuan_node::evidence::note::{SignatureType, verifier_key};
use anjuan_node::evidence::witness::{Outcome, Witness};
use anjuan_node::files::Disk;
use anjuan_node::journal::JournalId;
use anjuan_sync::{Digest, LogEpoch, NetworkId, Timestamp};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

type Failed = Box<dyn std::error::Error>;

/// Leaves of the log: two levels of tiles.
const SIZE: u64 = 600;
/// All proofs are written up to this size.
const DENSE: u64 = 40;
/// Larger sizes that are tried, around the tiles' borders.
const SPARSE: [u64; 9] = [63, 64, 65, 255, 256, 257, 511, 513, SIZE];
const KIND: u8 = 1;
const NEW_YEAR: i64 = 1_767_225_600_000;

fn record(index: u64) -> Vec<u8> {
    format!("record {index}").into_bytes()
}

fn hashes(hashes: &[Digest]) -> Value {
    hashes.iter().map(Digest::to_string).collect()
}

fn sizes() -> impl Iterator<Item = u64> {
    (1..=DENSE).chain(SPARSE)
}

struct Node {
    name: NodeName,
    key: SigningKey,
}

impl Node {
    fn new(seed: u8, unit: &str) -> Result<Self, Failed> {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let name = NodeName::new(
            NetworkId::from_bytes([0x11; 32]),
            unit.parse()?,
            &key.verifying_key(),
        );
        Ok(Self { name, key })
    }
}

/// The town's log at each of [`SPARSE`], cosigned by county and city.
fn notes(dir: &Path, log: &MerkleLog) -> Result<Value, Failed> {
    let town = Node::new(1, "450902001")?;
    let origin = town.name.clone().log(LogEpoch::from_bytes([0x22; 16]));
    let mut witnesses = Vec::new();
    for (seed, unit) in [(2, "450902"), (3, "4509")] {
        let node = Node::new(seed, unit)?;
        let witness = Witness::open(Arc::new(Disk), &dir.join("witness").join(unit))?;
        witnesses.push((node, witness));
    }
    let mut notes = Vec::new();
    let mut last = 0;
    for (number, size) in (0..).zip(SPARSE) {
        let checkpoint = Checkpoint::new(origin.clone(), log.head_at(size)?).sign(&town.key)?;
        let mut cosigned: VerifiedCheckpoint = checkpoint.clone();
        for (node, witness) in &mut witnesses {
            let proof = log.prove_consistency(last, size)?;
            let now = Timestamp::from_millis(NEW_YEAR + number * 60_000);
            match witness.cosign(&checkpoint, last, &proof, now, &node.name, &node.key)? {
                Outcome::Cosigned(line) => cosigned.add(line)?,
                other => return Err(format!("not cosigned: {other:?}").into()),
            }
        }
        let root = log.head_at(size)?.root.to_string();
        let time = NEW_YEAR / 1000 + number * 60;
        notes.push(json!({
            "note": cosigned.note().to_string(), "origin": origin.to_string(),
            "size": size, "root": root, "time": time,
        }));
        last = size;
    }
    let log_key = verifier_key(
        &origin.to_string(),
        SignatureType::Ed25519,
        &town.key.verifying_key(),
    );
    let witness_keys: Vec<_> = witnesses
        .iter()
        .map(|(node, _)| {
            let name = node.name.to_string();
            verifier_key(&name, SignatureType::Cosignature, &node.key.verifying_key())
        })
        .collect();
    Ok(json!({ "log_key": log_key, "witness_keys": witness_keys, "notes": notes }))
}

fn write(dir: &Path) -> Result<(), Failed> {
    let journal = JournalId::from_bytes([7; 16]);
    let (mut log, _) = MerkleLog::open(Arc::new(Disk), &dir.join("log"), journal, SIZE)?;
    let leaves: Vec<_> = (0..SIZE).map(|index| record_leaf(KIND, &record(index))).collect();
    for batch in leaves.chunks(37) {
        log.append(batch)?;
    }
    let mut inclusion = Vec::new();
    let mut consistency = Vec::new();
    for size in sizes() {
        let step = if size > DENSE { 7 } else { 1 };
        for index in (0..size).step_by(step) {
            let proof = log.prove_inclusion(index, size)?;
            inclusion.push(json!({ "size": size, "index": index, "proof": hashes(proof.hashes()) }));
        }
        for old in sizes().filter(|old| *old <= size) {
            let proof = log.prove_consistency(old, size)?;
            consistency.push(json!({ "old": old, "new": size, "proof": hashes(proof.hashes()) }));
        }
    }
    let roots: Result<Vec<_>, _> = (0..=SIZE)
        .map(|size| log.head_at(size).map(|head| head.root))
        .collect();
    let records: Vec<_> = (0..SIZE)
        .map(|index| hex::encode([&[KIND], &*record(index)].concat()))
        .collect();
    let vectors = json!({
        "leaves": records, "roots": hashes(&roots?), "inclusion": inclusion, "consistency": consistency,
        "checkpoints": notes(dir, &log)?,
    });
    std::fs::write(dir.join("vectors.json"), serde_json::to_string_pretty(&vectors)?)?;
    Ok(())
}

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1) else {
        eprintln!("usage: evidence-vectors FOLDER");
        return ExitCode::from(2);
    };
    match write(Path::new(&dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("evidence-vectors: {error}");
            ExitCode::FAILURE
        }
    }
}
