//! A peer that is not in line and is welcome all the same: it may ask and be asked, and gets nothing else.

use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::sim::{NETWORK, World, config, path};
use crate::id::{ItemId, NodeKey, StoreEpoch};
use crate::path::{Path, Scope, Space};
use crate::replica::{BlobKind, MemoryReplica, Position, Roots, Tree};
use crate::session::message::{Hello, ItemRef, ListAsk, LogRange, Message, PROTOCOL_VERSION, State};
use crate::session::{
    CloseReason, Config, Event, Few, Gate, Input, Limits, NotAdmitted, Now, Output, Role, Session, Violation,
};
use crate::update::Timestamp;

const WALL: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const COUNTY: &str = "4509/02";
const BESIDE: &str = "4509/03";

/// Welcomes everybody that the other gate lets in.
struct Open(Arc<dyn Gate>);

impl Gate for Open {
    fn admit(&self, key: &NodeKey, hello: &Hello, now: Timestamp) -> Result<Path, NotAdmitted> {
        self.0.admit(key, hello, now)
    }

    fn is_welcome_beside(&self, _: &NodeKey, _: &Path) -> bool {
        true
    }
}

fn welcoming(own: &str, peer: &str) -> Config {
    let config = config(&Scope::of(path(own)), &path(peer), None);
    Config {
        gate: Arc::new(Open(Arc::clone(&config.gate))),
        certificate: own.as_bytes().to_vec(),
        ..config
    }
}

/// A session with a store, driven by hand.
struct Side {
    session: Session,
    replica: MemoryReplica,
    rng: StdRng,
    now: Duration,
    frames: Vec<Vec<u8>>,
    events: Vec<Event>,
    asked: Vec<(u16, Vec<u8>)>,
    answered: Vec<Vec<u8>>,
    delivered: usize,
    closed: Option<CloseReason>,
}

impl Side {
    fn new(own: &str, peer: &str, role: Role) -> Self {
        let mut world = World::new(1);
        let node = world.node(own);
        let below = format!("{own}/001");
        world.write(node, 1, &Space::up(path(&below)), "a case");
        world.write(node, 2, &Space::down(path("4509")), "a notice that both hold");
        let now = Now {
            elapsed: Duration::ZERO,
            wall: WALL,
        };
        Self {
            session: Session::new(welcoming(own, peer), role, now),
            replica: world.nodes.remove(node).replica,
            rng: StdRng::seed_from_u64(1),
            now: Duration::ZERO,
            frames: Vec::new(),
            events: Vec::new(),
            asked: Vec::new(),
            answered: Vec::new(),
            delivered: 0,
            closed: None,
        }
    }

    fn feed(&mut self, input: Input) {
        let now = Now {
            elapsed: self.now,
            wall: WALL,
        };
        self.session.handle(input, &self.replica, now, &mut self.rng);
        loop {
            match self.session.poll_output() {
                Output::Send(frame) => self.frames.push(frame),
                Output::Deliver { .. } => self.delivered += 1,
                Output::Close(reason) => self.closed = Some(reason),
                Output::Event(event) => self.events.push(event),
                Output::Asked { topic, body } => self.asked.push((topic, body)),
                Output::Answered(body) => self.answered.push(body),
                Output::WaitUntil(_) => return,
            }
        }
    }

    fn say(&mut self, message: &Message) {
        self.feed(Input::Frame(message.encode()));
    }

    /// One that let a peer beside in.
    fn open() -> Self {
        let mut side = Self::new(COUNTY, BESIDE, Role::Listener);
        side.feed(Input::Connected);
        side.say(&Message::Hello(Hello {
            version: PROTOCOL_VERSION,
            network: NETWORK,
            certificate: BESIDE.as_bytes().to_vec(),
            epoch: StoreEpoch::from_bytes([9; 16]),
            clock: WALL,
        }));
        assert_eq!(side.events[0], Event::Beside { unit: path(BESIDE) });
        side
    }
}

/// Carries frames until neither side has any.
fn settle(a: &mut Side, b: &mut Side) {
    loop {
        let (from_a, from_b) = (std::mem::take(&mut a.frames), std::mem::take(&mut b.frames));
        if from_a.is_empty() && from_b.is_empty() {
            return;
        }
        from_a.into_iter().for_each(|frame| b.feed(Input::Frame(frame)));
        from_b.into_iter().for_each(|frame| a.feed(Input::Frame(frame)));
    }
}

#[test]
fn both_sides_ask_and_answer_and_nothing_else_crosses() {
    let mut county = Side::new(COUNTY, BESIDE, Role::Dialer);
    let mut beside = Side::new(BESIDE, COUNTY, Role::Listener);
    beside.feed(Input::Connected);
    county.feed(Input::Connected);
    settle(&mut county, &mut beside);
    for (one, other) in [(0, 1), (1, 0)] {
        let sides = [&mut county, &mut beside];
        let question = vec![one as u8; 3];
        sides[one].feed(Input::Ask {
            topic: 1,
            body: question.clone(),
        });
        settle(&mut county, &mut beside);
        let sides = [&mut county, &mut beside];
        assert_eq!(sides[other].asked, [(1, question)]);
        sides[other].feed(Input::Answer(b"an answer".to_vec()));
        settle(&mut county, &mut beside);
        let sides = [&county, &beside];
        assert_eq!(sides[one].answered, [b"an answer".to_vec()]);
    }
    for side in [&mut county, &mut beside] {
        side.feed(Input::LocalChange);
        assert_eq!((side.frames.len(), side.delivered, &side.closed), (0, 0, &None));
        assert!(side.session.figures().peer_is_level);
    }
}

#[test]
fn whatever_it_asks_of_the_replica_is_refused() {
    let item = ItemRef {
        path: path("4509"),
        id: ItemId::from_bytes([1; 32]),
    };
    let state = State {
        position: Position::new(9),
        roots: Roots::default(),
        taken: None,
        round: 0,
        pulling: false,
        ahead: None,
    };
    for message in [
        Message::State(state),
        Message::Since {
            id: 0,
            after: Position::START,
            limit: 9,
        },
        Message::Describe {
            id: 0,
            tree: Tree::Down,
            paths: Few::new(vec![path("4509")]),
        },
        Message::List {
            id: 0,
            tree: Tree::Credentials,
            asks: Few::new(vec![ListAsk {
                path: path("4509"),
                skip: 0,
            }]),
        },
        Message::Logs {
            id: 0,
            ranges: Few::new(Vec::<LogRange>::new()),
            limit: 9,
        },
        Message::Fetch {
            id: 0,
            kind: BlobKind::Credential,
            items: Few::new(vec![item]),
            limit: 9,
        },
    ] {
        let mut side = Side::open();
        side.frames.clear();
        side.say(&message);
        assert_eq!(
            side.closed,
            Some(CloseReason::Violation(Violation::OutOfScope)),
            "{message:?}"
        );
        let said: Vec<_> = side.frames.iter().map(|frame| Message::decode(frame)).collect();
        assert!(
            matches!(said[..], [Ok(Message::Bye { .. })]),
            "nothing but a goodbye: {said:?}"
        );
    }
}

#[test]
fn an_answer_that_does_not_come_ends_it() {
    let mut side = Side::open();
    side.feed(Input::Ask {
        topic: 1,
        body: vec![1],
    });
    side.now = Limits::default().answer + Duration::from_secs(1);
    side.feed(Input::Tick);
    assert!(
        matches!(side.closed, Some(CloseReason::Late(_))),
        "{:?}",
        side.closed
    );
}
