//! One value from its text.

use anjuan_node::kind::catalog::FieldKind;
use anjuan_node::text;
use anjuan_node::text::Text;
use serde_json::Value;

use super::options::choices;
use crate::args::{day, unit, within};

/// The value of a field that is no list, group or commitment. Ids and keys stay as they are: short forms are
/// resolved later.
pub(super) fn parse(kind: &FieldKind, text: &str) -> Result<Value, Text> {
    let text = text.trim();
    if text.is_empty() {
        return Err(text!("不能为空", "must not be empty"));
    }
    match kind {
        FieldKind::Line { max } | FieldKind::Prose { max } => {
            let length = text.chars().count();
            if length > *max {
                Err(text!(
                    "最多 {max} 字,现有 {length} 字",
                    "at most {max} characters; it has {length}"
                ))
            } else {
                Ok(text.into())
            }
        }
        FieldKind::Date => day(text).map(|date| date.to_string().into()).map_err(|e| e.0),
        FieldKind::Integer { min, max } => within(*min, *max)(text).map(Value::from).map_err(|e| e.0),
        FieldKind::Flag => truth(text).map(Value::Bool),
        FieldKind::Statement => match truth(text)? {
            true => Ok(true.into()),
            false => Err(text!("须已办到才能记录", "it must have been done")),
        },
        FieldKind::Choice { options, open } => {
            let known = options
                .iter()
                .find(|option| option.code == text || option.title.zh == text);
            match known {
                Some(option) => Ok(option.code.as_str().into()),
                None if *open => Ok(text.into()),
                None => {
                    let Text { zh, en } = choices(options);
                    Err(text!("可取:{zh}", "it may be: {en}"))
                }
            }
        }
        FieldKind::Unit => unit(text).map(|unit| unit.to_string().into()).map_err(|e| e.0),
        FieldKind::Key
        | FieldKind::Update
        | FieldKind::Document
        | FieldKind::Change
        | FieldKind::CaseNumber
        | FieldKind::Commitment => Ok(text.into()),
        FieldKind::List { .. } | FieldKind::Group { .. } => {
            Err(text!("不是单个的值", "this is not a single value"))
        }
    }
}

fn truth(text: &str) -> Result<bool, Text> {
    match text {
        "true" | "yes" | "y" | "是" | "有" => Ok(true),
        "false" | "no" | "n" | "否" | "无" => Ok(false),
        _ => Err(text!("应为 true 或 false", "expected true or false")),
    }
}
