//! Served nodes that witness each other: what a village recorded is cosigned by its town and its county; a
//! store that is set back goes on in a new epoch and is nobody's forgery; a rewritten journal is proven.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anjuan_node::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use anjuan_node::evidence::merkle::TreeHead;
use anjuan_node::evidence::name::Origin;
use anjuan_node::keys::{KdfCost, KeyStore};
use anjuan_node::service::{Options, Service};
use anjuan_sync::id::StoreEpoch;
use anjuan_sync::session::message::{Hello, Message, PROTOCOL_VERSION, State};
use anjuan_sync::transport::{Config, Endpoint, Event, Limits, PeerAddr};
use anjuan_sync::{NetworkId, Timestamp, hash};
use anjuan_tests::harness::wait::until;
use anjuan_tests::harness::{Anjuan, CHAIR, COUNTY, Family, Folder, MEDIATOR, TOWN, VILLAGE, parties};
use ed25519_dalek::SigningKey;
use serde_json::Value;

/// What a node found out about itself and others; and how it exits.
pub(super) fn doctor(anjuan: &Anjuan) -> (Value, i32) {
    let ran = anjuan.run(&["doctor"]);
    let diagnosis = serde_json::from_str(ran.stdout.trim());
    let diagnosis = diagnosis.unwrap_or_else(|error| panic!("no diagnosis ({error}): {ran}"));
    (diagnosis, ran.status.code().expect("it ended by itself"))
}

pub(super) fn findings<'d>(diagnosis: &'d Value, code: &str) -> Vec<&'d Value> {
    let all = diagnosis["findings"].as_array().into_iter().flatten();
    all.filter(|finding| finding["code"] == code).collect()
}

/// The newest checkpoint, once these have cosigned it.
fn cosigned_by(anjuan: &Anjuan, units: &[&str]) -> Value {
    until("the newest checkpoint is cosigned", || {
        let status = anjuan.answer(&["status"]);
        let checkpoint = &status["checkpoint"];
        let cosigned = &checkpoint["cosigned"];
        let by = |unit: &&str| {
            let mut witnesses = cosigned["witnesses"].as_array().into_iter().flatten();
            witnesses.any(|witness| witness["unit"]["code"] == **unit)
        };
        let all = checkpoint["size"] == status["store"]["journal_records"]
            && cosigned["size"] == checkpoint["size"]
            && units.iter().all(by);
        match all {
            true => Ok(checkpoint.clone()),
            false => Err(status.to_string()),
        }
    })
}

fn case_of(family: &Family) -> String {
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);
    family.anjuan(VILLAGE).register(MEDIATOR, &sealed, "边界之争")
}

#[test]
fn a_village_is_witnessed_by_its_town_and_its_county_and_its_headers_name_what_they_saw() {
    let mut family = Family::running("witnessed");
    let case = case_of(&family);
    let county = family.at(COUNTY).node();
    let direct = county.multiaddress(county.address());
    family.anjuan(VILLAGE).answer(&["peer", "add", &direct]);
    let first = cosigned_by(family.anjuan(VILLAGE), &[TOWN, COUNTY]);

    family.stop(VILLAGE);
    family.start(VILLAGE);
    let village = family.anjuan(VILLAGE).clone();
    village.message(CHAIR, &case, "重启之后");
    let second = cosigned_by(&village, &[TOWN, COUNTY]);
    assert_eq!(first["log"], second["log"], "the same log goes on");
    assert!(first["size"].as_u64() < second["size"].as_u64());
    assert_ne!(first["root"], second["root"]);

    // The town is cosigned by the county, and the village hears of it when it asks next.
    let foreign = village.home().join("evidence/foreign.note");
    until("the village knows a foreign checkpoint", || {
        village.message(CHAIR, &case, "再记一条");
        cosigned_by(&village, &[TOWN]);
        match foreign.exists() {
            true => Ok(()),
            false => Err("not yet".to_owned()),
        }
    });
    village.message(CHAIR, &case, "记下界限");
    village.message(CHAIR, &case, "同一小时");
    family.level(&[TOWN, VILLAGE]);
    assert_eq!(doctor(&village).1, 0, "{}", doctor(&village).0);

    family.stop(VILLAGE);
    let note = fs::read(&foreign).expect("a note");
    SignedCheckpoint::parse(&note).expect("a checkpoint");
    let service = Service::open(village.home(), Options::default(), &mut |_| {}).expect("the home opens");
    let ledger = service.ledger();
    let mut named = BTreeMap::<_, u64>::new();
    let updates = (0..ledger.journal_end()).filter_map(|position| ledger.stored_update(position).ok());
    for update in updates.filter(|update| update.header().bracket().is_some()) {
        *named.entry(update.header().log()).or_default() += 1;
    }
    assert!(!named.is_empty(), "the chair's log names it");
    assert!(
        named.values().all(|times| *times == 1),
        "once in an hour: {named:?}"
    );
}

