//! The file of what a witness cosigned: a head line, then the notes, each of them closed by three more line
//! feeds, which no note has.
//!
//! A note is added at the end, with one sync: to put a file of its own in the place of the one before, for
//! each checkpoint of each log, took a county a tenth of its time when 360 villages came back at once, two
//! syncs each, and had the disk discard as many blocks. Now and then the file is written anew, with the last
//! note of each log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::evidence::checkpoint::SignedCheckpoint;
use crate::files::{File, Files, read_file, write_atomically};

const HEAD: &str = "anjuan cosigned 1";
const CLOSED: &str = "\n\n\n";

/// What stands at one place of the file; nothing where it can't be read any more.
pub(super) type Piece = Option<SignedCheckpoint>;

/// The open file.
#[derive(Debug)]
pub(super) struct Notes {
    files: Arc<dyn Files>,
    path: PathBuf,
    /// None where the end of the file can't be trusted: it is written anew before anything is added.
    file: Option<Arc<dyn File>>,
    end: u64,
}

impl Notes {
    /// Reads the file. Its end may have been torn by a power loss: a note that is not closed, or of which a part
    /// never came to be written (zeros). That was not acknowledged, and is left out. All else that can't be
    /// read leaves an empty piece, as does a file that is gone.
    pub(super) fn open(files: Arc<dyn Files>, path: PathBuf) -> io::Result<(Self, Vec<Piece>)> {
        let file = match files.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened?),
        };
        let bytes = file.as_deref().map_or(Ok(Vec::new()), read_file)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut parts: Vec<_> = text.split(CLOSED).map(|part| part.trim_matches('\n')).collect();
        let unclosed = parts.pop().filter(|part| !part.is_empty());
        let unwritten = parts.pop_if(|part| part.contains('\0'));
        let mut parts = parts.into_iter();
        let has_head = parts.next().is_some_and(|head| head == HEAD);
        let head = (!has_head).then_some(None);
        let notes = parts.map(|note| SignedCheckpoint::parse(format!("{note}\n").as_bytes()).ok());
        let pieces = head.into_iter().chain(notes).collect();
        let is_torn = unclosed.is_some() || unwritten.is_some();
        let notes = Self {
            files,
            path,
            file: file.filter(|_| !is_torn),
            end: bytes.len() as u64,
        };
        Ok((notes, pieces))
    }

    /// Bytes in the file.
    pub(super) fn size(&self) -> u64 {
        self.end
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Can a note be added? If not, the file is to be written anew.
    pub(super) fn can_add(&self) -> bool {
        self.file.is_some()
    }

    /// Adds a note; durable on return. After an error the end can't be trusted.
    pub(super) fn add(&mut self, note: &SignedCheckpoint) -> io::Result<()> {
        let file = self.file.take().ok_or(io::ErrorKind::InvalidData)?;
        let bytes = entry(note);
        file.write_at(bytes.as_bytes(), self.end)?;
        file.sync_data()?;
        self.end += bytes.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Puts a file with these notes in the place of this one; durable on return.
    pub(super) fn rewrite<'n>(
        &mut self,
        notes: impl Iterator<Item = &'n SignedCheckpoint>,
    ) -> io::Result<()> {
        let mut text = format!("{HEAD}\n{CLOSED}");
        notes.for_each(|note| text.push_str(&entry(note)));
        self.file = None;
        write_atomically(&*self.files, &self.path, text.as_bytes())?;
        self.file = Some(self.files.open(&self.path)?);
        self.end = text.len() as u64;
        Ok(())
    }
}

fn entry(note: &SignedCheckpoint) -> String {
    format!("{}{CLOSED}", note.note())
}

/// Bytes that a note takes.
pub(super) fn length(note: &SignedCheckpoint) -> u64 {
    entry(note).len() as u64
}
