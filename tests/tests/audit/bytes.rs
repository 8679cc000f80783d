//! A small bundle, changed in every way a file can be.

use std::collections::BTreeSet;

use anjuan_node::audit::scope::{Holding, SealedState};
use anjuan_node::audit::{Auditor, Check, Export, Policy, Report, Verdict, verify};
use anjuan_node::authority::role::Role;
use anjuan_node::particulars::Commitment;
use anjuan_tests::bundle::{Scene, audit, framed, hour, parts, resealed};
use anjuan_tests::world::{message, registered, root};
use serde_json::json;

const HEADER: u8 = 1;
const SHOWN: u8 = 2;
const CHECKPOINT: u8 = 4;
const DOCUMENT: u8 = 6;
const PAYLOAD: u8 = 7;
const SEALED: u8 = 8;
const DISCLOSED: u8 = 9;

fn small() -> Scene {
    let mut scene = Scene::new();
    let (key, mut document) = scene.create(&registered(1));
    scene.change(&key, &mut document, &message(1));
    scene.checkpoint(hour(1));
    scene
}

/// The same with particulars: what is held of them, and one that is disclosed.
fn with_particulars() -> (Scene, Export) {
    let mut scene = Scene::new();
    let (key, mut document, particulars) = scene.create_with_particulars();
    let commitment = particulars.commitment;
    let mut clerk = scene.operator_with("clerk", 8, Role::JudicialClerk);
    let update = clerk.change(
        &key,
        &mut document,
        &json!({
            "type": "ParticularsDisclosed", "commitments": [commitment.to_string()], "reason": "审计",
        }),
    );
    scene.records.update(&update);
    scene.checkpoint(hour(1));
    let held = |commitment| SealedState {
        commitment,
        holding: Holding::Held,
    };
    let other = Commitment::from_bytes([2; 32]);
    scene.records.sealed = vec![(key.clone(), vec![held(commitment), held(other)])];
    scene.disclosed = vec![(key, vec![particulars])];
    let asked = Export {
        sealed: true,
        ..scene.asked()
    };
    (scene, asked)
}

fn report(bundle: &[u8]) -> Option<Report> {
    let root = root();
    let policy = "quorum = 2".parse().expect("a policy");
    let auditor = Auditor {
        root: &root,
        policy: &policy,
        kept: &[],
        as_of: None,
        particulars: false,
    };
    verify(bundle, &auditor, &mut rand::rng(), &mut |_| {}).ok()
}

fn found(report: &Report) -> BTreeSet<Check> {
    report.findings.iter().map(|finding| finding.check).collect()
}

/// The checks of which at least one has to name what was done to a record with this tag and kind.
fn right(tag: u8, kind: u8) -> &'static [Check] {
    match (tag, kind) {
        (SHOWN, 1) => &[Check::Certificates],
        (SHOWN, 2) => &[Check::Headers, Check::Signatures],
        (CHECKPOINT, _) => &[Check::Checkpoints, Check::Witnesses],
        (PAYLOAD, _) => &[Check::Payloads],
        (SEALED, _) => &[Check::Format, Check::Erasures],
        (DISCLOSED, _) => &[Check::Format, Check::Commitments],
        (HEADER, _) => &[
            Check::Format,
            Check::Root,
            Check::Journal,
            Check::Checkpoints,
            Check::Payloads,
            Check::Coverage,
        ],
        _ => &[Check::Format],
    }
}

/// Every byte of the file, as it is and with a digest that fits: never VERIFIED, and by the right check.
#[test]
fn no_single_byte_can_change() {
    let plain = small();
    let asked = plain.asked();
    no_byte_can_change(&plain, &asked);
}

#[test]
fn no_single_byte_can_change_where_particulars_are_disclosed() {
    let (scene, asked) = with_particulars();
    no_byte_can_change(&scene, &asked);
}

fn no_byte_can_change(scene: &Scene, asked: &Export) {
    let bundle = scene.export(asked).0;
    assert_eq!(report(&bundle).expect("a bundle").verdict, Verdict::Verified);
    // When it was made is the exporter's word, and nothing else in the bundle says otherwise.
    let (other, _) = scene.export(&Export {
        made_at: hour(1001),
        ..asked.clone()
    });
    let parts = parts(&bundle);
    let made_at: BTreeSet<usize> = parts[0]
        .2
        .clone()
        .filter(|at| bundle[*at] != other[*at])
        .collect();
    assert!((1..=8).contains(&made_at.len()));
    let free = *made_at.first().expect("some") - 7..=*made_at.last().expect("some");
    for at in 0..bundle.len() {
        let mut changed = bundle.clone();
        changed[at] ^= [0x01, 0x80, 0x20][at % 3];
        let Some(raw) = report(&changed) else {
            assert!(at < 22, "byte {at}");
            continue;
        };
        assert_eq!(raw.verdict, Verdict::Unproven, "byte {at}");
        // Of another network nothing more is looked at.
        let named = |check| found(&raw).contains(&check);
        assert!(named(Check::Format) || named(Check::Root), "byte {at}");
        let part = parts
            .iter()
            .find(|(from, _, body)| (*from..body.end).contains(&at));
        let (_, tag, body) = part.expect("within a record");
        if *tag == 0xff || free.contains(&at) {
            continue;
        }
        let sealed = report(&resealed(changed.clone())).expect("a bundle");
        assert_ne!(sealed.verdict, Verdict::Verified, "byte {at}");
        let checks = found(&sealed);
        let expected = if body.contains(&at) {
            right(*tag, bundle[body.start])
        } else {
            &[Check::Format]
        };
        let kind_changed = *tag == SHOWN && at == body.start;
        assert!(
            kind_changed || expected.iter().any(|check| checks.contains(check)),
            "byte {at} of a record {tag}: {:?}",
            sealed.findings
        );
        if *tag == SHOWN && body.contains(&at) {
            assert!(
                checks.contains(&Check::Journal),
                "byte {at}: {:?}",
                sealed.findings
            );
        }
    }
}

