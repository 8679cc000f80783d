//! Stories with the real program: four nodes of Yulin as processes of their own.

mod auditor;
mod bad_input;
mod beside;
mod bundle;
mod by_files;
mod damaged;
mod four_nodes;
#[cfg(unix)]
mod guide;
mod hostile;
mod one_home;
mod particulars;
mod standby;
mod sync_status;
mod witnesses;
