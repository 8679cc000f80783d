//! What a witness keeps: one file of what it cosigned, and one for each kind of conflict of each log.
//!
//! `cosigned` holds the checkpoints, each as a note with the node's signature and this witness's, the later
//! ones of a log behind the earlier ones ([`super::notes`]). `<hash>.two-roots` and the like, named by the
//! SHA-256 of the origin, hold two such notes, one after the other, the first of that kind that was seen. They
//! are plain C2SP notes, which say themselves what they are; `format` holds the version of the folder.
//!
//! Where a part of `cosigned` can't be read, it may have been the last note of any log of which nothing stands
//! behind it. Those logs are not cosigned any more, nor are new ones.
//!
//! In the first version of the folder each log had a file of its own, `<hash>.note`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anjuan_sync::hash::sha256;

use super::notes::{self, Notes};
use super::{Conflict, Evidence, MAX_LOGS, MAX_LOGS_OF_NODE};
use crate::evidence::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use crate::evidence::cosignature::{self, Seconds};
use crate::evidence::merkle::TreeHead;
use crate::evidence::name::{NodeName, Origin};
use crate::evidence::note::{MAX_NOTE, NoteError, SignatureLine};
use crate::files::{Files, read_file, write_atomically};

const FORMAT: &str = "anjuan witness 2\n";
/// A file for each log.
const FORMAT_1: &str = "anjuan witness 1\n";
const NOTE: &str = "note";
const COSIGNED: &str = "cosigned";
/// The file may be longer by this than twice what is needed.
const SPARE: u64 = 1 << 20;
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
    notes: Notes,
    /// Bytes of the last notes of all logs.
    needed: u64,
    /// Part of the notes can't be read; these logs have one behind it.
    certain: Option<BTreeSet<Origin>>,
    /// Names of the files that were to hold a checkpoint and don't, from the first version of the folder.
    damaged: Vec<String>,
}

