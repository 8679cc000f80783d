//! The proof that a certificate was issued, link by link, under the network's root.

use std::collections::BTreeSet;
use std::sync::Arc;

use anjuan_sync::{AuthorKey, CertificateId, NetworkId, Path, Timestamp};
use ed25519_dalek::SigningKey;

use super::{
    CERTIFICATE_VERSION, Certificate, CertificateError, CertificateKind, RawCertificate, SignedCertificate,
};
use crate::authority::role::Role;
use crate::kind::Signer;
use crate::unit::UnitCode;

/// Why a well-formed certificate is not one of the network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Offered as the root, but names an issuer.
    #[error("certificate {0} is not a root certificate: it names an issuer")]
    NotARoot(CertificateId),
    /// The issuer given is not the one named, or none is named.
    #[error("certificate {0} was not issued under the certificate it was checked against")]
    Issuer(CertificateId),
    /// Another network's.
    #[error("certificate {id} belongs to network {named}, not to {ours}")]
    ForeignNetwork {
        /// The certificate.
        id: CertificateId,
        /// The network it names.
        named: NetworkId,
        /// The network of its issuer.
        ours: NetworkId,
    },
    /// The issuer is not an authority.
    #[error("certificate {id} was issued under {issuer}, which is not an authority's")]
    NotAnAuthority {
        /// The certificate.
        id: CertificateId,
        /// Its issuer.
        issuer: CertificateId,
    },
    /// The issuer's unit has no say over the certificate's.
    #[error(
        "the authority of {issuer} cannot certify {} of {unit}; {}",
        .kind.code(), reach_of(*.kind)
    )]
    Reach {
        /// What was certified.
        kind: CertificateKind,
        /// For which unit.
        unit: Path,
        /// By whose authority.
        issuer: Path,
    },
    /// Valid before or after its issuer.
    #[error("certificate {0} is valid outside its issuer's validity")]
    Validity(CertificateId),
    /// The signature is not the issuer's.
    #[error("the signature on certificate {0} is not its issuer's")]
    Forged(CertificateId),
}

fn reach_of(kind: CertificateKind) -> &'static str {
    match kind {
        CertificateKind::Authority => "an authority is certified from a unit above it",
        CertificateKind::Node | CertificateKind::Operator => "only that of the same unit or one above it can",
    }
}

/// Why a certificate cannot be issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// A field is out of bounds.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The issuer may not.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The key to sign with is not the one that the issuing certificate is for.
    #[error("the authority key is not the one that certificate {0} is for")]
    WrongKey(CertificateId),
}

/// What an authority is asked to certify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// What the key may act as.
    pub kind: CertificateKind,
    /// The key.
    pub subject: AuthorKey,
    /// The X25519 key, for a node.
    pub seal_key: Option<[u8; 32]>,
    /// The unit the key acts for.
    pub unit: UnitCode,
    /// The organisation's code, if it is not the unit itself.
    pub organisation: Option<String>,
    /// Roles, for an operator.
    pub roles: BTreeSet<Role>,
    /// The name of the official, the mediator or the unit.
    pub label: String,
    /// The issuer's number; [`Credentials::next_serial`](crate::authority::credentials::Credentials::next_serial).
    pub serial: u64,
    /// The first instant of validity.
    pub not_before: Timestamp,
    /// The first instant after it; cut to the end of the issuer's validity.
    pub not_after: Timestamp,
}

/// A certificate whose signature and chain up to the network's root hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    signed: SignedCertificate,
    issuer: Option<Arc<Self>>,
    network: NetworkId,
}

impl Certified {
    /// Checks a root certificate: self-signed. Who trusts a network trusts its root; nothing else can
    /// vouch for it.
    pub fn root(signed: SignedCertificate) -> Result<Self, ChainError> {
        let id = signed.id();
        if signed.certificate().issuer().is_some() {
            return Err(ChainError::NotARoot(id));
        }
        if !signed.is_signed_by(signed.certificate().key()) {
            return Err(ChainError::Forged(id));
        }
        Ok(Self {
            signed,
            issuer: None,
            network: NetworkId::of_root(id),
        })
    }

