//! Revocations: an authority's signed statement of what still counts of a certificate.
//!
//! bytes → [`SignedRevocation`] (well formed) → [`Revocation`] (signed by an authority that may).
//!
//! Who may is judged from certificates alone, never from other revocations, so two of them cannot chase
//! each other; and a revocation cannot itself be revoked. An authority may revoke what was issued
//! - by a unit below its own,
//! - under its own certificate,
//! - under an earlier certificate of its own unit: so a successor can, and the one it succeeded cannot
//!   take back what the successor issues.
//!
//! The root is revoked by nobody; a network whose root key is lost is founded anew.
//!
//! Of several revocations of one certificate, each has to let a thing count for it to count. So the
//! minimum holds, whatever the order of arrival.

mod signed;

use anjuan_sync::{CertificateId, Digest, Head, LogEpoch, NetworkId, Space, Timestamp};
use minicbor::{Decode, Encode};

pub use self::signed::{Revocation, RevokeError, SignedRevocation};
use super::encoding::{self, EncodingError, is_plain};

/// The revocation format this code writes, and the only one it reads.
pub const REVOCATION_VERSION: u8 = 1;
/// Logs in one revocation. A router of the city who wrote in every unit's spaces has some 1,600.
pub const MAX_LOGS: usize = 2048;
/// Certificates that a revoked authority's revocation can keep. A county that issued for each of its
/// mediators itself has some 2,000 in force.
pub const MAX_KEPT: usize = 4096;
/// Bytes in the longest reason.
pub const MAX_REASON: usize = 200;
/// Bytes in the longest revocation without its signature: [`MAX_LOGS`] cutoffs with the longest paths
/// would not all fit, with the paths of units they do, at some 90 bytes each.
pub const MAX_REVOCATION: usize = 200 * 1024;

/// Names a revocation: the hash of what was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevocationId(Digest);

impl RevocationId {
    /// The id with this value.
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }

    /// The value.
    pub const fn as_digest(&self) -> &Digest {
        &self.0
    }
}

impl std::fmt::Display for RevocationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The last update of one log that still counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Cutoff {
    /// The log's space.
    #[n(0)]
    pub space: Space,
    /// The log's epoch. Its author is the revoked key.
    #[n(1)]
    pub epoch: LogEpoch,
    /// The last update that counts.
    #[n(2)]
    pub head: Head,
}

/// What still counts of a revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Extent {
    /// A node's certificate: no more connections, nothing more is sealed to it.
    #[n(0)]
    Node,
    /// An operator's: the logs named, up to a last update each. Of a log that is not named nothing
    /// counts, for a thief would otherwise start a new one. In the order of space and epoch.
    #[n(1)]
    Operator(#[n(0)] Vec<Cutoff>),
    /// An authority's: the certificates it had issued that go on as if nothing had happened. What it
    /// issued and is not named is void with all below it, whenever it was issued: a date would be for
    /// the thief to choose. In ascending order.
    #[n(2)]
    Authority(#[n(0)] Vec<CertificateId>),
}

/// The fields of a revocation, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RawRevocation {
    /// [`REVOCATION_VERSION`].
    #[n(0)]
    pub version: u8,
    /// The network.
    #[n(1)]
    pub network: NetworkId,
    /// The certificate that is revoked.
    #[n(2)]
    pub certificate: CertificateId,
    /// The authority certificate under which it is.
    #[n(3)]
    pub authority: CertificateId,
    /// What still counts of it.
    #[n(4)]
    pub extent: Extent,
    /// Why, for people. No particulars of persons.
    #[n(5)]
    pub reason: String,
    /// When, as the authority says.
    #[n(6)]
    pub revoked_at: Timestamp,
}

