//! Comparing digests down the trees, to the leaves that differ.

use std::collections::{BTreeSet, VecDeque};

use crate::digest::Digests;
use crate::log::{LogId, LogState};
use crate::path::{Path, Scope, Space};
use crate::replica::{self, BlobKind, Position, Replica, ReplicaError, Roots, Tree};
use crate::session::bounded::Few;
use crate::session::error::{CloseReason, Violation};
use crate::session::message::{Description, Heads, ItemRef, Leaves, ListAsk, Listing, LogRange, MAX_HEADS};
use crate::session::plan::stretch;
use crate::session::serve::beginnings;
use crate::session::short::{Short, ShortHead};

/// Trees are compared in stages: what a later one needs comes before it.
const STAGES: [&[Tree]; 3] = [&[Tree::Credentials], &[Tree::Up, Tree::Down], &[Tree::Sealed]];

/// A log that differs.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    log: LogId,
    theirs: LogState,
    /// My state when it was asked for last.
    mine: Option<LogState>,
    /// Attempts that brought nothing.
    tries: u32,
}

/// Places that were told of, and what the answer said of them.
#[derive(Debug)]
pub(crate) struct Lacked {
    pub(crate) tree: Tree,
    pub(crate) paths: Vec<Path>,
    /// So many of them were answered in full.
    pub(crate) answered: usize,
    /// Of these, the ones whose leaves have to be compared.
    pub(crate) unclear: BTreeSet<usize>,
}

#[derive(Debug)]
pub(crate) struct Repair {
    /// The peer's position when it began.
    pub(crate) position: Position,
    stage: usize,
    /// Places to compare, and places whose leaves to compare.
    places: Vec<(Tree, Path)>,
    lists: Vec<(Tree, ListAsk)>,
    /// Places whose logs differ, to be told of and asked for what they lack.
    pub(crate) lacking: Vec<(Tree, Path)>,
    /// Logs to ask for.
    pub(crate) logs: VecDeque<Want>,
    /// Places that may still be looked at.
    room: usize,
    /// New records.
    pub(crate) gained: u64,
}

impl Repair {
    pub(crate) fn new(position: Position, room: usize) -> Self {
        Self {
            position,
            stage: 0,
            places: Vec::new(),
            lists: Vec::new(),
            lacking: Vec::new(),
            logs: VecDeque::new(),
            room,
            gained: 0,
        }
    }

    /// Goes on to the next stage with a tree that differs; false if there is none.
    pub(crate) fn next_stage(&mut self, mine: &Roots, theirs: &Roots, scope: &Scope) -> bool {
        let nothing = Digests::new().roots(scope);
        while let Some(trees) = STAGES.get(self.stage) {
            self.stage += 1;
            for &tree in *trees {
                if mine.of(tree) != theirs.of(tree) && theirs.of(tree) != nothing.of(tree) {
                    let places = beginnings(tree, scope);
                    self.places.extend(places.into_iter().map(|path| (tree, path)));
                }
            }
            if !self.places.is_empty() {
                return true;
            }
        }
        false
    }

    pub(crate) fn next_places(&mut self, count: usize) -> Option<(Tree, Vec<Path>)> {
        take_of_one_tree(&mut self.places, count)
    }

    pub(crate) fn next_lists(&mut self, count: usize) -> Option<(Tree, Vec<ListAsk>)> {
        take_of_one_tree(&mut self.lists, count)
    }

    /// Places to tell of now, with the heads of their logs.
    pub(crate) fn next_lacking(
        &mut self,
        count: usize,
        replica: &dyn Replica,
    ) -> Result<Option<(Tree, Vec<Heads>)>, ReplicaError> {
        while let Some((tree, paths)) = take_of_one_tree(&mut self.lacking, count) {
            let replica::Leaves::Logs(reach) = tree.leaves() else {
                continue;
            };
            let mut told = Vec::new();
            for path in paths {
                let logs = replica.logs(reach, &path)?;
                if logs.len() > MAX_HEADS {
                    self.lists.push((tree, ListAsk { path, skip: 0 }));
                } else {
                    let logs = Few::new(logs.iter().map(ShortHead::from).collect());
                    told.push(Heads { path, logs });
                }
            }
            if !told.is_empty() {
                return Ok(Some((tree, told)));
            }
        }
        Ok(None)
    }

