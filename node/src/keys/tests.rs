use std::fs;

use super::passphrase::DERIVED;
use super::*;
use crate::authority::testing::{TestRng, bit_flips, cuts};

fn cheap() -> (tempfile::TempDir, KeyStore) {
    let home = tempfile::tempdir().expect("a folder");
    let store = KeyStore::new(home.path().join("keys"), KdfCost::reduced_for_tests());
    (home, store)
}

fn rng() -> TestRng {
    TestRng::new(1)
}

fn chosen(text: &str) -> NewPassphrase {
    NewPassphrase::chosen(text.to_owned()).expect("long enough")
}

fn entered(text: &str) -> Passphrase {
    Passphrase::entered(text.to_owned())
}

fn name(text: &str) -> KeyName {
    text.parse().expect("a name")
}

#[test]
fn a_node_key_is_read_as_it_was_made() {
    let (_home, store) = cheap();
    assert!(matches!(store.node(), Err(KeysError::NoNodeKey(_))));
    let made = store.create_node(&mut rng()).expect("made");
    let read = store.node().expect("there");
    assert_eq!(made.public(), read.public());
    assert_eq!(made.seal_public(), read.seal_public());
    assert_eq!(made.signing_key(), read.signing_key());
    assert!(matches!(store.create_node(&mut rng()), Err(KeysError::Exists(_))));
    assert_eq!(store.node().expect("untouched").public(), made.public());
}

#[test]
fn a_sealed_key_opens_by_its_passphrase_alone() {
    let (_home, store) = cheap();
    let (kind, li) = (KeyKind::Operator, name("li-wei"));
    let made = store.create_sealed(kind, &li, &chosen("玉州区东成社区调委会"), &mut rng());
    let made = made.expect("made");
    let opened = store
        .unlock(kind, &li, &entered("玉州区东成社区调委会\r\n"))
        .expect("opens");
    assert_eq!((opened.public(), opened.kind()), (made.public(), kind));
    let error = |kind, name: &KeyName, text: &str| {
        store
            .unlock(kind, name, &entered(text))
            .expect_err("refused")
            .to_string()
    };
    let wrong = error(kind, &li, "玉州区东成社区");
    assert_eq!(wrong, error(kind, &name("nobody"), "玉州区东成社区调委会"));
    assert_eq!(wrong, error(KeyKind::Authority, &li, "玉州区东成社区调委会"));
    assert_eq!(wrong, error(kind, &li, ""));
    assert_eq!(store.list(kind).expect("listed"), [(li.clone(), made.public())]);
    assert!(store.list(KeyKind::Authority).expect("listed").is_empty());
}

#[test]
fn a_changed_passphrase_opens_and_the_old_one_does_not() {
    let (_home, store) = cheap();
    let (kind, town) = (KeyKind::Authority, name("town"));
    let made = store.create_sealed(kind, &town, &chosen("the old one"), &mut rng());
    let made = made.expect("made");
    let change =
        |old: &str, new: &str| store.change_passphrase(kind, &town, &entered(old), &chosen(new), &mut rng());
    assert!(matches!(
        change("another", "the new one"),
        Err(KeysError::Refused)
    ));
    change("the old one", "the new one").expect("changed");
    assert!(store.unlock(kind, &town, &entered("the old one")).is_err());
    let opened = store.unlock(kind, &town, &entered("the new one")).expect("opens");
    assert_eq!(opened.public(), made.public());
}

#[test]
fn a_key_moved_to_another_name_or_kind_does_not_open() {
    let (home, store) = cheap();
    let folder = home.path().join("keys");
    store
        .create_sealed(KeyKind::Operator, &name("a"), &chosen("passphrase"), &mut rng())
        .expect("made");
    for (kind, other, file) in [
        (KeyKind::Operator, "b", "operator-b.key"),
        (KeyKind::Authority, "a", "authority-a.key"),
    ] {
        fs::copy(folder.join("operator-a.key"), folder.join(file)).expect("copied");
        assert!(matches!(
            store.unlock(kind, &name(other), &entered("passphrase")),
            Err(KeysError::Refused)
        ));
    }
}

