//! Recording at a node without its command line.

use std::sync::Arc;

use anjuan_node::authority::certificate::Certified;
use anjuan_node::kind::Content;
use anjuan_node::ledger::{DocumentKey, Draft};
use anjuan_node::service::Service;
use anjuan_sync::{LogEpoch, Space};
use ed25519_dalek::SigningKey;
use rand::RngExt as _;

use super::AnyError;
use super::people::{HANDLES, key, operator_name, public};

/// Who writes: the mediator of a node's unit.
pub(super) struct Pen {
    key: SigningKey,
    certified: Arc<Certified>,
    own: Space,
}

impl Pen {
    pub(super) fn of(service: &Service) -> Result<Self, AnyError> {
        let unit = service.unit();
        let key = key(&operator_name(unit, HANDLES[1]));
        let ledger = service.ledger();
        let certified = ledger.credentials().operator(public(&key), service.now());
        Ok(Self {
            certified: Arc::clone(certified.ok_or("the mediator has no certificate")?),
            own: Space::up(unit.path()),
            key,
        })
    }

    /// Records in a case, or opens one at the node's own unit, and waits until that is durable.
    pub(super) fn write(
        &self,
        service: &Service,
        document: Option<DocumentKey>,
        content: Content,
    ) -> Result<DocumentKey, AnyError> {
        let draft = Draft {
            kind: "case".into(),
            space: document
                .as_ref()
                .map_or_else(|| self.own.clone(), |key| key.space.clone()),
            document,
            content,
        };
        let fresh = LogEpoch::from_bytes(rand::rng().random());
        let (certificate, now) = (self.certified.id(), service.now());
        let (recorded, durable) =
            service
                .ledger()
                .record(&draft, certificate, &self.key, now, fresh, |_, _, _| Ok(()))?;
        durable.wait()?;
        Ok(recorded.document)
    }
}

/// Bytes of the signed update that was written last.
pub(super) fn last_bytes(service: &Service) -> Result<u64, AnyError> {
    let ledger = service.ledger();
    let last = ledger.stored_update(ledger.journal_end() - 1)?;
    Ok(last.encode().len() as u64)
}

/// Waits until all that a node has taken in is durable.
pub(super) fn durable(service: &Service) -> Result<(), AnyError> {
    let durable = service.ledger().barrier()?;
    Ok(durable.wait()?)
}
