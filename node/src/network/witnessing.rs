//! Having checkpoints witnessed over the links that are there, and witnessing those of peers.
//!
//! Those above, and nodes named as witnesses, are asked with each new checkpoint; those below once an hour,
//! since a village must not pay for each update of its town. Whoever has nobody above asks below each
//! minute. Once a day a checkpoint is cosigned again, so that headers have a recent one to name.
//!
//! Those below are asked one after the other: when all villages of a county return at once, it has other work
//! than to keep 360 cosignatures of one checkpoint, each on the disk.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anjuan_sync::{NodeKey, Path};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::NetworkHandle;
use crate::notary::asking::Asking;
use crate::notary::exchange::TOPIC;
use crate::notary::{Peer, exchange};
use crate::service::{Answered, Service};

/// Between checkpoints that a node above is asked to cosign; so they are signed, too.
pub(super) const OFTEN: Duration = Duration::from_secs(1);
/// Between those that nodes below are, where nobody is above.
const AT_THE_TOP: Duration = Duration::from_secs(60);
/// Between those that nodes below are.
const SELDOM: Duration = Duration::from_secs(3_600);
/// Between two nodes below that are asked.
const ONE_BY_ONE: Duration = Duration::from_millis(250);
/// Before it is asked again, if it declined.
const DECLINED: Duration = Duration::from_secs(30);
/// Before the same one is cosigned again.
const AGAIN: Duration = Duration::from_secs(24 * 3_600);

/// One peer, as a witness and as one that is witnessed.
#[derive(Debug)]
pub(super) struct Witnessing {
    service: Service,
    network: NetworkHandle,
    peer: NodeKey,
    /// By its certificate, once it is let in.
    unit: OnceLock<Path>,
    turn: Mutex<Turn>,
}

#[derive(Debug)]
struct Turn {
    asking: Asking,
    /// It is asked no earlier.
    due: Instant,
    /// When it cosigned last, or the link was made.
    cosigned: Instant,
    /// A node below that had to wait until others were asked has done so.
    has_waited: bool,
}

/// When the next node below may be asked.
#[derive(Debug)]
pub(super) struct Queue(Mutex<Instant>);

impl Queue {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// A place in it.
    fn next(&self, now: Instant) -> Instant {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (*next).max(now);
        *next = place + ONE_BY_ONE;
        place
    }
}

impl Witnessing {
    pub(super) fn new(service: Service, network: NetworkHandle, peer: NodeKey) -> Self {
        let now = Instant::now();
        Self {
            service,
            network,
            peer,
            unit: OnceLock::new(),
            turn: Mutex::new(Turn {
                asking: Asking::default(),
                due: now,
                cosigned: now,
                has_waited: false,
            }),
        }
    }

    /// The peer was let in.
    pub(super) fn accepted(&self, unit: &Path) {
        let _ = self.unit.set(unit.clone());
    }

    fn peer(&self) -> Option<Peer> {
        self.service.witness_peer(self.peer, self.unit.get()?)
    }

    /// Is it a node above this one, or beside it?
    fn is_above(&self) -> bool {
        let own = self.service.unit().path();
        self.unit.get().is_some_and(|unit| unit.is_at_or_above(&own))
    }

    /// Is it one of those that are not asked with each checkpoint?
    fn is_below(&self) -> bool {
        !self.is_above() && !self.is_stranger() && !self.network.0.witnesses.contains(&self.peer)
    }

    /// Is it a node that is neither above nor below, and not named as a witness here?
    fn is_stranger(&self) -> bool {
        let own = self.service.unit().path();
        let in_line = self.unit.get().is_some_and(|unit| unit.is_in_line_with(&own));
        !in_line && !self.network.0.witnesses.contains(&self.peer)
    }

    fn pause(&self) -> Duration {
        if self.is_above() || self.network.0.witnesses.contains(&self.peer) {
            OFTEN
        } else if self.service.unit().path().ancestors().next().is_none() {
            AT_THE_TOP
        } else {
            SELDOM
        }
    }

    /// Waits until there is something to ask.
    pub(super) async fn question(self: &Arc<Self>) -> (u16, Vec<u8>) {
        let mut signed = self.network.0.signed.subscribe();
        loop {
            let due = self.turn().due;
            sleep(due.saturating_duration_since(Instant::now())).await;
            if self.is_below() && !std::mem::replace(&mut self.turn().has_waited, true) {
                let place = self.network.0.asking_below.next(Instant::now());
                sleep(place.saturating_duration_since(Instant::now())).await;
            }
            signed.borrow_and_update();
            let this = Arc::clone(self);
            if let Ok(Some(question)) = spawn_blocking(move || this.next()).await {
                return (TOPIC, question);
            }
            let again = self.turn().due.saturating_duration_since(Instant::now());
            let patience = if again.is_zero() { AGAIN } else { again };
            // Nothing new in that time is as good as something new.
            let _ = timeout(patience, signed.changed()).await;
        }
    }

    fn next(&self) -> Option<Vec<u8>> {
        let peer = self.peer().filter(|_| !self.is_stranger())?;
        let mut turn = self.turn();
        let again = turn.cosigned.elapsed() >= AGAIN;
        let asked = self
            .service
            .question(&mut turn.asking, &peer, again, self.is_above());
        asked.unwrap_or_else(|error| {
            tracing::warn!(peer = %peer.name, %error, "the witness is not asked");
            turn.due = Instant::now() + DECLINED;
            None
        })
    }

    /// Takes in what it answered.
    pub(super) async fn answered(self: &Arc<Self>, answer: Vec<u8>) {
        let this = Arc::clone(self);
        let _ = spawn_blocking(move || this.take_in(&answer)).await;
    }

    fn take_in(&self, answer: &[u8]) {
        let Some(peer) = self.peer() else { return };
        let mut turn = self.turn();
        let now = Instant::now();
        match self.service.answered(&mut turn.asking, &peer, answer) {
            Ok(Answered::Cosigned) => {
                turn.cosigned = now;
                turn.due = now + self.pause();
                turn.has_waited = false;
            }
            Ok(Answered::Taken) => {}
            Ok(Answered::SignedAnew) => self.network.signed(),
            Ok(Answered::Declined) => turn.due = now + DECLINED,
            Err(error) => {
                tracing::warn!(peer = %peer.name, %error, "the witness's answer is not kept");
                turn.due = now + DECLINED;
            }
        }
    }

    /// What it asks is answered with.
    pub(super) async fn answer(self: &Arc<Self>, topic: u16, question: Vec<u8>) -> Vec<u8> {
        let this = Arc::clone(self);
        let answering = spawn_blocking(move || match this.peer() {
            Some(peer) if topic == TOPIC => {
                let (answer, found) = this.service.answer(&peer, &question);
                if found {
                    // Those above are told.
                    this.network.signed();
                }
                answer
            }
            _ => exchange::malformed(),
        });
        answering.await.unwrap_or_else(|_| exchange::malformed())
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_below_are_asked_one_by_one_and_whoever_comes_alone_at_once() {
        let (queue, now) = (Queue::new(), Instant::now() + ONE_BY_ONE);
        let places: Vec<_> = (0..360).map(|_| queue.next(now)).collect();
        assert_eq!(places[0], now);
        assert!(places.windows(2).all(|two| two[1] == two[0] + ONE_BY_ONE));
        let later = now + ONE_BY_ONE * 400;
        assert_eq!(queue.next(later), later);
    }
}
