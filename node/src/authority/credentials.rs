//! Every certificate and revocation that a node knows, and what they come to.
//!
//! [`Credentials`] is a set: whatever the order of arrival, the same credentials make the same state.
//! It starts from the root certificate, [`Credentials::offer`] adds to it, nothing is ever taken out. What
//! cannot be checked yet, because a certificate it names has not come, waits in a bounded table.
//!
//! What is asked of it falls in two kinds. *Storing* ([`Credentials::certify_author`]) depends on
//! certificates alone. *Counting* ([`Credentials::counting`]) also on revocations and claimed time, so it
//! can change when a revocation arrives.
//!
//! # Bounds
//! Only an authority's key can make the set grow, and what it issues is charged to it and to each
//! authority above it: [`MAX_BELOW`]. A town's stolen key then fills an eighth of its county's room, and
//! no other town's. Revocations are bounded for each authority and certificate ([`MAX_REVOCATIONS`]), so
//! a stolen key cannot keep another authority's revocation out. Replicas that hit a bound may hold
//! different sets; no honest network comes near.

mod counting;
mod peer;
mod standing;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anjuan_sync::{AuthorKey, CertificateId, Digest, Header, NetworkId, Path};

pub use self::counting::{Claim, Counting};
pub use self::peer::{MAX_CHAIN, PeerError};
pub use self::standing::Standing;
use self::waiting::Waiting;
pub use self::waiting::{MAX_WAITING, MAX_WAITING_BYTES};
use super::certificate::{CertificateError, CertificateKind, Certified, ChainError, SignedCertificate};
use super::encoding::{self, CredentialKind, EncodingError, Envelope};
use crate::kind::Signer;

use super::revocation::{Revocation, RevocationError, RevocationId, RevokeError, SignedRevocation};

/// Bytes in the longest credential, which is a revocation.
pub const MAX_CREDENTIAL: usize = SignedRevocation::MAX_LENGTH;
/// Certificates issued under an authority's, directly or by authorities below it, by the depth of its
/// unit: city, county, town, village.
///
/// Yulin has 11,114 mediators, some 5,000 other officials, and 1,665 units with an authority and two
/// nodes each: 21,000 certificates in force, renewed every three years. The city's bound is enough for
/// thirty years; a county has a fifth of the city at most, a town (34 villages) a thousand, a village
/// some thirty.
pub const MAX_BELOW: [u32; 4] = [262_144, 65_536, 8_192, 1_024];
/// Revocations of one certificate by one authority. The second is a correction of the first.
pub const MAX_REVOCATIONS: usize = 16;

/// Why a credential was refused, for good: it will be refused everywhere and always.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Neither a certificate nor a revocation.
    #[error("credential: {0}")]
    Encoding(#[from] EncodingError),
    /// Not a well-formed certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Not a well-formed revocation.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// Its network is another.
    #[error("credential of network {named}; this is network {ours}")]
    ForeignNetwork {
        /// The network it names, or is the root of.
        named: NetworkId,
        /// The network here.
        ours: NetworkId,
    },
    /// Not issued by who might.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Not revoked by who might.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    /// An authority issued more than an honest one would. The only refusal that depends on what came
    /// before.
    #[error("the authority of {unit} has issued {limit} certificates, more than it is allowed")]
    Full {
        /// The authority's unit.
        unit: Path,
        /// Its bound.
        limit: u32,
    },
    /// An authority revoked one certificate again and again.
    #[error("certificate {0} has been revoked {MAX_REVOCATIONS} times by the same authority")]
    RevokedTooOften(CertificateId),
}

/// A credential that the set took in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Its id, as digests cover it.
    pub id: Digest,
    /// The path it belongs to: that of the certificate's unit, or of the revoked certificate's unit.
    pub path: Path,
}

/// What became of an offered credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Taken in; with it, in order, those that waited for it.
    New(Vec<Adopted>),
    /// It was there already.
    Known,
    /// It names this certificate, which is not here yet.
    Waiting(CertificateId),
    /// It is not one of the network's.
    Refused(Refused),
}

/// Why an update's author is not certified. Except for the first, for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorError {
    /// The certificate has not come yet.
    #[error("certificate {0} is not known here")]
    Unknown(CertificateId),
    /// The update is another network's.
    #[error("update of network {named}; this is network {ours}")]
    ForeignNetwork {
        /// The network it names.
        named: NetworkId,
        /// The network here.
        ours: NetworkId,
    },
    /// The certificate is not an operator's.
    #[error("certificate {0} is not an operator's; only operators sign updates")]
    NotAnOperator(CertificateId),
    /// The update is signed with another key than the certificate's.
    #[error("certificate {0} is for another key than the update's author")]
    Key(CertificateId),
    /// The update is for a unit where the operator has no say.
    #[error("an operator of {operator} cannot write in {space}, which is not at or below it")]
    Reach {
        /// The operator's unit.
        operator: Path,
        /// The unit of the update's space.
        space: Path,
    },
}

