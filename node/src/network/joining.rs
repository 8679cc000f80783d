//! Joining over the network: the asking and the answering side.

use anjuan_sync::NodeKey;
use anjuan_sync::transport::{Config, Endpoint, EnrolError, EnrolRequest, Limits, PeerAddr};
use rand::{RngExt as _, rng};

use super::unreachable_peer;
use crate::enrol::JoinGrant;
use crate::keys::NodeKey as Keys;
use crate::service::{ErrorKind, Service, ServiceError};
use crate::text::Text;

/// First byte of an answer: what follows is the grant, or why there is none.
const GRANTED: u8 = 0;
const REFUSED: u8 = 1;

/// Where a ticket's parent is.
pub(crate) fn parent_address(
    peer: anjuan_sync::AuthorKey,
    addresses: &[String],
) -> Result<PeerAddr, ServiceError> {
    let refused =
        |detail: String| ServiceError::new(ErrorKind::Refused, Text::same(format!("the ticket: {detail}")));
    let addresses = addresses
        .iter()
        .map(|text| text.parse().map_err(|error| refused(format!("{text}: {error}"))))
        .collect::<Result<Vec<_>, _>>()?;
    PeerAddr::new(NodeKey::from_bytes(*peer.as_bytes()), addresses)
        .map_err(|error| refused(error.to_string()))
}

/// Sends a join request to the parent and waits for the answer. Blocking; brings its own runtime.
pub(crate) fn ask_to_join(keys: &Keys, parent: &PeerAddr, request: &[u8]) -> Result<Vec<u8>, ServiceError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| ServiceError::new(ErrorKind::Internal, Text::same(error.to_string())))?;
    let config = Config {
        key: keys.signing_key().clone(),
        listen: Vec::new(),
        mdns: false,
        limits: Limits::default(),
        seed: rng().random(),
    };
    runtime.block_on(async {
        let (endpoint, _events) = Endpoint::start(config).await?;
        let answer = endpoint
            .enrol(parent, request)
            .await
            .map_err(|error| match error {
                EnrolError::Refused => ServiceError::new(
                    ErrorKind::Refused,
                    Text::new("对方节点拒绝了加入申请", error.to_string()),
                ),
                other => unreachable_peer(&other.to_string()),
            });
        endpoint.stop().await;
        answer
    })
}

/// Reads what [`answer`] writes.
pub(crate) fn read_answer(bytes: &[u8]) -> Result<JoinGrant, ServiceError> {
    match bytes.split_first() {
        Some((&GRANTED, grant)) => Ok(JoinGrant::decode(grant)?),
        Some((&REFUSED, error)) => Err(serde_json::from_slice(error).unwrap_or_else(|_| garbled())),
        _ => Err(garbled()),
    }
}

fn garbled() -> ServiceError {
    ServiceError::new(
        ErrorKind::Network,
        Text::new("对方的答复无法读懂", "the other node's answer could not be read"),
    )
}

/// Answers a request that came with a ticket.
pub(super) fn answer(service: &Service, request: EnrolRequest) {
    let service = service.clone();
    tokio::task::spawn_blocking(move || {
        let answer = match service.redeem(&request.request) {
            Ok(grant) => [&[GRANTED], grant.encode().as_slice()].concat(),
            Err(error) => {
                tracing::info!(peer = %request.peer.short(), %error, "join request refused");
                [
                    &[REFUSED],
                    serde_json::to_vec(&error).unwrap_or_default().as_slice(),
                ]
                .concat()
            }
        };
        request.reply.answer(answer);
    });
}
