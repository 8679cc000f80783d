//! Bounds of what one update may say.

use serde_json::{Map, Value};

use crate::kind::Content;

/// Bytes in the longest string of an event. The longest investigation records (调查记录) of a file are
/// about 30 KB.
pub const MAX_STRING: usize = 96 * 1024;
/// Bytes in the longest string of the record: its fields are small ones that merge.
pub const MAX_RECORD_STRING: usize = 2 * 1024;
/// Bytes in the longest field name.
pub const MAX_KEY: usize = 64;
/// Levels of maps and lists, the event itself being the first.
pub const MAX_DEPTH: usize = 8;
/// Values in an event, maps and lists included.
pub const MAX_NODES: usize = 2_000;
/// Record fields that one update may set.
pub const MAX_RECORD: usize = 64;

/// Content that an update cannot carry. Paths name fields, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// No `type`, or not a name of up to [`MAX_KEY`] bytes.
    #[error("the event's type is missing or is not a short string")]
    Type,
    /// A number that is not an integer of 64 bits with sign. Write amounts in the smallest unit (fen).
    #[error("{0} is not an integer within 64 bits; write fractions in a smaller unit")]
    NotAnInteger(String),
    /// A string over [`MAX_STRING`], or [`MAX_RECORD_STRING`] in the record.
    #[error("{path} has {bytes} bytes, at most {limit} fit")]
    StringTooLong {
        /// Where.
        path: String,
        /// How long.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A field name that is empty or over [`MAX_KEY`].
    #[error("a field name below {0} is empty or longer than {MAX_KEY} bytes")]
    FieldName(String),
    /// Over [`MAX_DEPTH`].
    #[error("{0} is nested more than {MAX_DEPTH} levels deep")]
    TooDeep(String),
    /// Over [`MAX_NODES`].
    #[error("the event has more than {MAX_NODES} values")]
    TooManyValues,
    /// Over [`MAX_RECORD`].
    #[error("an update may set {MAX_RECORD} fields of the record, not {0}")]
    TooManyFields(usize),
    /// A map or list in the record.
    #[error("{0} is a map or a list; the record holds single values")]
    NotAScalar(String),
}

/// Is `name` 1 to 32 bytes of `a-z`, `0-9` and `-`?
pub(super) fn is_kind_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Can an update carry `content`?
pub fn check(content: &Content) -> Result<(), ContentError> {
    match content.event.get("type") {
        Some(Value::String(name)) if (1..=MAX_KEY).contains(&name.len()) => {}
        _ => return Err(ContentError::Type),
    }
    if content.record.len() > MAX_RECORD {
        return Err(ContentError::TooManyFields(content.record.len()));
    }
    let mut walk = Walk {
        path: vec![Part::Field("record")],
        nodes: 0,
        max_string: MAX_RECORD_STRING,
    };
    for (name, value) in &content.record {
        walk.field(name)?;
        match value {
            Value::Object(_) | Value::Array(_) => return Err(ContentError::NotAScalar(walk.path())),
            scalar => walk.value(scalar)?,
        }
        walk.path.pop();
    }
    let mut walk = Walk {
        path: vec![Part::Field("event")],
        nodes: 0,
        max_string: MAX_STRING,
    };
    walk.map(&content.event)
}

/// One step of a path.
enum Part<'a> {
    Field(&'a str),
    Item(usize),
}

struct Walk<'a> {
    path: Vec<Part<'a>>,
    nodes: usize,
    max_string: usize,
}

impl<'a> Walk<'a> {
    fn path(&self) -> String {
        let parts = self.path.iter().map(|part| match part {
            Part::Field(name) => (*name).to_owned(),
            Part::Item(index) => index.to_string(),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// Goes down into a field.
    fn field(&mut self, name: &'a str) -> Result<(), ContentError> {
        if !(1..=MAX_KEY).contains(&name.len()) {
            return Err(ContentError::FieldName(self.path()));
        }
        self.path.push(Part::Field(name));
        Ok(())
    }

    fn map(&mut self, map: &'a Map<String, Value>) -> Result<(), ContentError> {
        self.descend()?;
        for (name, value) in map {
            self.field(name)?;
            self.value(value)?;
            self.path.pop();
        }
        Ok(())
    }

    /// The path has one part more than there are maps and lists around: its first is the event's own.
    fn descend(&self) -> Result<(), ContentError> {
        if self.path.len() > MAX_DEPTH {
            return Err(ContentError::TooDeep(self.path()));
        }
        Ok(())
    }

    fn value(&mut self, value: &'a Value) -> Result<(), ContentError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(ContentError::TooManyValues);
        }
        match value {
            Value::Null | Value::Bool(_) => Ok(()),
            Value::Number(number) if number.is_i64() => Ok(()),
            Value::Number(_) => Err(ContentError::NotAnInteger(self.path())),
            Value::String(text) if text.len() <= self.max_string => Ok(()),
            Value::String(text) => Err(ContentError::StringTooLong {
                path: self.path(),
                bytes: text.len(),
                limit: self.max_string,
            }),
            Value::Object(map) => self.map(map),
            Value::Array(items) => {
                self.descend()?;
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Part::Item(index));
                    self.value(item)?;
                    self.path.pop();
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(fields: Value) -> Content {
        let mut event = fields.as_object().cloned().expect("a map");
        event.insert("type".into(), "noted".into());
        Content {
            event,
            record: Default::default(),
        }
    }

    #[test]
    fn honest_content_passes_and_a_long_record_of_investigation_fits() {
        let text = "调查笔录".repeat(2_500);
        assert_eq!(text.len(), 30_000);
        assert_eq!(
            check(&event(json!({
                "text": text, "heads": -3, "urgent": true, "by": null,
                "parties": [{"role": "applicant", "sealed": "ab"}, {"role": "respondent", "terms": [1, 2]}],
            }))),
            Ok(())
        );
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path() {
        let path = |content: &Content| check(content).expect_err("out of bounds").to_string();
        assert!(path(&event(json!({"a": [{"amount": 1.5}]}))).starts_with("event/a/0/amount is not"));
        assert!(path(&event(json!({"n": u64::MAX}))).starts_with("event/n is not"));
        assert!(path(&event(json!({"t": "x".repeat(MAX_STRING + 1)}))).starts_with("event/t has 98305"));
        assert!(path(&event(json!({"m": {"": 1}}))).contains("below event/m"));
        let mut content = event(json!({}));
        content.record.insert("owner".into(), json!([1]));
        assert!(path(&content).starts_with("record/owner is a map or a list"));
        content
            .record
            .insert("owner".into(), json!("x".repeat(MAX_RECORD_STRING + 1)));
        assert!(path(&content).starts_with("record/owner has"));
        content.event.remove("type");
        assert_eq!(check(&content), Err(ContentError::Type));
    }

    #[test]
    fn depth_and_breadth_are_bounded() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(check(&event(json!({"a": nested(MAX_DEPTH - 1)}))), Ok(()));
        assert!(matches!(
            check(&event(json!({"a": nested(MAX_DEPTH)}))),
            Err(ContentError::TooDeep(_))
        ));
        assert_eq!(
            check(&event(json!({"a": vec![0; MAX_NODES]}))),
            Err(ContentError::TooManyValues)
        );
    }
}
