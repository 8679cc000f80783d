//! A peer that does what no honest one does: each time refused by name, and never a panic.

use std::time::Duration;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::sim::{NETWORK, World, config, node_key, path};
use crate::id::{ItemId, NetworkId, StoreEpoch};
use crate::path::{Scope, Space};
use crate::replica::conformance::Author;
use crate::replica::{BlobKind, MemoryReplica, Position, Record, Roots, Tree};
use crate::session::message::{
    Hello, ItemRef, ListAsk, LogRange, MAX_BODY, MAX_FRAME, MAX_HELLO_FRAME, Message, PROTOCOL_VERSION, State,
};
use crate::session::{
    CloseReason, Few, Input, Late, Limits, Now, Output, Refusal, Role, Session, Token, Violation, page,
};
use crate::update::Timestamp;

const WALL: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A county's session, and the test as the other side: a town.
pub(super) struct Victim {
    session: Session,
    pub(super) replica: MemoryReplica,
    now: Duration,
    rng: StdRng,
    pub(super) sent: Vec<Message>,
    pub(super) delivered: Vec<(Token, Vec<Record>)>,
    pub(super) closed: Option<CloseReason>,
}

impl Victim {
    fn new(role: Role) -> Self {
        let mut world = World::new(1);
        let county = world.node("4509/02");
        world.write(
            county,
            1,
            &Space::up(path("4509/02/001/001")),
            "a case of the town",
        );
        world.write(
            county,
            2,
            &Space::up(path("4509/02/002")),
            "a case of another town",
        );
        let replica = world.nodes.remove(county).replica;
        let config = config(&Scope::of(path("4509/02")), &path("4509/02/001"), None);
        let now = Now {
            elapsed: Duration::ZERO,
            wall: WALL,
        };
        let mut victim = Self {
            session: Session::new(config, role, now),
            replica,
            now: Duration::ZERO,
            rng: StdRng::seed_from_u64(1),
            sent: Vec::new(),
            delivered: Vec::new(),
            closed: None,
        };
        victim.feed(Input::Connected);
        victim
    }

    /// One that let the town in, and heard that there is much to pull.
    pub(super) fn open() -> Self {
        let mut victim = Self::new(Role::Listener);
        victim.say(&Message::Hello(hello()));
        victim.say(&Message::State(state()));
        assert_eq!(victim.closed, None);
        victim
    }

    /// The same, with nothing in the way of a stream: the county has no updates.
    pub(super) fn streaming() -> Self {
        let mut victim = Self::new(Role::Listener);
        victim.replica = MemoryReplica::new(
            NETWORK,
            Scope::of(path("4509/02")),
            StoreEpoch::from_bytes([3; 16]),
            crate::replica::memory::Judge::lenient(),
        );
        victim.say(&Message::Hello(hello()));
        victim.say(&Message::State(state()));
        assert!(
            victim
                .sent
                .iter()
                .any(|message| matches!(message, Message::Since { id: 0, .. }))
        );
        victim
    }

    pub(super) fn feed(&mut self, input: Input) {
        let now = Now {
            elapsed: self.now,
            wall: WALL,
        };
        self.session.handle(input, &self.replica, now, &mut self.rng);
        self.poll();
    }

    fn poll(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Send(frame) => self.sent.push(Message::decode(&frame).expect("an honest frame")),
                Output::Deliver { token, records } => self.delivered.push((token, records)),
                Output::Close(reason) => self.closed = Some(reason),
                Output::Event(_) | Output::Asked { .. } | Output::Answered(_) => {}
                Output::WaitUntil(_) => return,
            }
        }
    }

    pub(super) fn say(&mut self, message: &Message) {
        self.feed(Input::Frame(message.encode()));
    }

    pub(super) fn violation(self) -> Violation {
        match self.closed {
            Some(CloseReason::Violation(violation)) => violation,
            other => panic!("not a violation: {other:?}"),
        }
    }

    fn refusal(self) -> Refusal {
        assert!(
            self.sent.is_empty(),
            "a stranger is told nothing: {:?}",
            self.sent
        );
        match self.closed {
            Some(CloseReason::Refused(refusal)) => refusal,
            other => panic!("not a refusal: {other:?}"),
        }
    }
}

fn hello() -> Hello {
    Hello {
        version: PROTOCOL_VERSION,
        network: NETWORK,
        certificate: b"4509/02/001".to_vec(),
        epoch: StoreEpoch::from_bytes([9; 16]),
        clock: WALL,
    }
}

fn state() -> State {
    State {
        position: Position::new(1 << 10),
        roots: Roots {
            up: crate::hash::sha256(b"up"),
            sealed: crate::hash::sha256(b"sealed"),
            ..Roots::default()
        },
        taken: None,
        round: 0,
        pulling: false,
        ahead: None,
    }
}

