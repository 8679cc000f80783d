//! What stands in a home, to show that a command left it as it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anjuan_sync::hash::sha256;

/// Every file of a folder with the hash of its content, as far as it is the truth of a home: what any
/// opening writes (the lock, how much of the journal is synced), what can be made again (the case store) and what a
/// running node signs of it meanwhile (the evidence) is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<PathBuf, String>);

const NOT_THE_TRUTH: [&str; 6] = [
    "lock",
    "lock-holder",
    "sled",
    "evidence",
    "api.json",
    "journal/synced",
];

impl Snapshot {
    /// Of a home. A folder that is not there has no files.
    pub fn of(home: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(home, Path::new(""), &mut files);
        Self(files)
    }

    /// What differs, in words.
    pub fn differences(&self, after: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (path, hash) in &self.0 {
            match after.0.get(path) {
                None => found.push(format!("{} is gone", path.display())),
                Some(now) if now != hash => found.push(format!("{} has changed", path.display())),
                Some(_) => {}
            }
        }
        let new = after.0.keys().filter(|path| !self.0.contains_key(*path));
        found.extend(new.map(|path| format!("{} is new", path.display())));
        found
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn collect(home: &Path, inside: &Path, files: &mut BTreeMap<PathBuf, String>) {
    let Ok(entries) = fs::read_dir(home.join(inside)) else {
        return;
    };
    for entry in entries {
        let entry = entry.expect("an entry of the home");
        let path = inside.join(entry.file_name());
        if NOT_THE_TRUTH.iter().any(|file| path == Path::new(file)) {
            continue;
        }
        if entry.file_type().expect("the type of an entry").is_dir() {
            collect(home, &path, files);
        } else {
            let bytes = fs::read(entry.path()).expect("a file of the home");
            files.insert(path, sha256(&bytes).to_string());
        }
    }
}
