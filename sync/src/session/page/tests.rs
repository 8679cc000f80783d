use proptest::prelude::*;

use super::*;
use crate::replica::conformance::Author;

const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);

fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

fn author(seed: u8, network: NetworkId) -> Author {
    let space = Space::up(path("4509/02/001/001"));
    Author::new(seed, network, space, CertificateId::from_bytes([2; 32]))
}

fn records() -> Vec<Record> {
    let (mut zhang, mut li) = (author(1, NETWORK), author(2, NETWORK));
    let mut records = Vec::new();
    for number in 0..3 {
        records.push(Record::Update(zhang.write(&format!("zhang {number}"))));
        let skipped = li.write("not in the page");
        records.push(Record::Update(li.write(&format!("li {number}"))));
        drop(skipped);
    }
    let pair = [zhang.write_after(None, "a"), zhang.write_after(None, "b")];
    records.push(Record::Fork(Box::new(
        pair.map(|update| update.signed_header().clone()),
    )));
    let blob = Blob {
        path: path("4509"),
        id: ItemId::from_bytes([9; 32]),
        bytes: vec![1; 50],
    };
    records.push(Record::Credential(blob.clone()));
    records.push(Record::Sealed(blob));
    records.push(Record::Held {
        path: path("4509/02"),
        id: ItemId::from_bytes([8; 32]),
    });
    records
}

#[test]
fn the_encoding_is_pinned() {
    let bytes = encode(&records());
    assert_eq!(
        (bytes.len(), crate::hash::sha256(&bytes).to_string().as_str()),
        (
            2140,
            "b5c0be2b9f647f90f25f4c8ef7d9b15054dd7aeda619056f6489608d19002a9c"
        )
    );
}

#[test]
fn what_is_written_is_read() {
    let page = encode(&records());
    assert_eq!(decode(&page, NETWORK), Ok(records()));
    let body = compress(&page);
    assert_eq!(expand(&body, page.len() as u32), Ok(page));
}

/// An update of another network loses its network on the way, and with it its signature.
#[test]
fn another_networks_update_does_not_verify() {
    let foreign = author(1, NetworkId::from_bytes([7; 32])).write("foreign");
    let page = encode(&[Record::Update(foreign)]);
    let read = decode(&page, NETWORK).expect("well formed");
    let Record::Update(update) = &read[0] else {
        panic!("an update");
    };
    assert!(update.clone().verify().is_err());
}

#[test]
fn bombs_do_not_go_off() {
    let zeros = vec![0; 40_000_000];
    let bomb = compress(&zeros);
    assert!(bomb.len() < 5000);
    for length in [0, 1, 1000, MAX_PAGE as u32, MAX_PAGE as u32 + 1, u32::MAX] {
        assert!(
            matches!(expand(&bomb, length), Err(Violation::Page(_))),
            "{length}"
        );
    }
    let honest = compress(b"an honest page");
    assert!(matches!(expand(&honest, 13), Err(Violation::Page(_))));
    assert!(matches!(expand(&honest, 15), Err(Violation::Page(_))));
    assert!(matches!(expand(b"not zstd", 10), Err(Violation::Page(_))));
}

proptest! {
    #[test]
    fn damaged_pages_do_no_harm(at in any::<prop::sample::Index>(), byte in any::<u8>(), end in any::<prop::sample::Index>()) {
        let mut page = encode(&records());
        let at = at.index(page.len());
        page[at] = byte;
        let _ = decode(&page, NETWORK);
        let _ = decode(&page[..end.index(page.len())], NETWORK);
        let mut body = compress(&page);
        let at = at % body.len();
        body[at] = byte;
        let _ = expand(&body, page.len() as u32);
    }
}

/// Prints what a page costs: `cargo test --release -- --ignored cost`.
#[test]
#[ignore = "a measurement"]
fn cost() {
    let mut authors: Vec<_> = (1..40).map(|seed| author(seed, NETWORK)).collect();
    let records: Vec<_> = (0..550u64)
        .map(|number| {
            // Like an Automerge change: some structure, a hash, some text.
            let hash = crate::hash::sha256(&number.to_be_bytes());
            let text = "调解双方当事人就宅基地边界达成一致".repeat(6);
            let update = authors[number as usize % 39].write(&format!("{hash}{number}{text}"));
            Record::Update(update)
        })
        .collect();
    let signed: usize = records
        .iter()
        .map(|record| match record {
            Record::Update(update) => update.encode().len(),
            _ => 0,
        })
        .sum();
    let each = |start: std::time::Instant| start.elapsed().as_secs_f64() * 1e6 / records.len() as f64;
    let start = std::time::Instant::now();
    let page = encode(&records);
    let encoding = each(start);
    let start = std::time::Instant::now();
    let body = compress(&page);
    let compressing = each(start);
    let start = std::time::Instant::now();
    let expanded = expand(&body, page.len() as u32).expect("expands");
    let expanding = each(start);
    let start = std::time::Instant::now();
    let read = decode(&expanded, NETWORK).expect("decodes");
    let decoding = each(start);
    assert_eq!(read, records);
    eprintln!(
        "per update: signed {} B, page {} B, compressed {} B; encode {encoding:.2} µs, compress {compressing:.2} µs, \
         expand {expanding:.2} µs, decode {decoding:.2} µs",
        signed / records.len(),
        page.len() / records.len(),
        body.len() / records.len(),
    );
}
