//! The same with the real program: a node exports, an auditor without a home verifies.

use std::path::Path;

use anjuan_tests::harness::{Anjuan, Family, Folder, Ran, Snapshot, VILLAGE, parties};
use serde_json::Value;

fn verify(auditor: &Anjuan, bundle: &Path, root: &Path, more: &[&str]) -> (Option<i32>, Ran) {
    let (bundle, root) = (bundle.to_str().expect("UTF-8"), root.to_str().expect("UTF-8"));
    let args = [&["audit", "verify", bundle, "--root", root][..], more].concat();
    let ran = auditor.run(&args);
    (ran.status.code(), ran)
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(ran.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

#[test]
fn a_node_exports_and_an_auditor_verifies_without_a_home() {
    let mut family = Family::at_rest("audit");
    let folder = Folder::new("auditor");
    let papers = folder.join("parties.json");
    parties(&papers, ["黄某甲", "李某乙"]);
    let unlocked = family.anjuan(VILLAGE).unlocking();
    let case = unlocked.register("mediator", &papers, "<b>相邻通行</b>");
    unlocked.message("mediator", &case, "第一次联系");
    let root = family.anjuan(VILLAGE).home().join("root.cert");
    let (all, one) = (folder.join("all.audit"), folder.join("one.audit"));
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let done =
        family
            .anjuan(VILLAGE)
            .answer(&["audit", "export", "--all", "--payloads", "--out", &path(&all)]);
    assert_eq!(
        (&done["documents"], &done["records"]),
        (&Value::from(1), &done["shown"])
    );
    let again = family
        .anjuan(VILLAGE)
        .refusal(&["audit", "export", "--all", "--out", &path(&all)]);
    assert_eq!(again.code, 2, "{again:?}");

    // In an empty folder that stays empty.
    let nowhere = Folder::new("nowhere");
    let auditor = Anjuan::at(nowhere.path());
    let (code, ran) = verify(&auditor, &all, &root, &[]);
    let report = json(&ran);
    // Its parents cosigned while it ran; what it recorded since, nobody has.
    assert_eq!(
        (code, report["verdict"].as_str()),
        (Some(3), Some("VERIFIED-WITH-GAPS")),
        "{ran}"
    );
    assert_eq!(report["findings"][0]["check"], "witnesses", "{ran}");
    let strict = folder.join("strict.toml");
    std::fs::write(&strict, "quorum = 9").expect("written");
    let (code, ran) = verify(&auditor, &all, &root, &["--policy", &path(&strict)]);
    let report = json(&ran);
    assert_eq!(
        (code, report["verdict"].as_str()),
        (Some(4), Some("UNPROVEN")),
        "{ran}"
    );
    assert_eq!(report["findings"][0]["check"], "witnesses", "{ran}");
    let policy = folder.join("policy.toml");
    std::fs::write(&policy, "quorum = 0").expect("written");
    let page = folder.join("report.html");
    let (code, ran) = verify(
        &auditor,
        &all,
        &root,
        &["--policy", &path(&policy), "--html", &path(&page)],
    );
    let report = json(&ran);
    assert_eq!(
        (code, report["verdict"].as_str()),
        (Some(3), Some("VERIFIED-WITH-GAPS")),
        "{ran}"
    );
    assert_eq!(report["stories"][0]["document"], case.as_str());
    let html = std::fs::read_to_string(&page).expect("a page");
    assert!(html.contains("VERIFIED-WITH-GAPS") && html.contains("<svg") && html.contains(&case));
    assert!(html.contains("&lt;b&gt;相邻通行&lt;/b&gt;") && !html.contains("<b>相邻通行"));
    assert!(
        !html.contains("<script") && !html.contains("http"),
        "it loads nothing"
    );
    let bytes = std::fs::read(&all).expect("a bundle");
    for name in ["黄某甲", "李某乙", "13800138000"] {
        assert!(
            !bytes.windows(name.len()).any(|window| window == name.as_bytes()),
            "{name} is in the bundle"
        );
    }
    assert!(
        Snapshot::of(nowhere.path()).is_empty(),
        "verifying wrote to the folder"
    );
    let (_, same) = verify(&auditor, &all, &root, &["--policy", &path(&policy)]);
    assert_eq!(same.stdout, ran.stdout);

    // From the node as it runs, of one case.
    family.start(VILLAGE);
    let done = family
        .anjuan(VILLAGE)
        .answer(&["audit", "export", "--case", &case, "--out", &path(&one)]);
    assert!(done["shown"].as_u64() <= done["records"].as_u64(), "{done}");
    let (code, ran) = verify(&auditor, &one, &root, &["--policy", &path(&policy)]);
    assert_eq!(code, Some(3), "{ran}");

    // What is no bundle, no root, or not there.
    for (bundle, root) in [(&root, &root), (&all, &all), (&folder.join("none"), &root)] {
        let (code, ran) = verify(&auditor, bundle, root, &[]);
        assert_eq!((code, ran.stdout.as_str()), (Some(2), ""), "{ran}");
    }
    let mut changed = bytes;
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(&all, changed).expect("written");
    assert_eq!(
        verify(&auditor, &all, &root, &["--policy", &path(&policy)]).0,
        Some(4)
    );
}