    /// The answer to [`Self::next_lacking`] was taken in, and `gained` says whether it brought anything:
    /// asks on for what did not fit, and has the leaves compared where heads were not enough.
    pub(crate) fn told(&mut self, lacked: Lacked, gained: bool) {
        let Lacked {
            tree,
            paths,
            answered,
            unclear,
        } = lacked;
        for (at, path) in paths.into_iter().enumerate() {
            let skip = 0;
            if at < answered {
                if unclear.contains(&at) {
                    self.lists.push((tree, ListAsk { path, skip }));
                }
            } else if gained || answered > 0 {
                self.lacking.push((tree, path));
            } else {
                self.lists.push((tree, ListAsk { path, skip }));
            }
        }
    }

    /// Logs to ask for now, and which stretches of them.
    pub(crate) fn next_logs(
        &mut self,
        count: usize,
        replica: &dyn Replica,
    ) -> Result<(Vec<Want>, Vec<LogRange>), ReplicaError> {
        let (mut wants, mut ranges) = (Vec::new(), Vec::new());
        while ranges.len() < count
            && let Some(mut want) = self.logs.pop_front()
        {
            want.mine = replica.log_state(&want.log)?;
            let stored = |seq| replica.update_at(&want.log, seq);
            if let Some((from, to)) = stretch(want.mine.as_ref(), &want.theirs, want.tries, stored)? {
                ranges.push(LogRange {
                    log: want.log.clone(),
                    from,
                    to,
                });
                wants.push(want);
            }
        }
        Ok((wants, ranges))
    }

    /// An answer to [`Self::next_logs`] was taken in: what it did not bring is asked for again.
    pub(crate) fn retry(&mut self, wants: Vec<Want>, replica: &dyn Replica) -> Result<(), ReplicaError> {
        // An answer may have no room for the last of what was asked; these were not tried.
        let grown = wants
            .iter()
            .map(|want| Ok(replica.log_state(&want.log)? != want.mine))
            .collect::<Result<Vec<_>, ReplicaError>>()?;
        let reached = grown
            .iter()
            .rposition(|grown| *grown)
            .map_or(wants.len(), |at| at + 1);
        for (at, mut want) in wants.into_iter().enumerate() {
            if grown[at] {
                want.tries = 0;
            } else if at < reached {
                want.tries += 1;
            }
            self.logs.push_back(want);
        }
        Ok(())
    }

    pub(crate) fn described(
        &mut self,
        tree: Tree,
        paths: Vec<Path>,
        descriptions: Vec<Description>,
        replica: &dyn Replica,
    ) -> Result<(), CloseReason> {
        if descriptions.is_empty() || descriptions.len() > paths.len() {
            return Err(Violation::Unsolicited.into());
        }
        let mut paths = paths.into_iter();
        for (description, path) in descriptions.into_iter().zip(paths.by_ref()) {
            let mine = replica.branch(tree, &path)?;
            if description.own.is_some() && description.own != mine.own.map(Short::from) {
                self.list(tree, path.clone())?;
            }
            for twig in description.twigs.into_vec() {
                let child = label(&path, &twig.label)?;
                let known = mine.children.iter().find(|(label, _)| *label == twig.label);
                if known.is_some_and(|(_, subtree)| Short::from(*subtree) == twig.subtree) {
                    continue;
                }
                let Some(below) = twig.children else {
                    self.look(tree, child)?;
                    continue;
                };
                let mine = replica.branch(tree, &child)?;
                if below.as_slice().is_empty() {
                    self.list(tree, child)?;
                    continue;
                }
                if twig.own.is_some() && twig.own != mine.own.map(Short::from) {
                    self.list(tree, child.clone())?;
                }
                for bud in below.into_vec() {
                    let known = mine.children.iter().find(|(label, _)| *label == bud.label);
                    if known.is_some_and(|(_, subtree)| Short::from(*subtree) == bud.subtree) {
                        continue;
                    }
                    let path = label(&child, &bud.label)?;
                    match bud.ends {
                        true => self.list(tree, path)?,
                        false => self.look(tree, path)?,
                    }
                }
            }
        }
        self.places.extend(paths.map(|path| (tree, path)));
        Ok(())
    }

