//! Peers for the tests: honest ones that run an endpoint, and raw ones that can do anything.

use std::time::Duration;

use anjuan_sync::id::NodeKey;
use anjuan_sync::transport::{Backoff, Config, Endpoint, EnrolRequest, Event, Limits, Link, PeerAddr};
use ed25519_dalek::SigningKey;
use futures::StreamExt;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder, noise, ping, tcp};
use libp2p_yamux as yamux;
use tokio::sync::mpsc;

/// Longer than anything takes; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it comes in time")
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn public(seed: u8) -> NodeKey {
    NodeKey::from_bytes(key(seed).verifying_key().to_bytes())
}

/// Short pauses before a redial; otherwise what a node runs with.
pub(crate) fn limits() -> Limits {
    Limits {
        backoff: Backoff {
            first: Duration::from_millis(20),
            most: Duration::from_millis(200),
        },
        ..Limits::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Tcp,
    Quic,
}

impl Over {
    pub(crate) const BOTH: [Self; 2] = [Self::Tcp, Self::Quic];

    pub(crate) fn any_port(self) -> Multiaddr {
        let text = match self {
            Self::Tcp => "/ip4/127.0.0.1/tcp/0",
            Self::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
        };
        text.parse().expect("a multiaddress")
    }
}

/// An honest peer.
pub(crate) struct Peer {
    pub(crate) endpoint: Endpoint,
    pub(crate) events: mpsc::Receiver<Event>,
}

impl Peer {
    pub(crate) async fn start(seed: u8, listen: &[Multiaddr], limits: Limits) -> Self {
        let config = Config {
            key: key(seed),
            listen: listen.to_vec(),
            mdns: false,
            limits,
            seed: [seed; 32],
        };
        let (endpoint, events) = Endpoint::start(config).await.expect("the endpoint starts");
        Self { endpoint, events }
    }

    /// Listens over TCP and QUIC.
    pub(crate) async fn new(seed: u8) -> Self {
        Self::with(seed, limits()).await
    }

    pub(crate) async fn with(seed: u8, limits: Limits) -> Self {
        Self::start(seed, &Over::BOTH.map(Over::any_port), limits).await
    }

    pub(crate) fn address(&self, over: Over) -> PeerAddr {
        let quic = |address: &Multiaddr| address.to_string().ends_with("quic-v1");
        let listening = self.endpoint.listen_addresses();
        let address = listening.into_iter().find(|a| quic(a) == (over == Over::Quic));
        PeerAddr::new(self.endpoint.key(), address).expect("an address to dial")
    }

    /// The next link.
    pub(crate) async fn link(&mut self) -> Link {
        loop {
            if let Event::Connected(link) = within(self.events.recv()).await.expect("the endpoint runs") {
                return link;
            }
        }
    }

    /// The next enrolment request.
    pub(crate) async fn enrolment(&mut self) -> EnrolRequest {
        loop {
            if let Event::Enrol(request) = within(self.events.recv()).await.expect("the endpoint runs") {
                return request;
            }
        }
    }

    /// Dials `other` and accepts on both sides. Returns the own link and the other's.
    pub(crate) async fn connect(&mut self, other: &mut Self, over: Over) -> (Link, Link) {
        within(self.endpoint.dial(&other.address(over)))
            .await
            .expect("dialled");
        let links = (self.link().await, other.link().await);
        links.0.control().accept();
        links.1.control().accept();
        links
    }
}

/// Frames go through in both directions.
pub(crate) async fn assert_talks(one: &mut Link, other: &mut Link) {
    for frame in [&b"there"[..], b"and there"] {
        one.send(frame).await.expect("sent");
        assert_eq!(within(other.recv()).await.as_deref(), Ok(frame));
    }
    other.send(b"and back").await.expect("sent");
    assert_eq!(within(one.recv()).await.as_deref(), Ok(&b"and back"[..]));
}

/// What a raw peer is made of.
#[derive(NetworkBehaviour)]
pub(crate) struct RawBehaviour {
    streams: libp2p_stream::Behaviour,
    pings: libp2p::swarm::behaviour::toggle::Toggle<ping::Behaviour>,
}

/// A peer that opens what it likes and writes what it likes.
pub(crate) struct RawPeer {
    pub(crate) control: libp2p_stream::Control,
    pub(crate) events: mpsc::UnboundedReceiver<RawEvent>,
    dial: mpsc::UnboundedSender<Multiaddr>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RawEvent {
    Up,
    Down,
    NotUp,
}

impl RawPeer {
    pub(crate) fn new(seed: u8) -> Self {
        Self::start(seed, true)
    }

    pub(crate) fn without_pings(seed: u8) -> Self {
        Self::start(seed, false)
    }

    fn start(seed: u8, pings: bool) -> Self {
        let pair = libp2p::identity::Keypair::ed25519_from_bytes([seed; 32]).expect("a key pair");
        let behaviour = RawBehaviour {
            streams: libp2p_stream::Behaviour::new(),
            pings: pings.then(ping::Behaviour::default).into(),
        };
        let mut swarm: Swarm<RawBehaviour> = SwarmBuilder::with_existing_identity(pair)
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .expect("tcp")
            .with_quic()
            .with_behaviour(|_| behaviour)
            .expect("a behaviour")
            .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
            .build();
        let control = swarm.behaviour().streams.new_control();
        let (dial, mut to_dial) = mpsc::unbounded_channel::<Multiaddr>();
        let (happened, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    event = swarm.select_next_some() => event,
                    address = to_dial.recv() => match address {
                        Some(address) => {
                            let options = libp2p::swarm::dial_opts::DialOpts::unknown_peer_id()
                                .address(address)
                                .allocate_new_port()
                                .build();
                            swarm.dial(options).expect("dialling");
                            continue;
                        }
                        None => return,
                    },
                };
                let event = match event {
                    SwarmEvent::ConnectionEstablished { .. } => RawEvent::Up,
                    SwarmEvent::ConnectionClosed { .. } => RawEvent::Down,
                    SwarmEvent::OutgoingConnectionError { .. } => RawEvent::NotUp,
                    _ => continue,
                };
                if happened.send(event).is_err() {
                    return;
                }
            }
        });
        Self {
            control,
            events,
            dial,
        }
    }

    pub(crate) fn dial(&self, peer: &PeerAddr) {
        self.dial
            .send(peer.addresses()[0].clone())
            .expect("the raw peer runs");
    }

    pub(crate) async fn event(&mut self) -> RawEvent {
        within(self.events.recv()).await.expect("the raw peer runs")
    }

    pub(crate) async fn connect(&mut self, peer: &PeerAddr) {
        self.dial(peer);
        assert_eq!(self.event().await, RawEvent::Up);
    }

    pub(crate) async fn open(&mut self, peer: PeerId, protocol: &'static str) -> Result<Stream, String> {
        let opened = self.control.open_stream(peer, StreamProtocol::new(protocol));
        within(opened).await.map_err(|error| error.to_string())
    }

    /// Connects and opens a sync stream.
    pub(crate) async fn sync_stream(&mut self, peer: &PeerAddr) -> Stream {
        self.connect(peer).await;
        self.open(peer.peer(), "/anjuan/sync/1").await.expect("a stream")
    }
}
