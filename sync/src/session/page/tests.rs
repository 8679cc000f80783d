use proptest::prelude::*;

use super::*;
use crate::id::CertificateId;
use crate::path::Space;
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
            1589,
            "b29b96d885e2c83169747c6a2486069155f217691be10e48d7d59b917d15f410"
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

/// A change as Automerge frames it, of these parts.
fn chunk(deps: &[[u8; 32]], actor: &[u8], rest: &[u8]) -> (Vec<u8>, [u8; 32]) {
    let mut body = vec![deps.len() as u8];
    body.extend(deps.iter().flatten());
    body.push(actor.len() as u8);
    body.extend_from_slice(actor);
    body.extend_from_slice(rest);
    let mut chunk = vec![1];
    columns::put_number(&mut chunk, body.len() as u64);
    chunk.extend_from_slice(&body);
    let hash = *crate::hash::sha256(&chunk).as_bytes();
    ([&[0x85, 0x6f, 0x4a, 0x83], &hash[..4], &chunk].concat(), hash)
}

fn payload_update(author: &mut Author, payload: Vec<u8>) -> Record {
    Record::Update(author.write_bytes(&payload))
}

/// Chunks that depend on each other, on what is not in the page, and whatever is almost a chunk.
#[test]
fn chunks_come_back_as_they_were() {
    let (mut zhang, mut li) = (author(1, NETWORK), author(2, NETWORK));
    let (first, one) = chunk(&[], &[1; 16], b"first");
    let (second, two) = chunk(&[one], &[2; 16], b"second");
    let (third, _) = chunk(&[two, one, [9; 32]], &[1; 16], b"third");
    let (nobody, _) = chunk(&[one, one], &[], b"");
    let (long_name, _) = chunk(&[], &[3; 33], b"named in full");
    let mut records = vec![
        payload_update(&mut zhang, first.clone()),
        payload_update(&mut li, second),
        payload_update(&mut zhang, third),
        payload_update(&mut zhang, nobody),
        payload_update(&mut li, long_name),
        payload_update(&mut li, first.clone()),
    ];
    // Cut short, with a wrong checksum, and with a length that says too much.
    for at in [1, 5, 9, 20, first.len() - 1] {
        records.push(payload_update(&mut zhang, first[..at].to_vec()));
        let mut changed = first.clone();
        changed[at] ^= 1;
        records.push(payload_update(&mut li, changed));
    }
    let page = encode(&records);
    assert_eq!(decode(&page, NETWORK), Ok(records.clone()));
    let bare: usize = records.iter().map(Record::size).sum();
    assert!(page.len() < bare, "{} of {bare} B", page.len());
}

/// A reference of one byte stands for 32: a page cannot come to much more than it is.
#[test]
fn references_do_not_blow_up() {
    let mut zhang = author(1, NETWORK);
    let (first, one) = chunk(&[], &[1; 16], b"first");
    let mut records = vec![payload_update(&mut zhang, first)];
    let wide: Vec<[u8; 32]> = vec![one; 100];
    for _ in 0..280 {
        let mut body = vec![wide.len() as u8];
        body.extend(wide.iter().flatten());
        body.push(0);
        let mut chunk = vec![1];
        columns::put_number(&mut chunk, body.len() as u64);
        chunk.extend_from_slice(&body);
        let hash = crate::hash::sha256(&chunk);
        let payload = [&[0x85, 0x6f, 0x4a, 0x83], &hash.as_bytes()[..4], &chunk].concat();
        records.push(payload_update(&mut zhang, payload));
    }
    let page = encode(&records);
    assert!(page.len() < 70_000, "it is small: {} B", page.len());
    let refused = Violation::Page("records of more bytes than a page may have".into());
    assert!(records.iter().map(Record::size).sum::<usize>() > MAX_PAGE - 200_000);
    records.extend_from_within(1..);
    assert_eq!(decode(&encode(&records), NETWORK), Err(refused));
}