    /// Compares leaves. Returns the items to ask for.
    pub(crate) fn listed(
        &mut self,
        tree: Tree,
        asks: Vec<ListAsk>,
        listings: Vec<Listing>,
        replica: &dyn Replica,
    ) -> Result<Vec<(BlobKind, ItemRef)>, CloseReason> {
        if listings.is_empty() || listings.len() > asks.len() {
            return Err(Violation::Unsolicited.into());
        }
        let mut found = Vec::new();
        let mut asks = asks.into_iter();
        for (listing, ask) in listings.into_iter().zip(asks.by_ref()) {
            let count = match (listing.leaves, tree.leaves()) {
                (Leaves::Logs(items), replica::Leaves::Logs(reach)) => {
                    let items = items.into_vec();
                    let count = items.len();
                    for item in items {
                        let space = Space {
                            unit: ask.path.clone(),
                            reach,
                        };
                        let log = LogId {
                            space,
                            author: item.author,
                            epoch: item.epoch,
                        };
                        let mine = replica.log_state(&log)?;
                        if mine.as_ref() != Some(&item.state) {
                            self.logs.push_back(Want {
                                log,
                                theirs: item.state,
                                mine,
                                tries: 0,
                            });
                        }
                    }
                    count
                }
                (Leaves::Ids(ids), replica::Leaves::Blobs(kind)) => {
                    let ids = ids.into_vec();
                    let count = ids.len();
                    for id in ids {
                        if replica.wants(kind, &ask.path, &id)? {
                            let path = ask.path.clone();
                            found.push((kind, ItemRef { path, id }));
                        }
                    }
                    count
                }
                _ => return Err(Violation::Unsolicited.into()),
            };
            if listing.more {
                if count == 0 {
                    return Err(Violation::Position.into());
                }
                self.spend()?;
                let skip = ask.skip.saturating_add(count as u64);
                self.lists.push((tree, ListAsk { path: ask.path, skip }));
            }
        }
        self.lists.extend(asks.map(|ask| (tree, ask)));
        Ok(found)
    }

    fn list(&mut self, tree: Tree, path: Path) -> Result<(), Violation> {
        self.spend()?;
        match tree.leaves() {
            replica::Leaves::Logs(_) => self.lacking.push((tree, path)),
            replica::Leaves::Blobs(_) => self.lists.push((tree, ListAsk { path, skip: 0 })),
        }
        Ok(())
    }

    fn look(&mut self, tree: Tree, path: Path) -> Result<(), Violation> {
        self.spend()?;
        self.places.push((tree, path));
        Ok(())
    }

    fn spend(&mut self) -> Result<(), Violation> {
        self.room = self.room.checked_sub(1).ok_or(Violation::EndlessTree)?;
        Ok(())
    }
}

fn label(path: &Path, label: &str) -> Result<Path, Violation> {
    path.child(label)
        .map_err(|error| Violation::Malformed(error.to_string()))
}

/// Takes up to `count` entries of the last entry's tree from the end.
fn take_of_one_tree<T>(queue: &mut Vec<(Tree, T)>, count: usize) -> Option<(Tree, Vec<T>)> {
    let tree = queue.last()?.0;
    let mut taken = Vec::new();
    while taken.len() < count
        && let Some((_, entry)) = queue.pop_if(|(of, _)| *of == tree)
    {
        taken.push(entry);
    }
    Some((tree, taken))
}
