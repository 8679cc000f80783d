//! An auditor's own node: it follows a county, opens nothing that is sealed, records nothing, keeps what it saw,
//! and says at once when a node no longer goes with what it showed before.

use std::fs;
use std::path::{Path, PathBuf};

use anjuan_node::evidence::checkpoint::SignedCheckpoint;
use anjuan_node::evidence::merkle::TreeHead;
use anjuan_node::evidence::name::Origin;
use anjuan_node::keys::{KdfCost, KeyStore};
use anjuan_sync::transport::PeerAddr;
use anjuan_sync::{NetworkId, hash};
use anjuan_tests::harness::wait::until;
use anjuan_tests::harness::{Anjuan, CHAIR, COUNTY, Family, MEDIATOR, Node, TOWN, VILLAGE, parties};
use serde_json::Value;

use super::witnesses::{ask, cosign, digits, doctor, findings, names, text};

fn level(what: &str, homes: [&Anjuan; 2]) {
    until(what, || {
        let mut digests = Vec::new();
        for home in homes {
            let ran = home.run(&["status", "--scope", COUNTY]);
            let status = ran.answer().map_err(|_| ran.to_string())?;
            digests.push(status["digest"].to_string());
        }
        match digests[0] == digests[1] {
            true => Ok(()),
            false => Err(digests.join("\n")),
        }
    });
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

#[test]
fn an_auditors_node_follows_keeps_what_it_saw_and_tells_of_a_rewritten_journal() {
    let mut family = Family::running("auditor");
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);
    let village = family.anjuan(VILLAGE).clone();
    let before = village.register(MEDIATOR, &sealed, "审计之前");

    // Invited by the county; it dials all of the line.
    let county = family.anjuan(COUNTY).clone();
    let both = ["invite", "--unit", COUNTY, "--auditor", "--standby"];
    assert_eq!(county.unlocking().refusal(&both).code, 2);
    let invitation = county
        .unlocking()
        .answer(&["invite", "--unit", COUNTY, "--auditor"]);
    let auditor = Anjuan::at(family.folder().join("auditor"));
    let joined = auditor.answer(&["join", text(&invitation["ticket"])]);
    assert_eq!(
        (&joined["auditor"], &joined["standby"], &joined["unit"]["code"]),
        (&true.into(), &false.into(), &COUNTY.into())
    );
    for unit in [COUNTY, TOWN, VILLAGE] {
        let node = family.at(unit).node();
        auditor.answer(&["peer", "add", &node.multiaddress(node.address())]);
    }
    let node = Node::start(&auditor, &[]);
    level("the auditor has what the county has", [&auditor, &county]);

    // It sees every case, and opens nothing.
    let after = village.register(MEDIATOR, &sealed, "审计之后");
    family.level(&[COUNTY, TOWN, VILLAGE]);
    level("the auditor follows", [&auditor, &county]);
    assert_eq!(auditor.answer(&["status"])["auditor"], true);
    for case in [&before, &after] {
        assert_eq!(auditor.counted(case), village.counted(case));
        let item = auditor.show(case)["particulars"][0].clone();
        assert_eq!((&item["held"], &item["readable"]), (&true.into(), &false.into()));
        assert_eq!(family.anjuan(TOWN).show(case)["particulars"][0]["readable"], true);
    }

    // Nothing is recorded or certified there.
    let at_auditor = auditor.unlocking();
    let records: [&[&str]; 4] = [
        &["case", "message", &after, "--text", "不该登记", "--as", CHAIR],
        &["operator", "add", "eve", "--label", "某", "--role", "auditor"],
        &["invite", "--unit", TOWN],
        &["operator", "revoke", "0000", "--reason", "不该吊销", "--yes"],
    ];
    for args in records {
        let refused = at_auditor.refusal(args);
        assert!(matches!(refused.code, 2 | 4), "{args:?}: {refused:?}");
    }
    let refused = at_auditor.refusal(records[0]);
    assert!(refused.message.contains("auditor's node"), "{refused:?}");

    // It witnesses, and keeps a checkpoint of each day.
    let checkpoint = until("the auditor cosigns all that the village has", || {
        let status = village.answer(&["status"]);
        let checkpoint = &status["checkpoint"];
        let cosigned = &checkpoint["cosigned"];
        let mut by = cosigned["witnesses"].as_array().into_iter().flatten();
        let by = by.any(|witness| witness["unit"]["code"] == COUNTY);
        match by && cosigned["size"] == status["store"]["journal_records"] {
            true => Ok(checkpoint.clone()),
            false => Err(status.to_string()),
        }
    });
    let seen = auditor.home().join("evidence/seen");
    let of_village = files(&seen.join(VILLAGE));
    let [kept] = &of_village[..] else {
        panic!("a checkpoint of the village for this day: {of_village:?}");
    };
    let note = fs::read(kept).expect("a note");
    let shown = SignedCheckpoint::parse(&note).expect("a checkpoint");
    assert_eq!(shown.unverified().origin().to_string(), text(&checkpoint["log"]));
    assert_eq!(files(&seen.join(TOWN)).len(), 1);

    // What it kept is what a bundle is compared with.
    let (bundle, root) = (
        family.folder().join("village.audit"),
        auditor.home().join("root.cert"),
    );
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    village.answer(&[
        "audit",
        "export",
        "--all",
        "--payloads",
        "--since",
        &path(kept),
        "--out",
        &path(&bundle),
    ]);
    let report = auditor.run(&[
        "audit",
        "verify",
        &path(&bundle),
        "--root",
        &path(&root),
        "--since",
        &path(kept),
    ]);
    let report: Value = serde_json::from_str(report.stdout.trim()).expect("a report");
    let checks = report["checks"].as_array().into_iter().flatten();
    let since = checks.filter(|check| check["check"] == "since");
    let since: Vec<_> = since
        .map(|check| (&check["looked_at"], &check["worst"]))
        .collect();
    assert_eq!(since, [(&1.into(), &Value::Null)], "{report}");
    assert_eq!(doctor(&auditor).1, 0, "{}", doctor(&auditor).0);

    // The village's journal is rewritten: another history of the same length; one that is shorter, from which
    // something vanished; one that goes on from elsewhere.
    let network = NetworkId::from_bytes(digits(text(&village.answer(&["status"])["network"])));
    family.stop(VILLAGE);
    let keys = KeyStore::new(village.home().join("keys"), KdfCost::STANDARD);
    let key = keys.node().expect("the node's key").signing_key().clone();
    let origin: Origin = text(&checkpoint["log"]).parse().expect("a log's name");
    let size = checkpoint["size"].as_u64().expect("a size");
    let root = hash::sha256(b"another history");
    let address: PeerAddr = node.multiaddress(node.address()).parse().expect("an address");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for (conflict, new) in [(0, size), (1, size - 1), (2, size + 1)] {
        let question = cosign(&origin, TreeHead { size: new, root }, size, &key);
        let answer = runtime.block_on(ask(&key, network, &address, question));
        assert_eq!(
            answer[..6],
            [0x82, 1, 0x82, 4, 0x82, conflict],
            "{}",
            hex::encode(&answer)
        );
    }

    // It says so in every way there is, and has both as proof.
    let (diagnosis, code) = doctor(&auditor);
    let told = findings(&diagnosis, "conflict");
    assert_eq!((code, told.len()), (11, 3), "{diagnosis}");
    for (finding, words) in told.iter().zip(["two roots", "shorter", "continue"]) {
        let what = text(&finding["what"]["en"]);
        assert!(what.contains(VILLAGE) && what.contains(words), "{what}");
    }
    let status = auditor.answer(&["status"]);
    let warned = status["warnings"].as_array().into_iter().flatten();
    let of_village = warned.filter(|warning| text(&warning["en"]).starts_with("checkpoints of 450902001001"));
    assert_eq!(of_village.count(), 3, "{status}");
    let metrics = auditor.answer(&["sync", "metrics"]);
    assert!(
        text(&metrics["text"])
            .lines()
            .any(|line| line == "anjuan_checkpoint_conflicts 3"),
        "{metrics}"
    );
    let log = fs::read_to_string(auditor.home().with_extension("log")).expect("a log");
    assert_eq!(log.matches("checkpoints do not go together").count(), 3, "{log}");
    let evidence = auditor.home().join("evidence/witness");
    for kind in ["two-roots", "went-back", "not-continued"] {
        let file = names(&evidence).into_iter().find(|name| name.ends_with(kind));
        let proof = fs::read_to_string(evidence.join(file.expect("kept"))).expect("readable");
        assert_eq!(
            proof.matches(text(&checkpoint["log"])).count(),
            4,
            "{kind}: {proof}"
        );
    }
    assert_eq!(
        fs::read(kept).expect("a note"),
        note,
        "nothing replaces what was seen"
    );
    until("the county has heard of it from the auditor", || {
        let (diagnosis, _) = doctor(&county);
        match findings(&diagnosis, "conflict").len() {
            3 => Ok(()),
            _ => Err(diagnosis.to_string()),
        }
    });
    assert!(
        !auditor.counted(&after).is_empty(),
        "and it has what was recorded"
    );
    auditor.verify();
    node.stop();
}
