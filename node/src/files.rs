//! The file layer: the few operations that durable files need, so that tests can take the power away at
//! any of them.
//!
//! What an implementation promises is what a disk promises, and no more. Bytes written are on the disk
//! only after [`File::sync_data`]; a new, renamed or removed name only after [`Files::sync_dir`] of its
//! folder. After an error nothing is known about what was being written.

mod disk;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use disk::Disk;

/// A folder tree in which durable files are kept.
pub trait Files: fmt::Debug + Send + Sync {
    /// Makes a file to read and write, for its owner alone (mode 0600), or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Opens a file that is there, to read and write.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Makes a folder and those above it, for their owner alone (mode 0700); nothing if it is there.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Names a file anew; takes the place of a file of that name, at once and whole.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder; nothing where folders have no existence of their own.
    fn remove_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    /// The names of the files in a folder, sorted; names that are not Unicode are left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Bytes that can still be written where `dir` lies.
    fn free_space(&self, dir: &Path) -> io::Result<u64>;
}

/// An open file.
pub trait File: fmt::Debug + Send + Sync {
    /// Length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Reads at `offset`; fewer bytes than asked for only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. After an error any part of them may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file to `size` bytes.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Makes bytes and length durable. After an error they are not, even if a second call succeeds:
    /// the system may have dropped what it could not write.
    fn sync_data(&self) -> io::Result<()>;
}

/// The whole of a file.
pub fn read_file(file: &dyn File) -> io::Result<Vec<u8>> {
    let size = usize::try_from(file.size()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; size];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Puts `bytes` at `path`, for the owner alone (mode 0600): after a power loss either the old file is
/// there or the new one, whole. On return the new one is durable.
pub fn write_atomically(files: &dyn Files, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    let mut temporary = name.to_owned();
    temporary.push(TEMPORARY);
    let temporary = dir.join(temporary);
    let file = files.create(&temporary)?;
    let written = file.write_at(bytes, 0).and_then(|()| file.sync_data());
    drop(file);
    if let Err(error) = written {
        // The first error is the one to tell; what is left of the file is overwritten next time.
        let _ = files.remove(&temporary);
        return Err(error);
    }
    files.rename(&temporary, path)?;
    files.sync_dir(dir)
}

/// What the names of files end with that were not finished.
pub const TEMPORARY: &str = ".tmp";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sub").join("file");
        Disk.create_dir(&folder.path().join("sub")).expect("a folder");
        write_atomically(&Disk, &path, b"a longer text").expect("written");
        write_atomically(&Disk, &path, b"short").expect("replaced");
        let file = Disk.open(&path).expect("opened");
        assert_eq!(read_file(&*file).expect("read"), b"short");
        assert_eq!(Disk.list(&folder.path().join("sub")).expect("listed"), ["file"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).expect("metadata").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn reads_stop_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Disk.create(&folder.path().join("file")).expect("made");
        file.write_at(b"0123456789", 0).expect("written");
        let mut buffer = [0; 8];
        assert_eq!(file.read_at(&mut buffer, 6).expect("read"), 4);
        assert_eq!(&buffer[..4], b"6789");
        file.truncate(3).expect("cut");
        assert_eq!(file.size().expect("size"), 3);
    }
}
