//! RFC 6962 by its own definition, against which tiles and proofs are held.

use std::path::Path;
use std::sync::Arc;

use anjuan_sync::Digest;
use anjuan_sync::hash::sha256;
use tempfile::TempDir;

use super::*;
use crate::files::Disk;
use crate::journal::JournalId;

const JOURNAL: JournalId = JournalId::from_bytes([7; 16]);
const KIND: u8 = 1;

fn record(index: u64) -> Vec<u8> {
    format!("record {index}").into_bytes()
}

fn leaves(range: std::ops::Range<u64>) -> Vec<Digest> {
    range.map(|index| record_leaf(KIND, &record(index))).collect()
}

/// MTH of RFC 6962, section 2.1, word for word.
fn tree_hash(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => sha256(b""),
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            inner(&tree_hash(&leaves[..k]), &tree_hash(&leaves[k..]))
        }
    }
}

/// PATH of section 2.1.1.
fn path(m: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, beside) = if m < k {
        (path(m, &leaves[..k]), tree_hash(&leaves[k..]))
    } else {
        (path(m - k, &leaves[k..]), tree_hash(&leaves[..k]))
    };
    path.push(beside);
    path
}

/// SUBPROOF of section 2.1.2.
fn subproof(m: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
    if m == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![tree_hash(leaves)]
        };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut proof, beside) = if m <= k {
        (subproof(m, &leaves[..k], whole), tree_hash(&leaves[k..]))
    } else {
        (subproof(m - k, &leaves[k..], false), tree_hash(&leaves[..k]))
    };
    proof.push(beside);
    proof
}

fn head(leaves: &[Digest]) -> TreeHead {
    TreeHead {
        size: leaves.len() as u64,
        root: tree_hash(leaves),
    }
}

fn open(dir: &Path, end: u64) -> (MerkleLog, Start) {
    MerkleLog::open(Arc::new(Disk), dir, JOURNAL, end).expect("opens")
}

fn log_of(size: u64) -> (TempDir, MerkleLog) {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut log, _) = open(dir.path(), size);
    log.append(&leaves(0..size)).expect("appended");
    (dir, log)
}

