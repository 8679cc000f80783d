//! Sealed particulars: sealing, reading, passing on, erasing.

use std::str::FromStr;
use std::thread;
use std::time::Instant;

use anjuan_sync::Timestamp;
use jiff::civil::Date;
use rand::rng;
use serde_json::{Map, Value, json};

use super::call::{Handle, ParticularsErase, ParticularsRead, Progress, Seal};
use super::signing::Signing;
use super::{ErrorKind, Service, ServiceError, view, words};
use crate::authority::certificate::CertificateKind;
use crate::authority::credentials::Standing;
use crate::kind::{Content, ParticularsRef, Projection};
use crate::ledger::{DocumentKey, Ledger, RecordError};
use crate::particulars::{
    Commitment, KeystoreError, Maker, OpenError, Particulars, Prepared, Purpose, RawParticulars, ReaderNode,
    Recipient, SealKey, Subject, missing_wraps, readers,
};
use crate::text;
use crate::text::Text;

/// Particulars that an event being recorded commits to.
pub(super) struct Sealing(Vec<Prepared>);

impl Sealing {
    /// Checks the particulars and puts their commitments into the event.
    pub(super) fn prepare(
        seals: Vec<Seal>,
        event: &mut Map<String, Value>,
        now: Timestamp,
    ) -> Result<Self, ServiceError> {
        let today = today(now);
        let mut prepared = Vec::new();
        let mut value = Value::Object(std::mem::take(event));
        for seal in seals {
            // The error of the parser could quote what it read; it is not passed on.
            let raw: RawParticulars = serde_json::from_value(seal.particulars).map_err(|_| {
                ServiceError::new(
                    ErrorKind::Usage,
                    Text::new(
                        "个人信息的格式不对:应为 person、organisation 或 file 之一及其字段",
                        "the particulars are not of the form expected: one of person, organisation or file, with its fields",
                    ),
                )
            })?;
            let particulars = Particulars::new(raw, today)
                .map_err(|invalid| ServiceError::new(ErrorKind::Usage, invalid.text()))?;
            let one = Prepared::new(&particulars, &mut rng());
            let pointer = &seal.pointer;
            if !put(&mut value, pointer, Value::from(one.commitment().to_string())) {
                return Err(ServiceError::new(
                    ErrorKind::Usage,
                    text!("事件中没有位置 {pointer}", "the event has no place {pointer}"),
                ));
            }
            prepared.push(one);
        }
        if let Value::Object(map) = value {
            *event = map;
        }
        Ok(Self(prepared))
    }
}

/// Puts `value` where `pointer` (RFC 6901) says: a new field of an object that is there.
fn put(root: &mut Value, pointer: &str, value: Value) -> bool {
    let Some((parent, field)) = pointer.rsplit_once('/') else {
        return false;
    };
    match root.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.insert(field.to_owned(), value);
            true
        }
        _ => false,
    }
}

fn today(now: Timestamp) -> Date {
    crate::calendar::local_date(now)
}

pub(super) fn subject(key: &DocumentKey, commitment: Commitment) -> Subject {
    Subject {
        space: key.space.clone(),
        document: key.id,
        commitment,
    }
}

pub(super) fn commitment_of(reference: &ParticularsRef) -> Option<Commitment> {
    Commitment::from_str(&reference.commitment).ok()
}

/// Nodes to which something can be sealed: those with a certificate in force, but for auditors' nodes.
fn reader_nodes(ledger: &Ledger, now: Timestamp) -> Vec<ReaderNode> {
    let credentials = ledger.credentials();
    credentials
        .certificates()
        .filter(|certified| certified.certificate().kind() == CertificateKind::Node)
        .filter(|certified| !certified.certificate().is_auditors_node())
        .filter(|certified| credentials.standing(certified.id(), now) == Some(Standing::Valid))
        .filter_map(|certified| {
            let certificate = certified.certificate();
            let key = SealKey::from_bytes(certificate.seal_key()?);
            let recipient = Recipient {
                certificate: certified.id(),
                key,
            };
            Some(ReaderNode {
                unit: certificate.unit().clone(),
                recipient,
            })
        })
        .collect()
}

impl From<KeystoreError> for ServiceError {
    fn from(error: KeystoreError) -> Self {
        let kind = match error {
            KeystoreError::Io { .. } => ErrorKind::Storage,
            KeystoreError::Format { .. } | KeystoreError::Damaged(_) => ErrorKind::Damaged,
            KeystoreError::Full { .. } | KeystoreError::Erased => ErrorKind::Refused,
        };
        Self::new(kind, words::keystore(&error))
    }
}

