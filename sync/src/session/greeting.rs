//! The first frames of a session: who the other side is, and whether it is let in.

use super::asks::Asks;
use super::beside::Beside;
use super::level::Levels;
use super::message::{Hello, MAX_CERTIFICATE, Message, PROTOCOL_VERSION};
use super::pull::Puller;
use super::{CloseReason, Event, Now, Open, Phase, Refusal, Role, Session, Violation};
use crate::id::StoreEpoch;
use crate::path::{Path, Scope};
use crate::replica::Replica;
use crate::update::Timestamp;

/// What a peer that is not let in yet said.
#[derive(Clone, Debug)]
pub(super) enum First {
    /// A Hello, and it may come in.
    Admitted(Admitted),
    /// A brief Hello, of somebody who is not known here.
    Unknown,
    /// It does not know us by our brief Hello.
    Introduce,
    /// What it would say once it is let in.
    Early,
}

/// Who was let in.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    unit: Path,
    /// It counted on being known.
    is_brief: bool,
    epoch: StoreEpoch,
    clock: Timestamp,
}

impl Session {
    /// Introduces this node; briefly to a peer that has met it.
    pub(super) fn say_hello(&mut self, brief: bool, replica: &dyn Replica, now: Now) {
        self.said_brief = brief;
        let hello = Hello {
            version: PROTOCOL_VERSION,
            network: self.config.network,
            certificate: match brief {
                true => Vec::new(),
                false => self.config.certificate.clone(),
            },
            epoch: replica.epoch(),
            clock: now.wall,
        };
        self.send(&Message::Hello(hello), false);
    }

    /// Says the whole Hello, once, after a brief one was not enough.
    pub(super) fn introduce(&mut self, replica: &dyn Replica, now: Now) -> Result<(), CloseReason> {
        if !self.said_brief {
            return Err(Violation::Unsolicited.into());
        }
        self.say_hello(false, replica, now);
        Ok(())
    }

    /// Judges who introduces itself.
    pub(super) fn read_first(&self, message: Message, now: Now) -> Result<First, CloseReason> {
        let hello = match message {
            Message::Hello(hello) => hello,
            Message::Introduce => return Ok(First::Introduce),
            // It was said before the peer knew that it has to introduce itself; it is said again.
            Message::State(_) if self.asked_for_whole => return Ok(First::Early),
            _ => return Err(Violation::BeforeHello.into()),
        };
        if hello.certificate.len() > MAX_CERTIFICATE {
            return Err(Violation::FrameTooLong {
                bytes: hello.certificate.len(),
            }
            .into());
        }
        if hello.version != PROTOCOL_VERSION {
            return Err(Refusal::Version(hello.version).into());
        }
        if hello.network != self.config.network {
            return Err(Refusal::Network.into());
        }
        Ok(
            match self.config.gate.admit(&self.config.peer, &hello, now.wall) {
                Ok(unit) => First::Admitted(Admitted {
                    unit,
                    is_brief: hello.certificate.is_empty(),
                    epoch: hello.epoch,
                    clock: hello.clock,
                }),
                Err(_) if hello.certificate.is_empty() && !self.asked_for_whole => First::Unknown,
                Err(why) => return Err(Refusal::Certificate(why.0).into()),
            },
        )
    }

    pub(super) fn first_frame(
        &mut self,
        first: First,
        replica: &dyn Replica,
        now: Now,
    ) -> Result<(), CloseReason> {
        let Admitted {
            unit,
            is_brief,
            epoch,
            clock,
        } = match first {
            First::Admitted(admitted) => admitted,
            First::Introduce => return self.introduce(replica, now),
            First::Early => return Ok(()),
            First::Unknown => {
                self.asked_for_whole = true;
                self.send(&Message::Introduce, false);
                return Ok(());
            }
        };
        let shared = self.config.scope.shared(&Scope::of(unit.clone()));
        if shared.is_none() && !self.config.gate.is_welcome_beside(&self.config.peer, &unit) {
            return Err(Refusal::NotInLine(unit).into());
        }
        if self.role == Role::Listener {
            let has_met = is_brief && self.config.cursor.is_some();
            self.say_hello(has_met, replica, now);
        }
        self.event(match &shared {
            Some(shared) => Event::PeerAccepted {
                unit,
                shared: shared.clone(),
            },
            None => Event::Beside { unit },
        });
        let ms = clock.as_millis().saturating_sub(now.wall.as_millis());
        if u128::from(ms.unsigned_abs()) > self.config.limits.clock_skew.as_millis() {
            self.event(Event::ClockSkew { ms });
        }
        let Some(shared) = shared else {
            self.phase = Phase::Beside(Beside::default());
            return Ok(());
        };
        let cursor = self.config.cursor.filter(|cursor| cursor.epoch == epoch);
        self.phase = Phase::Open(Box::new(Open {
            puller: Puller::new(shared.clone(), &self.config),
            levels: Levels::new(cursor.map(|cursor| cursor.position)),
            shared,
            peer_epoch: epoch,
            accepted: now.elapsed,
            asks: Asks::default(),
        }));
        Ok(())
    }
}
