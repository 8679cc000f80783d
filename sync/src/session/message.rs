//! What two sessions say to each other, and its bytes.
//!
//! A frame is one message: a CBOR array of the message's number and its fields. Requests carry an id that
//! the answer repeats. Numbers and orders of fields are fixed; a change of meaning is a new
//! [`PROTOCOL_VERSION`].

use minicbor::{Decode, Encode};

use crate::id::{ItemId, NetworkId, StoreEpoch};
use crate::log::LogId;
use crate::path::Path;
use crate::replica::{BlobKind, LogItem, Position, Roots, Tree};
use crate::session::bounded::Few;
use crate::session::error::Violation;
use crate::session::short::{Short, ShortHead};
use crate::update::Timestamp;

/// The protocol that this code speaks.
pub const PROTOCOL_VERSION: u16 = 3;
/// Bytes in the longest frame.
pub const MAX_FRAME: usize = 1024 * 1024;
/// Bytes in the longest first frame: nobody is known yet.
pub const MAX_HELLO_FRAME: usize = 24 * 1024;
/// Bytes in the longest certificate chain of a [`Hello`].
pub const MAX_CERTIFICATE: usize = 16 * 1024;
/// Places asked for in one message.
pub const MAX_PATHS: usize = 256;
/// Labels below one place.
pub const MAX_CHILDREN: usize = 4096;
/// Leaves listed in one message, for one place.
pub const MAX_LEAVES: usize = 4096;
/// Ranges of logs asked for in one message.
pub const MAX_RANGES: usize = 256;
/// Items asked for in one message.
pub const MAX_ITEMS: usize = 256;
/// Logs of one place that are told of in one message.
pub const MAX_HEADS: usize = 256;

/// Roughly the bytes, before compression, of a page that answers a standing request: some ten updates.
pub const MAX_AHEAD: usize = 16 * 1024;

/// Bytes in a question or an answer beside the replica.
pub const MAX_BODY: usize = 48 * 1024;

/// Names a request among those of its sender that are not answered yet.
pub type RequestId = u32;

/// The first frame of each side.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the sender.
    #[n(0)]
    pub version: u16,
    /// Its network.
    #[n(1)]
    pub network: NetworkId,
    /// By which it is let in: opaque here, judged by the [`crate::session::Gate`]. Empty if the two have
    /// met before: a chain of certificates takes more than all else that levels two replicas.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub certificate: Vec<u8>,
    /// The life of its store.
    #[n(3)]
    pub epoch: StoreEpoch,
    /// Its clock.
    #[n(4)]
    pub clock: Timestamp,
}

/// Where a side stands. Sent once both are let in, and whenever the other one would want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct State {
    /// Its position.
    #[n(0)]
    pub position: Position,
    /// Its digests within the shared scope, at that position.
    #[n(1)]
    pub roots: Roots,
    /// Up to which position of the receiver it has durably taken everything in; none if it never did in
    /// this life of the receiver's store.
    #[n(2)]
    pub taken: Option<Position>,
    /// Repairs that it finished in this session.
    #[n(3)]
    pub round: u32,
    /// Is it still pulling from the receiver? Then it will speak again when it is done.
    #[n(4)]
    pub pulling: bool,
    /// A standing request: once the receiver accepts something after `taken`, or after both held the same, it may
    /// answer this as if it were asked for that, with one page of at most [`MAX_AHEAD`] bytes and before the
    /// State that tells of it.
    #[n(5)]
    pub ahead: Option<RequestId>,
}

/// A stretch of a log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LogRange {
    /// The log.
    #[n(0)]
    pub log: LogId,
    /// The first place, from 1.
    #[n(1)]
    pub from: u64,
    /// The last place.
    #[n(2)]
    pub to: u64,
}

/// An opaque item, where it is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct ItemRef {
    /// The unit it concerns.
    #[n(0)]
    pub path: Path,
    /// Its id.
    #[n(1)]
    pub id: ItemId,
}

/// Where all logs of a place stand, at whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Heads {
    /// The place.
    #[n(0)]
    pub path: Path,
    /// Each of its logs.
    #[n(1)]
    pub logs: Few<ShortHead, MAX_HEADS>,
}

/// A place whose leaves are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ListAsk {
    /// The place.
    #[n(0)]
    pub path: Path,
    /// How many of its leaves to leave out at the start.
    #[n(1)]
    pub skip: u64,
}

/// A place two levels below the one described.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Bud {
    /// Its label.
    #[n(0)]
    pub label: String,
    /// Digest of everything at or below it.
    #[n(1)]
    pub subtree: Short,
    /// Is nothing below it? Then its leaves can be compared at once.
    #[n(2)]
    pub ends: bool,
}

