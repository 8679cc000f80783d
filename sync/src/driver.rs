//! Runs a [`Session`] over a [`Link`]: the one place where the two meet.
//!
//! Neither knows the other. The link carries frames, the session says what they mean, and here frames,
//! deliveries, changes and time are passed from one to the other, all in one task, so that nothing is
//! shared and nothing is locked while it waits.

use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt as _;
use rand::Rng;
use tokio::spawn;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::replica::{Record, Replica, ReplicaError, Summary};
use crate::session::{CloseReason, Event, Input, Now, Output, Session, Token};
use crate::transport::{self, Link, LinkError, LinkReader, LinkWriter};

/// Bytes that may wait to be written before the session is asked for no more frames: a page and a little.
const UNSENT: usize = 512 * 1024;
/// Inputs that are handled together.
const AT_ONCE: usize = 16;
/// Longest sleep, for deadlines that stand for never.
const LONGEST: Duration = Duration::from_secs(3600);

/// A store that several sessions read, and hand records to.
pub trait Store: Send + Sync + 'static {
    /// Calls `read` with the store as it is at one moment. If not all of that is durable yet, what is made of
    /// it may be told to a peer once the returned future is done, and not at all if it fails: what a peer is
    /// told must not be lost after. It is called within the task: whoever has to wait for the store should let
    /// other tasks go on meanwhile (`block_in_place`).
    ///
    /// # Errors
    /// When the store can't be read, or will not be durable; the session ends then.
    fn read(&self, read: &mut dyn FnMut(&dyn Replica)) -> Result<Option<Settling>, ReplicaError>;

    /// Does something that may take long within the task; other tasks should go on meanwhile.
    fn work<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    /// Judges and stores records, in order; done once what was taken is durable. Called again before that:
    /// what was handed in first is stored first, so that signatures can be checked, and the disk waited for,
    /// while other records are stored. The order is that of the calls; what they return runs each in a task
    /// of its own, to its end.
    fn deliver(
        self: Arc<Self>,
        records: Vec<Record>,
    ) -> impl Future<Output = Result<Summary, String>> + Send + 'static;

    /// Changes whenever the store has durably changed, whoever changed it.
    fn changes(&self) -> watch::Receiver<u64>;

    /// The time.
    fn now(&self) -> Now;

    /// Waits until there is something to ask the peer beside the replica: a topic, and at most
    /// [`crate::session::message::MAX_BODY`] bytes that mean nothing here. Called anew once the answer was
    /// taken in.
    fn question(&self) -> impl Future<Output = (u16, Vec<u8>)> + Send {
        pending()
    }

    /// Answers such a question of the peer's, as long at the most.
    fn answer(&self, topic: u16, question: Vec<u8>) -> impl Future<Output = Vec<u8>> + Send {
        drop((topic, question));
        ready(Vec::new())
    }

    /// Takes in the peer's answer to the last question.
    fn answered(&self, answer: Vec<u8>) -> impl Future<Output = ()> + Send {
        drop(answer);
        ready(())
    }
}

