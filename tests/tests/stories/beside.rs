//! A witness outside the chain of command: a node of another county, with which nothing else is shared. An
//! auditor who asks for it gets VERIFIED with it, and UNPROVEN without.

use std::fs;
use std::path::{Path, PathBuf};

use anjuan_tests::harness::wait::until;
use anjuan_tests::harness::{Anjuan, CITY, CLERK, COUNTY, Family, Folder, Node, Ran};
use serde_json::Value;

/// 福绵区, another county of the city.
const BESIDE: &str = "450903";

/// Sets a line of a home's settings.
fn set(anjuan: &Anjuan, name: &str, values: &[&str]) {
    let path = anjuan.home().join("config.toml");
    let text = fs::read_to_string(&path).expect("settings");
    let others = text.lines().filter(|line| !line.starts_with(&format!("{name} ")));
    let others: Vec<_> = others.collect();
    fs::write(path, format!("{name} = {values:?}\n{}\n", others.join("\n"))).expect("written");
}

fn audit(county: &Anjuan, file: &Path, policy: &Path) -> (Option<i32>, Value) {
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    county.answer(&["audit", "export", "--all", "--payloads", "--out", &path(file)]);
    let root = path(&county.home().join("root.cert"));
    let nowhere = Folder::new("auditor");
    let (file, policy) = (path(file), path(policy));
    let args = ["audit", "verify", &file, "--root", &root, "--policy", &policy];
    let ran: Ran = Anjuan::at(nowhere.path()).run(&args);
    let report = serde_json::from_str(ran.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {ran}"));
    (ran.status.code(), report)
}

/// Waits until this unit cosigned everything that is in the county's journal.
fn cosigned(county: &Anjuan, unit: &str) {
    until(&format!("the county is cosigned by {unit}"), || {
        let status = county.answer(&["status"]);
        let (checkpoint, records) = (&status["checkpoint"], &status["store"]["journal_records"]);
        let cosigned = &checkpoint["cosigned"];
        let mut by = cosigned["witnesses"].as_array().into_iter().flatten();
        let by = by.any(|witness| witness["unit"]["code"] == unit);
        match by && cosigned["size"] == *records {
            true => Ok(()),
            false => Err(status.to_string()),
        }
    });
}

fn peer<'s>(status: &'s Value, id: &str) -> Option<&'s Value> {
    let mut peers = status["peers"].as_array()?.iter();
    peers.find(|peer| peer["peer_id"] == id)
}

#[test]
fn a_node_of_another_county_witnesses_and_shares_nothing() {
    let mut family = Family::at_rest("beside");
    family.start(CITY);
    family.start(COUNTY);
    let folder = family.folder().to_owned();
    let file = |name: &str| -> PathBuf { folder.join(name) };
    let policy = file("policy.toml");
    fs::write(&policy, format!("quorum = 1\nwitnesses = [\"{BESIDE}\"]\n")).expect("written");

    // The other county joins, and is told nothing yet of whom it witnesses.
    let city = family.anjuan(CITY).clone();
    let invitation = city.unlocking().answer(&["invite", "--unit", BESIDE]);
    let ticket = invitation["ticket"].as_str().expect("a ticket");
    let beside = Anjuan::at(file("beside"));
    beside.unlocking().answer(&["join", ticket]);
    let witness = Node::start(&beside, &[]);
    let id = witness.peer_id().to_owned();

    let county = family.anjuan(COUNTY).clone();
    cosigned(&county, CITY);
    let (code, report) = audit(&county, &file("without.audit"), &policy);
    assert_eq!(
        (code, &report["verdict"]),
        (Some(4), &"UNPROVEN".into()),
        "{report}"
    );
    assert_eq!(report["findings"][0]["check"], "witnesses", "{report}");

    family.stop(COUNTY);
    set(&county, "witnesses", &[&witness.multiaddress(witness.address())]);
    family.start(COUNTY);
    until("the county is kept out where it is not named", || {
        let status = beside.answer(&["status"]);
        let told = fs::read_to_string(beside.home().with_extension("log")).expect("a log");
        match told.contains("session refused") && told.contains("neither above nor below") {
            true => Ok(()),
            false => Err(status.to_string()),
        }
    });

    // Named there, it is let in: to ask and be asked.
    witness.stop();
    set(&beside, "witness_for", &[COUNTY]);
    let witness = Node::start(&beside, &[]);
    family.stop(COUNTY);
    set(&county, "witnesses", &[&witness.multiaddress(witness.address())]);
    family.start(COUNTY);
    cosigned(&county, BESIDE);
    let case = county.answer(&[
        "case",
        "register",
        "--as",
        CLERK,
        "--source",
        "applied",
        "--category",
        "neighbours",
        "--brief",
        "跨界排水",
        "--facts",
        "排水沟改道",
        "--party",
        &parties(&file("parties.json")),
    ]);
    let case = case["document"].as_str().expect("a document");
    cosigned(&county, BESIDE);
    let (code, report) = audit(&county, &file("with.audit"), &policy);
    assert_eq!(
        (code, &report["verdict"]),
        (Some(0), &"VERIFIED".into()),
        "{report}"
    );

    // It holds nothing of the county but what it cosigned.
    let listed = beside.answer(&["case", "list"]);
    assert!(!listed.to_string().contains(case), "{listed}");
    let status = beside.answer(&["status"]);
    assert_eq!(status["store"]["updates"], 0, "{status}");
    assert_eq!(status["store"]["sealed"], 0, "{status}");
    let status = county.answer(&["status"]);
    let told = peer(&status, &id).expect("the witness is a peer");
    assert_eq!(
        (&told["unit"]["code"], &told["connected"], &told["received"]),
        (&BESIDE.into(), &true.into(), &0.into()),
        "{told}"
    );
    // And the county was not made to witness it in turn.
    let witness_log = beside.answer(&["status"])["checkpoint"]["log"].clone();
    let kept = fs::read_dir(county.home().join("evidence/witness")).expect("a folder");
    let notes = kept.map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("text"));
    let log = witness_log.as_str().expect("a log");
    assert!(!notes.into_iter().any(|note| note.starts_with(log)));
    assert_eq!(county.run(&["doctor"]).status.code(), Some(0));
    county.verify();
    beside.verify();
    witness.stop();
}

fn parties(file: &Path) -> String {
    anjuan_tests::harness::parties(file, ["黄甲", "李乙"]);
    file.to_str().expect("UTF-8").to_owned()
}
