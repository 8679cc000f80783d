//! Virtual time: one queue of what happens next, and everything it happens to.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use anjuan_node::ledger::LedgerError;
use anjuan_sync::LogEpoch;
use anjuan_sync::replica::Record;
use anjuan_sync::session::Token;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tempfile::TempDir;

use super::link::Link;
use super::node::Node;
use super::people::Roll;
use super::story::Case;
use super::tally::{Acknowledged, Forgery, Tally};
use super::weather::Fault;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Something that happens.
pub(super) enum What {
    /// A frame arrives.
    Frame { link: u64, side: usize, bytes: Vec<u8> },
    /// The other side hung up.
    HungUp { link: u64 },
    /// The store takes in what a session handed out.
    Deliver(Box<Delivery>),
    /// A session wanted to be called at this time.
    Tick { link: u64, side: usize },
    /// There is room again to write to.
    Room { link: u64, side: usize },
    /// A node tells its sessions that its store changed.
    Announce { node: usize },
    /// A node looks for whom to connect to.
    Dial { node: usize },
    /// The weather.
    Fault(Fault),
    /// Somebody goes on with a case.
    Step { case: usize },
    /// Somebody elsewhere writes on a case.
    Aside { case: usize },
}

pub(super) struct Delivery {
    pub(super) link: u64,
    pub(super) side: usize,
    pub(super) node: usize,
    pub(super) life: u32,
    pub(super) token: Token,
    pub(super) records: Vec<Record>,
}

struct Due {
    at: Duration,
    number: u64,
    what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// A city under way.
pub(super) struct Simulation {
    pub(super) roll: Roll,
    pub(super) nodes: Vec<Node>,
    pub(super) links: BTreeMap<u64, Link>,
    pub(super) cases: Vec<Case>,
    pub(super) acknowledged: Vec<Acknowledged>,
    pub(super) forgeries: Vec<Forgery>,
    pub(super) tally: Tally,
    pub(super) now: Duration,
    /// No more stories, no more weather.
    pub(super) is_over: bool,
    /// How long a case takes on average.
    pub(super) span: Duration,
    pub(super) net: StdRng,
    pub(super) tales: StdRng,
    pub(super) folder: TempDir,
    /// Frames and deliveries under way.
    pub(super) under_way: u64,
    queue: BinaryHeap<Reverse<Due>>,
    numbers: u64,
    links_made: u64,
}

impl Simulation {
    pub(super) fn new(roll: Roll, seed: u64, folder: TempDir) -> Result<Self, LedgerError> {
        let mut net = StdRng::seed_from_u64(seed ^ 0x6e65_7477_6f72_6b00);
        let mut nodes = Vec::with_capacity(roll.units.len());
        for (at, unit) in roll.units.iter().enumerate() {
            let home = folder.path().join(at.to_string());
            let fresh = LogEpoch::from_bytes(net.random());
            let mut node = Node::new(&unit.code, &roll.root, home, fresh)?;
            node.take_credentials(unit.credentials.clone())?;
            nodes.push(node);
        }
        Ok(Self {
            nodes,
            links: BTreeMap::new(),
            cases: Vec::new(),
            acknowledged: Vec::new(),
            forgeries: Vec::new(),
            tally: Tally::default(),
            now: Duration::ZERO,
            is_over: false,
            span: 40 * DAY,
            net,
            tales: StdRng::seed_from_u64(seed ^ 0x7461_6c65_7300_0000),
            folder,
            under_way: 0,
            queue: BinaryHeap::new(),
            numbers: 0,
            links_made: 0,
            roll,
        })
    }

    pub(super) fn schedule(&mut self, at: Duration, what: What) {
        let number = self.numbers;
        self.numbers += 1;
        self.under_way += u64::from(what.is_under_way());
        self.queue.push(Reverse(Due { at, number, what }));
    }

    pub(super) fn after(&mut self, pause: Duration, what: What) {
        self.schedule(self.now + pause, what);
    }

    pub(super) fn next_link(&mut self) -> u64 {
        self.links_made += 1;
        self.links_made
    }

    pub(super) fn fresh(&mut self) -> LogEpoch {
        LogEpoch::from_bytes(self.net.random())
    }

    /// Lets the next thing happen, if it does so before `end`.
    pub(super) fn step(&mut self, end: Duration) -> Result<bool, LedgerError> {
        let is_due = |Reverse(due): &Reverse<Due>| due.at < end;
        let next = self.queue.peek().is_some_and(is_due).then(|| self.queue.pop());
        let Some(Reverse(due)) = next.flatten() else {
            self.now = self.now.max(end);
            return Ok(false);
        };
        self.now = self.now.max(due.at);
        self.under_way -= u64::from(due.what.is_under_way());
        match due.what {
            What::Frame { link, side, bytes } => self.frame(link, side, bytes)?,
            What::HungUp { link } => self.hung_up(link),
            What::Deliver(delivery) => self.deliver(*delivery)?,
            What::Tick { link, side } => self.tick(link, side),
            What::Room { link, side } => self.drain(link, side),
            What::Announce { node } => self.announce(node),
            What::Dial { node } => self.dial(node)?,
            What::Fault(fault) => self.fault(fault)?,
            What::Step { case } => self.go_on(case)?,
            What::Aside { case } => self.aside(case)?,
        }
        Ok(true)
    }

    /// What is not to happen any more: all but the network.
    pub(super) fn end_stories(&mut self) {
        self.is_over = true;
    }
}

impl What {
    fn is_under_way(&self) -> bool {
        matches!(
            self,
            Self::Frame { .. } | Self::Deliver(_) | Self::Announce { .. } | Self::Dial { .. }
        )
    }
}
