//! What to ask for next.

use super::{Asked, LACKING_AT_ONCE, LOGS_AT_ONCE, MAX_PAGES_ASKED, MAX_PAGES_OPEN, Puller, Work};
use crate::replica::{Replica, ReplicaError};
use crate::session::bounded::Few;
use crate::session::message::{MAX_ITEMS, MAX_PATHS, Message};

impl Puller {
    fn pages_asked(&self) -> usize {
        self.asked.values().filter(|(asked, _)| asked.is_page()).count()
    }

    fn is_describing(&self) -> bool {
        self.asked
            .values()
            .any(|(asked, _)| matches!(asked, Asked::Describe(..)))
    }

    /// The next request, the most urgent first: what is known to be missing before what may be.
    pub(super) fn next_request(
        &mut self,
        replica: &dyn Replica,
    ) -> Result<Option<(Asked, Message)>, ReplicaError> {
        let id = self.next_id;
        let limit = self.page_size.get();
        let asked = self.pages_asked();
        let pages = asked < MAX_PAGES_ASKED && self.open.len() <= MAX_PAGES_OPEN && self.paused.is_none();
        if let Work::Repair(repair) = &mut self.work
            && pages
        {
            let (wants, ranges) = repair.next_logs(LOGS_AT_ONCE, replica)?;
            if !wants.is_empty() {
                let ranges = Few::new(ranges);
                return Ok(Some((Asked::Logs(wants), Message::Logs { id, ranges, limit })));
            }
        }
        // More places are about to be found: together they take fewer requests.
        let is_describing = self.is_describing();
        if let Work::Repair(repair) = &mut self.work
            && pages
            && !repair.lacking.is_empty()
            && (!is_describing || repair.lacking.len() >= LACKING_AT_ONCE * MAX_PAGES_ASKED)
        {
            // Spread over the pages that may be on their way, so that each finds room in its page.
            let free = MAX_PAGES_ASKED.saturating_sub(asked).max(1);
            let count = repair.lacking.len().div_ceil(free).min(LACKING_AT_ONCE);
            if let Some((tree, told)) = repair.next_lacking(count, replica)? {
                let paths = told.iter().map(|place| place.path.clone()).collect();
                let message = Message::Lacking {
                    id,
                    tree,
                    places: Few::new(told),
                    limit,
                };
                return Ok(Some((Asked::Lacking(tree, paths, None), message)));
            }
        }
        if pages && let Some(&(kind, _)) = self.fetch.front() {
            let mut items = Vec::new();
            while items.len() < MAX_ITEMS
                && self.fetch.front().is_some_and(|(of, _)| *of == kind)
                && let Some((_, item)) = self.fetch.pop_front()
            {
                items.push(item);
            }
            let message = Message::Fetch {
                id,
                kind,
                items: Few::new(items.clone()),
                limit,
            };
            return Ok(Some((Asked::Fetch(kind, items), message)));
        }
        Ok(match &mut self.work {
            Work::Idle => None,
            Work::Stream(stream) => {
                let head_awaited = |asked: &Asked| matches!(asked, Asked::Since { head: None, .. });
                if !pages || self.asked.values().any(|(asked, _)| head_awaited(asked)) {
                    return Ok(None);
                }
                stream.next().map(|after| {
                    (
                        Asked::Since { after, head: None },
                        Message::Since { id, after, limit },
                    )
                })
            }
            // While leaves wait to be asked for, no more places are looked at: so what is found is
            // bounded, and is taken in before the link can break.
            Work::Repair(repair)
                if repair.logs.is_empty() && repair.lacking.is_empty() && self.fetch.is_empty() =>
            {
                if let Some((tree, asks)) = repair.next_lists(MAX_PATHS / 4) {
                    let message = Message::List {
                        id,
                        tree,
                        asks: Few::new(asks.clone()),
                    };
                    Some((Asked::List(tree, asks), message))
                } else if let Some((tree, paths)) = repair.next_places(MAX_PATHS / 4) {
                    let message = Message::Describe {
                        id,
                        tree,
                        paths: Few::new(paths.clone()),
                    };
                    Some((Asked::Describe(tree, paths), message))
                } else {
                    None
                }
            }
            Work::Repair(_) => None,
        })
    }
}
