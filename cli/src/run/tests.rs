use anjuan_node::service::ErrorKind;
use serde_json::{Value, json};

use crate::testing::{FakeNode, Scripted, anjuan, failing};

fn units() -> FakeNode {
    FakeNode::new(|path, _| match path {
        "open" => Ok(Value::Null),
        "unit-find" => Ok(json!([{"code": "4509", "name": "玉林市", "level": "city"}])),
        _ => Err(failing(ErrorKind::Internal)),
    })
}

#[test]
fn text_for_people_and_one_line_of_json_for_machines() {
    let mut console = Scripted::default();
    assert_eq!(anjuan(&units(), &mut console, &[], &["unit", "find"]), 0);
    assert_eq!(console.out, "代码  名称    层级\n4509  玉林市  市\n");
    let mut console = Scripted::default();
    assert_eq!(
        anjuan(&units(), &mut console, &[], &["unit", "find", "--json"]),
        0
    );
    assert_eq!(
        console.out,
        "[{\"code\":\"4509\",\"name\":\"玉林市\",\"level\":\"city\"}]\n"
    );
    assert_eq!(console.err, "");
}

#[test]
fn failures_have_the_exit_code_of_their_kind() {
    for kind in [
        ErrorKind::Usage,
        ErrorKind::NotFound,
        ErrorKind::Forbidden,
        ErrorKind::Locked,
        ErrorKind::Refused,
        ErrorKind::Busy,
        ErrorKind::Damaged,
        ErrorKind::Storage,
        ErrorKind::Network,
        ErrorKind::Unproven,
        ErrorKind::Internal,
    ] {
        let node = FakeNode::new(move |_, _| Err(failing(kind)));
        let mut console = Scripted::default();
        assert_eq!(anjuan(&node, &mut console, &[], &["status"]), kind.exit_code());
        assert_eq!((console.out.as_str(), console.err.as_str()), ("", "错误:不行\n"));
    }
}

#[test]
fn an_error_is_said_in_the_language_asked_for_or_as_json() {
    let node = FakeNode::new(|_, _| {
        Err(failing(ErrorKind::NotFound).with_hint(anjuan_node::text::Text::new("试试", "try")))
    });
    let mut console = Scripted::default();
    anjuan(&node, &mut console, &[], &["status", "--lang", "en"]);
    assert_eq!(console.err, "error: it failed\nhint: try\n");
    let mut console = Scripted::default();
    anjuan(&node, &mut console, &[], &["status", "--json"]);
    assert_eq!(
        console.err,
        "{\"error\":{\"kind\":\"not-found\",\"message\":{\"zh\":\"不行\",\"en\":\"it failed\"},\
         \"hint\":{\"zh\":\"试试\",\"en\":\"try\"}}}\n"
    );
    let mut console = Scripted::default();
    assert_eq!(anjuan(&node, &mut console, &[], &["frobnicate", "--json"]), 2);
    let error: Value = serde_json::from_str(&console.err).expect("JSON");
    assert_eq!(error["error"]["kind"], "usage");
}

#[test]
fn a_store_that_does_not_hold_is_shown_and_fails() {
    let node = FakeNode::new(|path, _| match path {
        "open" => Ok(Value::Null),
        _ => Ok(json!({
            "ok": false, "credentials": 3, "updates": 40, "logs": 2, "documents": 5, "sealed": 1,
            "not_counting": {"void": 1}, "millis": 12,
            "faults": [{"what": "document 3f2a", "check": "replay", "message": {"zh": "不符", "en": "differs"}}],
        })),
    });
    let mut console = Scripted::default();
    let code = anjuan(&node, &mut console, &[], &["verify", "--lang", "en"]);
    assert_eq!(code, ErrorKind::Unproven.exit_code());
    assert!(
        console.out.contains("document 3f2a: differs (replay)"),
        "{}",
        console.out
    );
    assert!(console.err.contains("1 faults"), "{}", console.err);
}

/// A node whose keys open with `right` only.
fn locked() -> FakeNode {
    FakeNode::new(|path, body| match path {
        "open" => Ok(Value::Null),
        "operator-revoke" if body["passphrase"] == "right" => {
            Ok(json!({"certificate": "ab", "label": "林", "cutoffs": []}))
        }
        "join" if body["passphrase"] == "right" => Ok(json!({
            "home": "/h", "network": "00", "unit": {"code": "450902", "name": "玉州区", "level": "county"},
            "standby": false, "peer_id": "12D3", "parent": null,
        })),
        _ => Err(failing(ErrorKind::Locked)),
    })
}

const REVOKE: &[&str] = &["operator", "revoke", "lin", "--reason", "x", "--yes"];

