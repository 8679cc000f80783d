//! Who is connected, and how it goes with them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anjuan_sync::session::Figures;
use anjuan_sync::transport::{LinkControl, PeerAddr, Role, key_peer};
use anjuan_sync::{NodeKey, Path};
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
    /// Of the link that is there, or was last.
    figures: Option<Figures>,
}

/// All peers known since the start.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<NodeKey, Peer>);

impl Table {
    /// A link was made. The receiver turns true when the link is to be closed.
    pub(super) fn connected(&mut self, control: &LinkControl) -> watch::Receiver<bool> {
        let (close, closing) = watch::channel(false);
        let peer = self.0.entry(control.peer()).or_default();
        peer.address = Some(control.address().to_string());
        peer.dialled = control.role() == Role::Dialer;
        peer.link = Some(close);
        peer.level = false;
        closing
    }

    /// The peer was let in.
    pub(super) fn accepted(&mut self, key: NodeKey, unit: Path) {
        let peer = self.0.entry(key).or_default();
        peer.unit = Some(unit);
        peer.last_error = None;
        peer.skew_seconds = None;
        peer.last_seen = Some(SystemTime::now());
    }

    pub(super) fn level(&mut self, key: NodeKey, level: bool) {
        let peer = self.0.entry(key).or_default();
        peer.level = level;
        peer.last_seen = Some(SystemTime::now());
    }

    pub(super) fn figures(&mut self, key: NodeKey, figures: Figures) {
        self.0.entry(key).or_default().figures = Some(figures);
    }

    /// What the last session with each peer has done.
    pub(super) fn all_figures(&self) -> Vec<(NodeKey, Figures)> {
        let told = self.0.iter();
        told.filter_map(|(key, peer)| Some((*key, peer.figures?)))
            .collect()
    }

    pub(super) fn skewed(&mut self, key: NodeKey, seconds: i64) {
        self.0.entry(key).or_default().skew_seconds = Some(seconds);
    }

    pub(super) fn received(&mut self, key: NodeKey, count: u64) {
        let peer = self.0.entry(key).or_default();
        peer.received += count;
        peer.last_seen = Some(SystemTime::now());
    }

    pub(super) fn failed(&mut self, key: NodeKey, error: Text) {
        if self.0.len() < MAX_REMEMBERED || self.0.contains_key(&key) {
            self.0.entry(key).or_default().last_error = Some(error);
        }
    }

    /// The link that `closing` belongs to ended.
    pub(super) fn ended(&mut self, key: NodeKey, closing: &watch::Receiver<bool>, error: Option<Text>) {
        let Some(peer) = self.0.get_mut(&key) else { return };
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
            self.0.remove(&key);
        }
    }

    pub(super) fn close(&mut self, key: NodeKey) {
        if let Some(link) = self.0.get(&key).and_then(|peer| peer.link.as_ref()) {
            link.send_replace(true);
        }
    }

    pub(super) fn close_all(&mut self) {
        for peer in self.0.values() {
            if let Some(link) = &peer.link {
                link.send_replace(true);
            }
        }
    }

    /// For people: kept peers first, in the order of the configuration, then the others.
    pub(super) fn views(&self, kept: &[String]) -> Vec<view::Peer> {
        let kept: Vec<(NodeKey, &String)> = kept
            .iter()
            .filter_map(|text| Some((text.parse::<PeerAddr>().ok()?.key(), text)))
            .collect();
        let nobody = Peer::default();
        let mut views: Vec<_> = kept
            .iter()
            .map(|(key, address)| view_of(*key, self.0.get(key).unwrap_or(&nobody), Some(address)))
            .collect();
        let others = self
            .0
            .iter()
            .filter(|(key, _)| kept.iter().all(|(kept, _)| kept != *key));
        views.extend(others.map(|(key, peer)| view_of(*key, peer, None)));
        views
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
