//! Certificates: a unit authority's signed statement that a key may act.
//!
//! bytes → [`SignedCertificate`] (well formed) → [`Certified`] (signature and chain up to the root hold).
//! Whether a certificate still counts, after revocations, is for
//! [`Credentials`](super::credentials::Credentials) to say.
//!
//! The root certificate is self-signed and is the network: the network's id is the root's id. Below it,
//! authority certificates go strictly downward, and node and operator certificates are issued by the
//! authority of the same unit or of one above. A certificate is valid no longer than its issuer's, so
//! that its own dates are the only ones to check.

mod certified;
mod key;
mod signed;

use std::collections::BTreeSet;

use anjuan_sync::{AuthorKey, CertificateId, NetworkId, Path, Timestamp};
use ed25519_dalek::VerifyingKey;
use minicbor::{Decode, Encode};

pub use self::certified::{Certified, ChainError, Issue, IssueError};
pub use self::key::{KeyError, seal_key, signing_key};
pub use self::signed::SignedCertificate;
use super::encoding::{self, EncodingError, is_plain};
use super::role::Role;
use crate::unit::{ParseUnitError, UnitCode};

/// The certificate format this code writes, and the only one it reads.
pub const CERTIFICATE_VERSION: u8 = 1;
/// Bytes in the longest certificate without its signature. The fields at their bounds make 347.
pub const MAX_CERTIFICATE: usize = 384;
/// Bytes in the longest label. Room for the longest name of the division list (63 bytes), and for 21
/// Chinese characters.
pub const MAX_LABEL: usize = 64;
/// Bytes in the longest organisation code.
pub const MAX_ORGANISATION: usize = 64;
/// Roles in one certificate; 11 are known.
pub const MAX_ROLES: usize = 32;

/// What a certified key may act as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum CertificateKind {
    /// Issues certificates for a unit and those below it, and revokes them.
    #[n(0)]
    Authority,
    /// Holds the unit's records and syncs them.
    #[n(1)]
    Node,
    /// A person who signs updates.
    #[n(2)]
    Operator,
}

impl CertificateKind {
    /// The name in commands and messages.
    pub fn code(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Node => "node",
            Self::Operator => "operator",
        }
    }
}

/// The fields of a certificate, not yet checked against one another.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RawCertificate {
    /// [`CERTIFICATE_VERSION`].
    #[n(0)]
    pub version: u8,
    /// The network; none exactly in its root certificate, whose id it is.
    #[n(1)]
    pub network: Option<NetworkId>,
    /// The authority certificate under which this one is signed; none exactly for the root.
    #[n(2)]
    pub issuer: Option<CertificateId>,
    /// What the key may act as.
    #[n(3)]
    pub kind: CertificateKind,
    /// The Ed25519 key that is certified.
    #[n(4)]
    pub subject: AuthorKey,
    /// The X25519 key that particulars for this node are sealed to; nodes have one, others none.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub seal_key: Option<[u8; 32]>,
    /// The unit the key acts for.
    #[n(6)]
    pub unit: Path,
    /// The code of the organisation the person works for, if it is not the unit itself.
    #[n(7)]
    pub organisation: Option<String>,
    /// Numbers of the roles; at least one for an operator, that of the auditor or none for a node, none for
    /// an authority.
    #[n(8)]
    pub roles: BTreeSet<u8>,
    /// The name of the official, the mediator or the unit.
    #[n(9)]
    pub label: String,
    /// Counted by the issuer, from 1.
    #[n(10)]
    pub serial: u64,
    /// The first instant of validity.
    #[n(11)]
    pub not_before: Timestamp,
    /// The first instant after it.
    #[n(12)]
    pub not_after: Timestamp,
}

/// What is wrong with a certificate's bytes or fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The bytes are no certificate.
    #[error("certificate: {0}")]
    Encoding(#[from] EncodingError),
    /// A credential of another kind.
    #[error("not a certificate but a revocation")]
    Kind,
    /// A version this code does not know.
    #[error("certificate version {0} is not supported; this program reads version {CERTIFICATE_VERSION}")]
    Version(u8),
    /// Issuer without network, or the other way round, or a root that is no authority.
    #[error("a certificate has an issuer and a network, or is the root authority's and has neither")]
    Root,
    /// The certified key is weak.
    #[error("the certified key {0} is not usable: {1}")]
    Subject(AuthorKey, KeyError),
    /// The seal key is weak.
    #[error("the seal key is not usable: {0}")]
    SealKey(KeyError),
    /// A node without a seal key, or a seal key on another kind.
    #[error("a node's certificate has a seal key, and no other has")]
    SealKeyPresence,
    /// The path is not that of a unit.
    #[error(transparent)]
    Unit(#[from] ParseUnitError),
    /// The organisation's code is too long or has blanks or other characters than ASCII.
    #[error("the organisation's code has to be 1 to {MAX_ORGANISATION} visible ASCII characters")]
    Organisation,
    /// Roles on a certificate that may not have them, or none on an operator's, or too many.
    #[error("an operator has 1 to {MAX_ROLES} roles, a node none or the auditor's, and an authority none")]
    Roles,
    /// The label is empty, too long, or has characters that cannot be seen.
    #[error("the name has to have 1 to {MAX_LABEL} bytes, no control characters and no blanks at its ends")]
    Label,
    /// Serial number 0.
    #[error("serial numbers begin at 1")]
    Serial,
    /// The end is not after the beginning, or one of them is outside 2000 to 2200.
    #[error("a certificate is valid from one instant to a later one, within the years 2000 and 2200")]
    Validity,
}

/// A certificate whose fields are within bounds and consistent. Nothing is said about who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    raw: RawCertificate,
    unit: UnitCode,
    key: VerifyingKey,
}

