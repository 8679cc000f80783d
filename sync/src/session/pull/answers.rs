//! Taking what the peer answers.

use std::collections::BTreeSet;
use std::time::Duration;

use super::stream::Stream;
use super::{After, Asked, Lacked, MAX_HELD, Puller, Work};
use crate::replica::{BlobKind, Position, Record, Replica, ReplicaError};
use crate::session::error::{CloseReason, Violation};
use crate::session::message::{ItemRef, Message, RequestId};
use crate::session::page;
use crate::session::turns::LONGEST_WAIT;

/// A page that was read.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    id: RequestId,
    /// Compressed.
    bytes: usize,
    /// Within the scope.
    records: Vec<Record>,
}

impl Puller {
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
            } if self.ahead == Some(id) => self.page_ahead(id, (next, records, remaining), now),
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

    /// The standing request is answered. Where something else is being taken in, the page is taken in beside that,
    /// and the position is left for later.
    fn page_ahead(
        &mut self,
        id: RequestId,
        (next, records, remaining): (Position, u32, u64),
        now: Duration,
    ) -> Result<(), CloseReason> {
        self.ahead = None;
        if records == 0 || remaining > 0 {
            return Err(Violation::Position.into());
        }
        let is_all = self.is_idle();
        if is_all {
            self.remaining = None;
            self.work = Work::Stream(Stream::ahead());
        }
        self.asked.insert(id, (Asked::Ahead(next, records, is_all), now));
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
        // The head of one that is sent ahead may not be handled yet.
        if !self.asked.contains_key(&id) && self.ahead != Some(id) {
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
        // One that was not waited for tells nothing of the link.
        if !matches!(asked, Asked::Ahead(..)) {
            let time = now.saturating_sub(since);
            self.rate.took(bytes, time);
            self.page_size.took(time);
        }
        match asked {
            Asked::Ahead(next, count, is_all) => {
                if records.len() != count as usize {
                    return Err(Violation::Page("another number of records than stated".into()).into());
                }
                let records = self.hold_back(records, replica)?;
                self.open_delivery(
                    records,
                    match is_all {
                        true => After::Stream(next, 0),
                        false => After::Nothing,
                    },
                );
            }
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
}
