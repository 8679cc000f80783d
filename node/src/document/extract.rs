//! From the operations of a change to what it says.

use std::collections::{BTreeMap, BTreeSet};

use automerge::ActorId;
use serde_json::{Map, Value};

use super::content::{self, ContentError, MAX_DEPTH, is_kind_name};
use super::ids::event_key;
use super::refusal::Refusal;
use super::wire::{RawChange, RawId, RawKey, RawOp, RawValue};
use crate::kind::Content;

/// Automerge's numbers of the actions in this ledger.
pub(super) const MAKE_MAP: u64 = 0;
pub(super) const PUT: u64 = 1;
pub(super) const MAKE_LIST: u64 = 2;

/// Counters of the operations with which every document begins: `kind`, `record`, `events`.
pub(super) const RECORD_COUNTER: u64 = 2;
/// See [`RECORD_COUNTER`].
pub(super) const EVENTS_COUNTER: u64 = 3;
/// How many they are.
const SKELETON: usize = 3;

/// The document that a change writes to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Home<'a> {
    /// None yet: the change creates it.
    New,
    /// The one that this actor created.
    Of(&'a ActorId),
}

/// What a change says.
#[derive(Debug)]
pub(super) struct Said<'c> {
    /// Of a creating change: the document's kind.
    pub(super) kind: Option<String>,
    pub(super) content: Content,
    /// Operation ids that each field of the record replaces.
    pub(super) replaced: BTreeMap<&'c str, &'c [RawId]>,
}

/// Reads the content out of `change`. The rules broken here do not depend on the causal past, except for
/// who created the document, which its id fixes.
pub(super) fn extract<'c>(change: &'c RawChange<'c>, home: Home<'_>) -> Result<Said<'c>, Refusal> {
    let mut reader = Reader {
        change,
        creator: match home {
            Home::New => Some(0),
            Home::Of(creator) => change
                .actors
                .iter()
                .position(|actor| *actor == creator.as_ref())
                .map(|place| place as u64),
        },
        nodes: Vec::with_capacity(change.ops.len()),
        event: None,
        record: BTreeMap::new(),
        replaced: BTreeMap::new(),
    };
    let kind = match home {
        Home::New => Some(reader.skeleton()?),
        Home::Of(_) => None,
    };
    for index in reader.nodes.len()..change.ops.len() {
        let node = reader.operation(index, &change.ops[index])?;
        reader.nodes.push(node);
    }
    let event = reader.event.ok_or(Refusal::NoEvent)?;
    let content = Content {
        event: assemble(reader.nodes, event),
        record: reader.record,
    };
    content::check(&content)?;
    Ok(Said {
        kind,
        content,
        replaced: reader.replaced,
    })
}

/// One operation's value, and where it goes. Objects are filled once all operations are read.
struct Node<'c> {
    place: Place<'c>,
    value: Partial<'c>,
    /// Of an object of the event: its level, the event itself being the first.
    depth: usize,
}

impl Node<'_> {
    fn elsewhere() -> Self {
        Self {
            place: Place::Elsewhere,
            value: Partial::Scalar(RawValue::Null),
            depth: 0,
        }
    }
}

enum Place<'c> {
    /// Not part of the event.
    Elsewhere,
    /// Below the object made by the operation of this index.
    Field(usize, &'c str),
    Item(usize),
}

enum Partial<'c> {
    Scalar(RawValue<'c>),
    Map(BTreeSet<&'c str>),
    /// Counter of the last item.
    List(Option<u64>),
}

struct Reader<'c> {
    change: &'c RawChange<'c>,
    /// Place, among the change's actors, of the one who created the document.
    creator: Option<u64>,
    nodes: Vec<Node<'c>>,
    event: Option<usize>,
    record: BTreeMap<String, Value>,
    replaced: BTreeMap<&'c str, &'c [RawId]>,
}

impl<'c> Reader<'c> {
    /// Reads the three operations that begin a document.
    fn skeleton(&mut self) -> Result<String, Refusal> {
        let fields = ["kind", "record", "events"]
            .into_iter()
            .zip([PUT, MAKE_MAP, MAKE_MAP]);
        let Some(ops) = self.change.ops.get(..SKELETON) else {
            return Err(Refusal::Skeleton);
        };
        for (op, (name, action)) in ops.iter().zip(fields) {
            let as_expected = op.object.is_none()
                && matches!(op.key, RawKey::Field(field) if field == name)
                && !op.insert
                && op.action == action
                && op.predecessors.is_empty();
            if !as_expected {
                return Err(Refusal::Skeleton);
            }
            self.nodes.push(Node::elsewhere());
        }
        match ops[0].value {
            RawValue::Str(kind) if is_kind_name(kind) => Ok(kind.to_owned()),
            _ => Err(Refusal::KindName),
        }
    }

