//! Documents put together again from the changes that are applied, as the journal has them.
//!
//! There is no other form of a document on the disk: the signed changes are the truth. The copies that the
//! case store once kept were the better part of it.

use std::collections::VecDeque;
use std::sync::Arc;

use automerge::ActorId;

use super::causal::Causal;
use super::{Document, guard, wire};

/// Why changes that were applied once are not put together again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RereadError {
    /// One of them can't be read.
    #[error("a change that was applied cannot be read: {0}")]
    Unreadable(String),
    /// Something that they build on is not among them.
    #[error("the history of the changes that were applied is not whole")]
    NotWhole,
}

impl Document {
    /// The document of these changes, in whatever order. Each was judged when it was applied; that they can
    /// be read, and that their history is whole, is all that is looked at here.
    pub fn reread(changes: impl IntoIterator<Item = Arc<[u8]>>) -> Result<Self, RereadError> {
        let mut document = Self {
            causal: Causal::default(),
            entries: Vec::new(),
            changes: Vec::new(),
            merged: None,
        };
        // Mostly they come in an order in which each finds what it builds on.
        let mut waiting: VecDeque<_> = changes.into_iter().collect();
        let mut passed_over = 0;
        while let Some(change) = waiting.pop_front() {
            match document.reenter(change)? {
                None => passed_over = 0,
                Some(change) => {
                    waiting.push_back(change);
                    passed_over += 1;
                }
            }
            if passed_over > waiting.len() {
                return Err(RereadError::NotWhole);
            }
        }
        if document.entries.is_empty() {
            return Err(RereadError::NotWhole);
        }
        Ok(document)
    }

    /// Takes a change back in; gives back one that builds on what is not here yet.
    fn reenter(&mut self, change: Arc<[u8]>) -> Result<Option<Arc<[u8]>>, RereadError> {
        let unreadable = |what: String| RereadError::Unreadable(what);
        let actor = wire::author(&change).ok_or_else(|| unreadable("it names no author".into()))?;
        let actor = ActorId::from(actor);
        if self.entries.is_empty() && !wire::is_creation(&change) {
            return Ok(Some(change));
        }
        let judged = guard::reread(&change, &actor, self.causal.creator())
            .map_err(|refusal| unreadable(refusal.to_string()))?;
        let deps = &judged.extracted.deps;
        if deps.is_empty() != self.entries.is_empty() {
            return Err(RereadError::NotWhole);
        }
        if !deps.iter().all(|dep| self.contains(dep)) {
            return Ok(Some(change));
        }
        self.enter(judged, change);
        Ok(None)
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        // A head names all that came before it.
        self.entries.len() == other.entries.len() && self.causal.heads().eq(other.causal.heads())
    }
}

impl Eq for Document {}
