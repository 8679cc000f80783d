//! Writing a bundle, a page at a time.

use std::collections::{BTreeSet, VecDeque};
use std::io::Write;

use super::{
    BUNDLE_VERSION, BundleError, END, Header, MAGIC, MAX_TAKEN, PAGE, Whole, header_digest, page_digest,
};
use crate::hash::Digest;
use crate::id::NetworkId;
use crate::path::{Path, Scope};
use crate::replica::{Blob, BlobKind, Cursor, Position, Record, Replica, ReplicaError, Tree};
use crate::session::page;
use crate::update::Timestamp;

/// Bytes of records in a page, but for the last of them: a stick that is pulled out costs no more.
const PAGE_LIMIT: usize = 512 * 1024;

/// Who writes a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The network.
    pub network: NetworkId,
    /// The unit of the node that writes it.
    pub unit: Path,
    /// How far that node took other stores in, the most important first; what is beyond [`MAX_TAKEN`] is
    /// left out.
    pub taken: Vec<Cursor>,
}

/// What goes into a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Everything of the scope.
    Start,
    /// What was accepted from this position on: the one up to which the receiver took this store in. With
    /// it go the credentials and sealed items of the places it concerns, since a store's order may leave
    /// them out; the receiver may have them.
    Position(Position),
}

/// How far an export has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// Pages written.
    pub pages: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Updates, forks and credentials still to come, as the store's order counts them.
    pub remaining: u64,
}

#[derive(Debug)]
enum Stage {
    /// What was accepted, from here on.
    Order(Position),
    /// Places whose credentials are not written yet, then those whose sealed items are not.
    Rest,
    Finished,
}

/// Writes a bundle in steps of one page, so that a store need not stand still for all of it. Needs memory
/// for a page or two and for the names of the places it came by.
#[derive(Debug)]
pub struct Export<W> {
    out: W,
    scope: Scope,
    end: Position,
    header: Digest,
    whole: Whole,
    stage: Stage,
    /// Records for the next page.
    waiting: VecDeque<Record>,
    /// Places whose credentials were written.
    certified: BTreeSet<Path>,
    /// Items to be looked up.
    items: VecDeque<(BlobKind, Path)>,
    /// Places whose sealed items go with it.
    sealed: BTreeSet<Path>,
    progress: Progress,
}

