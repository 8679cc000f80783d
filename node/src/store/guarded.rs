//! sled behind a guard: its panics become errors.
//!
//! A sled that has panicked may keep its file, and the lock on it, until the process ends. So the folder
//! is marked at once, and set aside by the next open without asking sled again.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::StoreError;

const BROKEN_FILE: &str = "broken";

/// Folders whose store this process closed. A sled with a thread that died on damage never lets go of its
/// file; who finds one of these in use need not look for another process.
static CLOSED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Did this process have the store in `dir` open, and close it?
pub(super) fn closed_here(dir: &Path) -> bool {
    CLOSED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .contains(dir)
}

/// Why the store in `dir` is not to be opened any more, if it failed before.
pub(super) fn broken_before(dir: &Path) -> Option<String> {
    fs::read_to_string(dir.join(BROKEN_FILE))
        .ok()
        .map(|why| why.chars().take(300).collect())
}

/// An open sled tree that is trusted until it first fails.
pub(super) struct Guarded {
    /// Taken out on drop only: dropping sled can panic too.
    db: Option<sled::Db>,
    dir: PathBuf,
    broken: Mutex<Option<String>>,
}

impl std::fmt::Debug for Guarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guarded")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl Guarded {
    pub(super) fn new(db: sled::Db, dir: PathBuf) -> Self {
        CLOSED.lock().unwrap_or_else(PoisonError::into_inner).remove(&dir);
        Self {
            db: Some(db),
            dir,
            broken: Mutex::new(None),
        }
    }

    /// Calls sled. After the first panic or report of damage it is not called again.
    pub(super) fn call<T>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&sled::Tree) -> Result<T, sled::Error>,
    ) -> Result<T, StoreError> {
        if let Some(why) = &*self.broken.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(StoreError::Broken(why.clone()));
        }
        let Some(db) = &self.db else {
            return Err(StoreError::Broken("closed".into()));
        };
        // What sled left half done is never looked at again.
        let error = match catch_unwind(AssertUnwindSafe(|| call(db))) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(sled::Error::Io(error))) => {
                return Err(StoreError::Io {
                    doing,
                    path: self.dir.clone(),
                    message: error.to_string(),
                });
            }
            Ok(Err(error)) => StoreError::Damaged(error.to_string()),
            Err(panic) => StoreError::Damaged(format!("sled panicked: {}", panic_text(&*panic))),
        };
        let why = error.to_string();
        // Should this fail, the store is looked at by sled once more, and proven or set aside then.
        let _ = fs::write(self.dir.join(BROKEN_FILE), &why);
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        Err(error)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(db) = self.db.take() {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
            CLOSED
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(self.dir.clone());
        }
    }
}

/// What a panic said, cut to a line.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message");
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}
