//! Histories told step by step, for tests: who recorded what, knowing of which entries.

use std::collections::BTreeSet;
use std::sync::Arc;

use anjuan_sync::hash::sha256;
use anjuan_sync::{AuthorKey, CertificateId, DocumentId, Space, Timestamp, UpdateId};
use jiff::civil::Date;
use serde_json::Value;

use super::positions::Positions;
use super::{Content, Entry, History, Kind, Projection, Signer, Verdict};
use crate::authority::role::Role;
use crate::text::Text;

/// Somebody who signs. The key follows from the label.
pub(crate) fn person(label: &str, unit: &str, roles: &[Role]) -> Arc<Signer> {
    Arc::new(Signer {
        key: AuthorKey::from_bytes(*sha256(label.as_bytes()).as_bytes()),
        certificate: CertificateId::from_bytes([1; 32]),
        unit: unit.parse().expect("a unit"),
        roles: roles.iter().copied().collect(),
        label: label.to_owned(),
    })
}

/// Noon of a day, in Beijing.
pub(crate) fn noon(day: &str) -> Timestamp {
    let date: Date = day.parse().expect("a date");
    let days = (date - Date::constant(1970, 1, 1)).get_days();
    Timestamp::from_millis(i64::from(days) * 86_400_000 + 4 * 3_600_000)
}

/// A history in the making.
#[derive(Clone)]
pub(crate) struct Story {
    kind: &'static dyn Kind,
    pub(crate) history: History,
    /// The day on which the next entry is recorded.
    pub(crate) today: String,
}

impl Story {
    pub(crate) fn new(kind: &'static dyn Kind, home: &str) -> Self {
        let home: crate::unit::UnitCode = home.parse().expect("a unit");
        Self {
            kind,
            history: History {
                space: Space {
                    unit: home.path(),
                    reach: kind.reach(),
                },
                document: DocumentId::from_bytes([9; 16]),
                entries: Vec::new(),
            },
            today: "2019-12-02".to_owned(),
        }
    }

    /// Everything so far.
    pub(crate) fn all(&self) -> BTreeSet<usize> {
        (0..self.history.entries.len()).collect()
    }

    /// Records an event by somebody who knows everything.
    pub(crate) fn record(&mut self, signer: &Arc<Signer>, event: Value) -> usize {
        let known = self.all();
        self.record_knowing(&known, signer, event)
    }

    /// Records an event by somebody who knows these entries and what they build on.
    pub(crate) fn record_knowing(
        &mut self,
        known: &BTreeSet<usize>,
        signer: &Arc<Signer>,
        event: Value,
    ) -> usize {
        let mut past: Positions = known.iter().copied().collect();
        for i in known {
            past.add_all(&self.history.entries[*i].past);
        }
        let Value::Object(event) = event else {
            panic!("an event is a map")
        };
        let index = self.history.entries.len();
        let id = sha256(format!("{index} {past:?} {} {event:?}", signer.label).as_bytes());
        self.history.entries.push(Entry {
            update: UpdateId::from_bytes(*id.as_bytes()),
            signer: Arc::clone(signer),
            recorded_at: noon(&self.today),
            past,
            quarantined: None,
            content: Arc::new(Content {
                event,
                record: Default::default(),
            }),
        });
        index
    }

    /// Has an entry set the title of the record.
    pub(crate) fn retitle(&mut self, index: usize, title: &str) {
        let content = Arc::make_mut(&mut self.history.entries[index].content);
        content.record.insert("title".to_owned(), title.into());
    }

    /// Records an event that counts.
    pub(crate) fn counts(&mut self, signer: &Arc<Signer>, event: Value) -> usize {
        let name = event.to_string();
        let index = self.record(signer, event);
        assert_eq!(self.fold().verdicts[index], Verdict::Counts, "{name}");
        index
    }

    /// Why the event would be void; it is not kept.
    pub(crate) fn void(&self, signer: &Arc<Signer>, event: Value) -> Text {
        let name = event.to_string();
        let mut story = self.clone();
        let index = story.record(signer, event);
        match story.fold().verdicts.swap_remove(index) {
            Verdict::Void(reason) => reason,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The part of the history that holds these entries alone, which must hold each one's past.
    pub(crate) fn part(&self, known: &BTreeSet<usize>) -> Self {
        let order: Vec<usize> = known.iter().copied().collect();
        self.reordered(&order)
    }

    pub(crate) fn id(&self, index: usize) -> String {
        self.history.entries[index].update.to_string()
    }

    pub(crate) fn fold(&self) -> Projection {
        self.kind.fold(&self.history)
    }

    pub(crate) fn stage(&self) -> String {
        self.fold().summary.stage
    }

    pub(crate) fn verdict(&self, index: usize) -> Verdict {
        self.fold().verdicts.swap_remove(index)
    }

    /// The history with its entries in another order; `order[i]` is the old position of the new entry `i`,
    /// and every entry stands after its past.
    pub(crate) fn reordered(&self, order: &[usize]) -> Self {
        let mut story = self.clone();
        let place = |old| {
            order
                .iter()
                .position(|one| *one == old)
                .expect("the past of each")
        };
        story.history.entries = order
            .iter()
            .map(|old| {
                let mut entry = self.history.entries[*old].clone();
                entry.past = entry.past.iter().map(place).collect();
                entry
            })
            .collect();
        story
    }
}
