//! What a session needs of a store, and the rules that every store shares.
//!
//! A [`Replica`] is read by sessions and never written by them: what a session receives leaves it as
//! [`Record`]s, and whoever drives the session has them judged and stored, and reports back. So the rules
//! of admission stay with the store, whichever way a record came in.

use minicbor::{Decode, Encode};

use crate::hash::{Digest, Domain};
use crate::id::{AuthorKey, ItemId, LogEpoch, StoreEpoch, UpdateId};
use crate::log::{LogId, LogState};
use crate::path::{Path, Reach, Scope};
use crate::signed::{SignedHeader, SignedUpdate};

pub mod conformance;
pub mod log_table;
pub mod memory;
pub mod waiting;

pub use log_table::{LogTable, Offer};
pub use memory::MemoryReplica;
pub use waiting::Waiting;

/// Bytes in the largest credential or sealed item. Larger things are cut up by whoever seals them, best
/// into pieces of 64 KiB: an item crosses a link whole or not at all, and a link of 64 kbit/s that breaks
/// every ten seconds carries no more between two breaks.
pub const MAX_BLOB: usize = 256 * 1024;

/// The four trees whose digests two replicas compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Tree {
    /// Certificates and revocations.
    #[n(0)]
    Credentials,
    /// Logs of `up` spaces.
    #[n(1)]
    Up,
    /// Logs of `down` spaces.
    #[n(2)]
    Down,
    /// Sealed bodies and wraps.
    #[n(3)]
    Sealed,
}

impl Tree {
    /// All of them, in the order in which they are levelled.
    pub const ALL: [Self; 4] = [Self::Credentials, Self::Up, Self::Down, Self::Sealed];

    /// The tree that the logs of spaces of this reach stand in.
    pub fn of_logs(reach: Reach) -> Self {
        match reach {
            Reach::Up => Self::Up,
            Reach::Down => Self::Down,
        }
    }

    /// The tree that blobs of this kind stand in.
    pub fn of_blobs(kind: BlobKind) -> Self {
        match kind {
            BlobKind::Credential => Self::Credentials,
            BlobKind::Sealed => Self::Sealed,
        }
    }

    /// What its leaves are.
    pub fn leaves(self) -> Leaves {
        match self {
            Self::Credentials => Leaves::Blobs(BlobKind::Credential),
            Self::Up => Leaves::Logs(Reach::Up),
            Self::Down => Leaves::Logs(Reach::Down),
            Self::Sealed => Leaves::Blobs(BlobKind::Sealed),
        }
    }

    /// Which way its content flows.
    pub fn reach(self) -> Reach {
        match self {
            Self::Up | Self::Sealed => Reach::Up,
            Self::Credentials | Self::Down => Reach::Down,
        }
    }

    /// Does a node of this scope hold what stands in this tree at `path`?
    pub fn is_held(self, scope: &Scope, path: &Path) -> bool {
        match self.reach() {
            Reach::Up => scope.unit().is_at_or_above(path),
            Reach::Down => scope.unit().is_in_line_with(path),
        }
    }
}

/// What the leaves of a tree are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// States of the logs of spaces of this reach.
    Logs(Reach),
    /// Ids of opaque items of this kind.
    Blobs(BlobKind),
}

/// The kinds of opaque items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum BlobKind {
    /// A certificate or a revocation.
    #[n(0)]
    Credential,
    /// A sealed body or a wrap.
    #[n(1)]
    Sealed,
}

const TOGETHER: Domain = Domain::new("anjuan/scope-digest/1");

/// The root digests of the four trees within one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub struct Roots {
    /// Certificates and revocations.
    #[n(0)]
    pub credentials: Digest,
    /// Logs of `up` spaces.
    #[n(1)]
    pub up: Digest,
    /// Logs of `down` spaces.
    #[n(2)]
    pub down: Digest,
    /// Sealed bodies and wraps.
    #[n(3)]
    pub sealed: Digest,
}

