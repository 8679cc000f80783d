//! Errors as a person or a script meets them: kind, what happened, what to do.

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// What kind of failure. Scripts tell them apart by exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The request itself is not well formed: unknown unit, impossible date, missing field.
    Usage,
    /// No such document, operator, peer or home.
    NotFound,
    /// The signer's role or unit, or the state of the document, forbids it.
    Forbidden,
    /// A passphrase is wrong or missing, or a key is locked.
    Locked,
    /// A ticket or certificate is expired, used, foreign or refused.
    Refused,
    /// The home is in use by another process, or a port is taken.
    Busy,
    /// A file of this home is damaged, or from a newer version.
    Damaged,
    /// The disk is full or fails; nothing more is acknowledged.
    Storage,
    /// A peer cannot be reached or broke off.
    Network,
    /// What was asked to be checked does not hold.
    Unproven,
    /// A fault in this program.
    Internal,
}

impl ErrorKind {
    /// The exit code of the command line. 1 is left for what a shell or runtime does on its own.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Forbidden => 4,
            Self::Locked => 5,
            Self::Refused => 6,
            Self::Busy => 7,
            Self::Damaged => 8,
            Self::Storage => 9,
            Self::Network => 10,
            Self::Unproven => 11,
            Self::Internal => 70,
        }
    }
}

/// A failure with its message and, where something can be done, a hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ServiceError {
    /// What kind.
    pub kind: ErrorKind,
    /// What happened, to what, where.
    pub message: Text,
    /// What to do about it.
    pub hint: Option<Text>,
}

impl ServiceError {
    /// A failure without a hint.
    pub fn new(kind: ErrorKind, message: Text) -> Self {
        Self {
            kind,
            message,
            hint: None,
        }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: Text) -> Self {
        self.hint = Some(hint);
        self
    }
}
