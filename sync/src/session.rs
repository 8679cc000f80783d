//! Levelling two replicas over one connection, without IO, clock or randomness of its own.
//!
//! Each side says where it stands ([`message::State`]) and pulls what it lacks: from its cursor on if it
//! has one, everything if it is empty, otherwise by comparing digests. It says so when it has taken in
//! what the other had. Only when both have, and nothing changed since, must the digests be equal; if they
//! are not, both compare them down to the leaves. Answering needs no memory, so a side may be asked at any
//! time and the sessions with other peers do not matter.
//!
//! Deliberately absent: pushing. A side is never sent what it did not ask for, so it alone decides how
//! much is under way. It may ask ahead, though, as it does of those below it: what is new, once there is
//! something, if it is little ([`message::State::ahead`]).

use std::collections::VecDeque;
use std::time::Duration;

use rand::Rng;

use crate::id::StoreEpoch;
use crate::path::Scope;
use crate::replica::{Cursor, Record, Replica, Status};

mod asks;
mod beside;
mod bounded;
mod error;
mod figures;
mod greeting;
mod io;
mod level;
mod limits;
pub mod message;
pub mod page;
mod plan;
mod pull;
mod received;
mod serve;
mod short;
mod turns;

pub use bounded::Few;
pub use error::{CloseReason, Late, Refusal, Violation};
pub use figures::{Behind, Figures};
pub use io::{Config, Event, Gate, Input, NotAdmitted, NotLevel, Now, Output, Role, Token};
pub use limits::Limits;
pub use received::Received;
pub use short::{Short, ShortHead};
pub use turns::Turns;

use asks::Asks;
use beside::Beside;
use level::{Here, Levels, Step};
use limits::Bucket;
use message::Message;
use pull::{Done, Effect, Puller};
use received::{LONG, What};
use serve::Answer;

/// Figures are put out no more often than this, but when a side comes level.
const FIGURES_EVERY: Duration = Duration::from_secs(1);

/// One connection's session.
///
/// # Driving it
/// 1. [`Session::new`], then [`Session::handle`] with [`Input::Connected`] once the peer has proved its
///    key.
/// 2. After each `handle`, call [`Session::poll_output`] until it returns [`Output::WaitUntil`]. Write
///    [`Output::Send`] frames in order; while more than a few wait to be written, poll no further, so that
///    a peer that asks but does not read is noticed.
/// 3. Judge and store [`Output::Deliver`] in order, durably, and answer each with [`Input::Delivered`]. At
///    most 4 are open at a time, each within [`page::MAX_PAGE`] bytes before decoding.
/// 4. [`Input::LocalChange`] after every change of the replica, whoever it came from; several may be one.
/// 5. [`Input::Tick`] at the time of the last [`Output::WaitUntil`].
/// 6. Write down the last [`Event::Cursor`] for this peer and hand it to the next session as
///    [`Config::cursor`]. It never runs ahead of what is durable.
/// 7. [`Input::Ask`] whenever there is something to ask beside the replica, once the peer was accepted and the
///    last question was answered ([`Output::Answered`]). Answer [`Output::Asked`] with [`Input::Answer`].
/// 8. After [`Output::Close`] write the frames that came before it, and close the connection. Losing the
///    connection needs no input: drop the session.
///
/// The replica handed to `handle` must not change within the call; a panic on anything a peer sends is a
/// bug.
#[derive(Debug)]
pub struct Session {
    config: Config,
    role: Role,
    phase: Phase,
    /// The Hello that was sent left the certificate out.
    said_brief: bool,
    /// The peer's Hello did, and was not enough.
    asked_for_whole: bool,
    started: Duration,
    last_frame: Duration,
    bucket: Bucket,
    control: VecDeque<Output>,
    /// What is to be sent, each with whether it is the last of an answer.
    sends: VecDeque<(Sending, bool)>,
    unsent_answers: usize,
    /// Bytes sent and received.
    bytes: [u64; 2],
    /// The figures told last, and when.
    told: (Figures, Duration),
    close: Option<CloseReason>,
    deadline: Duration,
}

