//! A year's work: cases of 12 updates in the villages of the division list, in the order in which a city
//! accepts them, all cases at once.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anjuan_node::case::tables::tables;
use anjuan_node::document::{Document, Expected, actor, document_id};
use anjuan_node::kind::Content;
use anjuan_node::ledger::DocumentKey;
use anjuan_node::service::{Options, Service};
use anjuan_node::unit::divisions::Divisions;
use anjuan_node::unit::{Level, UnitCode};
use anjuan_sync::signed::MAX_UPDATE;
use anjuan_sync::update::payload_hash;
use anjuan_sync::{AuthorKey, LogEpoch, SignedUpdate, Space, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::people::{CITY, HANDLES, People, key, operator_name, public};
use super::text::prose;
use super::{AnyError, Plan, homes};
use crate::world::Writer;

/// Updates of a case.
pub(super) const UPDATES: usize = 12;
/// Cases of a village in a year, about; with fewer cases in all there are fewer villages.
const OF_A_VILLAGE: usize = 10;
/// When the year begins: 2025-01-01 in Yulin.
const BEGINNING: i64 = 1_735_660_800_000;
const DAY: i64 = 24 * 3_600_000;
/// The county whose villages return at once, which has the most.
pub(super) const COUNTY: &str = "450923";

/// What all homes are made from.
#[derive(Debug)]
pub(super) struct Year {
    pub(super) people: People,
    /// In the order of acceptance.
    pub(super) updates: Vec<SignedUpdate>,
    pub(super) signed_bytes: u64,
    /// The same as a file: of each, its length and its bytes.
    pub(super) file: PathBuf,
    /// The home of the city's node, which holds all of it. Not to be written to.
    pub(super) city: PathBuf,
    /// Those that have cases, each about as many.
    pub(super) villages: Vec<UnitCode>,
    /// Those that return at once.
    pub(super) children: Vec<UnitCode>,
}

impl Year {
    /// Made in `folder`, or found there from a former run with the same cases and seed.
    pub(super) fn made(folder: &Path, plan: &Plan, tell: &mut dyn FnMut(&str)) -> Result<Self, AnyError> {
        let all: Vec<_> = Divisions::official()
            .iter()
            .filter(|division| division.level() == Level::Village)
            .map(|division| division.code().clone())
            .collect();
        let count = (plan.cases / OF_A_VILLAGE).clamp(1, all.len());
        let villages: Vec<_> = (0..count).map(|at| all[at * all.len() / count].clone()).collect();
        let of_county = all.iter().filter(|village| village.as_str().starts_with(COUNTY));
        let children: Vec<_> = of_county.take(plan.children).cloned().collect();
        let people = People::of(&[&villages[..], &children[..]].concat())?;
        let folder = folder.join(format!("year-{}-{}-{}", plan.cases, plan.seed, children.len()));
        let (file, city, whole) = (folder.join("updates"), folder.join("city"), folder.join("whole"));
        if !whole.exists() {
            // What broke off is made anew.
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir_all(&folder)?;
            let updates = compose(&people, &villages, plan.cases, plan.seed)?;
            let mut out = BufWriter::new(File::create(&file)?);
            for update in &updates {
                let bytes = update.encode();
                out.write_all(&u32::try_from(bytes.len())?.to_le_bytes())?;
                out.write_all(&bytes)?;
            }
            out.into_inner()?.sync_all()?;
            tell("the city's home");
            homes::make(&city, &CITY.parse()?, false, &people, &updates)?;
            // As a node leaves it that ran: the log that its checkpoints are over does not have to be made first.
            Service::open(&city, Options::default(), &mut |_| {})?.sign_checkpoint()?;
            fs::write(&whole, [])?;
        }
        let updates = read(&file)?;
        let signed_bytes = fs::metadata(&file)?.len() - 4 * updates.len() as u64;
        Ok(Self {
            people,
            updates,
            signed_bytes,
            file,
            city,
            villages,
            children,
        })
    }
}

fn read(file: &Path) -> Result<Vec<SignedUpdate>, AnyError> {
    let mut input = BufReader::new(File::open(file)?);
    let mut updates = Vec::new();
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(updates),
            Err(error) => return Err(error.into()),
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_UPDATE {
            return Err(format!("{}: an update of {length} bytes", file.display()).into());
        }
        let mut bytes = vec![0; length];
        input.read_exact(&mut bytes)?;
        updates.push(SignedUpdate::decode(&bytes)?);
    }
}

/// A case under way.
#[derive(Clone, Debug)]
struct Open {
    key: DocumentKey,
    document: Document,
}

/// Composes and signs everything, in the order of time.
pub(super) fn compose(
    people: &People,
    villages: &[UnitCode],
    cases: usize,
    seed: u64,
) -> Result<Vec<SignedUpdate>, AnyError> {
    let rng = &mut StdRng::seed_from_u64(seed);
    let mut steps = Vec::with_capacity(cases * UPDATES);
    for case in 0..cases {
        let mut at = BEGINNING + rng.random_range(0..320 * DAY);
        for step in 0..UPDATES {
            steps.push((at, case, step));
            at += rng.random_range(DAY / 8..6 * DAY);
        }
    }
    steps.sort_unstable();
    let mut writers = villages
        .iter()
        .map(|village| writers(people, village, rng))
        .collect::<Result<Vec<_>, _>>()?;
    let mut open: Vec<Option<Open>> = vec![None; cases];
    let mut updates = Vec::with_capacity(steps.len());
    for (at, case, step) in steps {
        let village = case % villages.len();
        let [chair, mediator] = &mut writers[village];
        let theirs = mediator.author();
        let writer = match step {
            0..=2 | 11 => chair,
            _ => mediator,
        };
        writer.at = Timestamp::from_millis(at);
        let content = content(event(rng, step, at, theirs));
        updates.push(match open[case].as_mut() {
            None => {
                let (begun, update) = begin(writer, &content)?;
                open[case] = Some(begun);
                update
            }
            Some(case) => go_on(writer, case, &content)?,
        });
        if step + 1 == UPDATES {
            open[case] = None;
        }
    }
    Ok(updates)
}

