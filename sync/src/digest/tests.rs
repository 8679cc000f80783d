use proptest::prelude::*;

use super::*;
use crate::id::UpdateId;
use crate::log::Head;

fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

fn id(byte: u8) -> ItemId {
    ItemId::from_bytes([byte; 32])
}

fn item(author: u8, seq: u64) -> LogItem {
    LogItem {
        author: AuthorKey::from_bytes([author; 32]),
        epoch: LogEpoch::from_bytes([1; 16]),
        state: LogState::Whole(Head {
            seq,
            id: UpdateId::from_bytes([seq as u8; 32]),
        }),
    }
}

#[test]
fn digests_are_pinned() {
    let mut tree = DigestTree::new(Tree::Up);
    tree.put(&path("4509/02/001"), item(1, 3));
    tree.put(&path("4509/02"), item(2, 9));
    let forked = LogState::Forked {
        seq: 2,
        first: UpdateId::from_bytes([1; 32]),
        second: UpdateId::from_bytes([2; 32]),
    };
    tree.put(
        &path("4509/02/001/001"),
        LogItem {
            state: forked,
            ..item(3, 1)
        },
    );
    assert_eq!(
        tree.root(&Scope::of(path("4509"))).to_string(),
        "b309aeee6ada3cdd94bc979f943d36150a70d8a3e13e05f12ad4f0c819df5d30"
    );
    let mut sealed = DigestTree::new(Tree::Sealed);
    sealed.put(&path("4509/02/001"), id(7));
    assert_eq!(
        sealed.root(&Scope::of(path("4509/02"))).to_string(),
        "6530551d624c69f2763a0467528f863b42c09e4bd0014cf1353f7d1176463a09"
    );
}

#[test]
fn what_a_scope_does_not_hold_does_not_matter_to_it() {
    let village = Scope::of(path("4509/02/001/001"));
    let mut digests = Digests::new();
    digests
        .logs_mut(Reach::Up)
        .put(&path("4509/02/001/001"), item(1, 1));
    let before = digests.roots(&village);
    digests.logs_mut(Reach::Up).put(&path("4509/02/001"), item(1, 1));
    digests
        .logs_mut(Reach::Up)
        .put(&path("4509/02/001/002"), item(1, 1));
    digests
        .logs_mut(Reach::Down)
        .put(&path("4509/02/001/002"), item(1, 1));
    assert_eq!(digests.roots(&village), before);
    digests.logs_mut(Reach::Down).put(&path("4509"), item(1, 1));
    assert_eq!(digests.roots(&village).differing(&before), [Tree::Down]);
}

#[test]
fn scopes_that_hold_no_changed_place_have_the_roots_that_they_had() {
    let places = [
        "4509",
        "4509/02",
        "4509/02/001",
        "4509/02/001/001",
        "4509/02/002",
        "4509/03",
    ];
    let mut digests = Digests::new();
    for (step, place) in (0_u8..).zip(places.iter().cycle().take(24)) {
        let place = path(place);
        let before: Vec<_> = places
            .iter()
            .map(|place| digests.roots(&Scope::of(path(place))))
            .collect();
        match step / 6 {
            0 => digests.logs_mut(Reach::Up).put(&place, item(1, 1)),
            1 => digests.logs_mut(Reach::Down).put(&place, item(1, 1)),
            2 => digests.blobs_mut(BlobKind::Sealed).put(&place, id(1)),
            _ => digests.blobs_mut(BlobKind::Credential).put(&place, id(1)),
        };
        digests.settle();
        let changed = digests.take_changed();
        assert_eq!(changed.len(), 1);
        for (scope, before) in places.iter().zip(before) {
            let scope = Scope::of(path(scope));
            let is_told = changed.iter().any(|space| scope.holds(space));
            assert_eq!(
                is_told,
                digests.roots(&scope) != before,
                "{place:?}, as {scope:?} sees it"
            );
        }
    }
    let (up, at) = (digests.logs_mut(Reach::Up), path("4509/02"));
    assert!(!up.put(&at, item(1, 1)), "it is there");
    assert!(digests.take_changed().is_empty(), "and changes nothing");
    assert!(digests.logs_mut(Reach::Up).remove(&at, &item(1, 1).key()));
    assert_eq!(digests.take_changed(), [Space::up(at)].into());
}

