//! How it goes with peers and the units below, and syncing at once.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use anjuan_sync::replica::{Position, Replica};
use anjuan_sync::session::{Behind, Figures};
use anjuan_sync::transport::PeerAddr;
use anjuan_sync::{LogState, Path, Reach, Scope};

use super::call::{Handle, Progress, SyncNow, SyncStatus};
use super::marks::Who;
use super::{ErrorKind, Service, ServiceError, instant, unit_view, view, words};
use crate::kind::Verdict;
use crate::network::{Changes, Row};
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;
use crate::unit::divisions::Divisions;

/// Between two looks while waiting for peers to be level.
const LOOK: Duration = Duration::from_millis(50);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Counting that takes longer takes at most a hundredth of the time, however often it is asked for: it opens
/// every document, and the unit's own work waits for some of that.
const SHORT_COUNT: Duration = Duration::from_millis(50);
const COUNT_SHARE: u32 = 100;

/// What the documents come to, counted one by one.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Of the journal, then.
    position: u64,
    /// When, and how long it took.
    counted: Option<(Instant, Duration)>,
    /// Documents by kind.
    pub(super) documents: BTreeMap<String, u64>,
    /// Updates that can't be applied.
    pub(super) idle: u64,
    /// Updates that certificates rule out.
    pub(super) quarantined: u64,
}

impl Service {
    /// Counts what the documents come to, unless that was done just now. The ledger is let go between them.
    pub(super) fn tally(&self) -> Result<Tally, ServiceError> {
        let position = self.ledger().journal_end();
        let known = super::lock(&self.0.tally).clone();
        if let Some(known) = known
            && let Some((at, took)) = known.counted
            && (known.position == position || (took > SHORT_COUNT && at.elapsed() < took * COUNT_SHARE))
        {
            return Ok(known);
        }
        let started = Instant::now();
        let mut tally = Tally {
            position,
            ..Tally::default()
        };
        for reach in [Reach::Up, Reach::Down] {
            let keys = self.ledger().documents(reach)?;
            for key in keys {
                let mut ledger = self.ledger();
                let Some((kind, _, idle)) = ledger.figures(&key)? else {
                    continue;
                };
                *tally
                    .documents
                    .entry(kind.unwrap_or_else(|| "?".into()))
                    .or_default() += 1;
                tally.idle += idle;
                let projection = ledger.projection(&key)?;
                let verdicts = projection.iter().flat_map(|projection| &projection.verdicts);
                tally.quarantined += verdicts
                    .filter(|verdict| matches!(verdict, Verdict::Quarantined(_)))
                    .count() as u64;
            }
        }
        tally.counted = Some((started, started.elapsed()));
        *super::lock(&self.0.tally) = Some(tally.clone());
        Ok(tally)
    }

    /// Peers with their sessions; those kept alone where the node does not run.
    pub(super) fn rows(&self) -> Vec<Row> {
        let kept = self.home().config().peers.clone();
        if let Some(network) = self.network() {
            return network.rows(&kept);
        }
        let idle = kept.iter().filter_map(|address| {
            let parsed: PeerAddr = address.parse().ok()?;
            Some(Row {
                key: parsed.key(),
                unit: None,
                view: super::peers::idle_peer(address)?,
                shared: None,
                figures: Figures::default(),
                next_attempt: None,
                kin: None,
            })
        });
        idle.collect()
    }

    /// How many records of `scope` come after a position.
    fn after(&self, scope: &Scope, position: Position) -> Result<u64, ServiceError> {
        let page = self.ledger().since(scope, position, 1);
        let page = page.map_err(|error| words::replica(&error))?;
        Ok(page.records.len() as u64 + page.remaining)
    }

    /// How many records a store has not taken in, as far as it said.
    fn lacks(&self, who: Who) -> Result<Option<u64>, ServiceError> {
        let epoch = self.ledger().epoch();
        let known = self.marks().get(who).and_then(|mark| {
            let has = mark.has.filter(|has| has.epoch == epoch)?;
            Some((Scope::of(mark.scope.clone()), has.position))
        });
        known
            .map(|(scope, position)| self.after(&scope, position))
            .transpose()
    }

    fn peer_views(&self, rows: Vec<Row>) -> Result<Vec<view::SyncPeer>, ServiceError> {
        rows.into_iter().map(|row| self.peer_view(row)).collect()
    }

