//! sled's files are damaged: the store is set aside or says so, never a silent loss, never a panic.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anjuan_node::journal::JournalId;
use anjuan_node::store::{Batch, CaseStore, Opened, Reflects, StoreError, Table};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{rounds, seed};

const CASES: Table = Table::new(1);
const INDEX: Table = Table::new(2);
const CACHE: u64 = 8 << 20;

type Content = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

/// A store as it is left behind by a close; gives what it held after each batch.
fn written(home: &Path, rng: &mut StdRng) -> Vec<Content> {
    let Opened::Ready(store) = CaseStore::open(home, CACHE).expect("opened") else {
        panic!("a fresh store")
    };
    let mut content = Content::new();
    let mut history = vec![Content::new()];
    for position in 1..=60 {
        let mut batch = Batch::new();
        for _ in 0..8 {
            let table = if rng.random_bool(0.5) { CASES } else { INDEX };
            let key = rng.random_range(0_u16..300).to_be_bytes().to_vec();
            if rng.random_bool(0.15) {
                batch.delete(table, &key);
                content.remove(&(table.number(), key));
                continue;
            }
            let length = if rng.random_bool(0.1) {
                rng.random_range(3000..15_000)
            } else {
                rng.random_range(0..400)
            };
            let value: Vec<u8> = (0..length).map(|_| rng.random()).collect();
            batch.put(table, &key, value.clone());
            content.insert((table.number(), key), value);
        }
        batch.reflect(Reflects {
            journal: JournalId::from_bytes([7; 16]),
            position,
        });
        store.apply(batch).expect("applied");
        history.push(content.clone());
    }
    store.verify().expect("holds");
    history
}

fn content_of(store: &CaseStore) -> Result<Content, StoreError> {
    let mut content = Content::new();
    for table in [CASES, INDEX] {
        for entry in store.scan_prefix(table, &[]) {
            let (key, value) = entry?;
            content.insert((table.number(), key), value);
        }
    }
    Ok(content)
}

/// Either all is there as of the position that the store says, the rest being in the journal, or the
/// store was set aside.
fn check(home: &Path, history: &[Content], context: &str) {
    match CaseStore::open(home, CACHE) {
        Ok(Opened::Ready(store)) => {
            let position = store.reflects().map_or(0, |reflects| reflects.position);
            match content_of(&store) {
                Ok(found) => assert!(
                    found == history[position as usize],
                    "{context}: not as of {position}"
                ),
                Err(error) => panic!("{context}: opened, then {error}"),
            }
        }
        Ok(Opened::SetAside { store, kept_in, why }) => {
            assert!(kept_in.exists() && !why.is_empty(), "{context}");
            assert!(
                store.reflects().is_none() && content_of(&store).expect("fresh").is_empty(),
                "{context}"
            );
            let mut batch = Batch::new();
            batch.put(CASES, b"rebuilt", b"value".to_vec());
            store.apply(batch).expect("a fresh store takes what is rebuilt");
        }
        Err(error) => panic!("{context}: {error}"),
    }
}

fn files_of(home: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut folders = vec![home.join("sled")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path)
            } else {
                paths.push(path)
            }
        }
    }
    paths.sort();
    paths
}

fn damage_each_round(usual: u64, damage: impl Fn(&mut Vec<u8>, &mut StdRng) -> String) {
    for round in 0..rounds(usual) {
        let mut rng = StdRng::seed_from_u64(seed() + round);
        let folder = tempfile::tempdir().expect("a folder");
        let history = written(folder.path(), &mut rng);
        let paths = files_of(folder.path());
        // Most of the bytes are in the file `db`; the others get their share of the rounds.
        let path = &paths[rng.random_range(0..paths.len())];
        let mut bytes = std::fs::read(path).expect("read");
        if bytes.is_empty() {
            continue;
        }
        let what = damage(&mut bytes, &mut rng);
        std::fs::write(path, bytes).expect("written");
        check(
            folder.path(),
            &history,
            &format!("round {round}: {} {what}", path.display()),
        );
    }
}

#[test]
fn flipped_bits_are_found() {
    damage_each_round(80, |bytes, rng| {
        let (at, bit) = (rng.random_range(0..bytes.len()), rng.random_range(0..8));
        bytes[at] ^= 1 << bit;
        format!("byte {at} bit {bit}")
    });
}

#[test]
fn files_cut_short_are_found() {
    damage_each_round(80, |bytes, rng| {
        let keep = rng.random_range(0..bytes.len());
        bytes.truncate(keep);
        format!("cut to {keep}")
    });
}

#[test]
fn zeroed_sectors_are_found() {
    damage_each_round(40, |bytes, rng| {
        let sectors = bytes.len().div_ceil(512);
        let at = rng.random_range(0..sectors) * 512;
        let end = (at + 512).min(bytes.len());
        bytes[at..end].fill(0);
        format!("zeroed {at}..{end}")
    });
}

/// What is damaged while the store is open is found when it is read, or kept in sled's cache whole.
#[test]
fn damage_under_an_open_store_is_not_served() {
    for round in 0..rounds(20) {
        let mut rng = StdRng::seed_from_u64(seed() + round);
        let folder = tempfile::tempdir().expect("a folder");
        let history = written(folder.path(), &mut rng);
        // Too small a cache to hold it all.
        let Opened::Ready(store) = CaseStore::open(folder.path(), 1 << 14).expect("opened") else {
            panic!("round {round}: an undamaged store")
        };
        let path = folder.path().join("sled/db");
        let mut bytes = std::fs::read(&path).expect("read");
        for _ in 0..200 {
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1;
        }
        std::fs::write(&path, bytes).expect("written");
        for ((table, key), value) in &history[60] {
            match store.get(Table::new(*table), key) {
                Ok(found) => assert!(found.as_ref() == Some(value), "round {round}: another value"),
                Err(StoreError::Damaged(_) | StoreError::Broken(_)) => {}
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        drop(store);
        check(folder.path(), &history, &format!("round {round}, opened again"));
    }
}
