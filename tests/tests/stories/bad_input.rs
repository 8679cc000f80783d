//! What cannot be: each is refused with its kind's exit code, in words that name what and what to do, and
//! nothing is written by half.

use std::fs;
use std::path::Path;

use anjuan_node::enrol::{Joining, Ticket};
use anjuan_sync::Timestamp;
use anjuan_tests::harness::{
    Anjuan, CHAIR, CITY, Family, Folder, MEDIATOR, PASSPHRASE, Refusal, Snapshot, VILLAGE, parties, words,
};
use rand::rng;
use serde_json::json;

/// A county of Yulin that no family has.
const RONG: &str = "450921";

/// What is asked, what it is refused as, and words that the message and the hint have to have.
type Row<'a> = (&'a str, &'a str, &'a [&'a str], &'a [&'a str]);

/// The exit code of a kind, as scripts know it.
fn code(kind: &str) -> i32 {
    match kind {
        "usage" => 2,
        "not-found" => 3,
        "forbidden" => 4,
        "locked" => 5,
        "refused" => 6,
        "busy" => 7,
        "damaged" => 8,
        "network" => 10,
        other => panic!("no kind of error that is expected here: {other}"),
    }
}

#[track_caller]
fn check(refusal: &Refusal, kind: &str, says: &[&str], hints: &[&str]) {
    assert_eq!(
        (refusal.kind.as_str(), refusal.code),
        (kind, code(kind)),
        "{refusal:?}"
    );
    for word in says {
        assert!(
            refusal.message.contains(word),
            "no {word:?} in the message: {refusal:?}"
        );
    }
    for word in hints {
        assert!(
            refusal.hint.contains(word),
            "no {word:?} in the hint: {refusal:?}"
        );
    }
    assert!(!refusal.message_zh.is_empty(), "{refusal:?}");
    assert!(!refusal.stderr.contains("panicked"), "{refusal:?}");
}

/// Asks each, and finds the home as it was.
#[track_caller]
fn refuse(anjuan: &Anjuan, rows: &[Row<'_>]) {
    let before = Snapshot::of(anjuan.home());
    for (line, kind, says, hints) in rows {
        let refusal = anjuan.refusal(&words(line));
        eprintln!("{line}: {} / {}", refusal.message, refusal.hint);
        check(&refusal, kind, says, hints);
    }
    let changed = before.differences(&Snapshot::of(anjuan.home()));
    assert_eq!(
        changed,
        Vec::<String>::new(),
        "what is refused leaves nothing behind"
    );
}

/// A registration, but for its parties and its source.
const REGISTER: &str = "case register --as mediator --category land --brief 界线 --facts 界线";

#[test]
fn unknown_units_roles_events_and_values() {
    let mut family = Family::at_rest("unknown");
    family.start(VILLAGE);
    let village = family.anjuan(VILLAGE).unlocking();
    let rumour = format!("{REGISTER} --source rumour");
    refuse(
        &village,
        &[
            ("unit show 45", "usage", &["digits"], &["--help"]),
            ("unit show 450902999", "usage", &["450902999"], &["unit find"]),
            (
                "invite --unit 450902001",
                "forbidden",
                &["450902001", VILLAGE],
                &[],
            ),
            (
                "operator add wei --label 韦 --role judge",
                "usage",
                &["judge", "mediator", "judicial-clerk"],
                &[],
            ),
            (
                "operator add Li.Si --label 李 --role mediator",
                "usage",
                &["Li.Si", "a-z"],
                &[],
            ),
            ("frobnicate", "usage", &["frobnicate"], &["--help"]),
            ("case explode abcd", "usage", &["explode"], &[]),
            ("case registr", "usage", &["registr"], &["register"]),
            (&rumour, "usage", &["--source", "applied", "court"], &["--help"]),
            (
                "case register --as mediator",
                "usage",
                &["--source", "--brief", "--party"],
                &["--help"],
            ),
            ("case show ffffffff", "not-found", &["ffffffff"], &["list"]),
            ("case list --limit 0", "usage", &["1", "10000"], &[]),
            ("peer add 10.0.0.1:4509", "usage", &["10.0.0.1:4509"], &["/p2p/"]),
            (
                "status --scope 450902001002",
                "usage",
                &["450902001002", VILLAGE],
                &[],
            ),
            ("status --lang fr", "usage", &["fr", "zh", "en"], &[]),
            ("status --nonsense", "usage", &["--nonsense"], &[]),
        ],
    );
}

#[test]
fn what_the_state_or_the_role_forbids_says_what_is_allowed_and_who_may() {
    let mut family = Family::at_rest("forbidden");
    family.start(VILLAGE);
    let village = family.anjuan(VILLAGE);
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);
    let case = village.register(MEDIATOR, &sealed, "界线");
    let by = |operator: &str| {
        format!("case accept {case} --consent --rights-notice --no-exclusion --as {operator}")
    };
    let (by_mediator, by_chair) = (by(MEDIATOR), by(CHAIR));
    let assign = format!("case assign {case} --as chair --mediator mediator");
    let close = format!("case close {case} --as chair --result agreement-written --report 已结");
    let half = format!("case accept {case} --as chair --consent");
    refuse(
        village,
        &[
            // The role.
            (
                &by_mediator,
                "forbidden",
                &["chair", VILLAGE, "the signer is mediator"],
                &[],
            ),
            // The state.
            (
                &assign,
                "forbidden",
                &["CaseAssigned", "registered", "CaseAccepted", "chair"],
                &[],
            ),
            (
                &close,
                "forbidden",
                &[
                    "CaseClosed",
                    "registered",
                    "CaseAccepted",
                    "CaseDeclined",
                    "chair",
                ],
                &[],
            ),
            // A statement that the law asks for, left out.
            (&half, "usage", &["--rights-notice", "--no-exclusion"], &[]),
        ],
    );
    let before = village.counted(&case).len();
    village.answer(&words(&by_chair));
    assert_eq!(village.counted(&case).len(), before + 1);
    refuse(
        village,
        &[(&by_chair, "forbidden", &["accepted", "CaseAssigned"], &[])],
    );
}

#[test]
fn days_that_cannot_be() {
    let mut family = Family::at_rest("days");
    family.start(VILLAGE);
    let village = family.anjuan(VILLAGE);
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);
    let on = |day: &str| {
        format!(
            "{REGISTER} --source applied --party {} --on {day}",
            sealed.display()
        )
    };
    refuse(
        village,
        &[
            (&on("2019-02-30"), "usage", &["--on", "calendar"], &["--help"]),
            (&on("2019-13-01"), "usage", &["--on", "calendar"], &["--help"]),
            (&on("1.6.2019"), "usage", &["--on", "yyyy-mm-dd"], &["--help"]),
            (&on("2150-01-01"), "usage", &["2150-01-01", "later"], &[]),
            (
                "case list --due-by 2019-02-29",
                "usage",
                &["2019-02-29", "calendar"],
                &[],
            ),
            (
                "operator revoke mediator --reason 离任 --yes --since 2019-06-31",
                "usage",
                &["2019-06-31"],
                &[],
            ),
        ],
    );
}

#[test]
fn particulars_that_cannot_be_are_refused_and_never_quoted() {
    let mut family = Family::at_rest("private");
    family.start(VILLAGE);
    let village = family.anjuan(VILLAGE);
    let file = family.folder().join("parties.json");
    let register = format!("{REGISTER} --source applied --party {}", file.display());
    let person = |person: serde_json::Value| {
        json!([
            {"role": "applicant", "person": person},
            {"role": "respondent", "person": {"name": "李乙"}},
        ])
    };
    let before = Snapshot::of(village.home());
    // The check digit, a day of birth that cannot be, a number that is no text, an unknown field, half a file.
    let secret = "450902199002306789";
    for content in [
        person(json!({"name": "黄甲", "id-number": secret})).to_string(),
        person(json!({"name": "黄甲", "id-number": secret.parse::<u64>().expect("digits")})).to_string(),
        person(json!({"name": "黄甲", "identity": secret})).to_string(),
        person(json!({"name": "黄甲", "phone": secret, "birth-date": "1990-02-30"})).to_string(),
        person(json!({"name": secret, "name ": secret})).to_string()[..60].to_owned(),
    ] {
        fs::write(&file, content).expect("a file");
        let refusal = village.refusal(&words(&register));
        check(&refusal, "usage", &[], &[]);
        for secret in [secret, "黄甲"] {
            assert!(!refusal.stderr.contains(secret), "{refusal:?}");
        }
    }
    // On the command line they would stand in the shell's history.
    let inline = person(json!({"name": "黄甲"})).to_string();
    let line = format!("{REGISTER} --source applied --party");
    let refusal = village.refusal(&[&words(&line)[..], &[&inline]].concat());
    check(&refusal, "usage", &["command line"], &[]);
    assert!(!refusal.stderr.contains("黄甲"), "{refusal:?}");
    assert_eq!(
        before.differences(&Snapshot::of(village.home())),
        Vec::<String>::new()
    );
}

#[test]
fn a_wrong_passphrase_says_no_more_than_an_unknown_key() {
    let family = Family::at_rest("passphrase");
    let village = family.anjuan(VILLAGE);
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);
    let case = village.unlocking().register(MEDIATOR, &sealed, "界线");
    let before = Snapshot::of(village.home());
    let message = |anjuan: &Anjuan, operator: &str| {
        anjuan.refusal(&["case", "message", &case, "--as", operator, "--text", "在"])
    };
    let wrong = message(&village.unlocking_with("not the passphrase"), CHAIR);
    check(&wrong, "locked", &[], &[]);
    let unknown = message(&village.unlocking(), "nobody");
    check(&unknown, "locked", &[], &[]);
    assert_eq!((wrong.message, wrong.hint), (unknown.message, unknown.hint));
    let missing = message(village, CHAIR);
    check(
        &missing,
        "locked",
        &[CHAIR],
        &["ANJUAN_PASSPHRASE", "--passphrase-file"],
    );

    let file = family.folder().join("passphrase");
    fs::write(&file, PASSPHRASE).expect("a file");
    readable_by_all(&file);
    let line = format!(
        "case message {case} --as chair --text 在 --passphrase-file {}",
        file.display()
    );
    let exposed = village.refusal(&words(&line));
    check(&exposed, "usage", &["passphrase"], &["600"]);
    let short = family.folder().join("short");
    let short = Anjuan::at(short)
        .unlocking_with("1234567")
        .refusal(&["init", "--unit", RONG]);
    check(&short, "usage", &["8"], &[]);
    assert!(
        !family.folder().join("short").exists(),
        "a home begun with no passphrase for it"
    );
    assert_eq!(
        before.differences(&Snapshot::of(village.home())),
        Vec::<String>::new()
    );
}

