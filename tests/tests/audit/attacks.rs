//! Attacks on evidence, each caught by the check that the report names.

mod particulars;

use std::collections::BTreeSet;

use anjuan_node::audit::{Auditor, Check, Export, Gravity, Policy, Report, Scope, Verdict, verify};
use anjuan_node::authority::certificate::{CertificateKind, Certified};
use anjuan_node::authority::revocation::{Cutoff, Extent, Revocation};
use anjuan_node::authority::role::Role;
use anjuan_node::evidence::checkpoint::SignedCheckpoint;
use anjuan_sync::{Head, SignedHeader, SignedUpdate, Space};
use anjuan_tests::bundle::{CITY, COUNTY, Node, Scene, audit, framed, hour, parts, resealed, village};
use anjuan_tests::world::{Writer, accepted, certify, key, message, public, registered, root};
use serde_json::json;

fn judge(scene: &Scene) -> Report {
    audit(&scene.bundle(), &Policy::default(), &[])
}

fn judge_with(scene: &Scene, kept: SignedCheckpoint) -> Report {
    audit(&scene.bundle(), &Policy::default(), &[kept])
}

/// The gravest findings, by check.
fn worst(report: &Report) -> BTreeSet<Check> {
    let gravest = report.findings.iter().map(|finding| finding.gravity).max();
    let worst = report
        .findings
        .iter()
        .filter(|finding| Some(finding.gravity) == gravest);
    worst.map(|finding| finding.check).collect()
}

#[track_caller]
fn caught(report: &Report, verdict: Verdict, check: Check) {
    assert_eq!(report.verdict, verdict, "{:?}", report.findings);
    assert!(worst(report).contains(&check), "{:?}", report.findings);
}

/// A case of three updates, witnessed.
fn scene() -> Scene {
    let mut scene = Scene::new();
    let (key, mut document) = scene.create(&registered(1));
    scene.change(&key, &mut document, &accepted());
    scene.change(&key, &mut document, &message(1));
    scene.checkpoint(hour(1));
    scene
}

/// The node signs what is there now, in place of what it signed before; its witnesses collude.
fn sign_anew(scene: &mut Scene) {
    scene.checkpoints.clear();
    scene.checkpoint(hour(2));
}

#[test]
fn a_forged_signature() {
    let mut scene = scene();
    let (_, bytes) = scene.records.all.last().expect("an update");
    let update = SignedUpdate::decode(bytes).expect("an update");
    let mut signature = *update.signed_header().signature();
    signature[3] ^= 1;
    let header = SignedHeader::from_parts(&update.header().encode(), signature).expect("a header");
    let forged = SignedUpdate::from_parts(header, update.payload().to_vec()).expect("an update");
    scene.records.all.pop();
    scene.records.update(&forged);
    sign_anew(&mut scene);
    caught(&judge(&scene), Verdict::Forged, Check::Signatures);
}

#[test]
fn a_foreign_key() {
    let mut scene = scene();
    // Certified by a root of the forger's own.
    let unit = CITY.parse().expect("a unit");
    let foreign =
        Certified::found(&key("forger"), &unit, "forger".into(), hour(-24), hour(24_000)).expect("a root");
    let foreign = std::sync::Arc::new(foreign);
    let mallory = certify(
        &foreign,
        CertificateKind::Operator,
        public(&key("mallory")),
        "mallory",
        "450902001001",
    );
    scene.records.credential(&mallory);
    let mut mallory = Writer::new("mallory", &mallory, 5, village());
    let (_, _, update) = mallory.create(&registered(7));
    scene.records.update(&update);
    sign_anew(&mut scene);
    let report = judge(&scene);
    caught(&report, Verdict::Forged, Check::Authority);
    caught(&report, Verdict::Forged, Check::Certificates);
}

#[test]
fn a_unit_overstepped() {
    let mut scene = scene();
    let certified = std::sync::Arc::clone(&scene.zhang.certified);
    let elsewhere = Space::up("4509/02/002".parse().expect("a path"));
    let mut zhang = Writer::new("zhang", &certified, 1, elsewhere);
    let (_, _, update) = zhang.create(&registered(8));
    scene.records.update(&update);
    sign_anew(&mut scene);
    caught(&judge(&scene), Verdict::Forged, Check::Authority);
}

