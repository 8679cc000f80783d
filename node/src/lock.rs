//! One process at a time on a home folder, and no program older than the home.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::{Disk, Files as _, read_file, write_atomically};

/// The layout of a home folder that this program writes, and the newest it reads.
pub const HOME_FORMAT: u32 = 1;

const LOCK_FILE: &str = "lock";
/// Beside the lock: where locks are mandatory (Windows), nobody else could read it in the locked file.
const HOLDER_FILE: &str = "lock-holder";
const FORMAT_FILE: &str = "format";
const FORMAT_NAME: &str = "anjuan-home";

/// Why a home folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "the home folder {} is in use by another anjuan process{}; stop that one first, or give another --home",
        home.display(), holder.map_or_else(String::new, |pid| format!(" (process {pid})"))
    )]
    InUse {
        /// The folder.
        home: PathBuf,
        /// The other process, if it could be told.
        holder: Option<u32>,
    },
    /// It was written by a newer program.
    #[error(
        "the home folder {} has format {found}, written by a newer version of anjuan; this one reads up to format {HOME_FORMAT}",
        home.display()
    )]
    Newer {
        /// The folder.
        home: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Its format file says nothing this program understands.
    #[error("the file {} does not name the format of an anjuan home folder; restore it from a backup", path.display())]
    NotAHome {
        /// The format file.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Proof that this process, and no other, uses a home folder; let go on drop, and by the system when the
/// process ends in any way.
#[derive(Debug)]
pub struct HomeLock {
    home: PathBuf,
    lock: fs::File,
}

impl HomeLock {
    /// Takes the home folder, makes it if it is not there, and checks its format.
    ///
    /// Does not wait: a home in use is an error.
    pub fn acquire(home: &Path) -> Result<Self, LockError> {
        let io = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| LockError::Io { doing, path, source }
        };
        Disk.create_dir(home).map_err(io("make the folder", home))?;
        let path = home.join(LOCK_FILE);
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let lock = options.open(&path).map_err(io("open the lock file", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(home.join(HOLDER_FILE)).ok();
                return Err(LockError::InUse {
                    home: home.to_owned(),
                    holder: holder.and_then(|text| text.trim().parse().ok()),
                });
            }
            Err(fs::TryLockError::Error(source)) => return Err(io("lock", &path)(source)),
        }
        // From here on a drop of `lock` frees the home.
        let locked = Self {
            home: home.to_owned(),
            lock,
        };
        locked.check_format()?;
        // For the message of whoever comes second; not being able to write it is no reason to stop.
        let _ = fs::write(home.join(HOLDER_FILE), std::process::id().to_string());
        Ok(locked)
    }

    /// The folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    fn check_format(&self) -> Result<(), LockError> {
        let path = self.home.join(FORMAT_FILE);
        let io = |doing| {
            let path = path.clone();
            move |source| LockError::Io { doing, path, source }
        };
        let bytes = match Disk.open(&path) {
            Ok(file) => read_file(&*file).map_err(io("read"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = format!("{FORMAT_NAME} {HOME_FORMAT}\n");
                return write_atomically(&Disk, &path, text.as_bytes()).map_err(io("write"));
            }
            Err(error) => return Err(io("open")(error)),
        };
        let found = std::str::from_utf8(&bytes).ok().and_then(|text| {
            text.trim_end()
                .strip_prefix(FORMAT_NAME)?
                .trim_start()
                .parse::<u32>()
                .ok()
        });
        match found {
            Some(1..=HOME_FORMAT) => Ok(()),
            Some(found) if found > HOME_FORMAT => Err(LockError::Newer {
                home: self.home.clone(),
                found,
            }),
            _ => Err(LockError::NotAHome { path }),
        }
    }
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.home.join(HOLDER_FILE));
        let _ = self.lock.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_has_one_holder() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join("home");
        let first = HomeLock::acquire(&home).expect("free");
        let refused = HomeLock::acquire(&home).expect_err("held").to_string();
        assert!(refused.contains(&home.display().to_string()), "{refused}");
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(first);
        HomeLock::acquire(&home).expect("free again");
    }

    #[test]
    fn a_newer_home_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FORMAT_FILE), "anjuan-home 2\n").expect("written");
        let refused = HomeLock::acquire(folder.path()).expect_err("newer").to_string();
        assert!(
            refused.contains("format 2, written by a newer version"),
            "{refused}"
        );
        fs::write(folder.path().join(FORMAT_FILE), "anjuan-house 1").expect("written");
        assert!(matches!(
            HomeLock::acquire(folder.path()),
            Err(LockError::NotAHome { .. })
        ));
        fs::write(folder.path().join(FORMAT_FILE), "anjuan-home 1\n").expect("written");
        HomeLock::acquire(folder.path()).expect("the refusals let go of the lock");
    }
}
