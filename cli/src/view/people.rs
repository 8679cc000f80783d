//! Operators, units, peers, keys.

use anjuan_node::authority::role::Role;
use anjuan_node::service::view::{Operator, Peer, Revoked, Unit, UnitDetail, Unlocked};
use anjuan_node::text;
use anjuan_node::text::Text;
use anjuan_node::unit::Level;

use super::page::{Page, Piece, plain, toned};
use super::{View, short, unit_name};
use crate::output::{Column, Ink};

/// Titles of roles; a code that this program does not know stays as it is.
pub(super) fn role_titles(page: &Page<'_>, roles: &[String]) -> String {
    roles
        .iter()
        .map(|code| Role::from_code(code).map_or_else(|| code.clone(), |role| page.say(&role.title())))
        .collect::<Vec<_>>()
        .join(&page.say(&text!("、", ", ")))
}

fn level(level: Level) -> Text {
    match level {
        Level::Village => text!("村(社区)", "village"),
        Level::Committee => text!("行业性专业性调委会", "professional committee"),
        Level::Town => text!("乡镇(街道)", "town"),
        Level::County => text!("县(市、区)", "county"),
        Level::City => text!("市", "city"),
    }
}

impl View for Operator {
    fn lay_out(&self, page: &mut Page<'_>) {
        let until = page.instant(self.not_after);
        let mut facts = vec![
            (text!("姓名", "name"), plain(&self.label)),
            (text!("单位", "unit"), plain(self.unit.as_str())),
            (text!("角色", "roles"), plain(role_titles(page, &self.roles))),
            (text!("公钥", "key"), plain(&self.key)),
            (text!("证书", "certificate"), plain(&self.certificate)),
            (text!("有效至", "valid until"), plain(until)),
        ];
        if let Some(handle) = &self.handle {
            facts.insert(0, (text!("代号", "handle"), plain(handle)));
        }
        if self.revoked {
            let revoked = page.say(&text!("已吊销", "revoked"));
            facts.push((text!("状态", "state"), toned(revoked, Ink::Bad)));
        }
        page.facts(&facts);
    }
}

impl View for Vec<Operator> {
    fn lay_out(&self, page: &mut Page<'_>) {
        operators(page, self);
    }
}

pub(super) fn operators(page: &mut Page<'_>, operators: &[Operator]) {
    if operators.is_empty() {
        let none = page.say(&text!("没有操作员", "no operators"));
        return page.line(&[toned(none, Ink::Quiet)]);
    }
    let rows: Vec<Vec<Piece>> = operators
        .iter()
        .map(|operator| {
            let state = if operator.revoked {
                toned(page.say(&text!("已吊销", "revoked")), Ink::Bad)
            } else {
                plain(page.instant(operator.not_after))
            };
            vec![
                plain(operator.handle.as_deref().unwrap_or("-")),
                plain(&operator.label),
                plain(operator.unit.as_str()),
                plain(role_titles(page, &operator.roles)),
                plain(short(&operator.key)),
                plain(short(&operator.certificate)),
                state,
            ]
        })
        .collect();
    page.table(
        [
            Column::new(text!("代号", "handle")),
            Column::new(text!("姓名", "name")),
            Column::new(text!("单位", "unit")),
            Column::new(text!("角色", "roles")),
            Column::new(text!("公钥", "key")),
            Column::new(text!("证书", "certificate")),
            Column::new(text!("有效至", "valid until")),
        ],
        &rows,
    );
}

impl View for Revoked {
    fn lay_out(&self, page: &mut Page<'_>) {
        let label = &self.label;
        page.heading(&text!("{label} 的证书已吊销", "{label}'s certificate is revoked"));
        page.facts(&[(text!("证书", "certificate"), plain(&self.certificate))]);
        let rows: Vec<Vec<Piece>> = self
            .cutoffs
            .iter()
            .map(|cutoff| vec![plain(&cutoff.space), plain(cutoff.seq.to_string())])
            .collect();
        if rows.is_empty() {
            let none = page.say(&text!("没有任何记录计入", "nothing he recorded counts"));
            page.line(&[plain(none)]);
        } else {
            page.table(
                [
                    Column::new(text!("空间", "space")),
                    Column::new(text!("计入至第几条", "counts up to")),
                ],
                &rows,
            );
        }
    }
}

/// Until when a key stays unlocked.
pub(super) fn until(page: &Page<'_>, unlocked: &Unlocked) -> String {
    match unlocked.until {
        Some(until) => page.instant(until),
        None => page.say(&text!("节点停止", "stopped")),
    }
}

