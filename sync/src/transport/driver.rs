//! The one task that owns the swarm.

mod connections;
mod dialing;
mod swarm;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use libp2p::core::transport::ListenerId;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, Stream, Swarm};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::behaviour::Behaviour;
use super::dial::DialError;
use super::enrol::Rate;
use super::link::{Cut, Guard, LinkControl, Role, Signal};
use super::parents::Parents;
use super::peer::PeerAddr;
use super::{Config, Event, Limits, TransportError, listen};
use crate::id::NodeKey;

/// Attempts to reach a peer that may be under way at once.
const MAX_ATTEMPTS: usize = 64;

/// What an endpoint is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Dial(PeerAddr, oneshot::Sender<Result<(), DialError>>),
    Keep(PeerAddr),
    Forget(NodeKey),
    Refuse(NodeKey, Duration),
    Enrol(PeerAddr, oneshot::Sender<Opened>),
    Stop(oneshot::Sender<()>),
}

/// A stream for an enrolment request, and what closes its connection afterwards.
type Opened = Result<(Stream, Guard), DialError>;

/// What a peer is dialled for.
#[derive(Debug)]
enum Aim {
    Sync,
    Enrol(oneshot::Sender<Opened>),
}

#[derive(Debug)]
struct Attempt {
    peer: NodeKey,
    aim: Aim,
}

#[derive(Debug)]
struct Connection {
    key: NodeKey,
    address: Multiaddr,
    role: Role,
    /// Until the stream that this node asked for is open.
    aim: Option<Aim>,
    /// The peer has opened its sync stream.
    synced: bool,
    /// When it is closed, unless its link is accepted before.
    deadline: Option<Instant>,
}

/// The link to a peer.
#[derive(Debug)]
struct Current {
    connection: ConnectionId,
    since: Instant,
    control: LinkControl,
}

type Resolved = (PeerAddr, Aim, Result<Vec<Multiaddr>, DialError>);

pub(super) struct Driver {
    swarm: Swarm<Behaviour>,
    own: NodeKey,
    limits: Arc<Limits>,
    rng: StdRng,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    signals: (mpsc::UnboundedSender<Signal>, mpsc::UnboundedReceiver<Signal>),
    listening: watch::Sender<Vec<Multiaddr>>,

    resolving: JoinSet<Resolved>,
    attempts: HashMap<ConnectionId, Attempt>,
    /// The peers to which a link is being made, and who waits for it.
    waiting: HashMap<NodeKey, Vec<oneshot::Sender<Result<(), DialError>>>>,
    connections: HashMap<ConnectionId, Connection>,
    links: HashMap<NodeKey, Current>,
    parents: Parents,
    /// Inbound connections that were not let in.
    turned_away: u64,

    rate: Rate,
    enrolling: Arc<Semaphore>,
    enrolments: JoinSet<()>,
}

impl Driver {
    /// Sets up the swarm and waits until it listens.
    pub(super) async fn start(
        config: Config,
        own: NodeKey,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
        listening: watch::Sender<Vec<Multiaddr>>,
    ) -> Result<Self, TransportError> {
        config.listen.iter().try_for_each(listen::check)?;
        let limits = Arc::new(config.limits.clone());
        let mut driver = Self {
            swarm: swarm::build(&config, &limits)?,
            own,
            rng: StdRng::from_seed(config.seed),
            commands,
            events,
            signals: mpsc::unbounded_channel(),
            listening,
            resolving: JoinSet::new(),
            attempts: HashMap::new(),
            waiting: HashMap::new(),
            turned_away: 0,
            connections: HashMap::new(),
            links: HashMap::new(),
            parents: Parents::new(limits.backoff),
            rate: Rate::new(Instant::now()),
            enrolling: Arc::new(Semaphore::new(limits.enrol_at_once)),
            enrolments: JoinSet::new(),
            limits,
        };
        for address in config.listen {
            let listener = swarm::listen_on(&mut driver.swarm, &address)?;
            driver.until_listening(listener, &address).await?;
        }
        // An address such as 0.0.0.0 stands for several, which are told one after the other.
        while let Some(event) = driver.swarm.select_next_some().now_or_never() {
            driver.on_swarm_event(event);
        }
        Ok(driver)
    }

