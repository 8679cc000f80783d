//! Wrong arguments, said in both languages.

use std::error::Error as _;

use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text;
use anjuan_node::text::Text;
use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind as ClapKind};

use super::values::Said;

/// What is wrong with the arguments, and what to do.
pub(super) fn explain(error: &Error) -> ServiceError {
    let argument = first(error, ContextKind::InvalidArg);
    let value = first(error, ContextKind::InvalidValue);
    let message = match error.kind() {
        ClapKind::InvalidValue if value.is_empty() => {
            text!("{argument} 缺少取值", "{argument} lacks its value")
        }
        ClapKind::InvalidValue => {
            let valid = all(error, ContextKind::ValidValue).join(", ");
            text!(
                "{argument} 不能取“{value}”,可取:{valid}",
                "{argument} cannot be \"{value}\"; it may be: {valid}"
            )
        }
        ClapKind::ValueValidation => match error.source().and_then(|source| source.downcast_ref::<Said>()) {
            Some(Said(Text { zh, en })) => {
                text!(
                    "{argument} 不能取“{value}”:{zh}",
                    "{argument} cannot be \"{value}\": {en}"
                )
            }
            None => text!("{argument} 不能取“{value}”", "{argument} cannot be \"{value}\""),
        },
        ClapKind::UnknownArgument => text!("没有参数 {argument}", "there is no argument {argument}"),
        ClapKind::InvalidSubcommand => {
            let name = first(error, ContextKind::InvalidSubcommand);
            text!("没有命令 {name}", "there is no command {name}")
        }
        ClapKind::ArgumentConflict => {
            let prior = all(error, ContextKind::PriorArg).join(", ");
            if prior.is_empty() || prior == argument {
                text!("{argument} 只能给出一次", "{argument} can be given only once")
            } else {
                text!(
                    "{argument} 不能与 {prior} 同用",
                    "{argument} cannot be used with {prior}"
                )
            }
        }
        ClapKind::MissingRequiredArgument => {
            let missing = all(error, ContextKind::InvalidArg).join(", ");
            text!("缺少 {missing}", "missing: {missing}")
        }
        ClapKind::TooManyValues | ClapKind::TooFewValues | ClapKind::WrongNumberOfValues => {
            text!(
                "{argument} 的取值个数不对",
                "{argument} has the wrong number of values"
            )
        }
        ClapKind::InvalidUtf8 => text!("有一个参数不是 UTF-8 文字", "an argument is not UTF-8 text"),
        other => {
            // Nothing of the arguments is in the name of a kind.
            let other = format!("{other:?}");
            text!("参数有误({other})", "the arguments are wrong ({other})")
        }
    };
    ServiceError::new(ErrorKind::Usage, message).with_hint(hint(error))
}

fn hint(error: &Error) -> Text {
    let suggested = [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ]
    .into_iter()
    .flat_map(|kind| all(error, kind))
    .collect::<Vec<_>>()
    .join(", ");
    if suggested.is_empty() {
        text!("加 --help 查看用法", "see --help")
    } else {
        text!("是否想用 {suggested}?", "did you mean {suggested}?")
    }
}

fn first(error: &Error, kind: ContextKind) -> String {
    all(error, kind).into_iter().next().unwrap_or_default()
}

fn all(error: &Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}
