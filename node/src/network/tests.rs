//! Two nodes whose clocks are apart, in one process, on real connections.

use std::time::{Duration, Instant};

use anjuan_sync::Timestamp;
use tempfile::TempDir;

use super::Settings;
use crate::enrol::Joining;
use crate::keys::KdfCost;
use crate::running::{self, Node};
use crate::service::call::{Passphrase, PeerAdd, SignRequest, Status};
use crate::service::enrolment::{grant_from_file, init, request};
use crate::service::setup::{Init, Request};
use crate::service::{Clock, Handle as _, Options, Service, system_clock, view};

const PASSPHRASE: &str = "玉州区东成社区 on the river";
const YEAR: i64 = 365 * 24 * 3_600_000;
const HOUR: i64 = 3_600_000;

fn long_ago() -> Timestamp {
    Timestamp::from_millis(system_clock().as_millis() - 7 * YEAR)
}

/// Years off, and yet within the validity of every certificate.
fn some_years_on() -> Timestamp {
    Timestamp::from_millis(system_clock().as_millis() + 4 * YEAR)
}

fn an_hour_ago() -> Timestamp {
    Timestamp::from_millis(system_clock().as_millis() - HOUR)
}

fn options(clock: Clock) -> Options {
    Options {
        kdf: KdfCost::reduced_for_tests(),
        clock,
    }
}

fn passphrase() -> Passphrase {
    Passphrase(PASSPHRASE.to_owned())
}

/// A city and a county that joined it, with clocks that were right then.
fn homes() -> (TempDir, TempDir) {
    let [city, county] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let founding = Init {
        unit: "4509".parse().expect("a unit code"),
        name: None,
        passphrase: passphrase(),
    };
    init(city.path(), &founding, options(system_clock)).expect("founded");
    let ask = Request {
        unit: "450902".parse().expect("a unit code"),
        joining: Joining::NewUnit,
        passphrase: Some(passphrase()),
    };
    let asked = request(county.path(), &ask, options(system_clock)).expect("asked");
    let service = Service::open(city.path(), options(system_clock), &mut |_| {}).expect("opened");
    let sign = SignRequest {
        request: asked.request,
        dry_run: false,
        passphrase: Some(passphrase()),
    };
    let signed = service.handle(sign, &mut |_| {}).expect("signed");
    let grant = hex::decode(signed.grant.expect("a grant")).expect("hexadecimal");
    grant_from_file(county.path(), &grant).expect("joined");
    (city, county)
}

async fn start(home: &TempDir, clock: Clock) -> Node {
    let service = Service::open(home.path(), options(clock), &mut |_| {}).expect("opened");
    let settings = Settings {
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        peers: Vec::new(),
        witnesses: Vec::new(),
        witness_for: Vec::new(),
        mdns: false,
    };
    Node::start(service, settings, false).await.expect("started")
}

fn status(node: &Node) -> view::Status {
    node.service()
        .handle(Status { scope: None }, &mut |_| {})
        .expect("a status")
}

/// The statuses of city and county once both are as wanted.
fn when(
    (city, county): (Clock, Clock),
    wanted: impl Fn(&view::Status, &view::Status) -> bool,
) -> (view::Status, view::Status) {
    let (at_city, at_county) = homes();
    running::runtime().expect("a runtime").block_on(async {
        let city = start(&at_city, city).await;
        let county = start(&at_county, county).await;
        let address = status(&city).addresses.remove(0);
        let add = PeerAdd { address };
        county.service().handle(add, &mut |_| {}).expect("kept");
        let began = Instant::now();
        let seen = loop {
            let seen = (status(&city), status(&county));
            if wanted(&seen.0, &seen.1) {
                break seen;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{seen:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        county.stop().await;
        city.stop().await;
        seen
    })
}

fn year(time: Timestamp) -> String {
    super::clock::shown(time)[..4].to_owned()
}

fn warned(status: &view::Status, words: &[&str]) -> bool {
    let mut warnings = status.warnings.iter();
    warnings.any(|warning| {
        words
            .iter()
            .all(|word| warning.en.contains(word) && warning.zh.contains(word))
    })
}

#[test]
fn a_clock_that_is_off_by_years_is_said_with_both_times() {
    let wanted = |_: &view::Status, county: &view::Status| {
        county.peers.first().is_some_and(|peer| peer.last_error.is_some())
    };
    let (_, county) = when((system_clock, long_ago), wanted);
    let (then, now) = (year(long_ago()), year(system_clock()));
    let error = county.peers[0].last_error.clone().expect("just seen");
    for text in [&error.zh, &error.en] {
        assert!(text.contains(&then) && text.contains(&now), "{error:?}");
    }
    assert!(error.en.contains("set this node's clock"), "{error:?}");
    assert!(error.zh.contains("请校准本节点时钟"), "{error:?}");
    assert!(warned(&county, &[&then, &now]), "{:?}", county.warnings);
    assert!(!county.peers[0].connected);
}

#[test]
fn nothing_is_refused_for_a_clock_within_the_validity_of_certificates() {
    let level = |city: &view::Status, county: &view::Status| {
        let level = |status: &view::Status| status.peers.iter().any(|peer| peer.level);
        level(city) && level(county)
    };
    let (city, county) = when((system_clock, some_years_on), level);
    let years = [year(system_clock()), year(some_years_on())];
    for status in [&city, &county] {
        assert!(warned(status, &[&years[0], &years[1]]), "{:?}", status.warnings);
    }
    let (city, county) = when((system_clock, an_hour_ago), level);
    for status in [&city, &county] {
        assert!(
            warned(status, &["20"]),
            "an hour is worth a warning: {:?}",
            status.warnings
        );
    }
    let (city, county) = when((system_clock, system_clock), level);
    assert_eq!((city.warnings, county.warnings), (vec![], vec![]));
}
