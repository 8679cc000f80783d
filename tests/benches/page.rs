//! What pages of real updates come to, in bytes and in time.
//!
//! Villages with their mediators and cases of 12 updates: texts of people's length, put together at random
//! from characters, so that they are harder to compress than what people write. Once case by case, once as
//! a city accepts them over a year, all cases at once. Figures are for one update.

use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use anjuan_node::authority::certificate::CertificateKind;
use anjuan_sync::replica::Record;
use anjuan_sync::session::page;
use anjuan_sync::{NetworkId, SignedUpdate, Space};
use anjuan_tests::world::{Writer, certify, key, public, root};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

const WORDS: [&str; 24] = [
    "调解",
    "双方",
    "当事人",
    "宅基地",
    "边界",
    "排水",
    "邻里",
    "协议",
    "履行",
    "现场",
    "查看",
    "村委会",
    "赔偿",
    "损失",
    "承包地",
    "林权",
    "道路",
    "通行",
    "婚姻",
    "赡养",
    "劳务",
    "欠款",
    "一致",
    "意见",
];

/// About so many characters: half in words that come again, half at random.
fn text(rng: &mut StdRng, characters: usize) -> String {
    let mut text = String::new();
    let mut count = 0;
    while count < characters {
        if rng.random_bool(0.5) {
            let word = WORDS[rng.random_range(0..WORDS.len())];
            text.push_str(word);
            count += word.chars().count();
        } else {
            let common = 0x4e00 + rng.random_range(0..2500);
            text.extend(char::from_u32(common));
            count += 1;
        }
    }
    text
}

fn event(rng: &mut StdRng, n: usize) -> Value {
    match n {
        0 => json!({
            "type": "CaseRegistered", "source": "applied", "category": "neighbours", "brief": text(rng, 12),
            "facts": text(rng, 80), "parties": [
                {"commitment": hex::encode(rng.random::<[u8; 32]>()), "role": "applicant", "kind": "person"},
                {"commitment": hex::encode(rng.random::<[u8; 32]>()), "role": "respondent", "kind": "person"},
            ], "headcount": "up-to-4",
        }),
        1 => json!({"type": "CaseAccepted", "consent": true, "rights_notice": true, "no_exclusion": true}),
        2 => json!({"type": "CaseAssigned", "mediators": [hex::encode(rng.random::<[u8; 32]>())]}),
        n if n % 3 == 0 => {
            json!({"type": "FactsVerified", "findings": text(rng, 60), "records": 1, "evidence": []})
        }
        _ => json!({"type": "MessageSent", "text": text(rng, 40)}),
    }
}

struct City {
    network: NetworkId,
    /// By case.
    cases: Vec<Vec<SignedUpdate>>,
}

fn city(rng: &mut StdRng, villages: usize, cases: usize) -> City {
    let mut all = Vec::new();
    let mut network = None;
    for village in 0..villages {
        let (town, place) = (village / 15 + 1, village % 15 + 1);
        let unit = format!("450902{town:03}{place:03}");
        let names = ["chair", "mediator"].map(|role| format!("{role} {unit}"));
        let mut writers = names.each_ref().map(|name| {
            let kind = CertificateKind::Operator;
            let certified = certify(&root(), kind, public(&key(name)), name, &unit);
            network = Some(certified.network());
            let space = format!("4509/02/{town:03}/{place:03}");
            Writer::new(
                name,
                &certified,
                rng.random(),
                Space::up(space.parse().expect("a path")),
            )
        });
        for _ in 0..cases {
            let (key, mut document, first) = writers[0].create(&event(rng, 0));
            let mut updates = vec![first];
            for n in 1..12 {
                let writer = &mut writers[usize::from(rng.random_bool(0.8))];
                updates.push(writer.change(&key, &mut document, &event(rng, n)));
            }
            all.push(updates);
        }
    }
    City {
        network: network.expect("a village"),
        cases: all,
    }
}

/// In the order in which a city gets them: each time the next update of some case.
fn interleaved(rng: &mut StdRng, cases: &[Vec<SignedUpdate>]) -> Vec<SignedUpdate> {
    let mut at = vec![0; cases.len()];
    let mut open: Vec<usize> = (0..cases.len()).collect();
    let mut updates = Vec::new();
    while !open.is_empty() {
        let picked = rng.random_range(0..open.len());
        let case = open[picked];
        updates.push(cases[case][at[case]].clone());
        at[case] += 1;
        if at[case] == cases[case].len() {
            open.swap_remove(picked);
        }
    }
    updates
}

fn measure(what: &str, network: NetworkId, updates: Vec<SignedUpdate>) {
    let count = updates.len() as f64;
    let signed: usize = updates.iter().map(|update| update.encode().len()).sum();
    let mut pages = vec![Vec::new()];
    let mut size = 0;
    for update in updates {
        let record = Record::Update(update);
        size += record.size();
        if size > page::MAX_PAGE_LIMIT as usize {
            size = record.size();
            pages.push(Vec::new());
        }
        pages.last_mut().expect("a page").push(record);
    }
    let (mut raw, mut packed) = (0, 0);
    let mut times = [0.0; 4];
    for records in &pages {
        let mut clock = Instant::now();
        let mut lap = |at: usize| {
            times[at] += clock.elapsed().as_secs_f64() * 1e6 / count;
            clock = Instant::now();
        };
        let bytes = page::encode(records);
        lap(0);
        let body = page::compress(&bytes);
        lap(1);
        let expanded = page::expand(&body, bytes.len() as u32).expect("expands");
        lap(2);
        let read = page::decode(&expanded, network).expect("a page");
        lap(3);
        assert_eq!(black_box(read), *records);
        raw += bytes.len();
        packed += body.len();
    }
    let each = |bytes: usize| bytes as f64 / count;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{what}: {} pages, signed {:.0} B, page {:.0} B, compressed {:.0} B, ratio {:.3}; \
         encode {:.2} µs, compress {:.2} µs, expand {:.2} µs, decode {:.2} µs",
        pages.len(),
        each(signed),
        each(raw),
        each(packed),
        packed as f64 / signed as f64,
        times[0],
        times[1],
        times[2],
        times[3],
    )
    .expect("printed");
}

fn main() {
    let rng = &mut StdRng::seed_from_u64(1);
    let city = city(rng, 300, 2);
    measure("case by case", city.network, city.cases.concat());
    measure("as accepted", city.network, interleaved(rng, &city.cases));
}
