//! Key files: read whole or refused, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Bytes in the longest key file; the longest written has some 250.
const MAX_FILE: u64 = 4096;

/// Why a key file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others can read it, so it may be known to them.
    #[error("key file {} can be read by others (mode {mode:o}); set it to 600, and replace the key if others use this machine", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Written by a newer program.
    #[error("key file {} has format {version}; this program reads format {known}", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format, as written in it.
        version: String,
        /// The format this program reads.
        known: u8,
    },
    /// Not what was written.
    #[error("key file {} is damaged; restore it from a copy", .0.display())]
    Damaged(PathBuf),
    /// The system said no.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// What is wrong with the content of a key file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ContentProblem {
    Newer { version: String, known: u8 },
    Damaged,
}

impl ContentProblem {
    pub(super) fn at(self, path: &Path) -> KeyFileError {
        let path = path.to_owned();
        match self {
            Self::Newer { version, known } => KeyFileError::Newer { path, version, known },
            Self::Damaged => KeyFileError::Damaged(path),
        }
    }
}

/// Checks the first line, `NAME FORMAT`, and returns what follows it.
pub(super) fn body<'a>(bytes: &'a [u8], name: &str, known: u8) -> Result<&'a [u8], ContentProblem> {
    let end = bytes.iter().take(64).position(|&b| b == b'\n');
    let (line, rest) = bytes.split_at(end.ok_or(ContentProblem::Damaged)?);
    let version = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .ok_or(ContentProblem::Damaged)?;
    if version == known.to_string() {
        return Ok(&rest[1..]);
    }
    let number = version
        .parse::<u32>()
        .is_ok_and(|number| number.to_string() == version);
    Err(match number {
        true => ContentProblem::Newer {
            version: version.to_owned(),
            known,
        },
        false => ContentProblem::Damaged,
    })
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    move |source| KeyFileError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// The content; `None` if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, KeyFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("open", path)(error)),
    };
    refuse_open(&file, path)?;
    // Room at once: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize + 1));
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(io("read", path))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(KeyFileError::Damaged(path.to_owned()));
    }
    Ok(Some(bytes))
}

#[cfg(unix)]
fn refuse_open(file: &File, path: &Path) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().map_err(io("read", path))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyFileError::Open {
            path: path.to_owned(),
            mode,
        })
    }
}

#[cfg(not(unix))]
fn refuse_open(_: &File, _: &Path) -> Result<(), KeyFileError> {
    Ok(())
}

/// Makes the folder, open to its owner alone.
pub(super) fn make_folder(folder: &Path) -> Result<(), KeyFileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(io("make folder", folder))
}

/// The names of the files in the folder; none if it is not there.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, KeyFileError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("list", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(io("list", folder))?.file_name();
        names.extend(name.into_string());
    }
    Ok(names)
}

/// Writes a file that is not there yet; `false` if it is. The home's lock keeps other processes out.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<bool, KeyFileError> {
    if path.try_exists().map_err(io("look for", path))? {
        return Ok(false);
    }
    replace(path, bytes)?;
    Ok(true)
}

/// Writes a file, in place of the one that is there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let temporary = path.with_extension("key-new");
    // What an interrupted write left behind.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io("remove", &temporary)(error));
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary).map_err(io("create", &temporary))?;
    file.write_all(bytes).map_err(io("write", &temporary))?;
    file.sync_all().map_err(io("sync", &temporary))?;
    drop(file);
    fs::rename(&temporary, path).map_err(io("rename to", path))?;
    sync_folder(path)
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> Result<(), KeyFileError> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io("sync folder", folder))
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), KeyFileError> {
    Ok(())
}
