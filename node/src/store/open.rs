//! Opening the store: proven, or set aside and begun anew.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, RwLock};

use super::guarded::{Guarded, broken_before, closed_here, panic_text};
use super::record::{self, PARTS};
use super::totals::{self, Totals};
use super::{CaseStore, StoreError};

const NAME: &str = "sled";
const ASIDE_PREFIX: &str = "sled-set-aside-";
/// Stores set aside that are kept.
const ASIDE_KEPT: usize = 2;

/// What opening came to.
#[derive(Debug)]
pub enum Opened {
    /// The store holds what it should; see how far it reflects the journal, and bring it level.
    Ready(CaseStore),
    /// The store did not hold, and is rebuilt from the journal into this empty one.
    SetAside {
        /// A fresh store.
        store: CaseStore,
        /// Where the old one is kept; the last two are.
        kept_in: PathBuf,
        /// What did not hold.
        why: String,
    },
}

/// Why a store can't be used: to be set aside, or to be told.
enum Refused {
    Damaged(String),
    Error(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(why) | StoreError::Broken(why) => Self::Damaged(why),
            error => Self::Error(error),
        }
    }
}

impl CaseStore {
    /// Opens the store in the folder `sled` of `dir`, or makes it. Reads all of it. `cache` is in bytes.
    ///
    /// A store that does not hold is set aside. Errors are only for what a fresh store would not cure:
    /// the disk refuses, another process has the store, or a newer program wrote it.
    pub fn open(dir: &Path, cache: u64) -> Result<Opened, StoreError> {
        let path = dir.join(NAME);
        let why = match broken_before(&path) {
            Some(why) => why,
            None => match Self::open_once_let_go(&path, cache) {
                Ok(store) => return Ok(Opened::Ready(store)),
                Err(Refused::Error(StoreError::InUse { .. })) if closed_here(&path) => {
                    "sled failed before, and still holds its file".to_owned()
                }
                Err(Refused::Error(error)) => return Err(error),
                Err(Refused::Damaged(why)) => why,
            },
        };
        let kept_in = set_aside(dir).map_err(|error| StoreError::Io {
            doing: "set aside",
            path: path.clone(),
            message: error.to_string(),
        })?;
        match Self::open_in_thread(&path, cache) {
            Ok(store) => Ok(Opened::SetAside { store, kept_in, why }),
            Err(Refused::Error(error)) => Err(error),
            Err(Refused::Damaged(why)) => Err(StoreError::Damaged(why)),
        }
    }

    /// Reads every entry, and compares with what there should be.
    pub fn verify(&self) -> Result<(), StoreError> {
        let _still = self
            .applying
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let totals = self
            .totals
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        self.walk(&totals)
    }

    fn walk(&self, totals: &Totals) -> Result<(), StoreError> {
        let mut found = Totals::default();
        let mut parts = 0_usize;
        let mut parts_found = 0_usize;
        let mut entries = self.sled.call("read", |tree| Ok(tree.iter()))?;
        while let Some((key, stored)) = self.sled.call("read", |_| entries.next().transpose())? {
            match key.first() {
                Some(&table) if table != totals::KEY[0] && table != PARTS => {
                    self.value_of(&key, &stored)?;
                    parts += record::parts(&key, &stored)?;
                    found.change(table, None, Some(record::checksum(&stored)));
                }
                Some(&PARTS) => parts_found += 1,
                _ => {}
            }
        }
        if !found.same_entries(totals) || parts != parts_found {
            return Err(StoreError::Damaged("entries are missing or too many".into()));
        }
        Ok(())
    }

    /// A store that this process has just closed may take a moment to let go of its file.
    fn open_once_let_go(path: &Path, cache: u64) -> Result<Self, Refused> {
        let mut tries = 0;
        loop {
            match Self::open_in_thread(path, cache) {
                Err(Refused::Error(StoreError::InUse { .. })) if closed_here(path) && tries < 20 => {
                    tries += 1;
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
                result => return result,
            }
        }
    }

    /// In a thread of its own: sled recurses and panics on damaged files.
    fn open_in_thread(path: &Path, cache: u64) -> Result<Self, Refused> {
        let dir = path.to_owned();
        let opening = std::thread::Builder::new()
            .name("sled-open".into())
            .spawn(move || catch_unwind(AssertUnwindSafe(|| Self::open_unguarded(&dir, cache))));
        let opening = opening.map_err(|error| StoreError::Io {
            doing: "start a thread for",
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        match opening.join() {
            Ok(Ok(opened)) => opened,
            Ok(Err(panic)) | Err(panic) => Err(Refused::Damaged(format!(
                "sled panicked: {}",
                panic_text(&*panic)
            ))),
        }
    }

    fn open_unguarded(path: &Path, cache: u64) -> Result<Self, Refused> {
        let config = sled::Config::new()
            .path(path)
            .mode(sled::Mode::LowSpace)
            .cache_capacity(cache)
            .use_compression(false);
        let existed = path.join("db").exists();
        let db = match config.open() {
            Ok(db) => db,
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                return Err(StoreError::InUse {
                    path: path.to_owned(),
                }
                .into());
            }
            Err(sled::Error::Io(error)) if is_of_the_disk(&error) => {
                let message = error.to_string();
                return Err(StoreError::Io {
                    doing: "open",
                    path: path.to_owned(),
                    message,
                }
                .into());
            }
            Err(error) => return Err(Refused::Damaged(error.to_string())),
        };
        let sled = Guarded::new(db, path.to_owned());
        let totals = match sled.call("read", |tree| tree.get(totals::KEY))? {
            Some(stored) => match Totals::decode(&stored) {
                totals::Found::Totals(totals) => totals,
                totals::Found::Newer(found) => {
                    return Err(StoreError::Newer {
                        path: path.to_owned(),
                        found,
                    }
                    .into());
                }
                totals::Found::Broken => return Err(Refused::Damaged("the totals do not hold".into())),
            },
            // A store that was there, however empty, had them.
            None if existed && !sled.call("read", |tree| Ok(tree.is_empty()))? => {
                return Err(Refused::Damaged("the totals are missing".into()));
            }
            None => Totals::default(),
        };
        let store = Self {
            dir: path.to_owned(),
            sled,
            totals: Mutex::new(Totals::default()),
            applying: RwLock::new(()),
        };
        store.walk(&totals)?;
        Ok(Self {
            totals: Mutex::new(totals),
            ..store
        })
    }
}

/// Errors of the disk itself, as opposed to what sled makes of bytes it does not understand.
fn is_of_the_disk(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::PermissionDenied
            | Kind::StorageFull
            | Kind::QuotaExceeded
            | Kind::ReadOnlyFilesystem
            | Kind::FileTooLarge
    ) || error.raw_os_error().is_some_and(|code| code == 5 || code == 24)
}

/// Renames the store's folder, and removes all but the newest that were set aside before.
fn set_aside(dir: &Path) -> io::Result<PathBuf> {
    let mut aside: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(ASIDE_PREFIX)?.parse().ok());
        aside.extend(number.map(|number| (number, entry.path())));
    }
    aside.sort();
    let number = aside.last().map_or(1, |(number, _)| number + 1);
    let kept_in = dir.join(format!("{ASIDE_PREFIX}{number}"));
    fs::rename(dir.join(NAME), &kept_in)?;
    for (_, old) in aside.iter().take((aside.len() + 1).saturating_sub(ASIDE_KEPT)) {
        fs::remove_dir_all(old)?;
    }
    Ok(kept_in)
}
