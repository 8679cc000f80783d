//! Connections: who dials whom, what travels how fast, and what becomes of it.

use std::time::Duration;

use anjuan_node::ledger::{LedgerError, check};
use anjuan_sync::session::{CloseReason, Config, Event, Input, Limits, NotLevel, Now, Output, Role, Session};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::simulation::{Delivery, HOUR, Simulation, What};

/// Bytes that may wait to be written before a session is asked for no more: as in the real driver.
const UNSENT: u64 = 512 * 1024;
/// From a change of the store to the sessions that are told of it; several changes become one.
const COALESCED: Duration = Duration::from_millis(500);

/// One connection. Side 0 dialled.
pub(super) struct Link {
    pub(super) nodes: [usize; 2],
    sessions: [Option<Session>; 2],
    deadlines: [Duration; 2],
    /// When the last frame of this side is through.
    free_at: [Duration; 2],
    bits_per_second: u64,
    latency: Duration,
    pub(super) level: [bool; 2],
}

impl Simulation {
    /// Looks whom a node should be connected to: the unit above, or whoever is the next one up while that
    /// is not there.
    pub(super) fn dial(&mut self, node: usize) -> Result<(), LedgerError> {
        self.nodes[node].dials = false;
        if !self.nodes[node].is_reachable() {
            return Ok(());
        }
        let reachable = |at: &usize| self.nodes[*at].is_reachable();
        let Some(target) = self.roll.line(node).skip(1).find(reachable) else {
            return Ok(());
        };
        match self.nodes[node].uplink {
            Some((_, to)) if to == target => return Ok(()),
            Some((link, _)) => self.cut(link),
            None => {}
        }
        self.connect(node, target)
    }

    /// Has a node look soon, not all at the same moment.
    pub(super) fn dial_soon(&mut self, node: usize, within: Duration) {
        if self.roll.units[node].parent.is_some() && !self.nodes[node].dials {
            self.nodes[node].dials = true;
            let pause = within.mul_f64(self.net.random_range(0.1..1.0));
            self.after(pause, What::Dial { node });
        }
    }

    fn connect(&mut self, dialer: usize, listener: usize) -> Result<(), LedgerError> {
        let link = self.next_link();
        let mut session = |from: usize, to: usize, role| -> Result<Session, LedgerError> {
            let now = self.time(from);
            let node = &mut self.nodes[from];
            let config = Config {
                network: node.ledger().network(),
                scope: node.ledger().scope().clone(),
                certificate: self.roll.units[from].chain.clone(),
                peer: self.roll.units[to].node_key,
                gate: node.gate()?,
                cursor: node.cursors.get(&to).copied(),
                limits: Limits::default(),
                // The network is the simulator's: nobody has to wait for his turn.
                serving: None,
                pulling: None,
            };
            Ok(Session::new(config, role, now))
        };
        let sessions = [
            Some(session(dialer, listener, Role::Dialer)?),
            Some(session(listener, dialer, Role::Listener)?),
        ];
        let (a, b) = (&self.nodes[dialer], &self.nodes[listener]);
        let made = Link {
            nodes: [dialer, listener],
            sessions,
            deadlines: [Duration::MAX; 2],
            free_at: [self.now; 2],
            bits_per_second: a.bits_per_second.min(b.bits_per_second),
            latency: a.latency + b.latency,
            level: [false; 2],
        };
        self.links.insert(link, made);
        self.nodes[dialer].uplink = Some((link, listener));
        self.nodes[dialer].links.insert(link);
        self.nodes[listener].links.insert(link);
        self.tally.sessions += 1;
        for side in 0..2 {
            self.feed(link, side, Input::Connected);
        }
        Ok(())
    }

    /// The connection is gone, and what was on its way with it.
    pub(super) fn cut(&mut self, link: u64) {
        let Some(gone) = self.links.remove(&link) else {
            return;
        };
        for node in gone.nodes {
            self.nodes[node].links.remove(&link);
        }
        let dialer = gone.nodes[0];
        if self.nodes[dialer].uplink.is_some_and(|(of, _)| of == link) {
            self.nodes[dialer].uplink = None;
        }
    }

