//! A link: the one open sync stream to an authenticated peer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::AsyncReadExt;
use futures::io::{ReadHalf, WriteHalf};
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, Stream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::frame::{CloseReason, FrameError, FrameReader, FrameWriter, Incoming, Patience};
use super::limits::Limits;
use super::peer::TransportKind;
use crate::id::NodeKey;

/// Which side made the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This node dialled.
    Dialer,
    /// The peer dialled.
    Listener,
}

/// Why this side ended a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    /// A newer link to the same peer took its place.
    #[error("a newer link to the same peer took its place")]
    Replaced,
    /// The peer is refused.
    #[error("the peer is refused")]
    Refused,
    /// It was not accepted in time.
    #[error("the link was not accepted in time")]
    NotAccepted,
    /// Pings stayed unanswered.
    #[error("the peer answers no pings")]
    Unresponsive,
    /// The endpoint stopped.
    #[error("the endpoint stopped")]
    Shutdown,
}

/// Why a link has ended. Once returned, the link is of no more use: drop it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The peer ended it without a word.
    #[error("the peer closed the link")]
    Closed,
    /// The peer ended it and said why.
    #[error("the peer closed the link: {0}")]
    Goodbye(CloseReason),
    /// This side ended it.
    #[error(transparent)]
    Cut(#[from] Cut),
    /// The peer sent more than it may before it is accepted.
    #[error("the peer sent more than {limit} bytes before it was accepted")]
    BeforeAcceptance {
        /// Bytes allowed.
        limit: usize,
    },
    /// A frame could not be read or written.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// What stays known of a link while any part of it lives.
#[derive(Debug)]
pub(super) struct Shared {
    peer: NodeKey,
    address: Multiaddr,
    role: Role,
    accepted: AtomicBool,
    /// Microseconds; 0 when unknown.
    round_trip: AtomicU64,
    cut: watch::Sender<Option<Cut>>,
    limits: Arc<Limits>,
    connection: ConnectionId,
    signals: mpsc::UnboundedSender<Signal>,
}

/// What a link tells the endpoint, each at most once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signal {
    Accepted(ConnectionId),
    Ended(ConnectionId),
}

/// Knows a link and steers it, beside the halves that carry its frames. Clones are of the same link.
#[derive(Clone, Debug)]
pub struct LinkControl(Arc<Shared>);

impl LinkControl {
    pub(super) fn new(
        (peer, address, role): (NodeKey, Multiaddr, Role),
        connection: ConnectionId,
        limits: Arc<Limits>,
        signals: mpsc::UnboundedSender<Signal>,
    ) -> Self {
        Self(Arc::new(Shared {
            peer,
            address,
            role,
            accepted: AtomicBool::new(false),
            round_trip: AtomicU64::new(0),
            cut: watch::Sender::new(None),
            limits,
            connection,
            signals,
        }))
    }

    /// The peer's key, proved by the handshake.
    pub fn peer(&self) -> NodeKey {
        self.0.peer
    }

    /// Where the peer is: the address dialled, or the one it came from.
    pub fn address(&self) -> &Multiaddr {
        &self.0.address
    }

    /// Who dialled.
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// What carries the link.
    pub fn transport(&self) -> TransportKind {
        TransportKind::of(&self.0.address)
    }

    /// Lets the peer in: from now on the full limits hold, and the link may stay. Both sides must do so
    /// within [`Limits::accept_within`].
    pub fn accept(&self) {
        if !self.0.accepted.swap(true, Ordering::AcqRel) {
            // No receiver: the endpoint has stopped, and its connections with it.
            let _ = self.0.signals.send(Signal::Accepted(self.0.connection));
        }
    }

    /// Whether [`Self::accept`] was called.
    pub fn is_accepted(&self) -> bool {
        self.0.accepted.load(Ordering::Acquire)
    }

    /// The last measured time of a ping and its answer.
    pub fn round_trip(&self) -> Option<Duration> {
        match self.0.round_trip.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    pub(super) fn measured(&self, round_trip: Duration) {
        let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX).max(1);
        self.0.round_trip.store(micros, Ordering::Relaxed);
    }

    /// Ends the link; the first reason stays.
    pub(super) fn cut(&self, why: Cut) {
        self.0.cut.send_if_modified(|cut| {
            let first = cut.is_none();
            cut.get_or_insert(why);
            first
        });
    }

    fn frame_limit(&self) -> usize {
        if self.is_accepted() {
            self.0.limits.frame
        } else {
            self.0.limits.frame_before_acceptance
        }
    }
}

/// Has the endpoint close a connection once dropped.
#[derive(Debug)]
pub(super) struct Guard {
    connection: ConnectionId,
    signals: mpsc::UnboundedSender<Signal>,
}

impl Guard {
    pub(super) fn new(connection: ConnectionId, signals: mpsc::UnboundedSender<Signal>) -> Self {
        Self { connection, signals }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.signals.send(Signal::Ended(self.connection));
    }
}

/// An open sync stream. Dropping it closes the connection.
///
/// Driving it: exchange first frames, judge them, call [`LinkControl::accept`] or drop the link; then send
/// and receive until either fails. Nothing is read ahead of [`Self::recv`], so a peer that sends faster than
/// frames are taken is held back by the flow control of its connection.
#[derive(Debug)]
pub struct Link {
    reader: LinkReader,
    writer: LinkWriter,
}

