//! What the fields and codes of a kind are called.

use anjuan_node::kind::catalog::{EventSpec, FieldKind, FieldSpec};
use anjuan_node::kind::kind;
use anjuan_node::text;
use anjuan_node::text::Text;
use serde_json::{Map, Value};

use super::{Page, short};

/// Fields of a case's or a register entry's state, in the order in which a page shows them.
const STATE: &[(&str, &str, &str)] = &[
    ("brief", "案由", "dispute"),
    ("facts", "事实", "facts"),
    ("source", "来源", "source"),
    ("headcount", "涉及人数", "people concerned"),
    ("mediators", "调解员", "mediators"),
    ("key", "公钥", "key"),
    ("since", "阶段起始", "stage since"),
    ("registered_on", "登记日期", "registered"),
    ("accepted_on", "受理日期", "accepted"),
    ("mediate_by", "调解期限", "mediation ends by"),
    ("assigned_until", "交办期限", "assigned until"),
    ("declined", "不予受理理由", "declined because"),
    ("confirmed", "已承办", "confirmed"),
    ("sessions", "调解次数", "sessions"),
    ("last_session", "最近一次调解", "last session"),
    ("agreement", "协议", "agreement"),
    ("written", "书面", "in writing"),
    ("confirm_by", "司法确认期限", "confirmation by"),
    (
        "confirmation_applied",
        "司法确认申请日期",
        "confirmation applied for",
    ),
    ("follow_up", "回访", "follow-up"),
    ("visits", "次数", "visits"),
    ("closing", "结案签署", "closing"),
    ("reopening", "重开签署", "reopening"),
    ("first", "首签", "first signature"),
    ("second", "复签", "second signature"),
    ("what", "内容", "what"),
    ("result", "结果", "result"),
    ("closed_on", "结案日期", "closed"),
    ("reported_on", "反馈日期", "reported"),
    ("acknowledged_on", "签收日期", "acknowledged"),
    ("archived_on", "归档日期", "archived"),
    ("reopened", "重开次数", "reopened"),
    ("escalation", "上报日期", "escalated"),
    ("transfer", "转办", "transfer"),
    ("petition", "信访事项", "petition"),
    ("papers", "卷内材料", "papers"),
    ("owners", "经办单位", "units so far"),
    ("code", "代码", "code"),
    ("unit", "单位", "unit"),
];

/// The words of one kind of document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words(&'static [EventSpec]);

impl Words {
    /// Those of the kind of this name; none for one that this program does not know.
    pub(super) fn of(name: &str) -> Self {
        Self(kind(name).map_or(&[], |kind| kind.catalog()))
    }

    /// The command that records an event in a document.
    pub(super) fn command(self, kind: &str, event: &str, document: &str) -> String {
        let spec = self.0.iter().find(|spec| spec.name == event);
        let command = spec.map_or(event, |spec| spec.command);
        if spec.is_some_and(|spec| spec.creates) {
            format!("anjuan {kind} {command}")
        } else {
            format!("anjuan {kind} {command} {}", short(document))
        }
    }

    /// What a code is called, wherever it is used.
    pub(super) fn code(self, code: &str) -> Option<Text> {
        self.0
            .iter()
            .flat_map(|spec| &spec.fields)
            .find_map(|field| option_title(&field.kind, code))
    }

    /// The fields of an event of this type, one in each line: `title: value`.
    pub(super) fn event(self, page: &Page<'_>, event: &str, content: &Map<String, Value>) -> Vec<String> {
        let spec = self.0.iter().find(|spec| spec.name == event);
        let fields = spec.map_or(&[][..], |spec| &spec.fields);
        // In the order of the form; what the form does not know comes last.
        let known = fields
            .iter()
            .filter_map(|field| Some((field.name, content.get(field.name)?)));
        let unknown = content
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .filter(|(key, _)| *key != "type" && fields.iter().all(|field| field.name != *key));
        let colon = page.say(&text!(":", ": "));
        known
            .chain(unknown)
            .filter_map(|(key, value)| {
                let field = fields.iter().find(|field| field.name == key);
                let title = field.map_or_else(|| self.title(key), |field| field.title.clone());
                let shown = self.shown(page, field.map(|field| &field.kind), value)?;
                Some(format!("{}{colon}{shown}", brief(&page.say(&title))))
            })
            .collect()
    }

