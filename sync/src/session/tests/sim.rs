//! Named nodes with replicas in memory, links with a delay, and one virtual clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::id::{NetworkId, NodeKey, StoreEpoch};
use crate::path::{Path, Scope, Space};
use crate::replica::conformance::{Author, Subject};
use crate::replica::memory::{Judge, MemoryReplica};
use crate::replica::{Cursor, Record, Replica, Status};
use crate::session::message::Hello;
use crate::session::{
    CloseReason, Config, Event, Figures, Gate, Input, Limits, NotAdmitted, Now, Output, Role, Session, Token,
    Turns,
};
use crate::signed::SignedUpdate;
use crate::update::Timestamp;

pub(super) const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);
pub(super) const DELAY: Duration = Duration::from_millis(20);
pub(super) const ROUND_TRIP: Duration = Duration::from_millis(40);

pub(super) fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

/// Takes the certificate for the unit's path, as long as the peer's key says the same; or, where there is
/// none, a key that it knows.
#[derive(Debug, Default)]
pub(super) struct PathGate {
    knows: Option<Path>,
}

impl Gate for PathGate {
    fn admit(&self, key: &NodeKey, hello: &Hello, _: Timestamp) -> Result<Path, NotAdmitted> {
        if let Some(known) = self.knows.as_ref().filter(|_| hello.certificate.is_empty()) {
            return Ok(known.clone());
        }
        let text =
            String::from_utf8(hello.certificate.clone()).map_err(|_| NotAdmitted("not a text".into()))?;
        if node_key(&text) != *key {
            return Err(NotAdmitted("the certificate is for another key".into()));
        }
        text.parse().map_err(|_| NotAdmitted("not a path".into()))
    }
}

pub(super) fn node_key(unit: &str) -> NodeKey {
    NodeKey::from_bytes(*crate::hash::sha256(unit.as_bytes()).as_bytes())
}

/// Of a node that has met its peer exactly if it has a cursor.
pub(super) fn config(scope: &Scope, peer: &Path, cursor: Option<Cursor>) -> Config {
    let knows = cursor.map(|_| peer.clone());
    Config {
        network: NETWORK,
        scope: scope.clone(),
        certificate: scope.unit().as_str().as_bytes().to_vec(),
        peer: node_key(peer.as_str()),
        gate: Arc::new(PathGate { knows }),
        cursor,
        limits: Limits::default(),
        serving: None,
        pulling: None,
    }
}

pub(super) struct Node {
    pub(super) replica: MemoryReplica,
    cursors: BTreeMap<usize, Cursor>,
    authors: BTreeMap<(u8, Space), Author>,
}

pub(super) struct Link {
    nodes: [usize; 2],
    sessions: [Option<Session>; 2],
    deadlines: [Duration; 2],
    frames: VecDeque<(Duration, usize, Vec<u8>)>,
    pub(super) bytes: [u64; 2],
    pub(super) sent: u64,
    cut_after: Option<u64>,
    pub(super) events: Vec<(Duration, usize, Event)>,
    pub(super) closed: Vec<(usize, CloseReason)>,
    /// Answers to questions beside the replica, by the side that asked.
    pub(super) answers: Vec<(usize, Vec<u8>)>,
    pub(super) delivered: usize,
    pub(super) pages_in_flight: usize,
    opened: Duration,
}

impl Link {
    /// Round trips since the connection opened until both sides said they are level.
    pub(super) fn round_trips(&self) -> u32 {
        let level = |side| {
            self.events
                .iter()
                .find(|(_, of, event)| *of == side && *event == Event::Level)
                .map(|(at, ..)| *at)
                .expect("it became level")
        };
        let time = level(0).max(level(1)) - self.opened;
        // What the stores took is not the link's.
        ((time.as_millis() + ROUND_TRIP.as_millis() / 2 - 1) / ROUND_TRIP.as_millis()) as u32
    }

    /// What a side's session has done so far.
    pub(super) fn figures(&self, side: usize) -> Figures {
        self.sessions[side].as_ref().expect("it is up").figures()
    }

    pub(super) fn is_up(&self) -> bool {
        self.sessions.iter().all(Option::is_some)
    }

    pub(super) fn had(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(|(_, _, event)| wanted(event))
    }
}

