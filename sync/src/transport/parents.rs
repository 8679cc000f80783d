//! Peers to stay connected with, and when to try again. Pure: handed time and randomness.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{Rng, RngExt};
use tokio::time::Instant;

use super::limits::Backoff;
use super::peer::PeerAddr;
use crate::id::NodeKey;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be dialled at this time.
    Due(Instant),
    Dialing,
    Up,
}

#[derive(Debug)]
struct Parent {
    address: PeerAddr,
    state: State,
    /// The pause before the last attempt; none after a success.
    paused: Option<Duration>,
}

/// The peers that were asked to be kept connected.
#[derive(Debug)]
pub(super) struct Parents {
    backoff: Backoff,
    parents: BTreeMap<NodeKey, Parent>,
}

impl Parents {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self {
            backoff,
            parents: BTreeMap::new(),
        }
    }

    /// Adds a peer or changes its addresses; either way it is tried at once unless it is connected.
    pub(super) fn keep(&mut self, address: PeerAddr, connected: bool, now: Instant) {
        let state = if connected { State::Up } else { State::Due(now) };
        self.parents.insert(
            address.key(),
            Parent {
                address,
                state,
                paused: None,
            },
        );
    }

    pub(super) fn forget(&mut self, key: NodeKey) {
        self.parents.remove(&key);
    }

    /// When the next peer is to be dialled.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.parents
            .values()
            .filter_map(|parent| match parent.state {
                State::Due(at) => Some(at),
                State::Dialing | State::Up => None,
            })
            .min()
    }

    /// Takes a peer that is to be dialled now.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<PeerAddr> {
        let parent = self
            .parents
            .values_mut()
            .find(|p| matches!(p.state, State::Due(at) if at <= now))?;
        parent.state = State::Dialing;
        Some(parent.address.clone())
    }

    /// A link to the peer is there.
    pub(super) fn up(&mut self, key: NodeKey) {
        if let Some(parent) = self.parents.get_mut(&key) {
            parent.state = State::Up;
        }
    }

    /// The link is gone. Only one that both sides had accepted makes up for earlier failures: otherwise a
    /// peer that turns us away each time would be dialled at the shortest pause for ever.
    pub(super) fn down(&mut self, key: NodeKey, accepted: bool, now: Instant, rng: &mut impl Rng) {
        if accepted && let Some(parent) = self.parents.get_mut(&key) {
            parent.paused = None;
        }
        self.failed(key, now, rng);
    }

    /// The peer could not be reached. Returns the pause before the next attempt.
    pub(super) fn failed(&mut self, key: NodeKey, now: Instant, rng: &mut impl Rng) -> Option<Duration> {
        let backoff = self.backoff;
        let parent = self.parents.get_mut(&key)?;
        let pause = pause(backoff, parent.paused, rng);
        parent.paused = Some(pause);
        parent.state = State::Due(now + pause);
        Some(pause)
    }
}

/// Decorrelated jitter (Brooker, "Exponential Backoff And Jitter"): at random between the shortest pause and
/// three times the one before, up to the bound. So the villages of a county that was down don't come back in
/// the same second, and those that failed together soon no longer try together.
fn pause(backoff: Backoff, before: Option<Duration>, rng: &mut impl Rng) -> Duration {
    let first = backoff.first.max(Duration::from_millis(1));
    let most = backoff.most.max(first);
    let up_to = before.unwrap_or(first).saturating_mul(3).clamp(first, most);
    // A first failure may be a moment's: half the shortest pause at least, for spreading.
    let least = if before.is_none() { first / 2 } else { first };
    rng.random_range(least..=up_to)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_secs(1),
        most: Duration::from_secs(60),
    };

    fn parent() -> PeerAddr {
        let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        let address = "/ip4/192.0.2.1/tcp/1".parse().expect("a multiaddress");
        PeerAddr::new(NodeKey::from_bytes(key.to_bytes()), [address]).expect("valid")
    }

    #[test]
    fn pauses_grow_to_the_bound_and_spread_below_it() {
        let seed = rand::random();
        eprintln!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        // 360 villages whose county is down for an hour.
        let mut last = Vec::new();
        let mut attempts = 0;
        for _ in 0..360 {
            let (mut now, mut before) = (Duration::ZERO, None);
            while now < Duration::from_secs(3600) {
                let pause = pause(BACKOFF, before, &mut rng);
                assert!(pause >= BACKOFF.first / 2 && pause <= BACKOFF.most, "{pause:?}");
                if let Some(before) = before {
                    assert!(pause >= BACKOFF.first && pause <= BACKOFF.first.max(before * 3));
                }
                (now, before, attempts) = (now + pause, Some(pause), attempts + 1);
            }
            last.push(now);
        }
        // A minute at most, and nearly half of it on average.
        assert!((360 * 60..360 * 240).contains(&attempts), "{attempts} attempts");
        last.sort();
        let second = Duration::from_secs(1);
        let together = |at: &Duration| {
            last.iter()
                .filter(|other| **other >= *at && **other < *at + second)
                .count()
        };
        let most_at_once = last.iter().map(together).max();
        assert!(most_at_once < Some(40), "{most_at_once:?} of 360 in one second");
    }

    #[test]
    fn a_peer_is_dialled_once_at_a_time_and_only_an_accepted_link_resets_the_pause() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut parents = Parents::new(BACKOFF);
        let (key, mut now) = (parent().key(), Instant::now());
        parents.keep(parent(), false, now);
        assert_eq!(parents.take_due(now), Some(parent()));
        assert_eq!((parents.take_due(now), parents.next_due()), (None, None));

        for _ in 0..10 {
            parents.down(key, false, now, &mut rng);
        }
        let due = parents.next_due().expect("a time");
        assert!(due >= now + BACKOFF.first && due <= now + BACKOFF.most);
        assert_eq!(parents.take_due(now), None);
        now = due;
        assert_eq!(parents.take_due(now), Some(parent()));

        parents.up(key);
        assert_eq!(parents.next_due(), None);
        parents.down(key, true, now, &mut rng);
        assert!(parents.next_due().expect("a time") <= now + 3 * BACKOFF.first);

        parents.forget(key);
        assert_eq!(
            (parents.next_due(), parents.failed(key, now, &mut rng)),
            (None, None)
        );
    }
}