/// One list of records, one page.
#[test]
fn another_encoding_of_the_same_is_refused() {
    let page = encode(&records());
    let mut longer = page.clone();
    longer.push(0);
    let format = [&[FORMAT + 1], &page[1..]].concat();
    for (page, what) in [
        (longer, "bytes after its columns"),
        (format, "format 2, not 1"),
        (Vec::new(), "no bytes at all"),
    ] {
        assert_eq!(decode(&page, NETWORK), Err(Violation::Page(what.into())));
    }
}

/// What the page has told is referred to, and never said again.
#[test]
fn what_is_known_is_not_named_again() {
    let refused = Violation::Page("not in canonical encoding".into());
    let forgetting = |records: &[Record], forget: fn(&mut SoFar)| {
        let mut so_far = SoFar::default();
        let mut writer = Writer::default();
        for record in records {
            let Record::Update(update) = record else {
                panic!("an update");
            };
            writer.byte(Column::Kind, UPDATE);
            so_far.write(&mut writer, update);
            forget(&mut so_far);
        }
        decode(&writer.finish(vec![FORMAT]), NETWORK)
    };
    let (mut zhang, mut li) = (author(1, NETWORK), author(2, NETWORK));
    let (first, one) = chunk(&[], &[1; 16], b"first");
    let of_one_log = ["one", "two"].map(|text| Record::Update(zhang.write(text)));
    let of_one_document = ["one", "two"].map(|text| Record::Update(li.write(text)));
    let dependent = [first.clone(), chunk(&[one], &[2; 16], b"second").0];
    let dependent = dependent.map(|payload| payload_update(&mut zhang, payload));
    let of_one_writer = [first, chunk(&[], &[1; 16], b"second").0];
    let of_one_writer = of_one_writer.map(|payload| payload_update(&mut li, payload));
    type Forget = fn(&mut SoFar);
    let cases: [(&[Record], Forget); 4] = [
        (&of_one_log, |so_far| *so_far = SoFar::default()),
        (&of_one_document, SoFar::forget_documents),
        (&dependent, SoFar::forget_chunks),
        (&of_one_writer, SoFar::forget_chunks),
    ];
    for (at, (records, forget)) in cases.into_iter().enumerate() {
        assert_eq!(forgetting(records, |_| {}), Ok(records.to_vec()), "{at}");
        assert_eq!(forgetting(records, forget), Err(refused.clone()), "{at}");
    }
}

/// Every byte of a page of every kind of record, changed: what can still be read comes to that very page.
#[test]
fn whatever_is_read_has_one_page() {
    let (mut zhang, mut li) = (author(1, NETWORK), author(2, NETWORK));
    let (first, one) = chunk(&[], &[1; 16], b"first");
    let (second, two) = chunk(&[one], &[2; 16], b"second");
    let mut records = records();
    records.extend([
        payload_update(&mut zhang, first.clone()),
        payload_update(&mut li, second),
        payload_update(&mut zhang, chunk(&[two, one], &[1; 16], b"third").0),
        payload_update(&mut zhang, chunk(&[one], &[2; 16], b"fourth").0),
        payload_update(&mut li, first),
    ]);
    let page = encode(&records);
    let mut read = 0;
    for at in 0..page.len() {
        let byte = page[at];
        let bits = (0..8).map(|bit| byte ^ (1 << bit));
        for other in bits.chain([byte.wrapping_add(1), byte.wrapping_sub(1), 0, 1, 2, 3]) {
            let mut page = page.clone();
            page[at] = other;
            if let Ok(records) = decode(&page, NETWORK) {
                assert_eq!(encode(&records), page, "byte {at}: {byte} to {other}");
                read += 1;
            }
        }
    }
    assert!(read > 1_000, "{read}");
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
        if let Ok(records) = decode(&page, NETWORK) {
            prop_assert_eq!(encode(&records), &page[..]);
        }
        let _ = decode(&page[..end.index(page.len())], NETWORK);
        let mut body = compress(&page);
        let at = at % body.len();
        body[at] = byte;
        let _ = expand(&body, page.len() as u32);
    }
}
