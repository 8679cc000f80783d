//! What a node can be asked to do. The command line asks for it in its own process or over the loopback
//! API of a running node; both run the same calls.

mod advice;
mod audit;
mod bundle;
pub mod call;
mod checkpoints;
mod delivered;
mod disclosing;
mod doctor;
mod documents;
pub mod enrolment;
pub mod error;
pub(crate) mod in_order;
pub(crate) mod marks;
mod metrics;
mod operators;
mod particulars;
mod peers;
mod permits;
mod record;
pub mod setup;
mod signing;
mod status;
mod sync;
#[cfg(test)]
mod tests;
mod units;
mod verify;
pub mod view;
mod words;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anjuan_sync::{LogEpoch, Timestamp};
use rand::{RngExt as _, rng};

pub use call::{Call, Handle, HandleAll, Progress};
pub(crate) use checkpoints::Answered;
pub use error::{ErrorKind, ServiceError};

use self::marks::Marks;
use self::permits::Permits;
use self::signing::Sessions;
use self::sync::Tally;
use crate::enrol::TicketBook;
use crate::files::Disk;
use crate::home::Home;
use crate::keys::{KdfCost, KeyStore, NodeKey};
use crate::ledger::{Ledger, Opening, processors};
use crate::network::{Changes, NetworkHandle};
use crate::notary::Notary;
use crate::text::Text;
use crate::unit::UnitCode;
use crate::unit::divisions::Divisions;

/// The file of [`Marks`].
const MARKS: &str = "marks";

/// The clock: a function, so that tests can set it.
pub type Clock = fn() -> Timestamp;

/// The system's time.
pub fn system_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// How a service is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The cost at which new keys are sealed.
    pub kdf: KdfCost,
    /// The time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            kdf: KdfCost::STANDARD,
            clock: system_clock,
        }
    }
}

/// An opened home and everything that can be asked of it. Cheap to clone; blocking.
#[derive(Clone, Debug)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    home: Mutex<Home>,
    unit: UnitCode,
    /// An auditor's node, by its certificate.
    auditor: bool,
    /// Handed over to whoever waits longest if it was held for long: that of the standard library would go to a
    /// delivery portion after portion, since the thread that lets go of it is there first.
    ledger: parking_lot::Mutex<Ledger>,
    /// Whoever works for peers waits here, not at the ledger.
    for_peers: parking_lot::Mutex<()>,
    /// To check the signatures of what peers deliver: all processors but one.
    checking: Permits,
    /// Its lock is taken before the ledger's by whoever needs both.
    notary: Mutex<Notary>,
    keys: KeyStore,
    node: NodeKey,
    sessions: Mutex<Sessions>,
    tickets: Mutex<TicketBook>,
    network: OnceLock<NetworkHandle>,
    /// What other stores have, and how far they were taken in.
    marks: Mutex<Marks>,
    /// What the documents came to when they were last counted.
    tally: Mutex<Option<Tally>>,
    notes: Vec<Text>,
    clock: Clock,
}

