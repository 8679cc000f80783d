//! Recording an event: particulars sealed first, then judged, signed and stored.

use anjuan_sync::{Reach, Space};
use serde_json::{Map, Value};

use super::call::{Handle, Progress, Record, Seal};
use super::particulars::Sealing;
use super::signing::Signing;
use super::{ErrorKind, Service, ServiceError, fresh_epoch, view};
use crate::kind::{Content, kind};
use crate::ledger::{DocumentKey, Draft, Recorded};
use crate::text;
use crate::text::Text;
use crate::unit::divisions::Divisions;

impl Service {
    /// Records an event in a document, or one that opens a document.
    pub(super) fn record(
        &self,
        kind_name: &str,
        document: Option<DocumentKey>,
        unit: Option<&crate::unit::UnitCode>,
        content: Content,
        signing: &Signing,
    ) -> Result<Recorded, ServiceError> {
        self.record_sealed(kind_name, document, unit, content, Vec::new(), signing)
    }

    fn record_sealed(
        &self,
        kind_name: &str,
        document: Option<DocumentKey>,
        unit: Option<&crate::unit::UnitCode>,
        mut content: Content,
        seal: Vec<Seal>,
        signing: &Signing,
    ) -> Result<Recorded, ServiceError> {
        let kind = kind(kind_name).ok_or_else(|| {
            ServiceError::new(
                ErrorKind::Usage,
                text!(
                    "没有这种文书:{kind_name}",
                    "there is no kind of document named {kind_name}"
                ),
            )
        })?;
        let unit = unit.unwrap_or(&self.0.unit);
        let space = match &document {
            Some(key) => key.space.clone(),
            None => {
                Divisions::official().require(unit)?;
                Space {
                    unit: unit.path(),
                    reach: kind.reach(),
                }
            }
        };
        if !self.ledger().scope().holds(&space) {
            let ours = &self.0.unit;
            return Err(ServiceError::new(
                ErrorKind::Forbidden,
                text!(
                    "{unit} 的文书不在 {ours} 的节点上",
                    "documents of {unit} are not kept at {ours}"
                ),
            ));
        }
        let sealing = Sealing::prepare(seal, &mut content.event, self.now())?;
        let draft = Draft {
            kind: kind_name.to_owned(),
            space,
            document,
            content,
        };
        let now = self.now();
        let (recorded, durable) = {
            let mut ledger = self.ledger();
            ledger.record(
                &draft,
                signing.certificate_id(),
                signing.key.signing_key(),
                now,
                fresh_epoch(),
                |ledger, key, projection| self.seal(&sealing, key, projection, ledger, signing),
            )?
        };
        durable.wait()?;
        self.ledger().carry_out_erasures(&recorded.document)?;
        self.announce();
        Ok(recorded)
    }

    pub(super) fn recorded_view(&self, kind_name: &str, recorded: &Recorded) -> view::Recorded {
        let projection = &recorded.projection;
        view::Recorded {
            document: recorded.document.id.to_string(),
            number: projection.summary.number.clone(),
            update: recorded.update.to_string(),
            stage: projection.summary.stage.clone(),
            stage_title: projection.summary.stage_title.clone(),
            next: super::documents::next_views(kind_name, &projection.next),
        }
    }
}

/// The content of an event: what a caller gave, with its type checked to be there.
pub(super) fn content(
    event: Map<String, Value>,
    record: Map<String, Value>,
) -> Result<Content, ServiceError> {
    if !event.get("type").is_some_and(Value::is_string) {
        return Err(ServiceError::new(
            ErrorKind::Usage,
            Text::new("缺少事件类型 type", "the event has no type"),
        ));
    }
    Ok(Content {
        event,
        record: record.into_iter().collect(),
    })
}

/// An event of a type that its kind of document has.
fn known_event(kind_name: &str, content: &Content) -> Result<(), ServiceError> {
    let name = content.event.get("type").and_then(serde_json::Value::as_str);
    let name = name.unwrap_or_default();
    let events = kind(kind_name).map_or(&[][..], |kind| kind.catalog());
    if events.is_empty() || events.iter().any(|event| event.name == name) {
        return Ok(());
    }
    let (zh, en): (Vec<_>, Vec<_>) = events
        .iter()
        .map(|event| (format!("{}({})", event.title.zh, event.name), event.name))
        .unzip();
    let (zh, en) = (zh.join("、"), en.join(", "));
    Err(ServiceError::new(
        ErrorKind::Usage,
        text!("没有这种事件:{name}", "there is no event named {name}"),
    )
    .with_hint(text!("可用的事件:{zh}", "the events are {en}")))
}

impl Handle<Record> for Service {
    fn handle(&self, call: Record, _: &mut dyn FnMut(Progress)) -> Result<view::Recorded, ServiceError> {
        let document = match &call.document {
            Some(text) => Some(self.find_document(&call.kind, text)?),
            None => None,
        };
        let content = content(call.event, call.record)?;
        known_event(&call.kind, &content)?;
        let signing = self.signing(&call.sign)?;
        let recorded = self.record_sealed(
            &call.kind,
            document,
            call.unit.as_ref(),
            content,
            call.seal,
            &signing,
        )?;
        self.follow_up(&recorded.document, &signing)?;
        Ok(self.recorded_view(&call.kind, &recorded))
    }
}

/// Where documents of a kind stand.
pub(super) fn reach_of(kind_name: &str) -> Result<Reach, ServiceError> {
    kind(kind_name).map(|kind| kind.reach()).ok_or_else(|| {
        ServiceError::new(
            ErrorKind::Usage,
            text!(
                "没有这种文书:{kind_name}",
                "there is no kind of document named {kind_name}"
            ),
        )
    })
}
