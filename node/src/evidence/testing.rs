//! Named nodes with fixed keys, and their logs.

use std::sync::Arc;

use anjuan_sync::{LogEpoch, NetworkId, Timestamp};
use ed25519_dalek::{SigningKey, VerifyingKey};
use tempfile::TempDir;

use super::checkpoint::{Checkpoint, VerifiedCheckpoint};
use super::merkle::{ConsistencyProof, MerkleLog, TreeHead, record_leaf};
use super::name::{NodeName, Origin};
use super::witness::{Outcome, Witness};
use crate::files::Disk;
use crate::journal::JournalId;

pub(super) const KIND: u8 = 1;
/// 2026-01-01T00:00:00Z.
pub(super) const NEW_YEAR: i64 = 1_767_225_600_000;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NEW_YEAR + 1000 * seconds)
}

pub(super) fn record(index: u64) -> Vec<u8> {
    format!("record {index}").into_bytes()
}

/// A node with a witness's folder and a log.
pub(super) struct Node {
    pub(super) name: NodeName,
    pub(super) key: SigningKey,
    pub(super) log: MerkleLog,
    pub(super) witness: Witness,
    pub(super) folder: TempDir,
}

impl Node {
    pub(super) fn new(seed: u8, unit: &str) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let network = NetworkId::from_bytes([0x11; 32]);
        let name = NodeName::new(network, unit.parse().expect("a unit"), &key.verifying_key());
        let folder = tempfile::tempdir().expect("a folder");
        let log = MerkleLog::open(
            Arc::new(Disk),
            &folder.path().join("merkle"),
            JournalId::from_bytes([seed; 16]),
            u64::MAX,
        );
        let witness = Witness::open(Arc::new(Disk), &folder.path().join("witness"));
        Self {
            name,
            key,
            log: log.expect("opens").0,
            witness: witness.expect("opens"),
            folder,
        }
    }

    pub(super) fn town() -> Self {
        Self::new(1, "450902001")
    }

    pub(super) fn county() -> Self {
        Self::new(2, "450902")
    }

    pub(super) fn origin(&self) -> Origin {
        self.name.clone().log(LogEpoch::from_bytes([0x22; 16]))
    }

    pub(super) fn grow(&mut self, to: u64) {
        let leaves: Vec<_> = (self.log.size()..to)
            .map(|index| record_leaf(KIND, &record(index)))
            .collect();
        self.log.append(&leaves).expect("appended");
    }

    /// Grows by records that nobody else has.
    pub(super) fn grow_otherwise(&mut self, to: u64) {
        let leaves: Vec<_> = (self.log.size()..to)
            .map(|index| record_leaf(9, &record(index)))
            .collect();
        self.log.append(&leaves).expect("appended");
    }

    pub(super) fn checkpoint(&self) -> VerifiedCheckpoint {
        self.checkpoint_of(self.log.head())
    }

    pub(super) fn checkpoint_of(&self, head: TreeHead) -> VerifiedCheckpoint {
        Checkpoint::new(self.origin(), head)
            .sign(&self.key)
            .expect("its own key")
    }

    pub(super) fn proof_from(&self, size: u64) -> ConsistencyProof {
        self.log.prove_consistency(size, self.log.size()).expect("proven")
    }

    /// Brings its newest checkpoint to a witness, with the proof it needs.
    pub(super) fn bring_to(&self, witness: &mut Node, seconds: i64) -> Outcome {
        let last = witness.witness.last(&self.origin()).expect("readable");
        let last = last.map_or(0, |kept| kept.head().size);
        let from = last.min(self.log.size());
        let proof = self.proof_from(from);
        witness.cosign(&self.checkpoint(), from, &proof, seconds)
    }

    pub(super) fn cosign(
        &mut self,
        checkpoint: &VerifiedCheckpoint,
        from: u64,
        proof: &ConsistencyProof,
        seconds: i64,
    ) -> Outcome {
        self.witness
            .cosign(checkpoint, from, proof, at(seconds), &self.name, &self.key)
            .expect("kept")
    }

    /// The checkpoint with this node's cosignature.
    pub(super) fn cosigned(&self, witnesses: &mut [(&mut Node, i64)]) -> VerifiedCheckpoint {
        let mut checkpoint = self.checkpoint();
        for (witness, seconds) in witnesses {
            match self.bring_to(witness, *seconds) {
                Outcome::Cosigned(line) => checkpoint.add(line).expect("room"),
                other => panic!("not cosigned: {other:?}"),
            }
        }
        checkpoint
    }
}

/// The keys of these nodes.
pub(super) fn keys(nodes: &[&Node]) -> impl Fn(&NodeName) -> Option<VerifyingKey> + use<> {
    let known: Vec<_> = nodes
        .iter()
        .map(|node| (node.name.clone(), node.key.verifying_key()))
        .collect();
    move |name| known.iter().find(|(known, _)| known == name).map(|(_, key)| *key)
}
