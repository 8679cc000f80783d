//! The fields of an event from the options, and by asking for what is missing.

use anjuan_node::kind::catalog::{EventSpec, FieldKind, FieldSpec};
use anjuan_node::service::call::Seal;
use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text;
use anjuan_node::text::{Lang, Text};
use clap::ArgMatches;
use serde_json::{Map, Value};

use super::options::{id, is_sealed, option_name};
use super::sealed::{self, KINDS};
use super::{Draft, ask, scalar};
use crate::console::Console;

/// Bytes of a text that comes from a file; any field's own bound is narrower.
const MAX_TEXT: u64 = 64 << 10;

/// Reads one event.
pub struct Reader<'a> {
    pub(super) console: &'a mut dyn Console,
    pub(super) lang: Lang,
    seal: Vec<Seal>,
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("seal", &self.seal)
            .finish_non_exhaustive()
    }
}

impl<'a> Reader<'a> {
    /// A reader that asks, where there is somebody to ask, through `console`.
    pub fn new(console: &'a mut dyn Console, lang: Lang) -> Self {
        Self {
            console,
            lang,
            seal: Vec::new(),
        }
    }

    /// The event that the options describe.
    pub fn read(mut self, spec: &EventSpec, matches: &ArgMatches) -> Result<Draft, ServiceError> {
        let mut event = Map::new();
        event.insert("type".to_owned(), spec.name.into());
        let mut missing = Vec::new();
        for field in &spec.fields {
            let pointer = format!("/{}", field.name);
            let value = match given(field, matches) {
                Given::Nothing if !field.required => continue,
                Given::Nothing if self.console.interactive() => ask::field(&mut self, field, &pointer)?,
                Given::Nothing => {
                    missing.push(field);
                    continue;
                }
                Given::Stated => Value::Bool(true),
                Given::Texts(texts) => self
                    .parse_all(&field.kind, &texts, &pointer)
                    .map_err(|fault| wrong(field, &fault))?,
            };
            event.insert(field.name.to_owned(), value);
        }
        if missing.is_empty() {
            Ok(Draft {
                event,
                seal: self.seal,
            })
        } else {
            Err(lacking(spec, &missing))
        }
    }

    /// The value of a field whose option was given.
    fn parse_all(&mut self, kind: &FieldKind, texts: &[String], pointer: &str) -> Result<Value, Text> {
        let FieldKind::List { of, min, max } = kind else {
            return match texts {
                [text] => self.parse(kind, text, pointer),
                _ => Err(text!("只能给出一次", "it can be given only once")),
            };
        };
        let mut values = Vec::new();
        for text in texts {
            match &**of {
                // One file may hold several.
                FieldKind::Group { fields } => {
                    for group in self.groups(fields, text)? {
                        let place = format!("{pointer}/{}", values.len());
                        values.push(self.group(fields, group, &place)?);
                    }
                }
                of => {
                    let place = format!("{pointer}/{}", values.len());
                    values.push(self.parse(of, text, &place)?);
                }
            }
        }
        check_length(values.len(), *min, *max)?;
        Ok(Value::Array(values))
    }

    /// One value.
    pub(super) fn parse(&mut self, kind: &FieldKind, text: &str, pointer: &str) -> Result<Value, Text> {
        match kind {
            FieldKind::Prose { .. } => match text.strip_prefix('@') {
                Some(path) => {
                    let bytes = crate::file::read(path.as_ref(), MAX_TEXT).map_err(|error| error.message)?;
                    let text = String::from_utf8(bytes)
                        .map_err(|_| text!("{path} 不是 UTF-8 文字", "{path} is not UTF-8 text"))?;
                    scalar::parse(kind, &text)
                }
                None => scalar::parse(kind, text),
            },
            FieldKind::Commitment => self.commitment(text, pointer),
            FieldKind::Group { fields } => match <[_; 1]>::try_from(self.groups(fields, text)?) {
                Ok([group]) => self.group(fields, group, pointer),
                Err(groups) => {
                    let found = groups.len();
                    Err(text!("应有 1 项,现有 {found} 项", "expected one, found {found}"))
                }
            },
            FieldKind::List { .. } => self.parse_all(kind, &[text.to_owned()], pointer),
            kind => scalar::parse(kind, text),
        }
    }

