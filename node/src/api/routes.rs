//! From HTTP requests to calls, and from answers to HTTP.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};

use super::endpoint::Endpoint;
use super::token::{Nonce, Proof};
use crate::service::call::{EachCall, Metrics, each_call};
use crate::service::{Call, ErrorKind, Handle, HandleAll, Progress, ServiceError};
use crate::text;

/// The largest request body, in bytes.
pub const MAX_BODY: usize = 8 << 20;
/// The media type that asks for an answer in lines, progress first.
pub const ND_JSON: &str = "application/x-ndjson";
/// The media type of what `GET /metrics` answers.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A client on the same machine needs no longer to send a body.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Calls running at the same time; more wait for their turn.
const MAX_RUNNING: usize = 16;
/// Lines of progress that may wait for a slow reader; more are left out.
const MAX_WAITING_LINES: usize = 8;

/// A client's first request, `POST /v1/hello`, which needs no token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Random; never used twice.
    pub nonce: Nonce,
}

/// What the node answers to [`Hello`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HelloAnswer {
    /// Shows that the node knows the token.
    pub proof: Proof,
    /// The node's version.
    pub version: String,
}

/// A line of an answer in lines.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packet<A> {
    /// How far the call is; any number of them.
    Progress(Progress),
    /// The last line, if it succeeded.
    Answer(A),
    /// The last line, if it failed.
    Error(ServiceError),
}

struct App<S> {
    service: S,
    running: Arc<Semaphore>,
}

impl<S: Clone> Clone for App<S> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            running: Arc::clone(&self.running),
        }
    }
}

/// A service that the routes can share among tasks.
trait Shared: Clone + Send + Sync + 'static {}

impl<S: Clone + Send + Sync + 'static> Shared for S {}

/// The routes of every call of `service`.
pub(super) fn routes<S: HandleAll + Clone + Send + Sync + 'static>(
    service: S,
    endpoint: Arc<Endpoint>,
) -> Router {
    let mut routes = Routes(Router::new());
    each_call(&mut routes);
    let calls = routes
        .0
        .route("/metrics", get(metrics::<S>))
        .with_state(App {
            service,
            running: Arc::new(Semaphore::new(MAX_RUNNING)),
        })
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(from_fn_with_state(Arc::clone(&endpoint), admit));
    Router::new()
        .route("/v1/hello", post(hello).with_state(Arc::clone(&endpoint)))
        .fallback_service(calls)
        .layer(from_fn_with_state(endpoint, check_host))
}

struct Routes<S>(Router<App<S>>);

impl<S: Shared> EachCall<S> for Routes<S> {
    fn call<C: Call>(&mut self)
    where
        S: Handle<C>,
    {
        let router = std::mem::take(&mut self.0);
        self.0 = router.route(&format!("/v1/{}", C::PATH), post(answer::<S, C>));
    }
}

/// Answers only to the loopback address by its own name.
async fn check_host(State(endpoint): State<Arc<Endpoint>>, request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let port = endpoint.port;
    let own = host.is_some_and(|host| {
        host.strip_suffix(&format!(":{port}"))
            .is_some_and(|name| name == "127.0.0.1" || name == "localhost")
    });
    if own {
        next.run(request).await
    } else {
        failure(
            StatusCode::MISDIRECTED_REQUEST,
            ServiceError::new(
                ErrorKind::Refused,
                text!(
                    "本接口只在 127.0.0.1:{port} 上应答",
                    "this interface answers at 127.0.0.1:{port} only"
                ),
            ),
        )
    }
}

/// Lets in who shows the token.
async fn admit(State(endpoint): State<Arc<Endpoint>>, request: Request, next: Next) -> Response {
    let shown = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| endpoint.token.admits(value));
    if shown {
        next.run(request).await
    } else {
        failure(
            StatusCode::UNAUTHORIZED,
            ServiceError::new(
                ErrorKind::Refused,
                text!(
                    "缺少本节点的令牌,或令牌不符",
                    "this node's token is missing or wrong"
                ),
            )
            .with_hint(text!(
                "令牌在节点目录的 api.json 中,每次启动都会更换",
                "the token stands in api.json in the node's home and changes with every start"
            )),
        )
    }
}

