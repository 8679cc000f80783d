//! What the integration tests share: crafted and honest changes, a faulty disk, and real nodes as processes.

pub mod bench;
pub mod bundle;
pub mod city;
pub mod crafted;
pub mod crash;
pub mod disk;
pub mod faulty_files;
pub mod harness;
pub mod honest;
pub mod world;
