//! What an auditor's node has seen over the years: of each log that it witnesses, the first checkpoint that it
//! cosigned on each day, as a note of its own that nothing replaces.
//!
//! `seen/<unit>/<node>/<epoch>/<day>.note`, the parts of the log's name as `docs/formats.md` gives them. Only
//! what continues all that was seen before is cosigned, so nothing inconsistent comes here. Each file is one
//! that `anjuan audit verify --since` takes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anjuan_sync::Timestamp;

use super::{NotaryError, failed};
use crate::calendar::local_date;
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::files::{Files, write_atomically};

/// The folder.
#[derive(Debug)]
pub(super) struct Archive {
    files: Arc<dyn Files>,
    dir: PathBuf,
}

impl Archive {
    pub(super) fn new(files: Arc<dyn Files>, dir: PathBuf) -> Self {
        Self { files, dir }
    }

    /// Keeps a checkpoint that was cosigned at `now`, unless there is one of that day; durable on return.
    pub(super) fn keep(&self, checkpoint: &SignedCheckpoint, now: Timestamp) -> Result<(), NotaryError> {
        let name = checkpoint.unverified().origin().to_string();
        // anjuan/<network>/<unit>/<node>/<epoch>
        let mut dir = self.dir.clone();
        self.files.create_dir(&dir).map_err(failed("make", &dir))?;
        for folder in name.split('/').skip(2) {
            dir.push(folder);
            self.files.create_dir(&dir).map_err(failed("make", &dir))?;
        }
        let path = dir.join(format!("{}.note", local_date(now)));
        match self.files.open(&path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.write(&path, checkpoint),
            Err(error) => Err(failed("open", &path)(error)),
        }
    }

    fn write(&self, path: &Path, checkpoint: &SignedCheckpoint) -> Result<(), NotaryError> {
        write_atomically(&*self.files, path, &checkpoint.note().encode()).map_err(failed("write", path))?;
        // The folders above may be new.
        for dir in path.ancestors().skip(1).take(5) {
            self.files.sync_dir(dir).map_err(failed("sync", dir))?;
        }
        Ok(())
    }
}
