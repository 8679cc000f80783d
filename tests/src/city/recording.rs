//! What an operator records at his node, and what is noted of it.

use anjuan_node::kind::Content;
use anjuan_node::ledger::{DocumentKey, LedgerError, RecordError, Recorded};
use anjuan_node::unit::UnitCode;
use anjuan_sync::{LogId, LogState, Space};

use super::people::Operator;
use super::simulation::Simulation;
use super::tally::{Acknowledged, Forgery};

impl Simulation {
    /// Has an operator record something at a node. What is refused is counted.
    pub(super) fn record(
        &mut self,
        node: usize,
        operator: &Operator,
        space: Space,
        document: Option<DocumentKey>,
        content: Content,
    ) -> Result<Option<Recorded>, LedgerError> {
        let fresh = self.fresh();
        let depth = space.unit.depth() as u64;
        let name = content.event["type"].as_str().unwrap_or_default().to_owned();
        let now = self.now;
        let recorded = match self.nodes[node].record(operator, space.clone(), document, content, now, fresh) {
            Ok(recorded) => recorded,
            Err(error) => {
                let why = match error {
                    RecordError::Ledger(error) => return Err(error),
                    RecordError::Forbidden { .. } => "forbidden",
                    RecordError::Quarantined(_) => "quarantined",
                    RecordError::NoDocument(_) => "no document",
                    RecordError::Author(_) => "author",
                    RecordError::Twice(_) => "recorded before",
                    RecordError::Kind(_) | RecordError::Change(_) | RecordError::Update(_) => {
                        self.tally.broken.push(error.to_string());
                        "broken"
                    }
                };
                if why == "quarantined" {
                    let known = self.roll.units[node].operators.iter_mut();
                    known
                        .filter(|one| one.author == operator.author)
                        .for_each(|one| one.dismissed = true);
                }
                *self.tally.refused.entry(format!("{name}: {why}")).or_default() += 1;
                return Ok(None);
            }
        };
        let ledger = self.nodes[node].ledger();
        let log = LogId {
            space,
            author: operator.author,
            epoch: ledger.epochs().current,
        };
        let seq = match ledger.logs().state(&log) {
            Some(LogState::Whole(head)) if head.id == recorded.update => head.seq,
            state => {
                self.tally
                    .broken
                    .push(format!("recorded, but the log is at {state:?}"));
                return Ok(None);
            }
        };
        let stored = ledger.stored_update(ledger.journal_end() - 1)?;
        // Those in line with its space get it, but for the node itself.
        self.tally.bytes_to_get += stored.encode().len() as u64 * (depth - 1);
        self.tally.updates += 1;
        if self.nodes[node].may_fork {
            self.note_fork(&log, seq);
        }
        self.acknowledged.push(Acknowledged {
            log,
            seq,
            id: recorded.update,
            node,
            at: self.now,
            lost_by_restore: false,
        });
        self.changed(node);
        Ok(Some(recorded))
    }

    /// A machine that was set back writes a place of a log anew. If the former update is still anywhere,
    /// or in another backup, that is a fork.
    fn note_fork(&mut self, log: &LogId, seq: u64) {
        let mut before = self.acknowledged.iter();
        let Some(former) = before.position(|one| one.seq == seq && one.log == *log) else {
            return;
        };
        let branches = vec![former, self.acknowledged.len()];
        if let Some(known) = self.forgeries.iter_mut().find(|known| known.log == *log) {
            if seq < known.seq {
                (known.seq, known.branches) = (seq, branches);
            }
            return;
        }
        let code = UnitCode::from_path(&log.space.unit).expect("spaces of units");
        self.forgeries.push(Forgery {
            log: log.clone(),
            seq,
            unit: self.roll.by_code[&code],
            branches,
        });
    }
}
