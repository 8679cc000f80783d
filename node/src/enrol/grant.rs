//! The parent's answer to a join request, and what the joiner makes of it.

use std::sync::Arc;

use anjuan_sync::{AuthorKey, CertificateId, NetworkId, Timestamp};
use minicbor::{Decode, Encode};

use super::{Approval, JoinRequest, Joining};
use crate::authority::certificate::{
    CertificateError, CertificateKind, Certified, ChainError, Issue, IssueError, SignedCertificate,
};
use crate::authority::credentials::{Credentials, Offered};
use crate::authority::encoding::{self, EncodingError};
use crate::authority::role::Role;
use crate::keys::Unlocked;
use crate::unit::UnitCode;
use crate::unit::divisions::{Divisions, UnknownUnit};

const VERSION: u8 = 1;
/// Certificates in a grant: at most one authority's for each level of the tree, and the node's.
const MAX_CERTIFICATES: usize = 10;
/// How far the joiner's clock may be behind: certificates are dated a day back.
const CLOCK_ALLOWANCE: i64 = 24 * 3_600_000;

/// How long the granted certificates are valid, cut to the validity of the issuer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The time now, by the parent's clock.
    pub now: Timestamp,
    /// The first instant after the validity.
    pub not_after: Timestamp,
}

/// Why a request is not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The approval was given to another request.
    #[error("the approval was given to another request")]
    NotApproved,
    /// The joiner expects another network.
    #[error("the request is for network {asked}; this is network {ours}")]
    ForeignNetwork {
        /// The network that the joiner expects.
        asked: NetworkId,
        /// The network here.
        ours: NetworkId,
    },
    /// The unit is not in the division list.
    #[error(transparent)]
    UnknownUnit(#[from] UnknownUnit),
    /// The key that should sign has no authority certificate in force.
    #[error("the key {0} has no authority certificate in force here")]
    NoAuthority(AuthorKey),
    /// The unit is not below this one.
    #[error("unit {unit} is not below {issuer}, so its certificates cannot come from here; {}", advice(*.joining))]
    NotBelow {
        /// The unit that wants to join.
        unit: UnitCode,
        /// The unit asked.
        issuer: UnitCode,
        /// As what.
        joining: Joining,
    },
    /// The certificates cannot be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

fn advice(joining: Joining) -> &'static str {
    match joining {
        Joining::NewUnit => "ask the unit above it",
        Joining::Standby | Joining::Auditor => "ask the unit itself or one above it",
    }
}

/// Why the joiner does not take what it was granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// The bytes are no grant.
    #[error("join grant: {0}")]
    Encoding(#[from] EncodingError),
    /// A version this code does not know.
    #[error("join grant version {0} is not supported; this program reads version {VERSION}")]
    Version(u8),
    /// No certificates, or more than a grant has.
    #[error("a join grant has 1 to {MAX_CERTIFICATES} certificates, not {0}")]
    Count(usize),
    /// A certificate in it is none.
    #[error("in the join grant: {0}")]
    Certificate(#[from] CertificateError),
    /// Its first certificate is not a root's.
    #[error("in the join grant: {0}")]
    Root(#[from] ChainError),
    /// Granted by another network than the one asked.
    #[error("granted by network {granted}; expected is network {expected}")]
    ForeignNetwork {
        /// The network of the grant.
        granted: NetworkId,
        /// The network that the ticket named.
        expected: NetworkId,
    },
    /// A certificate in it is not one of its network.
    #[error("in the join grant: {0}")]
    Credential(String),
    /// The certificate asked for is not in it.
    #[error("the join grant has no {} certificate for the key and unit of the request", .0.code())]
    Missing(CertificateKind),
}

/// Whom the joiner believes about the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It has to be this one, which the ticket names.
    Network(NetworkId),
    /// Whatever the file says: a person brought it, and is shown the network's fingerprint.
    Bearer,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    version: u8,
    #[n(1)]
    certificates: Vec<minicbor::bytes::ByteVec>,
}

/// The certificates for a joiner, from the network's root down to its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinGrant(Wire);

/// What the joiner starts with.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The root, the chain, and its own certificates.
    pub credentials: Credentials,
    /// The node's certificate.
    pub node: Arc<Certified>,
    /// The unit's authority certificate, if the unit is new.
    pub authority: Option<Arc<Certified>>,
}

