//! From a kind's catalogue to the arguments of its commands, and from those to an event.
//!
//! Nothing here knows what an event means: fields, rules and help come from the catalogue, and the node
//! judges. What is checked here is checked to be said early and in words.

mod ask;
mod options;
mod read;
mod resolve;
mod scalar;
mod sealed;

use anjuan_node::service::call::Seal;
use serde_json::{Map, Value};

pub use options::{OPENING_UNIT, OPERATOR, POSITION, SET, command};
pub use read::Reader;
pub use resolve::{Lookup, resolve};

/// An event as it was asked for.
#[derive(Debug)]
pub struct Draft {
    /// `type` and the fields.
    pub event: Map<String, Value>,
    /// Particulars to be sealed.
    pub seal: Vec<Seal>,
}

#[cfg(test)]
mod tests;