#[test]
fn a_role_overstepped_does_not_count() {
    let mut scene = Scene::new();
    let (key, mut document) = scene.create(&registered(1));
    let mut clerk = scene.operator_with("clerk", 4, Role::FinanceClerk);
    let update = clerk.change(&key, &mut document, &accepted());
    scene.records.update(&update);
    scene.checkpoint(hour(1));
    let report = judge(&scene);
    caught(&report, Verdict::Verified, Check::Fold);
    let story = &report.stories[0];
    assert_eq!(story.timeline.iter().filter(|signed| signed.counts).count(), 1);
    assert_eq!(
        story.stage.as_ref().map(|stage| stage.en.as_str()),
        Some("registered")
    );
}

#[test]
fn an_update_dropped_from_the_middle() {
    let mut scene = scene();
    scene.records.all.remove(5);
    caught(&judge(&scene), Verdict::Forged, Check::Logs);
    // The same with a root that fits.
    sign_anew(&mut scene);
    caught(&judge(&scene), Verdict::Forged, Check::Logs);
    // With a record in its place the sizes fit, and the root does not.
    let mut swapped = self::scene();
    let certified = swapped.records.all[4].clone();
    swapped.records.all[5] = certified;
    caught(&judge(&swapped), Verdict::Forged, Check::Journal);
}

#[test]
fn a_tail_cut() {
    let mut scene = scene();
    let kept = scene.checkpoints[0].clone();
    scene.records.all.pop();
    // The signed root needs what is gone.
    caught(&judge(&scene), Verdict::Unproven, Check::Journal);
    // The node signs the shorter log as if it had never had more: the auditor who kept a checkpoint sees it.
    scene.checkpoints.clear();
    scene.checkpoint(hour(2));
    assert_eq!(
        judge(&scene).verdict,
        Verdict::Verified,
        "nothing else could tell"
    );
    caught(&judge_with(&scene, kept), Verdict::Unproven, Check::Since);
    // The tail folded away in a bundle that says it shows all.
    let scene = self::scene();
    let bundle = scene.bundle();
    let parts = parts(&bundle);
    let shown: Vec<_> = parts.iter().filter(|(_, tag, _)| *tag == 2).collect();
    let (from, _, body) = shown.last().expect("a record");
    let leaf = *scene.records.leaves().last().expect("a leaf");
    let folded = framed(3, &[&[0][..], leaf.as_bytes()].concat());
    let bundle = resealed([&bundle[..*from], &folded, &bundle[body.end..]].concat());
    caught(
        &audit(&bundle, &Policy::default(), &[]),
        Verdict::Unproven,
        Check::Coverage,
    );
}

#[test]
fn a_tail_that_a_revocation_knows_of() {
    let mut scene = scene();
    let head = scene.zhang.head.expect("three updates");
    let cutoff = Cutoff {
        space: village(),
        epoch: scene.zhang.epoch,
        head,
    };
    let revocation = Revocation::sign(
        &root(),
        &key("city"),
        &scene.zhang.certified,
        Extent::Operator(vec![cutoff]),
        "left".into(),
        hour(3),
    );
    scene.records.all.pop();
    scene
        .records
        .revocation(revocation.expect("the root may").signed().encode());
    sign_anew(&mut scene);
    caught(&judge(&scene), Verdict::VerifiedWithGaps, Check::Coverage);
}

#[test]
fn a_whole_case_hidden() {
    let mut scene = scene();
    let (_, _) = scene.create(&registered(2));
    let kept = scene.checkpoint(hour(2));
    let mut hidden = scene.clone();
    hidden.records.all.pop();
    hidden.checkpoints.remove(1);
    assert_eq!(
        judge(&hidden).verdict,
        Verdict::Verified,
        "to whom nothing else was shown"
    );
    caught(
        &judge_with(&hidden, kept.clone()),
        Verdict::Unproven,
        Check::Since,
    );
    // Hidden, and other work put in its place.
    let mut li = hidden.operator("li", 3);
    let (_, _, update) = li.create(&registered(9));
    hidden.records.update(&update);
    hidden.checkpoint(hour(4));
    caught(&judge_with(&hidden, kept), Verdict::Forged, Check::Since);
}

