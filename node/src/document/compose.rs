//! From content to the one change that states it at a place in a document's history.
//!
//! The author's program and the guard of every replica run the same function, so a change is canonical
//! exactly if its bytes are what its content composes to.

use std::num::NonZeroU64;

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::{ActorId, Change, ChangeHash, ExpandedChange, ObjType, ScalarValue};
use serde_json::{Map, Value};

use super::extract::{EVENTS_COUNTER, RECORD_COUNTER};
use super::ids::event_key;
use crate::kind::Content;

/// Where a change stands.
#[derive(Debug)]
pub(super) struct Position<'a> {
    pub(super) actor: &'a ActorId,
    pub(super) seq: u64,
    pub(super) start_op: NonZeroU64,
    /// In ascending order.
    pub(super) deps: Vec<ChangeHash>,
    pub(super) base: Base<'a>,
}

/// What it writes to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Base<'a> {
    /// A new document of this kind.
    New(&'a str),
    /// The document that this actor created.
    Of(&'a ActorId),
}

/// The change that says `content`, which is within bounds. `current` gives the ids of the operations whose
/// values a field of the record has now.
pub(super) fn compose(
    position: &Position<'_>,
    content: &Content,
    current: impl Fn(&str) -> Vec<OpId>,
) -> Change {
    let mut writer = Writer {
        actor: position.actor,
        next: position.start_op.get(),
        ops: Vec::new(),
    };
    let creator = match position.base {
        Base::New(kind) => {
            writer.set(&ObjectId::Root, "kind", OpType::Put(kind.into()));
            writer.set(&ObjectId::Root, "record", OpType::Make(ObjType::Map));
            writer.set(&ObjectId::Root, "events", OpType::Make(ObjType::Map));
            position.actor
        }
        Base::Of(creator) => creator,
    };
    let events = ObjectId::Id(OpId::new(EVENTS_COUNTER, creator));
    let event = writer.set(
        &events,
        &event_key(position.actor, position.seq),
        OpType::Make(ObjType::Map),
    );
    writer.fields(&event, &content.event);
    let record = ObjectId::Id(OpId::new(RECORD_COUNTER, creator));
    for (name, value) in &content.record {
        writer.push(
            &record,
            Key::Map(name.into()),
            false,
            current(name).into(),
            action(value),
        );
    }
    Change::from(ExpandedChange {
        operations: writer.ops,
        actor_id: position.actor.clone(),
        hash: None,
        seq: position.seq,
        start_op: position.start_op,
        // Time and who and why stand in the signed header; here they would only be a second version.
        time: 0,
        message: None,
        deps: position.deps.clone(),
        extra_bytes: Vec::new(),
        author: None,
    })
}

struct Writer<'a> {
    actor: &'a ActorId,
    next: u64,
    ops: Vec<Op>,
}

impl Writer<'_> {
    fn push(
        &mut self,
        object: &ObjectId,
        key: Key,
        insert: bool,
        pred: SortedVec<OpId>,
        action: OpType,
    ) -> OpId {
        self.ops.push(Op {
            action,
            obj: object.clone(),
            key,
            pred,
            insert,
        });
        let id = OpId::new(self.next, self.actor);
        self.next += 1;
        id
    }

    fn set(&mut self, object: &ObjectId, name: &str, action: OpType) -> ObjectId {
        ObjectId::Id(self.push(object, Key::Map(name.into()), false, SortedVec::new(), action))
    }

    fn fields(&mut self, object: &ObjectId, map: &Map<String, Value>) {
        // Sorted here, since a crate anywhere in the build may switch serde_json's maps to insertion order.
        let mut fields: Vec<_> = map.iter().collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        for (name, value) in fields {
            let made = self.set(object, name, action(value));
            self.inside(&made, value);
        }
    }

    fn inside(&mut self, object: &ObjectId, value: &Value) {
        match value {
            Value::Object(map) => self.fields(object, map),
            Value::Array(items) => {
                let mut after = ElementId::Head;
                for item in items {
                    let id = self.push(object, Key::Seq(after), true, SortedVec::new(), action(item));
                    self.inside(&ObjectId::Id(id.clone()), item);
                    after = ElementId::Id(id);
                }
            }
            _ => {}
        }
    }
}

fn action(value: &Value) -> OpType {
    match value {
        Value::Object(_) => OpType::Make(ObjType::Map),
        Value::Array(_) => OpType::Make(ObjType::List),
        Value::String(text) => OpType::Put(text.as_str().into()),
        Value::Bool(value) => OpType::Put((*value).into()),
        // Content within bounds has integers of 64 bits with sign only.
        Value::Number(number) => OpType::Put(number.as_i64().map_or(ScalarValue::Null, ScalarValue::Int)),
        Value::Null => OpType::Put(ScalarValue::Null),
    }
}
