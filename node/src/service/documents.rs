//! Lists, documents, histories, and what is due.

use std::sync::Arc;

use jiff::civil::Date;
use serde_json::Value;

use super::call::{Handle, History, List, Progress, Show, Todo};
use super::record::reach_of;
use super::{ErrorKind, Service, ServiceError, instant, unit_view, view};
use crate::authority::credentials::Credentials;
use crate::kind::{Duty, NextStep, Projection, Verdict, kind, kinds};
use crate::ledger::{DocumentKey, Merged, Standing, Told};
use crate::text;
use crate::text::Text;

const DEFAULT_LIMIT: u32 = 200;
const MAX_LIMIT: u32 = 10_000;

pub(super) fn event_title(kind_name: &str, event: &str) -> Text {
    let spec = kind(kind_name).and_then(|kind| kind.catalog().iter().find(|spec| spec.name == event));
    spec.map_or_else(|| Text::same(event), |spec| spec.title.clone())
}

pub(super) fn next_views(kind_name: &str, next: &[NextStep]) -> Vec<view::Next> {
    next.iter()
        .map(|step| view::Next {
            event: step.event.to_owned(),
            title: event_title(kind_name, step.event),
            roles: step.roles.iter().map(|role| role.code().to_owned()).collect(),
            unit: step.unit.clone(),
            or_above: step.or_above,
            assignees: step.assignees.iter().map(ToString::to_string).collect(),
        })
        .collect()
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map(|span| span.get_days()).unwrap_or_default()
}

impl Service {
    fn today(&self) -> Date {
        crate::calendar::local_date(self.now())
    }

    /// What a document comes to; an error where it can't be folded here.
    pub(super) fn projection(&self, key: &DocumentKey) -> Result<Arc<Projection>, ServiceError> {
        self.ledger().projection(key)?.ok_or_else(|| {
            let id = key.id;
            ServiceError::new(
                ErrorKind::NotFound,
                text!(
                    "文书 {id} 还不完整:创建它的记录尚未到达,或由较新的程序写成",
                    "document {id} is not complete: what created it has not arrived, or a newer program wrote it"
                ),
            )
        })
    }

    fn of_kind(&self, kind_name: &str) -> Result<Vec<(DocumentKey, Arc<Projection>)>, ServiceError> {
        let reach = reach_of(kind_name)?;
        let keys = self.ledger().documents(reach)?;
        let mut found = Vec::new();
        for key in keys {
            // The lock is let go between documents: a long list must not hold up the village's own work.
            let mut ledger = self.ledger();
            let named = ledger.figures(&key)?.and_then(|(kind, ..)| kind);
            if named.as_deref() == Some(kind_name)
                && let Some(projection) = ledger.projection(&key)?
            {
                found.push((key, projection));
            }
        }
        Ok(found)
    }

