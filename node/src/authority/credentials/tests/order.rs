//! What holds whatever the order of arrival.

use proptest::prelude::*;

use super::*;

/// Everything a replica computes from the set.
fn state(credentials: &Credentials, network: &Network) -> impl PartialEq + std::fmt::Debug + use<> {
    let headers: Vec<Header> = network
        .all()
        .iter()
        .flat_map(|certified| (1..6).map(|seq| header(certified, seq, day(9))))
        .collect();
    (
        credentials.items().clone(),
        credentials.in_order().collect::<Vec<_>>(),
        headers
            .iter()
            .map(|h| credentials.counting(h))
            .collect::<Vec<_>>(),
        network
            .all()
            .iter()
            .map(|c| {
                (
                    credentials.standing(c.id(), day(9)),
                    credentials.next_serial(c.id()),
                )
            })
            .collect::<Vec<_>>(),
        credentials.is_node(public("node"), day(9)).map(|c| c.id()),
        credentials.waiting(),
    )
}

fn everything(network: &Network) -> Vec<Vec<u8>> {
    let mut bytes: Vec<_> = network.all().iter().map(|c| c.signed().encode()).collect();
    let log = |seq| header(&network.mediator, seq, day(9));
    bytes.extend([
        cut_at(&network.village, &network.mediator, &log(4)),
        cut_at(&network.city, &network.mediator, &log(2)),
        cut_at(&network.town, &network.mediator, &log(3)),
        revoke(
            &network.county,
            &network.town,
            Extent::Authority(vec![network.village.id()]),
            "换发",
        ),
        revoke(&network.city, &network.beside, Extent::Authority(vec![]), "撤销"),
        revoke(&network.village, &network.node, Extent::Node, "报废"),
    ]);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The central property: the same credentials, in any order of arrival, some of them twice, make the
    /// same state; and another replica that takes them in their order has nothing waiting.
    #[test]
    fn any_order_of_arrival_makes_the_same_state(
        order in Just((0..13usize).collect::<Vec<_>>()).prop_shuffle(),
        again in proptest::collection::vec(0..13usize, 0..8),
    ) {
        let network = Network::new();
        let all = everything(&network);
        prop_assert_eq!(all.len(), 13);
        let set = |order: &mut dyn Iterator<Item = usize>| {
            let mut credentials = Credentials::new((*network.city).clone()).expect("a root");
            for at in order {
                credentials.offer(&all[at]);
            }
            credentials
        };
        let reference = set(&mut (0..13));
        let shuffled = set(&mut again.iter().copied().chain(order));
        prop_assert_eq!(state(&reference, &network), state(&shuffled, &network));
        let mut copy = Credentials::new((*network.city).clone()).expect("a root");
        for bytes in shuffled.in_order().skip(1) {
            prop_assert!(matches!(copy.offer(&bytes), Offered::New(_)));
        }
        prop_assert_eq!(copy.items(), reference.items());
        // A fresh difference is empty.
        for bytes in reference.in_order() {
            prop_assert_eq!(copy.offer(&bytes), Offered::Known);
        }
    }

    /// A credential more never makes an update count that did not.
    #[test]
    fn revocations_only_take_away(order in Just((0..6usize).collect::<Vec<_>>()).prop_shuffle(), seq in 1..6u64) {
        let network = Network::new();
        let mut credentials = network.credentials();
        let header = header(&network.mediator, seq, day(9));
        let mut counted = true;
        for at in order {
            credentials.offer(&everything(&network)[7 + at]);
            let counts = credentials.counting(&header) == Counting::Counts;
            prop_assert!(counted || !counts);
            counted = counts;
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let mut credentials = Credentials::new((*found("city", "4509")).clone()).expect("a root");
        let refused = matches!(credentials.offer(&bytes), Offered::Refused(_));
        prop_assert!(refused);
    }
}
