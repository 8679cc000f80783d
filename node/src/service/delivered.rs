//! What a peer delivered: stored, and what follows from it done at once.

use std::collections::BTreeSet;

use anjuan_sync::replica::Record;
use anjuan_sync::{Path, Reach};
use rand::rng;

use super::Service;
use crate::ledger::{Ledger, LedgerError, Taken, check};

impl Service {
    /// Stores what was delivered; when this returns it is durable, and sealed items are what the events order,
    /// as they count now. Blocking.
    pub(crate) fn take_delivered(&self, records: Vec<Record>) -> Result<Taken, LedgerError> {
        // Certificates and revocations come seldom; revocations alone can't be told before they are read.
        let credentials = records
            .iter()
            .any(|record| matches!(record, Record::Credential(_)));
        // Signatures are checked before the ledger's lock is taken.
        let checked = check(records, &mut rng());
        let mut ledger = self.ledger();
        let known: BTreeSet<_> = match credentials {
            true => ledger.credentials().revocations().map(|one| one.id()).collect(),
            false => BTreeSet::new(),
        };
        let (taken, durable) = ledger.take(checked)?;
        let mut revoked = Vec::new();
        if credentials {
            let new = ledger
                .credentials()
                .revocations()
                .filter(|one| !known.contains(&one.id()));
            revoked.extend(new.filter_map(|one| unit_of(&ledger, one.get().certificate())));
        }
        drop(ledger);
        durable.wait()?;
        self.ledger().settle_sealed(&taken.touched)?;
        self.settle_revoked(&revoked)?;
        Ok(taken)
    }

    /// Certificates of these units were revoked: an erasure may no longer count, or count from now on, wherever
    /// their holders may write.
    pub(super) fn settle_revoked(&self, units: &[Path]) -> Result<(), LedgerError> {
        if units.is_empty() {
            return Ok(());
        }
        for reach in [Reach::Up, Reach::Down] {
            let mut documents = self.ledger().documents(reach)?;
            documents.retain(|key| units.iter().any(|unit| unit.is_at_or_above(&key.space.unit)));
            for key in documents {
                // Let go of the ledger between them: there may be many.
                self.ledger().carry_out_erasures(&key)?;
            }
        }
        Ok(())
    }
}

fn unit_of(ledger: &Ledger, certificate: anjuan_sync::CertificateId) -> Option<Path> {
    let certified = ledger.credentials().certificate(certificate)?;
    Some(certified.certificate().path().clone())
}
