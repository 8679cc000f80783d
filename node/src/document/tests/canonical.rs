//! What is composed by hand is what Automerge composes, byte for byte.

use std::num::NonZeroU64;

use automerge::ExpandedChange;
use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType, SortedVec};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Map;

use super::super::extract::{EVENTS_COUNTER, RECORD_COUNTER};
use super::*;

/// The same change by Automerge's own means: the definition of canonical.
fn by_automerge(position: &Position<'_>, said: &Content) -> Change {
    let mut writer = Writer {
        actor: position.actor,
        next: position.start_op,
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
    let key = event_key(position.actor, position.seq);
    let event = writer.set(&events, &key, OpType::Make(ObjType::Map));
    writer.fields(&event, &said.event);
    let record = ObjectId::Id(OpId::new(RECORD_COUNTER, creator));
    let mut replaced = position.replaced.iter();
    for (name, value) in &said.record {
        let ids = replaced.next().cloned().unwrap_or_default();
        writer.push(&record, Key::Map(name.into()), false, ids.into(), action(value));
    }
    Change::from(ExpandedChange {
        operations: writer.ops,
        actor_id: position.actor.clone(),
        hash: None,
        seq: position.seq,
        start_op: NonZeroU64::new(position.start_op).expect("counted from 1"),
        time: 0,
        message: None,
        deps: position.deps.to_vec(),
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
        self.next += 1;
        OpId::new(self.next - 1, self.actor)
    }

    fn set(&mut self, object: &ObjectId, name: &str, action: OpType) -> ObjectId {
        ObjectId::Id(self.push(object, Key::Map(name.into()), false, SortedVec::new(), action))
    }

    fn fields(&mut self, object: &ObjectId, map: &Map<String, Value>) {
        let sorted: BTreeMap<_, _> = map.iter().collect();
        for (name, value) in sorted {
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
        Value::Number(number) => OpType::Put(ScalarValue::Int(number.as_i64().expect("an integer"))),
        Value::Null => OpType::Put(ScalarValue::Null),
    }
}

fn text(rng: &mut StdRng) -> String {
    let letters: Vec<char> = "a0-é文案\u{1f4c1}\u{0}\u{301}".chars().collect();
    let length = match rng.random_range(0..10) {
        0 => 0,
        1 => rng.random_range(60..300),
        2 if rng.random_bool(0.02) => rng.random_range(9_000..30_000),
        _ => rng.random_range(1..12),
    };
    (0..length)
        .map(|_| letters[rng.random_range(0..letters.len())])
        .collect()
}

fn name(rng: &mut StdRng) -> String {
    match rng.random_range(0..4) {
        0 => text(rng).chars().take(12).chain(['x']).collect(),
        _ => ["type", "n", "parties", "role", "由", "a"][rng.random_range(0..6)].into(),
    }
}

fn scalar(rng: &mut StdRng) -> Value {
    match rng.random_range(0..8) {
        0 => Value::Null,
        1 | 2 => json!(rng.random::<bool>()),
        // Of every width, on both sides of each step.
        3 => json!(rng.random::<i64>() >> rng.random_range(0..64)),
        4 => json!([i64::MIN, i64::MAX, -64, -65, 63, 64][rng.random_range(0..6)]),
        5 => json!(rng.random_range(-2..3)),
        _ => json!(text(rng)),
    }
}

fn value(rng: &mut StdRng, depth: usize) -> Value {
    match rng.random_range(0..8) {
        0 if depth < 6 => (0..rng.random_range(0..6))
            .map(|_| value(rng, depth + 1))
            .collect(),
        1 if depth < 6 => Value::Object(map(rng, depth + 1)),
        2 if depth < 2 && rng.random_bool(0.05) => vec![scalar(rng); 400].into(),
        _ => scalar(rng),
    }
}

fn map(rng: &mut StdRng, depth: usize) -> Map<String, Value> {
    (0..rng.random_range(0..6))
        .map(|_| (name(rng), value(rng, depth)))
        .collect()
}

fn number(rng: &mut StdRng) -> u64 {
    1 + (rng.random::<u64>() >> rng.random_range(34..64))
}

#[test]
fn thousands_of_changes_are_composed_as_automerge_composes_them() {
    let seed = std::env::var("ANJUAN_SEED").map_or(4509, |text| text.parse().expect("a number"));
    eprintln!("ANJUAN_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    for round in 0..4_000 {
        let mut actors: Vec<_> = (0..rng.random_range(1..6))
            .map(|_| {
                // Short ones too, and such as begin alike.
                let mut bytes = [0u8; 16];
                let length = rng.random_range(1..=16);
                let from = rng.random_range(0..length);
                rng.fill(&mut bytes[from..length]);
                ActorId::from(&bytes[..if rng.random_bool(0.7) { 16 } else { length }])
            })
            .collect();
        actors.dedup();
        let any = |rng: &mut StdRng| actors[rng.random_range(0..actors.len())].clone();
        let (actor, creator) = (any(&mut rng), any(&mut rng));
        let mut event = map(&mut rng, 1);
        event.insert("type".into(), json!(text(&mut rng)));
        let said = Content {
            event,
            record: (0..rng.random_range(0..6))
                .map(|_| (name(&mut rng), scalar(&mut rng)))
                .collect(),
        };
        let new = rng.random_bool(0.2);
        let replaced: Vec<Vec<OpId>> = (0..if new { 0 } else { said.record.len() })
            .map(|_| {
                let ids = (0..rng.random_range(0..4)).map(|_| OpId::new(number(&mut rng), &any(&mut rng)));
                let ids: std::collections::BTreeSet<_> = ids.collect();
                ids.into_iter().collect()
            })
            .collect();
        let mut deps: Vec<_> = (0..if new { 0 } else { rng.random_range(1..5) })
            .map(|_| ChangeHash(rng.random()))
            .collect();
        deps.sort_unstable();
        let position = Position {
            actor: &actor,
            seq: number(&mut rng),
            start_op: number(&mut rng),
            deps: &deps,
            base: if new {
                Base::New("case")
            } else {
                Base::Of(&creator)
            },
            replaced: &replaced,
        };
        let composed = write::sealed(&compose(&position, &said));
        let expected = by_automerge(&position, &said);
        assert!(
            composed == expected.raw_bytes(),
            "round {round}: {position:?} {said:?}\n{}\n{}",
            hex::encode(&composed),
            hex::encode(expected.raw_bytes())
        );
        assert_eq!(change_hash(&composed), expected.hash());
    }
}