    fn peer_view(&self, row: Row) -> Result<view::SyncPeer, ServiceError> {
        let lacks = match row.is_level() {
            true => Some(0),
            false => self.lacks(Who::Node(row.key))?,
        };
        let marked = self.marks().get(Who::Node(row.key)).cloned();
        let Row {
            mut view,
            figures,
            next_attempt,
            ..
        } = row;
        // Known from before this start.
        if let Some(mark) = marked {
            view.last_seen = view.last_seen.or(Some(instant(mark.heard)));
            let unit = || UnitCode::from_path(&mark.unit).ok().map(|code| unit_view(&code));
            view.unit = view.unit.or_else(unit);
        }
        Ok(view::SyncPeer {
            behind: match figures.behind {
                _ if !view.connected => None,
                Behind::Unknown => None,
                Behind::Level => Some(view::Behind { records: 0, bytes: 0 }),
                Behind::By { records, bytes } => Some(view::Behind { records, bytes }),
            },
            lacks,
            rate: figures.rate,
            round_trips: figures.round_trips,
            sent_bytes: figures.sent,
            received_bytes: figures.received,
            next_attempt: next_attempt.and_then(|time| jiff::Timestamp::try_from(time).ok()),
            peer: view,
        })
    }

    /// The units directly below, with what is held of them.
    fn children(&self, rows: &[Row]) -> Result<Vec<view::SyncChild>, ServiceError> {
        let own = self.0.unit.path();
        let mut held: BTreeMap<Path, (u64, u64)> = BTreeMap::new();
        let mut enrolled = BTreeSet::new();
        {
            let ledger = self.ledger();
            for (log, state) in ledger.logs().iter() {
                if log.space.reach == Reach::Up
                    && let Some(child) = child_of(&own, &log.space.unit)
                {
                    let (logs, updates) = held.entry(child).or_default();
                    *logs += 1;
                    *updates += LogState::counted(state);
                }
            }
            let now = self.now();
            let listed = Divisions::official().get(&self.0.unit);
            for code in listed.map_or(&[][..], |division| division.children()) {
                held.entry(code.path()).or_default();
            }
            for path in held.keys() {
                if ledger.credentials().nodes_of(path, now).next().is_some() {
                    enrolled.insert(path.clone());
                }
            }
        }
        let marks: Vec<_> = self
            .marks()
            .iter()
            .map(|(who, mark)| (who, mark.clone()))
            .collect();
        let mut children = Vec::new();
        for (path, (logs, updates)) in held {
            let Ok(code) = UnitCode::from_path(&path) else {
                continue;
            };
            let below = || marks.iter().filter(|(_, mark)| path.is_at_or_above(&mark.unit));
            let mut lacks = None;
            for (who, _) in below().filter(|(_, mark)| mark.unit == path) {
                lacks = [lacks, self.lacks(*who)?].into_iter().flatten().min();
            }
            let linked = rows
                .iter()
                .filter(|row| row.view.connected && row.unit.as_ref() == Some(&path));
            let level = linked.map(Row::is_level).reduce(|one, other| one || other);
            children.push(view::SyncChild {
                unit: unit_view(&code),
                enrolled: enrolled.contains(&path),
                updates,
                logs,
                connected: level.is_some(),
                level,
                lacks: if level == Some(true) { Some(0) } else { lacks },
                last_received: below().filter_map(|(_, mark)| mark.came).max().map(instant),
            });
        }
        Ok(children)
    }

    /// Is this peer level with what is here at this moment?
    fn is_level_now(&self, row: &Row) -> Result<bool, ServiceError> {
        let Some(shared) = row.shared.as_ref().filter(|_| row.is_level()) else {
            return Ok(false);
        };
        let status = self
            .ledger()
            .status(shared)
            .map_err(|error| words::replica(&error))?;
        // What was recorded a moment ago may not have been told yet.
        Ok(row.figures.said == Some(status.roots.together()))
    }