impl<W: Write> Export<W> {
    /// Begins a bundle for nodes that hold `scope`.
    pub fn begin(
        replica: &dyn Replica,
        from: Origin,
        scope: Scope,
        since: Since,
        now: Timestamp,
        mut out: W,
    ) -> Result<Self, BundleError> {
        let status = replica.status(&scope)?;
        let (after, places) = match since {
            Since::Start => (Position::START, all_places(replica, &scope)?),
            Since::Position(position) => (position, [BTreeSet::new(), BTreeSet::new()]),
        };
        let [certified, sealed] = places;
        let Origin {
            network,
            unit: from,
            mut taken,
        } = from;
        taken.truncate(MAX_TAKEN);
        let header = Header {
            network,
            from,
            scope: scope.unit().clone(),
            epoch: replica.epoch(),
            since: after,
            position: status.position,
            roots: status.roots,
            written: now,
            taken,
        };
        let header = minicbor::to_vec(&header).expect("writing to a vector does not fail");
        let digest = header_digest(&header);
        let mut start = Vec::with_capacity(header.len() + 64);
        start.extend_from_slice(&MAGIC);
        start.extend_from_slice(&BUNDLE_VERSION.to_be_bytes());
        start.extend_from_slice(&length(&header));
        start.extend_from_slice(&header);
        start.extend_from_slice(digest.as_bytes());
        out.write_all(&start)?;
        let items = certified.iter().map(|path| (BlobKind::Credential, path.clone()));
        Ok(Self {
            out,
            scope,
            end: status.position,
            header: digest,
            whole: Whole::new(&digest),
            stage: Stage::Order(after),
            waiting: VecDeque::new(),
            items: items.collect(),
            certified,
            sealed,
            progress: Progress {
                bytes: start.len() as u64,
                ..Progress::default()
            },
        })
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Writes another page; false once the bundle is complete.
    pub fn step(&mut self, replica: &dyn Replica) -> Result<bool, BundleError> {
        let limit = PAGE_LIMIT;
        let mut records = Vec::new();
        let mut size = 0;
        loop {
            while let Some(record) = self.waiting.pop_front() {
                size += record.size();
                if size > limit && !records.is_empty() {
                    self.waiting.push_front(record);
                    self.page(&records)?;
                    return Ok(true);
                }
                records.push(record);
            }
            if !self.read_on(replica, limit)? {
                break;
            }
        }
        if !records.is_empty() {
            self.page(&records)?;
            return Ok(true);
        }
        if !matches!(self.stage, Stage::Finished) {
            self.stage = Stage::Finished;
            self.finish()?;
        }
        Ok(false)
    }

    /// Has the next records wait; false if there are none.
    fn read_on(&mut self, replica: &dyn Replica, limit: usize) -> Result<bool, BundleError> {
        // A certificate comes before what it certifies.
        if let Some((kind, path)) = self.items.pop_front() {
            for id in replica.ids(kind, &path)? {
                let Some(bytes) = replica.blob(kind, &path, &id)? else {
                    continue;
                };
                let blob = Blob {
                    path: path.clone(),
                    id,
                    bytes,
                };
                self.waiting.push_back(match kind {
                    BlobKind::Credential => Record::Credential(blob),
                    BlobKind::Sealed => Record::Sealed(blob),
                });
            }
            return Ok(true);
        }
        match self.stage {
            Stage::Order(after) if after < self.end => {
                let page = replica.since(&self.scope, after, limit)?;
                self.progress.remaining = page.remaining;
                let done = page.remaining == 0 || page.next <= after;
                self.stage = match done {
                    true => Stage::Rest,
                    false => Stage::Order(page.next),
                };
                for record in page.records {
                    self.concerns(&record);
                    // Credentials go with their places, sealed items at the end.
                    if matches!(record, Record::Update(_) | Record::Fork(_)) {
                        self.waiting.push_back(record);
                    }
                }
                self.put_credentials_first(replica)?;
                Ok(true)
            }
            Stage::Order(_) => {
                self.stage = Stage::Rest;
                Ok(true)
            }
            Stage::Rest => match self.sealed.pop_first() {
                Some(path) => {
                    self.items.push_back((BlobKind::Sealed, path));
                    Ok(true)
                }
                None => Ok(false),
            },
            Stage::Finished => Ok(false),
        }
    }

    /// Notes the places that a record concerns.
    fn concerns(&mut self, record: &Record) {
        let path = match record {
            Record::Update(update) => &update.header().space().unit,
            Record::Fork(pair) => &pair[0].header().space().unit,
            Record::Credential(blob) | Record::Sealed(blob) => &blob.path,
            Record::Held { path, .. } => path,
        };
        let signed = matches!(
            record,
            Record::Update(_) | Record::Fork(_) | Record::Credential(_)
        );
        if signed && !self.certified.contains(path) {
            for place in path.ancestors().chain([path.clone()]) {
                if self.certified.insert(place.clone()) {
                    self.items.push_back((BlobKind::Credential, place));
                }
            }
        }
        if Tree::Sealed.is_held(&self.scope, path) {
            self.sealed.insert(path.clone());
        }
    }

    fn put_credentials_first(&mut self, replica: &dyn Replica) -> Result<(), BundleError> {
        let later = std::mem::take(&mut self.waiting);
        while !self.items.is_empty() {
            self.read_on(replica, 0)?;
        }
        self.waiting.extend(later);
        Ok(())
    }

    fn page(&mut self, records: &[Record]) -> Result<(), BundleError> {
        let raw = page::encode(records);
        let body = page::compress(&raw);
        let number = self.progress.pages + 1;
        let digest = page_digest(&self.header, number, raw.len() as u32, &body);
        let mut frame = Vec::with_capacity(body.len() + 48);
        frame.push(PAGE);
        frame.extend_from_slice(&length(&raw));
        frame.extend_from_slice(&length(&body));
        frame.extend_from_slice(&body);
        frame.extend_from_slice(digest.as_bytes());
        self.out.write_all(&frame)?;
        self.whole.page(&digest);
        self.progress.pages = number;
        self.progress.records += records.len() as u64;
        self.progress.bytes += frame.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BundleError> {
        let Progress { pages, records, .. } = self.progress;
        let digest = self.whole.clone().finish(pages, records);
        let mut end = vec![END];
        end.extend_from_slice(&pages.to_be_bytes());
        end.extend_from_slice(&records.to_be_bytes());
        end.extend_from_slice(digest.as_bytes());
        self.out.write_all(&end)?;
        self.out.flush()?;
        self.progress.bytes += end.len() as u64;
        self.progress.remaining = 0;
        Ok(())
    }
}

/// A whole bundle at once. See [`Export`].
pub fn write_bundle(
    replica: &dyn Replica,
    from: Origin,
    scope: Scope,
    since: Since,
    now: Timestamp,
    out: impl Write,
) -> Result<Progress, BundleError> {
    let mut export = Export::begin(replica, from, scope, since, now, out)?;
    while export.step(replica)? {}
    Ok(export.progress())
}

fn length(bytes: &[u8]) -> [u8; 4] {
    // Pages and headers are far shorter than four gigabytes.
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// All places of a scope with credentials, and all with sealed items.
fn all_places(replica: &dyn Replica, scope: &Scope) -> Result<[BTreeSet<Path>; 2], ReplicaError> {
    let mut places = [BTreeSet::new(), BTreeSet::new()];
    for (tree, found) in [Tree::Credentials, Tree::Sealed].into_iter().zip(&mut places) {
        if tree == Tree::Credentials {
            found.extend(scope.unit().ancestors());
        }
        let mut open = vec![scope.unit().clone()];
        while let Some(path) = open.pop() {
            let branch = replica.branch(tree, &path)?;
            let below = branch
                .children
                .iter()
                .filter_map(|(label, _)| path.child(label).ok());
            open.extend(below);
            if branch.own.is_some() {
                found.insert(path);
            }
        }
    }
    Ok(places)
}
