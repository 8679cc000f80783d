//! Stories with the real program: every node is a process of its own, with a home on the real disk, and
//! everything is asked of it as a person or a script would.
//!
//! The program is the one that Cargo built beside the test ([`PROGRAM`]), or what `ANJUAN_BIN` names.
//! Nothing sleeps for a fixed time: a story waits [until](wait::until) something is so, within a bound that
//! only a hang reaches. Folders go when a story holds, and stay, with their path told, when it does not.

mod case;
mod command;
mod family;
mod folder;
mod link;
mod node;
mod snapshot;
pub mod wait;

pub use case::{CASE, CHAIR, MEDIATOR, parties};
pub use command::{Anjuan, PASSPHRASE, PROGRAM, Ran, Refusal, program, words};
pub use family::{CITY, CLERK, COUNTY, Family, Member, TOWN, VILLAGE};
pub use folder::{Folder, copy};
pub use link::Link;
pub use node::Node;
pub use snapshot::Snapshot;
