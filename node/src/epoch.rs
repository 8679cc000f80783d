//! The life of a store, and how a store that was restored from a backup notices.
//!
//! Two stores that continue the same log fork it, and a fork can't be undone. So each life of a store
//! writes into logs of its own, named by a random epoch. The marker file is bound to the file system
//! object that holds it: a copy of the home, from a backup or by hand, is another object, does not match,
//! and opens a new epoch. What this cannot see (a whole virtual machine set back) shows when a peer hands
//! the node updates of its own epoch that it doesn't have; the ledger then opens a new epoch, too.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anjuan_sync::LogEpoch;
use serde::{Deserialize, Serialize};

use crate::files::{Disk, Files as _};

const MARKER_VERSION: u32 = 1;

/// The epochs of a store: the one it writes in now, and those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// The one to write in.
    pub current: LogEpoch,
    /// Former ones, newest first, at most [`MAX_FORMER`].
    pub former: Vec<LogEpoch>,
}

/// Former epochs remembered; a store that was restored more often has lost track of the oldest, which
/// costs its new logs only the mention of what they continue.
pub const MAX_FORMER: usize = 16;

/// Why the marker can't be used.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// It can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Written by a newer program.
    #[error("{path} has version {version}; this program knows version {MARKER_VERSION}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version it names.
        version: u32,
    },
}

#[derive(Serialize, Deserialize)]
struct Marker {
    version: u32,
    current: LogEpoch,
    former: Vec<LogEpoch>,
    bound_to: String,
}

/// Why a new epoch was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The marker matched: the same life goes on.
    Same,
    /// There was no marker: a new store.
    New,
    /// The marker is a copy, or damaged: the store may be old.
    Restored,
}

/// Reads the marker in `home`, and opens a new epoch unless it is the very file this store wrote.
pub fn open(home: &Path, fresh: LogEpoch) -> Result<(Epochs, Opened), EpochError> {
    let path = marker_path(home);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let epochs = Epochs {
                current: fresh,
                former: Vec::new(),
            };
            write(&path, &epochs)?;
            return Ok((epochs, Opened::New));
        }
        Err(source) => return Err(EpochError::Io { path, source }),
    };
    let marker = serde_json::from_str::<Marker>(&text).ok();
    if let Some(marker) = &marker
        && marker.version > MARKER_VERSION
    {
        return Err(EpochError::Newer {
            path,
            version: marker.version,
        });
    }
    match marker {
        Some(marker) if identity(&path).is_ok_and(|identity| identity == marker.bound_to) => Ok((
            Epochs {
                current: marker.current,
                former: marker.former,
            },
            Opened::Same,
        )),
        marker => {
            let before = marker.map_or(
                Epochs {
                    current: fresh,
                    former: Vec::new(),
                },
                |marker| Epochs {
                    current: marker.current,
                    former: marker.former,
                },
            );
            Ok((renew(home, &before, fresh)?, Opened::Restored))
        }
    }
}

/// Opens a new epoch after `before`.
pub fn renew(home: &Path, before: &Epochs, fresh: LogEpoch) -> Result<Epochs, EpochError> {
    let mut former = before.former.clone();
    if before.current != fresh {
        former.insert(0, before.current);
    }
    former.truncate(MAX_FORMER);
    let epochs = Epochs {
        current: fresh,
        former,
    };
    write(&marker_path(home), &epochs)?;
    Ok(epochs)
}

/// Notes that this store is old: whoever opens it next opens a new epoch, as in a copy.
pub fn mark_old(home: &Path, epochs: &Epochs) -> Result<(), EpochError> {
    write_bound(&marker_path(home), epochs, |_| Ok(String::new()))
}

fn marker_path(home: &Path) -> PathBuf {
    home.join("epoch.json")
}

/// Written in place, never renamed into place: the marker names the file it stands in. A write that is
/// cut short leaves a marker that does not parse, which opens a new epoch.
fn write(path: &Path, epochs: &Epochs) -> Result<(), EpochError> {
    write_bound(path, epochs, identity)
}

fn write_bound(
    path: &Path,
    epochs: &Epochs,
    bound_to: impl Fn(&Path) -> io::Result<String>,
) -> Result<(), EpochError> {
    let io = |source| EpochError::Io {
        path: path.to_owned(),
        source,
    };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let mut file = std::fs::File::create_new(path).map_err(io)?;
    let marker = Marker {
        version: MARKER_VERSION,
        current: epochs.current,
        former: epochs.former.clone(),
        bound_to: bound_to(path).map_err(io)?,
    };
    let text = serde_json::to_string_pretty(&marker).expect("plain fields serialise");
    io::Write::write_all(&mut file, text.as_bytes()).map_err(io)?;
    file.sync_all().map_err(io)?;
    Disk.sync_dir(path.parent().unwrap_or(Path::new("."))).map_err(io)
}

/// What tells a file from a copy of it: when the file system made it and, where there is one, its inode.
fn identity(path: &Path) -> io::Result<String> {
    let metadata = std::fs::metadata(path)?;
    let made = metadata
        .created()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let made = made.map_or_else(|| "-".to_owned(), |since| since.as_nanos().to_string());
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata).to_string();
    #[cfg(not(unix))]
    let inode = "-";
    Ok(format!("{made}/{inode}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(byte: u8) -> LogEpoch {
        LogEpoch::from_bytes([byte; 16])
    }

    #[test]
    fn the_same_store_goes_on_and_a_copy_of_it_does_not() {
        let home = tempfile::tempdir().expect("a folder");
        let (first, opened) = open(home.path(), epoch(1)).expect("opens");
        assert_eq!((first.current, opened), (epoch(1), Opened::New));
        assert_eq!(open(home.path(), epoch(2)).expect("opens"), (first, Opened::Same));

        let copy = tempfile::tempdir().expect("a folder");
        std::fs::copy(marker_path(home.path()), marker_path(copy.path())).expect("copied");
        let (restored, opened) = open(copy.path(), epoch(3)).expect("opens");
        assert_eq!(opened, Opened::Restored);
        assert_eq!(
            restored,
            Epochs {
                current: epoch(3),
                former: vec![epoch(1)]
            }
        );
        assert_eq!(open(copy.path(), epoch(4)).expect("opens").1, Opened::Same);
    }

    #[test]
    fn a_damaged_marker_opens_a_new_epoch_and_a_newer_one_is_refused() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::write(marker_path(home.path()), "{").expect("written");
        assert_eq!(open(home.path(), epoch(1)).expect("opens").1, Opened::Restored);
        let newer = format!(
            r#"{{"version":2,"current":"{0}","former":[],"bound_to":"x"}}"#,
            "00".repeat(16)
        );
        std::fs::write(marker_path(home.path()), newer).expect("written");
        assert!(matches!(
            open(home.path(), epoch(1)),
            Err(EpochError::Newer { version: 2, .. })
        ));
    }
}
