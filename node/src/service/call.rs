//! The calls: one type each, with the type of its answer.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ServiceError, view};
use crate::authority::role::Role;
use crate::unit::UnitCode;

/// A request to a node. Its JSON is the body of `POST /v1/<PATH>`.
pub trait Call: Serialize + DeserializeOwned + Send + 'static {
    /// The last part of the address.
    const PATH: &'static str;
    /// What comes back.
    type Answer: Serialize + DeserializeOwned + Send + 'static;
}

/// What answers a call: the service in this process, or a client of the node that runs it. Blocks until
/// the answer is there.
pub trait Handle<C: Call> {
    /// Answers; long calls tell `progress` how far they are.
    fn handle(&self, call: C, progress: &mut dyn FnMut(Progress)) -> Result<C::Answer, ServiceError>;
}

/// Something to be done once for the type of each call, such as adding its route.
pub trait EachCall<S> {
    /// Called with each type.
    fn call<C: Call>(&mut self)
    where
        S: Handle<C>;
}

/// How far a long call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Done so far.
    pub done: u64,
    /// Of how many; 0 while unknown.
    pub total: u64,
}

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident = $path:literal -> $answer:ty { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Serialize, Deserialize)]
            pub struct $name { $($(#[$field_doc])* pub $field: $type),* }

            impl Call for $name {
                const PATH: &'static str = $path;
                type Answer = $answer;
            }
        )*

        /// What answers every call.
        pub trait HandleAll: $(Handle<$name> +)* {}

        impl<S> HandleAll for S where S: $(Handle<$name> +)* {}

        /// Shows `visitor` the type of every call, in the order they are listed here.
        pub fn each_call<S: HandleAll>(visitor: &mut impl EachCall<S>) {
            $(visitor.call::<$name>();)*
        }
    };
}

/// Who signs: the name of an operator of this home, and the passphrase where no session is unlocked.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignAs {
    /// The operator's handle; may be left out where the home has exactly one.
    pub operator: Option<String>,
    /// The passphrase; needed unless the running node holds an unlocked session.
    pub passphrase: Option<String>,
}

/// Shows whether a passphrase was given, never the passphrase.
impl std::fmt::Debug for SignAs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let given = self.passphrase.is_some();
        f.debug_struct("SignAs")
            .field("operator", &self.operator)
            .field("passphrase_given", &given)
            .finish()
    }
}

/// Particulars are to go into an audit bundle: why, and who signs for it in each case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Disclose {
    /// The legal basis, and why; it stands in each case disclosed, for everybody who holds it.
    pub reason: String,
    /// Who discloses.
    pub sign: SignAs,
}

/// A passphrase on its way to the key it opens. Never shown.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Passphrase(pub String);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Particulars on their way to being sealed. They never enter the event; their commitment does.
#[derive(Clone, Serialize, Deserialize)]
pub struct Seal {
    /// Where in the event the commitment goes, as a JSON pointer (RFC 6901): `/parties/0/commitment`.
    pub pointer: String,
    /// The particulars, as JSON of their kind (`person`, `organisation`, `file`).
    pub particulars: Value,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal")
            .field("pointer", &self.pointer)
            .finish_non_exhaustive()
    }
}

/// How to find a document: its id (or the first digits of it, 4 at least), or its number.
pub type DocumentRef = String;

