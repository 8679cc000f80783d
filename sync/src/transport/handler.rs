//! What runs on each connection: hands over the streams of this crate's two protocols, and nothing else.
//!
//! `libp2p-stream` is not used: it keeps an entry for every connection there ever was, drops an inbound
//! stream whenever the one before it is not yet fetched, doesn't say on which connection a stream came, and
//! opens streams on any connection of a peer.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol};
use libp2p::{Stream, StreamProtocol};

/// Streams that a peer may open on one connection in its whole life; an honest one opens one.
const MAX_INBOUND: usize = 4;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Sync,
    Enrol,
}

impl Protocol {
    const ALL: [Self; 2] = [Self::Sync, Self::Enrol];

    fn name(self) -> StreamProtocol {
        StreamProtocol::new(match self {
            Self::Sync => "/anjuan/sync/1",
            Self::Enrol => "/anjuan/enrol/1",
        })
    }
}

/// What a connection reports.
#[derive(Debug)]
pub(super) enum Report {
    /// The peer opened a stream.
    Inbound(Protocol, Stream),
    /// The stream that was asked for is open.
    Opened(Stream),
    /// It can't be opened.
    NotOpened(String),
    /// The peer opens streams without end.
    TooManyStreams,
}

/// The handler of one connection.
#[derive(Debug)]
pub(super) struct Handler {
    reports: VecDeque<Report>,
    wanted: Option<Protocol>,
    inbound: usize,
    timeout: Duration,
    waker: Option<Waker>,
}

impl Handler {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            reports: VecDeque::new(),
            wanted: None,
            inbound: 0,
            timeout,
            waker: None,
        }
    }
}

impl ConnectionHandler for Handler {
    /// Asks for a stream; once per connection.
    type FromBehaviour = Protocol;
    type ToBehaviour = Report;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(Upgrade(None), ()).with_timeout(self.timeout)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Upgrade, (), Report>> {
        if let Some(report) = self.reports.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(report));
        }
        if let Some(protocol) = self.wanted.take() {
            let protocol = SubstreamProtocol::new(Upgrade(Some(protocol)), ()).with_timeout(self.timeout);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, protocol: Protocol) {
        self.wanted = Some(protocol);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Upgrade, Upgrade>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (protocol, stream),
                ..
            }) => {
                self.inbound += 1;
                if self.inbound <= MAX_INBOUND {
                    self.reports.push_back(Report::Inbound(protocol, stream));
                } else if self.inbound == MAX_INBOUND + 1 {
                    self.reports.push_back(Report::TooManyStreams);
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (_, stream),
                ..
            }) => self.reports.push_back(Report::Opened(stream)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                let detail = match error {
                    StreamUpgradeError::Timeout => "the peer did not answer in time".into(),
                    StreamUpgradeError::NegotiationFailed => "the peer does not speak this protocol".into(),
                    StreamUpgradeError::Io(error) => error.to_string(),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                self.reports.push_back(Report::NotOpened(detail));
            }
            _ => {}
        }
    }
}

/// Agrees on a protocol: the one wanted, or as listener any.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upgrade(Option<Protocol>);

/// A protocol's name and what it stands for.
#[derive(Clone, Debug)]
pub(super) struct Named(Protocol, StreamProtocol);

impl AsRef<str> for Named {
    fn as_ref(&self) -> &str {
        self.1.as_ref()
    }
}

impl UpgradeInfo for Upgrade {
    type Info = Named;
    type InfoIter = Vec<Named>;

    fn protocol_info(&self) -> Self::InfoIter {
        let named = |protocol: Protocol| Named(protocol, protocol.name());
        match self.0 {
            Some(protocol) => vec![named(protocol)],
            None => Protocol::ALL.map(named).into(),
        }
    }
}

impl InboundUpgrade<Stream> for Upgrade {
    type Output = (Protocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, Named(protocol, _): Named) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}

impl OutboundUpgrade<Stream> for Upgrade {
    type Output = (Protocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, Named(protocol, _): Named) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}
