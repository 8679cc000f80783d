//! Who a peer is and where it is reached.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ed25519_dalek::VerifyingKey;
use libp2p::identity::{PublicKey, ed25519};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::id::NodeKey;

/// Most addresses of one peer.
pub const MAX_ADDRESSES: usize = 8;

/// Why an address is not one that a peer can be dialled at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a multiaddress.
    #[error("`{text}` is not a multiaddress: {detail}; expected e.g. /ip4/192.0.2.1/tcp/4509/p2p/12D3KooW…")]
    Malformed {
        /// What was given.
        text: String,
        /// What the parser says.
        detail: String,
    },
    /// The address does not say whose it is.
    #[error("`{0}` does not end in /p2p/ and the peer's id")]
    NoPeer(Multiaddr),
    /// The address names another peer than the one meant.
    #[error("`{address}` is not an address of the peer {expected}")]
    OtherPeer {
        /// The address.
        address: Multiaddr,
        /// Who was meant.
        expected: PeerId,
    },
    /// The peer's id is not that of a usable Ed25519 key.
    #[error("`{0}` is not the id of an Ed25519 key")]
    NotEd25519(PeerId),
    /// The key is no usable Ed25519 key.
    #[error("`{0}` is not a usable Ed25519 key")]
    Key(NodeKey),
    /// Neither TCP nor QUIC over IP or a DNS name.
    #[error("`{0}` can't be dialled: expected /ip4, /ip6 or /dns and then /tcp/PORT or /udp/PORT/quic-v1")]
    Unsupported(Multiaddr),
    /// None, or more than [`MAX_ADDRESSES`].
    #[error("a peer has 1 to {MAX_ADDRESSES} addresses, not {0}")]
    Count(usize),
}

/// The key that a peer's id stands for; none if that is not a usable Ed25519 key.
pub fn peer_key(peer: &PeerId) -> Option<NodeKey> {
    let hash = peer.as_ref();
    // Code 0 is the identity: the "hash" is the key itself.
    if hash.code() != 0 {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(hash.digest())
        .ok()?
        .try_into_ed25519()
        .ok()?;
    let bytes = key.to_bytes();
    let usable = VerifyingKey::from_bytes(&bytes).is_ok_and(|key| !key.is_weak());
    usable.then(|| NodeKey::from_bytes(bytes))
}

/// The id of the peer that holds `key`; none if that is not a usable Ed25519 key.
pub fn key_peer(key: NodeKey) -> Option<PeerId> {
    let public = ed25519::PublicKey::try_from_bytes(key.as_bytes()).ok()?;
    Some(PublicKey::from(public).to_peer_id()).filter(|peer| peer_key(peer) == Some(key))
}

/// A peer and the addresses it can be dialled at. Text form: addresses with `/p2p/`, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddr {
    key: NodeKey,
    peer: PeerId,
    addresses: Vec<Multiaddr>,
}

impl PeerAddr {
    /// A peer by its key. The addresses may or may not end in its `/p2p/` id.
    pub fn new(key: NodeKey, addresses: impl IntoIterator<Item = Multiaddr>) -> Result<Self, AddressError> {
        let expected = key_peer(key).ok_or(AddressError::Key(key))?;
        let mut bare = Vec::new();
        for mut address in addresses {
            if let Some(Protocol::P2p(named)) = address.iter().last() {
                if named != expected {
                    return Err(AddressError::OtherPeer { address, expected });
                }
                address.pop();
            }
            if !dialable(&address) {
                return Err(AddressError::Unsupported(address));
            }
            bare.push(address);
        }
        if bare.is_empty() || bare.len() > MAX_ADDRESSES {
            return Err(AddressError::Count(bare.len()));
        }
        Ok(Self {
            key,
            peer: expected,
            addresses: bare,
        })
    }

    /// The peer's key.
    pub fn key(&self) -> NodeKey {
        self.key
    }

    /// The peer's libp2p id.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Its addresses, without `/p2p/`.
    pub fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, address) in self.addresses.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{address}/p2p/{}", self.peer)?;
        }
        Ok(())
    }
}

