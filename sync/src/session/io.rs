//! What goes into a session and what comes out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::id::{NetworkId, NodeKey};
use crate::path::{Path, Scope};
use crate::replica::{Cursor, Record, Summary, Tree};
use crate::session::error::CloseReason;
use crate::session::figures::Figures;
use crate::session::limits::Limits;
use crate::session::message::Hello;
use crate::session::received::Received;
use crate::session::turns::Turns;
use crate::update::Timestamp;

/// Which side opened the connection. The one who did introduces himself first; the other says nothing
/// until he knows with whom he speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This side opened it.
    Dialer,
    /// The peer did.
    Listener,
}

/// The time, twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since some fixed moment, never going back. All deadlines are in it.
    pub elapsed: Duration,
    /// What the clock on the wall says. Only told to the peer and compared with its own.
    pub wall: Timestamp,
}

/// Why a gate keeps a peer out, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAdmitted(pub String);

/// Judges who may sync at all.
pub trait Gate: Send + Sync {
    /// The unit of a peer, which proved to hold `key` when it connected, by the certificate in its Hello;
    /// or why it is not let in. Version and network were checked already. With an empty certificate, the
    /// peer counts on being known by its key; if it is not, it is asked for the whole.
    fn admit(&self, key: &NodeKey, hello: &Hello, now: Timestamp) -> Result<Path, NotAdmitted>;

    /// May a peer of a unit that is not in line, which was admitted, ask and be asked beside the replicas?
    /// With such a peer nothing is shared.
    fn is_welcome_beside(&self, _key: &NodeKey, _unit: &Path) -> bool {
        false
    }
}

/// What a session is made with.
#[derive(Clone)]
pub struct Config {
    /// The network.
    pub network: NetworkId,
    /// What this node holds.
    pub scope: Scope,
    /// By which peers let this node in, for our Hello: at most
    /// [`crate::session::message::MAX_CERTIFICATE`] bytes.
    pub certificate: Vec<u8>,
    /// The key that the peer proved to hold.
    pub peer: NodeKey,
    /// Who may sync.
    pub gate: Arc<dyn Gate>,
    /// How far this peer was taken in last time: the last [`Event::Cursor`].
    pub cursor: Option<Cursor>,
    /// Bounds on what the peer may do.
    pub limits: Limits,
    /// Which peers are served pages at a time; nothing: all. Sessions that share turns are handed times of
    /// one clock.
    pub serving: Option<Arc<Turns>>,
    /// Which peers pages are pulled from at a time; nothing: all.
    pub pulling: Option<Arc<Turns>>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("network", &self.network)
            .field("scope", &self.scope)
            .field("peer", &self.peer)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

/// Names a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub(crate) u64);

/// What the driver tells a session.
#[derive(Clone, Debug)]
pub enum Input {
    /// The connection stands. The first input.
    Connected,
    /// The peer sent a frame.
    Frame(Vec<u8>),
    /// The same, read by [`crate::session::Session::read`].
    Read(Received),
    /// A delivery was judged, and what was taken of it is durable; or the store failed.
    Delivered {
        /// Which.
        token: Token,
        /// What became of it.
        result: Result<Summary, String>,
    },
    /// The replica changed: something of its own, or from another peer.
    LocalChange,
    /// To be asked of the peer, beside the replica; at most
    /// [`crate::session::message::MAX_BODY`] bytes.
    Ask {
        /// What it is about.
        topic: u16,
        /// Bytes that mean nothing here.
        body: Vec<u8>,
    },
    /// The answer to the last [`Output::Asked`], as long at the most.
    Answer(Vec<u8>),
    /// The time of the last [`Output::WaitUntil`] has come.
    Tick,
    /// Close, in good order.
    Close,
}

/// What a session tells the driver.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this frame.
    Send(Vec<u8>),
    /// Judge and store these records, in order, and answer with [`Input::Delivered`].
    Deliver {
        /// To name it in the answer.
        token: Token,
        /// Updates, forks, credentials and sealed items, within what both units hold; nothing verified.
        records: Vec<Record>,
    },
    /// The peer asks something beside the replica. Answer with [`Input::Answer`].
    Asked {
        /// What it is about.
        topic: u16,
        /// Bytes that mean nothing here.
        body: Vec<u8>,
    },
    /// The peer's answer to the last [`Input::Ask`].
    Answered(Vec<u8>),
    /// For whoever watches.
    Event(Event),
    /// The session is over: close the connection. The last output but for [`Output::WaitUntil`].
    Close(CloseReason),
    /// Nothing more now. Call with [`Input::Tick`] at this time, unless something else comes first.
    WaitUntil(Duration),
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The peer was let in.
    PeerAccepted {
        /// Its unit.
        unit: Path,
        /// What both hold.
        shared: Scope,
    },
    /// A peer that is not in line was let in: to ask and be asked, and for nothing else.
    Beside {
        /// Its unit.
        unit: Path,
    },
    /// The peer's clock is far from ours.
    ClockSkew {
        /// Its clock less ours, in milliseconds.
        ms: i64,
    },
    /// Everything before this was taken in: to be written down for the next session with this peer.
    Cursor(Cursor),
    /// A page was taken in.
    Progress {
        /// Records taken in by this session so far.
        records: u64,
        /// Bytes received for them, compressed.
        bytes: u64,
        /// Records still to come, as far as the peer told.
        remaining: u64,
    },
    /// What the session has done so far; the last time when it ends.
    Figures(Figures),
    /// These trees differ though each side took in what the other accepted since last time; they are
    /// compared place by place.
    Repairing {
        /// Which.
        trees: Vec<Tree>,
    },
    /// Both hold the same.
    Level,
    /// They do not, and nothing more can be done for now; it is tried again later.
    NotLevel {
        /// The trees that differ.
        trees: Vec<Tree>,
        /// Why it stopped.
        why: NotLevel,
    },
}

/// Why two replicas stay different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotLevel {
    /// A whole comparison, down to the leaves, brought nothing: one side refuses, or has erased, what the
    /// other holds.
    NothingGained,
    /// The peer does not take in what is here.
    PeerDoesNotTake,
}