impl Certificate {
    /// Reads the canonical encoding, and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, CertificateError> {
        Self::try_from(encoding::decode::<RawCertificate>(bytes, MAX_CERTIFICATE)?)
    }

    /// The canonical encoding: a CBOR array of 13.
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(&self.raw)
    }

    /// The network; none in the root.
    pub fn network(&self) -> Option<NetworkId> {
        self.raw.network
    }

    /// The certificate of the authority that signed; none for the root.
    pub fn issuer(&self) -> Option<CertificateId> {
        self.raw.issuer
    }

    /// What the key may act as.
    pub fn kind(&self) -> CertificateKind {
        self.raw.kind
    }

    /// The certified key.
    pub fn subject(&self) -> AuthorKey {
        self.raw.subject
    }

    /// The certified key, ready to verify with.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The X25519 key of a node.
    pub fn seal_key(&self) -> Option<[u8; 32]> {
        self.raw.seal_key
    }

    /// Where the unit stands.
    pub fn path(&self) -> &Path {
        &self.raw.unit
    }

    /// The unit.
    pub fn unit(&self) -> &UnitCode {
        &self.unit
    }

    /// The organisation's code.
    pub fn organisation(&self) -> Option<&str> {
        self.raw.organisation.as_deref()
    }

    /// The roles that this program knows.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        self.raw.roles.iter().copied().filter_map(Role::from_number)
    }

    /// Is it that of an auditor's node? Such a one holds what its unit does and follows it: nothing is
    /// recorded there, and no particulars are sealed for it.
    pub fn is_auditors_node(&self) -> bool {
        self.kind() == CertificateKind::Node && self.roles().any(|role| role == Role::Auditor)
    }

    /// Numbers of roles that a newer program added. They grant nothing here; they are kept and shown.
    pub fn unknown_roles(&self) -> impl Iterator<Item = u8> {
        let numbers = self.raw.roles.iter().copied();
        numbers.filter(|number| Role::from_number(*number).is_none())
    }

    /// The name of the official, the mediator or the unit.
    pub fn label(&self) -> &str {
        &self.raw.label
    }

    /// The issuer's number for it.
    pub fn serial(&self) -> u64 {
        self.raw.serial
    }

    /// The first instant of validity.
    pub fn not_before(&self) -> Timestamp {
        self.raw.not_before
    }

    /// The first instant after it.
    pub fn not_after(&self) -> Timestamp {
        self.raw.not_after
    }

    /// Is `time` within the validity?
    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        (self.raw.not_before..self.raw.not_after).contains(&time)
    }

    /// The fields, to change and check anew.
    pub fn into_raw(self) -> RawCertificate {
        self.raw
    }
}

impl TryFrom<RawCertificate> for Certificate {
    type Error = CertificateError;

    fn try_from(raw: RawCertificate) -> Result<Self, CertificateError> {
        if raw.version != CERTIFICATE_VERSION {
            return Err(CertificateError::Version(raw.version));
        }
        let is_root = raw.issuer.is_none();
        if raw.network.is_none() != is_root || (is_root && raw.kind != CertificateKind::Authority) {
            return Err(CertificateError::Root);
        }
        let unit = UnitCode::from_path(&raw.unit)?;
        if raw.seal_key.is_some() != (raw.kind == CertificateKind::Node) {
            return Err(CertificateError::SealKeyPresence);
        }
        let visible = |text: &String| {
            (1..=MAX_ORGANISATION).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        if !raw.organisation.as_ref().is_none_or(visible) {
            return Err(CertificateError::Organisation);
        }
        let auditor = Role::Auditor.number();
        let roles_fit = match raw.kind {
            CertificateKind::Operator => (1..=MAX_ROLES).contains(&raw.roles.len()),
            CertificateKind::Node => raw.roles.iter().all(|role| *role == auditor),
            CertificateKind::Authority => raw.roles.is_empty(),
        };
        if !roles_fit {
            return Err(CertificateError::Roles);
        }
        if !is_plain(&raw.label, MAX_LABEL) {
            return Err(CertificateError::Label);
        }
        if raw.serial == 0 {
            return Err(CertificateError::Serial);
        }
        let plausible = raw.not_before.is_plausible() && raw.not_after.is_plausible();
        if !plausible || raw.not_before >= raw.not_after {
            return Err(CertificateError::Validity);
        }
        // The curve arithmetic last: it costs more than all the rest.
        let key = signing_key(raw.subject.as_bytes())
            .map_err(|error| CertificateError::Subject(raw.subject, error))?;
        if let Some(bytes) = &raw.seal_key {
            seal_key(bytes).map_err(CertificateError::SealKey)?;
        }
        Ok(Self { raw, unit, key })
    }
}

#[cfg(test)]
mod tests;
