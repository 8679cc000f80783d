//! What the calls answer with. JSON for machines; the command line lays it out for people.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::text::Text;
use crate::unit::{Level, UnitCode};

mod evidence;
mod sync;

pub use evidence::{AuditExported, Diagnosis, Fault, Finding, Urgency, Verification};
pub use sync::{
    Behind, BundleImported, BundleReason, BundleSummary, BundleUnit, BundleWritten, Metrics, SyncChild,
    SyncNow, SyncPeer, SyncStatus,
};

/// It was done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done {
    /// What, for people.
    pub message: Text,
}

/// `status`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The network, hexadecimal.
    pub network: String,
    /// The unit this node serves.
    pub unit: Unit,
    /// The node's key, hexadecimal.
    pub node_key: String,
    /// The peer id that others dial.
    pub peer_id: String,
    /// Is it an auditor's node?
    #[serde(default)]
    pub auditor: bool,
    /// Is this answer from a running node?
    pub running: bool,
    /// Addresses listened on, with the peer id.
    pub addresses: Vec<String>,
    /// Operators with a key in this home.
    pub operators: Vec<Operator>,
    /// Keys unlocked now.
    pub unlocked: Vec<Unlocked>,
    /// Figures of the store.
    pub store: StoreFigures,
    /// Digest over the spaces of this node's scope, or of the scope asked for.
    pub digest: String,
    /// The newest checkpoint of the journal; none before the node has run.
    #[serde(default)]
    pub checkpoint: Option<CheckpointView>,
    /// Peers.
    pub peers: Vec<Peer>,
    /// Anything a person should look at: forks, damaged frames, a clock that is off.
    pub warnings: Vec<Text>,
}

/// A checkpoint of this node's journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckpointView {
    /// Name of the log.
    pub log: String,
    /// Records it covers.
    pub size: u64,
    /// The Merkle root over them, hexadecimal.
    pub root: String,
    /// The newest one that others cosigned.
    pub cosigned: Option<CosignedView>,
}

/// A checkpoint that others cosigned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CosignedView {
    /// Records it covers.
    pub size: u64,
    /// Who, each with the time by its own clock.
    pub witnesses: Vec<WitnessView>,
}

/// A node that cosigned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WitnessView {
    /// Its unit.
    pub unit: Unit,
    /// Its name.
    pub node: String,
    /// When.
    pub at: Timestamp,
}

/// Figures of a store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StoreFigures {
    /// Certificates and revocations held.
    pub credentials: u64,
    /// Updates stored.
    pub updates: u64,
    /// Documents by kind.
    pub documents: BTreeMap<String, u64>,
    /// Updates that wait for a predecessor.
    pub waiting: u64,
    /// Updates kept that cannot be applied: refused by the guard, or blocked by one that is.
    pub refused: u64,
    /// Logs found forked.
    pub forks: u64,
    /// Sealed items held.
    pub sealed: u64,
    /// Records of the journal.
    pub journal_records: u64,
    /// Why the store acknowledges nothing more, if it does not.
    pub stopped: Option<String>,
}

/// A unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Its code.
    pub code: UnitCode,
    /// Its official name; empty for one that is on no list.
    pub name: String,
    /// Its level.
    pub level: Level,
}

/// `unit show`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnitDetail {
    /// The unit.
    pub unit: Unit,
    /// The units above it, nearest first.
    pub above: Vec<Unit>,
    /// The units directly below it.
    pub below: Vec<Unit>,
    /// Has it an authority certificate, so that it can enrol its own?
    pub enrolled: bool,
    /// Its nodes' keys, hexadecimal.
    pub nodes: Vec<String>,
    /// Its operators.
    pub operators: Vec<Operator>,
}

/// An operator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operator {
    /// Name of the key in this home; none for others' operators.
    pub handle: Option<String>,
    /// The name on the certificate.
    pub label: String,
    /// The key, hexadecimal.
    pub key: String,
    /// The certificate's id, hexadecimal.
    pub certificate: String,
    /// The unit.
    pub unit: UnitCode,
    /// Codes of the roles.
    pub roles: Vec<String>,
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last instant of validity.
    pub not_after: Timestamp,
    /// Has it been revoked?
    pub revoked: bool,
}

