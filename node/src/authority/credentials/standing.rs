//! Where a certificate stands now: for admitting peers, sealing to nodes, and showing.

use std::sync::Arc;

use anjuan_sync::{AuthorKey, CertificateId, Path, Timestamp};

use super::Credentials;
use crate::authority::certificate::{CertificateKind, Certified};
use crate::authority::revocation::RevocationId;
use crate::text::Text;

/// Where a certificate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In force.
    Valid,
    /// Its validity has not begun.
    NotYetValid,
    /// Its validity has ended.
    Expired,
    /// Revoked, by this revocation and perhaps others.
    Revoked(RevocationId),
    /// An authority above was revoked and this was not kept; the reason is for people.
    CutOff(Text),
}

impl Standing {
    /// The standing for people.
    pub fn text(&self) -> Text {
        let (zh, en) = match self {
            Self::Valid => ("有效", "in force"),
            Self::NotYetValid => ("尚未生效", "not yet valid"),
            Self::Expired => ("已过期", "expired"),
            Self::Revoked(_) => ("已吊销", "revoked"),
            Self::CutOff(reason) => return reason.clone(),
        };
        Text::new(zh, en)
    }
}

impl Credentials {
    /// Where this certificate stands at `now`; `None` if it is not known.
    ///
    /// `now` decides only what is open to this node, never what counts: a clock that is off by years does
    /// not change history.
    pub fn standing(&self, id: CertificateId, now: Timestamp) -> Option<Standing> {
        Some(self.standing_of(self.certificate(id)?, now))
    }

    /// The same of a certificate that need not be in the set.
    pub(super) fn standing_of(&self, certified: &Certified, now: Timestamp) -> Standing {
        let certificate = certified.certificate();
        if let Some(revocation) = self.revocations_of(certified.id()).next() {
            Standing::Revoked(revocation.id())
        } else if let Some(reason) = self.cut_off_above(certified) {
            Standing::CutOff(reason)
        } else if now < certificate.not_before() {
            Standing::NotYetValid
        } else if now >= certificate.not_after() {
            Standing::Expired
        } else {
            Standing::Valid
        }
    }

    fn in_force(&self, certified: &Certified, now: Timestamp) -> bool {
        self.standing_of(certified, now) == Standing::Valid
    }

    /// The certificates in force of the nodes of exactly this unit: those to seal to.
    pub fn nodes_of(&self, unit: &Path, now: Timestamp) -> impl Iterator<Item = &Arc<Certified>> {
        self.certificates_of(unit).filter(move |certified| {
            certified.certificate().kind() == CertificateKind::Node && self.in_force(certified, now)
        })
    }

    /// The certificate under which the holder of `key` is a node: whether to let a peer in, and as which
    /// unit. `None` for everybody else.
    pub fn is_node(&self, key: AuthorKey, now: Timestamp) -> Option<&Arc<Certified>> {
        self.newest(key, CertificateKind::Node, now)
    }

    /// The certificate under which the holder of `key` signs updates now.
    pub fn operator(&self, key: AuthorKey, now: Timestamp) -> Option<&Arc<Certified>> {
        self.newest(key, CertificateKind::Operator, now)
    }

    /// The certificate under which the holder of `key` issues and revokes now.
    pub fn authority(&self, key: AuthorKey, now: Timestamp) -> Option<&Arc<Certified>> {
        self.newest(key, CertificateKind::Authority, now)
    }

    /// Of several in force, the one that was issued last.
    fn newest(&self, key: AuthorKey, kind: CertificateKind, now: Timestamp) -> Option<&Arc<Certified>> {
        self.certificates_for(key)
            .filter(|certified| certified.certificate().kind() == kind && self.in_force(certified, now))
            .max_by_key(|certified| {
                let certificate = certified.certificate();
                (certificate.not_before(), certificate.serial(), certified.id())
            })
    }
}
