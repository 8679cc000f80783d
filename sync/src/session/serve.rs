//! Answers to a peer's requests. Nothing is remembered between them.

use crate::hash::Digest;
use crate::path::{Path, Reach, Scope};
use crate::replica::{self, Blob, BlobKind, Position, Record, Replica, ReplicaError, Tree};
use crate::session::bounded::Few;
use crate::session::error::{CloseReason, Violation};
use crate::session::message::{
    Bud, Description, ItemRef, Leaves, ListAsk, Listing, LogRange, MAX_AHEAD, MAX_CHILDREN, MAX_LEAVES,
    Message, RequestId, Twig,
};
use crate::session::page::{self, MAX_PAGE_LIMIT};
use crate::session::short::Short;

mod lacking;

/// Roughly the bytes of an answer of digests or leaves, beyond which the other places are left out.
const ANSWER: usize = 256 * 1024;
/// Roughly the bytes of a label and its digest.
const TWIG: usize = 32;
/// Roughly the bytes of an item's id.
const ITEM: usize = 48;
/// Roughly the bytes of the state of a log.
const LOG_ITEM: usize = 130;

/// A frame of an answer.
#[derive(Debug)]
pub(crate) enum Answer {
    Message(Message),
    /// A page, which is written and compressed once the replica is let go of: others wait for it.
    Page(RequestId, Vec<Record>),
}

impl Answer {
    pub(crate) fn into_message(self) -> Message {
        match self {
            Self::Message(message) => message,
            Self::Page(id, records) => {
                let raw = page::encode(&records);
                Message::Page {
                    id,
                    length: u32::try_from(raw.len()).unwrap_or(u32::MAX),
                    body: page::compress(&raw),
                }
            }
        }
    }
}

/// The answer to a request, in frames to be sent in order. None if the message is no request.
pub(crate) fn answer(
    request: &Message,
    replica: &dyn Replica,
    scope: &Scope,
) -> Result<Option<Vec<Answer>>, CloseReason> {
    Ok(Some(match request {
        Message::Since { id, after, limit } => {
            let page = replica.since(scope, *after, clamp(*limit))?;
            let head = Message::PageHead {
                id: *id,
                next: page.next,
                records: u32::try_from(page.records.len()).unwrap_or(u32::MAX),
                remaining: page.remaining,
            };
            with_page(head, *id, page.records)
        }
        Message::Describe { id, tree, paths } => {
            vec![Answer::Message(Message::Described {
                id: *id,
                descriptions: Few::new(descriptions(*tree, paths.as_slice(), replica, scope)?),
            })]
        }
        Message::List { id, tree, asks } => {
            vec![Answer::Message(Message::Listed {
                id: *id,
                listings: Few::new(listings(*tree, asks.as_slice(), replica, scope)?),
            })]
        }
        Message::Logs { id, ranges, limit } => {
            vec![Answer::Page(
                *id,
                stretches(ranges.as_slice(), replica, scope, clamp(*limit))?,
            )]
        }
        Message::Fetch {
            id,
            kind,
            items,
            limit,
        } => {
            vec![Answer::Page(
                *id,
                blobs(*kind, items.as_slice(), replica, scope, clamp(*limit))?,
            )]
        }
        Message::Lacking {
            id,
            tree,
            places,
            limit,
        } => lacking::answer(*id, *tree, places.as_slice(), replica, scope, clamp(*limit))?,
        _ => return Ok(None),
    }))
}

/// What a standing request is answered with: everything accepted after a position, if it fits into one page.
pub(crate) fn ahead(
    id: RequestId,
    after: Position,
    replica: &dyn Replica,
    scope: &Scope,
) -> Result<Option<Vec<Answer>>, CloseReason> {
    let page = replica.since(scope, after, MAX_AHEAD)?;
    if page.records.is_empty() || page.remaining > 0 {
        return Ok(None);
    }
    let head = Message::PageHead {
        id,
        next: page.next,
        records: u32::try_from(page.records.len()).unwrap_or(u32::MAX),
        remaining: 0,
    };
    Ok(Some(with_page(head, id, page.records)))
}

fn clamp(limit: u32) -> usize {
    limit.min(MAX_PAGE_LIMIT) as usize
}

/// A head, and the page of which it tells, if there is anything in it.
fn with_page(head: Message, id: RequestId, records: Vec<Record>) -> Vec<Answer> {
    let mut answer = vec![Answer::Message(head)];
    if !records.is_empty() {
        answer.push(Answer::Page(id, records));
    }
    answer
}

fn within(tree: Tree, scope: &Scope, path: &Path) -> Result<(), Violation> {
    match tree.is_held(scope, path) {
        true => Ok(()),
        false => Err(Violation::OutOfScope),
    }
}

fn descriptions(
    tree: Tree,
    paths: &[Path],
    replica: &dyn Replica,
    scope: &Scope,
) -> Result<Vec<Description>, CloseReason> {
    let mut room = ANSWER;
    let mut descriptions = Vec::new();
    for path in paths {
        within(tree, scope, path)?;
        if room == 0 {
            break;
        }
        let description = describe(tree, path, replica, scope)?;
        let twigs = description.twigs.as_slice();
        let below: usize = twigs
            .iter()
            .map(|twig| {
                2 + twig
                    .children
                    .as_ref()
                    .map_or(0, |children| children.as_slice().len())
            })
            .sum();
        room = room.saturating_sub(TWIG * (1 + below));
        descriptions.push(description);
    }
    Ok(descriptions)
}

