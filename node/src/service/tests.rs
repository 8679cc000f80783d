//! A service on a home of its own, with a clock that the test sets.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use anjuan_sync::id::ItemId;
use anjuan_sync::replica::{Blob, Position, Record as Delivered, Replica as _};
use serde_json::{Map, Value, json};

use super::call::{
    OperatorAdd, OperatorRevoke, ParticularsErase, Passphrase, Record, Seal, Show, SignAs, SignRequest,
};
use super::enrolment::{grant_from_file, init, request};
use super::in_order::{Order, store};
use super::setup::{Init, Request};
use super::*;
use crate::authority::role::Role;
use crate::enrol::Joining;
use crate::evidence::merkle::ConsistencyProof;
use crate::evidence::name::NodeName;
use crate::evidence::witness::{Outcome, Witness};
use crate::text::Lang;

const PASSPHRASE: &str = "玉州区东成社区 on the river";
const START: i64 = 1_750_000_000_000;
const HOUR: i64 = 3_600_000;

static HOURS: AtomicI64 = AtomicI64::new(0);

fn clock() -> Timestamp {
    Timestamp::from_millis(START + HOURS.load(Ordering::Relaxed) * HOUR)
}

fn fixed() -> Timestamp {
    Timestamp::from_millis(START)
}

fn options(clock: Clock) -> Options {
    Options {
        kdf: KdfCost::reduced_for_tests(),
        clock,
    }
}

fn passphrase() -> Passphrase {
    Passphrase(PASSPHRASE.to_owned())
}

fn open(home: &Path, clock: Clock) -> Service {
    Service::open(home, options(clock), &mut |_| {}).expect("opened")
}

/// A city with one operator, who may do everything.
fn city(home: &Path, clock: Clock) -> Service {
    let founding = Init {
        unit: "4509".parse().expect("a unit code"),
        name: None,
        passphrase: passphrase(),
    };
    init(home, &founding, options(clock)).expect("founded");
    let service = open(home, clock);
    let add = OperatorAdd {
        handle: "chen".to_owned(),
        label: "陈".to_owned(),
        roles: vec![Role::Mediator, Role::Chair],
        valid_days: 100,
        passphrase: passphrase(),
        authority_passphrase: Some(passphrase()),
    };
    service.handle(add, &mut |_| {}).expect("added");
    service
}

fn sign() -> SignAs {
    SignAs {
        operator: Some("chen".to_owned()),
        passphrase: Some(PASSPHRASE.to_owned()),
    }
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().expect("a map").clone()
}

fn record(service: &Service, event: &Value) -> Result<view::Recorded, ServiceError> {
    let party = |n: usize| Seal {
        pointer: format!("/parties/{n}/commitment"),
        particulars: json!({"person": {"name": "黄甲"}}),
    };
    let parties = event["parties"].as_array().map_or(0, Vec::len);
    let call = Record {
        kind: "case".to_owned(),
        document: None,
        unit: None,
        event: map(event),
        record: Map::new(),
        seal: (0..parties).map(party).collect(),
        sign: sign(),
    };
    service.handle(call, &mut |_| {})
}

fn registered() -> Value {
    json!({
        "type": "CaseRegistered", "source": "applied", "category": "neighbours", "brief": "排水",
        "facts": "雨季排水流入邻院", "headcount": "up-to-4",
        "parties": [{"role": "applicant", "kind": "person"}, {"role": "respondent", "kind": "person"}],
    })
}

fn is_chinese(text: &Text) -> bool {
    text.in_lang(Lang::Zh)
        .chars()
        .any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[test]
fn what_cannot_be_recorded_is_bad_input_and_says_so_in_both_languages() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let service = city(home.path(), fixed);
    let with = |field: &str, value: Value| {
        let mut event = registered();
        event[field] = value;
        event
    };
    for (event, words) in [
        (
            with("type", "CaseExploded".into()),
            ["CaseExploded", "CaseExploded"],
        ),
        (with("brief", "".into()), ["brief", "brief"]),
        (with("headcount", "many".into()), ["headcount", "headcount"]),
        (with("on", "2150-01-01".into()), ["晚于", "later"]),
        (with("facts", "事".repeat(40_000).into()), ["facts", "facts"]),
        (with("note", "事".repeat(40_000).into()), ["字节", "bytes"]),
    ] {
        let error = record(&service, &event).expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Usage, "{error:?}");
        assert!(is_chinese(&error.message), "{error:?}");
        let text = [&error.message.zh, &error.message.en];
        assert!(
            text[0].contains(words[0]) && text[1].contains(words[1]),
            "{error:?}"
        );
    }
    record(&service, &registered()).expect("an honest one");
}

