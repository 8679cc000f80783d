//! What holds for every event.

use super::*;
use crate::kind::catalog::{FieldKind, FieldSpec};
use serde_json::{Map, Value, json};

fn visit<'a>(specs: &'a [FieldSpec], see: &mut dyn FnMut(&'a FieldSpec)) {
    fn inside<'a>(kind: &'a FieldKind, see: &mut dyn FnMut(&'a FieldSpec)) {
        match kind {
            FieldKind::List { of, .. } => inside(of, see),
            FieldKind::Group { fields } => visit(fields, see),
            _ => {}
        }
    }
    for spec in specs {
        see(spec);
        inside(&spec.kind, see);
    }
}

/// The least value that a field takes.
fn example(kind: &FieldKind) -> Value {
    match kind {
        FieldKind::Line { .. } | FieldKind::Prose { .. } => json!("文"),
        FieldKind::Date => json!("2019-12-27"),
        FieldKind::Integer { min, .. } => json!(min),
        FieldKind::Flag | FieldKind::Statement => json!(true),
        FieldKind::Choice { options, .. } => json!(options[0].code),
        FieldKind::Unit => json!("450902001"),
        FieldKind::Key | FieldKind::Update | FieldKind::Change | FieldKind::Commitment => {
            json!("ab".repeat(32))
        }
        FieldKind::Document => json!("ab".repeat(16)),
        FieldKind::CaseNumber => json!("(2019)玉州东成人调字第12号"),
        FieldKind::List { of, min, .. } => (0..(*min).max(1)).map(|_| example(of)).collect(),
        FieldKind::Group { fields } => Value::Object(example_map(fields)),
    }
}

fn example_map(fields: &[FieldSpec]) -> Map<String, Value> {
    fields
        .iter()
        .map(|field| (field.name.to_owned(), example(&field.kind)))
        .collect()
}

#[test]
fn no_event_has_a_field_for_a_person() {
    let persons = [
        "name",
        "person",
        "phone",
        "mobile",
        "tel",
        "address",
        "identity",
        "identity_card",
        "id_number",
        "idcard",
        "birth",
        "gender",
        "sex",
        "ethnic",
        "photo",
        "email",
        "wechat",
        "account",
        "plate",
        "applicant",
        "respondent",
        "姓名",
        "身份证",
        "电话",
        "住址",
    ];
    for event in catalog() {
        visit(&event.fields, &mut |field| {
            let parts: Vec<&str> = field.name.split('_').collect();
            for word in persons {
                assert!(
                    field.name != word && !parts.contains(&word),
                    "{}.{}",
                    event.name,
                    field.name
                );
            }
        });
    }
}

#[test]
fn every_event_reads_what_its_catalogue_says_and_writes_it_back() {
    for spec in catalog() {
        let mut map = example_map(&spec.fields);
        map.insert("type".to_owned(), spec.name.into());
        let event = Event::parse(&map)
            .map_err(|e| format!("{}: {e}", spec.name))
            .expect("a valid event");
        let event = event.expect("a known event");
        assert_eq!(event.to_map(), map, "{}", spec.name);
        let json = serde_json::to_value(&event).expect("serialises");
        assert_eq!(
            serde_json::from_value::<Event>(json).expect("deserialises"),
            event
        );
        map.insert("from_a_newer_program".to_owned(), json!({"kept": [1, 2]}));
        assert_eq!(
            Event::parse(&map),
            Ok(Some(event)),
            "unknown extra fields are left alone"
        );
    }
}

#[test]
fn a_missing_or_wrong_field_is_named() {
    for spec in catalog() {
        for field in spec.fields.iter() {
            let mut map = example_map(&spec.fields);
            map.insert("type".to_owned(), spec.name.into());
            map.remove(field.name);
            let missing = Event::parse(&map);
            assert_eq!(missing.is_err(), field.required, "{}.{}", spec.name, field.name);
            map.insert(field.name.to_owned(), json!({"not": "this"}));
            let fault = Event::parse(&map).expect_err("a group where there is none");
            assert!(fault.path.starts_with(field.name), "{}: {fault}", spec.name);
            if let Err(fault) = missing {
                assert_eq!(fault.path, field.name);
                assert!(fault.text().en.contains("is missing"), "{fault}");
            }
        }
    }
}

#[test]
fn commands_are_distinct_and_every_text_is_in_both_languages() {
    let mut commands: Vec<&str> = catalog().iter().map(|spec| spec.command).collect();
    commands.sort_unstable();
    let before = commands.len();
    commands.dedup();
    assert_eq!(commands.len(), before);
    for spec in catalog() {
        let mut texts = vec![&spec.title, &spec.help];
        visit(&spec.fields, &mut |field| texts.push(&field.title));
        for text in texts {
            assert!(
                !text.zh.is_ascii() && text.en.is_ascii(),
                "{}: {text:?}",
                spec.name
            );
        }
    }
}

#[test]
fn an_unknown_code_of_an_open_table_is_kept_and_shown_as_such() {
    let map = json!({"route": "ombudsman", "type": "LitigationGuided"});
    let event: Event = serde_json::from_value(map).expect("kept");
    let Event::LitigationGuided(event) = event else {
        panic!("another event")
    };
    assert_eq!(event.route.title().en, "unknown code ombudsman");
}
