use anjuan_node::kind::catalog::{Choice, EventSpec, FieldKind, FieldSpec};
use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text::{Lang, Text};
use serde_json::{Value, json};

use super::*;
use crate::testing::Scripted;

fn field(name: &'static str, required: bool, kind: FieldKind) -> FieldSpec {
    FieldSpec {
        name,
        title: Text::new(format!("{name}的名称"), format!("title of {name}")),
        required,
        kind,
    }
}

fn choice(codes: &[&str], open: bool) -> FieldKind {
    FieldKind::Choice {
        options: codes
            .iter()
            .map(|code| Choice {
                code: (*code).to_owned(),
                title: Text::new(format!("{code}之义"), format!("meaning of {code}")),
            })
            .collect(),
        open,
    }
}

fn list(of: FieldKind, min: usize, max: usize) -> FieldKind {
    FieldKind::List {
        of: Box::new(of),
        min,
        max,
    }
}

fn spec(fields: Vec<FieldSpec>) -> EventSpec {
    EventSpec {
        name: "ThingHappened",
        command: "happen",
        title: Text::new("发生", "thing happened"),
        help: Text::new("说明。", "When it happened."),
        creates: false,
        fields,
    }
}

fn parties() -> FieldSpec {
    let fields = vec![
        field("commitment", true, FieldKind::Commitment),
        field("role", true, choice(&["applicant", "respondent"], false)),
        field("kind", true, choice(&["person", "organisation"], false)),
    ];
    field("parties", true, list(FieldKind::Group { fields }, 1, 3))
}

fn read(console: &mut Scripted, spec: &EventSpec, args: &[&str]) -> Result<Draft, ServiceError> {
    let args = ["happen", "3f2a"].into_iter().chain(args.iter().copied());
    let matches = command(spec)
        .try_get_matches_from(args)
        .unwrap_or_else(|error| panic!("clap takes it: {error}"));
    Reader::new(console, Lang::En).read(spec, &matches)
}

fn event(spec: &EventSpec, args: &[&str]) -> Value {
    let draft = read(&mut Scripted::default(), spec, args).expect("a well formed event");
    Value::Object(draft.event)
}

fn refused(spec: &EventSpec, args: &[&str]) -> String {
    let error = read(&mut Scripted::default(), spec, args).expect_err("it is refused");
    assert_eq!(error.kind, ErrorKind::Usage);
    error.message.en
}

#[test]
fn each_kind_of_field_has_its_option() {
    let spec = spec(vec![
        field("brief", true, FieldKind::Line { max: 10 }),
        field("due_on", false, FieldKind::Date),
        field("pages", false, FieldKind::Integer { min: 1, max: 9 }),
        field("relapse", false, FieldKind::Flag),
        field("consent", true, FieldKind::Statement),
        field("source", false, choice(&["applied", "court"], false)),
        field("category", false, choice(&["land"], true)),
        field("to", false, FieldKind::Unit),
        field("remedies", false, list(choice(&["court", "labour"], true), 0, 2)),
        field("mediators", false, list(FieldKind::Key, 0, 2)),
    ]);
    let args = [
        "--brief",
        "宅基地纠纷",
        "--due-on",
        "2019-06-01",
        "--pages",
        "3",
        "--relapse=否",
        "--consent",
        "--source",
        "court之义",
        "--category",
        "new-code",
        "--to",
        "450902000000",
        "--remedy",
        "court",
        "--remedy",
        "labour",
        "--mediator",
        "lin",
    ];
    assert_eq!(
        event(&spec, &args),
        json!({
            "type": "ThingHappened", "brief": "宅基地纠纷", "due_on": "2019-06-01", "pages": 3, "relapse": false,
            "consent": true, "source": "court", "category": "new-code", "to": "450902",
            "remedies": ["court", "labour"], "mediators": ["lin"],
        })
    );
    assert_eq!(
        event(&spec, &["--brief", "x", "--consent", "--relapse"]),
        json!({"type": "ThingHappened", "brief": "x", "consent": true, "relapse": true})
    );
}

