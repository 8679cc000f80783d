//! Questions beside the replica: bytes that mean nothing here, one at a time each way.

use std::time::Duration;

use crate::session::error::{Late, Violation};
use crate::session::io::Output;
use crate::session::message::{MAX_BODY, Message, RequestId};

/// What is under way.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    /// To be sent once the peer is known to listen.
    waiting: Option<(u16, Vec<u8>)>,
    /// The question of this side, and since when.
    sent: Option<(RequestId, Duration)>,
    /// The peer's question.
    answering: Option<RequestId>,
    next: RequestId,
}

impl Asks {
    /// This side has a question. One that comes before the last was answered takes the place of what waits.
    pub(crate) fn ask(&mut self, topic: u16, body: Vec<u8>) {
        self.waiting = Some((topic, body));
    }

    /// The question to be sent now.
    pub(crate) fn next(&mut self, now: Duration) -> Option<Message> {
        if self.sent.is_some() {
            return None;
        }
        let (topic, body) = self.waiting.take()?;
        self.next = self.next.wrapping_add(1);
        let id = self.next;
        self.sent = Some((id, now));
        Some(Message::Ask { id, topic, body })
    }

    /// The peer asks.
    pub(crate) fn asked(&mut self, id: RequestId, topic: u16, body: Vec<u8>) -> Result<Output, Violation> {
        if body.len() > MAX_BODY {
            return Err(Violation::FrameTooLong { bytes: body.len() });
        }
        if self.answering.replace(id).is_some() {
            return Err(Violation::TooManyRequests);
        }
        Ok(Output::Asked { topic, body })
    }

    /// The answer to the peer, if it waits for one.
    pub(crate) fn answer(&mut self, body: Vec<u8>) -> Option<Message> {
        let id = self.answering.take()?;
        Some(Message::Answer { id, body })
    }

    /// The peer answers.
    pub(crate) fn answered(&mut self, id: RequestId, body: Vec<u8>) -> Result<Output, Violation> {
        if body.len() > MAX_BODY {
            return Err(Violation::FrameTooLong { bytes: body.len() });
        }
        match self.sent.take() {
            Some((sent, _)) if sent == id => Ok(Output::Answered(body)),
            _ => Err(Violation::Unsolicited),
        }
    }

    /// When an answer is late that takes `patience`.
    pub(crate) fn deadline(&self, patience: Duration) -> Option<Duration> {
        self.sent.map(|(_, since)| since.saturating_add(patience))
    }

    pub(crate) fn check_time(&self, now: Duration, patience: Duration) -> Result<(), Late> {
        match self.deadline(patience) {
            Some(deadline) if now >= deadline => Err(Late::Answer),
            _ => Ok(()),
        }
    }
}