pub(super) fn page_of(id: u32, records: &[Record]) -> Message {
    let raw = page::encode(records);
    Message::Page {
        id,
        length: raw.len() as u32,
        body: page::compress(&raw),
    }
}

pub(super) fn head(id: u32, next: u64, records: u32, remaining: u64) -> Message {
    Message::PageHead {
        id,
        next: Position::new(next),
        records,
        remaining,
    }
}

#[test]
fn strangers_are_told_nothing() {
    let with = |change: fn(&mut Hello)| {
        let mut victim = Victim::new(Role::Listener);
        let mut hello = hello();
        change(&mut hello);
        victim.say(&Message::Hello(hello));
        victim.refusal()
    };
    assert_eq!(
        with(|hello| hello.version += 1),
        Refusal::Version(PROTOCOL_VERSION + 1)
    );
    assert_eq!(
        with(|hello| hello.network = NetworkId::from_bytes([7; 32])),
        Refusal::Network
    );
    assert!(matches!(
        with(|hello| hello.certificate = b"4509/03".to_vec()),
        Refusal::Certificate(_)
    ));
}

/// Whoever counts on being known and is not is asked who he is, once.
#[test]
fn who_is_not_known_by_his_key_shows_his_certificate() {
    let brief = || Hello {
        certificate: Vec::new(),
        ..hello()
    };
    let asked = || {
        let mut victim = Victim::new(Role::Listener);
        victim.say(&Message::Hello(brief()));
        assert_eq!(std::mem::take(&mut victim.sent), [Message::Introduce]);
        assert_eq!(victim.closed, None);
        victim
    };
    let mut victim = asked();
    victim.say(&Message::Hello(brief()));
    assert!(matches!(victim.refusal(), Refusal::Certificate(_)));
    let mut victim = asked();
    victim.say(&Message::Hello(hello()));
    assert!(matches!(victim.sent[..], [Message::Hello(_), Message::State(_)]));
    // This side said its own certificate already.
    victim.say(&Message::Introduce);
    assert_eq!(victim.violation(), Violation::Unsolicited);
}

#[test]
fn units_not_in_line_are_refused() {
    let mut victim = Victim::new(Role::Listener);
    let scope = Scope::of(path("4509/02"));
    let now = Now {
        elapsed: Duration::ZERO,
        wall: WALL,
    };
    victim.session = Session::new(config(&scope, &path("4509/03/001"), None), Role::Listener, now);
    assert_eq!(
        config(&scope, &path("4509/03/001"), None).peer,
        node_key("4509/03/001")
    );
    let certificate = b"4509/03/001".to_vec();
    victim.say(&Message::Hello(Hello {
        certificate,
        ..hello()
    }));
    assert_eq!(victim.refusal(), Refusal::NotInLine(path("4509/03/001")));
}

#[test]
fn a_dialer_shows_nothing_but_its_hello_to_whom_it_does_not_know() {
    let mut victim = Victim::new(Role::Dialer);
    assert!(matches!(victim.sent[..], [Message::Hello(_)]));
    victim.say(&Message::Hello(Hello {
        network: NetworkId::from_bytes([7; 32]),
        ..hello()
    }));
    assert_eq!(victim.sent.len(), 1);
    assert_eq!(victim.closed, Some(Refusal::Network.into()));
}

#[test]
fn first_frames_are_short_and_introduce() {
    let mut victim = Victim::new(Role::Listener);
    victim.feed(Input::Frame(vec![0; MAX_HELLO_FRAME + 1]));
    assert_eq!(
        victim.violation(),
        Violation::FrameTooLong {
            bytes: MAX_HELLO_FRAME + 1
        }
    );
    for message in [
        Message::State(state()),
        Message::Bye { code: 1 },
        Message::Since {
            id: 0,
            after: Position::START,
            limit: 1,
        },
    ] {
        let mut victim = Victim::new(Role::Listener);
        victim.say(&message);
        assert!(victim.sent.is_empty());
        assert_eq!(victim.violation(), Violation::BeforeHello);
    }
    let mut victim = Victim::new(Role::Listener);
    victim.feed(Input::Frame(b"GET / HTTP/1.1\r\n\r\n".to_vec()));
    assert!(matches!(victim.violation(), Violation::Malformed(_)));
}

