//! A revocation with its signature, and the proof that whoever signed might.

use anjuan_sync::hash::Domain;
use anjuan_sync::{CertificateId, Path, Timestamp};
use ed25519_dalek::{Signature, Signer, SigningKey};

use super::{
    Extent, MAX_REVOCATION, REVOCATION_VERSION, RawRevocation, RevocationError, RevocationId, ValidRevocation,
};
use crate::authority::certificate::{CertificateKind, Certified};
use crate::authority::encoding::{self, CredentialKind, Envelope};

const DOMAIN: Domain = Domain::new("anjuan/revocation/1");

/// Why a well-formed revocation has no effect, or cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// A field is out of bounds.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// It names other certificates than those it was checked against.
    #[error("the revocation names other certificates than those it was checked against")]
    Certificates,
    /// Another network's.
    #[error("the revocation belongs to another network")]
    ForeignNetwork,
    /// Signed under a certificate that is not an authority's.
    #[error("certificate {0} is not an authority's and can revoke nothing")]
    NotAnAuthority(CertificateId),
    /// The root.
    #[error("the root certificate cannot be revoked")]
    Root,
    /// The authority has no say over what was issued there.
    #[error(
        "the authority of {authority} cannot revoke what the authority of {issuer} issued; only that of the same unit or one above it can"
    )]
    Reach {
        /// Who wants to revoke.
        authority: Path,
        /// Who issued.
        issuer: Path,
    },
    /// The authority's certificate is older than the one of the same unit that issued.
    #[error(
        "the certificate was issued under a later certificate of the same unit; revoke it under that one, or from above"
    )]
    Superseded,
    /// What is said to count does not fit the kind of certificate.
    #[error("what still counts has to be stated for {expected} certificate")]
    Extent {
        /// The kind of the revoked certificate.
        expected: &'static str,
    },
    /// A cutoff in a space where the operator could not write.
    #[error("a cutoff names a space that is not at or below the operator's unit {0}")]
    Space(Path),
    /// The time is outside the authority's validity.
    #[error("the revocation is dated outside the validity of the authority's certificate")]
    Validity,
    /// The signature is not the authority's.
    #[error("the signature on the revocation is not the authority's")]
    Forged,
    /// The key to sign with is not the one that the authority's certificate is for.
    #[error("the authority key is not the one that certificate {0} is for")]
    WrongKey(CertificateId),
}

/// A well-formed revocation with a signature not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRevocation {
    revocation: ValidRevocation,
    encoded: Box<[u8]>,
    signature: [u8; 64],
    id: RevocationId,
}

impl SignedRevocation {
    /// Bytes in the longest encoding.
    pub const MAX_LENGTH: usize = MAX_REVOCATION + Envelope::OVERHEAD;

    /// Reads the canonical encoding, and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RevocationError> {
        Self::from_envelope(encoding::decode(bytes, Self::MAX_LENGTH)?)
    }

    pub(in crate::authority) fn from_envelope(envelope: Envelope) -> Result<Self, RevocationError> {
        if envelope.kind != CredentialKind::Revocation {
            return Err(RevocationError::Kind);
        }
        let revocation = ValidRevocation::decode(&envelope.body)?;
        Ok(Self::from_parts(revocation, envelope.body, envelope.signature))
    }

    fn from_parts(revocation: ValidRevocation, encoded: Vec<u8>, signature: [u8; 64]) -> Self {
        Self {
            id: RevocationId::from_digest(DOMAIN.hash(&[&encoded])),
            revocation,
            encoded: encoded.into(),
            signature,
        }
    }

    /// The canonical encoding: a CBOR array of the number 1, the revocation's bytes, the signature's bytes.
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(&Envelope {
            kind: CredentialKind::Revocation,
            body: self.encoded.to_vec(),
            signature: self.signature,
        })
    }

    /// What was signed.
    pub fn revocation(&self) -> &ValidRevocation {
        &self.revocation
    }

    /// The id.
    pub fn id(&self) -> RevocationId {
        self.id
    }
}

/// A revocation signed by an authority that may revoke the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation(SignedRevocation);

