//! Requests written by hand, so that each header is what the test says.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::service::{Call, ErrorKind, Handle, Progress, ServiceError};
use crate::text::Text;

/// Lists two units, tells progress on `verify`, has metrics, refuses `invite`, panics on `peer-remove`.
#[derive(Clone)]
struct Fake;

impl<C: Call> Handle<C> for Fake {
    fn handle(&self, _: C, progress: &mut dyn FnMut(Progress)) -> Result<C::Answer, ServiceError> {
        let answer = match C::PATH {
            "unit-find" => json!([
                {"code": "4509", "name": "玉林市", "level": "city"},
                {"code": "450902", "name": "玉州区", "level": "county"},
            ]),
            "verify" => {
                for done in 1..=3 {
                    progress(Progress { done, total: 3 });
                }
                json!({"ok": true, "credentials": 1, "updates": 3, "logs": 1, "documents": 1, "sealed": 0,
                    "not_counting": {}, "faults": [], "millis": 5})
            }
            "invite" => {
                return Err(ServiceError::new(ErrorKind::Locked, Text::new("锁着", "locked")));
            }
            "metrics" => json!({"text": "# HELP x X.\n# TYPE x gauge\nx 1\n"}),
            "peer-remove" => panic!("a fault in a handler"),
            other => return Err(ServiceError::new(ErrorKind::NotFound, Text::new(other, other))),
        };
        Ok(serde_json::from_value(answer).expect("the canned answer fits the call"))
    }
}

