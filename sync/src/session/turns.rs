//! Whose turn it is: how many peers are served, or pulled from, at a time.
//!
//! When the power comes back, all villages of a county call it in the same minute. A few at a time get
//! their pages, each for a slice of time; the others are told when to come again, in the order in which
//! they first came. So a county's memory holds the pages of a few peers, and none starves.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::{Rng, RngExt};

use crate::id::NodeKey;

/// A turn not used for so long is over.
const IDLE: Duration = Duration::from_secs(10);
/// Whoever does not come so long after he was told to has lost his place.
const LATE: Duration = Duration::from_secs(60);
/// The longest wait that anybody is told.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Shared by all sessions of a node; one for serving and one for pulling.
#[derive(Debug)]
pub struct Turns {
    most: usize,
    slice: Duration,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    holders: BTreeMap<NodeKey, Holder>,
    waiting: BTreeMap<NodeKey, Waiter>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Holder {
    since: Duration,
    last: Duration,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    /// When it was told to come again.
    at: Duration,
}

impl Turns {
    /// For `most` peers at a time, at least one, each for `slice` if others wait.
    pub fn new(most: usize, slice: Duration) -> Self {
        Self {
            most: most.max(1),
            slice,
            table: Mutex::default(),
        }
    }

    /// How many have their turn now.
    pub fn held(&self) -> usize {
        self.table().holders.len()
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        // Nothing in here can panic half-way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// May this peer have another page now? If not, when to ask again: spread at random, so that those who
    /// came together do not come together again.
    pub(crate) fn ask(&self, peer: NodeKey, now: Duration, rng: &mut dyn Rng) -> Result<(), Duration> {
        let mut table = self.table();
        let table = &mut *table;
        table.holders.retain(|_, holder| now < holder.last + IDLE);
        table.waiting.retain(|_, waiter| now < waiter.at + LATE);
        let mut yields = false;
        if let Some(holder) = table.holders.get_mut(&peer) {
            if now < holder.since + self.slice || table.waiting.is_empty() {
                holder.last = now;
                return Ok(());
            }
            table.holders.remove(&peer);
            yields = true;
        }
        let ticket = table
            .waiting
            .get(&peer)
            .map_or(table.next_ticket, |waiter| waiter.ticket);
        // A place is kept for whoever came before and is about to come again.
        let soon = now + self.slice / 2;
        let before = |waiter: &&Waiter| waiter.ticket < ticket;
        let ahead = table.waiting.values().filter(before).count();
        let due = table
            .waiting
            .values()
            .filter(before)
            .filter(|waiter| waiter.at <= soon);
        let due = due.count();
        let free = self.most.saturating_sub(table.holders.len());
        // Whoever had his slice lets everybody go before, even who comes later.
        if free > if yields { ahead } else { due } {
            table.waiting.remove(&peer);
            let holder = Holder {
                since: now,
                last: now,
            };
            table.holders.insert(peer, holder);
            return Ok(());
        }
        let rounds = u32::try_from(ahead / self.most + 1).unwrap_or(u32::MAX);
        let wait = self.slice.saturating_mul(rounds).min(LONGEST_WAIT);
        let wait = wait.mul_f64(0.5 + 0.5 * rng.random::<f64>());
        table.next_ticket = table.next_ticket.max(ticket + 1);
        table.waiting.insert(
            peer,
            Waiter {
                ticket,
                at: now + wait,
            },
        );
        Err(wait)
    }

    /// The peer needs no more for now.
    pub(crate) fn release(&self, peer: NodeKey) {
        let mut table = self.table();
        table.holders.remove(&peer);
        table.waiting.remove(&peer);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn peer(number: u16) -> NodeKey {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        NodeKey::from_bytes(bytes)
    }

    /// Each needs ten pages and asks for one a second.
    #[test]
    fn all_who_come_at_once_get_what_they_need_few_at_a_time() {
        let seed = rand::random();
        eprintln!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let turns = Turns::new(16, Duration::from_secs(3));
        let mut open: BTreeMap<u16, (Duration, u32)> =
            (0..360).map(|number| (number, (Duration::ZERO, 10))).collect();
        let mut asked = 0;
        while let Some((&number, &(now, pages))) = open.iter().min_by_key(|(_, (at, _))| *at) {
            assert!(now < Duration::from_secs(1200), "{} are left", open.len());
            asked += 1;
            let next = match turns.ask(peer(number), now, &mut rng) {
                Ok(()) if pages == 1 => {
                    turns.release(peer(number));
                    open.remove(&number);
                    continue;
                }
                Ok(()) => (now + Duration::from_secs(1), pages - 1),
                Err(wait) => {
                    assert!(wait <= LONGEST_WAIT);
                    (now + wait, pages)
                }
            };
            assert!(turns.held() <= 16);
            open.insert(number, next);
        }
        assert!(asked < 3600 * 4, "{asked} questions for 3600 pages");
    }

    #[test]
    fn whoever_is_alone_keeps_his_turn_and_whoever_stays_away_loses_it() {
        let mut rng = StdRng::seed_from_u64(1);
        let turns = Turns::new(1, Duration::from_secs(3));
        let seconds = Duration::from_secs;
        for second in 0..60 {
            assert_eq!(turns.ask(peer(1), seconds(second), &mut rng), Ok(()));
        }
        assert!(turns.ask(peer(2), seconds(60), &mut rng).is_err());
        assert!(
            turns.ask(peer(1), seconds(61), &mut rng).is_err(),
            "its slice is over"
        );
        assert_eq!(turns.ask(peer(2), seconds(64), &mut rng), Ok(()));
        assert_eq!(
            turns.ask(peer(1), seconds(75), &mut rng),
            Ok(()),
            "the other left"
        );
    }
}