#[test]
fn a_person_is_asked_for_a_passphrase_once_the_key_is_found_locked() {
    let mut person = Scripted::person(&[]);
    person.hidden.push_back("right".to_owned());
    let node = locked();
    assert_eq!(anjuan(&node, &mut person, &[], REVOKE), 0, "{}", person.err);
    let passphrases: Vec<Value> = node
        .asked()
        .into_iter()
        .filter(|(path, _)| path == "operator-revoke")
        .map(|(_, body)| body["passphrase"].clone())
        .collect();
    assert_eq!(passphrases, [Value::Null, json!("right")]);

    let mut person = Scripted::person(&[]);
    person.hidden.push_back("wrong".to_owned());
    assert_eq!(anjuan(&locked(), &mut person, &[], REVOKE), 5);
}

#[test]
fn a_script_gives_the_passphrase_by_environment_or_file() {
    let mut script = Scripted::default();
    assert_eq!(anjuan(&locked(), &mut script, &[], REVOKE), 5);
    let right = [("ANJUAN_PASSPHRASE", "right")];
    assert_eq!(anjuan(&locked(), &mut script, &right, REVOKE), 0);
    let own = [
        ("ANJUAN_PASSPHRASE", "another"),
        ("ANJUAN_AUTHORITY_PASSPHRASE", "right"),
    ];
    assert_eq!(anjuan(&locked(), &mut script, &own, REVOKE), 0);

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("passphrase");
    crate::file::write_new(&path, b"right\r\n").expect("written");
    let mut args = REVOKE.to_vec();
    args.extend(["--passphrase-file", path.to_str().expect("a path")]);
    assert_eq!(anjuan(&locked(), &mut script, &[], &args), 0, "{}", script.err);
}

#[cfg(unix)]
#[test]
fn a_passphrase_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("passphrase");
    crate::file::write_new(&path, b"right").expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("changed");
    let mut args = REVOKE.to_vec();
    args.extend([
        "--passphrase-file",
        path.to_str().expect("a path"),
        "--lang",
        "en",
    ]);
    let mut script = Scripted::default();
    assert_eq!(anjuan(&locked(), &mut script, &[], &args), 2);
    assert!(script.err.contains("chmod 600"), "{}", script.err);
}

#[test]
fn what_cannot_be_taken_back_is_confirmed() {
    let args = ["operator", "revoke", "lin", "--reason", "x"];
    let env = [("ANJUAN_PASSPHRASE", "right")];
    let mut script = Scripted::default();
    assert_eq!(anjuan(&locked(), &mut script, &env, &args), 2);
    assert_eq!(anjuan(&locked(), &mut Scripted::person(&["n"]), &env, &args), 2);
    assert_eq!(anjuan(&locked(), &mut Scripted::person(&[]), &env, &args), 2);
    assert_eq!(anjuan(&locked(), &mut Scripted::person(&["是"]), &env, &args), 0);
}

#[test]
fn joining_asks_for_a_new_passphrase_twice() {
    let mut person = Scripted::person(&[]);
    person
        .hidden
        .extend(["right", "wrong", "right", "right"].map(str::to_owned));
    assert_eq!(
        anjuan(&locked(), &mut person, &[], &["join", "TICKET"]),
        0,
        "{}",
        person.err
    );
    assert_eq!(
        anjuan(&locked(), &mut Scripted::default(), &[], &["join", "TICKET"]),
        5
    );
}

#[test]
fn joining_by_files_carries_request_and_grant() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let unit = json!({"code": "450902", "name": "玉州区", "level": "county"});
    let node = FakeNode::new(move |path, body| match path {
        "open" => Ok(Value::Null),
        "request" => Ok(json!({"unit": unit, "standby": false, "fingerprint": "aa-bb", "request": "0102"})),
        "sign-request" => {
            let grant = (body["dry_run"] == false).then_some("0304");
            Ok(json!({"unit": unit, "standby": false, "fingerprint": "aa-bb", "grant": grant}))
        }
        "grant" => {
            assert_eq!(body["grant"], "0304");
            Ok(
                json!({"home": "/h", "network": "00", "unit": unit, "standby": false, "peer_id": "p", "parent": null}),
            )
        }
        _ => Err(failing(ErrorKind::Internal)),
    });
    let env = [("ANJUAN_PASSPHRASE", "right")];
    let (request, grant) = (at("request"), at("request.grant"));
    let ask = ["join", "--request", &request, "--unit", "450902"];
    let mut script = Scripted::default();
    assert_eq!(anjuan(&node, &mut script, &env, &ask), 0, "{}", script.err);
    assert_eq!(std::fs::read(&request).expect("written"), [1, 2]);
    // What is there already stays.
    assert_eq!(anjuan(&node, &mut script, &env, &ask), 2);

    let sign = ["invite", "--sign", &request];
    assert_eq!(
        anjuan(&node, &mut script, &env, &sign),
        2,
        "a script has to say --yes"
    );
    assert!(!std::path::Path::new(&grant).exists());
    let mut person = Scripted::person(&["y"]);
    assert_eq!(anjuan(&node, &mut person, &env, &sign), 0, "{}", person.err);
    assert!(person.err.contains("aa-bb"), "{}", person.err);
    assert_eq!(std::fs::read(&grant).expect("written"), [3, 4]);
    assert_eq!(
        anjuan(&node, &mut script, &env, &["join", "--grant", &grant]),
        0,
        "{}",
        script.err
    );
}

