//! What goes wrong: links, storms, nodes that are off, disks replaced by old backups, a stolen key, an
//! operator who is dismissed. All of it is drawn at the beginning.

use std::time::Duration;

use anjuan_node::authority::revocation::{Cutoff, Extent, Revocation};
use anjuan_node::authority::role::Role;
use anjuan_node::document::{Document, actor, document_id};
use anjuan_node::ledger::{LedgerError, check};
use anjuan_node::unit::Level;
use anjuan_sync::replica::Record;
use anjuan_sync::update::{HEADER_VERSION, RawHeader, payload_hash};
use anjuan_sync::{Header, LogId, LogState, SignedUpdate, Space};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::Plan;
use super::events;
use super::node::{Backup, Restoring};
use super::simulation::{DAY, HOUR, MINUTE, Simulation, What};
use super::tally::Forgery;

/// Something that goes wrong, or is right again.
#[derive(Debug)]
pub(super) enum Fault {
    Cut(usize),
    Mended(usize),
    Off(usize),
    On {
        node: usize,
        restarts: bool,
    },
    BackUp {
        node: usize,
        restored: Duration,
        how: Restoring,
    },
    Restore {
        node: usize,
        backup: Box<Backup>,
        how: Restoring,
    },
    Forge,
    Dismiss,
}

fn log_uniform(rng: &mut StdRng, from: Duration, to: Duration) -> Duration {
    let (from, to) = (from.as_secs_f64().ln(), to.as_secs_f64().ln());
    Duration::from_secs_f64(rng.random_range(from..to).exp())
}

/// A time within the part of the run that is left after the beginning is set up.
fn some_time(rng: &mut StdRng, time: Duration) -> Duration {
    time.mul_f64(rng.random_range(0.05..0.95))
}

impl Simulation {
    /// Draws all faults of a run of this length.
    pub(super) fn draw_weather(&mut self, plan: Plan, time: Duration) {
        let mut rng = StdRng::seed_from_u64(plan.seed ^ 0x7765_6174_6865_7200);
        let hardship = plan.hardship.max(1);
        for node in 0..self.nodes.len() {
            self.draw_node(&mut rng, node);
            self.draw_link(&mut rng, node, time, hardship);
            self.draw_outages(&mut rng, node, time, hardship);
        }
        let counties: Vec<usize> = self.units_of(Level::County).collect();
        for county in counties {
            for _ in 0..often(&mut rng, time, 40 * DAY / hardship) {
                self.draw_storm(&mut rng, county, time);
            }
        }
        self.draw_restores(&mut rng, time, hardship);
        for _ in 0..(1 + plan.cases / 6_000) * hardship {
            let at = some_time(&mut rng, time);
            self.schedule(at, What::Fault(Fault::Forge));
        }
        for _ in 0..hardship {
            let at = time.mul_f64(rng.random_range(0.3..0.7));
            self.schedule(at, What::Fault(Fault::Dismiss));
        }
    }