    /// Finds a document by id, the first digits of it, or its number.
    pub(super) fn find_document(&self, kind_name: &str, text: &str) -> Result<DocumentKey, ServiceError> {
        let text = text.trim();
        let keys = self.ledger().documents(reach_of(kind_name)?)?;
        let digits = text.len() >= 4 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let mut found: Vec<_> = if digits {
            let text = text.to_ascii_lowercase();
            keys.into_iter()
                .filter(|key| key.id.to_string().starts_with(&text))
                .collect()
        } else {
            let all = self.of_kind(kind_name)?.into_iter();
            all.filter(|(_, projection)| projection.summary.number.as_deref() == Some(text))
                .map(|(key, _)| key)
                .collect()
        };
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(ServiceError::new(
                ErrorKind::NotFound,
                text!("本节点没有文书“{text}”", "this node has no document {text:?}"),
            )
            .with_hint(Text::new(
                "用编号或至少四位文书号;list 列出全部",
                "give its number or four digits of its id at least; `list` shows all",
            ))),
            n => Err(ServiceError::new(
                ErrorKind::Usage,
                text!(
                    "“{text}”对应 {n} 份文书,请多给几位",
                    "{text:?} matches {n} documents; give more digits"
                ),
            )),
        }
    }

    fn line(
        &self,
        key: &DocumentKey,
        kind_name: &str,
        projection: &Projection,
    ) -> Result<view::DocumentLine, ServiceError> {
        let updates = self.ledger().figures(key)?.map_or(0, |(_, updates, _)| updates);
        let summary = &projection.summary;
        let home = crate::unit::UnitCode::from_path(&key.space.unit)
            .map_err(|error| ServiceError::new(ErrorKind::Damaged, Text::same(error.to_string())))?;
        Ok(view::DocumentLine {
            document: key.id.to_string(),
            kind: kind_name.to_owned(),
            home: unit_view(&home),
            owner: unit_view(&summary.owner),
            number: summary.number.clone(),
            title: summary.title.clone(),
            stage: summary.stage.clone(),
            stage_title: summary.stage_title.clone(),
            category: summary.category.clone(),
            category_title: summary.category_title.clone(),
            opened_at: summary.opened_at,
            due: summary.due,
            overdue: !summary.finished && summary.due.is_some_and(|due| due < self.today()),
            needs_decision: summary.needs_decision,
            finished: summary.finished,
            updates,
        })
    }

    fn due(&self, key: &DocumentKey, kind_name: &str, projection: &Projection, duty: &Duty) -> view::Due {
        view::Due {
            document: key.id.to_string(),
            kind: kind_name.to_owned(),
            number: projection.summary.number.clone(),
            title: projection.summary.title.clone(),
            what: duty.what.clone(),
            event: duty.event.to_owned(),
            unit: duty.unit.clone(),
            due: duty.due,
            days_left: duty.due.map(|due| days_between(self.today(), due)),
        }
    }
}

fn matches(filter: &view::Filter, projection: &Projection) -> bool {
    let summary = &projection.summary;
    let text = |text: &str| {
        let text = text.to_lowercase();
        let has = |field: &str| field.to_lowercase().contains(&text);
        has(&summary.title)
            || summary.number.as_deref().is_some_and(has)
            || projection
                .state
                .get("facts")
                .and_then(Value::as_str)
                .is_some_and(has)
    };
    filter.stage.as_ref().is_none_or(|stage| *stage == summary.stage)
        && filter
            .category
            .as_ref()
            .is_none_or(|category| summary.category.as_ref() == Some(category))
        && filter
            .unit
            .as_ref()
            .is_none_or(|unit| unit.path().is_at_or_above(&summary.owner.path()))
        && filter
            .due_by
            .is_none_or(|by| summary.due.is_some_and(|due| due <= by))
        && (!filter.needs_decision || summary.needs_decision)
        && (!filter.open || !summary.finished)
        && filter.text.as_deref().is_none_or(text)
}

impl Handle<List> for Service {
    fn handle(&self, call: List, _: &mut dyn FnMut(Progress)) -> Result<view::Listing, ServiceError> {
        let mut found = self.of_kind(&call.kind)?;
        found.retain(|(_, projection)| matches(&call.filter, projection));
        // Newest first; the id decides between documents opened at the same instant.
        found.sort_by(|(a_key, a), (b_key, b)| {
            (b.summary.opened_at, &a_key.id).cmp(&(a.summary.opened_at, &b_key.id))
        });
        let limit = match call.filter.limit {
            0 => DEFAULT_LIMIT,
            limit => limit.min(MAX_LIMIT),
        };
        let total = found.len() as u64;
        let page = found
            .iter()
            .skip(call.filter.offset as usize)
            .take(limit as usize);
        let documents = page
            .map(|(key, projection)| self.line(key, &call.kind, projection))
            .collect::<Result<_, _>>()?;
        Ok(view::Listing { total, documents })
    }
}

