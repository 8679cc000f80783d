//! Real nodes on links as villages have them: network namespaces with a pair of virtual interfaces between
//! them, shaped by `tc tbf` and cut with `ip link set down`.
//!
//! Needs root and iproute2; where namespaces or shaping can't be had, a line says so and nothing is tested.
#![cfg(target_os = "linux")]

use std::thread;
use std::time::{Duration, Instant};

use anjuan_tests::bench::Pair;
use anjuan_tests::harness::Folder;

use self::net::Net;
use self::node::Node;

mod net;
mod node;

/// A line on which a page of 64 KiB takes some seconds, and one on which it takes none.
const THIN: &str = "64kbit";
const WIDE: &str = "1mbit";
/// Only a hang takes longer.
const PATIENCE: Duration = Duration::from_secs(150);
/// What may cross the link twice because of one cut: the two pages that may be on their way, of at most
/// 64 KiB each before compression, and the greetings of a new connection.
const TWICE: u64 = 64 * 1024;

/// Asks until something is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} until {what}");
        thread::sleep(Duration::from_millis(200));
    }
    eprintln!("{:?} until {what}", began.elapsed());
}

/// A village with cases below, its town without above, the link between them.
struct Line {
    net: Net,
    village: Node,
    town: Node,
    _folder: Folder,
}

impl Line {
    /// Both nodes run, and the village dials. Nothing where that can't be tried here.
    fn of(rate: &str, cases: usize) -> Option<Self> {
        let net = match Net::new(rate) {
            Ok(net) => net,
            Err(why) => {
                eprintln!("SKIPPED: no network namespaces with shaped links here: {why}");
                return None;
            }
        };
        let folder = Folder::new("netns");
        let pair = Pair::made(folder.path(), cases).expect("two homes");
        let address = format!("/ip4/{}/tcp/4509/p2p/{}", net.upper(), pair.town_peer);
        let town = Node::serve(net.above(), &pair.town, &pair.unit, &net.upper(), None);
        let village = Node::serve(
            net.below(),
            &pair.village,
            &pair.unit,
            &net.lower(),
            Some(&address),
        );
        Some(Self {
            net,
            village,
            town,
            _folder: folder,
        })
    }

    fn is_level(&self) -> bool {
        let digest = self.village.digest();
        digest.is_some() && digest == self.town.digest()
    }
}

#[test]
fn a_catch_up_that_a_cut_link_interrupts_goes_on_where_it_stopped() {
    let Some(line) = Line::of(WIDE, 40) else { return };
    until("both are level over a link that holds", || line.is_level());
    let needed = line.net.sent();
    drop(line);

    let Some(line) = Line::of(THIN, 40) else { return };
    until("most of it is there", || line.net.sent() > needed * 6 / 10);
    line.net.cut();
    assert!(!line.is_level(), "nothing was left to be interrupted");
    until("both have noticed", || {
        !line.village.is_connected() && !line.town.is_connected()
    });
    line.net.restore();
    until("both are level all the same", || line.is_level());
    let sent = line.net.sent();
    assert!(
        sent < needed + TWICE,
        "{sent} bytes with a cut, {needed} without one"
    );
}

#[test]
fn a_link_that_fails_every_ten_seconds_still_gets_there() {
    let Some(line) = Line::of(THIN, 40) else { return };
    let mut changed = Instant::now();
    let mut is_up = true;
    let mut failures = 0;
    until("both are level", || {
        let lasts = Duration::from_secs(if is_up { 10 } else { 2 });
        if changed.elapsed() >= lasts {
            match is_up {
                true => {
                    line.net.cut();
                    failures += 1;
                }
                false => line.net.restore(),
            }
            (changed, is_up) = (Instant::now(), !is_up);
        }
        line.is_level()
    });
    assert!(failures > 0, "the link never failed");
}
