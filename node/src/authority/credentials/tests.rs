use anjuan_sync::{Head, Header, Space, Timestamp, UpdateId};

use super::*;
use crate::authority::revocation::{Cutoff, Extent};
use crate::authority::testing::{
    EPOCH, Network, bit_flips, day, found, header, issue, issued, key, public, raw_header,
};

mod order;

/// A revocation by whoever goes by the authority's label.
fn revoke(by: &Certified, what: &Certified, extent: Extent, reason: &str) -> Vec<u8> {
    let key = key(by.certificate().label());
    let revocation = Revocation::sign(by, &key, what, extent, reason.into(), day(10));
    revocation.expect("the authority may").signed().encode()
}

/// Revokes an operator; of the log in its own unit, updates up to this one count.
fn cut_at(by: &Certified, operator: &Certified, last: &Header) -> Vec<u8> {
    let cutoff = Cutoff {
        space: last.space().clone(),
        epoch: last.epoch(),
        head: Head {
            seq: last.seq(),
            id: last.id(),
        },
    };
    revoke(by, operator, Extent::Operator(vec![cutoff]), "钥匙遗失")
}

fn quarantined(counting: Counting) -> String {
    match counting {
        Counting::Quarantined(reason) => reason.en,
        Counting::Counts => panic!("it counts"),
    }
}

fn take(credentials: &mut Credentials, bytes: &[u8]) {
    let offered = credentials.offer(bytes);
    assert!(matches!(offered, Offered::New(_)), "{offered:?}");
}

/// A key is lost on day 10; what its thief signs afterwards is kept apart, what its owner had signed stands.
#[test]
fn a_revoked_operators_late_update_is_quarantined() {
    let network = Network::new();
    let mut credentials = network.credentials();
    let mediator = &network.mediator;
    let [third, fourth] = [3, 4].map(|seq| header(mediator, seq, day(9)));
    assert_eq!(credentials.counting(&fourth), Counting::Counts);
    take(&mut credentials, &cut_at(&network.town, mediator, &third));
    assert_eq!(
        credentials.counting(&header(mediator, 2, day(9))),
        Counting::Counts
    );
    assert_eq!(credentials.counting(&third), Counting::Counts);
    assert_eq!(
        quarantined(credentials.counting(&fourth)),
        "the signer's certificate was revoked by town (钥匙遗失), and this is past the cutoff"
    );
    // Another update at the place of the last one that counts, in another log, and backdated.
    assert!(credentials.counting(&header(mediator, 3, day(8))) != Counting::Counts);
    let mut elsewhere = raw_header(mediator, 1, day(1));
    elsewhere.epoch = anjuan_sync::LogEpoch::from_bytes([8; 16]);
    let elsewhere = Header::try_from(elsewhere).expect("a header");
    assert!(credentials.counting(&elsewhere) != Counting::Counts);
    // Storing does not depend on it.
    assert!(credentials.certify_author(&fourth).is_ok());
    assert!(matches!(
        credentials.standing(mediator.id(), day(1)),
        Some(Standing::Revoked(_))
    ));
}

#[test]
fn two_revocations_take_the_minimum_in_either_order() {
    let network = Network::new();
    let [second, third] = [2, 3].map(|seq| header(&network.mediator, seq, day(9)));
    let low = cut_at(&network.village, &network.mediator, &second);
    let high = cut_at(&network.city, &network.mediator, &third);
    for order in [[&low, &high], [&high, &low]] {
        let mut credentials = network.credentials();
        for bytes in order {
            take(&mut credentials, bytes);
        }
        assert_eq!(credentials.counting(&second), Counting::Counts);
        assert!(credentials.counting(&third) != Counting::Counts);
        assert_eq!(credentials.revocations_of(network.mediator.id()).count(), 2);
    }
}

#[test]
fn an_authority_of_the_wrong_branch_cannot_revoke() {
    let network = Network::new();
    let mut credentials = network.credentials();
    // Well-formed, and signed by the authority it names: made by its own program, without the check.
    let honest = cut_at(
        &network.town,
        &network.mediator,
        &header(&network.mediator, 1, day(1)),
    );
    let envelope: Envelope = encoding::decode(&honest, MAX_CREDENTIAL).expect("an envelope");
    let body = envelope.body;
    let town = network.town.id();
    let at = body
        .windows(32)
        .position(|window| window == town.as_bytes())
        .expect("the authority is named");
    let mut forged = body;
    forged[at..at + 32].copy_from_slice(network.beside.id().as_bytes());
    let input = anjuan_sync::hash::Domain::new("anjuan/revocation/1").signing_input(&forged);
    let bytes = encoding::encode(&Envelope {
        kind: CredentialKind::Revocation,
        body: forged,
        signature: ed25519_dalek::Signer::sign(&key("beside"), &input).to_bytes(),
    });
    assert!(matches!(
        credentials.offer(&bytes),
        Offered::Refused(Refused::Revoke(RevokeError::Reach { .. }))
    ));
    assert_eq!(
        credentials.counting(&header(&network.mediator, 2, day(1))),
        Counting::Counts
    );
}

