//! Particulars that a real node discloses into a bundle: on purpose, signed for in each case, and bound to
//! what the case committed to.

use std::fs;
use std::path::Path;

use anjuan_tests::bundle::{parts, resealed};
use anjuan_tests::harness::{
    Anjuan, CHAIR, CITY, CLERK, COUNTY, Family, Folder, MEDIATOR, Ran, TOWN, VILLAGE, parties,
};
use serde_json::Value;

const NAMES: [&str; 2] = ["黄某甲", "李某乙"];
const REASON: &str = "审计法第三十六条,桂审〔2026〕12号";
const DISCLOSED: u8 = 9;

fn export(anjuan: &Anjuan, out: &Path, more: &[&str]) -> Ran {
    let out = out.to_str().expect("UTF-8");
    let args = ["audit", "export", "--all", "--payloads", "--out", out];
    anjuan.run(&[&args[..], more].concat())
}

fn verify(bundle: &Path, root: &Path, more: &[&str]) -> (Option<i32>, Value, Ran) {
    let nowhere = Folder::new("auditor");
    let (bundle, root) = (bundle.to_str().expect("UTF-8"), root.to_str().expect("UTF-8"));
    let args = [&["audit", "verify", bundle, "--root", root][..], more].concat();
    let ran = Anjuan::at(nowhere.path()).run(&args);
    let report = serde_json::from_str(ran.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {ran}"));
    (ran.status.code(), report, ran)
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn commitments(report: &Value) -> &Value {
    let checks = report["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["check"] == "commitments");
    &check.expect("the check")["worst"]
}

/// Events of a kind in a case, that count, with who signed.
fn events(anjuan: &Anjuan, case: &str, kind: &str) -> usize {
    let history = anjuan.answer(&["case", "history", case]);
    let entries = history["entries"].as_array().into_iter().flatten();
    let of_kind = entries.filter(|entry| entry["event"] == kind && entry["standing"] == "counts");
    of_kind.count()
}

#[test]
fn particulars_are_disclosed_on_purpose_alone_and_a_swapped_one_is_found() {
    let family = Family::running("disclosed");
    let papers = family.folder().join("parties.json");
    parties(&papers, NAMES);
    let case = family.anjuan(VILLAGE).register(MEDIATOR, &papers, "相邻排水");
    family.level(&[CITY, COUNTY, TOWN, VILLAGE]);
    let file = |name: &str| family.folder().join(name);
    let root = family.anjuan(TOWN).home().join("root.cert");
    let disclose = |operator| ["--disclose", "--reason", REASON, "--as", operator];

    // Not by itself, not without a reason, not by somebody who may not, not where there is nothing to open.
    let plain = file("plain.audit");
    let done = export(family.anjuan(TOWN), &plain, &[]);
    let done = done.answer().expect("exported");
    assert_eq!((&done["disclosed"], &done["undisclosed"]), (&0.into(), &0.into()));
    let bytes = fs::read(&plain).expect("a bundle");
    assert!(NAMES.iter().all(|name| !has(&bytes, name)));
    let (_, report, _) = verify(&plain, &root, &["--particulars"]);
    assert_eq!(report["disclosures"], Value::Array(Vec::new()));

    let refused = file("refused.audit");
    let code = |ran: Ran| ran.refusal().map(|refusal| refusal.code);
    assert_eq!(
        code(export(family.anjuan(TOWN), &refused, &["--disclose"])),
        Some(2)
    );
    let blank = ["--disclose", "--reason", " ", "--as", CLERK];
    assert_eq!(code(export(family.anjuan(TOWN), &refused, &blank)), Some(2));
    assert_eq!(
        code(export(family.anjuan(TOWN), &plain, &disclose(CLERK))),
        Some(2)
    );
    assert_eq!(
        code(export(family.anjuan(VILLAGE), &refused, &disclose(CHAIR))),
        Some(4)
    );
    assert!(!refused.exists());
    let at_county = export(family.anjuan(COUNTY), &refused, &disclose(CLERK));
    let at_county = at_county.answer().expect("exported");
    assert_eq!(
        (&at_county["disclosed"], &at_county["undisclosed"]),
        (&0.into(), &2.into()),
        "what is not sealed for the county stays closed"
    );
    assert!(
        NAMES
            .iter()
            .all(|name| !has(&fs::read(&refused).expect("a bundle"), name))
    );
    for unit in [TOWN, COUNTY] {
        assert_eq!(events(family.anjuan(unit), &case, "ParticularsDisclosed"), 0);
    }

    let out = file("disclosed.audit");
    let done = export(family.anjuan(TOWN), &out, &disclose(CLERK));
    let done = done.answer().expect("exported");
    assert_eq!((&done["disclosed"], &done["undisclosed"]), (&2.into(), &0.into()));
    family.level(&[CITY, COUNTY, TOWN, VILLAGE]);
    for unit in [CITY, COUNTY, TOWN, VILLAGE] {
        assert_eq!(
            events(family.anjuan(unit), &case, "ParticularsDisclosed"),
            1,
            "whoever holds the case sees it: {unit}"
        );
    }

    // The report says by whom and why; what, only when it is asked for.
    let (code, report, ran) = verify(&out, &root, &[]);
    assert_eq!(
        code,
        Some(0),
        "witnesses saw the event before the bundle was written: {ran}"
    );
    assert_eq!(commitments(&report), "note", "{ran}");
    let told = report["disclosures"].as_array().expect("disclosures");
    assert_eq!(told.len(), 2, "{ran}");
    for one in told {
        assert_eq!(
            (&one["by"], &one["by_unit"]),
            (&"梁镇".into(), &TOWN.into()),
            "{one}"
        );
        assert_eq!(
            (&one["reason"], &one["document"]),
            (&REASON.into(), &(*case).into()),
            "{one}"
        );
    }
    assert!(NAMES.iter().all(|name| !ran.stdout.contains(name)), "{ran}");
    let page = file("report.html");
    let html = ["--particulars", "--html", page.to_str().expect("UTF-8")];
    let (_, report, ran) = verify(&out, &root, &html);
    let names: Vec<_> = report["disclosures"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| one["particulars"]["person"]["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, NAMES, "{ran}");
    let page = fs::read_to_string(page).expect("a page");
    assert!(NAMES.iter().all(|name| page.contains(name)) && page.contains(REASON));

    // Swapped under their commitment.
    let bundle = fs::read(&out).expect("a bundle");
    let disclosed: Vec<_> = parts(&bundle)
        .into_iter()
        .filter(|(_, tag, _)| *tag == DISCLOSED)
        .collect();
    assert_eq!(disclosed.len(), 2);
    let name = NAMES[0].as_bytes();
    let at = bundle.windows(name.len()).position(|window| window == name);
    let mut swapped = bundle;
    swapped[at.expect("the name") + 2] ^= 1;
    let forged = file("forged.audit");
    fs::write(&forged, resealed(swapped)).expect("written");
    let (code, report, ran) = verify(&forged, &root, &["--particulars"]);
    assert_eq!((code, commitments(&report)), (Some(5), &"forged".into()), "{ran}");
    let told = &report["disclosures"][0];
    assert_eq!(
        told["particulars"],
        Value::Null,
        "what is false is not shown: {told}"
    );
}