impl Handle<Show> for Service {
    fn handle(&self, call: Show, _: &mut dyn FnMut(Progress)) -> Result<view::DocumentDetail, ServiceError> {
        let key = self.find_document(&call.kind, &call.document)?;
        let projection = self.projection(&key)?;
        let line = self.line(&key, &call.kind, &projection)?;
        let mut ledger = self.ledger();
        let Merged { heads, record } = ledger.merged(&key)?.unwrap_or_default();
        let (history, _) = ledger.told(&key)?.ok_or_else(|| {
            ServiceError::new(ErrorKind::Damaged, Text::same("the document has no history"))
        })?;
        let choice = |at: &usize| {
            let entry = history.entries.get(*at)?;
            Some(view::Choice {
                update: entry.update.to_string(),
                event: entry.event_type().to_owned(),
                title: event_title(&call.kind, entry.event_type()),
                author: entry.signer.label.clone(),
                unit: entry.signer.unit.clone(),
                recorded_at: instant(entry.recorded_at),
            })
        };
        let conflicts = projection
            .conflicts
            .iter()
            .map(|conflict| view::ConflictView {
                what: conflict.what.clone(),
                choices: conflict.entries.iter().filter_map(choice).collect(),
                decides: unit_view(&conflict.decides),
                kept: conflict
                    .kept
                    .and_then(|at| history.entries.get(at))
                    .map(|entry| entry.update.to_string()),
            })
            .collect();
        Ok(view::DocumentDetail {
            particulars: self.sealed_views(&ledger, &key, &projection),
            line,
            state: projection.state.clone(),
            record: record.into_iter().collect(),
            next: next_views(&call.kind, &projection.next),
            duties: projection
                .duties
                .iter()
                .map(|duty| self.due(&key, &call.kind, &projection, duty))
                .collect(),
            conflicts,
            links: projection
                .links
                .iter()
                .map(|link| view::LinkView {
                    unit: link.unit.clone(),
                    document: link.document.clone(),
                    relation: link.relation.clone(),
                })
                .collect(),
            heads: heads.iter().map(ToString::to_string).collect(),
        })
    }
}

/// Whether an update counts, and why not.
fn standing(told: &Told, verdicts: &[Verdict]) -> (view::Standing, Option<Text>) {
    match &told.held.standing {
        Standing::Waiting => (
            view::Standing::Waiting,
            Some(Text::new(
                "它所依据的记录尚未到达",
                "what it builds on has not arrived",
            )),
        ),
        Standing::Refused(reason) => (
            view::Standing::Refused,
            Some(text!("不符合文书的规则:{reason}", "{reason}")),
        ),
        Standing::Blocked => (
            view::Standing::Blocked,
            Some(Text::new(
                "它依据的记录已被拒绝或分叉",
                "it builds on an update that is refused or forked",
            )),
        ),
        Standing::Forked => (
            view::Standing::Forked,
            Some(Text::new(
                "签名人的日志在此处或之前分叉",
                "its author's log is forked here or before",
            )),
        ),
        Standing::Applied => match told.entry.and_then(|at| verdicts.get(at)) {
            Some(Verdict::Counts) => (view::Standing::Counts, None),
            Some(Verdict::Void(reason)) => (view::Standing::Void, Some(reason.clone())),
            Some(Verdict::Quarantined(reason)) => (view::Standing::Quarantined, Some(reason.clone())),
            Some(Verdict::Contested(reason)) => (view::Standing::Contested, Some(reason.clone())),
            Some(Verdict::Unknown) | None => (
                view::Standing::Unknown,
                Some(Text::new(
                    "较新程序的事件,已保留",
                    "an event of a newer program; kept",
                )),
            ),
        },
    }
}

