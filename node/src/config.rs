//! The settings of a home, in `config.toml`: what the operator of a node may change by hand.

use serde::{Deserialize, Serialize};

use crate::unit::UnitCode;

/// The version of the file this program writes; a newer one is refused.
pub const CONFIG_VERSION: u32 = 1;

/// `config.toml`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// [`CONFIG_VERSION`].
    pub version: u32,
    /// The unit this node serves.
    pub unit: UnitCode,
    /// Multiaddresses to listen on. Port 0 lets the system choose.
    #[serde(default = "default_listen")]
    pub listen: Vec<String>,
    /// Addresses of the nodes to stay connected to: parents first, each ending in `/p2p/<peer id>`.
    #[serde(default)]
    pub peers: Vec<String>,
    /// Addresses of nodes that witness this one's journal with each checkpoint, besides those above it, which
    /// do so in any case. One of a unit that is neither above nor below has to name this unit in its
    /// `witness_for`; with such a node nothing is shared but the questions of witnesses.
    #[serde(default)]
    pub witnesses: Vec<String>,
    /// Units that are neither above nor below this one, whose nodes, and those below, this one witnesses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witness_for: Vec<UnitCode>,
    /// Look for nodes of the same network on the local network.
    #[serde(default)]
    pub mdns: bool,
    /// Memory that sled may use for its cache, MiB, 8 to 4,096.
    #[serde(default = "default_cache")]
    pub cache_mib: u32,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or a field has another type, or is unknown.
    #[error("config.toml: {0}")]
    Syntax(String),
    /// Written by a newer program.
    #[error("config.toml has version {0}; this program knows version {CONFIG_VERSION}")]
    Newer(u32),
    /// A cache that is too small or too large.
    #[error("config.toml: cache_mib = {0} is not within 8 and 4096")]
    Cache(u32),
}

fn default_listen() -> Vec<String> {
    vec![
        "/ip4/0.0.0.0/tcp/4509".into(),
        "/ip4/0.0.0.0/udp/4509/quic-v1".into(),
    ]
}

fn default_cache() -> u32 {
    32
}

impl Config {
    /// The defaults for a node of `unit`.
    pub fn new(unit: UnitCode) -> Self {
        Self {
            version: CONFIG_VERSION,
            unit,
            listen: default_listen(),
            peers: Vec::new(),
            witnesses: Vec::new(),
            witness_for: Vec::new(),
            mdns: false,
            cache_mib: default_cache(),
        }
    }

    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        // The version first: a newer file may have fields that this program does not know.
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let syntax = |error: toml::de::Error| ConfigError::Syntax(error.message().to_owned());
        let Version { version } = toml::from_str(text).map_err(syntax)?;
        if version > CONFIG_VERSION {
            return Err(ConfigError::Newer(version));
        }
        let config: Self = toml::from_str(text).map_err(syntax)?;
        if !(8..=4096).contains(&config.cache_mib) {
            return Err(ConfigError::Cache(config.cache_mib));
        }
        Ok(config)
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("plain tables serialise")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let config = Config::new("450902".parse().expect("a unit"));
        assert_eq!(Config::parse(&config.to_text()), Ok(config));
    }

    #[test]
    fn a_newer_or_misspelt_file_is_refused_by_name() {
        assert_eq!(
            Config::parse("version = 2\nunit = '4509'\nnovel = 1"),
            Err(ConfigError::Newer(2))
        );
        let error = Config::parse("version = 1\nunit = '4509'\nlisten_on = []").expect_err("unknown field");
        assert!(error.to_string().contains("listen_on"), "{error}");
        assert_eq!(
            Config::parse("version = 1\nunit = '4509'\ncache_mib = 1"),
            Err(ConfigError::Cache(1))
        );
    }
}
