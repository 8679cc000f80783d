//! `sync`

use std::collections::BTreeMap;

use anjuan_node::service::view::{Behind, SyncChild, SyncNow, SyncPeer, SyncStatus};
use anjuan_node::text;
use anjuan_node::text::Text;

use super::page::{Page, Piece, plain, size, toned};
use super::{View, unit_name};
use crate::output::{Column, Ink, Ui, clean};

/// A state in words, and how it is meant.
type State = (Text, Ink);

fn state_of_peer(peer: &SyncPeer) -> State {
    if !peer.peer.connected {
        return not_connected(peer.lacks);
    }
    match (peer.behind, peer.lacks) {
        (Some(Behind { records: 0, .. }), Some(0)) => (text!("一致", "level"), Ink::Good),
        (Some(Behind { records: 0, .. }), None) => (text!("对方尚未取全", "it is taking in"), Ink::Attention),
        (Some(Behind { records: 0, .. }), Some(lacks)) => {
            (text!("对方还缺 {lacks} 条", "it lacks {lacks}"), Ink::Attention)
        }
        (Some(Behind { records, bytes }), _) => {
            let bytes = size(bytes);
            (
                text!(
                    "还缺 {records} 条,约 {bytes}",
                    "behind by {records}, about {bytes}"
                ),
                Ink::Attention,
            )
        }
        (None, _) => (text!("比较中", "comparing"), Ink::Attention),
    }
}

fn not_connected(lacks: Option<u64>) -> State {
    match lacks {
        None => (text!("未连接", "not connected"), Ink::Quiet),
        Some(0) => (
            text!("未连接,对方已取全", "not connected; it has everything"),
            Ink::Quiet,
        ),
        Some(lacks) => (
            text!("未连接,对方还缺 {lacks} 条", "not connected; it lacks {lacks}"),
            Ink::Attention,
        ),
    }
}

fn state_of_child(child: &SyncChild) -> State {
    match (child.level, child.enrolled) {
        (Some(true), _) => (text!("一致", "level"), Ink::Good),
        (Some(false), _) => (text!("同步中", "syncing"), Ink::Attention),
        (None, true) => not_connected(child.lacks),
        (None, false) => (text!("未加入", "not enrolled"), Ink::Quiet),
    }
}

fn name_of(peer: &SyncPeer) -> String {
    peer.peer.unit.as_ref().map_or_else(|| "?".to_owned(), unit_name)
}

/// What a person should look at, with how many.
fn troubles(status: &SyncStatus) -> [(Text, u64, Ink); 5] {
    [
        (
            text!("等待前序", "waiting for a predecessor"),
            status.waiting,
            Ink::Attention,
        ),
        (
            text!("尚不能应用", "stored, not applied"),
            status.idle,
            Ink::Attention,
        ),
        (text!("隔离", "quarantined"), status.quarantined, Ink::Attention),
        (
            text!("拒收并留证", "refused, kept as evidence"),
            status.evidence,
            Ink::Bad,
        ),
        (text!("分叉日志", "forked logs"), status.forks, Ink::Bad),
    ]
}

impl View for SyncStatus {
    fn lay_out(&self, page: &mut Page<'_>) {
        let name = unit_name(&self.unit);
        page.heading(&text!("{name}", "{name}"));
        if !self.running {
            let idle = page.say(&text!("节点未运行", "the node does not run"));
            page.line(&[toned(idle, Ink::Attention)]);
        }
        let mut facts: Vec<(Text, Piece)> = troubles(self)
            .into_iter()
            .map(|(label, number, ink)| {
                let ink = if number == 0 { Ink::Quiet } else { ink };
                (label, toned(number.to_string(), ink))
            })
            .collect();
        if let Some(stopped) = &self.stopped {
            let stopped = toned(page.say(stopped), Ink::Bad);
            facts.push((text!("已停止写入", "writing stopped"), stopped));
        }
        page.facts(&facts);
        page.heading(&text!("对端节点", "Peers"));
        peers(page, &self.peers);
        if !self.children.is_empty() {
            page.heading(&text!("下级单位", "Units below"));
            children(page, &self.children);
        }
    }
}

impl View for SyncNow {
    fn lay_out(&self, page: &mut Page<'_>) {
        let millis = self.millis;
        let (said, ink) = match self.level {
            true => (
                text!("已一致,用时 {millis} 毫秒", "level after {millis} ms"),
                Ink::Good,
            ),
            false => (text!("尚未一致", "not level yet"), Ink::Attention),
        };
        let said = page.say(&said);
        page.line(&[toned(said, ink)]);
        peers(page, &self.peers);
    }
}

