//! Recording an event.

use anjuan_node::kind::catalog::EventSpec;
use anjuan_node::kind::kinds;
use anjuan_node::service::view::Operator;
use anjuan_node::service::{ErrorKind, ServiceError, call};
use anjuan_node::text;
use anjuan_node::unit::UnitCode;
use clap::ArgMatches;
use serde_json::{Map, Value};

use crate::app::App;
use crate::event::{Lookup, OPENING_UNIT, OPERATOR, POSITION, Reader, SET, resolve};
use crate::host::Host;

/// Reads the event from the options, makes short forms whole, has it recorded and shows what came of it.
pub(super) fn record<H: Host>(
    app: &mut App<'_, H>,
    kind: String,
    spec: &EventSpec,
    matches: &ArgMatches,
) -> Result<(), ServiceError> {
    let mut draft = Reader::new(app.console, app.ui.lang).read(spec, matches)?;
    let (document, unit) = if spec.creates {
        (None, matches.get_one::<UnitCode>(OPENING_UNIT).cloned())
    } else {
        (matches.get_one::<String>(POSITION).cloned(), None)
    };
    let mut known = Known {
        app,
        kind: &kind,
        document: document.as_deref(),
    };
    resolve(&spec.fields, &mut draft.event, &mut known)?;
    let record: Map<String, Value> = matches
        .get_many::<(String, String)>(SET)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), scalar(value)))
        .collect();
    let operator = matches.get_one::<String>(OPERATOR).cloned();
    let recorded = app.call_signing(operator, |sign| call::Record {
        kind: kind.clone(),
        document: document.clone(),
        unit: unit.clone(),
        event: draft.event.clone(),
        record: record.clone(),
        seal: draft.seal.clone(),
        sign,
    })?;
    app.show(&recorded)
}

/// A field of the record: empty clears it, a number or a truth value is one, all else is text.
fn scalar(text: &str) -> Value {
    match text {
        "" => Value::Null,
        "true" => true.into(),
        "false" => false.into(),
        _ => text
            .parse::<i64>()
            .ok()
            // `007` is a text, not a seven.
            .filter(|number| number.to_string() == text)
            .map_or_else(|| text.into(), Value::from),
    }
}

/// What the node at hand knows.
struct Known<'k, 'a, H: Host> {
    app: &'k mut App<'a, H>,
    kind: &'k str,
    document: Option<&'k str>,
}

impl<H: Host> Lookup for Known<'_, '_, H> {
    fn operator(&mut self, text: &str) -> Result<String, ServiceError> {
        let operators = self.app.call(call::OperatorList { unit: None })?;
        let named = |operator: &&Operator| operator.handle.as_deref() == Some(text) || operator.label == text;
        let begins = |operator: &&Operator| {
            is_prefix(text) && (operator.key.starts_with(text) || operator.certificate.starts_with(text))
        };
        let mut found: Vec<&Operator> = operators.iter().filter(named).collect();
        if found.is_empty() {
            found = operators.iter().filter(begins).collect();
        }
        // A renewed certificate names the same key.
        let mut keys: Vec<&str> = found.iter().map(|operator| operator.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        one(&keys, &text!("操作员 {text}", "operator {text}"))
    }

    fn update(&mut self, text: &str) -> Result<String, ServiceError> {
        let Some(document) = self.document else {
            return Err(whole_only(text));
        };
        let history = self.app.call(call::History {
            kind: self.kind.to_owned(),
            document: document.to_owned(),
        })?;
        let found: Vec<&str> = history
            .entries
            .iter()
            .map(|entry| entry.update.as_str())
            .filter(|update| is_prefix(text) && update.starts_with(text))
            .collect();
        one(&found, &text!("更新 {text}", "update {text}"))
    }

    fn document(&mut self, text: &str) -> Result<String, ServiceError> {
        // One of another kind may be meant; the kind at hand goes first.
        let others = kinds()
            .iter()
            .map(|kind| kind.name())
            .filter(|name| *name != self.kind);
        let mut last = None;
        for kind in std::iter::once(self.kind).chain(others) {
            let show = call::Show {
                kind: kind.to_owned(),
                document: text.to_owned(),
            };
            match self.app.call(show) {
                Ok(detail) => return Ok(detail.line.document),
                Err(error) if error.kind == ErrorKind::NotFound => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| whole_only(text)))
    }

    fn commitment(&mut self, text: &str) -> Result<String, ServiceError> {
        let Some(document) = self.document else {
            return Err(whole_only(text));
        };
        let detail = self.app.call(call::Show {
            kind: self.kind.to_owned(),
            document: document.to_owned(),
        })?;
        let found: Vec<&str> = detail
            .particulars
            .iter()
            .map(|sealed| sealed.commitment.as_str())
            .filter(|commitment| is_prefix(text) && commitment.starts_with(text))
            .collect();
        one(&found, &text!("密封材料 {text}", "sealed item {text}"))
    }
}

fn is_prefix(text: &str) -> bool {
    text.len() >= 4 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn one(found: &[&str], what: &anjuan_node::text::Text) -> Result<String, ServiceError> {
    let (zh, en) = (&what.zh, &what.en);
    match found {
        [one] => Ok((*one).to_owned()),
        [] => Err(ServiceError::new(
            ErrorKind::NotFound,
            text!("找不到{zh}", "no {en} is known here"),
        )),
        several => {
            let number = several.len();
            Err(ServiceError::new(
                ErrorKind::Usage,
                text!("{zh}有 {number} 个", "{number} are meant by {en}"),
            )
            .with_hint(text!("多写几位", "give more digits")))
        }
    }
}

fn whole_only(text: &str) -> ServiceError {
    ServiceError::new(ErrorKind::Usage, text!("{text} 不完整", "{text} is not whole"))
        .with_hint(text!("写出完整的编号", "give the whole id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_of_the_record_are_scalars() {
        for (text, value) in [
            ("", Value::Null),
            ("true", json!(true)),
            ("7", json!(7)),
            ("-7", json!(-7)),
            ("007", json!("007")),
            ("1.5", json!("1.5")),
            ("文字", json!("文字")),
        ] {
            assert_eq!(scalar(text), value, "{text:?}");
        }
    }
}