impl FromStr for PeerAddr {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut addresses = Vec::new();
        for part in text.split(',') {
            let address: Multiaddr =
                part.trim()
                    .parse()
                    .map_err(|error: libp2p::multiaddr::Error| AddressError::Malformed {
                        text: part.trim().into(),
                        detail: error.to_string(),
                    })?;
            addresses.push(address);
        }
        let first = addresses.first().ok_or(AddressError::Count(0))?;
        let Some(Protocol::P2p(peer)) = first.iter().last() else {
            return Err(AddressError::NoPeer(first.clone()));
        };
        let key = peer_key(&peer).ok_or(AddressError::NotEd25519(peer))?;
        if let Some(bare) = addresses
            .iter()
            .find(|a| !matches!(a.iter().last(), Some(Protocol::P2p(_))))
        {
            return Err(AddressError::NoPeer(bare.clone()));
        }
        Self::new(key, addresses)
    }
}

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportKind {
    /// TCP, Noise and Yamux.
    Tcp,
    /// QUIC v1.
    Quic,
}

impl TransportKind {
    pub(super) fn of(address: &Multiaddr) -> Self {
        if address.iter().any(|part| matches!(part, Protocol::QuicV1)) {
            Self::Quic
        } else {
            Self::Tcp
        }
    }
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        })
    }
}

/// The IP address in front of `address`. A DNS name has none.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

fn dialable(address: &Multiaddr) -> bool {
    let parts: Vec<_> = address.iter().collect();
    let (host, rest) = match parts.split_first() {
        Some(split) => split,
        None => return false,
    };
    matches!(
        host,
        Protocol::Ip4(_) | Protocol::Ip6(_) | Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)
    ) && matches!(rest, [Protocol::Tcp(_)] | [Protocol::Udp(_), Protocol::QuicV1])
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use libp2p::identity::Keypair;

    use super::*;

    fn key(seed: u8) -> NodeKey {
        NodeKey::from_bytes(SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes())
    }

    fn address(text: &str) -> Multiaddr {
        text.parse().expect("a multiaddress")
    }

    #[test]
    fn a_key_and_its_peer_id_stand_for_each_other() {
        let peer = key_peer(key(1)).expect("a usable key");
        assert_eq!(peer_key(&peer), Some(key(1)));
        let pair = Keypair::ed25519_from_bytes([1; 32]).expect("a key pair");
        assert_eq!(pair.public().to_peer_id(), peer);
    }

    #[test]
    fn weak_and_foreign_keys_are_no_peers() {
        let mut identity_point = [0; 32];
        identity_point[0] = 1;
        assert_eq!(key_peer(NodeKey::from_bytes(identity_point)), None);
        // The SHA-256 form, which an RSA key would have.
        let hashed = libp2p::multihash::Multihash::<64>::wrap(0x12, &[7; 32]).expect("fits");
        assert_eq!(
            peer_key(&PeerId::from_multihash(hashed).expect("a peer id")),
            None
        );
    }

    #[test]
    fn text_form_round_trips() {
        let addresses = [
            address("/ip4/192.0.2.1/tcp/4509"),
            address("/dns/county.example/udp/4509/quic-v1"),
        ];
        let peer = PeerAddr::new(key(2), addresses).expect("valid");
        assert_eq!(peer.to_string().parse::<PeerAddr>(), Ok(peer));
    }

    #[test]
    fn addresses_that_cannot_be_dialled_or_are_anothers_are_refused() {
        let other = key_peer(key(3)).expect("a usable key");
        let foreign = address(&format!("/ip4/192.0.2.1/tcp/1/p2p/{other}"));
        assert!(matches!(
            PeerAddr::new(key(2), [foreign]),
            Err(AddressError::OtherPeer { .. })
        ));
        let draft = address("/ip4/192.0.2.1/udp/1/quic");
        assert!(matches!(
            PeerAddr::new(key(2), [draft]),
            Err(AddressError::Unsupported(_))
        ));
        assert_eq!(PeerAddr::new(key(2), []), Err(AddressError::Count(0)));
        assert!(matches!(
            "/ip4/192.0.2.1/tcp/1".parse::<PeerAddr>(),
            Err(AddressError::NoPeer(_))
        ));
        assert!(matches!(
            "county".parse::<PeerAddr>(),
            Err(AddressError::Malformed { .. })
        ));
    }
}
