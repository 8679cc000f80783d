//! The folder: durable writes, and deletions that leave nothing readable behind.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::KeystoreError;
use super::tombstone::MAX_TOMBSTONE;
use crate::particulars::item::{MAX_ITEM, VerifiedItem};
use crate::particulars::name::ItemId;

const FORMAT: &str = "anjuan keystore 1\n";
/// Threads that write a batch of items.
const STAGING_THREADS: usize = 16;

/// The keystore's folder.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

/// Staged items. What was not placed when this is dropped is deleted: after an error on a full disk, the
/// room it takes is needed.
#[derive(Debug)]
pub(super) struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        // Whether or not this works, opening empties the folder.
        let _ = wipe_folder(&self.0);
    }
}

/// Says what was tried, and on what.
fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeystoreError {
    let path = path.to_owned();
    move |source| KeystoreError::Io {
        operation,
        path,
        source,
    }
}

impl Folder {
    /// Opens the folder, or makes it.
    pub(super) fn open(root: &Path) -> Result<Self, KeystoreError> {
        let folder = Self {
            root: root.to_owned(),
        };
        make_folder(root)?;
        // It may have been made by hand, or copied.
        #[cfg(unix)]
        fs::set_permissions(root, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .map_err(failed("restrict", root))?;
        let format = root.join("format");
        match read_bounded(&format, 64)? {
            Some(found) if found == FORMAT.as_bytes() => {}
            Some(found) => {
                return Err(KeystoreError::Format {
                    path: root.to_owned(),
                    found: String::from_utf8_lossy(&found).trim().to_owned(),
                    expected: FORMAT.trim(),
                });
            }
            None => {
                make_folder(&folder.incoming())?;
                folder.write(&format, "format", FORMAT.as_bytes())?;
            }
        }
        for path in [
            folder.items(),
            folder.tombstones(),
            folder.incoming(),
            folder.erasing(),
            folder.damaged(),
        ] {
            make_folder(&path)?;
        }
        sync_folder(root)?;
        Ok(folder)
    }

    pub(super) fn items(&self) -> PathBuf {
        self.root.join("items")
    }

    pub(super) fn tombstones(&self) -> PathBuf {
        self.root.join("erased")
    }

    fn incoming(&self) -> PathBuf {
        self.root.join("new")
    }

    fn erasing(&self) -> PathBuf {
        self.root.join("erasing")
    }

    fn damaged(&self) -> PathBuf {
        self.root.join("damaged")
    }

    fn shelf(&self, first: u8) -> PathBuf {
        self.items().join(hex::encode([first]))
    }

    pub(super) fn item(&self, id: ItemId) -> PathBuf {
        self.shelf(id.as_bytes()[0]).join(id.to_string())
    }

    /// Writes and syncs the content of items, for [`Self::place_item`]. Several at a time: most of it is
    /// waiting for the disk, and disks and file systems take many syncs at once almost for the price of one.
    pub(super) fn stage_items(&self, items: &[&VerifiedItem]) -> Result<Staged, KeystoreError> {
        let staged = Staged(self.incoming());
        let stage = |items: &[&VerifiedItem]| {
            items.iter().try_for_each(|item| {
                let item = item.get();
                self.stage(&item.id().to_string(), item.encoded()).map(|_| ())
            })
        };
        if items.len() <= 2 {
            stage(items)?;
            return Ok(staged);
        }
        let share = items.len().div_ceil(STAGING_THREADS);
        std::thread::scope(|scope| {
            let threads: Vec<_> = items
                .chunks(share)
                .map(|items| scope.spawn(|| stage(items)))
                .collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("staging does not panic"))
        })?;
        Ok(staged)
    }

    /// Gives a staged item its name. Durable once [`Self::sync_shelves`] was called for its shelf.
    pub(super) fn place_item(&self, id: ItemId) -> Result<(), KeystoreError> {
        let shelf = self.shelf(id.as_bytes()[0]);
        if !shelf.is_dir() {
            make_folder(&shelf)?;
            sync_folder(&self.items())?;
        }
        let target = self.item(id);
        fs::rename(self.incoming().join(id.to_string()), &target).map_err(failed("write", &target))
    }

    /// Makes the names of written items durable.
    pub(super) fn sync_shelves(&self, shelves: &BTreeSet<u8>) -> Result<(), KeystoreError> {
        shelves
            .iter()
            .try_for_each(|first| sync_folder(&self.shelf(*first)))
    }

    /// The bytes of an item's file, unchecked; none where there is no such file.
    pub(super) fn read_item(&self, id: ItemId) -> Result<Option<Vec<u8>>, KeystoreError> {
        read_bounded(&self.item(id), MAX_ITEM + 1)
    }

    /// Writes a tombstone durably.
    pub(super) fn write_tombstone(&self, subject: &[u8; 32], bytes: &[u8]) -> Result<(), KeystoreError> {
        let name = hex::encode(subject);
        self.write(&self.tombstones().join(&name), &name, bytes)?;
        sync_folder(&self.tombstones())
    }

