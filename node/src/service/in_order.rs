//! Deliveries of one peer, several at a time and stored in the order in which they came.

use std::sync::{Mutex, PoisonError};

use anjuan_sync::replica::Record;
use tokio::sync::oneshot;

use super::Service;
use crate::ledger::{LedgerError, Taken};

/// The order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// The end of the delivery that was begun last.
    last: Mutex<Option<oneshot::Receiver<()>>>,
}

/// A place in the order.
#[derive(Debug)]
pub(crate) struct Turn {
    /// The end of the delivery before.
    before: Option<oneshot::Receiver<()>>,
    /// To be dropped when this one is stored.
    stored: oneshot::Sender<()>,
}

impl Order {
    /// The next place.
    pub(crate) fn next(&self) -> Turn {
        let (stored, end) = oneshot::channel();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.replace(end);
        Turn { before, stored }
    }
}

/// Stores records: signatures are checked while what came before is stored, and the disk is waited for while
/// what comes after is. Blocking; it waits only for those that began before it.
pub(crate) fn store(service: &Service, records: Vec<Record>, turn: Turn) -> Result<Taken, LedgerError> {
    let Turn { before, stored } = turn;
    let checked = service.check_delivered(records);
    if let Some(before) = before {
        // It ends when the one before is stored, or failed.
        let _ = before.blocking_recv();
    }
    let taken_in = service.take_checked(checked);
    drop(stored);
    service.settle_delivered(taken_in)
}
