//! Reads an Automerge change from bytes that a stranger may have written.
//!
//! Automerge's own reader is not given them: it panics on some, and decodes run lengths without bound
//! (see [`super::column`]). What is read here is never applied as it is either: the guard composes the
//! change anew from its content and compares the bytes, so a mistake in this reader can at worst refuse
//! an honest change, never let a crafted one pass.
//! Format: <https://automerge.org/automerge-binary-format-spec/>.

use anjuan_sync::hash::sha256;
use anjuan_sync::update::MAX_PAYLOAD;
use automerge::{ActorId, ChangeHash};

use super::column::{Booleans, Bytes, Deltas, Malformed, Runs};
use super::content::{MAX_KEY, MAX_NODES, MAX_RECORD};
use super::refusal::Refusal;

/// Operations in the longest change: an event, its values, a record, and the skeleton of a new document.
pub const MAX_OPS: usize = MAX_NODES + MAX_RECORD + 4;
/// Dependencies of one change. A document with more heads is brought together in several steps.
pub const MAX_DEPS: usize = 128;
/// Values that all operations of one change together may replace.
pub const MAX_PREDECESSORS: usize = 4_096;

pub(super) const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
pub(super) const CHUNK_CHANGE: u8 = 1;
const CHUNK_DEFLATED: u8 = 2;
/// Marks a column as deflated, in its specification.
const DEFLATE_BIT: u64 = 0x08;

/// A change as its bytes state it. Nothing is checked beyond the format and the bounds.
#[derive(Debug)]
pub(super) struct RawChange<'a> {
    pub(super) deps: Vec<ChangeHash>,
    pub(super) seq: u64,
    pub(super) start_op: u64,
    /// The author first; operations refer to actors by their place here.
    pub(super) actors: Vec<&'a [u8]>,
    pub(super) ops: Vec<RawOp<'a>>,
}

/// An operation id: actor by place, and counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawId {
    pub(super) actor: u64,
    pub(super) counter: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum RawKey<'a> {
    Field(&'a str),
    Head,
    After(RawId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RawValue<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Str(&'a str),
    /// Any other type, by Automerge's number.
    Other(u8),
}

#[derive(Debug)]
pub(super) struct RawOp<'a> {
    /// `None` for the root.
    pub(super) object: Option<RawId>,
    pub(super) key: RawKey<'a>,
    pub(super) insert: bool,
    pub(super) action: u64,
    pub(super) value: RawValue<'a>,
    pub(super) predecessors: Vec<RawId>,
}

/// The hash by which Automerge names the change in `payload`, whatever the payload is.
pub fn change_hash(payload: &[u8]) -> ChangeHash {
    // Automerge hashes from the chunk's type on, which stands behind magic and checksum.
    ChangeHash(*sha256(payload.get(8..).unwrap_or_default()).as_bytes())
}

/// Does the change in `payload` name `actor` as its author? Speaks only of what [`change_hash`] covers, and
/// of nothing behind the author. A change that is not another's word can be ruled out for its author.
pub fn is_written_by(payload: &[u8], actor: &ActorId) -> bool {
    author(payload) == Some(actor.as_ref())
}

/// Whom the change in `payload` names as its author.
pub(super) fn author(payload: &[u8]) -> Option<&[u8]> {
    let mut bytes = Bytes(payload.get(9..)?);
    bytes.unsigned().ok()?;
    let dependencies = bytes.unsigned().ok()?;
    bytes.take(dependencies.checked_mul(32)?).ok()?;
    bytes.prefixed().ok()
}

/// Does a change build on nothing? Of bytes that are no change nothing can be said.
pub(super) fn is_creation(payload: &[u8]) -> bool {
    payload.get(9..).is_some_and(|rest| {
        let mut bytes = Bytes(rest);
        bytes.unsigned().is_ok() && bytes.unsigned().is_ok_and(|dependencies| dependencies == 0)
    })
}

/// Reads `payload`, and gives its hash. Its cost is bounded by its length and [`MAX_OPS`].
pub(super) fn read(payload: &[u8]) -> Result<(ChangeHash, RawChange<'_>), Refusal> {
    let (hash, mut body) = open(payload)?;
    let head = read_head(&mut body).map_err(|Malformed| Refusal::Malformed("head"))?;
    if head.dependencies.len() > MAX_DEPS * 32 {
        return Err(Refusal::TooManyDependencies);
    }
    if head.time != 0 {
        return Err(Refusal::Time);
    }
    if !head.message.is_empty() {
        return Err(Refusal::Message);
    }
    let columns = Columns::read(&mut body)?;
    if !body.is_empty() {
        return Err(Refusal::ExtraBytes(body.0.len()));
    }
    let deps = head
        .dependencies
        .as_chunks()
        .0
        .iter()
        .copied()
        .map(ChangeHash)
        .collect();
    let change = RawChange {
        deps,
        seq: head.seq,
        start_op: head.start_op,
        actors: head.actors,
        ops: read_ops(&columns)?,
    };
    Ok((hash, change))
}

/// Checks everything around the chunk's data.
fn open(payload: &[u8]) -> Result<(ChangeHash, Bytes<'_>), Refusal> {
    if payload.len() > MAX_PAYLOAD {
        return Err(Refusal::TooLong(payload.len()));
    }
    let mut bytes = Bytes(payload);
    if bytes.take(4) != Ok(&MAGIC) {
        return Err(Refusal::NotAutomerge);
    }
    let checksum = bytes.take(4).map_err(|Malformed| Refusal::Length)?;
    match bytes.byte().map_err(|Malformed| Refusal::Length)? {
        CHUNK_CHANGE => {}
        CHUNK_DEFLATED => return Err(Refusal::Deflated),
        other => return Err(Refusal::NotAChange(other)),
    }
    let length = bytes.unsigned().map_err(|Malformed| Refusal::Length)?;
    if length != bytes.0.len() as u64 {
        return Err(Refusal::Length);
    }
    let hash = change_hash(payload);
    if hash.as_ref()[..4] != *checksum {
        return Err(Refusal::Checksum);
    }
    Ok((hash, bytes))
}

struct Head<'a> {
    dependencies: &'a [u8],
    seq: u64,
    start_op: u64,
    time: i64,
    message: &'a [u8],
    actors: Vec<&'a [u8]>,
}

