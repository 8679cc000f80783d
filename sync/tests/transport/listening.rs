//! Where an endpoint listens.

use anjuan_sync::transport::{Config, Endpoint, TransportError};
use libp2p::Multiaddr;

use crate::peer::{Over, Peer, key, limits};

async fn start(listen: Multiaddr) -> Result<Endpoint, TransportError> {
    let config = Config {
        key: key(9),
        listen: vec![listen],
        mdns: false,
        limits: limits(),
        seed: [9; 32],
    };
    Endpoint::start(config).await.map(|(endpoint, _)| endpoint)
}

#[tokio::test]
async fn a_port_in_use_is_named_and_free_again_after_a_stop() {
    for over in Over::BOTH {
        let first = Peer::start(1, &[over.any_port()], limits()).await;
        let address = first.endpoint.listen_addresses()[0].clone();
        let error = start(address.clone()).await.expect_err("in use");
        assert_eq!(error, TransportError::PortInUse(address.clone()));
        assert!(error.to_string().contains(&address.to_string()), "{error}");

        first.endpoint.stop().await;
        start(address).await.expect("free again").stop().await;
    }
}

#[tokio::test]
async fn the_actual_ports_are_told() {
    let peer = Peer::new(1).await;
    let addresses = peer.endpoint.listen_addresses();
    assert_eq!(addresses.len(), 2);
    for address in addresses {
        let text = address.to_string();
        assert!(
            text.starts_with("/ip4/127.0.0.1/") && !text.contains("/0"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn addresses_that_cannot_be_listened_on_are_told_apart() {
    let foreign: Multiaddr = "/ip4/192.0.2.1/tcp/4509".parse().expect("a multiaddress");
    assert_eq!(
        start(foreign.clone()).await.expect_err("foreign"),
        TransportError::NotOurAddress(foreign)
    );
    for text in [
        "/dns4/localhost/tcp/0",
        "/ip4/127.0.0.1/udp/0/quic",
        "/ip4/127.0.0.1/tcp/0/ws",
        "/memory/1",
    ] {
        let address: Multiaddr = text.parse().expect("a multiaddress");
        assert_eq!(
            start(address.clone()).await.expect_err(text),
            TransportError::Unsupported(address)
        );
    }
}

#[tokio::test]
async fn listening_everywhere_names_no_place_that_is_nowhere() {
    for text in ["/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1"] {
        let endpoint = start(text.parse().expect("a multiaddress"))
            .await
            .expect("started");
        let addresses = endpoint.listen_addresses();
        let local = |address: &Multiaddr| address.to_string().starts_with("/ip4/127.0.0.1/");
        assert!(addresses.iter().any(local), "{addresses:?}");
        assert!(
            !addresses
                .iter()
                .any(|address| address.to_string().contains("/0.0.0.0/")),
            "{addresses:?}"
        );
        endpoint.stop().await;
    }
}
