//! What follows from the causal graph is what Automerge comes to, and what was saved says the same.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
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
        let loaded = Document::load(&all.save()).expect("a document just saved");
        assert_eq!((loaded.record(), loaded.heads()), (all.record(), all.heads()));
        assert_eq!(loaded.entries(), all.entries());
    }
    assert!(conflicts > 100 && cleared > 100, "{conflicts} {cleared}");
}

#[test]
fn what_is_saved_is_an_automerge_file() {
    let case = Case::new();
    let mut document = case.document.clone();
    for n in 0..5 {
        (document, ..) = case.write(&document, &Author::new(&(n % 2).to_string()), &noted("x"));
    }
    let saved = document.save();
    // Magic, version and digest come before it.
    let file = Automerge::load(&saved[37..]).expect("Automerge's own format");
    let merged = document.merge().expect("applicable");
    assert_eq!(file.get_heads(), merged.get_heads());
    assert_eq!(file.hydrate(None), merged.hydrate(None));
    // Merged or not, it is the same document.
    assert_eq!(document.save(), saved);
    let mut loaded = Document::load(&saved).expect("a document just saved");
    let again = loaded.merge().expect("applicable").save();
    assert_eq!(again, document.merge().expect("applicable").save());
}

#[test]
fn a_change_that_automerge_does_not_take_is_named_and_the_document_stays() {
    let case = Case::new();
    let (document, _, made) = case.write(&case.document, &Author::new("a"), &noted("x"));
    let mut broken = document.clone();
    broken.chunks = Chunks::default();
    for (place, chunk) in document.chunks.iter().enumerate() {
        let mut chunk = chunk.to_vec();
        let end = chunk.len() - 1;
        chunk[end] ^= u8::from(place == 1);
        broken.chunks.push(&chunk);
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

/// Written by format 1: a creation, and two changes on top of it by two others.
const FORMAT_1: &str = "\
    414a444301c386e383b2652db8b1330bce955961edde2397690069a5f614599effc4432519856f4a834aa9ded800\
    850503100dcf42c528bc047a75d911bab50622d410b6a5d452533107e146c977432211803110f4bd50ec58a17b40\
    cc0ef43ed716b985020d42ec887c33c7d4bdf027907c90c22b0500dcaa1c2368f456e16d0ee32d28512e5b1af60a\
    989b1e38b8b9bb3ccd2ec5952ffa77b2cbc1f4c035461b381370190701040304130423024004430256020e010f02\
    13110e130e15d8012115231e3405421d562057318001068101038301037d0201007f0102007d0e070003007f0002\
    010200030700030f0202000201020002017e0001000304020303040402077e080a040f04100212000f7f0200077f\
    0000017f010002000e7e000800067c78116f1100027d066576656e7473046b696e64067265636f72640305746974\
    6c657806757267656e742930646366343263353238626330343761373564393131626162353036323264342d3030\
    3030303030312962366135643435323533333130376531343663393737343332323131383033312d303030303030\
    30312966346264353065633538613137623430636330656634336564373136623938352d30303030303030310566\
    61637473016e0770617274696573047479706500020204726f6c657c046c6973740474797065046c697374047479\
    7065000402016104027b0001020001090202000201020002017e000176037e010b080079010075030174057c027f\
    0205047c047d017f02017f000e020604027d0001000401030002017e0201020002017d02010202017d0001000201\
    7c0046006602367f0103007cc6011400e601020002167900160016140014030063617365e982bbe9878ce4b999e7\
    94b2e982bbe9878ce7baa0e7bab702436173655265676973746572656461627878010103007f0218007e00017e15\
    000102";

#[test]
fn what_format_1_saved_is_still_opened() {
    let case = Case::new();
    let mut document = case.open();
    let set = |title: &str| {
        content(
            json!({"type": "x", "list": [1, {"a": null}]}),
            json!({"title": title}),
        )
    };
    for (name, title) in [("village", "甲"), ("town", "乙")] {
        let author = Author::new(name);
        let (_, payload, _) = case.write(&case.document, &author, &set(title));
        case.admit(&mut document, &author, None, &payload)
            .expect("honest");
    }
    let bytes = hex::decode(FORMAT_1).expect("hexadecimal");
    let mut loaded = Document::load(&bytes).expect("format 1");
    assert_eq!(loaded, document);
    assert_eq!(loaded.record(), document.record());
    let sorted = |document: &Document| {
        let mut entries = document.entries().to_vec();
        entries.sort_unstable_by_key(|entry| entry.hash);
        entries
    };
    assert_eq!(sorted(&loaded), sorted(&document));
    loaded.merge().expect("applicable");
    // From here on it is of format 2.
    assert_eq!(
        Document::load(&loaded.save()).expect("a document just saved"),
        document
    );
}

#[test]
fn format_2_is_pinned() {
    let actor = ActorId::from([7; 16]);
    let (document, ..) = Document::create("case", &actor, &noted("文")).expect("honest");
    let saved = hex::encode(document.save());
    assert_eq!(saved, FORMAT_2);
    assert_eq!(
        Document::load(&hex::decode(FORMAT_2).expect("hexadecimal")),
        Ok(document)
    );
}

/// Written by format 2: a creation alone.
const FORMAT_2: &str = "\
    414a4443028eb8aca9be46de1c0962e98763537136cbf629a99215682b563ef271c58f04d6856f4a836829a5ac01\
    9e010010070707070707070707070707070707070101000000080104020615483401420656085713700200030300\
    00037f0302047a046b696e64067265636f7264066576656e74732930373037303730373037303730373037303730\
    373037303730373037303730372d303030303030303104746578740474797065067f01030002017f4603007e36c6\
    0163617365e696874d6573736167654e6f7465640600";
