//! Audit bundles: what an auditor who trusts nobody but his root certificate makes of them.

mod attacks;
mod bytes;
mod example;
mod honest;
mod program;
