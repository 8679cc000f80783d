//! Frames on a stream of bytes: a length (u32, big endian), then as many bytes.
//!
//! The length `0xffff_ffff` marks a goodbye: one byte follows, the reason. An empty frame is refused, since
//! an endless run of them would cost the reader work and the sender nothing.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// Bytes read in one go, so that a peer that announces a long frame and sends nothing has us hold nothing.
const CHUNK: usize = 64 * 1024;
const GOODBYE: u32 = u32::MAX;

/// Why a side ended a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Nothing more to say.
    Done,
    /// The peer was not let in.
    NotAccepted,
    /// The peer did not keep to the protocol.
    Protocol,
    /// Too much to do; come back later.
    Busy,
    /// The node stops.
    Shutdown,
    /// A reason that a newer version knows.
    Other(u8),
}

impl CloseReason {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NotAccepted => 1,
            Self::Protocol => 2,
            Self::Busy => 3,
            Self::Shutdown => 4,
            Self::Other(code) => code,
        }
    }

    fn of_code(code: u8) -> Self {
        match code {
            0 => Self::Done,
            1 => Self::NotAccepted,
            2 => Self::Protocol,
            3 => Self::Busy,
            4 => Self::Shutdown,
            code => Self::Other(code),
        }
    }
}

impl std::fmt::Display for CloseReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::NotAccepted => f.write_str("not accepted"),
            Self::Protocol => f.write_str("protocol violated"),
            Self::Busy => f.write_str("busy"),
            Self::Shutdown => f.write_str("shutting down"),
            Self::Other(code) => write!(f, "reason {code}"),
        }
    }
}

/// Why no further frame can be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Announced as longer than allowed.
    #[error("frame of {length} bytes is longer than the {limit} allowed")]
    TooLong {
        /// As announced.
        length: usize,
        /// Allowed now.
        limit: usize,
    },
    /// Of no bytes.
    #[error("frame without content")]
    Empty,
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame, after {received} bytes")]
    Truncated {
        /// Bytes of the frame that arrived, its length included.
        received: usize,
    },
    /// The peer stopped sending, or sent too slowly, inside a frame.
    #[error("a frame stood still after {received} bytes")]
    Stalled {
        /// Bytes of the frame that arrived, its length included.
        received: usize,
    },
    /// No frame began in time.
    #[error("no frame arrived in time")]
    Silent,
    /// The peer takes nothing.
    #[error("the peer has taken none of the bytes sent to it for {} s", .0.as_secs_f32())]
    NotTaken(Duration),
    /// The stream broke.
    #[error("the stream broke: {0}")]
    Io(String),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Frame(Vec<u8>),
    Goodbye(CloseReason),
    /// The stream ended between two frames.
    End,
}

/// How long reading a frame may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// When the first byte must be there.
    pub(super) begin: Option<Instant>,
    /// Longest pause inside a frame.
    pub(super) stall: Duration,
    /// Longest time for a whole frame.
    pub(super) whole: Duration,
}

/// Reads frames. A call that is dropped half-way loses nothing: the next one goes on from there.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    io: R,
    head: [u8; 4],
    /// Bytes of the frame that have arrived, `head` included.
    received: usize,
    body: Vec<u8>,
    /// When the first byte of the frame arrived, and the last one so far.
    times: Option<(Instant, Instant)>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(super) fn new(io: R) -> Self {
        Self {
            io,
            head: [0; 4],
            received: 0,
            body: Vec::new(),
            times: None,
        }
    }

    /// The next frame. `limit` is asked once its length is known.
    pub(super) async fn next(
        &mut self,
        patience: Patience,
        limit: impl Fn() -> usize,
    ) -> Result<Incoming, FrameError> {
        while self.received < 4 {
            let at = self.received;
            let deadline = self.deadline(patience);
            let read = Self::read(&mut self.io, &mut self.head[at..], deadline, at).await?;
            if read == 0 {
                return if at == 0 {
                    Ok(Incoming::End)
                } else {
                    Err(FrameError::Truncated { received: at })
                };
            }
            self.progress(read);
        }
        let announced = u32::from_be_bytes(self.head);
        let length = match announced {
            0 => return Err(FrameError::Empty),
            GOODBYE => 1,
            length => length as usize,
        };
        let limit = limit();
        if length > limit {
            return Err(FrameError::TooLong { length, limit });
        }
        while self.received - 4 < length {
            let have = self.received - 4;
            let end = length.min(have + CHUNK);
            // Only grows: what a dropped call made room for is used by the next.
            if self.body.len() < end {
                self.body.resize(end, 0);
            }
            let deadline = self.deadline(patience);
            let read = Self::read(&mut self.io, &mut self.body[have..end], deadline, self.received).await?;
            if read == 0 {
                return Err(FrameError::Truncated {
                    received: self.received,
                });
            }
            self.progress(read);
        }
        self.received = 0;
        self.times = None;
        let mut body = std::mem::take(&mut self.body);
        body.truncate(length);
        Ok(match announced {
            GOODBYE => Incoming::Goodbye(CloseReason::of_code(body[0])),
            _ => Incoming::Frame(body),
        })
    }

    /// Reads and discards until the stream ends.
    pub(super) async fn drain(&mut self) {
        let mut bytes = [0; 4096];
        while matches!(self.io.read(&mut bytes).await, Ok(read) if read > 0) {}
    }

    fn progress(&mut self, read: usize) {
        let now = Instant::now();
        self.times.get_or_insert((now, now)).1 = now;
        self.received += read;
    }

    fn deadline(&self, patience: Patience) -> Option<Instant> {
        match self.times {
            None => patience.begin,
            Some((first, last)) => Some((last + patience.stall).min(first + patience.whole)),
        }
    }

    async fn read(
        io: &mut R,
        into: &mut [u8],
        deadline: Option<Instant>,
        received: usize,
    ) -> Result<usize, FrameError> {
        match deadline {
            None => Ok(io.read(into).await?),
            Some(deadline) => match timeout_at(deadline, io.read(into)).await {
                Ok(read) => Ok(read?),
                Err(_) if received == 0 => Err(FrameError::Silent),
                Err(_) => Err(FrameError::Stalled { received }),
            },
        }
    }
}

