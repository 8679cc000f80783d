//! When to speak, when to pull, and when two replicas are level.

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::replica::{Position, Roots, Status};
use crate::session::error::Violation;
use crate::session::io::{Event, NotLevel};
use crate::session::limits::Limits;
use crate::session::message::{RequestId, State};

/// Things accepted by a peer beyond which an empty replica takes them in place by place, rather than in the
/// order of their acceptance.
const MANY: u64 = 4_096;

/// What is to be done next.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    Say(State),
    /// Pull from this position on.
    Stream(Position),
    /// Compare everything with what the peer had at this position.
    Repair(Position),
    Wait,
}

/// How things are on this side.
#[derive(Debug)]
pub(crate) struct Here {
    pub(crate) status: Status,
    /// Is a pull under way?
    pub(crate) pulling: bool,
    /// Are there no updates here?
    pub(crate) is_empty: bool,
}

/// What is known of where both sides stand.
#[derive(Debug)]
pub(crate) struct Levels {
    theirs: Option<State>,
    said: Option<State>,
    said_at: Duration,
    /// Each State for a change of our own takes [`Limits::notify_interval`]: up to here they are spent.
    paid_until: Duration,
    /// Everything before it in the peer's order was taken in.
    cursor: Option<Position>,
    /// The cursor that the driver knows.
    told_cursor: Option<Position>,
    /// The peer's position when the stream began.
    stream_to: Option<Position>,
    /// The stream brings what is known already.
    stale: bool,
    level: bool,
    /// Finished repairs of those that began when both sides had taken in what the other accepted.
    round: u32,
    /// Is the one under way such a repair?
    settled: bool,
    /// When the last repair ended.
    repaired_at: Option<Duration>,
    /// Repairs in a row that brought nothing; whether the last of them was reported.
    fruitless: u32,
    reported: bool,
    repair_after: Duration,
    /// The digests of both sides when the last settled repair began. While they are the same, another one
    /// would bring no more; once either has changed, it is worth another at once.
    compared: Option<(Roots, Roots)>,
    /// Since when it is the peer's turn, and whether that was reported.
    their_turn: Option<(Duration, bool)>,
    /// The standing request of the peer's that was answered last.
    answered_ahead: Option<RequestId>,
    /// The peer asked for something since it said where it stands.
    is_asking: bool,
    /// Up to here the peer has everything: both held the same.
    equal_at: Option<Position>,
    wake: Option<Duration>,
}

impl Levels {
    pub(crate) fn new(cursor: Option<Position>) -> Self {
        Self {
            theirs: None,
            said: None,
            said_at: Duration::ZERO,
            paid_until: Duration::ZERO,
            cursor,
            told_cursor: cursor,
            stream_to: None,
            stale: false,
            level: false,
            round: 0,
            settled: false,
            repaired_at: None,
            fruitless: 0,
            reported: true,
            repair_after: Duration::ZERO,
            compared: None,
            their_turn: None,
            answered_ahead: None,
            is_asking: false,
            equal_at: None,
            wake: None,
        }
    }

    /// The peer's last State.
    pub(crate) fn theirs(&self) -> Option<&State> {
        self.theirs.as_ref()
    }

    /// Did both hold the same when they last said where they stand?
    pub(crate) fn is_level(&self) -> bool {
        self.level
    }

    /// Has the peer taken in what was here when this side last said where it stands?
    pub(crate) fn peer_has_taken_all(&self) -> bool {
        let (Some(theirs), Some(said)) = (&self.theirs, &self.said) else {
            return false;
        };
        theirs.roots == said.roots || (!theirs.pulling && theirs.taken >= Some(said.position))
    }

    /// Up to where the peer has taken in what both hold.
    pub(crate) fn peer_has(&self) -> Option<Position> {
        let theirs = self.theirs.as_ref()?;
        let equal = self.said.filter(|said| said.roots == theirs.roots);
        theirs.taken.max(equal.map(|said| said.position))
    }

    /// The last State said here.
    pub(crate) fn said(&self) -> Option<State> {
        self.said
    }