#[test]
fn serving_unlocks_what_it_is_told_to_and_shows_the_node_once_it_answers() {
    let node = FakeNode::new(|_, body| {
        assert_eq!(body["unlock"], json!([["lin", "right"], ["authority", "own"]]));
        Ok(serde_json::from_str(include_str!("../view/fixtures/status.json")).expect("JSON"))
    });
    let env = [
        ("ANJUAN_PASSPHRASE", "right"),
        ("ANJUAN_AUTHORITY_PASSPHRASE", "own"),
    ];
    let args = ["serve", "--mdns", "--unlock", "lin", "--unlock", "authority"];
    let mut script = Scripted::default();
    assert_eq!(anjuan(&node, &mut script, &env, &args), 0, "{}", script.err);
    assert!(script.out.contains("运行中"), "{}", script.out);
    assert_eq!(anjuan(&node, &mut Scripted::default(), &[], &args), 5);
}

#[test]
fn duties_are_sorted_by_date_with_the_undated_last() {
    let node = FakeNode::new(|path, _| match path {
        "open" => Ok(Value::Null),
        _ => {
            let due = |title: &str, due: Option<&str>| {
                json!({"document": "aa", "kind": "case", "number": null, "title": title,
                    "what": {"zh": "受理", "en": "accept"}, "event": "CaseAccepted", "unit": "450902", "due": due,
                    "days_left": null})
            };
            Ok(json!([
                due("c", None),
                due("b", Some("2019-06-02")),
                due("a", Some("2019-06-01"))
            ]))
        }
    });
    let mut console = Scripted::default();
    assert_eq!(
        anjuan(&node, &mut console, &[], &["todo", "--json"]),
        0,
        "{}",
        console.err
    );
    let duties: Vec<Value> = serde_json::from_str(&console.out).expect("JSON");
    let titles: Vec<&Value> = duties.iter().map(|duty| &duty["title"]).collect();
    assert_eq!(titles, ["a", "b", "c"]);
}

/// A village where two operators and one case are known.
fn village() -> FakeNode {
    FakeNode::new(|path, body| match path {
        "open" => Ok(Value::Null),
        "operator-list" => {
            let operator = |handle: Option<&str>, label: &str, key: &str| {
                json!({"handle": handle, "label": label, "key": key.repeat(32), "certificate": "00".repeat(32),
                    "unit": "450902001001", "roles": ["mediator"], "not_before": "2019-01-01T00:00:00Z",
                    "not_after": "2022-01-01T00:00:00Z", "revoked": false})
            };
            Ok(json!([
                operator(Some("lin"), "林某", "aa"),
                operator(None, "黄某", "ab")
            ]))
        }
        "history" => Ok(serde_json::from_str(include_str!("../view/fixtures/history.json")).expect("JSON")),
        "show" if body["kind"] == "case" => {
            Ok(serde_json::from_str(include_str!("../view/fixtures/show.json")).expect("JSON"))
        }
        "record" | "particulars-erase" if body["sign"]["passphrase"] == "right" => Ok(
            json!({"document": "3f2a00112233445566778899aabbccdd", "number": null, "update": "ab", "stage": "x",
                "stage_title": {"zh": "登记", "en": "registered"}, "next": []}),
        ),
        "record" => Err(failing(ErrorKind::Locked)),
        _ => Err(failing(ErrorKind::NotFound)),
    })
}

/// The body of the last call to record.
fn recorded(node: &FakeNode) -> Value {
    let mut asked = node.asked();
    asked.retain(|(path, _)| path == "record");
    asked.pop().expect("something was recorded").1
}

const RIGHT: &[(&str, &str)] = &[("ANJUAN_PASSPHRASE", "right")];