    /// What a field of the state is called, and its value; `None` if it has none to show.
    pub(super) fn fact(self, page: &Page<'_>, key: &str, value: &Value) -> Option<(Text, String)> {
        let kind = self.field(key).map(|field| &field.kind);
        Some((self.title(key), self.shown(page, kind, value)?))
    }

    fn field(self, key: &str) -> Option<&'static FieldSpec> {
        self.0
            .iter()
            .flat_map(|spec| &spec.fields)
            .find(|field| field.name == key)
    }

    fn title(self, key: &str) -> Text {
        let of_state = STATE
            .iter()
            .find(|(name, ..)| *name == key)
            .map(|(_, zh, en)| Text::new(*zh, *en));
        of_state
            .or_else(|| self.field(key).map(|field| field.title.clone()))
            .unwrap_or_else(|| Text::new(key, key))
    }

    /// A value in a line: codes by their titles, ids by their first digits.
    fn shown(self, page: &Page<'_>, kind: Option<&FieldKind>, value: &Value) -> Option<String> {
        match value {
            Value::Null => None,
            Value::Bool(true) => Some(page.say(&text!("是", "yes"))),
            Value::Bool(false) => Some(page.say(&text!("否", "no"))),
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) if is_id(text) => Some(short(text).to_owned()),
            Value::String(text) => {
                let title = match kind {
                    Some(kind) => option_title(kind, text),
                    None => self.code(text),
                };
                Some(title.map_or_else(|| text.clone(), |title| page.say(&title)))
            }
            Value::Array(values) => {
                let of = match kind {
                    Some(FieldKind::List { of, .. }) => Some(&**of),
                    other => other,
                };
                let values: Vec<String> = values
                    .iter()
                    .filter_map(|value| self.shown(page, of, value))
                    .collect();
                (!values.is_empty()).then(|| values.join(&page.say(&text!(";", "; "))))
            }
            Value::Object(fields) => {
                let group = match kind {
                    Some(FieldKind::Group { fields }) => fields.as_slice(),
                    _ => &[],
                };
                let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
                fields.sort_by_key(|(key, value)| (value.as_str().is_some_and(is_id), place(key)));
                let fields: Vec<String> = fields
                    .into_iter()
                    .filter_map(|(key, value)| {
                        let field = group.iter().find(|field| field.name == key);
                        let kind = field.or_else(|| self.field(key)).map(|field| &field.kind);
                        let shown = self.shown(page, kind, value)?;
                        // Within a group, codes and commitments speak for themselves.
                        if matches!(kind, Some(FieldKind::Choice { .. } | FieldKind::Commitment)) {
                            return Some(shown);
                        }
                        let title = field.map_or_else(|| self.title(key), |field| field.title.clone());
                        Some(format!("{} {shown}", brief(&page.say(&title))))
                    })
                    .collect();
                (!fields.is_empty()).then(|| fields.join(&page.say(&text!(",", ", "))))
            }
        }
    }
}

/// Where on a page a field of the state stands; what is not known comes last.
pub(super) fn place(key: &str) -> usize {
    STATE
        .iter()
        .position(|(name, ..)| *name == key)
        .unwrap_or(STATE.len())
}

/// A field's title without the advice that a form adds to it.
fn brief(title: &str) -> &str {
    title
        .split_once('(')
        .or_else(|| title.split_once(", "))
        .map_or(title, |(title, _)| title)
}

fn option_title(kind: &FieldKind, code: &str) -> Option<Text> {
    match kind {
        FieldKind::Choice { options, .. } => options
            .iter()
            .find(|option| option.code == code)
            .map(|option| option.title.clone()),
        FieldKind::List { of, .. } => option_title(of, code),
        FieldKind::Group { fields } => fields.iter().find_map(|field| option_title(&field.kind, code)),
        _ => None,
    }
}

/// Keys, updates, commitments and documents.
fn is_id(text: &str) -> bool {
    matches!(text.len(), 32 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}
