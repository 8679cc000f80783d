//! Evidence that somebody else can check: the journal as a Merkle log, checkpoints of it, cosignatures of
//! witnesses, proofs, and what they say of when something was recorded.
//!
//! ```text
//! journal ── leaves ── merkle (tiles) ── checkpoint (signed note) ── witness ── cosignature
//!                         │                                                        │
//!                         └───────────── proof of one update ──────────────────────┴── bracket in time
//! ```
//!
//! All of this is pure, or a core with a small store of its own; time and keys are handed in. The formats
//! are those of RFC 6962 and of the C2SP transparency specifications (tlog-tiles, signed-note,
//! tlog-checkpoint, tlog-cosignature), so that programs that share no code with this one can check them;
//! `tests/second-opinion` has them do it. `docs/formats.md` gives every byte.
//!
//! **What was taken, what was written.** The arithmetic of proofs is `ct-merkle`'s: small, kept, on the
//! same `digest` as the rest. It keeps whole trees in memory only, so the tiles are ours. The crates
//! `signed_note` and `tlog_tiles` were not taken: both rest on `ed25519-dalek` 2, `sha2` 0.10 and
//! `base64` 0.21 (a second signature library, of an older line than the one everything else is checked
//! with), accept several encodings of one note and drop repeated signatures in silence, where evidence
//! must have one form; have no cosignatures; and the second asserts on its own reading of tiles.

pub mod bracket;
pub mod checkpoint;
pub mod cosignature;
pub mod merkle;
pub mod name;
pub mod note;
pub mod proof;
pub mod witness;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
