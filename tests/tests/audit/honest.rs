//! Bundles by an honest exporter.

use anjuan_node::audit::{Check, Export, Gravity, Policy, Scope, Verdict};
use anjuan_sync::LogEpoch;
use anjuan_tests::bundle::{COUNTY, Scene, audit, hour, village};
use anjuan_tests::world::{accepted, message, registered};
use serde_json::json;

fn worked() -> Scene {
    let mut scene = Scene::new();
    let (key, mut document) = scene.create(&registered(1));
    scene.checkpoint(hour(1));
    scene.zhang.at = hour(2);
    scene.change(&key, &mut document, &accepted());
    let (_, _) = scene.create(&registered(2));
    scene.change(&key, &mut document, &message(1));
    scene.checkpoint(hour(3));
    scene
}

#[test]
fn everything_holds_and_the_report_is_the_same_each_time() {
    let bundle = worked().bundle();
    let report = audit(&bundle, &Policy::default(), &[]);
    assert_eq!(report.findings, []);
    assert_eq!(report.verdict, Verdict::Verified);
    assert_eq!(
        (
            report.figures.records,
            report.figures.updates,
            report.figures.documents
        ),
        (8, 4, 2)
    );
    assert_eq!(report.figures.witnessed, 8);
    let story = report
        .stories
        .iter()
        .find(|story| story.timeline.len() == 3)
        .expect("told");
    let events: Vec<_> = story
        .timeline
        .iter()
        .map(|signed| signed.event.as_deref())
        .collect();
    assert_eq!(
        events,
        [Some("CaseRegistered"), Some("CaseAccepted"), Some("MessageSent")]
    );
    assert!(
        story
            .timeline
            .iter()
            .all(|signed| signed.counts && signed.by == "zhang")
    );
    assert_eq!(
        story.timeline[0].not_after.as_deref(),
        Some("2023-11-14T23:13:20.999Z")
    );
    let json = |report| serde_json::to_string(report).expect("a report is JSON");
    let again = audit(&bundle, &Policy::default(), &[]);
    assert_eq!(json(&report), json(&again));
    assert!(report.unprovable.len() >= 6);
}

#[test]
fn a_part_of_the_journal_holds_and_says_that_it_is_one() {
    let mut scene = worked();
    let li = scene.operator("li", 2);
    let mut li = li;
    let (other, _, update) = li.create(&registered(3));
    scene.records.update(&update);
    scene.checkpoint(hour(4));
    let scope = Scope::Document(other.space.clone(), other.id);
    let part = Export {
        scope,
        ..scene.asked()
    };
    let (bundle, done) = scene.export(&part);
    assert_eq!((done.records, done.shown, done.documents), (10, 6, 1));
    let report = audit(&bundle, &Policy::default(), &[]);
    assert_eq!(report.verdict, Verdict::VerifiedWithGaps);
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].check, Check::Coverage);
    let whole = Export { whole: true, ..part };
    let report = audit(&scene.export(&whole).0, &Policy::default(), &[]);
    assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.findings);
    assert_eq!((report.figures.updates, report.figures.documents), (5, 1));
    // Earlier sizes of the journal can be compared with, also where most of it is folded.
    for kept in &scene.checkpoints {
        let (bundle, _) = scene.export(&Export {
            scope: Scope::Unit(village().unit),
            ..scene.asked()
        });
        let report = audit(&bundle, &Policy::default(), std::slice::from_ref(kept));
        assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.findings);
    }
    let nothing = Export {
        scope: Scope::Period(hour(500), hour(600)),
        ..scene.asked()
    };
    let refused = anjuan_node::audit::export(
        &mut scene.records.clone(),
        &nothing,
        Default::default(),
        Vec::new(),
        &mut |_| {},
    );
    assert!(refused.is_err());
}

#[test]
fn without_payloads_signatures_and_times_still_hold() {
    let scene = worked();
    let (bundle, _) = scene.export(&Export {
        payloads: false,
        ..scene.asked()
    });
    let report = audit(&bundle, &Policy::default(), &[]);
    assert_eq!(report.verdict, Verdict::VerifiedWithGaps);
    let checks: Vec<_> = report.findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, [Check::Payloads]);
    assert_eq!(report.stories.len(), 2);
}

#[test]
fn the_policy_decides_who_witnesses() {
    let scene = worked();
    let bundle = scene.bundle();
    let verdict = |policy: &str| {
        let report = audit(&bundle, &policy.parse().expect("a policy"), &[]);
        (
            report.verdict,
            report.findings.first().map(|finding| finding.check),
        )
    };
    assert_eq!(verdict("quorum = 2"), (Verdict::Verified, None));
    assert_eq!(verdict("quorum = 3"), (Verdict::Unproven, Some(Check::Witnesses)));
    assert_eq!(
        verdict("quorum = 2\nwitnesses = [\"4509\"]"),
        (Verdict::Unproven, Some(Check::Witnesses))
    );
    assert_eq!(
        verdict(&format!("witnesses = [\"{COUNTY}\"]")),
        (Verdict::Verified, None)
    );
    // A node does not witness its own log.
    assert_eq!(
        verdict("witnesses = [\"450902001001\"]"),
        (Verdict::Unproven, Some(Check::Witnesses))
    );
    assert_eq!(
        verdict("quorum = 0"),
        (Verdict::VerifiedWithGaps, Some(Check::Witnesses))
    );
    assert_eq!(
        verdict("fresh-days = 1"),
        (Verdict::VerifiedWithGaps, Some(Check::Witnesses))
    );
}