/// The town's authority key is stolen. The county revokes its certificate and keeps the village; what the
/// thief issues under it, with any date, is void, and the village goes on.
#[test]
fn a_revoked_authority_keeps_only_the_children_that_are_named() {
    let network = Network::new();
    let mut credentials = network.credentials();
    let known = issued(&network.town, CertificateKind::Operator, "known", "450902001", 5);
    let mut thief = issue(CertificateKind::Operator, "thief", "450902001", 6);
    thief.not_before = day(0);
    let thief = network.town.issue(&key("town"), thief).expect("issued");
    for certified in [&*known, &thief] {
        take(&mut credentials, &certified.signed().encode());
    }
    let kept = vec![network.village.id()];
    take(
        &mut credentials,
        &revoke(
            &network.county,
            &network.town,
            Extent::Authority(kept),
            "印章失窃",
        ),
    );
    assert_eq!(
        credentials.counting(&header(&network.mediator, 9, day(20))),
        Counting::Counts
    );
    for void in [&*known, &thief] {
        assert_eq!(
            quarantined(credentials.counting(&header(void, 1, day(1)))),
            "the certificate of the authority town was revoked (印章失窃), and this one, issued under it, \
             was not kept"
        );
        assert!(matches!(
            credentials.standing(void.id(), day(1)),
            Some(Standing::CutOff(_))
        ));
    }
    assert_eq!(
        credentials.standing(network.village.id(), day(1)),
        Some(Standing::Valid)
    );
    assert!(credentials.authority(public("town"), day(1)).is_none());
    // Re-issued by the county under the same key, the known operator signs on.
    let again = network
        .county
        .reissue(
            &key("county"),
            known.certificate(),
            credentials.next_serial(network.county.id()),
            day(11),
        )
        .expect("re-issued");
    take(&mut credentials, &again.signed().encode());
    assert_eq!(
        credentials.counting(&header(&again, 1, day(12))),
        Counting::Counts
    );
    assert_eq!(
        credentials.operator(public("known"), day(12)).map(|c| c.id()),
        Some(again.id())
    );
}

#[test]
fn expiry_is_judged_on_the_claimed_time() {
    let network = Network::new();
    let credentials = network.credentials();
    let counting = |time: Timestamp| credentials.counting(&header(&network.mediator, 1, time));
    assert_eq!(counting(day(0)), Counting::Counts);
    assert_eq!(counting(day(999)), Counting::Counts);
    assert!(quarantined(counting(day(1000))).contains("after"));
    assert!(quarantined(counting(day(-1))).contains("before"));
}

#[test]
fn only_a_certified_operator_may_be_an_author_and_only_at_or_below_his_unit() {
    let network = Network::new();
    let mut credentials = network.credentials();
    let clerk = issued(&network.town, CertificateKind::Operator, "clerk", "450902001", 5);
    assert_eq!(
        credentials.certify_author(&header(&clerk, 1, day(1))),
        Err(AuthorError::Unknown(clerk.id()))
    );
    take(&mut credentials, &clerk.signed().encode());
    let judge = |change: &dyn Fn(&mut anjuan_sync::RawHeader)| {
        let mut raw = raw_header(&clerk, 1, day(1));
        change(&mut raw);
        let header = Header::try_from(raw).expect("a header");
        credentials
            .certify_author(&header)
            .map(|certified| certified.id())
    };
    let path = |text: &str| text.parse::<Path>().expect("a path");
    assert_eq!(judge(&|_| {}), Ok(clerk.id()));
    assert_eq!(
        judge(&|raw| raw.space = Space::down(path("4509/02/001/003"))),
        Ok(clerk.id())
    );
    for outside in ["4509/02", "4509/02/002", "4509/02/0011"] {
        assert!(matches!(
            judge(&|raw| raw.space = Space::up(path(outside))),
            Err(AuthorError::Reach { .. })
        ));
    }
    assert!(matches!(
        judge(&|raw| raw.network = NetworkId::from_bytes([1; 32])),
        Err(AuthorError::ForeignNetwork { .. })
    ));
    assert_eq!(
        judge(&|raw| raw.author = public("other")),
        Err(AuthorError::Key(clerk.id()))
    );
    for (certified, name) in [(&network.node, "node"), (&network.village, "village")] {
        let by = |raw: &mut anjuan_sync::RawHeader| {
            (raw.certificate, raw.author) = (certified.id(), public(name));
        };
        assert_eq!(judge(&by), Err(AuthorError::NotAnOperator(certified.id())));
    }
}

