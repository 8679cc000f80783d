//! `api.json` in a node's home: where the running node listens, and the token.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::token::Token;
use crate::service::{ErrorKind, ServiceError};
use crate::text;

const FILE: &str = "api.json";
const FORMAT: u32 = 1;
/// More than any such file has.
const MAX_BYTES: u64 = 4096;

/// Where a running node answers.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// What a client has to show.
    pub token: Token,
    /// The node's process.
    pub pid: u32,
}

/// The file's content. Its address is only ever a loopback one: a client must not be led elsewhere.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    address: SocketAddr,
    token: Token,
    pid: u32,
}

/// Read alone first, since a newer format may have other fields.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Reading or writing an endpoint failed.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read the token.
    #[error("{path} can be read by other users")]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The content makes no sense.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A newer program wrote it.
    #[error("{path} has format {version}; this program reads format {FORMAT}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
}

impl Endpoint {
    /// The address to connect to.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The endpoint that stands in `home`; `None` if no node runs there, or none says so.
    pub fn read(home: &Path) -> Result<Option<Self>, EndpointError> {
        let path = home.join(FILE);
        let read = |source| EndpointError::Read {
            path: path.clone(),
            source,
        };
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(read)?,
        };
        if exposed(&file).map_err(read)? {
            return Err(EndpointError::Exposed { path });
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(read)?;

        let damaged = |reason: String| EndpointError::Damaged {
            path: path.clone(),
            reason,
        };
        let Version { version } = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if version > FORMAT {
            return Err(EndpointError::Newer { path, version });
        }
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if stored.address.ip() != Ipv4Addr::LOCALHOST {
            return Err(damaged(format!("{} is not the loopback address", stored.address)));
        }
        Ok(Some(Self {
            port: stored.address.port(),
            token: stored.token,
            pid: stored.pid,
        }))
    }

    /// Writes the endpoint to `home`, whole or not at all, readable by this user alone.
    pub fn write(&self, home: &Path) -> Result<(), EndpointError> {
        let path = home.join(FILE);
        let stored = Stored {
            version: FORMAT,
            address: self.address(),
            token: self.token.clone(),
            pid: self.pid,
        };
        write_private(home, &path, &stored).map_err(|source| EndpointError::Write { path, source })
    }

    /// Takes the file away again, unless another node has written its own since.
    pub fn remove(&self, home: &Path) -> Result<(), EndpointError> {
        let own = Self::read(home)?.is_some_and(|found| self.token.admits(&found.token.bearer()));
        if !own {
            return Ok(());
        }
        let path = home.join(FILE);
        fs::remove_file(&path).map_err(|source| EndpointError::Write { path, source })
    }
}

fn write_private(home: &Path, path: &Path, stored: &Stored) -> io::Result<()> {
    let draft = home.join("api.json.new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(&serde_json::to_vec(stored).map_err(io::Error::other)?)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

#[cfg(unix)]
fn exposed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

/// Elsewhere the home's own access list protects it.
#[cfg(not(unix))]
fn exposed(_: &File) -> io::Result<bool> {
    Ok(false)
}

impl From<EndpointError> for ServiceError {
    fn from(error: EndpointError) -> Self {
        match &error {
            EndpointError::Read { path, source } | EndpointError::Write { path, source } => {
                let path = path.display();
                Self::new(
                    ErrorKind::Storage,
                    text!(
                        "无法读写 {path}:{source}",
                        "cannot read or write {path}: {source}"
                    ),
                )
            }
            EndpointError::Exposed { path } => {
                let path = path.display();
                Self::new(
                    ErrorKind::Damaged,
                    text!("其他用户可以读取 {path}", "{path} can be read by other users"),
                )
                .with_hint(text!(
                    "停止节点,删除该文件,再启动节点:口令令牌会更新",
                    "stop the node, delete the file and start the node again: it makes a new token"
                ))
            }
            EndpointError::Damaged { path, reason } => {
                let path = path.display();
                Self::new(
                    ErrorKind::Damaged,
                    text!("{path} 已损坏:{reason}", "{path} is damaged: {reason}"),
                )
                .with_hint(text!(
                    "停止节点,删除该文件,再启动节点",
                    "stop the node, delete the file and start the node again"
                ))
            }
            EndpointError::Newer { path, version } => {
                let path = path.display();
                Self::new(
                    ErrorKind::Damaged,
                    text!(
                        "{path} 的格式是 {version},本程序只认识 {FORMAT}",
                        "{path} has format {version}; this program reads format {FORMAT}"
                    ),
                )
                .with_hint(text!(
                    "使用与运行中的节点相同版本的程序",
                    "use the same version of the program as the running node"
                ))
            }
        }
    }
}
