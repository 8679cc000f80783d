//! Files that the user names.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text;

/// The content of a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ServiceError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    let name = path.display();
    match read {
        Err(error) => Err(ServiceError::new(
            ErrorKind::Usage,
            text!("无法读取 {name}:{error}", "cannot read {name}: {error}"),
        )),
        Ok(_) if bytes.len() as u64 > limit => Err(ServiceError::new(
            ErrorKind::Usage,
            text!("{name} 超过 {limit} 字节", "{name} is over {limit} bytes"),
        )),
        Ok(_) => Ok(bytes),
    }
}

/// Refuses a path where something stands already.
pub fn check_free(path: &Path) -> Result<(), ServiceError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unwritable(path, &error)),
        Ok(_) => Err(unwritable(path, &io::ErrorKind::AlreadyExists.into())),
    }
}

/// Writes a new file, for this user alone; what exists is left as it is.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), ServiceError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> ServiceError {
    let name = path.display();
    let (kind, hint) = match error.kind() {
        io::ErrorKind::AlreadyExists => (ErrorKind::Usage, text!("换一个文件名", "choose another name")),
        io::ErrorKind::StorageFull => (ErrorKind::Storage, text!("清理磁盘", "make room on the disk")),
        _ => (
            ErrorKind::Usage,
            text!("检查路径和权限", "check the path and its permissions"),
        ),
    };
    ServiceError::new(
        kind,
        text!("无法写入 {name}:{error}", "cannot write {name}: {error}"),
    )
    .with_hint(hint)
}