#[test]
fn a_store_that_is_set_back_goes_on_in_a_new_epoch_and_nobody_is_accused() {
    let mut family = Family::running("set-back");
    let case = case_of(&family);
    cosigned_by(family.anjuan(VILLAGE), &[TOWN]);
    // First the journal alone, as after a power loss; then with all that the node knew of what it signed.
    for (round, parts) in [&["journal"][..], &["journal", "evidence"]]
        .into_iter()
        .enumerate()
    {
        family.stop(VILLAGE);
        let home = family.anjuan(VILLAGE).home().to_owned();
        let backup = Folder::new("backup");
        for part in parts {
            copy(&home.join(part), &backup.join(part));
        }
        family.start(VILLAGE);
        let lost = family.anjuan(VILLAGE).message(CHAIR, &case, "备份之后");
        let before = cosigned_by(family.anjuan(VILLAGE), &[TOWN]);
        family.level(&[TOWN, VILLAGE]);

        family.stop(VILLAGE);
        for part in parts {
            fs::remove_dir_all(home.join(part)).expect("removed");
            copy(&backup.join(part), &home.join(part));
        }
        // Before anybody can tell, somebody goes on: what was lost can't come back to its place.
        family.at(VILLAGE).uplink().cut();
        family.start(VILLAGE);
        family
            .anjuan(VILLAGE)
            .message(MEDIATOR, &case, "恢复之后,联网之前");
        family.at(VILLAGE).uplink().restore();
        let village = family.anjuan(VILLAGE);
        let after = until("the village has begun a new log, which is witnessed", || {
            let checkpoint = village.answer(&["status"])["checkpoint"].clone();
            let is_new = checkpoint["log"] != before["log"];
            let cosigned = checkpoint["cosigned"]["size"] == checkpoint["size"];
            match is_new && cosigned {
                true => Ok(checkpoint),
                false => Err(checkpoint.to_string()),
            }
        });
        assert_ne!(before["log"], after["log"]);
        family.level(&[TOWN, VILLAGE]);
        assert!(village.counted(&case).contains(&lost), "the town had it");

        let (diagnosis, code) = doctor(village);
        assert_eq!((code, &diagnosis["well"]), (0, &Value::Bool(true)), "{diagnosis}");
        let told = findings(&diagnosis, "set-back");
        assert_eq!(told.len(), round + 1, "{diagnosis}");
        let (diagnosis, code) = doctor(family.anjuan(TOWN));
        assert_eq!(code, 0, "{diagnosis}");
        let told = findings(&diagnosis, "peer-set-back")
            .into_iter()
            .filter(|finding| {
                let what = text(&finding["what"]["en"]);
                what.starts_with(&format!("the node of {VILLAGE} "))
            });
        assert_eq!(told.count(), 1, "{diagnosis}");
        assert_eq!(findings(&diagnosis, "conflict").len(), 0, "{diagnosis}");
    }
    let village = family.anjuan(VILLAGE);
    let recorded = village.message(CHAIR, &case, "在新日志中");
    family.level(&[TOWN, VILLAGE]);
    assert!(family.anjuan(TOWN).counted(&case).contains(&recorded));
    family.verify();
}

