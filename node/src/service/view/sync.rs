//! What is told of peers, units below, and bundles.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Peer, Unit};
use crate::text::Text;

/// `sync status`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SyncStatus {
    /// The unit this node serves.
    pub unit: Unit,
    /// Is this answer from a running node?
    pub running: bool,
    /// Peers: those kept in the order of the configuration, then the others.
    pub peers: Vec<SyncPeer>,
    /// The units directly below, of the division list or with anything held.
    pub children: Vec<SyncChild>,
    /// Updates held back until their predecessor or certificate comes.
    pub waiting: u64,
    /// Updates stored that can't be applied: they wait for what they build on, are refused, or are blocked.
    pub idle: u64,
    /// Updates stored that certificates rule out.
    pub quarantined: u64,
    /// Things refused and kept as evidence.
    pub evidence: u64,
    /// Logs found forked.
    pub forks: u64,
    /// Why nothing is taken in at present, if so.
    pub stopped: Option<Text>,
}

/// How it goes with one peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SyncPeer {
    /// Who, where, whether linked and level.
    #[serde(flatten)]
    pub peer: Peer,
    /// What it has that is not here; none while that is not known.
    pub behind: Option<Behind>,
    /// How many records here it has not taken in, as far as it said; none where it never said.
    pub lacks: Option<u64>,
    /// Bytes a second while pages were awaited; 0 before the first.
    pub rate: u64,
    /// Answers waited for one after the other in this session.
    pub round_trips: u32,
    /// Bytes sent in this session, above the transport.
    pub sent_bytes: u64,
    /// Bytes received in this session, above the transport.
    pub received_bytes: u64,
    /// When the next attempt to reach it is made.
    pub next_attempt: Option<Timestamp>,
}

/// How much is still to be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// Updates and other records; none where it is level.
    pub records: u64,
    /// Roughly their bytes on the link.
    pub bytes: u64,
}

/// What is held of a unit below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncChild {
    /// The unit.
    pub unit: Unit,
    /// Has it a node?
    pub enrolled: bool,
    /// Updates held of it and of all below it.
    pub updates: u64,
    /// Logs they stand in.
    pub logs: u64,
    /// Is one of its nodes linked?
    pub connected: bool,
    /// Is one of its nodes level with this one? None while none is linked.
    pub level: Option<bool>,
    /// How many records here none of its nodes has taken in, as far as they said.
    pub lacks: Option<u64>,
    /// When something new last came from a node of it or below it.
    pub last_received: Option<Timestamp>,
}

/// `sync now`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SyncNow {
    /// Are all of them level?
    pub level: bool,
    /// Those it was about.
    pub peers: Vec<SyncPeer>,
    /// Milliseconds it took.
    pub millis: u64,
}

/// `sync metrics`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Metrics {
    /// The Prometheus text format, version 0.0.4.
    pub text: String,
}

/// A unit that a bundle names: perhaps none that this program knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleUnit {
    /// Its code, or what stands for it.
    pub code: String,
    /// Its official name; empty for one that is on no list.
    pub name: String,
}

/// `bundle export`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BundleWritten {
    /// The file.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its pages.
    pub pages: u64,
    /// Updates, forks, credentials and sealed items in it.
    pub records: u64,
    /// It is for nodes of this unit.
    pub scope: BundleUnit,
    /// The peer whose share was left out.
    pub peer: Option<BundleUnit>,
    /// What was accepted here from this position on is in it; 0: everything.
    pub since: u64,
}

/// `bundle show`, and before `bundle import`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BundleSummary {
    /// The file.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// The unit of the node that wrote it, as it says.
    pub from: BundleUnit,
    /// When, by that node's clock.
    pub written: Timestamp,
    /// It is for nodes of this unit.
    pub scope: BundleUnit,
    /// It holds what was accepted there from this position on; 0: everything.
    pub since: u64,
    /// Up to this one.
    pub position: u64,
    /// Pages, damaged ones included.
    pub pages: u64,
    /// Updates in its whole pages.
    pub updates: u64,
    /// Evidence of forks.
    pub forks: u64,
    /// Certificates and revocations.
    pub credentials: u64,
    /// Sealed items.
    pub sealed: u64,
    /// How many of all these are not here.
    pub lacking: u64,
    /// What is damaged.
    pub damage: Vec<Text>,
    /// In what this node and that one, as it was then, differ: `credentials`, `up`, `down`, `sealed`.
    pub differing: Vec<String>,
}

/// `bundle import`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BundleImported {
    /// The unit of the node that wrote it, as it says.
    pub from: Option<BundleUnit>,
    /// New here, and stored.
    pub taken: u64,
    /// Here already.
    pub known: u64,
    /// Held back until what comes before them is there.
    pub waiting: u64,
    /// Refused for now: not certified, after a fork, or erased here.
    pub refused: u64,
    /// What no honest node writes; not stored.
    pub forged: u64,
    /// Why things were refused.
    pub reasons: Vec<BundleReason>,
    /// How many were refused for other reasons than these.
    pub other_reasons: u64,
    /// What was damaged, and left out.
    pub damage: Vec<Text>,
    /// In what this node, now, and that one, as it was then, differ; nothing: they hold the same.
    pub differing: Vec<String>,
}

/// Why things were refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleReason {
    /// Why.
    pub reason: String,
    /// How many.
    pub number: u64,
}