/// Writes frames. A call that is dropped half-way loses nothing: the next flush goes on from there.
#[derive(Debug)]
pub(super) struct FrameWriter<W> {
    io: W,
    unsent: Vec<u8>,
    sent: usize,
    /// Something was put that no flush has seen through.
    dirty: bool,
    /// When the stream last took something, or there was first something to take.
    progress: Instant,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    pub(super) fn new(io: W) -> Self {
        Self {
            io,
            unsent: Vec::new(),
            sent: 0,
            dirty: false,
            progress: Instant::now(),
        }
    }

    /// Bytes that the stream has not taken yet.
    pub(super) fn unsent(&self) -> usize {
        self.unsent.len() - self.sent
    }

    /// Is there anything that a flush would do?
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Puts a frame of 1 to `limit` bytes behind what is to be written.
    pub(super) fn push(&mut self, frame: &[u8], limit: usize) -> Result<(), FrameError> {
        if frame.is_empty() {
            return Err(FrameError::Empty);
        }
        let length = u32::try_from(frame.len())
            .ok()
            .filter(|length| *length != GOODBYE);
        let Some(length) = length.filter(|_| frame.len() <= limit) else {
            return Err(FrameError::TooLong {
                length: frame.len(),
                limit,
            });
        };
        self.put(length, frame);
        Ok(())
    }

    fn put(&mut self, head: u32, body: &[u8]) {
        if self.unsent() == 0 {
            self.unsent.clear();
            self.sent = 0;
            self.progress = Instant::now();
        }
        self.dirty = true;
        self.unsent.reserve(4 + body.len());
        self.unsent.extend_from_slice(&head.to_be_bytes());
        self.unsent.extend_from_slice(body);
    }

    /// Writes what there is. Returns once the stream has taken all of it.
    pub(super) async fn flush(&mut self, stall: Duration) -> Result<(), FrameError> {
        let late = |_| FrameError::NotTaken(stall);
        while self.unsent() > 0 {
            let written = timeout_at(self.progress + stall, self.io.write(&self.unsent[self.sent..])).await;
            match written.map_err(late)?? {
                0 => return Err(FrameError::Io("it takes no more bytes".into())),
                written => self.sent += written,
            }
            self.progress = Instant::now();
        }
        if self.sent > 0 {
            self.sent = 0;
            self.unsent.clear();
            // A small frame's worth may stay allocated between two flushes.
            self.unsent.shrink_to(CHUNK);
        }
        timeout(stall, self.io.flush()).await.map_err(late)??;
        self.dirty = false;
        Ok(())
    }

    /// Writes a frame of 1 to `limit` bytes, after all before it.
    pub(super) async fn send(
        &mut self,
        frame: &[u8],
        limit: usize,
        stall: Duration,
    ) -> Result<(), FrameError> {
        self.flush(stall).await?;
        self.push(frame, limit)?;
        self.flush(stall).await
    }

    /// Says goodbye and ends this direction of the stream.
    pub(super) async fn close(&mut self, reason: CloseReason, stall: Duration) -> Result<(), FrameError> {
        self.put(GOODBYE, &[reason.code()]);
        self.flush(stall).await?;
        self.finish(stall).await
    }

    /// Ends this direction of the stream.
    pub(super) async fn finish(&mut self, stall: Duration) -> Result<(), FrameError> {
        Ok(timeout(stall, self.io.close())
            .await
            .map_err(|_| FrameError::NotTaken(stall))??)
    }
}

#[cfg(test)]
mod tests;
