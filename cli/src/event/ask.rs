//! Asking a person for what the options left out.

use anjuan_node::kind::catalog::{FieldKind, FieldSpec};
use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text;
use anjuan_node::text::Text;
use serde_json::{Map, Value};

use super::options::choices;
use super::read::{Reader, check_length};
use crate::app::unread;
use crate::output::prompt;

/// How often an answer may be wrong.
const TRIES: usize = 5;

/// What a person is asked of particulars: the key in JSON and what it is called.
const PERSON: &[(&str, &str, &str)] = &[
    ("name", "姓名", "name"),
    ("id-number", "公民身份号码", "ID number"),
    ("sex", "性别(男/女)", "sex (male/female)"),
    ("birth-date", "出生日期(yyyy-mm-dd)", "date of birth (yyyy-mm-dd)"),
    ("ethnicity", "民族", "ethnicity"),
    ("occupation", "职业或职务", "occupation"),
    ("phone", "联系方式", "phone"),
    ("address", "单位或住址", "address"),
];
const ORGANISATION: &[(&str, &str, &str)] = &[
    ("name", "名称", "name"),
    ("credit-code", "统一社会信用代码", "unified social credit code"),
    ("representative", "法定代表人或负责人", "representative"),
    ("phone", "联系方式", "phone"),
    ("address", "地址", "address"),
];

/// Asks for a field until the answer is well formed.
pub(super) fn field(
    reader: &mut Reader<'_>,
    field: &FieldSpec,
    pointer: &str,
) -> Result<Value, ServiceError> {
    value(reader, &field.kind, &field.title, pointer)
}

fn value(
    reader: &mut Reader<'_>,
    kind: &FieldKind,
    title: &Text,
    pointer: &str,
) -> Result<Value, ServiceError> {
    match kind {
        FieldKind::List { of, min, max } => list(reader, of, (*min, *max), title, pointer),
        FieldKind::Group { fields } => group(reader, fields, title, pointer),
        FieldKind::Commitment => particulars(reader, None, title, pointer),
        kind => retry(reader, title, &hint(kind), |reader, answer| {
            reader.parse(kind, answer, pointer)
        }),
    }
}

fn list(
    reader: &mut Reader<'_>,
    of: &FieldKind,
    (min, max): (usize, usize),
    title: &Text,
    pointer: &str,
) -> Result<Value, ServiceError> {
    let mut values = Vec::new();
    while values.len() < max {
        let number = values.len() + 1;
        let Text { zh, en } = title;
        let place = format!("{pointer}/{}", values.len());
        if let FieldKind::Group { .. } | FieldKind::Commitment = of {
            let more = number <= min
                || yes(
                    reader,
                    &text!(
                        "还有第 {number} 项{zh}吗?",
                        "Another one, number {number}, of {en}?"
                    ),
                )?;
            if !more {
                break;
            }
            values.push(value(
                reader,
                of,
                &text!("{zh}(第 {number} 项)", "{en}, number {number}"),
                &place,
            )?);
        } else {
            let title = text!(
                "{zh}(第 {number} 项,留空结束)",
                "{en}, number {number} (empty to end)"
            );
            let found = values.len();
            let answer = retry(reader, &title, &hint(of), |reader, answer| {
                if answer.is_empty() {
                    check_length(found, min, max).map(|()| None)
                } else {
                    reader.parse(of, answer, &place).map(Some)
                }
            })?;
            match answer {
                Some(value) => values.push(value),
                None => break,
            }
        }
    }
    Ok(Value::Array(values))
}

