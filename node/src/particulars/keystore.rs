//! The keystore: a folder of sealed items, one file each, from which things can be deleted.
//!
//! ```text
//! format            which version of this layout
//! items/ab/abcd…    sealed items by id; a file's name is the hash of its content
//! erased/…          tombstones by the digest of their subject
//! erasing/          files on their way out: whatever lies here is overwritten and deleted on open
//! new/              files being written: the same
//! damaged/          files set aside; emptied by the next erasure
//! ```
//!
//! An item is written to `new`, synced, renamed and its folder synced before it is acknowledged. An erasure
//! first writes its tombstone durably, then moves each file to `erasing`, overwrites, syncs and deletes it;
//! wherever that breaks off, opening the keystore finishes it, and items of an erased subject are refused
//! when a peer offers them again. Overwriting reaches what the file system lets it reach: a flash disk or a
//! copy-on-write file system may keep old blocks for a while, still sealed.
//!
//! **Bounds.** One maker may have [`MAX_BODIES`] bodies and [`MAX_WRAPS`] wraps in one document: 16.6 MiB and
//! 0.5 MiB. Beyond that the items with the smallest ids stay, so that replicas that were offered the same
//! items keep the same ones, whatever the order, and nobody can crowd out anybody's items but his own. What
//! this node's operators make is refused earlier ([`OWN_BODIES`], [`OWN_WRAPS`]), so nothing of theirs is
//! ever crowded out.

mod disk;
mod index;
mod reading;
mod scan;
mod tombstone;

use std::collections::BTreeSet;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use anjuan_sync::Path;

use crate::text::Text;

use super::item::{ItemContent, ItemError, Recipient, SealedItem, VerifiedItem};
use super::name::{ItemId, Subject};
use disk::Folder;
use index::{Bucket, Index};
pub use reading::{OpenError, Preimage};
pub use scan::{Damaged, ScanReport};
pub use tombstone::Erasure;

/// Bodies that one maker may have in one document.
pub const MAX_BODIES: usize = 64;
/// Wraps that one maker may have in one document.
pub const MAX_WRAPS: usize = 1024;
/// Bodies that an operator of this node may make for one document.
pub const OWN_BODIES: usize = 48;
/// Wraps that an operator of this node may make for one document.
pub const OWN_WRAPS: usize = 768;

/// Why the keystore could not do something.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The disk.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Written by a newer program, or not a keystore.
    #[error("{} is not a keystore that this program reads (format {found:?}, expected {expected:?}); use the \
             program that wrote it, or a newer one", path.display())]
    Format {
        /// The folder.
        path: PathBuf,
        /// What its format file says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// An item's file no longer is what it was. It was set aside; a peer has another copy.
    #[error("sealed item {0} is damaged on disk; it was set aside and will be fetched again from a peer")]
    Damaged(ItemId),
    /// Too many items by one operator in one document.
    #[error(
        "this operator has sealed {most} {what} in this document already, which is the most there can be"
    )]
    Full {
        /// Bodies or wraps.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// The subject was erased.
    #[error("these particulars were erased; they cannot be sealed again under the same commitment")]
    Erased,
}

/// What became of an offered item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Durably stored.
    Stored(ItemId),
    /// It was here already.
    Known(ItemId),
    /// Its subject was erased here.
    Erased,
    /// Not taken.
    Refused(Refusal),
}

/// Why an item is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not an item, or not its maker's.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// The maker may not write there.
    #[error("{0}")]
    Judge(Text),
    /// Its maker has too many in this document.
    #[error("the maker has more sealed items in this document than a node keeps")]
    TooMany,
}

/// Tells whether the maker of an item may write to its subject's space. Refusals are for people.
pub type Judge<'a> = dyn Fn(&VerifiedItem) -> Result<(), Text> + 'a;

/// Sealed items on disk, indexed in memory. Can be shared between threads: writers wait for one another,
/// readers never wait for the disk.
#[derive(Debug)]
pub struct Keystore {
    folder: Folder,
    index: RwLock<Index>,
    writer: Mutex<()>,
}

impl Keystore {
    /// Opens or creates the keystore in `root`: finishes erasures that broke off, sets damaged files aside,
    /// reads all items into the index. Reads every file once.
    pub fn open(root: &FilePath) -> Result<(Self, ScanReport), KeystoreError> {
        let folder = Folder::open(root)?;
        let mut index = Index::default();
        let report = scan::scan(&folder, &mut index)?;
        let keystore = Self {
            folder,
            index: RwLock::new(index),
            writer: Mutex::new(()),
        };
        Ok((keystore, report))
    }

