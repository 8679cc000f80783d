//! How a node joins a network.
//!
//! Over the network: the parent writes a [`Ticket`] and notes it in its [`TicketBook`]; the joiner proves
//! in a [`JoinRequest`] that it holds the ticket and its own keys; the parent answers with a [`JoinGrant`],
//! which the joiner checks against the network that the ticket names. The ticket's secret itself is never
//! sent: whoever answers at the parent's address learns nothing that would let it join.
//!
//! With no network, request and grant travel as files. No ticket vouches for the request then; a person at
//! the parent compares its [`Fingerprint`] with the one shown where it was made.
//!
//! The core is pure: it is handed keys, time and randomness. What has to be on disk before what is sent
//! stands at [`TicketBook`].

mod book;
mod fingerprint;
mod grant;
mod request;
mod ticket;

use minicbor::{Decode, Encode};

pub use self::book::{BookError, MAX_TICKETS, RedeemError, Redeemed, TicketBook};
pub use self::fingerprint::{Fingerprint, ParseFingerprintError};
pub use self::grant::{AcceptError, GrantError, JoinGrant, Joined, Terms, Trust, grant};
pub use self::request::{Approval, JoinForm, JoinRequest, NotConfirmed, RequestError};
pub use self::ticket::{Ticket, TicketError, TicketId};

/// As what a node joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Joining {
    /// The first node of a unit: it gets the unit's authority certificate too.
    #[n(0)]
    NewUnit,
    /// A further node of a unit: a node certificate alone.
    #[n(1)]
    Standby,
    /// A node that follows a unit for an auditor: a node certificate with the auditor's role.
    #[n(2)]
    Auditor,
}

#[cfg(test)]
mod tests;
