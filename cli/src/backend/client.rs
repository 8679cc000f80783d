//! The loopback API from the client's side.

use std::io::{BufRead as _, BufReader, Read};
use std::time::Duration;

use anjuan_node::api::{Endpoint, Hello, HelloAnswer, ND_JSON, Nonce, Packet};
use anjuan_node::service::{Call, ErrorKind, Handle, Progress, ServiceError};
use anjuan_node::text;
use serde::de::DeserializeOwned;
use ureq::Agent;

/// For a node on the same machine to say hello. One that is busy with calls answers this nevertheless.
const HELLO_TIME: Duration = Duration::from_secs(5);
/// Bytes of the longest answer, a list of 10,000 documents being well below.
const MAX_ANSWER: u64 = 256 << 20;

/// A connection to the running node of a home.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    endpoint: Endpoint,
}

impl Client {
    /// The node at `endpoint`; `None` if nobody answers there, or somebody who does not know the token.
    pub fn connect(endpoint: Endpoint) -> Option<Self> {
        let agent = Agent::config_builder()
            // A proxy from the environment must see neither the token nor what is recorded.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some(HELLO_TIME))
            .build()
            .new_agent();
        let client = Self { agent, endpoint };
        client.knows_token().then_some(client)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/v1/{path}", self.endpoint.address())
    }

    fn knows_token(&self) -> bool {
        let nonce = Nonce::from_bytes(rand::random());
        let answer = self
            .agent
            .post(self.url("hello"))
            .config()
            .timeout_global(Some(HELLO_TIME))
            .build()
            .send_json(Hello { nonce })
            .and_then(|mut response| {
                response
                    .body_mut()
                    .with_config()
                    .limit(4096)
                    .read_json::<HelloAnswer>()
            });
        answer.is_ok_and(|answer| self.endpoint.token.accepts(&nonce, &answer.proof))
    }
}

impl<C: Call> Handle<C> for Client {
    fn handle(&self, call: C, progress: &mut dyn FnMut(Progress)) -> Result<C::Answer, ServiceError> {
        let response = self
            .agent
            .post(self.url(C::PATH))
            .header("Authorization", self.endpoint.token.bearer())
            .header("Accept", ND_JSON)
            .send_json(call)
            .map_err(|error| broken_off(&error.to_string()))?;
        let status = response.status();
        let body = response.into_body().into_reader().take(MAX_ANSWER);
        if status.is_success() {
            read_packets(body, progress)
        } else {
            let error = serde_json::from_reader(body).unwrap_or_else(|_| {
                ServiceError::new(
                    ErrorKind::Internal,
                    text!(
                        "运行中的节点答复了 HTTP {status}",
                        "the running node answered HTTP {status}"
                    ),
                )
            });
            Err(error)
        }
    }
}

/// Reads lines until the answer.
fn read_packets<A: DeserializeOwned>(
    body: impl Read,
    progress: &mut dyn FnMut(Progress),
) -> Result<A, ServiceError> {
    for line in BufReader::new(body).split(b'\n') {
        let line = line.map_err(|error| broken_off(&error.to_string()))?;
        let packet = serde_json::from_slice(&line).map_err(|error| {
            // A cut line is the end of a node that was killed; a whole one that does not fit, another version.
            if error.is_eof() {
                broken_off("the answer is cut off")
            } else {
                ServiceError::new(
                    ErrorKind::Internal,
                    text!(
                        "看不懂运行中节点的答复",
                        "the running node's answer cannot be read"
                    ),
                )
                .with_hint(text!(
                    "命令与节点的版本可能不同:用本版本重新启动节点",
                    "the command and the node may be of different versions: restart the node with this one"
                ))
            }
        })?;
        match packet {
            Packet::Progress(step) => progress(step),
            Packet::Answer(answer) => return Ok(answer),
            Packet::Error(error) => return Err(error),
        }
    }
    Err(broken_off("no answer"))
}

fn broken_off(reason: &str) -> ServiceError {
    ServiceError::new(
        ErrorKind::Network,
        text!(
            "与运行中节点的连接中断:{reason}",
            "the running node broke off: {reason}"
        ),
    )
    .with_hint(text!(
        "它可能已停止;重试之前先查看上一步是否已经记录",
        "it may have stopped; see whether the last step was recorded before doing it again"
    ))
}
