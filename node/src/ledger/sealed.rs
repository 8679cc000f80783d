//! Sealed particulars beside the ledger: their digests, who may make them, and the erasures that events
//! order.

use anjuan_sync::id::ItemId;
use anjuan_sync::replica::BlobKind;
use serde_json::Value;

use super::document_state::{DocumentState, ERASURE};
use super::index::DocumentKey;
use super::{Ledger, LedgerError};
use crate::authority::certificate::CertificateKind;
use crate::kind::Verdict;
use crate::particulars::{Commitment, Erasure, Subject, VerifiedItem};
use crate::text::Text;

pub(super) fn sync_id(id: crate::particulars::ItemId) -> ItemId {
    ItemId::from_bytes(*id.as_bytes())
}

impl Ledger {
    /// May the maker of this item write to its space?
    pub(super) fn may_seal(&self, item: &VerifiedItem) -> Result<(), Text> {
        let item = item.get();
        let space = &item.subject().space;
        if !self.scope.holds(space) {
            return Err(Text::new("不是本节点的范围", "not a space of this node"));
        }
        let certified = self.credentials.certificate(item.certificate());
        let certificate = certified
            .ok_or_else(|| {
                Text::new(
                    "制作人的证书不在本节点",
                    "the maker's certificate is not known here",
                )
            })?
            .certificate();
        let fits = certificate.kind() == CertificateKind::Operator
            && certificate.subject() == item.maker()
            && certificate.path().is_at_or_above(&space.unit);
        if fits {
            Ok(())
        } else {
            Err(Text::new(
                "制作人无权写入该单位",
                "the maker cannot write in this unit",
            ))
        }
    }

    /// Stores items that an operator of this node made. Durable when this returns.
    pub fn add_sealed(&mut self, items: &[VerifiedItem]) -> Result<(), LedgerError> {
        self.keystore.add(items)?;
        self.note_sealed(items);
        Ok(())
    }

    /// Counts stored items in the digests.
    pub fn note_sealed(&mut self, items: &[VerifiedItem]) {
        for item in items {
            let (path, id) = (&item.get().subject().space.unit, sync_id(item.get().id()));
            self.digests.blobs_mut(BlobKind::Sealed).put(path, id);
        }
        self.digests.settle();
    }

    /// Brings sealed items level with what the events of changed documents order. Called once the change
    /// is durable: what was erased can't be brought back by losing the event.
    pub fn settle_sealed(&mut self, touched: &[DocumentKey]) -> Result<(), LedgerError> {
        touched.iter().try_for_each(|key| self.carry_out_erasures(key))
    }

    /// Brings the sealed items of a document level with what its events order: erases what is to be
    /// erased, and takes back a tombstone whose event turned out not to count.
    pub fn carry_out_erasures(&mut self, key: &DocumentKey) -> Result<(), LedgerError> {
        // A fold for each document of a long catch-up would cost more than taking it in.
        if !self
            .open_document(key)?
            .is_some_and(DocumentState::may_order_erasures)
        {
            return Ok(());
        }
        let Some(projection) = self.projection(key)? else {
            return Ok(());
        };
        let mut changed = false;
        for reference in &projection.particulars {
            let Ok(commitment) = reference.commitment.parse::<Commitment>() else {
                continue;
            };
            let subject = Subject {
                space: key.space.clone(),
                document: key.id,
                commitment,
            };
            let erased = self.keystore.is_erased(&subject);
            if reference.erased && !erased {
                let Some(erasure) = self.erasure(key, &reference.commitment)? else {
                    continue;
                };
                self.keystore.erase(&subject, erasure)?;
                changed = true;
            } else if !reference.erased && erased {
                self.keystore.lift(&subject)?;
                changed = true;
            }
        }
        if changed {
            self.reread_sealed(key);
        }
        Ok(())
    }

    /// The first event that counts and orders the erasure of what was committed to.
    fn erasure(&mut self, key: &DocumentKey, commitment: &str) -> Result<Option<Erasure>, LedgerError> {
        let Some(projection) = self.projection(key)? else {
            return Ok(None);
        };
        let Some((history, _)) = self.told(key)? else {
            return Ok(None);
        };
        let ordered = history
            .entries
            .iter()
            .zip(&projection.verdicts)
            .find(|(entry, verdict)| {
                let named = entry.content.event.get("commitments").and_then(Value::as_array);
                **verdict == Verdict::Counts
                    && entry.event_type() == ERASURE
                    && named.is_some_and(|named| named.iter().any(|one| one.as_str() == Some(commitment)))
            });
        Ok(ordered.map(|(entry, _)| Erasure {
            update: entry.update,
            at: entry.recorded_at,
        }))
    }

    /// Takes the ids of a unit's sealed items from the keystore anew.
    fn reread_sealed(&mut self, key: &DocumentKey) {
        let path = &key.space.unit;
        let present: Vec<_> = self.keystore.ids(path).into_iter().map(sync_id).collect();
        let sealed = self.digests.blobs_mut(BlobKind::Sealed);
        let gone: Vec<_> = sealed
            .items(path)
            .iter()
            .filter(|id| present.binary_search(id).is_err())
            .copied()
            .collect();
        for id in gone {
            sealed.remove(path, &id);
        }
        self.digests.settle();
    }
}
