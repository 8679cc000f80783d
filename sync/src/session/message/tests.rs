use proptest::prelude::*;

use super::*;
use crate::hash::Digest;
use crate::id::{AuthorKey, LogEpoch, UpdateId};
use crate::log::{Head, LogState};
use crate::path::Space;

fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn log_item(state: LogState) -> LogItem {
    LogItem {
        author: AuthorKey::from_bytes([1; 32]),
        epoch: LogEpoch::from_bytes([2; 16]),
        state,
    }
}

fn samples() -> Vec<Message> {
    let head = Head {
        seq: 300,
        id: UpdateId::from_bytes([3; 32]),
    };
    let forked = LogState::Forked {
        seq: 4,
        first: UpdateId::from_bytes([5; 32]),
        second: UpdateId::from_bytes([6; 32]),
    };
    let item = ItemRef {
        path: path("4509/02"),
        id: ItemId::from_bytes([7; 32]),
    };
    let twig = Twig {
        label: "02".into(),
        subtree: digest(8).into(),
        own: Some(digest(9).into()),
        children: Some(Few::new(vec![Bud {
            label: "001".into(),
            subtree: digest(10).into(),
            ends: true,
        }])),
    };
    let bare = Twig {
        own: None,
        children: None,
        ..twig.clone()
    };
    vec![
        Message::Hello(Hello {
            version: PROTOCOL_VERSION,
            network: NetworkId::from_bytes([1; 32]),
            certificate: vec![1, 2, 3],
            epoch: StoreEpoch::from_bytes([2; 16]),
            clock: Timestamp::from_millis(1_700_000_000_000),
        }),
        Message::State(State {
            position: Position::new(1000),
            roots: Roots {
                credentials: digest(1),
                up: digest(2),
                down: digest(3),
                sealed: digest(4),
            },
            taken: Some(Position::new(7)),
            round: 1,
            pulling: true,
            ahead: None,
        }),
        Message::Since {
            id: 1,
            after: Position::new(70_000),
            limit: 65_536,
        },
        Message::Describe {
            id: 2,
            tree: Tree::Down,
            paths: Few::new(vec![path("4509"), path("4509/02")]),
        },
        Message::List {
            id: 3,
            tree: Tree::Sealed,
            asks: Few::new(vec![ListAsk {
                path: path("4509/02"),
                skip: 4096,
            }]),
        },
        Message::Logs {
            id: 4,
            ranges: Few::new(vec![LogRange {
                log: LogId {
                    space: Space::up(path("4509/02")),
                    author: AuthorKey::from_bytes([1; 32]),
                    epoch: LogEpoch::from_bytes([2; 16]),
                },
                from: 1,
                to: 99,
            }]),
            limit: 1,
        },
        Message::Fetch {
            id: 5,
            kind: BlobKind::Credential,
            items: Few::new(vec![item]),
            limit: 2,
        },
        Message::PageHead {
            id: 6,
            next: Position::new(5),
            records: 3,
            remaining: 12,
        },
        Message::Page {
            id: 7,
            length: 9,
            body: vec![1, 2, 3, 4],
        },
        Message::Described {
            id: 8,
            descriptions: Few::new(vec![Description {
                own: None,
                twigs: Few::new(vec![twig, bare]),
            }]),
        },
        Message::Listed {
            id: 9,
            listings: Few::new(vec![
                Listing {
                    leaves: Leaves::Logs(Few::new(vec![log_item(LogState::Whole(head)), log_item(forked)])),
                    more: false,
                },
                Listing {
                    leaves: Leaves::Ids(Few::new(vec![ItemId::from_bytes([7; 32])])),
                    more: true,
                },
            ]),
        },
        Message::Bye { code: 9 },
        Message::Lacking {
            id: 10,
            tree: Tree::Up,
            places: Few::new(vec![Heads {
                path: path("4509/02"),
                logs: Few::new(vec![
                    ShortHead::from(&log_item(LogState::Whole(head))),
                    ShortHead::from(&log_item(forked)),
                ]),
            }]),
            limit: 3,
        },
        Message::Lacked {
            id: 10,
            answered: 2,
            unclear: Few::new(vec![1]),
            records: 300,
        },
        Message::Introduce,
        Message::Busy { id: 11, millis: 3000 },
        Message::Ask {
            id: 12,
            topic: 1,
            body: vec![5, 6],
        },
        Message::Answer {
            id: 12,
            body: vec![7],
        },
    ]
}