#[test]
fn frames_out_of_place_are_refused() {
    for (message, violation) in [
        (Message::Hello(hello()), Violation::SecondHello),
        (head(77, 1, 1, 0), Violation::Unsolicited),
        (page_of(77, &[]), Violation::Unsolicited),
        (
            Message::Described {
                id: 0,
                descriptions: Few::new(vec![]),
            },
            Violation::Unsolicited,
        ),
        (
            Message::Listed {
                id: 0,
                listings: Few::new(vec![]),
            },
            Violation::Unsolicited,
        ),
    ] {
        let mut victim = Victim::open();
        victim.say(&message);
        let code = violation.code();
        assert!(matches!(victim.sent.last(), Some(Message::Bye { code: told }) if *told == code));
        assert_eq!(victim.violation(), violation);
    }
    let mut victim = Victim::open();
    victim.feed(Input::Frame(vec![0; MAX_FRAME + 1]));
    assert_eq!(
        victim.violation(),
        Violation::FrameTooLong { bytes: MAX_FRAME + 1 }
    );
}

#[test]
fn nothing_outside_the_shared_scope_is_answered() {
    let other = path("4509/02/002");
    let log = Author::new(
        2,
        NETWORK,
        Space::up(other.clone()),
        crate::id::CertificateId::from_bytes([0; 32]),
    )
    .log();
    let item = ItemRef {
        path: other.clone(),
        id: ItemId::from_bytes([1; 32]),
    };
    for message in [
        Message::Describe {
            id: 0,
            tree: Tree::Up,
            paths: Few::new(vec![path("4509/02")]),
        },
        Message::Describe {
            id: 0,
            tree: Tree::Down,
            paths: Few::new(vec![other.clone()]),
        },
        Message::List {
            id: 0,
            tree: Tree::Up,
            asks: Few::new(vec![ListAsk { path: other, skip: 0 }]),
        },
        Message::Logs {
            id: 0,
            ranges: Few::new(vec![LogRange { log, from: 1, to: 9 }]),
            limit: 9,
        },
        Message::Fetch {
            id: 0,
            kind: BlobKind::Sealed,
            items: Few::new(vec![item]),
            limit: 9,
        },
    ] {
        let mut victim = Victim::open();
        victim.say(&message);
        assert_eq!(victim.violation(), Violation::OutOfScope, "{message:?}");
    }
    // Above the shared scope, a place tells only of itself.
    let mut victim = Victim::open();
    victim.say(&Message::Describe {
        id: 0,
        tree: Tree::Credentials,
        paths: Few::new(vec![path("4509/02")]),
    });
    let Some(Message::Described { descriptions, .. }) = victim.sent.last() else {
        panic!("an answer");
    };
    assert!(descriptions.as_slice()[0].twigs.as_slice().is_empty());
}

#[test]
fn endless_requests_end() {
    let ask = |id| Message::Since {
        id,
        after: Position::START,
        limit: u32::MAX,
    };
    let mut victim = Victim::open();
    for id in 0..10_000 {
        victim.say(&ask(id));
        if victim.closed.is_some() {
            break;
        }
    }
    assert_eq!(victim.violation(), Violation::TooFast);
    // One that asks but does not read: the driver does not poll.
    let mut victim = Victim::open();
    for id in 0..20 {
        let now = Now {
            elapsed: victim.now,
            wall: WALL,
        };
        let frame = Input::Frame(ask(id).encode());
        victim
            .session
            .handle(frame, &victim.replica, now, &mut victim.rng);
    }
    victim.poll();
    assert_eq!(victim.violation(), Violation::TooManyRequests);
}

#[test]
fn who_keeps_silent_is_left() {
    let mut victim = Victim::new(Role::Listener);
    victim.now = Duration::from_secs(10);
    victim.feed(Input::Tick);
    assert_eq!(victim.closed, Some(Late::Hello.into()));
    let mut victim = Victim::new(Role::Listener);
    victim.say(&Message::Hello(hello()));
    victim.now = Duration::from_secs(10);
    victim.feed(Input::Tick);
    assert_eq!(victim.closed, Some(Late::State.into()));
    let mut victim = Victim::open();
    victim.now = Duration::from_secs(120);
    victim.feed(Input::Tick);
    assert_eq!(victim.closed, Some(Late::Answer.into()));
    // Chatter instead of answers does not help for long.
    let mut victim = Victim::open();
    while victim.closed.is_none() && victim.now < Duration::from_secs(3600) {
        victim.now += Duration::from_secs(30);
        victim.say(&Message::State(state()));
        victim.feed(Input::Tick);
    }
    assert_eq!(victim.closed, Some(Late::Answer.into()));
    assert_eq!(victim.now, Duration::from_secs(600));
}

