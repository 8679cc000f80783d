use std::path::Path;

use super::*;

const ONE: Table = Table::new(1);
const TWO: Table = Table::new(2);
const JOURNAL: JournalId = JournalId::from_bytes([7; 16]);

fn open(dir: &Path) -> CaseStore {
    match CaseStore::open(dir, 1 << 20).expect("opened") {
        Opened::Ready(store) => store,
        Opened::SetAside { why, .. } => panic!("set aside: {why}"),
    }
}

fn put(store: &CaseStore, table: Table, key: &[u8], value: &[u8]) {
    let mut batch = Batch::new();
    batch.put(table, key, value);
    store.apply(batch).expect("applied");
}

#[test]
fn what_is_put_is_there_after_a_close() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let long: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
    let mut batch = Batch::new();
    batch
        .put(ONE, b"a", b"1".to_vec())
        .put(ONE, b"b", long.clone())
        .put(TWO, b"a", Vec::new());
    batch.reflect(Reflects {
        journal: JOURNAL,
        position: 9,
    });
    assert_eq!((batch.len(), batch.is_empty()), (3, false));
    store.apply(batch).expect("applied");
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.get(ONE, b"b").expect("read"), Some(long));
    assert_eq!(store.get(TWO, b"a").expect("read"), Some(Vec::new()));
    assert_eq!(store.get(TWO, b"b").expect("read"), None);
    assert_eq!((store.count(ONE), store.count(TWO)), (2, 1));
    assert_eq!(
        store.reflects(),
        Some(Reflects {
            journal: JOURNAL,
            position: 9
        })
    );
}

#[test]
fn parts_go_with_their_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for length in [0, 3500, 3501, 40_000, 7000, 10, 9000] {
        let value: Vec<u8> = (0..length).map(|n: u32| (n % 13) as u8).collect();
        put(&store, ONE, b"key", &value);
        assert_eq!(store.get(ONE, b"key").expect("read"), Some(value));
        store.verify().expect("no part too many, none missing");
    }
    let mut batch = Batch::new();
    batch.delete(ONE, b"key").delete(ONE, b"never there");
    store.apply(batch).expect("applied");
    assert_eq!(store.count(ONE), 0);
    store.verify().expect("nothing left behind");
}

#[test]
fn scans_are_in_order_and_within_their_prefix() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let mut batch = Batch::new();
    for n in 0..1000_u32 {
        batch.put(ONE, format!("{}/{n:04}", n % 2).as_bytes(), n.to_le_bytes());
        batch.put(TWO, &n.to_be_bytes(), vec![]);
    }
    store.apply(batch).expect("applied");
    let keys = |scan: Scan<'_>| scan.map(|entry| entry.expect("read").0).collect::<Vec<_>>();
    let odd = keys(store.scan_prefix(ONE, b"1/"));
    assert_eq!(
        odd,
        (0..500)
            .map(|n| format!("1/{:04}", 2 * n + 1).into_bytes())
            .collect::<Vec<_>>()
    );
    assert_eq!(keys(store.scan_after(ONE, b"1/", b"1/0499")), odd[250..]);
    assert_eq!(keys(store.scan_prefix(ONE, b"")).len(), 1000);
    assert_eq!(keys(store.scan_prefix(TWO, b"")).len(), 1000);
    assert!(keys(store.scan_prefix(ONE, b"2")).is_empty());
}

#[test]
fn a_value_changed_behind_our_back_is_not_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    put(&store, ONE, b"key", b"value");
    put(&store, ONE, b"other", b"other value");
    store
        .sled
        .call("write to", |tree| {
            let mut stored = tree.get(b"\x01key")?.expect("there").to_vec();
            stored[2] ^= 1;
            tree.insert(b"\x01key", stored)
        })
        .expect("written");
    assert!(matches!(store.get(ONE, b"key"), Err(StoreError::Damaged(_))));
    assert!(store.get(ONE, b"other").is_ok());
    drop(store);
    assert!(matches!(
        CaseStore::open(folder.path(), 1 << 20).expect("opened"),
        Opened::SetAside { .. }
    ));
}

#[test]
fn an_entry_that_vanished_is_missed_and_two_stores_set_aside_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 1..=4 {
        let store = open(folder.path());
        put(&store, ONE, b"key", b"value");
        put(&store, ONE, b"other", b"value");
        store
            .sled
            .call("write to", |tree| tree.remove(b"\x01other"))
            .expect("removed");
        assert!(matches!(store.verify(), Err(StoreError::Damaged(_))));
        drop(store);
        let Opened::SetAside { store, kept_in, why } =
            CaseStore::open(folder.path(), 1 << 20).expect("opened")
        else {
            panic!("round {round}: not missed")
        };
        assert!(
            kept_in.ends_with(format!("sled-set-aside-{round}")),
            "{}",
            kept_in.display()
        );
        assert!(why.contains("missing"), "{why}");
        assert_eq!(store.count(ONE), 0);
    }
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .expect("listed")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    names.sort();
    assert_eq!(names, ["sled", "sled-set-aside-3", "sled-set-aside-4"]);
}

#[test]
fn after_a_panic_nothing_more_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    put(&store, ONE, b"key", b"value");
    let panicked: Result<(), _> = store.sled.call("read", |_| panic!("as sled does"));
    assert!(matches!(panicked, Err(StoreError::Damaged(why)) if why.contains("as sled does")));
    assert!(matches!(store.get(ONE, b"key"), Err(StoreError::Broken(_))));
    // Even while the failed one still holds its file.
    assert!(matches!(
        CaseStore::open(folder.path(), 1 << 20).expect("opened"),
        Opened::SetAside { .. }
    ));
}

#[test]
fn a_newer_store_and_one_in_use_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    assert!(matches!(
        CaseStore::open(folder.path(), 1 << 20),
        Err(StoreError::InUse { .. })
    ));
    let mut totals = 2_u32.to_le_bytes().to_vec();
    totals.extend_from_slice(b"what a later version says");
    let crc = crc32c::crc32c(&totals);
    totals.extend_from_slice(&crc.to_le_bytes());
    store
        .sled
        .call("write to", |tree| tree.insert(totals::KEY, totals))
        .expect("written");
    drop(store);
    let error = CaseStore::open(folder.path(), 1 << 20)
        .expect_err("newer")
        .to_string();
    assert!(error.contains("format 2, written by a newer version"), "{error}");
}

#[test]
fn long_keys_and_values_are_refused_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let mut batch = Batch::new();
    batch
        .put(ONE, b"good", b"value".to_vec())
        .put(ONE, &[0; MAX_KEY + 1], b"value".to_vec());
    assert!(matches!(store.apply(batch), Err(StoreError::TooLong { .. })));
    assert_eq!(store.get(ONE, b"good").expect("read"), None);
}
