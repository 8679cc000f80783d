//! The one line that a parent hands to whoever shall join: `anjuan1…`.

use std::fmt;
use std::str::FromStr;

use anjuan_sync::hash::Domain;
use anjuan_sync::{AuthorKey, NetworkId, Path, Timestamp};
use data_encoding::BASE32_NOPAD;
use ed25519_dalek::SigningKey;
use minicbor::{Decode, Encode};
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::Joining;
use crate::authority::certificate::signing_key;
use crate::authority::encoding;
use crate::unit::UnitCode;

const PREFIX: &str = "anjuan";
const FORMAT: &str = "1";
/// Addresses in a ticket: TCP and QUIC, in the office and from outside.
const MAX_ADDRESSES: usize = 4;
const MAX_ADDRESS: usize = 256;
const MAX_BODY: usize = 1536;
const CHECKSUM: usize = 4;
const CHECKSUM_DOMAIN: Domain = Domain::new("anjuan/ticket-text/1");
const KEY_DOMAIN: Domain = Domain::new("anjuan/ticket-key/1");

/// Names a ticket without giving it away: the public half of the key that its secret makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct TicketId(#[n(0)] pub(super) AuthorKey);

/// What is wrong with a ticket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Does not begin like one.
    #[error("not a ticket; a ticket is one line that begins with {PREFIX}{FORMAT}")]
    NotATicket,
    /// From a newer program.
    #[error("the ticket has a newer format; update this program, or ask for a ticket from an older one")]
    Newer,
    /// A character that no ticket has.
    #[error("mistyped: tickets have no {character:?} (character {position}); they use a-z and 2-7")]
    Character {
        /// The character.
        character: char,
        /// Counted from 1.
        position: usize,
    },
    /// The checksum is wrong.
    #[error("mistyped or cut off: the ticket's checksum does not fit; copy the whole line again")]
    Typo,
    /// The checksum fits, but the content is not a ticket's.
    #[error("the ticket's content is not valid: {0}")]
    Content(&'static str),
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    network: NetworkId,
    #[n(1)]
    unit: Path,
    #[n(2)]
    joining: Joining,
    #[n(3)]
    addresses: Vec<String>,
    #[n(4)]
    peer: AuthorKey,
    #[n(5)]
    expires: Timestamp,
    #[cbor(n(6), with = "minicbor::bytes")]
    secret: [u8; 32],
}

/// An invitation to join a network as a node of one unit, once. Whoever reads its text can use it.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    network: NetworkId,
    unit: UnitCode,
    joining: Joining,
    addresses: Vec<String>,
    peer: AuthorKey,
    expires: Timestamp,
    secret: Zeroizing<[u8; 32]>,
}

impl Ticket {
    /// A new ticket. `addresses`, 1 to 4, are where the node with key `peer` listens.
    pub fn issue<R: CryptoRng>(
        network: NetworkId,
        unit: UnitCode,
        joining: Joining,
        addresses: Vec<String>,
        peer: AuthorKey,
        expires: Timestamp,
        rng: &mut R,
    ) -> Result<Self, TicketError> {
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Self::checked(Wire {
            network,
            unit: unit.path(),
            joining,
            addresses,
            peer,
            expires,
            secret,
        })
    }

