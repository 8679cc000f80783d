use std::sync::Arc;

use anjuan_sync::UpdateId;
use anjuan_sync::hash::sha256;
use proptest::prelude::*;

use super::*;
use crate::authority::certificate::{CertificateKind, Certified};
use crate::authority::testing::{EPOCH, Network, bit_flips, cuts, day, issue, issued, key};

fn cutoff(unit: &str, seq: u64) -> Cutoff {
    Cutoff {
        space: Space::up(unit.parse().expect("a path")),
        epoch: EPOCH,
        head: Head {
            seq,
            id: UpdateId::from_bytes([seq as u8; 32]),
        },
    }
}

fn revoke(by: &Certified, what: &Certified, extent: Extent) -> Result<Revocation, RevokeError> {
    let key = key(by.certificate().label());
    Revocation::sign(by, &key, what, extent, "钥匙遗失".into(), day(10))
}

fn of_mediator(network: &Network) -> Revocation {
    let cutoffs = vec![cutoff("4509/02/001/001", 3)];
    revoke(&network.town, &network.mediator, Extent::Operator(cutoffs)).expect("the town may")
}

#[test]
fn the_encoding_is_pinned() {
    let network = Network::new();
    let operator = of_mediator(&network);
    let kept = Extent::Authority(vec![network.village.id()]);
    let authority = revoke(&network.county, &network.town, kept).expect("the county may");
    let node = revoke(&network.village, &network.node, Extent::Node).expect("the village may");
    assert_eq!(
        [
            operator.id().to_string(),
            sha256(&operator.signed().encode()).to_string(),
            authority.id().to_string(),
            node.id().to_string(),
        ],
        [
            "16dd0662d83f86b0af2d74581f0d807a5ac000c0e0349e2a4cceb1218b314eed",
            "8697fc2e42d0fef0e27adba09b0ad4ed6110f2858a8665021bfc1edfdd6d9127",
            "aa4f1a490dfdc627bf4621c65170161bf22a580460e2ccdc3529a7628b1b9edb",
            "8fb9d7d2a7e1173fd393c17b7ff8070d27bdcc745f8eee812f269e80e41152a5"
        ]
    );
}

#[test]
fn no_single_bit_can_change() {
    let network = Network::new();
    let bytes = of_mediator(&network).signed().encode();
    let holds = |bytes: &[u8]| {
        SignedRevocation::decode(bytes)
            .is_ok_and(|signed| Revocation::judge(signed, &network.town, &network.mediator).is_ok())
    };
    assert!(holds(&bytes));
    assert!(!bit_flips(&bytes).any(|changed| holds(&changed)));
    assert!(!cuts(&bytes).any(holds));
}

#[test]
fn the_authority_that_issued_or_one_above_may_revoke_and_nobody_else() {
    let network = Network::new();
    let result = |by: &Certified| revoke(by, &network.mediator, Extent::Operator(vec![])).map(|_| ());
    for by in [&network.village, &network.town, &network.county, &network.city] {
        assert_eq!(result(by), Ok(()), "{}", by.certificate().label());
    }
    assert!(matches!(result(&network.beside), Err(RevokeError::Reach { .. })));
    assert!(matches!(
        result(&network.mediator),
        Err(RevokeError::NotAnAuthority(_))
    ));
    let of_village = |by: &Certified| revoke(by, &network.village, Extent::Authority(vec![])).map(|_| ());
    assert!(matches!(
        of_village(&network.village),
        Err(RevokeError::Reach { .. })
    ));
    assert_eq!(of_village(&network.town), Ok(()));
    assert_eq!(
        revoke(&network.city, &network.city, Extent::Authority(vec![])),
        Err(RevokeError::Root)
    );
}

#[test]
fn a_successor_may_revoke_what_its_predecessor_issued_but_not_the_other_way_round() {
    let network = Network::new();
    let mut later = issue(CertificateKind::Authority, "successor", "450902001001", 2);
    later.not_before = day(5);
    let successor = Arc::new(network.town.issue(&key("town"), later).expect("issued"));
    let theirs = {
        let mut issue = issue(CertificateKind::Operator, "new", "450902001001", 1);
        issue.not_before = day(5);
        successor.issue(&key("successor"), issue).expect("issued")
    };
    assert!(revoke(&successor, &network.mediator, Extent::Operator(vec![])).is_ok());
    assert_eq!(
        revoke(&network.village, &theirs, Extent::Operator(vec![])),
        Err(RevokeError::Superseded)
    );
    assert!(revoke(&network.town, &theirs, Extent::Operator(vec![])).is_ok());
}

