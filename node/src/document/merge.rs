//! Automerge's merge of a document, made when somebody asks for it.
//!
//! Taking in a change does not need it: what is applied, in which order, and what the record says follow
//! from the causal graph. One change costs Automerge about 60 µs and in a batch of 12 about 15 (in release,
//! where the guard takes 9), so its document is made from all the changes that came since it was asked for
//! last.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, Change, ChangeHash, ROOT, ReadDoc, ScalarValue};
use serde_json::Value;

use super::Document;

/// Automerge and this program do not agree on a document. A fault in one of the two: what passes the guard
/// is applicable, and its merge is defined. The document itself is as before; its changes count as they did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// It does not take a change.
    #[error("Automerge does not take change {change}: {reason}; keep a copy of the store and report this")]
    Refused {
        /// The first that it does not take.
        change: ChangeHash,
        /// What it says.
        reason: String,
    },
    /// It takes them all, and comes to another record.
    #[error("Automerge merges the record differently; keep a copy of the store and report this")]
    Record,
}

/// Automerge's document, and how many of the changes it was given.
#[derive(Clone, Debug)]
pub(super) struct Merged {
    automerge: Automerge,
    given: usize,
}

impl Document {
    /// Automerge's document of all applied changes. Gives it those it has not been given yet, all at once.
    pub fn merge(&mut self) -> Result<&Automerge, MergeError> {
        // Taken out: after a panic inside there is no telling what state it is in.
        let merged = self.merged.take().unwrap_or_else(|| Merged {
            automerge: Automerge::new(),
            given: 0,
        });
        let given = self.changes.len();
        let automerge = if merged.given == given {
            merged.automerge
        } else {
            let fresh = self.changes.iter().skip(merged.given);
            let applied = apply(merged.automerge, fresh.map(|change| &change[..]));
            let automerge = match applied {
                Ok(automerge) if self.causal.heads().eq(automerge.get_heads()) => automerge,
                _ => self.merge_one_by_one()?,
            };
            if record(&automerge) != self.record() {
                return Err(MergeError::Record);
            }
            automerge
        };
        Ok(&self.merged.insert(Merged { automerge, given }).automerge)
    }

    /// So that the blame falls on the right one.
    pub(super) fn merge_one_by_one(&self) -> Result<Automerge, MergeError> {
        let mut automerge = Automerge::new();
        for (chunk, entry) in self.changes.iter().zip(&self.entries) {
            let refused = |reason| MergeError::Refused {
                change: entry.hash,
                reason,
            };
            automerge = apply(automerge, std::iter::once(&chunk[..])).map_err(refused)?;
            if !automerge.get_heads().contains(&entry.hash) {
                return Err(refused("it was not applied".into()));
            }
        }
        Ok(automerge)
    }
}

/// The catching is for faults in Automerge itself: nothing reaches it that has not passed the guard, so a
/// panic here is worth the message that the panic hook writes.
fn apply<'a>(mut automerge: Automerge, chunks: impl Iterator<Item = &'a [u8]>) -> Result<Automerge, String> {
    let applied = catch_unwind(AssertUnwindSafe(move || {
        let changes = chunks
            .map(|chunk| Change::try_from(chunk).map_err(|error| error.to_string()))
            .collect::<Result<Vec<_>, _>>()?;
        automerge
            .apply_changes(changes)
            .map_err(|error| error.to_string())?;
        Ok(automerge)
    }));
    applied.unwrap_or_else(|_| Err("a panic".into()))
}

/// The record as Automerge merges it, without the fields that are cleared.
fn record(automerge: &Automerge) -> BTreeMap<String, Value> {
    let Ok(Some((_, record))) = automerge.get(ROOT, "record") else {
        return BTreeMap::new();
    };
    automerge
        .keys(&record)
        .filter_map(|field| {
            let (value, _) = automerge.get(&record, field.as_str()).ok()??;
            let value = match value.as_scalar()? {
                ScalarValue::Str(text) => Value::from(text.as_str()),
                ScalarValue::Int(number) => Value::from(*number),
                ScalarValue::Boolean(value) => Value::from(*value),
                _ => return None,
            };
            Some((field, value))
        })
        .collect()
}
