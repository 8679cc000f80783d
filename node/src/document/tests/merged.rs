//! What follows from the causal graph is what Automerge comes to, and the changes read again say the same.

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

use super::*;

fn seeded() -> StdRng {
    let seed = std::env::var("ANJUAN_SEED").map_or(4509, |text| text.parse().expect("a number"));
    eprintln!("ANJUAN_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// The record as Automerge's users would read it, without what is cleared.
fn read(automerge: &Automerge) -> Value {
    let all = serde_json::to_value(automerge::AutoSerde::from(automerge)).expect("JSON");
    let fields = all["record"].as_object().expect("a record");
    fields
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}

#[test]
fn the_record_is_the_one_that_automerge_merges() {
    let mut rng = seeded();
    let (mut conflicts, mut cleared) = (0, 0);
    for _ in 0..150 {
        let case = Case::new();
        let authors: Vec<_> = (0..5).map(|n| Author::new(&n.to_string())).collect();
        let mut views = vec![case.open(); authors.len()];
        let mut updates: Vec<(usize, Option<ChangeHash>, Vec<u8>, ChangeHash)> = Vec::new();
        for _ in 0..rng.random_range(1..25) {
            let by = rng.random_range(0..authors.len());
            if rng.random_bool(0.4) {
                let from = views.choose(&mut rng).expect("a view").clone();
                for (author, own, payload, hash) in &updates {
                    if from.contains(hash) && !views[by].contains(hash) {
                        let admitted = case.admit(&mut views[by], &authors[*author], *own, payload);
                        assert!(matches!(admitted, Ok(Admission::Applied(_))), "{admitted:?}");
                    }
                }
            }
            let record: serde_json::Map<_, _> = (0..rng.random_range(0..3))
                .map(|_| {
                    let field = *["title", "urgent", "stage", "由"]
                        .choose(&mut rng)
                        .expect("a field");
                    let value = match rng.random_range(0..5) {
                        0 => Value::Null,
                        1 => json!(rng.random::<bool>()),
                        2 => json!(rng.random::<i64>()),
                        _ => json!(format!("文{}", rng.random_range(0..9))),
                    };
                    (field.to_owned(), value)
                })
                .collect();
            cleared += record.values().filter(|value| value.is_null()).count();
            let own = views[by].last_of(&authors[by].actor());
            let said = content(json!({"type": "x"}), Value::Object(record));
            let (next, payload, made) = case.write(&views[by], &authors[by], &said);
            views[by] = next;
            updates.push((by, own, payload, made.hash));
        }
        let mut all = case.open();
        for (place, (author, own, payload, _)) in updates.iter().enumerate() {
            let admitted = case.admit(&mut all, &authors[*author], *own, payload);
            assert!(matches!(admitted, Ok(Admission::Applied(_))), "{admitted:?}");
            // Sometimes after one, sometimes after many.
            if rng.random_bool(0.2) || place + 1 == updates.len() {
                let record = json!(all.record());
                let heads = all.heads();
                conflicts += usize::from(heads.len() > 1);
                let merged = all.merge().expect("what passed the guard is applicable");
                assert_eq!((read(merged), merged.get_heads()), (record, heads));
            }
        }
        let mut changes = all.changes.clone();
        changes.shuffle(&mut rng);
        let loaded = Document::reread(changes).expect("changes that were applied");
        assert_eq!((loaded.record(), loaded.heads()), (all.record(), all.heads()));
        assert_eq!(sorted(&loaded), sorted(&all));
    }
    assert!(conflicts > 100 && cleared > 100, "{conflicts} {cleared}");
}

#[test]
fn a_change_that_automerge_does_not_take_is_named_and_the_document_stays() {
    let case = Case::new();
    let (document, _, made) = case.write(&case.document, &Author::new("a"), &noted("x"));
    let mut broken = document.clone();
    broken.changes.clear();
    for (place, chunk) in document.changes.iter().enumerate() {
        let mut chunk = chunk.to_vec();
        let end = chunk.len() - 1;
        chunk[end] ^= u8::from(place == 1);
        broken.changes.push(chunk.into());
    }
    for _ in 0..2 {
        let error = broken.merge().map(|_| ()).expect_err("a damaged change");
        assert!(
            matches!(&error, MergeError::Refused { change, .. } if *change == made.hash),
            "{error}"
        );
    }
    assert_eq!(broken, document);
    assert_eq!(broken.record(), document.record());
    // As it happens when the batch alone fails: one by one they are taken.
    let mut merged = document.clone();
    let one_by_one = merged.merge_one_by_one().expect("applicable");
    assert_eq!(
        one_by_one.get_heads(),
        merged.merge().expect("applicable").get_heads()
    );
}

fn sorted(document: &Document) -> Vec<Arc<Extracted>> {
    let mut entries = document.entries().to_vec();
    entries.sort_unstable_by_key(|entry| entry.hash);
    entries
}