#[test]
fn a_node_that_rewrites_its_journal_is_proven_to_by_its_parent() {
    let mut family = Family::running("rewritten");
    let case = case_of(&family);
    let checkpoint = cosigned_by(family.anjuan(VILLAGE), &[TOWN]);
    let status = family.anjuan(VILLAGE).answer(&["status"]);
    family.stop(VILLAGE);

    // The village's key signs another history of the same length.
    let home = family.anjuan(VILLAGE).home();
    let keys = KeyStore::new(home.join("keys"), KdfCost::STANDARD);
    let key = keys.node().expect("the node's key").signing_key().clone();
    let origin: Origin = text(&checkpoint["log"]).parse().expect("a log's name");
    let size = checkpoint["size"].as_u64().expect("a size");
    let root = hash::sha256(b"another history");
    let network = NetworkId::from_bytes(digits(text(&status["network"])));
    let question = cosign(&origin, TreeHead { size, root }, size, &key);
    let town = family.at(TOWN).node();
    let town: PeerAddr = town.multiaddress(town.address()).parse().expect("an address");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let answer = runtime.block_on(ask(&key, network, &town, question));
    // Version 1; answer 4, inconsistent; conflict 0, two roots; the note that was cosigned before.
    assert_eq!(
        answer[..6],
        [0x82, 1, 0x82, 4, 0x82, 0],
        "{}",
        hex::encode(&answer)
    );

    let told = |unit: &str| {
        let (diagnosis, code) = doctor(family.anjuan(unit));
        match findings(&diagnosis, "conflict")[..] {
            [finding] if code == 11 => Ok(text(&finding["what"]["en"]).to_owned()),
            _ => Err(diagnosis.to_string()),
        }
    };
    let what = told(TOWN).expect("the town found it");
    assert!(what.contains(VILLAGE) && what.contains("two roots"), "{what}");
    until("the county has heard of it from the town", || told(COUNTY));
    let evidence = family.anjuan(TOWN).home().join("evidence/witness");
    let kept = names(&evidence)
        .into_iter()
        .find(|name| name.ends_with(".two-roots"));
    let kept = fs::read_to_string(evidence.join(kept.expect("kept"))).expect("readable");
    assert_eq!(
        kept.matches(text(&checkpoint["log"])).count(),
        4,
        "two notes, each signed: {kept}"
    );

    // What it records verifies by itself, and is taken in still.
    family.start(VILLAGE);
    let recorded = family.anjuan(VILLAGE).message(CHAIR, &case, "照常记录");
    family.level(&[TOWN, VILLAGE]);
    assert!(family.anjuan(TOWN).counted(&case).contains(&recorded));
}

/// The question as `docs/formats.md` gives it: cosign this checkpoint, which continues the one of size `from`
/// without any proof.
pub(super) fn cosign(origin: &Origin, head: TreeHead, from: u64, key: &SigningKey) -> Vec<u8> {
    let signed = Checkpoint::new(origin.clone(), head)
        .sign(key)
        .expect("its own key");
    let signature = signed.note().signatures()[0].bytes();
    let mut bytes = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut bytes);
    let encoded = (|| {
        encoder.array(2)?.u8(1)?;
        encoder.array(2)?.u8(1)?.array(6)?;
        encoder.bytes(origin.epoch().as_bytes())?.u64(head.size)?;
        encoder.bytes(head.root.as_bytes())?.bytes(signature)?;
        encoder.u64(from)?.array(0)?.ok()
    })();
    encoded.expect("writing to a vector does not fail");
    bytes
}

/// Asks a node as the holder of a key that it has met.
pub(super) async fn ask(key: &SigningKey, network: NetworkId, node: &PeerAddr, question: Vec<u8>) -> Vec<u8> {
    let config = Config {
        key: key.clone(),
        listen: Vec::new(),
        mdns: false,
        limits: Limits::default(),
        seed: [0; 32],
    };
    let (endpoint, mut events) = Endpoint::start(config).await.expect("started");
    endpoint.dial(node).await.expect("dialled");
    let mut link = loop {
        match events.recv().await.expect("the endpoint runs") {
            Event::Connected(link) => break link,
            _ => continue,
        }
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let hello = Hello {
        version: PROTOCOL_VERSION,
        network,
        certificate: Vec::new(),
        epoch: StoreEpoch::from_bytes([9; 16]),
        clock: Timestamp::from_millis(i64::try_from(since.as_millis()).expect("in range")),
    };
    link.send(&Message::Hello(hello).encode()).await.expect("sent");
    let mut asked = false;
    loop {
        let frame = link.recv().await.expect("a frame");
        match Message::decode(&frame).expect("a message") {
            // It has what the town has.
            Message::State(theirs) => {
                let state = State {
                    taken: Some(theirs.position),
                    pulling: false,
                    ahead: None,
                    ..theirs
                };
                link.control().accept();
                link.send(&Message::State(state).encode()).await.expect("sent");
                if !asked {
                    let body = question.clone();
                    let ask = Message::Ask {
                        id: 1,
                        topic: 1,
                        body,
                    };
                    link.send(&ask.encode()).await.expect("sent");
                    asked = true;
                }
            }
            Message::Answer { id: 1, body } => return body,
            _ => {}
        }
    }
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

pub(super) fn digits(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).expect("64 digits");
    bytes
}

pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("copied")),
        }
    }
}