impl Witness {
    /// Opens the witness's folder, or makes it. Reads all of it: some 700 bytes for each of at most [`MAX_LOGS`]
    /// logs, and up to as much again, and 1 MiB.
    pub fn open(files: Arc<dyn Files>, dir: &Path) -> Result<Self, WitnessError> {
        files.create_dir(dir).map_err(failed("make", dir))?;
        let format = dir.join("format");
        let version = match files.open(&format) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => {
                let file = opened.map_err(failed("open", &format))?;
                Some(read_file(&*file).map_err(failed("read", &format))?)
            }
        };
        let is_first = version.as_deref() == Some(FORMAT_1.as_bytes());
        if !is_first
            && version
                .as_deref()
                .is_some_and(|version| version != FORMAT.as_bytes())
        {
            return Err(WitnessError::Format { path: format });
        }
        let path = dir.join(COSIGNED);
        let (notes, pieces) = Notes::open(Arc::clone(&files), path.clone()).map_err(failed("read", &path))?;
        let mut witness = Self {
            files,
            dir: dir.to_owned(),
            logs: BTreeMap::new(),
            notes,
            needed: 0,
            certain: None,
            damaged: Vec::new(),
        };
        let is_new = version.is_none();
        // Where `format` alone is gone, nothing is to be forgotten for that.
        if !is_first && (!is_new || witness.notes.size() > 0) {
            pieces.into_iter().for_each(|piece| witness.remember(piece));
        }
        let apart = witness.read_apart()?;
        if witness.certain.is_some() {
            // What can be read must not hide what can't.
            return Ok(witness);
        }
        if is_new || is_first || !apart.is_empty() {
            // What was begun by a start that did not get to its end is done again.
            witness.rewrite()?;
        }
        if is_new || is_first {
            let written = write_atomically(&*witness.files, &format, FORMAT.as_bytes());
            written.map_err(failed("write", &format))?;
            if let Some(parent) = dir.parent() {
                witness.files.sync_dir(parent).map_err(failed("sync", parent))?;
            }
        }
        for name in apart {
            let path = dir.join(name);
            witness.files.remove(&path).map_err(failed("remove", &path))?;
        }
        Ok(witness)
    }

    /// Takes in the next piece of the file.
    fn remember(&mut self, piece: notes::Piece) {
        let Some(note) = piece else {
            self.certain = Some(BTreeSet::new());
            return;
        };
        let origin = note.unverified().origin().clone();
        if let Some(certain) = &mut self.certain {
            certain.insert(origin.clone());
        }
        self.put(origin, Kept(note));
    }

    fn put(&mut self, origin: Origin, kept: Kept) {
        self.needed += notes::length(&kept.0);
        if let Some(before) = self.logs.insert(origin, kept) {
            self.needed -= notes::length(&before.0);
        }
    }

    /// Takes in the logs that have a file of their own, and gives the names of those files.
    fn read_apart(&mut self) -> Result<Vec<String>, WitnessError> {
        let mut names = self.files.list(&self.dir).map_err(failed("list", &self.dir))?;
        names.retain(|name| name.ends_with(&format!(".{NOTE}")));
        let mut apart = Vec::new();
        for name in names {
            let bytes = self.read(&self.dir.join(&name), MAX_NOTE)?;
            match bytes.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok()) {
                Some(note) if file_name(note.unverified().origin(), NOTE) == name => {
                    let origin = note.unverified().origin().clone();
                    // One that is in the file already is no older there.
                    if !self.logs.contains_key(&origin) {
                        self.put(origin, Kept(note));
                    }
                    apart.push(name);
                }
                _ => self.damaged.push(name),
            }
        }
        Ok(apart)
    }

    /// Writes the file of notes anew, with the last ones alone.
    fn rewrite(&mut self) -> Result<(), WitnessError> {
        let last = self.logs.values().map(|kept| &kept.0);
        let written = self.notes.rewrite(last);
        written.map_err(failed("write", self.notes.path()))
    }

    /// What was cosigned last of a log.
    pub fn last(&self, origin: &Origin) -> Result<Option<&Kept>, WitnessError> {
        let name = file_name(origin, NOTE);
        let path = if self.damaged.contains(&name) {
            self.dir.join(name)
        } else if self
            .certain
            .as_ref()
            .is_some_and(|certain| !certain.contains(origin))
        {
            self.notes.path().to_owned()
        } else {
            return Ok(self.logs.get(origin));
        };
        Err(WitnessError::Damaged {
            path,
            origin: origin.clone(),
        })
    }

    /// All logs, in the order of their names, with what was cosigned last.
    pub fn logs(&self) -> impl Iterator<Item = (&Origin, &Kept)> {
        self.logs.iter()
    }

    /// Files that can't be read any more, or not whole.
    pub fn damaged(&self) -> impl Iterator<Item = PathBuf> {
        let notes = self.certain.as_ref().map(|_| self.notes.path().to_owned());
        let apart = self.damaged.iter().map(|name| self.dir.join(name));
        notes.into_iter().chain(apart)
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
        let kept = Kept(kept.as_signed().clone());
        if self.notes.can_add() {
            let added = self.notes.add(&kept.0);
            added.map_err(failed("write", self.notes.path()))?;
            self.put(checkpoint.origin().clone(), kept);
            if self.certain.is_none()
                && self.notes.size() > 2 * self.needed + SPARE
                && let Err(error) = self.rewrite()
            {
                tracing::warn!(%error, "the file of what was witnessed is not made shorter");
            }
            return Ok(());
        }
        self.keep_anew(checkpoint.origin(), kept)
    }

    /// The same where nothing can be added to the file as it is.
    fn keep_anew(&mut self, origin: &Origin, kept: Kept) -> Result<(), WitnessError> {
        if self.certain.is_some() {
            return Err(WitnessError::Damaged {
                path: self.notes.path().to_owned(),
                origin: origin.clone(),
            });
        }
        let others = self.logs.iter().filter(|(other, _)| *other != origin);
        let all = others.map(|(_, kept)| &kept.0).chain([&kept.0]);
        let written = self.notes.rewrite(all);
        written.map_err(failed("write", self.notes.path()))?;
        self.put(origin.clone(), kept);
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
