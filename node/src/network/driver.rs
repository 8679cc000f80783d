//! One link: who is let in, what the session reads and stores, and what is made of its events.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anjuan_sync::driver::{Ended, Settling, Store, run_link};
use anjuan_sync::replica::{Cursor, Record, Replica, ReplicaError, Summary};
use anjuan_sync::session::{
    CloseReason, Config, Event, Gate, Limits, NotAdmitted, Now, Role, Session, message::Hello,
};
use anjuan_sync::transport::{self, Link, LinkControl};
use anjuan_sync::{AuthorKey, NodeKey, Path, StoreEpoch, Timestamp};
use minicbor::bytes::ByteVec;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, rng};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{block_in_place, spawn_blocking};

use super::announcing::Listener;
use super::witnessing::Witnessing;
use super::{NetworkHandle, clock, words};
use crate::authority::certificate::CertificateKind;
use crate::authority::credentials::{Credentials, PeerError};
use crate::ledger::{Checked, Durable, Ledger, LedgerError, Outcome, Taken};
use crate::service::Service;
use crate::service::in_order::{Order, store};
use crate::service::marks::Who;
use crate::text;
use crate::text::Text;

/// How long a peer that was not let in, or broke the protocol, stays out.
const KEPT_OUT: Duration = Duration::from_secs(60);

/// Lets in whoever shows the chain of a node certificate of this network. Judged by the credentials as
/// they were when the link was made: the session holds the ledger while it asks.
struct NodeGate {
    credentials: Arc<Credentials>,
    own: AuthorKey,
    network: NetworkHandle,
    told: Arc<Heard>,
}

/// What the gate heard.
#[derive(Default)]
struct Heard {
    clocks: OnceLock<Clocks>,
    /// The chain of certificates that the peer showed.
    chain: OnceLock<Vec<Vec<u8>>>,
}

/// A peer was kept out because its certificate is in force by its clock and not by ours.
struct Clocks {
    ours: Timestamp,
    theirs: Timestamp,
    told: Text,
}

/// Why a peer is not let in.
struct Refused {
    why: String,
    /// Is it the time alone?
    not_in_force: bool,
}

impl NodeGate {
    /// Where the holder of `key` stands, at this time: by the chain that it shows, or, having met us before,
    /// by the one that is known here.
    fn judge(&self, key: AuthorKey, hello: &Hello, time: Timestamp) -> Result<Path, Refused> {
        if hello.certificate.is_empty() {
            let known = self.credentials.is_node(key, time);
            return known
                .map(|known| known.certificate().path().clone())
                .ok_or_else(|| Refused {
                    why: "no node certificate for this key is known, or none that is in force".into(),
                    not_in_force: true,
                });
        }
        let chain: Vec<ByteVec> = minicbor::decode(&hello.certificate).map_err(|error| Refused {
            why: error.to_string(),
            not_in_force: false,
        })?;
        let chain: Vec<&[u8]> = chain.iter().map(|link| &link[..]).collect();
        match self.credentials.judge_peer(&chain, key, time) {
            Ok(certified) => {
                let shown = chain.iter().map(|link| link.to_vec()).collect();
                let _ = self.told.chain.set(shown);
                Ok(certified.certificate().path().clone())
            }
            Err(error) => Err(Refused {
                why: error.to_string(),
                not_in_force: matches!(error, PeerError::NotInForce { .. }),
            }),
        }
    }
}

impl Gate for NodeGate {
    fn admit(&self, key: &NodeKey, hello: &Hello, now: Timestamp) -> Result<Path, NotAdmitted> {
        let key = AuthorKey::from_bytes(*key.as_bytes());
        let theirs = hello.clock;
        let refused = match self.judge(key, hello, now) {
            Ok(path) => return Ok(path),
            Err(refused) => refused,
        };
        if !refused.not_in_force || self.judge(key, hello, theirs).is_err() {
            return Err(NotAdmitted(refused.why));
        }
        let in_force = |time| self.credentials.is_node(self.own, time).is_some();
        let told = clock::not_in_force(now, theirs, !in_force(now) && in_force(theirs));
        let why = NotAdmitted(told.en.clone());
        let ours = now;
        let _ = self.told.clocks.set(Clocks { ours, theirs, told });
        Err(why)
    }

