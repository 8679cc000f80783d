//! Files in memory that are never synced: for thousands of journals in one process.
//!
//! A program that ends loses them. That a journal survives a power cut is shown by the storage tests, not
//! here.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anjuan_node::files::{File, Files};

/// Bytes a file grows by. A village's journal of a year has some 100 KB.
const CHUNK: usize = 16 * 1024;

/// A folder tree in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(Arc<Mutex<BTreeMap<PathBuf, Arc<MemoryFile>>>>);

#[derive(Debug, Default)]
struct MemoryFile(Mutex<Content>);

#[derive(Clone, Debug, Default)]
struct Content {
    chunks: Vec<Vec<u8>>,
    size: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryFiles {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree of its own with the same files: a backup.
    #[must_use]
    pub fn copy(&self) -> Self {
        let files = lock(&self.0);
        let copies = files.iter().map(|(path, file)| {
            let content = lock(&file.0).clone();
            (path.clone(), Arc::new(MemoryFile(Mutex::new(content))))
        });
        Self(Arc::new(Mutex::new(copies.collect())))
    }

    /// The same files under another folder.
    #[must_use]
    pub fn moved(&self, from: &Path, to: &Path) -> Self {
        let files = lock(&self.0);
        let renamed = files.iter().map(|(path, file)| {
            let path = path
                .strip_prefix(from)
                .map_or_else(|_| path.clone(), |rest| to.join(rest));
            (path, Arc::clone(file))
        });
        Self(Arc::new(Mutex::new(renamed.collect())))
    }

    fn find(&self, path: &Path) -> io::Result<Arc<MemoryFile>> {
        let found = lock(&self.0).get(path).cloned();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Files for MemoryFiles {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = Arc::new(MemoryFile::default());
        lock(&self.0).insert(path.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.find(path)?)
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = lock(&self.0);
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = lock(&self.0).remove(path);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let files = lock(&self.0);
        let inside = files.keys().filter(|path| path.parent() == Some(dir));
        let names = inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        Ok(names.collect())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn free_space(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX / 2)
    }
}

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl Content {
    fn resize(&mut self, size: usize) {
        self.chunks.truncate(size.div_ceil(CHUNK));
        if size < self.size && !size.is_multiple_of(CHUNK) {
            // What comes back after a cut is zero.
            if let Some(last) = self.chunks.last_mut() {
                last[size % CHUNK..].fill(0);
            }
        }
        self.chunks.resize_with(size.div_ceil(CHUNK), || vec![0; CHUNK]);
        self.size = size;
    }
}

impl File for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(lock(&self.0).size as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = lock(&self.0);
        let from = index(offset)?.min(content.size);
        let length = buffer.len().min(content.size - from);
        let mut done = 0;
        while done < length {
            let at = from + done;
            let chunk = &content.chunks[at / CHUNK][at % CHUNK..];
            let some = chunk.len().min(length - done);
            buffer[done..done + some].copy_from_slice(&chunk[..some]);
            done += some;
        }
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut content = lock(&self.0);
        let from = index(offset)?;
        if from + bytes.len() > content.size {
            content.resize(from + bytes.len());
        }
        let mut done = 0;
        while done < bytes.len() {
            let at = from + done;
            let chunk = &mut content.chunks[at / CHUNK][at % CHUNK..];
            let some = chunk.len().min(bytes.len() - done);
            chunk[..some].copy_from_slice(&bytes[done..done + some]);
            done += some;
        }
        Ok(())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        lock(&self.0).resize(index(size)?);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anjuan_node::files::read_file;

    #[test]
    fn it_reads_back_what_was_written_across_chunks() {
        let files = MemoryFiles::new();
        let path = Path::new("/a/file");
        let bytes: Vec<u8> = (0..3 * CHUNK + 5).map(|n| n as u8).collect();
        let file = files.create(path).expect("made");
        file.write_at(&bytes[..CHUNK + 1], 0).expect("written");
        file.write_at(&bytes[CHUNK..], CHUNK as u64).expect("written");
        assert_eq!(read_file(&*file).expect("read"), bytes);

        let copy = files.copy();
        file.truncate(7).expect("cut");
        file.write_at(&[9], 9).expect("written");
        let expected = [&bytes[..7], &[0, 0, 9]].concat();
        let again = files.open(path).expect("there");
        assert_eq!(read_file(&*again).expect("read"), expected);
        let kept = copy.open(path).expect("there");
        assert_eq!(
            read_file(&*kept).expect("read"),
            bytes,
            "a backup stays as it was"
        );
    }

    #[test]
    fn names_are_listed_by_folder() {
        let files = MemoryFiles::new();
        for name in ["/a/2", "/a/1", "/b/3"] {
            files.create(Path::new(name)).expect("made");
        }
        files
            .rename(Path::new("/b/3"), Path::new("/a/3"))
            .expect("renamed");
        files.remove(Path::new("/a/2")).expect("removed");
        assert_eq!(files.list(Path::new("/a")).expect("listed"), ["1", "3"]);
        assert!(files.open(Path::new("/b/3")).is_err());
    }
}
