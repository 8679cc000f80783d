use anjuan_sync::hash::sha256;
use anjuan_sync::update::payload_hash;
use anjuan_sync::{AuthorKey, DocumentId, LogEpoch, Space};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, Change, ObjType, ROOT, ReadDoc, ScalarValue};
use serde_json::json;

use super::*;

mod canonical;
mod merged;

struct Author {
    key: AuthorKey,
    epoch: LogEpoch,
}

impl Author {
    fn new(name: &str) -> Self {
        Self {
            key: AuthorKey::from_bytes(*sha256(name.as_bytes()).as_bytes()),
            epoch: LogEpoch::from_bytes([9; 16]),
        }
    }

    fn actor(&self) -> ActorId {
        actor(&self.key, &self.epoch)
    }
}

fn space() -> Space {
    Space::up("4509/02/001".parse().expect("a path"))
}

fn content(event: Value, record: Value) -> Content {
    let fields = |value: Value| value.as_object().cloned().unwrap_or_default();
    Content {
        event: fields(event),
        record: fields(record).into_iter().collect(),
    }
}

fn registered() -> Content {
    content(
        json!({"type": "CaseRegistered", "facts": "邻里纠纷", "parties": [{"role": "a"}, {"role": "b"}], "n": 2}),
        json!({"title": "邻里", "urgent": false}),
    )
}

fn noted(text: &str) -> Content {
    content(json!({"type": "MessageNoted", "text": text}), json!({}))
}

/// A case made by one author, and what others need to admit it.
struct Case {
    document: Document,
    creation: Vec<u8>,
    id: DocumentId,
    creator: Author,
}

impl Case {
    fn new() -> Self {
        let creator = Author::new("mediator");
        let (document, creation, _) =
            Document::create("case", &creator.actor(), &registered()).expect("an honest creation");
        let id = document_id(&space(), &creator.key, &creator.epoch, &payload_hash(&creation));
        Self {
            document,
            creation,
            id,
            creator,
        }
    }

    fn open(&self) -> Document {
        let space = space();
        let expected = self.expected(&space, &self.creator, None);
        Document::open(&self.creation, &expected)
            .expect("an honest creation")
            .0
    }

    fn expected<'a>(
        &'a self,
        space: &'a Space,
        author: &'a Author,
        own_last: Option<ChangeHash>,
    ) -> Expected<'a> {
        Expected {
            space,
            author: &author.key,
            epoch: &author.epoch,
            document: &self.id,
            own_last,
        }
    }

    /// The author's next change on top of `document`: the document with it, the payload, what it says.
    fn write(
        &self,
        document: &Document,
        author: &Author,
        said: &Content,
    ) -> (Document, Vec<u8>, Arc<Extracted>) {
        let payload = document.change(&author.actor(), said).expect("an honest change");
        let (mut next, own_last) = (document.clone(), document.last_of(&author.actor()));
        match self.admit(&mut next, author, own_last, &payload) {
            Ok(Admission::Applied(made)) => (next, payload, made),
            other => panic!("an honest change met with {other:?}"),
        }
    }

    fn admit(
        &self,
        document: &mut Document,
        author: &Author,
        own_last: Option<ChangeHash>,
        payload: &[u8],
    ) -> Result<Admission, Refusal> {
        document.admit(payload, &self.expected(&space(), author, own_last))
    }
}

/// Writes `value` as Automerge's users would.
fn put(
    tx: &mut impl Transactable,
    object: &automerge::ObjId,
    key: automerge::Prop,
    insert: bool,
    value: &Value,
) {
    let done = "a legal operation";
    let make = |tx: &mut _, kind| match (&key, insert) {
        (automerge::Prop::Seq(index), true) => Transactable::insert_object(tx, object, *index, kind),
        _ => Transactable::put_object(tx, object, key.clone(), kind),
    };
    match value {
        Value::Object(map) => {
            let made = make(tx, ObjType::Map).expect(done);
            for (name, value) in map {
                put(tx, &made, name.as_str().into(), false, value);
            }
        }
        Value::Array(items) => {
            let made = make(tx, ObjType::List).expect(done);
            for (index, item) in items.iter().enumerate() {
                put(tx, &made, index.into(), true, item);
            }
        }
        scalar => {
            let scalar = match scalar {
                Value::String(text) => ScalarValue::from(text.as_str()),
                Value::Number(number) => ScalarValue::Int(number.as_i64().expect("an integer")),
                Value::Bool(value) => ScalarValue::from(*value),
                _ => ScalarValue::Null,
            };
            match (&key, insert) {
                (automerge::Prop::Seq(index), true) => tx.insert(object, *index, scalar).expect(done),
                _ => tx.put(object, key, scalar).expect(done),
            }
        }
    }
}