    /// A witness that is named here, or a node that this one is named to witness.
    fn is_welcome_beside(&self, key: &NodeKey, unit: &Path) -> bool {
        let shared = &self.network.0;
        shared.witnesses.contains(key) || shared.witness_for.iter().any(|above| above.is_at_or_above(unit))
    }
}

/// The chain of this node's certificate, as its Hello carries it.
fn own_chain(ledger: &Ledger, key: AuthorKey, now: Timestamp) -> Vec<u8> {
    let credentials = ledger.credentials();
    // With a clock that is off by years none is in force: the peer, by its own clock, may see that one is.
    let newest = || {
        credentials
            .certificates_for(key)
            .filter(|certified| certified.certificate().kind() == CertificateKind::Node)
            .max_by_key(|certified| certified.certificate().not_before())
    };
    let chain = credentials
        .is_node(key, now)
        .or_else(newest)
        .and_then(|certified| credentials.chain(certified.id()));
    let chain: Vec<ByteVec> = chain.unwrap_or_default().into_iter().map(ByteVec::from).collect();
    minicbor::to_vec(chain).expect("writing to a vector does not fail")
}

/// The ledger as the session of one peer sees it.
struct PeerStore {
    network: NetworkHandle,
    service: Service,
    peer: NodeKey,
    witnessing: Arc<Witnessing>,
    deliveries: Order,
    /// Told of what both sides hold.
    listener: Arc<Listener>,
}

impl Store for PeerStore {
    fn read(&self, read: &mut dyn FnMut(&dyn Replica)) -> Result<Option<Settling>, ReplicaError> {
        let durable = read_now(&self.service, read)?;
        Ok(durable.map(|durable| -> Settling {
            Box::pin(async { durable.settled().await.map_err(ReplicaError::from) })
        }))
    }

    fn work<T>(&self, work: impl FnOnce() -> T) -> T {
        block_in_place(work)
    }

    fn deliver(
        self: Arc<Self>,
        records: Vec<Record>,
    ) -> impl Future<Output = Result<Summary, String>> + Send + 'static {
        let turn = self.deliveries.next();
        // Begun here, so that none has a thread before those that it waits for.
        let taken = spawn_blocking(move || {
            let taken = store(&self.service, records, turn)?;
            Ok(self.tell(&taken))
        });
        async move {
            match taken.await {
                Ok(told) => told.map_err(|error: LedgerError| error.to_string()),
                Err(panic) => Err(panic.to_string()),
            }
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.listener.changes()
    }

    fn now(&self) -> Now {
        Now {
            elapsed: self.network.0.started.elapsed(),
            wall: self.service.now(),
        }
    }

    async fn question(&self) -> (u16, Vec<u8>) {
        self.witnessing.question().await
    }

    async fn answer(&self, topic: u16, question: Vec<u8>) -> Vec<u8> {
        self.witnessing.answer(topic, question).await
    }

    async fn answered(&self, answer: Vec<u8>) {
        self.witnessing.answered(answer).await;
    }
}

impl PeerStore {
    /// Tells the other sessions, and the operator, what was taken in.
    fn tell(&self, taken: &Taken) -> Summary {
        let summary = taken.summary();
        self.network.table().received(self.peer, u64::from(summary.taken));
        self.note_refusals(taken, summary);
        if summary.taken > 0 {
            self.service.announce();
            if let Some(mark) = self.service.marks().get_mut(Who::Node(self.peer)) {
                mark.came = Some(self.service.now());
            }
        }
        summary
    }

    /// Tells the operator what of a page was of no use: one line for each page, whatever is in it.
    fn note_refusals(&self, taken: &Taken, summary: Summary) {
        let peer = self.peer.short();
        let Summary {
            known,
            refused,
            forged,
            ..
        } = summary;
        let first = taken.outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Refused(reason) | Outcome::Forged(reason) => Some(reason),
            Outcome::Stored | Outcome::Known | Outcome::Waiting => None,
        });
        if let Some(reason) = first {
            tracing::warn!(%peer, refused, forged, reason, "refused what the peer sent");
            let told = text!("拒收了对方发来的内容:{reason}", "refused what it sent: {reason}");
            self.network.table().failed(self.peer, told);
        } else if summary.taken == 0 && known > 0 {
            tracing::info!(%peer, known, "the peer sent what is here already");
        }
    }
}

