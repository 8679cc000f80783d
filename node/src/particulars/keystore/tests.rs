use std::fs;

use anjuan_sync::{DocumentId, Space, Timestamp, UpdateId};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::particulars::item::Purpose;
use crate::particulars::seal::Sealed;
use crate::particulars::testing::{Counter, Node, file, maker, node, operator, person, sealed};
use crate::text;

mod erasing;

const VILLAGE: u8 = 1;
const TOWN: u8 = 2;
const COUNTY: u8 = 3;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn open(folder: &TempDir) -> (Keystore, ScanReport) {
    Keystore::open(folder.path()).expect("opens")
}

fn welcome(_: &VerifiedItem) -> Result<(), Text> {
    Ok(())
}

fn handling(number: u8) -> (Recipient, Purpose) {
    (node(number).recipient, Purpose::Handling)
}

fn erasure() -> Erasure {
    Erasure {
        update: UpdateId::from_bytes([3; 32]),
        at: Timestamp::from_millis(1_700_000_000_000),
    }
}

fn case(seed: u64) -> (Subject, Sealed) {
    sealed(&person(), 1, &[handling(VILLAGE), handling(TOWN)], seed * 1000)
}

fn opens(keystore: &Keystore, subject: &Subject, node: &Node) -> bool {
    keystore
        .open_particulars(subject, &node.secret)
        .is_ok_and(|opened| opened == person())
}

/// Every file below a folder.
fn files(root: &FilePath) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn what_was_added_is_there_after_reopening() {
    let folder = folder();
    let (subject, sealed) = case(1);
    let (keystore, report) = open(&folder);
    assert_eq!(report, ScanReport::default());
    keystore.add(&sealed.items()).expect("stored");
    let path = &subject.space.unit;
    let ids = keystore.ids(path);
    assert_eq!(
        (keystore.len(), ids.len(), keystore.paths()),
        (3, 3, vec![path.clone()])
    );
    drop(keystore);

    let (keystore, report) = open(&folder);
    assert_eq!((report.items, report.damaged.len()), (3, 0));
    assert_eq!(keystore.ids(path), ids);
    assert!(keystore.has_body(&subject));
    assert_eq!(keystore.recipients(&subject).len(), 2);
    assert!(opens(&keystore, &subject, &node(VILLAGE)) && opens(&keystore, &subject, &node(TOWN)));
    for id in ids {
        let bytes = keystore.get(id).expect("reads").expect("is there");
        assert_eq!(SealedItem::decode(&bytes).expect("an item").id(), id);
    }
}

#[test]
fn a_peers_items_are_judged_and_stored_once() {
    let (one, other) = (folder(), folder());
    let (subject, sealed) = case(1);
    let (from, to) = (open(&one).0, open(&other).0);
    from.add(&sealed.items()).expect("stored");
    let bytes: Vec<_> = from
        .ids(&subject.space.unit)
        .into_iter()
        .map(|id| from.get(id).expect("reads").expect("is there"))
        .collect();
    let nobody = |_: &VerifiedItem| Err(text!("不是本单位人员", "not of this unit"));
    assert_eq!(
        to.offer(&bytes[0], &nobody).expect("judged"),
        Offered::Refused(Refusal::Judge(text!("不是本单位人员", "not of this unit")))
    );
    assert!(to.is_empty());
    let slices: Vec<_> = bytes.iter().map(Vec::as_slice).collect();
    let taken = to.offer_all(&slices, &welcome).expect("taken");
    assert!(taken.iter().all(|offered| matches!(offered, Offered::Stored(_))));
    assert!(matches!(
        to.offer(&bytes[0], &welcome).expect("taken"),
        Offered::Known(_)
    ));
    assert_eq!(to.ids(&subject.space.unit), from.ids(&subject.space.unit));
    assert!(opens(&to, &subject, &node(TOWN)));
}

#[test]
fn garbage_and_forgeries_are_refused() {
    let folder = folder();
    let (keystore, _) = open(&folder);
    let (_, sealed) = case(1);
    let mut forged = sealed.body.get().encoded().to_vec();
    *forged.last_mut().expect("not empty") ^= 1;
    assert_eq!(
        keystore.offer(&forged, &welcome).expect("judged"),
        Offered::Refused(Refusal::Item(ItemError::Forged))
    );
    assert_eq!(
        keystore.offer(b"garbage", &welcome).expect("judged"),
        Offered::Refused(Refusal::Item(ItemError::Malformed))
    );
    assert_eq!(files(folder.path()).len(), 1, "nothing but the format file");
}

