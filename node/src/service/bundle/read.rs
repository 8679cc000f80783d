//! Reading a bundle: what it would bring, and taking that in.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use anjuan_sync::bundle::{BundleError, Header, Import, read_bundle};
use anjuan_sync::replica::{BlobKind, Cursor, Position, Record, Replica, Tree};
use anjuan_sync::{Path as Place, Scope};

use super::place_view;
use crate::ledger::{Ledger, Outcome};
use crate::service::call::Progress;
use crate::service::marks::Who;
use crate::service::{ErrorKind, Service, ServiceError, instant, view, words};
use crate::text;

/// Different reasons for refusals that are told one by one.
const REASONS: usize = 20;

/// A bundle being read.
pub(super) struct Opened {
    pub(super) pages: Import<BufReader<Counted>>,
    /// Bytes in all.
    size: u64,
    /// Bytes read so far.
    read: Rc<Cell<u64>>,
}

/// Counts what is read.
pub(super) struct Counted {
    file: File,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

impl Service {
    /// Opens a bundle of this network.
    pub(super) fn open_bundle(&self, path: &Path) -> Result<Opened, ServiceError> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let size = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        let read = Rc::new(Cell::new(0));
        let counted = Counted {
            file,
            read: Rc::clone(&read),
        };
        let network = self.ledger().network();
        let pages =
            read_bundle(BufReader::new(counted), network).map_err(|error| words::bundle(path, &error))?;
        Ok(Opened { pages, size, read })
    }

