use std::sync::Arc;

use anjuan_sync::hash::sha256;
use proptest::prelude::*;

use super::*;
use crate::authority::testing::{
    Network, bit_flips, code, cuts, day, found, issue, issued, key, public, seal_public,
};

fn raw(network: &Network) -> RawCertificate {
    network.mediator.certificate().clone().into_raw()
}

#[test]
fn the_encoding_is_pinned() {
    let network = Network::new();
    let digest = |certified: &Certified| sha256(&certified.signed().encode()).to_string();
    assert_eq!(
        [
            network.city.id().to_string(),
            digest(&network.city),
            network.node.id().to_string(),
            digest(&network.node),
            digest(&network.mediator),
        ],
        [
            "e87ee8d1af0d2366e7a6af0b3943055fb35ed458d4e7267f5c62f3aadda71f49",
            "d7803dce0d285703667b98aa6ca62640054be4e33335571263c615bc11a9c54e",
            "90494192776253fa6e8f0ce88ba51a521d75e5593125a27467029bb62eef3a68",
            "7cf6331eed69b04b9baa064e25d4debffa8613df68bff3f2d9f37f8b18a40899",
            "4b553c0d35131a8e8bbb67355a8d550150d917e8e556876bed9ca19f7f5e5790"
        ]
    );
}

#[test]
fn what_is_written_is_read_and_holds() {
    for certified in Network::new().all() {
        let signed = SignedCertificate::decode(&certified.signed().encode()).expect("well-formed");
        assert_eq!(&signed, certified.signed());
        let again = match certified.issuer() {
            Some(issuer) => Certified::issued(signed, issuer),
            None => Certified::root(signed),
        };
        assert_eq!(again.as_ref(), Ok(&*certified));
    }
}

#[test]
fn no_single_bit_can_change() {
    let network = Network::new();
    let bytes = network.node.signed().encode();
    let holds = |bytes: &[u8]| {
        SignedCertificate::decode(bytes)
            .is_ok_and(|signed| Certified::issued(signed, &network.village).is_ok())
    };
    assert!(holds(&bytes));
    assert!(!bit_flips(&bytes).any(|changed| holds(&changed)));
    assert!(!cuts(&bytes).any(holds));
    let root = network.city.signed().encode();
    let is_root = |bytes: &[u8]| {
        SignedCertificate::decode(bytes).is_ok_and(|signed| {
            Certified::root(signed).is_ok_and(|root| root.network() == network.city.network())
        })
    };
    assert!(is_root(&root));
    assert!(!bit_flips(&root).any(|changed| is_root(&changed)));
}

#[test]
fn fields_at_their_bounds_fit() {
    let largest = Certificate::try_from(RawCertificate {
        seal_key: None,
        unit: "4509/02/001/001".parse().expect("a path"),
        organisation: Some("x".repeat(MAX_ORGANISATION)),
        roles: (200..200 + MAX_ROLES as u8).collect(),
        label: "界".repeat(MAX_LABEL / 3),
        serial: u64::MAX,
        not_before: Timestamp::EARLIEST,
        not_after: Timestamp::LATEST,
        ..raw(&Network::new())
    })
    .expect("within bounds");
    assert_eq!(Certificate::decode(&largest.encode()), Ok(largest));
}

