//! From content to the one change that states it at a place in a document's history.
//!
//! The author's program and the guard of every replica run the same function, so a change is canonical
//! exactly if its bytes are what its content composes to.

use automerge::legacy::OpId;
use automerge::{ActorId, ChangeHash};
use serde_json::{Map, Value};

use super::extract::{EVENTS_COUNTER, MAKE_LIST, MAKE_MAP, PUT, RECORD_COUNTER};
use super::ids::event_key;
use super::wire::{RawChange, RawId, RawKey, RawOp, RawValue};
use super::write;
use crate::kind::Content;

/// Where a change stands.
#[derive(Debug)]
pub(super) struct Position<'a> {
    pub(super) actor: &'a ActorId,
    pub(super) seq: u64,
    pub(super) start_op: u64,
    /// In ascending order.
    pub(super) deps: &'a [ChangeHash],
    pub(super) base: Base<'a>,
    /// For each field of the record that the change sets, in their order: the operations whose values it
    /// replaces, in ascending order. Beyond the last of them nothing is replaced.
    pub(super) replaced: &'a [Vec<OpId>],
}

/// What it writes to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Base<'a> {
    /// A new document of this kind.
    New(&'a str),
    /// The document that this actor created.
    Of(&'a ActorId),
}

/// The change that says `content`, which is within bounds, from the bytes on that its hash is over.
pub(super) fn compose(position: &Position<'_>, content: &Content) -> Vec<u8> {
    let author = position.actor;
    let creator = match position.base {
        Base::New(_) => author,
        Base::Of(creator) => creator,
    };
    // The author first, then all others that are named, in ascending order.
    let mut others: Vec<&ActorId> = position.replaced.iter().flatten().map(OpId::actor).collect();
    others.push(creator);
    others.retain(|actor| *actor != author);
    others.sort_unstable();
    others.dedup();
    let place = |actor: &ActorId| match others.binary_search(&actor) {
        Ok(place) => place as u64 + 1,
        Err(_) => 0,
    };
    let of_creator = |counter| {
        Some(RawId {
            actor: place(creator),
            counter,
        })
    };

    let key = event_key(author, position.seq);
    let mut writer = Writer {
        start_op: position.start_op,
        ops: Vec::with_capacity(content.event.len() + content.record.len() + 8),
    };
    if let Base::New(kind) = position.base {
        writer.push(None, RawKey::Field("kind"), (PUT, RawValue::Str(kind)));
        writer.push(None, RawKey::Field("record"), (MAKE_MAP, RawValue::Null));
        writer.push(None, RawKey::Field("events"), (MAKE_MAP, RawValue::Null));
    }
    let event = writer.push(
        of_creator(EVENTS_COUNTER),
        RawKey::Field(&key),
        (MAKE_MAP, RawValue::Null),
    );
    writer.fields(event, &content.event);
    let record = of_creator(RECORD_COUNTER);
    let mut replaced = position.replaced.iter();
    for (name, value) in &content.record {
        writer.push(record, RawKey::Field(name), action(value));
        if let (Some(ids), Some(op)) = (replaced.next(), writer.ops.last_mut()) {
            op.predecessors = ids
                .iter()
                .map(|id| RawId {
                    actor: place(id.actor()),
                    counter: id.counter(),
                })
                .collect();
        }
    }
    let ops = writer.ops;
    let others = others.into_iter().map(ActorId::to_bytes);
    write::hashed(&RawChange {
        deps: position.deps.to_vec(),
        seq: position.seq,
        start_op: position.start_op,
        actors: std::iter::once(author.to_bytes()).chain(others).collect(),
        ops,
    })
}

struct Writer<'a> {
    start_op: u64,
    ops: Vec<RawOp<'a>>,
}

impl<'a> Writer<'a> {
    /// Adds an operation; gives its id.
    fn push(
        &mut self,
        object: Option<RawId>,
        key: RawKey<'a>,
        (action, value): (u64, RawValue<'a>),
    ) -> RawId {
        let counter = self.start_op.saturating_add(self.ops.len() as u64);
        self.ops.push(RawOp {
            object,
            key,
            insert: !matches!(key, RawKey::Field(_)),
            action,
            value,
            predecessors: Vec::new(),
        });
        RawId { actor: 0, counter }
    }

    fn fields(&mut self, object: RawId, map: &'a Map<String, Value>) {
        // Sorted here, since a crate anywhere in the build may switch serde_json's maps to insertion order.
        let mut fields: Vec<_> = map.iter().collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        for (name, value) in fields {
            let made = self.push(Some(object), RawKey::Field(name), action(value));
            self.inside(made, value);
        }
    }

    fn inside(&mut self, object: RawId, value: &'a Value) {
        match value {
            Value::Object(map) => self.fields(object, map),
            Value::Array(items) => {
                let mut key = RawKey::Head;
                for item in items {
                    let made = self.push(Some(object), key, action(item));
                    self.inside(made, item);
                    key = RawKey::After(made);
                }
            }
            _ => {}
        }
    }
}

fn action(value: &Value) -> (u64, RawValue<'_>) {
    match value {
        Value::Object(_) => (MAKE_MAP, RawValue::Null),
        Value::Array(_) => (MAKE_LIST, RawValue::Null),
        Value::String(text) => (PUT, RawValue::Str(text)),
        Value::Bool(value) => (PUT, RawValue::Bool(*value)),
        // Content within bounds has integers of 64 bits with sign only.
        Value::Number(number) => (PUT, number.as_i64().map_or(RawValue::Null, RawValue::Int)),
        Value::Null => (PUT, RawValue::Null),
    }
}
