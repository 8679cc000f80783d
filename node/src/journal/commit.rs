//! Group commit: one write and one sync for all who wait.
//!
//! Callers put frames, encoded and numbered, into the queue while a batch is being synced. Whoever waits in
//! a thread and finds nobody at it writes all that is queued, the others' too, and syncs it himself: handing
//! it to another thread and back would cost two switches, which on a busy machine is more than the sync.
//! For those who await in a task, or don't wait at all, there is the journal's own thread.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
};
use std::time::{Duration, Instant};

use super::Frame;
use super::error::{AppendError, Stopped};
use super::format::{FRAME_HEADER, FrameHeader, JournalId, MAX_BATCH, MAX_PAYLOAD, Seal};
use super::index::Index;
use super::tail::{Batch, Last, Tail};
use super::ticket::{Ticket, Waiting};

/// The marker is synced this long after it was written.
const IDLE: Duration = Duration::from_millis(500);

/// The part of a sync's time that is waited for others to join the next batch.
const PATIENCE: u32 = 4;
/// However long a sync took: they need no more to come back, and a disk that was held up once must not have
/// whoever is next wait for nobody.
const LONGEST: Duration = Duration::from_micros(200);
/// Between two looks: about a microsecond.
const SPINS: u32 = 32;

/// What the writer and the callers of a journal share. Locks are taken in the order tail, queue, index.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) id: JournalId,
    tail: Mutex<Tail>,
    queue: Mutex<Queue>,
    index: RwLock<Index>,
    lost: Mutex<BTreeSet<u64>>,
    /// The journal's thread waits here for something to do.
    work: Condvar,
    /// Callers wait here while the queue is full.
    drained: Condvar,
}

#[derive(Debug)]
struct Queue {
    batch: Batch,
    waiting: Waiting,
    /// The next position to give out.
    next: u64,
    /// The marker was written since it was synced.
    marker_is_dirty: bool,
    stopped: Option<Stopped>,
    closing: bool,
}

impl Shared {
    pub(super) fn new(tail: Tail, index: Index, lost: BTreeSet<u64>, stopped: Option<Stopped>) -> Self {
        let queue = Queue {
            batch: Batch::default(),
            waiting: Waiting::default(),
            next: tail.next,
            marker_is_dirty: true,
            stopped,
            closing: false,
        };
        Self {
            dir: tail.dir.clone(),
            id: tail.id,
            tail: Mutex::new(tail),
            queue: Mutex::new(queue),
            index: RwLock::new(index),
            lost: Mutex::new(lost),
            work: Condvar::new(),
            drained: Condvar::new(),
        }
    }

