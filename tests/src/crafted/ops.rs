//! Ways that work on the operations of a change: encoded by Automerge itself, so without fault in form.

use automerge::legacy::{ElementId, Key, MarkData, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::{ActorId, Change, ChangeHash, ExpandedChange, ObjType, ScalarValue};
use rand::RngExt;
use rand::rngs::StdRng;

use super::{Answer, Crafted, Scene};

/// A change being bent.
struct Bent<'a> {
    change: ExpandedChange,
    scene: &'a Scene<'a>,
    creator: ActorId,
}

impl Bent<'_> {
    fn ops(&mut self) -> &mut Vec<Op> {
        &mut self.change.operations
    }

    fn actor(&self) -> ActorId {
        self.change.actor_id.clone()
    }

    /// The object that operation `counter` of the document's creator made.
    fn of_creator(&self, counter: u64) -> ObjectId {
        ObjectId::Id(OpId::new(counter, &self.creator))
    }

    fn record(&self) -> ObjectId {
        self.of_creator(2)
    }

    fn events(&self) -> ObjectId {
        self.of_creator(3)
    }

    /// Id of the operation at `index`.
    fn id(&self, index: usize) -> OpId {
        OpId::new(self.change.start_op.get() + index as u64, &self.change.actor_id)
    }

    fn event(&self) -> ObjectId {
        ObjectId::Id(self.id(0))
    }

    fn push(&mut self, obj: ObjectId, key: Key, insert: bool, action: OpType) {
        self.ops().push(Op {
            action,
            obj,
            key,
            pred: SortedVec::new(),
            insert,
        });
    }

    fn put(&mut self, obj: ObjectId, key: &str, action: OpType) {
        self.push(obj, field(key), false, action);
    }

    /// Counts the operations from `by` further on, references to one another included.
    fn shift(&mut self, by: i64) -> Option<()> {
        let (actor, start) = (self.actor(), self.change.start_op.get());
        let moved = |id: &mut OpId| {
            if id.1 == actor && id.0 >= start {
                id.0 = id.0.saturating_add_signed(by);
            }
        };
        for op in &mut self.change.operations {
            if let ObjectId::Id(id) = &mut op.obj {
                moved(id);
            }
            if let Key::Seq(ElementId::Id(id)) = &mut op.key {
                moved(id);
            }
        }
        self.change.start_op = start.checked_add_signed(by)?.try_into().ok()?;
        Some(())
    }

    /// The place of an operation that puts a value into the event or something in it.
    fn a_value(&self, rng: &mut StdRng) -> Option<usize> {
        let record = self.record();
        let places: Vec<_> = (1..self.change.operations.len())
            .filter(|place| {
                let op = &self.change.operations[*place];
                matches!(op.action, OpType::Put(_)) && op.obj != record && is_not_type(op)
            })
            .collect();
        (!places.is_empty()).then(|| places[rng.random_range(0..places.len())])
    }

    fn a_record_field(&self) -> Option<usize> {
        let record = self.record();
        self.change.operations.iter().position(|op| op.obj == record)
    }
}

fn is_not_type(op: &Op) -> bool {
    op.key != field("type")
}

fn field(name: &str) -> Key {
    Key::Map(name.into())
}

fn text(value: &str) -> OpType {
    OpType::Put(value.into())
}

/// A number not far from any, but not 0.
fn some(rng: &mut StdRng) -> i64 {
    [1, -1, 2, -3, 7, 100, 1 << 20][rng.random_range(0..7)]
}

pub(super) fn craft(rng: &mut StdRng, scene: &Scene<'_>) -> Option<Crafted> {
    let change = Change::from_bytes(scene.honest.to_vec()).ok()?.decode();
    let mut bent = Bent {
        change,
        scene,
        creator: scene.document.entries().first()?.actor.clone(),
    };
    let (way, answer) = match rng.random_range(0..5) {
        0 | 1 => place(rng, &mut bent)?,
        2 => events(rng, &mut bent)?,
        _ => values(rng, &mut bent)?,
    };
    let payload = Change::from(bent.change).raw_bytes().to_vec();
    Some(Crafted { way, answer, payload })
}