    /// Takes one item from a peer; see [`Self::offer_all`].
    pub fn offer(&self, bytes: &[u8], judge: &Judge<'_>) -> Result<Offered, KeystoreError> {
        let mut results = self.offer_all(&[bytes], judge)?;
        Ok(results.pop().expect("one result for one item"))
    }

    /// Takes items from a peer: each is decoded, its signature checked, judged, and stored. What is
    /// reported as stored is durable when this returns; folders are synced once for the whole batch.
    ///
    /// # Errors
    /// When the disk fails. Items before the failing one may be stored.
    pub fn offer_all(&self, items: &[&[u8]], judge: &Judge<'_>) -> Result<Vec<Offered>, KeystoreError> {
        let _writer = self.lock_writer();
        let judged: Vec<_> = items.iter().map(|bytes| self.judge(bytes, judge)).collect();
        let fresh: Vec<_> = judged.iter().filter_map(|judged| judged.as_ref().ok()).collect();
        let staged = self.folder.stage_items(&fresh)?;
        let mut touched = BTreeSet::new();
        let results = judged
            .into_iter()
            .map(|judged| match judged {
                Ok(item) => self.place(&item, &mut touched),
                Err(offered) => Ok(offered),
            })
            .collect::<Result<_, _>>()?;
        self.folder.sync_shelves(&touched)?;
        drop(staged);
        Ok(results)
    }

    /// The item, if it is one to be stored; otherwise what becomes of it.
    fn judge(&self, bytes: &[u8], judge: &Judge<'_>) -> Result<VerifiedItem, Offered> {
        let refused = |error: ItemError| Offered::Refused(error.into());
        let item = SealedItem::decode(bytes).map_err(refused)?;
        if self.contains(item.id()) {
            return Err(Offered::Known(item.id()));
        }
        if self.is_erased(item.subject()) {
            return Err(Offered::Erased);
        }
        let item = item.verify().map_err(refused)?;
        judge(&item).map_err(|reason| Offered::Refused(Refusal::Judge(reason)))?;
        if self
            .read_index()
            .is_beyond(&Bucket::of(item.get()), item.get().id())
        {
            return Err(Offered::Refused(Refusal::TooMany));
        }
        Ok(item)
    }

    /// Puts a staged item in its place, and out those that it crowds out.
    fn place(&self, item: &VerifiedItem, touched: &mut BTreeSet<u8>) -> Result<Offered, KeystoreError> {
        let id = item.get().id();
        let bucket = Bucket::of(item.get());
        if self.contains(id) {
            // Twice in one batch.
            return Ok(Offered::Known(id));
        }
        self.folder.place_item(id)?;
        touched.insert(id.as_bytes()[0]);
        self.write_index().insert(item.get());
        let crowded_out = self.read_index().beyond(&bucket);
        if crowded_out.is_empty() {
            return Ok(Offered::Stored(id));
        }
        self.folder.wipe_items(&crowded_out)?;
        self.forget(&crowded_out);
        // The others of its batch may have filled the bucket.
        if crowded_out.contains(&id) {
            Ok(Offered::Refused(Refusal::TooMany))
        } else {
            Ok(Offered::Stored(id))
        }
    }

    /// Stores what this node's operator made. All is durable when this returns.
    ///
    /// # Errors
    /// When the operator has too many items in the document, when the subject was erased, or when the disk
    /// fails. On the first two nothing is stored.
    pub fn add(&self, items: &[VerifiedItem]) -> Result<(), KeystoreError> {
        let _writer = self.lock_writer();
        {
            let index = self.read_index();
            for item in items {
                if index.is_erased(item.get().subject()) {
                    return Err(KeystoreError::Erased);
                }
                let bucket = Bucket::of(item.get());
                let new = items
                    .iter()
                    .filter(|item| Bucket::of(item.get()) == bucket)
                    .count();
                let (what, most) = match item.get().content() {
                    ItemContent::Body { .. } => ("bodies", OWN_BODIES),
                    ItemContent::Wrap { .. } => ("wraps", OWN_WRAPS),
                };
                if index.count(&bucket) + new > most {
                    return Err(KeystoreError::Full { what, most });
                }
            }
        }
        let new: Vec<_> = items
            .iter()
            .filter(|item| !self.contains(item.get().id()))
            .collect();
        let staged = self.folder.stage_items(&new)?;
        let mut touched = BTreeSet::new();
        for item in &new {
            self.folder.place_item(item.get().id())?;
            touched.insert(item.get().id().as_bytes()[0]);
        }
        self.folder.sync_shelves(&touched)?;
        drop(staged);
        let mut index = self.write_index();
        for item in new {
            index.insert(item.get());
        }
        Ok(())
    }