impl Service {
    /// Opens the home in `folder`. `progress` is told of a rebuild.
    pub fn open(
        folder: &Path,
        options: Options,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, ServiceError> {
        let home = Home::open(folder)?;
        let unit = home.config().unit.clone();
        let keys = home.keys(options.kdf);
        let node = keys.node()?;
        let opening = Opening {
            home: folder,
            root: home.root()?,
            unit: &unit,
            files: Arc::new(Disk),
            cache_bytes: Some(u64::from(home.config().cache_mib) << 20),
            fresh: fresh_epoch(),
        };
        let (mut ledger, report) =
            Ledger::open(opening, &mut |done, total| progress(Progress { done, total }))?;
        // The chain from the root down to this node came with the grant, before there was a ledger.
        if let Some(bytes) = home.read("chain")? {
            let chain = crate::enrol::JoinGrant::decode(&bytes).map_err(|error| {
                ServiceError::new(ErrorKind::Damaged, Text::same(format!("chain: {error}")))
            })?;
            let (_, durable) = ledger.take(crate::ledger::Checked::credentials(chain.certificates()))?;
            durable.wait()?;
            home.remove("chain")?;
        }
        let own = ledger.credentials().certificates_for(node.public());
        let auditor = own
            .into_iter()
            .any(|certified| certified.certificate().is_auditors_node());
        let mut notes = report.notes;
        let notary = checkpoints::open(folder, &unit, &node, auditor, &mut ledger, &mut notes)?;
        Ok(Self(Arc::new(Inner {
            tickets: Mutex::new(home.tickets()?),
            marks: Mutex::new(
                home.read(MARKS)?
                    .map_or_else(Marks::default, |bytes| Marks::decode(&bytes)),
            ),
            tally: Mutex::default(),
            home: Mutex::new(home),
            unit,
            auditor,
            ledger: parking_lot::Mutex::new(ledger),
            for_peers: parking_lot::Mutex::default(),
            checking: Permits::new(processors() - 1),
            notary: Mutex::new(notary),
            keys,
            node,
            sessions: Mutex::new(Sessions::default()),
            network: OnceLock::new(),
            notes,
            clock: options.clock,
        })))
    }

    /// The unit that this node serves.
    pub fn unit(&self) -> &UnitCode {
        &self.0.unit
    }

    /// Is this an auditor's node?
    pub fn is_auditors(&self) -> bool {
        self.0.auditor
    }

    /// The node's keys.
    pub fn node_key(&self) -> &NodeKey {
        &self.0.node
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    /// The ledger, for one thread at a time.
    pub fn ledger(&self) -> parking_lot::MutexGuard<'_, Ledger> {
        self.0.ledger.lock()
    }

    /// The ledger, for work that a peer is the cause of. Only one thread of them waits for the ledger at a time,
    /// so that whoever records here is behind one of them, and not behind hundreds.
    pub(crate) fn ledger_for_peers(&self) -> ForPeers<'_> {
        let turn = self.0.for_peers.lock();
        ForPeers {
            ledger: self.ledger(),
            _turn: turn,
        }
    }

    /// As [`Self::ledger_for_peers`], if there is nothing to wait for.
    pub(crate) fn try_ledger_for_peers(&self) -> Option<ForPeers<'_>> {
        let turn = self.0.for_peers.try_lock()?;
        Some(ForPeers {
            ledger: self.0.ledger.try_lock()?,
            _turn: turn,
        })
    }

    /// The home.
    pub fn home(&self) -> MutexGuard<'_, Home> {
        lock(&self.0.home)
    }

    /// Tells the service that its node runs, and how to reach the network.
    pub fn set_network(&self, network: NetworkHandle) {
        let _ = self.0.network.set(network);
    }

    fn network(&self) -> Option<&NetworkHandle> {
        self.0.network.get()
    }

    /// Tells peers that something new is here: those that hold it, too.
    pub(crate) fn announce(&self) {
        if let Some(network) = self.network() {
            let changed = self.ledger_for_peers().take_changed();
            network.announce(Changes::In(changed));
        }
    }

    /// What is known of other stores. Taken after the ledger's lock, never before it.
    pub(crate) fn marks(&self) -> MutexGuard<'_, Marks> {
        lock(&self.0.marks)
    }

    /// Writes down what is known of other stores, if that changed.
    pub(crate) fn save_marks(&self) {
        let Some(bytes) = self.marks().take_changes() else {
            return;
        };
        if let Err(error) = self.home().write(MARKS, &bytes) {
            tracing::warn!(%error, "marks not saved; bundles may carry more than they need to");
        }
    }

    fn tickets(&self) -> MutexGuard<'_, TicketBook> {
        lock(&self.0.tickets)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.0.sessions)
    }
}

/// A lock whose holder panicked is still good: every change of the ledger is written whole or not at all,
/// and the journal is checked against it on the next start.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The ledger, in the hands of a thread that works for a peer.
pub(crate) struct ForPeers<'a> {
    // Let go of first.
    ledger: parking_lot::MutexGuard<'a, Ledger>,
    _turn: parking_lot::MutexGuard<'a, ()>,
}

impl Deref for ForPeers<'_> {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}

impl DerefMut for ForPeers<'_> {
    fn deref_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }
}

fn fresh_epoch() -> LogEpoch {
    LogEpoch::from_bytes(rng().random())
}

/// The unit with its official name, for people.
pub(crate) fn unit_view(code: &UnitCode) -> view::Unit {
    let division = Divisions::official().get(code);
    view::Unit {
        code: code.clone(),
        name: division
            .map(|division| division.name().to_owned())
            .unwrap_or_default(),
        level: code.level(),
    }
}

fn instant(timestamp: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(timestamp.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
