//! Particulars (当事人信息): what identifies a person, sealed, kept apart from documents, and erasable.
//!
//! A document carries only a [`Commitment`]. What it commits to travels as opaque sealed items:
//!
//! ```text
//! RawParticulars ─new─▶ Particulars ─with a salt─▶ Prepared ──▶ commitment, for the document's event
//!                                                    └─seal─▶ one body + a wrap for each reading node
//! bytes ─decode─▶ SealedItem ─verify─▶ VerifiedItem ─▶ Keystore (files that can be deleted)
//! ```
//!
//! Sealing takes two steps because a document's id is derived from the change that creates it, and that
//! change already names the commitment.
//!
//! No `Debug`, `Display` or error in this module shows a value; errors name the field and the rule.

mod content;
mod duplicate;
mod identity;
mod item;
mod keystore;
mod name;
mod private;
mod readers;
mod seal;
#[cfg(test)]
mod testing;

pub use content::{
    Field, FieldError, File, InvalidParticulars, MAX_FILE, Organisation, Particulars, Person, RawFile,
    RawOrganisation, RawParticulars, RawPerson, Rule,
};
pub use duplicate::{DuplicateKey, DuplicateMark};
pub use identity::{CreditCode, IdNumber, Sex};
pub use item::{ItemContent, ItemError, MAX_ITEM, Purpose, Recipient, SealedItem, VerifiedItem};
pub use keystore::{
    Damaged, Erasure, Judge, Keystore, KeystoreError, MAX_BODIES, MAX_WRAPS, OWN_BODIES, OWN_WRAPS, Offered,
    OpenError, Preimage, Refusal, ScanReport,
};
pub use name::{Commitment, ItemId, SealKey, Subject};
pub use private::Private;
pub use readers::{ReaderNode, missing_wraps, readers};
pub use seal::{Maker, Prepared, SALT_LENGTH, SealError, Sealed, UnsealError};