/// What is wrong with a revocation's bytes or fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// The bytes are no revocation.
    #[error("revocation: {0}")]
    Encoding(#[from] EncodingError),
    /// A credential of another kind.
    #[error("not a revocation but a certificate")]
    Kind,
    /// A version this code does not know.
    #[error("revocation version {0} is not supported; this program reads version {REVOCATION_VERSION}")]
    Version(u8),
    /// More logs than [`MAX_LOGS`], or out of order, or a log named twice, or a head at place 0.
    #[error("cutoffs have to be at most {MAX_LOGS}, in order, each log once, places from 1")]
    Cutoffs,
    /// More certificates than [`MAX_KEPT`], or out of order, or one named twice.
    #[error(
        "certificates kept have to be at most {MAX_KEPT}, in order, each once; \
         re-issue the others under another authority first"
    )]
    Kept,
    /// The reason is empty, too long, or has characters that cannot be seen.
    #[error("the reason has to have 1 to {MAX_REASON} bytes and no control characters")]
    Reason,
    /// A time outside 2000 to 2200.
    #[error("time {0} ms is not within the years 2000 and 2200")]
    Time(i64),
}

impl TryFrom<RawRevocation> for ValidRevocation {
    type Error = RevocationError;

    fn try_from(raw: RawRevocation) -> Result<Self, RevocationError> {
        if raw.version != REVOCATION_VERSION {
            return Err(RevocationError::Version(raw.version));
        }
        match &raw.extent {
            Extent::Node => {}
            Extent::Operator(cutoffs) => {
                let places = cutoffs.iter().all(|cutoff| cutoff.head.seq > 0);
                let log = |cutoff: &Cutoff| (cutoff.space.clone(), cutoff.epoch);
                if cutoffs.len() > MAX_LOGS || !places || !cutoffs.is_sorted_by(|a, b| log(a) < log(b)) {
                    return Err(RevocationError::Cutoffs);
                }
            }
            Extent::Authority(kept) => {
                if kept.len() > MAX_KEPT || !kept.is_sorted_by(|a, b| a < b) {
                    return Err(RevocationError::Kept);
                }
            }
        }
        if !is_plain(&raw.reason, MAX_REASON) {
            return Err(RevocationError::Reason);
        }
        if !raw.revoked_at.is_plausible() {
            return Err(RevocationError::Time(raw.revoked_at.as_millis()));
        }
        Ok(Self(raw))
    }
}

/// A revocation whose fields are within bounds. Nothing is said about who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidRevocation(RawRevocation);

impl ValidRevocation {
    /// Reads the canonical encoding, and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RevocationError> {
        Self::try_from(encoding::decode::<RawRevocation>(bytes, MAX_REVOCATION)?)
    }

    /// The canonical encoding: a CBOR array of 7.
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(&self.0)
    }

    /// The network.
    pub fn network(&self) -> NetworkId {
        self.0.network
    }

    /// The certificate that is revoked.
    pub fn certificate(&self) -> CertificateId {
        self.0.certificate
    }

    /// The authority certificate under which it is.
    pub fn authority(&self) -> CertificateId {
        self.0.authority
    }

    /// What still counts of the certificate.
    pub fn extent(&self) -> &Extent {
        &self.0.extent
    }

    /// Why, for people.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// When, as the authority says.
    pub fn revoked_at(&self) -> Timestamp {
        self.0.revoked_at
    }

    /// The last update that counts of the revoked operator's log in `space` and `epoch`.
    pub fn cutoff(&self, space: &Space, epoch: LogEpoch) -> Option<Head> {
        let Extent::Operator(cutoffs) = &self.0.extent else {
            return None;
        };
        let at = cutoffs.binary_search_by(|cutoff| (&cutoff.space, cutoff.epoch).cmp(&(space, epoch)));
        at.ok().map(|at| cutoffs[at].head)
    }

    /// Does what the revoked authority had issued as `child` go on?
    pub fn keeps(&self, child: CertificateId) -> bool {
        matches!(&self.0.extent, Extent::Authority(kept) if kept.binary_search(&child).is_ok())
    }
}

#[cfg(test)]
mod tests;
