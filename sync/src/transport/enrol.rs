//! Enrolment over the network: one request, one answer, from a peer that has no certificate yet.
//!
//! The answer is a frame whose first byte says whether it is one: 0 an answer, 1 turned away as there are
//! too many requests, 2 refused.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::AsyncReadExt;
use libp2p::{Multiaddr, Stream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::dial::DialError;
use super::frame::{FrameError, FrameReader, FrameWriter, Incoming, Patience};
use super::limits::Limits;
use crate::id::NodeKey;

/// IP addresses whose requests are counted at one time.
const MAX_COUNTED: usize = 1024;

const ANSWER: u8 = 0;
const BUSY: u8 = 1;
const REFUSED: u8 = 2;

/// Why an enrolment request got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnrolError {
    /// The peer was not reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The request is longer than a peer would take.
    #[error("the enrolment request has {length} bytes; at most {limit} are allowed")]
    TooLong {
        /// Bytes of the request.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The peer has too many requests at present.
    #[error("the peer has too many enrolment requests at present; try again in a minute")]
    Busy,
    /// The peer takes no enrolment requests, or not this one.
    #[error("the peer refused the enrolment request")]
    Refused,
    /// No answer in time.
    #[error("the peer did not answer the enrolment request within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The peer does not keep to the protocol, or the stream broke.
    #[error("no answer to the enrolment request: {0}")]
    Stream(String),
}

impl From<FrameError> for EnrolError {
    fn from(error: FrameError) -> Self {
        Self::Stream(error.to_string())
    }
}

/// A request to be enrolled, from a peer of whom nothing is known but its key.
#[derive(Debug)]
pub struct EnrolRequest {
    /// The peer's key, proved by the handshake.
    pub peer: NodeKey,
    /// Where it comes from.
    pub address: Multiaddr,
    /// What it asks; at most [`Limits::enrol`] bytes.
    pub request: Vec<u8>,
    /// Takes the answer.
    pub reply: EnrolReply,
}

/// Takes the answer to an enrolment request; dropped, the request is refused.
#[derive(Debug)]
pub struct EnrolReply(oneshot::Sender<Vec<u8>>);

impl EnrolReply {
    /// Answers with at most [`Limits::enrol`] bytes. Too late an answer goes nowhere.
    pub fn answer(self, bytes: Vec<u8>) {
        let _ = self.0.send(bytes);
    }
}

/// Counts requests per period, by IP address and in total. Pure: handed the time.
#[derive(Debug)]
pub(super) struct Rate {
    period_began: Instant,
    total: u32,
    by_address: HashMap<Option<IpAddr>, u32>,
}

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            period_began: now,
            total: 0,
            by_address: HashMap::new(),
        }
    }

    /// Whether one more request is taken.
    pub(super) fn take(&mut self, from: Option<IpAddr>, now: Instant, limits: &Limits) -> bool {
        if now.saturating_duration_since(self.period_began) >= limits.enrol_period {
            *self = Self::new(now);
        }
        if self.total >= limits.enrol_total
            || (self.by_address.len() >= MAX_COUNTED && !self.by_address.contains_key(&from))
        {
            return false;
        }
        let count = self.by_address.entry(from).or_default();
        if *count >= limits.enrol_per_address {
            return false;
        }
        *count += 1;
        self.total += 1;
        true
    }
}

/// Reads a request, has it answered by `deliver`, and writes the answer.
pub(super) async fn serve(
    stream: Stream,
    (peer, address): (NodeKey, Multiaddr),
    limits: Arc<Limits>,
    deliver: impl FnOnce(EnrolRequest) -> bool,
) {
    let served = timeout(limits.enrol_within, async {
        let (read, write) = stream.split();
        let mut reader = FrameReader::new(read);
        let Incoming::Frame(request) = reader.next(patience(&limits), || limits.enrol).await? else {
            return Ok(());
        };
        let (reply, answer) = oneshot::channel();
        let taken = deliver(EnrolRequest {
            peer,
            address,
            request,
            reply: EnrolReply(reply),
        });
        let frame = match answer.await {
            Ok(answer) if answer.len() <= limits.enrol => [&[ANSWER], &answer[..]].concat(),
            Ok(answer) => {
                tracing::error!(
                    length = answer.len(),
                    "the answer to an enrolment request is too long"
                );
                vec![REFUSED]
            }
            Err(_) => vec![if taken { REFUSED } else { BUSY }],
        };
        respond(FrameWriter::new(write), reader, &frame, &limits).await
    });
    match served.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "enrolment request dropped"),
        Err(_) => tracing::debug!(%peer, "enrolment request not answered in time"),
    }
}

/// Tells a peer that there are too many requests.
pub(super) async fn turn_away(stream: Stream, limits: Arc<Limits>) {
    let (read, write) = stream.split();
    let turned = respond(FrameWriter::new(write), FrameReader::new(read), &[BUSY], &limits);
    let _ = timeout(limits.linger, turned).await;
}

async fn respond<R, W>(
    mut writer: FrameWriter<W>,
    mut reader: FrameReader<R>,
    frame: &[u8],
    limits: &Limits,
) -> Result<(), FrameError>
where
    R: futures::AsyncRead + Unpin,
    W: futures::AsyncWrite + Unpin,
{
    writer.send(frame, limits.enrol + 1, limits.write_stall).await?;
    writer.finish(limits.linger).await?;
    // QUIC throws away what the peer has not taken when the connection closes.
    let _ = timeout(limits.linger, reader.drain()).await;
    Ok(())
}

/// Sends `request` and reads the answer.
pub(super) async fn ask(stream: Stream, request: &[u8], limits: &Limits) -> Result<Vec<u8>, EnrolError> {
    let asked = timeout(limits.enrol_within, async {
        let (read, write) = stream.split();
        let (mut reader, mut writer) = (FrameReader::new(read), FrameWriter::new(write));
        // A peer that turns us away may end the stream before it has read all: the answer tells more.
        let sent = writer.send(request, limits.enrol, limits.write_stall).await;
        let incoming = reader.next(patience(limits), || limits.enrol + 1).await;
        match (incoming, sent) {
            (Ok(Incoming::Frame(mut frame)), _) => match frame[0] {
                ANSWER => Ok(frame.split_off(1)),
                BUSY => Err(EnrolError::Busy),
                _ => Err(EnrolError::Refused),
            },
            (_, Err(error)) | (Err(error), _) => Err(error.into()),
            (Ok(Incoming::Goodbye(_) | Incoming::End), _) => {
                Err(EnrolError::Stream("the peer ended the stream".into()))
            }
        }
    });
    asked
        .await
        .unwrap_or(Err(EnrolError::Timeout(limits.enrol_within)))
}

fn patience(limits: &Limits) -> Patience {
    // The caller bounds the whole exchange.
    Patience {
        begin: None,
        stall: limits.read_stall,
        whole: limits.enrol_within,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn requests_are_bounded_by_address_and_in_total_for_each_period() {
        let limits = Limits {
            enrol_per_address: 2,
            enrol_total: 3,
            ..Limits::default()
        };
        let now = Instant::now();
        let ip = |last| Some(IpAddr::from(Ipv4Addr::new(192, 0, 2, last)));
        let mut rate = Rate::new(now);
        assert!(rate.take(ip(1), now, &limits) && rate.take(ip(1), now, &limits));
        assert!(!rate.take(ip(1), now, &limits));
        assert!(rate.take(ip(2), now, &limits));
        assert!(!rate.take(ip(3), now, &limits));
        assert!(rate.take(ip(1), now + limits.enrol_period, &limits));
    }
}
