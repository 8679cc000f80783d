//! One link: who is let in, what the session reads and stores, and what is made of its events.

use std::sync::Arc;
use std::time::Duration;

use anjuan_sync::driver::{Ended, Store, run_link};
use anjuan_sync::replica::{Record, Replica, Summary};
use anjuan_sync::session::{
    CloseReason, Config, Event, Gate, Limits, NotAdmitted, Now, Role, Session, message::Hello,
};
use anjuan_sync::transport::{self, Link, LinkControl};
use anjuan_sync::{AuthorKey, NodeKey, Path, Timestamp};
use minicbor::bytes::ByteVec;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, rng};
use tokio::sync::watch;
use tokio::task::block_in_place;

use super::NetworkHandle;
use crate::authority::credentials::Credentials;
use crate::ledger::{Durable, Ledger, LedgerError, check};
use crate::service::Service;

/// How long a peer that was not let in, or broke the protocol, stays out.
const KEPT_OUT: Duration = Duration::from_secs(60);

/// Lets in whoever shows the chain of a node certificate of this network. Judged by the credentials as
/// they were when the link was made: the session holds the ledger while it asks.
struct NodeGate(Credentials);

impl Gate for NodeGate {
    fn admit(&self, key: &NodeKey, hello: &Hello, now: Timestamp) -> Result<Path, NotAdmitted> {
        let subject = AuthorKey::from_bytes(*key.as_bytes());
        if hello.certificate.is_empty() {
            let known = self.0.is_node(subject, now);
            let known =
                known.ok_or_else(|| NotAdmitted("no node certificate for this key is known".into()))?;
            return Ok(known.certificate().path().clone());
        }
        let chain: Vec<ByteVec> =
            minicbor::decode(&hello.certificate).map_err(|error| NotAdmitted(error.to_string()))?;
        let chain: Vec<&[u8]> = chain.iter().map(|link| &link[..]).collect();
        let certified = self
            .0
            .judge_peer(&chain, subject, now)
            .map_err(|error| NotAdmitted(error.to_string()))?;
        Ok(certified.certificate().path().clone())
    }
}

/// The chain of this node's certificate, as its Hello carries it.
fn own_chain(ledger: &Ledger, key: AuthorKey, now: Timestamp) -> Vec<u8> {
    let credentials = ledger.credentials();
    let chain = credentials
        .is_node(key, now)
        .and_then(|certified| credentials.chain(certified.id()));
    let chain: Vec<ByteVec> = chain.unwrap_or_default().into_iter().map(ByteVec::from).collect();
    minicbor::to_vec(chain).expect("writing to a vector does not fail")
}

/// The ledger as the session of one peer sees it.
struct PeerStore {
    network: NetworkHandle,
    service: Service,
    peer: NodeKey,
}

impl Store for PeerStore {
    fn read(&self, read: &mut dyn FnMut(&dyn Replica)) {
        block_in_place(|| {
            let ledger = self.service.ledger();
            // Sessions read durable content only. While the lock is held nothing new comes.
            if let Err(error) = ledger.barrier().and_then(Durable::wait) {
                tracing::warn!(%error, "the journal takes nothing in");
            }
            read(&*ledger);
        });
    }

    async fn deliver(&self, records: Vec<Record>) -> Result<Summary, String> {
        let service = self.service.clone();
        let taking = tokio::task::spawn_blocking(move || {
            // Signatures are checked before the ledger's lock is taken.
            let checked = check(records, &mut rng());
            let (taken, durable) = service.ledger().take(checked)?;
            durable.wait()?;
            service.ledger().settle_sealed(&taken.touched)?;
            Ok::<_, LedgerError>(taken.summary())
        });
        let summary = match taking.await {
            Ok(Ok(summary)) => summary,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(panic) => return Err(panic.to_string()),
        };
        self.network.table().received(self.peer, u64::from(summary.taken));
        if summary.taken > 0 {
            self.network.announce();
        }
        Ok(summary)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.network.0.changes.subscribe()
    }

    fn now(&self) -> Now {
        Now {
            elapsed: self.network.0.started.elapsed(),
            wall: self.service.now(),
        }
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
    let store = PeerStore {
        network: network.clone(),
        service,
        peer,
    };
    let session = session(&store, &control);
    let mut random = StdRng::from_seed(rng().random());
    let watch = |event| note(&network, peer, event);
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
        network.0.endpoint.refuse(peer, KEPT_OUT).await;
    } else {
        tracing::info!(peer = %peer.short(), reason = %ended, "link ended");
    }
    let local = matches!(ended, Ended::Session(CloseReason::Local));
    network
        .table()
        .ended(peer, &closing, (!local).then(|| ended.to_string()));
}

fn session(store: &PeerStore, control: &LinkControl) -> Session {
    let service = &store.service;
    let ledger = service.ledger();
    let config = Config {
        network: ledger.network(),
        scope: ledger.scope().clone(),
        certificate: own_chain(&ledger, service.node_key().public(), service.now()),
        peer: control.peer(),
        gate: Arc::new(NodeGate(ledger.credentials().clone())),
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

fn note(network: &NetworkHandle, peer: NodeKey, event: Event) {
    match event {
        Event::PeerAccepted { unit, .. } => {
            tracing::info!(peer = %peer.short(), %unit, "peer let in");
            network.table().accepted(peer, unit);
        }
        Event::ClockSkew { ms } => {
            tracing::warn!(peer = %peer.short(), ms, "the peer's clock differs from ours");
            network.table().skewed(peer, ms / 1000);
        }
        Event::Cursor(cursor) => {
            network.cursors().insert(peer, cursor);
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
        Event::Figures(figures) => tracing::debug!(peer = %peer.short(), ?figures, "so far"),
        Event::Level => network.table().level(peer, true),
        Event::NotLevel { trees, why } => {
            tracing::warn!(peer = %peer.short(), ?trees, ?why, "not level");
            network.table().level(peer, false);
        }
    }
}