    /// What is sealed already, by its commitment or the first digits of it; else a file to be sealed.
    fn commitment(&mut self, text: &str, pointer: &str) -> Result<Value, Text> {
        let digits = (4..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if digits && (text.len() == 64 || !std::path::Path::new(text).exists()) {
            return Ok(text.to_ascii_lowercase().into());
        }
        let particulars = sealed::read_particulars(self.console, text)?;
        Ok(self.seal(pointer, particulars))
    }

    /// Has `particulars` sealed; their commitment will stand at `pointer`, where nothing stands till then.
    pub(super) fn seal(&mut self, pointer: &str, particulars: Value) -> Value {
        self.seal.push(Seal {
            pointer: pointer.to_owned(),
            particulars,
        });
        Value::Null
    }

    /// The groups that a text describes, not yet checked.
    fn groups(&mut self, fields: &[FieldSpec], text: &str) -> Result<Vec<Map<String, Value>>, Text> {
        let value = if let Some(pairs) = pairs(fields, text) {
            return Ok(vec![self.parse_pairs(fields, &pairs)?]);
        } else if text.trim_start().starts_with(['{', '[']) {
            if is_sealed(fields) {
                // Not even quoted: it stands in the shell's history already.
                return Err(text!(
                    "个人信息不能写在命令行上:请给出 JSON 文件,或用 - 从标准输入读取",
                    "particulars must not stand on the command line: give a JSON file, or - for standard input"
                ));
            }
            serde_json::from_str(text).map_err(|_| text!("不是合格的 JSON", "this is not JSON"))?
        } else {
            sealed::read_json(self.console, text.strip_prefix('@').unwrap_or(text))?
        };
        let of_groups = || {
            text!(
                "应为 JSON 对象或其列表",
                "expected a JSON object or a list of them"
            )
        };
        match value {
            Value::Object(object) => Ok(vec![object]),
            Value::Array(values) => values
                .into_iter()
                .map(|value| match value {
                    Value::Object(object) => Ok(object),
                    _ => Err(of_groups()),
                })
                .collect(),
            _ => Err(of_groups()),
        }
    }

    fn parse_pairs(
        &mut self,
        fields: &[FieldSpec],
        pairs: &[(&str, &str)],
    ) -> Result<Map<String, Value>, Text> {
        let mut group = Map::new();
        for (key, text) in pairs {
            let value = match fields.iter().find(|field| field.name == *key) {
                Some(field) => scalar::parse(&field.kind, text).map_err(|fault| within_field(key, &fault))?,
                None if *key == "file" => {
                    let file = sealed::read_file(text)?;
                    file["file"].clone()
                }
                None => {
                    let particulars = sealed::read_json(self.console, text)?;
                    particulars.get(*key).cloned().unwrap_or(particulars)
                }
            };
            if group.insert((*key).to_owned(), value).is_some() {
                return Err(text!("{key} 出现了两次", "{key} stands there twice"));
            }
        }
        Ok(group)
    }

    /// A group with its fields checked and its particulars taken out to be sealed.
    pub(super) fn group(
        &mut self,
        fields: &[FieldSpec],
        mut group: Map<String, Value>,
        pointer: &str,
    ) -> Result<Value, Text> {
        let mut checked = Map::new();
        let sealed = KINDS
            .into_iter()
            .find_map(|kind| group.remove(kind).map(|content| (kind, content)));
        for field in fields {
            let name = field.name;
            let place = format!("{pointer}/{name}");
            let value = match (group.remove(name), &field.kind, &sealed) {
                (None | Some(Value::Null), FieldKind::Commitment, Some((kind, content))) => {
                    let particulars = Value::Object(Map::from_iter([((*kind).to_owned(), content.clone())]));
                    self.seal(&place, particulars)
                }
                (None | Some(Value::Null), FieldKind::Choice { options, .. }, Some((kind, _)))
                    if name == "kind" && options.iter().any(|option| option.code == *kind) =>
                {
                    Value::from(*kind)
                }
                (None | Some(Value::Null), kind, _) => {
                    if field.required {
                        let Text { zh, en } = &field.title;
                        return Err(match kind {
                            FieldKind::Commitment => text!(
                                "缺少 person、organisation 或 file",
                                "person, organisation or file is missing"
                            ),
                            _ => text!("缺少 {name}({zh})", "{name} ({en}) is missing"),
                        });
                    }
                    continue;
                }
                (Some(Value::String(text)), kind, _) => self
                    .parse(kind, &text, &place)
                    .map_err(|fault| within_field(name, &fault))?,
                // Whole values are the node's to judge.
                (Some(value), ..) => value,
            };
            checked.insert(name.to_owned(), value);
        }
        match group.keys().next() {
            None => Ok(Value::Object(checked)),
            Some(key) => {
                let key: String = key.chars().take(40).collect();
                Err(text!("没有字段 {key}", "there is no field {key}"))
            }
        }
    }
}

enum Given {
    Nothing,
    Stated,
    Texts(Vec<String>),
}

fn given(field: &FieldSpec, matches: &ArgMatches) -> Given {
    let id = id(field);
    if field.kind == FieldKind::Statement {
        return if matches.get_flag(&id) {
            Given::Stated
        } else {
            Given::Nothing
        };
    }
    match matches.get_many::<String>(&id) {
        Some(texts) => Given::Texts(texts.cloned().collect()),
        None => Given::Nothing,
    }
}

/// `role=applicant,file=a.pdf`: a comma belongs to the value unless a known key follows it. `None` if the
/// text does not begin with one.
fn pairs<'t>(fields: &[FieldSpec], text: &'t str) -> Option<Vec<(&'t str, &'t str)>> {
    let known = |key: &str| {
        fields.iter().any(|field| field.name == key) || (is_sealed(fields) && KINDS.contains(&key))
    };
    let key_of = |text: &'t str| text.split_once('=').filter(|(key, _)| known(key));
    key_of(text)?;
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices(',').map(|(at, _)| at + 1))
        .filter(|at| key_of(&text[*at..]).is_some())
        .collect();
    let ends = starts.iter().skip(1).map(|at| at - 1).chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| text[*start..end].split_once('='))
        .collect()
}

