//! What a joiner asks of its parent, with proof that it holds the keys it wants certified.

use anjuan_sync::hash::Domain;
use anjuan_sync::{AuthorKey, Digest, NetworkId, Path};
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use minicbor::{Decode, Encode};

use super::{Fingerprint, Joining, Ticket, TicketId};
use crate::authority::certificate::{KeyError, MAX_LABEL, seal_key, signing_key};
use crate::authority::encoding::{self, EncodingError, is_plain};
use crate::authority::role::Role;
use crate::keys::{NodeKey, Unlocked};
use crate::unit::{ParseUnitError, UnitCode};

/// The request format this code writes, and the only one it reads.
const VERSION: u8 = 1;
const MAX_REQUEST: usize = 1024;
const DOMAIN: Domain = Domain::new("anjuan/join-request/1");

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Body {
    #[n(0)]
    version: u8,
    #[n(1)]
    network: Option<NetworkId>,
    #[n(2)]
    unit: Path,
    #[n(3)]
    label: String,
    #[n(4)]
    node: AuthorKey,
    #[cbor(n(5), with = "minicbor::bytes")]
    seal_key: [u8; 32],
    #[n(6)]
    authority: Option<AuthorKey>,
    #[n(7)]
    ticket: Option<TicketId>,
    /// The role of an auditor's node; none for others.
    #[n(8)]
    role: Option<u8>,
}

/// Signatures over the body, one by each key it names.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[cbor(n(0), with = "minicbor::bytes")]
    body: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    node: [u8; 64],
    #[cbor(n(2), with = "minicbor::bytes")]
    authority: Option<[u8; 64]>,
    #[cbor(n(3), with = "minicbor::bytes")]
    ticket: Option<[u8; 64]>,
}

/// Why bytes are not a join request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The bytes are no request.
    #[error("join request: {0}")]
    Encoding(#[from] EncodingError),
    /// A version this code does not know.
    #[error("join request version {0} is not supported; this program reads version {VERSION}")]
    Version(u8),
    /// The unit is none.
    #[error(transparent)]
    Unit(#[from] ParseUnitError),
    /// The name is empty, too long, or has characters that cannot be seen.
    #[error("the unit's name has to have 1 to {MAX_LABEL} bytes and no control characters")]
    Label,
    /// A weak key.
    #[error("the {role} key in the join request is not usable: {problem}")]
    Key {
        /// Which.
        role: &'static str,
        /// What is wrong with it.
        problem: KeyError,
    },
    /// The node's key serves as the authority's too, so who holds the machine would hold the unit.
    #[error("node and authority have to have keys of their own")]
    SameKey,
    /// A role that no node has, or one together with an authority's key.
    #[error("the join request asks for a role that a node of this kind does not have")]
    Role,
    /// A signature is missing or not that of the key, or the file was changed.
    #[error("the join request is not signed by its {0} key; it was changed, or the key is another's")]
    NotProven(&'static str),
}

/// What a joiner fills in.
#[derive(Debug)]
pub struct JoinForm<'a> {
    /// The unit.
    pub unit: UnitCode,
    /// Its name, as the division list or, for a committee, its registration has it.
    pub label: String,
    /// The node's keys.
    pub node: &'a NodeKey,
    /// The unit's authority key, if the unit is new.
    pub authority: Option<&'a Unlocked>,
    /// The ticket, if there is one.
    pub ticket: Option<&'a Ticket>,
    /// Is it an auditor's node?
    pub auditor: bool,
}

/// A well-formed request of somebody who holds the keys that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    body: Body,
    unit: UnitCode,
    wire: Wire,
    id: Digest,
}

/// A parent's consent to one request: by a ticket, or by a person who compared fingerprints.
#[derive(Debug, PartialEq, Eq)]
pub struct Approval {
    request: Digest,
}

/// The fingerprint that a person confirmed is another request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the fingerprint of this request is {0}, not the one that was confirmed; ask the joiner to read theirs again"
)]
pub struct NotConfirmed(pub Fingerprint);

impl JoinRequest {
    /// Bytes in the longest encoding.
    pub const MAX_LENGTH: usize = MAX_REQUEST + 256;

