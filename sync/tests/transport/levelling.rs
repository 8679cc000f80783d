//! Sessions over links: two stores in memory become level over real sockets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anjuan_sync::driver::{Ended, Settling, Store, run_link};
use anjuan_sync::id::{CertificateId, NetworkId, NodeKey, StoreEpoch};
use anjuan_sync::replica::conformance::Author;
use anjuan_sync::replica::memory::Judge;
use anjuan_sync::replica::{MemoryReplica, Record, Replica, ReplicaError, Roots, Summary};
use anjuan_sync::session::message::Hello;
use anjuan_sync::session::{self, CloseReason, Event, Gate, NotAdmitted, Now, Refusal, Session};
use anjuan_sync::transport::{Limits, Link, LinkError, Role};
use anjuan_sync::{Path, Scope, Space, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, watch};

use crate::peer::{Over, Peer, limits, within};

const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);

fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

struct Memory {
    replica: Mutex<MemoryReplica>,
    changed: watch::Sender<u64>,
    failing: AtomicBool,
    /// What is read is durable once this says so, or never.
    disk: watch::Sender<Option<bool>>,
    began: Instant,
}

impl Memory {
    fn new(unit: &str, epoch: u8) -> Arc<Self> {
        let scope = Scope::of(path(unit));
        let epoch = StoreEpoch::from_bytes([epoch; 16]);
        Arc::new(Self {
            replica: Mutex::new(MemoryReplica::new(NETWORK, scope, epoch, Judge::lenient())),
            changed: watch::Sender::new(0),
            failing: AtomicBool::new(false),
            disk: watch::Sender::new(Some(true)),
            began: Instant::now(),
        })
    }

    fn take(&self, records: Vec<Record>) -> Summary {
        let summary = self.replica.lock().expect("not poisoned").take(records);
        if summary.taken > 0 {
            self.changed.send_modify(|changes| *changes += 1);
        }
        summary
    }

    fn write(&self, author: &mut Author, count: usize) {
        let updates = (0..count).map(|n| Record::Update(author.write(&format!("update {n}"))));
        self.take(updates.collect());
    }

    fn roots(&self, scope: &Scope) -> Roots {
        self.replica
            .lock()
            .expect("not poisoned")
            .status(scope)
            .expect("readable")
            .roots
    }
}

impl Store for Memory {
    fn read(&self, read: &mut dyn FnMut(&dyn Replica)) -> Result<Option<Settling>, ReplicaError> {
        if self.failing.load(Ordering::Relaxed) {
            return Err(ReplicaError("the disk is full".into()));
        }
        read(&*self.replica.lock().expect("not poisoned"));
        if *self.disk.borrow() == Some(true) {
            return Ok(None);
        }
        let mut disk = self.disk.subscribe();
        Ok(Some(Box::pin(async move {
            let synced = disk
                .wait_for(Option::is_some)
                .await
                .is_ok_and(|synced| *synced == Some(true));
            match synced {
                true => Ok(()),
                false => Err(ReplicaError("the disk is gone".into())),
            }
        })))
    }

    async fn deliver(self: Arc<Self>, records: Vec<Record>) -> Result<Summary, String> {
        Ok(self.take(records))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        Now {
            elapsed: self.began.elapsed(),
            wall: Timestamp::from_millis(i64::try_from(wall.as_millis()).expect("in range")),
        }
    }
}

/// Takes the unit that the certificate names.
struct ByName;

impl Gate for ByName {
    fn admit(&self, _: &NodeKey, hello: &Hello, _: Timestamp) -> Result<Path, NotAdmitted> {
        let unit = String::from_utf8_lossy(&hello.certificate);
        unit.parse()
            .map_err(|_| NotAdmitted(format!("{unit} is no unit")))
    }
}

/// A running session.
struct Running {
    events: mpsc::UnboundedReceiver<Event>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<Ended>,
}

fn run(link: Link, store: &Arc<Memory>, certificate: &str) -> Running {
    let control = link.control();
    let config = session::Config {
        network: NETWORK,
        scope: store.replica.lock().expect("not poisoned").scope().clone(),
        certificate: certificate.into(),
        peer: control.peer(),
        gate: Arc::new(ByName),
        cursor: None,
        limits: session::Limits::default(),
        serving: None,
        pulling: None,
    };
    let role = match control.role() {
        Role::Dialer => session::Role::Dialer,
        Role::Listener => session::Role::Listener,
    };
    let session = Session::new(config, role, store.now());
    let (happened, events) = mpsc::unbounded_channel();
    let (stop, stopping) = watch::channel(false);
    let store = Arc::clone(store);
    let task = tokio::spawn(async move {
        let mut rng = StdRng::seed_from_u64(1);
        run_link(link, session, store, &mut rng, stopping, |event| {
            let _ = happened.send(event);
        })
        .await
    });
    Running { events, stop, task }
}

async fn until_level(one: &Memory, other: &Memory, shared: &Scope) {
    let (mut at_one, mut at_other) = (one.changes(), other.changes());
    within(async {
        while one.roots(shared) != other.roots(shared) {
            tokio::select! {
                _ = at_one.changed() => {}
                _ = at_other.changed() => {}
            }
        }
    })
    .await;
}

async fn dial(from: &mut Peer, to: &mut Peer, over: Over) -> (Link, Link) {
    within(from.endpoint.dial(&to.address(over)))
        .await
        .expect("dialled");
    (from.link().await, to.link().await)
}