/// A peer whose tree goes on for ever, below or beside: the repair gives up.
#[test]
fn endless_trees_end() {
    let mut victim = Victim::open();
    let mut answered = 0;
    for round in 0..2000u32 {
        let asked = victim.sent.iter().rev().find_map(|message| match message {
            Message::Describe { id, paths, .. } => Some((*id, paths.as_slice().len())),
            _ => None,
        });
        let Some((id, count)) = asked else { break };
        victim.sent.clear();
        let description = |at: usize| crate::session::message::Description {
            own: None,
            twigs: Few::new(
                (0..60)
                    .map(|child| crate::session::message::Twig {
                        label: format!("{child}"),
                        subtree: crate::hash::sha256(&[round as u8, at as u8, child]).into(),
                        own: None,
                        children: None,
                    })
                    .collect(),
            ),
        };
        victim.say(&Message::Described {
            id,
            descriptions: Few::new((0..count).map(description).collect()),
        });
        answered += 1;
        if victim.closed.is_some() {
            break;
        }
    }
    eprintln!("{answered} answers");
    let violation = victim.violation();
    assert!(
        matches!(violation, Violation::EndlessTree | Violation::Malformed(_)),
        "{violation}"
    );
}

#[test]
fn questions_are_asked_one_at_a_time_and_answered_only_when_asked() {
    let ask = |id, length| Message::Ask {
        id,
        topic: 1,
        body: vec![0; length],
    };
    let mut hasty = Victim::open();
    hasty.say(&ask(1, 10));
    hasty.feed(Input::Answer(b"here".to_vec()));
    hasty.say(&ask(2, 10));
    assert_eq!(hasty.closed, None);
    hasty.say(&ask(3, 10));
    assert_eq!(hasty.violation(), Violation::TooManyRequests);

    let mut long = Victim::open();
    long.say(&ask(1, MAX_BODY + 1));
    assert!(matches!(long.violation(), Violation::FrameTooLong { .. }));

    let mut unasked = Victim::open();
    unasked.say(&Message::Answer {
        id: 0,
        body: Vec::new(),
    });
    assert_eq!(unasked.violation(), Violation::Unsolicited);

    let mut other = Victim::open();
    other.feed(Input::Ask {
        topic: 1,
        body: Vec::new(),
    });
    let asked = other.sent.iter().find_map(|message| match message {
        Message::Ask { id, .. } => Some(*id),
        _ => None,
    });
    let id = asked.expect("it was asked") + 1;
    other.say(&Message::Answer { id, body: Vec::new() });
    assert_eq!(other.violation(), Violation::Unsolicited);
}

#[test]
fn a_question_that_is_never_answered_ends_the_session() {
    let mut victim = Victim::open();
    victim.feed(Input::Ask {
        topic: 1,
        body: Vec::new(),
    });
    // The peer goes on to say where it stands, and to answer what else it is asked.
    victim.now += Limits::default().answer;
    victim.feed(Input::Tick);
    assert_eq!(victim.closed, Some(CloseReason::Late(Late::Answer)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Frames of any bytes, and honest messages in any order with any byte changed: the session ends with a
    /// reason or goes on, and never panics.
    #[test]
    fn no_frame_does_harm(
        frames in proptest::collection::vec(
            (0u8..14, any::<u32>(), any::<u64>(), any::<prop::sample::Index>(), proptest::option::of(any::<u8>())),
            1..20,
        ),
        is_open in any::<bool>(),
        noise in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut victim = if is_open { Victim::open() } else { Victim::streaming() };
        for (kind, id, number, at, byte) in frames {
            let id = id % 6;
            let paths = Few::new(vec![path("4509/02/001"), path("4509/02/001/001")]);
            let message = match kind {
                0 => head(id, number, 1, number / 2),
                1 => head(id, number % 10, 0, 0),
                2 => page_of(id, &[]),
                3 => Message::Since { id, after: Position::new(number), limit: number as u32 },
                4 => Message::Describe { id, tree: Tree::Up, paths },
                5 => Message::List {
                    id,
                    tree: Tree::Credentials,
                    asks: Few::new(vec![ListAsk { path: path("4509/02/001/001"), skip: number }]),
                },
                6 => Message::State(State { position: Position::new(number), pulling: id > 3, round: id, ..state() }),
                7 => Message::Described { id, descriptions: Few::new(vec![]) },
                8 => Message::Listed { id, listings: Few::new(vec![]) },
                9 => {
                    let log = Author::new(1, NETWORK, Space::up(path("4509/02/001/001")), crate::id::CertificateId::from_bytes([0; 32])).log();
                    Message::Logs { id, ranges: Few::new(vec![LogRange { log, from: number, to: u64::MAX }]), limit: id }
                }
                10 => Message::Page { id, length: number as u32, body: noise.clone() },
                11 => Message::Ask { id, topic: id as u16, body: noise.clone() },
                12 => Message::Answer { id, body: noise.clone() },
                _ => Message::Bye { code: id as u16 },
            };
            let mut frame = message.encode();
            if let Some(byte) = byte {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            victim.now += Duration::from_millis(number % 5000);
            victim.feed(Input::Frame(frame));
            victim.feed(Input::Tick);
        }
        victim.feed(Input::Frame(noise));
    }
}
