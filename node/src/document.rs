//! Documents: Automerge documents of one shape, behind a guard.
//!
//! A document is `{ "kind": text, "record": map of scalars, "events": map }`. The change that creates it puts
//! these three; every change adds exactly one event, whole and for good, and may set fields of the record.
//! What an event means, and whether it counts, is decided in the fold of its kind.
//!
//! The signed payloads are the truth; what [`Document::save`] writes is a cache.

mod causal;
mod column;
mod compose;
pub mod content;
mod extract;
mod guard;
mod ids;
pub mod order;
mod refusal;
mod saved;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use automerge::{ActorId, Automerge, Change, ChangeHash, ROOT, ReadDoc, ScalarValue};
use serde_json::Value;

use self::causal::Causal;
use self::compose::{Base, Position, compose};
use self::content::ContentError;
pub use self::guard::Expected;
use self::guard::{Judged, Judgement};
pub use self::ids::{actor, document_id, event_key};
use self::order::OrderKey;
pub use self::refusal::Refusal;
pub use self::saved::LoadError;
pub use self::wire::{MAX_DEPS, MAX_OPS, MAX_PREDECESSORS, change_hash, is_written_by};
use crate::kind::Content;

/// A document: its applied changes, and Automerge's merge of them.
#[derive(Clone, Debug)]
pub struct Document {
    automerge: Automerge,
    causal: Causal,
    entries: Vec<Arc<Extracted>>,
}

/// What an applied change is and says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// Automerge's hash of it.
    pub hash: ChangeHash,
    /// The changes it was made on top of, in ascending order; none for the one that created the document.
    pub deps: Vec<ChangeHash>,
    /// Counter of its first operation.
    pub start_op: u64,
    /// Counter of its last operation.
    pub max_op: u64,
    /// Who wrote it.
    pub actor: ActorId,
    /// The how many-th of its actor in this document, from 1.
    pub seq: u64,
    /// Of the creating change: the document's kind.
    pub kind: Option<String>,
    /// Its event, and what it sets in the record.
    pub content: Content,
}

impl Extracted {
    /// Where it stands in the canonical order.
    pub fn order_key(&self) -> OrderKey {
        OrderKey {
            counter: self.start_op,
            actor: self.actor.clone(),
        }
    }
}

/// What became of a change that breaks no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is part of the document now.
    Applied(Arc<Extracted>),
    /// Its causal past is not all here. The document is as before; admit it again later.
    Waiting {
        /// The changes that it names and the document lacks, in ascending order.
        missing: Vec<ChangeHash>,
    },
}

/// A change that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// What it would say is out of bounds.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// It would break a rule of the guard: too long as a whole, or on a document at its limits.
    #[error("the change cannot be made: {0}")]
    Refused(#[from] Refusal),
}

impl Document {
    /// Makes a document of `kind` with its first event. Also returns the payload to sign, whose hash the
    /// document's id follows from (see [`document_id`]). Nothing in it depends on clock or chance.
    pub fn create(
        kind: &str,
        actor: &ActorId,
        content: &Content,
    ) -> Result<(Self, Vec<u8>, Arc<Extracted>), ChangeError> {
        content::check(content)?;
        let position = Position {
            actor,
            seq: 1,
            start_op: NonZeroU64::MIN,
            deps: Vec::new(),
            base: Base::New(kind),
        };
        let payload = compose(&position, content, |_| Vec::new()).raw_bytes().to_vec();
        let (document, extracted) = Self::begin(guard::judge_first(&payload, actor)?)?;
        Ok((document, payload, extracted))
    }

    /// The document that `payload` creates.
    pub fn open(payload: &[u8], expected: &Expected<'_>) -> Result<(Self, Arc<Extracted>), Refusal> {
        Self::begin(guard::judge_creation(payload, expected)?)
    }

    fn begin((change, judged): (Change, Judged)) -> Result<(Self, Arc<Extracted>), Refusal> {
        let mut document = Self {
            automerge: apply(&Automerge::new(), vec![change])?,
            causal: Causal::default(),
            entries: Vec::new(),
        };
        let extracted = document.enter(judged);
        Ok((document, extracted))
    }

    /// Makes `actor`'s next change, on top of all there is: the document with it, and the payload to sign.
    /// The document itself stays as it is until the update is safely stored.
    pub fn change(
        &self,
        actor: &ActorId,
        content: &Content,
    ) -> Result<(Self, Vec<u8>, Arc<Extracted>), ChangeError> {
        content::check(content)?;
        let Some(creator) = self.causal.creator() else {
            return Err(Refusal::NotACreation.into());
        };
        let own = self.causal.last_of(actor);
        let deps = self.causal.heads_for(actor, MAX_DEPS);
        let past = self.causal.past(&deps);
        let start_op = self.causal.max_op(&deps).saturating_add(1);
        let position = Position {
            actor,
            seq: own.map_or(1, |(_, seq)| seq + 1),
            start_op: NonZeroU64::new(start_op).unwrap_or(NonZeroU64::MAX),
            deps,
            base: Base::Of(creator),
        };
        let change = compose(&position, content, |field| self.causal.current(&past, field));
        let payload = change.raw_bytes().to_vec();
        let mut next = self.clone();
        // By the same door as everybody else's, so that nothing is signed that others would refuse.
        match next.admit_as(&payload, actor, own.map(|(hash, _)| hash))? {
            Admission::Applied(extracted) => Ok((next, payload, extracted)),
            Admission::Waiting { .. } => Err(Refusal::NotACreation.into()),
        }
    }

