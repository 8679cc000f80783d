//! What a witness keeps: a file for each log, and one for each kind of conflict of each log.
//!
//! The files are named by the SHA-256 of the origin: `<hash>.note` holds the last checkpoint cosigned, as
//! a note with the node's signature and this witness's; `<hash>.two-roots` and the like hold two such
//! notes, one after the other, the first of that kind that was seen. They are plain C2SP notes, which say
//! themselves what they are; `format` holds the version of the folder.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anjuan_sync::hash::sha256;

use super::{Conflict, Evidence, MAX_LOGS, MAX_LOGS_OF_NODE};
use crate::evidence::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use crate::evidence::cosignature::{self, Seconds};
use crate::evidence::merkle::TreeHead;
use crate::evidence::name::{NodeName, Origin};
use crate::evidence::note::{MAX_NOTE, NoteError, SignatureLine};
use crate::files::{Files, TEMPORARY, read_file, write_atomically};

const FORMAT: &str = "anjuan witness 1\n";
const NOTE: &str = "note";
/// Stands between the two notes of a conflict; no note has such a line.
const BETWEEN: &str = "\n\n";

/// Why a witness can't cosign.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// A file can't be read or written.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The folder was written by a newer program, or is no witness's.
    #[error("{path} is not in a format this program knows")]
    Format {
        /// The file that tells.
        path: PathBuf,
    },
    /// What was cosigned last can't be read any more; the log is not cosigned until it is put back.
    #[error("{path} is damaged: what was cosigned last of {origin} is not known, so nothing more of it is")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The log.
        origin: Origin,
    },
    /// The clock gives no time to vouch for.
    #[error("the clock is not set: {0} ms since 1970 is not within the years 2000 and 2200")]
    Clock(i64),
    /// The witness is to sign as another node.
    #[error("{0:?} is not the name of the key that is to cosign")]
    Key(NodeName),
    /// The note has no room for another signature.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// A checkpoint that was cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept(SignedCheckpoint);

impl Kept {
    /// The checkpoint, with the node's signature and the witness's.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.0
    }

    /// When it was cosigned last, by this witness's clock.
    pub fn time(&self) -> Option<Seconds> {
        let lines = self.0.note().signatures().iter();
        lines.filter_map(cosignature::time_of).max()
    }

    /// Its size and root. This witness verified the note before it kept it.
    pub fn head(&self) -> &TreeHead {
        self.0.unverified().head()
    }
}

/// The logs that a node witnesses. One process at a time: the caller holds the home's lock.
#[derive(Debug)]
pub struct Witness {
    files: Arc<dyn Files>,
    dir: PathBuf,
    logs: BTreeMap<Origin, Kept>,
    /// Names of the files that hold no checkpoint, or another one than they are named for.
    damaged: Vec<String>,
}

