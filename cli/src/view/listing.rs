//! Lists of documents and of what is due.

use anjuan_node::service::view::{DocumentLine, Due, Listing};
use anjuan_node::text;

use super::page::{Page, Piece, plain, toned};
use super::words::Words;
use super::{View, short};
use crate::output::{Column, Ink};

/// The number people know a document by, else the first digits of its id.
pub(super) fn number<'d>(number: Option<&'d str>, document: &'d str) -> &'d str {
    number.unwrap_or_else(|| short(document))
}

/// What needs attention, in a word each; `None` if nothing does.
pub(super) fn flags(page: &Page<'_>, line: &DocumentLine) -> Option<Piece> {
    let mut flags = Vec::new();
    let mut ink = Ink::Plain;
    if line.needs_decision {
        flags.push(page.say(&text!("待裁定", "needs a decision")));
        ink = Ink::Attention;
    }
    if line.overdue {
        flags.push(page.say(&text!("逾期", "overdue")));
        ink = Ink::Bad;
    }
    if line.finished {
        flags.push(page.say(&text!("已办结", "finished")));
    }
    (!flags.is_empty()).then(|| toned(flags.join(&page.say(&text!("、", ", "))), ink))
}

impl View for Listing {
    fn lay_out(&self, page: &mut Page<'_>) {
        let rows: Vec<Vec<Piece>> = self
            .documents
            .iter()
            .map(|line| {
                let category = line.category_title.as_ref().map(|title| page.say(title));
                let due_tone = if line.overdue { Ink::Bad } else { Ink::Plain };
                vec![
                    plain(number(line.number.as_deref(), &line.document)),
                    plain(&line.title),
                    plain(page.say(&line.stage_title)),
                    plain(category.or_else(|| line.category.clone()).unwrap_or_default()),
                    plain(owner(line)),
                    toned(line.due.map(|due| due.to_string()).unwrap_or_default(), due_tone),
                    flags(page, line).unwrap_or_else(|| plain("")),
                ]
            })
            .collect();
        if !rows.is_empty() {
            page.table(
                [
                    Column::new(text!("编号", "number")),
                    Column::new(text!("标题", "title")),
                    Column::new(text!("阶段", "stage")),
                    Column::new(text!("类别", "category")),
                    Column::new(text!("办理单位", "handled by")),
                    Column::new(text!("期限", "due")),
                    Column::new(text!("提示", "flags")),
                ],
                &rows,
            );
        }
        let (shown, total) = (self.documents.len(), self.total);
        let sum = page.say(&text!(
            "共 {total} 件,列出 {shown} 件",
            "{total} in all, {shown} shown"
        ));
        page.line(&[toned(sum, Ink::Quiet)]);
    }
}

fn owner(line: &DocumentLine) -> String {
    if line.owner.name.is_empty() {
        line.owner.code.to_string()
    } else {
        line.owner.name.clone()
    }
}

impl View for Vec<Due> {
    fn lay_out(&self, page: &mut Page<'_>) {
        if self.is_empty() {
            let none = page.say(&text!("没有待办", "nothing is due"));
            return page.line(&[toned(none, Ink::Good)]);
        }
        duties(page, self, true);
    }
}

/// What is owed; with the document where several are listed.
pub(super) fn duties(page: &mut Page<'_>, duties: &[Due], with_document: bool) {
    let mut columns = vec![
        Column::new(text!("期限", "due")),
        Column::new(text!("事项", "what")).wrap(12),
        Column::new(text!("单位", "unit")),
        Column::new(text!("命令", "command")),
    ];
    if with_document {
        columns.insert(1, Column::new(text!("标题", "title")).wrap(12));
        columns.insert(1, Column::new(text!("编号", "number")));
    }
    let rows: Vec<Vec<Piece>> = duties
        .iter()
        .map(|duty| {
            let due = match duty.due {
                Some(due) => page.due(due, duty.days_left),
                None => plain("-"),
            };
            let mut row = vec![
                due,
                plain(page.say(&duty.what)),
                plain(duty.unit.as_str()),
                plain(Words::of(&duty.kind).command(&duty.kind, &duty.event, &duty.document)),
            ];
            if with_document {
                row.insert(1, plain(&duty.title));
                row.insert(1, plain(number(duty.number.as_deref(), &duty.document)));
            }
            row
        })
        .collect();
    page.table(columns, &rows);
}