    fn units_of(&self, level: Level) -> impl Iterator<Item = usize> + '_ {
        let units = self.roll.units.iter().enumerate();
        units
            .filter(move |(_, unit)| unit.code.level() == level)
            .map(|(at, _)| at)
    }

    fn draw_node(&mut self, rng: &mut StdRng, node: usize) {
        let rates: &[u64] = match self.roll.units[node].code.level() {
            Level::Village => &[64_000, 256_000, 1_000_000, 4_000_000],
            _ => &[10_000_000, 50_000_000],
        };
        let at = &mut self.nodes[node];
        at.bits_per_second = rates[rng.random_range(0..rates.len())];
        at.latency = Duration::from_millis(rng.random_range(5..150));
        if rng.random_bool(0.05) {
            at.skew_ms = rng.random_range(-86_400_000..86_400_000);
        }
    }

    /// Single failures; some villages have a link for an hour a week.
    fn draw_link(&mut self, rng: &mut StdRng, node: usize, time: Duration, hardship: u32) {
        if self.roll.units[node].code.level() == Level::Village && rng.random_bool(0.04) {
            self.schedule(Duration::ZERO, What::Fault(Fault::Cut(node)));
            let mut at = (7 * DAY).mul_f64(rng.random_range(0.0..1.0));
            while at < time {
                self.schedule(at, What::Fault(Fault::Mended(node)));
                self.schedule(at + HOUR, What::Fault(Fault::Cut(node)));
                at += 7 * DAY;
            }
            // At the end it has one for good.
            self.schedule(time.max(at) + HOUR, What::Fault(Fault::Mended(node)));
        }
        for _ in 0..often(rng, time, 25 * DAY / hardship) {
            let at = some_time(rng, time);
            let lasts = log_uniform(rng, MINUTE, 12 * HOUR);
            self.outage(node, at, lasts);
        }
    }

    fn outage(&mut self, node: usize, at: Duration, lasts: Duration) {
        self.schedule(at, What::Fault(Fault::Cut(node)));
        self.schedule(at + lasts, What::Fault(Fault::Mended(node)));
    }

    /// A node is off: a town or county for days, a village for hours.
    fn draw_outages(&mut self, rng: &mut StdRng, node: usize, time: Duration, hardship: u32) {
        let (every, lasts) = match self.roll.units[node].code.level() {
            Level::Village => (120 * DAY, (HOUR, DAY)),
            Level::City => (200 * DAY, (6 * HOUR, DAY)),
            _ => (60 * DAY, (6 * HOUR, 4 * DAY)),
        };
        for _ in 0..often(rng, time, every / hardship) {
            let at = some_time(rng, time);
            let lasts = log_uniform(rng, lasts.0, lasts.1);
            self.schedule(at, What::Fault(Fault::Off(node)));
            let restarts = rng.random_bool(0.5);
            self.schedule(at + lasts, What::Fault(Fault::On { node, restarts }));
        }
    }

    /// A storm cuts most links of a county for a day or two; they come back one after the other.
    fn draw_storm(&mut self, rng: &mut StdRng, county: usize, time: Duration) {
        let begins = some_time(rng, time);
        let ends = begins + DAY.mul_f64(rng.random_range(1.0..2.0));
        for node in 0..self.nodes.len() {
            if self.roll.line(node).any(|at| at == county) && rng.random_bool(0.8) {
                let from = begins + HOUR.mul_f64(rng.random_range(0.0..6.0));
                let to = ends + HOUR.mul_f64(rng.random_range(0.0..1.0));
                self.outage(node, from, to - from);
            }
        }
    }

    fn draw_restores(&mut self, rng: &mut StdRng, time: Duration, hardship: u32) {
        let below: Vec<usize> = (0..self.nodes.len())
            .filter(|at| matches!(self.roll.units[*at].code.level(), Level::Village | Level::Town))
            .collect();
        let days = time.as_secs() / DAY.as_secs();
        let count = (2 + self.nodes.len() as u64 * days / 7_300) * u64::from(hardship);
        for n in 0..count {
            let node = below[rng.random_range(0..below.len())];
            let at = time.mul_f64(rng.random_range(0.1..0.7));
            let restored = at + time.mul_f64(rng.random_range(0.02..0.2));
            let how = match n % 4 {
                2 => Restoring::Machine,
                3 => Restoring::MachineInUse,
                _ => Restoring::Copy,
            };
            self.schedule(at, What::Fault(Fault::BackUp { node, restored, how }));
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) -> Result<(), LedgerError> {
        match fault {
            Fault::Cut(node) => {
                self.nodes[node].cut += 1;
                if self.nodes[node].cut == 1 {
                    self.tally.link_failures += 1;
                    self.cut_all(node);
                }
            }
            Fault::Mended(node) => {
                self.nodes[node].cut -= 1;
                self.look_around(node);
            }
            Fault::Off(node) => {
                self.nodes[node].off += 1;
                self.cut_all(node);
            }
            Fault::On { node, restarts } => {
                self.nodes[node].off -= 1;
                // The whole store of a county is read in seconds; of a city's every start would tell.
                if restarts && self.roll.units[node].path.depth() > 2 {
                    self.tally.restarts += 1;
                    let fresh = self.fresh();
                    self.nodes[node].restart(fresh)?;
                }
                self.look_around(node);
            }
            Fault::BackUp { node, restored, how } => {
                let backup = Box::new(self.nodes[node].back_up());
                self.schedule(restored, What::Fault(Fault::Restore { node, backup, how }));
            }
            Fault::Restore { node, backup, how } => self.put_back(node, *backup, how)?,
            Fault::Forge => self.forge()?,
            Fault::Dismiss => self.dismiss()?,
        }
        Ok(())
    }

    /// A node is there again: it looks for whom to connect to, and so do those below it.
    fn look_around(&mut self, node: usize) {
        if !self.nodes[node].is_reachable() {
            return;
        }
        self.dial_soon(node, MINUTE);
        let mut below = self.roll.units[node].children.clone();
        while let Some(child) = below.pop() {
            let skips = match self.nodes[child].uplink {
                Some((_, to)) => self.roll.units[to].path.depth() < self.roll.units[node].path.depth(),
                None => self.nodes[child].is_reachable(),
            };
            if skips {
                self.dial_soon(child, 3 * MINUTE);
            }
            below.extend(&self.roll.units[child].children);
        }
    }

    fn put_back(&mut self, node: usize, backup: Backup, how: Restoring) -> Result<(), LedgerError> {
        self.cut_all(node);
        self.tally.restores += 1;
        let home = self.folder.path().join(format!("{node}-{}", self.tally.restores));
        let fresh = self.fresh();
        self.nodes[node].restore(backup, how, &home, fresh)?;
        // Whoever restores a node has the certificates of its people at hand.
        let staff = self.roll.units[node].operators.iter();
        let staff = staff.map(|operator| operator.certified.signed().encode());
        self.nodes[node].take_credentials(staff.collect())?;
        for promised in 0..self.acknowledged.len() {
            if self.acknowledged[promised].node == node && !self.is_anywhere(promised)? {
                self.acknowledged[promised].lost_by_restore = true;
            }
        }
        self.look_around(node);
        Ok(())
    }

    /// Does any node that holds its space have what was acknowledged?
    fn is_anywhere(&self, promised: usize) -> Result<bool, LedgerError> {
        let promised = &self.acknowledged[promised];
        let holders = self
            .nodes
            .iter()
            .filter(|node| node.ledger().scope().holds(&promised.log.space));
        for node in holders {
            let head = node.ledger().head_at(&promised.log, promised.seq)?;
            if head.is_some_and(|head| head.id == promised.id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A thief signs a second update for a place that the owner of the key writes at the same time, and
    /// brings it to the county.
    fn forge(&mut self) -> Result<(), LedgerError> {
        if self.is_over {
            return Ok(());
        }
        let villages: Vec<usize> = self.units_of(Level::Village).collect();
        let village = villages[self.tales.random_range(0..villages.len())];
        let county = self
            .roll
            .line(village)
            .nth(2)
            .expect("a village is below a county");
        let mediator = self.roll.units[village].operators[0].clone();
        let log = LogId {
            space: Space::up(self.roll.units[village].path.clone()),
            author: mediator.author,
            epoch: self.nodes[village].ledger().epochs().current,
        };
        let state = self.nodes[village].ledger().logs().state(&log).copied();
        let there = self.nodes[county].ledger().logs().state(&log).copied();
        let ready = state == there && self.nodes[village].is_running() && self.nodes[county].is_running();
        let (Some(LogState::Whole(head)), true) = (state, ready) else {
            self.after(HOUR, What::Fault(Fault::Forge));
            return Ok(());
        };
        // The owner's, by the usual way.
        let wall = self.nodes[village].wall(self.now);
        let event = |rng: &mut StdRng| events::event("CaseRegistered", rng, wall).expect("known");
        let (own, forged) = (event(&mut self.tales), event(&mut self.tales));
        let before = self.acknowledged.len();
        self.record(village, &mediator, log.space.clone(), None, own)?;
        let written = self.acknowledged.get(before);
        if written.is_none_or(|written| (&written.log, written.seq) != (&log, head.seq + 1)) {
            self.after(HOUR, What::Fault(Fault::Forge));
            return Ok(());
        }
        let created = Document::create("case", &actor(&log.author, &log.epoch), &forged);
        let (_, payload, _) = created.expect("an event fits");
        let raw = RawHeader {
            version: HEADER_VERSION,
            network: self.nodes[village].ledger().network(),
            space: log.space.clone(),
            author: log.author,
            epoch: log.epoch,
            seq: head.seq + 1,
            previous: Some(head.id),
            document: document_id(&log.space, &log.author, &log.epoch, &payload_hash(&payload)),
            payload_hash: payload_hash(&payload),
            payload_length: u32::try_from(payload.len()).expect("some hundred bytes"),
            certificate: mediator.certificate(),
            recorded_at: wall,
            continues: None,
            bracket: None,
        };
        let header = Header::try_from(raw).expect("a header");
        let update = SignedUpdate::sign(header, payload, &mediator.key).expect("signed");
        let records = vec![Record::Update(update.into_inner())];
        let mut weights = StdRng::seed_from_u64(self.net.random());
        let ledger = self.nodes[county].ledger_mut();
        let (taken, durable) = ledger.take(check(records, &mut weights))?;
        durable.wait()?;
        assert_eq!(taken.summary().taken, 1, "the county has the place before it");
        self.forgeries.push(Forgery {
            log,
            seq: head.seq + 1,
            unit: village,
            branches: vec![before],
        });
        self.changed(county);
        Ok(())
    }

    /// A town dismisses a village's chair while the village has no link; what the chair signs until the
    /// village hears of it arrives afterwards.
    fn dismiss(&mut self) -> Result<(), LedgerError> {
        if self.is_over {
            return Ok(());
        }
        let busy: Vec<usize> = self.busy_villages();
        let retry = What::Fault(Fault::Dismiss);
        if busy.is_empty() {
            self.after(6 * HOUR, retry);
            return Ok(());
        }
        let village = busy[self.tales.random_range(0..busy.len())];
        let town = self.roll.units[village]
            .parent
            .expect("a village is below a town");
        let chair = self.roll.units[village].operators[1].clone();
        if self.roll.units[village].operators.len() > 2 {
            // Somebody was dismissed here already.
            self.after(6 * HOUR, retry);
            return Ok(());
        }
        if !self.nodes[town].is_running() || !self.nodes[village].is_running() {
            self.after(6 * HOUR, retry);
            return Ok(());
        }
        let logs = self.nodes[town].ledger().logs().iter();
        let cutoffs =
            logs.filter(|(log, _)| log.author == chair.author)
                .filter_map(|(log, state)| match state {
                    LogState::Whole(head) => Some(Cutoff {
                        space: log.space.clone(),
                        epoch: log.epoch,
                        head: *head,
                    }),
                    LogState::Forked { .. } => None,
                });
        let extent = Extent::Operator(cutoffs.collect());
        let above = &self.roll.units[town];
        let wall = self.nodes[town].wall(self.now);
        let revocation = Revocation::sign(
            &above.authority,
            &above.authority_key,
            &chair.certified,
            extent,
            "免职".to_owned(),
            wall,
        );
        let revocation = revocation.expect("a town may").signed().encode();
        // Until the village hears of it, it goes on.
        let lasts = DAY.mul_f64(self.tales.random_range(3.0..8.0));
        self.outage(village, self.now, lasts);
        self.nodes[town].take_credentials(vec![revocation])?;
        self.changed(town);
        self.tally.revocations += 1;
        let name = format!("successor/{}/{}", self.tally.revocations, chair.author);
        let successor = self.roll.units[village].appoint(&name, &[Role::Chair, Role::Mediator]);
        let certificate = successor.certified.signed().encode();
        self.nodes[village].take_credentials(vec![certificate])?;
        self.roll.units[village].operators.push(successor);
        Ok(())
    }
}

/// How often something happens that does so once in `every` on average.
fn often(rng: &mut StdRng, time: Duration, every: Duration) -> u32 {
    let mean = time.as_secs_f64() / every.as_secs_f64();
    let whole = mean.floor();
    whole as u32 + u32::from(rng.random_bool(mean - whole))
}