#[test]
fn peers_are_let_in_while_their_certificate_is_in_force() {
    let network = Network::new();
    let mut credentials = network.credentials();
    let unit = network.node.certificate().path();
    let node = |credentials: &Credentials, time| credentials.is_node(public("node"), time).map(|c| c.id());
    assert_eq!(node(&credentials, day(1)), Some(network.node.id()));
    assert_eq!(credentials.nodes_of(unit, day(1)).count(), 1);
    assert_eq!(node(&credentials, day(1000)), None);
    assert_eq!(node(&credentials, day(-1)), None);
    assert!(credentials.is_node(public("mediator"), day(1)).is_none());
    take(
        &mut credentials,
        &revoke(&network.village, &network.node, Extent::Node, "设备报废"),
    );
    assert_eq!(node(&credentials, day(1)), None);
    assert_eq!(credentials.nodes_of(unit, day(1)).count(), 0);
}

#[test]
fn a_credential_belongs_to_the_path_of_what_it_is_about() {
    let network = Network::new();
    let mut credentials = network.credentials();
    let revocation = cut_at(
        &network.city,
        &network.mediator,
        &header(&network.mediator, 1, day(1)),
    );
    let Offered::New(adopted) = credentials.offer(&revocation) else {
        panic!("new")
    };
    assert_eq!(&adopted[0].path, network.mediator.certificate().path());
    assert_eq!(credentials.item(&adopted[0].id), Some(revocation));
    let counts: Vec<_> = credentials
        .items()
        .iter()
        .map(|(path, ids)| (path.as_str(), ids.len()))
        .collect();
    assert_eq!(
        counts,
        [
            ("4509", 1),
            ("4509/02", 1),
            ("4509/02/001", 1),
            ("4509/02/001/001", 4),
            ("4509/03", 1)
        ]
    );
    let chain = credentials.chain(network.node.id()).expect("known");
    assert_eq!(chain.len(), 5);
    assert_eq!(chain[0], network.city.signed().encode());
}

#[test]
fn foreign_forged_and_damaged_credentials_are_refused() {
    let network = Network::new();
    let mut credentials = network.credentials();
    let other = found("other", "4509");
    let theirs = issued(&other, CertificateKind::Authority, "x", "450902", 1);
    for certified in [&other, &theirs] {
        assert!(matches!(
            credentials.offer(&certified.signed().encode()),
            Offered::Refused(Refused::ForeignNetwork { .. })
        ));
    }
    assert_eq!(credentials.offer(&network.city.signed().encode()), Offered::Known);
    let fresh = issued(&network.town, CertificateKind::Operator, "fresh", "450902001", 5);
    for changed in bit_flips(&fresh.signed().encode()) {
        assert!(!matches!(credentials.offer(&changed), Offered::New(_)));
    }
    take(&mut credentials, &fresh.signed().encode());
    assert!(matches!(
        Credentials::new((*network.town).clone()),
        Err(ChainError::NotARoot(_))
    ));
}

/// A copy with a false signature waits first; it must not keep the true one out.
#[test]
fn a_forged_copy_does_not_shadow_the_true_one() {
    let network = Network::new();
    let mut credentials = Credentials::new((*network.city).clone()).expect("a root");
    let honest = network.town.signed().encode();
    let mut forged = honest.clone();
    *forged.last_mut().expect("not empty") ^= 1;
    assert_eq!(credentials.offer(&forged), Offered::Waiting(network.county.id()));
    assert_eq!(credentials.offer(&honest), Offered::Waiting(network.county.id()));
    let Offered::New(adopted) = credentials.offer(&network.county.signed().encode()) else {
        panic!("new")
    };
    assert_eq!(adopted.len(), 2);
    assert!(credentials.certificate(network.town.id()).is_some());
    assert_eq!(credentials.waiting(), 0);
}