async fn hello(State(endpoint): State<Arc<Endpoint>>, body: Body) -> Response {
    match read_body::<Hello>(body, 1024).await {
        Err(response) => response,
        Ok(hello) => json(&HelloAnswer {
            proof: endpoint.token.prove(&hello.nonce),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
        .unwrap_or_else(refuse),
    }
}

async fn unknown(request: Request) -> Response {
    let path: String = request.uri().path().chars().take(80).collect();
    let method = request.method().as_str();
    failure(
        StatusCode::NOT_FOUND,
        ServiceError::new(
            ErrorKind::Usage,
            text!(
                "运行中的节点不认识 {method} {path}",
                "the running node does not know {method} {path}"
            ),
        )
        .with_hint(text!(
            "节点可能是较旧的版本:用本版本重新启动它",
            "it may be an older version: restart it with this one"
        )),
    )
}

async fn answer<S: Shared + Handle<C>, C: Call>(
    State(app): State<App<S>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let call = match read_body::<C>(body, MAX_BODY).await {
        Ok(call) => call,
        Err(response) => return response,
    };
    let in_lines = headers
        .get(header::ACCEPT)
        .is_some_and(|value| value.as_bytes() == ND_JSON.as_bytes());
    // Held by the thread that runs the call: it goes on when the client has left.
    let Ok(permit) = app.running.acquire_owned().await else {
        return refuse(stopping());
    };
    let service = app.service;
    if in_lines {
        let (lines, receiver) = mpsc::channel(MAX_WAITING_LINES);
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let result = run(&service, call, &mut |progress| {
                if let Ok(line) = line(&Packet::<()>::Progress(progress)) {
                    // A full channel only means that the reader is slow; the next figure replaces this one.
                    let _ = lines.try_send(line);
                }
            });
            let packet = result.map_or_else(Packet::Error, Packet::Answer);
            let last = line(&packet).or_else(|error| line(&Packet::<()>::Error(error)));
            if let Ok(last) = last {
                // Nobody reads any more: the answer has nobody to go to.
                let _ = lines.blocking_send(last);
            }
        });
        let lines = stream::unfold(receiver, |mut receiver| async {
            let line = receiver.recv().await?;
            Some((Ok::<_, Infallible>(line), receiver))
        });
        ([(header::CONTENT_TYPE, ND_JSON)], Body::from_stream(lines)).into_response()
    } else {
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            run(&service, call, &mut |_| {}).and_then(|answer| json(&answer))
        });
        match done.await {
            Ok(result) => result.unwrap_or_else(refuse),
            Err(_) => refuse(stopping()),
        }
    }
}

/// Figures, for whoever shows the token, as a plain GET: that is how monitoring systems ask.
async fn metrics<S: Shared + Handle<Metrics>>(State(app): State<App<S>>) -> Response {
    let Ok(permit) = app.running.acquire_owned().await else {
        return refuse(stopping());
    };
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        run(&app.service, Metrics {}, &mut |_| {})
    });
    match done.await {
        Ok(Ok(metrics)) => ([(header::CONTENT_TYPE, EXPOSITION)], metrics.text).into_response(),
        Ok(Err(error)) => refuse(error),
        Err(_) => refuse(stopping()),
    }
}

/// Runs a call. A panic in it costs this call only, and becomes an error.
fn run<S: Handle<C>, C: Call>(
    service: &S,
    call: C,
    progress: &mut dyn FnMut(Progress),
) -> Result<C::Answer, ServiceError> {
    catch_unwind(AssertUnwindSafe(|| service.handle(call, progress))).unwrap_or_else(|_| {
        let path = C::PATH;
        Err(ServiceError::new(
            ErrorKind::Internal,
            text!(
                "节点处理 {path} 时发生内部错误",
                "the node failed inside while answering {path}"
            ),
        )
        .with_hint(text!(
            "查看节点的日志并报告此问题",
            "see the node's log, and report it"
        )))
    })
}

async fn read_body<T: for<'de> Deserialize<'de>>(body: Body, limit: usize) -> Result<T, Response> {
    let bytes = match tokio::time::timeout(BODY_TIME, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            return Err(failure(
                StatusCode::PAYLOAD_TOO_LARGE,
                ServiceError::new(
                    ErrorKind::Usage,
                    text!(
                        "请求没有完整到达,或超过 {limit} 字节",
                        "the request did not arrive whole, or is over {limit} bytes"
                    ),
                ),
            ));
        }
        Err(_) => {
            return Err(failure(
                StatusCode::REQUEST_TIMEOUT,
                ServiceError::new(
                    ErrorKind::Usage,
                    text!("请求到达得太慢", "the request arrived too slowly"),
                ),
            ));
        }
    };
    // The reason is left out: serde's messages quote values, and a value may be a passphrase or a name.
    serde_json::from_slice(&bytes).map_err(|error| {
        let (row, column) = (error.line(), error.column());
        refuse(
            ServiceError::new(
                ErrorKind::Usage,
                text!(
                    "请求的内容不符合格式(第 {row} 行第 {column} 列)",
                    "the request is not well formed (line {row}, column {column})"
                ),
            )
            .with_hint(text!(
                "命令与节点的版本可能不同",
                "the command and the node may be of different versions"
            )),
        )
    })
}

fn json<T: Serialize>(value: &T) -> Result<Response, ServiceError> {
    let bytes = serde_json::to_vec(value).map_err(|_| unprintable())?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

fn line<T: Serialize>(packet: &Packet<T>) -> Result<Bytes, ServiceError> {
    let mut bytes = serde_json::to_vec(packet).map_err(|_| unprintable())?;
    bytes.push(b'\n');
    Ok(bytes.into())
}

fn unprintable() -> ServiceError {
    ServiceError::new(
        ErrorKind::Internal,
        text!("答复无法写成 JSON", "the answer cannot be written as JSON"),
    )
}

fn stopping() -> ServiceError {
    ServiceError::new(ErrorKind::Busy, text!("节点正在停止", "the node is stopping"))
        .with_hint(text!("稍后重试", "try again in a moment"))
}

fn refuse(error: ServiceError) -> Response {
    failure(status(error.kind), error)
}

fn failure(status: StatusCode, error: ServiceError) -> Response {
    match json(&error) {
        Ok(response) => (status, response).into_response(),
        Err(_) => status.into_response(),
    }
}

fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Usage => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::Locked => StatusCode::LOCKED,
        ErrorKind::Refused | ErrorKind::Unproven => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Storage => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Network => StatusCode::BAD_GATEWAY,
        ErrorKind::Damaged | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
