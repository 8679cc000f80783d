//! Opening: what lies in the folder becomes the index.

use std::path::{Path, PathBuf};

use super::KeystoreError;
use super::disk::{Folder, list};
use super::index::Index;
use super::tombstone;
use crate::particulars::item::{ItemError, SealedItem};
use crate::particulars::name::ItemId;

/// What opening a keystore found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Items in the index.
    pub items: usize,
    /// Erased subjects.
    pub erased: usize,
    /// Files of erasures or writes that had broken off, now destroyed.
    pub finished: usize,
    /// Files that are not what they should be.
    pub damaged: Vec<Damaged>,
}

/// A file that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Where it lay.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
    /// Was it moved to `damaged`? Tombstones and items of a newer version are left in place.
    pub set_aside: bool,
}

pub(super) fn scan(folder: &Folder, index: &mut Index) -> Result<ScanReport, KeystoreError> {
    let mut report = ScanReport {
        finished: folder.finish_wiping()?,
        ..ScanReport::default()
    };
    for path in list(&folder.tombstones())? {
        read_tombstone(&path, index, &mut report)?;
    }
    let mut to_erase = Vec::new();
    for shelf in list(&folder.items())? {
        if !shelf.is_dir() {
            set_aside(folder, &shelf, "not a folder of items".into(), &mut report)?;
            continue;
        }
        for path in list(&shelf)? {
            let item = match read_item(folder, &path)? {
                Ok(item) => item,
                Err(error @ ItemError::Version(_)) => {
                    report.damaged.push(Damaged {
                        path,
                        reason: error.to_string(),
                        set_aside: false,
                    });
                    continue;
                }
                Err(error) => {
                    set_aside(folder, &path, error.to_string(), &mut report)?;
                    continue;
                }
            };
            if index.is_erased(item.subject()) {
                to_erase.push(item.id());
            } else {
                index.insert(&item);
                report.items += 1;
            }
        }
    }
    if !to_erase.is_empty() {
        folder.wipe_items(&to_erase)?;
        folder.wipe_leftovers()?;
        report.finished += to_erase.len();
    }
    Ok(report)
}

/// A tombstone's name alone says which subject it is about, so a damaged one still keeps it erased.
fn read_tombstone(path: &Path, index: &mut Index, report: &mut ScanReport) -> Result<(), KeystoreError> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let mut digest = [0; 32];
    let named = hex::decode_to_slice(name, &mut digest).is_ok();
    let read = if path.is_file() {
        tombstone::decode(&Folder::read_tombstone(path)?).filter(|(subject, _)| subject.digest() == digest)
    } else {
        None
    };
    let readable = named && read.is_some();
    if named {
        index.erase(digest, read.map(|(_, erasure)| erasure));
        report.erased += 1;
    }
    if !readable {
        report.damaged.push(Damaged {
            path: path.to_owned(),
            reason: "not a tombstone that can be read".into(),
            set_aside: false,
        });
    }
    Ok(())
}

/// The item in a file, if its name is the hash of its content and it is where its name belongs.
fn read_item(folder: &Folder, path: &Path) -> Result<Result<SealedItem, ItemError>, KeystoreError> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let Ok(id) = name.parse::<ItemId>() else {
        return Ok(Err(ItemError::Malformed));
    };
    if folder.item(id) != path || !path.is_file() {
        return Ok(Err(ItemError::Malformed));
    }
    let bytes = folder.read_item(id)?.unwrap_or_default();
    if SealedItem::id_of(&bytes) != id {
        return Ok(Err(ItemError::Malformed));
    }
    Ok(SealedItem::decode(&bytes))
}

fn set_aside(
    folder: &Folder,
    path: &Path,
    reason: String,
    report: &mut ScanReport,
) -> Result<(), KeystoreError> {
    folder.set_aside(path)?;
    report.damaged.push(Damaged {
        path: path.to_owned(),
        reason,
        set_aside: true,
    });
    Ok(())
}
