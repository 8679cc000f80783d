//! The audit bundle: one file that an auditor carries away, and what he can conclude from it.
//!
//! ```text
//! journal ── export ──▶ bundle ── verify(root certificate, policy, kept checkpoints) ──▶ Report
//! ```
//!
//! A bundle is the journal itself in its own order, with what lies outside of what was asked for folded into
//! hashes, so that the Merkle root of every checkpoint can be computed from it; then the checkpoints, the
//! payloads by document, and what is known of sealed particulars. `docs/audit.md` gives every byte.
//!
//! [`verify()`] is pure: no network, no store, no home, no clock. What it is handed of randomness only speeds
//! up the signatures; the report is a function of the bundle, the root certificate, the policy and the
//! checkpoints that the auditor kept.

pub mod export;
mod format;
pub mod html;
pub mod policy;
pub mod questions;
pub mod report;
pub mod scope;
mod tree;
pub mod verify;

pub use export::{Export, Exported, Extras, Source, export};
pub use format::{Unreadable, is_bundle};
pub use policy::Policy;
pub use report::{Check, Gravity, Report, Verdict};
pub use scope::{Header, Scope};
pub use verify::{Auditor, verify};
