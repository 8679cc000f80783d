//! The command of an event: an option for each field.

use anjuan_node::kind::catalog::{Choice, EventSpec, FieldKind, FieldSpec};
use anjuan_node::text;
use anjuan_node::text::Text;
use clap::{Arg, ArgAction, Command};

use crate::args::{joined, key_value, unit};

/// Id of the position that names the document.
pub const POSITION: &str = "document";
/// Id of the option that says who signs.
pub const OPERATOR: &str = "as";
/// Id of the option that sets a field of the record.
pub const SET: &str = "set";
/// Id of the option that says where a new document lives.
pub const OPENING_UNIT: &str = "unit";

/// The command that records an event of this type.
pub fn command(spec: &EventSpec) -> Command {
    let mut command = Command::new(spec.command)
        .about(joined(&spec.title))
        .after_help(joined(&spec.help));
    if spec.creates {
        let help = text!(
            "新文档所属单位(默认为本节点的单位)",
            "unit where the new document lives (this node's if left out)"
        );
        command = command.arg(
            Arg::new(OPENING_UNIT)
                .long("unit")
                .value_name("CODE")
                .value_parser(unit)
                .help(joined(&help)),
        );
    } else {
        let help = text!(
            "编号、案号,或编号的开头(至少4位)",
            "its id, its number, or the first digits of the id, 4 at least"
        );
        command = command.arg(
            Arg::new(POSITION)
                .value_name("DOCUMENT")
                .required(true)
                .help(joined(&help)),
        );
    }
    let (operator, set) = (
        text!(
            "签名的操作员代号(只有一个时可省略)",
            "handle of the operator who signs (may be left out where there is one)"
        ),
        text!(
            "同时更改一个可合并的小字段,可多次给出",
            "also set one of the small fields that merge; may be repeated"
        ),
    );
    command
        .args(spec.fields.iter().map(option))
        .arg(
            Arg::new(OPERATOR)
                .long("as")
                .value_name("HANDLE")
                .display_order(800)
                .help(joined(&operator)),
        )
        .arg(
            Arg::new(SET)
                .long("set")
                .value_name("KEY=VALUE")
                .action(ArgAction::Append)
                .value_parser(key_value)
                .display_order(801)
                .help(joined(&set)),
        )
}

/// Id of a field's option. The prefix keeps it apart from the other options.
pub(super) fn id(field: &FieldSpec) -> String {
    format!("field:{}", field.name)
}

/// The name of a field's option: in the singular where it is repeated.
pub(super) fn option_name(field: &FieldSpec) -> String {
    let name = field.name.replace('_', "-");
    match &field.kind {
        FieldKind::List { .. } => match name.strip_suffix("ies") {
            Some(stem) => format!("{stem}y"),
            None => name.strip_suffix('s').unwrap_or(&name).to_owned(),
        },
        _ => name,
    }
}

fn option(field: &FieldSpec) -> Arg {
    let arg = Arg::new(id(field)).long(option_name(field));
    let arg = match &field.kind {
        FieldKind::Statement => arg.action(ArgAction::SetTrue),
        FieldKind::Flag => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("true|false"),
        FieldKind::List { of, .. } => arg.action(ArgAction::Append).value_name(placeholder(of)),
        kind => arg.value_name(placeholder(kind)),
    };
    arg.help(joined(&help(field)))
}

fn placeholder(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::Line { .. } => "TEXT",
        FieldKind::Prose { .. } => "TEXT|@FILE",
        FieldKind::Date => "YYYY-MM-DD",
        FieldKind::Integer { .. } => "N",
        FieldKind::Flag | FieldKind::Statement => "true|false",
        FieldKind::Choice { .. } | FieldKind::Unit => "CODE",
        FieldKind::Key => "OPERATOR",
        FieldKind::Update => "UPDATE",
        FieldKind::Document => "DOCUMENT",
        FieldKind::Change => "HASH",
        FieldKind::Commitment => "FILE|-|COMMITMENT",
        FieldKind::CaseNumber => "NUMBER",
        FieldKind::List { of, .. } => placeholder(of),
        FieldKind::Group { fields } if is_sealed(fields) => "FILE|-",
        FieldKind::Group { .. } => "KEY=VALUE,..|@FILE",
    }
}

/// Does a group refer to sealed particulars?
pub(super) fn is_sealed(fields: &[FieldSpec]) -> bool {
    fields.iter().any(|field| field.kind == FieldKind::Commitment)
}

fn help(field: &FieldSpec) -> Text {
    let Text { zh, en } = &field.title;
    let Text {
        zh: more_zh,
        en: more_en,
    } = rule(&field.kind);
    let (required_zh, required_en) = if field.required {
        ("(必填)", " (required)")
    } else {
        ("", "")
    };
    Text::new(
        format!("{zh}{required_zh}{more_zh}"),
        format!("{en}{required_en}{more_en}"),
    )
}

fn rule(kind: &FieldKind) -> Text {
    match kind {
        FieldKind::Choice { options, open } => {
            let Text { zh, en } = choices(options);
            let (or_zh, or_en) = if *open {
                (",或其他代码", ", or another code")
            } else {
                ("", "")
            };
            text!(":{zh}{or_zh}", ": {en}{or_en}")
        }
        FieldKind::Integer { min, max } => text!(",{min}至{max}", ", {min} to {max}"),
        FieldKind::List { of, min, max } => {
            let Text { zh, en } = rule(of);
            let most = if min == max {
                format!("{min}")
            } else {
                format!("{min}-{max}")
            };
            text!(",可多次给出({most}项){zh}", ", may be repeated ({most}){en}")
        }
        FieldKind::Group { fields } => {
            let names = fields
                .iter()
                .filter(|field| field.kind != FieldKind::Commitment)
                .map(|field| {
                    let Text { zh, en } = rule(&field.kind);
                    let optional = if field.required { "" } else { "?" };
                    (
                        format!("{}{optional}{zh}", field.name),
                        format!("{}{optional}{en}", field.name),
                    )
                })
                .collect::<Vec<_>>();
            let zh = names
                .iter()
                .map(|(zh, _)| zh.as_str())
                .collect::<Vec<_>>()
                .join(";");
            let en = names
                .iter()
                .map(|(_, en)| en.as_str())
                .collect::<Vec<_>>()
                .join("; ");
            if is_sealed(fields) {
                text!(
                    "。JSON 文件,字段 {zh},以及密封的 person、organisation 或 file",
                    ". A JSON file with {en}, and what is sealed: person, organisation or file"
                )
            } else {
                text!("。字段 {zh}", ". Fields: {en}")
            }
        }
        _ => text!("", ""),
    }
}

/// Codes with what they are called.
pub(super) fn choices(options: &[Choice]) -> Text {
    let list = |pick: fn(&Text) -> &str| {
        options
            .iter()
            .map(|option| format!("{} {}", option.code, pick(&option.title)))
            .collect::<Vec<_>>()
    };
    Text::new(
        list(|title| &title.zh).join("、"),
        list(|title| &title.en).join(", "),
    )
}
