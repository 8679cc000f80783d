//! The names that stand in notes: of a node as a witness, and of its log.
//!
//! ```text
//! witness  anjuan/<network>/<unit>/<node>
//! log      anjuan/<network>/<unit>/<node>/<epoch>
//! ```
//! `network` is the first 8 bytes of the network's id, `unit` the unit's code, `node` the first 16 bytes of
//! the SHA-256 of the node's Ed25519 public key, `epoch` the whole log epoch; bytes in lower-case
//! hexadecimal. Names only tell apart: what a key may do, its certificate says.
//!
//! The epoch is part of the log's name because a store that was set back to a backup cannot keep what it
//! promised under the old name, and must not be asked to: it goes on under a new one, for everybody to see.

use std::fmt;
use std::str::FromStr;

use anjuan_sync::hash::sha256;
use anjuan_sync::{LogEpoch, NetworkId};
use ed25519_dalek::VerifyingKey;

use crate::unit::UnitCode;

const PREFIX: &str = "anjuan";
/// Bytes in the longest name of a log.
pub const MAX_ORIGIN: usize = 128;

/// A node, as it signs for others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName {
    network: [u8; 8],
    unit: UnitCode,
    node: [u8; 16],
}

/// The log of a node in one epoch: the first line of its checkpoints.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    node: NodeName,
    epoch: LogEpoch,
}

/// A text that names no node, or no log, of Anjuan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a node or of its log")]
pub struct ParseNameError;

impl NodeName {
    /// The name of the node with this key, which serves `unit`.
    pub fn new(network: NetworkId, unit: UnitCode, key: &VerifyingKey) -> Self {
        Self {
            network: first(network.as_bytes()),
            unit,
            node: fingerprint(key),
        }
    }

    /// The unit that the node says it serves.
    pub fn unit(&self) -> &UnitCode {
        &self.unit
    }

    /// Is this a name in that network?
    pub fn is_in(&self, network: NetworkId) -> bool {
        self.network == first(network.as_bytes())
    }

    /// Is this a name of the node with that key?
    pub fn is_of(&self, key: &VerifyingKey) -> bool {
        self.node == fingerprint(key)
    }

    /// The log of this node in `epoch`.
    pub fn log(self, epoch: LogEpoch) -> Origin {
        Origin { node: self, epoch }
    }
}

impl Origin {
    /// The node whose log it is.
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// The life of the node's store.
    pub fn epoch(&self) -> LogEpoch {
        self.epoch
    }
}

fn fingerprint(key: &VerifyingKey) -> [u8; 16] {
    first(sha256(key.as_bytes()).as_bytes())
}

fn first<const N: usize>(bytes: &[u8; 32]) -> [u8; N] {
    *bytes.first_chunk().expect("shorter than a hash")
}

/// The bytes of hexadecimal digits as they are written here: small ones.
fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseNameError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseNameError)?;
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(ParseNameError);
    }
    Ok(bytes)
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (network, node) = (hex::encode(self.network), hex::encode(self.node));
        write!(f, "{PREFIX}/{network}/{}/{node}", self.unit.as_str())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.epoch)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeName({self})")
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

impl FromStr for NodeName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        let mut parts = text.split('/');
        let mut next = || parts.next().ok_or(ParseNameError);
        if text.len() > MAX_ORIGIN || next()? != PREFIX {
            return Err(ParseNameError);
        }
        let name = Self {
            network: parse_hex(next()?)?,
            unit: next()?.parse().map_err(|_| ParseNameError)?,
            node: parse_hex(next()?)?,
        };
        // A unit's code has longer forms, which would be second names for one node.
        if name.to_string() == text {
            Ok(name)
        } else {
            Err(ParseNameError)
        }
    }
}

impl FromStr for Origin {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        let (node, epoch) = text.rsplit_once('/').ok_or(ParseNameError)?;
        Ok(Self {
            node: node.parse()?,
            epoch: LogEpoch::from_bytes(parse_hex(epoch)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_for_one_node_and_one_log() {
        let name = "anjuan/0011223344556677/450902001/00112233445566778899aabbccddeeff";
        let log = format!("{name}/0123456789abcdef0123456789abcdef");
        assert_eq!(name.parse::<NodeName>().expect("a name").to_string(), name);
        assert_eq!(log.parse::<Origin>().expect("a name").to_string(), log);
        assert!(log.parse::<NodeName>().is_err());
        assert!(name.parse::<Origin>().is_err());
        for other in [
            name.to_uppercase(),
            name.replace("anjuan", "anjian"),
            name.replace("aabb", "AABB"),
            name.replace("450902001", "450902001000"),
            name.replace("450902001", ""),
            format!("{name}/"),
            format!("{name} "),
            format!("{name}/{}", "0".repeat(200)),
            String::new(),
        ] {
            assert!(other.parse::<NodeName>().is_err(), "{other:?}");
        }
    }
}
