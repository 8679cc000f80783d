//! Particulars that a bundle discloses: are they what the document committed to, and did somebody sign for it?

use std::collections::BTreeMap;

use anjuan_sync::Timestamp;
use serde_json::Value;

use super::documents::{Documents, Open};
use crate::audit::report::{Check, Disclosure, Findings, moment};
use crate::audit::scope::Disclosed;
use crate::kind::{Entry, ParticularsRef, Verdict};
use crate::ledger::Replayed;
use crate::particulars::{Commitment, Particulars};
use crate::text;
use crate::text::Text;

/// Disclosures that a report tells one by one.
const MAX_TOLD: usize = 1_000;
/// Bytes of particulars that a report shows.
const MAX_SHOWN: usize = 16 << 20;

/// Particulars of one document, as they stand in the bundle.
#[derive(Debug)]
pub(super) struct Given {
    commitment: Commitment,
    /// What they are; where it is to be shown, and is what was committed to.
    shown: Option<Value>,
}

/// The event under which something was disclosed.
struct Signed<'e> {
    entry: &'e Entry,
    reason: &'e str,
}

/// By commitment, the last event that counts and says that it is disclosed.
fn events(replayed: &Replayed) -> BTreeMap<&str, Signed<'_>> {
    let verdicts = replayed.projection.as_ref().map(|one| &one.verdicts[..]);
    let entries = replayed.history.entries.iter().zip(verdicts.unwrap_or_default());
    let mut events = BTreeMap::new();
    for (entry, _) in entries.filter(|(entry, verdict)| {
        **verdict == Verdict::Counts && entry.event_type() == "ParticularsDisclosed"
    }) {
        let field = |name: &str| entry.content.event.get(name);
        let reason = field("reason").and_then(Value::as_str).unwrap_or_default();
        let named = field("commitments")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for commitment in named.filter_map(Value::as_str) {
            events.insert(commitment, Signed { entry, reason });
        }
    }
    events
}

impl Documents {
    /// Takes particulars in: are they those of the commitment that they come with?
    pub(super) fn disclosed(&mut self, one: &Disclosed, findings: &mut Findings) -> Result<(), &'static str> {
        let open = self.open.as_mut().ok_or("a disclosure without a document")?;
        self.told.disclosed += 1;
        findings.look(Check::Commitments);
        let mut shown = None;
        if Commitment::of(&one.salt, &one.content) != one.commitment {
            let (id, commitment) = (open.name.id, one.commitment);
            findings.forged(
                Check::Commitments,
                format!("document {id}, {commitment}"),
                Text::new(
                    "披露的材料不是案卷当时承诺的材料",
                    "what is disclosed is not what the document committed to",
                ),
            );
        } else if self.shows_particulars && self.shown_bytes + one.content.len() <= MAX_SHOWN {
            self.shown_bytes += one.content.len();
            let particulars = Particulars::from_disclosed(&one.content);
            shown = particulars.and_then(|one| serde_json::to_value(one.to_raw()).ok());
        }
        open.disclosed.push(Given {
            commitment: one.commitment,
            shown,
        });
        Ok(())
    }

    /// Does the document commit to what is disclosed of it, and who signed for the disclosure, and why?
    pub(super) fn judge_disclosed(
        &mut self,
        open: &mut Open,
        replayed: &Replayed,
        particulars: &[ParticularsRef],
        findings: &mut Findings,
    ) -> bool {
        let id = open.name.id;
        let events = events(replayed);
        // By whom, when, why: how many.
        let mut signed = BTreeMap::<(Timestamp, &str, String, &str), u64>::new();
        let mut troubled = false;
        for Given { commitment, shown } in std::mem::take(&mut open.disclosed) {
            let name = commitment.to_string();
            let Some(named) = particulars.iter().find(|one| one.commitment == name) else {
                findings.forged(
                    Check::Commitments,
                    format!("document {id}, {name}"),
                    Text::new(
                        "披露的材料案卷并未提及",
                        "the document does not commit to what is disclosed",
                    ),
                );
                continue;
            };
            let event = events.get(&*name);
            match event {
                Some(Signed { entry, reason }) => {
                    let signer = &entry.signer;
                    let by = (
                        entry.recorded_at,
                        &*signer.label,
                        signer.unit.to_string(),
                        *reason,
                    );
                    *signed.entry(by).or_default() += 1;
                }
                None => {
                    troubled = true;
                    findings.gap(
                        Check::Commitments,
                        format!("document {id}, {name}"),
                        Text::new(
                            "披露了材料,但没有有效的披露事件:何人、为何披露不明",
                            "disclosed, and no event that counts says by whom and why",
                        ),
                    );
                }
            }
            if self.told.disclosures.len() == MAX_TOLD {
                self.told.more_disclosures += 1;
                continue;
            }
            self.told.disclosures.push(Disclosure {
                document: id.to_string(),
                unit: open.name.space.unit.to_string(),
                commitment: name.clone(),
                role: named.role.clone(),
                restricted: named.restricted,
                by: event.map(|event| event.entry.signer.label.clone()),
                by_unit: event.map(|event| event.entry.signer.unit.to_string()),
                at: event.map(|event| moment(event.entry.recorded_at)),
                reason: event.map(|event| event.reason.to_owned()),
                particulars: shown,
            });
        }
        for ((at, by, unit, reason), number) in signed {
            let at = moment(at);
            findings.note(
                Check::Commitments,
                format!("document {id}"),
                text!(
                    "披露了 {number} 项个人信息:{by}({unit})于 {at} 签署,理由:{reason}",
                    "{number} particulars are disclosed: signed by {by} ({unit}) at {at}, because: {reason}"
                ),
            );
        }
        troubled
    }
}
