//! One document: stage ribbon, facts, parties, duties, next steps, conflicts.

use anjuan_node::case::Case;
use anjuan_node::kind::Kind as _;
use anjuan_node::service::view::{
    ConflictView, DocumentDetail, DocumentLine, Next, Particulars, Recorded, SealedView,
};
use anjuan_node::text;
use anjuan_node::text::Text;
use anjuan_node::unit::UnitCode;
use serde_json::Value;

use super::flow::flow;
use super::listing::{duties, flags, number};
use super::page::{Page, Piece, plain, toned};
use super::people::role_titles;
use super::words::{Words, place};
use super::{View, short, unit_name};
use crate::output::{Column, Ink};

/// Fields of the state that stand elsewhere on the page.
const ELSEWHERE: &[&str] = &[
    "home", "stage", "owner", "number", "category", "record", "title", "parties", "kind",
];

/// Number, title, stage.
pub(super) fn title_line(page: &mut Page<'_>, line: &DocumentLine) {
    let (number, title) = (number(line.number.as_deref(), &line.document), &line.title);
    page.heading(&text!("{number}  {title}", "{number}  {title}"));
}

impl View for DocumentDetail {
    fn lay_out(&self, page: &mut Page<'_>) {
        let line = &self.line;
        title_line(page, line);
        let words = Words::of(&line.kind);
        ribbon(page, line);
        let mut facts = vec![
            (text!("编号", "id"), plain(&line.document)),
            (text!("阶段", "stage"), plain(page.say(&line.stage_title))),
        ];
        if let Some(category) = &line.category {
            let title = line.category_title.as_ref().map(|title| page.say(title));
            facts.push((
                text!("类别", "category"),
                plain(title.unwrap_or_else(|| category.clone())),
            ));
        }
        facts.push((text!("办理单位", "handled by"), plain(unit_name(&line.owner))));
        facts.push((text!("所属单位", "home"), plain(unit_name(&line.home))));
        if let Some(at) = line.opened_at {
            facts.push((text!("登记时间", "opened"), plain(page.instant(at))));
        }
        if let Some(due) = line.due {
            let ink = if line.overdue { Ink::Bad } else { Ink::Plain };
            facts.push((text!("期限", "due"), toned(due.to_string(), ink)));
        }
        facts.extend(flags(page, line).map(|flags| (text!("提示", "flags"), flags)));
        page.facts(&facts);
        state(page, words, &self.state);
        if !self.record.is_empty() {
            page.heading(&text!("可合并字段", "Small fields"));
            let rows: Vec<Vec<Piece>> = self
                .record
                .iter()
                .map(|(key, value)| vec![plain(key), plain(scalar(value).unwrap_or_default())])
                .collect();
            page.table(
                [
                    Column::new(text!("字段", "field")),
                    Column::new(text!("值", "value")),
                ],
                &rows,
            );
        }
        sealed(page, words, &self.state, &self.particulars);
        if !self.links.is_empty() {
            page.heading(&text!("相关文档", "Linked documents"));
            let rows: Vec<Vec<Piece>> = self
                .links
                .iter()
                .map(|link| {
                    vec![
                        plain(&link.relation),
                        plain(link.unit.as_str()),
                        plain(&link.document),
                    ]
                })
                .collect();
            page.table(
                [
                    Column::new(text!("关系", "relation")),
                    Column::new(text!("单位", "unit")),
                    Column::new(text!("编号", "id")),
                ],
                &rows,
            );
        }
        if !self.duties.is_empty() {
            page.heading(&text!("待办", "What is owed"));
            duties(page, &self.duties, false);
        }
        for conflict in &self.conflicts {
            lay_out_conflict(page, line, conflict);
        }
        next_steps(page, line.kind.as_str(), &line.document, &self.next);
    }
}

/// The stages of a case; of other kinds, the present one.
fn ribbon(page: &mut Page<'_>, line: &DocumentLine) {
    let known = if line.kind == Case.name() {
        flow(&line.stage)
    } else {
        None
    };
    let (stages, current) = known.unwrap_or_else(|| (vec![line.stage_title.clone()], 0));
    page.ribbon(&stages, current);
}

/// The fields of the kind's own state.
fn state(page: &mut Page<'_>, words: Words, state: &Value) {
    let mut fields: Vec<(&String, &Value)> = state.as_object().into_iter().flatten().collect();
    fields.sort_by_key(|(key, _)| place(key));
    let facts: Vec<(Text, Piece)> = fields
        .into_iter()
        .filter(|(key, value)| !ELSEWHERE.contains(&key.as_str()) && says_something(value))
        .filter_map(|(key, value)| words.fact(page, key, value))
        .map(|(title, value)| (title, plain(value)))
        .collect();
    if !facts.is_empty() {
        page.heading(&text!("事实", "Facts"));
        page.facts(&facts);
    }
}