#[test]
fn the_same_item_elsewhere_is_another_digest() {
    let city = Scope::of(path("4509"));
    let root = |tree: Tree, at: &str| {
        let mut digests = DigestTree::new(tree);
        digests.put(&path(at), id(1));
        digests.root(&city)
    };
    assert_ne!(root(Tree::Sealed, "4509/02"), root(Tree::Sealed, "4509/03"));
    assert_ne!(root(Tree::Sealed, "4509/02"), root(Tree::Credentials, "4509/02"));
}

/// Prints what a change costs in a city's tree: `cargo test --release -- --ignored cost`.
#[test]
#[ignore = "a measurement"]
fn cost() {
    let mut sealed = DigestTree::new(Tree::Sealed);
    let mut logs = DigestTree::new(Tree::Up);
    let village = |number: u64| {
        let (county, town) = (number / 216 + 1, number / 15 + 1);
        path(&format!("4509/{county:02}/{town:03}/{number:04}"))
    };
    for number in 0..45_000u64 {
        let id = ItemId::from_bytes(*crate::hash::sha256(&number.to_be_bytes()).as_bytes());
        sealed.put(&village(number % 1508), id);
    }
    for number in 0..12_000u64 {
        let author = AuthorKey::from_bytes(*crate::hash::sha256(&number.to_be_bytes()).as_bytes());
        logs.put(&village(number % 1508), LogItem { author, ..item(0, 1) });
    }
    let city = Scope::of(path("4509"));
    let start = std::time::Instant::now();
    sealed.settle();
    logs.settle();
    let all = start.elapsed();
    let start = std::time::Instant::now();
    for number in 0..1000u64 {
        let author = AuthorKey::from_bytes(*crate::hash::sha256(&number.to_be_bytes()).as_bytes());
        logs.put(
            &village(number),
            LogItem {
                author,
                ..item(0, 2 + number % 3)
            },
        );
        logs.settle();
        logs.root(&city);
    }
    eprintln!(
        "settle everything {all:?}; one update with its root {:?}",
        start.elapsed() / 1000
    );
}

proptest! {
    /// However items came and went, the digests are those of a tree built of what is left.
    #[test]
    fn digests_depend_on_the_items_alone(
        steps in proptest::collection::vec((0u8..5, 0u8..4, 0u8..6, any::<bool>(), any::<bool>()), 0..60),
    ) {
        let at = |town: u8, village: u8| {
            let text = match (town, village) {
                (0, _) => "4509".to_owned(),
                (town, 0) => format!("4509/0{town}"),
                (town, village) => format!("4509/0{town}/00{village}"),
            };
            path(&text)
        };
        let mut tree = DigestTree::new(Tree::Sealed);
        let mut left = std::collections::BTreeSet::new();
        for (town, village, item, put, settle) in steps {
            let path = at(town, village);
            if put {
                prop_assert_eq!(tree.put(&path, id(item)), left.insert((path.clone(), id(item))));
            } else {
                prop_assert_eq!(tree.remove(&path, &id(item)), left.remove(&(path.clone(), id(item))));
            }
            if settle {
                tree.settle();
            }
        }
        let mut built = DigestTree::new(Tree::Sealed);
        for (path, item) in left.iter().rev() {
            built.put(path, *item);
        }
        let unsettled = tree.root(&Scope::of(path("4509")));
        tree.settle();
        prop_assert_eq!(unsettled, tree.root(&Scope::of(path("4509"))));
        prop_assert_eq!(unsettled, built.root(&Scope::of(path("4509"))));
        prop_assert_eq!(tree.branch(&path("4509")), built.branch(&path("4509")));
    }
}
