//! `audit`

use anjuan_node::audit::report::Report;
use anjuan_node::audit::{Gravity, Verdict, html};
use anjuan_node::service::view::AuditExported;
use anjuan_node::text;

use super::View;
use super::page::{Page, Piece, plain, toned};
use crate::output::{Column, Ink};

impl View for AuditExported {
    fn lay_out(&self, page: &mut Page<'_>) {
        let done = page.say(&text!("已导出", "exported"));
        page.line(&[toned(done, Ink::Good), plain(" "), plain(&self.file)]);
        let (shown, records) = (self.shown, self.records);
        let scope = page.say(&self.scope);
        page.facts(&[
            (text!("范围", "scope"), plain(scope)),
            (text!("字节", "bytes"), plain(self.bytes.to_string())),
            (
                text!("展示的记录", "records shown"),
                plain(format!("{shown} / {records}")),
            ),
            (
                text!("含内容的案卷", "documents with contents"),
                plain(self.documents.to_string()),
            ),
            (
                text!("检查点", "checkpoints"),
                plain(self.checkpoints.to_string()),
            ),
        ]);
        if self.disclosed + self.undisclosed > 0 {
            let (disclosed, not) = (self.disclosed, self.undisclosed);
            let said = page.say(&text!(
                "披露个人信息 {disclosed} 项,已在各案件中签署;本节点或该操作员不能打开的 {not} 项",
                "{disclosed} particulars are disclosed, as signed events in their cases say; {not} cannot be opened here, or not by this operator"
            ));
            page.line(&[toned(said, Ink::Attention)]);
        }
    }
}

fn ink(gravity: Gravity) -> Ink {
    match gravity {
        Gravity::Note => Ink::Quiet,
        Gravity::Gap | Gravity::Unproven => Ink::Attention,
        Gravity::Forged => Ink::Bad,
    }
}

impl View for Report {
    fn lay_out(&self, page: &mut Page<'_>) {
        let tone = match self.verdict {
            Verdict::Verified => Ink::Good,
            Verdict::VerifiedWithGaps | Verdict::Unproven => Ink::Attention,
            Verdict::Forged => Ink::Bad,
        };
        let said = page.say(&self.verdict.text());
        page.line(&[toned(self.verdict.name(), tone), plain("  "), plain(said)]);
        let scope = page.say(&self.scope);
        let figures = &self.figures;
        let until = self.witnessed_until.clone().unwrap_or_else(|| "—".to_owned());
        page.facts(&[
            (text!("日志", "journal"), plain(&self.journal)),
            (text!("范围", "scope"), plain(scope)),
            (text!("核验基准", "as of"), plain(&self.as_of)),
            (text!("见证截至", "witnessed until"), plain(until)),
            (text!("记录", "records"), plain(figures.records.to_string())),
            (text!("未展示", "not shown"), plain(figures.folded.to_string())),
            (text!("更新", "updates"), plain(figures.updates.to_string())),
            (text!("案卷", "documents"), plain(figures.documents.to_string())),
        ]);
        if !self.findings.is_empty() {
            page.heading(&text!("发现", "Findings"));
            for finding in &self.findings {
                let what = page.say(&finding.what);
                page.line(&[
                    plain("  "),
                    toned(&finding.place, ink(finding.gravity)),
                    plain(": "),
                    plain(what),
                    toned(format!(" ({})", finding.check.name()), Ink::Quiet),
                ]);
            }
        }
        let more: u64 = self.checks.iter().map(|check| check.more).sum();
        if more > 0 {
            let more = page.say(&text!("另有 {more} 项未列出", "{more} more are not listed"));
            page.line(&[plain("  "), toned(more, Ink::Quiet)]);
        }
        page.heading(&text!("检查", "Checks"));
        let rows: Vec<Vec<Piece>> = self
            .checks
            .iter()
            .map(|check| {
                let result = match check.worst {
                    None if check.looked_at == 0 => text!("无此内容", "nothing of the kind"),
                    None => text!("成立", "holds"),
                    Some(Gravity::Note) => text!("成立,有备注", "holds, with notes"),
                    Some(Gravity::Gap) => text!("有缺口", "with gaps"),
                    Some(Gravity::Unproven) => text!("未证明", "unproven"),
                    Some(Gravity::Forged) => text!("不实", "forged"),
                };
                let (title, result) = (page.say(&check.title), page.say(&result));
                vec![
                    plain(check.check.name()),
                    plain(title),
                    plain(check.looked_at.to_string()),
                    toned(result, check.worst.map_or(Ink::Plain, ink)),
                ]
            })
            .collect();
        page.table(
            [
                Column::new(text!("检查", "check")),
                Column::new(text!("内容", "what")),
                Column::new(text!("数量", "looked at")),
                Column::new(text!("结果", "result")),
            ],
            &rows,
        );
        if !self.disclosures.is_empty() {
            page.heading(&text!("披露的个人信息", "Disclosed particulars"));
            for one in &self.disclosures {
                let who = one.by.as_deref().zip(one.by_unit.as_deref());
                let who = who.map_or_else(|| "—".to_owned(), |(by, unit)| format!("{by} ({unit})"));
                let (at, reason) = (
                    one.at.as_deref().unwrap_or("—"),
                    one.reason.as_deref().unwrap_or("—"),
                );
                let place = format!("{} {}", one.document, one.role);
                let told = one.particulars.as_ref().map(html::told).unwrap_or_default();
                page.line(&[
                    plain("  "),
                    toned(place, Ink::Quiet),
                    plain(format!(": {who}, {at}, {reason}  {told}")),
                ]);
            }
        }
        if !self.questions.is_empty() {
            page.heading(&text!(
                "值得一问(不影响结论)",
                "Questions to ask (no bearing on the verdict)"
            ));
            for question in &self.questions {
                let (figures, ask) = (page.say(&question.figures), page.say(&question.ask));
                page.line(&[plain("  "), plain(figures), plain("  "), toned(ask, Ink::Quiet)]);
            }
        }
        page.heading(&text!("不能证明的", "What cannot be proven"));
        for one in &self.unprovable {
            let one = page.say(one);
            page.line(&[plain("  "), plain(one)]);
        }
    }
}
