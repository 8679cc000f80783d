//! A link that can be cut: a TCP proxy on loopback between a node and its parent.

use std::net::SocketAddr;
use std::sync::Arc;

use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text::Text;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A proxy in front of one address.
#[derive(Debug)]
pub(super) struct Link {
    address: SocketAddr,
    up: Arc<watch::Sender<bool>>,
}

impl Link {
    /// Listens, and passes on to `target` while the link is up. It is up at first.
    pub(super) fn to(runtime: &Runtime, target: SocketAddr) -> Result<Self, ServiceError> {
        let io = |error: std::io::Error| ServiceError::new(ErrorKind::Network, Text::same(error.to_string()));
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", 0)))
            .map_err(io)?;
        let address = listener.local_addr().map_err(io)?;
        let up = Arc::new(watch::Sender::new(true));
        let state = Arc::clone(&up);
        runtime.spawn(async move {
            // Ends with the runtime.
            while let Ok((near, _)) = listener.accept().await {
                let mut up = state.subscribe();
                if *up.borrow() {
                    tokio::spawn(async move {
                        tokio::select! {
                            () = pass(near, target) => {}
                            // Both sockets are dropped: that is what a cut link looks like from either side.
                            _ = up.wait_for(|up| !*up) => {}
                        }
                    });
                }
            }
        });
        Ok(Self { address, up })
    }

    /// Where to dial instead of the target.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops every connection, and lets none through.
    pub(super) fn cut(&self) {
        self.up.send_replace(false);
    }

    /// Lets connections through again.
    pub(super) fn restore(&self) {
        self.up.send_replace(true);
    }
}

async fn pass(mut near: TcpStream, target: SocketAddr) {
    if let Ok(mut far) = TcpStream::connect(target).await {
        let _ = copy_bidirectional(&mut near, &mut far).await;
    }
}