#[test]
fn inconsistent_fields_are_refused() {
    let network = Network::new();
    let refused = |change: &dyn Fn(&mut RawCertificate)| {
        let mut raw = raw(&network);
        change(&mut raw);
        Certificate::try_from(raw).expect_err("inconsistent")
    };
    assert_eq!(refused(&|raw| raw.version = 2), CertificateError::Version(2));
    assert_eq!(refused(&|raw| raw.network = None), CertificateError::Root);
    assert_eq!(refused(&|raw| raw.issuer = None), CertificateError::Root);
    assert_eq!(
        refused(&|raw| (raw.issuer, raw.network) = (None, None)),
        CertificateError::Root
    );
    assert_eq!(
        refused(&|raw| raw.seal_key = Some(seal_public("node"))),
        CertificateError::SealKeyPresence
    );
    let as_node = |raw: &mut RawCertificate| (raw.kind, raw.roles) = (CertificateKind::Node, BTreeSet::new());
    assert_eq!(refused(&as_node), CertificateError::SealKeyPresence);
    let small = |raw: &mut RawCertificate| {
        as_node(raw);
        raw.seal_key = Some([0; 32]);
    };
    assert_eq!(refused(&small), CertificateError::SealKey(KeyError::SmallOrder));
    let node_with = |roles: &[Role]| {
        let roles: BTreeSet<_> = roles.iter().map(|role| role.number()).collect();
        move |raw: &mut RawCertificate| {
            (raw.kind, raw.roles) = (CertificateKind::Node, roles.clone());
            raw.seal_key = Some(seal_public("node"));
        }
    };
    for roles in [&[Role::Mediator][..], &[Role::Auditor, Role::Chair]] {
        assert_eq!(refused(&node_with(roles)), CertificateError::Roles);
    }
    let roleless = |raw: &mut RawCertificate| raw.roles.clear();
    assert_eq!(refused(&roleless), CertificateError::Roles);
    assert_eq!(
        refused(&|raw| raw.kind = CertificateKind::Authority),
        CertificateError::Roles
    );
    assert_eq!(
        refused(&|raw| raw.roles = (0..33).collect()),
        CertificateError::Roles
    );
    for label in ["", " x", "a\u{7}b", "a\u{202e}b", &"x".repeat(65)] {
        assert_eq!(refused(&|raw| raw.label = label.into()), CertificateError::Label);
    }
    for organisation in ["", "a b", "机构", &"x".repeat(65)] {
        assert_eq!(
            refused(&|raw| raw.organisation = Some(organisation.into())),
            CertificateError::Organisation
        );
    }
    assert_eq!(refused(&|raw| raw.serial = 0), CertificateError::Serial);
    assert_eq!(
        refused(&|raw| raw.not_after = raw.not_before),
        CertificateError::Validity
    );
    assert_eq!(
        refused(&|raw| raw.not_before = Timestamp::from_millis(0)),
        CertificateError::Validity
    );
    for path in ["4509/00", "45/09", "4509/02/001/001/1", "x"] {
        let path: Path = path.parse().expect("a path");
        assert!(matches!(
            refused(&|raw| raw.unit = path.clone()),
            CertificateError::Unit(_)
        ));
    }
    let mut identity = [0; 32];
    identity[0] = 1;
    let weak = AuthorKey::from_bytes(identity);
    assert_eq!(
        refused(&|raw| raw.subject = weak),
        CertificateError::Subject(weak, KeyError::SmallOrder)
    );
}

#[test]
fn authorities_go_strictly_downward_and_others_stay_at_or_below() {
    use CertificateKind::{Authority, Node, Operator};
    let network = Network::new();
    let reach = |issuer: &Arc<Certified>, kind, unit: &str| {
        let key = key(issuer.certificate().label());
        issuer.issue(&key, issue(kind, "x", unit, 9)).map(|_| ())
    };
    for (kind, unit, allowed) in [
        (Authority, "450902001", false),
        (Authority, "450902001001", true),
        (Authority, "450902", false),
        (Authority, "450903001", false),
        (Authority, "450902-01", false),
        (Node, "450902001", true),
        (Node, "450902001001", true),
        (Node, "450902002", false),
        (Operator, "450902001", true),
        (Operator, "450902001001", true),
        (Operator, "4509", false),
    ] {
        let result = reach(&network.town, kind, unit);
        match result {
            Ok(()) => assert!(allowed, "{kind:?} {unit}"),
            Err(error) => {
                let named = matches!(error, IssueError::Chain(ChainError::Reach { .. }));
                assert!(!allowed && named, "{kind:?} {unit}: {error}");
            }
        }
    }
    assert!(reach(&network.county, Authority, "450902-01").is_ok());
    for issuer in [&network.node, &network.mediator] {
        assert!(matches!(
            reach(issuer, Operator, "450902001001"),
            Err(IssueError::Chain(ChainError::NotAnAuthority { .. }))
        ));
    }
}