calls! {
    /// What this node is, and how it does.
    Status = "status" -> view::Status {
        /// Digest what a node of this unit holds, rather than all that this one does: equal at two nodes that
        /// both hold it exactly if they are level in it.
        scope: Option<UnitCode>,
    }

    /// Opens a ticket for a new unit below, for a second node of a unit, or for an auditor's.
    Invite = "invite" -> view::Invitation {
        /// The unit that joins.
        unit: UnitCode,
        /// A second node of the same unit: a node certificate only.
        standby: bool,
        /// An auditor's node, which follows the unit and records nothing.
        #[serde(default)]
        auditor: bool,
        /// Hours until it expires, 1 to 720.
        valid_hours: u32,
        /// Opens the authority's key, so that the running node can sign when the ticket is used.
        passphrase: Option<Passphrase>,
    }
    /// Signs a join request that came as a file.
    SignRequest = "sign-request" -> view::SignedRequest {
        /// The request's bytes, hexadecimal.
        request: String,
        /// Only tell what the request asks for and its fingerprint.
        dry_run: bool,
        /// Opens the authority's key.
        passphrase: Option<Passphrase>,
    }

    /// Makes an operator's key and certificate.
    OperatorAdd = "operator-add" -> view::Operator {
        /// Short name of the key in this home: `a-z`, `0-9`, `-`.
        handle: String,
        /// Name of the official or mediator on the certificate.
        label: String,
        /// What the operator may be.
        roles: Vec<Role>,
        /// Days of validity, 1 to 3,660.
        valid_days: u32,
        /// Seals the new key.
        passphrase: Passphrase,
        /// Opens the authority's key.
        authority_passphrase: Option<Passphrase>,
    }
    /// Every operator certified at or below this unit.
    OperatorList = "operator-list" -> Vec<view::Operator> {
        /// Only those of this unit.
        unit: Option<UnitCode>,
    }
    /// Revokes an operator's or a node's certificate as of what this node knows now.
    OperatorRevoke = "operator-revoke" -> view::Revoked {
        /// The certificate's id or the first digits of it, or the handle of an operator of this home.
        operator: String,
        /// Why.
        reason: String,
        /// Count only what was recorded before this instant (RFC 3339); without it, all that is here.
        since: Option<String>,
        /// Opens the authority's key.
        passphrase: Option<Passphrase>,
    }
    /// Opens a session in the running node: it keeps the key unlocked for some hours.
    OperatorUnlock = "operator-unlock" -> view::Unlocked {
        /// The operator's handle, or `authority`.
        handle: String,
        /// Opens the key.
        passphrase: Passphrase,
        /// Hours, 1 to 24.
        hours: u32,
    }
    /// Ends the session.
    OperatorLock = "operator-lock" -> view::Done {
        /// The operator's handle, or `authority`.
        handle: String,
    }
    /// Seals a key with another passphrase.
    OperatorPassphrase = "operator-passphrase" -> view::Done {
        /// The operator's handle, or `authority`.
        handle: String,
        /// The passphrase so far.
        old: Passphrase,
        /// The new one.
        new: Passphrase,
    }

    /// Units by code, name or part of a name.
    UnitFind = "unit-find" -> Vec<view::Unit> {
        /// A code, a name or a part of one; empty for this node's own unit.
        query: String,
    }
    /// One unit, what is above it and what is below.
    UnitShow = "unit-show" -> view::UnitDetail {
        /// The unit.
        unit: UnitCode,
    }

    /// Peers: the parents kept, and who is connected.
    PeerList = "peer-list" -> Vec<view::Peer> {}
    /// Keeps a connection to a node at this address.
    PeerAdd = "peer-add" -> view::Done {
        /// A multiaddress that ends in `/p2p/<peer id>`.
        address: String,
    }
    /// Stops keeping it.
    PeerRemove = "peer-remove" -> view::Done {
        /// The address, or the peer id.
        peer: String,
    }

    /// How it goes with every peer and every unit below.
    SyncStatus = "sync-status" -> view::SyncStatus {}
    /// Connects to kept peers at once, and waits until they are level.
    SyncNow = "sync-now" -> view::SyncNow {
        /// Only this one, by its peer id or its unit's code.
        peer: Option<String>,
        /// Seconds to wait, at most 3,600; 0: only connect.
        wait_seconds: u32,
    }
    /// Figures for a monitoring system, in the Prometheus text format.
    Metrics = "metrics" -> view::Metrics {}

    /// Writes what nodes of a unit may lack to a file.
    BundleExport = "bundle-export" -> view::BundleWritten {
        /// The file, which must not exist; an absolute path.
        file: String,
        /// Leave out what this peer, by its unit's code or its peer id, is known to have; else everything.
        since: Option<String>,
        /// For nodes of this unit; without it for the peer's, or for this node's own.
        scope: Option<UnitCode>,
    }
    /// Reads a bundle, and tells what it would bring. Nothing is taken in.
    BundleRead = "bundle-read" -> view::BundleSummary {
        /// The file; an absolute path.
        file: String,
    }
    /// Takes in what a bundle brings, as from a peer. Done again, it brings nothing more.
    BundleImport = "bundle-import" -> view::BundleImported {
        /// The file; an absolute path.
        file: String,
        /// Take in the whole pages of one that is damaged; without it nothing of such a one is taken in.
        salvage: bool,
    }

    /// Records one event, in a new document or an existing one.
    Record = "record" -> view::Recorded {
        /// Kind of document: `case`, `register`.
        kind: String,
        /// The document; none for an event that opens one.
        document: Option<DocumentRef>,
        /// Where a new document lives; the node's own unit if not given.
        unit: Option<UnitCode>,
        /// The event: `type` and its fields.
        event: Map<String, Value>,
        /// Changes to the small fields that merge.
        record: Map<String, Value>,
        /// Particulars to seal; the event gets their commitments.
        seal: Vec<Seal>,
        /// Who signs.
        sign: SignAs,
    }
    /// Lists documents.
    List = "list" -> view::Listing {
        /// Kind of document.
        kind: String,
        /// Filters, all of which must hold.
        filter: view::Filter,
    }
    /// One document, whole.
    Show = "show" -> view::DocumentDetail {
        /// Kind of document.
        kind: String,
        /// Which.
        document: DocumentRef,
    }
    /// Every update of a document, what it says and whether it counts.
    History = "history" -> view::DocumentHistory {
        /// Kind of document.
        kind: String,
        /// Which.
        document: DocumentRef,
    }
    /// What is due for an operator.
    Todo = "todo" -> Vec<view::Due> {
        /// The operator's handle; the only one of the home if not given.
        operator: Option<String>,
        /// Only what is due within this many days.
        within_days: Option<u32>,
    }

    /// Reads particulars; by a superior it is a signed event with a reason.
    ParticularsRead = "particulars-read" -> view::Particulars {
        /// The case.
        document: DocumentRef,
        /// The commitment, or the first digits of it.
        commitment: String,
        /// Why, where the reader is not the handling unit.
        reason: Option<String>,
        /// Who reads.
        sign: SignAs,
    }
    /// Orders the erasure of particulars and carries it out here.
    ParticularsErase = "particulars-erase" -> view::Recorded {
        /// The case.
        document: DocumentRef,
        /// The commitment, or the first digits of it.
        commitment: String,
        /// The legal basis, as a code.
        basis: String,
        /// Article of law, or number of the decision.
        reference: String,
        /// Who signs.
        sign: SignAs,
    }

    /// Writes an audit bundle; of everything, unless a document, a unit or a period is named.
    AuditExport = "audit-export" -> view::AuditExported {
        /// A case.
        document: Option<DocumentRef>,
        /// A unit, with all below it.
        unit: Option<UnitCode>,
        /// From this instant on (RFC 3339), as claimed.
        from: Option<String>,
        /// Before this instant.
        to: Option<String>,
        /// With what the documents say.
        payloads: bool,
        /// With the headers of all logs.
        all_headers: bool,
        /// With the particulars that can be opened here, which needs `payloads`; without it none.
        disclose: Option<Disclose>,
        /// Checkpoints of this node with their cosignatures, as notes.
        checkpoints: Vec<String>,
        /// Checkpoints that the auditor kept, as notes: the bundle can be compared with them.
        since: Vec<String>,
        /// The file, which must not exist yet.
        out: String,
    }

    /// Checks every signature, chain, log and document of this store.
    Verify = "verify" -> view::Verification {}
    /// What has happened to this node that somebody should know, and what to do.
    Doctor = "doctor" -> view::Diagnosis {}
}