#[test]
fn damaged_files_are_set_aside_and_fetched_again() {
    let folder = folder();
    let (subject, sealed) = case(1);
    let (keystore, _) = open(&folder);
    keystore.add(&sealed.items()).expect("stored");
    let id = sealed.body.get().id();
    let path = keystore.folder.item(id);
    let mut bytes = fs::read(&path).expect("reads");
    bytes[40] ^= 1;
    fs::write(&path, &bytes).expect("damaged");
    assert!(matches!(keystore.get(id), Err(KeystoreError::Damaged(_))));
    assert_eq!(keystore.get(id).expect("known to be gone"), None);
    assert!(matches!(
        keystore.open_particulars(&subject, &node(VILLAGE).secret),
        Err(OpenError::NoBody)
    ));
    assert!(matches!(
        keystore
            .offer(sealed.body.get().encoded(), &welcome)
            .expect("taken"),
        Offered::Stored(_)
    ));
    assert!(opens(&keystore, &subject, &node(VILLAGE)));

    fs::write(&path, &bytes[..50]).expect("damaged");
    fs::write(folder.path().join("items/stray.txt"), b"stray").expect("written");
    fs::write(keystore.folder.item(id).with_file_name("zz"), b"stray").expect("written");
    fs::create_dir_all(keystore.folder.item(id).with_file_name("folder/within")).expect("made");
    drop(keystore);
    let (keystore, report) = open(&folder);
    assert_eq!((report.items, report.damaged.len()), (2, 4));
    assert!(report.damaged.iter().all(|damaged| damaged.set_aside));
    // What was set aside may belong to an erased subject: an erasure destroys it.
    keystore.erase(&subject, erasure()).expect("erased");
    assert_eq!(files(&folder.path().join("damaged")), Vec::<PathBuf>::new());
}

#[test]
fn a_newer_keystore_is_refused_by_name() {
    let folder = folder();
    drop(open(&folder));
    fs::write(folder.path().join("format"), "anjuan keystore 2\n").expect("written");
    let error = Keystore::open(folder.path()).expect_err("refused");
    assert!(error.to_string().contains("anjuan keystore 2"), "{error}");
}

#[test]
fn a_case_that_climbs_is_wrapped_for_each_level_in_turn() {
    let folder = folder();
    let (subject, sealed) = sealed(&person(), 1, &[handling(VILLAGE)], 0);
    let (keystore, _) = open(&folder);
    keystore.add(&sealed.items()).expect("stored");
    let (clerk, mut rng) = (operator(8), Counter(50));
    let mut climb = |from: u8, to: u8| {
        let to = [(node(to).recipient, Purpose::Escalation)];
        keystore.rewrap(&subject, &node(from).secret, &to, maker(&clerk), &mut rng)
    };
    assert!(matches!(climb(TOWN, COUNTY), Err(OpenError::NoWrap)));
    climb(VILLAGE, TOWN).expect("wrapped");
    climb(TOWN, COUNTY).expect("wrapped");
    for level in [VILLAGE, TOWN, COUNTY] {
        assert!(opens(&keystore, &subject, &node(level)), "level {level}");
    }
    assert!(!opens(&keystore, &subject, &node(4)));
    keystore.erase(&subject, erasure()).expect("erased");
    assert_eq!(files(&folder.path().join("items")), Vec::<PathBuf>::new());
}

#[test]
fn a_false_body_or_wrap_does_not_hide_the_true_one() {
    let folder = folder();
    let (keystore, _) = open(&folder);
    let (subject, honest) = case(1);
    let villain = operator(66);
    let mut rng = Counter(900);
    for item in honest.items() {
        // The same claims with other ciphertexts.
        for _ in 0..5 {
            let mut content = item.get().content().clone();
            match &mut content {
                ItemContent::Body { sealed, .. } => rand::Rng::fill_bytes(&mut rng, sealed),
                ItemContent::Wrap { wrapped, .. } => rand::Rng::fill_bytes(&mut rng, wrapped),
            }
            let item = VerifiedItem::sign(subject.clone(), content, item.get().certificate(), &villain);
            keystore.offer(item.get().encoded(), &welcome).expect("taken");
        }
    }
    assert!(matches!(
        keystore.open_particulars(&subject, &node(VILLAGE).secret),
        Err(OpenError::Unseal(_))
    ));
    keystore.add(&honest.items()).expect("stored");
    assert!(opens(&keystore, &subject, &node(VILLAGE)) && opens(&keystore, &subject, &node(TOWN)));
}

fn crowd(count: u64) -> Vec<Vec<u8>> {
    let item = |seed| {
        sealed(&file(10), 1, &[], seed * 1000)
            .1
            .body
            .get()
            .encoded()
            .to_vec()
    };
    (0..count).map(item).collect()
}