#[cfg(unix)]
fn readable_by_all(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("permissions");
}

#[test]
fn founding_and_joining_where_it_cannot_be() {
    let folder = Folder::new("init");
    let new = Anjuan::at(folder.join("new")).unlocking();
    for (unit, says) in [
        ("45", "digits"),
        ("4599", "4599"),
        ("4509021", "digits"),
        ("none", "none"),
    ] {
        check(&new.refusal(&["init", "--unit", unit]), "usage", &[says], &[]);
    }
    let without = Anjuan::at(folder.join("new"));
    check(
        &without.refusal(&["init", "--unit", CITY]),
        "locked",
        &[],
        &["ANJUAN_PASSPHRASE"],
    );
    check(&new.refusal(&["join"]), "usage", &[], &[]);
    check(
        &new.refusal(&["join", "--grant", "/nonexistent"]),
        "usage",
        &["/nonexistent"],
        &[],
    );
    assert!(!folder.join("new").exists(), "something was written");

    let family = Family::at_rest("again");
    let village = family.anjuan(VILLAGE).unlocking();
    refuse(
        &village,
        &[("init --unit 4509", "usage", &["already"], &["--home"])],
    );
}

#[test]
fn tickets_expired_used_foreign_and_mistyped() {
    let mut family = Family::at_rest("tickets");
    family.start(CITY);
    let city = family.anjuan(CITY).unlocking();
    let invitation = city.answer(&["invite", "--unit", RONG]);
    let ticket = invitation["ticket"].as_str().expect("a ticket").to_owned();
    let homes = Folder::new("joining");
    let join = |name: &str, ticket: &str| Anjuan::at(homes.join(name)).unlocking().run(&["join", ticket]);
    let refused = |name: &str, ticket: &str, kind: &str, says: &[&str]| {
        let refusal = join(name, ticket).refusal().expect("a refusal");
        check(&refusal, kind, says, &[]);
        // Whatever was prepared, it is not a home: the next attempt in the same folder can succeed.
        let status = Anjuan::at(homes.join(name)).refusal(&["status"]);
        assert_eq!(status.kind, "not-found", "{status:?}");
    };

    let mut mistyped = ticket.clone().into_bytes();
    let middle = mistyped.len() / 2;
    mistyped[middle] = if mistyped[middle] == b'a' { b'b' } else { b'a' };
    let mistyped = String::from_utf8(mistyped).expect("still a text");
    refused("rong", &mistyped, "refused", &["mistyped"]);
    refused(
        "rong",
        &ticket[..ticket.len() - 7],
        "refused",
        &["mistyped", "cut off"],
    );
    refused("rong", "4509", "refused", &["not a ticket"]);
    assert!(
        !homes.join("rong").exists(),
        "a ticket that can't be read made a folder"
    );

    let real: Ticket = ticket.parse().expect("the ticket reads");
    let forged = |unit: &str, expires: Timestamp| {
        let unit = unit.parse().expect("a unit");
        let addresses = real.addresses().to_vec();
        let (network, peer) = (real.network(), real.peer());
        let made = Ticket::issue(
            network,
            unit,
            Joining::NewUnit,
            addresses,
            peer,
            expires,
            &mut rng(),
        );
        made.expect("a ticket").to_text().to_string()
    };
    refused(
        "rong",
        &forged(RONG, Timestamp::from_millis(1_577_836_800_000)),
        "refused",
        &["expired"],
    );
    assert!(!homes.join("rong").exists(), "an expired ticket made a folder");
    refused(
        "rong",
        &forged(RONG, real.expires()),
        "refused",
        &["not issued here"],
    );

    let joined = join("rong", &ticket)
        .answer()
        .expect("the ticket is good, whatever came before");
    assert_eq!(joined["unit"]["code"], RONG);
    refused("second", &ticket, "refused", &["used"]);
    check(
        &join("rong", &ticket).refusal().expect("a refusal"),
        "usage",
        &["already"],
        &["--home"],
    );

    let late = city.answer(&["invite", "--unit", "450922"]);
    family.stop(CITY);
    refused(
        "third",
        late["ticket"].as_str().expect("a ticket"),
        "network",
        &[],
    );
    let down = family
        .anjuan(CITY)
        .unlocking()
        .refusal(&["invite", "--unit", "450923"]);
    check(&down, "network", &[], &["serve", "--request"]);
}