#[test]
fn an_erasure_that_a_late_revocation_voids_is_lifted_when_it_arrives() {
    let (home, copied) = (
        tempfile::tempdir().expect("a temporary folder"),
        tempfile::tempdir().expect("a temporary folder"),
    );
    let service = city(home.path(), clock);
    let case = record(&service, &registered()).expect("registered").document;
    HOURS.store(2, Ordering::Relaxed);
    let commitment = particulars(&service, &case)[0].commitment.clone();
    let erase = ParticularsErase {
        document: case.clone(),
        commitment,
        basis: "consent-withdrawn".to_owned(),
        reference: "个人信息保护法第四十七条".to_owned(),
        sign: sign(),
    };
    service.handle(erase, &mut |_| {}).expect("erased");
    let held = |service: &Service| service.ledger().keystore().len();
    let erased = |service: &Service| {
        particulars(service, &case)
            .iter()
            .filter(|one| one.erased)
            .count()
    };
    let subject = subject_of(&service, &case);
    assert_eq!((erased(&service), held(&service)), (1, 2));
    assert!(service.ledger().keystore().is_erased(&subject));

    // Elsewhere the operator is revoked: nothing counts that he recorded in the second hour or later.
    copy(home.path(), copied.path());
    let elsewhere = open(copied.path(), clock);
    HOURS.store(3, Ordering::Relaxed);
    let revoke = OperatorRevoke {
        operator: "chen".to_owned(),
        reason: "口令泄露".to_owned(),
        since: Some("2025-06-15T16:00:00Z".to_owned()),
        passphrase: Some(passphrase()),
    };
    elsewhere.handle(revoke, &mut |_| {}).expect("revoked");
    assert!(
        !elsewhere.ledger().keystore().is_erased(&subject),
        "lifted where it was revoked"
    );
    let revocation = {
        let ledger = elsewhere.ledger();
        let revocation = ledger.credentials().revocations().next().expect("just made");
        let bytes = revocation.signed().encode();
        let (id, path) = ledger.credentials().describe(&bytes).expect("a credential");
        Blob {
            path,
            id: ItemId::from_bytes(*id.as_bytes()),
            bytes,
        }
    };
    assert!(service.ledger().keystore().is_erased(&subject));
    service
        .take_delivered(vec![Delivered::Credential(revocation)])
        .expect("taken in");
    assert!(
        !service.ledger().keystore().is_erased(&subject),
        "lifted as soon as the revocation is here"
    );
    assert_eq!(erased(&service), 0);
}

fn particulars(service: &Service, case: &str) -> Vec<view::SealedView> {
    let show = Show {
        kind: "case".to_owned(),
        document: case.to_owned(),
    };
    service.handle(show, &mut |_| {}).expect("shown").particulars
}