    /// Is this item here?
    pub fn contains(&self, id: ItemId) -> bool {
        self.read_index().contains(id)
    }

    /// The item's bytes, checked against its id; none where it is not here.
    ///
    /// # Errors
    /// When the file is damaged; it is set aside then, and no longer counts as here.
    pub fn get(&self, id: ItemId) -> Result<Option<Vec<u8>>, KeystoreError> {
        if !self.contains(id) {
            return Ok(None);
        }
        match self.folder.read_item(id) {
            Ok(Some(bytes)) if SealedItem::id_of(&bytes) == id => Ok(Some(bytes)),
            // Erased or crowded out since the look at the index.
            Ok(None) if !self.contains(id) => Ok(None),
            Ok(_) => {
                let _writer = self.lock_writer();
                if !self.contains(id) {
                    return Ok(None);
                }
                self.write_index().remove(id);
                self.folder.set_item_aside(id)?;
                Err(KeystoreError::Damaged(id))
            }
            Err(error) => Err(error),
        }
    }

    /// Every place in the tree that has items, in order.
    pub fn paths(&self) -> Vec<Path> {
        self.read_index().paths().cloned().collect()
    }

    /// The ids of the items exactly at `path`, in order: what the digests of the sealed tree cover.
    pub fn ids(&self, path: &Path) -> Vec<ItemId> {
        self.read_index().ids(path).collect()
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.read_index().len()
    }

    /// Is there no item?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Is a body of these particulars here?
    pub fn has_body(&self, subject: &Subject) -> bool {
        self.read_index().bodies(subject).next().is_some()
    }

    /// For whom the data key of these particulars is wrapped, as far as is known here.
    pub fn recipients(&self, subject: &Subject) -> Vec<Recipient> {
        self.read_index()
            .wraps(subject)
            .map(|(_, recipient)| recipient)
            .collect()
    }

    /// Was this erased here?
    pub fn is_erased(&self, subject: &Subject) -> bool {
        self.read_index().is_erased(subject)
    }

    /// The event that ordered the erasure of this subject; none also where its tombstone is damaged.
    pub fn erasure(&self, subject: &Subject) -> Option<Erasure> {
        self.read_index().erasure(subject)
    }

    /// Destroys the bodies and wraps of `subject` and keeps a tombstone that names the event which ordered
    /// it. Can be called again, for instance after an error: it goes on where it broke off. Returns how many
    /// items it destroyed.
    pub fn erase(&self, subject: &Subject, erasure: Erasure) -> Result<usize, KeystoreError> {
        let _writer = self.lock_writer();
        if self.read_index().erasure(subject).is_none() {
            self.folder
                .write_tombstone(&subject.digest(), &tombstone::encode(subject, erasure))?;
        }
        let ids: Vec<_> = {
            let mut index = self.write_index();
            index.erase(subject.digest(), Some(erasure));
            index.all(subject).collect()
        };
        self.folder.wipe_items(&ids)?;
        self.folder.wipe_leftovers()?;
        // Only now: after an error, the next call still knows what there is to destroy.
        self.forget(&ids);
        Ok(ids.len())
    }

    /// Takes items of `subject` again. For when the event that ordered the erasure turns out not to count,
    /// after a late revocation; other nodes that did not erase may still have them.
    pub fn lift(&self, subject: &Subject) -> Result<(), KeystoreError> {
        let _writer = self.lock_writer();
        self.folder.remove_tombstone(&subject.digest())?;
        self.write_index().lift(&subject.digest());
        Ok(())
    }

    fn forget(&self, ids: &[ItemId]) {
        let mut index = self.write_index();
        for id in ids {
            index.remove(*id);
        }
    }

    fn lock_writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_index(&self) -> std::sync::RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_index(&self) -> std::sync::RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
