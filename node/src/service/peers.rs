//! Peers: who is kept, who is connected.

use anjuan_sync::NodeKey;
use anjuan_sync::session::Figures;
use anjuan_sync::transport::PeerAddr;

use super::call::{Handle, PeerAdd, PeerList, PeerRemove, Progress};
use super::{ErrorKind, Service, ServiceError, view};
use crate::text;
use crate::text::Text;

fn parse(address: &str) -> Result<PeerAddr, ServiceError> {
    address.parse().map_err(|error| {
        ServiceError::new(
            ErrorKind::Usage,
            Text::new(format!("不是节点地址:{address}({error})"), format!("not the address of a node: {address}: {error}")),
        )
        .with_hint(Text::new(
            "例如 /ip4/192.0.2.7/tcp/4509/p2p/12D3KooW…;对方的地址见 anjuan status",
            "for example /ip4/192.0.2.7/tcp/4509/p2p/12D3KooW…; the other node's `anjuan status` shows its own",
        ))
    })
}

impl Service {
    /// Every peer known: those kept, and those connected.
    pub(super) fn peers(&self) -> Vec<view::Peer> {
        let kept = self.home().config().peers.clone();
        match self.network() {
            Some(network) => network.peers(&kept),
            None => kept.iter().filter_map(|address| idle_peer(address)).collect(),
        }
    }

    /// Where the running node listens, each address with the peer id.
    pub fn addresses(&self) -> Vec<String> {
        self.network()
            .map(|network| network.addresses())
            .unwrap_or_default()
    }

    /// What the last session with each peer has done since this process runs the node; after the session's
    /// end, all that it did.
    pub fn session_figures(&self) -> Vec<(NodeKey, Figures)> {
        self.network()
            .map(|network| network.session_figures())
            .unwrap_or_default()
    }
}

pub(super) fn idle_peer(address: &str) -> Option<view::Peer> {
    let parsed: PeerAddr = address.parse().ok()?;
    Some(view::Peer {
        peer_id: anjuan_sync::transport::key_peer(parsed.key())?.to_string(),
        address: Some(address.to_owned()),
        unit: None,
        kept: true,
        connected: false,
        level: false,
        last_seen: None,
        last_error: None,
        clock_skew_seconds: None,
        received: 0,
    })
}

impl Handle<PeerList> for Service {
    fn handle(&self, _: PeerList, _: &mut dyn FnMut(Progress)) -> Result<Vec<view::Peer>, ServiceError> {
        Ok(self.peers())
    }
}

impl Handle<PeerAdd> for Service {
    fn handle(&self, call: PeerAdd, _: &mut dyn FnMut(Progress)) -> Result<view::Done, ServiceError> {
        let address = parse(&call.address)?;
        let text = address.to_string();
        self.home().change_config(|config| {
            // One entry for each node: a new address takes the place of the old one.
            config.peers.retain(|kept| {
                kept.parse::<PeerAddr>()
                    .is_ok_and(|kept| kept.key() != address.key())
            });
            config.peers.push(text.clone());
        })?;
        if let Some(network) = self.network() {
            network.keep(address);
        }
        Ok(view::Done {
            message: text!("将与 {text} 保持连接", "keeping a connection to {text}"),
        })
    }
}

impl Handle<PeerRemove> for Service {
    fn handle(&self, call: PeerRemove, _: &mut dyn FnMut(Progress)) -> Result<view::Done, ServiceError> {
        let mut removed = Vec::new();
        self.home().change_config(|config| {
            config.peers.retain(|kept| {
                let matches = *kept == call.peer || kept.ends_with(&format!("/p2p/{}", call.peer));
                if matches {
                    removed.extend(kept.parse::<PeerAddr>().ok());
                }
                !matches
            });
        })?;
        if removed.is_empty() {
            let peer = call.peer;
            return Err(ServiceError::new(
                ErrorKind::NotFound,
                text!("没有保持与 {peer} 的连接", "no connection to {peer} is kept"),
            )
            .with_hint(Text::new("用 anjuan peer list 查看", "see `anjuan peer list`")));
        }
        for address in &removed {
            if let Some(network) = self.network() {
                network.forget(address.key());
            }
        }
        let peer = call.peer;
        Ok(view::Done {
            message: text!(
                "不再与 {peer} 保持连接",
                "no longer keeping a connection to {peer}"
            ),
        })
    }
}