fn write_content(tx: &mut impl Transactable, actor: &ActorId, seq: u64, content: &Content) {
    let object = |tx: &mut _, name| {
        let found = ReadDoc::get(tx, ROOT, name).expect("a document");
        found.expect("an object").1
    };
    let (record, events) = (object(tx, "record"), object(tx, "events"));
    let event = Value::Object(content.event.clone());
    put(tx, &events, event_key(actor, seq).into(), false, &event);
    for (name, value) in &content.record {
        put(tx, &record, name.as_str().into(), false, value);
    }
}

#[test]
fn what_is_composed_is_what_automerge_itself_would_have_written() {
    let case = Case::new();
    let actor = case.creator.actor();
    let mut automerge = Automerge::new().with_actor(actor.clone());
    let mut tx = automerge.transaction();
    tx.put(ROOT, "kind", "case").expect("a put");
    tx.put_object(ROOT, "record", ObjType::Map).expect("a put");
    tx.put_object(ROOT, "events", ObjType::Map).expect("a put");
    write_content(&mut tx, &actor, 1, &registered());
    tx.commit_with(CommitOptions::default().with_time(0));
    let written = automerge.get_last_local_change().expect("a change");
    assert_eq!(written.raw_bytes(), case.creation);

    let second = content(
        json!({"type": "x", "list": [[], {}, "a", [1, [true]]], "empty": {}, "none": null, "neg": -70000}),
        json!({"title": "换", "new": 1, "urgent": null}),
    );
    let (_, payload, _) = case.write(&case.document, &case.creator, &second);
    let mut tx = automerge.transaction();
    write_content(&mut tx, &actor, 2, &second);
    tx.commit_with(CommitOptions::default().with_time(0));
    let written = automerge.get_last_local_change().expect("a change");
    assert_eq!(written.raw_bytes(), payload);
    // The guard's other way to say canonical.
    assert_eq!(Change::from(written.decode()).raw_bytes(), payload);
}

#[test]
fn content_survives_the_way_through_a_change() {
    let case = Case::new();
    let said = content(
        json!({"type": "x", "a": {"b": [{"c": [1, -2, null, true, "文"]}, []]}, "max": i64::MAX, "min": i64::MIN}),
        json!({"title": null, "z": "", "n": 0}),
    );
    let other = Author::new("chair");
    let (_, payload, made) = case.write(&case.document, &other, &said);
    let mut replica = case.open();
    let admitted = case.admit(&mut replica, &other, None, &payload);
    assert_eq!(admitted, Ok(Admission::Applied(Arc::clone(&made))));
    assert_eq!(*made.content, said);
    assert_eq!(
        replica.record(),
        json!({"z": "", "n": 0, "urgent": false})
            .as_object()
            .expect("a map")
            .clone()
            .into_iter()
            .collect()
    );
    assert_eq!(replica.kind(), "case");
    let loaded = Document::reread(replica.changes.clone()).expect("changes that were applied");
    assert_eq!(loaded, replica);
    assert_eq!(loaded.entries(), replica.entries());
    assert_eq!(loaded.record(), replica.record());
}

#[test]
fn a_change_waits_for_its_past_and_names_what_is_missing() {
    let case = Case::new();
    let author = Author::new("chair");
    let (first, payload_1, made_1) = case.write(&case.document, &author, &noted("1"));
    let (_, payload_2, _) = case.write(&first, &author, &noted("2"));
    let mut replica = case.open();
    let own = Some(made_1.hash);
    let waiting = Ok(Admission::Waiting {
        missing: vec![made_1.hash],
    });
    assert_eq!(case.admit(&mut replica, &author, own, &payload_2), waiting);
    assert_eq!(replica, case.document);
    assert!(matches!(
        case.admit(&mut replica, &author, None, &payload_1),
        Ok(Admission::Applied(_))
    ));
    assert!(matches!(
        case.admit(&mut replica, &author, own, &payload_2),
        Ok(Admission::Applied(_))
    ));
    assert_eq!(
        case.admit(&mut replica, &author, own, &payload_2),
        Err(Refusal::AlreadyApplied)
    );
}

