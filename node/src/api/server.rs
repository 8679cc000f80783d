//! The socket: connections in, bounded in number and time.

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::endpoint::Endpoint;
use super::routes::routes;
use super::token::Token;
use crate::service::{ErrorKind, HandleAll, ServiceError};
use crate::text;

/// Connections open at the same time; more wait in the system's queue.
pub const MAX_CONNECTIONS: usize = 64;
/// To send the head of a request. A connection carries one request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const MAX_HEAD: usize = 16 << 10;
/// For calls under way when the node stops.
const GRACE: Duration = Duration::from_secs(10);
/// After a failed accept, such as for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound socket, whose endpoint stands in the home until this is dropped.
#[derive(Debug)]
pub struct Listening {
    socket: TcpListener,
    endpoint: Arc<Endpoint>,
    home: PathBuf,
}

impl Listening {
    /// Binds to `port` of the loopback interface, 0 for any, and tells so in `home/api.json`. Needs a
    /// Tokio runtime with IO. Requests wait until [`Self::serve`].
    pub async fn open(home: &Path, port: u16) -> Result<Self, ServiceError> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|error| unbound(port, &error))?;
        let port = socket.local_addr().map_err(|error| unbound(port, &error))?.port();
        let mut token = [0; 32];
        getrandom::fill(&mut token).map_err(|error| {
            ServiceError::new(
                ErrorKind::Internal,
                text!(
                    "系统没有给出随机数:{error}",
                    "the system gave no random bytes: {error}"
                ),
            )
        })?;
        let endpoint = Arc::new(Endpoint {
            port,
            token: Token::from_bytes(token),
            pid: std::process::id(),
        });
        endpoint.write(home)?;
        Ok(Self {
            socket,
            endpoint,
            home: home.to_owned(),
        })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Answers with `service` until `stop` is there, then lets calls under way end, for some seconds at
    /// most. The endpoint is gone from the home when this returns.
    pub async fn serve<S>(self, service: S, stop: impl Future<Output = ()>)
    where
        S: HandleAll + Clone + Send + Sync + 'static,
    {
        let routes = TowerToHyperService::new(routes(service, Arc::clone(&self.endpoint)));
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(MAX_HEAD)
            .keep_alive(false);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut stop = pin!(stop);
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, self.socket.accept().await)
            };
            let (place, accepted) = tokio::select! {
                () = &mut stop => break,
                next = next => next,
            };
            match (place, accepted) {
                (Ok(place), Ok((stream, _))) => {
                    let connection = http.serve_connection(TokioIo::new(stream), routes.clone());
                    tokio::spawn(async move {
                        let _place = place;
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "loopback connection ended");
                        }
                    });
                }
                (Err(_), _) => break,
                (_, Err(error)) => {
                    tracing::warn!(%error, "cannot accept on the loopback interface");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self);
        let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(GRACE, places.acquire_many(all)).await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Err(error) = self.endpoint.remove(&self.home) {
            tracing::warn!(%error, "the loopback endpoint stays behind");
        }
    }
}

fn unbound(port: u16, error: &io::Error) -> ServiceError {
    ServiceError::new(
        ErrorKind::Busy,
        text!(
            "无法在 127.0.0.1:{port} 上监听:{error}",
            "cannot listen on 127.0.0.1:{port}: {error}"
        ),
    )
    .with_hint(text!(
        "换一个端口,或停止占用它的程序",
        "choose another port, or stop the program that holds it"
    ))
}