/// Reads the ledger as it is now. If not all of it is durable, what it is waited for with is returned: nobody
/// may be told before, since memory would be ahead of what a restart remembers, and authors would write
/// anew the places of logs that somebody has heard of. The lock is not held for that wait: hundreds of
/// sessions that look at the ledger must not keep its operators from recording for a sync each.
///
/// Where the journal has stopped, the ledger first goes on from what is durable; as long as it can't, peers
/// are told nothing. Whoever asks here reads on.
fn read_now(service: &Service, read: &mut dyn FnMut(&dyn Replica)) -> Result<Option<Durable>, ReplicaError> {
    let mut ledger = match service.try_ledger_for_peers() {
        Some(ledger) => ledger,
        None => waiting(|| service.ledger_for_peers()),
    };
    if let Err(error) = ledger.resume() {
        tracing::warn!(%error, "the journal takes nothing in; peers are told nothing meanwhile");
        return Err(error.into());
    }
    read(&*ledger);
    match ledger.unsynced() {
        0 => Ok(None),
        _ => Ok(Some(ledger.barrier()?)),
    }
}

/// Waits in a thread, or in a task without keeping others from their work: to hand that over costs more than
/// most looks at the ledger, so it's done only where there is something to wait for.
fn waiting<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(_) => block_in_place(wait),
        Err(_) => wait(),
    }
}

/// As [`read_now`], and waits until it may be told.
pub(crate) fn read_durable(
    service: &Service,
    read: &mut dyn FnMut(&dyn Replica),
) -> Result<(), ReplicaError> {
    match read_now(service, read)? {
        Some(durable) => Ok(durable.wait()?),
        None => Ok(()),
    }
}

/// Drives the session of one link to its end.
pub(super) async fn run(
    network: NetworkHandle,
    service: Service,
    link: Link,
    closing: watch::Receiver<bool>,
) {
    let control = link.control().clone();
    let peer = control.peer();
    let witnessing = Arc::new(Witnessing::new(service.clone(), network.clone(), peer));
    let listener = network.0.announcer.listen();
    let store = PeerStore {
        network: network.clone(),
        service,
        peer,
        witnessing: Arc::clone(&witnessing),
        deliveries: Order::default(),
        listener: Arc::clone(&listener),
    };
    let told = Arc::new(Heard::default());
    let session = session(&store, &control, &told);
    let mut random = StdRng::from_seed(rng().random());
    let watching = store.service.clone();
    // The peer tells how far it took in the store whose life the Hello named.
    let epoch = store.service.ledger().epoch();
    let watch = |event| {
        match &event {
            Event::PeerAccepted { unit, shared } => {
                witnessing.accepted(unit);
                listener.shares(shared.clone());
            }
            Event::Beside { unit } => {
                witnessing.accepted(unit);
                if network.0.witnesses.contains(&peer)
                    && let Some(chain) = told.chain.get()
                {
                    block_in_place(|| keep_chain(&watching, chain));
                }
            }
            _ => {}
        }
        note(&network, &watching, (peer, epoch), event);
    };
    let ended = run_link(
        link,
        session,
        Arc::new(store),
        &mut random,
        closing.clone(),
        watch,
    )
    .await;
    if let Ended::Session(CloseReason::Refused(_) | CloseReason::Violation(_)) = &ended {
        tracing::warn!(peer = %peer.short(), reason = %ended, "session refused");
        network.table().refused();
        network.0.endpoint.refuse(peer, KEPT_OUT).await;
    } else {
        tracing::info!(peer = %peer.short(), reason = %ended, "link ended");
    }
    let mut reason = words::ended(&ended);
    if let Some(Clocks {
        ours,
        theirs,
        told: why,
    }) = told.clocks.get()
    {
        tracing::warn!(peer = %peer.short(), zh = why.zh, "{}", why.en);
        network
            .table()
            .skewed(peer, (theirs.as_millis() - ours.as_millis()) / 1000);
        reason = why.clone();
    }
    let local = matches!(ended, Ended::Session(CloseReason::Local));
    network.table().ended(peer, &closing, (!local).then_some(reason));
}