impl Witness {
    /// Opens the witness's folder, or makes it. Reads all of it: at most [`MAX_LOGS`] small files.
    pub fn open(files: Arc<dyn Files>, dir: &Path) -> Result<Self, WitnessError> {
        files.create_dir(dir).map_err(failed("make", dir))?;
        let format = dir.join("format");
        match files.open(&format) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_atomically(&*files, &format, FORMAT.as_bytes()).map_err(failed("write", &format))?;
                if let Some(parent) = dir.parent() {
                    files.sync_dir(parent).map_err(failed("sync", parent))?;
                }
            }
            opened => {
                let file = opened.map_err(failed("open", &format))?;
                if read_file(&*file).map_err(failed("read", &format))? != FORMAT.as_bytes() {
                    return Err(WitnessError::Format { path: format });
                }
            }
        }
        let mut witness = Self {
            files,
            dir: dir.to_owned(),
            logs: BTreeMap::new(),
            damaged: Vec::new(),
        };
        for name in witness.files.list(dir).map_err(failed("list", dir))? {
            if name.ends_with(TEMPORARY) || !name.ends_with(&format!(".{NOTE}")) {
                continue;
            }
            let bytes = witness.read(&dir.join(&name), MAX_NOTE)?;
            match bytes.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok()) {
                Some(checkpoint) if file_name(checkpoint.unverified().origin(), NOTE) == name => {
                    let origin = checkpoint.unverified().origin().clone();
                    witness.logs.insert(origin, Kept(checkpoint));
                }
                _ => witness.damaged.push(name),
            }
        }
        Ok(witness)
    }

    /// What was cosigned last of a log.
    pub fn last(&self, origin: &Origin) -> Result<Option<&Kept>, WitnessError> {
        let name = file_name(origin, NOTE);
        if self.damaged.contains(&name) {
            return Err(WitnessError::Damaged {
                path: self.dir.join(name),
                origin: origin.clone(),
            });
        }
        Ok(self.logs.get(origin))
    }

    /// All logs, in the order of their names, with what was cosigned last.
    pub fn logs(&self) -> impl Iterator<Item = (&Origin, &Kept)> {
        self.logs.iter()
    }

    /// Files of logs that can't be read any more.
    pub fn damaged(&self) -> impl Iterator<Item = PathBuf> {
        self.damaged.iter().map(|name| self.dir.join(name))
    }

    /// The first conflict of this kind that was seen of a log.
    pub fn evidence(&self, origin: &Origin, conflict: Conflict) -> Result<Option<Evidence>, WitnessError> {
        let path = self.dir.join(file_name(origin, suffix(conflict)));
        let Some(bytes) = self.read(&path, 2 * MAX_NOTE + BETWEEN.len())? else {
            return Ok(None);
        };
        let damaged = || WitnessError::Damaged {
            path: path.clone(),
            origin: origin.clone(),
        };
        let text = String::from_utf8(bytes).map_err(|_| damaged())?;
        // A note has one empty line, so the second one lies between two notes.
        let second = text.match_indices(BETWEEN).nth(1).ok_or_else(damaged)?.0;
        let (earlier, later) = (&text[..=second], &text[second + BETWEEN.len()..]);
        let parse = |note: &str| SignedCheckpoint::parse(note.as_bytes()).map_err(|_| damaged());
        Ok(Some(Evidence {
            conflict,
            earlier: parse(earlier)?,
            later: parse(later)?,
        }))
    }

    pub(super) fn is_full_for(&self, node: &NodeName) -> bool {
        let of_node = self.logs.keys().filter(|origin| origin.node() == node).count();
        self.logs.len() + self.damaged.len() >= MAX_LOGS || of_node >= MAX_LOGS_OF_NODE
    }

    /// Keeps a checkpoint with this witness's cosignature. On return it is durable.
    pub(super) fn keep(
        &mut self,
        checkpoint: &VerifiedCheckpoint,
        line: &SignatureLine,
    ) -> Result<(), WitnessError> {
        // Without what others signed: nobody else is to fill this disk, or spoil the file.
        let mut kept = checkpoint.alone();
        kept.add(line.clone())?;
        let origin = checkpoint.origin();
        let path = self.dir.join(file_name(origin, NOTE));
        write_atomically(&*self.files, &path, &kept.note().encode()).map_err(failed("write", &path))?;
        self.logs.insert(origin.clone(), Kept(kept.as_signed().clone()));
        Ok(())
    }

    /// Keeps two notes that don't go together, unless two of that kind are kept already.
    pub(super) fn keep_evidence(&self, evidence: &Evidence) -> Result<(), WitnessError> {
        let origin = evidence.earlier.unverified().origin();
        let path = self.dir.join(file_name(origin, suffix(evidence.conflict)));
        if self.read(&path, 0)?.is_some() {
            return Ok(());
        }
        let (earlier, later) = (evidence.earlier.note(), evidence.later.note());
        // Each note ends in a line feed, so that one more makes an empty line.
        let text = format!("{earlier}\n{later}");
        write_atomically(&*self.files, &path, text.as_bytes()).map_err(failed("write", &path))
    }

    /// A file's bytes, at most one more than `max`; `None` if there is none.
    fn read(&self, path: &Path, max: usize) -> Result<Option<Vec<u8>>, WitnessError> {
        let file = match self.files.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed("open", path))?,
        };
        let mut bytes = vec![0; max + 1];
        let read = file.read_at(&mut bytes, 0).map_err(failed("read", path))?;
        bytes.truncate(read);
        Ok(Some(bytes))
    }
}

fn suffix(conflict: Conflict) -> &'static str {
    match conflict {
        Conflict::TwoRoots => "two-roots",
        Conflict::WentBack => "went-back",
        Conflict::NotContinued => "not-continued",
    }
}

fn file_name(origin: &Origin, suffix: &str) -> String {
    format!("{}.{suffix}", sha256(origin.to_string().as_bytes()))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WitnessError {
    let path = path.to_owned();
    move |source| WitnessError::Io { doing, path, source }
}
