//! `status`, and what `serve` shows once it answers.

use anjuan_node::kind::kind;
use anjuan_node::service::view::Status;
use anjuan_node::text;

use super::page::{Page, plain, toned};
use super::people::{operators, peers, until};
use super::{View, short, unit_name};
use crate::output::Ink;

impl View for Status {
    fn lay_out(&self, page: &mut Page<'_>) {
        let name = unit_name(&self.unit);
        page.heading(&text!("{name}", "{name}"));
        let running = if self.running {
            toned(page.say(&text!("运行中", "running")), Ink::Good)
        } else {
            toned(page.say(&text!("未运行", "not running")), Ink::Quiet)
        };
        let mut facts = vec![
            (text!("节点", "node"), running),
            (text!("版本", "version"), plain(&self.version)),
            (text!("网络", "network"), plain(&self.network)),
            (text!("节点号", "peer id"), plain(&self.peer_id)),
        ];
        if self.auditor {
            let shown = page.say(&text!(
                "审计员的节点:只跟随,不登记",
                "an auditor's: follows, records nothing"
            ));
            facts.push((text!("身份", "as"), plain(shown)));
        }
        for address in &self.addresses {
            facts.push((text!("地址", "address"), plain(address)));
        }
        for unlocked in &self.unlocked {
            let (handle, until) = (&unlocked.handle, until(page, unlocked));
            let shown = page.say(&text!("{handle},至 {until}", "{handle}, until {until}"));
            facts.push((text!("已解锁", "unlocked"), toned(shown, Ink::Attention)));
        }
        page.facts(&facts);
        store(page, self);
        page.heading(&text!("对端节点", "Peers"));
        peers(page, &self.peers);
        page.heading(&text!("操作员", "Operators"));
        operators(page, &self.operators);
        if !self.warnings.is_empty() {
            page.heading(&text!("注意", "To be looked at"));
            for warning in &self.warnings {
                let warning = page.say(warning);
                page.line(&[plain("  "), toned(warning, Ink::Attention)]);
            }
        }
    }
}

fn store(page: &mut Page<'_>, status: &Status) {
    let store = &status.store;
    page.heading(&text!("存储", "Store"));
    let documents = store
        .documents
        .iter()
        .map(|(name, number)| {
            let title = kind(name).map_or_else(|| name.clone(), |kind| page.say(&kind.title()));
            format!("{title} {number}")
        })
        .collect::<Vec<_>>()
        .join(", ");
    let mut facts = vec![
        (text!("文档", "documents"), plain(documents)),
        (text!("更新", "updates"), plain(store.updates.to_string())),
        (
            text!("证书与吊销", "credentials"),
            plain(store.credentials.to_string()),
        ),
        (text!("密封材料", "sealed items"), plain(store.sealed.to_string())),
        (
            text!("日志记录", "journal records"),
            plain(store.journal_records.to_string()),
        ),
        (text!("摘要", "digest"), plain(short(&status.digest))),
    ];
    for (label, number, ink) in [
        (text!("等待前序", "waiting"), store.waiting, Ink::Attention),
        (text!("被拒绝", "refused"), store.refused, Ink::Bad),
        (text!("分叉日志", "forked logs"), store.forks, Ink::Bad),
    ] {
        if number > 0 {
            facts.push((label, toned(number.to_string(), ink)));
        }
    }
    if let Some(checkpoint) = &status.checkpoint {
        let (size, root) = (checkpoint.size, short(&checkpoint.root));
        let shown = page.say(&text!("{size} 条,根 {root}", "{size} records, root {root}"));
        facts.push((text!("检查点", "checkpoint"), plain(shown)));
        let cosigned = checkpoint.cosigned.as_ref();
        for witness in cosigned.map_or(&[][..], |cosigned| &cosigned.witnesses) {
            let size = cosigned.map_or(0, |cosigned| cosigned.size);
            let (unit, at) = (unit_name(&witness.unit), page.instant(witness.at));
            let shown = page.say(&text!("{unit},{at},{size} 条", "{unit}, {at}, of {size} records"));
            facts.push((text!("见证", "cosigned by"), toned(shown, Ink::Good)));
        }
    }
    if let Some(reason) = &store.stopped {
        facts.push((text!("已停止写入", "writing stopped"), toned(reason, Ink::Bad)));
    }
    page.facts(&facts);
}
