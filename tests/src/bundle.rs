//! A village's journal in memory, with witnesses in county and city, and audit bundles of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use anjuan_node::audit::export::{ExportError, Source};
use anjuan_node::audit::scope::{Disclosed, SealedState};
use anjuan_node::audit::{Auditor, Export, Exported, Extras, Policy, Report, Scope, export, verify};
use anjuan_node::authority::certificate::{CertificateKind, Certified, Issue};
use anjuan_node::authority::role::Role;
use anjuan_node::document::Document;
use anjuan_node::evidence::checkpoint::{Checkpoint, SignedCheckpoint, VerifiedCheckpoint};
use anjuan_node::evidence::merkle::{ConsistencyProof, TreeHead, record_leaf};
use anjuan_node::evidence::name::{NodeName, Origin};
use anjuan_node::evidence::witness::{Outcome, Witness};
use anjuan_node::files::Disk;
use anjuan_node::ledger::DocumentKey;
use anjuan_node::particulars::Commitment;
use anjuan_sync::hash::sha256;
use anjuan_sync::{Digest, LogEpoch, SignedUpdate, Space, Timestamp};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use crate::world::{NOW, Writer, certify, key, public, registered, root};

pub const VILLAGE: &str = "450902001001";
pub const COUNTY: &str = "450902";
pub const CITY: &str = "4509";
const HOUR: i64 = 3_600_000;
const CREDENTIAL: u8 = 1;
const UPDATE: u8 = 2;
const FORK: u8 = 3;

/// So many hours after everything began.
pub fn hour(hours: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + hours * HOUR)
}

/// Where the village's cases live.
pub fn village() -> Space {
    Space::up("4509/02/001/001".parse().expect("a path"))
}

/// The root of RFC 6962, section 2.1, word for word.
pub fn merkle_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => sha256(b""),
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            let (left, right) = (merkle_root(&leaves[..k]), merkle_root(&leaves[k..]));
            sha256(&[&[1][..], left.as_bytes(), right.as_bytes()].concat())
        }
    }
}

/// A node that signs checkpoints and cosigns those of others.
#[derive(Clone, Debug)]
pub struct Node {
    pub key: SigningKey,
    pub name: NodeName,
    pub certified: Arc<Certified>,
}

impl Node {
    /// The node of a unit, certified by the root.
    pub fn new(label: &str, unit: &str) -> Self {
        let key = key(label);
        Self {
            name: NodeName::new(
                root().network(),
                unit.parse().expect("a unit"),
                &key.verifying_key(),
            ),
            certified: certify(&root(), CertificateKind::Node, public(&key), label, unit),
            key,
        }
    }

    /// Cosigns without having seen anything before: as an honest witness does the first time, and a
    /// dishonest one always.
    pub fn cosign(&self, checkpoint: &mut VerifiedCheckpoint, at: Timestamp) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut witness = Witness::open(Arc::new(Disk), folder.path()).expect("opens");
        let proof = ConsistencyProof::from_hashes(Vec::new());
        let outcome = witness
            .cosign(checkpoint, 0, &proof, at, &self.name, &self.key)
            .expect("kept");
        let Outcome::Cosigned(line) = outcome else {
            panic!("not cosigned: {outcome:?}");
        };
        checkpoint.add(line).expect("room");
    }

    /// The checkpoint of these leaves, in the log of this epoch.
    pub fn checkpoint(&self, epoch: LogEpoch, leaves: &[Digest]) -> VerifiedCheckpoint {
        let head = TreeHead {
            size: leaves.len() as u64,
            root: merkle_root(leaves),
        };
        Checkpoint::new(self.name.clone().log(epoch), head)
            .sign(&self.key)
            .expect("its own key")
    }
}

/// The records of a journal.
#[derive(Clone, Debug, Default)]
pub struct Records {
    pub all: Vec<(u8, Vec<u8>)>,
    pub sealed: Vec<(DocumentKey, Vec<SealedState>)>,
}

