//! Where there is no link: a village's work is carried to the town as a file, and the answer carried back; and
//! what becomes of files that were damaged, forged, or are of another network.

use std::fs;
use std::path::Path;

use anjuan_sync::bundle::read_bundle;
use anjuan_sync::hash::Domain;
use anjuan_sync::replica::Record;
use anjuan_sync::session::page;
use anjuan_sync::{NetworkId, SignedHeader, SignedUpdate};
use anjuan_tests::harness::{
    Anjuan, CHAIR, CITY, CLERK, COUNTY, Family, Folder, MEDIATOR, Refusal, Snapshot, TOWN, VILLAGE, parties,
};
use serde_json::Value;

const NAME: &str = "黄无双";

fn digest(anjuan: &Anjuan) -> Value {
    anjuan.answer(&["status", "--scope", VILLAGE])["digest"].clone()
}

fn network(anjuan: &Anjuan) -> NetworkId {
    let network = anjuan.answer(&["status"])["network"].clone();
    let bytes = hex::decode(network.as_str().expect("a network")).expect("hexadecimal");
    NetworkId::from_bytes(bytes.try_into().expect("32 bytes"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Is the first party of a case readable here?
fn readable(anjuan: &Anjuan, case: &str) -> Value {
    anjuan.show(case)["particulars"][0]["readable"].clone()
}

#[test]
fn a_village_without_a_link_and_its_town_are_level_by_files() {
    let mut family = Family::at_rest("bundle");
    let [out, back, again, nothing] =
        ["out", "back", "again", "nothing"].map(|name| family.folder().join(name));
    let sealed = family.folder().join("parties.json");
    parties(&sealed, [NAME, "李乙"]);
    // The village's node does not even run; the town's does, and has no link to it.
    family.start(TOWN);
    let village = family.anjuan(VILLAGE).unlocking();
    let town = family.anjuan(TOWN).clone();
    let case = village.register(MEDIATOR, &sealed, "相邻排水");

    let unknown = village.refusal(&["bundle", "export", "--since", TOWN, "--out", text(&out)]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    assert!(unknown.hint.contains("--all"), "{unknown:?}");
    assert!(!out.exists());
    let written = village.answer(&["bundle", "export", "--all", "--out", text(&out)]);
    assert_eq!(
        (&written["scope"]["code"], &written["since"]),
        (&VILLAGE.into(), &0.into())
    );
    let taken = village.refusal(&["bundle", "export", "--all", "--out", text(&out)]);
    assert_eq!(taken.code, 2, "what stands there is left: {taken:?}");
    assert!(!family.folder().join("out.part").exists());
    assert!(!clear(&out, network(&village)).contains(NAME), "in the clear");

    let shown = town.answer(&["bundle", "show", text(&out)]);
    assert_eq!(shown["from"]["code"], VILLAGE, "{shown}");
    assert!(
        shown["lacking"].as_u64() > Some(1) && shown["damage"] == Value::Array(vec![]),
        "{shown}"
    );
    assert_eq!(
        town.refusal(&["case", "show", &case]).kind,
        "not-found",
        "nothing was taken in"
    );
    let imported = town.answer(&["bundle", "import", text(&out)]);
    assert_eq!(
        imported["before"]["lacking"], imported["after"]["taken"],
        "{imported}"
    );
    assert_eq!(imported["after"]["differing"], Value::Array(vec![]), "{imported}");
    assert_eq!(digest(&town), digest(&village));
    let once_more = town.answer(&["bundle", "import", text(&out)]);
    assert_eq!(once_more["after"]["taken"], 0, "{once_more}");

    // Readable where it is handled; carried, and not readable, above.
    let county = family.anjuan(COUNTY);
    county.answer(&["bundle", "import", text(&out)]);
    assert_eq!(
        [&village, &town, county].map(|anjuan| readable(anjuan, &case)),
        [Value::Bool(true), Value::Bool(true), Value::Bool(false)]
    );
    assert_eq!(county.show(&case)["particulars"][0]["held"], true);

    // The town knows what the village had: its answer is what is new.
    let message = town.message(CLERK, &case, "镇里:已阅");
    let answer = town.answer(&["bundle", "export", "--since", VILLAGE, "--out", text(&back)]);
    assert!(
        answer["since"].as_u64() > Some(0) && answer["peer"]["code"] == VILLAGE,
        "{answer}"
    );
    let updates = |path: &Path| updates(path, network(&town)).len();
    assert_eq!(updates(&back), 1, "{answer}");
    // Meanwhile the village goes on.
    let meanwhile = village.message(CHAIR, &case, "村里:在办");
    let imported = village.answer(&["bundle", "import", text(&back)]);
    assert_eq!(imported["after"]["taken"], 1, "{imported}");
    assert!(village.counted(&case).contains(&message));
    assert_ne!(
        imported["after"]["differing"],
        Value::Array(vec![]),
        "the town lacks one"
    );
    village.answer(&["bundle", "export", "--since", TOWN, "--out", text(&again)]);
    assert_eq!(
        updates(&again),
        2,
        "what came after what the town is known to have"
    );
    let imported = town.answer(&["bundle", "import", text(&again)]);
    assert_eq!(imported["after"]["differing"], Value::Array(vec![]), "{imported}");
    assert!(town.counted(&case).contains(&meanwhile));
    assert_eq!(digest(&town), digest(&village));
    town.answer(&["bundle", "export", "--since", VILLAGE, "--out", text(&nothing)]);
    assert_eq!(updates(&nothing), 0, "the village lacks nothing");
    for unit in [TOWN, VILLAGE, COUNTY] {
        family.anjuan(unit).verify();
    }
}

/// The updates in a bundle.
fn updates(bundle: &Path, network: NetworkId) -> Vec<SignedUpdate> {
    let bytes = fs::read(bundle).expect("a bundle");
    let pages = read_bundle(&bytes[..], network).expect("a bundle");
    let records = pages.flat_map(|page| page.expect("a whole page"));
    let updates = records.filter_map(|record| match record {
        Record::Update(update) => Some(update),
        _ => None,
    });
    updates.collect()
}

/// All that stands in a bundle, once it is no longer compressed.
fn clear(bundle: &Path, network: NetworkId) -> String {
    let bytes = fs::read(bundle).expect("a bundle");
    let pages = read_bundle(&bytes[..], network).expect("a bundle");
    let pages = pages.map(|page| page::encode(&page.expect("a whole page")));
    String::from_utf8_lossy(&pages.flatten().collect::<Vec<_>>()).into_owned()
}

/// A bundle of a village with some work, and a town's home that knows nothing of it.
fn carried(name: &str) -> (Family, Vec<u8>) {
    let family = Family::at_rest(name);
    let sealed = family.folder().join("parties.json");
    parties(&sealed, [NAME, "李乙"]);
    let village = family.anjuan(VILLAGE).unlocking();
    let case = village.register(MEDIATOR, &sealed, "相邻排水");
    village.message(CHAIR, &case, "村里:在办");
    let out = family.folder().join("out");
    village.answer(&["bundle", "export", "--all", "--out", text(&out)]);
    let bytes = fs::read(out).expect("a bundle");
    (family, bytes)
}

#[test]
fn a_bundle_with_any_byte_changed_is_refused_by_name() {
    let (family, bundle) = carried("bundle-damaged");
    let town = family.anjuan(TOWN);
    let network = network(town);
    // Every one through the reader; a sample through the program.
    for at in 0..bundle.len() {
        let mut changed = bundle.clone();
        changed[at] ^= 1;
        let sound = read_bundle(&changed[..], network).is_ok_and(|mut pages| pages.all(|page| page.is_ok()));
        assert!(!sound, "byte {at}");
    }
    let before = Snapshot::of(town.home());
    let file = family.folder().join("changed");
    let attempt = |bytes: &[u8]| -> Refusal {
        fs::write(&file, bytes).expect("written");
        let refusal = town.refusal(&["bundle", "import", text(&file)]);
        assert!(!refusal.stderr.contains("panicked"), "{refusal:?}");
        assert!(
            refusal.message.contains("bundle") && refusal.message_zh.contains("数据包"),
            "{refusal:?}"
        );
        refusal
    };
    for at in (0..bundle.len()).step_by(bundle.len() / 24) {
        let mut changed = bundle.clone();
        changed[at] ^= 0x10;
        let refusal = attempt(&changed);
        assert!([2, 8].contains(&refusal.code), "byte {at}: {refusal:?}");
    }
    let mut page = bundle.clone();
    let middle = bundle.len() * 3 / 4;
    page[middle] ^= 1;
    let refusal = attempt(&page);
    assert!(
        refusal.code == 8 && refusal.message.contains("page 1"),
        "{refusal:?}"
    );
    assert!(attempt(&bundle[..middle]).message.contains("too early"));
    assert_eq!(attempt(b"not a bundle").code, 2);
    let mut newer = bundle.clone();
    newer[9] = 7;
    let refusal = attempt(&newer);
    assert!(
        refusal.code == 8 && refusal.message.contains("version 7"),
        "{refusal:?}"
    );
    assert_eq!(
        before.differences(&Snapshot::of(town.home())),
        Vec::<String>::new()
    );
    // What is whole can be had all the same; here that is nothing, and it is said.
    fs::write(&file, &page).expect("written");
    let salvaged = town.refusal(&["bundle", "import", text(&file), "--salvage"]);
    assert_eq!(salvaged.code, 8, "{salvaged:?}");
    assert_eq!(digest(town), digest(family.anjuan(CITY)), "nothing came in");

    // Another network's.
    let other = Folder::new("other-network");
    let stranger = Anjuan::at(other.join(CITY)).unlocking();
    stranger.answer(&["init", "--unit", CITY]);
    fs::write(&file, &bundle).expect("written");
    let refusal = stranger.refusal(&["bundle", "import", text(&file)]);
    assert_eq!(refusal.code, 6, "{refusal:?}");
    town.answer(&["bundle", "import", text(&file)]);
    assert_eq!(digest(town), digest(family.anjuan(VILLAGE)));
}

/// A bundle whose digests all fit, with other records in its one page.
fn rewritten(bundle: &[u8], network: NetworkId, change: impl Fn(Record) -> Record) -> Vec<u8> {
    let pages = read_bundle(bundle, network).expect("a bundle");
    let records: Vec<_> = pages
        .flat_map(|page| page.expect("a whole page"))
        .map(change)
        .collect();
    let size = u32::from_be_bytes(bundle[10..14].try_into().expect("four bytes")) as usize;
    let (header, digest) = (&bundle[14..14 + size], &bundle[14 + size..46 + size]);
    assert_eq!(
        Domain::new("anjuan/bundle-header/1")
            .hash(&[&bundle[8..10], header])
            .as_bytes(),
        digest
    );
    let raw = page::encode(&records);
    let body = page::compress(&raw);
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short").to_be_bytes();
    let numbers = [1u64.to_be_bytes().as_slice(), &length(&raw)].concat();
    let of_page = Domain::new("anjuan/bundle-page/1").hash(&[digest, &numbers, &body]);
    let (pages, count) = (1u64.to_be_bytes(), (records.len() as u64).to_be_bytes());
    let whole = Domain::new("anjuan/bundle-end/1").hash(&[digest, of_page.as_bytes(), &pages, &count]);
    let mut made = bundle[..46 + size].to_vec();
    made.push(1);
    for part in [&length(&raw)[..], &length(&body), &body, of_page.as_bytes()] {
        made.extend_from_slice(part);
    }
    made.push(0);
    for part in [&pages[..], &count, whole.as_bytes()] {
        made.extend_from_slice(part);
    }
    made
}

#[test]
fn what_does_not_verify_by_itself_does_not_enter_from_a_bundle_that_is_whole() {
    let (family, bundle) = carried("bundle-forged");
    let town = family.anjuan(TOWN);
    let network = network(town);
    let same = rewritten(&bundle, network, |record| record);
    assert!(
        read_bundle(&same[..], network)
            .expect("a bundle")
            .all(|page| page.is_ok())
    );
    // The last update says something else than what was signed.
    let last = *updates(&family.folder().join("out"), network)
        .last()
        .expect("updates")
        .id()
        .as_bytes();
    let forged = rewritten(&bundle, network, |record| match record {
        Record::Update(update) if *update.id().as_bytes() == last => {
            let signed = update.signed_header();
            let mut signature = *signed.signature();
            signature[40] ^= 1;
            let signed = SignedHeader::from_parts(&signed.header().encode(), signature).expect("well formed");
            let forged = SignedUpdate::from_parts(signed, update.payload().to_vec());
            Record::Update(forged.expect("well formed"))
        }
        other => other,
    });
    let file = family.folder().join("forged");
    fs::write(&file, forged).expect("written");
    let ran = town.run(&["bundle", "import", text(&file)]);
    let refusal = ran.refusal().expect("an error");
    assert_eq!(refusal.code, 6, "{refusal:?}");
    let told: Value = serde_json::from_str(ran.stdout.trim()).expect("what was taken in is told");
    assert_eq!(told["after"]["forged"], 1, "{told}");
    assert!(!town.run(&["status"]).stdout.contains("panicked"));
    assert_ne!(digest(town), digest(family.anjuan(VILLAGE)));
    town.verify();
    // The genuine one is still taken.
    town.answer(&["bundle", "import", text(&family.folder().join("out"))]);
    assert_eq!(digest(town), digest(family.anjuan(VILLAGE)));
}