fn group(
    reader: &mut Reader<'_>,
    fields: &[FieldSpec],
    title: &Text,
    pointer: &str,
) -> Result<Value, ServiceError> {
    let mut group = Map::new();
    // What is sealed may depend on the kind, so it is asked for last.
    let (sealed, open): (Vec<_>, Vec<_>) = fields
        .iter()
        .partition(|field| field.kind == FieldKind::Commitment);
    for field in open {
        let Text { zh, en } = title;
        let (own_zh, own_en) = (&field.title.zh, &field.title.en);
        let title = text!("{zh}·{own_zh}", "{en}: {own_en}");
        let place = format!("{pointer}/{}", field.name);
        let value = if field.required {
            value(reader, &field.kind, &title, &place)?
        } else {
            let Text { zh, en } = title;
            let title = text!("{zh}(可留空)", "{en} (may be empty)");
            retry(reader, &title, &hint(&field.kind), |reader, answer| {
                if answer.is_empty() {
                    Ok(Value::Null)
                } else {
                    reader.parse(&field.kind, answer, &place)
                }
            })?
        };
        if !value.is_null() {
            group.insert(field.name.to_owned(), value);
        }
    }
    for field in sealed {
        let kind = group.get("kind").and_then(Value::as_str).map(str::to_owned);
        let place = format!("{pointer}/{}", field.name);
        let value = particulars(reader, kind.as_deref(), title, &place)?;
        group.insert(field.name.to_owned(), value);
    }
    Ok(Value::Object(group))
}

/// Asks for particulars field by field, or for a file.
fn particulars(
    reader: &mut Reader<'_>,
    kind: Option<&str>,
    title: &Text,
    pointer: &str,
) -> Result<Value, ServiceError> {
    let (kind, fields) = match kind {
        Some("person") => ("person", PERSON),
        Some("organisation") => ("organisation", ORGANISATION),
        _ => {
            let hint = text!(
                "文件,或已密封材料的承诺值",
                "a file, or the commitment of a sealed item"
            );
            return retry(reader, title, &hint, |reader, answer| {
                reader.parse(&FieldKind::Commitment, answer, pointer)
            });
        }
    };
    let mut content = Map::new();
    for (key, zh, en) in fields {
        let (own_zh, own_en) = (&title.zh, &title.en);
        let title = text!("{own_zh}·{zh}", "{own_en}: {en}");
        let optional = *key != "name";
        let hint = if optional {
            text!("可留空", "may be empty")
        } else {
            text!("", "")
        };
        let answer = retry(reader, &title, &hint, |_, answer| {
            if answer.is_empty() && !optional {
                Err(text!("不能为空", "must not be empty"))
            } else {
                Ok(answer.to_owned())
            }
        })?;
        if !answer.is_empty() {
            content.insert((*key).to_owned(), answer.into());
        }
    }
    let particulars = Value::Object(Map::from_iter([(kind.to_owned(), Value::Object(content))]));
    Ok(reader.seal(pointer, particulars))
}

fn yes(reader: &mut Reader<'_>, question: &Text) -> Result<bool, ServiceError> {
    let prompt = format!("{} [y/N] ", question.in_lang(reader.lang));
    let answer = reader.console.ask(&prompt).map_err(|error| unread(&error))?;
    Ok(answer.as_deref().is_some_and(prompt::is_yes))
}

fn hint(kind: &FieldKind) -> Text {
    match kind {
        FieldKind::Choice { options, .. } => choices(options),
        FieldKind::Date => text!("yyyy-mm-dd", "yyyy-mm-dd"),
        FieldKind::Integer { min, max } => text!("{min}至{max}", "{min} to {max}"),
        FieldKind::Flag | FieldKind::Statement => text!("是/否", "yes/no"),
        FieldKind::Unit => text!("区划代码", "unit code"),
        FieldKind::Key => text!("代号、姓名或公钥", "handle, name or key"),
        _ => text!("", ""),
    }
}

fn retry<T>(
    reader: &mut Reader<'_>,
    title: &Text,
    hint: &Text,
    mut parse: impl FnMut(&mut Reader<'_>, &str) -> Result<T, Text>,
) -> Result<T, ServiceError> {
    let lang = reader.lang;
    let prompt = match (title.in_lang(lang), hint.in_lang(lang)) {
        (title, "") => format!("{title}: "),
        (title, hint) => format!("{title} [{hint}]: "),
    };
    for _ in 0..TRIES {
        let Some(answer) = reader.console.ask(&prompt).map_err(|error| unread(&error))? else {
            break;
        };
        match parse(reader, answer.trim()) {
            Ok(value) => return Ok(value),
            Err(fault) => {
                let said = format!("{}\n", fault.in_lang(lang));
                reader.console.err(&said).map_err(|error| unread(&error))?;
            }
        }
    }
    let Text { zh, en } = title;
    Err(ServiceError::new(
        ErrorKind::Usage,
        text!("没有得到“{zh}”", "\"{en}\" was not given"),
    ))
}
