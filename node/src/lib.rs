//! The case ledger of one unit: who may act, what the documents mean, how they are kept.

pub mod api;
pub mod audit;
pub mod authority;
pub mod calendar;
pub mod case;
pub mod config;
pub mod document;
pub mod enrol;
pub mod epoch;
pub mod evidence;
pub mod files;
pub mod home;
pub mod journal;
pub mod keys;
pub mod kind;
pub mod ledger;
pub mod lock;
pub mod network;
pub mod notary;
pub mod particulars;
pub mod register;
pub mod running;
pub mod service;
pub mod store;
pub mod text;
pub mod unit;