pub(super) fn check_length(found: usize, min: usize, max: usize) -> Result<(), Text> {
    if (min..=max).contains(&found) {
        Ok(())
    } else {
        Err(text!(
            "应有 {min} 至 {max} 项,现有 {found} 项",
            "expected {min} to {max}, found {found}"
        ))
    }
}

fn within_field(name: &str, fault: &Text) -> Text {
    let Text { zh, en } = fault;
    text!("{name}:{zh}", "{name}: {en}")
}

fn wrong(field: &FieldSpec, fault: &Text) -> ServiceError {
    let (option, Text { zh, en }) = (option_name(field), fault);
    ServiceError::new(ErrorKind::Usage, text!("--{option}:{zh}", "--{option}: {en}"))
        .with_hint(text!("加 --help 查看各字段", "see --help for the fields"))
}

fn lacking(spec: &EventSpec, missing: &[&FieldSpec]) -> ServiceError {
    let list = |pick: fn(&Text) -> &str| {
        missing
            .iter()
            .map(|field| format!("--{} ({})", option_name(field), pick(&field.title)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let (zh, en) = (list(|title| &title.zh), list(|title| &title.en));
    let Text {
        zh: title_zh,
        en: title_en,
    } = &spec.title;
    ServiceError::new(
        ErrorKind::Usage,
        text!("“{title_zh}”缺少:{zh}", "\"{title_en}\" lacks: {en}"),
    )
    .with_hint(text!(
        "加 --help 查看各字段;在终端中运行则逐项询问",
        "see --help for the fields; in a terminal they are asked for"
    ))
}