fn describe(
    tree: Tree,
    path: &Path,
    replica: &dyn Replica,
    scope: &Scope,
) -> Result<Description, ReplicaError> {
    let branch = replica.branch(tree, path)?;
    let mut twigs = Vec::new();
    // Above the shared scope, what is below a place is none of the peer's business.
    if scope.unit().is_at_or_above(path) {
        let mut room = ANSWER;
        for (label, subtree) in branch.children.into_iter().take(MAX_CHILDREN) {
            let Ok(below) = path.child(&label) else { continue };
            let child = replica.branch(tree, &below)?;
            let ends = child.children.is_empty();
            let fits = child.children.len() * TWIG <= room && child.children.len() <= MAX_CHILDREN;
            let children = if fits {
                room -= child.children.len() * TWIG;
                Some(Few::new(buds(tree, &below, child.children, replica)?))
            } else {
                None
            };
            twigs.push(Twig {
                label,
                subtree: subtree.into(),
                own: child.own.filter(|_| !ends).map(Short::from),
                children,
            });
        }
    }
    Ok(Description {
        own: branch.own.map(Short::from),
        twigs: Few::new(twigs),
    })
}

fn buds(
    tree: Tree,
    twig: &Path,
    children: Vec<(String, Digest)>,
    replica: &dyn Replica,
) -> Result<Vec<Bud>, ReplicaError> {
    let mut buds = Vec::with_capacity(children.len());
    for (label, subtree) in children {
        let Ok(path) = twig.child(&label) else { continue };
        buds.push(Bud {
            ends: replica.branch(tree, &path)?.children.is_empty(),
            subtree: subtree.into(),
            label,
        });
    }
    Ok(buds)
}

fn listings(
    tree: Tree,
    asks: &[ListAsk],
    replica: &dyn Replica,
    scope: &Scope,
) -> Result<Vec<Listing>, CloseReason> {
    let mut room = ANSWER;
    let mut listings = Vec::new();
    for ask in asks {
        within(tree, scope, &ask.path)?;
        if room == 0 {
            break;
        }
        let skip = usize::try_from(ask.skip).unwrap_or(usize::MAX);
        let listing = match tree.leaves() {
            replica::Leaves::Logs(reach) => {
                let (items, more) = cut(
                    replica.logs(reach, &ask.path)?,
                    skip,
                    MAX_LEAVES.min(room / LOG_ITEM + 1),
                );
                room = room.saturating_sub(items.len() * LOG_ITEM);
                Listing {
                    leaves: Leaves::Logs(Few::new(items)),
                    more,
                }
            }
            replica::Leaves::Blobs(kind) => {
                let (ids, more) = cut(
                    replica.ids(kind, &ask.path)?,
                    skip,
                    MAX_LEAVES.min(room / ITEM + 1),
                );
                room = room.saturating_sub(ids.len() * ITEM);
                Listing {
                    leaves: Leaves::Ids(Few::new(ids)),
                    more,
                }
            }
        };
        listings.push(listing);
    }
    Ok(listings)
}

/// At most `count` leaves after the first `skip`, and whether there are more.
fn cut<T: Clone>(all: Vec<T>, skip: usize, count: usize) -> (Vec<T>, bool) {
    let rest = all.get(skip..).unwrap_or_default();
    (rest[..rest.len().min(count)].to_vec(), rest.len() > count)
}

fn stretches(
    ranges: &[LogRange],
    replica: &dyn Replica,
    scope: &Scope,
    limit: usize,
) -> Result<Vec<Record>, CloseReason> {
    let mut records = Vec::new();
    let mut room = limit;
    for range in ranges {
        if !scope.holds(&range.log.space) {
            return Err(Violation::OutOfScope.into());
        }
        if room == 0 {
            break;
        }
        let stretch = replica.log_range(&range.log, range.from.max(1), range.to, room)?;
        let size: usize = stretch.iter().map(Record::size).sum();
        // A stretch has at least one record, which may be larger than what is left of the room.
        if size > room && !records.is_empty() {
            break;
        }
        room = room.saturating_sub(size);
        records.extend(stretch);
    }
    Ok(records)
}

fn blobs(
    kind: BlobKind,
    items: &[ItemRef],
    replica: &dyn Replica,
    scope: &Scope,
    limit: usize,
) -> Result<Vec<Record>, CloseReason> {
    let mut records = Vec::new();
    let mut room = limit;
    for ItemRef { path, id } in items {
        within(Tree::of_blobs(kind), scope, path)?;
        let Some(bytes) = replica.blob(kind, path, id)? else {
            continue;
        };
        let blob = Blob {
            path: path.clone(),
            id: *id,
            bytes,
        };
        let record = match kind {
            BlobKind::Credential => Record::Credential(blob),
            BlobKind::Sealed => Record::Sealed(blob),
        };
        let size = record.size();
        if size > room && !records.is_empty() {
            break;
        }
        room = room.saturating_sub(size);
        records.push(record);
    }
    Ok(records)
}

/// Where a comparison of digests begins: the shared scope, and in the trees that flow down each place
/// above it.
pub(crate) fn beginnings(tree: Tree, scope: &Scope) -> Vec<Path> {
    let unit = scope.unit();
    let above = unit.ancestors().filter(|_| tree.reach() == Reach::Down);
    std::iter::once(unit.clone()).chain(above).collect()
}

/// Are there no updates here yet, within what is shared?
pub(crate) fn is_empty(replica: &dyn Replica, shared: &Scope) -> Result<bool, ReplicaError> {
    for tree in [Tree::Up, Tree::Down] {
        for path in beginnings(tree, shared) {
            let branch = replica.branch(tree, &path)?;
            let below = path == *shared.unit() && !branch.children.is_empty();
            if branch.own.is_some() || below {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
