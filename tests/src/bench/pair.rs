//! A village with cases and its town without any, for whoever has them meet by themselves.

use std::path::{Path, PathBuf};

use anjuan_node::unit::UnitCode;
use anjuan_sync::transport::key_peer;
use anjuan_sync::{AuthorKey, NodeKey};

use super::people::{People, chance, node_name};
use super::year::compose;
use super::{AnyError, homes};

/// Two homes that have enrolled and never met.
#[derive(Debug)]
pub struct Pair {
    /// The code of the village.
    pub unit: String,
    /// The home of the village's node, with all cases.
    pub village: PathBuf,
    /// The home of its town's node, with none.
    pub town: PathBuf,
    /// What the town's node is dialled by.
    pub town_peer: String,
}

impl Pair {
    /// Makes them in `folder`, with so many cases of 12 updates.
    pub fn made(folder: &Path, cases: usize) -> Result<Self, AnyError> {
        let village: UnitCode = "450902001001".parse()?;
        let town = village.parent().ok_or("a village has a town")?;
        let people = People::of(std::slice::from_ref(&village))?;
        let updates = compose(&people, std::slice::from_ref(&village), cases, 1)?;
        let [low, high] = ["village", "town"].map(|name| folder.join(name));
        homes::make(&low, &village, false, &people, &updates)?;
        homes::make_empty(&high, &town, false, &people)?;
        Ok(Self {
            unit: village.to_string(),
            village: low,
            town: high,
            town_peer: peer(&town)?,
        })
    }
}

fn peer(unit: &UnitCode) -> Result<String, AnyError> {
    let node = anjuan_node::keys::NodeKey::generate(&mut chance(&node_name(unit, false)));
    let key: AuthorKey = node.public();
    let peer = key_peer(NodeKey::from_bytes(*key.as_bytes()));
    Ok(peer.ok_or("a node's key is a peer's")?.to_string())
}
