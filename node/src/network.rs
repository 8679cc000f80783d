//! The running node's side of the network: an endpoint, a session for each link, and who is level.

mod announcing;
pub(crate) mod clock;
mod driver;
mod joining;
mod table;
#[cfg(test)]
mod tests;
mod witnessing;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anjuan_sync::replica::Cursor;
use anjuan_sync::session::{Figures, Turns};
use anjuan_sync::transport::{Config, DialError, Endpoint, Event, Limits, Link, PeerAddr, TransportError};
use anjuan_sync::{NodeKey, Path as UnitPath};
use libp2p::Multiaddr;
use rand::{RngExt as _, rng};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, block_in_place, spawn_blocking};
use tokio::time::{interval, sleep};

use self::announcing::Announcer;
pub(crate) use self::announcing::Changes;
pub(crate) use self::driver::read_durable;
pub(crate) use self::joining::{ask_to_join, parent_address, read_answer};
use self::table::Table;
pub(crate) use self::table::{Kin, Row, Totals};
use crate::service::{ErrorKind, Service, ServiceError, view};
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;

/// The file in which it is kept how far each peer's store was taken in.
const CURSORS: &str = "cursors";
/// Addresses that a ticket names.
const TICKET_ADDRESSES: usize = 4;

/// What the service knows of the running network. Blocking, for calls that come in threads.
#[derive(Clone, Debug)]
pub struct NetworkHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    endpoint: Endpoint,
    runtime: Handle,
    /// Tells the sessions of changes of the ledger.
    announcer: Arc<Announcer>,
    /// Counts checkpoints signed; every session that has its peer witness them watches it.
    signed: watch::Sender<u64>,
    /// Whose turn it is to be asked to witness, of those below.
    asking_below: witnessing::Queue,
    /// Nodes named as witnesses.
    witnesses: BTreeSet<NodeKey>,
    /// Units out of line whose nodes this one witnesses.
    witness_for: Vec<UnitPath>,
    table: Mutex<Table>,
    cursors: Mutex<BTreeMap<NodeKey, Cursor>>,
    /// The clock of all sessions.
    started: Instant,
    /// Whose turn it is to be served, and to be pulled from.
    serving: Arc<Turns>,
    pulling: Arc<Turns>,
}

/// So many peers are served, or pulled from, at a time, and for so long if others wait: what is under way
/// stays within some pages of each.
const AT_A_TIME: usize = 32;
const TURN: Duration = Duration::from_secs(10);
/// How often it is written down where peers stand. What is lost of it costs comparing, nothing else.
const SAVING: Duration = Duration::from_secs(60);
/// Signing checkpoints takes no more than one in so many parts of the time, unless none was signed for so long.
const SIGNING: u32 = 50;
const SELDOM: Duration = Duration::from_secs(10);

impl NetworkHandle {
    /// Tells the sessions that it concerns that the ledger has changed.
    pub(crate) fn announce(&self, changes: Changes) {
        self.0.announcer.announce(changes);
    }