    /// Checks a certificate against the one it was issued under.
    pub fn issued(signed: SignedCertificate, issuer: &Arc<Self>) -> Result<Self, ChainError> {
        let (id, certificate, above) = (signed.id(), signed.certificate(), issuer.certificate());
        if certificate.issuer() != Some(issuer.id()) {
            return Err(ChainError::Issuer(id));
        }
        if let Some(named) = certificate.network()
            && named != issuer.network
        {
            return Err(ChainError::ForeignNetwork {
                id,
                named,
                ours: issuer.network,
            });
        }
        if above.kind() != CertificateKind::Authority {
            return Err(ChainError::NotAnAuthority {
                id,
                issuer: issuer.id(),
            });
        }
        let same_unit_suffices = certificate.kind() != CertificateKind::Authority;
        let within = above.path().is_at_or_above(certificate.path())
            && (same_unit_suffices || above.path() != certificate.path());
        if !within {
            return Err(ChainError::Reach {
                kind: certificate.kind(),
                unit: certificate.path().clone(),
                issuer: above.path().clone(),
            });
        }
        if certificate.not_before() < above.not_before() || certificate.not_after() > above.not_after() {
            return Err(ChainError::Validity(id));
        }
        if !signed.is_signed_by(above.key()) {
            return Err(ChainError::Forged(id));
        }
        Ok(Self {
            signed,
            network: issuer.network,
            issuer: Some(issuer.clone()),
        })
    }

    /// Founds a network: the self-signed certificate of its topmost authority.
    pub fn found(
        key: &SigningKey,
        unit: &UnitCode,
        label: String,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<Self, IssueError> {
        let certificate = Certificate::try_from(RawCertificate {
            version: CERTIFICATE_VERSION,
            network: None,
            issuer: None,
            kind: CertificateKind::Authority,
            subject: AuthorKey::from_bytes(key.verifying_key().to_bytes()),
            seal_key: None,
            unit: unit.path(),
            organisation: None,
            roles: BTreeSet::new(),
            label,
            serial: 1,
            not_before,
            not_after,
        })?;
        Ok(Self::root(SignedCertificate::sign(certificate, key))?)
    }

    /// Issues a certificate under this one, and checks it as everybody else will.
    ///
    /// # Errors
    /// When a field is out of bounds, when this certificate may not issue it, or `key` is not its key.
    pub fn issue(self: &Arc<Self>, key: &SigningKey, issue: Issue) -> Result<Self, IssueError> {
        if key.verifying_key() != *self.certificate().key() {
            return Err(IssueError::WrongKey(self.id()));
        }
        let certificate = Certificate::try_from(RawCertificate {
            version: CERTIFICATE_VERSION,
            network: Some(self.network),
            issuer: Some(self.id()),
            kind: issue.kind,
            subject: issue.subject,
            seal_key: issue.seal_key,
            unit: issue.unit.path(),
            organisation: issue.organisation,
            roles: issue.roles.into_iter().map(Role::number).collect(),
            label: issue.label,
            serial: issue.serial,
            not_before: issue.not_before,
            not_after: issue.not_after.min(self.certificate().not_after()),
        })?;
        Ok(Self::issued(SignedCertificate::sign(certificate, key), self)?)
    }

    /// Issues anew, under this certificate, what another authority had issued: the same key, unit, name
    /// and roles, unknown ones too.
    pub fn reissue(
        self: &Arc<Self>,
        key: &SigningKey,
        former: &Certificate,
        serial: u64,
        not_before: Timestamp,
    ) -> Result<Self, IssueError> {
        if key.verifying_key() != *self.certificate().key() {
            return Err(IssueError::WrongKey(self.id()));
        }
        let certificate = Certificate::try_from(RawCertificate {
            network: Some(self.network),
            issuer: Some(self.id()),
            serial,
            not_before,
            not_after: former.not_after().min(self.certificate().not_after()),
            ..former.clone().into_raw()
        })?;
        Ok(Self::issued(SignedCertificate::sign(certificate, key), self)?)
    }

    /// The certificate with its signature.
    pub fn signed(&self) -> &SignedCertificate {
        &self.signed
    }

    /// What it says.
    pub fn certificate(&self) -> &Certificate {
        self.signed.certificate()
    }

    /// Its id.
    pub fn id(&self) -> CertificateId {
        self.signed.id()
    }

    /// The network.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// The certificate it was issued under; none for the root.
    pub fn issuer(&self) -> Option<&Arc<Self>> {
        self.issuer.as_ref()
    }

    /// This certificate and each one above it, the root last. No longer than the tree has levels, plus one.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |certified| certified.issuer.as_deref())
    }

    /// The signer that an operator's certificate makes; `None` for other kinds.
    pub fn signer(&self) -> Option<Signer> {
        let certificate = self.certificate();
        (certificate.kind() == CertificateKind::Operator).then(|| Signer {
            key: certificate.subject(),
            certificate: self.id(),
            unit: certificate.unit().clone(),
            roles: certificate.roles().collect(),
            label: certificate.label().to_owned(),
        })
    }
}