    /// All connections of a node are gone; those that dialled it look elsewhere.
    pub(super) fn cut_all(&mut self, node: usize) {
        for link in std::mem::take(&mut self.nodes[node].links) {
            let dialer = self.links.get(&link).map(|link| link.nodes[0]);
            self.cut(link);
            if let Some(dialer) = dialer.filter(|dialer| *dialer != node) {
                self.dial_soon(dialer, Duration::from_secs(90));
            }
        }
    }

    pub(super) fn hung_up(&mut self, link: u64) {
        let Some(dialer) = self.links.get(&link).map(|link| link.nodes[0]) else {
            return;
        };
        self.cut(link);
        self.dial_soon(dialer, Duration::from_secs(60));
    }

    fn time(&self, node: usize) -> Now {
        Now {
            elapsed: self.now,
            wall: self.nodes[node].wall(self.now),
        }
    }

    pub(super) fn feed(&mut self, link: u64, side: usize, input: Input) {
        let Some(at) = self.links.get_mut(&link) else {
            return;
        };
        let Some(session) = &mut at.sessions[side] else {
            return;
        };
        let node = &self.nodes[at.nodes[side]];
        let now = Now {
            elapsed: self.now,
            wall: node.wall(self.now),
        };
        session.handle(input, node.ledger(), now, &mut self.net);
        self.drain(link, side);
    }

    /// Passes on what a session puts out.
    pub(super) fn drain(&mut self, link: u64, side: usize) {
        loop {
            let Some(at) = self.links.get_mut(&link) else {
                return;
            };
            let Some(session) = &mut at.sessions[side] else {
                return;
            };
            let waiting = at.free_at[side].saturating_sub(self.now);
            if waiting.as_secs_f64() * at.bits_per_second as f64 / 8.0 > UNSENT as f64 {
                let half = self.now + waiting / 2;
                return self.schedule(half, What::Room { link, side });
            }
            match session.poll_output() {
                Output::Send(bytes) => {
                    let time = Duration::from_secs_f64(bytes.len() as f64 * 8.0 / at.bits_per_second as f64);
                    at.free_at[side] = at.free_at[side].max(self.now) + time;
                    let arrives = at.free_at[side] + at.latency;
                    self.tally.bytes_sent += bytes.len() as u64;
                    let side = 1 - side;
                    self.schedule(arrives, What::Frame { link, side, bytes });
                }
                Output::Deliver { token, records } => {
                    let node = at.nodes[side];
                    let takes = Duration::from_micros(1_000 + 400 * records.len() as u64);
                    let delivery = Delivery {
                        link,
                        side,
                        node,
                        life: self.nodes[node].life,
                        token,
                        records,
                    };
                    self.schedule(self.now + takes, What::Deliver(Box::new(delivery)));
                }
                // Nobody here asks for cosignatures.
                Output::Asked { .. } | Output::Answered(_) => {}
                Output::Event(event) => self.note(link, side, event),
                Output::Close(reason) => {
                    let arrives = at.free_at[side].max(self.now) + at.latency;
                    at.sessions[side] = None;
                    self.note_close(&reason);
                    return self.schedule(arrives, What::HungUp { link });
                }
                Output::WaitUntil(until) => {
                    if until < at.deadlines[side] || at.deadlines[side] <= self.now {
                        at.deadlines[side] = until;
                        if until < Duration::MAX {
                            self.schedule(until, What::Tick { link, side });
                        }
                    }
                    return;
                }
            }
        }
    }

    pub(super) fn tick(&mut self, link: u64, side: usize) {
        let Some(at) = self.links.get_mut(&link) else {
            return;
        };
        if at.deadlines[side] <= self.now {
            at.deadlines[side] = Duration::MAX;
            self.feed(link, side, Input::Tick);
        }
    }

