//! Why the guard refuses a change.

use super::content::ContentError;
use super::wire::{MAX_DEPS, MAX_OPS, MAX_PREDECESSORS};

/// The rule that a change breaks. The same at every replica, whatever the order of arrival: a refusal
/// depends on the change and its causal past only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than any payload may be.
    #[error("the change has {0} bytes, more than a payload may have")]
    TooLong(usize),
    /// Does not begin as Automerge's chunks do.
    #[error("the payload is not an Automerge chunk")]
    NotAutomerge,
    /// A whole document, a bundle, or a kind of chunk unknown to this program.
    #[error("the payload is an Automerge chunk of type {0}, not a change")]
    NotAChange(u8),
    /// A deflated change, or one with a deflated column: its size unpacked is not bounded.
    #[error("the change is deflated; changes are signed as they are")]
    Deflated,
    /// Bytes missing or left over at the end of the chunk.
    #[error("the change states another length than it has")]
    Length,
    /// The chunk's checksum is another.
    #[error("the checksum of the change does not fit its bytes")]
    Checksum,
    /// Bytes that do not follow the format.
    #[error("the change is malformed in its {0}")]
    Malformed(&'static str),
    /// A column twice, or out of order.
    #[error("column {0:#x} of the change is repeated or out of order")]
    ColumnOrder(u64),
    /// A column this ledger's changes do not have: rich text, or one of a newer format.
    #[error("column {0:#x} of the change has no place in this ledger's documents")]
    UnknownColumn(u64),
    /// A wall clock time inside the change; time stands in the signed header.
    #[error("the change carries a time of its own")]
    Time,
    /// A commit message inside the change.
    #[error("the change carries a message")]
    Message,
    /// Bytes behind the columns.
    #[error("the change has {0} extra bytes")]
    ExtraBytes(usize),
    /// More operations than [`MAX_OPS`].
    #[error("the change has more than {MAX_OPS} operations")]
    TooManyOperations,
    /// No operation at all.
    #[error("the change has no operations")]
    Empty,
    /// More predecessors than [`MAX_PREDECESSORS`].
    #[error("the operations of the change name more than {MAX_PREDECESSORS} predecessors")]
    TooManyPredecessors,
    /// More dependencies than [`MAX_DEPS`].
    #[error("the change has more than {MAX_DEPS} dependencies")]
    TooManyDependencies,
    /// Dependencies repeated or not in ascending order.
    #[error("the dependencies of the change are not in strictly ascending order")]
    DependencyOrder,
    /// A dependency that lies in the past of another one.
    #[error("a dependency of the change lies in the past of another one")]
    RedundantDependency,
    /// Written as somebody else than the header's author in the header's epoch.
    #[error("the change is written as actor {0}, who is not the author's")]
    Actor(String),
    /// Not the author's next change of this document.
    #[error("the change has number {given} of its author in this document, expected {expected}")]
    Sequence {
        /// What the change says.
        given: u64,
        /// The next number.
        expected: u64,
    },
    /// The author's change before this one is not in its past.
    #[error("the author's change before this one is not in its past")]
    NotAfterOwn,
    /// Operation ids that do not continue from the causal past.
    #[error("the operations of the change count from {given}, expected {expected}")]
    StartOp {
        /// What the change says.
        given: u64,
        /// One more than the highest in the causal past.
        expected: u64,
    },
    /// Operation ids beyond what Automerge can hold.
    #[error("the operations of the change count to {0}, beyond what a document can hold")]
    CounterTooLarge(u64),
    /// Already part of the document.
    #[error("the change is already part of the document")]
    AlreadyApplied,
    /// No dependencies, so it belongs to no existing document.
    #[error("the change has no dependencies, as only the one that creates a document may")]
    SecondCreation,
    /// Dependencies, so it cannot create a document.
    #[error("the change has dependencies, and a document cannot begin with it")]
    NotACreation,
    /// The document id in the header is not the one this creation results in.
    #[error("the change creates document {created}, but is signed for {signed}")]
    WrongDocument {
        /// The id that follows from author, space and payload.
        created: String,
        /// The id in the header.
        signed: String,
    },
    /// The creating change does not begin with kind, record and events.
    #[error("the creating change does not begin with kind, record and events")]
    Skeleton,
    /// A kind that is not 1 to 32 bytes of `a-z`, `0-9` and `-`.
    #[error("the kind of the document is not a name of a-z, 0-9 and -")]
    KindName,
    /// A write to the root of an existing document.
    #[error("operation {0} writes to the root, which only the creating change may")]
    RootWritten(usize),
    /// A write into an object that is neither this change's own nor the record or the events.
    #[error("operation {0} writes into an object that is not for it to write")]
    ForeignObject(usize),
    /// An action that documents of this ledger do not know: text, counters, deletion, marks, …
    #[error("operation {index} is of action {action}; only put, map and list are known")]
    Action {
        /// Which operation, from 0.
        index: usize,
        /// Automerge's number of the action.
        action: u64,
    },
    /// A value other than string, integer, boolean or null.
    #[error("operation {index} has a value of type {kind}; only string, integer, boolean and null are known")]
    ValueType {
        /// Which operation, from 0.
        index: usize,
        /// Automerge's number of the type.
        kind: u8,
    },
    /// A map keyed by position, a list keyed by name, or an insertion where none can be.
    #[error("operation {0} has a key that does not fit its object")]
    KeyType(usize),
    /// Items of a list that are not appended one after the other.
    #[error("operation {0} does not append to its list")]
    ListOrder(usize),
    /// Two values for one field within the change.
    #[error("operation {0} writes a field that the change has written before")]
    FieldTwice(usize),
    /// Predecessors where nothing is overwritten.
    #[error("operation {0} names predecessors in an object made by this change")]
    NeedlessPredecessors(usize),
    /// The event stands under another key than the one that follows from actor and number.
    #[error("the event stands under a key that is not the author's next")]
    EventKey,
    /// The event is not a map.
    #[error("the event is not a map")]
    EventNotAMap,
    /// More than one event.
    #[error("operation {0} adds a second event")]
    SecondEvent(usize),
    /// No event.
    #[error("the change adds no event")]
    NoEvent,
    /// The record holds scalars only.
    #[error("operation {0} puts an object into the record, which holds scalars only")]
    RecordObject(usize),
    /// A field of the record is set over other values than those current in the causal past.
    #[error("record field {0:?} does not replace exactly the values that are current in the change's past")]
    Predecessors(String),
    /// What it says is out of bounds.
    #[error("the content is out of bounds: {0}")]
    Content(#[from] ContentError),
    /// Not the one encoding that this content has at this place.
    #[error("the change is not in canonical encoding")]
    NotCanonical,
}

impl Refusal {
    /// A short name of the rule, for counts and for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "too-long",
            Self::NotAutomerge => "not-automerge",
            Self::NotAChange(_) => "not-a-change",
            Self::Deflated => "deflated",
            Self::Length => "length",
            Self::Checksum => "checksum",
            Self::Malformed(_) => "malformed",
            Self::ColumnOrder(_) => "column-order",
            Self::UnknownColumn(_) => "unknown-column",
            Self::Time => "time",
            Self::Message => "message",
            Self::ExtraBytes(_) => "extra-bytes",
            Self::TooManyOperations => "too-many-operations",
            Self::Empty => "empty",
            Self::TooManyPredecessors => "too-many-predecessors",
            Self::TooManyDependencies => "too-many-dependencies",
            Self::DependencyOrder => "dependency-order",
            Self::RedundantDependency => "redundant-dependency",
            Self::Actor(_) => "actor",
            Self::Sequence { .. } => "sequence",
            Self::NotAfterOwn => "not-after-own",
            Self::StartOp { .. } => "start-op",
            Self::CounterTooLarge(_) => "counter-too-large",
            Self::AlreadyApplied => "already-applied",
            Self::SecondCreation => "second-creation",
            Self::NotACreation => "not-a-creation",
            Self::WrongDocument { .. } => "wrong-document",
            Self::Skeleton => "skeleton",
            Self::KindName => "kind-name",
            Self::RootWritten(_) => "root-written",
            Self::ForeignObject(_) => "foreign-object",
            Self::Action { .. } => "action",
            Self::ValueType { .. } => "value-type",
            Self::KeyType(_) => "key-type",
            Self::ListOrder(_) => "list-order",
            Self::FieldTwice(_) => "field-twice",
            Self::NeedlessPredecessors(_) => "needless-predecessors",
            Self::EventKey => "event-key",
            Self::EventNotAMap => "event-not-a-map",
            Self::SecondEvent(_) => "second-event",
            Self::NoEvent => "no-event",
            Self::RecordObject(_) => "record-object",
            Self::Predecessors(_) => "predecessors",
            Self::Content(_) => "content",
            Self::NotCanonical => "not-canonical",
        }
    }
}
