//! What peers are told while the disk fails.

use anjuan_sync::replica::{ReplicaError, Status};
use tempfile::TempDir;

use super::*;
use crate::authority::role::Role;
use crate::keys::KdfCost;
use crate::service::call::{Handle as _, OperatorAdd, Passphrase};
use crate::service::enrolment::init;
use crate::service::setup::Init;
use crate::service::{ErrorKind, Options, ServiceError, system_clock, view};

const PASSPHRASE: &str = "玉州区东成社区 on the river";

fn passphrase() -> Passphrase {
    Passphrase(PASSPHRASE.to_owned())
}

/// A city's node in a new home.
fn city() -> (Service, TempDir) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let options = Options {
        kdf: KdfCost::reduced_for_tests(),
        clock: system_clock,
    };
    let founding = Init {
        unit: "4509".parse().expect("a unit code"),
        name: None,
        passphrase: passphrase(),
    };
    init(home.path(), &founding, options).expect("founded");
    let service = Service::open(home.path(), options, &mut |_| {}).expect("opened");
    (service, home)
}

fn add(service: &Service, handle: &str) -> Result<view::Operator, ServiceError> {
    let call = OperatorAdd {
        handle: handle.to_owned(),
        label: handle.to_owned(),
        roles: vec![Role::Mediator],
        valid_days: 100,
        passphrase: passphrase(),
        authority_passphrase: Some(passphrase()),
    };
    service.handle(call, &mut |_| {})
}

/// Where the store stands, as a peer is told.
fn told(service: &Service) -> Result<Status, ReplicaError> {
    let mut status = None;
    let scope = service.ledger().scope().clone();
    let read = read_durable(service, &mut |replica| {
        status = Some(replica.status(&scope).expect("readable"));
    });
    read.map(|()| status.expect("just looked"))
}

#[test]
fn what_the_disk_did_not_take_is_told_to_nobody() {
    let (service, home) = city();
    let before = told(&service).expect("a disk that holds");

    // A disk that fails: the journal finds its folder gone.
    let (journal, away) = (home.path().join("journal"), home.path().join("away"));
    std::fs::rename(&journal, &away).expect("renamed");
    let refused = add(&service, "chen").expect_err("not acknowledged");
    assert_eq!(refused.kind, ErrorKind::Storage);
    for _ in 0..2 {
        let error = told(&service).expect_err("memory is ahead of the disk");
        assert!(error.to_string().contains("journal"), "{error}");
    }

    // It holds again: sessions go on by themselves, from what is durable.
    std::fs::rename(&away, &journal).expect("renamed back");
    assert_eq!(told(&service).expect("a disk that holds"), before);
    add(&service, "lin").expect("acknowledged");
    assert_ne!(told(&service).expect("a disk that holds"), before);
}