impl From<OpenError> for ServiceError {
    fn from(error: OpenError) -> Self {
        let text = match &error {
            OpenError::Erased(_) => "这些个人信息已依法删除",
            OpenError::NoBody => "密封材料还没有同步到本节点",
            OpenError::NoWrap => "这些个人信息没有密封给本节点;可由承办单位授权",
            _ => "密封材料打不开",
        };
        let kind = match error {
            OpenError::Erased(_) | OpenError::NoBody => ErrorKind::NotFound,
            OpenError::NoWrap => ErrorKind::Forbidden,
            OpenError::Keystore(error) => return error.into(),
            _ => ErrorKind::Damaged,
        };
        Self::new(kind, Text::new(text, error.to_string()))
    }
}

impl Service {
    /// Seals what an event commits to, for the document that the event is about to be recorded in.
    /// Before the event: a body without an event does no harm, an event without a body is a loss.
    pub(super) fn seal(
        &self,
        sealing: &Sealing,
        key: &DocumentKey,
        projection: &Projection,
        ledger: &mut Ledger,
        signing: &Signing,
    ) -> Result<(), RecordError> {
        let nodes = reader_nodes(ledger, self.now());
        let maker = Maker {
            key: signing.key.signing_key(),
            certificate: signing.certificate_id(),
        };
        for prepared in &sealing.0 {
            let commitment = prepared.commitment();
            let reference = projection
                .particulars
                .iter()
                .find(|one| commitment_of(one) == Some(commitment));
            let Some(reference) = reference else {
                return Err(RecordError::Update(
                    "the event does not refer to what was sealed for it".into(),
                ));
            };
            let mut recipients = readers(reference, &nodes);
            self.add_own(&mut recipients, &nodes);
            let sealed = prepared
                .seal(&subject(key, commitment), &recipients, maker, &mut rng())
                .map_err(|error| RecordError::Update(error.to_string()))?;
            ledger.add_sealed(&sealed.items())?;
        }
        Ok(())
    }

    /// Whoever takes particulars down has read them; its node keeps them readable for the handover.
    fn add_own(&self, recipients: &mut Vec<(Recipient, Purpose)>, nodes: &[ReaderNode]) {
        let own = SealKey::from_bytes(self.0.node.seal_public());
        if recipients.iter().all(|(recipient, _)| recipient.key != own)
            && let Some(node) = nodes.iter().find(|node| node.recipient.key == own)
        {
            recipients.push((node.recipient, Purpose::Handling));
        }
    }

