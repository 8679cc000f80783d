//! Fixed answers against what was once found to read well. `ANJUAN_WRITE_EXPECTED=1` writes the files anew.

use std::path::PathBuf;

use anjuan_node::service::setup::Founded;
use anjuan_node::service::view::{
    BundleImported, BundleSummary, BundleWritten, Diagnosis, DocumentDetail, DocumentHistory, DocumentLine,
    Due, Invitation, Listing, Operator, Particulars, Peer, Recorded, Revoked, Status, SyncNow, SyncStatus,
    UnitDetail, Verification,
};
use anjuan_node::text::Lang;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Page, View};
use crate::output::Ui;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "src", "view", "fixtures"]
        .iter()
        .collect()
}

fn check<V: View + DeserializeOwned + Serialize>(name: &str, answer: Value) {
    let view: V = serde_json::from_value(answer.clone()).expect("the fixture fits");
    // What machines read is what the node answered: nothing lost, nothing renamed.
    assert_eq!(serde_json::to_value(&view).expect("JSON"), answer, "{name}");
    for (lang, suffix) in [(Lang::Zh, "zh"), (Lang::En, "en")] {
        let ui = Ui::plain(lang);
        let mut page = Page::new(&ui);
        view.lay_out(&mut page);
        let found = page.finish();
        let path = folder().join(format!("{name}.{suffix}.txt"));
        if std::env::var_os("ANJUAN_WRITE_EXPECTED").is_some() {
            std::fs::write(&path, &found).expect("written");
        }
        let expected = std::fs::read_to_string(&path).expect("an expected page");
        assert_eq!(found, expected, "{}", path.display());
        assert!(
            !found.contains('\u{1b}'),
            "nothing from a node steers the terminal"
        );
    }
}