/// Takes in the certificates of a witness that is not in line, which come by no other way: without them its
/// cosignatures mean nothing here, nor to an auditor.
fn keep_chain(service: &Service, chain: &[Vec<u8>]) {
    let taken = service.ledger().take(Checked::credentials(chain.iter().cloned()));
    match taken.map(|(_, durable)| durable.wait()) {
        Ok(Ok(())) => service.announce(),
        Ok(Err(error)) => tracing::warn!(%error, "the certificates of a witness are not kept"),
        Err(error) => tracing::warn!(%error, "the certificates of a witness are not taken in"),
    }
}

fn session(store: &PeerStore, control: &LinkControl, told: &Arc<Heard>) -> Session {
    let service = &store.service;
    let ledger = service.ledger_for_peers();
    let config = Config {
        network: ledger.network(),
        scope: ledger.scope().clone(),
        certificate: own_chain(&ledger, service.node_key().public(), service.now()),
        peer: control.peer(),
        gate: Arc::new(NodeGate {
            credentials: Arc::clone(ledger.credentials()),
            own: service.node_key().public(),
            network: store.network.clone(),
            told: Arc::clone(told),
        }),
        cursor: store.network.cursors().get(&control.peer()).copied(),
        limits: Limits::default(),
        serving: Some(Arc::clone(&store.network.0.serving)),
        pulling: Some(Arc::clone(&store.network.0.pulling)),
    };
    let role = match control.role() {
        transport::Role::Dialer => Role::Dialer,
        transport::Role::Listener => Role::Listener,
    };
    Session::new(config, role, store.now())
}

fn note(network: &NetworkHandle, service: &Service, (peer, epoch): (NodeKey, StoreEpoch), event: Event) {
    match event {
        Event::PeerAccepted { unit, shared } => {
            tracing::info!(peer = %peer.short(), %unit, "peer let in");
            service
                .marks()
                .heard(Who::Node(peer), &unit, shared.unit(), service.now());
            network.table().accepted(peer, unit, Some(shared));
        }
        Event::Beside { unit } => {
            tracing::info!(peer = %peer.short(), %unit, "peer beside let in, to witness or to be witnessed");
            network.table().accepted(peer, unit, None);
        }
        Event::ClockSkew { ms } => {
            let ours = service.now();
            let theirs = Timestamp::from_millis(ours.as_millis().saturating_add(ms));
            let why = clock::apart(ours, theirs);
            tracing::warn!(peer = %peer.short(), zh = why.zh, "{}", why.en);
            network.table().skewed(peer, ms / 1000);
        }
        Event::Cursor(cursor) => {
            network.cursors().insert(peer, cursor);
            if let Some(mark) = service.marks().get_mut(Who::Node(peer)) {
                mark.took = Some(cursor);
            }
        }
        Event::Progress {
            records,
            bytes,
            remaining,
        } => {
            tracing::debug!(peer = %peer.short(), records, bytes, remaining, "taking in");
            network.table().level(peer, false);
        }
        Event::Repairing { trees } => {
            tracing::info!(peer = %peer.short(), ?trees, "comparing place by place");
            network.table().level(peer, false);
        }
        Event::Figures(figures) => {
            tracing::debug!(peer = %peer.short(), ?figures, "so far");
            network.table().figures(peer, figures);
            if let Some(position) = figures.peer_has
                && let Some(mark) = service.marks().get_mut(Who::Node(peer))
            {
                mark.has = Some(Cursor { epoch, position });
                mark.heard = service.now();
            }
        }
        Event::Level => network.table().level(peer, true),
        Event::NotLevel { trees, why } => {
            tracing::warn!(peer = %peer.short(), ?trees, ?why, "not level");
            network.table().level(peer, false);
        }
    }
}

#[cfg(test)]
mod tests;