impl Link {
    pub(super) fn new(stream: Stream, control: LinkControl) -> Self {
        let (read, write) = stream.split();
        let Shared {
            connection, signals, ..
        } = &*control.0;
        // Held by both halves: the link ends with the last of them.
        let guard = Arc::new(Guard::new(*connection, signals.clone()));
        let cut = control.0.cut.subscribe();
        Self {
            reader: LinkReader {
                frames: FrameReader::new(read),
                opened: Instant::now(),
                silent: true,
                before_acceptance: 0,
                cut: cut.clone(),
                control: control.clone(),
                _guard: Arc::clone(&guard),
            },
            writer: LinkWriter {
                frames: FrameWriter::new(write),
                cut,
                control,
                _guard: guard,
            },
        }
    }

    /// Who the link is to, and how to accept it.
    pub fn control(&self) -> &LinkControl {
        &self.reader.control
    }

    /// See [`LinkWriter::send`].
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.writer.send(frame).await
    }

    /// See [`LinkReader::recv`].
    pub async fn recv(&mut self) -> Result<Vec<u8>, LinkError> {
        self.reader.recv().await
    }

    /// Halves for two tasks. The link ends when both are dropped.
    pub fn split(self) -> (LinkReader, LinkWriter) {
        (self.reader, self.writer)
    }

    /// Says goodbye, and gives the peer [`Limits::linger`] to take in what was sent before.
    pub async fn close(self, reason: CloseReason) {
        let Self { reader, writer } = self;
        close(reader, writer, reason).await;
    }
}

/// As [`Link::close`], for a link that was split.
pub async fn close(mut reader: LinkReader, mut writer: LinkWriter, reason: CloseReason) {
    let linger = reader.control.0.limits.linger;
    // QUIC throws away what the peer has not taken when the connection closes, hence the wait for its end.
    let farewell = async {
        if writer.frames.close(reason, linger).await.is_ok() {
            reader.frames.drain().await;
        }
    };
    let _ = timeout(linger, farewell).await;
}

/// The receiving half of a link.
#[derive(Debug)]
pub struct LinkReader {
    frames: FrameReader<ReadHalf<Stream>>,
    opened: Instant,
    /// No frame has arrived yet.
    silent: bool,
    before_acceptance: usize,
    cut: watch::Receiver<Option<Cut>>,
    control: LinkControl,
    _guard: Arc<Guard>,
}

impl LinkReader {
    /// Who the link is to, and how to accept it.
    pub fn control(&self) -> &LinkControl {
        &self.control
    }

    /// The next frame, of 1 byte to [`Limits::frame`] bytes ([`Limits::frame_before_acceptance`] until then).
    /// May be dropped and called again without loss, so it fits into `select!`.
    pub async fn recv(&mut self) -> Result<Vec<u8>, LinkError> {
        let limits = Arc::clone(&self.control.0.limits);
        let control = &self.control;
        let incoming = loop {
            let first = self.silent && !control.is_accepted();
            let patience = Patience {
                begin: first.then(|| self.opened + limits.first_frame),
                stall: limits.read_stall,
                whole: if first {
                    limits.first_frame
                } else {
                    limits.frame_within
                },
            };
            let next = tokio::select! {
                biased;
                why = cut(&mut self.cut) => return Err(why.into()),
                next = self.frames.next(patience, || control.frame_limit()) => next,
            };
            match next {
                // Accepted while this was waiting: now it may be silent.
                Err(FrameError::Silent) if control.is_accepted() => {}
                next => break next?,
            }
        };
        match incoming {
            Incoming::Frame(frame) => {
                self.silent = false;
                if !self.control.is_accepted() {
                    self.before_acceptance += frame.len();
                    let limit = limits.bytes_before_acceptance;
                    if self.before_acceptance > limit {
                        return Err(LinkError::BeforeAcceptance { limit });
                    }
                }
                Ok(frame)
            }
            Incoming::Goodbye(reason) => Err(LinkError::Goodbye(reason)),
            Incoming::End => Err(LinkError::Closed),
        }
    }
}

/// The sending half of a link.
#[derive(Debug)]
pub struct LinkWriter {
    frames: FrameWriter<WriteHalf<Stream>>,
    cut: watch::Receiver<Option<Cut>>,
    control: LinkControl,
    _guard: Arc<Guard>,
}

impl LinkWriter {
    /// Who the link is to, and how to accept it.
    pub fn control(&self) -> &LinkControl {
        &self.control
    }

    /// Sends a frame of 1 byte to [`Limits::frame`] bytes. Returns once the connection has taken it, which
    /// is when the peer has room for it, at the latest after [`Limits::write_stall`] without progress. The
    /// rest of a call that was dropped half-way is sent by the next [`Self::send`] or [`Self::flush`].
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.flush().await?;
        self.push(frame)?;
        self.flush().await
    }

    /// Holds a frame ready to be sent, for those who drive both directions from one `select!`. The caller
    /// bounds how much it lets gather, see [`Self::unsent`].
    pub fn push(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        Ok(self.frames.push(frame, self.control.0.limits.frame)?)
    }

    /// Bytes held that the connection has not taken yet.
    pub fn unsent(&self) -> usize {
        self.frames.unsent()
    }

    /// Is there anything held that a flush would send?
    pub fn needs_flush(&self) -> bool {
        self.frames.is_dirty()
    }

    /// Sends all that is held. May be dropped and called again without loss.
    pub async fn flush(&mut self) -> Result<(), LinkError> {
        let stall = self.control.0.limits.write_stall;
        tokio::select! {
            biased;
            why = cut(&mut self.cut) => Err(why.into()),
            sent = self.frames.flush(stall) => Ok(sent?),
        }
    }
}

async fn cut(signal: &mut watch::Receiver<Option<Cut>>) -> Cut {
    // The sender lives in the control that the halves hold, so it outlives this wait.
    signal
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|why| *why)
        .unwrap_or(Cut::Shutdown)
}
