//! The case ledger of one unit: who may act, what the documents mean, how they are kept.

pub mod authority;
pub mod case;
pub mod document;
pub mod enrol;
pub mod files;
pub mod journal;
pub mod keys;
pub mod kind;
pub mod lock;
pub mod particulars;
pub mod register;
pub mod service;
pub mod store;
pub mod text;
pub mod unit;
