//! A temporary folder that stays where the story fails.

use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

/// Removed when dropped, unless the thread is panicking.
#[derive(Debug)]
pub struct Folder(Option<TempDir>);

impl Folder {
    /// A new, empty folder, with `name` in its name.
    pub fn new(name: &str) -> Self {
        let made = tempfile::Builder::new()
            .prefix(&format!("anjuan-{name}-"))
            .tempdir();
        Self(Some(made.expect("a temporary folder")))
    }

    /// A new folder with a copy of all that is in `from`.
    pub fn copy_of(name: &str, from: &Path) -> Self {
        let folder = Self::new(name);
        copy(from, folder.path());
        folder
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), TempDir::path)
    }

    /// The path of something in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(folder) = self.0.take()
        {
            eprintln!("kept for a look: {}", folder.keep().display());
        }
    }
}

/// Copies a folder whole.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder to copy to");
    for entry in std::fs::read_dir(from).expect("a folder to copy") {
        let entry = entry.expect("an entry of the folder");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("the type of an entry").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file copied");
        }
    }
}
