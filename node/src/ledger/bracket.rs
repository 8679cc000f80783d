//! Which headers name a foreign checkpoint: a lower bound in time that their author can't forge.
//!
//! An update is not older than the one before it in its log, so that one's bound holds for it, too. A
//! checkpoint is named where it is another one than the log named last, and that was an hour ago: some 800
//! bytes for each hour of work, not for each update.

use std::collections::BTreeMap;

use anjuan_sync::update::MAX_BRACKET;
use anjuan_sync::{LogId, LogState, Timestamp};

use super::{Ledger, LedgerError};

/// Milliseconds after which a log names a newer one.
const PAUSE: i64 = 3_600_000;
/// Updates of a log that are looked at for the one it named last, once after a start.
const LOOK_BACK: u64 = 64;

/// What there is to be named, and what was.
#[derive(Debug, Default)]
pub(super) struct Brackets {
    newest: Option<Vec<u8>>,
    /// By log: the checkpoint named last, and when.
    named: BTreeMap<LogId, Option<(Vec<u8>, Timestamp)>>,
}

impl Ledger {
    /// Has headers of new updates name this checkpoint of another node, with its cosignatures. Longer ones
    /// than headers can carry are not named.
    pub fn set_bracket(&mut self, note: Option<&[u8]>) {
        self.brackets.newest = note.filter(|note| note.len() <= MAX_BRACKET).map(<[u8]>::to_vec);
    }

    /// What the next header of this log is to name at `now`.
    pub(super) fn bracket_for(&self, log: &LogId, now: Timestamp) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(newest) = &self.brackets.newest else {
            return Ok(None);
        };
        let named = match self.brackets.named.get(log) {
            Some(named) => named.clone(),
            None => self.last_named(log)?,
        };
        let is_due = named.is_none_or(|(note, at)| {
            // A clock that was set back must not stop it for long.
            let since = now.as_millis().saturating_sub(at.as_millis());
            note != *newest && !(0..PAUSE).contains(&since)
        });
        Ok(is_due.then(|| newest.clone()))
    }

    /// Remembers what the header of the log's newest update named.
    pub(super) fn note_bracket(
        &mut self,
        log: &LogId,
        named: Option<&[u8]>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let last = match named {
            Some(note) => Some((note.to_vec(), at)),
            None if self.brackets.newest.is_none() || self.brackets.named.contains_key(log) => return Ok(()),
            None => self.last_named(log)?,
        };
        self.brackets.named.insert(log.clone(), last);
        Ok(())
    }

    /// What the newest updates of a log name.
    fn last_named(&self, log: &LogId) -> Result<Option<(Vec<u8>, Timestamp)>, LedgerError> {
        let last = self.logs.state(log).map_or(0, LogState::counted);
        for seq in (last.saturating_sub(LOOK_BACK) + 1..=last).rev() {
            let header = self.header_at(log, seq)?;
            if let Some(header) = header
                && let Some(note) = header.bracket()
            {
                return Ok(Some((note.to_vec(), header.recorded_at())));
            }
        }
        Ok(None)
    }
}
