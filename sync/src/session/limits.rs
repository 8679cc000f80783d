//! Bounds on what a peer may do, and how patient we are.

use std::time::Duration;

/// Bounds of a session. The defaults are far from what any honest peer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time for the peer's Hello, and then for its first State.
    pub hello: Duration,
    /// Time without any frame from a peer that owes an answer.
    pub silence: Duration,
    /// Time for one answer, however many other frames come.
    pub answer: Duration,
    /// Messages, other than answers, that a peer may send a minute, on average.
    pub messages_per_minute: u32,
    /// Messages, other than answers, that a peer may send at once.
    pub burst: u32,
    /// Requests of the peer whose answers were not handed to the transport yet.
    pub unsent_answers: usize,
    /// Places of a digest tree that one repair looks at.
    pub places: usize,
    /// The peer's clock may be so far from ours without an event.
    pub clock_skew: Duration,
    /// States are not sent more often than this, for changes of our own.
    pub notify_interval: Duration,
    /// While pulling, States are not sent more often than this.
    pub notify_interval_pulling: Duration,
    /// How long a peer may leave what is here untaken before it is an event.
    pub settle: Duration,
    /// The first pause before a repair that brought nothing is tried again; doubled each time.
    pub repair_pause: Duration,
    /// The longest pause.
    pub repair_pause_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(10),
            silence: Duration::from_secs(120),
            answer: Duration::from_secs(600),
            messages_per_minute: 12_000,
            burst: 2000,
            unsent_answers: 8,
            places: 65_536,
            clock_skew: Duration::from_secs(300),
            notify_interval: Duration::from_millis(50),
            notify_interval_pulling: Duration::from_secs(30),
            settle: Duration::from_secs(120),
            repair_pause: Duration::from_secs(30),
            repair_pause_max: Duration::from_secs(3600),
        }
    }
}

/// A bucket of tokens that fills at a steady rate.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    per_minute: u32,
    burst: u32,
    tokens: f64,
    filled: Duration,
}

impl Bucket {
    pub(crate) fn new(per_minute: u32, burst: u32, now: Duration) -> Self {
        Self {
            per_minute,
            burst,
            tokens: f64::from(burst),
            filled: now,
        }
    }

    /// Takes one token; false if there is none.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + passed * f64::from(self.per_minute) / 60.0).min(f64::from(self.burst));
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

/// How large the next page may be, so that a page takes a few seconds at most: a link that drops costs
/// no more than that, and other messages do not wait long behind it.
#[derive(Clone, Debug)]
pub(crate) struct PageSize(u32);

impl PageSize {
    const SMALLEST: u32 = 16 * 1024;
    const LARGEST: u32 = crate::session::page::MAX_PAGE_LIMIT;

    pub(crate) fn new() -> Self {
        Self(64 * 1024)
    }

    pub(crate) fn get(&self) -> u32 {
        self.0
    }

    /// A page that was asked for with the size of then took so long.
    pub(crate) fn took(&mut self, time: Duration) {
        if time > Duration::from_secs(5) {
            self.0 = (self.0 / 2).max(Self::SMALLEST);
        } else if time < Duration::from_secs(2) {
            self.0 = (self.0 * 2).min(Self::LARGEST);
        }
    }
}