fn files_below(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(dir)
                    .expect("below")
                    .to_string_lossy()
                    .into_owned();
                found.push((name, std::fs::read(&path).expect("read")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn roots_are_those_of_the_known_test_vectors() {
    // The vectors of the certificate-transparency project for RFC 6962.
    let inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let dir = tempfile::tempdir().expect("a folder");
    let (mut log, _) = open(dir.path(), 8);
    assert_eq!(
        log.head().root.to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (input, root) in inputs.into_iter().zip(roots) {
        let bytes = hex::decode(input).expect("hexadecimal");
        let leaf = sha256(&[&[0][..], &bytes].concat());
        assert_eq!(log.append(&[leaf]).expect("appended").root.to_string(), root);
    }
    let proof = log.prove_inclusion(5, 8).expect("proven");
    let proof: Vec<_> = proof.hashes().iter().map(Digest::to_string).collect();
    assert_eq!(
        proof,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    let proof = log.prove_consistency(6, 8).expect("proven");
    let proof: Vec<_> = proof.hashes().iter().map(Digest::to_string).collect();
    assert_eq!(
        proof,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
}

#[test]
fn every_inclusion_proof_is_the_rfcs_and_no_other_holds() {
    let (_dir, log) = log_of(300);
    let all = leaves(0..300);
    for size in 1..=300u64 {
        let head = head(&all[..size as usize]);
        assert_eq!(log.head_at(size).expect("known"), head);
        for index in 0..size {
            let proof = log.prove_inclusion(index, size).expect("proven");
            // The RFC's own definition hashes the whole tree each time: not for all.
            if size <= 66 || (254..=258).contains(&size) && index % 5 == 0 {
                assert_eq!(proof.hashes(), path(index as usize, &all[..size as usize]));
            }
            proof.verify(&head, index, KIND, &record(index)).expect("holds");
            for (other, kind, bytes) in [
                (index + 1, KIND, record(index)),
                (index ^ 1, KIND, record(index)),
                (index, KIND + 1, record(index)),
                (index, KIND, record(index + 1)),
            ] {
                assert!(
                    proof.verify(&head, other, kind, &bytes).is_err(),
                    "{index} of {size}"
                );
            }
            let root = TreeHead {
                size,
                root: Digest::from_bytes([1; 32]),
            };
            assert!(proof.verify(&root, index, KIND, &record(index)).is_err());
            let mut longer = proof.hashes().to_vec();
            longer.push(head.root);
            let longer = InclusionProof::from_hashes(longer);
            assert_eq!(
                longer.verify(&head, index, KIND, &record(index)),
                Err(ProofError::Length)
            );
        }
    }
}

#[test]
fn every_consistency_proof_is_the_rfcs_and_no_other_holds() {
    let (_dir, log) = log_of(130);
    let all = leaves(0..130);
    let heads: Vec<_> = (0..=130).map(|size| head(&all[..size])).collect();
    for new in 0..=130usize {
        for old in 0..=new {
            let proof = log.prove_consistency(old as u64, new as u64).expect("proven");
            if old > 0 {
                assert_eq!(proof.hashes(), subproof(old, &all[..new], true), "{old} to {new}");
            }
            proof.verify(&heads[old], &heads[new]).expect("holds");
            if old == 0 {
                continue;
            }
            let forged = TreeHead {
                size: old as u64,
                root: Digest::from_bytes([1; 32]),
            };
            assert!(proof.verify(&forged, &heads[new]).is_err(), "{old} to {new}");
            let forged = TreeHead {
                size: new as u64,
                ..forged
            };
            assert!(proof.verify(&heads[old], &forged).is_err(), "{old} to {new}");
            for place in 0..proof.hashes().len() {
                let mut hashes = proof.hashes().to_vec();
                let mut bytes = *hashes[place].as_bytes();
                bytes[place % 32] ^= 1;
                hashes[place] = Digest::from_bytes(bytes);
                let changed = ConsistencyProof::from_hashes(hashes);
                assert_eq!(changed.verify(&heads[old], &heads[new]), Err(ProofError::Root));
                let mut hashes = proof.hashes().to_vec();
                hashes.remove(place);
                let shorter = ConsistencyProof::from_hashes(hashes);
                assert_eq!(shorter.verify(&heads[old], &heads[new]), Err(ProofError::Length));
            }
        }
    }
}

#[test]
fn every_changed_byte_of_an_inclusion_proof_is_refused() {
    let (_dir, log) = log_of(300);
    let head = log.head();
    for index in [0, 1, 150, 255, 256, 298, 299] {
        let proof = log.prove_inclusion(index, 300).expect("proven");
        for place in 0..proof.hashes().len() * 32 {
            let mut hashes = proof.hashes().to_vec();
            let mut bytes = *hashes[place / 32].as_bytes();
            bytes[place % 32] ^= 0x10;
            hashes[place / 32] = Digest::from_bytes(bytes);
            let changed = InclusionProof::from_hashes(hashes);
            assert_eq!(
                changed.verify(&head, index, KIND, &record(index)),
                Err(ProofError::Root)
            );
        }
    }
}

#[test]
fn sizes_no_log_has_are_refused() {
    let proof = InclusionProof::from_hashes(Vec::new());
    let consistency = ConsistencyProof::from_hashes(Vec::new());
    for size in [0, MAX_SIZE + 1, u64::MAX / 2 + 2, u64::MAX] {
        let head = TreeHead {
            size,
            root: Digest::from_bytes([1; 32]),
        };
        for index in [0, size.saturating_sub(1), u64::MAX] {
            assert_eq!(proof.verify(&head, index, KIND, b""), Err(ProofError::Range));
        }
        if size > 0 {
            let one = TreeHead { size: 1, ..head };
            assert_eq!(consistency.verify(&one, &head), Err(ProofError::Range));
            assert_eq!(consistency.verify(&head, &one), Err(ProofError::Range));
        }
    }
    let endless = InclusionProof::from_hashes(vec![Digest::default(); MAX_PROOF + 1]);
    let head = TreeHead {
        size: MAX_SIZE,
        root: Digest::default(),
    };
    assert_eq!(endless.verify(&head, 0, KIND, b""), Err(ProofError::Length));
}

#[test]
fn the_same_files_whatever_the_batches() {
    let (whole, log) = log_of(1000);
    let dir = tempfile::tempdir().expect("a folder");
    let mut size = 0;
    let mut step = 1;
    while size < 1000 {
        let (mut log, start) = open(dir.path(), size);
        assert_eq!(start, if size == 0 { Start::New } else { Start::Continued });
        let end = (size + step).min(1000);
        assert_eq!(
            log.append(&leaves(size..end)).expect("appended"),
            head(&leaves(0..end))
        );
        (size, step) = (end, step % 7 * 40 + 1 + step % 3);
    }
    assert_eq!(files_below(whole.path()), files_below(dir.path()));
    let names: Vec<_> = files_below(dir.path())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "head",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002",
            "tile/0/003.p/232",
            "tile/1/000.p/3"
        ]
    );
    assert!(!dir.path().join("tile/0/000.p").exists());
    log.check().expect("sound");
}

#[test]
fn tiles_of_many_levels_and_their_names() {
    // More than 256 × 256 leaves: three levels.
    let (dir, log) = log_of(70_000);
    let names: Vec<_> = files_below(dir.path())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names.len(), 1 + 273 + 1 + 1 + 1 + 1);
    for name in [
        "tile/0/273.p/112",
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ] {
        assert!(names.iter().any(|n| n == name), "{name}");
    }
    let all = leaves(0..70_000);
    assert_eq!(log.head(), head(&all));
    let reopened = open(dir.path(), 70_000).0;
    reopened.check().expect("sound");
    for index in [0, 255, 256, 65_535, 65_536, 69_999] {
        let proof = reopened.prove_inclusion(index, 70_000).expect("proven");
        proof
            .verify(&log.head(), index, KIND, &record(index))
            .expect("holds");
        assert_eq!(reopened.leaf(index).expect("there"), all[index as usize]);
    }
    for old in [1, 255, 65_536, 69_999] {
        let proof = reopened.prove_consistency(old, 70_000).expect("proven");
        proof
            .verify(&head(&all[..old as usize]), &log.head())
            .expect("holds");
    }
    let id = tile::TileId {
        level: 0,
        index: 1_234_067,
    };
    assert_eq!(id.path(Path::new("")), Path::new("tile/0/x001/x234/067"));
    assert_eq!(
        id.partial_path(Path::new(""), 9),
        Path::new("tile/0/x001/x234/067.p/9")
    );
}

#[test]
fn what_does_not_fit_begins_anew() {
    let (dir, _) = log_of(600);
    assert_eq!(open(dir.path(), 600).1, Start::Continued);
    assert_eq!(open(dir.path(), 599).1, Start::Anew, "ahead of the journal");
    let other = MerkleLog::open(Arc::new(Disk), dir.path(), JournalId::from_bytes([8; 16]), 600);
    assert_eq!(other.expect("opens").1, Start::Anew, "another journal's");

    let (mut log, _) = open(dir.path(), 600);
    log.append(&leaves(0..600)).expect("appended");
    let edge = dir.path().join("tile/0/002.p/88");
    let bytes = std::fs::read(&edge).expect("read");
    let sound = files_below(dir.path());
    for broken in [None, Some(&bytes[..40]), Some(&[]), Some(&[1; 88 * 32])] {
        match broken {
            None => std::fs::remove_file(&edge).expect("removed"),
            Some(broken) => std::fs::write(&edge, broken).expect("written"),
        }
        let (mut log, start) = open(dir.path(), 600);
        assert_eq!((start, log.size()), (Start::Anew, 0));
        log.append(&leaves(0..600)).expect("appended");
        assert_eq!(files_below(dir.path()), sound);
    }
    let head = std::fs::read(dir.path().join("head")).expect("read");
    for length in 0..head.len() - 1 {
        std::fs::write(dir.path().join("head"), &head[..length]).expect("written");
        assert_eq!(open(dir.path(), 600).1, Start::Anew, "{length}");
    }
    std::fs::write(dir.path().join("head"), "anjuan-merkle 2\n").expect("written");
    let newer = MerkleLog::open(Arc::new(Disk), dir.path(), JOURNAL, 600);
    assert!(matches!(newer, Err(MerkleError::Newer { .. })));
}

#[test]
fn a_damaged_full_tile_is_named_and_never_believed() {
    let (dir, _) = log_of(600);
    let path = dir.path().join("tile/0/001");
    let sound = std::fs::read(&path).expect("read");
    for place in (0..sound.len()).step_by(97) {
        let mut bytes = sound.clone();
        bytes[place] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        let (log, start) = open(dir.path(), 600);
        assert_eq!(start, Start::Continued);
        assert!(matches!(log.check(), Err(MerkleError::Damaged { path: p }) if p == path));
        assert!(matches!(
            log.prove_inclusion(300, 600),
            Err(MerkleError::Damaged { .. })
        ));
        // What doesn't need the tile can still be proven.
        log.prove_inclusion(3, 600).expect("proven");
    }
    let (mut log, _) = open(dir.path(), 600);
    log.clear().expect("cleared");
    assert_eq!(open(dir.path(), 600).1, Start::Anew);
    log.append(&leaves(0..600)).expect("appended");
    log.check().expect("sound");
    assert_eq!(std::fs::read(&path).expect("read"), sound);
}

#[test]
fn questions_beyond_the_log_are_refused() {
    let (_dir, log) = log_of(10);
    assert!(matches!(log.head_at(11), Err(MerkleError::Beyond { .. })));
    assert!(matches!(log.leaf(10), Err(MerkleError::Beyond { .. })));
    assert!(matches!(log.leaf(u64::MAX), Err(MerkleError::Beyond { .. })));
    assert!(matches!(
        log.prove_inclusion(5, 5),
        Err(MerkleError::Beyond { .. })
    ));
    assert!(matches!(
        log.prove_consistency(6, 5),
        Err(MerkleError::Beyond { .. })
    ));
    assert!(matches!(
        log.prove_consistency(6, 11),
        Err(MerkleError::Beyond { .. })
    ));
}

#[test]
fn a_batch_that_could_not_be_written_can_be_appended_again() {
    let (dir, mut log) = log_of(250);
    let before = log.head();
    // A folder stands where a tile has to go.
    let in_the_way = dir.path().join("tile/0/001.p/44");
    std::fs::create_dir_all(&in_the_way).expect("a folder");
    log.append(&leaves(250..300))
        .expect_err("there is no file to write");
    assert_eq!(log.head(), before);
    std::fs::remove_dir(&in_the_way).expect("removed");
    assert_eq!(
        log.append(&leaves(250..300)).expect("appended"),
        head(&leaves(0..300))
    );
    log.check().expect("sound");
}
