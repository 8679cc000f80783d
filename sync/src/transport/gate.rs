//! Which connections are let in. Pure: handed the time.

use std::collections::HashMap;
use std::net::IpAddr;

use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::limits::Limits;
use crate::id::NodeKey;

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("too many connections are being authenticated")]
    Pending,
    #[error("too many connections from one address are being authenticated")]
    PendingFromAddress,
    #[error("too many connections without an accepted link")]
    Unaccepted,
    #[error("too many connections from one address without an accepted link")]
    UnacceptedFromAddress,
    #[error("too many connections of one peer")]
    PerPeer,
    #[error("too many connections")]
    Total,
    #[error("the peer's id is not that of a usable Ed25519 key")]
    Key,
    #[error("the peer is refused")]
    Refused,
}

#[derive(Debug)]
struct Established {
    peer: NodeKey,
    ip: Option<IpAddr>,
    inbound: bool,
    accepted: bool,
}

/// Counts connections and knows who is refused.
#[derive(Debug)]
pub(super) struct Gate {
    pending: HashMap<ConnectionId, Option<IpAddr>>,
    established: HashMap<ConnectionId, Established>,
    refused: HashMap<NodeKey, Instant>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            pending: HashMap::new(),
            established: HashMap::new(),
            refused: HashMap::new(),
        }
    }

    /// A socket was accepted; nothing is known of who it is.
    pub(super) fn incoming(
        &mut self,
        id: ConnectionId,
        ip: Option<IpAddr>,
        limits: &Limits,
    ) -> Result<(), Denied> {
        if self.pending.len() >= limits.pending {
            return Err(Denied::Pending);
        }
        if self.pending.values().filter(|other| **other == ip).count() >= limits.pending_per_address {
            return Err(Denied::PendingFromAddress);
        }
        let (mut inbound, mut unaccepted, mut from_address) = (0, 0, 0);
        for other in self.established.values().filter(|other| other.inbound) {
            inbound += 1;
            unaccepted += usize::from(!other.accepted);
            from_address += usize::from(!other.accepted && other.ip == ip);
        }
        if inbound >= limits.connections {
            return Err(Denied::Total);
        }
        if unaccepted >= limits.unaccepted {
            return Err(Denied::Unaccepted);
        }
        if from_address >= limits.unaccepted_per_address {
            return Err(Denied::UnacceptedFromAddress);
        }
        self.pending.insert(id, ip);
        Ok(())
    }

    /// Whether `peer` may have another connection. One that this node dialled is not counted against it.
    pub(super) fn authenticated(
        &self,
        peer: Option<NodeKey>,
        inbound: bool,
        now: Instant,
        limits: &Limits,
    ) -> Result<NodeKey, Denied> {
        let peer = peer.ok_or(Denied::Key)?;
        if self.is_refused(peer, now) {
            return Err(Denied::Refused);
        }
        let of_peer = self
            .established
            .values()
            .filter(|other| other.inbound && other.peer == peer);
        if inbound && of_peer.count() >= limits.per_peer {
            return Err(Denied::PerPeer);
        }
        Ok(peer)
    }

    /// The connection is there.
    pub(super) fn established(&mut self, id: ConnectionId, peer: NodeKey, ip: Option<IpAddr>, inbound: bool) {
        self.pending.remove(&id);
        self.established.insert(
            id,
            Established {
                peer,
                ip,
                inbound,
                accepted: false,
            },
        );
    }

    /// The link on the connection was accepted.
    pub(super) fn accepted(&mut self, id: ConnectionId) {
        if let Some(connection) = self.established.get_mut(&id) {
            connection.accepted = true;
        }
    }

    /// The connection is gone, or never came to be.
    pub(super) fn closed(&mut self, id: ConnectionId) {
        self.pending.remove(&id);
        self.established.remove(&id);
    }

    /// Refuses `peer` until a time.
    pub(super) fn refuse(&mut self, peer: NodeKey, until: Instant, now: Instant, limits: &Limits) {
        self.refused.retain(|_, until| *until > now);
        if self.refused.len() >= limits.refused
            && !self.refused.contains_key(&peer)
            && let Some(first) = self
                .refused
                .iter()
                .min_by_key(|(key, until)| (**until, **key))
                .map(|(k, _)| *k)
        {
            self.refused.remove(&first);
        }
        self.refused.insert(peer, until);
    }

    pub(super) fn is_refused(&self, peer: NodeKey, now: Instant) -> bool {
        self.refused.get(&peer).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn limits() -> Limits {
        Limits {
            pending: 3,
            pending_per_address: 2,
            unaccepted: 3,
            unaccepted_per_address: 2,
            per_peer: 1,
            connections: 4,
            refused: 2,
            ..Limits::default()
        }
    }

    fn id(n: usize) -> ConnectionId {
        ConnectionId::new_unchecked(n)
    }

    fn ip(last: u8) -> Option<IpAddr> {
        Some(Ipv4Addr::new(192, 0, 2, last).into())
    }

    fn key(n: u8) -> NodeKey {
        NodeKey::from_bytes([n; 32])
    }

    #[test]
    fn sockets_are_bounded_by_address_and_in_total_until_they_authenticate_or_close() {
        let (mut gate, limits) = (Gate::new(), limits());
        assert_eq!(gate.incoming(id(1), ip(1), &limits), Ok(()));
        assert_eq!(gate.incoming(id(2), ip(1), &limits), Ok(()));
        assert_eq!(
            gate.incoming(id(3), ip(1), &limits),
            Err(Denied::PendingFromAddress)
        );
        assert_eq!(gate.incoming(id(4), ip(2), &limits), Ok(()));
        assert_eq!(gate.incoming(id(5), ip(3), &limits), Err(Denied::Pending));
        gate.closed(id(1));
        assert_eq!(gate.incoming(id(5), ip(3), &limits), Ok(()));
    }

    #[test]
    fn strangers_are_bounded_apart_from_accepted_peers() {
        let (mut gate, limits) = (Gate::new(), limits());
        for n in 1..=2 {
            gate.established(id(n), key(n as u8), ip(1), true);
        }
        assert_eq!(
            gate.incoming(id(3), ip(1), &limits),
            Err(Denied::UnacceptedFromAddress)
        );
        gate.accepted(id(1));
        assert_eq!(gate.incoming(id(3), ip(1), &limits), Ok(()));
        gate.established(id(3), key(3), ip(2), true);
        gate.established(id(4), key(4), ip(3), true);
        assert_eq!(gate.incoming(id(5), ip(4), &limits), Err(Denied::Total));
        gate.closed(id(1));
        assert_eq!(gate.incoming(id(5), ip(4), &limits), Err(Denied::Unaccepted));
    }

    #[test]
    fn own_dials_take_no_room_of_inbound_connections() {
        let (mut gate, limits) = (Gate::new(), limits());
        for n in 1..=9 {
            gate.established(id(n), key(n as u8), ip(1), false);
        }
        assert_eq!(gate.incoming(id(10), ip(1), &limits), Ok(()));
    }

    #[test]
    fn a_peer_has_its_share_and_a_refused_one_none_until_its_time_is_over() {
        let (mut gate, limits, now) = (Gate::new(), limits(), Instant::now());
        let minute = Duration::from_secs(60);
        assert_eq!(gate.authenticated(None, true, now, &limits), Err(Denied::Key));
        assert_eq!(gate.authenticated(Some(key(1)), true, now, &limits), Ok(key(1)));
        gate.established(id(1), key(1), ip(1), true);
        assert_eq!(
            gate.authenticated(Some(key(1)), true, now, &limits),
            Err(Denied::PerPeer)
        );
        gate.refuse(key(2), now + minute, now, &limits);
        assert_eq!(
            gate.authenticated(Some(key(2)), true, now, &limits),
            Err(Denied::Refused)
        );
        assert_eq!(
            gate.authenticated(Some(key(2)), true, now + minute, &limits),
            Ok(key(2))
        );
        // The table is bounded: the one due first makes room.
        gate.refuse(key(3), now + 3 * minute, now, &limits);
        gate.refuse(key(4), now + 2 * minute, now, &limits);
        assert!(!gate.is_refused(key(2), now));
        assert!(gate.is_refused(key(3), now) && gate.is_refused(key(4), now));
    }
}
