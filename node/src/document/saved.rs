//! Documents as cached: Automerge's own file, behind a digest.

use std::panic::catch_unwind;

use anjuan_sync::hash::Domain;
use automerge::{ActorId, Automerge};

use super::causal::Causal;
use super::{Document, guard};

const DOMAIN: Domain = Domain::new("anjuan/saved-document/1");
const MAGIC: &[u8; 4] = b"AJDC";
const VERSION: u8 = 1;
const DIGEST: usize = 32;

/// A cache that does not hold a document. Build it again from its updates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not what [`Document::save`] writes.
    #[error("not a saved document")]
    NotASavedDocument,
    /// Written by a newer program.
    #[error("saved document of format {0}; this program reads format {VERSION}")]
    Version(u8),
    /// Bytes changed since it was written.
    #[error("the saved document is damaged")]
    Damaged,
    /// Whole, and yet no document.
    #[error("the saved document cannot be read: {0}")]
    Unreadable(String),
}

impl Document {
    /// Writes it for [`Document::load`]. Depends on the order in which its changes were applied.
    pub fn save(&self) -> Vec<u8> {
        let body = self.automerge.save();
        let mut saved = Vec::with_capacity(MAGIC.len() + 1 + DIGEST + body.len());
        saved.extend_from_slice(MAGIC);
        saved.push(VERSION);
        saved.extend_from_slice(DOMAIN.hash(&[&body]).as_bytes());
        saved.extend_from_slice(&body);
        saved
    }

    /// Reads what [`Document::save`] wrote. The digest keeps damaged bytes away from Automerge, which
    /// panics on some; it proves nothing against whoever can write to the cache.
    pub fn load(saved: &[u8]) -> Result<Self, LoadError> {
        let rest = saved.strip_prefix(MAGIC).ok_or(LoadError::NotASavedDocument)?;
        let (version, rest) = rest.split_first().ok_or(LoadError::NotASavedDocument)?;
        if *version != VERSION {
            return Err(LoadError::Version(*version));
        }
        let (digest, body) = rest.split_at_checked(DIGEST).ok_or(LoadError::Damaged)?;
        if DOMAIN.hash(&[body]).as_bytes() != digest {
            return Err(LoadError::Damaged);
        }
        let automerge = catch_unwind(|| Automerge::load(body))
            .map_err(|_| LoadError::Unreadable("a panic".into()))?
            .map_err(|error| LoadError::Unreadable(error.to_string()))?;
        let mut document = Self {
            automerge,
            causal: Causal::default(),
            entries: Vec::new(),
        };
        for change in document.automerge.get_changes(&[]) {
            let creator: Option<ActorId> = document.causal.creator().cloned();
            let judged = guard::reread(change.raw_bytes(), change.actor_id(), creator.as_ref())
                .map_err(|refusal| LoadError::Unreadable(refusal.to_string()))?;
            document.enter(judged);
        }
        if document.entries.is_empty() || document.causal.heads().ne(document.automerge.get_heads()) {
            return Err(LoadError::Unreadable("its history is not whole".into()));
        }
        Ok(document)
    }
}

impl PartialEq for Document {
    /// The same changes, whatever the order in which they were applied.
    fn eq(&self, other: &Self) -> bool {
        // A head names all that came before it.
        self.entries.len() == other.entries.len() && self.causal.heads().eq(other.causal.heads())
    }
}

impl Eq for Document {}
