//! Checking everything that is here.

use std::time::Instant;

use super::call::{Handle, Progress, Verify};
use super::{Service, ServiceError, view};
use crate::text::Text;

impl Handle<Verify> for Service {
    fn handle(
        &self,
        _: Verify,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<view::Verification, ServiceError> {
        let started = Instant::now();
        // Made under the lock, run without it: a long check must not hold up the unit's own work.
        let verifier = self.ledger().verifier()?;
        let found = verifier.run(&mut |done, total| progress(Progress { done, total }))?;
        let mut ledger = self.ledger();
        let mut sealed = 0;
        let mut faults: Vec<_> = found
            .faults
            .iter()
            .map(|fault| view::Fault {
                what: fault.what.clone(),
                check: fault.check.to_owned(),
                message: Text::same(fault.message.clone()),
            })
            .collect();
        for path in ledger.keystore().paths() {
            for id in ledger.keystore().ids(&path) {
                sealed += 1;
                if let Err(error) = ledger.keystore().get(id) {
                    faults.push(view::Fault {
                        what: format!("sealed item {id}"),
                        check: "sealed".to_owned(),
                        message: Text::same(error.to_string()),
                    });
                }
            }
        }
        Ok(view::Verification {
            ok: faults.is_empty(),
            credentials: found.credentials,
            updates: found.updates,
            logs: found.logs,
            documents: found.documents,
            sealed,
            not_counting: ledger.not_counting()?,
            faults,
            millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }
}