struct Node {
    endpoint: Endpoint,
    home: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Node {
    fn start() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let path = home.path().to_owned();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let listening = Listening::open(&path, 0).await.expect("a free port");
                tell.send(listening.endpoint().clone())
                    .expect("the test waits for it");
                listening
                    .serve(Fake, async {
                        let _ = stopped.await;
                    })
                    .await;
            });
        });
        Self {
            endpoint: told.recv().expect("the node starts"),
            home,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the node ends well");
        }
    }

    /// Status and body of the answer to a POST with the right host and token.
    fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.send(
            "POST",
            path,
            &self.host(),
            Some(&self.endpoint.token.bearer()),
            "",
            body,
        )
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.endpoint.port)
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        host: &str,
        token: Option<&str>,
        more: &str,
        body: &str,
    ) -> (u16, String) {
        let length = body.len();
        let token = token.map_or(String::new(), |token| format!("Authorization: {token}\r\n"));
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{token}{more}Content-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn raw(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.endpoint.address()).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        // A refused oversized request may end with a reset after the answer.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .expect("a status");
        (status, body.to_owned())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

fn error(body: &str) -> ServiceError {
    serde_json::from_str(body).expect("an error object")
}

#[test]
fn a_call_is_answered_with_one_object() {
    let node = Node::start();
    let (status, body) = node.post("/v1/unit-find", r#"{"query":"玉"}"#);
    assert_eq!(status, 200);
    let units: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(units[1]["name"], "玉州区");
}

#[test]
fn who_shows_no_token_or_another_is_refused() {
    let node = Node::start();
    let right = node.endpoint.token.bearer();
    let other = Token::from_bytes([7; 32]).bearer();
    let cut = &right[..right.len() - 1];
    let bare = &right["Bearer ".len()..];
    for token in [None, Some(other.as_str()), Some(cut), Some(bare), Some("")] {
        for path in ["/v1/unit-find", "/v1/no-such-call", "/"] {
            let (status, body) = node.send("POST", path, &node.host(), token, "", r#"{"query":""}"#);
            assert_eq!(status, 401, "{path} with {token:?}");
            assert_eq!(error(&body).kind, ErrorKind::Refused);
        }
    }
}

#[test]
fn a_page_under_another_name_is_refused_even_with_the_token() {
    let node = Node::start();
    let token = node.endpoint.token.bearer();
    let port = node.endpoint.port;
    for host in [
        "evil.example",
        &format!("evil.example:{port}"),
        "127.0.0.1",
        "127.0.0.1:1",
        "",
    ] {
        let (status, _) = node.send("POST", "/v1/unit-find", host, Some(&token), "", r#"{"query":""}"#);
        assert_eq!(status, 421, "{host:?}");
    }
    let (status, _) = node.send(
        "POST",
        "/v1/unit-find",
        &format!("localhost:{port}"),
        Some(&token),
        "",
        r#"{"query":""}"#,
    );
    assert_eq!(status, 200);
}

#[test]
fn figures_are_plain_text_for_who_shows_the_token() {
    let node = Node::start();
    let token = node.endpoint.token.bearer();
    let (status, body) = node.send("GET", "/metrics", &node.host(), Some(&token), "", "");
    assert_eq!(
        (status, body.as_str()),
        (200, "# HELP x X.\n# TYPE x gauge\nx 1\n")
    );
    assert_eq!(node.send("GET", "/metrics", &node.host(), None, "", "").0, 401);
    assert_eq!(
        node.send("GET", "/metrics", "evil.example", Some(&token), "", "")
            .0,
        421
    );
    assert_eq!(
        node.send("POST", "/metrics", &node.host(), Some(&token), "", "{}")
            .0,
        404
    );
}

#[test]
fn an_oversized_body_is_refused() {
    let node = Node::start();
    let body = format!(r#"{{"query":"{}"}}"#, "x".repeat(MAX_BODY));
    let mut stream = TcpStream::connect(node.endpoint.address()).expect("it listens");
    let head = format!(
        "POST /v1/unit-find HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Length: {}\r\n\r\n",
        node.host(),
        node.endpoint.token.bearer(),
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("it reads the head");
    // It may hang up before all of it was sent.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[test]
fn unknown_calls_and_other_methods_are_named() {
    let node = Node::start();
    let token = node.endpoint.token.bearer();
    for (method, path) in [
        ("POST", "/v1/no-such-call"),
        ("GET", "/v1/status"),
        ("POST", "/v2/status"),
        ("GET", "/v1/hello"),
    ] {
        let (status, body) = node.send(method, path, &node.host(), Some(&token), "", "");
        assert!(status == 404 || status == 405, "{method} {path}: {status}");
        if status == 404 {
            let error = error(&body);
            assert_eq!(error.kind, ErrorKind::Usage);
            assert!(error.message.en.contains(path), "{error}");
        }
    }
}

#[test]
fn a_body_that_does_not_fit_is_refused_without_quoting_it() {
    let node = Node::start();
    for body in ["", "{", "[]", r#"{"query":{"secret":"hunter2"}}"#] {
        let (status, answer) = node.post("/v1/unit-find", body);
        assert_eq!(status, 400, "{body:?}");
        assert!(!answer.contains("hunter2"));
        assert_eq!(error(&answer).kind, ErrorKind::Usage);
    }
}

#[test]
fn failures_keep_their_kind_and_have_a_fitting_status() {
    let node = Node::start();
    let (status, body) = node.post("/v1/status", "{}");
    assert_eq!((status, error(&body).kind), (404, ErrorKind::NotFound));
    let invite = r#"{"unit":"450902","standby":false,"valid_hours":24,"passphrase":null}"#;
    let (status, body) = node.post("/v1/invite", invite);
    assert_eq!((status, error(&body).kind), (423, ErrorKind::Locked));
}

#[test]
fn a_panic_in_a_call_costs_that_call_only() {
    let node = Node::start();
    let (status, body) = node.post("/v1/peer-remove", r#"{"peer":"x"}"#);
    assert_eq!((status, error(&body).kind), (500, ErrorKind::Internal));
    assert_eq!(node.post("/v1/unit-find", r#"{"query":""}"#).0, 200);
}

#[test]
fn a_long_call_tells_its_progress_in_lines() {
    let node = Node::start();
    let accept = format!("Accept: {ND_JSON}\r\n");
    let token = node.endpoint.token.bearer();
    let (status, body) = node.send("POST", "/v1/verify", &node.host(), Some(&token), &accept, "{}");
    assert_eq!(status, 200);
    // Chunked: each line stands between the sizes.
    let lines: Vec<Value> = body
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(Value::is_object)
        .collect();
    let (last, progress) = lines.split_last().expect("lines");
    assert_eq!(last["answer"]["updates"], 3);
    assert_eq!(
        progress.first(),
        Some(&json!({"progress": {"done": 1, "total": 3}}))
    );
    assert!(progress.len() <= 3);

    let (status, body) = node.send(
        "POST",
        "/v1/invite",
        &node.host(),
        Some(&token),
        &accept,
        r#"{"unit":"450902","standby":false,"valid_hours":24,"passphrase":null}"#,
    );
    assert_eq!(status, 200);
    assert!(body.contains(r#"{"error":{"kind":"locked""#), "{body}");
}

#[test]
fn the_node_proves_that_it_knows_the_token() {
    let node = Node::start();
    let nonce = Nonce::from_bytes([3; 32]);
    let body = serde_json::to_string(&Hello { nonce }).expect("JSON");
    let (status, answer) = node.send("POST", "/v1/hello", &node.host(), None, "", &body);
    assert_eq!(status, 200);
    let answer: HelloAnswer = serde_json::from_str(&answer).expect("an answer");
    assert!(node.endpoint.token.accepts(&nonce, &answer.proof));
    assert!(!Token::from_bytes([9; 32]).accepts(&nonce, &answer.proof));
    assert!(
        !node
            .endpoint
            .token
            .accepts(&Nonce::from_bytes([4; 32]), &answer.proof)
    );
}

#[test]
fn the_endpoint_stands_in_the_home_while_the_node_runs() {
    let mut node = Node::start();
    let found = Endpoint::read(node.home.path())
        .expect("readable")
        .expect("present");
    assert_eq!((found.port, found.pid), (node.endpoint.port, std::process::id()));
    assert!(node.endpoint.token.admits(&found.token.bearer()));
    node.stop();
    assert!(Endpoint::read(node.home.path()).expect("readable").is_none());
}

#[test]
fn another_nodes_endpoint_is_left_alone() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let endpoint = |byte| Endpoint {
        port: 1,
        token: Token::from_bytes([byte; 32]),
        pid: 1,
    };
    endpoint(1).write(home.path()).expect("written");
    endpoint(2).write(home.path()).expect("replaced");
    endpoint(1).remove(home.path()).expect("nothing to do");
    assert!(Endpoint::read(home.path()).expect("readable").is_some());
}

#[cfg(unix)]
#[test]
fn the_token_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let node = Node::start();
    let path = node.home.path().join("api.json");
    let mode = |path: &Path| std::fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("changed");
    assert!(matches!(
        Endpoint::read(node.home.path()),
        Err(EndpointError::Exposed { .. })
    ));
}

#[cfg(unix)]
#[test]
fn damaged_and_newer_endpoints_are_refused_by_name() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let path = home.path().join("api.json");
    let token = "00".repeat(32);
    let write = |content: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("changed");
        Endpoint::read(home.path())
    };
    assert!(matches!(write(""), Err(EndpointError::Damaged { .. })));
    assert!(matches!(
        write("{\"version\":1}"),
        Err(EndpointError::Damaged { .. })
    ));
    assert!(matches!(
        write(r#"{"version":2,"whatever":true}"#),
        Err(EndpointError::Newer { version: 2, .. })
    ));
    let elsewhere = format!(r#"{{"version":1,"address":"192.0.2.1:80","token":"{token}","pid":1}}"#);
    assert!(matches!(write(&elsewhere), Err(EndpointError::Damaged { .. })));
}