#[tokio::test]
async fn two_stores_become_level_stay_so_and_part_in_good_order() {
    for over in Over::BOTH {
        // So short that it matters whether sessions accept their links.
        let short = Limits {
            accept_within: Duration::from_millis(500),
            ..limits()
        };
        let (mut at_county, mut at_village) =
            (Peer::with(1, short.clone()).await, Peer::with(2, short).await);
        let (county, village) = (Memory::new("4509/02", 1), Memory::new("4509/02/001/001", 2));
        let certificate = CertificateId::from_bytes([7; 32]);
        let shared = Scope::of(path("4509/02/001/001"));
        let mut mediator = Author::new(3, NETWORK, Space::up(path("4509/02/001/001")), certificate);
        village.write(&mut mediator, 3000);
        let (up, down) = dial(&mut at_village, &mut at_county, over).await;
        let mut upper = run(down, &county, "4509/02");
        let lower = run(up, &village, "4509/02/001/001");
        until_level(&village, &county, &shared).await;
        within(async { while upper.events.recv().await.expect("it runs") != Event::Level {} }).await;

        village.write(&mut mediator, 1);
        until_level(&village, &county, &shared).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        village.write(&mut mediator, 1);
        until_level(&village, &county, &shared).await;

        lower.stop.send(true).expect("it runs");
        assert_eq!(
            within(lower.task).await.expect("no panic"),
            Ended::Session(CloseReason::Local)
        );
        let ended = within(upper.task).await.expect("no panic");
        assert_eq!(ended, Ended::Session(CloseReason::Bye(0)));
        drop(upper.stop);
    }
}

#[tokio::test]
async fn a_stranger_gets_no_byte() {
    let (mut at_county, mut stranger) = (Peer::new(1).await, Peer::new(2).await);
    let county = Memory::new("4509/02", 1);
    let foreign = Memory::new("4509/02/001", 2);
    let (mut up, down) = dial(&mut stranger, &mut at_county, Over::Tcp).await;
    let upper = run(down, &county, "4509/02");
    let hello = Hello {
        version: session::message::PROTOCOL_VERSION,
        network: NETWORK,
        certificate: b"of no unit".to_vec(),
        epoch: StoreEpoch::from_bytes([2; 16]),
        clock: foreign.now().wall,
    };
    let frame = session::message::Message::Hello(hello).encode();
    up.send(&frame).await.expect("sent");
    assert_eq!(within(up.recv()).await, Err(LinkError::Closed));
    let ended = within(upper.task).await.expect("no panic");
    assert!(
        matches!(
            ended,
            Ended::Session(CloseReason::Refused(Refusal::Certificate(_)))
        ),
        "{ended}"
    );
}

/// A county and a village that are level, with three updates of the village's mediator.
struct LevelPair {
    /// Held, so that the links stay.
    _peers: [Peer; 2],
    county: Arc<Memory>,
    village: Arc<Memory>,
    shared: Scope,
    mediator: Author,
    upper: Running,
    lower: Running,
}

async fn level_pair() -> LevelPair {
    let (mut at_county, mut at_village) = (Peer::new(1).await, Peer::new(2).await);
    let (county, village) = (Memory::new("4509/02", 1), Memory::new("4509/02/001/001", 2));
    let shared = Scope::of(path("4509/02/001/001"));
    let mut mediator = Author::new(
        3,
        NETWORK,
        Space::up(path("4509/02/001/001")),
        CertificateId::from_bytes([7; 32]),
    );
    village.write(&mut mediator, 3);
    let (up, down) = dial(&mut at_village, &mut at_county, Over::Tcp).await;
    let upper = run(down, &county, "4509/02");
    let lower = run(up, &village, "4509/02/001/001");
    until_level(&village, &county, &shared).await;
    LevelPair {
        _peers: [at_county, at_village],
        county,
        village,
        shared,
        mediator,
        upper,
        lower,
    }
}

/// A peer hears of what is here once it is durable, and never of what will not be.
#[tokio::test]
async fn nothing_is_told_before_it_is_on_disk() {
    for holds in [true, false] {
        let LevelPair {
            _peers,
            county,
            village,
            shared,
            mut mediator,
            upper,
            lower,
        } = level_pair().await;
        let told = county.roots(&shared);

        village.disk.send_replace(None);
        village.write(&mut mediator, 1);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(county.roots(&shared), told);
        village.disk.send_replace(Some(holds));
        if holds {
            until_level(&village, &county, &shared).await;
            assert_ne!(county.roots(&shared), told);
            continue;
        }
        let ended = within(lower.task).await.expect("no panic");
        assert_eq!(
            ended,
            Ended::Session(CloseReason::Replica(ReplicaError("the disk is gone".into())))
        );
        let ended = within(upper.task).await.expect("no panic");
        assert!(matches!(ended, Ended::Link(_)), "{ended}");
        assert_eq!(county.roots(&shared), told);
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_read_ends_the_session_by_name_and_tells_nothing_more() {
    let LevelPair {
        _peers,
        county,
        village,
        shared,
        mut mediator,
        upper,
        lower,
    } = level_pair().await;
    let told = county.roots(&shared);

    village.failing.store(true, Ordering::Relaxed);
    village.write(&mut mediator, 1);
    let ended = within(lower.task).await.expect("no panic");
    assert_eq!(
        ended,
        Ended::Session(CloseReason::Replica(ReplicaError("the disk is full".into())))
    );
    let ended = within(upper.task).await.expect("no panic");
    assert!(matches!(ended, Ended::Link(_)), "{ended}");
    assert_eq!(county.roots(&shared), told);
}
