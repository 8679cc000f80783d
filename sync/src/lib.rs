//! Signed updates, the logs they form, and the sessions that level two replicas.
//!
//! This crate knows nothing of cases. It moves signed updates between replicas and hands every received
//! one out to be judged; what an update means, and whether it counts, is decided above.

pub mod bundle;
pub mod digest;
pub mod driver;
pub mod hash;
pub mod id;
pub mod log;
pub mod path;
pub mod replica;
pub mod session;
pub mod signed;
pub mod transport;
pub mod update;
pub mod verify;

pub use hash::Digest;
pub use id::{
    AuthorKey, CertificateId, DocumentId, ItemId, LogEpoch, NetworkId, NodeKey, PayloadHash, StoreEpoch,
    UpdateId,
};
pub use log::{Head, LogId, LogState};
pub use path::{Path, Reach, Scope, Space};
pub use signed::{SignatureVerified, SignedHeader, SignedUpdate};
pub use update::{Header, RawHeader, Timestamp};
