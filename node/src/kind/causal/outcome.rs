//! What a fold says: a verdict for each entry, the conflicts, in words.

use std::collections::BTreeMap;

use super::status::Status;
use super::{Fold, Outcome, Own, Rules, View};
use crate::kind::positions::Positions;
use crate::kind::{Conflict, Verdict};
use crate::text;
use crate::text::Text;

impl<R: Rules> Fold<'_, R> {
    pub(super) fn outcome(self, view: View<R::State>) -> Outcome<R::State> {
        let entries = &self.history.entries;
        let mut record = BTreeMap::new();
        for i in self.order.iter().copied().filter(|i| view.status.counted.has(*i)) {
            let carries = self.judged(i).carries;
            let own = (carries != i).then_some(i);
            for source in [carries].into_iter().chain(own) {
                for (name, value) in &entries[source].content.record {
                    record.insert(name.clone(), value.clone());
                }
            }
        }
        record.retain(|_, value| !value.is_null());
        Outcome {
            verdicts: (0..entries.len())
                .map(|i| self.verdict(i, &view.status))
                .collect(),
            conflicts: self.conflicts(&view),
            state: view.state,
            record,
        }
    }

    fn verdict(&self, i: usize, status: &Status) -> Verdict {
        match &self.judged(i).own {
            Own::Quarantined => Verdict::Quarantined(
                self.history.entries[i]
                    .quarantined
                    .clone()
                    .expect("quarantined with a reason"),
            ),
            Own::Unknown => Verdict::Unknown,
            Own::Void(reason) => Verdict::Void(reason.clone()),
            Own::Allowed(_) if status.counted.has(i) => Verdict::Counts,
            Own::Allowed(_) if status.contested.has(i) => Verdict::Contested(self.rivals_text(i, status)),
            Own::Allowed(_) if status.suspended.has(i) => Verdict::Contested(Text::new(
                "以待裁定的决定为前提,裁定前不计",
                "rests on a decision that is contested; does not count until that is decided",
            )),
            Own::Allowed(_) => Verdict::Void(self.dropped_text(i, status)),
        }
    }

    fn rivals_text(&self, i: usize, status: &Status) -> Text {
        let rivals: Vec<Text> = self
            .rivals
            .iter()
            .filter_map(|(a, b)| (*a == i).then_some(*b).or((*b == i).then_some(*a)))
            .filter(|rival| status.contested.has(*rival) || status.suspended.has(*rival))
            .map(|rival| self.name(rival))
            .collect();
        let zh = rivals
            .iter()
            .map(|text| text.zh.as_str())
            .collect::<Vec<_>>()
            .join("、");
        let en = rivals
            .iter()
            .map(|text| text.en.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        text!("与{zh}相互排斥,待裁定", "excludes {en}; needs a decision")
    }

    fn dropped_text(&self, i: usize, status: &Status) -> Text {
        let by = self
            .resolutions
            .iter()
            .find(|r| status.counted.has(**r) && self.judged(**r).drops.has(i));
        match by.and_then(|r| self.judged(*r).keeps) {
            Some(kept) => {
                let Text { zh, en } = self.name(kept);
                text!("经裁定保留{zh},此项不计", "decided against: {en} was kept")
            }
            None => Text::new(
                "以被裁定不计的决定为前提",
                "decided against: rests on a decision that was not kept",
            ),
        }
    }

    /// The entry as people tell it from others.
    fn name(&self, i: usize) -> Text {
        let id = self.history.entries[i].update.short();
        let carries = self.judged(i).carries;
        let title = self.event(carries).map(|event| self.rules.title(event));
        let Text { zh, en } = title.unwrap_or_else(|| Text::new("更新", "update"));
        text!("“{zh}”({id})", "\"{en}\" ({id})")
    }

    fn conflicts(&self, view: &View<R::State>) -> Vec<Conflict> {
        let (decides, role) = self.rules.decides(&view.state);
        let Text {
            zh: role_zh,
            en: role_en,
        } = role.title();
        let describe = |entries: Vec<usize>, kept: Option<usize>| {
            let names: Vec<Text> = entries.iter().map(|i| self.name(*i)).collect();
            let zh = names
                .iter()
                .map(|text| text.zh.as_str())
                .collect::<Vec<_>>()
                .join("与");
            let en = names
                .iter()
                .map(|text| text.en.as_str())
                .collect::<Vec<_>>()
                .join(" and ");
            let what = match kept {
                None => text!(
                    "{zh}相互排斥,由{decides}的{role_zh}裁定保留其一",
                    "{en} exclude one another; the {role_en} of {decides} keeps one"
                ),
                Some(_) => text!("{zh}相互排斥,已裁定", "{en} excluded one another; decided"),
            };
            Conflict {
                entries,
                what,
                decides: decides.clone(),
                kept,
            }
        };
        let mut conflicts: Vec<Conflict> = view
            .status
            .open
            .iter()
            .map(|choices| describe(choices.clone(), None))
            .collect();
        let mut decided: BTreeMap<usize, Positions> = BTreeMap::new();
        for r in self.resolutions.iter().filter(|r| view.status.counted.has(**r)) {
            let judged = self.judged(*r);
            if let Some(kept) = judged.keeps {
                let none = || Positions::none();
                decided.entry(kept).or_insert_with(none).add_all(&judged.drops);
            }
        }
        for (kept, mut entries) in decided {
            entries.insert(kept);
            let entries = entries
                .iter()
                .filter(|i| self.judged(*i).keeps.is_none())
                .collect();
            conflicts.push(describe(entries, Some(kept)));
        }
        conflicts
    }
}
