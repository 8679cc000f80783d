//! From what is applied to what it comes to: the history a kind folds.

use std::sync::Arc;

use super::LedgerError;
use super::document_state::DocumentState;
use super::index::Standing;
use crate::authority::credentials::{Claim, Counting, Credentials};
use crate::document::order;
use crate::kind::{Entry, History, Projection};

/// The applied updates in canonical order, with who signed them and what certificates say of them.
pub(super) fn history(state: &DocumentState, credentials: &Credentials) -> Result<History, LedgerError> {
    let applied: Vec<_> = state
        .record
        .updates
        .iter()
        .filter(|held| held.standing == Standing::Applied)
        .map(|held| {
            let extracted = state
                .extracted(held)
                .ok_or_else(|| state.broken("an applied change is missing"))?;
            Ok((held, extracted))
        })
        .collect::<Result<_, LedgerError>>()?;
    let nodes: Vec<_> = applied
        .iter()
        .map(|(_, extracted)| (extracted.hash, &extracted.deps[..], extracted.order_key()))
        .collect();
    let ordered = order::canonical(&nodes).map_err(|error| state.broken(&error.to_string()))?;
    let mut entries = Vec::with_capacity(applied.len());
    for (index, past) in ordered.order.iter().zip(ordered.past) {
        let (held, extracted) = &applied[*index];
        let signer = credentials
            .signer(held.certificate)
            .ok_or_else(|| state.broken("the certificate of a stored update is missing"))?;
        let claim = Claim {
            certificate: held.certificate,
            space: &state.key.space,
            epoch: held.epoch,
            seq: held.seq,
            id: held.id,
            recorded_at: held.recorded_at,
        };
        let quarantined = match credentials.counting(claim) {
            Counting::Counts => None,
            Counting::Quarantined(reason) => Some(reason),
        };
        entries.push(Entry {
            update: held.id,
            signer: Arc::clone(&signer),
            recorded_at: held.recorded_at,
            past,
            quarantined,
            content: Arc::clone(&extracted.content),
        });
    }
    Ok(History {
        space: state.key.space.clone(),
        document: state.key.id,
        entries,
    })
}

/// What a document comes to; `None` while its creating change is missing or its kind is one that this
/// program does not know.
pub(super) fn project(
    state: &DocumentState,
    credentials: &Credentials,
) -> Result<Option<Projection>, LedgerError> {
    let Some(kind) = state.record.kind.as_deref().and_then(crate::kind::kind) else {
        return Ok(None);
    };
    Ok(Some(kind.fold(&history(state, credentials)?)))
}
