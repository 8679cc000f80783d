//! Taking in what the peer has: page by page from a position on, or by comparing digests.
//!
//! What was asked for stands in `asked` until it is answered, what was received in `open` until the
//! driver says that it is durable; both are bounded, so the peer's pace is the store's pace.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;

use crate::id::{NetworkId, NodeKey};
use crate::path::{Path, Scope};
use crate::replica::{BlobKind, Position, Record, Replica, Roots, Summary, Tree};
use crate::session::error::{CloseReason, Late, Violation};
use crate::session::figures::{Behind, Figures, Rate};
use crate::session::io::{Config, Event, Token};
use crate::session::limits::{Limits, PageSize};
use crate::session::message::{ItemRef, ListAsk, Message, RequestId};
use crate::session::pull::repair::{Lacked, Repair, Want};
use crate::session::pull::stream::Stream;
use crate::session::turns::Turns;

mod answers;
mod ask;
mod repair;
mod stream;

pub(crate) use answers::Page;

/// Requests that may be unanswered.
const MAX_ASKED: usize = 4;
/// Pages that may be on their way.
const MAX_PAGES_ASKED: usize = 2;
/// Pages that may be with the driver when another one is asked for: while one is stored, the signatures of
/// the next are checked, and the one before is on its way to the disk.
const MAX_PAGES_OPEN: usize = 2;
/// Logs asked for in one request: few enough that a broken link costs little.
const LOGS_AT_ONCE: usize = 128;
/// Places told of in one request.
const LACKING_AT_ONCE: usize = 128;
/// Sealed items that a stream remembers to ask for; the rest is found by comparing digests.
const MAX_HELD: usize = 65_536;

/// A request that is not answered yet.
#[derive(Debug)]
enum Asked {
    Since {
        after: Position,
        /// Of the page that follows, once its head came.
        head: Option<(Position, u32, u64)>,
    },
    Describe(Tree, Vec<Path>),
    List(Tree, Vec<ListAsk>),
    Logs(Vec<Want>),
    /// Answers a standing request: the position after the page, its records, and whether it is all that is being
    /// taken in.
    Ahead(Position, u32, bool),
    /// Places told of; once the head of the answer came, what it said and the records of the page.
    Lacking(Tree, Vec<Path>, Option<(Lacked, u32)>),
    Fetch(BlobKind, Vec<ItemRef>),
}

impl Asked {
    fn is_page(&self) -> bool {
        matches!(
            self,
            Self::Since { .. } | Self::Logs(_) | Self::Lacking(..) | Self::Fetch(..)
        )
    }
}

/// What follows once a delivery is durable.
#[derive(Debug)]
enum After {
    /// Everything before the position is taken in; so many records come after it.
    Stream(Position, u64),
    /// These logs may have grown.
    Logs(Vec<Want>),
    /// These places may be level.
    Lacked(Lacked),
    Nothing,
}

#[derive(Debug)]
struct Open {
    token: Token,
    after: After,
    result: Option<Summary>,
}

#[derive(Debug)]
enum Work {
    Idle,
    Stream(Stream),
    Repair(Box<Repair>),
}

/// What a pull came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Everything up to the position was offered; true if it looked as though most of it was known, so
    /// that comparing digests is the better way on.
    Stream(bool),
    /// Everything the peer had at that position was compared; so many records were new.
    Repair(Position, u64),
}