fn fixture(name: &str) -> Value {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(path).expect("a fixture");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn status() {
    check::<Status>("status", fixture("status"));
}

#[test]
fn show() {
    check::<DocumentDetail>("show", fixture("show"));
    let mut decided = fixture("show");
    decided["conflicts"][0]["kept"] = decided["conflicts"][0]["choices"][1]["update"].clone();
    decided["state"] = json!({});
    check::<DocumentDetail>("show-decided", decided);
}

#[test]
fn history() {
    check::<DocumentHistory>("history", fixture("history"));
}

#[test]
fn lists() {
    let lines: Vec<DocumentLine> = [fixture("show"), fixture("history")]
        .map(|fixture| serde_json::from_value(fixture["line"].clone()).expect("a line"))
        .into();
    check::<Listing>("list", json!({"total": 12, "documents": lines}));
    check::<Listing>("list-empty", json!({"total": 0, "documents": []}));
    check::<Vec<Due>>("todo", fixture("show")["duties"].clone());
    check::<Vec<Due>>("todo-empty", json!([]));
}

#[test]
fn people_and_units() {
    let status = fixture("status");
    let unit = status["unit"].clone();
    check::<Vec<Operator>>("operators", status["operators"].clone());
    check::<Operator>("operator", status["operators"][0].clone());
    check::<Vec<Peer>>("peers", status["peers"].clone());
    check::<UnitDetail>(
        "unit",
        json!({"unit": unit, "above": [{"code": "450902", "name": "玉州区", "level": "county"}],
            "below": [{"code": "450902001001", "name": "东成社区", "level": "village"}], "enrolled": true,
            "nodes": ["ab"], "operators": []}),
    );
    check::<Revoked>(
        "revoked",
        json!({"certificate": "ab", "label": "林某", "cutoffs": [{"space": "450902001001/up", "seq": 12}]}),
    );
    check::<Invitation>(
        "invitation",
        json!({"ticket": "anjuan1-abcdef", "unit": unit, "auditor": false, "expires": "2019-06-04T00:00:00Z"}),
    );
    check::<Founded>(
        "founded",
        json!({"home": "/srv/anjuan", "network": "5f0c", "unit": unit, "peer_id": "12D3KooW",
            "root_certificate": "/srv/anjuan/root.cert"}),
    );
}

#[test]
fn what_was_done() {
    check::<Recorded>(
        "recorded",
        json!({"document": "3f2a00112233445566778899aabbccdd", "number": null, "update": "aaaa", "stage": "accepted",
            "stage_title": {"zh": "受理", "en": "accepted"}, "next": fixture("show")["next"]}),
    );
    check::<Particulars>(
        "particulars",
        json!({"commitment": "cc", "particulars": {"person": {"name": "张三", "phone": "13800000000", "sex": null}},
            "disclosed_by": "dddd"}),
    );
    let well = json!({"well": true, "findings": []});
    check::<Diagnosis>("diagnosis-well", well);
    let said = |zh: &str, en: &str| json!({"zh": zh, "en": en});
    check::<Diagnosis>(
        "diagnosis",
        json!({"well": false, "findings": [
            {"code": "conflict", "urgency": "act", "what": said("检查点矛盾", "two checkpoints do not go together"),
                "means": said("日志被改写", "the log was rewritten"), "todo": said("通知上级", "tell the unit above")},
            {"code": "set-back", "urgency": "know", "what": said("曾恢复备份", "the store was set back"),
                "means": said("不算伪造", "it is no forgery"), "todo": said("同步一次", "sync once")},
        ]}),
    );
    check::<Verification>(
        "verification",
        json!({"ok": true, "credentials": 3, "updates": 40, "logs": 2, "documents": 5, "sealed": 1,
            "not_counting": {"quarantined": 1}, "faults": [], "millis": 12}),
    );
}

#[test]
fn syncing() {
    let peer = |id: &str, connected: bool, behind: Value, lacks: Value| {
        json!({"peer_id": id, "address": "/ip4/10.0.0.1/tcp/4509", "unit": {"code": "450902", "name": "玉州区",
            "level": "county"}, "kept": true, "connected": connected, "level": lacks == 0,
            "last_seen": "2019-06-01T08:00:00Z", "last_error": null, "clock_skew_seconds": null, "received": 3,
            "behind": behind, "lacks": lacks, "rate": 7_900, "round_trips": 4, "sent_bytes": 812,
            "received_bytes": 53_000, "next_attempt": null})
    };
    let mut lost = peer("12D3KooWLost", false, Value::Null, json!(12));
    lost["last_error"] = json!({"zh": "连接不上\u{1b}[2J", "en": "connection refused\u{1b}[2J"});
    lost["next_attempt"] = json!("2019-06-01T08:05:00Z");
    let peers = json!([
        peer("12D3KooWLevel", true, json!({"records": 0, "bytes": 0}), json!(0)),
        peer(
            "12D3KooWBehind",
            true,
            json!({"records": 1200, "bytes": 480_000}),
            Value::Null
        ),
        peer("12D3KooWAhead", true, json!({"records": 0, "bytes": 0}), json!(7)),
        peer("12D3KooWNew", true, Value::Null, Value::Null),
        lost,
    ]);
    let child = |code: &str, enrolled: bool, level: Value, lacks: Value| {
        json!({"unit": {"code": code, "name": "东成社区", "level": "village"}, "enrolled": enrolled,
            "updates": 40, "logs": 2, "connected": !level.is_null(), "level": level, "lacks": lacks,
            "last_received": "2019-06-01T07:00:00Z"})
    };
    let unit = json!({"code": "450902001", "name": "玉城街道", "level": "town"});
    let status = json!({"unit": unit, "running": true, "peers": peers, "children": [
        child("450902001001", true, json!(true), json!(0)),
        child("450902001002", true, json!(false), json!(3)),
        child("450902001003", true, Value::Null, json!(3)),
        child("450902001004", false, Value::Null, Value::Null),
    ], "waiting": 2, "idle": 1, "quarantined": 3, "evidence": 0, "forks": 1,
        "stopped": {"zh": "磁盘已满", "en": "the disk is full"}});
    check::<SyncStatus>("sync-status", status.clone());
    check::<SyncNow>(
        "sync-now",
        json!({"level": false, "peers": [peers[0], peers[4]], "millis": 60_000}),
    );
    // The lines of `--watch`.
    let status: SyncStatus = serde_json::from_value(status).expect("fits");
    let lines = super::states(&Ui::plain(Lang::En), &status);
    assert_eq!(
        lines["peer 450902 玉州区 12D3KooWBehind"],
        "behind by 1200, about 480 KB"
    );
    assert_eq!(
        lines["below 450902001003 东成社区"],
        "40 updates, not connected; it lacks 3"
    );
    assert_eq!(lines["quarantined"], "3");
    assert!(lines.values().all(|line| !line.contains('\u{1b}')), "{lines:?}");
}

#[test]
fn bundles() {
    let village = json!({"code": "450902001001", "name": "东成社区"});
    check::<BundleWritten>(
        "bundle-written",
        json!({"file": "/media/usb/out", "bytes": 81_234, "pages": 1, "records": 77, "scope": village,
            "peer": village, "since": 412}),
    );
    check::<BundleSummary>(
        "bundle-summary",
        json!({"file": "/media/usb/out", "bytes": 81_234, "from": village, "written": "2019-06-01T08:00:00Z",
            "scope": village, "since": 0, "position": 80, "pages": 2, "updates": 70, "forks": 1, "credentials": 5,
            "sealed": 2, "lacking": 30, "damage": [{"zh": "第 2 页已损坏", "en": "page 2 is damaged"}],
            "differing": ["up", "sealed"]}),
    );
    check::<BundleImported>(
        "bundle-imported",
        json!({"from": village, "taken": 30, "known": 47, "waiting": 1, "refused": 2, "forged": 1,
            "reasons": [{"reason": "the signature is not the author's over this header", "number": 1}],
            "other_reasons": 2, "damage": [], "differing": ["up"]}),
    );
    check::<BundleImported>(
        "bundle-level",
        json!({"from": village, "taken": 30, "known": 0, "waiting": 0, "refused": 0, "forged": 0, "reasons": [],
            "other_reasons": 0, "damage": [], "differing": []}),
    );
}