#[derive(Debug)]
enum Sending {
    Frame(Vec<u8>),
    Page(Answer),
}

#[derive(Debug)]
enum Phase {
    /// The peer did not introduce itself yet.
    Unknown,
    /// It is let in.
    Open(Box<Open>),
    /// It is let in to ask and be asked.
    Beside(Beside),
    Closed,
}

#[derive(Debug)]
struct Open {
    shared: Scope,
    peer_epoch: StoreEpoch,
    puller: Puller,
    levels: Levels,
    accepted: Duration,
    asks: Asks,
}

impl Session {
    /// A session at the time `now`.
    pub fn new(config: Config, role: Role, now: Now) -> Self {
        let limits = config.limits;
        Self {
            role,
            phase: Phase::Unknown,
            said_brief: false,
            asked_for_whole: false,
            started: now.elapsed,
            last_frame: now.elapsed,
            bucket: Bucket::new(limits.messages_per_minute, limits.burst, now.elapsed),
            control: VecDeque::new(),
            sends: VecDeque::new(),
            unsent_answers: 0,
            bytes: [0; 2],
            told: (Figures::default(), now.elapsed),
            close: None,
            deadline: now.elapsed + limits.hello,
            config,
        }
    }

    /// Is it over?
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Was the peer let in, and is it not over?
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_) | Phase::Beside(_))
    }

    /// Will [`Self::poll_output`] write a page that takes a while?
    pub fn has_long_page(&self) -> bool {
        match self.sends.front() {
            Some((Sending::Page(Answer::Page(_, records)), _)) if self.control.is_empty() => {
                records.iter().map(Record::size).sum::<usize>() > LONG
            }
            _ => false,
        }
    }

    /// What comes next. See [`Session`].
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.control.pop_front() {
            return output;
        }
        if let Some((sending, is_answer)) = self.sends.pop_front() {
            self.unsent_answers -= usize::from(is_answer);
            return Output::Send(match sending {
                Sending::Frame(frame) => frame,
                Sending::Page(page) => {
                    let frame = page.into_message().encode();
                    self.bytes[0] += frame.len() as u64;
                    frame
                }
            });
        }
        match self.close.take() {
            Some(reason) => Output::Close(reason),
            None => Output::WaitUntil(self.deadline),
        }
    }

    /// Takes an input. `replica` is read only; `rng` only spreads pauses.
    pub fn handle(&mut self, input: Input, replica: &dyn Replica, now: Now, rng: &mut dyn Rng) {
        if self.is_closed() {
            return;
        }
        let input = self.read(input, now);
        let result = self
            .take(input, replica, now, rng)
            .and_then(|()| self.advance(replica, now.elapsed, rng));
        match result {
            Ok(()) => {
                self.tell_figures(now.elapsed);
                self.deadline = self.next_deadline();
            }
            Err(reason) => {
                self.event(Event::Figures(self.figures()));
                self.end(reason);
            }
        }
    }

    /// What it has done so far.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures {
            sent: self.bytes[0],
            received: self.bytes[1],
            last_frame: self.last_frame,
            ..Figures::default()
        };
        if let Phase::Open(open) = &self.phase {
            figures.round_trips = 1;
            open.puller.add_to(&mut figures);
            if open.levels.is_level() {
                figures.behind = Behind::Level;
            }
            figures.peer_is_level = open.levels.peer_has_taken_all();
            figures.peer_has = open.levels.peer_has();
            figures.said = open.levels.said().map(|said| said.roots.together());
        }
        if let Phase::Beside(_) = &self.phase {
            // Nothing is shared, so neither lacks anything.
            figures.round_trips = 1;
            figures.behind = Behind::Level;
            figures.peer_is_level = true;
        }
        figures
    }

    /// Puts the figures out, once they are worth it: when a side comes level or falls behind, and
    /// otherwise now and then.
    fn tell_figures(&mut self, now: Duration) {
        let figures = self.figures();
        let (told, at) = self.told;
        let turned = (figures.behind == Behind::Level) != (told.behind == Behind::Level)
            || figures.peer_is_level != told.peer_is_level;
        if turned || (figures != told && now >= at + FIGURES_EVERY) {
            self.told = (figures, now);
            self.event(Event::Figures(figures));
        }
    }

    fn take(
        &mut self,
        input: Input,
        replica: &dyn Replica,
        now: Now,
        rng: &mut dyn Rng,
    ) -> Result<(), CloseReason> {
        match input {
            Input::Connected => {
                if self.role == Role::Dialer {
                    // Where its updates were taken in, its credentials and ours were levelled before.
                    self.say_hello(self.config.cursor.is_some(), replica, now);
                }
                Ok(())
            }
            Input::Read(Received { bytes, what }) => {
                self.last_frame = now.elapsed;
                self.bytes[1] += bytes as u64;
                self.frame(what?, replica, now, rng)
            }
            // It was read above.
            Input::Frame(_) => Ok(()),
            Input::Delivered { token, result } => {
                let summary = result.map_err(CloseReason::StoreFailed)?;
                match &mut self.phase {
                    Phase::Open(open) => open.puller.delivered(token, summary, replica),
                    Phase::Unknown | Phase::Beside(_) | Phase::Closed => Ok(()),
                }
            }
            // What changed, and what is to be done about it, is seen below.
            Input::LocalChange => Ok(()),
            Input::Ask { topic, body } => {
                if let Some(asks) = self.asks() {
                    asks.ask(topic, body);
                }
                Ok(())
            }
            Input::Answer(body) => {
                if let Some(answer) = self.asks().and_then(|asks| asks.answer(body)) {
                    self.send(&answer, true);
                }
                Ok(())
            }
            Input::Tick => self.check_time(now.elapsed),
            Input::Close => Err(CloseReason::Local),
        }
    }

    fn asks(&mut self) -> Option<&mut Asks> {
        match &mut self.phase {
            Phase::Open(open) => Some(&mut open.asks),
            Phase::Beside(beside) => Some(&mut beside.0),
            Phase::Unknown | Phase::Closed => None,
        }
    }

    fn check_time(&mut self, now: Duration) -> Result<(), CloseReason> {
        let patience = self.config.limits.hello;
        match &self.phase {
            Phase::Unknown if now >= self.started + patience => Err(Late::Hello.into()),
            Phase::Open(open) if open.levels.theirs().is_none() && now >= open.accepted + patience => {
                Err(Late::State.into())
            }
            Phase::Open(open) => {
                open.asks.check_time(now, self.config.limits.answer)?;
                Ok(open.puller.check_time(self.last_frame, now)?)
            }
            Phase::Beside(beside) => Ok(beside.0.check_time(now, self.config.limits.answer)?),
            Phase::Unknown | Phase::Closed => Ok(()),
        }
    }

    fn next_deadline(&self) -> Duration {
        let patience = self.config.limits.hello;
        match &self.phase {
            Phase::Unknown => self.started + patience,
            Phase::Closed => Duration::MAX,
            Phase::Beside(beside) => beside
                .0
                .deadline(self.config.limits.answer)
                .unwrap_or(Duration::MAX),
            Phase::Open(open) => {
                let first_state = (open.levels.theirs().is_none()).then_some(open.accepted + patience);
                let answer = open.puller.deadline(self.last_frame);
                let level = open.levels.wake();
                let turn = open.puller.paused();
                let asked = open.asks.deadline(self.config.limits.answer);
                [first_state, answer, level, turn, asked]
                    .into_iter()
                    .flatten()
                    .min()
                    .unwrap_or(Duration::MAX)
            }
        }
    }

    fn send(&mut self, message: &Message, is_answer: bool) {
        self.unsent_answers += usize::from(is_answer);
        let frame = message.encode();
        self.bytes[0] += frame.len() as u64;
        self.sends.push_back((Sending::Frame(frame), is_answer));
    }

    fn event(&mut self, event: Event) {
        self.control.push_back(Output::Event(event));
    }

    fn end(&mut self, reason: CloseReason) {
        // Whoever was not let in is told nothing, not even why.
        if matches!(self.phase, Phase::Open(_) | Phase::Beside(_)) {
            let code = match &reason {
                CloseReason::Violation(violation) => Some(violation.code()),
                CloseReason::Bye(_) => None,
                _ => Some(0),
            };
            if let Some(code) = code {
                self.send(&Message::Bye { code }, false);
            }
        }
        self.phase = Phase::Closed;
        self.deadline = Duration::MAX;
        self.close = Some(reason);
    }

    fn frame(
        &mut self,
        what: What,
        replica: &dyn Replica,
        now: Now,
        rng: &mut dyn Rng,
    ) -> Result<(), CloseReason> {
        let message = match what {
            What::First(first) => return self.first_frame(first, replica, now),
            What::Page(page) => {
                return match &mut self.phase {
                    Phase::Open(open) => open.puller.page(page, replica, now.elapsed),
                    Phase::Unknown | Phase::Beside(_) | Phase::Closed => Err(Violation::Unsolicited.into()),
                };
            }
            What::Message(message) => message,
        };
        if let Phase::Beside(beside) = &mut self.phase {
            if !self.bucket.take(now.elapsed) {
                return Err(Violation::TooFast.into());
            }
            let output = beside.message(message)?;
            self.control.push_back(output);
            return Ok(());
        }
        let Phase::Open(open) = &mut self.phase else {
            return Err(Violation::BeforeHello.into());
        };
        if message.answered().is_some() {
            return open.puller.answer(message, replica, now.elapsed);
        }
        if let Message::Answer { id, body } = message {
            let answered = open.asks.answered(id, body)?;
            self.control.push_back(answered);
            return Ok(());
        }
        if !self.bucket.take(now.elapsed) {
            return Err(Violation::TooFast.into());
        }
        match message {
            Message::Hello(_) => Err(Violation::SecondHello.into()),
            Message::Introduce => {
                let state = open.levels.said();
                self.introduce(replica, now)?;
                // What was said before went to somebody who did not know by whom.
                if let Some(state) = state {
                    self.send(&Message::State(state), false);
                }
                Ok(())
            }
            Message::Bye { code } => Err(CloseReason::Bye(code)),
            Message::Ask { id, topic, body } => {
                let asked = open.asks.asked(id, topic, body)?;
                self.control.push_back(asked);
                Ok(())
            }
            Message::State(state) => {
                if let Some(turns) = &self.config.serving
                    && !state.pulling
                {
                    turns.release(self.config.peer);
                }
                open.levels.told(state);
                Ok(())
            }
            request => {
                open.levels.asked();
                if self.unsent_answers >= self.config.limits.unsent_answers {
                    return Err(Violation::TooManyRequests.into());
                }
                if let Some(id) = request.page_asked()
                    && let Some(turns) = &self.config.serving
                    && let Err(wait) = turns.ask(self.config.peer, now.elapsed, rng)
                {
                    let millis = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
                    self.send(&Message::Busy { id, millis }, true);
                    return Ok(());
                }
                let Some(answers) = serve::answer(&request, replica, &open.shared)? else {
                    return Err(Violation::Unsolicited.into());
                };
                if let Message::Since { .. } = request {
                    let mine = replica.status(&open.shared)?;
                    let pulling = !open.puller.is_idle();
                    let state = open.levels.before_answer(mine, pulling, now.elapsed);
                    if let Some(state) = state {
                        self.send(&Message::State(state), false);
                    }
                }
                if let Some(turns) = &self.config.serving
                    && let Some(Answer::Message(Message::PageHead { remaining: 0, .. })) = answers.first()
                {
                    turns.release(self.config.peer);
                }
                let last = answers.len();
                for (at, answer) in answers.into_iter().enumerate() {
                    let is_last = at + 1 == last;
                    match answer {
                        Answer::Message(message) => self.send(&message, is_last),
                        page @ Answer::Page(..) => {
                            self.unsent_answers += usize::from(is_last);
                            self.sends.push_back((Sending::Page(page), is_last));
                        }
                    }
                }
                Ok(())
            }
        }
    }

    /// Does what is to be done next, until something must come from outside.
    fn advance(
        &mut self,
        replica: &dyn Replica,
        now: Duration,
        rng: &mut dyn Rng,
    ) -> Result<(), CloseReason> {
        if let Phase::Beside(beside) = &mut self.phase {
            if let Some(question) = beside.next(now) {
                self.send(&question, false);
            }
            return Ok(());
        }
        let Phase::Open(open) = &mut self.phase else {
            return Ok(());
        };
        let mut messages = Vec::new();
        let mut events = Vec::new();
        loop {
            let done = match open.levels.theirs() {
                Some(theirs) => open.puller.pump(replica, &theirs.roots, now, rng)?,
                None => None,
            };
            for effect in open.puller.effects.drain(..) {
                match effect {
                    Effect::Send(message) => messages.push(Answer::Message(message)),
                    Effect::Deliver(token, records) => {
                        self.control.push_back(Output::Deliver { token, records });
                    }
                    Effect::Cursor(position) => open.levels.moved(position),
                    Effect::Progress(progress) => events.push(progress),
                }
            }
            match done {
                Some(Done::Stream(stale)) => open.levels.streamed(stale)?,
                Some(Done::Repair(position, gained)) => open.levels.repaired(position, gained, now),
                None => {}
            }
            let here = Here {
                status: replica.status(&open.shared)?,
                pulling: !open.puller.is_idle(),
                is_empty: !open.levels.has_cursor() && serve::is_empty(replica, &open.shared)?,
            };
            match open
                .levels
                .step(&here, now, &self.config.limits, rng, &mut events)
            {
                Step::Wait => break,
                Step::Say(mut state) => {
                    if let Some(page) = ahead(&mut open.levels, &here.status, replica, &open.shared)? {
                        messages.extend(page);
                    }
                    // What is new above or beside may come over a second link, too, where one asks for it.
                    let is_below = open.shared.unit() != self.config.scope.unit();
                    let asks_ahead = is_below && !state.pulling && state.taken.is_some();
                    state.ahead = asks_ahead.then(|| open.puller.ahead());
                    messages.push(Answer::Message(Message::State(state)));
                }
                Step::Stream(after) => open.puller.stream(after),
                Step::Repair(position) => open.puller.repair(position),
            }
        }
        if let Some(position) = open.levels.take_new_cursor() {
            let epoch = open.peer_epoch;
            events.push(Event::Cursor(Cursor { epoch, position }));
        }
        // Whoever has said where it stands listens.
        if open.levels.theirs().is_some() {
            messages.extend(open.asks.next(now).map(Answer::Message));
        }
        for message in messages {
            match message {
                Answer::Message(message) => self.send(&message, false),
                page @ Answer::Page(..) => self.sends.push_back((Sending::Page(page), false)),
            }
        }
        self.control.extend(events.into_iter().map(Output::Event));
        Ok(())
    }
}

/// What answers the peer's standing request, if all that is new since fits.
fn ahead(
    levels: &mut Levels,
    mine: &Status,
    replica: &dyn Replica,
    shared: &Scope,
) -> Result<Option<Vec<Answer>>, CloseReason> {
    let Some((id, after)) = levels.ahead(mine) else {
        return Ok(None);
    };
    let page = serve::ahead(id, after, replica, shared)?;
    if page.is_some() {
        levels.answered_ahead(id);
    }
    Ok(page)
}

#[cfg(test)]
mod tests;
