//! Who answers the calls: the running node of a home, or this process with the store opened.

mod client;

use std::path::Path;

use anjuan_node::api::Endpoint;
use anjuan_node::service::{Call, ErrorKind, Handle, Progress, ServiceError};

pub use client::Client;

use crate::host::Host;

/// Either way of getting an answer.
#[derive(Debug)]
pub enum Backend<S> {
    /// The store, opened here.
    Local(S),
    /// The running node.
    Remote(Client),
}

impl<S> Backend<S> {
    /// The running node of `home` if one answers, else its store. An endpoint left behind by a node that
    /// was killed is passed over.
    pub fn connect<H: Host<Service = S>>(
        host: &H,
        home: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, ServiceError> {
        let unreadable = match Endpoint::read(home) {
            Ok(Some(endpoint)) => match Client::connect(endpoint) {
                Some(client) => return Ok(Self::Remote(client)),
                None => None,
            },
            Ok(None) => None,
            Err(error) => Some(error),
        };
        match (host.open(home, progress), unreadable) {
            (Ok(service), _) => Ok(Self::Local(service)),
            // A node does run, and its endpoint is why it can't be asked.
            (Err(error), Some(reason)) if error.kind == ErrorKind::Busy => Err(reason.into()),
            (Err(error), _) => Err(error),
        }
    }
}

impl<C: Call, S: Handle<C>> Handle<C> for Backend<S> {
    fn handle(&self, call: C, progress: &mut dyn FnMut(Progress)) -> Result<C::Answer, ServiceError> {
        match self {
            Self::Local(service) => service.handle(call, progress),
            Self::Remote(client) => client.handle(call, progress),
        }
    }
}

#[cfg(test)]
mod tests;
