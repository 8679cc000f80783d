//! Where a pull by position stands.

use std::collections::VecDeque;

use crate::replica::{Position, Summary};
use crate::session::message::ItemRef;

/// After so many pages in a row without anything new, digests tell faster what is missing: the peer got
/// these things from here, or both from a third.
const STALE_PAGES: u32 = 2;
/// Sealed items that are looked up at once.
const HELD_AT_ONCE: usize = 1024;

#[derive(Debug)]
pub(crate) struct Stream {
    /// From where to ask on; none at the end.
    next: Option<Position>,
    /// Sealed items named so far; asked for at the end, when it is known what was erased.
    pub(crate) held: VecDeque<ItemRef>,
    pages_without_news: u32,
}

impl Stream {
    pub(crate) fn new(after: Position) -> Self {
        Self {
            next: Some(after),
            held: VecDeque::new(),
            pages_without_news: 0,
        }
    }

    /// One that takes in a page that was sent ahead, and asks for none.
    pub(crate) fn ahead() -> Self {
        Self {
            next: None,
            ..Self::new(Position::START)
        }
    }

    /// From where to ask for the next page, if its beginning is known.
    pub(crate) fn next(&mut self) -> Option<Position> {
        if self.is_stale() {
            return None;
        }
        self.next.take()
    }

    /// The page from here on was asked for in vain: it is asked for again.
    pub(crate) fn again(&mut self, after: Position) {
        self.next = Some(after);
    }

    /// Is there another page to ask for?
    pub(crate) fn has_more(&self) -> bool {
        self.next.is_some() && !self.is_stale()
    }

    /// The head of the page asked for last came.
    pub(crate) fn head(&mut self, next: Position, remaining: u64) {
        self.next = (remaining > 0).then_some(next);
    }

    /// Notes an item that was named and is wanted.
    pub(crate) fn hold(&mut self, item: ItemRef) {
        self.held.push_back(item);
        self.pages_without_news = 0;
    }

    pub(crate) fn taken(&mut self, summary: &Summary) {
        if summary.taken + summary.waiting > 0 {
            self.pages_without_news = 0;
        } else {
            self.pages_without_news += 1;
        }
    }

    /// Has nothing new come for a while, though there is more?
    pub(crate) fn is_stale(&self) -> bool {
        self.pages_without_news >= STALE_PAGES && self.next.is_some()
    }

    /// Some of the items named, once all pages are taken in.
    pub(crate) fn next_held(&mut self) -> Option<Vec<ItemRef>> {
        let count = self.held.len().min(HELD_AT_ONCE);
        (count > 0).then(|| self.held.drain(..count).collect())
    }
}
