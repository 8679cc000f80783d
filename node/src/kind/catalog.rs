//! What a front end must know of an event to ask for it: names, fields, rules and help, in both languages.

use serde::Serialize;

use crate::text::Text;

/// One event of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventSpec {
    /// The `type` in the event map, e.g. `CaseRegistered`.
    pub name: &'static str,
    /// The short name of the command that records it, e.g. `register`.
    pub command: &'static str,
    /// What it is called.
    pub title: Text,
    /// When to record it, and by whom.
    pub help: Text,
    /// May it be the first event of a document?
    pub creates: bool,
    /// Its fields, in the order in which a form asks for them.
    pub fields: Vec<FieldSpec>,
}

/// One field of an event or of a group within one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldSpec {
    /// The key in the event map.
    pub name: &'static str,
    /// What it is called.
    pub title: Text,
    /// Must it be there?
    pub required: bool,
    /// What it holds.
    pub kind: FieldKind,
}

/// What a field holds, with its bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum FieldKind {
    /// One line of 1 to `max` characters.
    Line {
        /// Characters at most.
        max: usize,
    },
    /// Several lines, 1 to `max` characters in all.
    Prose {
        /// Characters at most.
        max: usize,
    },
    /// A day, `yyyy-mm-dd`.
    Date,
    /// A whole number.
    Integer {
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// `true` or `false`.
    Flag,
    /// Must be `true`: the signer states that it is so.
    Statement,
    /// One of a list of codes. Where `open`, a code that this program does not know is kept as well.
    Choice {
        /// The codes.
        options: Vec<Choice>,
        /// May it be another code, from a newer table?
        open: bool,
    },
    /// The code of a unit.
    Unit,
    /// The key of an operator: 64 hexadecimal digits.
    Key,
    /// The id of an update: 64 hexadecimal digits.
    Update,
    /// The id of a document: 32 hexadecimal digits.
    Document,
    /// The hash of an Automerge change: 64 hexadecimal digits.
    Change,
    /// The commitment to sealed particulars: 64 hexadecimal digits.
    Commitment,
    /// A case number, `(2019)玉州东成人调字第12号`.
    CaseNumber,
    /// `min` to `max` of the same.
    List {
        /// Of what.
        of: Box<FieldKind>,
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
    /// Several fields together.
    Group {
        /// The fields.
        fields: Vec<FieldSpec>,
    },
}

/// One code of a list, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The code.
    pub code: String,
    /// What it is called.
    pub title: Text,
}