#[test]
fn a_chain_has_to_hold_at_every_link() {
    let network = Network::new();
    let signed = network.mediator.signed().clone();
    assert_eq!(
        Certified::issued(signed.clone(), &network.town),
        Err(ChainError::Issuer(signed.id()))
    );
    assert_eq!(
        Certified::root(signed.clone()),
        Err(ChainError::NotARoot(signed.id()))
    );
    let forged = SignedCertificate::sign(network.mediator.certificate().clone(), &key("thief"));
    assert_eq!(
        Certified::issued(forged.clone(), &network.village),
        Err(ChainError::Forged(forged.id()))
    );
    let root = SignedCertificate::sign(network.city.certificate().clone(), &key("thief"));
    assert_eq!(Certified::root(root.clone()), Err(ChainError::Forged(root.id())));
    assert_eq!(
        network.village.issue(
            &key("thief"),
            issue(CertificateKind::Operator, "x", "450902001001", 3)
        ),
        Err(IssueError::WrongKey(network.village.id()))
    );
    // Signed by the right key, for another network.
    let mut raw = raw(&network);
    raw.network = Some(NetworkId::from_bytes([1; 32]));
    let foreign = Certificate::try_from(raw).expect("well-formed");
    let foreign = SignedCertificate::sign(foreign, &key("village"));
    assert!(matches!(
        Certified::issued(foreign, &network.village),
        Err(ChainError::ForeignNetwork { .. })
    ));
}

#[test]
fn nothing_is_valid_longer_than_its_issuer() {
    let network = Network::new();
    let mut late = issue(CertificateKind::Operator, "x", "450902001001", 3);
    late.not_after = day(5000);
    let cut = network
        .village
        .issue(&key("village"), late.clone())
        .expect("cut to fit");
    assert_eq!(cut.certificate().not_after(), day(1000));
    late.not_before = day(-1);
    assert!(matches!(
        network.village.issue(&key("village"), late),
        Err(IssueError::Chain(ChainError::Validity(_)))
    ));
    let mut raw = raw(&network);
    raw.not_after = day(1001);
    let longer = Certificate::try_from(raw).expect("well-formed");
    let longer = SignedCertificate::sign(longer, &key("village"));
    assert_eq!(
        Certified::issued(longer.clone(), &network.village),
        Err(ChainError::Validity(longer.id()))
    );
}

#[test]
fn roles_of_a_newer_program_are_kept_and_grant_nothing() {
    let network = Network::new();
    let mut raw = raw(&network);
    raw.roles = BTreeSet::from([Role::Chair.number(), 99]);
    let certificate = Certificate::try_from(raw).expect("well-formed");
    let signed = SignedCertificate::sign(certificate, &key("village"));
    let certified = Certified::issued(signed, &network.village).expect("issued");
    assert_eq!(certified.certificate().unknown_roles().collect::<Vec<_>>(), [99]);
    let signer = certified.signer().expect("an operator");
    assert_eq!(signer.roles, BTreeSet::from([Role::Chair]));
    assert_eq!(
        (signer.key, signer.unit, signer.label),
        (public("mediator"), code("450902001001"), "mediator".to_owned())
    );
    assert!(network.node.signer().is_none());
    let again = network
        .village
        .reissue(&key("village"), certified.certificate(), 7, day(1))
        .expect("re-issued");
    assert_eq!(again.certificate().unknown_roles().collect::<Vec<_>>(), [99]);
    assert_eq!(again.certificate().serial(), 7);
}

#[test]
fn a_county_can_be_the_top_of_a_network() {
    let root = found("county", "450902");
    let town = issued(&root, CertificateKind::Authority, "town", "450902001", 1);
    assert_eq!(town.network(), NetworkId::of_root(root.id()));
    assert_eq!(town.chain().count(), 2);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        drop(SignedCertificate::decode(&bytes));
        drop(Certificate::decode(&bytes));
    }

    #[test]
    fn no_damage_panics(at in 0usize..400, with: Vec<u8>) {
        let mut bytes = Network::new().node.signed().encode();
        let at = at % bytes.len();
        let end = (at + with.len()).min(bytes.len());
        bytes.splice(at..end, with);
        drop(SignedCertificate::decode(&bytes));
    }
}