impl Revocation {
    /// Checks a revocation against the certificates it names.
    pub fn judge(
        signed: SignedRevocation,
        authority: &Certified,
        revoked: &Certified,
    ) -> Result<Self, RevokeError> {
        let revocation = &signed.revocation;
        if revocation.authority() != authority.id() || revocation.certificate() != revoked.id() {
            return Err(RevokeError::Certificates);
        }
        if revocation.network() != authority.network() || revocation.network() != revoked.network() {
            return Err(RevokeError::ForeignNetwork);
        }
        may_revoke(authority, revoked)?;
        let target = revoked.certificate();
        match (target.kind(), revocation.extent()) {
            (CertificateKind::Node, Extent::Node) | (CertificateKind::Authority, Extent::Authority(_)) => {}
            (CertificateKind::Operator, Extent::Operator(cutoffs)) => {
                let path = target.path();
                if !cutoffs
                    .iter()
                    .all(|cutoff| path.is_at_or_above(&cutoff.space.unit))
                {
                    return Err(RevokeError::Space(path.clone()));
                }
            }
            (kind, _) => {
                let expected = match kind {
                    CertificateKind::Authority => "an authority's",
                    CertificateKind::Node => "a node's",
                    CertificateKind::Operator => "an operator's",
                };
                return Err(RevokeError::Extent { expected });
            }
        }
        if !authority.certificate().is_valid_at(revocation.revoked_at()) {
            return Err(RevokeError::Validity);
        }
        let input = DOMAIN.signing_input(&signed.encoded);
        authority
            .certificate()
            .key()
            .verify_strict(&input, &Signature::from_bytes(&signed.signature))
            .map_err(|_| RevokeError::Forged)?;
        Ok(Self(signed))
    }

    /// Revokes a certificate. What still counts may be given in any order.
    ///
    /// # Errors
    /// When a field is out of bounds, when the authority may not, or `key` is not its key.
    pub fn sign(
        authority: &Certified,
        key: &SigningKey,
        revoked: &Certified,
        mut extent: Extent,
        reason: String,
        revoked_at: Timestamp,
    ) -> Result<Self, RevokeError> {
        if key.verifying_key() != *authority.certificate().key() {
            return Err(RevokeError::WrongKey(authority.id()));
        }
        match &mut extent {
            Extent::Node => {}
            Extent::Operator(cutoffs) => cutoffs.sort_unstable(),
            Extent::Authority(kept) => kept.sort_unstable(),
        }
        let revocation = ValidRevocation::try_from(RawRevocation {
            version: REVOCATION_VERSION,
            network: authority.network(),
            certificate: revoked.id(),
            authority: authority.id(),
            extent,
            reason,
            revoked_at,
        })?;
        let encoded = revocation.encode();
        if encoded.len() > MAX_REVOCATION {
            return Err(RevocationError::Cutoffs.into());
        }
        let signature = key.sign(&DOMAIN.signing_input(&encoded)).to_bytes();
        Self::judge(
            SignedRevocation::from_parts(revocation, encoded, signature),
            authority,
            revoked,
        )
    }

    /// The revocation with its signature.
    pub fn signed(&self) -> &SignedRevocation {
        &self.0
    }

    /// What it says.
    pub fn get(&self) -> &ValidRevocation {
        &self.0.revocation
    }

    /// Its id.
    pub fn id(&self) -> RevocationId {
        self.0.id
    }
}

/// May this authority revoke that certificate? From certificates alone.
fn may_revoke(authority: &Certified, revoked: &Certified) -> Result<(), RevokeError> {
    let by = authority.certificate();
    if by.kind() != CertificateKind::Authority {
        return Err(RevokeError::NotAnAuthority(authority.id()));
    }
    let issuer = revoked.issuer().ok_or(RevokeError::Root)?;
    let of = issuer.certificate();
    if !by.path().is_at_or_above(of.path()) {
        return Err(RevokeError::Reach {
            authority: by.path().clone(),
            issuer: of.path().clone(),
        });
    }
    // Both dates were set by whoever certified the two, not by the two themselves.
    let age = |certified: &Certified| {
        let certificate = certified.certificate();
        (certificate.not_before(), certificate.serial(), certified.id())
    };
    if by.path() == of.path() && age(authority) < age(issuer) {
        return Err(RevokeError::Superseded);
    }
    Ok(())
}