    fn wanted(&self, peer: Option<&str>) -> Result<Vec<Row>, ServiceError> {
        let mut rows = self.rows();
        let Some(peer) = peer else {
            rows.retain(|row| row.view.kept || row.view.connected);
            if rows.is_empty() {
                return Err(ServiceError::new(
                    ErrorKind::NotFound,
                    Text::new("没有可同步的节点", "there is no peer to sync with"),
                )
                .with_hint(Text::new(
                    "用 anjuan peer add 添加上级节点",
                    "add the node above with `anjuan peer add`",
                )));
            }
            return Ok(rows);
        };
        let unit: Option<Path> = peer.parse::<UnitCode>().ok().map(|code| code.path());
        rows.retain(|row| row.view.peer_id == peer || (unit.is_some() && row.unit == unit));
        if rows.is_empty() {
            return Err(ServiceError::new(
                ErrorKind::NotFound,
                text!("不认识节点 {peer}", "no peer {peer} is known"),
            )
            .with_hint(Text::new("用 anjuan peer list 查看", "see `anjuan peer list`")));
        }
        Ok(rows)
    }
}

/// The unit one level below `own` that `place` is at or below.
fn child_of(own: &Path, place: &Path) -> Option<Path> {
    let depth = own.depth() + 1;
    place
        .ancestors()
        .chain([place.clone()])
        .find(|path| path.depth() == depth && own.is_at_or_above(path))
}

impl Handle<SyncStatus> for Service {
    fn handle(&self, _: SyncStatus, _: &mut dyn FnMut(Progress)) -> Result<view::SyncStatus, ServiceError> {
        let rows = self.rows();
        let children = self.children(&rows)?;
        let peers = self.peer_views(rows)?;
        let tally = self.tally()?;
        let ledger = self.ledger();
        Ok(view::SyncStatus {
            unit: unit_view(&self.0.unit),
            running: self.network().is_some(),
            peers,
            children,
            waiting: ledger.waiting() as u64,
            idle: tally.idle,
            quarantined: tally.quarantined,
            evidence: ledger.counts().evidence,
            forks: super::status::forks(&ledger),
            stopped: ledger
                .stopped()
                .map(|stopped| Text::new(words::halted(&stopped), stopped.to_string())),
        })
    }
}

impl Handle<SyncNow> for Service {
    fn handle(
        &self,
        call: SyncNow,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<view::SyncNow, ServiceError> {
        let Some(network) = self.network() else {
            return Err(ServiceError::new(
                ErrorKind::Network,
                Text::new("节点没有运行", "the node does not run"),
            )
            .with_hint(Text::new(
                "先运行 anjuan serve;没有网络时用 anjuan bundle",
                "start it with `anjuan serve`; where there is no network use `anjuan bundle`",
            )));
        };
        let started = Instant::now();
        let wait = Duration::from_secs(call.wait_seconds.into()).min(LONGEST_WAIT);
        let began: BTreeMap<_, _> = self
            .wanted(call.peer.as_deref())?
            .into_iter()
            .map(|row| (row.key, row))
            .collect();
        for row in began.values().filter(|row| !row.view.connected && row.view.kept) {
            if let Some(address) = row.view.address.as_ref().and_then(|address| address.parse().ok()) {
                network.keep(address);
            }
        }
        network.announce(Changes::Anywhere);
        loop {
            let rows: Vec<_> = self
                .rows()
                .into_iter()
                .filter(|row| began.contains_key(&row.key))
                .collect();
            let mut level = true;
            let mut step = Progress { done: 0, total: 0 };
            for row in &rows {
                level &= self.is_level_now(row)?;
                let before = began.get(&row.key).map_or(0, |before| before.figures.records);
                let done = row.figures.records.saturating_sub(before);
                step.done += done;
                step.total += done;
                if let Behind::By { records, .. } = row.figures.behind {
                    step.total += records;
                }
            }
            progress(step);
            if level || started.elapsed() >= wait {
                return Ok(view::SyncNow {
                    level,
                    peers: self.peer_views(rows)?,
                    millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                });
            }
            thread::sleep(LOOK.min(wait.saturating_sub(started.elapsed())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_belongs_to_one_unit_directly_below() {
        let path = |text: &str| text.parse::<Path>().expect("a path");
        let own = path("4509/02");
        let child = |place: &str| child_of(&own, &path(place)).map(|path| path.to_string());
        assert_eq!(child("4509/02/001").as_deref(), Some("4509/02/001"));
        assert_eq!(child("4509/02/001/007").as_deref(), Some("4509/02/001"));
        assert_eq!(child("4509/02"), None);
        assert_eq!(child("4509/03/001"), None);
    }
}