#[test]
fn two_histories_for_two_auditors() {
    let mut one = scene();
    let mut other = one.clone();
    let _ = one.create(&registered(2));
    let shown_to_one = one.checkpoint(hour(2));
    let _ = other.create(&registered(3));
    let shown_to_other = other.checkpoint(hour(2));
    // Each for itself holds; together they prove it.
    assert_eq!(judge(&one).verdict, Verdict::Verified);
    assert_eq!(judge(&other).verdict, Verdict::Verified);
    caught(
        &judge_with(&other, shown_to_one.clone()),
        Verdict::Forged,
        Check::Since,
    );
    caught(
        &judge_with(&other, shown_to_one.clone()),
        Verdict::Forged,
        Check::Checkpoints,
    );
    // A witness that saw both keeps both, and the bundle carries them.
    one.conflicts.push([shown_to_one, shown_to_other]);
    caught(&judge(&one), Verdict::Forged, Check::Checkpoints);
}

/// A checkpoint of the county's log, cosigned by the city, as the village's headers carry it.
fn foreign_checkpoint(scene: &Scene, at: i64) -> Vec<u8> {
    let mut checkpoint = scene.county.checkpoint(scene.epoch, &scene.records.leaves());
    scene.city.cosign(&mut checkpoint, hour(at));
    checkpoint.note().encode()
}

#[test]
fn a_claimed_time_before_its_bracket() {
    let mut scene = Scene::new();
    scene.zhang.bracket = Some(foreign_checkpoint(&scene, 50));
    scene.zhang.at = hour(51);
    let (key, mut document) = scene.create(&registered(1));
    scene.checkpoint(hour(60));
    let honest = judge(&scene);
    assert_eq!(honest.verdict, Verdict::Verified, "{:?}", honest.findings);
    let signed = &honest.stories[0].timeline[0];
    assert!(signed.not_before.is_some() && signed.not_after.is_some());
    scene.zhang.at = hour(20);
    scene.change(&key, &mut document, &accepted());
    scene.checkpoints.clear();
    scene.checkpoint(hour(70));
    let report = judge(&scene);
    caught(&report, Verdict::Forged, Check::Brackets);
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.what.en.contains("backdated by 1 day ")),
        "{:?}",
        report.findings
    );
    // After the first witness had seen it.
    let mut scene = Scene::new();
    scene.zhang.at = hour(5);
    let _ = scene.create(&registered(1));
    scene.checkpoint(hour(1));
    caught(&judge(&scene), Verdict::Forged, Check::Brackets);
}

#[test]
fn a_late_insertion() {
    let mut scene = scene();
    let (key, mut document) = scene.create(&registered(2));
    scene.change(&key, &mut document, &accepted());
    scene.checkpoint(hour(24 * 90));
    caught(&judge(&scene), Verdict::VerifiedWithGaps, Check::Brackets);
}

#[test]
fn a_stolen_key_after_its_revocation() {
    let mut scene = Scene::new();
    let (key, mut document) = scene.create(&registered(1));
    let head = scene.zhang.head.expect("an update");
    let cutoff = Cutoff {
        space: village(),
        epoch: scene.zhang.epoch,
        head,
    };
    let revocation = Revocation::sign(
        &root(),
        &anjuan_tests::world::key("city"),
        &scene.zhang.certified,
        Extent::Operator(vec![cutoff]),
        "stolen".into(),
        hour(1),
    );
    scene
        .records
        .revocation(revocation.expect("the root may").signed().encode());
    scene.change(&key, &mut document, &accepted());
    scene.checkpoint(hour(2));
    let report = judge(&scene);
    caught(&report, Verdict::Verified, Check::Fold);
    assert!(
        report.findings[0].what.en.contains("quarantined"),
        "{:?}",
        report.findings
    );
    assert_eq!(
        report.stories[0].stage.as_ref().map(|stage| stage.en.as_str()),
        Some("registered")
    );
    // The same with the revocation left out of the journal, which a witness had seen with it.
    let position = scene.records.all.len() - 2;
    scene.records.all.remove(position);
    assert_ne!(judge(&scene).verdict, Verdict::Verified);
    assert!(worst(&judge(&scene)).contains(&Check::Journal));
}