pub(super) struct World {
    pub(super) now: Duration,
    pub(super) nodes: Vec<Node>,
    pub(super) links: Vec<Link>,
    deliveries: Vec<(Duration, usize, usize, Token, Vec<Record>)>,
    rng: StdRng,
    epochs: u16,
    /// Deliveries that were open at once at a node, at most.
    pub(super) most_open: BTreeMap<usize, usize>,
    /// Whose turn it is at a node, to be served and to be pulled from.
    turns: BTreeMap<usize, [Arc<Turns>; 2]>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            nodes: Vec::new(),
            links: Vec::new(),
            deliveries: Vec::new(),
            rng: StdRng::seed_from_u64(seed),
            epochs: 0,
            turns: BTreeMap::new(),
            most_open: BTreeMap::new(),
        }
    }

    /// So many peers at a time at this node, from its next connection on.
    pub(super) fn take_turns(&mut self, node: usize, most: usize, slice: Duration) {
        let turns = || Arc::new(Turns::new(most, slice));
        self.turns.insert(node, [turns(), turns()]);
    }

    pub(super) fn fresh_epoch(&mut self) -> StoreEpoch {
        self.epochs += 1;
        let [high, low] = self.epochs.to_be_bytes();
        StoreEpoch::from_bytes(std::array::from_fn(|at| if at == 0 { high } else { low }))
    }

    pub(super) fn node(&mut self, unit: &str) -> usize {
        self.node_with(unit, Judge::certificate_known())
    }

    pub(super) fn node_with(&mut self, unit: &str, judge: Judge) -> usize {
        let epoch = self.fresh_epoch();
        self.nodes.push(Node {
            replica: MemoryReplica::new(NETWORK, Scope::of(path(unit)), epoch, judge),
            cursors: BTreeMap::new(),
            authors: BTreeMap::new(),
        });
        self.nodes.len() - 1
    }

    /// An operator at a node writes the next update of his log in a space.
    pub(super) fn write(&mut self, node: usize, operator: u8, space: &Space, text: &str) -> SignedUpdate {
        let at = &mut self.nodes[node];
        let author = at.authors.entry((operator, space.clone())).or_insert_with(|| {
            let (certificate, credentials) = at.replica.certify(&space.unit, Author::public_key(operator));
            at.replica.take(credentials);
            Author::new(operator, NETWORK, space.clone(), certificate)
        });
        let update = author.write(text);
        assert_eq!(at.replica.take(vec![Record::Update(update.clone())]).taken, 1);
        self.changed(node);
        update
    }

    pub(super) fn take(&mut self, node: usize, records: Vec<Record>) {
        self.nodes[node].replica.take(records);
        self.changed(node);
    }

    pub(super) fn author(&mut self, node: usize, operator: u8, space: &Space) -> &mut Author {
        self.nodes[node]
            .authors
            .get_mut(&(operator, space.clone()))
            .expect("wrote before")
    }

    pub(super) fn status(&self, node: usize, scope: &str) -> Status {
        let scope = Scope::of(path(scope));
        self.nodes[node].replica.status(&scope).expect("readable")
    }

    pub(super) fn forget_cursors(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.cursors.clear());
    }

    /// The operator's machine is set up anew from a copy of the replica as it was.
    pub(super) fn restore(&mut self, node: usize, backup: MemoryReplica) {
        self.nodes[node].replica = backup;
        let epoch = self.fresh_epoch();
        self.nodes[node].replica.set_epoch(epoch);
        self.nodes[node].cursors.clear();
    }

    pub(super) fn connect(&mut self, dialer: usize, listener: usize) -> usize {
        let now = self.time();
        let session = |from: usize, to: usize, role| {
            let unit = |node: usize| self.nodes[node].replica.scope();
            let cursor = self.nodes[from].cursors.get(&to).copied();
            let mut config = config(unit(from), unit(to).unit(), cursor);
            if let Some([serving, pulling]) = self.turns.get(&from) {
                (config.serving, config.pulling) = (Some(Arc::clone(serving)), Some(Arc::clone(pulling)));
            }
            Session::new(config, role, now)
        };
        let sessions = [
            Some(session(dialer, listener, Role::Dialer)),
            Some(session(listener, dialer, Role::Listener)),
        ];
        self.links.push(Link {
            nodes: [dialer, listener],
            sessions,
            deadlines: [Duration::MAX; 2],
            frames: VecDeque::new(),
            bytes: [0; 2],
            sent: 0,
            cut_after: None,
            events: Vec::new(),
            closed: Vec::new(),
            answers: Vec::new(),
            delivered: 0,
            pages_in_flight: 0,
            opened: self.now,
        });
        let link = self.links.len() - 1;
        for side in 0..2 {
            self.feed(link, side, Input::Connected);
        }
        link
    }

    /// A connection that breaks before its frame number `frames`.
    pub(super) fn connect_until(&mut self, dialer: usize, listener: usize, frames: u64) -> usize {
        let link = self.connect(dialer, listener);
        self.links[link].cut_after = Some(frames);
        link
    }

    pub(super) fn cut(&mut self, link: usize) {
        self.links[link].sessions = [None, None];
        self.links[link].frames.clear();
        self.deliveries.retain(|(_, of, ..)| *of != link);
    }

    fn time(&self) -> Now {
        Now {
            elapsed: self.now,
            wall: Timestamp::from_millis(1_700_000_000_000 + self.now.as_millis() as i64),
        }
    }

    fn changed(&mut self, node: usize) {
        for link in 0..self.links.len() {
            for side in 0..2 {
                if self.links[link].nodes[side] == node {
                    self.feed(link, side, Input::LocalChange);
                }
            }
        }
    }

    pub(super) fn feed(&mut self, link: usize, side: usize, input: Input) {
        let now = self.time();
        let at = &mut self.links[link];
        let Some(session) = &mut at.sessions[side] else {
            return;
        };
        let replica = &self.nodes[at.nodes[side]].replica;
        session.handle(input, replica, now, &mut self.rng);
        loop {
            match session.poll_output() {
                Output::Send(frame) => {
                    assert!(frame.len() <= crate::session::message::MAX_FRAME);
                    if at.cut_after.is_some_and(|cut| at.sent >= cut) {
                        return self.cut(link);
                    }
                    at.sent += 1;
                    at.bytes[side] += frame.len() as u64;
                    at.frames.push_back((now.elapsed + DELAY, 1 - side, frame));
                }
                Output::Deliver { token, records } => {
                    at.delivered += records.len();
                    // The store takes its time, so that pages overlap.
                    self.deliveries.push((
                        now.elapsed + Duration::from_millis(1),
                        link,
                        side,
                        token,
                        records,
                    ));
                    let open = self
                        .deliveries
                        .iter()
                        .filter(|(_, of, on, ..)| (*of, *on) == (link, side));
                    at.pages_in_flight = at.pages_in_flight.max(open.count());
                }
                Output::Asked { topic, mut body } => {
                    body.reverse();
                    body.extend(topic.to_be_bytes());
                    return self.feed(link, side, Input::Answer(body));
                }
                Output::Answered(body) => at.answers.push((side, body)),
                Output::Event(event) => {
                    if let Event::Cursor(cursor) = &event {
                        let peer = at.nodes[1 - side];
                        self.nodes[at.nodes[side]].cursors.insert(peer, *cursor);
                    }
                    at.events.push((now.elapsed, side, event));
                }
                Output::Close(reason) => {
                    at.closed.push((side, reason));
                    at.sessions[side] = None;
                    return;
                }
                Output::WaitUntil(time) => {
                    at.deadlines[side] = time;
                    return;
                }
            }
        }
    }

    /// Lets the next thing happen, if it does so before `end`.
    fn step(&mut self, end: Duration) -> bool {
        let mut open: BTreeMap<usize, usize> = BTreeMap::new();
        for (_, link, side, ..) in &self.deliveries {
            *open.entry(self.links[*link].nodes[*side]).or_default() += 1;
        }
        for (node, open) in open {
            let most = self.most_open.entry(node).or_default();
            *most = open.max(*most);
        }
        let mut next = end;
        let mut what = None;
        for (index, (at, ..)) in self.deliveries.iter().enumerate() {
            if *at < next {
                (next, what) = (*at, Some((0, index, 0)));
            }
        }
        for (index, link) in self.links.iter().enumerate() {
            if let Some((at, ..)) = link.frames.front()
                && *at < next
            {
                (next, what) = (*at, Some((1, index, 0)));
            }
            for side in 0..2 {
                if link.sessions[side].is_some() && link.deadlines[side] < next {
                    (next, what) = (link.deadlines[side], Some((2, index, side)));
                }
            }
        }
        let Some((kind, index, side)) = what else {
            self.now = self.now.max(end);
            return false;
        };
        self.now = self.now.max(next);
        match kind {
            0 => {
                let (_, link, side, token, records) = self.deliveries.remove(index);
                let node = self.links[link].nodes[side];
                let summary = self.nodes[node].replica.take(records);
                self.feed(
                    link,
                    side,
                    Input::Delivered {
                        token,
                        result: Ok(summary),
                    },
                );
                self.changed(node);
            }
            1 => {
                if let Some((_, side, frame)) = self.links[index].frames.pop_front() {
                    self.feed(index, side, Input::Frame(frame));
                }
            }
            _ => self.feed(index, side, Input::Tick),
        }
        true
    }

    /// Runs for so long.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
    }

    /// Runs until nothing is under way any more but timers.
    pub(super) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let busy = !self.deliveries.is_empty() || self.links.iter().any(|link| !link.frames.is_empty());
            let soon = self.now + Duration::from_secs(1);
            if !busy && !self.step(soon) {
                return;
            }
            if busy {
                self.step(Duration::MAX);
            }
        }
        panic!("it never settles");
    }
}
