//! Documents as cached: an Automerge file, behind a digest.
//!
//! Automerge has two forms of file: the compact one, a chunk that holds all operations of a document, and
//! the one that grows, a chunk for each change. Both hold the same document. Format 2 is of the growing
//! form, with the changes as signed: the fold needs each change on its own, and to get one out of the
//! compact form Automerge has to load it and to compose every change anew. Format 1 was of the compact
//! form; it is still read.

use std::panic::catch_unwind;

use anjuan_sync::hash::{Digest, Domain};
use automerge::{ActorId, Automerge};

use super::causal::Causal;
use super::{Document, guard, wire};

const DOMAIN: Domain = Domain::new("anjuan/saved-document/2");
const DOMAIN_1: Domain = Domain::new("anjuan/saved-document/1");
const MAGIC: &[u8; 4] = b"AJDC";
const VERSION: u8 = 2;
const DIGEST: usize = 32;

/// A cache that does not hold a document. Build it again from its updates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not what [`Document::save`] writes.
    #[error("not a saved document")]
    NotASavedDocument,
    /// Written by a newer program.
    #[error("saved document of format {0}; this program reads formats up to {VERSION}")]
    Version(u8),
    /// Bytes changed since it was written.
    #[error("the saved document is damaged")]
    Damaged,
    /// Whole, and yet no document.
    #[error("the saved document cannot be read: {0}")]
    Unreadable(String),
}

/// Changes one behind the other, as they were signed: an Automerge file.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Chunks {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .filter_map(|(start, end)| self.bytes.get(start..*end))
    }
}

impl Document {
    /// Writes it for [`Document::load`]. Depends on the order in which its changes were applied.
    pub fn save(&self) -> Vec<u8> {
        let body = &self.chunks.bytes;
        let mut saved = Vec::with_capacity(MAGIC.len() + 1 + DIGEST + body.len());
        saved.extend_from_slice(MAGIC);
        saved.push(VERSION);
        saved.extend_from_slice(DOMAIN.hash(&[body]).as_bytes());
        saved.extend_from_slice(body);
        saved
    }

    /// Reads what [`Document::save`] wrote. The digest keeps damaged bytes away; it proves nothing against
    /// whoever can write to the cache.
    pub fn load(saved: &[u8]) -> Result<Self, LoadError> {
        let rest = saved.strip_prefix(MAGIC).ok_or(LoadError::NotASavedDocument)?;
        let (version, rest) = rest.split_first().ok_or(LoadError::NotASavedDocument)?;
        let domain = match version {
            1 => DOMAIN_1,
            &VERSION => DOMAIN,
            newer => return Err(LoadError::Version(*newer)),
        };
        let (digest, body) = rest.split_first_chunk::<DIGEST>().ok_or(LoadError::Damaged)?;
        if domain.hash(&[body]) != Digest::from_bytes(*digest) {
            return Err(LoadError::Damaged);
        }
        let mut document = Self {
            causal: Causal::default(),
            entries: Vec::new(),
            chunks: Chunks::default(),
            merged: None,
        };
        if *version == 1 {
            let automerge = catch_unwind(|| Automerge::load(body))
                .map_err(|_| LoadError::Unreadable("a panic".into()))?
                .map_err(|error| LoadError::Unreadable(error.to_string()))?;
            for change in automerge.get_changes(&[]) {
                document.reenter(change.raw_bytes())?;
            }
        } else {
            document.chunks.bytes.reserve_exact(body.len());
            let mut rest = body;
            while !rest.is_empty() {
                let (chunk, others) = wire::split_chunk(rest)
                    .ok_or_else(|| LoadError::Unreadable("a change is cut short".into()))?;
                document.reenter(chunk)?;
                rest = others;
            }
        }
        if document.entries.is_empty() {
            return Err(LoadError::Unreadable("it has no changes".into()));
        }
        Ok(document)
    }

    /// Takes a change in that was judged before it was saved.
    fn reenter(&mut self, chunk: &[u8]) -> Result<(), LoadError> {
        let unreadable = |what: String| LoadError::Unreadable(what);
        let actor = wire::author(chunk).ok_or_else(|| unreadable("a change names no author".into()))?;
        let judged = guard::reread(chunk, &ActorId::from(actor), self.causal.creator())
            .map_err(|refusal| unreadable(refusal.to_string()))?;
        let deps = &judged.extracted.deps;
        if deps.is_empty() != self.entries.is_empty() || !deps.iter().all(|dep| self.contains(dep)) {
            return Err(unreadable("its history is not whole".into()));
        }
        self.enter(judged, chunk);
        Ok(())
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
