//! The parent's side of tickets: which are open, which are used.

use std::collections::BTreeMap;

use anjuan_sync::{CertificateId, Digest, Path, Timestamp};
use minicbor::{Decode, Encode};

use super::{Approval, JoinRequest, Joining, Ticket, TicketId};
use crate::authority::encoding::{self, EncodingError};

/// Tickets in a book, open and past. A city that invites every one of 1,626 units itself needs as many at
/// once.
pub const MAX_TICKETS: usize = 4096;
/// How long past tickets are remembered, to tell "used" and "expired" from "never heard of": 30 days.
const REMEMBERED: i64 = 30 * 24 * 3_600_000;
const VERSION: u8 = 1;
/// Bytes in the longest book; an entry has at most some 230.
const MAX_BOOK: usize = MAX_TICKETS * 256;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Entry {
    #[n(0)]
    unit: Path,
    #[n(1)]
    joining: Joining,
    #[n(2)]
    expires: Timestamp,
    #[n(3)]
    used: Option<Used>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Used {
    #[n(0)]
    request: Digest,
    #[n(1)]
    granted: Vec<CertificateId>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    version: u8,
    #[n(1)]
    entries: BTreeMap<TicketId, Entry>,
}

/// Why a book cannot be read, or takes no more tickets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The bytes are no book.
    #[error("ticket book: {0}")]
    Encoding(#[from] EncodingError),
    /// A version this code does not know.
    #[error("ticket book version {0} is not supported; this program reads version {VERSION}")]
    Version(u8),
    /// More entries than a book has.
    #[error("there are {MAX_TICKETS} tickets already; wait until some have been past for 30 days")]
    Full,
}

/// Why a request's ticket does not let it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedeemError {
    /// The request was made without one.
    #[error("the request has no ticket; sign it by file instead")]
    NoTicket,
    /// Not one of this node's, or past for long.
    #[error("the ticket was not issued here, or long ago; ask for a new one")]
    Unknown,
    /// Past its expiry.
    #[error("the ticket has expired; ask for a new one")]
    Expired,
    /// Another request was granted on it.
    #[error("the ticket has been used; ask for a new one")]
    Used,
    /// For another unit or kind of joining.
    #[error("the ticket is for another unit or another way of joining than the request")]
    Mismatch,
}

/// What a ticket comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// The request may be granted.
    Approved(Approval),
    /// This same request was granted before, and the answer may have been lost: these certificates, to
    /// be sent again with [`JoinGrant::assemble`](super::JoinGrant::assemble).
    Again(Vec<CertificateId>),
}

/// The tickets that this node issued. Holds their public halves only: who reads it cannot join.
///
/// To grant a request: [`Self::redeem`], then [`grant`](super::grant), then [`Self::mark_used`]; then
/// make the granted certificates and the book durable, in one step or in this order; only then answer. So
/// a crash at any point leaves a ticket that the same joiner can use again and nobody else besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketBook(BTreeMap<TicketId, Entry>);

impl TicketBook {
    /// Reads what [`Self::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, BookError> {
        let wire: Wire = encoding::decode(bytes, MAX_BOOK)?;
        if wire.version != VERSION {
            return Err(BookError::Version(wire.version));
        }
        if wire.entries.len() > MAX_TICKETS {
            return Err(BookError::Full);
        }
        Ok(Self(wire.entries))
    }

    /// The canonical encoding: a CBOR array of the version and a map from ticket id to entry.
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(&Wire {
            version: VERSION,
            entries: self.0.clone(),
        })
    }

    /// Notes a ticket, and forgets those long past. Make the book durable before handing out the ticket.
    pub fn open(&mut self, ticket: &Ticket, now: Timestamp) -> Result<(), BookError> {
        let forgotten = now.as_millis().saturating_sub(REMEMBERED);
        self.0.retain(|_, entry| entry.expires.as_millis() >= forgotten);
        if self.0.len() >= MAX_TICKETS {
            return Err(BookError::Full);
        }
        self.0.insert(
            ticket.id(),
            Entry {
                unit: ticket.unit().path(),
                joining: ticket.joining(),
                expires: ticket.expires(),
                used: None,
            },
        );
        Ok(())
    }

    /// Does the request's ticket let it in at `now`? That the joiner holds the ticket is proven by the
    /// request's type.
    pub fn redeem(&self, request: &JoinRequest, now: Timestamp) -> Result<Redeemed, RedeemError> {
        let id = request.ticket().ok_or(RedeemError::NoTicket)?;
        let entry = self.0.get(&id).ok_or(RedeemError::Unknown)?;
        match &entry.used {
            Some(used) if used.request == request.id() => return Ok(Redeemed::Again(used.granted.clone())),
            Some(_) => return Err(RedeemError::Used),
            None => {}
        }
        if now >= entry.expires {
            return Err(RedeemError::Expired);
        }
        if entry.unit != request.unit().path() || entry.joining != request.joining() {
            return Err(RedeemError::Mismatch);
        }
        Ok(Redeemed::Approved(request.approved()))
    }

    /// Notes what was granted on the request's ticket.
    pub fn mark_used(&mut self, request: &JoinRequest, granted: Vec<CertificateId>) {
        let entry = request.ticket().and_then(|id| self.0.get_mut(&id));
        if let Some(entry) = entry {
            entry.used = Some(Used {
                request: request.id(),
                granted,
            });
        }
    }

    /// The units, with expiry, that somebody may still join with a ticket.
    pub fn pending(&self, now: Timestamp) -> impl Iterator<Item = (&Path, Joining, Timestamp)> {
        let open = self
            .0
            .values()
            .filter(move |entry| entry.used.is_none() && now < entry.expires);
        open.map(|entry| (&entry.unit, entry.joining, entry.expires))
    }
}
