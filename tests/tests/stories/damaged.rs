//! Homes that were damaged, or that a newer program wrote: said by name, never used, never made worse.

use std::fs;
use std::path::{Path, PathBuf};

use anjuan_tests::harness::{Anjuan, Family, Folder, MEDIATOR, Refusal, Snapshot, VILLAGE, parties};

/// What is done to a copy of a home, and words that the message has to have.
type Damage<'a> = (&'a str, &'a dyn Fn(&Path), &'a [&'a str]);

/// Damages a copy of `home` and asks it for its status.
fn ask(home: &Path, damage: &dyn Fn(&Path)) -> Refusal {
    let copy = Folder::copy_of("damaged", home);
    // Finds itself copied, and opens a new epoch.
    Anjuan::at(copy.path()).answer(&["status"]);
    damage(copy.path());
    let before = Snapshot::of(copy.path());
    let anjuan = Anjuan::at(copy.path());
    let refusal = anjuan.refusal(&["status"]);
    let serving = anjuan.refusal(&["serve", "--listen", "/ip4/127.0.0.1/tcp/0"]);
    assert_eq!(
        (&refusal.kind, &refusal.message),
        (&serving.kind, &serving.message)
    );
    assert_eq!(
        before.differences(&Snapshot::of(copy.path())),
        Vec::<String>::new(),
        "{refusal:?}"
    );
    assert!(!refusal.stderr.contains("panicked"), "{refusal:?}");
    refusal
}

#[test]
fn a_damaged_home_is_named_and_left_as_it_is() {
    let family = Family::at_rest("damaged");
    let home = family.anjuan(VILLAGE).home();
    let put = |name: &'static str, text: &'static str| {
        move |home: &Path| fs::write(home.join(name), text).expect("written")
    };
    let config = fs::read_to_string(home.join("config.toml")).expect("a configuration");
    let rewrite = |from: &'static str, to: &'static str| {
        let text = config.replacen(from, to, 1);
        assert_ne!(text, config, "{from} is in the configuration");
        move |home: &Path| fs::write(home.join("config.toml"), &text).expect("written")
    };
    let (garbage, newer, unknown) = (
        put("config.toml", "\u{0}\u{1}garbage"),
        rewrite("version = 1", "version = 9"),
        rewrite("version = 1", "version = 1\nlisten_on = []"),
    );
    let (format, no_format) = (
        put("format", "anjuan-home 99\n"),
        put("format", "something else\n"),
    );
    let (no_root, root) = (
        |home: &Path| fs::remove_file(home.join("root.cert")).expect("removed"),
        put("root.cert", "not a certificate"),
    );
    let tickets = put("tickets", "not a book of tickets");
    let exposed = |home: &Path| {
        let keys = files(&home.join("keys"));
        readable_by_all(
            keys.iter()
                .find(|key| key.to_string_lossy().contains("node"))
                .expect("the node's key"),
        );
    };
    let damages: &[Damage<'_>] = &[
        ("config.toml is garbage", &garbage, &["config.toml"]),
        (
            "config.toml of a newer program",
            &newer,
            &["config.toml", "version 9"],
        ),
        (
            "config.toml with an unknown field",
            &unknown,
            &["config.toml", "listen_on"],
        ),
        ("a home of a newer program", &format, &["format 99", "newer"]),
        ("no home's format", &no_format, &["format"]),
        ("no root certificate", &no_root, &["root.cert"]),
        ("a root certificate that is none", &root, &["root.cert"]),
        ("a ticket book that is none", &tickets, &["ticket"]),
        ("a key that others may read", &exposed, &["600"]),
    ];
    for (what, damage, says) in damages {
        let refusal = ask(home, damage);
        eprintln!("{what}: {} / {}", refusal.message, refusal.hint);
        assert_eq!(
            (refusal.code, refusal.kind.as_str()),
            (8, "damaged"),
            "{what}: {refusal:?}"
        );
        for word in *says {
            assert!(
                refusal.message.contains(word),
                "{what}: no {word:?} in {refusal:?}"
            );
        }
    }
}

#[test]
fn a_flipped_byte_of_the_journal_is_never_passed_over() {
    let family = Family::at_rest("flipped");
    let village = family.anjuan(VILLAGE);
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);
    let case = village.unlocking().register(MEDIATOR, &sealed, "界线");
    let segment = files(&village.home().join("journal"))
        .into_iter()
        .max_by_key(|file| size(file))
        .expect("a segment");
    let name = segment
        .strip_prefix(village.home())
        .expect("inside the home")
        .to_owned();
    let length = size(&segment);
    // Near the beginning, in the middle, and in the last record, which was acknowledged.
    for at in [length / 8, length / 2, length - 64] {
        let copy = Folder::copy_of("flipped", village.home());
        let anjuan = Anjuan::at(copy.path());
        flip(&copy.path().join(&name), at);
        // A case store that is whole must not hide it.
        let ran = anjuan.run(&["verify"]);
        let refusal = ran
            .refusal()
            .unwrap_or_else(|| panic!("byte {at} of {length}: {ran}"));
        eprintln!("byte {at} of {length}: {} / {}", refusal.message, refusal.hint);
        assert!(
            ["damaged", "unproven"].contains(&refusal.kind.as_str()),
            "byte {at}: {refusal:?}"
        );
        assert!(!refusal.stderr.contains("panicked"), "byte {at}: {refusal:?}");
        // Mended, it may serve again; what was lost is said to be, and not as if it had never been.
        if let Ok(status) = anjuan.run(&["status"]).answer() {
            assert_ne!(status["warnings"], serde_json::json!([]), "byte {at}: {status}");
        }
    }
    assert_eq!(village.counted(&case).len(), 1, "the original is whole");
}

#[test]
fn a_case_store_that_is_gone_or_garbage_is_made_again() {
    let family = Family::at_rest("rebuilt");
    let village = family.anjuan(VILLAGE);
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);
    let case = village.unlocking().register(MEDIATOR, &sealed, "界线");
    let digest = village.answer(&["status"])["digest"].clone();

    fs::remove_dir_all(village.home().join("sled")).expect("the case store goes");
    assert_eq!(village.answer(&["status"])["digest"], digest);
    village.verify();

    for file in files(&village.home().join("sled")) {
        fs::write(file, "garbage").expect("written");
    }
    let ran = village.run(&["status"]);
    let status = ran.answer().unwrap_or_else(|why| panic!("{why}: {ran}"));
    assert_eq!(status["digest"], digest);
    assert_eq!(village.counted(&case).len(), 1);
    village.verify();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found.sort();
    found
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).expect("a file").len()
}

fn flip(file: &Path, at: u64) {
    let mut bytes = fs::read(file).expect("a file");
    bytes[usize::try_from(at).expect("a place in memory")] ^= 0x20;
    fs::write(file, bytes).expect("written");
}

#[cfg(unix)]
fn readable_by_all(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("permissions");
}
