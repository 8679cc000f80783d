//! Having the own log witnessed: what one witness is asked, one question after the other.
//!
//! First what it saw last: a store that was set back with all that it knew of itself learns it here, before
//! it has shown anything that contradicts what it signed once. Then each new checkpoint, with the proof
//! that it continues that one. Reports of what others did go to the nodes above.

use std::collections::BTreeSet;

use anjuan_sync::LogEpoch;

use super::exchange::{Answer, Declined, Question, conflict_number, conflict_of};
use super::{KeyOf, Notary, NotaryError, Peer};
use crate::evidence::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use crate::evidence::cosignature::{COSIGNATURE, line_of};
use crate::evidence::merkle::TreeHead;
use crate::evidence::witness::Evidence;

/// Proofs that one witness may find to begin elsewhere, before it is asked no more.
const MAX_STALE: u32 = 3;

/// What a session knows of one witness.
#[derive(Debug, Default)]
pub struct Asking {
    /// The epoch that the rest is of.
    epoch: Option<LogEpoch>,
    /// What it saw last.
    known: Option<TreeHead>,
    stale: u32,
    asked: Option<Asked>,
    /// It said that the log contradicts itself, or says what can't be.
    given_up: bool,
    /// Reports that it has.
    reported: BTreeSet<(String, u8)>,
}

#[derive(Debug)]
enum Asked {
    Last(Option<TreeHead>),
    Cosign(VerifiedCheckpoint),
    Report(String, u8),
}

/// What a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The log's epoch.
    pub epoch: LogEpoch,
    /// Have a checkpoint cosigned that the witness cosigned before: for the time.
    pub again: bool,
    /// It is a node above, which is told what others did.
    pub reports: bool,
}

/// What came of an answer.
#[derive(Debug)]
pub(crate) enum Gained {
    /// Nothing that matters outside.
    Nothing,
    /// The checkpoint is cosigned.
    Cosigned,
    /// The same, and there is a newer foreign checkpoint for headers.
    Foreign,
    /// The witness has more of this epoch than the journal contains: the store was set back. The note is
    /// what it saw last, signed by this node.
    SetBack(Box<VerifiedCheckpoint>),
    /// The witness says that this node contradicts itself.
    Accused(Box<Evidence>),
    /// Not now.
    Declined,
}

impl Notary {
    /// What to ask next; nothing if the witness has seen all there is.
    pub(crate) fn question(
        &self,
        asking: &mut Asking,
        peer: &Peer,
        wanted: Wanted,
    ) -> Result<Option<Vec<u8>>, NotaryError> {
        let Wanted {
            epoch,
            again,
            reports,
        } = wanted;
        if asking.epoch != Some(epoch) {
            *asking = Asking {
                epoch: Some(epoch),
                reported: std::mem::take(&mut asking.reported),
                ..Asking::default()
            };
        }
        asking.asked = None;
        if reports && let Some((asked, question)) = self.next_report(asking) {
            asking.asked = Some(asked);
            return Ok(Some(question.encode()));
        }
        let of_epoch = |one: &&VerifiedCheckpoint| one.origin().epoch() == epoch;
        let Some(newest) = self.own.newest().filter(of_epoch).filter(|_| !asking.given_up) else {
            return Ok(None);
        };
        let Some(known) = asking.known else {
            let by_peer = |one: &&VerifiedCheckpoint| {
                let name = peer.name.to_string();
                one.note().signatures().iter().any(|line| line.name() == name)
            };
            let cosigned = self.own.cosigned().filter(of_epoch).filter(by_peer);
            let expected = cosigned.map(|one| *one.head());
            asking.asked = Some(Asked::Last(expected));
            return Ok(Some(Question::Last { epoch, expected }.encode()));
        };
        if known.size > newest.head().size || (known == *newest.head() && !again) {
            return Ok(None);
        }
        let Some(signature) = newest.signature() else {
            return Ok(None);
        };
        let proof = self.log().prove_consistency(known.size, newest.head().size)?;
        asking.asked = Some(Asked::Cosign(newest.alone()));
        let question = Question::Cosign {
            epoch,
            size: newest.head().size,
            root: newest.head().root,
            signature: signature.into(),
            from: known.size,
            proof,
            newest: self.foreign.time().map(|time| time.as_u64()),
        };
        Ok(Some(question.encode()))
    }

    fn next_report(&self, asking: &Asking) -> Option<(Asked, Question)> {
        self.conflicts().find_map(|evidence| {
            let number = conflict_number(evidence.conflict);
            let origin = evidence.earlier.unverified().origin().to_string();
            if asking.reported.contains(&(origin.clone(), number)) {
                return None;
            }
            let question = Question::Report {
                conflict: number,
                earlier: evidence.earlier.note().encode().into(),
                later: evidence.later.note().encode().into(),
            };
            Some((Asked::Report(origin, number), question))
        })
    }

