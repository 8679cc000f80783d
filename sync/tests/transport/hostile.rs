//! Peers that don't keep to the rules: each is told off by name, while an honest peer goes on.

use std::time::Duration;

use anjuan_sync::transport::{Cut, FrameError, Limits, Link, LinkError};
use futures::AsyncWriteExt;

use crate::peer::{Over, Peer, RawEvent, RawPeer, assert_talks, limits, within};

/// A county with an honest village connected.
struct Scene {
    county: Peer,
    _village: Peer,
    up: Link,
    down: Link,
}

impl Scene {
    async fn new(limits: Limits) -> Self {
        let (mut county, mut village) = (Peer::with(1, limits).await, Peer::new(2).await);
        let (up, down) = village.connect(&mut county, Over::Tcp).await;
        Self {
            county,
            _village: village,
            up,
            down,
        }
    }

    async fn goes_on(mut self) {
        assert_talks(&mut self.up, &mut self.down).await;
    }
}

#[tokio::test]
async fn a_frame_too_long_is_refused_before_it_is_read() {
    let mut scene = Scene::new(limits()).await;
    let longer = Limits {
        frame: 4 * limits().frame,
        ..limits()
    };
    let mut hostile = Peer::with(3, longer.clone()).await;
    for (accepted, limit) in [(false, limits().frame_before_acceptance), (true, limits().frame)] {
        within(hostile.endpoint.dial(&scene.county.address(Over::Tcp)))
            .await
            .expect("dialled");
        let (mut from, mut to) = (hostile.link().await, scene.county.link().await);
        if accepted {
            to.control().accept();
        }
        let length = limit + 1;
        let sending = tokio::spawn(async move {
            let _ = from.send(&vec![0; length]).await;
            from
        });
        let error = within(to.recv()).await.expect_err("too long");
        assert_eq!(error, LinkError::Frame(FrameError::TooLong { length, limit }));
        drop(to);
        let mut from = within(sending).await.expect("sent or not");
        within(from.recv()).await.expect_err("disconnected");
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn an_own_frame_too_long_is_not_sent_and_the_link_stays() {
    let mut scene = Scene::new(limits()).await;
    let length = limits().frame + 1;
    let error = scene.up.send(&vec![0; length]).await.expect_err("too long");
    assert_eq!(
        error,
        LinkError::Frame(FrameError::TooLong {
            length,
            limit: limits().frame
        })
    );
    scene.goes_on().await;
}

#[tokio::test]
async fn before_acceptance_the_bytes_are_counted() {
    let mut scene = Scene::new(limits()).await;
    let mut hostile = Peer::new(3).await;
    within(hostile.endpoint.dial(&scene.county.address(Over::Quic)))
        .await
        .expect("dialled");
    let (mut from, mut to) = (hostile.link().await, scene.county.link().await);
    let sending = tokio::spawn(async move { while from.send(&[0; 10_000]).await.is_ok() {} });
    let limit = limits().bytes_before_acceptance;
    for _ in 0..limit / 10_000 {
        within(to.recv()).await.expect("a frame within the bound");
    }
    assert_eq!(
        within(to.recv()).await,
        Err(LinkError::BeforeAcceptance { limit })
    );
    drop(to);
    within(sending).await.expect("the sender has ended");
    scene.goes_on().await;
}

#[tokio::test]
async fn frames_cut_off_stalled_empty_or_never_begun_are_told_apart() {
    let short = Duration::from_millis(200);
    let mut scene = Scene::new(Limits {
        read_stall: short,
        first_frame: short * 2,
        ..limits()
    })
    .await;
    for over in Over::BOTH {
        let address = scene.county.address(over);

        let mut raw = RawPeer::new(3);
        let mut stalling = raw.sync_stream(&address).await;
        stalling
            .write_all(&[0, 0, 0, 100, 1, 2, 3])
            .await
            .expect("written");
        stalling.flush().await.expect("written");
        let error = within(scene.county.link().await.recv()).await;
        assert_eq!(error, Err(LinkError::Frame(FrameError::Stalled { received: 7 })));

        let mut raw = RawPeer::new(4);
        let mut cut_off = raw.sync_stream(&address).await;
        cut_off
            .write_all(&[0, 0, 0, 100, 1, 2, 3])
            .await
            .expect("written");
        cut_off.close().await.expect("closed");
        let error = within(scene.county.link().await.recv()).await;
        assert_eq!(
            error,
            Err(LinkError::Frame(FrameError::Truncated { received: 7 }))
        );

        let mut raw = RawPeer::new(5);
        let mut empty = raw.sync_stream(&address).await;
        empty.write_all(&[0, 0, 0, 0]).await.expect("written");
        empty.flush().await.expect("written");
        let error = within(scene.county.link().await.recv()).await;
        assert_eq!(error, Err(LinkError::Frame(FrameError::Empty)));

        let mut raw = RawPeer::new(6);
        let _silent = raw.sync_stream(&address).await;
        let error = within(scene.county.link().await.recv()).await;
        assert_eq!(error, Err(LinkError::Frame(FrameError::Silent)));
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn a_first_frame_in_drips_gets_no_more_time() {
    let short = Duration::from_millis(300);
    let mut scene = Scene::new(Limits {
        first_frame: short,
        ..limits()
    })
    .await;
    let mut raw = RawPeer::new(3);
    let mut stream = raw.sync_stream(&scene.county.address(Over::Tcp)).await;
    let dripping = tokio::spawn(async move {
        stream.write_all(&[0, 0, 64, 0]).await.expect("written");
        while stream.write_all(&[0]).await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let error = within(scene.county.link().await.recv())
        .await
        .expect_err("too slow");
    assert!(
        matches!(error, LinkError::Frame(FrameError::Stalled { .. })),
        "{error}"
    );
    within(dripping).await.expect("disconnected");
    scene.goes_on().await;
}

#[tokio::test]
async fn a_link_that_is_not_accepted_is_closed_after_its_time() {
    let short = Limits {
        accept_within: Duration::from_millis(200),
        ..limits()
    };
    let mut scene = Scene::new(short).await;
    let mut stranger = Peer::new(3).await;
    within(stranger.endpoint.dial(&scene.county.address(Over::Tcp)))
        .await
        .expect("dialled");
    let (mut from, mut to) = (stranger.link().await, scene.county.link().await);
    from.control().accept();
    assert_eq!(within(to.recv()).await, Err(LinkError::Cut(Cut::NotAccepted)));
    within(from.recv()).await.expect_err("disconnected");

    // One that opens no stream at all, too.
    let mut raw = RawPeer::new(4);
    raw.connect(&scene.county.address(Over::Tcp)).await;
    assert_eq!(raw.event().await, RawEvent::Down);
    scene.goes_on().await;
}

#[tokio::test]
async fn sockets_that_say_nothing_hold_few_places_for_a_short_time() {
    let short = Limits {
        handshake: Duration::from_millis(500),
        pending_per_address: 4,
        ..limits()
    };
    let mut scene = Scene::new(short).await;
    let address = scene.county.address(Over::Tcp);
    let port = address.to_string().split('/').nth(4).expect("a port").to_owned();
    let mut sockets = Vec::new();
    for _ in 0..20 {
        let socket = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await;
        sockets.push(socket.expect("connected"));
    }
    // All of them are closed, most at once, the rest when their time is over.
    for socket in &mut sockets {
        use tokio::io::AsyncReadExt as _;
        let mut rest = Vec::new();
        let _ = within(socket.read_to_end(&mut rest)).await;
    }
    let mut honest = Peer::new(3).await;
    honest.endpoint.keep_connected(address).await;
    let (mut up, mut down) = (honest.link().await, scene.county.link().await);
    assert_talks(&mut up, &mut down).await;
    scene.goes_on().await;
}

#[tokio::test]
async fn connections_from_one_address_and_of_one_peer_are_bounded() {
    let few = Limits {
        unaccepted_per_address: 5,
        per_peer: 2,
        ..limits()
    };
    let scene = Scene::new(few).await;
    for over in Over::BOTH {
        let address = scene.county.address(over);
        // Of one peer: those too many are let through the handshake, and closed.
        let mut one = RawPeer::new(3);
        for _ in 0..8 {
            one.dial(&address);
        }
        let mut outcome = (0, 0, 0);
        while outcome.0 + outcome.2 < 8 || outcome.0 - outcome.1 > 2 {
            match one.event().await {
                RawEvent::Up => outcome.0 += 1,
                RawEvent::Down => outcome.1 += 1,
                RawEvent::NotUp => outcome.2 += 1,
            }
        }
        // Of many peers at one address.
        let mut many: Vec<_> = (10..30).map(RawPeer::new).collect();
        let mut held = 0;
        for raw in &mut many {
            raw.dial(&address);
            held += usize::from(raw.event().await == RawEvent::Up);
        }
        // QUIC is up for the dialer before the listener has looked at it.
        if over == Over::Tcp {
            assert_eq!(held, 5 - 2);
        }
        drop((one, many));
        within(async {
            // Until the county has seen them go.
            let mut raw = RawPeer::new(40);
            loop {
                raw.dial(&address);
                if raw.event().await == RawEvent::Up {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn a_peer_that_opens_streams_without_end_is_disconnected() {
    let scene = Scene::new(limits()).await;
    for (seed, over) in [(3, Over::Tcp), (4, Over::Quic)] {
        let address = scene.county.address(over);
        let mut raw = RawPeer::new(seed);
        raw.connect(&address).await;
        let mut held = Vec::new();
        let mut attempts = 0;
        while attempts < 50 {
            attempts += 1;
            match raw.open(address.peer(), "/anjuan/sync/1").await {
                Ok(stream) => held.push(stream),
                Err(_) => break,
            }
        }
        assert!(attempts < 50, "{} streams open", held.len());
        assert_eq!(raw.event().await, RawEvent::Down);
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn an_unknown_protocol_is_refused_and_the_connection_stays() {
    let mut scene = Scene::new(limits()).await;
    for (seed, over) in [(3, Over::Tcp), (4, Over::Quic)] {
        let address = scene.county.address(over);
        let mut raw = RawPeer::new(seed);
        raw.connect(&address).await;
        for protocol in ["/anjuan/sync/2", "/ipfs/id/1.0.0", "/meshsub/1.1.0"] {
            raw.open(address.peer(), protocol).await.expect_err(protocol);
        }
        let mut stream = raw
            .open(address.peer(), "/anjuan/sync/1")
            .await
            .expect("a stream");
        stream.write_all(&[0, 0, 0, 1, 7]).await.expect("written");
        stream.flush().await.expect("written");
        assert_eq!(within(scene.county.link().await.recv()).await, Ok(vec![7]));
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn a_peer_that_answers_no_pings_is_disconnected() {
    let fast = Limits {
        ping_interval: Duration::from_millis(50),
        ..limits()
    };
    let scene = Scene::new(fast).await;
    let mut raw = RawPeer::without_pings(3);
    raw.connect(&scene.county.address(Over::Tcp)).await;
    assert_eq!(raw.event().await, RawEvent::Down);
    scene.goes_on().await;
}