    /// Wraps data keys for readers that have none yet: after a transfer or an escalation, a superior's
    /// reading, or when a node has joined. Does what this node can; another node may do the rest.
    pub(super) fn follow_up(&self, key: &DocumentKey, signing: &Signing) -> Result<(), ServiceError> {
        let mut ledger = self.ledger();
        let Some(projection) = ledger.projection(key)? else {
            return Ok(());
        };
        if projection.particulars.is_empty() {
            return Ok(());
        }
        let nodes = reader_nodes(&ledger, self.now());
        let maker = Maker {
            key: signing.key.signing_key(),
            certificate: signing.certificate_id(),
        };
        for reference in &projection.particulars {
            let Some(commitment) = commitment_of(reference) else {
                continue;
            };
            if reference.erased {
                continue;
            }
            let wanted = readers(reference, &nodes);
            let subject = subject(key, commitment);
            let missing = missing_wraps(&wanted, &ledger.keystore().recipients(&subject));
            if missing.is_empty() {
                continue;
            }
            match ledger
                .keystore()
                .rewrap(&subject, self.0.node.seal_secret(), &missing, maker, &mut rng())
            {
                Ok(items) => ledger.note_sealed(&items),
                // Not readable here: then it is another node's to pass on.
                Err(OpenError::NoWrap | OpenError::NoBody | OpenError::Erased(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        drop(ledger);
        self.announce();
        Ok(())
    }

    fn find_commitment(
        &self,
        projection: &Projection,
        text: &str,
    ) -> Result<(ParticularsRef, Commitment), ServiceError> {
        let found: Vec<_> = projection
            .particulars
            .iter()
            .filter(|one| text.len() >= 4 && one.commitment.starts_with(&text.to_ascii_lowercase()))
            .filter_map(|one| Some((one.clone(), commitment_of(one)?)))
            .collect();
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(ServiceError::new(
                ErrorKind::NotFound,
                text!(
                    "本案没有密封材料 {text}",
                    "this case has no sealed particulars {text}"
                ),
            )),
            _ => Err(ServiceError::new(
                ErrorKind::Usage,
                text!(
                    "{text} 不唯一,请多给几位",
                    "{text} is ambiguous; give more digits"
                ),
            )),
        }
    }

    /// What a document's particulars are like here.
    pub(super) fn sealed_views(
        &self,
        ledger: &Ledger,
        key: &DocumentKey,
        projection: &Projection,
    ) -> Vec<view::SealedView> {
        let own = SealKey::from_bytes(self.0.node.seal_public());
        projection
            .particulars
            .iter()
            .map(|one| {
                let subject = commitment_of(one).map(|commitment| subject(key, commitment));
                let held = subject
                    .as_ref()
                    .is_some_and(|subject| ledger.keystore().has_body(subject));
                let wrapped = subject.as_ref().is_some_and(|subject| {
                    ledger
                        .keystore()
                        .recipients(subject)
                        .iter()
                        .any(|recipient| recipient.key == own)
                });
                view::SealedView {
                    commitment: one.commitment.clone(),
                    role: one.role.clone(),
                    restricted: one.restricted,
                    held,
                    readable: held && wrapped,
                    erased: one.erased,
                }
            })
            .collect()
    }

    /// Carries out erasures that were ordered while this node could not, until it is told to stop. Lets others
    /// have the ledger for as long in between.
    pub fn sweep_erasures(&self, stop: impl Fn() -> bool) -> Result<(), ServiceError> {
        for reach in [anjuan_sync::Reach::Up, anjuan_sync::Reach::Down] {
            let documents = self.ledger_for_peers().erasing(reach)?;
            for key in documents.read()? {
                if stop() {
                    return Ok(());
                }
                let began = Instant::now();
                self.ledger_for_peers().carry_out_erasures(&key)?;
                thread::sleep(began.elapsed());
            }
        }
        Ok(())
    }
}

impl Handle<ParticularsRead> for Service {
    fn handle(
        &self,
        call: ParticularsRead,
        _: &mut dyn FnMut(Progress),
    ) -> Result<view::Particulars, ServiceError> {
        let key = self.find_document("case", &call.document)?;
        let signing = self.signing(&call.sign)?;
        let projection = self.projection(&key)?;
        let (reference, commitment) = self.find_commitment(&projection, &call.commitment)?;
        if reference.erased {
            let commitment = &reference.commitment;
            return Err(ServiceError::new(
                ErrorKind::NotFound,
                text!(
                    "个人信息 {commitment} 已依法删除",
                    "particulars {commitment} were erased, on a legal basis that the history shows"
                ),
            ));
        }
        let nodes = reader_nodes(&self.ledger(), self.now());
        let own = SealKey::from_bytes(self.0.node.seal_public());
        let reads_anyway = readers(&reference, &nodes)
            .iter()
            .any(|(recipient, _)| recipient.key == own);
        let disclosed_by = if reads_anyway {
            None
        } else {
            let reason = call.reason.ok_or_else(|| {
                ServiceError::new(
                    ErrorKind::Forbidden,
                    Text::new(
                        "本单位不承办本案;上级查阅须说明理由并留痕",
                        "this unit does not handle the case; reading as a superior needs a reason and is recorded",
                    ),
                )
                .with_hint(Text::new("用 --reason 说明理由", "give it with --reason"))
            })?;
            let event = json!({
                "type": "ParticularsDisclosed", "commitments": [reference.commitment], "reason": reason,
            });
            Some(self.record_event(&key, event, &signing)?.update.to_string())
        };
        let opened = self
            .ledger()
            .keystore()
            .open_particulars(&subject(&key, commitment), self.0.node.seal_secret())?;
        let particulars = serde_json::to_value(opened.to_raw()).map_err(|_| {
            ServiceError::new(
                ErrorKind::Internal,
                Text::same("particulars could not be laid out"),
            )
        })?;
        Ok(view::Particulars {
            commitment: reference.commitment,
            particulars,
            disclosed_by,
        })
    }
}

impl Handle<ParticularsErase> for Service {
    fn handle(
        &self,
        call: ParticularsErase,
        _: &mut dyn FnMut(Progress),
    ) -> Result<view::Recorded, ServiceError> {
        let key = self.find_document("case", &call.document)?;
        let signing = self.signing(&call.sign)?;
        let projection = self.projection(&key)?;
        let (reference, _) = self.find_commitment(&projection, &call.commitment)?;
        let event = json!({
            "type": "ParticularsErased",
            "commitments": [reference.commitment],
            "basis": call.basis,
            "reference": call.reference,
        });
        let recorded = self.record_event(&key, event, &signing)?;
        Ok(self.recorded_view("case", &recorded))
    }
}

impl Service {
    pub(super) fn record_event(
        &self,
        key: &DocumentKey,
        event: Value,
        signing: &Signing,
    ) -> Result<crate::ledger::Recorded, ServiceError> {
        let Value::Object(event) = event else {
            return Err(ServiceError::new(
                ErrorKind::Internal,
                Text::same("an event is a map"),
            ));
        };
        let content = Content {
            event,
            record: std::collections::BTreeMap::new(),
        };
        self.record("case", Some(key.clone()), None, content, signing)
    }
}
