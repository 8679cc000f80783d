//! How a log's state changes: pure, and the same for every store.
//!
//! A log is a chain: each header names its predecessor. Two headers for one place that name the *same*
//! predecessor are the first fork of their log, and replicas that know both agree on everything before
//! it, since the predecessor's id covers it. That is why a fork is accepted only when both headers extend
//! the update stored here: accepting a fork above an unseen one would let two replicas state the same
//! [`LogState::Forked`] over different updates. A header whose predecessor is another than the one stored
//! here is [`Offer::Detached`]; whoever sent it also has the place where the chains part, and asking for
//! the log from its start finds it.

use std::collections::BTreeMap;

use crate::id::UpdateId;
use crate::log::{Head, LogId, LogState};
use crate::signed::SignedHeader;

/// What a header is to a log as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The next one: to be stored.
    Next,
    /// Stored already, or part of the fork's evidence already.
    Known,
    /// It comes later; what comes after place `have` is missing.
    Gap {
        /// The last place stored; 0 if there is none.
        have: u64,
    },
    /// Another header for a place that has one: the log becomes forked, or its evidence changes.
    Fork {
        /// The place.
        seq: u64,
        /// The two smallest ids known for it, in order.
        first: UpdateId,
        /// The other one.
        second: UpdateId,
    },
    /// At or after a fork that is known, and no better evidence of it.
    PastFork {
        /// The fork's place.
        seq: u64,
    },
    /// It names another predecessor than the one stored here: the chains part at an earlier place.
    Detached {
        /// The place it claims.
        seq: u64,
    },
}

/// The state of each log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTable(BTreeMap<LogId, LogState>);

impl LogTable {
    /// No logs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where a log stands.
    pub fn state(&self, log: &LogId) -> Option<&LogState> {
        self.0.get(log)
    }

    /// All logs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&LogId, &LogState)> {
        self.0.iter()
    }

    /// What `header` is to its log. `stored` gives the id of the update stored at a place of that log.
    pub fn offer<E>(
        &self,
        header: &SignedHeader,
        stored: impl Fn(u64) -> Result<Option<UpdateId>, E>,
    ) -> Result<Offer, E> {
        offer(self.state(&header.header().log()), header, stored)
    }

    /// What two headers for one place of a log are to it.
    pub fn offer_fork<E>(
        &self,
        pair: &[SignedHeader; 2],
        stored: impl Fn(u64) -> Result<Option<UpdateId>, E>,
    ) -> Result<Offer, E> {
        offer_fork(self.state(&pair[0].header().log()), pair, stored)
    }

    /// Notes that the update with this header, which was [`Offer::Next`], is stored. Returns the state.
    pub fn advance(&mut self, header: &SignedHeader) -> LogState {
        let state = LogState::Whole(Head {
            seq: header.header().seq(),
            id: header.id(),
        });
        self.0.insert(header.header().log(), state);
        state
    }

    /// Notes an [`Offer::Fork`] whose headers are stored. Returns the state.
    pub fn fork(&mut self, log: LogId, seq: u64, first: UpdateId, second: UpdateId) -> LogState {
        let state = LogState::Forked { seq, first, second };
        self.0.insert(log, state);
        state
    }

    /// Sets a state read back from storage.
    pub fn restore(&mut self, log: LogId, state: LogState) {
        self.0.insert(log, state);
    }
}

/// [`LogTable::offer`], for a store that keeps its states elsewhere.
pub fn offer<E>(
    state: Option<&LogState>,
    header: &SignedHeader,
    stored: impl Fn(u64) -> Result<Option<UpdateId>, E>,
) -> Result<Offer, E> {
    let (seq, id, previous) = (header.header().seq(), header.id(), header.header().previous());
    let extends = |seq: u64| -> Result<bool, E> {
        Ok(match previous {
            None => seq == 1,
            Some(previous) => seq > 1 && stored(seq - 1)? == Some(previous),
        })
    };
    let have = state.map_or(0, LogState::counted);
    if let Some(LogState::Forked {
        seq: fork,
        first,
        second,
    }) = state
    {
        if seq > *fork {
            return Ok(Offer::PastFork { seq: *fork });
        }
        if seq == *fork {
            return Ok(if id == *first || id == *second {
                Offer::Known
            } else if !extends(seq)? {
                Offer::Detached { seq }
            } else if id < *second {
                fork_of(seq, [*first, id])
            } else {
                Offer::PastFork { seq: *fork }
            });
        }
    }
    if seq > have + 1 {
        return Ok(Offer::Gap { have });
    }
    if seq == have + 1 {
        let is_next = match state {
            // The head is what is stored there: nothing needs to be looked up.
            Some(LogState::Whole(head)) => previous == Some(head.id),
            _ => extends(seq)?,
        };
        return Ok(if is_next {
            Offer::Next
        } else {
            Offer::Detached { seq }
        });
    }
    Ok(match stored(seq)? {
        Some(known) if known == id => Offer::Known,
        Some(known) if extends(seq)? => fork_of(seq, [known, id]),
        _ => Offer::Detached { seq },
    })
}

/// [`LogTable::offer_fork`], for a store that keeps its states elsewhere.
pub fn offer_fork<E>(
    state: Option<&LogState>,
    pair: &[SignedHeader; 2],
    stored: impl Fn(u64) -> Result<Option<UpdateId>, E>,
) -> Result<Offer, E> {
    let [a, b] = pair;
    let seq = a.header().seq();
    let one_place = a.header().log() == b.header().log() && b.header().seq() == seq;
    if !one_place || a.id() == b.id() || a.header().previous() != b.header().previous() {
        return Ok(Offer::Detached { seq });
    }
    let have = state.map_or(0, LogState::counted);
    if let Some(LogState::Forked { seq: fork, .. }) = state
        && *fork < seq
    {
        return Ok(Offer::PastFork { seq: *fork });
    }
    if seq > have + 1 {
        return Ok(Offer::Gap { have });
    }
    if let Some(previous) = a.header().previous()
        && stored(seq - 1)? != Some(previous)
    {
        return Ok(Offer::Detached { seq });
    }
    let mut ids = vec![a.id(), b.id()];
    match state {
        Some(LogState::Forked {
            seq: fork,
            first,
            second,
        }) if *fork == seq => ids.extend([*first, *second]),
        _ => ids.extend(stored(seq)?),
    }
    ids.sort_unstable();
    ids.dedup();
    let merged = LogState::Forked {
        seq,
        first: ids[0],
        second: ids[1],
    };
    Ok(if state == Some(&merged) {
        Offer::Known
    } else {
        fork_of(seq, [ids[0], ids[1]])
    })
}

fn fork_of(seq: u64, mut ids: [UpdateId; 2]) -> Offer {
    ids.sort_unstable();
    let [first, second] = ids;
    Offer::Fork { seq, first, second }
}
