//! What a peer may take of this node: bytes, connections and time.

use std::time::Duration;

const KIB: usize = 1024;

/// Bounds on every peer. The defaults are what a node runs with; tests shorten the times.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes in the longest frame from an accepted peer.
    pub frame: usize,
    /// Bytes in the longest frame from a peer that is not accepted yet.
    pub frame_before_acceptance: usize,
    /// Bytes in all frames together from a peer that is not accepted yet.
    pub bytes_before_acceptance: usize,
    /// Bytes in an enrolment request, and in the answer to one.
    pub enrol: usize,

    /// From the opening of a link to the end of its first frame.
    pub first_frame: Duration,
    /// From the start of a connection to the acceptance of its link; then it is closed.
    pub accept_within: Duration,
    /// Longest pause inside a frame that is arriving.
    pub read_stall: Duration,
    /// Longest time from the first to the last byte of a frame that is arriving.
    pub frame_within: Duration,
    /// Longest time in which a peer takes none of the bytes sent to it.
    pub write_stall: Duration,
    /// How long a closing link waits for the peer to have read its last frame.
    pub linger: Duration,
    /// From a new socket to an authenticated connection, and from an opened stream to an agreed protocol.
    pub handshake: Duration,
    /// How long a connection without streams is kept.
    pub idle: Duration,
    /// Pause between two pings on a connection.
    pub ping_interval: Duration,
    /// How long a ping may stay unanswered. Two in a row, and the connection counts as dead: with the
    /// defaults, within 40 s of the loss.
    pub ping_timeout: Duration,
    /// A second link within this time of the first was made because both sides dialled at once; later, it
    /// shows that the peer lost the first.
    pub simultaneous: Duration,

    /// Inbound connections being authenticated, in total.
    pub pending: usize,
    /// The same, from one IP address.
    pub pending_per_address: usize,
    /// Authenticated inbound connections without an accepted link, in total.
    pub unaccepted: usize,
    /// The same, from one IP address.
    pub unaccepted_per_address: usize,
    /// Inbound connections of one peer.
    pub per_peer: usize,
    /// Authenticated inbound connections, in total.
    pub connections: usize,
    /// Streams open at once on one connection; pings take two. One more ends the connection.
    pub streams: usize,
    /// Bytes that the receive windows of a connection may grow by, beyond 256 KiB for each stream.
    pub window_growth: usize,
    /// Peers refused at one time; when the table is full, the one due to be let in first is let in.
    pub refused: usize,

    /// From the opening of an enrolment stream to the end of the answer.
    pub enrol_within: Duration,
    /// Enrolment requests being read or answered at once.
    pub enrol_at_once: usize,
    /// Enrolment requests in [`Self::enrol_period`] from one IP address.
    pub enrol_per_address: u32,
    /// Enrolment requests in [`Self::enrol_period`] in total.
    pub enrol_total: u32,
    /// The time over which enrolment requests are counted.
    pub enrol_period: Duration,

    /// Shortest and longest pause between two attempts to reach a peer that is to stay connected.
    pub backoff: Backoff,
}

/// Bounds of an exponential back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Pause after the first failure, before jitter.
    pub first: Duration,
    /// Longest pause, before jitter.
    pub most: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 1024 * KIB,
            frame_before_acceptance: 32 * KIB,
            bytes_before_acceptance: 64 * KIB,
            enrol: 16 * KIB,
            first_frame: Duration::from_secs(10),
            accept_within: Duration::from_secs(20),
            read_stall: Duration::from_secs(20),
            frame_within: Duration::from_secs(300),
            write_stall: Duration::from_secs(30),
            linger: Duration::from_secs(2),
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(10),
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(10),
            simultaneous: Duration::from_secs(5),
            pending: 64,
            pending_per_address: 16,
            unaccepted: 64,
            unaccepted_per_address: 16,
            per_peer: 4,
            connections: 512,
            streams: 8,
            window_growth: 2048 * KIB,
            refused: 1024,
            enrol_within: Duration::from_secs(15),
            enrol_at_once: 4,
            enrol_per_address: 10,
            enrol_total: 60,
            enrol_period: Duration::from_secs(60),
            backoff: Backoff {
                first: Duration::from_secs(1),
                most: Duration::from_secs(300),
            },
        }
    }
}
