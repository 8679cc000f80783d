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
    /// States are not sent more often than this, on average, for changes of our own.
    pub notify_interval: Duration,
    /// So many of them may be sent at once.
    pub notify_burst: u32,
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
            notify_burst: 8,
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

/// How large the next page may be, so that one takes about two seconds at most, the one before it on the
/// same link included: a link that drops costs no more than that, a link that drops every ten seconds
/// still brings several, and other messages do not wait long behind it.
#[derive(Clone, Debug)]
pub(crate) struct PageSize(u32);

impl PageSize {
    const SMALLEST: u32 = 8 * 1024;
    const LARGEST: u32 = crate::session::page::MAX_PAGE_LIMIT;
    const MOST: Duration = Duration::from_secs(2);

    pub(crate) fn new() -> Self {
        Self(64 * 1024)
    }

    pub(crate) fn get(&self) -> u32 {
        self.0
    }

    /// A page took so long from when it was asked for.
    pub(crate) fn took(&mut self, time: Duration) {
        let fits = f64::from(self.0) * Self::MOST.as_secs_f64() / time.as_secs_f64().max(0.001);
        let next = match time {
            slow if slow > Self::MOST => fits as u32,
            fast if fast < Self::MOST / 2 => self.0.saturating_mul(2),
            _ => self.0,
        };
        self.0 = next.clamp(Self::SMALLEST, Self::LARGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On links of some rates, with pages compressed to a third and two of them on their way.
    #[test]
    fn pages_take_about_two_seconds_of_any_link() {
        for (rate, largest) in [
            (1_000, 8 * 1024),
            (8_000, 32 * 1024),
            (10_000_000, PageSize::LARGEST),
        ] {
            let mut size = PageSize::new();
            for _ in 0..20 {
                let bytes = f64::from(size.get()) / 3.0;
                size.took(Duration::from_millis(60) + Duration::from_secs_f64(2.0 * bytes / f64::from(rate)));
            }
            let seconds = f64::from(size.get()) / 3.0 / f64::from(rate);
            assert!(size.get() <= largest, "{rate} B/s: {}", size.get());
            assert!(seconds < 3.0, "{rate} B/s: {seconds} s");
        }
        assert_eq!(PageSize::new().get(), 64 * 1024);
    }
}