    /// When to look again, if nothing comes.
    pub(crate) fn wake(&self) -> Option<Duration> {
        self.wake
    }

    /// The peer said where it stands.
    pub(crate) fn told(&mut self, state: State) {
        self.theirs = Some(state);
        self.is_asking = false;
        self.their_turn = None;
    }

    /// The peer asked for something: it is at work.
    pub(crate) fn asked(&mut self) {
        self.is_asking = true;
        self.their_turn = None;
    }

    /// A page of the stream is durable.
    pub(crate) fn moved(&mut self, position: Position) {
        self.cursor = self.cursor.max(Some(position));
    }

    /// Is anything of the peer's order taken in?
    pub(crate) fn has_cursor(&self) -> bool {
        self.cursor.is_some()
    }

    /// A stream ended. A peer that said it has come to a position and then has nothing more to tell before
    /// it would be asked for ever.
    pub(crate) fn streamed(&mut self, stale: bool) -> Result<(), Violation> {
        self.stale = stale;
        let to = self.stream_to.take();
        match !stale && self.cursor < to {
            true => Err(Violation::Position),
            false => Ok(()),
        }
    }

    /// A repair ended.
    pub(crate) fn repaired(&mut self, position: Position, gained: u64, now: Duration) {
        self.moved(position);
        self.repaired_at = Some(now);
        if !std::mem::take(&mut self.settled) {
            return;
        }
        self.round = self.round.saturating_add(1);
        self.fruitless = if gained == 0 {
            self.fruitless.saturating_add(1)
        } else {
            0
        };
        self.reported = gained > 0;
    }

    /// The peer's standing request, and the position after which it wants everything, if there may be something
    /// that it does not have.
    pub(crate) fn ahead(&self, mine: &Status) -> Option<(RequestId, Position)> {
        // What it is taking in already need not be sent twice.
        let theirs = self.theirs.filter(|theirs| !theirs.pulling && !self.is_asking)?;
        let id = theirs.ahead?;
        let after = theirs.taken.max(self.equal_at)?;
        let is_wanted = after < mine.position && theirs.roots != mine.roots;
        (is_wanted && self.answered_ahead != Some(id)).then_some((id, after))
    }

    /// A standing request is answered, which is done once.
    pub(crate) fn answered_ahead(&mut self, id: RequestId) {
        self.answered_ahead = Some(id);
    }

    /// The cursor, if the driver does not know it yet.
    pub(crate) fn take_new_cursor(&mut self) -> Option<Position> {
        if self.cursor == self.told_cursor {
            return None;
        }
        self.told_cursor = self.cursor;
        self.cursor
    }

    /// The State to say before an answer that tells of a position, if the digests changed since it was
    /// said last: a peer that has read up to a position must know the digests there.
    pub(crate) fn before_answer(&mut self, mine: Status, pulling: bool, now: Duration) -> Option<State> {
        let said = self.said.as_ref()?;
        if said.roots == mine.roots {
            return None;
        }
        Some(self.say(mine, pulling, now))
    }

    fn say(&mut self, mine: Status, pulling: bool, now: Duration) -> State {
        let state = State {
            position: mine.position,
            roots: mine.roots,
            taken: self.cursor,
            round: self.round,
            pulling,
            ahead: None,
        };
        self.said = Some(state);
        self.said_at = now;
        state
    }