impl View for Unlocked {
    fn lay_out(&self, page: &mut Page<'_>) {
        let (handle, until) = (&self.handle, until(page, self));
        let line = page.say(&text!(
            "{handle} 已解锁,至 {until}",
            "{handle} is unlocked until {until}"
        ));
        page.line(&[plain(line)]);
    }
}

impl View for Vec<Unit> {
    fn lay_out(&self, page: &mut Page<'_>) {
        if self.is_empty() {
            let none = page.say(&text!("没有找到单位", "no unit was found"));
            return page.line(&[toned(none, Ink::Quiet)]);
        }
        units(page, self);
    }
}

fn units(page: &mut Page<'_>, units: &[Unit]) {
    let rows: Vec<Vec<Piece>> = units
        .iter()
        .map(|unit| {
            vec![
                plain(unit.code.as_str()),
                plain(&unit.name),
                plain(page.say(&level(unit.level))),
            ]
        })
        .collect();
    page.table(
        [
            Column::new(text!("代码", "code")),
            Column::new(text!("名称", "name")),
            Column::new(text!("层级", "level")),
        ],
        &rows,
    );
}

impl View for UnitDetail {
    fn lay_out(&self, page: &mut Page<'_>) {
        let name = unit_name(&self.unit);
        page.heading(&text!("{name}", "{name}"));
        let enrolled = if self.enrolled {
            toned(page.say(&text!("已加入", "enrolled")), Ink::Good)
        } else {
            toned(page.say(&text!("未加入", "not enrolled")), Ink::Quiet)
        };
        let above: Vec<String> = self.above.iter().map(unit_name).collect();
        let mut facts = vec![
            (text!("层级", "level"), plain(page.say(&level(self.unit.level)))),
            (text!("授权机构", "authority"), enrolled),
        ];
        if !above.is_empty() {
            facts.push((text!("上级", "above"), plain(above.join(" < "))));
        }
        for node in &self.nodes {
            facts.push((text!("节点", "node"), plain(node)));
        }
        page.facts(&facts);
        if !self.below.is_empty() {
            page.heading(&text!("下级", "Below"));
            units(page, &self.below);
        }
        if !self.operators.is_empty() {
            page.heading(&text!("操作员", "Operators"));
            operators(page, &self.operators);
        }
    }
}

impl View for Vec<Peer> {
    fn lay_out(&self, page: &mut Page<'_>) {
        peers(page, self);
    }
}

/// Seconds.
const DAY: i64 = 86_400;

pub(super) fn peers(page: &mut Page<'_>, peers: &[Peer]) {
    if peers.is_empty() {
        let none = page.say(&text!("没有对端节点", "no peers"));
        return page.line(&[toned(none, Ink::Quiet)]);
    }
    let rows: Vec<Vec<Piece>> = peers
        .iter()
        .map(|peer| {
            let (state, ink) = match (peer.connected, peer.level) {
                (true, true) => (text!("一致", "level"), Ink::Good),
                (true, false) => (text!("同步中", "syncing"), Ink::Attention),
                (false, _) => (text!("未连接", "not connected"), Ink::Quiet),
            };
            let note = match (&peer.last_error, peer.clock_skew_seconds) {
                (Some(error), _) => toned(page.say(error), Ink::Bad),
                (None, Some(skew)) if skew.abs() > 2 * DAY => {
                    let days = skew / DAY;
                    let said = text!("时钟差 {days} 天", "clock off by {days} days");
                    toned(page.say(&said), Ink::Attention)
                }
                (None, Some(skew)) if skew.abs() > 60 => toned(
                    page.say(&text!("时钟差 {skew} 秒", "clock off by {skew} s")),
                    Ink::Attention,
                ),
                _ => plain(""),
            };
            vec![
                plain(peer.unit.as_ref().map_or_else(|| "?".to_owned(), unit_name)),
                toned(page.say(&state), ink),
                plain(
                    peer.last_seen
                        .map_or_else(|| "-".to_owned(), |at| page.instant(at)),
                ),
                plain(peer.received.to_string()),
                plain(peer.address.as_deref().unwrap_or(&peer.peer_id)),
                note,
            ]
        })
        .collect();
    page.table(
        [
            Column::new(text!("单位", "unit")),
            Column::new(text!("状态", "state")),
            Column::new(text!("最近联系", "last seen")),
            Column::new(text!("收到", "received")),
            Column::new(text!("地址", "address")),
            Column::new(text!("", "")),
        ],
        &rows,
    );
}
