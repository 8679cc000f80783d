//! Telling sessions that the ledger changed: those that it concerns, no more often than they can follow.
//!
//! Each of them looks at the ledger then. While hundreds of children return at once, each brings something,
//! and to have all look at each of it took more than all else that they did: 60,000 looks in four seconds.
//! But what one village brings is nothing that another one holds.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use anjuan_sync::{Scope, Space};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Between two announcements, for each session told: ten times what a look takes.
const EACH: Duration = Duration::from_micros(150);
/// However many sessions there are: no longer than they wait anyhow before they tell their peers again.
const LONGEST: Duration = Duration::from_millis(50);

/// What has changed.
#[derive(Clone, Debug)]
pub(crate) enum Changes {
    /// These places, as [`crate::ledger::Ledger::take_changed`] gives them.
    In(BTreeSet<Space>),
    /// Nothing, but all are to look.
    Anywhere,
}

impl Changes {
    fn concern(&self, scope: Option<&Scope>) -> bool {
        match (self, scope) {
            (Self::In(spaces), Some(scope)) => spaces.iter().any(|space| scope.holds(space)),
            // Whoever has not been let in yet shares nobody knows what.
            (Self::In(spaces), None) => !spaces.is_empty(),
            (Self::Anywhere, _) => true,
        }
    }

    fn join(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::In(spaces), Self::In(mut others)) => spaces.append(&mut others),
            (Self::In(_), Self::Anywhere) => *self = Self::Anywhere,
            (Self::Anywhere, _) => {}
        }
    }
}

/// One session, as one that is told.
#[derive(Debug)]
pub(super) struct Listener {
    told: watch::Sender<u64>,
    shares: OnceLock<Scope>,
}

impl Listener {
    /// Counts announcements that concern it.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// From now on it is told only of what both sides hold.
    pub(super) fn shares(&self, scope: Scope) {
        let _ = self.shares.set(scope);
    }
}

#[derive(Debug)]
pub(super) struct Announcer {
    /// Counts all announcements.
    changes: watch::Sender<u64>,
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    listeners: Vec<Weak<Listener>>,
    /// No announcement before this time.
    next: Instant,
    /// Not told of yet; they are then.
    due: Option<Changes>,
}

impl Announcer {
    pub(super) fn new(runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            changes: watch::Sender::new(0),
            runtime,
            state: Mutex::new(State {
                listeners: Vec::new(),
                next: Instant::now(),
                due: None,
            }),
        })
    }

    /// Counts announcements, whatever they are about.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// For one session.
    pub(super) fn listen(&self) -> Arc<Listener> {
        let listener = Arc::new(Listener {
            told: watch::Sender::new(0),
            shares: OnceLock::new(),
        });
        self.state().listeners.push(Arc::downgrade(&listener));
        listener
    }

    /// Tells the sessions that it concerns: now, or as soon as they can follow.
    pub(super) fn announce(self: &Arc<Self>, changes: Changes) {
        let now = Instant::now();
        let mut state = self.state();
        if let Some(due) = &mut state.due {
            return due.join(changes);
        }
        if now >= state.next {
            return self.tell(&mut state, &changes, now);
        }
        state.due = Some(changes);
        let (announcer, next) = (Arc::clone(self), state.next);
        drop(state);
        self.runtime.spawn(async move {
            sleep_until(next).await;
            let mut state = announcer.state();
            if let Some(due) = state.due.take() {
                announcer.tell(&mut state, &due, Instant::now());
            }
        });
    }

    fn tell(&self, state: &mut State, changes: &Changes, now: Instant) {
        let mut sessions = 0;
        state.listeners.retain(|listener| {
            let Some(listener) = listener.upgrade() else {
                return false;
            };
            if changes.concern(listener.shares.get()) {
                count(&listener.told);
                sessions += 1;
            }
            true
        });
        state.next = now + EACH.saturating_mul(sessions).min(LONGEST);
        count(&self.changes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(told: &watch::Sender<u64>) {
    told.send_modify(|count| *count = count.wrapping_add(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(unit: &str) -> Scope {
        Scope::of(unit.parse().expect("a path"))
    }

    fn case_of(unit: &str) -> Changes {
        Changes::In([Space::up(unit.parse().expect("a path"))].into())
    }

    fn told(of: &mut watch::Receiver<u64>) -> u64 {
        *of.borrow_and_update()
    }

    #[tokio::test(start_paused = true)]
    async fn many_sessions_are_told_of_many_changes_at_once_and_few_of_each() {
        let announcer = Announcer::new(Handle::current());
        let first = announcer.listen();
        let mut alone = first.changes();
        for _ in 0..10 {
            announcer.announce(Changes::Anywhere);
            assert!(alone.has_changed().expect("open"), "told at once");
            told(&mut alone);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let others: Vec<_> = (0..360).map(|_| announcer.listen()).collect();
        let before = told(&mut alone);
        for _ in 0..1000 {
            announcer.announce(case_of("4509/02"));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let times = told(&mut alone) - before;
        assert!((15..=25).contains(&times), "{times} times in a second");
        // The last change is told of, too.
        announcer.announce(Changes::Anywhere);
        tokio::time::sleep(LONGEST).await;
        assert!(alone.has_changed().expect("open"));
        drop(others);
    }

    #[tokio::test(start_paused = true)]
    async fn each_session_is_told_of_what_it_shares_at_once_or_with_the_next() {
        let announcer = Announcer::new(Handle::current());
        let mut all = announcer.subscribe();
        let units = ["4509", "4509/02", "4509/02/001", "4509/03"];
        let listeners = units.map(|_| announcer.listen());
        for (listener, unit) in listeners.iter().zip(units) {
            listener.shares(scope(unit));
        }
        let stranger = announcer.listen();
        let mut receivers: Vec<_> = listeners
            .iter()
            .chain([&stranger])
            .map(|one| one.changes())
            .collect();
        let mut counts = || receivers.iter_mut().map(told).collect::<Vec<_>>();
        announcer.announce(case_of("4509/02"));
        assert_eq!(counts(), [1, 1, 0, 0, 1], "a case flows up");
        // Too soon after: both wait, and come as one.
        announcer.announce(case_of("4509/02/001"));
        announcer.announce(case_of("4509/03"));
        assert_eq!(counts(), [1, 1, 0, 0, 1]);
        tokio::time::sleep(LONGEST).await;
        assert_eq!(counts(), [2, 2, 1, 1, 2]);
        tokio::time::sleep(LONGEST).await;
        announcer.announce(Changes::In(BTreeSet::new()));
        assert_eq!(counts(), [2, 2, 1, 1, 2], "nothing that anybody compares");
        announcer.announce(Changes::Anywhere);
        assert_eq!(counts(), [3, 3, 2, 2, 3]);
        assert_eq!(told(&mut all), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_that_ended_are_forgotten() {
        let announcer = Announcer::new(Handle::current());
        let stays = announcer.listen();
        drop(announcer.listen());
        announcer.announce(Changes::Anywhere);
        assert_eq!(announcer.state().listeners.len(), 1);
        drop(stays);
        tokio::time::sleep(LONGEST).await;
        announcer.announce(Changes::Anywhere);
        assert!(announcer.state().listeners.is_empty());
    }
}