#[test]
fn who_offers_too_much_crowds_out_only_himself_and_alike_everywhere() {
    let items = crowd(MAX_BODIES as u64 + 8);
    let (_, honest) = sealed_by(9, 5_000_000);
    let kept = |order: Vec<&[u8]>, batch: usize| {
        let folder = folder();
        let (keystore, _) = open(&folder);
        keystore
            .offer(honest.body.get().encoded(), &welcome)
            .expect("taken");
        for items in order.chunks(batch) {
            keystore.offer_all(items, &welcome).expect("taken");
        }
        assert_eq!(keystore.len(), MAX_BODIES + 1);
        assert!(keystore.contains(honest.body.get().id()));
        assert_eq!(files(&folder.path().join("items")).len(), MAX_BODIES + 1);
        keystore.ids(&honest.body.get().subject().space.unit)
    };
    let order: Vec<_> = items.iter().map(Vec::as_slice).collect();
    let reversed = order.iter().rev().copied().collect();
    let one_by_one = kept(order.clone(), 1);
    assert_eq!(kept(reversed, 7), one_by_one);
    assert_eq!(kept(order, 1000), one_by_one);
}

fn sealed_by(key: u8, seed: u64) -> (Subject, Sealed) {
    let mut rng = Counter(seed);
    let prepared = crate::particulars::Prepared::new(&person(), &mut rng);
    let (mut subject, _) = sealed(&person(), 1, &[], 0);
    subject.commitment = prepared.commitment();
    let key = operator(key);
    let sealed = prepared
        .seal(&subject, &[], maker(&key), &mut rng)
        .expect("sealed");
    (subject, sealed)
}

#[test]
fn an_operator_of_this_node_is_stopped_before_anything_is_crowded_out() {
    let folder = folder();
    let (keystore, _) = open(&folder);
    for seed in 0..OWN_BODIES as u64 {
        let (_, sealed) = sealed(&file(10), 1, &[], seed * 1000);
        keystore.add(&sealed.items()).expect("stored");
    }
    let (_, sealed) = sealed(&file(10), 1, &[], 9_000_000);
    assert!(matches!(
        keystore.add(&sealed.items()),
        Err(KeystoreError::Full {
            what: "bodies",
            most: OWN_BODIES
        })
    ));
    assert_eq!(keystore.len(), OWN_BODIES);
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let (keystore, _) = open(&folder);
    keystore.add(&case(1).1.items()).expect("stored");
    keystore.erase(&case(2).0, erasure()).expect("erased");
    for path in files(folder.path()) {
        assert_eq!(
            fs::metadata(&path).expect("metadata").permissions().mode() & 0o777,
            0o600,
            "{path:?}"
        );
    }
    assert_eq!(
        fs::metadata(folder.path())
            .expect("metadata")
            .permissions()
            .mode()
            & 0o777,
        0o700
    );
}

#[cfg(unix)]
#[test]
fn a_failing_disk_is_named_and_nothing_is_half_there() {
    let folder = folder();
    let (keystore, _) = open(&folder);
    let (subject, sealed) = case(1);
    // A file where the shelf's folder should be.
    let id = sealed.body.get().id();
    fs::write(
        folder.path().join("items").join(hex::encode(&id.as_bytes()[..1])),
        b"",
    )
    .expect("written");
    let error = keystore.add(&sealed.items()).expect_err("cannot be stored");
    assert!(
        error.to_string().contains(&folder.path().display().to_string()),
        "{error}"
    );
    assert!(!keystore.has_body(&subject));
    assert!(keystore.recipients(&subject).is_empty());
    assert_eq!(files(&folder.path().join("new")), Vec::<PathBuf>::new());
}

#[test]
fn readers_and_writers_do_not_disturb_one_another() {
    let folder = folder();
    let (keystore, _) = open(&folder);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let keystore = &keystore;
            scope.spawn(move || {
                for round in 0..10 {
                    let (subject, sealed) = case(thread * 100 + round);
                    keystore.add(&sealed.items()).expect("stored");
                    assert!(opens(keystore, &subject, &node(VILLAGE)));
                    if round % 2 == 0 {
                        keystore.erase(&subject, erasure()).expect("erased");
                    }
                }
            });
        }
    });
    assert_eq!(keystore.len(), 4 * 5 * 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever lies in the folder, opening neither panics nor fails, and honest items survive.
    #[test]
    fn any_damage_is_survived(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let folder = folder();
        let (keystore, _) = open(&folder);
        let (subject, sealed) = case(1);
        keystore.add(&sealed.items()).expect("stored");
        keystore.erase(&case(2).0, erasure()).expect("erased");
        drop(keystore);
        let all = files(folder.path());
        for (which, at, value) in changes {
            let path = &all[which.index(all.len())];
            if path.ends_with("format") {
                continue;
            }
            let mut bytes = fs::read(path).expect("reads");
            let at = at.index(bytes.len());
            bytes[at] = value;
            fs::write(path, bytes).expect("writes");
        }
        let (keystore, report) = open(&folder);
        prop_assert_eq!(report.items + report.damaged.iter().filter(|damaged| damaged.set_aside).count(), 3);
        prop_assert!(keystore.is_erased(&case(2).0));
        for item in sealed.items() {
            let _ = keystore.offer(item.get().encoded(), &welcome).expect("taken");
        }
        prop_assert!(opens(&keystore, &subject, &node(VILLAGE)));
    }
}