/// A place one level below the one described.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Twig {
    /// Its label.
    #[n(0)]
    pub label: String,
    /// Digest of everything at or below it.
    #[n(1)]
    pub subtree: Short,
    /// Digest of what is exactly there; left out where nothing is below it, since then it tells no more.
    #[n(2)]
    pub own: Option<Short>,
    /// The places below it; none where they were left out for want of room.
    #[n(3)]
    pub children: Option<Few<Bud, MAX_CHILDREN>>,
}

/// A place, and two levels below it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Description {
    /// Digest of what is exactly there.
    #[n(0)]
    pub own: Option<Short>,
    /// What is below it; nothing where the place is above the shared scope.
    #[n(1)]
    pub twigs: Few<Twig, MAX_CHILDREN>,
}

/// The leaves of one place.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Leaves {
    /// Of a tree of logs.
    #[n(0)]
    Logs(#[n(0)] Few<LogItem, MAX_LEAVES>),
    /// Of a tree of items.
    #[n(1)]
    Ids(#[n(0)] Few<ItemId, MAX_LEAVES>),
}

/// What is at one place.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Listing {
    /// The leaves, sorted.
    #[n(0)]
    pub leaves: Leaves,
    /// Are there more than were listed?
    #[n(1)]
    pub more: bool,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// The first of each side.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// Where the sender stands.
    #[n(1)]
    State(#[n(0)] State),
    /// Asks for what was accepted from a position on. Answered by [`Message::PageHead`] and, if there is
    /// anything, [`Message::Page`].
    #[n(2)]
    Since {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// The position.
        #[n(1)]
        after: Position,
        /// Roughly how many bytes, before compression.
        #[n(2)]
        limit: u32,
    },
    /// Asks for digests. Answered by [`Message::Described`].
    #[n(3)]
    Describe {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// The tree.
        #[n(1)]
        tree: Tree,
        /// The places.
        #[n(2)]
        paths: Few<Path, MAX_PATHS>,
    },
    /// Asks for leaves. Answered by [`Message::Listed`].
    #[n(4)]
    List {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// The tree.
        #[n(1)]
        tree: Tree,
        /// The places.
        #[n(2)]
        asks: Few<ListAsk, MAX_PATHS>,
    },
    /// Asks for stretches of logs. Answered by [`Message::Page`] with as many as fit.
    #[n(5)]
    Logs {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// The stretches.
        #[n(1)]
        ranges: Few<LogRange, MAX_RANGES>,
        /// Roughly how many bytes, before compression.
        #[n(2)]
        limit: u32,
    },
    /// Asks for items. Answered by [`Message::Page`] with as many as fit.
    #[n(6)]
    Fetch {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// Their kind.
        #[n(1)]
        kind: BlobKind,
        /// The items.
        #[n(2)]
        items: Few<ItemRef, MAX_ITEMS>,
        /// Roughly how many bytes, before compression.
        #[n(3)]
        limit: u32,
    },
    /// Goes before a page, so that the next one can be asked for while this one is on its way.
    #[n(7)]
    PageHead {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// The position after the page.
        #[n(1)]
        next: Position,
        /// Records in the page; with 0, no page follows.
        #[n(2)]
        records: u32,
        /// Records after the page.
        #[n(3)]
        remaining: u64,
    },
    /// Records, compressed.
    #[n(8)]
    Page {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// Bytes before compression.
        #[n(1)]
        length: u32,
        /// zstd.
        #[cbor(n(2), with = "minicbor::bytes")]
        body: Vec<u8>,
    },
    /// Digests, for as many of the places asked for as fit, in their order; at least one.
    #[n(9)]
    Described {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// One for each place.
        #[n(1)]
        descriptions: Few<Description, MAX_PATHS>,
    },
    /// Leaves, for as many of the places asked for as fit, in their order; at least one.
    #[n(10)]
    Listed {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// One for each place.
        #[n(1)]
        listings: Few<Listing, MAX_PATHS>,
    },
    /// The sender closes, and why ([`Violation::code`]; 0: it just leaves).
    #[n(11)]
    Bye {
        /// The reason.
        #[n(0)]
        code: u16,
    },
    /// Asks for what the logs of some places have beyond what is told of them. Answered by
    /// [`Message::Lacked`] and, if there is anything, [`Message::Page`].
    #[n(12)]
    Lacking {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// A tree of logs.
        #[n(1)]
        tree: Tree,
        /// The places.
        #[n(2)]
        places: Few<Heads, MAX_PATHS>,
        /// Roughly how many bytes, before compression.
        #[n(3)]
        limit: u32,
    },
    /// Goes before the page of what was lacking.
    #[n(13)]
    Lacked {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// So many of the places, from the first, are answered in full. The others did not fit.
        #[n(1)]
        answered: u32,
        /// Places among them where chains part, or a log is forked: their leaves have to be compared.
        #[n(2)]
        unclear: Few<u32, MAX_PATHS>,
        /// Records in the page; with 0, no page follows.
        #[n(3)]
        records: u32,
    },
    /// The Hello left out the certificate, and its sender is not known here: it is to be said again, whole.
    #[n(14)]
    Introduce,
    /// Answers a request for a page: others are being served. To be asked again after this time.
    #[n(15)]
    Busy {
        /// Of the request.
        #[n(0)]
        id: RequestId,
        /// Milliseconds.
        #[n(1)]
        millis: u32,
    },
    /// Asks for something beside the replica. Answered by [`Message::Answer`]; one at a time each way.
    #[n(16)]
    Ask {
        /// Of the question.
        #[n(0)]
        id: RequestId,
        /// What it is about.
        #[n(1)]
        topic: u16,
        /// At most [`MAX_BODY`] bytes that mean nothing here.
        #[cbor(n(2), with = "minicbor::bytes")]
        body: Vec<u8>,
    },
    /// Answers a question.
    #[n(17)]
    Answer {
        /// Of the question.
        #[n(0)]
        id: RequestId,
        /// At most [`MAX_BODY`] bytes that mean nothing here.
        #[cbor(n(1), with = "minicbor::bytes")]
        body: Vec<u8>,
    },
}

impl Message {
    /// The frame.
    pub fn encode(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to a vector does not fail")
    }

    /// Reads a frame.
    pub fn decode(frame: &[u8]) -> Result<Self, Violation> {
        if frame.len() > MAX_FRAME {
            return Err(Violation::FrameTooLong { bytes: frame.len() });
        }
        let mut decoder = minicbor::Decoder::new(frame);
        let message: Self = decoder
            .decode()
            .map_err(|error| Violation::Malformed(error.to_string()))?;
        if decoder.position() != frame.len() {
            return Err(Violation::Malformed("bytes after the message".into()));
        }
        if message.is_overlong() {
            return Err(Violation::TooManyItems);
        }
        Ok(message)
    }

    /// The request that this answers, or begins to answer; none if it is no answer.
    pub(crate) fn answered(&self) -> Option<RequestId> {
        match self {
            Self::PageHead { id, .. }
            | Self::Page { id, .. }
            | Self::Lacked { id, .. }
            | Self::Busy { id, .. }
            | Self::Described { id, .. }
            | Self::Listed { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The id of a request that is answered by a page.
    pub(crate) fn page_asked(&self) -> Option<RequestId> {
        match self {
            Self::Since { id, .. }
            | Self::Lacking { id, .. }
            | Self::Logs { id, .. }
            | Self::Fetch { id, .. } => Some(*id),
            _ => None,
        }
    }

    fn is_overlong(&self) -> bool {
        match self {
            Self::Hello(_)
            | Self::State(_)
            | Self::Since { .. }
            | Self::PageHead { .. }
            | Self::Page { .. }
            | Self::Introduce
            | Self::Busy { .. }
            | Self::Ask { .. }
            | Self::Answer { .. }
            | Self::Bye { .. } => false,
            Self::Lacking { places, .. } => {
                places.is_overlong() || places.as_slice().iter().any(|place| place.logs.is_overlong())
            }
            Self::Lacked { unclear, .. } => unclear.is_overlong(),
            Self::Describe { paths, .. } => paths.is_overlong(),
            Self::List { asks, .. } => asks.is_overlong(),
            Self::Logs { ranges, .. } => ranges.is_overlong(),
            Self::Fetch { items, .. } => items.is_overlong(),
            Self::Described { descriptions, .. } => {
                descriptions.is_overlong()
                    || descriptions.as_slice().iter().any(|description| {
                        let twigs = &description.twigs;
                        let below = |twig: &Twig| twig.children.as_ref().is_some_and(Few::is_overlong);
                        twigs.is_overlong() || twigs.as_slice().iter().any(below)
                    })
            }
            Self::Listed { listings, .. } => {
                listings.is_overlong()
                    || listings.as_slice().iter().any(|listing| match &listing.leaves {
                        Leaves::Logs(items) => items.is_overlong(),
                        Leaves::Ids(ids) => ids.is_overlong(),
                    })
            }
        }
    }
}

#[cfg(test)]
mod tests;
