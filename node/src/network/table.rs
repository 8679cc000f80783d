//! Who is connected, and how it goes with them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anjuan_sync::session::{Behind, Figures};
use anjuan_sync::transport::{LinkControl, PeerAddr, Role, key_peer};
use anjuan_sync::{NodeKey, Path, Scope};
use tokio::sync::watch;

use crate::service::view;
use crate::text::Text;
use crate::unit::UnitCode;

/// Peers remembered after their link ended. Only certified peers and those that this node dialled are.
const MAX_REMEMBERED: usize = 4096;

#[derive(Debug, Default)]
struct Peer {
    address: Option<String>,
    /// This node dialled it, so it is none that a stranger made up.
    dialled: bool,
    unit: Option<Path>,
    /// Ends the link that is there.
    link: Option<watch::Sender<bool>>,
    level: bool,
    last_seen: Option<SystemTime>,
    last_error: Option<Text>,
    skew_seconds: Option<i64>,
    received: u64,
    /// What both hold.
    shared: Option<Scope>,
    /// Of the session under way, or the last one.
    figures: Figures,
    /// When it is dialled again.
    next_attempt: Option<SystemTime>,
}

/// Where a peer stands to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kin {
    /// Above.
    Parent,
    /// Another node of the same unit.
    Mirror,
    /// Below.
    Child,
    /// Not in line: a witness, or one that is witnessed here.
    Beside,
}

impl Kin {
    pub(crate) const ALL: [Self; 4] = [Self::Parent, Self::Mirror, Self::Child, Self::Beside];

    fn of(peer: &Path, own: &Path) -> Self {
        match (peer == own, peer.is_at_or_above(own)) {
            (true, _) => Self::Mirror,
            (false, true) => Self::Parent,
            (false, false) if own.is_at_or_above(peer) => Self::Child,
            (false, false) => Self::Beside,
        }
    }
}

/// Sums over all sessions since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) round_trips: u64,
    pub(crate) sessions: u64,
}

/// A peer as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) key: NodeKey,
    /// The unit, once known.
    pub(crate) unit: Option<Path>,
    pub(crate) view: view::Peer,
    pub(crate) shared: Option<Scope>,
    pub(crate) figures: Figures,
    pub(crate) next_attempt: Option<SystemTime>,
    pub(crate) kin: Option<Kin>,
}

impl Row {
    /// Has each taken in all that the other has?
    pub(crate) fn is_level(&self) -> bool {
        self.view.connected && self.figures.behind == Behind::Level && self.figures.peer_is_level
    }
}

/// All peers known since the start.
#[derive(Debug)]
pub(super) struct Table {
    own: Path,
    peers: BTreeMap<NodeKey, Peer>,
    totals: BTreeMap<Kin, Totals>,
    /// Sessions that ended because one side refused the other, or broke the protocol.
    refused: u64,
    /// Attempts to reach a peer that failed.
    unreached: u64,
}

impl Table {
    /// An empty one at the node of `own`.
    pub(super) fn new(own: Path) -> Self {
        Self {
            own,
            peers: BTreeMap::new(),
            totals: BTreeMap::new(),
            refused: 0,
            unreached: 0,
        }
    }