/// What the session has to pass on.
#[derive(Debug)]
pub(crate) enum Effect {
    Send(Message),
    Deliver(Token, Vec<Record>),
    /// The stream is durable up to here.
    Cursor(Position),
    Progress(Event),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Puller {
    scope: Scope,
    network: NetworkId,
    limits: Limits,
    peer: NodeKey,
    turns: Option<Arc<Turns>>,
    /// No page is asked for before this time.
    paused: Option<Duration>,
    next_id: RequestId,
    /// A standing request that is not answered yet.
    ahead: Option<RequestId>,
    next_token: u64,
    asked: BTreeMap<RequestId, (Asked, Duration)>,
    open: VecDeque<Open>,
    /// Items to ask for.
    fetch: VecDeque<(BlobKind, ItemRef)>,
    work: Work,
    page_size: PageSize,
    pub(crate) effects: Vec<Effect>,
    /// Compressed bytes and records taken in so far.
    bytes: u64,
    records: u64,
    pages: u64,
    rate: Rate,
    /// Records still to come, as far as it is known.
    remaining: Option<u64>,
    /// How many answers came one after the other before each request, itself included.
    depths: BTreeMap<RequestId, u32>,
    depth: u32,
}

impl Puller {
    pub(crate) fn new(scope: Scope, config: &Config) -> Self {
        Self {
            scope,
            network: config.network,
            limits: config.limits,
            peer: config.peer,
            turns: config.pulling.clone(),
            paused: None,
            next_id: 0,
            ahead: None,
            next_token: 0,
            asked: BTreeMap::new(),
            open: VecDeque::new(),
            fetch: VecDeque::new(),
            work: Work::Idle,
            page_size: PageSize::new(),
            effects: Vec::new(),
            bytes: 0,
            records: 0,
            pages: 0,
            rate: Rate::default(),
            remaining: None,
            depths: BTreeMap::new(),
            depth: 0,
        }
    }

    /// Adds what this side did to the figures of its session.
    pub(crate) fn add_to(&self, figures: &mut Figures) {
        figures.round_trips += self.depth;
        figures.pages = self.pages;
        figures.records = self.records;
        figures.page_bytes = self.bytes;
        figures.rate = self.rate.get();
        if let Some(records) = self.remaining {
            let each = self.bytes.checked_div(self.records).unwrap_or(400);
            figures.behind = Behind::By {
                records,
                bytes: records.saturating_mul(each),
            };
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.work, Work::Idle)
    }

    /// Begins to take in what the peer accepted from `after` on.
    pub(crate) fn stream(&mut self, after: Position) {
        self.remaining = None;
        self.work = Work::Stream(Stream::new(after));
    }

    /// The standing request; as long as it is not answered, it stays the same.
    pub(crate) fn ahead(&mut self) -> RequestId {
        let fresh = self.next_id;
        *self.ahead.get_or_insert_with(|| {
            self.next_id = fresh.wrapping_add(1);
            fresh
        })
    }

    /// Begins to compare everything with what the peer had at `position`.
    pub(crate) fn repair(&mut self, position: Position) {
        self.remaining = None;
        self.work = Work::Repair(Box::new(Repair::new(position, self.limits.places)));
    }

    /// Until when no page is asked for.
    pub(crate) fn paused(&self) -> Option<Duration> {
        self.paused
    }

    /// Is there something to be asked for, once pages may be asked for again?
    fn is_held_up(&self) -> bool {
        self.paused.is_some()
            && match &self.work {
                Work::Idle => false,
                Work::Stream(stream) => !self.fetch.is_empty() || stream.has_more(),
                Work::Repair(repair) => {
                    !self.fetch.is_empty() || !repair.logs.is_empty() || !repair.lacking.is_empty()
                }
            }
    }

    /// When the answer to the oldest request is overdue.
    pub(crate) fn deadline(&self, last_frame: Duration) -> Option<Duration> {
        let oldest = self.asked.values().map(|(_, at)| *at).min()?;
        Some((oldest.max(last_frame) + self.limits.silence).min(oldest + self.limits.answer))
    }

    pub(crate) fn check_time(&self, last_frame: Duration, now: Duration) -> Result<(), Late> {
        match self.deadline(last_frame) {
            Some(deadline) if deadline <= now => Err(Late::Answer),
            _ => Ok(()),
        }
    }

    fn open_delivery(&mut self, records: Vec<Record>, after: After) {
        let token = Token(self.next_token);
        self.next_token += 1;
        let result = records.is_empty().then(Summary::default);
        if !records.is_empty() {
            self.records += records.len() as u64;
            self.effects.push(Effect::Deliver(token, records));
        }
        self.open.push_back(Open { token, after, result });
    }