impl Roots {
    /// The root digest of one tree.
    pub fn of(&self, tree: Tree) -> Digest {
        match tree {
            Tree::Credentials => self.credentials,
            Tree::Up => self.up,
            Tree::Down => self.down,
            Tree::Sealed => self.sealed,
        }
    }

    /// One digest for all four: equal exactly where all of them are.
    pub fn together(&self) -> Digest {
        let roots = Tree::ALL.map(|tree| self.of(tree));
        let parts: Vec<&[u8]> = roots.iter().map(|digest| &digest.as_bytes()[..]).collect();
        TOGETHER.hash(&parts)
    }

    /// The trees whose roots differ, in the order in which they are levelled.
    pub fn differing(&self, other: &Self) -> Vec<Tree> {
        Tree::ALL
            .into_iter()
            .filter(|&tree| self.of(tree) != other.of(tree))
            .collect()
    }
}

/// A place in a store's order of acceptance: how many things it had accepted. Grows within one life of
/// the store ([`StoreEpoch`]) and never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Position(#[n(0)] u64);

impl Position {
    /// Before anything was accepted.
    pub const START: Self = Self(0);

    /// The position after `count` things were accepted.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// How many things were accepted before it.
    pub const fn count(self) -> u64 {
        self.0
    }
}

/// How far a peer's store has been taken in. Kept for each peer, across connections and restarts; written
/// down only after what it covers is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Cursor {
    /// The life of the peer's store that the position belongs to.
    #[n(0)]
    pub epoch: StoreEpoch,
    /// Everything before it was taken in or refused.
    #[n(1)]
    pub position: Position,
}

/// Where a store stands, seen from one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Everything durable is before it.
    pub position: Position,
    /// The digests at that position.
    pub roots: Roots,
}

/// One place of a digest tree: what is exactly there, and what is below.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Branch {
    /// Digest of the items exactly there; none where there are none.
    pub own: Option<Digest>,
    /// The labels one level down that have something at or below them, in order, with their digests.
    pub children: Vec<(String, Digest)>,
}

/// A leaf of the trees of logs: a log, named without its space, and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct LogItem {
    /// Who writes.
    #[n(0)]
    pub author: AuthorKey,
    /// The life of the author's store.
    #[n(1)]
    pub epoch: LogEpoch,
    /// Where the log stands.
    #[n(2)]
    pub state: LogState,
}

/// An opaque item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The unit it concerns.
    pub path: Path,
    /// Its id, as claimed by whoever sent it; the store checks it against the bytes.
    pub id: ItemId,
    /// At most [`MAX_BLOB`].
    pub bytes: Vec<u8>,
}

/// One thing that moves between replicas. Nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all records are updates")]
pub enum Record {
    /// An update.
    Update(SignedUpdate),
    /// Two headers signed for one place of a log.
    Fork(Box<[SignedHeader; 2]>),
    /// A certificate or a revocation.
    Credential(Blob),
    /// A sealed body or a wrap.
    Sealed(Blob),
    /// The sender has this sealed item; whoever wants it asks for it by its id. Never delivered.
    Held {
        /// The unit it concerns.
        path: Path,
        /// Its id.
        id: ItemId,
    },
}

impl Record {
    /// Roughly the bytes it takes in a page, before compression.
    pub fn size(&self) -> usize {
        match self {
            Self::Update(update) => update.payload().len() + 320,
            Self::Fork(_) => 2 * 400,
            Self::Credential(blob) | Self::Sealed(blob) => blob.bytes.len() + 64,
            Self::Held { .. } => 64,
        }
    }

    /// Is it something that a node of this scope holds?
    pub fn is_within(&self, scope: &Scope) -> bool {
        match self {
            Self::Update(update) => scope.holds(update.header().space()),
            Self::Fork(pair) => pair.iter().all(|signed| scope.holds(signed.header().space())),
            Self::Credential(blob) => Tree::Credentials.is_held(scope, &blob.path),
            Self::Sealed(blob) => Tree::Sealed.is_held(scope, &blob.path),
            Self::Held { path, .. } => Tree::Sealed.is_held(scope, path),
        }
    }
}

