//! What questions rest on, gathered while documents go by: some hundred bytes for each.

use std::collections::{BTreeMap, BTreeSet};

use anjuan_sync::{AuthorKey, DocumentId, Path, Timestamp, UpdateId};
use jiff::civil::Date;
use serde_json::Value;

use super::likeness::Sketch;
use crate::calendar::{local_date, to_jiff};
use crate::case::tables::tables;
use crate::kind::{Entry, History, Projection, Verdict};

/// Days between the day named and the claimed time of its record from which on it is late.
const LATE: i32 = 30;

/// What is known of a case.
#[derive(Clone, Debug)]
pub(super) struct CaseFacts {
    pub(super) document: DocumentId,
    pub(super) opened: Timestamp,
    pub(super) closed: Option<Timestamp>,
    pub(super) first_session: Option<Date>,
    pub(super) agreed_on: Option<Date>,
    pub(super) performed_on: Option<Date>,
    pub(super) missing_papers: usize,
    pub(super) changed_after_closing: usize,
    /// Days that the slowest record of a session came after it, if too many.
    pub(super) slowest_days: Option<i32>,
}

/// When somebody records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hours {
    pub(super) all: u64,
    pub(super) odd: u64,
}

/// An erasure.
#[derive(Clone, Debug)]
pub(super) struct Erased {
    pub(super) document: DocumentId,
    pub(super) at: Timestamp,
    pub(super) by: String,
    pub(super) basis: String,
}

type ByDay = BTreeMap<Date, BTreeSet<DocumentId>>;

/// All that was gathered.
#[derive(Clone, Debug, Default)]
pub(in crate::audit) struct Facts {
    pub(super) cases: Vec<CaseFacts>,
    pub(super) labels: BTreeMap<AuthorKey, String>,
    pub(super) hours: BTreeMap<AuthorKey, Hours>,
    pub(super) registered: BTreeMap<AuthorKey, ByDay>,
    /// Places of sessions, by who recorded them and the day.
    pub(super) sessions: BTreeMap<(AuthorKey, Date), BTreeMap<String, BTreeSet<DocumentId>>>,
    pub(super) mediated: BTreeMap<AuthorKey, BTreeSet<DocumentId>>,
    pub(super) on_register: BTreeSet<AuthorKey>,
    pub(super) evidence: BTreeMap<String, BTreeSet<DocumentId>>,
    pub(super) erased: Vec<Erased>,
    pub(super) volume: BTreeMap<Path, u64>,
    pub(super) texts: Vec<(DocumentId, Sketch)>,
}

fn date(entry: &Entry, field: &str) -> Option<Date> {
    entry.content.event.get(field)?.as_str()?.parse().ok()
}

fn text<'a>(entry: &'a Entry, field: &str) -> Option<&'a str> {
    entry.content.event.get(field)?.as_str()
}

/// Between 22:00 and 6:00 in Beijing.
fn is_odd(time: Timestamp) -> bool {
    let hour = jiff::tz::Offset::constant(8).to_datetime(to_jiff(time)).hour();
    !(6..22).contains(&hour)
}

impl Facts {
    /// Takes in a document. `latest` gives the instant by which witnesses had seen an update.
    pub(in crate::audit) fn add(
        &mut self,
        history: &History,
        projection: &Projection,
        kind: Option<&str>,
        latest: &dyn Fn(&UpdateId) -> Option<Timestamp>,
    ) {
        let counting = || {
            let judged = history.entries.iter().zip(&projection.verdicts);
            judged
                .filter(|(_, verdict)| **verdict == Verdict::Counts)
                .map(|(entry, _)| entry)
        };
        match kind {
            Some("case") => {}
            Some("register") => {
                let struck = projection.summary.finished;
                let keys = counting().filter_map(|entry| text(entry, "key")?.parse::<AuthorKey>().ok());
                if !struck {
                    self.on_register.extend(keys);
                }
                return;
            }
            _ => return,
        }
        let document = history.document;
        *self.volume.entry(history.space.unit.clone()).or_default() += 1;
        let Some(first) = counting().next() else { return };
        let mut case = CaseFacts {
            document,
            opened: first.recorded_at,
            closed: None,
            first_session: None,
            agreed_on: None,
            performed_on: None,
            missing_papers: 0,
            changed_after_closing: 0,
            slowest_days: None,
        };
        let is_closed = projection.state.get("closed_on").is_some();
        let mut words = String::new();
        for entry in counting() {
            let signer = entry.signer.key;
            self.labels
                .entry(signer)
                .or_insert_with(|| entry.signer.label.clone());
            let hours = self.hours.entry(signer).or_default();
            hours.all += 1;
            hours.odd += u64::from(is_odd(entry.recorded_at));
            match entry.event_type() {
                "CaseRegistered" => {
                    let days = self.registered.entry(signer).or_default();
                    days.entry(local_date(entry.recorded_at))
                        .or_default()
                        .insert(document);
                    words.push_str(text(entry, "facts").unwrap_or_default());
                }
                "FactsVerified" => {
                    let evidence = entry.content.event.get("evidence").and_then(Value::as_array);
                    for commitment in evidence.into_iter().flatten().filter_map(Value::as_str) {
                        self.evidence
                            .entry(commitment.to_owned())
                            .or_default()
                            .insert(document);
                    }
                }
                "SessionHeld" => {
                    let on = date(entry, "on");
                    case.first_session = case.first_session.into_iter().chain(on).min();
                    words.push_str(text(entry, "record").unwrap_or_default());
                    self.mediated.entry(signer).or_default().insert(document);
                    if let (Some(on), Some(place)) = (on, text(entry, "place")) {
                        let places = self.sessions.entry((signer, on)).or_default();
                        places.entry(place.to_owned()).or_default().insert(document);
                    }
                    // No earlier than witnesses allow, where the claimed time pleads for less.
                    let recorded = latest(&entry.update)
                        .map_or(entry.recorded_at, |latest| latest.min(entry.recorded_at));
                    if let Some(on) = on {
                        let days = (local_date(recorded) - on).get_days();
                        if days >= LATE {
                            case.slowest_days = case.slowest_days.max(Some(days));
                        }
                    }
                }
                "AgreementSigned" | "OralAgreementRecorded" => case.agreed_on = date(entry, "on"),
                "FollowUpRecorded" if text(entry, "performance") == Some("full") => {
                    case.performed_on = case.performed_on.into_iter().chain(date(entry, "on")).min();
                }
                // Closed by the last signature that it needs.
                "CaseClosed" if is_closed => case.closed = Some(entry.recorded_at),
                "CaseReopened" => case.closed = None,
                "RecordCorrected" | "ParticularsAttached" if case.closed.is_some() => {
                    case.changed_after_closing += 1;
                }
                "ParticularsErased" => self.erased.push(Erased {
                    document,
                    at: entry.recorded_at,
                    by: entry.signer.label.clone(),
                    basis: text(entry, "basis").unwrap_or("?").to_owned(),
                }),
                _ => {}
            }
        }
        if let Some(result) = projection.state.get("result").and_then(Value::as_str) {
            let there: BTreeSet<&str> = projection
                .state
                .get("papers")
                .and_then(Value::as_array)
                .map(|papers| papers.iter().filter_map(Value::as_str).collect())
                .unwrap_or_default();
            let required = tables().required_to_archive(result);
            case.missing_papers = required
                .iter()
                .filter(|paper| !there.contains(paper.as_str()))
                .count();
        }
        self.texts
            .extend(Sketch::of(&words).map(|sketch| (document, sketch)));
        self.cases.push(case);
    }
}