/// How the connection with a peer ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The session ended it.
    #[error(transparent)]
    Session(#[from] CloseReason),
    /// The link ended under it.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// Done once something is durable.
pub type Settling = Pin<Box<dyn Future<Output = Result<(), ReplicaError>> + Send>>;

/// Not to be sent yet.
enum Held {
    /// What stands behind it, before this is done.
    Until(Settling),
    Frame(Vec<u8>),
}

/// Under way in a task of its own: a session that reads the store waits for its lock with all that it polls.
type Delivery = (Token, JoinHandle<Result<Summary, String>>);

/// What becomes an input, or nothing, once it is done.
type Asking = Pin<Box<dyn Future<Output = Option<Input>> + Send>>;

/// Drives `session` over `link` until either ends, or `stop` becomes true or is dropped; `watch` is told
/// what happens. The link is accepted when the session lets the peer in.
///
/// Records that were handed to the store are stored before this returns; the session bounds how many.
pub async fn run_link<S: Store>(
    link: Link,
    session: Session,
    store: Arc<S>,
    rng: &mut (impl Rng + Send),
    mut stop: watch::Receiver<bool>,
    mut watch: impl FnMut(Event) + Send,
) -> Ended {
    let (reader, writer) = link.split();
    let mut pump = Pump {
        session,
        reader,
        writer,
        store,
        deliveries: VecDeque::new(),
        asking: None,
        answering: None,
        is_asked: false,
        held: VecDeque::new(),
        held_bytes: 0,
    };
    let ended = pump.run(rng, &mut stop, &mut watch).await;
    if let Ended::Session(_) = &ended {
        pump.release_all().await;
    }
    for (_, delivery) in pump.deliveries.drain(..) {
        let _ = delivery.await;
    }
    let Pump { reader, writer, .. } = pump;
    // Whoever was not let in is told nothing, not even that it is late.
    if reader.control().is_accepted()
        && let Ended::Session(reason) = &ended
        && let Some(reason) = farewell(reason)
    {
        transport::close(reader, writer, reason).await;
    }
    ended
}

/// What a peer that was let in is told.
fn farewell(reason: &CloseReason) -> Option<transport::CloseReason> {
    Some(match reason {
        CloseReason::Refused(_) => return None,
        CloseReason::Violation(_) | CloseReason::Late(_) => transport::CloseReason::Protocol,
        CloseReason::Replica(_) | CloseReason::StoreFailed(_) => transport::CloseReason::Busy,
        CloseReason::Local => transport::CloseReason::Shutdown,
        CloseReason::Bye(_) => transport::CloseReason::Done,
    })
}

struct Pump<S> {
    session: Session,
    reader: LinkReader,
    writer: LinkWriter,
    store: Arc<S>,
    /// With the store, the oldest first.
    deliveries: VecDeque<Delivery>,
    /// A question of ours that is not ready, or the taking in of its answer.
    asking: Option<Asking>,
    /// An answer of ours that is not ready.
    answering: Option<Asking>,
    /// A question of ours is with the peer.
    is_asked: bool,
    /// Frames behind what has to be durable before they are sent, and how many bytes.
    held: VecDeque<Held>,
    held_bytes: usize,
}

impl<S: Store> Pump<S> {
    async fn run(
        &mut self,
        rng: &mut (impl Rng + Send),
        stop: &mut watch::Receiver<bool>,
        watch: &mut (impl FnMut(Event) + Send),
    ) -> Ended {
        let mut changes = self.store.changes();
        let mut inputs = vec![Input::Connected];
        // The link ended; what came before that is handled first.
        let mut broken = None;
        loop {
            if !inputs.is_empty()
                && let Err(error) = self.handle(std::mem::take(&mut inputs), rng)
            {
                return CloseReason::from(error).into();
            }
            let deadline = match self.take_outputs(watch) {
                Ok(deadline) => deadline,
                Err(ended) => return ended,
            };
            if let Some(ended) = broken {
                return ended;
            }
            let until_tick = deadline.map(|at| at.saturating_sub(self.store.now().elapsed).min(LONGEST));
            match self.next(&mut changes, stop, tick(until_tick)).await {
                Ok(input) => inputs.extend(input),
                Err(ended) => return ended,
            }
            // Whatever else is there already is handled with it: each look at the store may have to wait. But
            // what takes long is the last: while the store has it, the next one is read.
            while inputs.len() < AT_ONCE && !inputs.last().is_some_and(Input::takes_long) {
                match self.next(&mut changes, stop, pending()).now_or_never() {
                    Some(Ok(input)) => inputs.extend(input),
                    Some(Err(ended)) => {
                        broken = Some(ended);
                        break;
                    }
                    None => break,
                }
            }
        }
    }

    /// What happens next: an input, or something else that lets the session go on. Loses nothing when it is
    /// dropped.
    async fn next(
        &mut self,
        changes: &mut watch::Receiver<u64>,
        stop: &mut watch::Receiver<bool>,
        tick: impl Future<Output = ()>,
    ) -> Result<Option<Input>, Ended> {
        Ok(tokio::select! {
            frame = self.reader.recv() => Some(Input::Frame(frame?)),
            // With room again, the session may have more to send.
            flushed = self.writer.flush(), if self.writer.needs_flush() => {
                flushed?;
                None
            }
            settled = settled(&mut self.held) => {
                self.held.pop_front();
                if let Err(error) = settled {
                    // What stands behind it must never be sent.
                    self.held.clear();
                    return Err(CloseReason::from(error).into());
                }
                self.release()?;
                None
            }
            (token, result) = any(&mut self.deliveries) => Some(Input::Delivered { token, result }),
            asked = running(&mut self.asking) => {
                self.asking = None;
                self.is_asked = asked.is_some();
                asked
            }
            answer = running(&mut self.answering) => {
                self.answering = None;
                answer
            }
            Ok(()) = changes.changed() => Some(Input::LocalChange),
            _ = stop.wait_for(|stop| *stop) => Some(Input::Close),
            () = tick => Some(Input::Tick),
        })
    }

    fn handle(&mut self, inputs: Vec<Input>, rng: &mut impl Rng) -> Result<(), ReplicaError> {
        let (now, session) = (self.store.now(), &mut self.session);
        let mut inputs: VecDeque<_> = inputs.into();
        // A first frame decides what the next ones mean.
        let ahead = if session.is_open() { inputs.len() } else { 1 };
        for input in inputs.iter_mut().take(ahead) {
            let taken = std::mem::replace(input, Input::LocalChange);
            *input = match taken.takes_long() {
                true => self.store.work(|| session.read(taken, now)),
                false => session.read(taken, now),
            };
        }
        let takes_long = inputs.iter().any(Input::takes_long);
        let mut look = || {
            self.store.read(&mut |replica| {
                for input in inputs.drain(..) {
                    session.handle(input, replica, now, rng);
                }
            })
        };
        let settling = match takes_long {
            true => self.store.work(look),
            false => look(),
        }?;
        if let Some(settling) = settling {
            // This one is done no sooner than one before it.
            self.held.pop_back_if(|last| matches!(last, Held::Until(_)));
            self.held.push_back(Held::Until(settling));
        }
        Ok(())
    }

    /// Hands the frames that need not wait to the writer.
    fn release(&mut self) -> Result<(), LinkError> {
        while let Some(Held::Frame(frame)) = self.held.front() {
            self.writer.push(frame)?;
            self.held_bytes -= frame.len();
            self.held.pop_front();
        }
        Ok(())
    }

    /// Waits with what is held until it may be sent. What may not is dropped.
    async fn release_all(&mut self) {
        while self.release().is_ok()
            && let Some(Held::Until(settling)) = self.held.pop_front()
        {
            if settling.await.is_err() {
                self.held.clear();
            }
        }
    }

    /// Passes on what the session puts out. Returns when it wants to be called again; nothing if it has
    /// not been asked, as too much waits to be written.
    fn take_outputs(&mut self, watch: &mut impl FnMut(Event)) -> Result<Option<Duration>, Ended> {
        let mut deadline = None;
        while self.writer.unsent() + self.held_bytes < UNSENT {
            let output = match self.session.has_long_page() {
                true => self.store.work(|| self.session.poll_output()),
                false => self.session.poll_output(),
            };
            match output {
                Output::Send(frame) => {
                    self.held_bytes += frame.len();
                    self.held.push_back(Held::Frame(frame));
                    self.release()?;
                }
                Output::Deliver { token, records } => {
                    let delivery = spawn(Arc::clone(&self.store).deliver(records));
                    self.deliveries.push_back((token, delivery));
                }
                Output::Asked { topic, body } => {
                    let store = Arc::clone(&self.store);
                    self.answering = Some(Box::pin(async move {
                        Some(Input::Answer(store.answer(topic, body).await))
                    }));
                }
                Output::Answered(body) => {
                    let store = Arc::clone(&self.store);
                    self.is_asked = false;
                    self.asking = Some(Box::pin(async move {
                        store.answered(body).await;
                        None
                    }));
                }
                Output::Event(event) => {
                    if let Event::PeerAccepted { .. } | Event::Beside { .. } = event {
                        self.reader.control().accept();
                    }
                    watch(event);
                }
                // What was pushed before goes out with the goodbye.
                Output::Close(reason) => return Err(reason.into()),
                Output::WaitUntil(at) => {
                    deadline = Some(at);
                    break;
                }
            }
        }
        if self.asking.is_none() && !self.is_asked && self.reader.control().is_accepted() {
            let store = Arc::clone(&self.store);
            self.asking = Some(Box::pin(async move {
                let (topic, body) = store.question().await;
                Some(Input::Ask { topic, body })
            }));
        }
        Ok(deadline)
    }
}

async fn running<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// Waits for all of them; gives what the first comes to that is done.
async fn any(deliveries: &mut VecDeque<Delivery>) -> (Token, Result<Summary, String>) {
    poll_fn(|context| {
        let done = deliveries
            .iter_mut()
            .enumerate()
            .find_map(|(at, (token, delivery))| match Pin::new(delivery).poll(context) {
                Poll::Ready(done) => Some((at, *token, done)),
                Poll::Pending => None,
            });
        match done {
            Some((at, token, done)) => {
                drop(deliveries.remove(at));
                Poll::Ready((token, done.unwrap_or_else(|panic| Err(panic.to_string()))))
            }
            None => Poll::Pending,
        }
    })
    .await
}

/// Waits for what holds up the oldest frame, if one is held up.
async fn settled(held: &mut VecDeque<Held>) -> Result<(), ReplicaError> {
    let has_frames = held.len() > 1;
    match held.front_mut() {
        Some(Held::Until(settling)) if has_frames => settling.await,
        _ => pending().await,
    }
}

async fn tick(after: Option<Duration>) {
    match after {
        Some(after) => sleep(after).await,
        None => pending().await,
    }
}