/// Most of what a state has not yet come to is `false`, zero or empty.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::Array(values) => !values.is_empty(),
        _ => true,
    }
}

/// A scalar in a line.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Object(_) | Value::Array(_) => None,
        Value::String(text) => Some(text.replace('\n', " ")),
        other => Some(other.to_string()),
    }
}

fn sealed(page: &mut Page<'_>, words: Words, state: &Value, particulars: &[SealedView]) {
    if particulars.is_empty() {
        return;
    }
    page.heading(&text!(
        "当事人与材料(密封)",
        "Parties and papers (sealed particulars)"
    ));
    let rows: Vec<Vec<Piece>> = particulars
        .iter()
        .map(|sealed| {
            let (standing, ink) = match (sealed.erased, sealed.held, sealed.readable) {
                (true, ..) => (text!("已删除", "erased"), Ink::Quiet),
                (_, false, _) => (text!("本节点没有", "not here"), Ink::Attention),
                (.., true) => (
                    text!("密封,本节点可查阅", "sealed; this node can read it"),
                    Ink::Good,
                ),
                (.., false) => (text!("密封", "sealed"), Ink::Plain),
            };
            let restricted = if sealed.restricted {
                page.say(&text!("限本单位", "handling unit alone"))
            } else {
                String::new()
            };
            let role = role_of(state, &sealed.commitment).unwrap_or(&sealed.role);
            vec![
                plain(
                    words
                        .code(role)
                        .map_or_else(|| role.to_owned(), |title| page.say(&title)),
                ),
                plain(short(&sealed.commitment)),
                toned(page.say(&standing), ink),
                plain(restricted),
            ]
        })
        .collect();
    page.table(
        [
            Column::new(text!("身份", "as")),
            Column::new(text!("承诺值", "commitment")),
            Column::new(text!("状态", "state")),
            Column::new(text!("", "")),
        ],
        &rows,
    );
}

/// What the party with this commitment is in the case.
fn role_of<'s>(state: &'s Value, commitment: &str) -> Option<&'s str> {
    let parties = state.get("parties")?.as_array()?;
    let party = parties
        .iter()
        .find(|party| party.get("commitment").and_then(Value::as_str) == Some(commitment))?;
    party.get("role")?.as_str()
}

fn lay_out_conflict(page: &mut Page<'_>, line: &DocumentLine, conflict: &ConflictView) {
    let unit = unit_name(&conflict.decides);
    page.heading(&match &conflict.kept {
        None => text!(
            "冲突:由 {unit} 调委会主任裁定",
            "Needs a decision by the chair of {unit}"
        ),
        Some(_) => text!("冲突(已裁定)", "Conflict, decided"),
    });
    let what = page.say(&conflict.what);
    page.line(&[plain("  "), toned(what, Ink::Attention)]);
    for choice in &conflict.choices {
        let kept = conflict.kept.as_deref() == Some(choice.update.as_str());
        let ink = if kept { Ink::Good } else { Ink::Plain };
        let mark = if kept { "●" } else { "◆" };
        let (title, at) = (page.say(&choice.title), page.instant(choice.recorded_at));
        let (author, unit) = (&choice.author, &choice.unit);
        page.line(&[
            toned(format!("  {mark} "), ink),
            toned(title, Ink::Strong),
            plain(format!("  {author} · {unit} · {at}  ")),
            toned(short(&choice.update), Ink::Quiet),
        ]);
        if conflict.kept.is_none() {
            let command = Words::of(&line.kind).command(&line.kind, "ConflictResolved", &line.document);
            let (update, reason) = (short(&choice.update), page.say(&text!("理由", "why")));
            let keep = page.say(&text!("保留此项:", "to keep it: "));
            page.line(&[
                plain("      "),
                toned(keep, Ink::Quiet),
                plain(format!("{command} --kept {update} --reason \"{reason}\"")),
            ]);
        }
    }
}

