//! Setting up the swarm.

use std::sync::Arc;

use libp2p::core::transport::ListenerId;
use libp2p::identity::Keypair;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{Multiaddr, Swarm, SwarmBuilder, mdns, noise, ping, tcp};

use super::super::behaviour::{Behaviour, Streams};
use super::super::{Config, Limits, TransportError, listen, mux};

/// Inbound streams on one connection whose protocol is being agreed upon.
const NEGOTIATING: usize = 4;

/// A swarm for the node's key, within the limits, that listens nowhere yet.
pub(super) fn build(config: &Config, limits: &Arc<Limits>) -> Result<Swarm<Behaviour>, TransportError> {
    let identity = |error: &dyn std::fmt::Display| TransportError::Identity(error.to_string());
    let keypair = Keypair::ed25519_from_bytes(config.key.to_bytes()).map_err(|error| identity(&error))?;
    let peer = keypair.public().to_peer_id();
    let mdns = match config.mdns {
        true => Some(
            mdns::tokio::Behaviour::new(mdns::Config::default(), peer)
                .map_err(|error| TransportError::Mdns(error.to_string()))?,
        ),
        false => None,
    };
    let pings = ping::Config::new()
        .with_interval(limits.ping_interval)
        .with_timeout(limits.ping_timeout);
    let behaviour = Behaviour {
        streams: Streams::new(Arc::clone(limits)),
        ping: ping::Behaviour::new(pings),
        mdns: Toggle::from(mdns),
    };
    let per_stream = quic_window(limits);
    let built = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, || {
            mux::Config::new(limits)
        })
        .map_err(|error| identity(&error))?
        .with_quic_config(|mut quic| {
            quic.handshake_timeout = limits.handshake;
            quic.max_concurrent_stream_limit = u32::try_from(limits.streams).unwrap_or(u32::MAX);
            quic.max_stream_data = per_stream;
            quic.max_connection_data = per_stream.saturating_mul(2);
            quic
        })
        .with_behaviour(|_| behaviour)
        .map_err(|error| identity(&error))?
        .with_swarm_config(|config| {
            config
                .with_idle_connection_timeout(limits.idle)
                .with_max_negotiating_inbound_streams(NEGOTIATING)
                .with_per_connection_event_buffer_size(NEGOTIATING)
                // Of several addresses the fastest wins, and a dead one costs no time.
                .with_smart_dial()
        })
        .with_connection_timeout(limits.handshake)
        .build();
    Ok(built)
}

/// The receive window of a QUIC stream, of the size that one of Yamux may grow to.
fn quic_window(limits: &Limits) -> u32 {
    u32::try_from(limits.window_growth)
        .unwrap_or(u32::MAX)
        .max(yamux::DEFAULT_CREDIT)
}

/// Starts to listen.
pub(super) fn listen_on(
    swarm: &mut Swarm<Behaviour>,
    address: &Multiaddr,
) -> Result<ListenerId, TransportError> {
    swarm.listen_on(address.clone()).map_err(|error| match error {
        libp2p::TransportError::Other(error) => {
            // The layers around it say only "other".
            let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
            let mut innermost = None;
            while let Some(error) = cause {
                innermost = error.downcast_ref::<std::io::Error>().or(innermost);
                cause = error.source();
            }
            listen::failed(address, innermost.unwrap_or(&error))
        }
        libp2p::TransportError::MultiaddrNotSupported(_) => TransportError::Unsupported(address.clone()),
    })
}
