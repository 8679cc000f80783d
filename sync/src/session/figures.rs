//! What a session has done so far, for whoever watches it.

use std::time::Duration;

use crate::replica::{Position, Roots};

/// How much of what the peer holds is still to be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Behind {
    /// Not known: the peer did not say where it stands, or what differs is still being found out.
    #[default]
    Unknown,
    /// Both hold the same.
    Level,
    /// So much.
    By {
        /// Records that the peer has beyond what was taken in.
        records: u64,
        /// Roughly what they will take on the link, compressed, by what those before took.
        bytes: u64,
    },
}

/// Figures of one session. They only grow, but for [`Figures::behind`] and [`Figures::rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Figures {
    /// Bytes of frames sent, above the transport.
    pub sent: u64,
    /// Bytes of frames received, above the transport.
    pub received: u64,
    /// Answers waited for, one after the other: what was asked for at the same time counts once.
    pub round_trips: u32,
    /// Pages taken in.
    pub pages: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of them, compressed.
    pub page_bytes: u64,
    /// Bytes a second while pages were awaited; 0 before the first.
    pub rate: u64,
    /// What is still to be taken in.
    pub behind: Behind,
    /// Has the peer taken in all there was here when both last said where they stand?
    pub peer_is_level: bool,
    /// Up to where in this store's order the peer has taken everything that both hold, as far as it said.
    pub peer_has: Option<Position>,
    /// The digests that the peer was told last.
    pub said: Option<Roots>,
    /// When the last frame came, by the clock that the session is handed.
    pub last_frame: Duration,
}

/// A rate that follows what was measured last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate(f64);

impl Rate {
    /// So many bytes came in this time.
    pub(crate) fn took(&mut self, bytes: usize, time: Duration) {
        let now = bytes as f64 / time.as_secs_f64().max(0.001);
        self.0 = match self.0 {
            0.0 => now,
            before => 0.7 * before + 0.3 * now,
        };
    }

    /// Bytes a second.
    pub(crate) fn get(self) -> u64 {
        self.0 as u64
    }
}