    /// Takes in what the witness answered to the last question.
    pub(crate) fn answered(
        &mut self,
        asking: &mut Asking,
        peer: &Peer,
        answer: &[u8],
        keys: &KeyOf<'_>,
    ) -> Result<Gained, NotaryError> {
        let answer = match Answer::decode(answer) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(peer = %peer.name, %error, "an answer that can't be read");
                Answer::Declined(Declined::Malformed)
            }
        };
        match (asking.asked.take(), answer) {
            (Some(Asked::Report(origin, number)), _) => {
                // Told once in a session, whatever becomes of it.
                asking.reported.insert((origin, number));
                Ok(Gained::Nothing)
            }
            (Some(Asked::Last(Some(expected))), Answer::AsExpected) => {
                asking.known = Some(expected);
                Ok(Gained::Nothing)
            }
            (Some(Asked::Last(_)), Answer::Last(last)) => self.told_last(asking, last.as_deref()),
            (Some(Asked::Cosign(checkpoint)), Answer::Cosigned { cosignature, newest }) => {
                if !self.take_cosignature(asking, peer, &checkpoint, &cosignature)? {
                    asking.given_up = true;
                    return Ok(Gained::Nothing);
                }
                let newest = newest.and_then(|note| SignedCheckpoint::parse(&note).ok());
                let is_newer = newest.map_or(Ok(false), |newest| self.take_foreign(newest, keys))?;
                Ok(if is_newer {
                    Gained::Foreign
                } else {
                    Gained::Cosigned
                })
            }
            (Some(Asked::Cosign(_)), Answer::Stale { .. }) => {
                asking.known = None;
                asking.stale += 1;
                asking.given_up = asking.stale >= MAX_STALE;
                Ok(Gained::Nothing)
            }
            (Some(Asked::Cosign(checkpoint)), Answer::Inconsistent { conflict, earlier }) => {
                asking.given_up = true;
                self.accused(conflict, &earlier, checkpoint)
            }
            (Some(_), Answer::Declined(why)) => {
                tracing::info!(peer = %peer.name, ?why, "not witnessed by it at present");
                Ok(Gained::Declined)
            }
            (asked, answer) => {
                tracing::warn!(peer = %peer.name, ?asked, ?answer, "an answer to something else");
                asking.given_up = true;
                Ok(Gained::Nothing)
            }
        }
    }

    fn told_last(&self, asking: &mut Asking, last: Option<&Vec<u8>>) -> Result<Gained, NotaryError> {
        let Some(note) = last else {
            asking.known = Some(TreeHead::empty());
            return Ok(Gained::Nothing);
        };
        let last = SignedCheckpoint::parse(note).and_then(|note| note.verify(&self.public));
        let last = last
            .ok()
            .filter(|last| last.origin().node() == &self.name && Some(last.origin().epoch()) == asking.epoch);
        let Some(last) = last else {
            // Not signed by this node: it proves nothing against it.
            asking.given_up = true;
            return Ok(Gained::Nothing);
        };
        if self.contains(last.head())? {
            asking.known = Some(*last.head());
            return Ok(Gained::Nothing);
        }
        Ok(Gained::SetBack(Box::new(last)))
    }

    /// Keeps a cosignature, if it holds.
    fn take_cosignature(
        &mut self,
        asking: &mut Asking,
        peer: &Peer,
        checkpoint: &VerifiedCheckpoint,
        cosignature: &[u8; COSIGNATURE],
    ) -> Result<bool, NotaryError> {
        let line = line_of(&peer.name, &peer.key, cosignature);
        let mut with_line = checkpoint.clone();
        with_line.add(line.clone())?;
        let cosigned = with_line.cosigned(|name| (*name == peer.name).then_some(peer.key));
        let time = cosigned.ok().and_then(|one| Some(one.witnesses().first()?.time));
        let Some(time) = time else {
            tracing::warn!(peer = %peer.name, "a cosignature that does not hold");
            return Ok(false);
        };
        asking.known = Some(*checkpoint.head());
        asking.stale = 0;
        // An epoch that began meanwhile has put that checkpoint aside.
        let of_newest = |newest: &VerifiedCheckpoint| newest.origin() == checkpoint.origin();
        if self.own.newest().is_some_and(of_newest) {
            self.own.add(checkpoint, line, time)?;
        }
        Ok(true)
    }

    fn take_foreign(&mut self, newest: SignedCheckpoint, keys: &KeyOf<'_>) -> Result<bool, NotaryError> {
        let Some(key) = keys(newest.unverified().origin().node()) else {
            return Ok(false);
        };
        // Its own cosignature bounds nothing for this node, and would only take room.
        let others = |name: &_| (*name != self.name).then(|| keys(name)).flatten();
        match newest.verify(&key).and_then(|newest| newest.cosigned(others)) {
            Ok(cosigned) => self.foreign.offer(&cosigned, &self.name),
            Err(error) => {
                tracing::warn!(%error, "a foreign checkpoint that does not hold");
                Ok(false)
            }
        }
    }

    /// What a witness shows against this node, if this node did sign it.
    fn accused(
        &mut self,
        conflict: u8,
        earlier: &[u8],
        checkpoint: VerifiedCheckpoint,
    ) -> Result<Gained, NotaryError> {
        let earlier = SignedCheckpoint::parse(earlier).ok().filter(|earlier| {
            let signed = earlier.clone().verify(&self.public);
            signed.is_ok_and(|signed| signed.origin() == checkpoint.origin())
        });
        let (Some(conflict), Some(earlier)) = (conflict_of(conflict), earlier) else {
            return Ok(Gained::Nothing);
        };
        let evidence = Evidence {
            conflict,
            earlier,
            later: SignedCheckpoint::clone(checkpoint.as_signed()),
        };
        self.reports.keep(evidence.clone())?;
        Ok(Gained::Accused(Box::new(evidence)))
    }
}
