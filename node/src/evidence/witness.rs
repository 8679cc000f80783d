//! A witness: it cosigns a log's checkpoint once it has seen that it continues the last one it cosigned.
//!
//! What it cosigned last it keeps on disk, synced, before the cosignature leaves; whatever happens after
//! that, it can't be brought to vouch for a log that doesn't continue it. It forgets nothing: the number
//! of logs is bounded instead, and a log beyond it is refused. Which nodes are witnessed at all is the
//! caller's decision, by certificates; a stranger's checkpoint doesn't get here.
//!
//! [`judge`] decides, without disk or keys; [`Witness`] keeps.

mod notes;
mod store;

use anjuan_sync::Timestamp;
use ed25519_dalek::SigningKey;

pub use self::store::{Kept, Witness, WitnessError};
use super::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use super::cosignature::{self, Seconds};
use super::merkle::{ConsistencyProof, TreeHead};
use super::name::NodeName;
use super::note::SignatureLine;

/// Logs that one witness keeps: five times the units of a large city, for standbys and stores set back.
pub const MAX_LOGS: usize = 8192;
/// Logs of one node, which begins a new one each time its store was set back.
pub const MAX_LOGS_OF_NODE: usize = 64;

/// Two checkpoints of one log that the witness could not bring together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Conflict {
    /// One size, two roots. The two notes prove it by themselves, to everybody: the log was rewritten, or
    /// shown differently to different nodes.
    TwoRoots,
    /// Smaller than what was cosigned, and not shown to be its beginning. A node that hands this out as its
    /// newest has lost or cut its journal without beginning a new epoch.
    WentBack,
    /// Larger than what was cosigned, and not shown to continue it.
    NotContinued,
}

/// What to do with a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It continues the last one.
    Cosign,
    /// Nothing is said against it; but it is older than the last one, or the proof begins elsewhere. The
    /// proof is to be made from this size (as status 409 of C2SP tlog-witness).
    Stale {
        /// The size of the last one cosigned; 0 if there was none.
        last: u64,
    },
    /// The log's node contradicts itself, or does not show that it doesn't.
    Inconsistent(Conflict),
}

/// Decides on a checkpoint of a log of which `last` was the last one cosigned. `proof` is said to go from
/// size `from` to the new checkpoint; or, where that is the smaller one, from it to the last.
///
/// The caller has the checkpoint from its own node, over a link that proves who speaks: a third person
/// could bring an old one that nobody is to be blamed for.
pub fn judge(last: Option<&TreeHead>, new: &TreeHead, from: u64, proof: &ConsistencyProof) -> Decision {
    let empty = TreeHead::empty();
    let last = last.unwrap_or(&empty);
    let stale = Decision::Stale { last: last.size };
    if new.size == last.size {
        return if new.root == last.root {
            Decision::Cosign
        } else {
            Decision::Inconsistent(Conflict::TwoRoots)
        };
    }
    if new.size < last.size {
        return match proof.verify(new, last) {
            Ok(()) => stale,
            Err(_) => Decision::Inconsistent(Conflict::WentBack),
        };
    }
    if from != last.size {
        return stale;
    }
    match proof.verify(last, new) {
        Ok(()) => Decision::Cosign,
        Err(_) => Decision::Inconsistent(Conflict::NotContinued),
    }
}

/// What became of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Cosigned, and kept. The line goes to the node.
    Cosigned(SignatureLine),
    /// Not cosigned; the node is to prove from this size.
    Stale {
        /// The size of the last one cosigned; 0 if there was none.
        last: u64,
    },
    /// Not cosigned, and both notes kept as evidence.
    Inconsistent(Box<Evidence>),
    /// Not cosigned: [`MAX_LOGS`] or [`MAX_LOGS_OF_NODE`] are kept already.
    Full,
}

/// Two checkpoints that don't go together, each signed by the same node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// How.
    pub conflict: Conflict,
    /// The one cosigned before, with this witness's cosignature.
    pub earlier: SignedCheckpoint,
    /// The one that does not go with it.
    pub later: SignedCheckpoint,
}

impl Witness {
    /// Cosigns `checkpoint` if it continues the last one; see [`judge`] for `from` and `proof`. `now` is
    /// the time it vouches for; with a clock outside the years 2000 to 2200 it vouches for nothing.
    ///
    /// On [`Outcome::Cosigned`] the checkpoint is on disk. After an error nothing was cosigned.
    pub fn cosign(
        &mut self,
        checkpoint: &VerifiedCheckpoint,
        from: u64,
        proof: &ConsistencyProof,
        now: Timestamp,
        name: &NodeName,
        key: &SigningKey,
    ) -> Result<Outcome, WitnessError> {
        let origin = checkpoint.origin();
        if !name.is_of(&key.verifying_key()) {
            return Err(WitnessError::Key(name.clone()));
        }
        let time = Seconds::of(now).ok_or(WitnessError::Clock(now.as_millis()))?;
        let last = self.last(origin)?;
        match judge(last.map(Kept::head), checkpoint.head(), from, proof) {
            Decision::Stale { last } => Ok(Outcome::Stale { last }),
            Decision::Inconsistent(conflict) => {
                let Some(last) = last else {
                    // A proof that begins nowhere; there is no second note to show.
                    return Ok(Outcome::Stale { last: 0 });
                };
                let evidence = Evidence {
                    conflict,
                    earlier: last.checkpoint().clone(),
                    later: SignedCheckpoint::clone(checkpoint.as_signed()),
                };
                self.keep_evidence(&evidence)?;
                Ok(Outcome::Inconsistent(Box::new(evidence)))
            }
            Decision::Cosign if last.is_none() && self.is_full_for(origin.node()) => Ok(Outcome::Full),
            Decision::Cosign => {
                let line = cosignature::cosign(checkpoint.note().text(), name, key, time);
                self.keep(checkpoint, &line)?;
                Ok(Outcome::Cosigned(line))
            }
        }
    }
}