fn read_head<'a>(body: &mut Bytes<'a>) -> Result<Head<'a>, Malformed> {
    let count = body.unsigned()?;
    let dependencies = body.take(count.checked_mul(32).ok_or(Malformed)?)?;
    let author = body.prefixed()?;
    let seq = body.unsigned()?;
    let start_op = body.unsigned()?;
    let time = body.signed()?;
    let message = body.prefixed()?;
    let mut actors = vec![author];
    // A count larger than the bytes can hold ends at the last byte.
    for _ in 0..body.unsigned()? {
        actors.push(body.prefixed()?);
    }
    Ok(Head {
        dependencies,
        seq,
        start_op,
        time,
        message,
        actors,
    })
}

/// The columns this ledger's changes have, by their specification (id × 16 + type).
#[derive(Default)]
struct Columns<'a> {
    object_actor: &'a [u8],
    object_counter: &'a [u8],
    key_actor: &'a [u8],
    key_counter: &'a [u8],
    key_field: &'a [u8],
    insert: &'a [u8],
    action: &'a [u8],
    value_meta: &'a [u8],
    value: &'a [u8],
    predecessor_count: &'a [u8],
    predecessor_actor: &'a [u8],
    predecessor_counter: &'a [u8],
}

impl<'a> Columns<'a> {
    fn read(body: &mut Bytes<'a>) -> Result<Self, Refusal> {
        let malformed = |Malformed| Refusal::Malformed("columns");
        let mut layout = Vec::new();
        for _ in 0..body.unsigned().map_err(malformed)? {
            let specification = body.unsigned().map_err(malformed)?;
            let length = body.unsigned().map_err(malformed)?;
            if specification & DEFLATE_BIT != 0 {
                return Err(Refusal::Deflated);
            }
            if layout.last().is_some_and(|(last, _)| *last >= specification) {
                return Err(Refusal::ColumnOrder(specification));
            }
            layout.push((specification, length));
        }
        let mut columns = Self::default();
        for (specification, length) in layout {
            let bytes = body.take(length).map_err(malformed)?;
            let column = match specification {
                0x01 => &mut columns.object_actor,
                0x02 => &mut columns.object_counter,
                0x11 => &mut columns.key_actor,
                0x13 => &mut columns.key_counter,
                0x15 => &mut columns.key_field,
                0x34 => &mut columns.insert,
                0x42 => &mut columns.action,
                0x56 => &mut columns.value_meta,
                0x57 => &mut columns.value,
                0x70 => &mut columns.predecessor_count,
                0x71 => &mut columns.predecessor_actor,
                0x73 => &mut columns.predecessor_counter,
                other => return Err(Refusal::UnknownColumn(other)),
            };
            *column = bytes;
        }
        Ok(columns)
    }
}

