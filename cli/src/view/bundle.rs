//! `bundle`

use anjuan_node::service::view::{BundleImported, BundleSummary, BundleUnit, BundleWritten};
use anjuan_node::text;
use anjuan_node::text::Text;

use super::View;
use super::page::{Page, Piece, plain, size, toned};
use crate::output::Ink;

fn name(unit: &BundleUnit) -> String {
    match unit.name.as_str() {
        "" => unit.code.clone(),
        name => format!("{} {name}", unit.code),
    }
}

/// What is in a bundle: everything, or what is new.
fn content(since: u64) -> Text {
    match since {
        0 => text!("全部", "everything"),
        since => text!(
            "第 {since} 条之后新收的",
            "what was accepted after position {since}"
        ),
    }
}

/// Trees by their names in answers.
fn trees(page: &Page<'_>, names: &[String]) -> String {
    let named = |name: &String| match name.as_str() {
        "credentials" => page.say(&text!("证书", "credentials")),
        "up" => page.say(&text!("案件与登记", "cases and registers")),
        "down" => page.say(&text!("通知", "notices")),
        "sealed" => page.say(&text!("密封材料", "sealed items")),
        other => other.to_owned(),
    };
    let named: Vec<_> = names.iter().map(named).collect();
    named.join(&page.say(&text!("、", ", ")))
}

impl View for BundleWritten {
    fn lay_out(&self, page: &mut Page<'_>) {
        page.heading(&text!("数据包已写好", "The bundle is written"));
        let mut facts = vec![
            (text!("文件", "file"), plain(&self.file)),
            (text!("大小", "size"), plain(size(self.bytes))),
            (text!("供单位", "for nodes of"), plain(name(&self.scope))),
            (text!("内容", "content"), plain(page.say(&content(self.since)))),
            (text!("记录", "records"), plain(self.records.to_string())),
        ];
        if let Some(peer) = &self.peer {
            facts.insert(
                3,
                (text!("不含其已有的", "without what it has"), plain(name(peer))),
            );
        }
        page.facts(&facts);
        let next = page.say(&text!(
            "内容未加密(当事人信息除外),请妥善携带。对方运行:anjuan bundle import <文件>",
            "It is not encrypted but for particulars: carry it with care. There: anjuan bundle import <file>"
        ));
        page.line(&[toned(next, Ink::Quiet)]);
    }
}

impl View for BundleSummary {
    fn lay_out(&self, page: &mut Page<'_>) {
        page.heading(&text!("数据包", "The bundle"));
        let number = |number: u64| plain(number.to_string());
        let mut facts = vec![
            (text!("来自", "from"), plain(name(&self.from))),
            (text!("写于", "written"), plain(page.instant(self.written))),
            (text!("供单位", "for nodes of"), plain(name(&self.scope))),
            (text!("内容", "content"), plain(page.say(&content(self.since)))),
            (text!("大小", "size"), plain(size(self.bytes))),
            (text!("更新", "updates"), number(self.updates)),
            (text!("证书与吊销", "credentials"), number(self.credentials)),
            (text!("密封材料", "sealed items"), number(self.sealed)),
        ];
        if self.forks > 0 {
            facts.push((
                text!("分叉证据", "evidence of forks"),
                toned(self.forks.to_string(), Ink::Bad),
            ));
        }
        facts.push((
            text!("其中本节点没有的", "of these not here"),
            toned(self.lacking.to_string(), Ink::Strong),
        ));
        facts.push((
            text!("双方相差", "both differ in"),
            differing(page, &self.differing),
        ));
        page.facts(&facts);
        damage(page, &self.damage);
    }
}

fn differing(page: &Page<'_>, differing: &[String]) -> Piece {
    match differing {
        [] => toned(page.say(&text!("没有差别", "nothing")), Ink::Good),
        names => plain(trees(page, names)),
    }
}

fn damage(page: &mut Page<'_>, damage: &[Text]) {
    if damage.is_empty() {
        return;
    }
    page.heading(&text!("损坏之处", "What is damaged"));
    for what in damage {
        let what = page.say(what);
        page.line(&[plain("  "), toned(what, Ink::Bad)]);
    }
}

impl View for BundleImported {
    fn lay_out(&self, page: &mut Page<'_>) {
        page.heading(&text!("导入结果", "What was taken in"));
        let mut facts = vec![
            (text!("新收", "taken"), toned(self.taken.to_string(), Ink::Strong)),
            (text!("已有", "known"), plain(self.known.to_string())),
        ];
        for (label, number, ink) in [
            (text!("等待前序", "waiting"), self.waiting, Ink::Attention),
            (text!("拒收", "refused"), self.refused, Ink::Bad),
            (text!("伪造", "forged"), self.forged, Ink::Bad),
        ] {
            if number > 0 {
                facts.push((label, toned(number.to_string(), ink)));
            }
        }
        facts.push((
            text!("双方相差", "both differ in"),
            differing(page, &self.differing),
        ));
        page.facts(&facts);
        for reason in &self.reasons {
            page.line(&[
                plain("  "),
                toned(reason.number.to_string(), Ink::Bad),
                plain("  "),
                plain(&reason.reason),
            ]);
        }
        if self.other_reasons > 0 {
            let other = self.other_reasons;
            let said = page.say(&text!("另有 {other} 条因其他原因", "{other} for other reasons"));
            page.line(&[plain("  "), plain(said)]);
        }
        damage(page, &self.damage);
        if let (Some(from), false) = (&self.from, self.differing.is_empty()) {
            let code = &from.code;
            let next = page.say(&text!(
                "把对方没有的带回:anjuan bundle export --since {code} --out <文件>",
                "Carry back what it lacks: anjuan bundle export --since {code} --out <file>"
            ));
            page.line(&[toned(next, Ink::Quiet)]);
        }
    }
}
