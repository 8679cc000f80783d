//! Checkpoints that don't go together, as other nodes found them: of a third node, reported from below or
//! above; or of this one, told by its witness. Each is two notes, like a witness's own evidence, in a file
//! named by the SHA-256 of its text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anjuan_sync::hash::sha256;

use super::{NotaryError, failed, open_format, read};
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::note::MAX_NOTE;
use crate::evidence::witness::{Conflict, Evidence};
use crate::files::{Files, TEMPORARY, write_atomically};

const FORMAT: &str = "anjuan reports 1\n";
/// Reports kept: each needs a node that contradicted itself.
pub(super) const MAX_REPORTS: usize = 1_024;
/// Stands between the two notes; no note has such a line.
const BETWEEN: &str = "\n\n";

/// What was reported to this node.
#[derive(Debug)]
pub(super) struct Reports {
    files: Arc<dyn Files>,
    dir: PathBuf,
    kept: BTreeMap<String, Evidence>,
}

impl Reports {
    pub(super) fn open(files: Arc<dyn Files>, dir: &Path) -> Result<Self, NotaryError> {
        open_format(&*files, dir, FORMAT)?;
        let mut kept = BTreeMap::new();
        for name in files.list(dir).map_err(failed("list", dir))? {
            if name.ends_with(TEMPORARY) || name == "format" {
                continue;
            }
            let bytes = read(&*files, &dir.join(&name), 2 * MAX_NOTE + BETWEEN.len())?;
            match bytes.and_then(|bytes| parse(&name, &bytes)) {
                Some(report) => drop(kept.insert(name, report)),
                None => tracing::warn!(name, "a report that can't be read is passed over"),
            }
        }
        Ok(Self {
            files,
            dir: dir.to_owned(),
            kept,
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Evidence> {
        self.kept.values()
    }

    /// Keeps a report; false if there is no room. One of each kind of each log: more prove no more.
    pub(super) fn keep(&mut self, report: Evidence) -> Result<bool, NotaryError> {
        let origin = |report: &Evidence| report.earlier.unverified().origin().clone();
        let known = |other: &Evidence| other.conflict == report.conflict && origin(other) == origin(&report);
        if self.kept.values().any(known) {
            return Ok(true);
        }
        if self.kept.len() >= MAX_REPORTS {
            return Ok(false);
        }
        let text = format!("{}\n{}", report.earlier.note(), report.later.note());
        let name = format!("{}.{}", sha256(text.as_bytes()), suffix(report.conflict));
        let path = self.dir.join(&name);
        write_atomically(&*self.files, &path, text.as_bytes()).map_err(failed("write", &path))?;
        self.kept.insert(name, report);
        Ok(true)
    }
}

fn suffix(conflict: Conflict) -> &'static str {
    match conflict {
        Conflict::TwoRoots => "two-roots",
        Conflict::WentBack => "went-back",
        Conflict::NotContinued => "not-continued",
    }
}

fn parse(name: &str, bytes: &[u8]) -> Option<Evidence> {
    let conflict = [Conflict::TwoRoots, Conflict::WentBack, Conflict::NotContinued]
        .into_iter()
        .find(|conflict| name.ends_with(suffix(*conflict)))?;
    let text = str::from_utf8(bytes).ok()?;
    // A note has one empty line, so the second one lies between two notes.
    let (at, _) = text.match_indices(BETWEEN).nth(1)?;
    let note = |note: &str| SignedCheckpoint::parse(note.as_bytes()).ok();
    Some(Evidence {
        conflict,
        earlier: note(&text[..=at])?,
        later: note(&text[at + BETWEEN.len()..])?,
    })
}
