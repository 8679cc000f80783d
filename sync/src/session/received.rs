//! Frames, read as far as that can be done without the replica.
//!
//! Others wait for the replica while a session holds it; to expand a page takes longer than everything
//! that a session does with it, and a stranger's certificates have to be checked.

use super::greeting::First;
use super::message::{MAX_HELLO_FRAME, Message};
use super::pull::Page;
use super::{CloseReason, Input, Now, Phase, Session, Violation};

/// A frame that was read.
#[derive(Clone, Debug)]
pub struct Received {
    pub(super) bytes: usize,
    pub(super) what: Result<What, CloseReason>,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// From a peer that is not let in yet.
    First(First),
    Page(Page),
    Message(Message),
}

/// A frame of more bytes takes a while to read, and a page of records of more bytes to write.
pub(super) const LONG: usize = 8 * 1024;

impl Input {
    /// Does it take more than some microseconds to read or to handle? Requests of pages may.
    pub fn takes_long(&self) -> bool {
        match self {
            Self::Frame(frame) => frame.len() > LONG,
            Self::Read(Received {
                what: Ok(What::Message(message)),
                ..
            }) => message.page_asked().is_some(),
            _ => false,
        }
    }
}

impl Session {
    /// Does what can be done of an input without the replica. [`Session::handle`] does it by itself; where
    /// others wait for the replica meanwhile, call this before; as long as the peer is not let in, with nothing
    /// handled in between.
    pub fn read(&self, input: Input, now: Now) -> Input {
        match input {
            Input::Frame(frame) => Input::Read(Received {
                bytes: frame.len(),
                what: self.read_frame(&frame, now),
            }),
            input => input,
        }
    }

    fn read_frame(&self, frame: &[u8], now: Now) -> Result<What, CloseReason> {
        if matches!(self.phase, Phase::Unknown) {
            if frame.len() > MAX_HELLO_FRAME {
                return Err(Violation::FrameTooLong { bytes: frame.len() }.into());
            }
            return Ok(What::First(self.read_first(Message::decode(frame)?, now)?));
        }
        Ok(match (Message::decode(frame)?, &self.phase) {
            (Message::Page { id, length, body }, Phase::Open(open)) => {
                What::Page(open.puller.read_page(id, length, &body)?)
            }
            (message, _) => What::Message(message),
        })
    }
}