    /// The bytes of a tombstone's file.
    pub(super) fn read_tombstone(path: &Path) -> Result<Vec<u8>, KeystoreError> {
        Ok(read_bounded(path, MAX_TOMBSTONE)?.unwrap_or_default())
    }

    /// Removes a tombstone durably.
    pub(super) fn remove_tombstone(&self, subject: &[u8; 32]) -> Result<(), KeystoreError> {
        let path = self.tombstones().join(hex::encode(subject));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("delete", &path)(error)),
            _ => sync_folder(&self.tombstones()),
        }
    }

    /// Takes items out of their place, then overwrites and deletes them.
    pub(super) fn wipe_items(&self, ids: &[ItemId]) -> Result<(), KeystoreError> {
        let erasing = self.erasing();
        let mut shelves = BTreeSet::new();
        for id in ids {
            let from = self.item(*id);
            match fs::rename(&from, erasing.join(id.to_string())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("move away", &from)(error));
                }
                _ => shelves.insert(id.as_bytes()[0]),
            };
        }
        // Once the move is durable, a crash can no longer bring an item back: opening empties this folder.
        sync_folder(&erasing)?;
        self.sync_shelves(&shelves)?;
        wipe_folder(&erasing)?;
        Ok(())
    }

    /// Empties the folders of files on their way in or out, and returns how many there were.
    pub(super) fn finish_wiping(&self) -> Result<usize, KeystoreError> {
        Ok(wipe_folder(&self.erasing())? + wipe_folder(&self.incoming())?)
    }

    /// Destroys what was set aside: it may hold what an erasure is about.
    pub(super) fn wipe_leftovers(&self) -> Result<(), KeystoreError> {
        wipe_folder(&self.damaged()).map(|_| ())
    }

    /// Moves an item's file to where it does no harm.
    pub(super) fn set_item_aside(&self, id: ItemId) -> Result<(), KeystoreError> {
        self.set_aside(&self.item(id))
    }

    /// Moves a file to where it does no harm.
    pub(super) fn set_aside(&self, path: &Path) -> Result<(), KeystoreError> {
        let name = path.file_name().unwrap_or_default();
        match fs::rename(path, self.damaged().join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("set aside", path)(error)),
            _ => sync_folder(&self.damaged()),
        }
    }

    /// Writes and syncs a temporary file, then gives it its name.
    fn write(&self, target: &Path, name: &str, bytes: &[u8]) -> Result<(), KeystoreError> {
        let temporary = self.stage(name, bytes)?;
        fs::rename(&temporary, target).map_err(failed("write", target))
    }

    /// Writes and syncs a temporary file.
    fn stage(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, KeystoreError> {
        let path = self.incoming().join(name);
        let written = create(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        match written {
            Ok(()) => Ok(path),
            Err(error) => {
                // Whether or not this works, opening empties the folder. A full disk is glad of it.
                let _ = fs::remove_file(&path);
                Err(failed("write", &path)(error))
            }
        }
    }
}

/// The entries of a folder, in order of their names.
pub(super) fn list(path: &Path) -> Result<Vec<PathBuf>, KeystoreError> {
    let mut paths = fs::read_dir(path)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<Vec<_>>>()
        })
        .map_err(failed("list", path))?;
    paths.sort();
    Ok(paths)
}

/// Reads a file of at most `most` bytes, or the first `most` of a longer one.
fn read_bounded(path: &Path, most: usize) -> Result<Option<Vec<u8>>, KeystoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(most as u64)
        .read_to_end(&mut bytes)
        .map_err(failed("read", path))?;
    Ok(Some(bytes))
}

/// Empties a folder, overwriting what was in it; returns how many entries it had.
fn wipe_folder(path: &Path) -> Result<usize, KeystoreError> {
    let files = list(path)?;
    for path in &files {
        let kind = fs::symlink_metadata(path).map_err(failed("look at", path))?;
        if kind.is_dir() {
            wipe_folder(path)?;
            fs::remove_dir(path).map_err(failed("delete", path))?;
        } else if kind.is_file() {
            wipe(path, kind.len()).map_err(failed("overwrite and delete", path))?;
        } else {
            // What a link leads to is not ours to overwrite.
            fs::remove_file(path).map_err(failed("delete", path))?;
        }
    }
    if !files.is_empty() {
        sync_folder(path)?;
    }
    Ok(files.len())
}

/// Overwrites a file with zeros, syncs, and deletes it.
fn wipe(path: &Path, length: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    io::copy(&mut io::repeat(0).take(length), &mut file)?;
    file.sync_all()?;
    drop(file);
    fs::remove_file(path)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a folder that only its owner enters.
fn make_folder(path: &Path) -> Result<(), KeystoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(failed("create", path))
}

/// Makes the names in a folder durable. Windows does so itself and has no call for it.
fn sync_folder(path: &Path) -> Result<(), KeystoreError> {
    #[cfg(unix)]
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync", path))?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
