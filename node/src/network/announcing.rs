//! Telling all sessions that the ledger changed, no more often than they can follow.
//!
//! Each of them looks at the ledger then. While hundreds of children return at once, each brings something,
//! and to have all look at each of it took more than all else that they did: 60,000 looks in four seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Between two announcements, for each session: ten times what a look takes.
const EACH: Duration = Duration::from_micros(150);
/// However many sessions there are: no longer than they wait anyhow before they tell their peers again.
const LONGEST: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Announcer {
    changes: watch::Sender<u64>,
    runtime: Handle,
    pace: Mutex<Pace>,
}

#[derive(Debug)]
struct Pace {
    /// No announcement before this time.
    next: Instant,
    /// One is due then.
    is_due: bool,
}

impl Announcer {
    pub(super) fn new(runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            changes: watch::Sender::new(0),
            runtime,
            pace: Mutex::new(Pace {
                next: Instant::now(),
                is_due: false,
            }),
        })
    }

    /// Counts announcements; every session watches it.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Tells every session that the ledger has something new: now, or as soon as they can follow.
    pub(super) fn announce(self: &Arc<Self>) {
        let now = Instant::now();
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.is_due {
            return;
        }
        if now >= pace.next {
            return self.tell(&mut pace, now);
        }
        pace.is_due = true;
        let (announcer, next) = (Arc::clone(self), pace.next);
        self.runtime.spawn(async move {
            sleep_until(next).await;
            let mut pace = announcer.pace.lock().unwrap_or_else(PoisonError::into_inner);
            pace.is_due = false;
            announcer.tell(&mut pace, Instant::now());
        });
    }

    fn tell(&self, pace: &mut Pace, now: Instant) {
        let sessions = u32::try_from(self.changes.receiver_count()).unwrap_or(u32::MAX);
        pace.next = now + EACH.saturating_mul(sessions).min(LONGEST);
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_sessions_are_told_of_many_changes_at_once_and_few_of_each() {
        let announcer = Announcer::new(Handle::current());
        let mut alone = announcer.subscribe();
        for _ in 0..10 {
            announcer.announce();
            assert!(alone.has_changed().expect("open"), "told at once");
            alone.borrow_and_update();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let others: Vec<_> = (0..360).map(|_| announcer.subscribe()).collect();
        let before = *alone.borrow_and_update();
        for _ in 0..1000 {
            announcer.announce();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let told = *alone.borrow_and_update() - before;
        assert!((15..=25).contains(&told), "{told} times in a second");
        // The last change is told of, too.
        announcer.announce();
        tokio::time::sleep(LONGEST).await;
        assert!(alone.has_changed().expect("open"));
        drop(others);
    }
}