    /// Puts frames into the queue, all into one batch. Blocks while the queue is full.
    pub(super) fn append(self: &Arc<Self>, frames: &[Frame<'_>]) -> Result<Ticket, AppendError> {
        let length: usize = frames.iter().map(|frame| FRAME_HEADER + frame.bytes.len()).sum();
        let longest = frames.iter().map(|frame| frame.bytes.len()).max().unwrap_or(0);
        if longest > MAX_PAYLOAD {
            return Err(AppendError::TooLong { length: longest });
        }
        if length + Seal::LENGTH > MAX_BATCH {
            return Err(AppendError::TooLong { length });
        }
        // The payloads' checksums are the work; positions are known only inside the lock.
        let mut headers: Vec<FrameHeader> = frames
            .iter()
            .map(|frame| FrameHeader::of(0, frame.kind, frame.bytes))
            .collect();
        let mut queue = self.queue();
        while queue.stopped.is_none() && queue.batch.bytes.len() + length + Seal::LENGTH > MAX_BATCH {
            self.work.notify_one();
            queue = self.drained.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(stopped) = &queue.stopped {
            return Err(stopped.clone().into());
        }
        let first = queue.next;
        for (header, frame) in headers.iter_mut().zip(frames) {
            header.position = queue.next;
            queue.next += 1;
            let offset = queue.batch.bytes.len() as u32;
            queue.batch.offsets.push(offset);
            queue.batch.bytes.extend_from_slice(&header.encode(self.id));
            queue.batch.bytes.extend_from_slice(frame.bytes);
        }
        let positions = first..queue.next;
        let fate = queue.waiting.join();
        drop(queue);
        Ok(Ticket::new(positions, fate, Arc::clone(self)))
    }

    /// Writes what is queued, if nobody is writing; whoever is sees to the rest.
    pub(super) fn lead(&self) {
        let mut tail = match self.tail.try_lock() {
            Ok(tail) => tail,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.gather(&tail.last);
        self.commit_queued(&mut tail);
        drop(tail);
        self.pass_on();
    }

    /// Lets those catch up who were told of the last batch a moment ago and come with their next records:
    /// the first of them would else sync his own alone while all others wait for him, and each round would
    /// cost two syncs. Waits for as many threads as there were, and no longer than a small part of a sync. Those
    /// who await in a task look at the journal and go on; they don't come back at once.
    ///
    /// It does not yield: on a busy machine that is to stand behind all others for a slice of time each.
    fn gather(&self, last: &Last) {
        let patience = (last.took / PATIENCE).min(LONGEST);
        let begun = Instant::now();
        while self.queue().waiting.tickets() < last.threads && begun.elapsed() < patience {
            // They need the lock that this looks under.
            (0..SPINS).for_each(|_| std::hint::spin_loop());
        }
    }

    /// Has what is queued written: by one who waits for it in a thread, or else by the journal's thread. Whoever
    /// waits found the end taken, and sleeps; his records would take two switches more if he were not to write
    /// them himself.
    fn pass_on(&self) {
        let queue = self.queue();
        if !queue.waiting.is_empty() && !queue.waiting.call_leader() {
            self.work.notify_one();
        }
    }

    /// Wakes the journal's thread if there is something to write.
    pub(super) fn hurry(&self) {
        if !self.queue().waiting.is_empty() {
            self.work.notify_one();
        }
    }

    /// The journal's thread: until the journal is closed and the queue empty.
    pub(super) fn write_batches(&self) {
        let _closed = Closed(self);
        while self.wait_for_work() {
            self.commit_queued(&mut self.tail());
        }
        self.tail().sync_marker();
    }

    /// Waits until something is queued, and syncs the marker now and then; false at the end.
    fn wait_for_work(&self) -> bool {
        let mut queue = self.queue();
        loop {
            if !queue.waiting.is_empty() {
                return true;
            }
            if queue.closing {
                return false;
            }
            if !queue.marker_is_dirty {
                queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = self
                .work
                .wait_timeout(queue, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            queue = waited.0;
            if waited.1.timed_out() {
                queue.marker_is_dirty = false;
                drop(queue);
                self.tail().sync_marker();
                queue = self.queue();
            }
        }
    }

    /// Writes and syncs all that is queued, and tells those who wait.
    fn commit_queued(&self, tail: &mut Tail) {
        let mut queue = self.queue();
        if queue.waiting.is_empty() {
            return;
        }
        let mut batch = std::mem::replace(&mut queue.batch, std::mem::take(&mut tail.spare));
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        self.drained.notify_all();
        let begun = Instant::now();
        let outcome = self.commit(tail, &mut batch);
        let took = begun.elapsed();
        // And the one that writes.
        let threads = waiting.tell(outcome) + 1;
        tail.last = Last { threads, took };
        batch.bytes.clear();
        batch.offsets.clear();
        tail.spare = batch;
    }

    fn commit(&self, tail: &mut Tail, batch: &mut Batch) -> Result<(), Stopped> {
        if batch.offsets.is_empty() {
            return Ok(());
        }
        let written = tail.commit(batch);
        let mut index = self.index_mut();
        // A segment made for the batch is on the disk, whatever became of the batch.
        if index.last_first() != Some(tail.first) {
            index.add_segment(tail.first, Arc::clone(&tail.file));
        }
        match written {
            Ok(start) => {
                index.add_records(batch.offsets.iter().map(|offset| offset + start), tail.next);
                drop(index);
                let mut queue = self.queue();
                if !std::mem::replace(&mut queue.marker_is_dirty, true) {
                    self.work.notify_one();
                }
                Ok(())
            }
            Err(stopped) => {
                drop(index);
                self.stop(tail.next, &stopped);
                Err(stopped)
            }
        }
    }

    /// Refuses everything from now on, and what waits in the queue.
    pub(super) fn stop(&self, next: u64, stopped: &Stopped) {
        let mut queue = self.queue();
        queue.stopped = Some(stopped.clone());
        queue.batch = Batch::default();
        queue.next = next;
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        self.drained.notify_all();
        waiting.tell(Err(stopped.clone()));
    }

    /// Tries to write again after a stop.
    pub(super) fn try_resume(&self) -> Result<(), Stopped> {
        let resumed = self.resume(&mut self.tail());
        self.hurry();
        resumed
    }

    fn resume(&self, tail: &mut Tail) -> Result<(), Stopped> {
        let room = match &self.queue().stopped {
            None => return Ok(()),
            Some(Stopped::Closed) => return Err(Stopped::Closed),
            // Less would stop it again at once.
            Some(Stopped::NoRoom { needed, .. }) => needed.saturating_sub(tail.options.reserve_bytes),
            Some(_) => 0,
        };
        // What a former process left torn is kept as well: open may have had no room for it.
        let restored = tail.restore(room, true, true);
        self.index_mut().replace(tail.first, tail.file.clone(), None);
        let mut queue = self.queue();
        match restored {
            Ok(_) => {
                queue.stopped = None;
                queue.next = tail.next;
                queue.marker_is_dirty = true;
                Ok(())
            }
            Err(stopped) => {
                queue.stopped = Some(stopped.clone());
                Err(stopped)
            }
        }
    }

    /// Takes nothing in any more; the writer ends when the queue is empty.
    pub(super) fn close(&self) {
        self.queue().closing = true;
        self.work.notify_one();
    }

    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.queue().stopped.clone()
    }

    /// The end of the journal, for one at a time. Whoever lets go of it must [`Self::hurry`]: others may
    /// have found it taken.
    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lost(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// However the writer ends, nobody is left waiting for it.
struct Closed<'a>(&'a Shared);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        let end = self.0.index().end();
        self.0.stop(end, &Stopped::Closed);
    }
}
