//! One process on one home, and one node on one port.

use std::net::TcpListener;

use anjuan_tests::harness::{Anjuan, Family, Node, Snapshot, VILLAGE};

#[test]
fn a_second_node_on_the_same_home_is_refused() {
    let mut family = Family::at_rest("second");
    family.start(VILLAGE);
    let village = family.anjuan(VILLAGE);
    let refusal = village.refusal(&["serve", "--listen", "/ip4/127.0.0.1/tcp/0"]);
    assert_eq!((refusal.code, refusal.kind.as_str()), (7, "busy"), "{refusal:?}");
    let home = village.home().display().to_string();
    assert!(
        refusal.message.contains(&home) && refusal.message.contains("in use"),
        "{refusal:?}"
    );
    assert!(refusal.hint.contains("stop"), "{refusal:?}");
    // The first one goes on as if nothing had been.
    assert_eq!(village.answer(&["status"])["running"], true);
    family.stop(VILLAGE);
    assert_eq!(family.anjuan(VILLAGE).answer(&["status"])["running"], false);
}

#[test]
fn a_port_that_is_taken_is_said_and_nothing_is_left_behind() {
    let family = Family::at_rest("port");
    let village = family.anjuan(VILLAGE);
    let before = Snapshot::of(village.home());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its number").port().to_string();
    let refusal = village.refusal(&["serve", "--listen", &format!("/ip4/127.0.0.1/tcp/{port}")]);
    assert_eq!((refusal.code, refusal.kind.as_str()), (7, "busy"), "{refusal:?}");
    assert!(refusal.message.contains(&port), "{refusal:?}");
    assert!(refusal.hint.contains("--listen"), "{refusal:?}");
    assert!(
        !village.home().join("api.json").exists(),
        "an endpoint of a node that never ran"
    );
    assert_eq!(
        before.differences(&Snapshot::of(village.home())),
        Vec::<String>::new()
    );
    drop(taken);
    assert_eq!(
        Node::start(village, &[]).anjuan().answer(&["status"])["running"],
        true
    );
}

#[test]
fn an_address_to_listen_on_that_is_none_is_said() {
    let family = Family::at_rest("address");
    let refusal = family
        .anjuan(VILLAGE)
        .refusal(&["serve", "--listen", "127.0.0.1:4509"]);
    assert_eq!((refusal.code, refusal.kind.as_str()), (2, "usage"), "{refusal:?}");
    assert!(refusal.message.contains("127.0.0.1:4509"), "{refusal:?}");
}

#[test]
fn a_folder_that_is_no_home_is_said() {
    let folder = anjuan_tests::harness::Folder::new("empty");
    for args in [&["status"][..], &["serve"], &["case", "list"], &["verify"]] {
        let refusal = Anjuan::at(folder.path()).refusal(args);
        assert_eq!(
            (refusal.code, refusal.kind.as_str()),
            (3, "not-found"),
            "{args:?}: {refusal:?}"
        );
        assert!(
            refusal.hint.contains("init") && refusal.hint.contains("join"),
            "{args:?}: {refusal:?}"
        );
    }
    assert!(
        Snapshot::of(folder.path()).is_empty(),
        "looking at a folder wrote to it"
    );
}