#[test]
fn a_swapped_payload() {
    let bundle = scene().bundle();
    let all = parts(&bundle);
    let payloads: Vec<_> = all.iter().filter(|(_, tag, _)| *tag == 7).collect();
    let [(a, _, first), (_, _, second), ..] = payloads[..] else {
        panic!("three payloads")
    };
    let swapped = [
        &bundle[..*a],
        &framed(7, &bundle[second.clone()]),
        &framed(7, &bundle[first.clone()]),
        &bundle[second.end..],
    ]
    .concat();
    caught(
        &audit(&resealed(swapped), &Policy::default(), &[]),
        Verdict::Forged,
        Check::Payloads,
    );
}

#[test]
fn an_erasure_to_hide_a_claim() {
    use anjuan_node::audit::scope::{Holding, SealedState};
    let mut scene = Scene::new();
    let (key, mut document) = scene.create(&registered(1));
    let state = |n: u8, holding| SealedState {
        commitment: hex::encode([n; 32]).parse().expect("a commitment"),
        holding,
    };
    let mut before = scene.clone();
    // Destroyed without a word.
    before.checkpoint(hour(1));
    before.records.sealed = vec![(
        key.clone(),
        vec![state(1, Holding::Absent), state(2, Holding::Held)],
    )];
    let (bundle, _) = before.export(&Export {
        sealed: true,
        ..before.asked()
    });
    caught(
        &audit(&bundle, &Policy::default(), &[]),
        Verdict::VerifiedWithGaps,
        Check::Erasures,
    );
    // With the event that the law asks for, shortly before the audit.
    scene.zhang.at = hour(900);
    scene.change(&key, &mut document, &json!({
        "type": "ParticularsErased", "commitments": [hex::encode([1; 32])], "basis": "ordered", "reference": "(2023)桂09号",
    }));
    scene.checkpoint(hour(900));
    scene.records.sealed = vec![(key, vec![state(1, Holding::Erased), state(2, Holding::Held)])];
    let (bundle, _) = scene.export(&Export {
        sealed: true,
        ..scene.asked()
    });
    let report = audit(&bundle, &"prompt-days = 60".parse().expect("a policy"), &[]);
    caught(&report, Verdict::Verified, Check::Erasures);
    assert!(
        report
            .findings
            .iter()
            .any(|f| (f.check, f.gravity) == (Check::Erasures, Gravity::Note))
    );
    let question = report
        .questions
        .iter()
        .find(|question| question.code == "erased-before-audit");
    assert!(
        question.is_some_and(|question| question.figures.en.contains("4 days before")),
        "{:?}",
        report.questions
    );
}

#[test]
fn a_root_of_the_exporters_own() {
    let bundle = scene().bundle();
    let unit = CITY.parse().expect("a unit");
    let own = Certified::found(&key("own"), &unit, "own".into(), hour(-24), hour(24_000)).expect("a root");
    let policy = Policy::default();
    let auditor = Auditor {
        root: &own,
        policy: &policy,
        kept: &[],
        as_of: None,
        particulars: false,
    };
    let report = verify(&bundle[..], &auditor, &mut rand::rng(), &mut |_| {}).expect("a bundle");
    caught(&report, Verdict::Unproven, Check::Root);
}

#[test]
fn a_journal_rewritten() {
    let mut scene = scene();
    let kept = scene.checkpoints[0].clone();
    // The last message never happened; another one did. All signatures are good.
    let (_, bytes) = scene.records.all.pop().expect("the message");
    let dropped = SignedUpdate::decode(&bytes).expect("an update");
    scene.zhang.head = Some(Head {
        seq: dropped.header().seq() - 1,
        id: dropped.header().previous().expect("the second"),
    });
    let _ = scene.create(&registered(5));
    sign_anew(&mut scene);
    assert_eq!(
        judge(&scene).verdict,
        Verdict::Verified,
        "to whom nothing else was shown, if all witnesses collude"
    );
    caught(&judge_with(&scene, kept.clone()), Verdict::Forged, Check::Since);
    // Somebody's header carries what the node signed before.
    scene.checkpoints.clear();
    let mut li = scene.operator("li", 3);
    li.bracket = Some(kept.note().encode());
    li.at = hour(2);
    let (_, _, update) = li.create(&registered(6));
    scene.records.update(&update);
    scene.checkpoint(hour(3));
    caught(&judge(&scene), Verdict::Forged, Check::Journal);
}

