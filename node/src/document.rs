//! Documents: Automerge documents of one shape, behind a guard.
//!
//! A document is `{ "kind": text, "record": map of scalars, "events": map }`. The change that creates it puts
//! these three; every change adds exactly one event, whole and for good, and may set fields of the record.
//! What an event means, and whether it counts, is decided in the fold of its kind.
//!
//! The signed payloads are the truth, and all that is kept of a document ([`Document::reread`]); Automerge's
//! document is made when it is asked for ([`Document::merge`]).

mod causal;
mod column;
mod compose;
pub mod content;
mod extract;
mod guard;
mod ids;
mod merge;
pub mod order;
mod refusal;
mod reread;
#[cfg(test)]
mod tests;
mod wire;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use automerge::{ActorId, ChangeHash};
use serde_json::Value;

use self::causal::Causal;
use self::compose::{Base, Position, compose};
use self::content::ContentError;
pub use self::guard::Expected;
use self::guard::{Judged, Judgement};
pub use self::ids::{actor, document_id, event_key};
pub use self::merge::MergeError;
use self::merge::Merged;
use self::order::OrderKey;
pub use self::refusal::Refusal;
pub use self::reread::RereadError;
pub use self::wire::{MAX_DEPS, MAX_OPS, MAX_PREDECESSORS, change_hash, is_written_by};
use crate::kind::Content;

/// A document: its applied changes, and Automerge's merge of them once it was asked for.
#[derive(Clone, Debug)]
pub struct Document {
    causal: Causal,
    entries: Vec<Arc<Extracted>>,
    /// The changes of `entries`, as signed.
    changes: Vec<Arc<[u8]>>,
    merged: Option<Merged>,
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
    pub content: Arc<Content>,
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
            start_op: 1,
            deps: &[],
            base: Base::New(kind),
            replaced: &[],
        };
        let payload = write::sealed(&compose(&position, content));
        let (document, extracted) = Self::begin(guard::judge_first(&payload, actor)?, (*payload).into());
        Ok((document, payload, extracted))
    }

    /// The document that `payload` creates.
    pub fn open(payload: &[u8], expected: &Expected<'_>) -> Result<(Self, Arc<Extracted>), Refusal> {
        Ok(Self::begin(
            guard::judge_creation(payload, expected)?,
            payload.into(),
        ))
    }

    fn begin(judged: Judged, payload: Arc<[u8]>) -> (Self, Arc<Extracted>) {
        let mut document = Self {
            causal: Causal::default(),
            entries: Vec::new(),
            changes: Vec::new(),
            merged: None,
        };
        let extracted = document.enter(judged, payload);
        (document, extracted)
    }

    /// The payload to sign for `actor`'s next change, on top of all there is. The document stays as it is:
    /// the change enters by [`Self::admit`], like everybody else's, once the update is safely stored.
    pub fn change(&self, actor: &ActorId, content: &Content) -> Result<Vec<u8>, ChangeError> {
        content::check(content)?;
        let Some(creator) = self.causal.creator() else {
            return Err(Refusal::NotACreation.into());
        };
        let own = self.causal.last_of(actor);
        let deps = self.causal.heads_for(actor, MAX_DEPS);
        let past = self.causal.past(&deps);
        let fields = content.record.keys();
        let replaced: Vec<_> = fields.map(|field| self.causal.current(&past, field)).collect();
        let position = Position {
            actor,
            seq: own.map_or(1, |(_, seq)| seq + 1),
            start_op: self.causal.max_op(&deps).saturating_add(1),
            deps: &deps,
            base: Base::Of(creator),
            replaced: &replaced,
        };
        let payload = write::sealed(&compose(&position, content));
        // Judged as by everybody else, so that nothing is signed that others would refuse.
        match guard::judge(&self.causal, &payload, actor, own.map(|(hash, _)| hash))? {
            Judgement::Fits(_) => Ok(payload),
            Judgement::Waits(_) => Err(Refusal::NotACreation.into()),
        }
    }

    /// Takes `payload` in, if its causal past is here and it breaks no rule. The updates of one log must be
    /// handed in in the log's order. On anything but [`Admission::Applied`] the document is as before.
    pub fn admit(&mut self, payload: &[u8], expected: &Expected<'_>) -> Result<Admission, Refusal> {
        let actor = actor(expected.author, expected.epoch);
        match guard::judge(&self.causal, payload, &actor, expected.own_last)? {
            Judgement::Waits(missing) => Ok(Admission::Waiting { missing }),
            Judgement::Fits(judged) => Ok(Admission::Applied(self.enter(*judged, payload.into()))),
        }
    }

    fn enter(&mut self, judged: Judged, payload: Arc<[u8]>) -> Arc<Extracted> {
        self.causal.insert(&judged.extracted, &judged.replaced);
        self.changes.push(payload);
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

    /// The changes of [`Self::entries`], as signed.
    pub fn changes(&self) -> &[Arc<[u8]>] {
        &self.changes
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
    /// are left out. The same as Automerge's, which [`Self::merge`] checks.
    pub fn record(&self) -> BTreeMap<String, Value> {
        self.causal
            .merged()
            .filter_map(|(field, by)| {
                let value = self.entries.get(by)?.content.record.get(field)?;
                (!value.is_null()).then(|| (field.to_owned(), value.clone()))
            })
            .collect()
    }
}