    /// A delivery is durable. Unknown tokens are the driver's mistake and are ignored.
    pub(crate) fn delivered(
        &mut self,
        token: Token,
        summary: Summary,
        replica: &dyn Replica,
    ) -> Result<(), CloseReason> {
        if summary.forged > 0 {
            return Err(Violation::Forged {
                count: summary.forged,
            }
            .into());
        }
        if let Some(open) = self.open.iter_mut().find(|open| open.token == token) {
            open.result = Some(summary);
        }
        self.close_deliveries(replica)
    }

    /// Draws the consequences of durable deliveries, in the order in which they were received.
    fn close_deliveries(&mut self, replica: &dyn Replica) -> Result<(), CloseReason> {
        while let Some(Open {
            result: Some(summary),
            ..
        }) = self.open.front()
        {
            let summary = *summary;
            let Some(open) = self.open.pop_front() else { break };
            match (open.after, &mut self.work) {
                (After::Stream(position, remaining), Work::Stream(stream)) => {
                    stream.taken(&summary);
                    self.remaining = Some(remaining);
                    self.effects.push(Effect::Cursor(position));
                    self.progress(remaining);
                }
                (After::Logs(wants), Work::Repair(repair)) => {
                    repair.gained += u64::from(summary.taken);
                    repair.retry(wants, replica)?;
                    let remaining = repair.logs.len() as u64;
                    self.progress(remaining);
                }
                (After::Nothing, work) => {
                    if let Work::Repair(repair) = work {
                        repair.gained += u64::from(summary.taken);
                    }
                    self.progress(self.fetch.len() as u64);
                }
                (After::Lacked(lacked), Work::Repair(repair)) => {
                    repair.gained += u64::from(summary.taken);
                    repair.told(lacked, summary.taken + summary.waiting > 0);
                    let remaining = repair.lacking.len() as u64;
                    self.progress(remaining);
                }
                (After::Stream(..) | After::Logs(_) | After::Lacked(_), _) => {}
            }
        }
        Ok(())
    }

    fn progress(&mut self, remaining: u64) {
        self.effects.push(Effect::Progress(Event::Progress {
            records: self.records,
            bytes: self.bytes,
            remaining,
        }));
    }

    /// Asks for whatever may be asked for now. Says what the work came to, once it is done.
    pub(crate) fn pump(
        &mut self,
        replica: &dyn Replica,
        theirs: &Roots,
        now: Duration,
        rng: &mut dyn Rng,
    ) -> Result<Option<Done>, CloseReason> {
        self.close_deliveries(replica)?;
        self.paused = self.paused.filter(|until| now < *until);
        if self.paused.is_none()
            && !self.is_idle()
            && let Some(turns) = &self.turns
            && let Err(wait) = turns.ask(self.peer, now, rng)
        {
            self.paused = Some(now + wait);
        }
        loop {
            while self.asked.len() < MAX_ASKED
                && let Some((asked, message)) = self.next_request(replica)?
            {
                self.asked.insert(self.next_id, (asked, now));
                self.depths.insert(self.next_id, self.depth + 1);
                self.next_id = self.next_id.wrapping_add(1);
                self.effects.push(Effect::Send(message));
            }
            if !self.asked.is_empty() || !self.open.is_empty() || self.is_held_up() {
                return Ok(None);
            }
            // Nothing is under way: the next stage, if there is one.
            let done = match &mut self.work {
                Work::Idle => return Ok(None),
                Work::Stream(stream) => match stream.next_held() {
                    Some(held) => {
                        for item in held {
                            if replica.wants(BlobKind::Sealed, &item.path, &item.id)? {
                                self.fetch.push_back((BlobKind::Sealed, item));
                            }
                        }
                        continue;
                    }
                    None => Done::Stream(stream.is_stale()),
                },
                Work::Repair(repair) => {
                    let mine = replica.status(&self.scope)?.roots;
                    if repair.next_stage(&mine, theirs, &self.scope) {
                        continue;
                    }
                    Done::Repair(repair.position, repair.gained)
                }
            };
            self.work = Work::Idle;
            if let Some(turns) = &self.turns {
                turns.release(self.peer);
            }
            return Ok(Some(done));
        }
    }
}
