//! Reaching peers.

use libp2p::Multiaddr;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::super::Event;
use super::super::dial::{self, DialError};
use super::super::peer::PeerAddr;
use super::{Aim, Attempt, Driver, MAX_ATTEMPTS, Resolved};
use crate::id::NodeKey;

impl Driver {
    pub(super) fn sync_with(
        &mut self,
        peer: PeerAddr,
        waiter: Option<oneshot::Sender<Result<(), DialError>>>,
    ) {
        let key = peer.key();
        if self.links.contains_key(&key) {
            self.parents.up(key);
            if let Some(waiter) = waiter {
                let _ = waiter.send(Ok(()));
            }
            return;
        }
        let under_way = self.waiting.contains_key(&key);
        let waiters = self.waiting.entry(key).or_default();
        if waiters.len() < MAX_ATTEMPTS {
            waiters.extend(waiter);
        } else if let Some(waiter) = waiter {
            let _ = waiter.send(Err(DialError::Busy));
        }
        if !under_way {
            self.attempt(peer, Aim::Sync);
        }
    }

    pub(super) fn attempt(&mut self, peer: PeerAddr, aim: Aim) {
        if self
            .swarm
            .behaviour()
            .streams
            .gate
            .is_refused(peer.key(), Instant::now())
        {
            return self.failed(peer.key(), aim, DialError::Refused);
        }
        if self.attempts.len() + self.resolving.len() >= MAX_ATTEMPTS {
            return self.failed(peer.key(), aim, DialError::Busy);
        }
        let addresses = peer.addresses().to_vec();
        if !addresses.iter().any(dial::is_named) {
            return self.launch(&peer, addresses, aim);
        }
        let within = self.limits.handshake;
        self.resolving.spawn(async move {
            let resolved = timeout(within, dial::resolve(addresses)).await;
            let late = || DialError::Unreachable("its name was not resolved in time".into());
            (peer, aim, resolved.unwrap_or_else(|_| Err(late())))
        });
    }

    pub(super) fn on_resolved(&mut self, resolved: Result<Resolved, tokio::task::JoinError>) {
        match resolved {
            Ok((peer, aim, Ok(addresses))) => self.launch(&peer, addresses, aim),
            Ok((peer, aim, Err(error))) => self.failed(peer.key(), aim, error),
            Err(error) => tracing::error!(%error, "resolving a peer's name failed"),
        }
    }

    fn launch(&mut self, peer: &PeerAddr, addresses: Vec<Multiaddr>, aim: Aim) {
        // A port of its own for each dial: with the listening port on both ends, two nodes that dial each
        // other make one TCP connection in which each takes itself for the dialer, and the handshake fails.
        let options = DialOpts::peer_id(peer.peer())
            .addresses(addresses)
            .condition(PeerCondition::Always)
            .allocate_new_port()
            .build();
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.attempts.insert(
                    id,
                    Attempt {
                        peer: peer.key(),
                        aim,
                    },
                );
            }
            Err(error) => self.failed(peer.key(), aim, error.into()),
        }
    }

    pub(super) fn failed(&mut self, peer: NodeKey, aim: Aim, error: DialError) {
        match aim {
            Aim::Enrol(reply) => {
                let _ = reply.send(Err(error));
            }
            // The peer got through to us meanwhile.
            Aim::Sync if self.links.contains_key(&peer) => self.linked(peer),
            Aim::Sync => {
                for waiter in self.waiting.remove(&peer).unwrap_or_default() {
                    let _ = waiter.send(Err(error.clone()));
                }
                if let Some(retry_in) = self.parents.failed(peer, Instant::now(), &mut self.rng) {
                    tracing::debug!(%peer, %error, ?retry_in, "peer not reached");
                    let _ = self.events.try_send(Event::DialFailed {
                        peer,
                        error,
                        retry_in,
                    });
                }
            }
        }
    }

    /// There is a link to `peer`: whoever waited for it has it.
    pub(super) fn linked(&mut self, peer: NodeKey) {
        self.parents.up(peer);
        for waiter in self.waiting.remove(&peer).unwrap_or_default() {
            let _ = waiter.send(Ok(()));
        }
    }
}