/// What was erased of a case.
fn subject_of(service: &Service, case: &str) -> crate::particulars::Subject {
    let key = service.find_document("case", case).expect("a case");
    let items = particulars(service, case);
    let one = items.iter().find(|one| one.erased).expect("one that was erased");
    crate::particulars::Subject {
        space: key.space,
        document: key.id,
        commitment: one.commitment.parse().expect("a commitment"),
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn a_case_store_that_fails_is_built_again_while_the_node_runs() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let service = city(home.path(), fixed);
    let first = record(&service, &registered()).expect("recorded");
    service.ledger().fail_store();
    let second = record(&service, &registered()).expect("recorded");
    let aside = std::fs::read_dir(home.path()).expect("listed").filter(|entry| {
        let name = entry.as_ref().expect("listed").file_name();
        name.to_string_lossy().starts_with("sled-set-aside-")
    });
    assert_eq!(aside.count(), 1);
    for recorded in [first, second] {
        let show = Show {
            kind: "case".to_owned(),
            document: recorded.document,
        };
        service.handle(show, &mut |_| {}).expect("there");
    }
    let found = service
        .handle(super::call::Verify {}, &mut |_| {})
        .expect("verified");
    assert!(found.ok, "{:?}", found.faults);
}

/// An auditor's node joined by files, which has cosigned a checkpoint of the city's at `then`.
fn auditor(city: &Service, home: &Path, then: Timestamp) -> Service {
    let ask = Request {
        unit: "4509".parse().expect("a unit code"),
        joining: Joining::Auditor,
        passphrase: None,
    };
    let asked = request(home, &ask, options(fixed)).expect("asked");
    assert!(asked.auditor);
    let sign = SignRequest {
        request: asked.request,
        dry_run: false,
        passphrase: Some(passphrase()),
    };
    let signed = city.handle(sign, &mut |_| {}).expect("signed");
    assert!(signed.auditor);
    let grant = hex::decode(signed.grant.expect("a grant")).expect("hexadecimal");
    let joined = grant_from_file(home, &grant).expect("joined");
    assert!(joined.auditor && !joined.standby);
    drop(open(home, fixed));
    let shown = city.exhibits().expect("signed").newest.expect("a checkpoint");
    let (own, proof) = (
        KeyStore::new(home.join("keys"), KdfCost::reduced_for_tests()).node(),
        ConsistencyProof::from_hashes(Vec::new()),
    );
    let own = own.expect("the node's key");
    let key = own.signing_key();
    let name = NodeName::new(city.ledger().network(), ask.unit, &key.verifying_key());
    let mut witness = Witness::open(Arc::new(Disk), &home.join("evidence/witness")).expect("opened");
    let outcome = witness.cosign(&shown, 0, &proof, then, &name, key);
    assert!(matches!(outcome, Ok(Outcome::Cosigned(_))), "{outcome:?}");
    drop(witness);
    open(home, fixed)
}

/// Several are with the store at once: the one that came first is stored first, however long its signatures take.
#[test]
fn overlapping_deliveries_are_stored_in_the_order_in_which_they_came() {
    let [at_city, at_auditor] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let city = city(at_city.path(), fixed);
    let replica = auditor(&city, at_auditor.path(), fixed());
    for _ in 0..60 {
        record(&city, &registered()).expect("recorded");
    }
    let scope = city.ledger().scope().clone();
    let all = city
        .ledger()
        .since(&scope, Position::START, 1 << 20)
        .expect("readable");
    let is_update = |record: &Delivered| matches!(record, Delivered::Update(_));
    let (updates, others): (Vec<_>, Vec<_>) = all.records.into_iter().partition(is_update);
    let mut pages: Vec<_> = updates.chunks(20).map(<[_]>::to_vec).collect();
    pages[0].splice(0..0, others);
    let order = Order::default();
    let turns: Vec<_> = pages.iter().map(|_| order.next()).collect();
    let taken = std::thread::scope(|scope| {
        // The last one is there first, and has to wait.
        let begun = pages.into_iter().zip(turns).rev().map(|(page, turn)| {
            let replica = &replica;
            scope.spawn(move || store(replica, page, turn))
        });
        let begun: Vec<_> = begun.collect();
        begun
            .into_iter()
            .map(|one| one.join().expect("no panic"))
            .collect::<Vec<_>>()
    });
    for taken in taken {
        let summary = taken.expect("stored").summary();
        assert_eq!(
            (summary.waiting, summary.refused, summary.forged),
            (0, 0, 0),
            "{summary:?}"
        );
    }
    assert_eq!(replica.ledger().counts().updates, 60);
}

#[test]
fn an_auditors_node_signs_nothing_and_asks_after_a_node_that_is_silent() {
    let [at_city, recent, long_ago] = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let city = city(at_city.path(), fixed);
    let silent = |service: &Service| {
        let diagnosis = service.handle(call::Doctor {}, &mut |_| {}).expect("a diagnosis");
        let found = diagnosis.findings.iter().find(|finding| finding.code == "silent");
        assert_eq!(diagnosis.well, found.is_none(), "{:?}", diagnosis.findings);
        found.map(|finding| finding.what.en.clone())
    };
    let days = |days: i64| Timestamp::from_millis(START - days * 24 * HOUR);
    let service = auditor(&city, recent.path(), days(29));
    assert_eq!(silent(&service), None);
    let service = auditor(&city, long_ago.path(), days(31));
    assert_eq!(
        silent(&service).as_deref(),
        Some("the node of 4509 has shown no checkpoint for 31 days")
    );
    assert!(service.is_auditors() && !city.is_auditors());
    assert_eq!(
        silent(&city),
        None,
        "whoever is no auditor's is not asked to look"
    );
    let error = record(&service, &registered()).expect_err("nothing is recorded there");
    assert_eq!(error.kind, ErrorKind::Forbidden, "{error:?}");
    let error = service
        .authority(Some(&passphrase()))
        .expect_err("nothing is certified there");
    assert_eq!(error.kind, ErrorKind::Forbidden, "{error:?}");
    assert!(is_chinese(&error.message));
}
