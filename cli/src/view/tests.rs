//! Fixed answers against what was once found to read well. `ANJUAN_WRITE_EXPECTED=1` writes the files anew.

use std::path::PathBuf;

use anjuan_node::service::setup::Founded;
use anjuan_node::service::view::{
    Diagnosis, DocumentDetail, DocumentHistory, DocumentLine, Due, Invitation, Listing, Operator,
    Particulars, Peer, Recorded, Revoked, Status, UnitDetail, Verification,
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
        json!({"ticket": "anjuan1-abcdef", "unit": unit, "expires": "2019-06-04T00:00:00Z"}),
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
