//! Yamux with a bound on what a peer can make us buffer, and on how long a close may take.
//!
//! `libp2p-yamux` leaves the receive windows of a connection free to grow to 1 GiB, and waits without end
//! for a peer that reads nothing to take the goodbye; neither can be set there.

use std::collections::VecDeque;
use std::future::{Future, Ready, ready};
use std::io;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::UpgradeInfo;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use tokio::time::Sleep;

use super::limits::Limits;

/// Upgrades an authenticated socket to Yamux.
#[derive(Clone, Debug)]
pub(super) struct Config {
    yamux: yamux::Config,
    streams: usize,
    close_within: Duration,
}

impl Config {
    pub(super) fn new(limits: &Limits) -> Self {
        let mut config = yamux::Config::default();
        let least = limits.streams * yamux::DEFAULT_CREDIT as usize;
        // The window is set to "none" in between, as each setter checks one value against the other.
        config.set_max_connection_receive_window(None);
        config.set_max_num_streams(limits.streams);
        config.set_max_connection_receive_window(Some(least + limits.window_growth));
        Self {
            yamux: config,
            streams: limits.streams,
            close_within: limits.linger,
        }
    }

    fn mux<C: AsyncRead + AsyncWrite + Unpin>(self, socket: C, mode: yamux::Mode) -> Muxer<C> {
        Muxer {
            connection: yamux::Connection::new(socket, self.yamux, mode),
            inbound: VecDeque::new(),
            inbound_waker: None,
            streams: self.streams,
            close_within: self.close_within,
            closing: None,
        }
    }
}

impl UpgradeInfo for Config {
    type Info = &'static str;
    type InfoIter = iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(self.mux(socket, yamux::Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(self.mux(socket, yamux::Mode::Client)))
    }
}

/// A Yamux connection.
#[derive(Debug)]
pub(super) struct Muxer<C> {
    connection: yamux::Connection<C>,
    /// Streams that arrived while the connection was only driven. Yamux ends the connection at the first
    /// stream too many, so this is never longer than `streams`.
    inbound: VecDeque<yamux::Stream>,
    inbound_waker: Option<Waker>,
    streams: usize,
    close_within: Duration,
    closing: Option<Pin<Box<Sleep>>>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<yamux::Stream, yamux::ConnectionError>> {
        self.connection
            .poll_next_inbound(cx)
            .map(|next| next.unwrap_or(Err(yamux::ConnectionError::Closed)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = yamux::Stream;
    type Error = yamux::ConnectionError;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        if let Some(stream) = self.inbound.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        if let Poll::Ready(next) = self.poll_next(cx) {
            return Poll::Ready(next);
        }
        self.inbound_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        self.connection.poll_new_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let within = self.close_within;
        let timer = self
            .closing
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        // Dropping the socket ends the connection as surely.
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.connection.poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        let stream = std::task::ready!(self.poll_next(cx))?;
        if self.inbound.len() < self.streams {
            self.inbound.push_back(stream);
        }
        if let Some(waker) = self.inbound_waker.take() {
            waker.wake();
        }
        // There may be more: the connection registered no waker when it was ready.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