    /// Tells every session that there is a new checkpoint, or something to report.
    fn signed(&self) {
        self.0.signed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Keeps a connection to a peer from now on.
    pub(crate) fn keep(&self, address: PeerAddr) {
        let endpoint = self.0.endpoint.clone();
        self.0
            .runtime
            .spawn(async move { endpoint.keep_connected(address).await });
    }

    /// Stops keeping it, and ends the link that is there.
    pub(crate) fn forget(&self, peer: NodeKey) {
        let endpoint = self.0.endpoint.clone();
        self.table().close(peer);
        self.0.runtime.spawn(async move { endpoint.forget(peer).await });
    }

    /// Where the node listens, each address with the peer id.
    pub fn addresses(&self) -> Vec<String> {
        let peer = self.0.endpoint.peer_id();
        self.0
            .endpoint
            .listen_addresses()
            .iter()
            .map(|address| format!("{address}/p2p/{peer}"))
            .collect()
    }

    /// Where a node that is invited finds this one: addresses of this machine on a network before those
    /// that only this machine itself reaches.
    pub(crate) fn invitation_addresses(&self) -> Vec<String> {
        let mut addresses = self.0.endpoint.listen_addresses();
        addresses.sort_by_key(is_loopback);
        addresses
            .iter()
            .take(TICKET_ADDRESSES)
            .map(ToString::to_string)
            .collect()
    }

    /// Every peer that is kept or connected.
    pub(crate) fn peers(&self, kept: &[String]) -> Vec<view::Peer> {
        self.rows(kept).into_iter().map(|row| row.view).collect()
    }

    /// The same with what is known of the sessions.
    pub(crate) fn rows(&self, kept: &[String]) -> Vec<Row> {
        self.table().rows(kept)
    }

    /// Sums over all sessions by where the peer stands; sessions refused; attempts that failed.
    pub(crate) fn totals(&self) -> (BTreeMap<Kin, Totals>, u64, u64) {
        self.table().totals()
    }

    /// How many peers have their turn to be served, and to be pulled from.
    pub(crate) fn turns(&self) -> [usize; 2] {
        [self.0.serving.held(), self.0.pulling.held()]
    }

    /// What the last session with each peer has done; after its end, all that it did.
    pub(crate) fn session_figures(&self) -> Vec<(NodeKey, Figures)> {
        self.table().all_figures()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cursors(&self) -> MutexGuard<'_, BTreeMap<NodeKey, Cursor>> {
        self.0.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_loopback(address: &Multiaddr) -> bool {
    address.iter().any(|part| match part {
        libp2p::multiaddr::Protocol::Ip4(ip) => ip.is_loopback(),
        libp2p::multiaddr::Protocol::Ip6(ip) => ip.is_loopback(),
        _ => false,
    })
}

/// How the network is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses to listen on.
    pub listen: Vec<String>,
    /// Peers to keep a connection to.
    pub peers: Vec<String>,
    /// Peers to keep a connection to, and to be asked as witnesses with each checkpoint.
    pub witnesses: Vec<String>,
    /// Units, with those below them, out of line, whose nodes this one witnesses.
    pub witness_for: Vec<UnitCode>,
    /// Look for peers on the local network.
    pub mdns: bool,
}

/// The network of a running node.
#[derive(Debug)]
pub struct Network {
    handle: NetworkHandle,
    events: mpsc::Receiver<Event>,
    /// The cursors written down last.
    saved: Vec<u8>,
}

fn usage(zh: String, en: String) -> ServiceError {
    ServiceError::new(ErrorKind::Usage, Text::new(zh, en))
}

impl From<TransportError> for ServiceError {
    fn from(error: TransportError) -> Self {
        let kind = match error {
            TransportError::PortInUse(_) => ErrorKind::Busy,
            TransportError::NotOurAddress(_) | TransportError::Unsupported(_) => ErrorKind::Usage,
            _ => ErrorKind::Network,
        };
        let zh = match &error {
            TransportError::PortInUse(address) => format!("{address} 的端口已被占用,可能是另一个节点"),
            TransportError::NotOurAddress(address) => format!("{address} 不是本机地址"),
            TransportError::NotPermitted(address) => format!("无权监听 {address}"),
            TransportError::Unsupported(address) => format!("不支持的地址 {address}"),
            other => other.to_string(),
        };
        Self::new(kind, Text::new(zh, error.to_string())).with_hint(Text::new(
            "用 --listen 或 config.toml 中的 listen 换一个地址,例如 /ip4/0.0.0.0/tcp/4510",
            "choose another address with --listen or `listen` in config.toml, for example /ip4/0.0.0.0/tcp/4510",
        ))
    }
}

impl Network {
    /// Starts listening and dialling. Needs a tokio runtime with several threads.
    pub async fn start(service: &Service, settings: &Settings) -> Result<Self, ServiceError> {
        let listen = settings
            .listen
            .iter()
            .map(|text| {
                text.parse().map_err(|error| {
                    usage(
                        format!("不是地址:{text}"),
                        format!("not an address to listen on: {text}: {error}"),
                    )
                })
            })
            .collect::<Result<Vec<Multiaddr>, _>>()?;
        let parse = |texts: &[String]| {
            let parsed = texts.iter().map(|text| {
                text.parse::<PeerAddr>().map_err(|error| {
                    usage(
                        format!("不是节点地址:{text}"),
                        format!("not the address of a node: {text}: {error}"),
                    )
                })
            });
            parsed.collect::<Result<Vec<_>, _>>()
        };
        let mut peers = parse(&settings.peers)?;
        let named = parse(&settings.witnesses)?;
        let witnesses = named.iter().map(PeerAddr::key).collect();
        peers.extend(named);
        let config = Config {
            key: service.node_key().signing_key().clone(),
            listen,
            mdns: settings.mdns,
            limits: Limits::default(),
            seed: rng().random(),
        };
        let (endpoint, events) = Endpoint::start(config).await?;
        for peer in peers {
            endpoint.keep_connected(peer).await;
        }
        let cursors = service.home().read(CURSORS)?;
        // Cursors only save comparing; without them everything is compared once.
        let cursors = cursors
            .and_then(|bytes| minicbor::decode(&bytes).ok())
            .unwrap_or_default();
        let handle = NetworkHandle(Arc::new(Shared {
            endpoint,
            runtime: Handle::current(),
            announcer: Announcer::new(Handle::current()),
            signed: watch::Sender::new(0),
            asking_below: witnessing::Queue::new(),
            witnesses,
            witness_for: settings.witness_for.iter().map(UnitCode::path).collect(),
            table: Mutex::new(Table::new(service.unit().path())),
            cursors: Mutex::new(cursors),
            started: Instant::now(),
            serving: Arc::new(Turns::new(AT_A_TIME, TURN)),
            pulling: Arc::new(Turns::new(AT_A_TIME, TURN)),
        }));
        service.set_network(handle.clone());
        Ok(Self {
            handle,
            events,
            saved: Vec::new(),
        })
    }

    /// Signs a checkpoint whenever the ledger has changed, at most one a second, until `stop` resolves.
    pub(crate) fn sign_checkpoints<T: Future<Output = ()>>(
        &self,
        service: Service,
        stop: T,
    ) -> impl Future<Output = ()> + use<T> {
        let handle = self.handle.clone();
        async move {
            tokio::pin!(stop);
            let mut changes = handle.0.announcer.subscribe();
            let mut told = String::new();
            loop {
                changes.borrow_and_update();
                let signing = service.clone();
                let began = Instant::now();
                match spawn_blocking(move || signing.sign_checkpoint()).await {
                    Ok(Ok(true)) => handle.signed(),
                    Ok(Err(error)) if error.to_string() != told => {
                        told = error.to_string();
                        tracing::warn!(%error, "no checkpoint can be signed");
                    }
                    Ok(_) | Err(_) => {}
                }
                tokio::select! {
                    () = &mut stop => break,
                    // A long catch-up is not signed for every second while it goes on.
                    () = sleep((began.elapsed() * SIGNING).clamp(witnessing::OFTEN, SELDOM)) => {}
                }
                tokio::select! {
                    () = &mut stop => break,
                    changed = changes.changed() => if changed.is_err() { break },
                }
            }
        }
    }

    /// Serves links and requests until `stop` resolves, then closes everything; the ports are free after.
    pub async fn run(mut self, service: Service, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut links = JoinSet::new();
        let mut saving = interval(SAVING);
        loop {
            let event = tokio::select! {
                () = &mut stop => break,
                _ = saving.tick() => {
                    block_in_place(|| self.save(&service));
                    continue;
                }
                event = self.events.recv() => event,
                Some(_) = links.join_next(), if !links.is_empty() => continue,
            };
            match event {
                Some(Event::Connected(link)) => self.serve_link(&mut links, &service, link),
                Some(Event::Enrol(request)) => joining::answer(&service, request),
                Some(Event::DialFailed {
                    peer,
                    error,
                    retry_in,
                }) => {
                    tracing::info!(peer = %peer.short(), %error, retry = ?retry_in, "peer not reached");
                    let mut table = self.handle.table();
                    // What it is kept out for says more.
                    if error != DialError::Refused {
                        table.failed(peer, words::not_reached(&error));
                    }
                    table.not_reached(peer, retry_in);
                }
                Some(Event::Discovered(address)) => {
                    let endpoint = self.handle.0.endpoint.clone();
                    tokio::spawn(async move {
                        let _ = endpoint.dial(&address).await;
                    });
                }
                None => break,
            }
        }
        self.handle.table().close_all();
        let ended = async { while links.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(3), ended).await;
        links.abort_all();
        self.save(&service);
        self.handle.0.endpoint.clone().stop().await;
    }

    fn serve_link(&self, links: &mut JoinSet<()>, service: &Service, link: Link) {
        let (handle, service) = (self.handle.clone(), service.clone());
        let closing = handle.table().connected(link.control());
        links.spawn(async move { driver::run(handle, service, link, closing).await });
    }

    /// Writes down how far peers' stores were taken in, and what they have of this one.
    fn save(&mut self, service: &Service) {
        let bytes = minicbor::to_vec(&*self.handle.cursors()).expect("writing to a vector does not fail");
        if bytes != self.saved {
            match service.home().write(CURSORS, &bytes) {
                Ok(()) => self.saved = bytes,
                Err(error) => {
                    tracing::warn!(%error, "cursors not saved; the next start compares everything once");
                }
            }
        }
        service.save_marks();
    }
}

/// A hint for whoever dials: what to check when nothing is reached.
fn unreachable_peer(detail: &str) -> ServiceError {
    ServiceError::new(
        ErrorKind::Network,
        text!(
            "连接不上对方节点:{detail}",
            "the other node was not reached: {detail}"
        ),
    )
    .with_hint(Text::new(
        "请检查对方是否在运行、地址与防火墙;没有网络时用 anjuan join --request",
        "check that it runs, its address and the firewall; without a network use `anjuan join --request`",
    ))
}