/// The set of all certificates and revocations that a node knows.
#[derive(Clone, Debug)]
pub struct Credentials {
    root: Arc<Certified>,
    certificates: BTreeMap<CertificateId, Arc<Certified>>,
    revocations: BTreeMap<RevocationId, Arc<Revocation>>,
    items: BTreeMap<Path, BTreeSet<Digest>>,
    by_unit: BTreeMap<Path, BTreeSet<CertificateId>>,
    by_key: BTreeMap<AuthorKey, BTreeSet<CertificateId>>,
    by_issuer: BTreeMap<CertificateId, BTreeSet<CertificateId>>,
    by_revoked: BTreeMap<CertificateId, BTreeSet<RevocationId>>,
    below: BTreeMap<CertificateId, u32>,
    waiting: Waiting,
}

enum Step {
    Taken(Adopted),
    Known,
    Missing(CertificateId),
}

/// A certificate or a revocation that was read. To read one takes about as long as to check its signature, and
/// needs nothing that is known.
#[derive(Debug)]
pub struct Unjudged(Read);

#[derive(Debug)]
enum Read {
    Certificate(Box<SignedCertificate>),
    Revocation(Box<SignedRevocation>),
}

impl Unjudged {
    /// Reads it.
    ///
    /// # Errors
    /// When it is none, whatever is known.
    pub fn read(bytes: &[u8]) -> Result<Self, Refused> {
        let envelope: Envelope = encoding::decode(bytes, MAX_CREDENTIAL)?;
        Ok(Self(match envelope.kind {
            CredentialKind::Certificate => {
                Read::Certificate(Box::new(SignedCertificate::from_envelope(envelope)?))
            }
            CredentialKind::Revocation => {
                Read::Revocation(Box::new(SignedRevocation::from_envelope(envelope)?))
            }
        }))
    }
}

impl Credentials {
    /// The set that holds a network's root alone.
    ///
    /// # Errors
    /// When `root` is not the root of a network.
    pub fn new(root: Certified) -> Result<Self, ChainError> {
        if root.issuer().is_some() {
            return Err(ChainError::NotARoot(root.id()));
        }
        let root = Arc::new(root);
        let mut set = Self {
            root: root.clone(),
            certificates: BTreeMap::new(),
            revocations: BTreeMap::new(),
            items: BTreeMap::new(),
            by_unit: BTreeMap::new(),
            by_key: BTreeMap::new(),
            by_issuer: BTreeMap::new(),
            by_revoked: BTreeMap::new(),
            below: BTreeMap::new(),
            waiting: Waiting::default(),
        };
        set.insert(root);
        Ok(set)
    }

    /// Takes in a credential, if it is one of the network's.
    pub fn offer(&mut self, bytes: &[u8]) -> Offered {
        match Unjudged::read(bytes) {
            Ok(unjudged) => self.offer_read(unjudged, bytes),
            Err(refused) => Offered::Refused(refused),
        }
    }

    /// As [`Self::offer`], of what was read from these bytes before.
    pub fn offer_read(&mut self, unjudged: Unjudged, bytes: &[u8]) -> Offered {
        let adopted = match self.step(unjudged) {
            Ok(Step::Taken(adopted)) => adopted,
            Ok(Step::Known) => return Offered::Known,
            Ok(Step::Missing(certificate)) => {
                self.waiting.add(certificate, bytes);
                return Offered::Waiting(certificate);
            }
            Err(refused) => return Offered::Refused(refused),
        };
        let mut new = vec![adopted];
        let mut next = 0;
        while let Some(came) = new.get(next) {
            next += 1;
            for bytes in self.waiting.take(CertificateId::from_bytes(*came.id.as_bytes())) {
                match Unjudged::read(&bytes).and_then(|unjudged| self.step(unjudged)) {
                    Ok(Step::Taken(adopted)) => new.push(adopted),
                    Ok(Step::Missing(certificate)) => self.waiting.add(certificate, &bytes),
                    // What turns out false leaves no trace: it was never taken in.
                    Ok(Step::Known) | Err(_) => {}
                }
            }
        }
        Offered::New(new)
    }

    fn step(&mut self, unjudged: Unjudged) -> Result<Step, Refused> {
        match unjudged.0 {
            Read::Certificate(certificate) => self.step_certificate(*certificate),
            Read::Revocation(revocation) => self.step_revocation(*revocation),
        }
    }