#[test]
fn what_still_counts_has_to_fit_what_is_revoked() {
    let network = Network::new();
    for (what, extent) in [
        (&network.mediator, Extent::Node),
        (&network.mediator, Extent::Authority(vec![])),
        (&network.node, Extent::Operator(vec![])),
        (&network.village, Extent::Node),
    ] {
        assert!(matches!(
            revoke(&network.town, what, extent),
            Err(RevokeError::Extent { .. })
        ));
    }
    assert!(matches!(
        revoke(
            &network.town,
            &network.mediator,
            Extent::Operator(vec![cutoff("4509/02/001", 1)])
        ),
        Err(RevokeError::Space(_))
    ));
}

#[test]
fn fields_out_of_bounds_are_refused() {
    let network = Network::new();
    let refused = |change: &dyn Fn(&mut RawRevocation)| {
        let mut raw = of_mediator(&network).get().0.clone();
        change(&mut raw);
        ValidRevocation::try_from(raw).expect_err("out of bounds")
    };
    let (one, two) = (cutoff("4509/02", 1), cutoff("4509/03", 1));
    assert_eq!(refused(&|raw| raw.version = 9), RevocationError::Version(9));
    for cutoffs in [
        vec![two.clone(), one.clone()],
        vec![one.clone(), one.clone()],
        vec![one.clone(), cutoff("4509/02", 2)],
        vec![cutoff("4509/02", 0)],
    ] {
        assert_eq!(
            refused(&|raw| raw.extent = Extent::Operator(cutoffs.clone())),
            RevocationError::Cutoffs
        );
    }
    let id = |n: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        CertificateId::from_bytes(bytes)
    };
    for kept in [
        vec![id(1), id(0)],
        vec![id(1), id(1)],
        (0..=MAX_KEPT as u32).map(id).collect(),
    ] {
        assert_eq!(
            refused(&|raw| raw.extent = Extent::Authority(kept.clone())),
            RevocationError::Kept
        );
    }
    for reason in ["", "a\nb", &"x".repeat(201)] {
        assert_eq!(
            refused(&|raw| raw.reason = reason.into()),
            RevocationError::Reason
        );
    }
    assert_eq!(
        refused(&|raw| raw.revoked_at = Timestamp::from_millis(0)),
        RevocationError::Time(0)
    );
    assert_eq!(
        Revocation::sign(
            &network.town,
            &key("town"),
            &network.mediator,
            Extent::Operator(vec![]),
            "x".into(),
            day(1001)
        ),
        Err(RevokeError::Validity)
    );
}

#[test]
fn the_longest_lists_fit() {
    let network = Network::new();
    let mediator = issued(&network.city, CertificateKind::Operator, "router", "4509", 9);
    let longest = |at: usize| Cutoff {
        space: Space::up(
            format!("4509/02/{:03}/{:03}", at / 1000, at % 1000)
                .parse()
                .expect("a path"),
        ),
        epoch: EPOCH,
        head: Head {
            seq: u64::MAX - at as u64,
            id: UpdateId::from_bytes([1; 32]),
        },
    };
    let cutoffs: Vec<_> = (0..MAX_LOGS).map(longest).collect();
    let revocation = revoke(&network.city, &mediator, Extent::Operator(cutoffs.clone())).expect("fits");
    assert!(SignedRevocation::decode(&revocation.signed().encode()).is_ok());
    for cutoff in cutoffs {
        assert_eq!(
            revocation.get().cutoff(&cutoff.space, cutoff.epoch),
            Some(cutoff.head)
        );
    }
    let kept = (0..MAX_KEPT).map(|n| CertificateId::from_bytes(*sha256(&n.to_be_bytes()).as_bytes()));
    let kept: Vec<_> = kept.collect();
    let revocation = revoke(&network.city, &network.county, Extent::Authority(kept.clone())).expect("fits");
    assert!(SignedRevocation::decode(&revocation.signed().encode()).is_ok());
    assert!(kept.into_iter().all(|id| revocation.get().keeps(id)));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        drop(SignedRevocation::decode(&bytes));
        drop(ValidRevocation::decode(&bytes));
    }

    #[test]
    fn no_damage_panics(at in 0usize..400, with: Vec<u8>) {
        let mut bytes = of_mediator(&Network::new()).signed().encode();
        let at = at % bytes.len();
        let end = (at + with.len()).min(bytes.len());
        bytes.splice(at..end, with);
        drop(SignedRevocation::decode(&bytes));
    }
}
