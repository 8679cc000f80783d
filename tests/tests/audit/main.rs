//! Audit bundles: what an auditor who trusts nobody but his root certificate makes of them.

mod attacks;
mod bytes;
mod disclosed;
mod example;
mod honest;
mod program;
