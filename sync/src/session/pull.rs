//! Taking in what the peer has: page by page from a position on, or by comparing digests.
//!
//! What was asked for stands in `asked` until it is answered, what was received in `open` until the
//! driver says that it is durable; both are bounded, so the peer's pace is the store's pace.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;

use crate::id::{NetworkId, NodeKey};
use crate::path::{Path, Scope};
use crate::replica::{BlobKind, Position, Record, Replica, ReplicaError, Roots, Summary, Tree};
use crate::session::error::{CloseReason, Late, Violation};
use crate::session::figures::{Behind, Figures, Rate};
use crate::session::io::{Config, Event, Token};
use crate::session::limits::{Limits, PageSize};
use crate::session::message::{ItemRef, ListAsk, Message, RequestId};
use crate::session::page;
use crate::session::pull::repair::{Lacked, Repair, Want};
use crate::session::pull::stream::Stream;
use crate::session::turns::{LONGEST_WAIT, Turns};

mod ask;
mod repair;
mod stream;

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

/// A page that was read.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    id: RequestId,
    /// Compressed.
    bytes: usize,
    /// Within the scope.
    records: Vec<Record>,
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

    /// A request was answered, at least in part.
    fn came(&mut self, id: RequestId) {
        if let Some(depth) = self.depths.remove(&id) {
            self.depth = self.depth.max(depth);
        }
    }

    /// Takes an answer, but for pages.
    pub(crate) fn answer(
        &mut self,
        message: Message,
        replica: &dyn Replica,
        now: Duration,
    ) -> Result<(), CloseReason> {
        if let Some(id) = message.answered() {
            self.came(id);
        }
        match message {
            Message::PageHead {
                id,
                next,
                records,
                remaining,
            } => self.page_head(id, (next, records, remaining)),
            Message::Busy { id, millis } => self.busy(id, millis, now),
            Message::Lacked {
                id,
                answered,
                unclear,
                records,
            } => self.lacked(id, answered, unclear.as_slice(), records),
            Message::Described { id, descriptions } => {
                let Asked::Describe(tree, paths) = self.take_asked(id)? else {
                    return Err(Violation::Unsolicited.into());
                };
                let Work::Repair(repair) = &mut self.work else {
                    return Err(Violation::Unsolicited.into());
                };
                repair.described(tree, paths, descriptions.into_vec(), replica)
            }
            Message::Listed { id, listings } => {
                let Asked::List(tree, asks) = self.take_asked(id)? else {
                    return Err(Violation::Unsolicited.into());
                };
                let Work::Repair(repair) = &mut self.work else {
                    return Err(Violation::Unsolicited.into());
                };
                let found = repair.listed(tree, asks, listings.into_vec(), replica)?;
                self.fetch.extend(found);
                Ok(())
            }
            _ => Err(Violation::Unsolicited.into()),
        }
    }

    fn take_asked(&mut self, id: RequestId) -> Result<Asked, Violation> {
        let (asked, _) = self.asked.remove(&id).ok_or(Violation::Unsolicited)?;
        Ok(asked)
    }

    fn page_head(&mut self, id: RequestId, told: (Position, u32, u64)) -> Result<(), CloseReason> {
        let Some((Asked::Since { after, head }, _)) = self.asked.get_mut(&id) else {
            return Err(Violation::Unsolicited.into());
        };
        let (next, records, remaining) = told;
        if head.is_some() || next < *after || (remaining > 0 && (next == *after || records == 0)) {
            return Err(Violation::Position.into());
        }
        *head = Some(told);
        let Work::Stream(stream) = &mut self.work else {
            return Err(Violation::Unsolicited.into());
        };
        stream.head(next, remaining);
        if records == 0 {
            self.asked.remove(&id);
            self.open_delivery(Vec::new(), After::Stream(next, remaining));
        }
        Ok(())
    }

    /// The peer serves others: what was asked for is asked for again later.
    fn busy(&mut self, id: RequestId, millis: u32, now: Duration) -> Result<(), CloseReason> {
        match (self.take_asked(id)?, &mut self.work) {
            (Asked::Since { after, head: None }, Work::Stream(stream)) => stream.again(after),
            (Asked::Lacking(tree, paths, None), Work::Repair(repair)) => {
                repair.lacking.extend(paths.into_iter().map(|path| (tree, path)));
            }
            (Asked::Logs(wants), Work::Repair(repair)) => repair.logs.extend(wants),
            (Asked::Fetch(kind, items), _) => self.fetch.extend(items.into_iter().map(|item| (kind, item))),
            _ => return Err(Violation::Unsolicited.into()),
        }
        let wait = Duration::from_millis(millis.into()).min(LONGEST_WAIT);
        self.paused = self.paused.max(Some(now + wait));
        Ok(())
    }

    fn lacked(
        &mut self,
        id: RequestId,
        answered: u32,
        unclear: &[u32],
        records: u32,
    ) -> Result<(), CloseReason> {
        let Some((Asked::Lacking(tree, paths, head @ None), _)) = self.asked.get_mut(&id) else {
            return Err(Violation::Unsolicited.into());
        };
        let answered = usize::try_from(answered).unwrap_or(usize::MAX);
        let unclear: BTreeSet<_> = unclear.iter().map(|&at| at as usize).collect();
        let is_honest = answered <= paths.len() && unclear.iter().all(|&at| at < answered);
        if !is_honest || (answered == 0 && records == 0) {
            return Err(Violation::Position.into());
        }
        // Those that the answer did not come to can be told of anew before it is taken in; but the first of
        // them, of which it may have brought a part.
        let untouched = paths.split_off(paths.len().min(answered + 1));
        let tree = *tree;
        let lacked = Lacked {
            tree,
            paths: std::mem::take(paths),
            answered,
            unclear,
        };
        if records > 0 {
            *head = Some((lacked, records));
        } else {
            self.asked.remove(&id);
            self.open_delivery(Vec::new(), After::Lacked(lacked));
        }
        if let Work::Repair(repair) = &mut self.work {
            repair
                .lacking
                .extend(untouched.into_iter().map(|path| (tree, path)));
        }
        Ok(())
    }

    /// Reads a page that was asked for.
    pub(crate) fn read_page(&self, id: RequestId, length: u32, body: &[u8]) -> Result<Page, Violation> {
        if !self.asked.contains_key(&id) {
            return Err(Violation::Unsolicited);
        }
        let records = page::decode(&page::expand(body, length)?, self.network)?;
        match records.iter().all(|record| record.is_within(&self.scope)) {
            true => Ok(Page {
                id,
                bytes: body.len(),
                records,
            }),
            false => Err(Violation::OutOfScope),
        }
    }

    /// Takes a page.
    pub(crate) fn page(
        &mut self,
        page: Page,
        replica: &dyn Replica,
        now: Duration,
    ) -> Result<(), CloseReason> {
        let Page { id, bytes, records } = page;
        self.came(id);
        let (asked, since) = self.asked.remove(&id).ok_or(Violation::Unsolicited)?;
        self.bytes += bytes as u64;
        self.pages += 1;
        let time = now.saturating_sub(since);
        self.rate.took(bytes, time);
        self.page_size.took(time);
        match asked {
            Asked::Since {
                head: Some((next, count, remaining)),
                ..
            } => {
                if records.len() != count as usize {
                    return Err(Violation::Page("another number of records than stated".into()).into());
                }
                let records = self.hold_back(records, replica)?;
                self.open_delivery(records, After::Stream(next, remaining));
            }
            Asked::Logs(wants) => {
                let of_logs = |record: &Record| matches!(record, Record::Update(_) | Record::Fork(_));
                if !records.iter().all(of_logs) {
                    return Err(Violation::Unsolicited.into());
                }
                self.open_delivery(records, After::Logs(wants));
            }
            Asked::Lacking(_, _, Some((lacked, count))) => {
                let of_logs = |record: &Record| matches!(record, Record::Update(_) | Record::Fork(_));
                if records.len() != count as usize || !records.iter().all(of_logs) {
                    return Err(Violation::Page("other records than stated".into()).into());
                }
                self.open_delivery(records, After::Lacked(lacked));
            }
            Asked::Fetch(kind, items) => self.fetched(kind, items, records)?,
            Asked::Since { head: None, .. }
            | Asked::Lacking(_, _, None)
            | Asked::Describe(..)
            | Asked::List(..) => {
                return Err(Violation::Unsolicited.into());
            }
        }
        Ok(())
    }

    /// Notes the sealed items that a page only names, and returns what it carries.
    fn hold_back(
        &mut self,
        records: Vec<Record>,
        replica: &dyn Replica,
    ) -> Result<Vec<Record>, ReplicaError> {
        let mut carried = Vec::with_capacity(records.len());
        for record in records {
            match record {
                Record::Held { path, id } => {
                    if let Work::Stream(stream) = &mut self.work
                        && stream.held.len() < MAX_HELD
                        && replica.wants(BlobKind::Sealed, &path, &id)?
                    {
                        stream.hold(ItemRef { path, id });
                    }
                }
                record => carried.push(record),
            }
        }
        Ok(carried)
    }

    fn fetched(
        &mut self,
        kind: BlobKind,
        items: Vec<ItemRef>,
        records: Vec<Record>,
    ) -> Result<(), CloseReason> {
        // Answers keep the order of the question; what was left out at the end did not fit.
        let mut asked = items.into_iter();
        for record in &records {
            let blob = match (record, kind) {
                (Record::Credential(blob), BlobKind::Credential)
                | (Record::Sealed(blob), BlobKind::Sealed) => blob,
                _ => return Err(Violation::Unsolicited.into()),
            };
            if !asked.any(|item| item.path == blob.path && item.id == blob.id) {
                return Err(Violation::Unsolicited.into());
            }
        }
        if !records.is_empty() {
            self.fetch.extend(asked.map(|item| (kind, item)));
            self.open_delivery(records, After::Nothing);
        }
        Ok(())
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
