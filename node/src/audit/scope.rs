//! What a bundle says of itself: of which journal it is, what was asked for, and what it therefore shows.

use anjuan_sync::{DocumentId, NetworkId, Path, Space, Timestamp};
use minicbor::{Decode, Encode};

use crate::authority::encoding::{self, EncodingError};
use crate::evidence::name::Origin;
use crate::text;
use crate::text::Text;

const HEADER_VERSION: u8 = 1;
/// Bytes in the longest header.
const MAX_HEADER: usize = 256 * 1024;
/// Places of the journal at which no two records are folded together.
pub const MAX_SPLITS: usize = 16 * 1024;

/// Which documents are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Scope {
    /// All that the journal holds.
    #[n(0)]
    All,
    /// One document.
    #[n(1)]
    Document(#[n(0)] Space, #[n(1)] DocumentId),
    /// The documents of a unit and of those below it.
    #[n(2)]
    Unit(#[n(0)] Path),
    /// The documents of which something claims a time within, the end excluded.
    #[n(3)]
    Period(#[n(0)] Timestamp, #[n(1)] Timestamp),
}

impl Scope {
    /// Does an update of this document, which claims this time, make the document one that is asked for?
    pub fn asks_for(&self, space: &Space, document: DocumentId, claimed: Timestamp) -> bool {
        match self {
            Self::All => true,
            Self::Document(of, id) => of == space && *id == document,
            Self::Unit(unit) => unit.is_at_or_above(&space.unit),
            Self::Period(from, to) => (*from..*to).contains(&claimed),
        }
    }

    /// For people.
    pub fn text(&self) -> Text {
        match self {
            Self::All => Text::new("本节点全部记录", "everything this node holds"),
            Self::Document(space, id) => {
                let unit = &space.unit;
                text!("{unit} 的案卷 {id}", "document {id} of {unit}")
            }
            Self::Unit(unit) => text!("{unit} 及其下级的全部案卷", "all documents at and below {unit}"),
            Self::Period(from, to) => {
                let (from, to) = (super::report::moment(*from), super::report::moment(*to));
                text!(
                    "所称时间在 {from} 至 {to} 之间的案卷",
                    "documents with something claimed between {from} and {to}"
                )
            }
        }
    }
}

/// The first record of a bundle. All of it is the exporter's word, unless another check says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The network: the id of its root certificate.
    pub network: NetworkId,
    /// The journal: the node that keeps it, and the life of its store.
    pub origin: Origin,
    /// What was asked for.
    pub scope: Scope,
    /// Are the headers of all logs shown, not only of those that have to do with what was asked for?
    pub whole: bool,
    /// Are the payloads shown of what was asked for?
    pub payloads: bool,
    /// When the bundle was made, as the exporter says.
    pub made_at: Timestamp,
    /// Sizes of the journal whose Merkle root can be computed from the bundle, ascending.
    pub splits: Vec<u64>,
    /// Does it say what the exporter holds of sealed particulars?
    pub sealed: bool,
    /// How many checkpoints, conflicts and disclosed particulars follow.
    pub counts: [u64; 3],
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    version: u8,
    #[n(1)]
    network: NetworkId,
    #[n(2)]
    origin: String,
    #[n(3)]
    scope: Scope,
    #[n(4)]
    whole: bool,
    #[n(5)]
    payloads: bool,
    #[n(6)]
    made_at: Timestamp,
    #[n(7)]
    splits: Vec<u64>,
    #[n(8)]
    sealed: bool,
    #[n(9)]
    counts: [u64; 3],
}

impl Header {
    /// Does the bundle show every record of the journal?
    pub fn shows_all(&self) -> bool {
        self.whole || self.scope == Scope::All
    }

    /// # Panics
    /// If there are more splits than [`MAX_SPLITS`], which the exporter doesn't make.
    pub(super) fn encode(&self) -> Vec<u8> {
        assert!(self.splits.len() <= MAX_SPLITS, "more splits than a bundle has");
        encoding::encode(&Wire {
            version: HEADER_VERSION,
            network: self.network,
            origin: self.origin.to_string(),
            scope: self.scope.clone(),
            whole: self.whole,
            payloads: self.payloads,
            made_at: self.made_at,
            splits: self.splits.clone(),
            sealed: self.sealed,
            counts: self.counts,
        })
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let wire: Wire =
            encoding::decode(bytes, MAX_HEADER).map_err(|error: EncodingError| error.to_string())?;
        if wire.version != HEADER_VERSION {
            return Err(format!("version {} is not known to this program", wire.version));
        }
        if wire.splits.len() > MAX_SPLITS || !wire.splits.is_sorted_by(|a, b| a < b) {
            return Err("the sizes are not in ascending order, or too many".into());
        }
        if !wire.made_at.is_plausible() {
            return Err("the time at which it was made is not within the years 2000 and 2200".into());
        }
        Ok(Self {
            network: wire.network,
            origin: wire
                .origin
                .parse()
                .map_err(|_| "the journal has no name".to_owned())?,
            scope: wire.scope,
            whole: wire.whole,
            payloads: wire.payloads,
            made_at: wire.made_at,
            splits: wire.splits,
            sealed: wire.sealed,
            counts: wire.counts,
        })
    }
}

/// Names a document within a bundle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub(super) struct DocumentName {
    #[n(0)]
    pub(super) space: Space,
    #[n(1)]
    pub(super) id: DocumentId,
}

/// What the exporter holds of sealed particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Holding {
    /// The sealed body.
    #[n(0)]
    Held,
    /// Nothing: it was erased as an event ordered.
    #[n(1)]
    Erased,
    /// Nothing.
    #[n(2)]
    Absent,
}

/// [`Holding`] of one commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SealedState {
    /// What the document commits to.
    #[n(0)]
    pub commitment: crate::particulars::Commitment,
    /// What is there of it.
    #[n(1)]
    pub holding: Holding,
}

/// Particulars that were disclosed on purpose: whoever has them can compute the commitment.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Disclosed {
    /// What the document commits to.
    #[n(0)]
    pub commitment: crate::particulars::Commitment,
    /// The random salt.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub salt: [u8; crate::particulars::SALT_LENGTH],
    /// The canonical bytes of the particulars.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub content: Vec<u8>,
}

/// Shows which, never what.
impl std::fmt::Debug for Disclosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disclosed")
            .field("commitment", &self.commitment)
            .finish_non_exhaustive()
    }
}