/// `invite`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invitation {
    /// The one line to carry to the new node.
    pub ticket: String,
    /// The unit invited.
    pub unit: Unit,
    /// Is it for an auditor's node?
    #[serde(default)]
    pub auditor: bool,
    /// When the ticket ends.
    pub expires: Timestamp,
}

/// `invite --sign`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedRequest {
    /// The unit that asks.
    pub unit: Unit,
    /// Is it a second node of a unit?
    pub standby: bool,
    /// Is it an auditor's?
    #[serde(default)]
    pub auditor: bool,
    /// Compare with what the other side shows.
    pub fingerprint: String,
    /// The grant to carry back, hexadecimal; none on a dry run.
    pub grant: Option<String>,
}

/// `operator revoke`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Revoked {
    /// The certificate's id.
    pub certificate: String,
    /// The name on it.
    pub label: String,
    /// Logs with the last update that still counts.
    pub cutoffs: Vec<Cutoff>,
}

/// The last update that counts of one log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cutoff {
    /// The space of the log.
    pub space: String,
    /// The last sequence number that counts.
    pub seq: u64,
}

/// An unlocked key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unlocked {
    /// Handle.
    pub handle: String,
    /// Until when; none: until the node stops.
    pub until: Option<Timestamp>,
}

/// A peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Peer {
    /// Its peer id.
    pub peer_id: String,
    /// The address kept, or the one it came from.
    pub address: Option<String>,
    /// Its unit, once known.
    pub unit: Option<Unit>,
    /// Is it kept as a static peer?
    pub kept: bool,
    /// Is a link up?
    pub connected: bool,
    /// Did the last comparison find both level?
    pub level: bool,
    /// When it was last heard of.
    pub last_seen: Option<Timestamp>,
    /// The last error with it.
    pub last_error: Option<Text>,
    /// Its clock against ours, in seconds.
    pub clock_skew_seconds: Option<i64>,
    /// Updates, credentials and sealed items taken in from it since the start.
    pub received: u64,
}

/// `record`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// The document's id.
    pub document: String,
    /// Its number, if it has one.
    pub number: Option<String>,
    /// The update's id.
    pub update: String,
    /// The stage it brought about.
    pub stage: String,
    /// For people.
    pub stage_title: Text,
    /// What may come next.
    pub next: Vec<Next>,
}

/// An event that may come next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// Type.
    pub event: String,
    /// Title for people.
    pub title: Text,
    /// Codes of the roles that may.
    pub roles: Vec<String>,
    /// The unit at which the role must be held.
    pub unit: UnitCode,
    /// Does the role held at a unit above do as well?
    pub or_above: bool,
    /// Keys of the persons who alone may, where it is assigned to some; hexadecimal.
    pub assignees: Vec<String>,
}

/// Filters of a list; an empty one lists everything that is not finished or all, as `all` says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Code of a stage.
    pub stage: Option<String>,
    /// Code of a category.
    pub category: Option<String>,
    /// Handled by this unit or one below it.
    pub unit: Option<UnitCode>,
    /// Due on this day or before.
    pub due_by: Option<Date>,
    /// A text in number, title or facts.
    pub text: Option<String>,
    /// Only those that need a decision.
    pub needs_decision: bool,
    /// Only those not finished.
    pub open: bool,
    /// At most so many, 1 to 10,000; 0 means 200.
    pub limit: u32,
    /// Leave out so many first.
    pub offset: u32,
}

/// `list`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listing {
    /// How many match in all.
    pub total: u64,
    /// Those asked for.
    pub documents: Vec<DocumentLine>,
}

/// A line of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DocumentLine {
    /// The document's id.
    pub document: String,
    /// Kind.
    pub kind: String,
    /// Where it lives.
    pub home: Unit,
    /// Who handles it now.
    pub owner: Unit,
    /// Number.
    pub number: Option<String>,
    /// Title.
    pub title: String,
    /// Code of the stage.
    pub stage: String,
    /// The stage for people.
    pub stage_title: Text,
    /// Code of the category.
    pub category: Option<String>,
    /// The category for people.
    pub category_title: Option<Text>,
    /// When opened.
    pub opened_at: Option<Timestamp>,
    /// The next date that matters.
    pub due: Option<Date>,
    /// Is that date past?
    pub overdue: bool,
    /// Is there an undecided conflict?
    pub needs_decision: bool,
    /// Is nothing left to do?
    pub finished: bool,
    /// Updates stored for it.
    pub updates: u64,
}

