//! Kinds of document. A kind is one module: its events, its authority rules, its fold; this file holds
//! what they share, and the list.

pub mod catalog;
pub mod causal;
pub mod common;
pub mod field;
pub mod positions;
#[cfg(test)]
pub(crate) mod story;
pub mod who;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anjuan_sync::{AuthorKey, CertificateId, DocumentId, Reach, Space, Timestamp, UpdateId};
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Map, Value};

use self::positions::Positions;
use crate::authority::role::Role;
use crate::text::Text;
use crate::unit::UnitCode;

/// What one update says: exactly one event, and changes to the small fields that merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The event's fields; `type` names it. Nested maps, lists, strings, integers, booleans and null.
    pub event: Map<String, Value>,
    /// Fields of the record set by this update; `null` clears one. Scalars only.
    pub record: BTreeMap<String, Value>,
}

/// Who signed an update, as the certificate states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The key.
    pub key: AuthorKey,
    /// The certificate the signer acted under.
    pub certificate: CertificateId,
    /// The unit whose authority issued it.
    pub unit: UnitCode,
    /// What the signer may be there.
    pub roles: BTreeSet<Role>,
    /// The official's or mediator's name on the certificate.
    pub label: String,
}

impl Signer {
    /// Does the signer hold any of `roles`?
    pub fn is_any(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.roles.contains(role))
    }
}

/// One applied update of a document, as a fold sees it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The update.
    pub update: UpdateId,
    /// Who signed it.
    pub signer: Arc<Signer>,
    /// The time the signer claims.
    pub recorded_at: Timestamp,
    /// Positions, in the history, of every entry in this one's causal past.
    pub past: Positions,
    /// Why certificates alone rule it out of the fold, if they do.
    pub quarantined: Option<Text>,
    /// What it says.
    pub content: Arc<Content>,
}

impl Entry {
    /// The event's type; empty where a newer program wrote something this one does not know.
    pub fn event_type(&self) -> &str {
        self.content
            .event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// All applied updates of a document in the one order that every replica computes alike: causal order,
/// then operation id. An entry's causal past lies before it.
#[derive(Clone, Debug)]
pub struct History {
    /// Where the document lives.
    pub space: Space,
    /// Its id.
    pub document: DocumentId,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// Whether an event counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "reason")]
pub enum Verdict {
    /// It does.
    Counts,
    /// The signer or the state forbids it.
    Void(Text),
    /// Past a revocation's cutoff, or signed outside the certificate's validity.
    Quarantined(Text),
    /// It excludes a concurrent one; the chair of the owning committee has to decide.
    Contested(Text),
    /// A type of event that this program does not know. Kept and shown; not folded.
    Unknown,
}

/// An event that may come next, and who may record it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NextStep {
    /// The event's type.
    pub event: &'static str,
    /// Roles, any of which may.
    pub roles: Vec<Role>,
    /// The unit at which the role must be held.
    pub unit: UnitCode,
    /// Does the role held at a unit above do as well?
    pub or_above: bool,
    /// Where certain persons alone may: their keys. Empty where anybody with the role may.
    pub assignees: Vec<AuthorKey>,
}

/// Something that somebody has to do by a date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Duty {
    /// What, for people.
    pub what: Text,
    /// The event that fulfils it.
    pub event: &'static str,
    /// The unit that owes it.
    pub unit: UnitCode,
    /// May the role be held at a unit above, too?
    pub or_above: bool,
    /// Roles, any of which owes it.
    pub roles: Vec<Role>,
    /// Keys of the persons who owe it, where it is assigned to some.
    pub assignees: Vec<AuthorKey>,
    /// The last day, in local time.
    pub due: Option<Date>,
}

/// Concurrent events that exclude one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Positions of the contested entries.
    pub entries: Vec<usize>,
    /// What is to be decided, for people.
    pub what: Text,
    /// The unit whose chair decides.
    pub decides: UnitCode,
    /// The entry that was kept, once decided.
    pub kept: Option<usize>,
}

/// What a list shows of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The number people know it by, e.g. `(2019)玉州东成人调字第12号`.
    pub number: Option<String>,
    /// A line that tells it apart; never a person's particulars.
    pub title: String,
    /// Code of the stage.
    pub stage: String,
    /// The stage for people.
    pub stage_title: Text,
    /// Code of the category, where the kind has one.
    pub category: Option<String>,
    /// The category for people.
    pub category_title: Option<Text>,
    /// The unit that handles it now.
    pub owner: UnitCode,
    /// When it was opened, as claimed.
    pub opened_at: Option<jiff::Timestamp>,
    /// The next date that matters.
    pub due: Option<Date>,
    /// Is there an undecided conflict?
    pub needs_decision: bool,
    /// Is nothing left to do?
    pub finished: bool,
}

/// A reference from a document to sealed particulars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParticularsRef {
    /// SHA-256(domain, salt, body), hexadecimal.
    pub commitment: String,
    /// What it is (party, file, …) as a code.
    pub role: String,
    /// For the handling unit alone.
    pub restricted: bool,
    /// Units that handle or handled the case and may read.
    pub readers: Vec<UnitCode>,
    /// Has an event that counts ordered its erasure?
    pub erased: bool,
}

/// What a history comes to.
#[derive(Clone, Debug, Serialize)]
pub struct Projection {
    /// One verdict for each entry, in order.
    pub verdicts: Vec<Verdict>,
    /// For lists.
    pub summary: Summary,
    /// Everything else about the state, for `show`.
    pub state: Value,
    /// What may come next.
    pub next: Vec<NextStep>,
    /// What is owed, and by when.
    pub duties: Vec<Duty>,
    /// Conflicts, decided or not.
    pub conflicts: Vec<Conflict>,
    /// Sealed particulars the document refers to.
    pub particulars: Vec<ParticularsRef>,
    /// Documents it cites: (space's unit, document id, why).
    pub links: Vec<Link>,
}

/// A citation of another document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The other document's home unit.
    pub unit: UnitCode,
    /// Its id, hexadecimal.
    pub document: String,
    /// Why it is cited, as a code.
    pub relation: String,
}

/// One kind of document.
pub trait Kind: Sync + std::fmt::Debug {
    /// The value of the document's `kind` field.
    fn name(&self) -> &'static str;

    /// The name for people.
    fn title(&self) -> Text;

    /// Which way documents of this kind flow.
    fn reach(&self) -> Reach;

    /// Every event of this kind: its names, fields and help, so that a front end needs to know none of them.
    fn catalog(&self) -> &'static [catalog::EventSpec];

    /// What the history comes to. Pure; the same for every replica that holds the same history. The
    /// verdict of a hypothetical last entry, whose past is all others, tells whether it may be recorded.
    fn fold(&self, history: &History) -> Projection;
}

/// Every kind this program knows.
pub fn kinds() -> &'static [&'static dyn Kind] {
    &[&crate::case::Case, &crate::register::Register]
}

/// The kind with this name.
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    kinds().iter().copied().find(|kind| kind.name() == name)
}
