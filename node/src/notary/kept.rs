//! The checkpoints that a node signed, as far as they are worth keeping.
//!
//! `format` holds `anjuan checkpoints 1` and LF; `newest.note` the last one signed; `cosigned.note` the
//! largest of this epoch that a witness cosigned, with all cosignatures that came for it; `history` those
//! before it, each behind three LF, as many as lie an hour apart: an update's upper bound in time is the first
//! cosigned checkpoint that includes it. `former/<epoch>.note` holds the last
//! one of an epoch that ended, `former/<epoch>.cosigned.note` the last of it that was cosigned.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;

use super::{NotaryError, failed, open_format, read};
use crate::evidence::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use crate::evidence::cosignature::Seconds;
use crate::evidence::note::{MAX_NOTE, SignatureLine};
use crate::files::{Files, write_atomically};

const FORMAT: &str = "anjuan checkpoints 1\n";
/// Stands before each note of the history; no note has it.
const BETWEEN: &str = "\n\n\n";
/// Checkpoints whose cosignatures may be under way.
const RECENT: usize = 16;
/// Seconds between those of the history.
const HISTORY: u64 = 3_600;
/// Bytes of the history that are read: some twenty years of a county's.
const MAX_HISTORY: usize = 256 << 20;

/// The checkpoints of this node.
#[derive(Debug)]
pub(super) struct Own {
    files: Arc<dyn Files>,
    dir: PathBuf,
    newest: Option<VerifiedCheckpoint>,
    /// What was signed last can't be read any more.
    damaged: bool,
    /// Those shown to witnesses lately, with the cosignatures that came.
    recent: VecDeque<VerifiedCheckpoint>,
    cosigned: Option<VerifiedCheckpoint>,
    /// When the last one of the history was cosigned; unknown after a start.
    last: Option<Seconds>,
    former: Vec<(VerifiedCheckpoint, Option<VerifiedCheckpoint>)>,
}

impl Own {
    pub(super) fn open(files: Arc<dyn Files>, dir: &Path, key: &VerifyingKey) -> Result<Self, NotaryError> {
        open_format(&*files, dir, FORMAT)?;
        let former_dir = dir.join("former");
        files
            .create_dir(&former_dir)
            .map_err(failed("make", &former_dir))?;
        let note = |path: &Path| -> Result<Option<Option<VerifiedCheckpoint>>, NotaryError> {
            let bytes = read(&*files, path, MAX_NOTE)?;
            Ok(bytes.map(|bytes| {
                SignedCheckpoint::parse(&bytes)
                    .and_then(|one| one.verify(key))
                    .ok()
            }))
        };
        let newest = note(&dir.join("newest.note"))?;
        let damaged = matches!(newest, Some(None));
        let cosigned = note(&dir.join("cosigned.note"))?.flatten();
        let mut former = Vec::new();
        for name in files.list(&former_dir).map_err(failed("list", &former_dir))? {
            let Some(epoch) = name.strip_suffix(".note").filter(|epoch| !epoch.contains('.')) else {
                continue;
            };
            let cosigned = note(&former_dir.join(format!("{epoch}.cosigned.note")))?.flatten();
            if let Some(last) = note(&former_dir.join(&name))?.flatten() {
                former.push((last, cosigned));
            }
        }
        Ok(Self {
            files,
            dir: dir.to_owned(),
            recent: cosigned.iter().cloned().collect(),
            newest: newest.flatten(),
            damaged,
            cosigned,
            last: None,
            former,
        })
    }

    pub(super) fn newest(&self) -> Option<&VerifiedCheckpoint> {
        self.newest.as_ref()
    }

    pub(super) fn cosigned(&self) -> Option<&VerifiedCheckpoint> {
        self.cosigned.as_ref()
    }