fn peers(page: &mut Page<'_>, peers: &[SyncPeer]) {
    if peers.is_empty() {
        let none = page.say(&text!("没有对端节点", "no peers"));
        return page.line(&[toned(none, Ink::Quiet)]);
    }
    let rows: Vec<Vec<Piece>> = peers
        .iter()
        .map(|peer| {
            let (state, ink) = state_of_peer(peer);
            let seen = peer.peer.last_seen.map(|at| page.instant(at));
            let rate = match peer.rate {
                0 => "-".to_owned(),
                rate => format!("{}/s", size(rate)),
            };
            let note = match (&peer.peer.last_error, peer.next_attempt) {
                (Some(error), Some(at)) => {
                    let (error, at) = (page.say(error), page.instant(at));
                    page.say(&text!("{error};{at} 再试", "{error}; again at {at}"))
                }
                (Some(error), None) => page.say(error),
                (None, _) => String::new(),
            };
            vec![
                plain(name_of(peer)),
                toned(page.say(&state), ink),
                plain(seen.unwrap_or_else(|| "-".to_owned())),
                plain(format!(
                    "{} / {}",
                    size(peer.received_bytes),
                    size(peer.sent_bytes)
                )),
                plain(rate),
                plain(peer.round_trips.to_string()),
                plain(peer.peer.address.as_deref().unwrap_or(&peer.peer.peer_id)),
                toned(note, Ink::Bad),
            ]
        })
        .collect();
    page.table(
        [
            Column::new(text!("单位", "unit")).cut(12),
            Column::new(text!("状态", "state")),
            Column::new(text!("最近联系", "last seen")),
            Column::new(text!("收/发", "in / out")),
            Column::new(text!("速率", "rate")).right(),
            Column::new(text!("往返", "trips")).right(),
            Column::new(text!("地址", "address")).cut(16),
            Column::new(text!("", "")).wrap(16),
        ],
        &rows,
    );
}

fn children(page: &mut Page<'_>, children: &[SyncChild]) {
    let rows: Vec<Vec<Piece>> = children
        .iter()
        .map(|child| {
            let (state, ink) = state_of_child(child);
            let last = child.last_received.map(|at| page.instant(at));
            vec![
                plain(unit_name(&child.unit)),
                toned(page.say(&state), ink),
                plain(child.updates.to_string()),
                plain(child.logs.to_string()),
                plain(last.unwrap_or_else(|| "-".to_owned())),
            ]
        })
        .collect();
    page.table(
        [
            Column::new(text!("单位", "unit")).cut(12),
            Column::new(text!("状态", "state")),
            Column::new(text!("更新", "updates")).right(),
            Column::new(text!("日志", "logs")).right(),
            Column::new(text!("最近收到", "last received")),
        ],
        &rows,
    );
}

/// A line for each thing that `--watch` tells of, by its name.
pub fn states(ui: &Ui, status: &SyncStatus) -> BTreeMap<String, String> {
    let mut states = BTreeMap::new();
    for peer in &status.peers {
        let (state, _) = state_of_peer(peer);
        let mut line = ui.say(&state).to_owned();
        if let Some(error) = &peer.peer.last_error {
            line += &format!(" ({})", ui.say(error));
        }
        let peer_word = ui.say(&text!("节点", "peer")).to_owned();
        let id = &peer.peer.peer_id;
        let name = format!("{peer_word} {} {id}", name_of(peer));
        states.insert(clean(&name), clean(&line));
    }
    for child in &status.children {
        let (state, _) = state_of_child(child);
        let updates = child.updates;
        let line = text!("{updates} 条更新,", "{updates} updates, ");
        let name = format!("{} {}", ui.say(&text!("下级", "below")), unit_name(&child.unit));
        states.insert(
            clean(&name),
            clean(&format!("{}{}", ui.say(&line), ui.say(&state))),
        );
    }
    for (label, number, _) in troubles(status) {
        states.insert(ui.say(&label).to_owned(), number.to_string());
    }
    if let Some(stopped) = &status.stopped {
        let label = text!("已停止写入", "writing stopped");
        states.insert(ui.say(&label).to_owned(), clean(ui.say(stopped)));
    }
    states
}