impl Service {
    fn history_entry(
        &self,
        kind_name: &str,
        told: &Told,
        verdicts: &[Verdict],
        credentials: &Credentials,
        signature_valid: bool,
    ) -> view::HistoryEntry {
        let held = &told.held;
        let content = told
            .extracted
            .as_ref()
            .map(|extracted| extracted.content.event.clone());
        let event = content
            .as_ref()
            .and_then(|event| event.get("type"))
            .and_then(Value::as_str);
        let event = event.unwrap_or_default().to_owned();
        let certificate = credentials.certificate(held.certificate);
        let certificate = certificate.map(|certified| certified.certificate());
        let (standing, reason) = standing(told, verdicts);
        view::HistoryEntry {
            update: held.id.to_string(),
            title: event_title(kind_name, &event),
            event,
            content: content.unwrap_or_default(),
            author: certificate
                .map(|certificate| certificate.label().to_owned())
                .unwrap_or_default(),
            author_key: held.author.to_string(),
            roles: certificate
                .map(|certificate| certificate.roles().map(|role| role.code().to_owned()).collect())
                .unwrap_or_default(),
            unit: unit_view(certificate.map_or(&self.0.unit, |certificate| certificate.unit())),
            recorded_at: instant(held.recorded_at),
            log: held.epoch.short(),
            seq: held.seq,
            signature_valid,
            standing,
            reason,
        }
    }
}

impl Handle<History> for Service {
    fn handle(
        &self,
        call: History,
        _: &mut dyn FnMut(Progress),
    ) -> Result<view::DocumentHistory, ServiceError> {
        let key = self.find_document(&call.kind, &call.document)?;
        let projection = self.projection(&key)?;
        let line = self.line(&key, &call.kind, &projection)?;
        let mut ledger = self.ledger();
        let (history, mut told) = ledger.told(&key)?.ok_or_else(|| {
            ServiceError::new(ErrorKind::Damaged, Text::same("the document has no history"))
        })?;
        // As the fold sees them; what is not applied comes last, in the order of arrival.
        told.sort_by_key(|one| one.entry.unwrap_or(history.entries.len()));
        let mut entries = Vec::with_capacity(told.len());
        for one in &told {
            let valid = ledger.stored_update(one.held.position)?.verify().is_ok();
            let entry =
                self.history_entry(&call.kind, one, &projection.verdicts, ledger.credentials(), valid);
            entries.push(entry);
        }
        Ok(view::DocumentHistory { line, entries })
    }
}

impl Handle<Todo> for Service {
    fn handle(&self, call: Todo, _: &mut dyn FnMut(Progress)) -> Result<Vec<view::Due>, ServiceError> {
        let handle = self.operator_handle(call.operator.as_deref())?;
        let name = super::signing::key_name(&handle)?;
        let keys = self.0.keys.list(crate::keys::KeyKind::Operator)?;
        let key = keys
            .into_iter()
            .find(|(own, _)| *own == name)
            .map(|(_, key)| key)
            .ok_or_else(|| {
                ServiceError::new(
                    ErrorKind::NotFound,
                    text!(
                        "本节点没有操作员“{handle}”",
                        "this home has no operator {handle:?}"
                    ),
                )
            })?;
        let signer = {
            let ledger = self.ledger();
            let credentials = ledger.credentials();
            credentials
                .operator(key, self.now())
                .and_then(|certified| credentials.signer(certified.id()))
        };
        let Some(signer) = signer else {
            return Ok(Vec::new());
        };
        let last = call.within_days.map(|days| {
            self.today()
                .checked_add(jiff::Span::new().days(i64::from(days.min(36_600))))
                .unwrap_or(Date::MAX)
        });
        let mut due = Vec::new();
        for kind in kinds() {
            for (key, projection) in self.of_kind(kind.name())? {
                for duty in &projection.duties {
                    let mine = if duty.assignees.is_empty() {
                        duty.unit == signer.unit && signer.is_any(&duty.roles)
                    } else {
                        duty.assignees.contains(&signer.key)
                    };
                    let soon = last.is_none_or(|last| duty.due.is_some_and(|due| due <= last));
                    if mine && soon {
                        due.push(self.due(&key, kind.name(), &projection, duty));
                    }
                }
            }
        }
        due.sort_by(|a, b| {
            (a.due.unwrap_or(Date::MAX), &a.document).cmp(&(b.due.unwrap_or(Date::MAX), &b.document))
        });
        Ok(due)
    }
}