#[test]
fn no_end_can_be_missing() {
    let bundle = small().bundle();
    for length in 0..bundle.len() {
        if let Some(report) = report(&bundle[..length]) {
            assert_eq!(report.verdict, Verdict::Unproven, "{length} bytes");
            assert!(found(&report).contains(&Check::Format), "{length} bytes");
        }
    }
    let longer = [&bundle[..], b"\n"].concat();
    assert_eq!(report(&longer).expect("a bundle").verdict, Verdict::Unproven);
}

/// Records deleted, doubled, swapped and cut, each with a digest that fits.
#[test]
fn no_record_can_be_deleted_doubled_swapped_or_cut() {
    let mut scene = small();
    let (_, _) = scene.create(&registered(2));
    scene.checkpoint(hour(2));
    let bundle = scene.bundle();
    let parts = parts(&bundle);
    let record = |index: usize| {
        let (from, _, body) = &parts[index];
        &bundle[*from..body.end]
    };
    let joined = |records: &[Vec<u8>]| resealed([bundle[..22].to_vec(), records.concat()].concat());
    let all: Vec<Vec<u8>> = (0..parts.len()).map(|index| record(index).to_vec()).collect();
    assert_eq!(
        report(&joined(&all)).expect("a bundle").verdict,
        Verdict::Verified
    );
    let mut tried = 0;
    for (index, (_, tag, body)) in parts.iter().enumerate() {
        if ![SHOWN, CHECKPOINT, DOCUMENT, PAYLOAD].contains(tag) {
            continue;
        }
        let mut variants = Vec::new();
        let mut deleted = all.clone();
        deleted.remove(index);
        variants.push(("deleted", deleted));
        let mut doubled = all.clone();
        doubled.insert(index, all[index].clone());
        variants.push(("doubled", doubled));
        if parts[index + 1].1 == *tag {
            let mut swapped = all.clone();
            swapped.swap(index, index + 1);
            variants.push(("swapped", swapped));
        }
        let mut cut = all.clone();
        cut[index] = framed(*tag, &bundle[body.start..body.end - 1]);
        variants.push(("cut", cut));
        for (what, records) in variants {
            tried += 1;
            let report = report(&joined(&records)).expect("a bundle");
            let checks = found(&report);
            assert_ne!(report.verdict, Verdict::Verified, "{what} record {index} ({tag})");
            let expected: &[Check] = match (*tag, what) {
                (SHOWN, "cut") => right(*tag, bundle[body.start]),
                (SHOWN, _) => &[Check::Journal],
                (CHECKPOINT, "cut") => right(*tag, 0),
                (CHECKPOINT, _) => &[Check::Format],
                // A payload too few or too many, or the wrong one.
                (PAYLOAD, _) => &[Check::Payloads, Check::Format],
                _ => &[Check::Format, Check::Payloads],
            };
            assert!(
                expected.iter().any(|check| checks.contains(check)),
                "{what} record {index} ({tag}): {:?}",
                report.findings
            );
        }
    }
    assert!(tried > 40, "{tried}");
}

/// A part of a journal, and one without payloads: the same.
#[test]
fn no_byte_of_a_folded_journal_can_change() {
    let mut scene = small();
    let mut li = scene.operator("li", 2);
    for n in 0..5 {
        let (_, _, update) = li.create(&registered(10 + n));
        scene.records.update(&update);
    }
    let key = scene.create(&registered(3)).0;
    scene.checkpoint(hour(2));
    let scope = anjuan_node::audit::Scope::Document(key.space, key.id);
    let (bundle, done) = scene.export(&Export {
        scope,
        payloads: false,
        ..scene.asked()
    });
    assert!(done.shown + 4 < done.records);
    let before = audit(&bundle, &Policy::default(), &[]);
    assert_eq!(before.verdict, Verdict::VerifiedWithGaps);
    let folded: Vec<_> = parts(&bundle)
        .into_iter()
        .filter(|(_, tag, _)| *tag == 3)
        .collect();
    assert!(!folded.is_empty());
    for at in folded.into_iter().flat_map(|(from, _, body)| from..body.end) {
        let mut changed = bundle.clone();
        changed[at] ^= 1;
        let report = report(&resealed(changed)).expect("a bundle");
        assert!(
            report.verdict > Verdict::VerifiedWithGaps,
            "byte {at}: {:?}",
            report.findings
        );
    }
}
