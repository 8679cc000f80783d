//! Reaching a peer: why it fails, and the names that stand in its addresses.

use libp2p::multiaddr::Protocol;
use libp2p::swarm;
use libp2p::{Multiaddr, TransportError};

use super::gate::Denied;
use super::peer::MAX_ADDRESSES;

/// Why a peer was not reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// No address led to an authenticated connection.
    #[error("the peer can't be reached: {0}")]
    Unreachable(String),
    /// Somebody else answers at the address.
    #[error("another peer than the one expected answers at {address}: {found}")]
    OtherPeer {
        /// Where.
        address: Multiaddr,
        /// Its id.
        found: String,
    },
    /// The address leads to this node.
    #[error("{0} is an address of this node itself")]
    Own(Multiaddr),
    /// This node refuses the peer at present.
    #[error("the peer is refused by this node at present")]
    Refused,
    /// The peer closed the connection, or opens no stream on it.
    #[error("the peer does not talk to this node: {0}")]
    TurnedAway(String),
    /// A name stands for no address.
    #[error("`{name}` can't be resolved: {detail}")]
    Name {
        /// The name.
        name: String,
        /// What the resolver says.
        detail: String,
    },
    /// More attempts under way than are allowed at once.
    #[error("too many attempts to reach peers are under way")]
    Busy,
    /// The endpoint has stopped.
    #[error("the endpoint has stopped")]
    Stopped,
}

impl From<swarm::DialError> for DialError {
    fn from(error: swarm::DialError) -> Self {
        match error {
            swarm::DialError::WrongPeerId { obtained, address } => Self::OtherPeer {
                address,
                found: obtained.to_string(),
            },
            swarm::DialError::LocalPeerId { address } => Self::Own(address),
            swarm::DialError::Denied { cause } => match cause.downcast::<Denied>() {
                Ok(Denied::Refused) => Self::Refused,
                Ok(denied) => Self::Unreachable(denied.to_string()),
                Err(other) => Self::Unreachable(other.to_string()),
            },
            swarm::DialError::Transport(attempts) => {
                let attempts = attempts.iter().map(|(address, error)| match error {
                    TransportError::Other(error) => format!("{address}: {}", innermost(error)),
                    TransportError::MultiaddrNotSupported(_) => format!("{address}: not supported"),
                });
                Self::Unreachable(attempts.collect::<Vec<_>>().join("; "))
            }
            other => Self::Unreachable(other.to_string()),
        }
    }
}

/// The last cause: what lies around it names only layers.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Replaces names by the IP addresses they stand for; at most [`MAX_ADDRESSES`] result.
pub(super) async fn resolve(addresses: Vec<Multiaddr>) -> Result<Vec<Multiaddr>, DialError> {
    let mut resolved = Vec::new();
    let mut failure = None;
    for address in addresses {
        let mut parts = address.iter();
        let (name, v4, v6) = match parts.next() {
            Some(Protocol::Dns(name)) => (name, true, true),
            Some(Protocol::Dns4(name)) => (name, true, false),
            Some(Protocol::Dns6(name)) => (name, false, true),
            _ => {
                resolved.push(address);
                continue;
            }
        };
        match tokio::net::lookup_host((&*name, 0)).await {
            Ok(found) => {
                let ips = found
                    .map(|socket| socket.ip())
                    .filter(|ip| if ip.is_ipv4() { v4 } else { v6 });
                let rest: Vec<_> = parts.collect();
                resolved.extend(ips.map(|ip| {
                    let mut address = Multiaddr::from(ip);
                    rest.iter().cloned().for_each(|part| address.push(part));
                    address
                }));
            }
            Err(error) => {
                failure = Some(DialError::Name {
                    name: name.to_string(),
                    detail: error.to_string(),
                });
            }
        }
    }
    resolved.truncate(MAX_ADDRESSES);
    match (resolved.is_empty(), failure) {
        (true, Some(failure)) => Err(failure),
        (true, None) => Err(DialError::Unreachable("its names stand for no address".into())),
        _ => Ok(resolved),
    }
}

/// Whether an address begins with a name.
pub(super) fn is_named(address: &Multiaddr) -> bool {
    matches!(
        address.iter().next(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_))
    )
}
