//! What every store must do, as one check that each implementation runs in its tests.

use ed25519_dalek::SigningKey;

use crate::digest::Digests;
use crate::id::{AuthorKey, CertificateId, DocumentId, LogEpoch, NetworkId, UpdateId};
use crate::log::{Head, LogId, LogState};
use crate::path::{Path, Reach, Scope, Space};
use crate::replica::{Blob, BlobKind, Position, Record, Replica, ReplicaError, Summary, Tree};
use crate::signed::{SignedHeader, SignedUpdate};
use crate::update::{HEADER_VERSION, Header, RawHeader, Timestamp, payload_hash};

/// A store under test: that of a node of the county `4509/02`. All subjects of one check are of one
/// network, so that what one certifies the others accept.
pub trait Subject: Replica {
    /// The network.
    fn network(&self) -> NetworkId;

    /// Judges records and stores what passes, durably.
    fn take(&mut self, records: Vec<Record>) -> Summary;

    /// A certificate by which `author` may write to spaces of `unit` and below, with all credentials it
    /// hangs on, the highest first. None of it is stored yet.
    fn certify(&mut self, unit: &Path, author: AuthorKey) -> (CertificateId, Vec<Record>);

    /// A sealed item that the store accepts at `unit`, another one for each number; not stored yet.
    fn sealed(&mut self, unit: &Path, number: u8) -> Blob;
}

/// Checks that stores made by `new` keep the promises of [`Replica`].
///
/// # Panics
/// With what was expected, where they do not.
pub fn check<S: Subject>(new: impl Fn() -> S) {
    for case in [
        empty_stores_are_alike,
        logs_grow_link_by_link,
        pages_cover_the_scope_and_nothing_else,
        forks_are_kept_whichever_came_first,
        what_is_not_of_here_changes_nothing,
        items_are_held_by_their_ids,
    ] {
        case(&new);
    }
}

/// An author with a log in one space. Payloads are arbitrary bytes: storing does not look at them.
#[derive(Debug)]
pub struct Author {
    key: SigningKey,
    network: NetworkId,
    space: Space,
    certificate: CertificateId,
    epoch: LogEpoch,
    last: Option<(u64, UpdateId)>,
}

impl Author {
    /// An author whose log in `space` is empty.
    pub fn new(seed: u8, network: NetworkId, space: Space, certificate: CertificateId) -> Self {
        Self {
            key: Self::key(seed),
            network,
            space,
            certificate,
            epoch: LogEpoch::from_bytes([seed; 16]),
            last: None,
        }
    }

    /// The key that authors of this seed sign with.
    pub fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    /// The public key that authors of this seed sign with.
    pub fn public_key(seed: u8) -> AuthorKey {
        AuthorKey::from_bytes(Self::key(seed).verifying_key().to_bytes())
    }

    /// The log.
    pub fn log(&self) -> LogId {
        LogId {
            space: self.space.clone(),
            author: AuthorKey::from_bytes(self.key.verifying_key().to_bytes()),
            epoch: self.epoch,
        }
    }

    /// The certificate that updates name.
    pub fn certificate(&self) -> CertificateId {
        self.certificate
    }

    /// Place and id of the last update.
    pub fn last(&self) -> Option<(u64, UpdateId)> {
        self.last
    }

    /// Goes on after this update.
    pub fn resume(&mut self, last: Option<(u64, UpdateId)>) {
        self.last = last;
    }

    /// Signs the next update of the log.
    pub fn write(&mut self, text: &str) -> SignedUpdate {
        self.write_bytes(text.as_bytes())
    }

    /// Signs the next update of the log, with this payload.
    pub fn write_bytes(&mut self, payload: &[u8]) -> SignedUpdate {
        let update = self.sign(self.last, payload);
        self.last = Some((update.header().seq(), update.id()));
        update
    }

    /// Signs an update after another one than the last: a fork, if that has a successor.
    pub fn write_after(&self, last: Option<(u64, UpdateId)>, text: &str) -> SignedUpdate {
        self.sign(last, text.as_bytes())
    }

    fn sign(&self, last: Option<(u64, UpdateId)>, text: &[u8]) -> SignedUpdate {
        let header = Header::try_from(RawHeader {
            version: HEADER_VERSION,
            network: self.network,
            space: self.space.clone(),
            author: AuthorKey::from_bytes(self.key.verifying_key().to_bytes()),
            epoch: self.epoch,
            seq: last.map_or(1, |(seq, _)| seq + 1),
            previous: last.map(|(_, id)| id),
            document: DocumentId::from_bytes([4; 16]),
            payload_hash: payload_hash(text),
            payload_length: u32::try_from(text.len()).expect("a short text"),
            certificate: self.certificate,
            recorded_at: Timestamp::from_millis(1_700_000_000_000),
            continues: None,
            bracket: None,
        })
        .expect("a header");
        SignedUpdate::sign(header, text.to_vec(), &self.key)
            .expect("signed")
            .into_inner()
    }
}

fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

fn county() -> Scope {
    Scope::of(path("4509/02"))
}

fn read<T>(result: Result<T, ReplicaError>) -> T {
    result.expect("the store can be read")
}

fn author<S: Subject>(store: &mut S, seed: u8, space: Space) -> (Author, Vec<Record>) {
    let (certificate, credentials) = store.certify(&space.unit, Author::public_key(seed));
    (
        Author::new(seed, store.network(), space, certificate),
        credentials,
    )
}

fn take_update<S: Subject>(store: &mut S, update: &SignedUpdate) -> Summary {
    store.take(vec![Record::Update(update.clone())])
}

/// Digests built anew from what the store lists are the ones it states.
fn digests_match<S: Subject>(store: &S, scope: &Scope) {
    fn walk<S: Subject>(store: &S, digests: &mut Digests, tree: Tree, path: &Path) {
        for (label, _) in read(store.branch(tree, path)).children {
            walk(store, digests, tree, &path.child(&label).expect("a label"));
        }
        here(store, digests, tree, path);
    }
    fn here<S: Subject>(store: &S, digests: &mut Digests, tree: Tree, path: &Path) {
        match tree.leaves() {
            super::Leaves::Logs(reach) => {
                for item in read(store.logs(reach, path)) {
                    digests.logs_mut(reach).put(path, item);
                }
            }
            super::Leaves::Blobs(kind) => {
                for id in read(store.ids(kind, path)) {
                    digests.blobs_mut(kind).put(path, id);
                }
            }
        }
    }
    let mut digests = Digests::new();
    for tree in Tree::ALL {
        walk(store, &mut digests, tree, scope.unit());
        for above in scope.unit().ancestors() {
            here(store, &mut digests, tree, &above);
        }
        assert_eq!(
            digests.branch(tree, scope.unit()),
            read(store.branch(tree, scope.unit())),
            "{tree:?}"
        );
    }
    assert_eq!(digests.roots(scope), read(store.status(scope)).roots);
}

fn empty_stores_are_alike<S: Subject>(new: &impl Fn() -> S) {
    let store = new();
    let status = read(store.status(&county()));
    let empty = Digests::new().roots(&county());
    assert_eq!(
        (status.roots.up, status.roots.down),
        (empty.up, empty.down),
        "no updates yet"
    );
    assert_eq!(status.roots.sealed, empty.sealed, "no sealed items yet");
    let page = read(store.since(&county(), status.position, 1000));
    assert_eq!(
        (page.records.len(), page.next, page.remaining),
        (0, status.position, 0)
    );
    digests_match(&store, &county());
}

fn logs_grow_link_by_link<S: Subject>(new: &impl Fn() -> S) {
    let mut store = new();
    let village = Space::up(path("4509/02/001/001"));
    let (mut zhang, credentials) = author(&mut store, 1, village.clone());
    let log = zhang.log();
    let first = zhang.write("one");
    assert_eq!(
        take_update(&mut store, &first).refused,
        1,
        "its certificate is not here yet"
    );
    assert_eq!(read(store.log_state(&log)), None);
    store.take(credentials);
    assert_eq!(take_update(&mut store, &first).taken, 1);
    assert_eq!(
        take_update(&mut store, &first).known,
        1,
        "the second time it is known"
    );
    let (second, third) = (zhang.write("two"), zhang.write("three"));
    assert_eq!(
        take_update(&mut store, &third).waiting,
        1,
        "it waits for the second"
    );
    assert_eq!(read(store.update_at(&log, 3)), None, "what waits is not stored");
    assert_eq!(take_update(&mut store, &second).taken, 1);
    let state = LogState::Whole(Head {
        seq: 3,
        id: third.id(),
    });
    assert_eq!(
        read(store.log_state(&log)),
        Some(state),
        "the second brought the third"
    );
    let item = &read(store.logs(Reach::Up, &village.unit))[0];
    assert_eq!(
        (item.author, item.epoch, item.state),
        (log.author, log.epoch, state)
    );
    for (seq, update) in [&first, &second, &third].into_iter().enumerate() {
        assert_eq!(read(store.update_at(&log, seq as u64 + 1)), Some(update.id()));
    }
    let range = |from, to, limit| -> Vec<UpdateId> {
        read(store.log_range(&log, from, to, limit))
            .iter()
            .map(|record| match record {
                Record::Update(update) => update.id(),
                other => panic!("not an update: {other:?}"),
            })
            .collect()
    };
    assert_eq!(range(1, u64::MAX, 1 << 20), [first.id(), second.id(), third.id()]);
    assert_eq!(range(2, 2, 1 << 20), [second.id()]);
    assert_eq!(
        range(1, 3, 1),
        [first.id()],
        "at least one, however small the limit"
    );
    assert!(range(4, 9, 1 << 20).is_empty());
    digests_match(&store, &county());
}