#[test]
fn an_authority_cannot_issue_or_revoke_without_bound() {
    let network = Network::new();
    let mut credentials = network.credentials();
    let first = header(&network.mediator, 1, day(1));
    for n in 0..MAX_REVOCATIONS {
        let extent = Extent::Operator(vec![]);
        take(
            &mut credentials,
            &revoke(&network.village, &network.mediator, extent, &n.to_string()),
        );
    }
    let one_more = revoke(
        &network.village,
        &network.mediator,
        Extent::Operator(vec![]),
        "more",
    );
    assert_eq!(
        credentials.offer(&one_more),
        Offered::Refused(Refused::RevokedTooOften(network.mediator.id()))
    );
    take(
        &mut credentials,
        &cut_at(&network.town, &network.mediator, &first),
    );
    // The village has two certificates below it already.
    for n in 2..u64::from(MAX_BELOW[3]) {
        let certified = issued(
            &network.village,
            CertificateKind::Operator,
            "x",
            "450902001001",
            n + 1,
        );
        take(&mut credentials, &certified.signed().encode());
    }
    let certified = issued(
        &network.village,
        CertificateKind::Operator,
        "x",
        "450902001001",
        9999,
    );
    assert!(matches!(
        credentials.offer(&certified.signed().encode()),
        Offered::Refused(Refused::Full { limit: 1024, .. })
    ));
    // Its neighbours and superiors are not affected.
    let certified = issued(
        &network.town,
        CertificateKind::Operator,
        "x",
        "450902001001",
        9999,
    );
    take(&mut credentials, &certified.signed().encode());
}

#[test]
fn the_last_update_that_counts_is_named_by_its_id() {
    let network = Network::new();
    let mut credentials = network.credentials();
    let last = header(&network.mediator, 3, day(9));
    let cutoff = Cutoff {
        space: last.space().clone(),
        epoch: EPOCH,
        head: Head {
            seq: 3,
            id: UpdateId::from_bytes([0; 32]),
        },
    };
    let bytes = revoke(
        &network.town,
        &network.mediator,
        Extent::Operator(vec![cutoff]),
        "分叉",
    );
    take(&mut credentials, &bytes);
    assert!(credentials.counting(&last) != Counting::Counts);
    assert_eq!(
        credentials.counting(&header(&network.mediator, 2, day(9))),
        Counting::Counts
    );
}

#[test]
fn a_stranger_is_judged_by_the_chain_he_shows() {
    let network = Network::new();
    let chain = network.credentials().chain(network.node.id()).expect("known");
    // The city knows nothing below the counties yet.
    let mut city = Credentials::new((*network.city).clone()).expect("a root");
    take(&mut city, &network.county.signed().encode());
    let judge = |city: &Credentials, chain: &[Vec<u8>], name: &str| {
        city.judge_peer(chain, public(name), day(1))
            .map(|certified| certified.id())
    };
    assert_eq!(judge(&city, &chain, "node"), Ok(network.node.id()));
    assert!(city.certificate(network.node.id()).is_none());
    assert_eq!(
        judge(&city, &chain, "thief"),
        Err(PeerError::NotANode(network.node.id()))
    );
    assert_eq!(
        judge(&city, &chain[..4], "village"),
        Err(PeerError::NotANode(network.village.id()))
    );
    assert_eq!(judge(&city, &[], "node"), Err(PeerError::Length(0)));
    assert_eq!(
        judge(&city, &vec![chain[0].clone(); 10], "node"),
        Err(PeerError::Length(10))
    );
    let gap = [&chain[..2], &chain[3..]].concat();
    assert!(matches!(judge(&city, &gap, "node"), Err(PeerError::Chain(_))));
    for at in 0..chain.len() {
        // The last byte is the signature's; of what is known already, it is not looked at.
        let mut damaged = chain.clone();
        *damaged[at].last_mut().expect("not empty") ^= 1;
        assert_eq!(judge(&city, &damaged, "node").is_err(), at >= 2, "link {at}");
    }
    let other = found("other", "4509");
    let theirs = issued(&other, CertificateKind::Node, "node", "4509", 1);
    let foreign = [&*other, &*theirs].map(|link| link.signed().encode());
    assert!(matches!(
        judge(&city, &foreign, "node"),
        Err(PeerError::ForeignNetwork { .. })
    ));
    // A revocation above rules out what is not in the set.
    take(
        &mut city,
        &revoke(&network.city, &network.county, Extent::Authority(vec![]), "撤销"),
    );
    assert!(matches!(
        judge(&city, &chain, "node"),
        Err(PeerError::NotInForce {
            standing: Standing::CutOff(_),
            ..
        })
    ));
    assert!(matches!(
        network
            .credentials()
            .judge_peer(&chain, public("node"), day(2000)),
        Err(PeerError::NotInForce {
            standing: Standing::Expired,
            ..
        })
    ));
}