    async fn until_listening(
        &mut self,
        listener: ListenerId,
        address: &Multiaddr,
    ) -> Result<(), TransportError> {
        loop {
            let event = timeout(self.limits.handshake, self.swarm.select_next_some()).await;
            match event {
                Err(_) => {
                    let detail = "it did not begin to listen in time".into();
                    return Err(TransportError::Listen {
                        address: address.clone(),
                        detail,
                    });
                }
                Ok(SwarmEvent::ListenerClosed {
                    listener_id,
                    reason: Err(error),
                    ..
                }) if listener_id == listener => {
                    return Err(listen::failed(address, &error));
                }
                Ok(event) => {
                    let done = matches!(&event, SwarmEvent::NewListenAddr { listener_id, .. } if *listener_id == listener);
                    self.on_swarm_event(event);
                    if done {
                        return Ok(());
                    }
                }
            }
        }
    }

    pub(super) async fn run(mut self) {
        let stopped = loop {
            let deadline = self.next_deadline();
            // Whatever the arms ask of the swarm is done when it is polled by the next turn. Signals come
            // first: whoever drops a link and then dials must not be told that there is one.
            tokio::select! {
                biased;
                Some(signal) = self.signals.1.recv() => self.on_signal(signal),
                command = self.commands.recv() => match command {
                    Some(Command::Stop(stopped)) => break Some(stopped),
                    Some(command) => self.on_command(command),
                    None => break None,
                },
                () = sleep_until(deadline) => self.on_deadline(Instant::now()),
                Some(resolved) = self.resolving.join_next() => self.on_resolved(resolved),
                Some(_) = self.enrolments.join_next() => {}
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
            }
        };
        self.stop().await;
        if let Some(stopped) = stopped {
            let _ = stopped.send(());
        }
    }

    /// Closes everything in good order, for as long as a link may linger; what is left is dropped.
    async fn stop(mut self) {
        for current in self.links.values() {
            current.control.cut(Cut::Shutdown);
        }
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.swarm.close_connection(id);
        }
        let linger = self.limits.linger;
        let _ = timeout(linger, async {
            while !self.connections.is_empty() {
                if let SwarmEvent::ConnectionClosed { connection_id, .. } =
                    self.swarm.select_next_some().await
                {
                    self.connections.remove(&connection_id);
                }
            }
        })
        .await;
    }

    fn next_deadline(&self) -> Instant {
        let connections = self
            .connections
            .values()
            .filter_map(|connection| connection.deadline);
        // With nothing due, an hour stands for never.
        let never = Instant::now() + Duration::from_secs(3600);
        connections.chain(self.parents.next_due()).min().unwrap_or(never)
    }

    fn on_deadline(&mut self, now: Instant) {
        while let Some(peer) = self.parents.take_due(now) {
            self.sync_with(peer, None);
        }
        let late = self
            .connections
            .iter()
            .filter(|(_, c)| c.deadline.is_some_and(|deadline| deadline <= now));
        for id in late.map(|(id, _)| *id).collect::<Vec<_>>() {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.deadline = None;
            }
            self.close(id, Some(Cut::NotAccepted));
        }
    }

    fn on_command(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Dial(peer, reply) => self.sync_with(peer, Some(reply)),
            Command::Keep(peer) => {
                let connected = self.links.contains_key(&peer.key());
                self.parents.keep(peer, connected, now);
            }
            Command::Forget(peer) => self.parents.forget(peer),
            Command::Refuse(peer, during) => {
                let limits = Arc::clone(&self.limits);
                self.swarm
                    .behaviour_mut()
                    .streams
                    .gate
                    .refuse(peer, now + during, now, &limits);
                let of_peer = self
                    .connections
                    .iter()
                    .filter(|(_, connection)| connection.key == peer);
                for id in of_peer.map(|(id, _)| *id).collect::<Vec<_>>() {
                    self.close(id, Some(Cut::Refused));
                }
            }
            Command::Enrol(peer, reply) => self.attempt(peer, Aim::Enrol(reply)),
            Command::Stop(_) => {}
        }
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Accepted(id) => {
                self.swarm.behaviour_mut().streams.gate.accepted(id);
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.deadline = None;
                }
            }
            Signal::Ended(id) => self.close(id, None),
        }
    }
}