fn pages_cover_the_scope_and_nothing_else<S: Subject>(new: &impl Fn() -> S) {
    let mut store = new();
    let spaces = [
        Space::up(path("4509/02/001/001")),
        Space::up(path("4509/02/001")),
        Space::up(path("4509/02/002")),
        Space::down(path("4509")),
        Space::down(path("4509/02/001")),
        Space::down(path("4509/02/002")),
    ];
    let mut authors = Vec::new();
    for (at, space) in spaces.into_iter().enumerate() {
        let (author, credentials) = author(&mut store, at as u8 + 1, space);
        store.take(credentials);
        authors.push(author);
    }
    let start = read(store.status(&county())).position;
    let mut written = Vec::new();
    for round in 0..7 {
        for author in &mut authors {
            let update = author.write(&format!("round {round}"));
            assert_eq!(take_update(&mut store, &update).taken, 1);
            written.push(update);
        }
    }
    for scope in [
        county(),
        Scope::of(path("4509/02/001")),
        Scope::of(path("4509/02/001/001")),
    ] {
        for limit in [1, 2000, 1 << 20] {
            let mut position = start;
            let mut read_back = Vec::new();
            loop {
                let page = read(store.since(&scope, position, limit));
                assert!(page.next > position, "pages move on");
                position = page.next;
                read_back.extend(page.records.into_iter().filter_map(|record| match record {
                    Record::Update(update) => Some(update),
                    _ => None,
                }));
                if page.remaining == 0 {
                    break;
                }
            }
            let expected: Vec<_> = written
                .iter()
                .filter(|update| scope.holds(update.header().space()))
                .cloned()
                .collect();
            assert_eq!(
                read_back, expected,
                "in the order of acceptance, within {scope:?}"
            );
            assert_eq!(
                position,
                read(store.status(&scope)).position,
                "the end is the position"
            );
        }
        digests_match(&store, &scope);
    }
    let from_start = read(store.since(&county(), Position::START, 1 << 20));
    assert!(from_start.records.len() >= written.len());
}

fn forks_are_kept_whichever_came_first<S: Subject>(new: &impl Fn() -> S) {
    let village = Space::up(path("4509/02/001/001"));
    let mut maker = new();
    let (mut zhang, credentials) = author(&mut maker, 1, village);
    let log = zhang.log();
    let first = zhang.write("one");
    let after_first = Some((1, first.id()));
    let forks: Vec<_> = ["two", "another two", "a third two"]
        .map(|text| zhang.write_after(after_first, text))
        .into();
    let third = zhang.write_after(Some((2, forks[0].id())), "three");
    let mut ids: Vec<_> = forks.iter().map(SignedUpdate::id).collect();
    ids.sort_unstable();
    let expected = LogState::Forked {
        seq: 2,
        first: ids[0],
        second: ids[1],
    };
    let pair = |a: &SignedUpdate, b: &SignedUpdate| {
        Record::Fork(Box::new([a.signed_header().clone(), b.signed_header().clone()]))
    };
    let updates = |order: [usize; 3]| order.map(|at| Record::Update(forks[at].clone())).to_vec();
    let mut arrivals: Vec<Vec<Record>> = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
        .map(updates)
        .into();
    arrivals.push(vec![pair(&forks[0], &forks[1]), Record::Update(forks[2].clone())]);
    arrivals.push(vec![pair(&forks[2], &forks[1]), pair(&forks[0], &forks[1])]);
    arrivals.push(vec![
        Record::Update(forks[0].clone()),
        Record::Update(third.clone()),
        pair(&forks[2], &forks[1]),
    ]);
    for arrival in arrivals {
        let mut store = new();
        store.take(credentials.clone());
        take_update(&mut store, &first);
        store.take(arrival);
        assert_eq!(read(store.log_state(&log)), Some(expected));
        assert_eq!(
            take_update(&mut store, &third).taken,
            0,
            "nothing is taken after a fork"
        );
        let range = read(store.log_range(&log, 1, u64::MAX, 1 << 20));
        let [Record::Update(before), Record::Fork(evidence)] = &range[..] else {
            panic!("expected what is before the fork, and the fork: {range:?}");
        };
        assert_eq!(before, &first);
        assert_eq!(evidence.each_ref().map(SignedHeader::id), [ids[0], ids[1]]);
        assert!(read(store.log_range(&log, 2, 2, 1 << 20)).len() == 1);
        assert!(read(store.log_range(&log, 1, 1, 1 << 20)).len() == 1);
        let page = read(store.since(&county(), Position::START, 1 << 20));
        assert!(
            page.records
                .iter()
                .any(|record| matches!(record, Record::Fork(_)))
        );
        digests_match(&store, &county());
    }
    // A fork above the place where the chains part says nothing on what is before it.
    let mut store = new();
    store.take(credentials);
    for update in [&first, &forks[0], &third] {
        take_update(&mut store, update);
    }
    let other = [
        forks[1].clone(),
        zhang.write_after(Some((2, forks[1].id())), "three, after another"),
    ];
    let before = read(store.status(&county()));
    assert_eq!(take_update(&mut store, &other[1]).taken, 0);
    assert_eq!(store.take(vec![pair(&third, &other[1])]).taken, 0);
    assert_eq!(read(store.status(&county())).roots, before.roots);
    assert_eq!(take_update(&mut store, &other[0]).taken, 1, "here they part");
}