    /// Reads a bundle to its end, and compares it with what is here. Nothing is taken in.
    pub(super) fn summarise(
        &self,
        path: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<view::BundleSummary, ServiceError> {
        let Opened {
            mut pages,
            size,
            read,
        } = self.open_bundle(path)?;
        let header = pages.header().clone();
        let mut summary = view::BundleSummary {
            file: path.display().to_string(),
            bytes: size,
            from: place_view(&header.from),
            written: instant(header.written),
            scope: place_view(&header.scope),
            since: header.since.count(),
            position: header.position.count(),
            pages: 0,
            updates: 0,
            forks: 0,
            credentials: 0,
            sealed: 0,
            lacking: 0,
            damage: Vec::new(),
            differing: Vec::new(),
        };
        for page in pages.by_ref() {
            progress(Progress {
                done: read.get(),
                total: size,
            });
            match page {
                Ok(records) => self.count(&records, &mut summary)?,
                Err(BundleError::Replica(error)) => return Err(words::bundle(path, &error.into())),
                Err(BundleError::Io(error)) => return Err(unreadable(path, &error)),
                Err(error) => summary.damage.push(words::bundle_damage(&error)),
            }
        }
        summary.pages = pages.pages();
        summary.differing = self.differing(&header)?;
        Ok(summary)
    }

    fn count(&self, records: &[Record], summary: &mut view::BundleSummary) -> Result<(), ServiceError> {
        let ledger = self.ledger();
        for record in records {
            let (number, is_here) = match record {
                Record::Update(update) => {
                    let header = update.header();
                    let stored = Replica::update_at(&*ledger, &header.log(), header.seq());
                    let here = stored.map_err(|error| words::replica(&error))? == Some(update.id());
                    (&mut summary.updates, here)
                }
                Record::Fork(pair) => {
                    let header = pair[0].header();
                    let state = ledger.logs().state(&header.log());
                    let here = state.is_some_and(|state| state.counted() < header.seq());
                    (&mut summary.forks, here)
                }
                Record::Credential(blob) => (
                    &mut summary.credentials,
                    is_here(&ledger, BlobKind::Credential, &blob.path, &blob.id)?,
                ),
                Record::Sealed(blob) => (
                    &mut summary.sealed,
                    is_here(&ledger, BlobKind::Sealed, &blob.path, &blob.id)?,
                ),
                Record::Held { .. } => continue,
            };
            *number += 1;
            summary.lacking += u64::from(!is_here);
        }
        Ok(())
    }

    /// The trees in which this store and the one that wrote the bundle, as it was then, differ.
    fn differing(&self, header: &Header) -> Result<Vec<String>, ServiceError> {
        let scope = Scope::of(header.scope.clone());
        let status = Replica::status(&*self.ledger(), &scope).map_err(|error| words::replica(&error))?;
        let names = status.roots.differing(&header.roots).into_iter().map(tree_name);
        Ok(names.map(str::to_owned).collect())
    }

    /// Takes in what the pages bring.
    pub(super) fn take_pages(
        &self,
        path: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Header, view::BundleImported), ServiceError> {
        let Opened {
            mut pages,
            size,
            read,
        } = self.open_bundle(path)?;
        let header = pages.header().clone();
        let mut imported = view::BundleImported::default();
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for page in pages.by_ref() {
            let records = match page {
                Ok(records) => records,
                Err(BundleError::Io(error)) => return Err(unreadable(path, &error)),
                Err(error) => {
                    imported.damage.push(words::bundle_damage(&error));
                    continue;
                }
            };
            let taken = self.take_delivered(records)?;
            let summary = taken.summary();
            imported.taken += u64::from(summary.taken);
            imported.known += u64::from(summary.known);
            imported.waiting += u64::from(summary.waiting);
            imported.refused += u64::from(summary.refused);
            imported.forged += u64::from(summary.forged);
            for outcome in taken.outcomes {
                let (Outcome::Refused(reason) | Outcome::Forged(reason)) = outcome else {
                    continue;
                };
                if reasons.len() < REASONS || reasons.contains_key(&reason) {
                    *reasons.entry(reason).or_default() += 1;
                } else {
                    imported.other_reasons += 1;
                }
            }
            if summary.taken > 0 {
                self.announce();
            }
            progress(Progress {
                done: read.get(),
                total: size,
            });
        }
        let reasons = reasons.into_iter();
        imported.reasons = reasons
            .map(|(reason, number)| view::BundleReason { reason, number })
            .collect();
        imported.from = Some(place_view(&header.from));
        imported.differing = self.differing(&header)?;
        Ok((header, imported))
    }

    /// Notes what the writer has of this store, and how far it was taken in here.
    pub(super) fn note_bundle(
        &self,
        header: &Header,
        imported: &view::BundleImported,
    ) -> Result<(), ServiceError> {
        let epoch = self.epoch();
        let scope = Scope::of(header.scope.clone());
        let here = Replica::status(&*self.ledger(), &scope).map_err(|error| words::replica(&error))?;
        let is_level = here.roots == header.roots;
        let who = Who::Store(header.epoch);
        let now = self.now();
        let mut marks = self.marks();
        let before = marks
            .taken(&scope)
            .into_iter()
            .find(|cursor| cursor.epoch == header.epoch);
        let mark = marks.heard(who, &header.from, &header.scope, now);
        if imported.taken > 0 {
            mark.came = Some(now);
        }
        let told = header.taken.iter().find(|cursor| cursor.epoch == epoch).copied();
        // It holds the same as this store does now: nothing up to here is news to it.
        mark.has = match is_level {
            true => Some(Cursor {
                epoch,
                position: here.position,
            }),
            false => told.or(mark.has),
        };
        let goes_on = header.since <= before.map_or(Position::START, |before| before.position);
        let nothing_lost = imported.waiting == 0 && imported.forged == 0 && imported.damage.is_empty();
        if is_level || (goes_on && nothing_lost) {
            mark.took = Some(Cursor {
                epoch: header.epoch,
                position: header
                    .position
                    .max(before.map_or(Position::START, |before| before.position)),
            });
        }
        drop(marks);
        self.save_marks();
        Ok(())
    }
}

fn is_here(
    ledger: &Ledger,
    kind: BlobKind,
    place: &Place,
    id: &anjuan_sync::ItemId,
) -> Result<bool, ServiceError> {
    let wanted = Replica::wants(ledger, kind, place, id);
    Ok(!wanted.map_err(|error| words::replica(&error))?)
}

/// A tree's name in answers.
fn tree_name(tree: Tree) -> &'static str {
    match tree {
        Tree::Credentials => "credentials",
        Tree::Up => "up",
        Tree::Down => "down",
        Tree::Sealed => "sealed",
    }
}

fn unreadable(path: &Path, error: &io::Error) -> ServiceError {
    let name = path.display();
    ServiceError::new(
        ErrorKind::Usage,
        text!("无法读取 {name}:{error}", "cannot read {name}: {error}"),
    )
}
