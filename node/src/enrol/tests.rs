use anjuan_sync::hash::sha256;
use anjuan_sync::{NetworkId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::authority::certificate::CertificateKind;
use crate::authority::credentials::{Credentials, Offered};
use crate::authority::testing::{Network, TestRng, bit_flips, code, cuts, day, public};
use crate::keys::{NodeKey, Unlocked};
use crate::unit::divisions::Divisions;

fn rng(seed: u64) -> TestRng {
    TestRng::new(seed)
}

fn ticket(network: &Network, unit: &str, joining: Joining, seed: u64) -> Ticket {
    Ticket::issue(
        network.city.network(),
        code(unit),
        joining,
        vec![
            "/ip4/10.0.0.1/tcp/4509".into(),
            "/ip4/10.0.0.1/udp/4509/quic-v1".into(),
        ],
        public("parent node"),
        day(20),
        &mut rng(seed),
    )
    .expect("a ticket")
}

/// A village that wants to join, with the keys it made.
struct Joiner {
    node: NodeKey,
    authority: Unlocked,
}

impl Joiner {
    fn new(seed: u64) -> Self {
        Self {
            node: NodeKey::generate(&mut rng(seed)),
            authority: Unlocked::for_tests(&format!("authority {seed}")),
        }
    }

    fn form<'a>(&'a self, unit: &str, joining: Joining, ticket: Option<&'a Ticket>) -> JoinForm<'a> {
        JoinForm {
            unit: code(unit),
            label: "自报名称".into(),
            node: &self.node,
            authority: (joining == Joining::NewUnit).then_some(&self.authority),
            ticket,
            auditor: joining == Joining::Auditor,
        }
    }

    fn request(&self, unit: &str, joining: Joining, ticket: Option<&Ticket>) -> JoinRequest {
        JoinRequest::sign(&self.form(unit, joining, ticket)).expect("a request")
    }
}

const TERMS: Terms = Terms {
    now: Timestamp::from_millis(1_700_000_000_000 + 10 * 24 * 3_600_000),
    not_after: Timestamp::from_millis(1_700_000_000_000 + 900 * 24 * 3_600_000),
};

/// Grants as the node of the authority that goes by this name.
fn granted(
    network: &Network,
    by: &str,
    request: &JoinRequest,
    approval: &Approval,
) -> Result<JoinGrant, GrantError> {
    let authority = Unlocked::for_tests(by);
    let credentials = network.credentials();
    grant(
        request,
        approval,
        &authority,
        &credentials,
        Divisions::official(),
        TERMS,
    )
    .map(|(grant, _)| grant)
}

const VILLAGE: &str = "450902001002";

#[test]
fn a_village_joins_with_a_ticket() {
    let network = Network::new();
    let mut parent = network.credentials();
    let mut book = TicketBook::default();
    let written = ticket(&network, VILLAGE, Joining::NewUnit, 1);
    book.open(&written, day(9)).expect("room");
    assert_eq!(book.pending(day(9)).count(), 1);

    // The joiner has the line, and nothing else.
    let read: Ticket = written.to_text().parse().expect("a ticket");
    assert_eq!(read, written);
    let joiner = Joiner::new(2);
    let request = joiner.request(VILLAGE, Joining::NewUnit, Some(&read)).encode();

    // The parent.
    let request = JoinRequest::decode(&request).expect("well-formed and proven");
    let Ok(Redeemed::Approved(approval)) = book.redeem(&request, day(10)) else {
        panic!("the ticket is open")
    };
    let (answer, issued) = grant(
        &request,
        &approval,
        &Unlocked::for_tests("town"),
        &parent,
        Divisions::official(),
        TERMS,
    )
    .expect("granted");
    book.mark_used(&request, issued.iter().map(|certified| certified.id()).collect());
    for certified in &issued {
        assert!(matches!(
            parent.offer(&certified.signed().encode()),
            Offered::New(_)
        ));
    }
    let answer = answer.encode();

    // The joiner.
    let answer = JoinGrant::decode(&answer).expect("well-formed");
    let joined = answer
        .accept(&request, Trust::Network(read.network()))
        .expect("answers the request");
    assert_eq!(joined.node.certificate().label(), "北辰社区居委会");
    assert_eq!(
        joined.node.certificate().seal_key(),
        Some(joiner.node.seal_public())
    );
    let authority = joined.authority.expect("a new unit");
    assert_eq!(authority.certificate().subject(), joiner.authority.public());
    assert_eq!(authority.certificate().kind(), CertificateKind::Authority);
    assert!(
        joined
            .credentials
            .is_node(joiner.node.public(), day(10))
            .is_some()
    );
    // A clock that is hours behind does not lock it out.
    assert!(
        authority
            .certificate()
            .is_valid_at(Timestamp::from_millis(day(10).as_millis() - 3_600_000))
    );

    // The answer was lost: the same joiner asks again and gets the same; nobody else gets anything.
    let Ok(Redeemed::Again(ids)) = book.redeem(&request, day(30)) else {
        panic!("asked again")
    };
    assert_eq!(JoinGrant::assemble(&parent, &ids), Some(answer));
    let other = Joiner::new(3).request(VILLAGE, Joining::NewUnit, Some(&read));
    assert_eq!(book.redeem(&other, day(10)), Err(RedeemError::Used));
    assert_eq!(book.pending(day(9)).count(), 0);
}

#[test]
fn a_standby_gets_a_node_certificate_alone() {
    let network = Network::new();
    let joiner = Joiner::new(2);
    let request = joiner.request("450902001", Joining::Standby, None);
    let approval = request.approve(request.fingerprint()).expect("confirmed");
    let grant = granted(&network, "town", &request, &approval).expect("its own unit may");
    let joined = grant.accept(&request, Trust::Bearer).expect("good");
    assert!(joined.authority.is_none());
    assert_eq!(
        joined.node.issuer().map(|issuer| issuer.id()),
        Some(network.town.id())
    );
}

#[test]
fn an_auditors_node_is_certified_as_one_and_nothing_else() {
    let network = Network::new();
    let joiner = Joiner::new(2);
    let request = joiner.request("450902001", Joining::Auditor, None);
    assert_eq!(JoinRequest::decode(&request.encode()), Ok(request.clone()));
    assert_eq!(request.joining(), Joining::Auditor);
    let approval = request.approve(request.fingerprint()).expect("confirmed");
    let grant = granted(&network, "town", &request, &approval).expect("its own unit may");
    let joined = grant.accept(&request, Trust::Bearer).expect("good");
    assert!(joined.authority.is_none());
    assert!(joined.node.certificate().is_auditors_node());
    // A ticket for the one is none for the other, and neither takes the other's certificate for its own.
    let standby = joiner.request("450902001", Joining::Standby, None);
    assert!(grant.accept(&standby, Trust::Bearer).is_err());
    let approval = standby.approve(standby.fingerprint()).expect("confirmed");
    let full = granted(&network, "town", &standby, &approval).expect("its own unit may");
    assert!(full.accept(&request, Trust::Bearer).is_err());
    let mut form = joiner.form("450902001", Joining::NewUnit, None);
    form.auditor = true;
    assert_eq!(
        JoinRequest::sign(&form),
        Err(RequestError::Role),
        "an auditor's node has no authority"
    );
}

/// With no network: the request goes on a stick, a person compares the numbers, the grant comes back.
#[test]
fn a_committee_joins_by_files() {
    let network = Network::new();
    let joiner = Joiner::new(2);
    let file = joiner.request("450902-01", Joining::NewUnit, None).encode();
    let request = JoinRequest::decode(&file).expect("well-formed");
    let shown = request.fingerprint().to_string();
    assert_eq!(shown.len(), 29);
    let swapped = Joiner::new(3).request("450902-01", Joining::NewUnit, None);
    let typed: Fingerprint = shown.replace(' ', "-").parse().expect("a fingerprint");
    assert_eq!(swapped.approve(typed), Err(NotConfirmed(swapped.fingerprint())));
    let approval = request.approve(typed).expect("the same");
    assert_eq!(
        granted(&network, "county", &swapped, &approval),
        Err(GrantError::NotApproved)
    );
    let grant = granted(&network, "county", &request, &approval).expect("granted");
    let joined = grant.accept(&request, Trust::Bearer).expect("good");
    assert_eq!(joined.node.certificate().label(), "自报名称");
    assert_eq!(joined.credentials.network(), network.city.network());
    let other = Fingerprint::of_network(NetworkId::from_bytes([1; 32]));
    assert_ne!(Fingerprint::of_network(joined.credentials.network()), other);
}

#[test]
fn a_ticket_lets_in_once_in_time_and_for_what_it_says() {
    let network = Network::new();
    let mut book = TicketBook::default();
    let ours = ticket(&network, VILLAGE, Joining::NewUnit, 1);
    book.open(&ours, day(9)).expect("room");
    let joiner = Joiner::new(2);
    let redeem = |request: &JoinRequest, time| book.redeem(request, time).map(|_| ());
    let good = joiner.request(VILLAGE, Joining::NewUnit, Some(&ours));
    assert_eq!(redeem(&good, day(19)), Ok(()));
    assert_eq!(redeem(&good, day(20)), Err(RedeemError::Expired));
    let foreign = ticket(&network, VILLAGE, Joining::NewUnit, 7);
    let request = joiner.request(VILLAGE, Joining::NewUnit, Some(&foreign));
    assert_eq!(redeem(&request, day(10)), Err(RedeemError::Unknown));
    let request = joiner.request(VILLAGE, Joining::NewUnit, None);
    assert_eq!(redeem(&request, day(10)), Err(RedeemError::NoTicket));
    for (unit, joining) in [("450902001003", Joining::NewUnit), (VILLAGE, Joining::Standby)] {
        let request = joiner.request(unit, joining, Some(&ours));
        assert_eq!(redeem(&request, day(10)), Err(RedeemError::Mismatch));
    }
    // Past for 30 days, it is forgotten when the next is opened.
    let next = ticket(&network, VILLAGE, Joining::NewUnit, 8);
    book.open(&next, day(51)).expect("room");
    assert_eq!(book.redeem(&good, day(51)), Err(RedeemError::Unknown));
}

#[test]
fn grants_are_for_known_units_below_and_for_this_network() {
    let network = Network::new();
    let joiner = Joiner::new(2);
    let result = |by: &str, unit: &str, joining, ticket: Option<&Ticket>| {
        let request = joiner.request(unit, joining, ticket);
        let approval = request.approve(request.fingerprint()).expect("confirmed");
        granted(&network, by, &request, &approval).map(|_| ())
    };
    assert_eq!(result("county", VILLAGE, Joining::NewUnit, None), Ok(()));
    assert!(matches!(
        result("town", "450902001099", Joining::NewUnit, None),
        Err(GrantError::UnknownUnit(_))
    ));
    for (by, unit, joining) in [
        ("town", "450902001", Joining::NewUnit),
        ("town", "450902002", Joining::NewUnit),
        ("beside", VILLAGE, Joining::Standby),
        ("village", "450902001", Joining::Standby),
    ] {
        assert!(
            matches!(result(by, unit, joining, None), Err(GrantError::NotBelow { .. })),
            "{by} {unit}"
        );
    }
    assert!(matches!(
        result("mediator", VILLAGE, Joining::NewUnit, None),
        Err(GrantError::NoAuthority(_))
    ));
    let foreign = Ticket::issue(
        NetworkId::from_bytes([9; 32]),
        code(VILLAGE),
        Joining::NewUnit,
        vec!["/ip4/10.0.0.1/tcp/1".into()],
        public("x"),
        day(20),
        &mut rng(1),
    )
    .expect("a ticket");
    assert!(matches!(
        result("town", VILLAGE, Joining::NewUnit, Some(&foreign)),
        Err(GrantError::ForeignNetwork { .. })
    ));
}

#[test]
fn a_joiner_takes_only_the_answer_to_its_own_request() {
    let network = Network::new();
    let request = Joiner::new(2).request(VILLAGE, Joining::NewUnit, None);
    let approval = request.approve(request.fingerprint()).expect("confirmed");
    let answer = granted(&network, "town", &request, &approval).expect("granted");
    let accept = |request: &JoinRequest, trust| answer.accept(request, trust).map(|_| ());
    let ours = Trust::Network(network.city.network());
    assert_eq!(accept(&request, ours), Ok(()));
    assert!(matches!(
        accept(&request, Trust::Network(NetworkId::from_bytes([1; 32]))),
        Err(AcceptError::ForeignNetwork { .. })
    ));
    for other in [
        Joiner::new(3).request(VILLAGE, Joining::NewUnit, None),
        Joiner::new(2).request("450902001003", Joining::NewUnit, None),
    ] {
        assert_eq!(
            accept(&other, ours),
            Err(AcceptError::Missing(CertificateKind::Node))
        );
    }
    let bytes = answer.encode();
    let good =
        |bytes: &[u8]| JoinGrant::decode(bytes).is_ok_and(|grant| grant.accept(&request, ours).is_ok());
    assert!(good(&bytes));
    // A bit of each byte: every certificate costs curve arithmetic.
    assert!(!bit_flips(&bytes).step_by(8).any(|changed| good(&changed)));
    assert!(!cuts(&bytes).step_by(7).any(good));
}

#[test]
fn every_typo_in_a_ticket_is_named_as_one() {
    let network = Network::new();
    let text = ticket(&network, VILLAGE, Joining::NewUnit, 1).to_text();
    for at in "anjuan1".len()..text.len() {
        for other in ['a', 'z', '2', '7'] {
            let mut typo = text.clone();
            typo.replace_range(at..=at, &other.to_string());
            if *typo != *text {
                assert_eq!(typo.parse::<Ticket>(), Err(TicketError::Typo), "character {at}");
            }
        }
        assert!(matches!(
            text[..at].parse::<Ticket>(),
            Err(TicketError::Typo | TicketError::Content(_))
        ));
    }
    let mut zero = text.clone();
    zero.replace_range(9..10, "0");
    assert_eq!(
        zero.parse::<Ticket>(),
        Err(TicketError::Character {
            character: '0',
            position: 10
        })
    );
    assert_eq!("hello".parse::<Ticket>(), Err(TicketError::NotATicket));
    assert_eq!(
        text.replacen('1', "9", 1).parse::<Ticket>(),
        Err(TicketError::Newer)
    );
    let loud = format!("  {}\n", text.to_ascii_uppercase());
    assert!(loud.parse::<Ticket>().is_ok());
    let wrapped = format!("{}\r\n {}", &text[..100], &text[100..]);
    assert!(wrapped.parse::<Ticket>().is_ok());
}

#[test]
fn neither_book_nor_request_gives_the_ticket_away() {
    let network = Network::new();
    let ticket = ticket(&network, VILLAGE, Joining::NewUnit, 1);
    let mut book = TicketBook::default();
    book.open(&ticket, day(1)).expect("room");
    let request = Joiner::new(2)
        .request(VILLAGE, Joining::NewUnit, Some(&ticket))
        .encode();
    // The first random bytes of the seed are the secret's.
    let mut secret = [0; 32];
    rand::Rng::fill_bytes(&mut rng(1), &mut secret);
    let key = ticket.key();
    for bytes in [book.encode(), request, format!("{ticket:?}").into_bytes()] {
        for secret in [&secret, key.as_bytes()] {
            assert!(!bytes.windows(8).any(|window| window == &secret[..8]));
        }
    }
}

#[test]
fn a_request_holds_as_it_was_signed_and_in_no_other_way() {
    let network = Network::new();
    let ticket = ticket(&network, VILLAGE, Joining::NewUnit, 1);
    let joiner = Joiner::new(2);
    let bytes = joiner.request(VILLAGE, Joining::NewUnit, Some(&ticket)).encode();
    assert!(JoinRequest::decode(&bytes).is_ok());
    assert!(!bit_flips(&bytes).any(|changed| JoinRequest::decode(&changed).is_ok()));
    assert!(!cuts(&bytes).any(|cut| JoinRequest::decode(cut).is_ok()));
    let mut form = joiner.form(VILLAGE, Joining::Standby, None);
    form.label = "a\nb".into();
    assert_eq!(JoinRequest::sign(&form), Err(RequestError::Label));
    let same = Unlocked::from_key_for_tests(joiner.node.signing_key().clone());
    form.label = "x".into();
    form.authority = Some(&same);
    assert_eq!(JoinRequest::sign(&form), Err(RequestError::SameKey));
}

#[test]
fn the_encodings_are_pinned() {
    let network = Network::new();
    let ticket = ticket(&network, VILLAGE, Joining::NewUnit, 1);
    let request = Joiner::new(2).request(VILLAGE, Joining::NewUnit, Some(&ticket));
    let mut book = TicketBook::default();
    book.open(&ticket, day(9)).expect("room");
    book.mark_used(&request, vec![network.node.id()]);
    let approval = request.approve(request.fingerprint()).expect("confirmed");
    let grant = granted(&network, "town", &request, &approval).expect("granted");
    let digest = |bytes: &[u8]| sha256(bytes).to_string();
    assert_eq!(
        [
            digest(ticket.to_text().as_bytes()),
            digest(&request.encode()),
            digest(&book.encode()),
            digest(&grant.encode()),
            request.fingerprint().to_string(),
        ],
        [
            "aaea121dc5cf5160b5939c2ec578a6c947d407debefd6bbc1785af1355bb61ab",
            "66bfb28466fc153eadd5ac198cdd7bde92987117ef64e58bf6171a8136b29cec",
            "a90ca2941d5ba1f14ed5bc5675d25c61fbf46be815f9d023f1c0ed4dbee76b47",
            "cb55ea6dd5072c636c178563b0018d60b28afd23d780210302fd507f8d5b8b01",
            "86262 73396 35451 31758 06019"
        ]
    );
}

#[test]
fn a_book_is_bounded_and_read_as_it_was_written() {
    let network = Network::new();
    let first = ticket(&network, VILLAGE, Joining::NewUnit, 0);
    let joiner = Joiner::new(2);
    let mut book = TicketBook::default();
    book.open(&first, day(9)).expect("room");
    book.mark_used(
        &joiner.request(VILLAGE, Joining::NewUnit, Some(&first)),
        vec![network.node.id(), network.village.id()],
    );
    let bytes = book.encode();
    assert_eq!(TicketBook::decode(&bytes), Ok(book.clone()));
    assert!(!bit_flips(&bytes).any(|changed| TicketBook::decode(&changed).as_ref() == Ok(&book)));
    for seed in 1..MAX_TICKETS as u64 {
        book.open(&ticket(&network, VILLAGE, Joining::Standby, seed), day(9))
            .expect("room");
    }
    let more = ticket(&network, VILLAGE, Joining::Standby, u64::MAX);
    assert_eq!(book.open(&more, day(9)), Err(BookError::Full));
    assert_eq!(TicketBook::decode(&book.encode()), Ok(book));
}

proptest! {
    #[test]
    fn no_bytes_and_no_text_panic(bytes: Vec<u8>, text in "\\PC{0,200}", body in "[a-z2-7]{0,400}") {
        drop(JoinRequest::decode(&bytes));
        drop(JoinGrant::decode(&bytes));
        drop(TicketBook::decode(&bytes));
        drop(text.parse::<Ticket>());
        drop(format!("anjuan1{body}").parse::<Ticket>());
        let _ = text.parse::<Fingerprint>();
    }

    #[test]
    fn fingerprints_are_read_as_shown(bytes: [u8; 32]) {
        let fingerprint = Fingerprint::of_network(NetworkId::from_bytes(bytes));
        prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }
}

/// What the joiner starts with is what its parent has of its line.
#[test]
fn the_joiners_credentials_level_with_its_parents() {
    let network = Network::new();
    let request = Joiner::new(2).request(VILLAGE, Joining::NewUnit, None);
    let approval = request.approve(request.fingerprint()).expect("confirmed");
    let grant = granted(&network, "town", &request, &approval).expect("granted");
    let joined = grant.accept(&request, Trust::Bearer).expect("good");
    let mut parent: Credentials = network.credentials();
    for bytes in joined.credentials.in_order() {
        assert!(matches!(parent.offer(&bytes), Offered::New(_) | Offered::Known));
    }
}
