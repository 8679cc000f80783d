//! Documents as honest operators make them, at random: several authors, each on a replica of his own, that
//! take each other in now and then.

use anjuan_node::document::{Admission, Document, Expected, actor, document_id};
use anjuan_node::kind::Content;
use anjuan_sync::update::payload_hash;
use anjuan_sync::{AuthorKey, DocumentId, LogEpoch, Space};
use automerge::{ActorId, ChangeHash};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

/// Who signs.
#[derive(Clone, Debug)]
pub struct Author {
    /// The key.
    pub key: AuthorKey,
    /// The life of the author's store.
    pub epoch: LogEpoch,
}

impl Author {
    /// Somebody nobody else is.
    pub fn random(rng: &mut StdRng) -> Self {
        Self {
            key: AuthorKey::from_bytes(rng.random()),
            epoch: LogEpoch::from_bytes(rng.random()),
        }
    }

    /// As whom Automerge knows him.
    pub fn actor(&self) -> ActorId {
        actor(&self.key, &self.epoch)
    }
}

/// One signed change, as far as documents see it.
#[derive(Clone, Debug)]
pub struct Update {
    /// Place of the author in the case's list.
    pub author: usize,
    /// The author's change of the case before this one.
    pub own_last: Option<ChangeHash>,
    /// The change.
    pub payload: Vec<u8>,
}

/// A document and all that was ever signed for it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Where it lives.
    pub space: Space,
    /// Its id.
    pub id: DocumentId,
    /// Who writes.
    pub authors: Vec<Author>,
    /// The creating change first; each after its causal past.
    pub updates: Vec<Update>,
    /// With all updates applied.
    pub document: Document,
}

impl Case {
    /// A case of `authors` people and about `changes` changes, with concurrent branches.
    pub fn random(rng: &mut StdRng, authors: usize, changes: usize) -> Self {
        let space = Space::up("4509/02/001".parse().expect("a path"));
        let authors: Vec<_> = (0..authors.max(1)).map(|_| Author::random(rng)).collect();
        let (document, payload, _) =
            Document::create("case", &authors[0].actor(), &content(rng)).expect("an honest creation");
        let mut case = Self {
            id: document_id(
                &space,
                &authors[0].key,
                &authors[0].epoch,
                &payload_hash(&payload),
            ),
            space,
            updates: vec![Update {
                author: 0,
                own_last: None,
                payload,
            }],
            document: document.clone(),
            authors,
        };
        let mut replicas = vec![document; case.authors.len()];
        for _ in 1..changes {
            let author = rng.random_range(0..case.authors.len());
            if rng.random_bool(0.5) {
                // All there is, or what one other has.
                let other = rng.random_range(0..replicas.len());
                let from = if rng.random_bool(0.3) {
                    &case.document
                } else {
                    &replicas[other]
                }
                .clone();
                case.level(&mut replicas[author], &from);
            }
            let said = content(rng);
            let update = case.write(&replicas[author], author, &said);
            case.apply(&mut replicas[author], &update);
            let mut all = case.document.clone();
            case.apply(&mut all, &update);
            case.document = all;
            case.updates.push(update);
        }
        case
    }

    /// The author's next update, on top of `document`.
    pub fn write(&self, document: &Document, author: usize, content: &Content) -> Update {
        let actor = self.authors[author].actor();
        let payload = document.change(&actor, content).expect("an honest change");
        Update {
            author,
            own_last: document.last_of(&actor),
            payload,
        }
    }

    /// What the header of an update by `author` says.
    pub fn expected(&self, author: usize, own_last: Option<ChangeHash>) -> Expected<'_> {
        let author = &self.authors[author];
        Expected {
            space: &self.space,
            author: &author.key,
            epoch: &author.epoch,
            document: &self.id,
            own_last,
        }
    }

    fn apply(&self, document: &mut Document, update: &Update) {
        let admitted = document.admit(&update.payload, &self.expected(update.author, update.own_last));
        assert!(
            matches!(admitted, Ok(Admission::Applied(_))),
            "an honest change was not applied: {admitted:?}"
        );
    }

    fn level(&self, document: &mut Document, from: &Document) {
        for update in &self.updates {
            let hash = anjuan_node::document::change_hash(&update.payload);
            if from.contains(&hash) && !document.contains(&hash) {
                self.apply(document, update);
            }
        }
    }
}

/// Content within bounds.
pub fn content(rng: &mut StdRng) -> Content {
    let types = ["CaseRegistered", "SessionHeld", "MessageNoted", "FactsVerified"];
    let mut event = Map::new();
    event.insert("type".into(), json!(types[rng.random_range(0..types.len())]));
    for _ in 0..rng.random_range(1..6) {
        event.insert(name(rng), value(rng, 1));
    }
    let record = (0..rng.random_range(0..3))
        .map(|_| (name(rng), scalar(rng)))
        .collect();
    Content { event, record }
}

fn name(rng: &mut StdRng) -> String {
    let names = [
        "facts", "stage", "parties", "title", "由", "terms", "due", "n", "result",
    ];
    names[rng.random_range(0..names.len())].into()
}

fn value(rng: &mut StdRng, depth: usize) -> Value {
    match rng.random_range(0..10) {
        0 if depth < 5 => (0..rng.random_range(0..4))
            .map(|_| value(rng, depth + 1))
            .collect(),
        1 if depth < 5 => Value::Object(
            (0..rng.random_range(0..4))
                .map(|_| (name(rng), value(rng, depth + 1)))
                .collect(),
        ),
        _ => scalar(rng),
    }
}

fn scalar(rng: &mut StdRng) -> Value {
    match rng.random_range(0..8) {
        0 => Value::Null,
        1 => Value::Bool(rng.random()),
        2 => json!(rng.random::<i64>()),
        3 => json!(rng.random_range(-100..100)),
        4 => json!("调解".repeat(rng.random_range(0..200))),
        _ => json!(format!("文{}", rng.random_range(0..50))),
    }
}