#[test]
fn a_case_is_registered_with_its_parties_sealed() {
    let folder = tempfile::tempdir().expect("a folder");
    let parties = folder.path().join("parties.json");
    let content = json!([
        {"role": "applicant", "person": {"name": "张三"}},
        {"role": "respondent", "person": {"name": "李四"}},
    ]);
    std::fs::write(&parties, content.to_string()).expect("written");
    let node = village();
    let mut script = Scripted::default();
    let args = [
        "case",
        "register",
        "--source",
        "applied",
        "--category",
        "housing",
        "--brief",
        "宅基地边界",
        "--facts",
        "边界不清。",
        "--party",
        parties.to_str().expect("a path"),
        "--unit",
        "450902001001",
        "--as",
        "lin",
        "--set",
        "title=边界",
        "--lang",
        "en",
    ];
    assert_eq!(anjuan(&node, &mut script, RIGHT, &args), 0, "{}", script.err);
    let party = |role: &str| json!({"commitment": null, "role": role, "kind": "person"});
    assert_eq!(
        recorded(&node),
        json!({
            "kind": "case", "document": null, "unit": "450902001001",
            "event": {"type": "CaseRegistered", "source": "applied", "category": "housing", "brief": "宅基地边界",
                "facts": "边界不清。", "parties": [party("applicant"), party("respondent")]},
            "record": {"title": "边界"},
            "seal": [
                {"pointer": "/parties/0/commitment", "particulars": {"person": {"name": "张三"}}},
                {"pointer": "/parties/1/commitment", "particulars": {"person": {"name": "李四"}}},
            ],
            "sign": {"operator": "lin", "passphrase": "right"},
        })
    );
    assert!(script.out.contains("recorded"), "{}", script.out);
    assert!(!script.out.contains("张三") && !script.err.contains("张三"));
}

#[test]
fn mediators_and_updates_may_be_named_short() {
    let node = village();
    let mut script = Scripted::default();
    for (named, key) in [("lin", "aa"), ("黄某", "ab"), ("abab", "ab")] {
        let args = ["case", "assign", "3f2a", "--mediator", named];
        assert_eq!(anjuan(&node, &mut script, RIGHT, &args), 0, "{}", script.err);
        let body = recorded(&node);
        assert_eq!(body["event"]["mediators"], json!([key.repeat(32)]));
        assert_eq!(body["document"], "3f2a");
    }
    let args = [
        "case", "resolve", "3f2a", "--kept", "bbbb0000", "--reason", "较重",
    ];
    assert_eq!(anjuan(&node, &mut script, RIGHT, &args), 0, "{}", script.err);
    let kept = recorded(&node)["event"]["kept"].clone();
    assert_eq!(kept.as_str().map(str::len), Some(64));
    let args = [
        "case",
        "erase",
        "3f2a",
        "--commitment",
        "cccc",
        "--basis",
        "ordered",
        "--reference",
        "x",
    ];
    assert_eq!(anjuan(&node, &mut script, RIGHT, &args), 0, "{}", script.err);
    let whole = format!("cccc{}", "0".repeat(60));
    assert_eq!(recorded(&node)["event"]["commitments"], json!([whole]));

    for (named, code) in [("nobody", 3), ("a", 3)] {
        let args = ["case", "assign", "3f2a", "--mediator", named];
        assert_eq!(anjuan(&node, &mut script, RIGHT, &args), code, "{named}");
    }
}

#[test]
fn what_a_key_prefix_means_must_be_clear() {
    let node = FakeNode::new(|path, _| match path {
        "open" => Ok(Value::Null),
        _ => {
            let operator = |key: &str| {
                json!({"handle": null, "label": "x", "key": format!("abcd{}", key.repeat(30)), "certificate": "00",
                    "unit": "450902", "roles": [], "not_before": "2019-01-01T00:00:00Z",
                    "not_after": "2022-01-01T00:00:00Z", "revoked": false})
            };
            Ok(json!([operator("01"), operator("02")]))
        }
    });
    let mut script = Scripted::default();
    let args = ["case", "assign", "3f2a", "--mediator", "abcd", "--lang", "en"];
    assert_eq!(anjuan(&node, &mut script, RIGHT, &args), 2);
    assert!(
        script.err.contains("2 are meant by operator abcd"),
        "{}",
        script.err
    );
}

#[test]
fn an_event_that_is_not_whole_is_not_sent() {
    let node = village();
    let mut script = Scripted::default();
    let args = ["case", "accept", "3f2a", "--consent", "--lang", "en"];
    assert_eq!(anjuan(&node, &mut script, RIGHT, &args), 2);
    assert!(
        script.err.contains("--rights-notice") && script.err.contains("--no-exclusion"),
        "{}",
        script.err
    );
    assert!(node.asked().is_empty());
}
