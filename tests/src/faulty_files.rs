//! A file layer in memory that fails as disks fail.
//!
//! It keeps two states: what programs see, and what is durable. Bytes become durable by `sync_data` of
//! their file, names by `sync_dir` of their folder. The power can be taken away at any operation that
//! changes something; what is left then is what was durable, plus, as luck has it, any of the sectors,
//! lengths and names that were not synced yet. A failed sync drops what it could not write: it is seen
//! by readers, yet a later sync does not write it (as Linux does since "fsyncgate"). Folders themselves
//! are durable at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anjuan_node::files::{File, Files};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const SECTOR: usize = 512;

/// What survives a power loss besides what was synced.
#[derive(Clone, Copy, Debug)]
pub enum Luck {
    /// Nothing.
    None,
    /// A random part of it.
    Seed(u64),
}

/// A disk that fails on demand. Clones share the disk.
#[derive(Clone, Debug, Default)]
pub struct FaultyFiles(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of names since the folder was synced, in order; none is a removal.
    renaming: Vec<(PathBuf, Option<usize>)>,
    changes: u64,
    power_fails_at: Option<u64>,
    power_is_off: bool,
    capacity: Option<u64>,
    failing_syncs: u32,
    failing_writes: u32,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    resized: bool,
}

#[derive(Debug)]
struct FaultyFile {
    disk: FaultyFiles,
    inode: usize,
}

impl FaultyFiles {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the power away at the `n`th change from now, counted from 0; that one is done by part.
    pub fn fail_power_at(&self, n: u64) {
        let mut state = self.state();
        state.power_fails_at = Some(state.changes + n);
    }

    /// Takes the power away now.
    pub fn cut_power(&self) {
        self.state().power_is_off = true;
    }

    /// Changes made so far.
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// The next `n` syncs fail and drop what they should have written.
    pub fn fail_syncs(&self, n: u32) {
        self.state().failing_syncs = n;
    }

    /// The next `n` writes fail half way.
    pub fn fail_writes(&self, n: u32) {
        self.state().failing_writes = n;
    }

    /// The disk holds this many bytes in all.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Bytes in all files.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// The disk as the next start finds it after a power loss.
    #[must_use]
    pub fn after_power_loss(&self, luck: Luck) -> Self {
        let state = self.state();
        let mut rng = match luck {
            Luck::None => None,
            Luck::Seed(seed) => Some(StdRng::seed_from_u64(seed)),
        };
        let mut names = state.durable_names.clone();
        let lucky = rng
            .as_mut()
            .map_or(0, |rng| rng.random_range(0..=state.renaming.len()));
        for (name, inode) in &state.renaming[..lucky] {
            match inode {
                Some(inode) => names.insert(name.clone(), *inode),
                None => names.remove(name),
            };
        }
        let inodes = state
            .inodes
            .iter()
            .map(|inode| inode.after_power_loss(rng.as_mut()))
            .collect();
        Self(Arc::new(Mutex::new(State {
            inodes,
            durable_names: names.clone(),
            names,
            capacity: state.capacity,
            ..State::default()
        })))
    }

    /// A disk of its own with the same durable files, to try several fates from.
    #[must_use]
    pub fn copy(&self) -> Self {
        self.after_power_loss(Luck::None)
    }

    /// The bytes of a file, if it is there.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        state
            .names
            .get(path)
            .map(|inode| state.inodes[*inode].seen.clone())
    }

    /// Puts a file there, durably, as if it had always been so; none takes it away.
    pub fn set_bytes(&self, path: &Path, bytes: Option<Vec<u8>>) {
        let mut state = self.state();
        match bytes {
            Some(bytes) => {
                state.inodes.push(Inode {
                    seen: bytes.clone(),
                    durable: bytes,
                    ..Inode::default()
                });
                let inode = state.inodes.len() - 1;
                state.names.insert(path.to_owned(), inode);
                state.durable_names.insert(path.to_owned(), inode);
            }
            None => {
                state.names.remove(path);
                state.durable_names.remove(path);
            }
        }
    }

    /// Every file.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

impl State {
    fn reading(&self) -> io::Result<()> {
        if self.power_is_off {
            Err(power_is_off())
        } else {
            Ok(())
        }
    }

    /// Counts a change; true if the power goes off during it.
    fn changing(&mut self) -> io::Result<bool> {
        self.reading()?;
        let now = self.changes;
        self.changes += 1;
        self.power_is_off = self.power_fails_at == Some(now);
        Ok(self.power_is_off)
    }

    /// As [`Self::changing`], for what is done whole or not at all.
    fn changing_at_once(&mut self) -> io::Result<()> {
        if self.changing()? {
            Err(power_is_off())
        } else {
            Ok(())
        }
    }

    fn used(&self) -> u64 {
        self.names
            .values()
            .map(|inode| self.inodes[*inode].seen.len() as u64)
            .sum()
    }

