//! A certificate with a signature not yet checked.

use anjuan_sync::CertificateId;
use anjuan_sync::hash::Domain;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::{Certificate, CertificateError, MAX_CERTIFICATE};
use crate::authority::encoding::{self, CredentialKind, Envelope};

const DOMAIN: Domain = Domain::new("anjuan/certificate/1");

/// A well-formed certificate with a signature not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCertificate {
    certificate: Certificate,
    encoded: Box<[u8]>,
    signature: [u8; 64],
    id: CertificateId,
}

impl SignedCertificate {
    /// Bytes in the longest encoding.
    pub const MAX_LENGTH: usize = MAX_CERTIFICATE + Envelope::OVERHEAD;

    /// Signs. Whether `key` is the issuer's shows when the chain is checked.
    pub(super) fn sign(certificate: Certificate, key: &SigningKey) -> Self {
        let encoded = certificate.encode();
        let signature = key.sign(&DOMAIN.signing_input(&encoded)).to_bytes();
        Self::from_parts(certificate, encoded, signature)
    }

    /// Reads the canonical encoding, and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, CertificateError> {
        Self::from_envelope(encoding::decode(bytes, Self::MAX_LENGTH)?)
    }

    pub(in crate::authority) fn from_envelope(envelope: Envelope) -> Result<Self, CertificateError> {
        if envelope.kind != CredentialKind::Certificate {
            return Err(CertificateError::Kind);
        }
        let certificate = Certificate::decode(&envelope.body)?;
        Ok(Self::from_parts(certificate, envelope.body, envelope.signature))
    }

    fn from_parts(certificate: Certificate, encoded: Vec<u8>, signature: [u8; 64]) -> Self {
        Self {
            id: CertificateId::from_bytes(*DOMAIN.hash(&[&encoded]).as_bytes()),
            certificate,
            encoded: encoded.into(),
            signature,
        }
    }

    /// The canonical encoding: a CBOR array of the number 0, the certificate's bytes, the signature's bytes.
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(&Envelope {
            kind: CredentialKind::Certificate,
            body: self.encoded.to_vec(),
            signature: self.signature,
        })
    }

    /// What was signed.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The id: the hash of what was signed.
    pub fn id(&self) -> CertificateId {
        self.id
    }

    /// Did `key` sign this? Strictly: one encoding of each signature.
    pub(super) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        let signature = Signature::from_bytes(&self.signature);
        key.verify_strict(&DOMAIN.signing_input(&self.encoded), &signature)
            .is_ok()
    }
}