    pub(super) fn former(&self) -> &[(VerifiedCheckpoint, Option<VerifiedCheckpoint>)] {
        &self.former
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Keeps what was signed; durable on return.
    pub(super) fn keep(&mut self, checkpoint: VerifiedCheckpoint) -> Result<(), NotaryError> {
        self.write(&self.dir.join("newest.note"), &checkpoint)?;
        self.newest = Some(checkpoint);
        Ok(())
    }

    /// Keeps the line that a witness made over a checkpoint of this epoch at `time`.
    pub(super) fn add(
        &mut self,
        checkpoint: &VerifiedCheckpoint,
        line: SignatureLine,
        time: Seconds,
    ) -> Result<(), NotaryError> {
        let text = checkpoint.note().text();
        let at = self.recent.iter().position(|one| one.note().text() == text);
        let at = at.unwrap_or_else(|| {
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(checkpoint.alone());
            self.recent.len() - 1
        });
        if self.recent[at].add(line).is_err() {
            // As many as a note holds have cosigned it.
            return Ok(());
        }
        let one = self.recent[at].clone();
        let size = one.head().size;
        if let Some(before) = &self.cosigned {
            if size < before.head().size {
                return Ok(());
            }
            let is_due = |last: Seconds| time.as_u64().saturating_sub(last.as_u64()) >= HISTORY;
            if size > before.head().size && self.last.is_none_or(is_due) {
                self.append(before)?;
                self.last = Some(time);
            }
        }
        self.write(&self.dir.join("cosigned.note"), &one)?;
        self.cosigned = Some(one);
        Ok(())
    }

    /// The epoch has ended: what was signed in it is put aside.
    pub(super) fn retire(&mut self) -> Result<(), NotaryError> {
        let dir = self.dir.join("former");
        if let Some(cosigned) = &self.cosigned {
            self.append(cosigned)?;
        }
        if let Some(newest) = &self.newest {
            let epoch = newest.origin().epoch();
            let of_epoch = |one: &&VerifiedCheckpoint| one.origin().epoch() == epoch;
            let cosigned = self.cosigned.as_ref().filter(of_epoch).cloned();
            if let Some(cosigned) = &cosigned {
                self.write(&dir.join(format!("{epoch}.cosigned.note")), cosigned)?;
            }
            self.write(&dir.join(format!("{epoch}.note")), newest)?;
            self.former.retain(|(one, _)| one.origin().epoch() != epoch);
            self.former.push((newest.clone(), cosigned));
        }
        if self.damaged {
            let (from, to) = (self.dir.join("newest.note"), dir.join("damaged"));
            self.files
                .rename(&from, &to)
                .map_err(failed("put aside", &from))?;
        }
        for name in ["newest.note", "cosigned.note"] {
            let path = self.dir.join(name);
            match self.files.remove(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed("remove", &path)(error));
                }
                _ => {}
            }
        }
        self.files
            .sync_dir(&self.dir)
            .map_err(failed("sync", &self.dir))?;
        self.newest = None;
        self.cosigned = None;
        self.damaged = false;
        self.recent.clear();
        Ok(())
    }

    /// Those cosigned before, oldest first.
    pub(super) fn history(&self, key: &VerifyingKey) -> Result<Vec<VerifiedCheckpoint>, NotaryError> {
        let path = self.dir.join("history");
        let bytes = read(&*self.files, &path, MAX_HISTORY)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        // What a crash left of one is passed over: the next one begins with line feeds of its own.
        let notes = text.split(BETWEEN).map(|note| note.trim_matches('\n'));
        let history = notes.filter(|note| !note.is_empty()).filter_map(|note| {
            let one = SignedCheckpoint::parse(format!("{note}\n").as_bytes());
            one.and_then(|one| one.verify(key)).ok()
        });
        let history = history.collect();
        Ok(history)
    }

    fn append(&self, checkpoint: &VerifiedCheckpoint) -> Result<(), NotaryError> {
        let path = self.dir.join("history");
        let file = match self.files.open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.files.create(&path),
            opened => opened,
        };
        let file = file.map_err(failed("open", &path))?;
        let size = file.size().map_err(failed("read", &path))?;
        let note = format!("{BETWEEN}{}", checkpoint.note());
        let written = file.write_at(note.as_bytes(), size);
        written
            .and_then(|()| file.sync_data())
            .map_err(failed("write", &path))
    }

    fn write(&self, path: &Path, checkpoint: &VerifiedCheckpoint) -> Result<(), NotaryError> {
        write_atomically(&*self.files, path, &checkpoint.note().encode()).map_err(failed("write", path))
    }
}
