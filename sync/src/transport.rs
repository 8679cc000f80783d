//! Links to authenticated peers over libp2p: TCP with Noise and Yamux, and QUIC.
//!
//! [`Endpoint::start`] spawns one task that owns the swarm, and hands out [`Event`]s. A [`Link`] is the one
//! open sync stream to a peer: it carries whole frames, whose content nothing here looks at. Who a peer is
//! has been proved (its key is in its libp2p id); whether it may sync is judged above, by the first frame.
//! Until then it is held to tight bounds, and dropping the link is all it takes to be rid of it.
//!
//! What a stranger can make this node hold is bounded by [`Limits`]: connections by address and in total,
//! streams and unread bytes on each, bytes and time before acceptance.

mod behaviour;
mod dial;
mod driver;
mod enrol;
mod frame;
mod gate;
mod handler;
mod limits;
mod link;
mod listen;
mod mux;
mod parents;
mod peer;
mod tie;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot, watch};

pub use self::dial::DialError;
pub use self::enrol::{EnrolError, EnrolReply, EnrolRequest};
pub use self::frame::{CloseReason, FrameError};
pub use self::limits::{Backoff, Limits};
pub use self::link::{Cut, Link, LinkControl, LinkError, LinkReader, LinkWriter, Role, close};
pub use self::peer::{AddressError, MAX_ADDRESSES, PeerAddr, TransportKind, key_peer, peer_key};

use self::driver::{Command, Driver};
use crate::id::NodeKey;

/// Events waiting to be taken. When they are not, new links are closed and enrolment requests turned away.
const EVENTS: usize = 256;
const COMMANDS: usize = 64;

/// Why an endpoint did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Another program listens there.
    #[error(
        "can't listen on {0}: the port is in use, perhaps by another node; stop it or choose another port"
    )]
    PortInUse(Multiaddr),
    /// The address is none of this machine's.
    #[error("can't listen on {0}: it is no address of this machine; /ip4/0.0.0.0/… listens on all of them")]
    NotOurAddress(Multiaddr),
    /// The system forbids it.
    #[error("can't listen on {0}: not permitted; ports below 1024 often need special rights")]
    NotPermitted(Multiaddr),
    /// Neither TCP nor QUIC over IP.
    #[error("can't listen on {0}: expected /ip4 or /ip6 and then /tcp/PORT or /udp/PORT/quic-v1")]
    Unsupported(Multiaddr),
    /// Listening failed otherwise.
    #[error("can't listen on {address}: {detail}")]
    Listen {
        /// Where.
        address: Multiaddr,
        /// What the system says.
        detail: String,
    },
    /// mDNS can't be used on this machine.
    #[error("can't look for peers on the local network (mDNS): {0}")]
    Mdns(String),
    /// The node's key is no usable one, or the secured transports can't be set up with it.
    #[error("can't set up the node's network identity: {0}")]
    Identity(String),
}

/// What an endpoint is started with.
pub struct Config {
    /// The node's secret key; its public half is what peers know the node by.
    pub key: SigningKey,
    /// Where to listen, e.g. `/ip4/0.0.0.0/tcp/4509` and `/ip4/0.0.0.0/udp/4509/quic-v1`; port 0 for any.
    pub listen: Vec<Multiaddr>,
    /// Whether to announce the node on the local network and look for others there.
    pub mdns: bool,
    /// Bounds on peers.
    pub limits: Limits,
    /// Seeds the jitter of the back-off.
    pub seed: [u8; 32],
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key: _,
            listen,
            mdns,
            limits,
            seed: _,
        } = self;
        f.debug_struct("Config")
            .field("listen", listen)
            .field("mdns", mdns)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}

/// What happens at an endpoint.
#[derive(Debug)]
pub enum Event {
    /// A link was made, by either side. An earlier one to the same peer has ended ([`Cut::Replaced`]).
    Connected(Link),
    /// Somebody asks to be enrolled.
    Enrol(EnrolRequest),
    /// A peer that is to stay connected was not reached. For information; left out when nobody takes events.
    DialFailed {
        /// Whom.
        peer: NodeKey,
        /// Why.
        error: DialError,
        /// The pause before the next attempt.
        retry_in: Duration,
    },
    /// A node announced itself on the local network. It may be anybody; dial it to see.
    Discovered(PeerAddr),
}

