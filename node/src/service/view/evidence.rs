//! What checking, `doctor` and the audit answer with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// `verify`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verification {
    /// Did everything hold?
    pub ok: bool,
    /// Certificates and revocations checked.
    pub credentials: u64,
    /// Updates whose signature, chain and place in the log were checked.
    pub updates: u64,
    /// Logs checked.
    pub logs: u64,
    /// Documents replayed and compared with the store.
    pub documents: u64,
    /// Sealed items checked.
    pub sealed: u64,
    /// Updates that do not count, by standing.
    pub not_counting: BTreeMap<String, u64>,
    /// What does not hold.
    pub faults: Vec<Fault>,
    /// Milliseconds it took.
    pub millis: u64,
}

/// Something that does not hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// What: `journal 1,204`, `document 3f…`.
    pub what: String,
    /// The check that failed.
    pub check: String,
    /// For people.
    pub message: Text,
}

/// `doctor`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Is there nothing to do?
    pub well: bool,
    /// What was found, what has to be looked at first.
    pub findings: Vec<Finding>,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// Somebody has to do something.
    Act,
    /// Good to know; nothing has to be done.
    Know,
}

/// Something that happened to a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What kind: `set-back`, `fork`, `conflict`, `clock`, ….
    pub code: String,
    /// How much it matters.
    pub urgency: Urgency,
    /// What happened.
    pub what: Text,
    /// What it means.
    pub means: Text,
    /// What to do.
    pub todo: Text,
}

/// An audit bundle that was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditExported {
    /// The file.
    pub file: String,
    /// What it is about.
    pub scope: Text,
    /// Bytes.
    pub bytes: u64,
    /// Records of the journal.
    pub records: u64,
    /// Of these, shown.
    pub shown: u64,
    /// Documents whose contents are in it.
    pub documents: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Particulars disclosed in it.
    #[serde(default)]
    pub disclosed: u64,
    /// Particulars of the same documents that were asked for and can't be opened here, or not by this operator.
    #[serde(default)]
    pub undisclosed: u64,
}