    /// Takes `payload` in, if its causal past is here and it breaks no rule. The updates of one log must be
    /// handed in in the log's order. On anything but [`Admission::Applied`] the document is as before.
    pub fn admit(&mut self, payload: &[u8], expected: &Expected<'_>) -> Result<Admission, Refusal> {
        let actor = actor(expected.author, expected.epoch);
        self.admit_as(payload, &actor, expected.own_last)
    }

    fn admit_as(
        &mut self,
        payload: &[u8],
        actor: &ActorId,
        own_last: Option<ChangeHash>,
    ) -> Result<Admission, Refusal> {
        match guard::judge(&self.causal, payload, actor, own_last)? {
            Judgement::Waits(missing) => Ok(Admission::Waiting { missing }),
            Judgement::Fits(change, judged) => {
                self.automerge = apply(&self.automerge, vec![*change])?;
                Ok(Admission::Applied(self.enter(judged)))
            }
        }
    }

    /// Takes many in, in the order given, with one result each: the same as [`Self::admit`] one by one, at a
    /// fraction of the cost.
    pub fn admit_all(&mut self, updates: &[(&[u8], Expected<'_>)]) -> Vec<Result<Admission, Refusal>> {
        let mut next = self.clone();
        let mut changes = Vec::new();
        let results = updates
            .iter()
            .map(|(payload, expected)| {
                let actor = actor(expected.author, expected.epoch);
                match guard::judge(&next.causal, payload, &actor, expected.own_last)? {
                    Judgement::Waits(missing) => Ok(Admission::Waiting { missing }),
                    Judgement::Fits(change, judged) => {
                        changes.push(*change);
                        Ok(Admission::Applied(next.enter(judged)))
                    }
                }
            })
            .collect();
        match apply(&next.automerge, changes) {
            Ok(automerge) => {
                next.automerge = automerge;
                *self = next;
                results
            }
            // One by one, so that the blame falls on the right one.
            Err(_) => updates
                .iter()
                .map(|(payload, expected)| self.admit(payload, expected))
                .collect(),
        }
    }

    fn enter(&mut self, judged: Judged) -> Arc<Extracted> {
        self.causal.insert(&judged.extracted, judged.record);
        let extracted = Arc::new(judged.extracted);
        self.entries.push(Arc::clone(&extracted));
        extracted
    }

    /// The name of its kind; this program may not know it.
    pub fn kind(&self) -> &str {
        self.entries
            .first()
            .and_then(|first| first.kind.as_deref())
            .unwrap_or_default()
    }

    /// Its applied changes, in the order in which they were applied here.
    pub fn entries(&self) -> &[Arc<Extracted>] {
        &self.entries
    }

    /// The changes that no other builds on, in ascending order.
    pub fn heads(&self) -> Vec<ChangeHash> {
        self.causal.heads().collect()
    }

    /// Is this change applied?
    pub fn contains(&self, hash: &ChangeHash) -> bool {
        self.causal.contains(hash)
    }

    /// The last applied change of `actor`.
    pub fn last_of(&self, actor: &ActorId) -> Option<ChangeHash> {
        self.causal.last_of(actor).map(|(hash, _)| hash)
    }

    /// The record as merged: of concurrent values, the one with the highest operation id. Cleared fields
    /// are left out.
    pub fn record(&self) -> BTreeMap<String, Value> {
        let Ok(Some((_, record))) = self.automerge.get(ROOT, "record") else {
            return BTreeMap::new();
        };
        self.automerge
            .keys(&record)
            .filter_map(|field| {
                let (value, _) = self.automerge.get(&record, field.as_str()).ok()??;
                let value = match value.as_scalar()? {
                    ScalarValue::Str(text) => Value::from(text.as_str()),
                    ScalarValue::Int(number) => Value::from(*number),
                    ScalarValue::Boolean(value) => Value::from(*value),
                    _ => return None,
                };
                Some((field, value))
            })
            .collect()
    }

    /// Automerge's document.
    pub fn automerge(&self) -> &Automerge {
        &self.automerge
    }
}

/// Applies changes that passed the guard to a copy. The catching is for faults in Automerge itself: bytes from
/// outside never reach it, so a panic here is worth the message that the panic hook writes.
fn apply(automerge: &Automerge, changes: Vec<Change>) -> Result<Automerge, Refusal> {
    let hashes: Vec<_> = changes.iter().map(Change::hash).collect();
    let applied = catch_unwind(AssertUnwindSafe(|| {
        let mut next = automerge.clone();
        next.apply_changes(changes).map(|()| next)
    }));
    match applied {
        Ok(Ok(next)) if hashes.last().is_none_or(|last| next.get_heads().contains(last)) => Ok(next),
        Ok(Ok(_)) => Err(Refusal::Automerge("the change was not applied".into())),
        Ok(Err(error)) => Err(Refusal::Automerge(error.to_string())),
        Err(_) => Err(Refusal::Automerge("a panic".into())),
    }
}
