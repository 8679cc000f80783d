//! The command line of the ledger, apart from the process around it: [`run()`] takes arguments, environment,
//! home and streams, and returns an exit code.

pub mod app;
pub mod args;
pub mod backend;
pub mod command;
pub mod console;
pub mod demo;
pub mod event;
pub mod file;
pub mod home;
pub mod host;
pub mod log;
pub mod output;
pub mod passphrase;
mod run;
#[cfg(test)]
mod testing;
pub mod view;

pub use console::{Console, Terminal};
pub use host::Host;
pub use run::run;
