//! The worked example of `docs/audit.md`, byte for byte. `ANJUAN_WRITE_EXPECTED=1` writes it anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use anjuan_node::audit::{Auditor, Export, Extras, Policy, Scope, Verdict, export, verify};
use anjuan_node::authority::certificate::{CertificateKind, Certified, Issue};
use anjuan_node::authority::role::Role;
use anjuan_node::evidence::name::NodeName;
use anjuan_sync::{AuthorKey, LogEpoch, Timestamp};
use anjuan_tests::bundle::{Node, Records, village};
use anjuan_tests::world::Writer;
use ed25519_dalek::SigningKey;
use serde_json::json;

/// 2026-01-01T00:00:00Z, in milliseconds.
const NEW_YEAR: i64 = 1_767_225_600_000;
const BEGIN: &str = "<!-- bundle -->\n```\n";
const END: &str = "```\n<!-- end of bundle -->";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NEW_YEAR + 1000 * seconds)
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn issued(root: &Arc<Certified>, seed: u8, kind: CertificateKind, unit: &str, label: &str) -> Arc<Certified> {
    let issue = Issue {
        kind,
        subject: AuthorKey::from_bytes(key(seed).verifying_key().to_bytes()),
        seal_key: (kind == CertificateKind::Node).then_some([9; 32]),
        unit: unit.parse().expect("a unit"),
        organisation: None,
        roles: match kind {
            CertificateKind::Operator => BTreeSet::from([Role::Mediator]),
            _ => BTreeSet::new(),
        },
        label: label.into(),
        serial: u64::from(seed),
        not_before: at(-86_400),
        not_after: at(86_400),
    };
    Arc::new(root.issue(&key(1), issue).expect("the root may"))
}

fn node(root: &Arc<Certified>, seed: u8, unit: &str, label: &str) -> Node {
    let key = key(seed);
    Node {
        name: NodeName::new(
            root.network(),
            unit.parse().expect("a unit"),
            &key.verifying_key(),
        ),
        certified: issued(root, seed, CertificateKind::Node, unit, label),
        key,
    }
}

#[test]
fn the_document_shows_what_the_program_writes() {
    let unit = "4509".parse().expect("a unit");
    let root = Certified::found(&key(1), &unit, "city".into(), at(-86_400), at(86_400)).expect("a root");
    let root = Arc::new(root);
    let village_node = node(&root, 2, "450902001001", "village");
    let county = node(&root, 3, "450902", "county");
    let operator = issued(&root, 4, CertificateKind::Operator, "450902001001", "zhang");
    let mut records = Records::default();
    for certified in [&village_node.certified, &county.certified, &operator] {
        records.credential(certified);
    }
    let mut zhang = Writer::new("zhang", &operator, 0x11, village());
    (zhang.key, zhang.at) = (key(4), at(60));
    let (_, _, update) = zhang.create(&json!({
        "type": "CaseRegistered", "source": "applied", "category": "neighbours", "brief": "drain", "facts": "a drain",
        "parties": [
            {"commitment": hex::encode([1; 32]), "role": "applicant", "kind": "person"},
            {"commitment": hex::encode([2; 32]), "role": "respondent", "kind": "person"},
        ],
    }));
    records.update(&update);
    let epoch = LogEpoch::from_bytes([0x22; 16]);
    let mut checkpoint = village_node.checkpoint(epoch, &records.leaves());
    county.cosign(&mut checkpoint, at(120));
    let asked = Export {
        network: root.network(),
        origin: village_node.name.clone().log(epoch),
        scope: Scope::All,
        whole: false,
        payloads: true,
        made_at: at(180),
        splits: Vec::new(),
        sealed: false,
    };
    let extras = Extras {
        checkpoints: vec![checkpoint.as_signed().clone()],
        ..Extras::default()
    };
    let mut bundle = Vec::new();
    export(&mut records, &asked, extras, &mut bundle, &mut |_| {}).expect("exported");
    let lines: String = bundle.chunks(32).map(|line| hex::encode(line) + "\n").collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/audit.md");
    let document = std::fs::read_to_string(path).expect("the document");
    let (before, rest) = document.split_once(BEGIN).expect("the bundle begins");
    let (shown, after) = rest.split_once(END).expect("the bundle ends");
    if std::env::var_os("ANJUAN_WRITE_EXPECTED").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{lines}{END}{after}")).expect("written");
    } else {
        assert_eq!(shown, lines, "docs/audit.md has another bundle");
    }
    let leaves = records.leaves();
    let root_hash = anjuan_tests::bundle::merkle_root(&leaves);
    let hashes: String = leaves.iter().map(|leaf| format!("leaf  {leaf}\n")).collect();
    let facts = [
        root.id().to_string(),
        format!("{hashes}root  {root_hash}\n"),
        format!("{} bytes", bundle.len()),
    ];
    for fact in &facts {
        assert!(
            document.contains(fact),
            "docs/audit.md lacks {fact}\nof {facts:#?}"
        );
    }
    let auditor = Auditor {
        root: &root,
        policy: &Policy::default(),
        kept: &[],
        as_of: None,
        particulars: false,
    };
    let report = verify(&bundle[..], &auditor, &mut rand::rng(), &mut |_| {}).expect("a bundle");
    assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.findings);
}
