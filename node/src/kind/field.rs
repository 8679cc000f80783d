//! Values that a field of an event may hold. Each type is its own rule: a value that exists is valid.

mod macros;
mod values;

use serde_json::{Map, Value};

use super::catalog::{FieldKind, FieldSpec};
use crate::text;
use crate::text::Text;

pub(crate) use macros::{choice, events, fields, open_code};
pub use values::{ChangeHash, Commitment, Count, Day, Line, List, Prose, Yes, check_code, unknown_code};

/// Which field is wrong, and which rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {path}: {rule}")]
pub struct Fault {
    /// The field, e.g. `parties[1].role`.
    pub path: String,
    /// The rule, for people.
    pub rule: Text,
}

impl Fault {
    /// A fault of the value itself; the field is named on the way up.
    pub fn rule(rule: Text) -> Self {
        Self {
            path: String::new(),
            rule,
        }
    }

    /// The same fault, seen from the group that holds the field `name`.
    #[must_use]
    pub fn under(mut self, name: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{name}{dot}{}", self.path);
        self
    }

    /// For people.
    pub fn text(&self) -> Text {
        let (path, zh, en) = (&self.path, &self.rule.zh, &self.rule.en);
        text!("字段 {path}:{zh}", "field {path}: {en}")
    }
}

/// Is this the reason of something that is wrong with a field, as [`Fault::text`] words it, and so with what
/// was typed rather than with who types it or when?
pub(crate) fn is_about_a_field(reason: &Text) -> bool {
    reason.en.starts_with("field ")
}

/// A type of value that a field may hold.
pub trait Field: Sized {
    /// Whether an event without it is refused.
    const REQUIRED: bool = true;

    /// The value in the event map, checked. A missing field reads as null.
    fn read(value: &Value) -> Result<Self, Fault>;

    /// The value for the event map.
    fn write(&self) -> Value;

    /// What it holds, for the catalogue.
    fn kind() -> FieldKind;
}

/// Several fields together.
pub trait Group: Sized {
    /// All fields, checked. Unknown extra fields are left alone: a newer program may have written them.
    fn read_map(map: &Map<String, Value>) -> Result<Self, Fault>;

    /// All fields, for the event map.
    fn write_map(&self) -> Map<String, Value>;

    /// The fields, for the catalogue.
    fn specs() -> Vec<FieldSpec>;
}

/// Reads the field `name` of `map`.
pub fn read<T: Field>(map: &Map<String, Value>, name: &str) -> Result<T, Fault> {
    T::read(map.get(name).unwrap_or(&Value::Null)).map_err(|fault| fault.under(name))
}

/// What a value of another shape is told.
pub(crate) fn expected(zh: &str, en: &str, found: &Value) -> Fault {
    Fault::rule(match found {
        Value::Null => text!("必须填写:{zh}", "is missing: expected {en}"),
        _ => text!("应为{zh}", "expected {en}"),
    })
}

impl<T: Field> Field for Option<T> {
    const REQUIRED: bool = false;

    fn read(value: &Value) -> Result<Self, Fault> {
        match value {
            Value::Null => Ok(None),
            value => T::read(value).map(Some),
        }
    }

    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::write)
    }

    fn kind() -> FieldKind {
        T::kind()
    }
}
