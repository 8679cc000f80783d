//! Whether a stored update counts, as far as certificates and revocations say.

use anjuan_sync::{CertificateId, Header, LogEpoch, Space, Timestamp, UpdateId};

use super::Credentials;
use crate::authority::certificate::Certified;
use crate::text;
use crate::text::Text;

/// Whether certificates and revocations let a stored update count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counting {
    /// They do. Whether its event has an effect is for the document's fold to say.
    Counts,
    /// They don't, for this reason. The update is kept and shown, and left out of the fold.
    Quarantined(Text),
}

/// What a header says that certificates and revocations judge.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The certificate it was signed under.
    pub certificate: CertificateId,
    /// The space of its log.
    pub space: &'a Space,
    /// The epoch of its log.
    pub epoch: LogEpoch,
    /// Its place in the log.
    pub seq: u64,
    /// The update.
    pub id: UpdateId,
    /// The time it claims.
    pub recorded_at: Timestamp,
}

impl<'a> From<&'a Header> for Claim<'a> {
    fn from(header: &'a Header) -> Self {
        Self {
            certificate: header.certificate(),
            space: header.space(),
            epoch: header.epoch(),
            seq: header.seq(),
            id: header.id(),
            recorded_at: header.recorded_at(),
        }
    }
}

impl Credentials {
    /// Does the update with this header count? A pure function of the header and the set:
    /// - the time it claims lies within its certificate's validity,
    /// - it is at or before the cutoff of its log in every revocation of its certificate,
    /// - every revocation of a certificate above keeps the one below it.
    pub fn counting<'a>(&self, claim: impl Into<Claim<'a>>) -> Counting {
        let claim = claim.into();
        let quarantined = |certified: &Certified| {
            self.past_cutoff(&claim, certified.id())
                .or_else(|| outside_validity(&claim, certified))
                .or_else(|| self.cut_off_above(certified))
        };
        let reason = match self.certificate(claim.certificate) {
            Some(certified) => quarantined(certified),
            None => Some(Text::new(
                "签名所用证书不在本节点",
                "the certificate it was signed under is not known here",
            )),
        };
        reason.map_or(Counting::Counts, Counting::Quarantined)
    }

    fn past_cutoff(&self, claim: &Claim<'_>, certificate: CertificateId) -> Option<Text> {
        let counts = |cutoff: Option<anjuan_sync::Head>| {
            // At the cutoff itself the id decides: a fork made later does not count.
            cutoff.is_some_and(|head| claim.seq < head.seq || (claim.seq == head.seq && claim.id == head.id))
        };
        let revocation = self
            .revocations_of(certificate)
            .find(|revocation| !counts(revocation.get().cutoff(claim.space, claim.epoch)))?;
        let (label, reason) = (
            self.label(revocation.get().authority()),
            revocation.get().reason(),
        );
        Some(text!(
            "签名人的证书已被{label}吊销({reason}),本条在截止点之后",
            "the signer's certificate was revoked by {label} ({reason}), and this is past the cutoff",
        ))
    }

    /// Why a certificate above rules this one out, if one does.
    pub(super) fn cut_off_above(&self, certified: &Certified) -> Option<Text> {
        let mut child = certified;
        while let Some(issuer) = child.issuer() {
            let mut revocations = self.revocations_of(issuer.id());
            if let Some(revocation) = revocations.find(|revocation| !revocation.get().keeps(child.id())) {
                let (label, reason) = (issuer.certificate().label(), revocation.get().reason());
                return Some(text!(
                    "签发机关{label}的证书已被吊销({reason}),其签发的本证书未予保留",
                    "the certificate of the authority {label} was revoked ({reason}), \
                     and this one, issued under it, was not kept",
                ));
            }
            child = issuer;
        }
        None
    }

    fn label(&self, id: CertificateId) -> &str {
        self.certificate(id)
            .map_or("?", |certified| certified.certificate().label())
    }
}

fn outside_validity(claim: &Claim<'_>, certified: &Certified) -> Option<Text> {
    let certificate = certified.certificate();
    if certificate.is_valid_at(claim.recorded_at) {
        None
    } else if claim.recorded_at < certificate.not_before() {
        Some(Text::new(
            "所称时间早于证书生效时间",
            "the time it claims is before its certificate's validity",
        ))
    } else {
        Some(Text::new(
            "所称时间晚于证书失效时间",
            "the time it claims is after its certificate's validity",
        ))
    }
}