    fn step_certificate(&mut self, signed: SignedCertificate) -> Result<Step, Refused> {
        if self.certificates.contains_key(&signed.id()) {
            return Ok(Step::Known);
        }
        let certificate = signed.certificate();
        self.check_network(
            certificate
                .network()
                .unwrap_or_else(|| NetworkId::of_root(signed.id())),
        )?;
        // Of this network and not the root, so it names an issuer.
        let named = certificate.issuer().ok_or(ChainError::Issuer(signed.id()))?;
        let Some(issuer) = self.certificates.get(&named) else {
            return Ok(Step::Missing(named));
        };
        for above in issuer.chain() {
            let path = above.certificate().path();
            let limit = MAX_BELOW[(path.depth() - 1).min(MAX_BELOW.len() - 1)];
            if self.below.get(&above.id()).copied().unwrap_or(0) >= limit {
                return Err(Refused::Full {
                    unit: path.clone(),
                    limit,
                });
            }
        }
        let certified = Certified::issued(signed, issuer)?;
        Ok(Step::Taken(self.insert(Arc::new(certified))))
    }

    fn step_revocation(&mut self, signed: SignedRevocation) -> Result<Step, Refused> {
        if self.revocations.contains_key(&signed.id()) {
            return Ok(Step::Known);
        }
        let revocation = signed.revocation();
        self.check_network(revocation.network())?;
        let (revoked, authority) = (revocation.certificate(), revocation.authority());
        let Some(target) = self.certificates.get(&revoked) else {
            return Ok(Step::Missing(revoked));
        };
        let Some(by) = self.certificates.get(&authority) else {
            return Ok(Step::Missing(authority));
        };
        let earlier = self.revocations_of(revoked);
        if earlier.filter(|r| r.get().authority() == authority).count() >= MAX_REVOCATIONS {
            return Err(Refused::RevokedTooOften(revoked));
        }
        let revocation = Revocation::judge(signed, by, target)?;
        let adopted = Adopted {
            id: *revocation.id().as_digest(),
            path: target.certificate().path().clone(),
        };
        self.items
            .entry(adopted.path.clone())
            .or_default()
            .insert(adopted.id);
        self.by_revoked
            .entry(revoked)
            .or_default()
            .insert(revocation.id());
        self.revocations.insert(revocation.id(), Arc::new(revocation));
        Ok(Step::Taken(adopted))
    }

    fn check_network(&self, named: NetworkId) -> Result<(), Refused> {
        let ours = self.network();
        if named == ours {
            Ok(())
        } else {
            Err(Refused::ForeignNetwork { named, ours })
        }
    }

    fn insert(&mut self, certified: Arc<Certified>) -> Adopted {
        let (id, certificate) = (certified.id(), certified.certificate());
        let adopted = Adopted {
            id: Digest::from_bytes(*id.as_bytes()),
            path: certificate.path().clone(),
        };
        self.items
            .entry(adopted.path.clone())
            .or_default()
            .insert(adopted.id);
        self.by_unit.entry(adopted.path.clone()).or_default().insert(id);
        self.by_key.entry(certificate.subject()).or_default().insert(id);
        if let Some(issuer) = certified.issuer() {
            self.by_issuer.entry(issuer.id()).or_default().insert(id);
        }
        for above in certified.chain().skip(1) {
            *self.below.entry(above.id()).or_default() += 1;
        }
        self.certificates.insert(id, certified);
        adopted
    }

    /// The network.
    pub fn network(&self) -> NetworkId {
        self.root.network()
    }

    /// Its root certificate.
    pub fn root(&self) -> &Arc<Certified> {
        &self.root
    }

    /// The certificate with this id, with its chain.
    pub fn certificate(&self, id: CertificateId) -> Option<&Arc<Certified>> {
        self.certificates.get(&id)
    }

    /// All certificates, in the order of their ids.
    pub fn certificates(&self) -> impl Iterator<Item = &Arc<Certified>> {
        self.certificates.values()
    }

    /// All certificates for this key.
    pub fn certificates_for(&self, key: AuthorKey) -> impl Iterator<Item = &Arc<Certified>> {
        self.resolve(self.by_key.get(&key))
    }

    /// All certificates of exactly this unit.
    pub fn certificates_of(&self, unit: &Path) -> impl Iterator<Item = &Arc<Certified>> {
        self.resolve(self.by_unit.get(unit))
    }

    /// The operators' certificates of exactly this unit, past ones too; see [`Self::standing`].
    pub fn operators_of(&self, unit: &Path) -> impl Iterator<Item = &Arc<Certified>> {
        self.certificates_of(unit)
            .filter(|certified| certified.certificate().kind() == CertificateKind::Operator)
    }

    /// What was issued directly under this certificate: what hangs on it when it is revoked.
    pub fn issued_under(&self, id: CertificateId) -> impl Iterator<Item = &Arc<Certified>> {
        self.resolve(self.by_issuer.get(&id))
    }