/// A running endpoint. Clones are of the same one; it stops when all of them are dropped.
#[derive(Clone, Debug)]
pub struct Endpoint {
    key: NodeKey,
    peer: PeerId,
    limits: Arc<Limits>,
    commands: mpsc::Sender<Command>,
    listening: watch::Receiver<Vec<Multiaddr>>,
}

impl Endpoint {
    /// Starts listening, and spawns the task that drives the connections. Needs a tokio runtime.
    ///
    /// # Errors
    /// When an address can't be listened on; nothing is left running then.
    pub async fn start(config: Config) -> Result<(Self, mpsc::Receiver<Event>), TransportError> {
        let key = NodeKey::from_bytes(config.key.verifying_key().to_bytes());
        let peer = key_peer(key).ok_or_else(|| TransportError::Identity("the key is weak".into()))?;
        let limits = Arc::new(config.limits.clone());
        let (commands, command_queue) = mpsc::channel(COMMANDS);
        let (event_queue, events) = mpsc::channel(EVENTS);
        let (addresses, listening) = watch::channel(Vec::new());
        let driver = Driver::start(config, key, command_queue, event_queue, addresses).await?;
        tokio::spawn(driver.run());
        Ok((
            Self {
                key,
                peer,
                limits,
                commands,
                listening,
            },
            events,
        ))
    }

    /// The node's key.
    pub fn key(&self) -> NodeKey {
        self.key
    }

    /// The node's libp2p id.
    pub fn peer_id(&self) -> PeerId {
        self.peer
    }

    /// Where the node listens now, with the actual ports; several for an address such as 0.0.0.0.
    pub fn listen_addresses(&self) -> Vec<Multiaddr> {
        self.listening.borrow().clone()
    }

    /// Makes a link to a peer unless there is one. Returns once it is there: it comes as
    /// [`Event::Connected`].
    pub async fn dial(&self, peer: &PeerAddr) -> Result<(), DialError> {
        let (reply, dialled) = oneshot::channel();
        self.command(Command::Dial(peer.clone(), reply)).await;
        dialled.await.unwrap_or(Err(DialError::Stopped))
    }

    /// Keeps a link to a peer from now on: dials it at once, and again after each failure or loss, with
    /// growing pauses. Called again for the same peer, it changes the addresses and tries at once.
    pub async fn keep_connected(&self, peer: PeerAddr) {
        self.command(Command::Keep(peer)).await;
    }

    /// Ends what [`Self::keep_connected`] began. A link that is there stays.
    pub async fn forget(&self, peer: NodeKey) {
        self.command(Command::Forget(peer)).await;
    }

    /// Disconnects a peer and lets it in no more for a while.
    pub async fn refuse(&self, peer: NodeKey, during: Duration) {
        self.command(Command::Refuse(peer, during)).await;
    }

    /// Sends an enrolment request to a peer and waits for its answer.
    pub async fn enrol(&self, peer: &PeerAddr, request: &[u8]) -> Result<Vec<u8>, EnrolError> {
        if request.len() > self.limits.enrol {
            return Err(EnrolError::TooLong {
                length: request.len(),
                limit: self.limits.enrol,
            });
        }
        let (reply, opened) = oneshot::channel();
        self.command(Command::Enrol(peer.clone(), reply)).await;
        let (stream, _closes) = opened.await.unwrap_or(Err(DialError::Stopped))?;
        enrol::ask(stream, request, &self.limits).await
    }

    /// Closes all connections and stops; when it returns, the ports are free.
    pub async fn stop(self) {
        let (reply, stopped) = oneshot::channel();
        self.command(Command::Stop(reply)).await;
        let _ = stopped.await;
    }

    async fn command(&self, command: Command) {
        // No receiver: the endpoint has stopped, which a dropped reply tells as well.
        let _ = self.commands.send(command).await;
    }
}