impl Records {
    pub fn credential(&mut self, certified: &Certified) {
        self.all.push((CREDENTIAL, certified.signed().encode()));
    }

    pub fn revocation(&mut self, bytes: Vec<u8>) {
        self.all.push((CREDENTIAL, bytes));
    }

    pub fn update(&mut self, update: &SignedUpdate) {
        self.all.push((UPDATE, update.encode()));
    }

    pub fn fork(&mut self, a: &SignedUpdate, b: &SignedUpdate) {
        let mut bytes = vec![0x82];
        for update in [a, b] {
            let header = update.signed_header().encode();
            bytes.push(0x59);
            bytes.extend_from_slice(&(header.len() as u16).to_be_bytes());
            bytes.extend_from_slice(&header);
        }
        self.all.push((FORK, bytes));
    }

    pub fn leaves(&self) -> Vec<Digest> {
        let leaf = |(kind, bytes): &(u8, Vec<u8>)| match *kind {
            UPDATE => {
                let update = SignedUpdate::decode(bytes).expect("an update");
                record_leaf(UPDATE, &update.signed_header().encode())
            }
            kind => record_leaf(kind, bytes),
        };
        self.all.iter().map(leaf).collect()
    }
}

impl Source for Records {
    fn end(&self) -> u64 {
        self.all.len() as u64
    }

    fn record(&mut self, position: u64) -> Result<(u8, Vec<u8>), ExportError> {
        Ok(self.all[position as usize].clone())
    }

    fn sealed(&mut self, document: &DocumentKey) -> Result<Vec<SealedState>, ExportError> {
        let of = self.sealed.iter().find(|(key, _)| key == document);
        Ok(of.map(|(_, states)| states.clone()).unwrap_or_default())
    }
}

/// The village's node, its witnesses, its operators, and what is in its journal.
#[derive(Clone, Debug)]
pub struct Scene {
    pub village: Node,
    pub county: Node,
    pub city: Node,
    pub zhang: Writer,
    pub epoch: LogEpoch,
    pub records: Records,
    pub checkpoints: Vec<SignedCheckpoint>,
    pub conflicts: Vec<[SignedCheckpoint; 2]>,
    pub disclosed: Vec<(DocumentKey, Vec<Disclosed>)>,
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    /// A journal that holds the certificates of the three nodes and of the operator zhang.
    pub fn new() -> Self {
        let node = certify(
            &root(),
            CertificateKind::Operator,
            public(&key("zhang")),
            "zhang",
            VILLAGE,
        );
        let mut scene = Self {
            village: Node::new("village-node", VILLAGE),
            county: Node::new("county-node", COUNTY),
            city: Node::new("city-node", CITY),
            zhang: Writer::new("zhang", &node, 1, village()),
            epoch: LogEpoch::from_bytes([9; 16]),
            records: Records::default(),
            checkpoints: Vec::new(),
            conflicts: Vec::new(),
            disclosed: Vec::new(),
        };
        for certified in [&scene.village, &scene.county, &scene.city].map(|node| Arc::clone(&node.certified))
        {
            scene.records.credential(&certified);
        }
        scene.records.credential(&node);
        scene
    }

    /// The journal's log.
    pub fn origin(&self) -> Origin {
        self.village.name.clone().log(self.epoch)
    }

    /// Another operator of the village.
    pub fn operator(&mut self, name: &str, epoch: u8) -> Writer {
        let certified = certify(
            &root(),
            CertificateKind::Operator,
            public(&key(name)),
            name,
            VILLAGE,
        );
        self.records.credential(&certified);
        Writer::new(name, &certified, epoch, village())
    }

    /// An operator of the village with one role.
    pub fn operator_with(&mut self, name: &str, epoch: u8, role: Role) -> Writer {
        let issue = Issue {
            kind: CertificateKind::Operator,
            subject: public(&key(name)),
            seal_key: None,
            unit: VILLAGE.parse().expect("a unit"),
            organisation: None,
            roles: BTreeSet::from([role]),
            label: name.into(),
            serial: 900,
            not_before: hour(-24),
            not_after: hour(24_000),
        };
        let certified = root().issue(&key("city"), issue).expect("the root may");
        self.records.credential(&certified);
        Writer::new(name, &Arc::new(certified), epoch, village())
    }