    fn note(&mut self, link: u64, side: usize, event: Event) {
        let Some(at) = self.links.get_mut(&link) else {
            return;
        };
        let (node, peer) = (at.nodes[side], at.nodes[1 - side]);
        match event {
            Event::Cursor(cursor) => {
                self.nodes[node].cursors.insert(peer, cursor);
            }
            Event::Level => {
                at.level[side] = true;
                if side == 0 {
                    self.nodes[node].waits_for_level = false;
                }
            }
            Event::Repairing { .. } => {
                at.level[side] = false;
                self.tally.repairs += 1;
            }
            Event::Progress { .. } => at.level[side] = false,
            Event::NotLevel { why, .. } => {
                at.level[side] = false;
                self.tally.not_level += u64::from(why == NotLevel::NothingGained);
            }
            Event::ClockSkew { .. } => self.tally.skewed += 1,
            Event::PeerAccepted { .. } | Event::Beside { .. } | Event::Figures(_) => {}
        }
    }

    fn note_close(&mut self, reason: &CloseReason) {
        if !matches!(reason, CloseReason::Local | CloseReason::Bye(_)) {
            *self.tally.closes.entry(reason.to_string()).or_default() += 1;
        }
    }

    pub(super) fn frame(&mut self, link: u64, side: usize, bytes: Vec<u8>) -> Result<(), LedgerError> {
        self.feed(link, side, Input::Frame(bytes));
        Ok(())
    }

    /// A store takes in what came; it does so even when the connection is gone meanwhile.
    pub(super) fn deliver(&mut self, delivery: Delivery) -> Result<(), LedgerError> {
        let Delivery {
            link,
            side,
            node,
            life,
            token,
            records,
        } = delivery;
        if self.nodes[node].life != life || !self.nodes[node].is_running() {
            return Ok(());
        }
        let mut weights = StdRng::seed_from_u64(self.net.random());
        self.tally.delivered += records.len() as u64;
        let checked = check(records, &mut weights);
        let ledger = self.nodes[node].ledger_mut();
        let (taken, durable) = ledger.take(checked)?;
        durable.wait()?;
        ledger.settle_sealed(&taken.touched)?;
        let summary = taken.summary();
        self.tally.forged += u64::from(summary.forged);
        if summary.taken > 0 {
            self.changed(node);
        }
        self.feed(
            link,
            side,
            Input::Delivered {
                token,
                result: Ok(summary),
            },
        );
        Ok(())
    }

    /// Its store has changed: its sessions are told soon.
    pub(super) fn changed(&mut self, node: usize) {
        if !self.nodes[node].announces {
            self.nodes[node].announces = true;
            self.after(COALESCED, What::Announce { node });
        }
    }

    pub(super) fn announce(&mut self, node: usize) {
        self.nodes[node].announces = false;
        if !self.nodes[node].is_running() {
            return;
        }
        let changed = self.nodes[node].ledger_mut().take_changed();
        for link in self.nodes[node].links.clone() {
            let Some(at) = self.links.get(&link) else { continue };
            let side = usize::from(at.nodes[1] == node);
            // As in the real network: whoever shares nothing of it is not told.
            let [own, other] = [node, at.nodes[1 - side]].map(|at| self.nodes[at].ledger().scope());
            let shared = own.shared(other);
            if shared.is_some_and(|shared| changed.iter().any(|space| shared.holds(space))) {
                self.feed(link, side, Input::LocalChange);
            }
        }
    }

    /// Runs the network alone until nothing is under way and every connection is level on both sides;
    /// false if it is not by then.
    pub(super) fn settle(&mut self, patience: Duration) -> Result<bool, LedgerError> {
        let end = self.now + patience;
        loop {
            let up = self.links.values().all(|link| link.level == [true; 2]);
            let connected = self.nodes.iter().enumerate();
            let connected = connected
                .filter(|(at, _)| self.roll.units[*at].parent.is_some())
                .all(|(_, node)| node.uplink.is_some());
            if self.under_way == 0 && up && connected {
                return Ok(true);
            }
            if self.now >= end {
                return Ok(false);
            }
            let until = (self.now + HOUR / 60).min(end);
            while self.step(until)? {}
        }
    }
}