fn read_ops<'a>(columns: &Columns<'a>) -> Result<Vec<RawOp<'a>>, Refusal> {
    let mut object_actor = Runs::<u64>::new(columns.object_actor);
    let mut object_counter = Runs::<u64>::new(columns.object_counter);
    let mut key_actor = Runs::<u64>::new(columns.key_actor);
    let mut key_counter = Deltas::new(columns.key_counter);
    let mut key_field = Runs::<&str>::new(columns.key_field);
    let mut insert = Booleans::new(columns.insert);
    let mut action = Runs::<u64>::new(columns.action);
    let mut value_meta = Runs::<u64>::new(columns.value_meta);
    let mut values = Bytes(columns.value);
    let mut predecessor_count = Runs::<u64>::new(columns.predecessor_count);
    let mut predecessor_actor = Runs::<u64>::new(columns.predecessor_actor);
    let mut predecessor_counter = Deltas::new(columns.predecessor_counter);
    let mut predecessors_left = MAX_PREDECESSORS as u64;

    let mut ops = Vec::with_capacity(32);
    // Each row may be one of a run that the change states to be endless: nothing is collected, and no
    // further row asked for, beyond the bounds.
    while !action.is_done() {
        if ops.len() == MAX_OPS {
            return Err(Refusal::TooManyOperations);
        }
        let malformed = |what| move |Malformed| Refusal::Malformed(what);
        let object = read_id(object_actor.next(), object_counter.next()).map_err(malformed("objects"))?;
        let key =
            read_key(key_field.next(), key_actor.next(), key_counter.next()).map_err(malformed("keys"))?;
        let insert = insert.next().map_err(malformed("insertions"))?;
        let action = required(action.next()).map_err(malformed("actions"))?;
        let value = required(value_meta.next())
            .and_then(|meta| read_value(meta, &mut values))
            .map_err(malformed("values"))?;
        let count = required(predecessor_count.next()).map_err(malformed("predecessors"))?;
        predecessors_left = predecessors_left
            .checked_sub(count)
            .ok_or(Refusal::TooManyPredecessors)?;
        let predecessors = (0..count)
            .map(|_| required(read_id(predecessor_actor.next(), predecessor_counter.next())))
            .collect::<Result<_, _>>()
            .map_err(malformed("predecessors"))?;
        ops.push(RawOp {
            object,
            key,
            insert,
            action,
            value,
            predecessors,
        });
    }
    if ops.is_empty() {
        return Err(Refusal::Empty);
    }
    Ok(ops)
}

fn required<T>(row: Result<Option<T>, Malformed>) -> Result<T, Malformed> {
    row?.ok_or(Malformed)
}

fn read_id(
    actor: Result<Option<u64>, Malformed>,
    counter: Result<Option<u64>, Malformed>,
) -> Result<Option<RawId>, Malformed> {
    match (actor?, counter?) {
        (None, None) => Ok(None),
        (Some(actor), Some(counter)) => Ok(Some(RawId { actor, counter })),
        _ => Err(Malformed),
    }
}

fn read_key<'a>(
    field: Result<Option<&'a str>, Malformed>,
    actor: Result<Option<u64>, Malformed>,
    counter: Result<Option<u64>, Malformed>,
) -> Result<RawKey<'a>, Malformed> {
    match (field?, actor?, counter?) {
        // Names are copied for each operation, and a run repeats one at no cost to whoever wrote it.
        (Some(field), None, None) if field.len() <= MAX_KEY => Ok(RawKey::Field(field)),
        (None, None, Some(0)) => Ok(RawKey::Head),
        (None, Some(actor), Some(counter)) => Ok(RawKey::After(RawId { actor, counter })),
        _ => Err(Malformed),
    }
}

fn read_value<'a>(meta: u64, values: &mut Bytes<'a>) -> Result<RawValue<'a>, Malformed> {
    let kind = (meta & 0x0f) as u8;
    let mut bytes = Bytes(values.take(meta >> 4)?);
    let value = match kind {
        0 => RawValue::Null,
        1 => RawValue::Bool(false),
        2 => RawValue::Bool(true),
        4 => RawValue::Int(bytes.signed()?),
        6 => {
            let text = bytes.take(meta >> 4)?;
            RawValue::Str(std::str::from_utf8(text).map_err(|_| Malformed)?)
        }
        other => return Ok(RawValue::Other(other)),
    };
    if bytes.is_empty() {
        Ok(value)
    } else {
        Err(Malformed)
    }
}
