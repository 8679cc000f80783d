//! A network of Yulin, and updates as its operators sign them, honest or not.

use std::collections::BTreeSet;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anjuan_node::authority::certificate::{CertificateKind, Certified, Issue};
use anjuan_node::authority::role::Role;
use anjuan_node::document::{Document, Expected, actor, document_id};
use anjuan_node::files::Disk;
use anjuan_node::kind::Content;
use anjuan_node::ledger::{DocumentKey, Ledger, OpenReport, Opening, Taken, check};
use anjuan_sync::id::ItemId;
use anjuan_sync::replica::{Blob, Record, Replica as _, Roots};
use anjuan_sync::update::{HEADER_VERSION, RawHeader, payload_hash};
use anjuan_sync::{AuthorKey, DocumentId, Head, Header, LogEpoch, SignedUpdate, Space, Timestamp};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

/// When everything happens.
pub const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const DAY: i64 = 24 * 3_600_000;
const CACHE: u64 = 4 * 1024 * 1024;

pub fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(anjuan_sync::hash::sha256(name.as_bytes()).as_bytes())
}

pub fn public(key: &SigningKey) -> AuthorKey {
    AuthorKey::from_bytes(key.verifying_key().to_bytes())
}

fn at(day: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + day * DAY)
}

/// The root of the network.
pub fn root() -> Arc<Certified> {
    let unit = "4509".parse().expect("a unit code");
    let root = Certified::found(&key("city"), &unit, "city".into(), at(-1), at(1000));
    Arc::new(root.expect("a root"))
}

/// What `issuer`, whose key goes by its label, certifies for `subject`.
pub fn certify(
    issuer: &Arc<Certified>,
    kind: CertificateKind,
    subject: AuthorKey,
    label: &str,
    unit: &str,
) -> Arc<Certified> {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    let issue = Issue {
        kind,
        subject,
        seal_key: None,
        unit: unit.parse().expect("a unit code"),
        organisation: None,
        roles: match kind {
            CertificateKind::Operator => BTreeSet::from([Role::Mediator, Role::Chair]),
            _ => BTreeSet::new(),
        },
        label: label.into(),
        serial: SERIAL.fetch_add(1, Ordering::Relaxed),
        not_before: at(-1),
        not_after: at(1000),
    };
    let issuer_key = key(issuer.certificate().label());
    Arc::new(issuer.issue(&issuer_key, issue).expect("the issuer may"))
}

/// A certificate as it travels.
pub fn credential(certified: &Certified) -> Record {
    Record::Credential(Blob {
        path: certified.certificate().path().clone(),
        id: ItemId::from_bytes(*certified.id().as_bytes()),
        bytes: certified.signed().encode(),
    })
}

/// Opens the ledger in `home`.
pub fn open(home: &FilePath, unit: &str, fresh: LogEpoch) -> (Ledger, OpenReport) {
    let opening = Opening {
        home,
        root: root().as_ref().clone(),
        unit: &unit.parse().expect("a unit code"),
        files: Arc::new(Disk),
        cache_bytes: Some(CACHE),
        fresh,
    };
    Ledger::open(opening, &mut |_, _| {}).expect("the ledger opens")
}

/// Takes records in, and waits for the disk.
pub fn take(ledger: &mut Ledger, records: Vec<Record>) -> Taken {
    let (taken, durable) = ledger
        .take(check(records, &mut rand::rng()))
        .expect("the disk holds");
    durable.wait().expect("durable");
    taken
}

/// The digests of everything a ledger holds.
pub fn roots(ledger: &Ledger) -> Roots {
    ledger.status(ledger.scope()).expect("readable").roots
}

/// An operator with a log.
#[derive(Clone, Debug)]
pub struct Writer {
    pub key: SigningKey,
    pub certified: Arc<Certified>,
    pub epoch: LogEpoch,
    pub space: Space,
    pub head: Option<Head>,
    /// When it says that it records.
    pub at: Timestamp,
}

impl Writer {
    pub fn new(name: &str, certified: &Arc<Certified>, epoch: u8, space: Space) -> Self {
        Self {
            key: key(name),
            certified: Arc::clone(certified),
            epoch: LogEpoch::from_bytes([epoch; 16]),
            space,
            head: None,
            at: NOW,
        }
    }

