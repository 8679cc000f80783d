//! What a node tells of its peers: to people, to scripts, and to a monitoring system.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use anjuan_node::api::Endpoint;
use anjuan_tests::harness::wait::{PATIENCE, until};
use anjuan_tests::harness::{Anjuan, CITY, CLERK, COUNTY, Family, MEDIATOR, TOWN, VILLAGE, parties, program};
use serde_json::Value;

/// What the town tells of the village: as a peer, and as a unit below.
fn village_at(town: &Anjuan) -> (Value, Value) {
    let status = town.answer(&["sync", "status"]);
    let find = |list: &str, code: &str| {
        let mut all = status[list].as_array().expect("a list").iter();
        let found = all.find(|one| one.pointer(code).is_some_and(|code| code == VILLAGE));
        found
            .cloned()
            .unwrap_or_else(|| panic!("no {VILLAGE} among {list} of {status}"))
    };
    (find("peers", "/unit/code"), find("children", "/unit/code"))
}

fn until_level(town: &Anjuan) -> (Value, Value) {
    until("the town tells that the village is level", || {
        let (peer, child) = village_at(town);
        let level = peer["behind"]["records"] == 0 && peer["lacks"] == 0 && child["level"] == true;
        if level {
            Ok((peer, child))
        } else {
            Err(format!("{peer}\n{child}"))
        }
    })
}

#[test]
fn what_is_lacking_is_told_and_syncing_at_once_makes_it_level() {
    let family = Family::running("sync-status");
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);
    let (town, village) = (family.anjuan(TOWN), family.anjuan(VILLAGE));
    let case = village.register(MEDIATOR, &sealed, "边界之争");
    family.level(&[TOWN, VILLAGE]);
    let (peer, child) = until_level(town);
    assert!(
        peer["received_bytes"].as_u64() > Some(0) && peer["sent_bytes"].as_u64() > Some(0),
        "{peer}"
    );
    assert!(peer["round_trips"].as_u64() > Some(0), "{peer}");
    assert!(
        child["updates"].as_u64() > Some(0) && child["enrolled"] == true,
        "{child}"
    );
    assert!(child["last_received"].is_string(), "{child}");

    family.at(VILLAGE).uplink().cut();
    until("the town has noticed", || {
        let (peer, child) = village_at(town);
        let noticed = peer["connected"] == false && child["connected"] == false && child["level"].is_null();
        if noticed {
            Ok(())
        } else {
            Err(format!("{peer}\n{child}"))
        }
    });
    for number in 0..3 {
        town.message(CLERK, &case, &format!("第{number}条"));
    }
    let (peer, child) = village_at(town);
    assert_eq!(
        (&peer["lacks"], &child["lacks"]),
        (&3.into(), &3.into()),
        "{peer}\n{child}"
    );
    let failed = village.refusal(&["sync", "now", "--peer", TOWN, "--wait", "1"]);
    assert_eq!(failed.code, 10, "{failed:?}");
    assert_eq!(village.refusal(&["sync", "now", "--peer", "450921"]).code, 3);

    // Without waiting for the pause after so many failures.
    family.at(VILLAGE).uplink().restore();
    let synced = village.answer(&["sync", "now", "--wait", "60"]);
    assert_eq!(synced["level"], true, "{synced}");
    assert_eq!(
        village.show(&case)["line"]["updates"],
        town.show(&case)["line"]["updates"]
    );
    // What was recorded the moment before counts too.
    let message = village.message(MEDIATOR, &case, "村里:收到");
    village.answer(&["sync", "now", "--wait", "60"]);
    assert!(town.counted(&case).contains(&message));
    until_level(town);

    let stopped = Anjuan::at(family.folder().join("none"));
    assert_eq!(stopped.refusal(&["sync", "status"]).kind, "not-found");
}

#[test]
fn without_a_running_node_what_is_known_is_told_and_nothing_is_synced() {
    let family = Family::at_rest("sync-idle");
    let village = family.anjuan(VILLAGE);
    let status = village.answer(&["sync", "status"]);
    assert_eq!(status["running"], false);
    assert_eq!(status["peers"][0]["connected"], false, "{status}");
    assert_eq!(
        status["peers"][0]["unit"]["code"], TOWN,
        "known from before: {status}"
    );
    let refusal = village.refusal(&["sync", "now"]);
    assert!(
        refusal.code == 10 && refusal.hint.contains("serve"),
        "{refusal:?}"
    );
    assert_eq!(village.refusal(&["sync", "status", "--watch"]).code, 10);
    let metrics = village.answer(&["sync", "metrics"]);
    assert!(
        metrics["text"]
            .as_str()
            .is_some_and(|text| text.contains("anjuan_updates"))
    );
}