    /// The session with a peer got so far.
    pub(super) fn figures(&mut self, key: NodeKey, figures: Figures) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let before = std::mem::replace(&mut peer.figures, figures);
        let Some(unit) = &peer.unit else { return };
        let totals = self.totals.entry(Kin::of(unit, &self.own)).or_default();
        totals.sent += figures.sent.saturating_sub(before.sent);
        totals.received += figures.received.saturating_sub(before.received);
        totals.round_trips += u64::from(figures.round_trips.saturating_sub(before.round_trips));
    }

    /// A session ended because one side refused the other.
    pub(super) fn refused(&mut self) {
        self.refused += 1;
    }

    /// Sums, sessions refused, and attempts that failed.
    pub(super) fn totals(&self) -> (BTreeMap<Kin, Totals>, u64, u64) {
        (self.totals.clone(), self.refused, self.unreached)
    }

    /// A peer was not reached, and is dialled again after the pause.
    pub(super) fn not_reached(&mut self, key: NodeKey, retry_in: Duration) {
        self.unreached += 1;
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.next_attempt = SystemTime::now().checked_add(retry_in);
        }
    }

    /// A link was made. The receiver turns true when the link is to be closed.
    pub(super) fn connected(&mut self, control: &LinkControl) -> watch::Receiver<bool> {
        let (close, closing) = watch::channel(false);
        let peer = self.peers.entry(control.peer()).or_default();
        peer.address = Some(control.address().to_string());
        peer.dialled = control.role() == Role::Dialer;
        peer.link = Some(close);
        peer.level = false;
        peer.figures = Figures::default();
        peer.next_attempt = None;
        closing
    }

    /// The peer was let in.
    pub(super) fn accepted(&mut self, key: NodeKey, unit: Path, shared: Option<Scope>) {
        self.totals.entry(Kin::of(&unit, &self.own)).or_default().sessions += 1;
        let peer = self.peers.entry(key).or_default();
        peer.unit = Some(unit);
        // With one beside there is nothing to be level in.
        peer.level = shared.is_none();
        peer.shared = shared;
        peer.last_error = None;
        peer.skew_seconds = None;
        peer.last_seen = Some(SystemTime::now());
    }

    pub(super) fn level(&mut self, key: NodeKey, level: bool) {
        let peer = self.peers.entry(key).or_default();
        peer.level = level;
        peer.last_seen = Some(SystemTime::now());
    }

    /// What the last session with each peer has done.
    pub(super) fn all_figures(&self) -> Vec<(NodeKey, Figures)> {
        let peers = self.peers.iter();
        peers.map(|(key, peer)| (*key, peer.figures)).collect()
    }

    pub(super) fn skewed(&mut self, key: NodeKey, seconds: i64) {
        self.peers.entry(key).or_default().skew_seconds = Some(seconds);
    }

    pub(super) fn received(&mut self, key: NodeKey, count: u64) {
        let peer = self.peers.entry(key).or_default();
        peer.received += count;
        peer.last_seen = Some(SystemTime::now());
    }

    pub(super) fn failed(&mut self, key: NodeKey, error: Text) {
        if self.peers.len() < MAX_REMEMBERED || self.peers.contains_key(&key) {
            self.peers.entry(key).or_default().last_error = Some(error);
        }
    }

    /// The link that `closing` belongs to ended.
    pub(super) fn ended(&mut self, key: NodeKey, closing: &watch::Receiver<bool>, error: Option<Text>) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        // A newer link may have taken its place.
        if peer
            .link
            .as_ref()
            .is_some_and(|link| link.subscribe().same_channel(closing))
        {
            peer.link = None;
            peer.level = false;
            if error.is_some() {
                peer.last_error = error;
            }
        }
        if peer.unit.is_none() && peer.link.is_none() && !peer.dialled {
            self.peers.remove(&key);
        }
    }

    pub(super) fn close(&mut self, key: NodeKey) {
        if let Some(link) = self.peers.get(&key).and_then(|peer| peer.link.as_ref()) {
            link.send_replace(true);
        }
    }

    pub(super) fn close_all(&mut self) {
        for peer in self.peers.values() {
            if let Some(link) = &peer.link {
                link.send_replace(true);
            }
        }
    }

    /// Kept peers first, in the order of the configuration, then the others.
    pub(super) fn rows(&self, kept: &[String]) -> Vec<Row> {
        let kept: Vec<(NodeKey, &String)> = kept
            .iter()
            .filter_map(|text| Some((text.parse::<PeerAddr>().ok()?.key(), text)))
            .collect();
        let nobody = Peer::default();
        let row = |key: NodeKey, peer: &Peer, kept| Row {
            key,
            unit: peer.unit.clone(),
            view: view_of(key, peer, kept),
            shared: peer.shared.clone(),
            figures: peer.figures,
            next_attempt: peer.next_attempt.filter(|_| peer.link.is_none()),
            kin: peer.unit.as_ref().map(|unit| Kin::of(unit, &self.own)),
        };
        let mut rows: Vec<_> = kept
            .iter()
            .map(|(key, address)| row(*key, self.peers.get(key).unwrap_or(&nobody), Some(*address)))
            .collect();
        let others = self
            .peers
            .iter()
            .filter(|(key, _)| kept.iter().all(|(kept, _)| kept != *key));
        rows.extend(others.map(|(key, peer)| row(*key, peer, None)));
        rows
    }
}

fn view_of(key: NodeKey, peer: &Peer, kept: Option<&String>) -> view::Peer {
    let unit = peer.unit.as_ref().and_then(|path| UnitCode::from_path(path).ok());
    view::Peer {
        peer_id: key_peer(key).map(|id| id.to_string()).unwrap_or_default(),
        address: kept.cloned().or_else(|| peer.address.clone()),
        unit: unit.as_ref().map(crate::service::unit_view),
        kept: kept.is_some(),
        connected: peer.link.is_some(),
        level: peer.level,
        last_seen: peer
            .last_seen
            .and_then(|time| jiff::Timestamp::try_from(time).ok()),
        last_error: peer.last_error.clone(),
        clock_skew_seconds: peer.skew_seconds,
        received: peer.received,
    }
}
