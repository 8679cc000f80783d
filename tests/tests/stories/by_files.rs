//! Enrolment where there is no network: a request and a grant, carried as files.

use anjuan_tests::harness::{Anjuan, CITY, COUNTY, Folder, PASSPHRASE, Snapshot, parties};

#[test]
fn a_county_joins_by_files() {
    let folder = Folder::new("files");
    let [request, grant, sealed] = ["county.request", "county.grant", "parties.json"]
        .map(|name| folder.join(name).display().to_string());
    let city = Anjuan::at(folder.join(CITY)).unlocking();
    let county = Anjuan::at(folder.join(COUNTY)).unlocking();
    let founded = city.answer(&["init", "--unit", CITY]);

    let asked = county.answer(&["join", "--request", &request, "--unit", COUNTY]);
    // Not a home before it is granted.
    assert_eq!(county.refusal(&["status"]).kind, "not-found");
    // The same keys ask a second time; what is written is never written over.
    let taken = county.refusal(&["join", "--request", &request, "--unit", COUNTY]);
    assert_eq!(taken.code, 2, "{taken:?}");
    let again = format!("{request}.again");
    let repeated = county.answer(&["join", "--request", &again, "--unit", COUNTY]);
    assert_eq!(repeated["fingerprint"], asked["fingerprint"]);

    // Nobody is there to compare the fingerprint, so it has to be said that it was.
    let unconfirmed = city.refusal(&["invite", "--sign", &request, "--out", &grant]);
    assert_eq!(unconfirmed.code, 2, "{unconfirmed:?}");
    assert!(unconfirmed.hint.contains("--yes"), "{unconfirmed:?}");
    let signed = city.answer(&["invite", "--sign", &request, "--out", &grant, "--yes"]);
    assert_eq!(signed["fingerprint"], asked["fingerprint"], "{signed}");

    let joined = county.answer(&["join", "--grant", &grant]);
    assert_eq!(joined["network"], founded["network"]);
    assert_eq!(joined["unit"]["code"], COUNTY);
    assert_eq!(joined["parent"], serde_json::Value::Null);
    let whole = Snapshot::of(county.home());
    let twice = county.refusal(&["join", "--grant", &grant]);
    assert_eq!(twice.code, 2, "{twice:?}");
    assert_eq!(
        whole.differences(&Snapshot::of(county.home())),
        Vec::<String>::new()
    );

    // It works as one that joined over the network.
    county.answer(&[
        "operator",
        "add",
        "clerk",
        "--label",
        "覃县",
        "--role",
        "judicial-clerk",
    ]);
    parties(sealed.as_ref(), ["黄甲", "李乙"]);
    county.register("clerk", sealed.as_ref(), "县里直接登记");
    county.verify();
    city.verify();
}

#[test]
fn what_was_signed_for_somebody_else_is_refused() {
    let folder = Folder::new("swapped");
    let city = Anjuan::at(folder.join(CITY)).unlocking();
    city.answer(&["init", "--unit", CITY]);
    let path = |name: &str| folder.join(name).display().to_string();
    let [ours, theirs, grant] = [path("ours"), path("theirs"), path("grant")];
    let county = Anjuan::at(folder.join("county")).unlocking();
    let other = Anjuan::at(folder.join("other")).unlocking_with(&format!("{PASSPHRASE} 2"));
    county.answer(&["join", "--request", &ours, "--unit", COUNTY]);
    other.answer(&["join", "--request", &theirs, "--unit", "450921"]);
    city.answer(&["invite", "--sign", &theirs, "--out", &grant, "--yes"]);

    let before = Snapshot::of(county.home());
    let refusal = county.refusal(&["join", "--grant", &grant]);
    assert_eq!(
        (refusal.code, refusal.kind.as_str()),
        (6, "refused"),
        "{refusal:?}"
    );
    assert_eq!(
        before.differences(&Snapshot::of(county.home())),
        Vec::<String>::new()
    );

    // A request that was changed on its way is not signed.
    let mut bytes = std::fs::read(&ours).expect("the request");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let changed = path("changed");
    std::fs::write(&changed, bytes).expect("a changed request");
    let refusal = city.refusal(&["invite", "--sign", &changed, "--yes"]);
    assert!([2, 6].contains(&refusal.code), "{refusal:?}");
    assert!(!folder.join("changed.grant").exists());
    // Nor is a file that is none.
    std::fs::write(&changed, "not a request").expect("a file");
    let refusal = city.refusal(&["invite", "--sign", &changed, "--yes"]);
    assert!([2, 6].contains(&refusal.code), "{refusal:?}");
}