    fn name(&mut self, path: &Path, inode: Option<usize>) {
        match inode {
            Some(inode) => self.names.insert(path.to_owned(), inode),
            None => self.names.remove(path),
        };
        self.renaming.push((path.to_owned(), inode));
    }

    fn inode_of(&self, path: &Path) -> io::Result<usize> {
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Inode {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if end > self.seen.len() {
            self.seen.resize(end, 0);
            self.resized = true;
        }
        self.seen[offset..end].copy_from_slice(bytes);
        if !bytes.is_empty() {
            self.dirty.extend(offset / SECTOR..=(end - 1) / SECTOR);
        }
    }

    fn persist(&self, durable: &mut [u8], sector: usize) {
        let end = ((sector + 1) * SECTOR).min(durable.len()).min(self.seen.len());
        if let Some(there) = durable.get_mut(sector * SECTOR..end) {
            there.copy_from_slice(&self.seen[sector * SECTOR..end]);
        }
    }

    fn sync(&mut self) {
        let mut durable = std::mem::take(&mut self.durable);
        durable.resize(self.seen.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            self.persist(&mut durable, sector);
        }
        self.durable = durable;
        self.resized = false;
    }

    fn after_power_loss(&self, rng: Option<&mut StdRng>) -> Self {
        let mut durable = self.durable.clone();
        if let Some(rng) = rng {
            if self.resized {
                let (low, high) = (
                    durable.len().min(self.seen.len()),
                    durable.len().max(self.seen.len()),
                );
                let size = if rng.random_bool(0.5) {
                    self.seen.len()
                } else {
                    rng.random_range(low..=high)
                };
                durable.resize(size, 0);
            }
            for sector in &self.dirty {
                if rng.random_bool(0.5) {
                    self.persist(&mut durable, *sector);
                }
            }
        }
        Self {
            seen: durable.clone(),
            durable,
            ..Self::default()
        }
    }
}

impl Files for FaultyFiles {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        state.changing_at_once()?;
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.name(path, Some(inode));
        Ok(Arc::new(FaultyFile {
            disk: self.clone(),
            inode,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let state = self.state();
        state.reading()?;
        let inode = state.inode_of(path)?;
        Ok(Arc::new(FaultyFile {
            disk: self.clone(),
            inode,
        }))
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        self.state().reading()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.changing_at_once()?;
        let inode = state.inode_of(from)?;
        // One entry of the file system's log: never half of it.
        state.names.remove(from);
        state.names.insert(to.to_owned(), inode);
        state.renaming.push((to.to_owned(), Some(inode)));
        state.renaming.push((from.to_owned(), None));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.changing_at_once()?;
        state.inode_of(path)?;
        state.name(path, None);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.reading()?;
        let names = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(names
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.changing_at_once()?;
        let (synced, left) = std::mem::take(&mut state.renaming)
            .into_iter()
            .partition::<Vec<_>, _>(|(path, _)| path.parent() == Some(dir));
        state.renaming = left;
        for (path, inode) in synced {
            match inode {
                Some(inode) => state.durable_names.insert(path, inode),
                None => state.durable_names.remove(&path),
            };
        }
        Ok(())
    }

    fn free_space(&self, _: &Path) -> io::Result<u64> {
        let state = self.state();
        state.reading()?;
        Ok(state
            .capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used())))
    }
}

impl File for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.reading()?;
        Ok(state.inodes[self.inode].seen.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        state.reading()?;
        let seen = &state.inodes[self.inode].seen;
        let from = (offset as usize).min(seen.len());
        let length = buffer.len().min(seen.len() - from);
        buffer[..length].copy_from_slice(&seen[from..from + length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let offset = offset as usize;
        if state.changing()? {
            let part = bytes.len() / 2;
            state.inodes[self.inode].write(&bytes[..part], offset);
            return Err(power_is_off());
        }
        if state.failing_writes > 0 {
            state.failing_writes -= 1;
            state.inodes[self.inode].write(&bytes[..bytes.len() / 2], offset);
            return Err(io::Error::other("the disk failed to write"));
        }
        let size = state.inodes[self.inode].seen.len();
        let growth = (offset + bytes.len()).saturating_sub(size) as u64;
        let room = state
            .capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used()));
        if growth > room {
            let fits = bytes.len() - (growth - room) as usize;
            state.inodes[self.inode].write(&bytes[..fits], offset);
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.inodes[self.inode].write(bytes, offset);
        Ok(())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.changing_at_once()?;
        let inode = &mut state.inodes[self.inode];
        inode.seen.resize(size as usize, 0);
        inode.resized = true;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.changing_at_once()?;
        if state.failing_syncs > 0 {
            state.failing_syncs -= 1;
            let inode = &mut state.inodes[self.inode];
            inode.dirty.clear();
            return Err(io::Error::other("the disk failed to sync"));
        }
        state.inodes[self.inode].sync();
        Ok(())
    }
}