/// The bytes of each message, by their hash where they are long. A change here is a new protocol version.
#[test]
fn the_encoding_of_every_message_is_pinned() {
    let pinned = [
        "64757f8de9247d577365a192d19d99b492794af064d2d3acc837253d9e0bdfc2",
        "d15e966279f52b12642c64fb2aab6ecf8b5b39dda80a08e91f24d62ce9df16e9",
        "820283011a000111701a00010000",
        "820383020282643435303967343530392f3032",
        "8204830303818267343530392f3032191000",
        "9c7aec2c8e890850dfe52435f7c34ab8b1b7a0e5ad681abfeaf1678fffdec23c",
        "0ab51b8c31345244d439463cdd35d2fc22b90c6d4d66665f9dac68f105e07162",
        "8207840605030c",
        "82088307094401020304",
        "9ba2e383dadb20f7a0c4f2c0dacfafe88a463207bd8c191142f224798fff0d9e",
        "4fd0b3f797340db6e8030bdd4b3c76b0bf87cad3a4e7787e49fc9f5c79d7cb08",
        "820b8109",
        "41259c95791880682029be05564f5a4890beade323824a53a9e11fa9b08427d2",
        "820d840a02810119012c",
        "820e80",
        "820f820b190bb8",
        "8210830c01420506",
        "8211820c4107",
    ];
    let bytes: Vec<_> = samples()
        .iter()
        .map(|message| match message.encode() {
            short if short.len() <= 40 => hex::encode(short),
            long => crate::hash::sha256(&long).to_string(),
        })
        .collect();
    assert_eq!(bytes, pinned);
}

#[test]
fn what_is_written_is_read() {
    for message in samples() {
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn damaged_frames_are_refused_by_name() {
    for message in samples() {
        let frame = message.encode();
        for end in 0..frame.len() {
            assert!(
                matches!(Message::decode(&frame[..end]), Err(Violation::Malformed(_))),
                "{message:?}"
            );
        }
        let mut longer = frame;
        longer.push(0);
        assert!(matches!(Message::decode(&longer), Err(Violation::Malformed(_))));
    }
    let long = vec![0; MAX_FRAME + 1];
    let refused = Violation::FrameTooLong { bytes: long.len() };
    assert_eq!(Message::decode(&long), Err(refused));
}

#[test]
fn overlong_lists_are_refused_by_name() {
    // What `Few` does not let us write, a peer can.
    let mut frame = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut frame);
    encoder.array(2).expect("written").u8(3).expect("written");
    encoder
        .array(3)
        .expect("written")
        .u8(1)
        .expect("written")
        .u8(1)
        .expect("written");
    encoder.array(MAX_PATHS as u64 + 1).expect("written");
    for _ in 0..=MAX_PATHS {
        encoder.str("4509").expect("written");
    }
    assert_eq!(Message::decode(&frame), Err(Violation::TooManyItems));
    // A list that says it is endless, and a length that no frame could hold.
    for list in [
        &[0x9f][..],
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] {
        let frame = [&[0x82, 3, 0x83, 1, 1][..], list].concat();
        assert!(matches!(Message::decode(&frame), Err(Violation::Malformed(_))));
    }
}

/// A node built before there were any says States of five fields, and passes over a sixth as over a seventh here.
#[test]
fn a_standing_request_is_one_more_field_of_a_state() {
    let state = State {
        position: Position::new(9),
        roots: Roots::default(),
        taken: Some(Position::new(7)),
        round: 0,
        pulling: false,
        ahead: None,
    };
    let bytes = |state: &State| minicbor::to_vec(state).expect("written");
    let bare = bytes(&state);
    let asking = State {
        ahead: Some(5),
        ..state
    };
    assert_eq!(bare[0], 0x85, "an array of five");
    assert_eq!(bytes(&asking), [&[0x86], &bare[1..], &[5]].concat());
    let later = [&[0x87], &bare[1..], &[5, 1]].concat();
    assert_eq!(minicbor::decode::<State>(&later).expect("read"), asking);
}

proptest! {
    /// Whatever bytes come, decoding neither panics nor takes long.
    #[test]
    fn random_frames_are_refused(frame in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::decode(&frame);
    }

    #[test]
    fn changed_frames_do_no_harm(which in 0usize..12, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut frame = samples()[which].encode();
        let at = at.index(frame.len());
        frame[at] = byte;
        if let Ok(message) = Message::decode(&frame) {
            let _ = message.encode();
        }
    }
}