    fn checked(wire: Wire) -> Result<Self, TicketError> {
        let address = |text: &String| {
            (1..=MAX_ADDRESS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        if !(1..=MAX_ADDRESSES).contains(&wire.addresses.len()) || !wire.addresses.iter().all(address) {
            return Err(TicketError::Content("1 to 4 addresses are expected"));
        }
        if !wire.expires.is_plausible() {
            return Err(TicketError::Content("the expiry is not a date"));
        }
        signing_key(wire.peer.as_bytes())
            .map_err(|_| TicketError::Content("the parent's key is not usable"))?;
        Ok(Self {
            network: wire.network,
            unit: UnitCode::from_path(&wire.unit).map_err(|_| TicketError::Content("the unit is not one"))?,
            joining: wire.joining,
            addresses: wire.addresses,
            peer: wire.peer,
            expires: wire.expires,
            secret: Zeroizing::new(wire.secret),
        })
    }

    /// The line to hand over: `anjuan1`, then canonical CBOR and its checksum in base 32, some 300
    /// characters. Case does not matter.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(encoding::encode(&Wire {
            network: self.network,
            unit: self.unit.path(),
            joining: self.joining,
            addresses: self.addresses.clone(),
            peer: self.peer,
            expires: self.expires,
            secret: *self.secret,
        }));
        let checksum = checksum(&bytes);
        bytes.extend(checksum);
        let body = Zeroizing::new(BASE32_NOPAD.encode(&bytes));
        Zeroizing::new(format!("{PREFIX}{FORMAT}{}", body.to_ascii_lowercase()))
    }

    /// The network it is for.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// The unit it is for.
    pub fn unit(&self) -> &UnitCode {
        &self.unit
    }

    /// As what.
    pub fn joining(&self) -> Joining {
        self.joining
    }

    /// Where the parent listens.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The parent's node key: who else answers is not the parent.
    pub fn peer(&self) -> AuthorKey {
        self.peer
    }

    /// Until when the parent honours it.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Its name.
    pub fn id(&self) -> TicketId {
        TicketId(AuthorKey::from_bytes(self.key().verifying_key().to_bytes()))
    }

    /// The key that its secret makes. Requests are signed with it, so that the parent need not keep, and
    /// the joiner need not send, anything that would let another join.
    pub(super) fn key(&self) -> SigningKey {
        SigningKey::from_bytes(KEY_DOMAIN.hash(&[&*self.secret]).as_bytes())
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    /// Blanks and line ends, as mail programs add them, don't matter.
    fn from_str(text: &str) -> Result<Self, TicketError> {
        let text: Zeroizing<String> = Zeroizing::new(
            text.chars()
                .filter(|c| !c.is_whitespace())
                .take(2 * MAX_BODY)
                .map(|c| c.to_ascii_uppercase())
                .collect(),
        );
        let rest = text
            .strip_prefix(&PREFIX.to_ascii_uppercase())
            .ok_or(TicketError::NotATicket)?;
        // The next digit of the format is none of the alphabet: 0, 1, 8 and 9 are not.
        let body = match rest.strip_prefix(FORMAT) {
            Some(body) => body,
            None if rest.starts_with(|c: char| c.is_ascii_digit()) => return Err(TicketError::Newer),
            None => return Err(TicketError::NotATicket),
        };
        if let Some((at, character)) = body
            .chars()
            .enumerate()
            .find(|(_, c)| !matches!(c, 'A'..='Z' | '2'..='7'))
        {
            return Err(TicketError::Character {
                character: character.to_ascii_lowercase(),
                position: PREFIX.len() + FORMAT.len() + at + 1,
            });
        }
        let bytes = BASE32_NOPAD
            .decode(body.as_bytes())
            .map_err(|_| TicketError::Typo)?;
        let bytes = Zeroizing::new(bytes);
        let (content, sum) = bytes
            .len()
            .checked_sub(CHECKSUM)
            .map(|end| bytes.split_at(end))
            .ok_or(TicketError::Typo)?;
        if sum != checksum(content) {
            return Err(TicketError::Typo);
        }
        let wire =
            encoding::decode(content, MAX_BODY).map_err(|_| TicketError::Content("it is not well-formed"))?;
        Self::checked(wire)
    }
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM] {
    let digest = CHECKSUM_DOMAIN.hash(&[content]);
    std::array::from_fn(|at| digest.as_bytes()[at])
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("network", &self.network)
            .field("unit", &self.unit)
            .field("joining", &self.joining)
            .field("addresses", &self.addresses)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