#[test]
fn a_witness_that_is_none() {
    let mut scene = scene();
    scene.checkpoints.clear();
    let mut checkpoint = scene.village.checkpoint(scene.epoch, &scene.records.leaves());
    // Certified by nobody here; and the village's own standby.
    Node::new("stranger", COUNTY).cosign(&mut checkpoint, hour(1));
    let standby = Node::new("standby", "450902001001");
    standby.cosign(&mut checkpoint, hour(1));
    scene.records.credential(&standby.certified);
    scene.checkpoints.push(checkpoint.as_signed().clone());
    caught(&judge(&scene), Verdict::Unproven, Check::Witnesses);
}

#[test]
fn a_fork_is_named_with_its_author() {
    let mut scene = Scene::new();
    let (key, mut document) = scene.create(&registered(1));
    let mut twin = scene.zhang.clone();
    let mut other_view = document.clone();
    scene.change(&key, &mut document, &message(1));
    let second = twin.change(&key, &mut other_view, &message(2));
    let (_, bytes) = scene.records.all.last().expect("the message");
    let first = SignedUpdate::decode(bytes).expect("an update");
    scene.records.fork(&first, &second);
    scene.checkpoint(hour(1));
    let report = judge(&scene);
    caught(&report, Verdict::VerifiedWithGaps, Check::Forks);
    assert_eq!(
        report.stories[0]
            .timeline
            .iter()
            .filter(|signed| signed.counts)
            .count(),
        1
    );
    // Taken in as if it were an update.
    scene.records.all.pop();
    scene.records.update(&second);
    sign_anew(&mut scene);
    caught(&judge(&scene), Verdict::Forged, Check::Forks);
}

#[test]
fn what_is_not_asked_for_is_not_shown_and_what_is_asked_for_cannot_be_held_back() {
    let mut scene = scene();
    let (key, _) = scene.create(&registered(2));
    scene.checkpoint(hour(2));
    let bundle = scene.bundle();
    let all = parts(&bundle);
    let documents: Vec<_> = all.iter().filter(|(_, tag, _)| *tag == 6).collect();
    let (from, end) = (documents[0].0, documents[1].0);
    let held_back = resealed([&bundle[..from], &bundle[end..]].concat());
    caught(
        &audit(&held_back, &Policy::default(), &[]),
        Verdict::Unproven,
        Check::Payloads,
    );
    let one = Export {
        scope: Scope::Document(key.space.clone(), key.id),
        ..scene.asked()
    };
    let report = audit(&scene.export(&one).0, &Policy::default(), &[]);
    assert_eq!(report.stories.len(), 1);
    assert_eq!(report.stories[0].document, key.id.to_string());
}

#[test]
fn a_node_and_a_witness_that_were_revoked() {
    let revoke = |scene: &mut Scene, certified: &Certified| {
        let revocation = Revocation::sign(
            &root(),
            &key("city"),
            certified,
            Extent::Node,
            "lost".into(),
            hour(3),
        );
        let revocation = revocation.expect("the root may");
        scene.records.revocation(revocation.signed().encode());
        sign_anew(scene);
    };
    let mut scene = scene();
    let county = std::sync::Arc::clone(&scene.county.certified);
    revoke(&mut scene, &county);
    assert_eq!(judge(&scene).verdict, Verdict::Verified, "the city still vouches");
    let two = "quorum = 2".parse().expect("a policy");
    caught(
        &audit(&scene.bundle(), &two, &[]),
        Verdict::Unproven,
        Check::Witnesses,
    );
    let village = std::sync::Arc::clone(&scene.village.certified);
    revoke(&mut scene, &village);
    caught(&judge(&scene), Verdict::VerifiedWithGaps, Check::Checkpoints);
}