    /// Signs a request with every key it names.
    pub fn sign(form: &JoinForm<'_>) -> Result<Self, RequestError> {
        let body = encoding::encode(&Body {
            version: VERSION,
            network: form.ticket.map(Ticket::network),
            unit: form.unit.path(),
            label: form.label.clone(),
            node: form.node.public(),
            seal_key: form.node.seal_public(),
            authority: form.authority.map(Unlocked::public),
            ticket: form.ticket.map(Ticket::id),
            role: form.auditor.then(|| Role::Auditor.number()),
        });
        let input = DOMAIN.signing_input(&body);
        let sign = |key: &SigningKey| key.sign(&input).to_bytes();
        Self::checked(Wire {
            node: sign(form.node.signing_key()),
            authority: form.authority.map(|key| sign(key.signing_key())),
            ticket: form.ticket.map(|ticket| sign(&ticket.key())),
            body,
        })
    }

    /// Reads the canonical encoding and checks the signatures.
    pub fn decode(bytes: &[u8]) -> Result<Self, RequestError> {
        Self::checked(encoding::decode(bytes, Self::MAX_LENGTH)?)
    }

    fn checked(wire: Wire) -> Result<Self, RequestError> {
        let body: Body = encoding::decode(&wire.body, MAX_REQUEST)?;
        if body.version != VERSION {
            return Err(RequestError::Version(body.version));
        }
        let unit = UnitCode::from_path(&body.unit)?;
        if !is_plain(&body.label, MAX_LABEL) {
            return Err(RequestError::Label);
        }
        let is_auditor = body.role == Some(Role::Auditor.number());
        if body.role.is_some() && !(is_auditor && body.authority.is_none()) {
            return Err(RequestError::Role);
        }
        if body.authority == Some(body.node) {
            return Err(RequestError::SameKey);
        }
        seal_key(&body.seal_key).map_err(|problem| RequestError::Key {
            role: "seal",
            problem,
        })?;
        let input = DOMAIN.signing_input(&wire.body);
        for (role, key, signature) in [
            ("node", Some(body.node), Some(wire.node)),
            ("authority", body.authority, wire.authority),
            ("ticket", body.ticket.map(|ticket| ticket.0), wire.ticket),
        ] {
            match (key, signature) {
                (None, None) => {}
                (Some(key), Some(signature)) => signing_key(key.as_bytes())
                    .map_err(|problem| RequestError::Key { role, problem })?
                    .verify_strict(&input, &Signature::from_bytes(&signature))
                    .map_err(|_| RequestError::NotProven(role))?,
                _ => return Err(RequestError::NotProven(role)),
            }
        }
        Ok(Self {
            id: DOMAIN.hash(&[&wire.body]),
            body,
            unit,
            wire,
        })
    }

    /// The canonical encoding: a CBOR array of the body's bytes and a signature for each key.
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(&self.wire)
    }

    /// The hash of what was signed.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// What people compare.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_request(self.id)
    }

    /// The network that the joiner expects; none if it does not know it yet.
    pub fn network(&self) -> Option<NetworkId> {
        self.body.network
    }

    /// The unit that the node shall serve.
    pub fn unit(&self) -> &UnitCode {
        &self.unit
    }

    /// The unit's name, as the joiner wrote it.
    pub fn label(&self) -> &str {
        &self.body.label
    }

    /// The node's key. Over the network, the peer that asks has to be its holder.
    pub fn node(&self) -> AuthorKey {
        self.body.node
    }

    /// The node's X25519 key.
    pub fn seal_key(&self) -> [u8; 32] {
        self.body.seal_key
    }

    /// The unit's authority key, if the unit is new.
    pub fn authority(&self) -> Option<AuthorKey> {
        self.body.authority
    }

    /// As what the node joins.
    pub fn joining(&self) -> Joining {
        match (self.body.authority, self.body.role) {
            (Some(_), _) => Joining::NewUnit,
            (None, Some(_)) => Joining::Auditor,
            (None, None) => Joining::Standby,
        }
    }

    /// The ticket it was made with.
    pub fn ticket(&self) -> Option<TicketId> {
        self.body.ticket
    }

    /// Approves the request whose fingerprint a person confirmed.
    pub fn approve(&self, confirmed: Fingerprint) -> Result<Approval, NotConfirmed> {
        if confirmed == self.fingerprint() {
            Ok(self.approved())
        } else {
            Err(NotConfirmed(self.fingerprint()))
        }
    }

    pub(super) fn approved(&self) -> Approval {
        Approval { request: self.id }
    }
}

impl Approval {
    pub(super) fn is_for(&self, request: &JoinRequest) -> bool {
        self.request == request.id
    }
}
