//! Attacks on what a bundle discloses of persons.

use anjuan_node::audit::scope::Disclosed;
use anjuan_node::audit::{Check, Verdict};
use anjuan_node::authority::role::Role;
use anjuan_node::particulars::Commitment;
use anjuan_tests::bundle::{Scene, hour};
use serde_json::json;

use super::{caught, judge};

#[test]
fn particulars_swapped_under_their_commitment() {
    let mut scene = Scene::new();
    let (key, mut document, honest) = scene.create_with_particulars();
    scene.checkpoint(hour(1));
    scene.disclosed = vec![(key.clone(), vec![honest.clone()])];
    // Nobody signed for it.
    caught(&judge(&scene), Verdict::VerifiedWithGaps, Check::Commitments);
    // Somebody did who may not.
    let disclose = json!({
        "type": "ParticularsDisclosed", "commitments": [honest.commitment.to_string()], "reason": "审计法第三十六条",
    });
    let mut without_right = scene.clone();
    without_right.change(&key, &mut document.clone(), &disclose);
    without_right.checkpoint(hour(2));
    caught(
        &judge(&without_right),
        Verdict::VerifiedWithGaps,
        Check::Commitments,
    );
    let mut clerk = scene.operator_with("clerk", 8, Role::JudicialClerk);
    let update = clerk.change(&key, &mut document, &disclose);
    scene.records.update(&update);
    scene.checkpoint(hour(2));
    let report = judge(&scene);
    caught(&report, Verdict::Verified, Check::Commitments);
    let [told] = &report.disclosures[..] else {
        panic!("one disclosure: {:?}", report.disclosures);
    };
    assert_eq!(
        (told.by.as_deref(), told.reason.as_deref()),
        (Some("clerk"), Some("审计法第三十六条"))
    );
    let other = Disclosed {
        content: b"somebody else".to_vec(),
        ..honest.clone()
    };
    scene.disclosed = vec![(key.clone(), vec![other])];
    caught(&judge(&scene), Verdict::Forged, Check::Commitments);
    // Right in itself, and of another case.
    let content = b"of another case".to_vec();
    let stray = Disclosed {
        commitment: Commitment::of(&honest.salt, &content),
        salt: honest.salt,
        content,
    };
    scene.disclosed = vec![(key, vec![stray])];
    caught(&judge(&scene), Verdict::Forged, Check::Commitments);
}