fn next_steps(page: &mut Page<'_>, kind: &str, document: &str, next: &[Next]) {
    if next.is_empty() {
        return;
    }
    page.heading(&text!("下一步", "Next steps"));
    let rows: Vec<Vec<Piece>> = by_event(next)
        .into_iter()
        .map(|(step, ways)| {
            vec![
                plain(page.say(&step.title)),
                plain(Words::of(kind).command(kind, &step.event, document)),
                plain(who(page, &ways)),
            ]
        })
        .collect();
    page.table(
        [
            Column::new(text!("事项", "what")),
            Column::new(text!("命令", "command")),
            Column::new(text!("谁可以", "who may")).wrap(20),
        ],
        &rows,
    );
}

/// The steps in their order, each with every way of being allowed to take it.
fn by_event(next: &[Next]) -> Vec<(&Next, Vec<&Next>)> {
    let mut steps: Vec<(&Next, Vec<&Next>)> = Vec::new();
    for way in next {
        match steps.iter_mut().find(|(step, _)| step.event == way.event) {
            Some((_, ways)) => ways.push(way),
            None => steps.push((way, vec![way])),
        }
    }
    steps
}

/// Who may take a step: the roles of each unit, whether a unit above will do, whether only those assigned.
fn who(page: &Page<'_>, ways: &[&Next]) -> String {
    let mut groups: Vec<(&UnitCode, bool, bool, Vec<String>)> = Vec::new();
    for way in ways {
        let assigned = !way.assignees.is_empty();
        let same = |group: &&mut (&UnitCode, bool, bool, Vec<String>)| {
            *group.0 == way.unit && group.1 == way.or_above && group.2 == assigned
        };
        let known = match groups.iter_mut().find(same) {
            Some(group) => &mut group.3,
            None => {
                groups.push((&way.unit, way.or_above, assigned, Vec::new()));
                &mut groups.last_mut().expect("just pushed").3
            }
        };
        for role in &way.roles {
            if !known.contains(role) {
                known.push(role.clone());
            }
        }
    }
    groups
        .into_iter()
        .map(|(unit, or_above, assigned, roles)| {
            let roles = role_titles(page, &roles);
            page.say(&match (or_above, assigned) {
                (_, true) => text!("{unit} 承办的{roles}", "the assigned {roles} of {unit}"),
                (true, false) => text!("{unit} 或其上级的{roles}", "{roles} of {unit} or above"),
                (false, false) => text!("{unit} {roles}", "{roles} of {unit}"),
            })
        })
        .collect::<Vec<_>>()
        .join(&page.say(&text!(";", "; ")))
}

impl View for Recorded {
    fn lay_out(&self, page: &mut Page<'_>) {
        let stage = page.say(&self.stage_title);
        let done = page.say(&text!("已记录", "recorded"));
        page.line(&[
            toned(done, Ink::Good),
            plain(format!("  {}", number(self.number.as_deref(), &self.document))),
            plain(format!("  [{stage}]")),
        ]);
        page.facts(&[
            (text!("编号", "id"), plain(&self.document)),
            (text!("更新", "update"), plain(&self.update)),
        ]);
        if self.next.is_empty() {
            return;
        }
        page.heading(&text!("下一步", "Next steps"));
        let rows: Vec<Vec<Piece>> = by_event(&self.next)
            .into_iter()
            .map(|(step, ways)| vec![plain(page.say(&step.title)), plain(who(page, &ways))])
            .collect();
        page.table(
            [
                Column::new(text!("事项", "what")),
                Column::new(text!("谁可以", "who may")).wrap(20),
            ],
            &rows,
        );
    }
}

impl View for Particulars {
    fn lay_out(&self, page: &mut Page<'_>) {
        let kinds = self.particulars.as_object();
        for (kind, content) in kinds.into_iter().flatten() {
            page.heading(&match kind.as_str() {
                "person" => text!("自然人", "Person"),
                "organisation" => text!("法人或其他组织", "Organisation"),
                "file" => text!("文件", "File"),
                other => text!("{other}", "{other}"),
            });
            let fields: Vec<Vec<Piece>> = content
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(key, value)| {
                    let value = match key.as_str() {
                        // Hexadecimal digits of a photograph help nobody; `--json` gives them.
                        "bytes" => format!("{} B", value.as_str().map_or(0, str::len) / 2),
                        _ => scalar(value)?,
                    };
                    Some(vec![plain(key), plain(value)])
                })
                .collect();
            page.table(
                [
                    Column::new(text!("字段", "field")),
                    Column::new(text!("值", "value")),
                ],
                &fields,
            );
        }
        if let Some(update) = &self.disclosed_by {
            let update = short(update);
            let note = page.say(&text!(
                "此次查阅已留痕:{update}",
                "This reading is recorded: {update}"
            ));
            page.line(&[toned(note, Ink::Attention)]);
        }
    }
}
