//! Whether an address can be listened on.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::TransportError;

/// Refuses an address that can't be listened on, or whose port is in use.
///
/// Checked ahead, since libp2p opens TCP ports to be shared: a second process of the same user would get
/// half of the connections meant for the first, and neither would be told.
pub(super) fn check(address: &Multiaddr) -> Result<(), TransportError> {
    let parts: Vec<_> = address.iter().collect();
    let (ip, tcp, port) = match parts[..] {
        [Protocol::Ip4(ip), Protocol::Tcp(port)] => (IpAddr::from(ip), true, port),
        [Protocol::Ip6(ip), Protocol::Tcp(port)] => (IpAddr::from(ip), true, port),
        [Protocol::Ip4(ip), Protocol::Udp(port), Protocol::QuicV1] => (IpAddr::from(ip), false, port),
        [Protocol::Ip6(ip), Protocol::Udp(port), Protocol::QuicV1] => (IpAddr::from(ip), false, port),
        _ => return Err(TransportError::Unsupported(address.clone())),
    };
    if port == 0 {
        return Ok(());
    }
    let socket = SocketAddr::new(ip, port);
    let bound = if tcp {
        TcpListener::bind(socket).map(drop)
    } else {
        UdpSocket::bind(socket).map(drop)
    };
    bound.map_err(|error| failed(address, &error))
}

/// The error for `address`, told apart by kind.
pub(super) fn failed(address: &Multiaddr, error: &io::Error) -> TransportError {
    let address = address.clone();
    match error.kind() {
        io::ErrorKind::AddrInUse => TransportError::PortInUse(address),
        io::ErrorKind::AddrNotAvailable => TransportError::NotOurAddress(address),
        io::ErrorKind::PermissionDenied => TransportError::NotPermitted(address),
        _ => TransportError::Listen {
            address,
            detail: error.to_string(),
        },
    }
}