#[test]
fn every_damage_to_a_file_is_noticed() {
    let mut rng = rng();
    let node = NodeKey::generate(&mut rng).to_file();
    assert!(NodeKey::from_file(&node).is_ok());
    assert!(!bit_flips(&node).any(|changed| NodeKey::from_file(&changed).is_ok()));
    assert!(!cuts(&node).any(|cut| NodeKey::from_file(cut).is_ok()));

    let unlocked = Unlocked {
        kind: KeyKind::Operator,
        name: name("a"),
        key: SigningKey::generate(&mut rng),
    };
    let cost = KdfCost::reduced_for_tests();
    let passphrase = chosen("passphrase");
    let sealed = SealedKey::seal(&unlocked, passphrase.get(), cost, &mut rng).expect("sealed");
    let bytes = sealed.to_file();
    let opens = |bytes: &[u8]| {
        let Ok(sealed) = SealedKey::from_file(bytes) else {
            return false;
        };
        // A flipped bit can ask for a gigabyte; that it is within bounds is another test's business.
        if sealed.cost() != cost {
            return false;
        }
        let key = passphrase
            .get()
            .derive(sealed.cost(), &sealed.salt())
            .expect("derived");
        sealed.open(KeyKind::Operator, &name("a"), &key).is_some()
    };
    assert!(opens(&bytes));
    assert!(!bit_flips(&bytes).any(|changed| opens(&changed)));
    assert!(!cuts(&bytes).any(opens));
}

#[test]
fn the_formats_are_pinned_and_newer_ones_named() {
    let mut rng = rng();
    let node = NodeKey::generate(&mut rng);
    let unlocked = Unlocked {
        kind: KeyKind::Operator,
        name: name("a"),
        key: SigningKey::generate(&mut rng),
    };
    let passphrase = chosen("passphrase");
    let cost = KdfCost::reduced_for_tests();
    let sealed = SealedKey::seal(&unlocked, passphrase.get(), cost, &mut rng).expect("sealed");
    let digest = |bytes: &[u8]| anjuan_sync::hash::sha256(bytes).to_string();
    assert_eq!(
        [digest(&node.to_file()), digest(&sealed.to_file())],
        [
            "ac66d35a6469c3e2335c1d7628a3d40703dbca7b44a80166b0408a82e285029e",
            "6d135a724ecea1ff0cd8de144bcff5edf3202843276cf7da10d9948684c7e4bd"
        ]
    );

    let newer = String::from_utf8_lossy(&node.to_file()).replacen("key 1", "key 12", 1);
    let problem = NodeKey::from_file(newer.as_bytes()).expect_err("newer");
    assert_eq!(
        problem.at(Path::new("k")).to_string(),
        "key file k has format 12; this program reads format 1"
    );
}

#[test]
fn a_file_cannot_ask_for_all_memory() {
    for (memory_kib, passes, lanes, bounded) in [
        (64 * 1024, 3, 4, true),
        (u32::MAX, 1, 1, false),
        (64, 1_000_000, 1, false),
        (64, 1, u32::MAX, false),
        (8, 1, 4, false),
        (64, 0, 1, false),
    ] {
        let bytes = crate::authority::encoding::encode(&[memory_kib, passes, lanes]);
        let cost: KdfCost = minicbor::decode(&bytes).expect("a cost");
        assert_eq!(cost.is_bounded(), bounded, "{cost:?}");
    }
    assert!(KdfCost::STANDARD.is_bounded() && KdfCost::reduced_for_tests().is_bounded());
}