    pub fn author(&self) -> AuthorKey {
        public(&self.key)
    }

    /// The header of the next update.
    pub fn header(&self, document: DocumentId, payload: &[u8]) -> RawHeader {
        RawHeader {
            version: HEADER_VERSION,
            network: self.certified.network(),
            space: self.space.clone(),
            author: self.author(),
            epoch: self.epoch,
            seq: self.head.map_or(1, |head| head.seq + 1),
            previous: self.head.map(|head| head.id),
            document,
            payload_hash: payload_hash(payload),
            payload_length: payload.len() as u32,
            certificate: self.certified.id(),
            recorded_at: self.at,
            continues: None,
            bracket: None,
        }
    }

    /// Signs a payload as the next update of the log.
    pub fn sign(&mut self, document: DocumentId, payload: Vec<u8>) -> SignedUpdate {
        let update = sign(self.header(document, &payload), payload, &self.key);
        self.head = Some(Head {
            seq: update.header().seq(),
            id: update.id(),
        });
        update
    }

    /// Opens a document.
    pub fn create(&mut self, event: &Value) -> (DocumentKey, Document, SignedUpdate) {
        let (document, payload, _) =
            Document::create("case", &actor(&self.author(), &self.epoch), &content(event)).expect("fits");
        let id = document_id(&self.space, &self.author(), &self.epoch, &payload_hash(&payload));
        let key = DocumentKey {
            space: self.space.clone(),
            id,
        };
        (key, document, self.sign(id, payload))
    }

    /// Goes on with a document; `document` moves on.
    pub fn change(&mut self, key: &DocumentKey, document: &mut Document, event: &Value) -> SignedUpdate {
        let actor = actor(&self.author(), &self.epoch);
        let payload = document.change(&actor, &content(event)).expect("fits");
        let expected = Expected {
            space: &self.space,
            author: &self.author(),
            epoch: &self.epoch,
            document: &key.id,
            own_last: document.last_of(&actor),
        };
        document.admit(&payload, &expected).expect("fits");
        self.sign(key.id, payload)
    }
}

/// Signs what a header says.
pub fn sign(raw: RawHeader, payload: Vec<u8>, key: &SigningKey) -> SignedUpdate {
    let header = Header::try_from(raw).expect("a header");
    SignedUpdate::sign(header, payload, key)
        .expect("signed")
        .into_inner()
}

/// What an event says, with a field that merges.
pub fn content(event: &Value) -> Content {
    Content {
        event: event.as_object().expect("an object").clone(),
        record: std::iter::once(("title".to_owned(), event["type"].clone())).collect(),
    }
}

/// A case is registered.
pub fn registered(n: u64) -> Value {
    json!({
        "type": "CaseRegistered", "source": "applied", "category": "neighbours", "brief": "相邻排水纠纷",
        "facts": format!("雨季排水流入邻院,第{n}次。"), "parties": [
            {"commitment": hex::encode([1; 32]), "role": "applicant", "kind": "person"},
            {"commitment": hex::encode([2; 32]), "role": "respondent", "kind": "organisation"},
        ], "headcount": "up-to-4",
    })
}

/// It is accepted.
pub fn accepted() -> Value {
    json!({"type": "CaseAccepted", "consent": true, "rights_notice": true, "no_exclusion": true})
}

/// It is declined.
pub fn declined() -> Value {
    json!({"type": "CaseDeclined", "reason": "seised", "explanation": "法院已立案", "remedies": ["litigation"]})
}

/// A mediator takes it over.
pub fn assigned(to: AuthorKey) -> Value {
    json!({"type": "CaseAssigned", "mediators": [to.to_string()]})
}

/// Facts were looked into.
pub fn verified(n: u64) -> Value {
    json!({"type": "FactsVerified", "findings": format!("现场查看{n}"), "records": 1, "evidence": []})
}

/// Something is said, which counts in any stage.
pub fn message(n: u64) -> Value {
    json!({"type": "MessageSent", "text": format!("第{n}次联系")})
}
