//! The secret that a client shows, and the proof that a server knows it.

use std::fmt;
use std::str::FromStr;

use anjuan_sync::hash::Domain;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

const PROOF: Domain = Domain::new("anjuan/api-proof/1");

/// 32 random bytes that let a client in. Never shown, only written to the endpoint's file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token([u8; 32]);

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct ParseTokenError;

impl Token {
    /// From 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The value of the `Authorization` header.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", hex::encode(self.0))
    }

    /// Does this `Authorization` header show the token? In a time that doesn't depend on the answer.
    pub fn admits(&self, authorization: &str) -> bool {
        authorization
            .strip_prefix("Bearer ")
            .and_then(|text| text.trim().parse::<Self>().ok())
            .is_some_and(|shown| shown.0.ct_eq(&self.0).into())
    }

    /// What only somebody who knows the token can answer to `nonce`.
    pub fn prove(&self, nonce: &Nonce) -> Proof {
        Proof(*PROOF.hash(&[&self.0, &nonce.0]).as_bytes())
    }

    /// Does `proof` show that the other side knows the token?
    pub fn accepts(&self, nonce: &Nonce, proof: &Proof) -> bool {
        self.prove(nonce).0.ct_eq(&proof.0).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl FromStr for Token {
    type Err = ParseTokenError;

    fn from_str(text: &str) -> Result<Self, ParseTokenError> {
        parse(text).map(Self)
    }
}

impl TryFrom<String> for Token {
    type Error = ParseTokenError;

    fn try_from(text: String) -> Result<Self, ParseTokenError> {
        text.parse()
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        hex::encode(token.0)
    }
}

/// A client's random challenge.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nonce([u8; 32]);

impl Nonce {
    /// From 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<String> for Nonce {
    type Error = ParseTokenError;

    fn try_from(text: String) -> Result<Self, ParseTokenError> {
        parse(&text).map(Self)
    }
}

impl From<Nonce> for String {
    fn from(nonce: Nonce) -> Self {
        hex::encode(nonce.0)
    }
}

/// The answer to a [`Nonce`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Proof([u8; 32]);

impl TryFrom<String> for Proof {
    type Error = ParseTokenError;

    fn try_from(text: String) -> Result<Self, ParseTokenError> {
        parse(&text).map(Self)
    }
}

impl From<Proof> for String {
    fn from(proof: Proof) -> Self {
        hex::encode(proof.0)
    }
}

fn parse(text: &str) -> Result<[u8; 32], ParseTokenError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseTokenError)?;
    Ok(bytes)
}
