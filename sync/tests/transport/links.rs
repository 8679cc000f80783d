//! Links between honest peers.

use std::time::Duration;

use anjuan_sync::transport::{
    Backoff, CloseReason, Cut, DialError, Event, Limits, Link, LinkError, PeerAddr, Role, TransportKind,
};

use crate::peer::{Over, Peer, assert_talks, limits, public, within};

#[tokio::test]
async fn frames_of_all_sizes_arrive_whole_and_in_order_over_tcp_and_quic() {
    for over in Over::BOTH {
        let (mut county, mut village) = (Peer::new(1).await, Peer::new(2).await);
        let (mut up, mut down) = village.connect(&mut county, over).await;
        assert_talks(&mut up, &mut down).await;

        let sizes = [1, 100, 16 * 1024, 65_535, 65_536, 512 * 1024, 1024 * 1024, 3];
        let frame = |at: usize, size: usize| vec![at as u8; size];
        let sending = tokio::spawn(async move {
            for (at, size) in sizes.into_iter().enumerate() {
                up.send(&frame(at, size)).await.expect("sent");
            }
            up
        });
        for (at, size) in sizes.into_iter().enumerate() {
            assert!(
                within(down.recv()).await.expect("a frame") == frame(at, size),
                "frame {at}"
            );
        }
        sending.await.expect("all sent");
    }
}