#[cfg(unix)]
#[test]
fn files_are_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, store) = cheap();
    store.create_node(&mut rng()).expect("made");
    let a = name("a");
    store
        .create_sealed(KeyKind::Operator, &a, &chosen("passphrase"), &mut rng())
        .expect("made");
    let folder = home.path().join("keys");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in ["node.key", "operator-a.key"] {
        let path = folder.join(file);
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
    }
    let message = store.node().expect_err("refused").to_string();
    assert!(
        message.contains("mode 640") && message.contains("600"),
        "{message}"
    );
    assert!(matches!(
        store.unlock(KeyKind::Operator, &a, &entered("passphrase")),
        Err(KeysError::File(KeyFileError::Open { mode: 0o640, .. }))
    ));
}

/// A write that was cut off leaves a temporary file; the key is as before, and the next write succeeds.
#[test]
fn what_an_interrupted_write_left_does_no_harm() {
    let (home, store) = cheap();
    let (kind, a) = (KeyKind::Operator, name("a"));
    store
        .create_sealed(kind, &a, &chosen("passphrase"), &mut rng())
        .expect("made");
    fs::write(home.path().join("keys/operator-a.key-new"), b"half").expect("written");
    assert!(store.unlock(kind, &a, &entered("passphrase")).is_ok());
    store
        .change_passphrase(
            kind,
            &a,
            &entered("passphrase"),
            &chosen("another one"),
            &mut rng(),
        )
        .expect("changed");
    assert!(store.unlock(kind, &a, &entered("another one")).is_ok());
    assert_eq!(fs::read_dir(home.path().join("keys")).expect("there").count(), 1);
}

/// The derivation takes nearly all of the time, so it has to run whatever is wrong, and once.
#[test]
fn every_refusal_derives_a_key_once() {
    let (home, store) = cheap();
    let (kind, a) = (KeyKind::Operator, name("a"));
    store
        .create_sealed(kind, &a, &chosen("passphrase"), &mut rng())
        .expect("made");
    fs::copy(
        home.path().join("keys/operator-a.key"),
        home.path().join("keys/operator-damaged.key"),
    )
    .expect("copied");
    fs::write(home.path().join("keys/operator-damaged.key"), b"x").expect("damaged");
    for name in ["a", "nobody", "damaged"] {
        let before = DERIVED.get();
        assert!(store.unlock(kind, &self::name(name), &entered("wrong")).is_err());
        assert_eq!(DERIVED.get() - before, 1, "{name}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let mut rng = rng();
    let node = NodeKey::generate(&mut rng);
    let unlocked = Unlocked {
        kind: KeyKind::Operator,
        name: name("a"),
        key: SigningKey::generate(&mut rng),
    };
    let shown = format!(
        "{node:?} {unlocked:?} {:?} {:?}",
        entered("secret"),
        chosen("secret secret")
    );
    let short = |bytes: &[u8]| hex::encode(&bytes[..4]);
    for secret in [
        "secret".to_owned(),
        short(node.signing_key().as_bytes()),
        short(node.seal_secret().as_bytes()),
        short(unlocked.signing_key().as_bytes()),
    ] {
        assert!(!shown.contains(&secret), "{shown}");
    }
}

#[test]
fn names_and_passphrases_have_bounds() {
    for text in ["", "A", "a b", "../a", "a.b", "李", &"a".repeat(33)] {
        assert!(text.parse::<KeyName>().is_err(), "{text:?}");
    }
    let choose = |text: &str| NewPassphrase::chosen(text.to_owned()).err();
    assert_eq!(choose("1234567\n"), Some(PassphraseError::Short));
    assert_eq!(choose("12345678"), None);
    assert_eq!(choose("一二三四五六七八"), None);
    assert_eq!(choose(&"x".repeat(1025)), Some(PassphraseError::Long));
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, body: Vec<u8>) {
        for bytes in [
            bytes,
            [b"anjuan-node-key 1\n", &*body].concat(),
            [b"anjuan-sealed-key 1\n", &*body].concat(),
        ] {
            drop(NodeKey::from_file(&bytes));
            drop(SealedKey::from_file(&bytes));
        }
    }
}
