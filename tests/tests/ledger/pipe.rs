//! Two ledgers that take each other in through two sessions and a pipe in memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anjuan_node::ledger::Ledger;
use anjuan_sync::id::NodeKey;
use anjuan_sync::session::message::Hello;
use anjuan_sync::session::{Config, Event, Gate, Input, Limits, NotAdmitted, Now, Output, Role, Session};
use anjuan_sync::{Path, Timestamp};
use rand::rngs::StdRng;

use anjuan_tests::world::{NOW, take};

/// Lets in whoever names a path.
struct AnyPath;

impl Gate for AnyPath {
    fn admit(&self, _: &NodeKey, hello: &Hello, _: Timestamp) -> Result<Path, NotAdmitted> {
        String::from_utf8(hello.certificate.clone())
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| NotAdmitted("not a path".into()))
    }
}

fn config(ledger: &Ledger, peer: u8) -> Config {
    Config {
        network: ledger.network(),
        scope: ledger.scope().clone(),
        certificate: ledger.scope().unit().as_str().as_bytes().to_vec(),
        peer: NodeKey::from_bytes([peer; 32]),
        gate: Arc::new(AnyPath),
        cursor: None,
        limits: Limits::default(),
        serving: None,
        pulling: None,
    }
}

/// Runs two sessions until both sides say they are level.
pub(crate) fn level(ledgers: [&mut Ledger; 2], rng: &mut StdRng) {
    let mut elapsed = Duration::from_secs(1);
    let now = |elapsed| Now { elapsed, wall: NOW };
    let mut sessions = [
        Session::new(config(ledgers[0], 1), Role::Dialer, now(elapsed)),
        Session::new(config(ledgers[1], 0), Role::Listener, now(elapsed)),
    ];
    let mut inputs = [
        VecDeque::from([Input::Connected]),
        VecDeque::from([Input::Connected]),
    ];
    let mut said = [false; 2];
    let mut wakes = [elapsed; 2];
    for _ in 0..20_000 {
        for side in 0..2 {
            if let Some(input) = inputs[side].pop_front() {
                sessions[side].handle(input, &*ledgers[side], now(elapsed), rng);
            }
            loop {
                match sessions[side].poll_output() {
                    Output::Send(frame) => inputs[1 - side].push_back(Input::Frame(frame)),
                    Output::Deliver { token, records } => {
                        let summary = take(ledgers[side], records).summary();
                        inputs[side].push_back(Input::Delivered {
                            token,
                            result: Ok(summary),
                        });
                        if summary.taken > 0 {
                            said = [false; 2];
                            inputs[side].push_back(Input::LocalChange);
                        }
                    }
                    Output::Event(Event::Level) => said[side] = true,
                    Output::Event(Event::NotLevel { trees, why }) => {
                        panic!("not level in {trees:?}: {why:?}")
                    }
                    Output::Event(_) | Output::Asked { .. } | Output::Answered(_) => {}
                    Output::Close(reason) => panic!("closed: {reason:?}"),
                    Output::WaitUntil(time) => {
                        wakes[side] = time;
                        break;
                    }
                }
            }
        }
        if inputs.iter().all(VecDeque::is_empty) {
            if said == [true; 2] {
                return;
            }
            let side = usize::from(wakes[1] < wakes[0]);
            elapsed = elapsed.max(wakes[side]);
            inputs[side].push_back(Input::Tick);
        }
    }
    panic!("the sessions came to no end");
}
