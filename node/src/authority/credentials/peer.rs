//! Whether a peer is a node of the network, from the chain that it shows.

use std::sync::Arc;

use anjuan_sync::{AuthorKey, CertificateId, NetworkId, Timestamp};

use super::{Credentials, Standing};
use crate::authority::certificate::{
    CertificateError, CertificateKind, Certified, ChainError, SignedCertificate,
};

/// Certificates in the longest chain: an authority for each of 8 levels, and the node's.
pub const MAX_CHAIN: usize = 9;

/// Why a peer is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// No certificates, or more than a chain has.
    #[error("the peer shows {0} certificates; a chain has 1 to {MAX_CHAIN}")]
    Length(usize),
    /// A certificate is none.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The chain does not hold.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Another network's.
    #[error("the peer is of network {theirs}; this is network {ours}")]
    ForeignNetwork {
        /// The peer's network.
        theirs: NetworkId,
        /// The network here.
        ours: NetworkId,
    },
    /// The last certificate is not a node's, or is for another key than the peer's.
    #[error("certificate {0} does not make this peer a node")]
    NotANode(CertificateId),
    /// Revoked, expired or not yet valid. A clock that is years off looks like the last two.
    #[error("the peer's certificate {certificate} is not in force: {}", .standing.text())]
    NotInForce {
        /// The node's certificate.
        certificate: CertificateId,
        /// Where it stands.
        standing: Standing,
    },
}

impl Credentials {
    /// Judges the peer that holds `key` by the chain it shows, the root's certificate first. Nothing is
    /// taken in: a peer that is let in offers its credentials like everybody else's.
    ///
    /// # Errors
    /// [`PeerError::NotInForce`] with a date may be the fault of the clock here; the others are for good.
    pub fn judge_peer(
        &self,
        chain: &[impl AsRef<[u8]>],
        key: AuthorKey,
        now: Timestamp,
    ) -> Result<Arc<Certified>, PeerError> {
        let Some((root, others)) = chain.split_first().filter(|_| chain.len() <= MAX_CHAIN) else {
            return Err(PeerError::Length(chain.len()));
        };
        let theirs = NetworkId::of_root(SignedCertificate::decode(root.as_ref())?.id());
        let ours = self.network();
        if theirs != ours {
            return Err(PeerError::ForeignNetwork { theirs, ours });
        }
        let mut link = self.root().clone();
        for bytes in others {
            let signed = SignedCertificate::decode(bytes.as_ref())?;
            link = match self.certificate(signed.id()) {
                // Checked before; a chain that jumps shows at the next link that is not known.
                Some(known) => known.clone(),
                None => Arc::new(Certified::issued(signed, &link)?),
            };
        }
        let certificate = link.certificate();
        if certificate.kind() != CertificateKind::Node || certificate.subject() != key {
            return Err(PeerError::NotANode(link.id()));
        }
        match self.standing_of(&link, now) {
            Standing::Valid => Ok(link),
            standing => Err(PeerError::NotInForce {
                certificate: link.id(),
                standing,
            }),
        }
    }
}