#[test]
fn without_checkpoints_it_depends_on_the_policy() {
    let mut scene = worked();
    scene.checkpoints.clear();
    let bundle = scene.bundle();
    assert_eq!(audit(&bundle, &Policy::default(), &[]).verdict, Verdict::Unproven);
    let without = "quorum = 0".parse().expect("a policy");
    assert_eq!(audit(&bundle, &without, &[]).verdict, Verdict::VerifiedWithGaps);
}

#[test]
fn what_is_not_witnessed_yet_is_a_gap() {
    let mut scene = worked();
    let (_, _) = scene.create(&registered(4));
    let report = audit(&scene.bundle(), &Policy::default(), &[]);
    assert_eq!(report.verdict, Verdict::VerifiedWithGaps);
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.check, finding.gravity))
        .collect();
    assert_eq!(
        found,
        [(Check::Journal, Gravity::Gap), (Check::Witnesses, Gravity::Gap)]
    );
}

#[test]
fn a_restored_backup_is_explained() {
    let mut scene = Scene::new();
    let (key, mut document) = scene.create(&registered(1));
    let before = scene.zhang.clone();
    let (view, records) = (document.clone(), scene.records.clone());
    scene.change(&key, &mut document, &message(1));
    let kept = scene.checkpoint(hour(1));
    // The store is set back to before the message, and goes on in another epoch; then the county gives
    // back what it had got.
    let lost = scene.records.all.last().expect("the message").clone();
    scene.records = records;
    scene.checkpoints.clear();
    scene.epoch = LogEpoch::from_bytes([10; 16]);
    let mut after = before.clone();
    after.epoch = LogEpoch::from_bytes([2; 16]);
    after.continues = before.head.map(|head| head.id);
    after.head = None;
    let mut view = view;
    let update = after.change(&key, &mut view, &message(2));
    scene.records.update(&update);
    scene.records.all.push(lost);
    scene.checkpoint(hour(2));
    let report = audit(&scene.bundle(), &Policy::default(), &[kept]);
    assert_eq!(report.verdict, Verdict::VerifiedWithGaps, "{:?}", report.findings);
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.check, finding.gravity))
        .collect();
    assert_eq!(found, [(Check::Logs, Gravity::Gap), (Check::Since, Gravity::Gap)]);
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.what.zh.contains("回退"))
    );
    assert_eq!(report.stories[0].timeline.len(), 3);
}

#[test]
fn particulars_are_told_apart_by_what_is_there() {
    use anjuan_node::audit::scope::{Holding, SealedState};
    let mut scene = Scene::new();
    let (key, mut document) = scene.create(&registered(1));
    scene.change(&key, &mut document, &json!({
        "type": "ParticularsErased", "commitments": [hex::encode([1; 32])], "basis": "ordered", "reference": "(2023)桂09号",
    }));
    scene.checkpoint(hour(1));
    let verdict = |scene: &mut Scene, holdings: [Holding; 2]| {
        let states = [1, 2].into_iter().zip(holdings).map(|(n, holding)| SealedState {
            commitment: hex::encode([n; 32]).parse().expect("a commitment"),
            holding,
        });
        scene.records.sealed = vec![(key.clone(), states.collect())];
        let (bundle, _) = scene.export(&Export {
            sealed: true,
            ..scene.asked()
        });
        let report = audit(&bundle, &Policy::default(), &[]);
        let found: Vec<_> = report.findings.iter().map(|f| (f.check, f.gravity)).collect();
        (report.verdict, found)
    };
    let (noted, gap) = ((Check::Erasures, Gravity::Note), (Check::Erasures, Gravity::Gap));
    assert_eq!(
        verdict(&mut scene, [Holding::Erased, Holding::Held]),
        (Verdict::Verified, vec![noted])
    );
    assert_eq!(
        verdict(&mut scene, [Holding::Held, Holding::Held]),
        (Verdict::VerifiedWithGaps, vec![gap, noted])
    );
    assert_eq!(
        verdict(&mut scene, [Holding::Erased, Holding::Absent]),
        (Verdict::VerifiedWithGaps, vec![gap, noted])
    );
    assert_eq!(
        verdict(&mut scene, [Holding::Erased, Holding::Erased]),
        (Verdict::VerifiedWithGaps, vec![gap, noted])
    );
}

#[test]
fn what_looks_unlike_work_is_asked_about_and_does_not_change_the_verdict() {
    let mut scene = Scene::new();
    let copied =
        "双方因排水沟走向发生争执经现场查看排水沟淤塞属实双方同意共同清理并分摊费用今后不再追究任何一方责任";
    let mut event = registered(1);
    // 3:13 in the morning in Beijing.
    scene.zhang.at = hour(-3);
    for n in 0..9 {
        event["facts"] = json!(format!("{copied},第{n}号"));
        let _ = scene.create(&event);
    }
    for day in [1, 2] {
        scene.zhang.at = hour(24 * day);
        let _ = scene.create(&registered(day as u64));
    }
    scene.checkpoint(hour(50));
    let report = audit(&scene.bundle(), &Policy::default(), &[]);
    assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.findings);
    let asked: Vec<_> = report
        .questions
        .iter()
        .map(|question| (question.code, question.documents.len()))
        .collect();
    assert_eq!(
        asked,
        [("burst", 9), ("near-identical-texts", 9), ("odd-hours", 0)],
        "{:?}",
        report.findings
    );
    assert!(
        report.questions[0]
            .figures
            .en
            .starts_with("zhang registered 9 cases on 2023-11-15")
    );
}
