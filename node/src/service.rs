//! What a node can be asked to do. The command line asks for it in its own process or over the loopback
//! API of a running node; both run the same calls.

pub mod call;
pub mod error;
pub mod view;

pub use call::{Call, Progress};
pub use error::{ErrorKind, ServiceError};
