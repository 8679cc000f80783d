//! Enrolment: one request, one answer.

use std::time::Duration;

use anjuan_sync::transport::{EnrolError, Limits, PeerAddr};
use futures::{AsyncReadExt, AsyncWriteExt};

use crate::peer::{Over, Peer, RawPeer, limits, public, within};

/// Takes requests and answers each with its reverse, but refuses one that begins with `no`.
fn serve(peer: Peer) {
    let Peer { endpoint, mut events } = peer;
    tokio::spawn(async move {
        let _running = endpoint;
        while let Some(event) = events.recv().await {
            if let anjuan_sync::transport::Event::Enrol(request) = event
                && !request.request.starts_with(b"no")
            {
                request.reply.answer(request.request.into_iter().rev().collect());
            }
        }
    });
}

async fn joiner() -> Peer {
    Peer::start(2, &[], limits()).await
}

#[tokio::test]
async fn a_request_is_answered_or_refused_over_tcp_and_quic() {
    for over in Over::BOTH {
        let (mut county, village) = (Peer::new(1).await, joiner().await);
        let address = county.address(over);
        let asking = {
            let (endpoint, address) = (village.endpoint.clone(), address.clone());
            tokio::spawn(async move { endpoint.enrol(&address, b"who asks").await })
        };
        let request = county.enrolment().await;
        assert_eq!(
            (request.peer, &request.request[..]),
            (public(2), &b"who asks"[..])
        );
        request.reply.answer(b"welcome".to_vec());
        assert_eq!(within(asking).await.expect("asked"), Ok(b"welcome".to_vec()));

        serve(county);
        assert_eq!(
            within(village.endpoint.enrol(&address, b"no")).await,
            Err(EnrolError::Refused)
        );
        let longest = vec![5; limits().enrol];
        assert_eq!(
            within(village.endpoint.enrol(&address, &longest)).await,
            Ok(longest)
        );
    }
}

#[tokio::test]
async fn a_request_too_long_is_not_sent_and_if_it_is_not_taken() {
    let (county, village) = (Peer::new(1).await, joiner().await);
    let address = county.address(Over::Tcp);
    serve(county);
    let long = vec![5; limits().enrol + 1];
    let error = within(village.endpoint.enrol(&address, &long))
        .await
        .expect_err("too long");
    assert_eq!(
        error,
        EnrolError::TooLong {
            length: long.len(),
            limit: limits().enrol
        }
    );

    let mut raw = RawPeer::new(3);
    raw.connect(&address).await;
    let mut stream = raw
        .open(address.peer(), "/anjuan/enrol/1")
        .await
        .expect("a stream");
    stream
        .write_all(&(long.len() as u32).to_be_bytes())
        .await
        .expect("written");
    stream.flush().await.expect("written");
    let mut answer = Vec::new();
    let read = within(stream.read_to_end(&mut answer)).await;
    assert!(read.is_err() || answer.is_empty());
    assert_eq!(
        within(village.endpoint.enrol(&address, b"abc")).await,
        Ok(b"cba".to_vec())
    );
}

#[tokio::test]
async fn too_many_requests_are_turned_away_for_the_period() {
    let few = Limits {
        enrol_per_address: 3,
        enrol_period: Duration::from_secs(3600),
        ..limits()
    };
    let (county, village) = (Peer::with(1, few).await, joiner().await);
    let address = county.address(Over::Quic);
    serve(county);
    for _ in 0..3 {
        assert_eq!(
            within(village.endpoint.enrol(&address, b"abc")).await,
            Ok(b"cba".to_vec())
        );
    }
    for _ in 0..3 {
        assert_eq!(
            within(village.endpoint.enrol(&address, b"abc")).await,
            Err(EnrolError::Busy)
        );
    }
}

#[tokio::test]
async fn requests_that_never_end_hold_a_bounded_number_of_places_for_a_bounded_time() {
    let short = Limits {
        enrol_at_once: 2,
        enrol_within: Duration::from_millis(300),
        enrol_per_address: 99,
        ..limits()
    };
    let (county, village) = (Peer::with(1, short).await, joiner().await);
    let address = county.address(Over::Tcp);
    serve(county);
    let mut held = Vec::new();
    for seed in 3..5 {
        let mut raw = RawPeer::new(seed);
        raw.connect(&address).await;
        let mut stream = raw
            .open(address.peer(), "/anjuan/enrol/1")
            .await
            .expect("a stream");
        stream.write_all(&[0, 0, 1]).await.expect("written");
        stream.flush().await.expect("written");
        held.push((raw, stream));
    }
    within(async {
        while village.endpoint.enrol(&address, b"abc").await != Ok(b"cba".to_vec()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let mut county = Peer::new(1).await;
    let short = Limits {
        enrol_within: Duration::from_millis(200),
        ..limits()
    };
    let village = Peer::start(2, &[], short.clone()).await;
    let address = county.address(Over::Tcp);
    let (answer, _request) = tokio::join!(village.endpoint.enrol(&address, b"hello"), county.enrolment());
    assert_eq!(answer, Err(EnrolError::Timeout(short.enrol_within)));

    county.endpoint.stop().await;
    let gone: PeerAddr = address;
    assert!(matches!(
        within(village.endpoint.enrol(&gone, b"hello")).await,
        Err(EnrolError::Dial(_))
    ));
}
