//! What a peer delivered: stored, and what follows from it done at once.

use std::collections::BTreeSet;

use anjuan_sync::replica::Record;
use anjuan_sync::{Path, Reach};
use rand::rng;

use super::Service;
use crate::ledger::{Checked, Durable, Ledger, LedgerError, Taken, check};

/// What a peer delivered, with its signatures checked.
pub(crate) struct Delivered {
    checked: Checked,
    /// Certificates and revocations come seldom; revocations alone can't be told before they are read.
    credentials: bool,
}

/// What was taken in of it.
#[must_use = "it is not durable yet, and what follows from it is not done"]
pub(crate) struct TakenIn {
    taken: Taken,
    durable: Vec<Durable>,
    /// Units whose certificates were revoked by it.
    revoked: Vec<Path>,
    /// Why the rest of it was not.
    failed: Option<LedgerError>,
}

/// What is taken in at a time, for some two milliseconds: whoever else needs the ledger comes in between.
const PORTION: usize = 128;

impl Service {
    /// Checks what can be checked without the ledger. Blocking: however many deliver at once, a processor is
    /// left for those who work here.
    pub(crate) fn check_delivered(&self, records: Vec<Record>) -> Delivered {
        let credentials = records
            .iter()
            .any(|record| matches!(record, Record::Credential(_)));
        let _permit = self.0.checking.acquire();
        Delivered {
            checked: check(records, &mut rng()),
            credentials,
        }
    }

    /// Stores what was delivered; when this returns it is durable, and sealed items are what the events order,
    /// as they count now. Blocking.
    pub(crate) fn take_delivered(&self, records: Vec<Record>) -> Result<Taken, LedgerError> {
        let taken_in = self.take_checked(self.check_delivered(records));
        self.settle_delivered(taken_in)
    }

    /// Takes in what was checked, for [`Self::settle_delivered`]. Blocking, but not for the disk.
    pub(crate) fn take_checked(&self, delivered: Delivered) -> TakenIn {
        let Delivered { checked, credentials } = delivered;
        let mut taken_in = TakenIn {
            taken: Taken::default(),
            durable: Vec::new(),
            revoked: Vec::new(),
            failed: None,
        };
        for portion in checked.portions(PORTION) {
            let mut ledger = self.ledger_for_peers();
            let known: BTreeSet<_> = match credentials {
                true => ledger.credentials().revocations().map(|one| one.id()).collect(),
                false => BTreeSet::new(),
            };
            match ledger.take(portion) {
                Ok((taken, durable)) => {
                    taken_in.taken.append(taken);
                    taken_in.durable.push(durable);
                }
                Err(error) => {
                    taken_in.failed = Some(error);
                    break;
                }
            }
            if credentials {
                let new = ledger
                    .credentials()
                    .revocations()
                    .filter(|one| !known.contains(&one.id()));
                let units = new.filter_map(|one| unit_of(&ledger, one.get().certificate()));
                taken_in.revoked.extend(units);
            }
        }
        taken_in
    }

    /// Waits until what was taken in is durable, and does what follows from it. Blocking.
    pub(crate) fn settle_delivered(&self, taken_in: TakenIn) -> Result<Taken, LedgerError> {
        let TakenIn {
            mut taken,
            durable,
            revoked,
            failed,
        } = taken_in;
        // The first wait sets out to write them all.
        durable.into_iter().try_for_each(Durable::wait)?;
        taken.touched.sort_unstable();
        taken.touched.dedup();
        for touched in taken.touched.chunks(PORTION) {
            self.ledger_for_peers().settle_sealed(touched)?;
        }
        self.settle_revoked(&revoked)?;
        match failed {
            Some(error) => Err(error),
            None => Ok(taken),
        }
    }

    /// Certificates of these units were revoked: an erasure may no longer count, or count from now on, wherever
    /// their holders may write.
    pub(super) fn settle_revoked(&self, units: &[Path]) -> Result<(), LedgerError> {
        if units.is_empty() {
            return Ok(());
        }
        for reach in [Reach::Up, Reach::Down] {
            let documents = self.ledger_for_peers().erasing(reach)?;
            let mut documents = documents.read()?;
            documents.retain(|key| units.iter().any(|unit| unit.is_at_or_above(&key.space.unit)));
            for key in documents {
                // Let go of the ledger between them: there may be many.
                self.ledger_for_peers().carry_out_erasures(&key)?;
            }
        }
        Ok(())
    }
}

fn unit_of(ledger: &Ledger, certificate: anjuan_sync::CertificateId) -> Option<Path> {
    let certified = ledger.credentials().certificate(certificate)?;
    Some(certified.certificate().path().clone())
}