#[tokio::test]
async fn a_link_knows_who_where_and_how() {
    for (over, kind) in [(Over::Tcp, TransportKind::Tcp), (Over::Quic, TransportKind::Quic)] {
        let limits = Limits {
            ping_interval: Duration::from_millis(20),
            ..limits()
        };
        let mut county = Peer::with(1, limits.clone()).await;
        let mut village = Peer::with(2, limits).await;
        let (up, down) = village.connect(&mut county, over).await;
        assert_eq!(
            (up.control().peer(), up.control().role()),
            (public(1), Role::Dialer)
        );
        assert_eq!(
            (down.control().peer(), down.control().role()),
            (public(2), Role::Listener)
        );
        assert_eq!(
            (up.control().transport(), down.control().transport()),
            (kind, kind)
        );
        assert!(
            county.address(over).addresses()[0]
                .to_string()
                .starts_with("/ip4/127.0.0.1/")
        );
        within(async {
            while up.control().round_trip().is_none() || down.control().round_trip().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_goodbye_comes_after_all_frames_and_says_why() {
    for over in Over::BOTH {
        let (mut county, mut village) = (Peer::new(1).await, Peer::new(2).await);
        let (mut up, mut down) = village.connect(&mut county, over).await;
        let last = vec![7; 200 * 1024];
        let closing = tokio::spawn(async move {
            up.send(&[7; 200 * 1024]).await.expect("sent");
            up.close(CloseReason::Busy).await;
        });
        assert!(within(down.recv()).await.expect("the last frame") == last);
        assert_eq!(
            within(down.recv()).await,
            Err(LinkError::Goodbye(CloseReason::Busy))
        );
        drop(down);
        closing.await.expect("closed");
    }
}

/// Sends a greeting on each new link and answers nothing; returns the newest link once a greeting came over
/// it, and makes sure that all others have ended.
async fn settle(peer: &mut Peer) -> Link {
    let mut ended = Vec::new();
    let mut current: Option<Link> = None;
    loop {
        let Some(link) = &mut current else {
            let mut link = peer.link().await;
            link.control().accept();
            let _ = link.send(b"greeting").await;
            current = Some(link);
            continue;
        };
        tokio::select! {
            event = peer.events.recv() => if let Some(Event::Connected(mut newer)) = event {
                newer.control().accept();
                let _ = newer.send(b"greeting").await;
                ended.extend(current.replace(newer));
            },
            frame = link.recv() => match frame {
                Ok(_) => break,
                Err(_) => current = None,
            },
        }
    }
    for mut old in ended {
        while within(old.recv()).await.is_ok() {}
    }
    current.expect("a link")
}

#[tokio::test]
async fn two_that_dial_each_other_at_once_end_up_with_one_link() {
    for round in 0..12 {
        let over = Over::BOTH[round % 2];
        let (mut a, mut b) = (Peer::new(1).await, Peer::new(2).await);
        a.endpoint.keep_connected(b.address(over)).await;
        b.endpoint.keep_connected(a.address(over)).await;
        // Either may still be replaced by the other's when a greeting has come: until both hold the same.
        within(async {
            loop {
                let (mut at_a, mut at_b) = tokio::join!(settle(&mut a), settle(&mut b));
                let there = at_a.send(b"question").await.is_ok() && at_b.recv().await.is_ok();
                let back = there && at_b.send(b"answer").await.is_ok() && at_a.recv().await.is_ok();
                if back {
                    assert_talks(&mut at_a, &mut at_b).await;
                    break;
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_second_dial_finds_the_link_that_is_there() {
    let (mut county, mut village) = (Peer::new(1).await, Peer::new(2).await);
    let (mut up, mut down) = village.connect(&mut county, Over::Tcp).await;
    for over in Over::BOTH {
        within(village.endpoint.dial(&county.address(over)))
            .await
            .expect("there is one");
        within(county.endpoint.dial(&village.address(over)))
            .await
            .expect("there is one");
    }
    assert_talks(&mut up, &mut down).await;
    assert!(village.events.try_recv().is_err() && county.events.try_recv().is_err());
}

#[tokio::test]
async fn a_peer_that_comes_back_replaces_the_link_it_lost() {
    let (mut county, mut village) = (Peer::new(1).await, Peer::new(2).await);
    let (_up, mut down) = village.connect(&mut county, Over::Tcp).await;
    // Another process with the village's key: to the county, the village after a loss of power.
    let mut again = Peer::new(2).await;
    let (mut up, mut newer) = again.connect(&mut county, Over::Tcp).await;
    assert_eq!(within(down.recv()).await, Err(LinkError::Cut(Cut::Replaced)));
    assert_eq!(down.send(b"too late").await, Err(LinkError::Cut(Cut::Replaced)));
    assert_talks(&mut up, &mut newer).await;
}

#[tokio::test]
async fn a_kept_peer_is_reached_again_after_it_restarts() {
    for over in Over::BOTH {
        // Nobody says over QUIC that nobody is there.
        let quick = Limits {
            handshake: Duration::from_secs(1),
            ..limits()
        };
        let (mut county, mut village) = (Peer::new(1).await, Peer::with(2, quick).await);
        let address = county.address(over);
        let listen = address.addresses().to_vec();
        village.endpoint.keep_connected(address).await;
        let (mut up, down) = (village.link().await, county.link().await);
        up.control().accept();

        drop(down);
        county.endpoint.stop().await;
        within(up.recv()).await.expect_err("the link has ended");
        drop(up);
        let failed = within(async {
            loop {
                if let Some(Event::DialFailed { peer, error, .. }) = village.events.recv().await {
                    return (peer, error);
                }
            }
        });
        assert!(matches!(failed.await, (peer, DialError::Unreachable(_)) if peer == public(1)));

        let mut county = Peer::start(1, &listen, limits()).await;
        let (mut up, mut down) = (village.link().await, county.link().await);
        assert_talks(&mut up, &mut down).await;
    }
}

#[tokio::test]
async fn a_kept_peer_that_is_forgotten_is_dialled_no_more() {
    let (mut county, mut village) = (Peer::new(1).await, Peer::new(2).await);
    village.endpoint.keep_connected(county.address(Over::Tcp)).await;
    let (up, down) = (village.link().await, county.link().await);
    village.endpoint.forget(public(1)).await;
    drop((up, down));
    // Had the county been redialled, this dial would find that link, or the event would be the second.
    let (mut up, mut down) = village.connect(&mut county, Over::Quic).await;
    assert_eq!(up.control().transport(), TransportKind::Quic);
    assert_talks(&mut up, &mut down).await;
}

#[tokio::test]
async fn a_peer_is_found_by_name() {
    let (mut county, mut village) = (Peer::new(1).await, Peer::new(2).await);
    let bare = county.address(Over::Tcp).addresses()[0].to_string();
    let named = bare
        .replace("/ip4/127.0.0.1/", "/dns4/localhost/")
        .parse()
        .expect("a multiaddress");
    let address = PeerAddr::new(public(1), [named]).expect("an address to dial");
    within(village.endpoint.dial(&address)).await.expect("dialled");
    let (mut up, mut down) = (village.link().await, county.link().await);
    assert_talks(&mut up, &mut down).await;

    let nowhere = "/dns4/nowhere.invalid/tcp/1".parse().expect("a multiaddress");
    let nowhere = PeerAddr::new(public(3), [nowhere]).expect("an address to dial");
    let refused = within(village.endpoint.dial(&nowhere)).await;
    assert!(matches!(refused, Err(DialError::Name { ref name, .. }) if name == "nowhere.invalid"));
}

#[tokio::test]
async fn somebody_else_at_the_address_is_told_apart_from_nobody() {
    let (county, village) = (Peer::new(1).await, Peer::new(2).await);
    for over in Over::BOTH {
        let address = county.address(over).addresses()[0].clone();
        let expected = PeerAddr::new(public(3), [address]).expect("an address to dial");
        let error = within(village.endpoint.dial(&expected))
            .await
            .expect_err("another peer");
        assert!(matches!(error, DialError::OtherPeer { .. }), "{error}");
    }
    let nobody = county.address(Over::Tcp);
    county.endpoint.stop().await;
    let error = within(village.endpoint.dial(&nobody)).await.expect_err("nobody");
    assert!(matches!(error, DialError::Unreachable(_)), "{error}");
    let own = PeerAddr::new(public(3), village.address(Over::Tcp).addresses().to_vec());
    let error = within(village.endpoint.dial(&own.expect("an address")))
        .await
        .expect_err("itself");
    assert!(
        matches!(error, DialError::Unreachable(_) | DialError::Own(_)),
        "{error}"
    );
}

#[tokio::test]
async fn a_refused_peer_is_cut_off_and_let_in_again_after_its_time() {
    let backoff = Backoff {
        first: Duration::from_millis(20),
        most: Duration::from_millis(20),
    };
    let mut county = Peer::new(1).await;
    let mut village = Peer::with(2, Limits { backoff, ..limits() }).await;
    let (mut up, mut down) = village.connect(&mut county, Over::Tcp).await;
    county.endpoint.refuse(public(2), Duration::from_secs(3600)).await;
    assert_eq!(within(down.recv()).await, Err(LinkError::Cut(Cut::Refused)));
    within(up.recv()).await.expect_err("cut off");
    drop((up, down));
    let error = within(village.endpoint.dial(&county.address(Over::Tcp)))
        .await
        .expect_err("refused");
    assert!(matches!(error, DialError::TurnedAway(_)), "{error}");
    let error = within(county.endpoint.dial(&village.address(Over::Tcp))).await;
    assert_eq!(error, Err(DialError::Refused));

    county.endpoint.refuse(public(2), Duration::from_millis(50)).await;
    village.endpoint.keep_connected(county.address(Over::Quic)).await;
    let (mut up, mut down) = (village.link().await, county.link().await);
    assert_talks(&mut up, &mut down).await;
}

#[tokio::test]
async fn stopping_ends_links_on_both_sides() {
    let (mut county, mut village) = (Peer::new(1).await, Peer::new(2).await);
    let (mut up, mut down) = village.connect(&mut county, Over::Quic).await;
    county.endpoint.stop().await;
    assert_eq!(within(down.recv()).await, Err(LinkError::Cut(Cut::Shutdown)));
    within(up.recv()).await.expect_err("ended");
    assert!(within(county.events.recv()).await.is_none());
}