    fn operation(&mut self, index: usize, op: &'c RawOp<'c>) -> Result<Node<'c>, Refusal> {
        let value = partial(index, op)?;
        let Some(object) = op.object else {
            return Err(Refusal::RootWritten(index));
        };
        let by_creator = |counter| self.creator == Some(object.actor) && object.counter == counter;
        if by_creator(EVENTS_COUNTER) {
            self.event(index, op, value)
        } else if by_creator(RECORD_COUNTER) {
            self.record(index, op, value)
        } else {
            self.nested(index, op, object, value)
        }
    }

    fn event(&mut self, index: usize, op: &'c RawOp<'c>, value: Partial<'c>) -> Result<Node<'c>, Refusal> {
        let RawKey::Field(key) = op.key else {
            return Err(Refusal::KeyType(index));
        };
        if op.insert {
            return Err(Refusal::KeyType(index));
        }
        if self.event.is_some() {
            return Err(Refusal::SecondEvent(index));
        }
        if key != event_key(&ActorId::from(self.change.actors[0]), self.change.seq) {
            return Err(Refusal::EventKey);
        }
        if !op.predecessors.is_empty() {
            return Err(Refusal::NeedlessPredecessors(index));
        }
        if !matches!(value, Partial::Map(_)) {
            return Err(Refusal::EventNotAMap);
        }
        self.event = Some(index);
        Ok(Node {
            place: Place::Elsewhere,
            value,
            depth: 1,
        })
    }

    fn record(&mut self, index: usize, op: &'c RawOp<'c>, value: Partial<'c>) -> Result<Node<'c>, Refusal> {
        let RawKey::Field(name) = op.key else {
            return Err(Refusal::KeyType(index));
        };
        if op.insert {
            return Err(Refusal::KeyType(index));
        }
        let Partial::Scalar(scalar) = value else {
            return Err(Refusal::RecordObject(index));
        };
        if self.replaced.insert(name, &op.predecessors).is_some() {
            return Err(Refusal::FieldTwice(index));
        }
        self.record.insert(name.to_owned(), stated(scalar));
        Ok(Node::elsewhere())
    }

    /// A value within an object that this change made, which can only be one of its event's.
    fn nested(
        &mut self,
        index: usize,
        op: &'c RawOp<'c>,
        object: RawId,
        value: Partial<'c>,
    ) -> Result<Node<'c>, Refusal> {
        let parent = object
            .counter
            .checked_sub(self.change.start_op)
            .filter(|_| object.actor == 0)
            .and_then(|place| usize::try_from(place).ok())
            .filter(|place| *place < index)
            .ok_or(Refusal::ForeignObject(index))?;
        if !op.predecessors.is_empty() {
            return Err(Refusal::NeedlessPredecessors(index));
        }
        let place = match (&mut self.nodes[parent].value, op.key) {
            (Partial::Map(fields), RawKey::Field(name)) if !op.insert => {
                if !fields.insert(name) {
                    return Err(Refusal::FieldTwice(index));
                }
                Place::Field(parent, name)
            }
            (Partial::List(last), key @ (RawKey::Head | RawKey::After(_))) => {
                let appends = op.insert
                    && match (key, *last) {
                        (RawKey::Head, None) => true,
                        (RawKey::After(id), Some(last)) => id.actor == 0 && id.counter == last,
                        _ => false,
                    };
                if !appends {
                    return Err(Refusal::ListOrder(index));
                }
                *last = Some(self.change.start_op.saturating_add(index as u64));
                Place::Item(parent)
            }
            (Partial::Scalar(_), _) => return Err(Refusal::ForeignObject(index)),
            _ => return Err(Refusal::KeyType(index)),
        };
        // Bounded before any value is built: dropping a deep one would overflow the stack.
        let depth = self.nodes[parent].depth + 1;
        if depth > MAX_DEPTH && !matches!(value, Partial::Scalar(_)) {
            return Err(ContentError::TooDeep(format!("the object of operation {index}")).into());
        }
        Ok(Node { place, value, depth })
    }
}

fn partial<'c>(index: usize, op: &RawOp<'c>) -> Result<Partial<'c>, Refusal> {
    match (op.action, op.value) {
        (MAKE_MAP, _) => Ok(Partial::Map(BTreeSet::new())),
        (MAKE_LIST, _) => Ok(Partial::List(None)),
        (PUT, RawValue::Other(kind)) => Err(Refusal::ValueType { index, kind }),
        (PUT, value) => Ok(Partial::Scalar(value)),
        (action, _) => Err(Refusal::Action { index, action }),
    }
}

fn stated(value: RawValue<'_>) -> Value {
    match value {
        // A value of another type has been refused.
        RawValue::Null | RawValue::Other(_) => Value::Null,
        RawValue::Bool(value) => Value::from(value),
        RawValue::Int(value) => Value::from(value),
        RawValue::Str(value) => Value::from(value),
    }
}

/// Builds the event from its parts. A part stands behind the object it belongs to, so from the last to the
/// first each is whole when its turn comes.
fn assemble(nodes: Vec<Node<'_>>, event: usize) -> Map<String, Value> {
    let mut nodes: Vec<_> = nodes
        .into_iter()
        .map(|node| {
            let value = match node.value {
                Partial::Scalar(value) => stated(value),
                Partial::Map(_) => Value::Object(Map::new()),
                Partial::List(_) => Value::Array(Vec::new()),
            };
            (node.place, value)
        })
        .collect();
    for index in (0..nodes.len()).rev() {
        let (place, value) = std::mem::replace(&mut nodes[index], (Place::Elsewhere, Value::Null));
        let mut value = value;
        if let Value::Array(items) = &mut value {
            items.reverse();
        }
        match place {
            Place::Field(parent, name) => {
                if let Value::Object(fields) = &mut nodes[parent].1 {
                    fields.insert(name.to_owned(), value);
                }
            }
            Place::Item(parent) => {
                if let Value::Array(items) = &mut nodes[parent].1 {
                    items.push(value);
                }
            }
            Place::Elsewhere if index == event => {
                if let Value::Object(fields) = value {
                    return fields;
                }
            }
            Place::Elsewhere => {}
        }
    }
    Map::new()
}
