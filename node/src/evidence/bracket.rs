//! When was an update recorded? Not by what its author claims, but by what witnesses saw.
//!
//! - **Not before**: its header carries a foreign checkpoint with cosignatures. Whoever wrote the header had
//!   them, so it was written after each of them was made.
//! - **Not after**: the first checkpoint of a log that includes the update and was cosigned. It was there
//!   when each of these cosignatures was made.
//!
//! The times are the witnesses' own. So that no single one decides, the k-th best counts where the
//! verifier's policy asks for k: with fewer than k lying, at least one of the k best is honest, and the
//! k-th is no better than its. The node whose update it is never counts as its own witness.
//!
//! What this cannot show: how long before it was recorded something happened, and, of an update that
//! names an old checkpoint, that it is not younger: such a bracket is only wider.

use std::num::NonZeroUsize;

use anjuan_sync::Timestamp;

use super::checkpoint::CosignedCheckpoint;
use super::cosignature::Seconds;
use super::name::NodeName;

/// Between which instants an update was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bracket {
    /// The first instant possible.
    pub not_before: Option<Timestamp>,
    /// The last instant possible.
    pub not_after: Option<Timestamp>,
}

/// What a bracket says of a claimed time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Between both bounds.
    Inside,
    /// Not outside the one bound there is; nothing bounds it on the other side.
    HalfOpen,
    /// There are no bounds.
    Unbracketed,
    /// Proven false: recorded later than claimed. Backdated.
    ClaimedBefore {
        /// By how many milliseconds at least.
        by: u64,
    },
    /// Proven false: recorded earlier than claimed. Postdated.
    ClaimedAfter {
        /// By how many milliseconds at least.
        by: u64,
    },
    /// The bounds exclude each other: some witness's clock is wrong, and nothing is proven.
    Contradictory,
}

impl Bracket {
    /// The bracket of an update of `author`'s node. `named` is the checkpoint in its header, `including`
    /// are checkpoints whose logs were shown to include it; `quorum` witnesses are needed for a bound.
    pub fn of<'a>(
        author: &NodeName,
        named: Option<&CosignedCheckpoint>,
        including: impl IntoIterator<Item = &'a CosignedCheckpoint>,
        quorum: NonZeroUsize,
    ) -> Self {
        let place = quorum.get() - 1;
        let not_before = named.and_then(|checkpoint| {
            let mut times = times(checkpoint, author);
            times.sort_by(|a, b| b.cmp(a));
            times.get(place).map(|time| time.first())
        });
        let not_after = including.into_iter().filter_map(|checkpoint| {
            let mut times = times(checkpoint, author);
            times.sort();
            times.get(place).map(|time| time.last())
        });
        Self {
            not_before,
            not_after: not_after.min(),
        }
    }

    /// Judges a claimed time. `tolerance`, in milliseconds, is how far honest clocks may be apart.
    pub fn judge(&self, claimed: Timestamp, tolerance: u64) -> Judgement {
        let beyond = |later: Timestamp, earlier: Timestamp| {
            let by = i128::from(later.as_millis()) - i128::from(earlier.as_millis());
            // Two i64 are less than a u64 apart.
            u64::try_from(by).ok().filter(|by| *by > tolerance)
        };
        if let (Some(not_before), Some(not_after)) = (self.not_before, self.not_after)
            && beyond(not_before, not_after).is_some()
        {
            return Judgement::Contradictory;
        }
        if let Some(by) = self.not_before.and_then(|bound| beyond(bound, claimed)) {
            return Judgement::ClaimedBefore { by };
        }
        if let Some(by) = self.not_after.and_then(|bound| beyond(claimed, bound)) {
            return Judgement::ClaimedAfter { by };
        }
        match (self.not_before, self.not_after) {
            (Some(_), Some(_)) => Judgement::Inside,
            (None, None) => Judgement::Unbracketed,
            _ => Judgement::HalfOpen,
        }
    }
}

/// The times of all witnesses but the author's own node and the node whose log it is.
fn times(checkpoint: &CosignedCheckpoint, author: &NodeName) -> Vec<Seconds> {
    let node = checkpoint.checkpoint().origin().node();
    let foreign = checkpoint
        .witnesses_without(author)
        .filter(|witness| witness.name != *node);
    foreign.map(|witness| witness.time).collect()
}
