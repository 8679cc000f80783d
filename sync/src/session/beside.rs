//! A peer that is not in line, and is welcome all the same: questions beside the replicas, and nothing else.
//! Neither side says where it stands, and none can ask for what the other holds.

use std::time::Duration;

use crate::session::asks::Asks;
use crate::session::error::{CloseReason, Violation};
use crate::session::io::Output;
use crate::session::message::Message;

/// What is under way with such a peer.
#[derive(Debug, Default)]
pub(crate) struct Beside(pub(crate) Asks);

impl Beside {
    /// Takes a message of the peer that is not an answer of its own to something asked of a replica.
    pub(crate) fn message(&mut self, message: Message) -> Result<Output, CloseReason> {
        match message {
            Message::Ask { id, topic, body } => Ok(self.0.asked(id, topic, body)?),
            Message::Answer { id, body } => Ok(self.0.answered(id, body)?),
            Message::Bye { code } => Err(CloseReason::Bye(code)),
            Message::Hello(_) => Err(Violation::SecondHello.into()),
            _ => Err(Violation::OutOfScope.into()),
        }
    }

    /// The question to be sent now.
    pub(crate) fn next(&mut self, now: Duration) -> Option<Message> {
        self.0.next(now)
    }
}
