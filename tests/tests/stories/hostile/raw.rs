//! A peer that opens streams and writes into them what it likes.

use std::time::Duration;

use anjuan_sync::transport::PeerAddr;
use futures::StreamExt as _;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Stream, StreamProtocol, Swarm, SwarmBuilder, noise, ping, tcp};
use libp2p_yamux as yamux;

/// Longer than any node keeps up with it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Pings are answered, or the node would hang up for that.
#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: libp2p_stream::Behaviour,
    pings: ping::Behaviour,
}

/// Connects and opens a sync stream, to be held by whoever wants the connection to stay.
pub(super) async fn sync_stream(node: &PeerAddr) -> Result<Stream, String> {
    let mut swarm: Swarm<Behaviour> = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .map_err(|error| error.to_string())?
        .with_behaviour(|_| Behaviour {
            streams: libp2p_stream::Behaviour::new(),
            pings: ping::Behaviour::default(),
        })
        .map_err(|error| error.to_string())?
        .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
        .build();
    let mut control = swarm.behaviour().streams.new_control();
    let address = node.addresses()[0].clone();
    let dial = DialOpts::unknown_peer_id().address(address).build();
    swarm.dial(dial).map_err(|error| error.to_string())?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { .. } => break,
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.to_string()),
            _ => {}
        }
    }
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    let opened = control.open_stream(node.peer(), StreamProtocol::new("/anjuan/sync/1"));
    opened.await.map_err(|error| error.to_string())
}
