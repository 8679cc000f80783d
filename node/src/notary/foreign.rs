//! The newest checkpoint of another node that third ones cosigned: what headers name, so that everybody
//! sees that they are not older.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anjuan_sync::update::MAX_BRACKET;

use super::{NotaryError, failed, read};
use crate::evidence::checkpoint::{CosignedCheckpoint, SignedCheckpoint};
use crate::evidence::cosignature::Seconds;
use crate::evidence::name::NodeName;
use crate::files::{Files, write_atomically};

/// One is taken for newer than the last if its cosignature is so many seconds later.
const STEP: u64 = 60;

/// What headers name.
#[derive(Debug)]
pub(super) struct Foreign {
    files: Arc<dyn Files>,
    path: PathBuf,
    note: Option<Vec<u8>>,
    /// When it was cosigned; unknown after a start.
    time: Option<Seconds>,
}

impl Foreign {
    pub(super) fn open(files: Arc<dyn Files>, path: &Path) -> Result<Self, NotaryError> {
        let note = read(&*files, path, MAX_BRACKET)?;
        let note = note.filter(|note| note.len() <= MAX_BRACKET && SignedCheckpoint::parse(note).is_ok());
        Ok(Self {
            files,
            path: path.to_owned(),
            note,
            time: None,
        })
    }

    pub(super) fn note(&self) -> Option<&[u8]> {
        self.note.as_deref()
    }

    pub(super) fn time(&self) -> Option<Seconds> {
        self.time
    }

    /// Takes a checkpoint of another node, if it says more than the one so far. `own` is this node's name;
    /// its own cosignature counts for nobody.
    pub(super) fn offer(
        &mut self,
        checkpoint: &CosignedCheckpoint,
        own: &NodeName,
    ) -> Result<bool, NotaryError> {
        let Some(time) = time_for(checkpoint, own) else {
            return Ok(false);
        };
        let is_newer = |last: Seconds| time.as_u64() >= last.as_u64().saturating_add(STEP);
        if !self.time.is_none_or(is_newer) {
            return Ok(false);
        }
        let Some(note) = checkpoint.shortened(MAX_BRACKET) else {
            return Ok(false);
        };
        write_atomically(&*self.files, &self.path, &note).map_err(failed("write", &self.path))?;
        self.note = Some(note);
        self.time = Some(time);
        Ok(true)
    }
}

/// When a third node cosigned it last: neither the one whose log it is nor the one that would name it.
pub(super) fn time_for(checkpoint: &CosignedCheckpoint, own: &NodeName) -> Option<Seconds> {
    let node = checkpoint.checkpoint().origin().node();
    if node == own {
        return None;
    }
    let third = checkpoint
        .witnesses_without(own)
        .filter(|witness| witness.name != *node);
    third.map(|witness| witness.time).max()
}