/// `--watch` where nobody but a program reads; killed when dropped.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn watching_prints_a_line_for_each_change() {
    let family = Family::running("sync-watch");
    let mut child = Command::new(program())
        .args(["--lang", "en", "--home"])
        .arg(family.anjuan(TOWN).home())
        .args(["sync", "status", "--watch"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = child.stdout.take().expect("a piped output");
    let _watching = Watching(child);
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let wait_for = |words: &[&str]| {
        let mut seen = Vec::new();
        loop {
            let line = lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {words:?}; seen: {seen:#?}"));
            if words.iter().all(|word| line.contains(word)) {
                return;
            }
            seen.push(line);
        }
    };
    wait_for(&["peer", VILLAGE, "level"]);
    family.at(VILLAGE).uplink().cut();
    wait_for(&["peer", VILLAGE, "not connected"]);
    family.at(VILLAGE).uplink().restore();
    wait_for(&["peer", VILLAGE, "level"]);
}

/// Samples by name and labels; what is wrong with the text otherwise.
fn parse(text: &str) -> Result<BTreeMap<String, f64>, String> {
    let mut samples = BTreeMap::new();
    let (mut helped, mut types) = (BTreeSet::new(), BTreeMap::new());
    if !text.ends_with('\n') {
        return Err("the last line does not end".into());
    }
    for line in text.lines() {
        let wrong = |what: &str| format!("{what}: {line:?}");
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').ok_or_else(|| wrong("no help"))?;
            if help.is_empty() || !helped.insert(name) {
                return Err(wrong("a name that is explained twice, or not"));
            }
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').ok_or_else(|| wrong("no type"))?;
            if !["gauge", "counter"].contains(&kind) || types.insert(name, kind).is_some() {
                return Err(wrong("a type that is unknown, or said twice"));
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').ok_or_else(|| wrong("no value"))?;
        let name = series.split('{').next().unwrap_or_default();
        let is_name =
            name.starts_with("anjuan_") && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let kind = types.get(name).ok_or_else(|| wrong("no type before it"))?;
        if !is_name || !helped.contains(name) || (*kind == "counter") != name.ends_with("_total") {
            return Err(wrong("not a good name"));
        }
        if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            let inner = labels
                .strip_prefix('{')
                .and_then(|labels| labels.strip_suffix("\"}"));
            let (label, value) = inner
                .and_then(|inner| inner.split_once("=\""))
                .ok_or_else(|| wrong("labels"))?;
            if label.is_empty() || value.contains(['"', '\\']) {
                return Err(wrong("labels"));
            }
        }
        let value = value.parse().map_err(|_| wrong("not a number"))?;
        if samples.insert(series.to_owned(), value).is_some() {
            return Err(wrong("twice"));
        }
    }
    Ok(samples)
}

/// Status and body of a GET.
fn get(home: &Anjuan, token: bool) -> (String, String) {
    let endpoint = Endpoint::read(home.home())
        .expect("a good endpoint")
        .expect("a running node");
    let mut stream = TcpStream::connect(endpoint.address()).expect("it listens");
    let token = match token {
        true => format!("Authorization: {}\r\n", endpoint.token.bearer()),
        false => String::new(),
    };
    let host = endpoint.address();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\n{token}\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), body.to_owned())
}

#[test]
fn a_monitoring_system_reads_the_figures() {
    let family = Family::running("metrics");
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);
    let town = family.anjuan(TOWN);
    assert!(
        get(town, false).0.starts_with("HTTP/1.1 401"),
        "not without the token"
    );
    let read = || {
        let (head, body) = get(town, true);
        assert!(
            head.starts_with("HTTP/1.1 200") && head.contains("version=0.0.4"),
            "{head}"
        );
        parse(&body).unwrap_or_else(|wrong| panic!("{wrong}\n{body}"))
    };
    let before = read();
    family.anjuan(VILLAGE).register(MEDIATOR, &sealed, "边界之争");
    family.level(&[CITY, COUNTY, TOWN, VILLAGE]);
    let after = until("the peers are level", || {
        let samples = read();
        let level = |kin: &str| samples[&format!("anjuan_peers_level{{peer=\"{kin}\"}}")];
        match (level("parent"), level("child")) {
            (1.0, 1.0) => Ok(samples),
            other => Err(format!("{other:?}")),
        }
    });
    for grown in [
        "anjuan_updates",
        "anjuan_documents{kind=\"case\"}",
        "anjuan_journal_end",
        "anjuan_sealed_items",
        "anjuan_sync_received_bytes_total{peer=\"child\"}",
        "anjuan_sync_sent_bytes_total{peer=\"parent\"}",
        "anjuan_sync_round_trips_total{peer=\"child\"}",
    ] {
        let then = before.get(grown).copied().unwrap_or_default();
        assert!(
            after.get(grown).is_some_and(|now| *now > then),
            "{grown}: {then}, {after:#?}"
        );
    }
    for (name, value) in [
        ("anjuan_waiting_updates", 0.0),
        ("anjuan_quarantined_updates", 0.0),
        ("anjuan_evidence", 0.0),
        ("anjuan_forked_logs", 0.0),
        ("anjuan_journal_stopped", 0.0),
        ("anjuan_peers_connected{peer=\"parent\"}", 1.0),
        ("anjuan_peers_connected{peer=\"mirror\"}", 0.0),
        ("anjuan_sync_sessions_refused_total", 0.0),
    ] {
        assert_eq!(after.get(name), Some(&value), "{name}");
    }
    assert!(after["anjuan_disk_free_bytes"] > 0.0);
}

#[test]
fn what_is_no_good_text_is_noticed() {
    let good = "# HELP anjuan_x X.\n# TYPE anjuan_x gauge\nanjuan_x 1\n";
    assert_eq!(parse(good).map(|samples| samples["anjuan_x"]), Ok(1.0));
    for wrong in [
        "anjuan_x 1\n",
        "# HELP anjuan_x X.\n# TYPE anjuan_x counter\nanjuan_x 1\n",
        "# HELP anjuan_x X.\n# TYPE anjuan_x gauge\nanjuan_x 1",
        "# HELP anjuan_x X.\n# TYPE anjuan_x gauge\nanjuan_x one\n",
        "# HELP anjuan_x X.\n# TYPE anjuan_x gauge\nanjuan_x{a} 1\n",
        "# HELP anjuan_x X.\n# TYPE anjuan_x gauge\nanjuan_x 1\nanjuan_x 1\n",
    ] {
        parse(wrong).expect_err(wrong);
    }
}
