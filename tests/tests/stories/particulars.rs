//! Who can read what identifies a person, where it stands, and that it goes.

use std::fs;
use std::path::Path;

use anjuan_tests::harness::wait::until;
use anjuan_tests::harness::{CHAIR, CITY, CLERK, COUNTY, Family, MEDIATOR, TOWN, VILLAGE, copy, parties};
use serde_json::Value;

const ALL: [&str; 4] = [CITY, COUNTY, TOWN, VILLAGE];
const NAME: &str = "黄无双";

#[test]
fn particulars_are_read_where_the_case_is_handled_and_erased_everywhere() {
    let family = Family::running("particulars");
    let (case, particulars) = registered(&family);
    let commitment = particulars[0]["commitment"].as_str().expect("a commitment");
    let held = |unit: &str| item(&family.anjuan(unit).show(&case), commitment);
    for (unit, readable) in [(VILLAGE, true), (TOWN, true), (COUNTY, false), (CITY, false)] {
        let item = held(unit);
        assert_eq!(
            item["held"], true,
            "every node on the way carries what is sealed: {unit} {item}"
        );
        assert_eq!(item["readable"], readable, "{unit} {item}");
    }
    let read = |unit: &str, operator: &str| {
        family
            .anjuan(unit)
            .run(&["case", "particulars", "read", &case, commitment, "--as", operator])
    };
    for (unit, operator) in [(VILLAGE, MEDIATOR), (TOWN, CLERK)] {
        let answer = read(unit, operator).answer().expect("particulars");
        assert_eq!(answer["particulars"]["person"]["name"], NAME, "at {unit}");
        assert_eq!(
            answer["disclosed_by"],
            Value::Null,
            "reading at {unit} is its work"
        );
    }
    for unit in [COUNTY, CITY] {
        let refusal = read(unit, CLERK).refusal().expect("a refusal");
        assert_eq!(refusal.code, 4, "{refusal:?}");
        assert!(refusal.hint.contains("--reason"), "{refusal:?}");
    }
    for unit in ALL {
        assert_eq!(
            files_with(family.anjuan(unit).home(), NAME),
            Vec::<String>::new(),
            "in the clear at {unit}"
        );
    }

    let erase = [
        "case",
        "particulars",
        "erase",
        &case,
        commitment,
        "--as",
        CHAIR,
        "--basis",
        "consent-withdrawn",
    ];
    let article = ["--reference", "个人信息保护法第四十七条"];
    let unsure = family.anjuan(VILLAGE).refusal(&[&erase[..], &article].concat());
    assert_eq!(
        unsure.code, 2,
        "there is no way back, so it has to be confirmed: {unsure:?}"
    );
    family
        .anjuan(VILLAGE)
        .answer(&[&erase[..], &article, &["--yes"]].concat());
    family.level(&ALL);
    for unit in ALL {
        until(&format!("it is erased at {unit}"), || {
            let item = held(unit);
            let gone = item["erased"] == true && item["held"] == false && item["readable"] == false;
            if gone { Ok(()) } else { Err(item.to_string()) }
        });
    }
    for (unit, operator) in [(VILLAGE, MEDIATOR), (TOWN, CLERK)] {
        let refusal = read(unit, operator).refusal().expect("a refusal");
        assert_eq!(refusal.code, 3, "at {unit}: {refusal:?}");
        assert!(refusal.message.contains("eras"), "at {unit}: {refusal:?}");
    }
    // The other party's stay, and the history holds.
    let other = particulars[1]["commitment"].as_str().expect("a commitment");
    assert_eq!(item(&family.anjuan(TOWN).show(&case), other)["readable"], true);
    family.verify();
}

/// The event was durable, and the power went before what it orders was done: the keystore is as it was before.
#[test]
fn an_erasure_that_was_cut_off_is_carried_out_at_the_next_start() {
    let mut family = Family::running("erasure-cut-off");
    let (case, particulars) = registered(&family);
    let commitment = particulars[0]["commitment"].as_str().expect("a commitment");

    let keystore = family.anjuan(TOWN).home().join("keystore");
    let before = family.folder().join("keystore-before");
    family.stop(TOWN);
    copy(&keystore, &before);
    family.start(TOWN);
    let erase = ["case", "particulars", "erase", &case, commitment, "--as", CHAIR];
    let why = [
        "--basis",
        "consent-withdrawn",
        "--reference",
        "个人信息保护法第四十七条",
        "--yes",
    ];
    family.anjuan(VILLAGE).answer(&[&erase[..], &why].concat());
    family.level(&ALL);
    let held = |family: &Family| item(&family.anjuan(TOWN).show(&case), commitment)["held"] == true;
    until("it is erased", || {
        if held(&family) { Err("held".into()) } else { Ok(()) }
    });

    family.stop(TOWN);
    fs::remove_dir_all(&keystore).expect("removed");
    copy(&before, &keystore);
    assert!(held(&family), "the event is there, and so is what it erases");
    family.start(TOWN);
    until("it is erased again", || {
        if held(&family) { Err("held".into()) } else { Ok(()) }
    });
    let other = particulars[1]["commitment"].as_str().expect("a commitment");
    assert_eq!(item(&family.anjuan(TOWN).show(&case), other)["readable"], true);
}

/// A case of two parties that all four know, and what is sealed of them.
fn registered(family: &Family) -> (String, Value) {
    let sealed = family.folder().join("parties.json");
    parties(&sealed, [NAME, "李乙"]);
    let case = family.anjuan(VILLAGE).register(MEDIATOR, &sealed, "相邻排水");
    family.level(&ALL);
    let particulars = family.anjuan(VILLAGE).show(&case)["particulars"].clone();
    (case, particulars)
}

#[track_caller]
fn item(detail: &Value, commitment: &str) -> Value {
    let mut items = detail["particulars"].as_array().into_iter().flatten();
    let found = items.find(|item| item["commitment"] == commitment);
    found
        .cloned()
        .unwrap_or_else(|| panic!("no {commitment} in {detail}"))
}

/// The files of a home in which a text stands.
fn files_with(home: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(home).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
        {
            found.push(path.display().to_string());
        }
    }
    found
}