#[test]
fn values_that_break_a_rule_are_named_by_their_option() {
    let spec = spec(vec![
        field("brief", false, FieldKind::Line { max: 3 }),
        field("on", false, FieldKind::Date),
        field("pages", false, FieldKind::Integer { min: 1, max: 9 }),
        field("source", false, choice(&["applied"], false)),
        field("remedies", false, list(FieldKind::Line { max: 9 }, 2, 3)),
    ]);
    for (args, said) in [
        (["--brief", "四个字呢"], "--brief: at most 3 characters"),
        (["--on", "2019-02-29"], "--on: a date is a day of the calendar"),
        (["--pages", "10"], "--pages: expected a whole number from 1 to 9"),
        (["--source", "nowhere"], "--source: it may be: applied"),
        (["--remedy", "x"], "--remedy: expected 2 to 3, found 1"),
    ] {
        let message = refused(&spec, &args);
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_script_is_told_all_that_is_missing_and_a_person_is_asked() {
    let spec = spec(vec![
        field("brief", true, FieldKind::Line { max: 10 }),
        field("note", false, FieldKind::Line { max: 10 }),
        field("on", true, FieldKind::Date),
        field("consent", true, FieldKind::Statement),
    ]);
    let message = refused(&spec, &[]);
    assert_eq!(
        message,
        "\"thing happened\" lacks: --brief (title of brief), --on (title of on), --consent (title of consent)"
    );
    let mut person = Scripted::person(&["纠纷", "not a day", "2019-06-01", "no", "yes"]);
    let draft = read(&mut person, &spec, &[]).expect("answered");
    assert_eq!(
        Value::Object(draft.event),
        json!({"type": "ThingHappened", "brief": "纠纷", "on": "2019-06-01", "consent": true})
    );
    assert!(
        person.err.contains("a date is a day of the calendar"),
        "{}",
        person.err
    );
}

#[test]
fn a_person_who_gives_no_answer_ends_it() {
    let spec = spec(vec![field("on", true, FieldKind::Date)]);
    for answers in [&[][..], &["x"; 9]] {
        let error = read(&mut Scripted::person(answers), &spec, &[]).expect_err("no answer");
        assert_eq!(error.message.en, "\"title of on\" was not given");
    }
}

#[test]
fn parties_come_from_files_and_their_particulars_are_sealed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("parties.json");
    std::fs::write(
        &path,
        r#"[{"role": "applicant", "person": {"name": "张三"}},
            {"role": "respondent", "kind": "organisation", "organisation": {"name": "某公司"}}]"#,
    )
    .expect("written");
    let spec = spec(vec![parties()]);
    let draft = read(
        &mut Scripted::default(),
        &spec,
        &["--party", path.to_str().expect("a path")],
    )
    .expect("a well formed event");
    assert_eq!(
        draft.event["parties"],
        json!([
            {"commitment": null, "role": "applicant", "kind": "person"},
            {"commitment": null, "role": "respondent", "kind": "organisation"},
        ])
    );
    let sealed: Vec<(&str, &Value)> = draft
        .seal
        .iter()
        .map(|seal| (seal.pointer.as_str(), &seal.particulars))
        .collect();
    assert_eq!(
        sealed,
        [
            ("/parties/0/commitment", &json!({"person": {"name": "张三"}})),
            (
                "/parties/1/commitment",
                &json!({"organisation": {"name": "某公司"}})
            ),
        ]
    );
    assert!(!Value::Object(draft.event).to_string().contains("张三"));
}

#[test]
fn a_party_may_come_from_standard_input_but_never_from_the_command_line() {
    let spec = spec(vec![parties()]);
    let mut script = Scripted {
        input: br#"{"role": "applicant", "person": {"name": "X"}}"#.to_vec(),
        ..Scripted::default()
    };
    let draft = read(&mut script, &spec, &["--party", "-"]).expect("well formed");
    assert_eq!(draft.seal.len(), 1);
    let message = refused(
        &spec,
        &["--party", r#"{"role":"applicant","person":{"name":"Hidden"}}"#],
    );
    assert!(
        message.contains("must not stand on the command line"),
        "{message}"
    );
    assert!(!message.contains("Hidden"));
}

#[test]
fn a_bad_party_file_is_named_without_its_content() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("p.json");
    let spec = spec(vec![parties()]);
    for (content, said) in [
        ("{\"person\": {\"name\": \"Secret\"}", "is not JSON"),
        ("\"Secret\"", "expected a JSON object"),
        (
            "{\"person\": {\"name\": \"Secret\"}}",
            "role (title of role) is missing",
        ),
        (
            "{\"role\": \"applicant\"}",
            "person, organisation or file is missing",
        ),
        (
            "{\"role\": \"applicant\", \"person\": {\"name\": \"Secret\"}, \"extra\": \"Secret\"}",
            "no field extra",
        ),
        (
            "{\"role\": \"Secret\", \"person\": {}}",
            "role: it may be: applicant",
        ),
    ] {
        std::fs::write(&path, content).expect("written");
        let message = refused(&spec, &["--party", path.to_str().expect("a path")]);
        assert!(message.contains(said), "{message}");
        assert!(!message.contains("Secret"), "{message}");
    }
    let message = refused(&spec, &["--party", "/no/such/file"]);
    assert!(message.contains("/no/such/file"), "{message}");
}

