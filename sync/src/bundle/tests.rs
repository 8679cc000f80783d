use proptest::prelude::*;

use super::*;
use crate::path::{Scope, Space};
use crate::replica::conformance::{Author, Subject};
use crate::replica::memory::{Judge, MemoryReplica};
use crate::replica::{BlobKind, Record, Replica};

const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);
const WRITTEN: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// How far the writer took another store in.
const TAKEN: Cursor = Cursor {
    epoch: StoreEpoch::from_bytes([9; 16]),
    position: Position::new(1000),
};
const VILLAGE: &str = "4509/02/001/001";
const TOWN: &str = "4509/02/001";

fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

fn node(unit: &str, epoch: u8) -> MemoryReplica {
    let scope = Scope::of(path(unit));
    MemoryReplica::new(
        NETWORK,
        scope,
        StoreEpoch::from_bytes([epoch; 16]),
        Judge::certificate_known(),
    )
}

/// An operator of `unit`, certified at `replica`.
fn operator(replica: &mut MemoryReplica, seed: u8, space: Space) -> Author {
    let (certificate, credentials) = replica.certify(&space.unit, Author::public_key(seed));
    replica.take(credentials);
    Author::new(seed, NETWORK, space, certificate)
}

fn write(replica: &mut MemoryReplica, author: &mut Author, text: &str) {
    let update = author.write(text);
    assert_eq!(replica.take(vec![Record::Update(update)]).taken, 1);
}

/// A village with an operator, some updates, a fork, a sealed item and a notice of its town.
fn village() -> (MemoryReplica, Author) {
    let mut village = node(VILLAGE, 1);
    let mut zhang = operator(&mut village, 1, Space::up(path(VILLAGE)));
    for number in 0..5 {
        write(&mut village, &mut zhang, &format!("update {number}"));
    }
    let mut li = operator(&mut village, 2, Space::down(path(TOWN)));
    write(&mut village, &mut li, "a notice");
    let wang = operator(&mut village, 3, Space::up(path(VILLAGE)));
    let pair = ["a", "b"].map(|text| wang.write_after(None, text));
    village.take(pair.into_iter().map(Record::Update).collect());
    let sealed = village.sealed(&path(VILLAGE), 1);
    village.take(vec![Record::Sealed(sealed)]);
    (village, zhang)
}

fn export(replica: &MemoryReplica, scope: &str, since: Since) -> Vec<u8> {
    let mut out = Vec::new();
    let from = Origin {
        network: NETWORK,
        unit: replica.scope().unit().clone(),
        taken: vec![TAKEN],
    };
    let progress = write_bundle(replica, from, Scope::of(path(scope)), since, WRITTEN, &mut out);
    assert_eq!(progress.expect("written").bytes, out.len() as u64);
    out
}

fn import(replica: &mut MemoryReplica, bundle: &[u8]) -> u32 {
    let pages = read_bundle(bundle, NETWORK).expect("a bundle");
    pages
        .map(|page| {
            let summary = replica.take(page.expect("a whole page"));
            assert_eq!((summary.forged, summary.refused, summary.waiting), (0, 0, 0));
            summary.taken
        })
        .sum()
}

fn roots(replica: &MemoryReplica, scope: &str) -> Roots {
    replica.status(&Scope::of(path(scope))).expect("readable").roots
}

/// Everything of an unlinked village reaches its town, and the answer, only what is new, the village.
#[test]
fn a_bundle_goes_to_the_town_and_its_answer_comes_back() {
    let (mut village, mut zhang) = village();
    let mut town = node(TOWN, 2);
    let mut bundle = export(&village, VILLAGE, Since::Start);
    let header = read_bundle(&bundle[..], NETWORK)
        .expect("a bundle")
        .header()
        .clone();
    assert_eq!(header.roots.differing(&roots(&town, VILLAGE)).len(), 4);
    assert_eq!(header.taken, [TAKEN]);
    import(&mut town, &bundle);
    assert_eq!(header.roots, roots(&town, VILLAGE), "nothing is lacking");
    assert_eq!(import(&mut town, &bundle), 0, "a second time brings nothing");

    let taken = town.status(town.scope()).expect("readable").position;
    let mut chair = operator(&mut town, 9, Space::up(path(VILLAGE)));
    write(&mut town, &mut chair, "the town's answer");
    write(&mut village, &mut zhang, "meanwhile");
    bundle = export(&town, VILLAGE, Since::Position(taken));
    assert!(bundle.len() < 2500, "{} B", bundle.len());
    import(&mut village, &bundle);
    bundle = export(&village, VILLAGE, Since::Start);
    import(&mut town, &bundle);
    assert_eq!(roots(&village, VILLAGE), roots(&town, VILLAGE));
    let sealed = village.ids(BlobKind::Sealed, &path(VILLAGE)).expect("readable");
    assert_eq!(sealed.len(), 1);
}

/// A bundle as it was once written. Whatever is released can read it; and writes the same, but for what
/// another zstd makes of a page.
#[test]
fn its_bytes_are_pinned() {
    let golden = include_bytes!("golden.bundle");
    let written = export(&village().0, VILLAGE, Since::Start);
    let (records, sound) = read(golden);
    assert!(sound.is_ok(), "{sound:?}");
    assert_eq!(records, read(&written).0);
    let start = MAGIC.len() + 2 + 4;
    let length = u16::from_be_bytes([golden[start - 2], golden[start - 1]]);
    let header = usize::from(length) + 32 + start;
    assert_eq!(written[..header + 5], golden[..header + 5]);
}