/// A stretch of a store's order of acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What was accepted, in order: [`Record::Update`], [`Record::Fork`], [`Record::Credential`] and
    /// [`Record::Held`].
    pub records: Vec<Record>,
    /// Everything of the scope before this position is in this page or came before it.
    pub next: Position,
    /// How many records of the scope come after this page; 0 exactly at the end.
    pub remaining: u64,
}

/// What became of a delivery, once it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Summary {
    /// New here, and stored.
    pub taken: u32,
    /// Here already.
    pub known: u32,
    /// Waiting in the bounded table for what comes before them.
    pub waiting: u32,
    /// Refused by a rule on which honest replicas may differ for a while: uncertified so far, after a
    /// fork, no longer wanted.
    pub refused: u32,
    /// What no honest replica sends: a signature that does not hold, another network, bytes that do not
    /// match their id.
    pub forged: u32,
}

/// A store could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store could not be read: {0}")]
pub struct ReplicaError(pub String);

/// What a session reads of a store.
///
/// All methods see **durable** content only, and within one call of [`crate::session::Session::handle`]
/// they see one moment: the digests of [`Replica::status`] cover exactly what the other methods return.
///
/// A store promises:
/// 1. An update is stored exactly if it is of the network, its signature holds strictly, its certificate
///    is known and fits, and [`LogTable::offer`] says [`Offer::Next`]. What [`LogTable`] calls a fork is
///    kept as both headers.
/// 2. The digests are those of [`crate::digest::DigestTree`] over the [`LogState`] of each log and the id
///    of each credential and each sealed item held.
/// 3. [`Replica::since`] returns a log's updates in their order, and a certificate before what it
///    certifies. It may leave out what stands at or after a fork. Credentials and sealed items may be left
///    out of the order of acceptance altogether; they are then found by comparing digests, which costs
///    more.
pub trait Replica {
    /// The life of this store.
    fn epoch(&self) -> StoreEpoch;

    /// Position and digests, as of one moment.
    fn status(&self, scope: &Scope) -> Result<Status, ReplicaError>;

    /// One place of a tree; empty where nothing is.
    fn branch(&self, tree: Tree, path: &Path) -> Result<Branch, ReplicaError>;

    /// The logs of the space of `reach` at `path`, sorted.
    fn logs(&self, reach: Reach, path: &Path) -> Result<Vec<LogItem>, ReplicaError>;

    /// The items of this kind exactly at `path`, sorted.
    fn ids(&self, kind: BlobKind, path: &Path) -> Result<Vec<ItemId>, ReplicaError>;

    /// Where a log stands; `None` where nothing of it is here.
    fn log_state(&self, log: &LogId) -> Result<Option<LogState>, ReplicaError>;

    /// The id of the update stored at this place of a log.
    fn update_at(&self, log: &LogId, seq: u64) -> Result<Option<UpdateId>, ReplicaError>;

    /// Should this item be asked for: not here, and not erased or refused for good?
    fn wants(&self, kind: BlobKind, path: &Path, id: &ItemId) -> Result<bool, ReplicaError>;

    /// What was accepted from position `after` on, within `scope`, up to about `limit` bytes
    /// ([`Record::size`]), but at least one record if there is one.
    fn since(&self, scope: &Scope, after: Position, limit: usize) -> Result<Page, ReplicaError>;

    /// The stored updates of a log from `from` to `to`, both included, but none at or after a fork; then,
    /// if everything before it was returned and the fork is at or before `to`, the fork. Up to about
    /// `limit` bytes, at least one record if there is one.
    fn log_range(&self, log: &LogId, from: u64, to: u64, limit: usize) -> Result<Vec<Record>, ReplicaError>;

    /// The bytes of an item held at `path`.
    fn blob(&self, kind: BlobKind, path: &Path, id: &ItemId) -> Result<Option<Vec<u8>>, ReplicaError>;
}
