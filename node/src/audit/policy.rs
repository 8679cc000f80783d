//! What an auditor asks of a bundle: which witnesses, how many, how far clocks may be apart.

use std::num::NonZeroUsize;
use std::str::FromStr;

use serde::Deserialize;

use crate::evidence::name::NodeName;
use crate::unit::UnitCode;

/// The auditor's policy. As a file it is TOML, in which everything may be left out:
///
/// ```toml
/// version = 1
/// quorum = 1                      # witnesses that must have cosigned; 0 to go without
/// witnesses = ["4509", "450902"]  # units or names of nodes; without it every certified node
/// clock-tolerance-seconds = 600   # how far honest clocks may be apart
/// prompt-days = 30                # how long after its claimed time witnesses have to have seen an update
/// fresh-days = 90                 # how old the last witnessed checkpoint may be; without it, any age
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Policy {
    version: u32,
    /// Witnesses that must have cosigned a checkpoint for it to be believed.
    pub quorum: usize,
    /// Who counts as a witness; everybody with a node certificate where it is empty.
    pub witnesses: Vec<Witness>,
    /// Seconds by which honest clocks may be apart.
    #[serde(rename = "clock-tolerance-seconds")]
    pub clock_tolerance: u32,
    /// Days after its claimed time within which witnesses have to have seen an update.
    pub prompt_days: u32,
    /// Days that the last witnessed checkpoint may be old.
    pub fresh_days: Option<u32>,
}

/// Somebody who counts as a witness.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Witness {
    /// Every certified node of a unit.
    Unit(UnitCode),
    /// One node.
    Node(NodeName),
}

/// A policy that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not TOML of the expected shape.
    #[error("policy: {0}")]
    Malformed(String),
    /// Of a newer version.
    #[error("policy of version {0}; this program knows version 1")]
    Newer(u32),
    /// More witnesses asked for than named.
    #[error("policy: quorum {quorum} cannot be reached by {named} witnesses")]
    Quorum {
        /// Asked for.
        quorum: usize,
        /// Named.
        named: usize,
    },
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            version: 1,
            quorum: 1,
            witnesses: Vec::new(),
            clock_tolerance: 600,
            prompt_days: 30,
            fresh_days: None,
        }
    }
}

impl Policy {
    /// The witnesses asked for; `None` where the policy goes without.
    pub fn quorum(&self) -> Option<NonZeroUsize> {
        NonZeroUsize::new(self.quorum)
    }

    /// Does this node count as a witness?
    pub fn counts(&self, node: &NodeName) -> bool {
        self.witnesses.is_empty()
            || self.witnesses.iter().any(|witness| match witness {
                Witness::Unit(unit) => unit == node.unit(),
                Witness::Node(name) => name == node,
            })
    }

    /// Milliseconds by which honest clocks may be apart.
    pub fn tolerance(&self) -> u64 {
        u64::from(self.clock_tolerance) * 1000
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = toml::from_str(text).map_err(|error| PolicyError::Malformed(error.to_string()))?;
        if policy.version != 1 {
            return Err(PolicyError::Newer(policy.version));
        }
        let named = policy.witnesses.len();
        // A unit may have several nodes.
        let only_nodes = policy
            .witnesses
            .iter()
            .all(|witness| matches!(witness, Witness::Node(_)));
        if named > 0 && only_nodes && policy.quorum > named {
            return Err(PolicyError::Quorum {
                quorum: policy.quorum,
                named,
            });
        }
        Ok(policy)
    }
}

impl TryFrom<String> for Witness {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Ok(unit) = text.parse() {
            return Ok(Self::Unit(unit));
        }
        let name = text.parse().map(Self::Node);
        name.map_err(|_| format!("{text:?} is neither a unit's code nor a node's name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_and_a_senseless_one_refused() {
        assert_eq!("".parse::<Policy>(), Ok(Policy::default()));
        let policy: Policy = "quorum = 2\nwitnesses = [\"4509\"]\nfresh-days = 7"
            .parse()
            .expect("a policy");
        assert_eq!((policy.quorum, policy.fresh_days), (2, Some(7)));
        assert_eq!("version = 2".parse::<Policy>(), Err(PolicyError::Newer(2)));
        let node = format!("anjuan/{}/4509/{}", "0".repeat(16), "1".repeat(32));
        let lone = format!("quorum = 2\nwitnesses = [\"{node}\"]").parse::<Policy>();
        assert_eq!(lone, Err(PolicyError::Quorum { quorum: 2, named: 1 }));
        for wrong in ["quorum = -1", "witnesses = [\"nobody\"]", "quorom = 1", "quorum"] {
            assert!(
                matches!(wrong.parse::<Policy>(), Err(PolicyError::Malformed(_))),
                "{wrong}"
            );
        }
    }
}
