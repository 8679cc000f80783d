//! Connections, the streams on them, and the links these become.

use std::sync::Arc;
use std::time::Duration;

use libp2p::core::ConnectedPoint;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Stream, mdns};
use tokio::time::Instant;

use super::super::Event;
use super::super::behaviour::{BehaviourEvent, Reported};
use super::super::dial::DialError;
use super::super::enrol;
use super::super::handler::{Protocol, Report};
use super::super::link::{Cut, Guard, Link, LinkControl, Role};
use super::super::peer::{PeerAddr, ip_of, peer_key};
use super::super::tie::{self, Pair, Verdict};
use super::{Aim, Attempt, Connection, Current, Driver};
use crate::id::NodeKey;

/// Nodes that may announce themselves on the local network before mDNS is switched off: its own table of
/// them has no bound.
const MAX_DISCOVERED: usize = 256;

impl Driver {
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                self.on_established(peer_id, connection_id, endpoint);
            }
            SwarmEvent::ConnectionClosed {
                connection_id, cause, ..
            } => {
                let cause =
                    cause.map_or_else(|| "it closed the connection".into(), |cause| cause.to_string());
                self.on_closed(connection_id, cause);
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id, error, ..
            } => {
                if let Some(Attempt { peer, aim }) = self.attempts.remove(&connection_id) {
                    self.failed(peer, aim, error.into());
                }
            }
            SwarmEvent::IncomingConnectionError {
                send_back_addr,
                error,
                ..
            } => {
                self.turned_away += 1;
                // Whoever knocks without end must not fill the log: told of the 1st, 2nd, 4th, 8th, …
                if self.turned_away.is_power_of_two() {
                    let so_far = self.turned_away;
                    tracing::warn!(address = %send_back_addr, %error, so_far, "connection not let in");
                }
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.listening.send_modify(|addresses| addresses.push(address));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.listening
                    .send_modify(|addresses| addresses.retain(|other| *other != address));
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                tracing::error!(?addresses, ?reason, "no longer listening");
                self.listening
                    .send_modify(|known| known.retain(|other| !addresses.contains(other)));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(Reported { connection, report })) => {
                self.on_report(connection, report);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping)) => {
                let current = self
                    .connections
                    .get(&ping.connection)
                    .and_then(|c| self.links.get(&c.key));
                match ping.result {
                    Ok(round_trip) => {
                        if let Some(current) = current.filter(|c| c.connection == ping.connection) {
                            current.control.measured(round_trip);
                        }
                    }
                    Err(_) => self.close(ping.connection, Some(Cut::Unresponsive)),
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Discovered(found))) => {
                self.on_discovered(found);
            }
            _ => {}
        }
    }

    fn on_established(&mut self, peer: PeerId, id: ConnectionId, endpoint: ConnectedPoint) {
        let attempt = self.attempts.remove(&id);
        let Some(key) = peer_key(&peer) else {
            // The gate lets in no other peers.
            self.swarm.close_connection(id);
            return;
        };
        let (role, address) = match endpoint {
            ConnectedPoint::Dialer { address, .. } => (Role::Dialer, address),
            ConnectedPoint::Listener { send_back_addr, .. } => (Role::Listener, send_back_addr),
        };
        let mut aim = attempt.map(|attempt| attempt.aim);
        match &aim {
            Some(Aim::Sync) if self.links.contains_key(&key) => {
                aim = None;
                self.linked(key);
                self.swarm.close_connection(id);
            }
            Some(Aim::Sync) => self.swarm.behaviour_mut().streams.open(peer, id, Protocol::Sync),
            Some(Aim::Enrol(_)) => self.swarm.behaviour_mut().streams.open(peer, id, Protocol::Enrol),
            None => {}
        }
        let within = match &aim {
            Some(Aim::Enrol(_)) => self.limits.handshake + self.enrolment(),
            _ => self.limits.accept_within,
        };
        let deadline = Some(Instant::now() + within);
        self.connections.insert(
            id,
            Connection {
                key,
                address,
                role,
                aim,
                synced: false,
                deadline,
            },
        );
    }

    fn on_closed(&mut self, id: ConnectionId, cause: String) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        // The link itself is not cut: what the peer sent before it closed can still be read.
        self.unlink(connection.key, id);
        if let Some(aim) = connection.aim {
            self.failed(connection.key, aim, DialError::TurnedAway(cause));
        }
    }

    /// Closes a connection and what is on it.
    pub(super) fn close(&mut self, id: ConnectionId, why: Option<Cut>) {
        let Some(key) = self.connections.get(&id).map(|connection| connection.key) else {
            return;
        };
        if let (Some(why), Some(current)) = (why, self.links.get(&key).filter(|c| c.connection == id)) {
            current.control.cut(why);
        }
        self.unlink(key, id);
        self.swarm.close_connection(id);
    }

    fn unlink(&mut self, peer: NodeKey, id: ConnectionId) {
        if self
            .links
            .get(&peer)
            .is_some_and(|current| current.connection == id)
            && let Some(current) = self.links.remove(&peer)
        {
            self.parents
                .down(peer, current.control.is_accepted(), Instant::now(), &mut self.rng);
        }
    }

    fn on_report(&mut self, id: ConnectionId, report: Report) {
        let enrolment = self.enrolment();
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let (key, role) = (connection.key, connection.role);
        match report {
            // Whoever dialled opens the stream, one on each connection.
            Report::Inbound(Protocol::Sync, stream) if role == Role::Listener && !connection.synced => {
                connection.synced = true;
                self.on_sync_stream(id, stream);
            }
            Report::Inbound(Protocol::Enrol, stream) if role == Role::Listener => {
                // There will be no link to accept: the exchange bounds itself.
                connection.deadline = connection
                    .deadline
                    .map(|deadline| deadline.max(Instant::now() + enrolment));
                let from = (key, connection.address.clone());
                self.on_enrol_stream(stream, from);
            }
            Report::Inbound(..) | Report::TooManyStreams => {
                tracing::debug!(peer = %key, "peer opens streams that it may not");
                self.close(id, None);
            }
            Report::Opened(stream) => match connection.aim.take() {
                Some(Aim::Sync) => self.on_sync_stream(id, stream),
                Some(Aim::Enrol(reply)) => {
                    let guard = Guard::new(id, self.signals.0.clone());
                    let _ = reply.send(Ok((stream, guard)));
                }
                None => {}
            },
            Report::NotOpened(detail) => {
                if let Some(aim) = connection.aim.take() {
                    self.failed(key, aim, DialError::TurnedAway(detail));
                }
                self.close(id, None);
            }
        }
    }

    fn on_sync_stream(&mut self, id: ConnectionId, stream: Stream) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let (key, role, now) = (connection.key, connection.role, Instant::now());
        if let Some(current) = self.links.get(&key) {
            let pair = Pair {
                own: self.own,
                peer: key,
            };
            let there = (current.control.role(), current.since);
            match tie::decide(pair, there, role, now, self.limits.simultaneous) {
                Verdict::Refuse => {
                    self.linked(key);
                    self.swarm.close_connection(id);
                    return;
                }
                Verdict::Replace => {
                    let replaced = current.connection;
                    self.close(replaced, Some(Cut::Replaced));
                }
            }
        }
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let who = (key, connection.address.clone(), role);
        let control = LinkControl::new(who, id, Arc::clone(&self.limits), self.signals.0.clone());
        let link = Link::new(stream, control.clone());
        self.links.insert(
            key,
            Current {
                connection: id,
                since: now,
                control,
            },
        );
        self.linked(key);
        // A link that nobody takes is dropped here, which closes it.
        if let Err(error) = self.events.try_send(Event::Connected(link)) {
            tracing::warn!(peer = %key, %error, "link closed, as nobody takes events");
        }
    }

    /// How long a connection is needed for an enrolment.
    fn enrolment(&self) -> Duration {
        self.limits.enrol_within + self.limits.linger
    }

    fn on_enrol_stream(&mut self, stream: Stream, from: (NodeKey, Multiaddr)) {
        let limits = Arc::clone(&self.limits);
        let permit = Arc::clone(&self.enrolling).try_acquire_owned().ok();
        let taken = permit.filter(|_| self.rate.take(ip_of(&from.1), Instant::now(), &limits));
        match taken {
            Some(permit) => {
                let events = self.events.clone();
                self.enrolments.spawn(async move {
                    let deliver = |request| events.try_send(Event::Enrol(request)).is_ok();
                    enrol::serve(stream, from, limits, deliver).await;
                    drop(permit);
                });
            }
            // Beyond this, even a polite refusal is too much.
            None if self.enrolments.len() < 4 * self.limits.enrol_at_once => {
                self.enrolments.spawn(enrol::turn_away(stream, limits));
            }
            None => drop(stream),
        }
    }

    fn on_discovered(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        let known = self
            .swarm
            .behaviour()
            .mdns
            .as_ref()
            .map_or(0, |mdns| mdns.discovered_nodes().len());
        if known > MAX_DISCOVERED {
            tracing::error!(
                known,
                "too many nodes announce themselves on the local network: mDNS is off now"
            );
            self.swarm.behaviour_mut().mdns = Toggle::from(None);
            return;
        }
        for (peer, address) in found {
            let Some(key) = peer_key(&peer).filter(|key| *key != self.own) else {
                continue;
            };
            if let Ok(peer) = PeerAddr::new(key, [address]) {
                let _ = self.events.try_send(Event::Discovered(peer));
            }
        }
    }
}