/// `show`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DocumentDetail {
    /// As in a list.
    pub line: DocumentLine,
    /// The state as the fold gives it.
    pub state: Value,
    /// The small fields that merge.
    pub record: Map<String, Value>,
    /// What may come next.
    pub next: Vec<Next>,
    /// What is owed.
    pub duties: Vec<Due>,
    /// Conflicts.
    pub conflicts: Vec<ConflictView>,
    /// Sealed particulars.
    pub particulars: Vec<SealedView>,
    /// Other documents cited.
    pub links: Vec<LinkView>,
    /// Automerge heads, hexadecimal.
    pub heads: Vec<String>,
}

/// A conflict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConflictView {
    /// What is to be decided.
    pub what: Text,
    /// The contested updates.
    pub choices: Vec<Choice>,
    /// The unit whose chair decides.
    pub decides: Unit,
    /// The update kept, once decided.
    pub kept: Option<String>,
}

/// One side of a conflict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Choice {
    /// The update's id.
    pub update: String,
    /// The event's type.
    pub event: String,
    /// Title of the event.
    pub title: Text,
    /// Who signed it.
    pub author: String,
    /// Where.
    pub unit: UnitCode,
    /// When, as claimed.
    pub recorded_at: Timestamp,
}

/// Sealed particulars as a document refers to them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SealedView {
    /// The commitment.
    pub commitment: String,
    /// What they are in the case.
    pub role: String,
    /// For the handling unit alone?
    pub restricted: bool,
    /// Is the sealed body here?
    pub held: bool,
    /// Can this node open it?
    pub readable: bool,
    /// Was it erased?
    pub erased: bool,
}

/// A document cited.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkView {
    /// Its home unit.
    pub unit: UnitCode,
    /// Its id.
    pub document: String,
    /// Why.
    pub relation: String,
}

/// `history`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DocumentHistory {
    /// As in a list.
    pub line: DocumentLine,
    /// Every update, those that count and those that do not.
    pub entries: Vec<HistoryEntry>,
}

/// Whether an update counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It counts.
    Counts,
    /// The signer or the state forbids it.
    Void,
    /// Certificates rule it out.
    Quarantined,
    /// It excludes a concurrent one.
    Contested,
    /// A newer program's event.
    Unknown,
    /// It waits for a predecessor.
    Waiting,
    /// The guard refuses it.
    Refused,
    /// It depends on one that is refused or forked.
    Blocked,
    /// Its log is forked at or before it.
    Forked,
}

/// One update of a history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The update's id.
    pub update: String,
    /// The event's type; empty while it cannot be read.
    pub event: String,
    /// Title of the event.
    pub title: Text,
    /// What it says.
    pub content: Map<String, Value>,
    /// Who signed.
    pub author: String,
    /// The signer's key.
    pub author_key: String,
    /// Roles on the certificate.
    pub roles: Vec<String>,
    /// Unit on the certificate.
    pub unit: Unit,
    /// When, as claimed.
    pub recorded_at: Timestamp,
    /// Epoch and place in the author's log.
    pub log: String,
    /// Place in the log.
    pub seq: u64,
    /// Does the signature hold? Checked for this answer.
    pub signature_valid: bool,
    /// Does it count?
    pub standing: Standing,
    /// Why not.
    pub reason: Option<Text>,
}

/// Something that is due.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Due {
    /// The document.
    pub document: String,
    /// Its kind.
    pub kind: String,
    /// Its number.
    pub number: Option<String>,
    /// Its title.
    pub title: String,
    /// What is owed.
    pub what: Text,
    /// The event that fulfils it.
    pub event: String,
    /// The unit that owes it.
    pub unit: UnitCode,
    /// The last day.
    pub due: Option<Date>,
    /// Days left; negative when late.
    pub days_left: Option<i32>,
}

/// `case particulars read`
#[derive(Clone, Serialize, Deserialize)]
pub struct Particulars {
    /// The commitment.
    pub commitment: String,
    /// The particulars as JSON of their kind.
    pub particulars: Value,
    /// The update that records the reading, where one was needed.
    pub disclosed_by: Option<String>,
}

impl std::fmt::Debug for Particulars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Particulars")
            .field("commitment", &self.commitment)
            .finish_non_exhaustive()
    }
}