    fn resolve<'a>(
        &'a self,
        ids: Option<&'a BTreeSet<CertificateId>>,
    ) -> impl Iterator<Item = &'a Arc<Certified>> {
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.certificates.get(id))
    }

    /// The serial number for the next certificate under this one.
    pub fn next_serial(&self, issuer: CertificateId) -> u64 {
        let last = self.issued_under(issuer).map(|c| c.certificate().serial()).max();
        last.unwrap_or(0).saturating_add(1)
    }

    /// The revocations of this certificate itself, in the order of their ids.
    pub fn revocations_of(&self, id: CertificateId) -> impl Iterator<Item = &Arc<Revocation>> {
        let ids = self.by_revoked.get(&id).into_iter().flatten();
        ids.filter_map(|id| self.revocations.get(id))
    }

    /// All revocations, in the order of their ids.
    pub fn revocations(&self) -> impl Iterator<Item = &Arc<Revocation>> {
        self.revocations.values()
    }

    /// The ids of all credentials, by the path they belong to: what digests cover.
    pub fn items(&self) -> &BTreeMap<Path, BTreeSet<Digest>> {
        &self.items
    }

    /// The bytes of the credential with this id.
    pub fn item(&self, id: &Digest) -> Option<Vec<u8>> {
        let certificate = CertificateId::from_bytes(*id.as_bytes());
        if let Some(certified) = self.certificates.get(&certificate) {
            return Some(certified.signed().encode());
        }
        let revocation = self.revocations.get(&RevocationId::from_digest(*id))?;
        Some(revocation.signed().encode())
    }

    /// The certificate and those above it, the root first, as bytes: what a handshake or a bundle carries.
    pub fn chain(&self, id: CertificateId) -> Option<Vec<Vec<u8>>> {
        let certified = self.certificates.get(&id)?;
        let mut chain: Vec<_> = certified.chain().map(|link| link.signed().encode()).collect();
        chain.reverse();
        Some(chain)
    }

    /// Every credential, in an order in which none has to wait: certificates from the root down, then
    /// revocations.
    pub fn in_order(&self) -> impl Iterator<Item = Vec<u8>> {
        let mut certificates: Vec<_> = self.certificates.values().collect();
        certificates.sort_by_cached_key(|certified| (certified.chain().count(), certified.id()));
        let revocations = self
            .revocations
            .values()
            .map(|revocation| revocation.signed().encode());
        certificates
            .into_iter()
            .map(|certified| certified.signed().encode())
            .chain(revocations)
    }

    /// Who signs under this operator certificate; `None` where it is not known or of another kind.
    pub fn signer(&self, id: CertificateId) -> Option<Arc<Signer>> {
        self.certificate(id)?.signer().map(Arc::new)
    }

    /// The id of a credential that was taken in, and the unit it concerns, from its bytes.
    pub fn describe(&self, bytes: &[u8]) -> Option<(Digest, Path)> {
        let envelope: Envelope = encoding::decode(bytes, MAX_CREDENTIAL).ok()?;
        Some(match envelope.kind {
            CredentialKind::Certificate => {
                let signed = SignedCertificate::from_envelope(envelope).ok()?;
                (
                    Digest::from_bytes(*signed.id().as_bytes()),
                    signed.certificate().path().clone(),
                )
            }
            CredentialKind::Revocation => {
                let signed = SignedRevocation::from_envelope(envelope).ok()?;
                let revoked = self.certificate(signed.revocation().certificate())?;
                (*signed.id().as_digest(), revoked.certificate().path().clone())
            }
        })
    }

    /// Credentials that wait for a certificate.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// May an update with this header be stored? Its certificate is an operator's, for the key that
    /// signs, and the space is at or below the certificate's unit. Depends on certificates alone.
    pub fn certify_author(&self, header: &Header) -> Result<&Arc<Certified>, AuthorError> {
        if header.network() != self.network() {
            return Err(AuthorError::ForeignNetwork {
                named: header.network(),
                ours: self.network(),
            });
        }
        let id = header.certificate();
        let certified = self.certificates.get(&id).ok_or(AuthorError::Unknown(id))?;
        let certificate = certified.certificate();
        if certificate.kind() != CertificateKind::Operator {
            return Err(AuthorError::NotAnOperator(id));
        }
        if certificate.subject() != header.author() {
            return Err(AuthorError::Key(id));
        }
        if !certificate.path().is_at_or_above(&header.space().unit) {
            return Err(AuthorError::Reach {
                operator: certificate.path().clone(),
                space: header.space().unit.clone(),
            });
        }
        Ok(certified)
    }
}

#[cfg(test)]
mod tests;