#[test]
fn the_longest_header_fits() {
    let village = village().0;
    let furthest = Cursor {
        epoch: StoreEpoch::from_bytes([255; 16]),
        position: Position::new(u64::MAX),
    };
    let from = Origin {
        network: NETWORK,
        unit: path(VILLAGE),
        taken: vec![furthest; MAX_TAKEN + 1],
    };
    let mut out = Vec::new();
    let scope = Scope::of(path(VILLAGE));
    write_bundle(&village, from, scope, Since::Start, WRITTEN, &mut out).expect("written");
    let read = read_bundle(&out[..], NETWORK).expect("a header within bounds");
    assert_eq!(read.header().taken.len(), MAX_TAKEN);
}

/// Reads all there is; the records of whole pages, and whether it is sound.
fn read(bundle: &[u8]) -> (Vec<Record>, Result<(), BundleError>) {
    let pages = match read_bundle(bundle, NETWORK) {
        Ok(pages) => pages,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let (mut records, mut sound) = (Vec::new(), Ok(()));
    for page in pages {
        match page {
            Ok(page) => records.extend(page),
            Err(error) => sound = Err(error),
        }
    }
    (records, sound)
}

#[test]
fn any_byte_changed_and_any_end_too_early_is_refused_by_name() {
    let bundle = export(&village().0, VILLAGE, Since::Start);
    let (whole, sound) = read(&bundle);
    assert!(sound.is_ok() && whole.len() > 9, "{sound:?}, {}", whole.len());
    for at in 0..bundle.len() {
        for bit in [1, 0x80] {
            let mut changed = bundle.clone();
            changed[at] ^= bit;
            let (records, sound) = read(&changed);
            assert!(sound.is_err(), "byte {at}");
            assert!(records.is_empty() || records == whole, "byte {at}");
        }
        let (records, cut) = read(&bundle[..at]);
        let named = matches!(cut, Err(BundleError::Truncated { .. } | BundleError::NotABundle));
        assert!(named, "cut at {at}: {cut:?}");
        assert!(records.is_empty() || records == whole, "cut at {at}");
    }
    let longer = [&bundle[..], &[0]].concat();
    assert!(matches!(read(&longer).1, Err(BundleError::End(_))));
    assert!(matches!(
        read_bundle(&bundle[..], NetworkId::from_bytes([7; 32])),
        Err(BundleError::Network)
    ));
    let mut newer = bundle;
    newer[9] = 2;
    assert!(matches!(read(&newer).1, Err(BundleError::Version(2))));
}

/// Of several pages.
fn large() -> Vec<u8> {
    let (mut village, mut zhang) = village();
    for number in 0..30u64 {
        let text: String = (0..900u64)
            .map(|part| crate::hash::sha256(&(number * 1000 + part).to_be_bytes()).to_string())
            .collect();
        write(&mut village, &mut zhang, &text);
    }
    export(&village, VILLAGE, Since::Start)
}

#[test]
fn the_pages_beside_a_damaged_one_are_still_taken() {
    let bundle = large();
    let pages: Vec<_> = read_bundle(&bundle[..], NETWORK).expect("a bundle").collect();
    assert!(pages.len() > 3, "{} pages", pages.len());
    let lengths: Vec<_> = pages
        .iter()
        .map(|page| page.as_ref().expect("whole").len())
        .collect();
    let mut changed = bundle.clone();
    let middle = bundle.len() / 2;
    changed[middle] ^= 1;
    let mut damaged = 0;
    for (at, page) in read_bundle(&changed[..], NETWORK).expect("a bundle").enumerate() {
        match page {
            Ok(page) => assert_eq!(page.len(), lengths[at]),
            Err(BundleError::Page { number, .. }) => {
                assert_eq!(number, at as u64 + 1);
                damaged += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(damaged, 1);
}

#[test]
fn an_import_goes_on_where_it_stopped() {
    let bundle = large();
    let all: Vec<_> = read(&bundle).0;
    for stop in 0..4 {
        let mut first = read_bundle(&bundle[..], NETWORK).expect("a bundle");
        let mut records: Vec<_> = first
            .by_ref()
            .take(stop)
            .flat_map(|page| page.expect("whole"))
            .collect();
        let done = first.pages();
        assert_eq!(done, stop as u64);
        let mut second = read_bundle(&bundle[..], NETWORK).expect("a bundle");
        second.resume_after(done);
        records.extend(second.flat_map(|page| page.expect("whole")));
        assert_eq!(records, all);
    }
}

proptest! {
    /// Whatever the file, reading it ends, and neither panics nor takes more memory than a page.
    #[test]
    fn nothing_in_a_file_does_harm(
        at in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        garbage in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut bundle = export(&village().0, VILLAGE, Since::Start);
        let at = at.index(bundle.len());
        let end = (at + bytes.len()).min(bundle.len());
        bundle[at..end].copy_from_slice(&bytes[..end - at]);
        let _ = read(&bundle);
        let _ = read(&garbage);
        let _ = read(&[&MAGIC[..], &garbage].concat());
    }
}
