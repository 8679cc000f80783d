//! Waiting for a batch to become durable, in a thread or in a task.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::commit::Shared;
use super::error::Stopped;

/// Records on their way to the disk. They count only once it says so: wait for it in a thread, or await
/// it in a task. Only that sets out to write them; dropping the ticket does too, and does not take the
/// records back.
#[derive(Debug)]
#[must_use = "records are not durable before the ticket says so"]
pub struct Ticket {
    positions: Range<u64>,
    fate: Arc<Fate>,
    journal: Arc<Shared>,
    /// Where this ticket's waker is among those of the batch.
    waker: Option<usize>,
}

impl Ticket {
    pub(super) fn new(positions: Range<u64>, fate: Arc<Fate>, journal: Arc<Shared>) -> Self {
        Self {
            positions,
            fate,
            journal,
            waker: None,
        }
    }

    /// The positions the records will have.
    pub fn positions(&self) -> Range<u64> {
        self.positions.clone()
    }

    /// Blocks until the records are durable; gives their positions.
    pub fn wait(self) -> Result<Range<u64>, Stopped> {
        let mut leads = true;
        loop {
            if leads {
                self.journal.lead();
            }
            let mut state = self.fate.lock();
            if let Some(outcome) = &state.outcome {
                return outcome.clone().map(|()| self.positions.clone());
            }
            leads = std::mem::take(&mut state.leader_wanted);
            if !leads {
                state.in_threads += 1;
                state = self.fate.told.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.in_threads -= 1;
            }
        }
    }
}

impl Future for Ticket {
    type Output = Result<Range<u64>, Stopped>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let fate = Arc::clone(&self.fate);
        let mut state = fate.lock();
        if let Some(outcome) = &state.outcome {
            return Poll::Ready(outcome.clone().map(|()| self.positions.clone()));
        }
        match self.waker {
            Some(at) => state.wakers[at].clone_from(context.waker()),
            None => {
                self.waker = Some(state.wakers.len());
                state.wakers.push(context.waker().clone());
                drop(state);
                self.journal.hurry();
            }
        }
        Poll::Pending
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.fate.lock().outcome.is_none() {
            self.journal.hurry();
        }
    }
}

/// What becomes of one batch; shared by the tickets of all who put records into it.
#[derive(Debug, Default)]
pub(super) struct Fate {
    state: Mutex<State>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Result<(), Stopped>>,
    wakers: Vec<Waker>,
    /// How many wait in a thread.
    in_threads: usize,
    /// One of those is to write the batch.
    leader_wanted: bool,
}

impl Fate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer's end of a batch's tickets. Dropped without a word (the writer panicked), it says that the
/// journal is closed, so that nobody waits for ever.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    fate: Arc<Fate>,
    tickets: usize,
}

impl Waiting {
    /// One more who waits.
    pub(super) fn join(&mut self) -> Arc<Fate> {
        self.tickets += 1;
        Arc::clone(&self.fate)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tickets == 0
    }

    /// How many wait.
    pub(super) fn tickets(&self) -> usize {
        self.tickets
    }

    /// Has one who waits in a thread write the batch; false if nobody does.
    pub(super) fn call_leader(&self) -> bool {
        let mut state = self.fate.lock();
        state.leader_wanted = state.in_threads > 0;
        if state.leader_wanted {
            self.fate.told.notify_one();
        }
        state.leader_wanted
    }

    /// Tells those who wait; how many of them did in a thread.
    pub(super) fn tell(self, outcome: Result<(), Stopped>) -> usize {
        self.settle(outcome)
    }

    fn settle(&self, outcome: Result<(), Stopped>) -> usize {
        let mut state = self.fate.lock();
        if state.outcome.is_some() {
            return 0;
        }
        state.outcome = Some(outcome);
        let in_threads = state.in_threads;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.fate.told.notify_all();
        wakers.into_iter().for_each(Waker::wake);
        in_threads
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.settle(Err(Stopped::Closed));
    }
}