    /// Zhang opens a case.
    pub fn create(&mut self, event: &Value) -> (DocumentKey, Document) {
        let (key, document, update) = self.zhang.create(event);
        self.records.update(&update);
        (key, document)
    }

    /// Zhang opens a case with particulars of a party; they are disclosed by whoever puts them in
    /// [`Self::disclosed`].
    pub fn create_with_particulars(&mut self) -> (DocumentKey, Document, Disclosed) {
        let (salt, content) = ([7; 32], b"canonical particulars".to_vec());
        let commitment = Commitment::of(&salt, &content);
        let mut event = registered(1);
        event["parties"][0]["commitment"] = json!(commitment.to_string());
        let (key, document) = self.create(&event);
        let particulars = Disclosed {
            commitment,
            salt,
            content,
        };
        (key, document, particulars)
    }

    /// Zhang goes on with it.
    pub fn change(&mut self, key: &DocumentKey, document: &mut Document, event: &Value) {
        let update = self.zhang.change(key, document, event);
        self.records.update(&update);
    }

    /// The node signs a checkpoint of what is there, and these cosign it.
    pub fn checkpoint(&mut self, at: Timestamp) -> SignedCheckpoint {
        let mut checkpoint = self.village.checkpoint(self.epoch, &self.records.leaves());
        for witness in [&self.county, &self.city] {
            witness.cosign(&mut checkpoint, at);
        }
        self.checkpoints.push(checkpoint.as_signed().clone());
        checkpoint.as_signed().clone()
    }

    /// What an export of everything asks for.
    pub fn asked(&self) -> Export {
        Export {
            network: root().network(),
            origin: self.origin(),
            scope: Scope::All,
            whole: false,
            payloads: true,
            made_at: hour(1000),
            splits: Vec::new(),
            sealed: false,
        }
    }

    /// The bundle of everything, with payloads.
    pub fn bundle(&self) -> Vec<u8> {
        self.export(&self.asked()).0
    }

    pub fn export(&self, asked: &Export) -> (Vec<u8>, Exported) {
        let extras = Extras {
            checkpoints: self.checkpoints.clone(),
            conflicts: self.conflicts.clone(),
            disclosed: self.disclosed.iter().cloned().collect(),
        };
        let mut bytes = Vec::new();
        let done =
            export(&mut self.records.clone(), asked, extras, &mut bytes, &mut |_| {}).expect("exported");
        (bytes, done)
    }
}

/// What an auditor with the network's root makes of a bundle.
pub fn audit(bundle: &[u8], policy: &Policy, kept: &[SignedCheckpoint]) -> Report {
    let root = root();
    let auditor = Auditor {
        root: &root,
        policy,
        kept,
        as_of: None,
        particulars: true,
    };
    verify(bundle, &auditor, &mut rand::rng(), &mut |_| {}).expect("a bundle")
}

/// The parts of a bundle: where each record's frame begins, its tag, its body.
pub fn parts(bundle: &[u8]) -> Vec<(usize, u8, std::ops::Range<usize>)> {
    let mut parts = Vec::new();
    let mut at = bundle
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a first line")
        + 1;
    while at < bundle.len() {
        let length = u32::from_be_bytes(bundle[at + 1..at + 5].try_into().expect("four bytes")) as usize;
        parts.push((at, bundle[at], at + 5..at + 5 + length));
        at += 5 + length;
    }
    parts
}

/// A record as a bundle frames it.
pub fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

/// The bundle with a digest that fits whatever was done to it.
pub fn resealed(mut bundle: Vec<u8>) -> Vec<u8> {
    bundle.truncate(bundle.len() - 37);
    let digest = sha256(&bundle);
    bundle.extend(framed(0xff, digest.as_bytes()));
    bundle
}