fn what_is_not_of_here_changes_nothing<S: Subject>(new: &impl Fn() -> S) {
    let mut store = new();
    let (mut zhang, credentials) = author(&mut store, 1, Space::up(path("4509/02/001/001")));
    let (mut city, city_credentials) = author(&mut store, 2, Space::up(path("4509")));
    store.take(credentials);
    store.take(city_credentials);
    let first = zhang.write("one");
    take_update(&mut store, &first);
    let before = read(store.status(&county()));
    let mut foreign = Author::new(
        1,
        NetworkId::from_bytes([0xee; 32]),
        zhang.space.clone(),
        zhang.certificate,
    );
    let second = zhang.write("two");
    let mut signature = *second.signed_header().signature();
    signature[5] ^= 1;
    let forged = SignedHeader::from_parts(&second.header().encode(), signature).expect("a header");
    let forged = SignedUpdate::from_parts(forged, b"two".to_vec()).expect("an update");
    let pair = Box::new([forged.signed_header().clone(), first.signed_header().clone()]);
    let mut misnamed = store.sealed(&path("4509/02/001"), 1);
    misnamed.bytes[0] ^= 1;
    for record in [
        Record::Update(city.write("cases of the city are not held in the county")),
        Record::Update(foreign.write("another network")),
        Record::Update(forged),
        Record::Fork(pair),
        Record::Sealed(misnamed),
    ] {
        let summary = store.take(vec![record.clone()]);
        assert_eq!((summary.taken, summary.waiting), (0, 0), "{record:?}");
    }
    assert_eq!(read(store.status(&county())), before);
}

fn items_are_held_by_their_ids<S: Subject>(new: &impl Fn() -> S) {
    let mut store = new();
    let unit = path("4509/02/001");
    let blobs = [store.sealed(&unit, 1), store.sealed(&unit, 2)];
    let before = read(store.status(&county())).position;
    for blob in &blobs {
        assert!(read(store.wants(BlobKind::Sealed, &unit, &blob.id)));
        assert_eq!(store.take(vec![Record::Sealed(blob.clone())]).taken, 1);
        assert_eq!(store.take(vec![Record::Sealed(blob.clone())]).known, 1);
        assert!(!read(store.wants(BlobKind::Sealed, &unit, &blob.id)));
        assert_eq!(
            read(store.blob(BlobKind::Sealed, &unit, &blob.id)),
            Some(blob.bytes.clone())
        );
        assert_eq!(
            read(store.blob(BlobKind::Sealed, &path("4509/02"), &blob.id)),
            None
        );
    }
    let mut ids = blobs.each_ref().map(|blob| blob.id);
    ids.sort_unstable();
    assert_eq!(read(store.ids(BlobKind::Sealed, &unit)), ids);
    let page = read(store.since(&county(), before, 1 << 20));
    for record in &page.records {
        assert!(matches!(record, Record::Held { path, id } if *path == unit && ids.contains(id)));
    }
    digests_match(&store, &county());
}