type Bend = Option<(&'static str, Answer)>;

/// Where the change stands.
fn place(rng: &mut StdRng, bent: &mut Bent<'_>) -> Bend {
    let refused = Answer::Refused;
    let unknown = ChangeHash(rng.random());
    Some(match rng.random_range(0..19) {
        0 => {
            bent.change.seq += rng.random_range(1..5);
            ("gap in seq, event key of old", refused("event-key"))
        }
        1 => {
            let seq = bent.change.seq.saturating_add_signed(some(rng));
            let key = anjuan_node::document::event_key(&bent.actor(), seq);
            bent.change.seq = seq;
            bent.ops()[0].key = field(&key);
            ("other seq", refused("sequence"))
        }
        2 => {
            bent.shift(some(rng))?;
            ("colliding or distant start_op", refused("start-op"))
        }
        3 => {
            bent.shift(i64::MAX - bent.change.start_op.get() as i64 - 4096)?;
            ("start_op at the end of numbers", Answer::RefusedSomehow)
        }
        4 => {
            let at = bent.change.start_op.get().saturating_add_signed(some(rng)).max(1);
            bent.change.start_op = at.try_into().ok()?;
            ("start_op without its references", Answer::RefusedSomehow)
        }
        5 => {
            bent.change.deps.push(unknown);
            bent.change.deps.sort_unstable();
            ("unknown dependency", Answer::Waiting)
        }
        6 => {
            bent.change.deps = vec![unknown];
            ("nothing but an unknown dependency", Answer::Waiting)
        }
        7 => {
            let dep = *bent.change.deps.first()?;
            bent.change.deps.insert(0, dep);
            ("dependency twice", refused("dependency-order"))
        }
        8 => {
            let entries = bent.scene.document.entries();
            let older = entries[rng.random_range(0..entries.len())].hash;
            if bent.change.deps.contains(&older) {
                return None;
            }
            bent.change.deps.push(older);
            bent.change.deps.sort_unstable();
            (
                "dependency in the past of another",
                refused("redundant-dependency"),
            )
        }
        9 => {
            bent.change.deps.clear();
            ("no dependencies", refused("second-creation"))
        }
        10 => {
            bent.change.deps = (0..200).map(|_| ChangeHash(rng.random())).collect();
            bent.change.deps.sort_unstable();
            ("a crowd of dependencies", refused("too-many-dependencies"))
        }
        11 => {
            // On top of the creation alone, counting right, but not after what the author wrote since.
            let first = bent.scene.document.entries().first()?;
            let own = bent.scene.document.last_of(&bent.actor())?;
            if own == first.hash || bent.change.deps == [first.hash] {
                return None;
            }
            bent.change.deps = vec![first.hash];
            bent.shift(first.max_op as i64 + 1 - bent.change.start_op.get() as i64)?;
            ("not after one's own", refused("not-after-own"))
        }
        12 if bent.change.deps.len() > 1 => {
            bent.change.deps.pop();
            ("a dependency left out", Answer::Any)
        }
        13 => {
            bent.change.time = some(rng);
            ("time", refused("time"))
        }
        14 => {
            bent.change.message = Some("m".into());
            ("message", refused("message"))
        }
        15 => {
            bent.change.extra_bytes = vec![rng.random()];
            ("extra bytes of Automerge's own", refused("extra-bytes"))
        }
        16 => {
            bent.change.actor_id = ActorId::from([rng.random(); 16]);
            ("another's actor", refused("actor"))
        }
        17 => {
            bent.change.actor_id = ActorId::from(vec![7; rng.random_range(0..64)]);
            ("actor of another length", refused("actor"))
        }
        18 => {
            bent.ops().clear();
            ("no operations", refused("empty"))
        }
        _ => return None,
    })
}

/// What becomes of events, and of the root.
fn events(rng: &mut StdRng, bent: &mut Bent<'_>) -> Bend {
    let refused = Answer::Refused;
    let entries = bent.scene.document.entries();
    let earlier = &entries[rng.random_range(0..entries.len())];
    // The event is the first operation of a change, behind the three that begin a document.
    let skeleton = if earlier.deps.is_empty() { 3 } else { 0 };
    let earlier_event = OpId::new(earlier.start_op + skeleton, &earlier.actor);
    let earlier_key = anjuan_node::document::event_key(&earlier.actor, earlier.seq);
    Some(match rng.random_range(0..17) {
        0 => {
            bent.ops()[0].key = field(&earlier_key);
            bent.ops()[0].pred = vec![earlier_event].into();
            ("overwritten event", refused("event-key"))
        }
        1 => {
            let events = bent.events();
            bent.put(events, &earlier_key, OpType::Delete);
            bent.ops().last_mut()?.pred = vec![earlier_event].into();
            ("deleted event", Answer::RefusedSomehow)
        }
        2 => {
            bent.put(ObjectId::Id(earlier_event), "type", text("forged"));
            ("changed event", refused("foreign-object"))
        }
        3 => {
            let events = bent.events();
            let seq = bent.change.seq + 1;
            let key = anjuan_node::document::event_key(&bent.actor(), seq);
            bent.put(events, &key, OpType::Make(ObjType::Map));
            ("second event", refused("second-event"))
        }
        4 => {
            bent.ops()[0].key = field(["", "x", "0-1", "type"][rng.random_range(0..4)]);
            ("wrong event key", refused("event-key"))
        }
        5 => {
            bent.ops()[0].action = OpType::Make(ObjType::List);
            ("event as a list", refused("event-not-a-map"))
        }
        6 => {
            bent.ops()[0].action = text("event");
            ("event as a text", refused("event-not-a-map"))
        }
        7 => {
            bent.ops()[0].pred = vec![earlier_event].into();
            ("event with a predecessor", refused("needless-predecessors"))
        }
        8 => {
            let record = bent.record();
            bent.ops().retain(|op| op.obj == record);
            if bent.ops().is_empty() {
                return None;
            }
            ("no event", refused("no-event"))
        }
        9 => {
            bent.put(ObjectId::Root, "kind", text("claim"));
            ("kind written again", refused("root-written"))
        }
        10 => {
            let name = ["events", "record", "other"][rng.random_range(0..3)];
            bent.put(ObjectId::Root, name, OpType::Make(ObjType::Map));
            ("root written again", refused("root-written"))
        }
        11 => {
            bent.put(ObjectId::Root, "kind", OpType::Delete);
            ("kind deleted", Answer::RefusedSomehow)
        }
        12 => {
            let unknown = OpId::new(rng.random_range(1..1 << 40), &ActorId::from([rng.random(); 16]));
            bent.put(ObjectId::Id(unknown), "x", text("x"));
            ("unknown object", refused("foreign-object"))
        }
        13 => {
            let later = bent.id(bent.change.operations.len() + rng.random_range(0..3));
            bent.put(ObjectId::Id(later), "x", text("x"));
            ("object to come", refused("foreign-object"))
        }
        14 => {
            let events = bent.events();
            bent.push(events, Key::head(), true, OpType::Make(ObjType::Map));
            ("events as a list", refused("key-type"))
        }
        15 => {
            let place = bent.a_value(rng)?;
            let scalar = ObjectId::Id(bent.id(place));
            bent.put(scalar, "x", text("x"));
            ("value as an object", refused("foreign-object"))
        }
        _ => {
            // The skeleton of a document, once more.
            bent.ops().insert(
                0,
                Op {
                    action: text("case"),
                    obj: ObjectId::Root,
                    key: field("kind"),
                    pred: SortedVec::new(),
                    insert: false,
                },
            );
            ("document within a document", refused("root-written"))
        }
    })
}

/// What values are, and what they replace.
fn values(rng: &mut StdRng, bent: &mut Bent<'_>) -> Bend {
    let refused = Answer::Refused;
    let event = bent.event();
    let (record, actor) = (bent.record(), bent.actor());
    Some(match rng.random_range(0..29) {
        0 => {
            let place = bent.a_value(rng)?;
            bent.ops()[place].action = OpType::Make(ObjType::Text);
            ("text object", refused("action"))
        }
        1 => {
            let place = bent.a_value(rng)?;
            bent.ops()[place].action = OpType::Make(ObjType::Table);
            ("table", refused("action"))
        }
        2 => {
            let place = bent.a_value(rng)?;
            bent.ops()[place].action = OpType::Delete;
            ("deletion", refused("action"))
        }
        3 => {
            let place = bent.a_value(rng)?;
            bent.ops()[place].action = OpType::Increment(some(rng));
            ("increment", refused("action"))
        }
        4 => {
            let place = bent.a_value(rng)?;
            bent.ops()[place].action = OpType::Put(ScalarValue::counter(some(rng)));
            ("counter", refused("value-type"))
        }
        5 => {
            let place = bent.a_value(rng)?;
            bent.ops()[place].action = OpType::Put(match rng.random_range(0..5) {
                0 => ScalarValue::Timestamp(some(rng)),
                1 => ScalarValue::Bytes(vec![1, 2]),
                2 => ScalarValue::F64(0.5),
                3 => ScalarValue::Uint(3),
                _ => ScalarValue::Unknown {
                    type_code: rng.random_range(10..16),
                    bytes: vec![1],
                },
            });
            ("wrong type", refused("value-type"))
        }
        6 => {
            let begin = MarkData {
                name: "bold".into(),
                value: true.into(),
                expand: rng.random(),
            };
            bent.push(event, Key::head(), false, OpType::MarkBegin(begin));
            ("mark", refused("unknown-column"))
        }
        7 => {
            bent.push(event, Key::head(), false, OpType::MarkEnd(false));
            ("end of a mark", refused("action"))
        }
        8 => {
            let place = bent.a_value(rng)?;
            let target = OpId::new(rng.random_range(1..60), &actor);
            bent.ops()[place].pred = vec![target].into();
            ("predecessor in a new object", refused("needless-predecessors"))
        }
        9 => {
            let place = bent.a_record_field()?;
            let bogus = OpId::new(rng.random_range(1..60), &ActorId::from([rng.random(); 16]));
            let pred = bent.ops()[place].pred.iter().cloned().chain([bogus]).collect();
            bent.ops()[place].pred = pred;
            ("bogus predecessor", refused("predecessors"))
        }
        10 => {
            let place = bent.a_record_field()?;
            if bent.ops()[place].pred.is_empty() {
                return None;
            }
            bent.ops()[place].pred = SortedVec::new();
            ("predecessors left out", refused("predecessors"))
        }
        11 => {
            let place = bent.a_record_field()?;
            let own = bent.ops()[place].pred.get(0)?.clone();
            let twice = bent.ops()[place].pred.iter().cloned().chain([own]).collect();
            bent.ops()[place].pred = twice;
            ("predecessor twice", refused("predecessors"))
        }
        12 => {
            bent.put(record, "box", OpType::Make(ObjType::Map));
            ("object in the record", refused("record-object"))
        }
        13 => {
            bent.push(record, Key::head(), true, text("x"));
            ("record as a list", refused("key-type"))
        }
        14 => {
            let place = bent.a_record_field()?;
            let again = bent.ops()[place].clone();
            bent.ops().push(again);
            ("record field twice", refused("field-twice"))
        }
        15 => {
            let place = bent
                .a_value(rng)
                .filter(|place| matches!(bent.change.operations[*place].key, Key::Map(_)))?;
            let again = bent.ops()[place].clone();
            bent.ops().push(again);
            ("field twice", refused("field-twice"))
        }
        16 => {
            bent.put(event, "", text("x"));
            ("nameless field", refused("content"))
        }
        17 => {
            bent.put(event, &"n".repeat(65), text("x"));
            ("endless field name", refused("malformed"))
        }
        18 => {
            bent.put(event, "zz", text(&"长".repeat(33_000)));
            ("endless text", refused("content"))
        }
        19 => {
            bent.put(record, "zz", text(&"长".repeat(1_000)));
            // Without predecessors it is right only where nobody wrote the field before.
            ("endless text in the record", refused("content"))
        }
        20 => {
            let place = bent.ops().iter().position(|op| !is_not_type(op))?;
            bent.ops()[place].action =
                OpType::Put([ScalarValue::Null, "".into(), 3.into()][rng.random_range(0..3)].clone());
            ("event without a type", refused("content"))
        }
        21 => {
            let mut inside = event;
            let levels = rng.random_range(8..1_900);
            for _ in 0..levels {
                bent.put(inside, "zz", OpType::Make(ObjType::Map));
                inside = ObjectId::Id(bent.id(bent.change.operations.len() - 1));
            }
            ("abyss", refused("content"))
        }
        22 => {
            let count = [1_995, 2_060, 2_200, 20_000][rng.random_range(0..4)];
            bent.put(event, "zz", OpType::Make(ObjType::List));
            let list = ObjectId::Id(bent.id(bent.change.operations.len() - 1));
            let mut after = ElementId::Head;
            for _ in 0..count {
                bent.push(list.clone(), Key::Seq(after), true, OpType::Put(1.into()));
                after = ElementId::Id(bent.id(bent.change.operations.len() - 1));
            }
            // The shortest may just fit.
            let answer = if count < 2_000 {
                Answer::Any
            } else {
                Answer::RefusedSomehow
            };
            ("list bomb", answer)
        }
        23 => {
            bent.put(event, "zz", OpType::Make(ObjType::List));
            let list = ObjectId::Id(bent.id(bent.change.operations.len() - 1));
            for number in 0..3 {
                bent.push(list.clone(), Key::head(), true, OpType::Put(number.into()));
            }
            ("list from the back", refused("list-order"))
        }
        24 => {
            bent.put(event, "zz", OpType::Make(ObjType::List));
            let list = ObjectId::Id(bent.id(bent.change.operations.len() - 1));
            let insert = rng.random_bool(0.5);
            bent.put(list, "name", text("x"));
            bent.ops().last_mut()?.insert = insert;
            ("named item", refused("key-type"))
        }
        25 => {
            bent.put(event, "zz", OpType::Make(ObjType::List));
            let list = ObjectId::Id(bent.id(bent.change.operations.len() - 1));
            bent.push(list.clone(), Key::head(), true, text("a"));
            let item = ElementId::Id(bent.id(bent.change.operations.len() - 1));
            bent.push(list, Key::Seq(item), false, text("b"));
            ("item overwritten", refused("list-order"))
        }
        26 => {
            // In the event, but behind fields that come after it.
            bent.put(event, "a", text("x"));
            ("field out of order", Answer::RefusedSomehow)
        }
        27 => {
            let place = bent.a_value(rng)?;
            let unknown = ElementId::Id(OpId::new(rng.random_range(1..1 << 30), &actor));
            bent.ops()[place].key = Key::Seq(unknown);
            bent.ops()[place].insert = rng.random();
            ("unknown element", Answer::RefusedSomehow)
        }
        _ => {
            let place = bent.a_value(rng)?;
            let counter = rng.random_range(1..=bent.change.start_op.get() + 5);
            bent.ops()[place].obj = ObjectId::Id(OpId::new(counter, &actor));
            ("value in another object", Answer::Any)
        }
    })
}