/// Issues what an approved request asks for, under the authority certificate of `authority`. Returns the
/// new certificates too, the authority's first: offer them to the credentials, and make them durable.
pub fn grant(
    request: &JoinRequest,
    approval: &Approval,
    authority: &Unlocked,
    credentials: &Credentials,
    divisions: &Divisions,
    terms: Terms,
) -> Result<(JoinGrant, Vec<Arc<Certified>>), GrantError> {
    if !approval.is_for(request) {
        return Err(GrantError::NotApproved);
    }
    let ours = credentials.network();
    if let Some(asked) = request.network()
        && asked != ours
    {
        return Err(GrantError::ForeignNetwork { asked, ours });
    }
    let division = divisions.require(request.unit())?;
    let issuer = credentials
        .authority(authority.public(), terms.now)
        .ok_or_else(|| GrantError::NoAuthority(authority.public()))?;
    let (above, below) = (issuer.certificate().unit(), request.unit());
    let joining = request.joining();
    let strictly = joining == Joining::NewUnit && above == below;
    if strictly || !above.path().is_at_or_above(&below.path()) {
        return Err(GrantError::NotBelow {
            unit: below.clone(),
            issuer: above.clone(),
            joining,
        });
    }
    // The list's name for a listed unit; a committee stands in no list, and has the name it gives itself.
    let label = if division.code() == below {
        division.name()
    } else {
        request.label()
    };
    let back = Timestamp::from_millis(terms.now.as_millis().saturating_sub(CLOCK_ALLOWANCE));
    let not_before = back.max(issuer.certificate().not_before());
    let first = credentials.next_serial(issuer.id());
    let wanted = [
        request
            .authority()
            .map(|key| (CertificateKind::Authority, key, None)),
        Some((CertificateKind::Node, request.node(), Some(request.seal_key()))),
    ];
    let mut issued = Vec::new();
    for ((kind, subject, seal_key), serial) in wanted.into_iter().flatten().zip(first..) {
        let auditor = (joining == Joining::Auditor).then_some(Role::Auditor);
        let issue = Issue {
            kind,
            subject,
            seal_key,
            unit: below.clone(),
            organisation: None,
            roles: auditor.into_iter().collect(),
            label: label.to_owned(),
            serial,
            not_before,
            not_after: terms.not_after,
        };
        issued.push(Arc::new(issuer.issue(authority.signing_key(), issue)?));
    }
    Ok((JoinGrant::new(issuer, &issued), issued))
}

impl JoinGrant {
    /// Bytes in the longest encoding.
    pub const MAX_LENGTH: usize = MAX_CERTIFICATES * (SignedCertificate::MAX_LENGTH + 4) + 16;

    fn new(issuer: &Certified, issued: &[Arc<Certified>]) -> Self {
        let mut certificates: Vec<_> = issuer.chain().map(|link| link.signed().encode().into()).collect();
        certificates.reverse();
        certificates.extend(issued.iter().map(|certified| certified.signed().encode().into()));
        Self(Wire {
            version: VERSION,
            certificates,
        })
    }

    /// The grant of these certificates once more; `None` if one of them is not known.
    pub fn assemble(credentials: &Credentials, granted: &[CertificateId]) -> Option<Self> {
        let issued: Option<Vec<_>> = granted
            .iter()
            .map(|id| credentials.certificate(*id).cloned())
            .collect();
        let issued = issued?;
        Some(Self::new(issued.first()?.issuer()?, &issued))
    }

    /// Reads the canonical encoding. Whether the grant is good shows when it is accepted.
    pub fn decode(bytes: &[u8]) -> Result<Self, AcceptError> {
        let wire: Wire = encoding::decode(bytes, Self::MAX_LENGTH)?;
        if wire.version != VERSION {
            return Err(AcceptError::Version(wire.version));
        }
        if !(1..=MAX_CERTIFICATES).contains(&wire.certificates.len()) {
            return Err(AcceptError::Count(wire.certificates.len()));
        }
        Ok(Self(wire))
    }

    /// The canonical encoding: a CBOR array of the version and the certificates, the root's first.
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(&self.0)
    }

    /// The certificates, the root's first, as credentials to be taken in.
    pub fn certificates(&self) -> impl Iterator<Item = Vec<u8>> {
        self.0.certificates.iter().map(|bytes| bytes.to_vec())
    }

    /// Checks that the grant answers the request: every certificate holds, the network is the one
    /// trusted, and the keys and the unit are those asked for.
    ///
    /// Dates are not checked: the joiner's clock may be off, and it learns that when it first syncs.
    pub fn accept(&self, request: &JoinRequest, trust: Trust) -> Result<Joined, AcceptError> {
        let (root, others) = self.0.certificates.split_first().ok_or(AcceptError::Count(0))?;
        let root = Certified::root(SignedCertificate::decode(root)?)?;
        if let Trust::Network(expected) = trust
            && expected != root.network()
        {
            return Err(AcceptError::ForeignNetwork {
                granted: root.network(),
                expected,
            });
        }
        let mut credentials = Credentials::new(root)?;
        for bytes in others {
            match credentials.offer(bytes) {
                Offered::New(_) | Offered::Known => {}
                Offered::Waiting(missing) => {
                    let problem = format!("certificate {missing} is named but not there");
                    return Err(AcceptError::Credential(problem));
                }
                Offered::Refused(refused) => return Err(AcceptError::Credential(refused.to_string())),
            }
        }
        let find = |kind, key, seal_key| {
            let found = credentials.certificates_for(key).find(|certified| {
                let certificate = certified.certificate();
                certificate.kind() == kind
                    && certificate.unit() == request.unit()
                    && certificate.seal_key() == seal_key
                    && certificate.is_auditors_node()
                        == (kind == CertificateKind::Node && request.joining() == Joining::Auditor)
            });
            found.cloned().ok_or(AcceptError::Missing(kind))
        };
        let node = find(CertificateKind::Node, request.node(), Some(request.seal_key()))?;
        let authority = request.authority();
        let authority = authority
            .map(|key| find(CertificateKind::Authority, key, None))
            .transpose()?;
        Ok(Joined {
            credentials,
            node,
            authority,
        })
    }
}