#[test]
fn predecessors_are_judged_as_of_the_change_not_as_of_today() {
    let case = Case::new();
    let (a, b) = (Author::new("village"), Author::new("town"));
    let set = |title: &str| content(json!({"type": "x"}), json!({"title": title}));
    let (_, from_a, _) = case.write(&case.document, &a, &set("甲"));
    let (_, from_b, _) = case.write(&case.document, &b, &set("乙"));
    let (mut one, mut two) = (case.open(), case.open());
    for (replica, order) in [
        (&mut one, [(&a, &from_a), (&b, &from_b)]),
        (&mut two, [(&b, &from_b), (&a, &from_a)]),
    ] {
        for (author, payload) in order {
            let admitted = case.admit(replica, author, None, payload);
            assert!(matches!(admitted, Ok(Admission::Applied(_))), "{admitted:?}");
        }
    }
    assert_eq!((one.heads().len(), one.record()), (2, two.record()));
    // Whoever writes next replaces both.
    let (merged, payload, _) = case.write(&one, &a, &set("丙"));
    assert_eq!(merged.heads().len(), 1);
    let own = two.last_of(&a.actor());
    assert!(matches!(
        case.admit(&mut two, &a, own, &payload),
        Ok(Admission::Applied(_))
    ));
    assert_eq!(two.record().get("title"), Some(&json!("丙")));
}

#[test]
fn a_document_with_more_heads_than_a_change_can_name_comes_together_in_steps() {
    let case = Case::new();
    let mut document = case.open();
    for number in 0..2 * MAX_DEPS {
        let author = Author::new(&number.to_string());
        let (_, payload, _) = case.write(&case.document, &author, &noted("w"));
        assert!(case.admit(&mut document, &author, None, &payload).is_ok());
    }
    let mut steps = 0;
    while document.heads().len() > 1 {
        // An author who has written before: his own change must be among what the new one builds on.
        (document, ..) = case.write(&document, &Author::new("0"), &noted("m"));
        steps += 1;
    }
    assert_eq!(steps, 3);
}

#[test]
fn a_creation_is_bound_to_space_author_and_epoch() {
    let case = Case::new();
    let elsewhere = Space::up("4509/03".parse().expect("a path"));
    let down = Space::down(space().unit);
    for space in [elsewhere, down] {
        let expected = case.expected(&space, &case.creator, None);
        let refused = Document::open(&case.creation, &expected).map(|_| ());
        assert!(matches!(refused, Err(Refusal::WrongDocument { .. })));
    }
    let other = Author::new("chair");
    let space = space();
    let refused = Document::open(&case.creation, &case.expected(&space, &other, None)).map(|_| ());
    assert!(matches!(refused, Err(Refusal::Actor(_))));
    let mut replica = case.open();
    let again = case.admit(&mut replica, &case.creator, None, &case.creation);
    assert_eq!(again, Err(Refusal::SecondCreation));
}

#[test]
fn content_out_of_bounds_is_not_written() {
    let case = Case::new();
    let actor = case.creator.actor();
    let float = content(json!({"type": "x", "amount": 1.5}), json!({}));
    let error = case
        .document
        .change(&actor, &float)
        .map(|_| ())
        .expect_err("a float");
    assert!(
        error.to_string().starts_with("event/amount is not an integer"),
        "{error}"
    );
    let long = "长".repeat(30_000);
    let two_long = content(json!({"type": "x", "a": long, "b": long}), json!({}));
    let error = case
        .document
        .change(&actor, &two_long)
        .map(|_| ())
        .expect_err("too long");
    assert!(
        matches!(error, ChangeError::Refused(Refusal::TooLong(_))),
        "{error}"
    );
    let one_long = content(json!({"type": "x", "a": long}), json!({}));
    assert!(case.document.change(&actor, &one_long).is_ok());
    let error = Document::create("No Kind", &actor, &noted("x"))
        .map(|_| ())
        .expect_err("a bad name");
    assert_eq!(error, ChangeError::Refused(Refusal::KindName));
}

#[test]
fn changes_that_are_damaged_or_lack_one_are_no_document() {
    let case = Case::new();
    let author = Author::new("chair");
    let (first, ..) = case.write(&case.document, &author, &noted("1"));
    let (second, ..) = case.write(&first, &author, &noted("2"));
    let changes = second.changes.clone();
    assert_eq!(Document::reread(changes.clone()), Ok(second));
    for left_out in 0..2 {
        let mut changes = changes.clone();
        changes.remove(left_out);
        assert_eq!(Document::reread(changes), Err(RereadError::NotWhole));
    }
    assert_eq!(Document::reread([]), Err(RereadError::NotWhole));
    for place in 0..changes[0].len() {
        let mut damaged = changes[0].to_vec();
        damaged[place] ^= 0x10;
        assert!(Document::reread([damaged.into()]).is_err(), "byte {place}");
        assert!(
            Document::reread([changes[0][..place].into()]).is_err(),
            "cut at {place}"
        );
    }
}
