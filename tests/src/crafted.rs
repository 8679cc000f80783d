//! Changes as somebody writes them who wants to break a replica: from a seed, an honest change is bent in
//! one of many ways. What the bent change breaks is for the guard to find out; where only one answer can be
//! right, the way says so.

mod bytes;
mod ops;

use anjuan_node::document::Document;
use automerge::ActorId;
use rand::RngExt;
use rand::rngs::StdRng;

/// What a document must answer to a crafted change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Refused, by this rule.
    Refused(&'static str),
    /// Refused, by whatever rule comes first.
    RefusedSomehow,
    /// Nothing can be said against it as long as what it names has not come.
    Waiting,
    /// The bent change may happen to be an honest one, or to name what is not here.
    Any,
}

/// A crafted change.
#[derive(Clone, Debug)]
pub struct Crafted {
    /// How it was bent.
    pub way: &'static str,
    /// What it must meet with.
    pub answer: Answer,
    /// The bytes.
    pub payload: Vec<u8>,
}

/// What there is to work with.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The document under attack.
    pub document: &'a Document,
    /// An honest next change of it, and its author.
    pub honest: &'a [u8],
    /// See `honest`.
    pub actor: &'a ActorId,
    /// An honest change, by the same author, of a document that somebody else created.
    pub elsewhere: &'a [u8],
    /// A change of this document by the same author that was applied before, if there is one.
    pub applied: Option<&'a [u8]>,
}

/// Bends the honest change of `scene` in some way.
pub fn craft(rng: &mut StdRng, scene: &Scene<'_>) -> Crafted {
    // Not every way can be taken with every change; a flipped byte always can.
    (0..8)
        .find_map(|_| match rng.random_range(0..10) {
            0..6 => ops::craft(rng, scene),
            6..9 => bytes::craft(rng, scene),
            _ => whole(rng, scene),
        })
        .unwrap_or_else(|| bytes::flip(rng, scene.honest))
}

/// Honest bytes in the wrong place.
fn whole(rng: &mut StdRng, scene: &Scene<'_>) -> Option<Crafted> {
    let (way, answer, payload) = match rng.random_range(0..5) {
        0 => (
            "change of another document",
            Answer::Refused("foreign-object"),
            scene.elsewhere.to_vec(),
        ),
        1 => ("replay", Answer::RefusedSomehow, scene.applied?.to_vec()),
        2 => (
            "whole document",
            Answer::Refused("not-a-change"),
            scene.document.clone().merge().expect("an honest document").save(),
        ),
        3 => (
            "noise",
            Answer::RefusedSomehow,
            (0..rng.random_range(0..400)).map(|_| rng.random()).collect(),
        ),
        _ => (
            "all changes in one",
            Answer::RefusedSomehow,
            scene.document.changes().concat(),
        ),
    };
    Some(Crafted { way, answer, payload })
}