fn writers(people: &People, village: &UnitCode, rng: &mut StdRng) -> Result<[Writer; 2], AnyError> {
    // Both write on the node of their village, in one life of its store.
    let epoch = LogEpoch::from_bytes(rng.random());
    let operators = people.operators(village)?;
    Ok([0, 1].map(|at| {
        let operator = &operators[at];
        debug_assert_eq!(
            public(&key(&operator_name(village, HANDLES[at]))),
            public(&operator.key)
        );
        Writer {
            key: operator.key.clone(),
            certified: operator.certified.clone(),
            epoch,
            space: Space::up(village.path()),
            head: None,
            at: Timestamp::EARLIEST,
            bracket: None,
            continues: None,
        }
    }))
}

fn begin(writer: &mut Writer, content: &Content) -> Result<(Open, SignedUpdate), AnyError> {
    let author = writer.author();
    let (document, payload, _) = Document::create("case", &actor(&author, &writer.epoch), content)?;
    let id = document_id(&writer.space, &author, &writer.epoch, &payload_hash(&payload));
    let space = writer.space.clone();
    let key = DocumentKey { space, id };
    Ok((Open { key, document }, writer.sign(id, payload)))
}

fn go_on(writer: &mut Writer, case: &mut Open, content: &Content) -> Result<SignedUpdate, AnyError> {
    let author = writer.author();
    let actor = actor(&author, &writer.epoch);
    let payload = case.document.change(&actor, content)?;
    let expected = Expected {
        space: &writer.space,
        author: &author,
        epoch: &writer.epoch,
        document: &case.key.id,
        own_last: case.document.last_of(&actor),
    };
    case.document.admit(&payload, &expected)?;
    Ok(writer.sign(case.key.id, payload))
}

fn content(event: Value) -> Content {
    let Value::Object(event) = event else {
        unreachable!("events are objects");
    };
    Content {
        event,
        record: Default::default(),
    }
}

/// A case is opened.
pub(super) fn registered(rng: &mut StdRng) -> Content {
    content(event(rng, 0, BEGINNING, AuthorKey::from_bytes([0; 32])))
}

/// A message on a case, which counts in any stage.
pub(super) fn message(rng: &mut StdRng) -> Content {
    content(json!({"type": "MessageSent", "text": prose(rng, 90)}))
}

fn day(at: i64) -> String {
    anjuan_node::calendar::local_date(Timestamp::from_millis(at)).to_string()
}

/// What is recorded in a case from the first day to the last.
fn event(rng: &mut StdRng, step: usize, at: i64, mediator: AuthorKey) -> Value {
    let papers = |count| -> Vec<&str> {
        let codes = tables().papers.iter().map(|paper| paper.code.as_str());
        codes.take(count).collect()
    };
    let mut commitment = || hex::encode(rng.random::<[u8; 32]>());
    match step {
        0 => {
            let parties = json!([
                {"commitment": commitment(), "role": "applicant", "kind": "person"},
                {"commitment": commitment(), "role": "respondent", "kind": "person"},
            ]);
            let categories = &tables().categories;
            json!({
                "type": "CaseRegistered",
                "source": (["applied", "proactive", "screening", "police"][rng.random_range(0..4)]),
                "category": categories[rng.random_range(0..categories.len())].code,
                "brief": prose(rng, 12), "facts": prose(rng, 110), "parties": parties, "headcount": "up-to-4",
            })
        }
        1 => json!({"type": "CaseAccepted", "consent": true, "rights_notice": true, "no_exclusion": true}),
        2 => json!({
            "type": "CaseAssigned", "mediators": [mediator.to_string()], "instructions": prose(rng, 40),
        }),
        3 => json!({"type": "AssignmentConfirmed", "no_interest": true}),
        4 => json!({
            "type": "Prepared", "plan": prose(rng, 115), "notified": 2, "invitees": ["cadre"],
            "invitees_consented": true,
        }),
        5 => {
            let evidence = [commitment()];
            json!({"type": "FactsVerified", "findings": prose(rng, 130), "records": 1, "evidence": evidence})
        }
        6 | 8 => json!({
            "type": "SessionHeld", "on": day(at), "attendance": rng.random_range(2..6),
            "record": prose(rng, 190), "result": if step == 6 { "continues" } else { "agreed" },
        }),
        7 => json!({"type": "MessageSent", "text": prose(rng, 90)}),
        9 => json!({
            "type": "AgreementSigned", "number": format!("人调协字〔2025〕{}号", rng.random_range(1..10_000)),
            "facts": prose(rng, 80), "dispute": prose(rng, 40), "responsibility": prose(rng, 40),
            "terms": prose(rng, 120), "manner": "dated", "perform_by": day(at + 20 * DAY), "on": day(at),
            "signatures": true, "seal": true,
        }),
        10 => json!({
            "type": "FollowUpRecorded", "on": day(at), "performance": "full", "satisfaction": "satisfied",
            "relapse": false, "notes": prose(rng, 80),
        }),
        _ => json!({
            "type": "CaseClosed", "result": "agreement-written", "report": prose(rng, 120), "papers": papers(30),
        }),
    }
}