#[test]
fn files_are_sealed_or_named_by_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scan.PDF");
    std::fs::write(&path, [1, 2, 255]).expect("written");
    let path = path.to_str().expect("a path");
    let attachments = vec![
        field("commitment", true, FieldKind::Commitment),
        field("role", true, choice(&["photo"], true)),
    ];
    let spec = spec(vec![
        field("document", false, FieldKind::Commitment),
        field(
            "items",
            false,
            list(FieldKind::Group { fields: attachments }, 0, 5),
        ),
        field("commitments", false, list(FieldKind::Commitment, 0, 5)),
    ]);
    let whole = "ab".repeat(32);
    let item = format!("role=photo,file={path}");
    let draft = read(
        &mut Scripted::default(),
        &spec,
        &[
            "--document",
            path,
            "--item",
            &item,
            "--commitment",
            &whole,
            "--commitment",
            "AB12",
        ],
    )
    .expect("well formed");
    let file = json!({"file": {"name": "scan.PDF", "media-type": "application/pdf", "bytes": "0102ff"}});
    assert_eq!(draft.event["document"], Value::Null);
    assert_eq!(
        draft.event["items"],
        json!([{"commitment": null, "role": "photo"}])
    );
    assert_eq!(draft.event["commitments"], json!([whole, "ab12"]));
    let sealed: Vec<&str> = draft.seal.iter().map(|seal| seal.pointer.as_str()).collect();
    assert_eq!(sealed, ["/document", "/items/0/commitment"]);
    assert!(draft.seal.iter().all(|seal| seal.particulars == file));
}

#[test]
fn a_person_is_asked_for_parties_field_by_field() {
    let spec = spec(vec![parties()]);
    let mut person = Scripted::person(&[
        "applicant",
        "person",
        "张三",
        "",
        "",
        "",
        "",
        "",
        "13800000000",
        "",
        "y",
        "respondent",
        "organisation",
        "某公司",
        "",
        "",
        "",
        "",
        "n",
    ]);
    let draft = read(&mut person, &spec, &[]).expect("answered");
    assert_eq!(draft.event["parties"][1]["kind"], "organisation");
    assert_eq!(
        draft.seal[0].particulars,
        json!({"person": {"name": "张三", "phone": "13800000000"}})
    );
    assert_eq!(draft.seal[1].pointer, "/parties/1/commitment");
}

#[test]
fn long_texts_come_from_files_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("facts.txt");
    std::fs::write(&path, "第一行\n第二行\n").expect("written");
    let spec = spec(vec![field("facts", true, FieldKind::Prose { max: 100 })]);
    let at = format!("@{}", path.display());
    assert_eq!(event(&spec, &["--facts", &at])["facts"], "第一行\n第二行");
}

struct Directory;

impl Lookup for Directory {
    fn operator(&mut self, text: &str) -> Result<String, ServiceError> {
        Ok(format!("key of {text}"))
    }

    fn update(&mut self, text: &str) -> Result<String, ServiceError> {
        Ok(format!("update {text}"))
    }

    fn document(&mut self, text: &str) -> Result<String, ServiceError> {
        Ok(format!("document {text}"))
    }

    fn commitment(&mut self, text: &str) -> Result<String, ServiceError> {
        Ok(format!("commitment {text}"))
    }
}

#[test]
fn short_forms_are_made_whole_wherever_they_stand() {
    let whole = "cd".repeat(32);
    let group = vec![
        field("who", true, FieldKind::Key),
        field("note", true, FieldKind::Line { max: 9 }),
    ];
    let fields = vec![
        field("mediators", true, list(FieldKind::Key, 1, 5)),
        field("kept", true, FieldKind::Update),
        field("source", true, FieldKind::Document),
        field("shared", true, list(FieldKind::Commitment, 0, 5)),
        field("inner", true, FieldKind::Group { fields: group }),
    ];
    let Value::Object(mut event) = json!({
        "mediators": ["lin", whole], "kept": "3f2a", "source": "第12号", "shared": ["aa11"],
        "inner": {"who": "wu", "note": "wu"},
    }) else {
        panic!("an object");
    };
    resolve(&fields, &mut event, &mut Directory).expect("all are known");
    assert_eq!(
        Value::Object(event),
        json!({
            "mediators": ["key of lin", whole], "kept": "update 3f2a", "source": "document 第12号",
            "shared": ["commitment aa11"], "inner": {"who": "key of wu", "note": "wu"},
        })
    );
}

#[test]
fn the_help_of_an_event_names_its_fields_and_codes() {
    let spec = spec(vec![
        field("source", true, choice(&["applied", "court"], false)),
        parties(),
    ]);
    let help = command(&spec).render_long_help().to_string();
    for said in [
        "--source",
        "applied applied之义",
        "meaning of court",
        "--party",
        "FILE|-",
        "When it happened.",
    ] {
        assert!(help.contains(said), "{said}: {help}");
    }
}

#[test]
fn every_event_of_every_kind_has_a_sound_command() {
    for kind in anjuan_node::kind::kinds() {
        for spec in kind.catalog() {
            command(spec).debug_assert();
            for reserved in ["list", "show", "history", "particulars"] {
                assert_ne!(spec.command, reserved, "{} {}", kind.name(), spec.name);
            }
        }
    }
}
