//! The report as one page: verdict first, then what was found, the timeline of each document with a chart of
//! claimed times against what witnesses saw, and what can't be proven. Chinese and English side by side, no
//! script, nothing loaded from elsewhere, laid out for paper.
//!
//! Whatever comes from the bundle is escaped.

mod chart;

use std::fmt::Write as _;

use super::report::{Finding, Gravity, Report, Signed, Story, Verdict};
use crate::text::Text;

const STYLE: &str = include_str!("html/style.css");

/// The page.
pub fn page(report: &Report) -> String {
    let mut page = Page(String::new());
    page.head(report);
    page.verdict(report);
    page.findings(report);
    page.checks(report);
    page.disclosures(report);
    page.questions(report);
    page.stories(report);
    page.unprovable(report);
    page.raw("</main></body></html>\n");
    page.0
}

/// Text as HTML takes it, in elements and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // What could turn the line around, or hide in it.
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => {
                out.push('\u{fffd}')
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Particulars in a line: their fields, and of a file all but its bytes.
pub fn told(particulars: &serde_json::Value) -> String {
    let kinds = particulars.as_object().into_iter().flatten();
    let fields = kinds.filter_map(|(_, fields)| fields.as_object()).flatten();
    let told = fields.filter_map(|(name, value)| match value {
        serde_json::Value::String(hex) if name == "bytes" => Some(format!("{} B", hex.len() / 2)),
        serde_json::Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    });
    told.collect::<Vec<_>>().join(" · ")
}

/// HTML being written.
struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// An element with text in it.
    fn element(&mut self, name: &str, class: &str, text: &str) {
        let text = escaped(text);
        // Writing to a string does not fail.
        let _ = write!(self.0, "<{name} class=\"{class}\">{text}</{name}>");
    }

    /// An element with both languages in it.
    fn both(&mut self, name: &str, class: &str, text: &Text) {
        let (zh, en) = (escaped(&text.zh), escaped(&text.en));
        let _ = write!(
            self.0,
            "<{name} class=\"{class}\"><span lang=\"zh\">{zh}</span> <span lang=\"en\">{en}</span></{name}>"
        );
    }

    fn heading(&mut self, zh: &str, en: &str) {
        self.both("h2", "", &Text::new(zh, en));
    }

    fn fact(&mut self, zh: &str, en: &str, value: &str) {
        self.both("dt", "", &Text::new(zh, en));
        self.element("dd", "", value);
    }

    fn head(&mut self, report: &Report) {
        self.raw("<!DOCTYPE html><html lang=\"zh\"><head><meta charset=\"utf-8\"><title>");
        let title = format!("{} · {}", report.verdict.name(), report.journal);
        self.raw(&escaped(&title));
        self.raw("</title><meta name=\"viewport\" content=\"width=device-width\"><style>");
        self.raw(STYLE);
        self.raw("</style></head><body><main>");
    }

    fn verdict(&mut self, report: &Report) {
        let class = match report.verdict {
            Verdict::Verified => "verdict good",
            Verdict::VerifiedWithGaps => "verdict gaps",
            Verdict::Unproven => "verdict unproven",
            Verdict::Forged => "verdict forged",
        };
        self.raw("<header>");
        self.both("p", "kind", &Text::new("案卷审计报告", "Audit report"));
        self.element("h1", class, report.verdict.name());
        self.both("p", "said", &report.verdict.text());
        self.raw("<dl>");
        self.fact("网络", "network", &report.network);
        self.fact("日志", "journal", &report.journal);
        self.both("dt", "", &Text::new("范围", "scope"));
        self.both("dd", "", &report.scope);
        self.fact(
            "导出时间(导出方自称)",
            "made at, as the exporter says",
            &report.made_at,
        );
        self.fact("核验基准时间", "judged as of", &report.as_of);
        self.fact(
            "见证截至",
            "witnessed until",
            report.witnessed_until.as_deref().unwrap_or("—"),
        );
        let figures = &report.figures;
        self.fact(
            "记录 / 未示 / 更新 / 案卷 / 证书与吊销 / 检查点",
            "records / not shown / updates / documents / credentials / checkpoints",
            &format!(
                "{} / {} / {} / {} / {} / {}",
                figures.records,
                figures.folded,
                figures.updates,
                figures.documents,
                figures.credentials,
                figures.checkpoints
            ),
        );
        self.raw("</dl></header>");
    }

    fn findings(&mut self, report: &Report) {
        self.heading("发现", "Findings");
        if report.findings.is_empty() {
            self.both("p", "", &Text::new("无", "None."));
            return;
        }
        self.raw(
            "<table><tr><th>轻重 gravity</th><th>检查 check</th><th>何处 where</th><th>何事 what</th></tr>",
        );
        for finding in &report.findings {
            self.finding(finding);
        }
        self.raw("</table>");
    }

    fn finding(&mut self, finding: &Finding) {
        let (class, gravity) = match finding.gravity {
            Gravity::Forged => ("forged", Text::new("不实", "forged")),
            Gravity::Unproven => ("unproven", Text::new("未证明", "unproven")),
            Gravity::Gap => ("gaps", Text::new("缺口", "gap")),
            Gravity::Note => ("note", Text::new("备注", "note")),
        };
        self.raw("<tr>");
        self.both("td", class, &gravity);
        self.element("td", "code", finding.check.name());
        self.element("td", "code", &finding.place);
        self.both("td", "", &finding.what);
        self.raw("</tr>");
    }

    fn checks(&mut self, report: &Report) {
        self.heading("检查", "Checks");
        self.raw("<table><tr><th>检查 check</th><th></th><th>数量 looked at</th><th>结果 result</th></tr>");
        for check in &report.checks {
            let (class, result) = match check.worst {
                Some(Gravity::Forged) => ("forged", Text::new("不实", "forged")),
                Some(Gravity::Unproven) => ("unproven", Text::new("未证明", "unproven")),
                Some(Gravity::Gap) => ("gaps", Text::new("有缺口", "with gaps")),
                Some(Gravity::Note) => ("note", Text::new("成立,有备注", "holds, with notes")),
                None if check.looked_at == 0 => ("note", Text::new("无此内容", "nothing of the kind")),
                None => ("good", Text::new("成立", "holds")),
            };
            self.raw("<tr>");
            self.element("td", "code", check.check.name());
            self.both("td", "", &check.title);
            self.element("td", "number", &check.looked_at.to_string());
            self.both("td", class, &result);
            self.raw("</tr>");
        }
        self.raw("</table>");
        let more: u64 = report.checks.iter().map(|check| check.more).sum();
        if more > 0 {
            self.both(
                "p",
                "",
                &crate::text!(
                    "另有 {more} 项同类发现未逐条列出",
                    "{more} further findings are counted, not listed"
                ),
            );
        }
    }

    fn disclosures(&mut self, report: &Report) {
        if report.disclosures.is_empty() {
            return;
        }
        self.heading("披露的个人信息", "Disclosed particulars");
        self.raw("<table><tr><th>案卷 document</th><th>材料 what</th><th>披露人 disclosed by</th><th>时间 claimed</th><th>理由 reason</th><th>内容 content</th></tr>");
        for one in &report.disclosures {
            self.raw("<tr>");
            self.element("td", "code", &one.document);
            self.element("td", "", &one.role);
            match (&one.by, &one.by_unit) {
                (Some(by), Some(unit)) => self.element("td", "", &format!("{by} ({unit})")),
                _ => self.element("td", "gaps", "—"),
            }
            self.element("td", "time", one.at.as_deref().unwrap_or("—"));
            self.element("td", "", one.reason.as_deref().unwrap_or("—"));
            let content = one.particulars.as_ref().map(told).unwrap_or_default();
            self.element("td", "", &content);
            self.raw("</tr>");
        }
        self.raw("</table>");
        let more = report.more_disclosures;
        if more > 0 {
            self.both(
                "p",
                "",
                &crate::text!("另有 {more} 项未逐条列出", "{more} more are not listed"),
            );
        }
    }

    fn questions(&mut self, report: &Report) {
        self.heading("值得一问", "Questions to ask");
        self.both(
            "p",
            "note",
            &Text::new(
                "这些数字不影响结论,也不等于过错;多数有正常的解释。",
                "These have no bearing on the verdict and are nobody's guilt; most have an honest explanation.",
            ),
        );
        if report.questions.is_empty() {
            self.both("p", "", &Text::new("无", "None."));
            return;
        }
        self.raw("<table><tr><th>依据 figures</th><th>问 ask</th><th>案卷 documents</th></tr>");
        for question in &report.questions {
            self.raw("<tr>");
            self.both("td", "", &question.figures);
            self.both("td", "", &question.ask);
            let mut documents = question.documents.join(" ");
            if question.more > 0 {
                let _ = write!(documents, " +{}", question.more);
            }
            self.element("td", "code", &documents);
            self.raw("</tr>");
        }
        self.raw("</table>");
    }

    fn stories(&mut self, report: &Report) {
        self.heading("各案卷的签名", "Who signed each document");
        for story in &report.stories {
            self.story(story);
        }
        let more = report.more_stories;
        if more > 0 {
            self.both(
                "p",
                "",
                &crate::text!(
                    "另有 {more} 个案卷已核验,未在此列出;可单独导出",
                    "{more} further documents were checked and are not listed; export them by themselves"
                ),
            );
        }
    }

    fn story(&mut self, story: &Story) {
        self.raw("<section><h3>");
        let number = story.number.as_deref().unwrap_or_default();
        let title = story.title.as_deref().unwrap_or_default();
        self.raw(&escaped(&format!("{number} {title}")));
        self.raw("</h3><p>");
        self.element("span", "code", &story.document);
        self.raw(" ");
        self.element("span", "code", &story.unit);
        if let Some(stage) = &story.stage {
            self.raw(" ");
            self.both("span", "stage", stage);
        }
        self.raw("</p>");
        let chart = chart::svg(&story.timeline);
        self.raw(&chart);
        self.raw("<table><tr><th></th><th>事件 event</th><th>签名人 signed by</th><th>所称时间 claimed</th><th>不早于 not before</th><th>不晚于 not after</th><th>效力 counts</th></tr>");
        for (number, signed) in story.timeline.iter().enumerate() {
            self.signed(number + 1, signed);
        }
        self.raw("</table></section>");
    }

    fn signed(&mut self, number: usize, signed: &Signed) {
        self.raw("<tr>");
        self.element("td", "number", &number.to_string());
        self.element("td", "", signed.event.as_deref().unwrap_or("—"));
        self.element("td", "", &format!("{} ({})", signed.by, signed.unit));
        self.element("td", "time", &signed.claimed);
        self.element("td", "time", signed.not_before.as_deref().unwrap_or("—"));
        self.element("td", "time", signed.not_after.as_deref().unwrap_or("—"));
        match &signed.stands {
            Some(stands) => self.both("td", if signed.counts { "good" } else { "gaps" }, stands),
            None => self.element("td", "", "—"),
        }
        self.raw("</tr>");
    }

    fn unprovable(&mut self, report: &Report) {
        self.heading("本报告不能证明", "What this report cannot prove");
        self.raw("<ul>");
        for one in &report.unprovable {
            self.both("li", "", one);
        }
        self.raw("</ul>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_bundle_becomes_markup() {
        assert_eq!(
            escaped("<script>\"a\" & 'b'\u{202e}\n"),
            "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;\u{fffd} "
        );
    }
}
