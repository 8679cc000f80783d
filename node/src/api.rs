//! The loopback API of a running node: `POST /v1/<call>` with the call's JSON, over HTTP on 127.0.0.1; and
//! `GET /metrics`, in the Prometheus text format.
//!
//! Other users of the machine, and web pages in its browsers, can reach a loopback port too. So a request
//! must carry the token that stands in the node's home, name the loopback address as its host (else a web
//! page could come in under a name of its own, by DNS rebinding), and stay within bounds of size, time and
//! number. And before a client sends its token or a passphrase, the node proves that it knows the token:
//! after a crash, somebody else may listen on the port.

mod endpoint;
mod routes;
mod server;
mod token;

pub use endpoint::{Endpoint, EndpointError};
pub use routes::{Hello, HelloAnswer, MAX_BODY, ND_JSON, Packet};
pub use server::{Listening, MAX_CONNECTIONS};
pub use token::{Nonce, ParseTokenError, Proof, Token};

#[cfg(test)]
mod tests;
