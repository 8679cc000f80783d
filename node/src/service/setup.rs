//! What is asked of a home rather than of its node: to found it, to let it join, to run it.

use serde::{Deserialize, Serialize};

use super::call::Passphrase;
use super::view::Unit;
use crate::enrol::Joining;
use crate::unit::UnitCode;

/// Founds a network: a root authority, and a node of its unit.
#[derive(Clone, Debug)]
pub struct Init {
    /// The unit at the top.
    pub unit: UnitCode,
    /// The unit's name, where the list of divisions has none or another.
    pub name: Option<String>,
    /// Seals the authority's key.
    pub passphrase: Passphrase,
}

/// Joins by a ticket, over the network.
#[derive(Clone, Debug)]
pub struct Join {
    /// The line that `invite` printed.
    pub ticket: String,
    /// Seals the new authority's key. Where the ticket is for a new unit and this is missing, the answer is
    /// [`super::ErrorKind::Locked`], and nothing was sent or written.
    pub passphrase: Option<Passphrase>,
}

/// Prepares to join by files.
#[derive(Clone, Debug)]
pub struct Request {
    /// The unit.
    pub unit: UnitCode,
    /// As what.
    pub joining: Joining,
    /// Seals the new authority's key; needed for a new unit alone.
    pub passphrase: Option<Passphrase>,
}

/// Runs a node until it is told to stop.
#[derive(Clone, Debug)]
pub struct Serve {
    /// Multiaddresses to listen on; without any, those of the configuration.
    pub listen: Vec<String>,
    /// Multiaddresses of parents to keep connected to, besides those of the configuration.
    pub parents: Vec<String>,
    /// Look for peers on the same local network.
    pub mdns: bool,
    /// Keys to unlock from the start, by handle, with the passphrases that open them.
    pub unlock: Vec<(String, Passphrase)>,
}

/// `init`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Founded {
    /// The home, as a path.
    pub home: String,
    /// The network, hexadecimal.
    pub network: String,
    /// The unit at the top.
    pub unit: Unit,
    /// The peer id that others dial.
    pub peer_id: String,
    /// Where the root certificate stands, for auditors to keep.
    pub root_certificate: String,
}

/// `join`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Joined {
    /// The home, as a path.
    pub home: String,
    /// The network, hexadecimal.
    pub network: String,
    /// The unit joined.
    pub unit: Unit,
    /// Is it a second node of its unit?
    pub standby: bool,
    /// Is it an auditor's node?
    #[serde(default)]
    pub auditor: bool,
    /// The peer id that others dial.
    pub peer_id: String,
    /// The parent's address, kept; none where it came by file.
    pub parent: Option<String>,
}

/// `join --request`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Requested {
    /// The unit.
    pub unit: Unit,
    /// Is it for a second node?
    pub standby: bool,
    /// Is it for an auditor's?
    #[serde(default)]
    pub auditor: bool,
    /// What the signer compares with.
    pub fingerprint: String,
    /// The request to carry to the parent, hexadecimal.
    pub request: String,
}