    /// What to do, given how things are here.
    pub(crate) fn step(
        &mut self,
        here: &Here,
        now: Duration,
        limits: &Limits,
        rng: &mut dyn Rng,
        events: &mut Vec<Event>,
    ) -> Step {
        let &Here {
            status: mine,
            pulling,
            is_empty,
        } = here;
        self.wake = None;
        let Some(said) = self.said else {
            return Step::Say(self.say(mine, pulling, now));
        };
        let Some(theirs) = self.theirs else {
            return Step::Wait;
        };
        if pulling {
            // Also where nothing was asked for: what is sent ahead is told as progress.
            self.level = false;
            return match said.roots == mine.roots {
                true => Step::Wait,
                false => self.say_not_before(
                    later(self.said_at, limits.notify_interval_pulling),
                    mine,
                    true,
                    now,
                ),
            };
        }
        if mine.roots == theirs.roots {
            self.moved(theirs.position);
            self.equal_at = Some(mine.position);
            self.their_turn = None;
            self.fruitless = 0;
            self.reported = true;
            self.stale = false;
            if !self.level {
                self.level = true;
                events.push(Event::Level);
            }
            return match said.roots == mine.roots && !said.pulling {
                true => Step::Wait,
                false => Step::Say(self.say(mine, false, now)),
            };
        }
        self.level = false;
        let Some(cursor) = self.cursor else {
            // What a place has is alike and belongs together: its pages are two thirds of the bytes, and each
            // document is opened once. And what broke off goes on where it was, without a cursor.
            if !is_empty || theirs.position.count() > MANY {
                return Step::Repair(theirs.position);
            }
            self.cursor = Some(Position::START);
            self.stream_to = Some(theirs.position);
            return Step::Stream(Position::START);
        };
        if std::mem::take(&mut self.stale) {
            return Step::Repair(theirs.position);
        }
        if cursor < theirs.position {
            if !theirs.pulling {
                self.stream_to = Some(theirs.position);
                return Step::Stream(cursor);
            }
            // Most of what is new there came from here. What did not is looked for now and then, since
            // the peer's pulling may take hours.
            let due = self
                .repaired_at
                .map_or(now, |at| later(at, limits.notify_interval_pulling));
            if now >= due {
                return Step::Repair(theirs.position);
            }
            self.wake = Some(due);
            return Step::Wait;
        }
        if said.taken != self.cursor || said.round != self.round || said.pulling {
            return Step::Say(self.say(mine, false, now));
        }
        if said.roots != mine.roots {
            // A few at once, so that one change need not wait for the one before it to have settled.
            let ahead = limits
                .notify_interval
                .saturating_mul(limits.notify_burst.saturating_sub(1));
            let step = self.say_not_before(self.paid_until.saturating_sub(ahead), mine, false, now);
            if let Step::Say(_) = step {
                self.paid_until = later(self.paid_until.max(now), limits.notify_interval);
            }
            return step;
        }
        // Nothing more to take or to say. Is the peer as far?
        let done = !theirs.pulling && theirs.taken >= Some(said.position) && theirs.round >= self.round;
        if !done {
            let (since, reported) = *self.their_turn.get_or_insert((now, false));
            let patience = later(since, limits.settle);
            if !reported && now >= patience {
                self.their_turn = Some((since, true));
                events.push(Event::NotLevel {
                    trees: mine.roots.differing(&theirs.roots),
                    why: NotLevel::PeerDoesNotTake,
                });
            } else if !reported {
                self.wake = Some(patience);
            }
            return Step::Wait;
        }
        let compared = Some((mine.roots, theirs.roots));
        if self.compared != compared {
            self.reported = true;
            self.fruitless = 0;
            self.repair_after = now;
        }
        if !std::mem::replace(&mut self.reported, true) {
            events.push(Event::NotLevel {
                trees: mine.roots.differing(&theirs.roots),
                why: NotLevel::NothingGained,
            });
            let pause = limits
                .repair_pause
                .saturating_mul(1 << self.fruitless.saturating_sub(1).min(16))
                .min(limits.repair_pause_max);
            self.repair_after = later(now, pause.mul_f64(0.75 + 0.5 * rng.random::<f64>()));
        }
        if now < self.repair_after {
            self.wake = Some(self.repair_after);
            return Step::Wait;
        }
        events.push(Event::Repairing {
            trees: mine.roots.differing(&theirs.roots),
        });
        self.settled = true;
        self.compared = compared;
        Step::Repair(theirs.position)
    }

    fn say_not_before(&mut self, due: Duration, mine: Status, pulling: bool, now: Duration) -> Step {
        if now >= due {
            return Step::Say(self.say(mine, pulling, now));
        }
        self.wake = Some(due);
        Step::Wait
    }
}

fn later(at: Duration, pause: Duration) -> Duration {
    at.saturating_add(pause)
}
