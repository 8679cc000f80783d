//! What the logs of a place have beyond what whoever asks says of them.

use std::collections::BTreeMap;

use super::{Answer, with_page, within};
use crate::log::{Head, LogId, LogState};
use crate::path::{Path, Reach, Scope, Space};
use crate::replica::{self, LogItem, Record, Replica, ReplicaError, Tree};
use crate::session::bounded::Few;
use crate::session::error::{CloseReason, Violation};
use crate::session::message::{Heads, Message, RequestId};
use crate::session::short::{ShortHead, first};
use crate::update::Timestamp;

/// What one log has for whoever asks.
enum Beyond {
    Nothing,
    /// The stretch between these two places.
    Stretch(u64, u64),
    /// Chains part, or somebody knows of a fork: heads are not enough to tell.
    Unclear,
}

pub(super) fn answer(
    id: RequestId,
    tree: Tree,
    places: &[Heads],
    replica: &dyn Replica,
    scope: &Scope,
    limit: usize,
) -> Result<Vec<Answer>, CloseReason> {
    let replica::Leaves::Logs(reach) = tree.leaves() else {
        return Err(Violation::Unsolicited.into());
    };
    let mut records = Vec::new();
    let mut room = limit.max(1);
    let mut answered: u32 = 0;
    let mut unclear = Vec::new();
    for place in places {
        within(tree, scope, &place.path)?;
        let known: BTreeMap<[u8; 8], &ShortHead> = place
            .logs
            .as_slice()
            .iter()
            .map(|head| (head.log, head))
            .collect();
        let mut found = Vec::new();
        let mut is_clear = true;
        let mut is_whole = true;
        for item in replica.logs(reach, &place.path)? {
            let log = log_of(reach, &place.path, &item);
            let theirs = known.get(&ShortHead::from(&item).log).copied();
            let (from, to) = match beyond(&log, &item, theirs, replica)? {
                Beyond::Nothing => continue,
                Beyond::Unclear => {
                    is_clear = false;
                    continue;
                }
                Beyond::Stretch(from, to) => (from, to),
            };
            if room == 0 {
                is_whole = false;
                break;
            }
            let stretch = replica.log_range(&log, from, to, room)?;
            let size: usize = stretch.iter().map(Record::size).sum();
            let is_first = records.is_empty() && found.is_empty();
            if size > room && !is_first {
                is_whole = false;
                break;
            }
            room = room.saturating_sub(size);
            is_whole = reaches(&stretch, to);
            found.extend(stretch);
            if !is_whole {
                break;
            }
        }
        records.extend(in_claimed_order(found));
        if !is_whole {
            break;
        }
        if !is_clear {
            unclear.push(answered);
        }
        answered += 1;
    }
    let head = Message::Lacked {
        id,
        answered,
        unclear: Few::new(unclear),
        records: u32::try_from(records.len()).unwrap_or(u32::MAX),
    };
    Ok(with_page(head, id, records))
}

fn log_of(reach: Reach, path: &Path, item: &LogItem) -> LogId {
    LogId {
        space: Space {
            unit: path.clone(),
            reach,
        },
        author: item.author,
        epoch: item.epoch,
    }
}

fn beyond(
    log: &LogId,
    mine: &LogItem,
    theirs: Option<&ShortHead>,
    replica: &dyn Replica,
) -> Result<Beyond, ReplicaError> {
    let Some(theirs) = theirs else {
        let (LogState::Whole(Head { seq: to, .. }) | LogState::Forked { seq: to, .. }) = mine.state;
        return Ok(Beyond::Stretch(1, to));
    };
    if *theirs == ShortHead::from(mine) {
        return Ok(Beyond::Nothing);
    }
    Ok(match mine.state {
        // They hold more than is here. Whether it goes on from what is here, they find out when they are
        // asked.
        LogState::Whole(head) if theirs.seq > head.seq => Beyond::Nothing,
        LogState::Whole(head) if (1..head.seq).contains(&theirs.seq) => {
            let here = replica.update_at(log, theirs.seq)?;
            match here.is_some_and(|id| first(id.as_bytes()) == theirs.id) {
                true => Beyond::Stretch(theirs.seq + 1, head.seq),
                false => Beyond::Unclear,
            }
        }
        LogState::Whole(_) | LogState::Forked { .. } => Beyond::Unclear,
    })
}

/// Does a stretch go up to this place, or end in a fork? An empty one has all that can be had now.
fn reaches(stretch: &[Record], to: u64) -> bool {
    match stretch.last() {
        Some(Record::Update(update)) => update.header().seq() >= to,
        _ => true,
    }
}

/// Records of several logs, so that what depends on another mostly comes after it: by the claimed time,
/// each log in its own order.
fn in_claimed_order(records: Vec<Record>) -> Vec<Record> {
    let mut latest: BTreeMap<LogId, Timestamp> = BTreeMap::new();
    let mut timed: Vec<_> = records
        .into_iter()
        .map(|record| {
            let header = match &record {
                Record::Update(update) => update.header(),
                Record::Fork(pair) => pair[0].header(),
                _ => return (Timestamp::EARLIEST, record),
            };
            let time = latest.entry(header.log()).or_insert(Timestamp::EARLIEST);
            *time = header.recorded_at().max(*time);
            (*time, record)
        })
        .collect();
    timed.sort_by_key(|(time, _)| *time);
    timed.into_iter().map(|(_, record)| record).collect()
}
