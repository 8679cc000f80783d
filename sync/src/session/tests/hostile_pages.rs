//! Pages that no honest peer sends, and stores that cannot take them.

use super::hostile::{Victim, head, page_of};
use super::sim::{NETWORK, path};
use crate::id::{CertificateId, NetworkId};
use crate::path::Space;
use crate::replica::Record;
use crate::replica::conformance::{Author, Subject};
use crate::session::message::Message;
use crate::session::{CloseReason, Input, Token, Violation, page};

#[test]
fn pages_are_checked_before_they_are_delivered() {
    let mut writer = Author::new(
        5,
        NETWORK,
        Space::up(path("4509/02/001")),
        CertificateId::from_bytes([0; 32]),
    );
    let update = Record::Update(writer.write("honest"));
    let mut elsewhere = Author::new(
        5,
        NETWORK,
        Space::up(path("4509/02/002")),
        CertificateId::from_bytes([0; 32]),
    );
    let outside = Record::Update(elsewhere.write("not shared"));
    let bomb = page::compress(&vec![0; 30_000_000]);
    let bomb = |length| Message::Page {
        id: 0,
        length,
        body: bomb.clone(),
    };
    let is_page = |violation: &Violation| matches!(violation, Violation::Page(_));
    type Check<'a> = &'a dyn Fn(&Violation) -> bool;
    let position: Check<'_> = &|violation| *violation == Violation::Position;
    let scope: Check<'_> = &|violation| *violation == Violation::OutOfScope;
    let unsolicited: Check<'_> = &|violation| *violation == Violation::Unsolicited;
    let cases: Vec<(Vec<Message>, Check<'_>)> = vec![
        (vec![head(0, 1, 1, 0), bomb(1000)], &is_page),
        (vec![head(0, 1, 1, 0), bomb(u32::MAX)], &is_page),
        (
            vec![head(0, 1, 2, 0), page_of(0, std::slice::from_ref(&update))],
            &is_page,
        ),
        (vec![head(0, 1, 1, 0), page_of(0, &[outside])], scope),
        (vec![page_of(0, &[update])], unsolicited),
        (vec![head(0, 0, 1, 5)], position),
        (vec![head(0, 7, 0, 0)], position),
        (vec![head(0, 1, 0, 5)], position),
        (vec![head(0, 1, 1, 0), head(0, 2, 1, 0)], position),
    ];
    for (messages, check) in cases {
        let mut victim = Victim::streaming();
        for message in &messages {
            victim.say(message);
        }
        assert!(victim.delivered.is_empty());
        let violation = victim.violation();
        assert!(check(&violation), "{violation}");
    }
}

#[test]
fn forged_records_end_the_session() {
    let mut victim = Victim::streaming();
    let foreign = NetworkId::from_bytes([7; 32]);
    let mut writer = Author::new(
        5,
        foreign,
        Space::up(path("4509/02/001")),
        CertificateId::from_bytes([0; 32]),
    );
    victim.say(&head(0, 1, 1, 0));
    victim.say(&page_of(0, &[Record::Update(writer.write("of another network"))]));
    let (token, records) = victim.delivered.pop().expect("a delivery");
    let summary = Subject::take(&mut victim.replica, records);
    victim.feed(Input::Delivered {
        token,
        result: Ok(summary),
    });
    assert_eq!(victim.violation(), Violation::Forged { count: 1 });
}

#[test]
fn a_store_that_fails_ends_the_session() {
    let mut victim = Victim::open();
    let token = Token(0);
    victim.feed(Input::Delivered {
        token,
        result: Err("disk full".into()),
    });
    assert_eq!(victim.closed, Some(CloseReason::StoreFailed("disk full".into())));
}
