mod example;
mod notes;
mod proofs;
mod times;
mod witnesses;
