//! Which of two links to the same peer stays.
//!
//! A node opens a sync stream only while it has no link to the peer. So a second stream means one of two
//! things: the peer lost the first link and this node has not noticed, or both dialled at once and their
//! streams crossed. In the second case both sides must keep the same one.

use std::time::Duration;

use tokio::time::Instant;

use super::link::Role;
use crate::id::NodeKey;

/// What becomes of a newly opened stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It takes the place of the link that was there.
    Replace,
    /// The link that was there stays.
    Refuse,
}

/// The two keys of a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) own: NodeKey,
    pub(super) peer: NodeKey,
}

/// Decides between the link opened by `current` at `since`, and a stream opened by `new` now.
pub(super) fn decide(
    pair: Pair,
    (current, since): (Role, Instant),
    new: Role,
    now: Instant,
    simultaneous: Duration,
) -> Verdict {
    let favoured = if pair.own < pair.peer {
        Role::Dialer
    } else {
        Role::Listener
    };
    let crossed = now.saturating_duration_since(since) < simultaneous;
    match (current, new) {
        // The peer opens a second stream of its own only when it has lost the first.
        (Role::Listener, Role::Listener) => Verdict::Replace,
        // This node opens none while it has a link; an attempt that was under way is one too many.
        (Role::Dialer, Role::Dialer) => Verdict::Refuse,
        _ if crossed && new == favoured => Verdict::Replace,
        _ if crossed => Verdict::Refuse,
        // Long after: the peer has lost the link that this node still holds.
        (Role::Dialer, Role::Listener) => Verdict::Replace,
        (Role::Listener, Role::Dialer) => Verdict::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(5);

    fn pair(own: u8, peer: u8) -> Pair {
        Pair {
            own: NodeKey::from_bytes([own; 32]),
            peer: NodeKey::from_bytes([peer; 32]),
        }
    }

    /// Whether the stream that `own` dialled is the one that stays, when `first` was there before the other.
    fn own_dialled_stays(pair: Pair, first: Role) -> bool {
        let now = Instant::now();
        let second = if first == Role::Dialer {
            Role::Listener
        } else {
            Role::Dialer
        };
        let stays = match decide(pair, (first, now), second, now, WITHIN) {
            Verdict::Replace => second,
            Verdict::Refuse => first,
        };
        stays == Role::Dialer
    }

    #[test]
    fn both_sides_keep_the_same_of_two_crossed_streams_in_whatever_order_they_see_them() {
        for first_at_a in [Role::Dialer, Role::Listener] {
            for first_at_b in [Role::Dialer, Role::Listener] {
                assert!(own_dialled_stays(pair(1, 2), first_at_a));
                assert!(!own_dialled_stays(pair(2, 1), first_at_b));
            }
        }
    }

    #[test]
    fn a_peer_that_lost_its_link_gets_a_new_one_at_once_or_once_it_cannot_have_crossed() {
        let now = Instant::now();
        for (own, peer) in [(1, 2), (2, 1)] {
            let again = decide(
                pair(own, peer),
                (Role::Listener, now),
                Role::Listener,
                now,
                WITHIN,
            );
            assert_eq!(again, Verdict::Replace);
            let later = decide(
                pair(own, peer),
                (Role::Dialer, now),
                Role::Listener,
                now + WITHIN,
                WITHIN,
            );
            assert_eq!(later, Verdict::Replace);
        }
    }
}
