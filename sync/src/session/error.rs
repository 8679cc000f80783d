//! Why a session ends, or keeps a peer out.

use crate::path::Path;
use crate::replica::ReplicaError;
use crate::session::message::{MAX_FRAME, PROTOCOL_VERSION};

/// What a peer did that no honest peer does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A frame over the bound.
    #[error("frame of {bytes} bytes is longer than allowed here (at most {MAX_FRAME})")]
    FrameTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not a message.
    #[error("frame is not a message: {0}")]
    Malformed(String),
    /// A list with more entries than any honest message has.
    #[error("message with too many entries")]
    TooManyItems,
    /// Something else before the first Hello.
    #[error("message before the hello")]
    BeforeHello,
    /// A second Hello.
    #[error("hello after the hello")]
    SecondHello,
    /// An answer that nobody asked for, or of another kind, or to another question.
    #[error("answer that was not asked for")]
    Unsolicited,
    /// More requests unanswered than allowed.
    #[error("too many requests at once")]
    TooManyRequests,
    /// More messages a minute than allowed.
    #[error("too many messages in a minute")]
    TooFast,
    /// A request or a record outside what both units hold.
    #[error("asked for or sent what is outside the shared scope")]
    OutOfScope,
    /// A page that expands to more than it says or more than is allowed, or is not a page.
    #[error("page is damaged or too large: {0}")]
    Page(String),
    /// Positions that go backwards, or a page without end.
    #[error("positions do not move on")]
    Position,
    /// A tree of digests larger than any real one.
    #[error("tree of digests without end")]
    EndlessTree,
    /// A record that no honest replica holds.
    #[error("{count} forged records in one page")]
    Forged {
        /// How many.
        count: u32,
    },
}

impl Violation {
    /// The number under which the peer is told.
    pub fn code(&self) -> u16 {
        match self {
            Self::FrameTooLong { .. } => 1,
            Self::Malformed(_) => 2,
            Self::TooManyItems => 3,
            Self::BeforeHello => 4,
            Self::SecondHello => 5,
            Self::Unsolicited => 6,
            Self::TooManyRequests => 7,
            Self::TooFast => 8,
            Self::OutOfScope => 9,
            Self::Page(_) => 10,
            Self::Position => 11,
            Self::EndlessTree => 12,
            Self::Forged { .. } => 13,
        }
    }
}

/// Why a peer is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It speaks another protocol.
    #[error("peer speaks protocol {0}, this program {PROTOCOL_VERSION}; update the older one")]
    Version(u16),
    /// It belongs to another network.
    #[error("peer belongs to another network")]
    Network,
    /// The gate does not take its certificate.
    #[error("peer's certificate is not accepted: {0}")]
    Certificate(String),
    /// Its unit is neither above nor below this one.
    #[error("peer's unit {0} is neither above nor below this one")]
    NotInLine(Path),
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Late {
    /// The peer's Hello.
    #[error("the peer did not introduce itself in time")]
    Hello,
    /// The peer's first State.
    #[error("the peer did not say where it stands in time")]
    State,
    /// An answer.
    #[error("the peer did not answer in time")]
    Answer,
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The peer was not let in.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Violation(#[from] Violation),
    /// The peer was too slow.
    #[error(transparent)]
    Late(#[from] Late),
    /// The peer closed, with the code it gave.
    #[error("the peer closed the session (code {0})")]
    Bye(u16),
    /// The own store could not be read.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The own store could not take what was delivered.
    #[error("what was received could not be stored: {0}")]
    StoreFailed(String),
    /// The driver asked for it.
    #[error("closed here")]
    Local,
}
