//! The behaviours of the swarm: the gate with its streams, pings, and on request mDNS.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, mdns, ping};
use tokio::time::Instant;

use super::gate::Gate;
use super::handler::{Handler, Protocol, Report};
use super::limits::Limits;
use super::peer::{ip_of, peer_key};

/// All that runs in the swarm.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) streams: Streams,
    pub(super) ping: ping::Behaviour,
    pub(super) mdns: Toggle<mdns::tokio::Behaviour>,
}

/// A report and the connection it is from.
#[derive(Debug)]
pub(super) struct Reported {
    pub(super) connection: ConnectionId,
    pub(super) report: Report,
}

/// Lets connections in by the [`Gate`], and hands over their streams.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) gate: Gate,
    limits: Arc<Limits>,
    /// One for each connection at most, since a connection is asked for one stream.
    wanted: VecDeque<(PeerId, ConnectionId, Protocol)>,
    /// Emptied each time the swarm is polled, and connections report through bounded channels.
    reported: VecDeque<Reported>,
}

impl Streams {
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        Self {
            gate: Gate::new(),
            limits,
            wanted: VecDeque::new(),
            reported: VecDeque::new(),
        }
    }

    /// Asks for a stream on a connection. The swarm must be polled afterwards.
    pub(super) fn open(&mut self, peer: PeerId, connection: ConnectionId, protocol: Protocol) {
        self.wanted.push_back((peer, connection, protocol));
    }

    fn admit(
        &mut self,
        id: ConnectionId,
        peer: &PeerId,
        remote: &Multiaddr,
        inbound: bool,
    ) -> Result<Handler, ConnectionDenied> {
        let key = self
            .gate
            .authenticated(peer_key(peer), inbound, Instant::now(), &self.limits)
            .map_err(ConnectionDenied::new)?;
        self.gate.established(id, key, ip_of(remote), inbound);
        Ok(Handler::new(self.limits.handshake))
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = Reported;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.gate
            .incoming(id, ip_of(remote), &self.limits)
            .map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(id, &peer, remote, true)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(id, &peer, remote, false)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.gate.closed(connection_id);
            }
            FromSwarm::ListenFailure(failure) => self.gate.closed(failure.connection_id),
            FromSwarm::DialFailure(failure) => self.gate.closed(failure.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        connection: ConnectionId,
        report: THandlerOutEvent<Self>,
    ) {
        self.reported.push_back(Reported { connection, report });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Reported, THandlerInEvent<Self>>> {
        if let Some(reported) = self.reported.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(reported));
        }
        if let Some((peer_id, connection, event)) = self.wanted.pop_front() {
            return Poll::Ready(ToSwarm::NotifyHandler {
                peer_id,
                handler: NotifyHandler::One(connection),
                event,
            });
        }
        Poll::Pending
    }
}
