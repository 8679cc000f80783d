//! The client against a real server on the loopback interface.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use anjuan_node::api::{Listening, Token};
use anjuan_node::service::call::{UnitFind, Verify};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::testing::{FakeNode, failing};

/// Runs `test` while `node` serves `home`.
fn while_serving(node: FakeNode, home: &Path, test: impl FnOnce()) {
    let (tell, told) = std::sync::mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = {
        let home = home.to_owned();
        thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let listening = Listening::open(&home, 0).await.expect("a free port");
                tell.send(()).expect("the test waits");
                listening
                    .serve(node, async {
                        let _ = stopped.await;
                    })
                    .await;
            });
        })
    };
    told.recv().expect("it serves");
    test();
    drop(stop);
    serving.join().expect("it ends well");
}

fn answering() -> FakeNode {
    FakeNode::new(|path, body| match path {
        "open" => Err(failing(ErrorKind::Busy)),
        "unit-find" if body["query"] == "玉" => {
            Ok(json!([{"code": "4509", "name": "玉林市", "level": "city"}]))
        }
        "verify" => Ok(
            json!({"ok": true, "credentials": 0, "updates": 0, "logs": 0, "documents": 0, "sealed": 0,
            "not_counting": {}, "faults": [], "millis": 1}),
        ),
        _ => Err(failing(ErrorKind::NotFound)),
    })
}

fn connect(node: &FakeNode, home: &Path) -> Result<Backend<FakeNode>, ServiceError> {
    Backend::connect(node, home, &mut |_| {})
}

fn opened() -> FakeNode {
    FakeNode::new(|_, _| Ok(Value::Null))
}

#[test]
fn a_running_node_answers_for_its_home() {
    let home = tempfile::tempdir().expect("a folder");
    let node = answering();
    while_serving(node.clone(), home.path(), || {
        let backend = connect(&node, home.path()).expect("it runs");
        assert!(matches!(backend, Backend::Remote(_)));
        let find = |query: &str| UnitFind {
            query: query.to_owned(),
        };
        let units = backend.handle(find("玉"), &mut |_| {}).expect("found");
        assert_eq!(units[0].name, "玉林市");
        let error = backend.handle(find("x"), &mut |_| {}).expect_err("refused");
        assert_eq!(error, failing(ErrorKind::NotFound));
        let mut steps = Vec::new();
        let verification = backend
            .handle(Verify {}, &mut |step| steps.push(step))
            .expect("verified");
        assert!(verification.ok);
        assert_eq!(steps, [Progress { done: 1, total: 2 }]);
        assert!(node.asked().iter().all(|(path, _)| path != "open"));
    });
    assert!(matches!(connect(&opened(), home.path()), Ok(Backend::Local(_))));
}

#[test]
fn an_endpoint_left_behind_is_passed_over() {
    let home = tempfile::tempdir().expect("a folder");
    let free = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|socket| socket.local_addr())
        .expect("a port");
    let stale = Endpoint {
        port: free.port(),
        token: Token::from_bytes([1; 32]),
        pid: 1,
    };
    stale.write(home.path()).expect("written");
    assert!(matches!(connect(&opened(), home.path()), Ok(Backend::Local(_))));
}

#[test]
fn another_program_on_the_port_never_sees_the_token() {
    let home = tempfile::tempdir().expect("a folder");
    let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let token = Token::from_bytes([1; 32]);
    let stale = Endpoint {
        port: socket.local_addr().expect("bound").port(),
        token: token.clone(),
        pid: 1,
    };
    stale.write(home.path()).expect("written");
    let impostor = thread::spawn(move || {
        let (mut stream, _) = socket.accept().expect("asked");
        let body = format!("{{\"proof\":\"{}\",\"version\":\"9\"}}", "00".repeat(32));
        let length = body.len();
        stream
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes())
            .expect("answered");
        let mut heard = [0; 4096];
        let read = std::io::Read::read(&mut stream, &mut heard).expect("heard");
        String::from_utf8_lossy(&heard[..read]).into_owned()
    });
    assert!(matches!(connect(&opened(), home.path()), Ok(Backend::Local(_))));
    let heard = impostor.join().expect("it ends");
    assert!(heard.contains("/v1/hello"), "{heard}");
    assert!(!heard.contains(&token.bearer()["Bearer ".len()..]), "{heard}");
}

#[test]
fn an_unreadable_endpoint_matters_only_where_a_node_runs() {
    let home = tempfile::tempdir().expect("a folder");
    crate::file::write_new(&home.path().join("api.json"), b"{}").expect("written");
    assert!(matches!(connect(&opened(), home.path()), Ok(Backend::Local(_))));
    let error = connect(&answering(), home.path()).expect_err("a node runs");
    assert_eq!(error.kind, ErrorKind::Damaged);
}

#[test]
fn a_node_that_breaks_off_is_said_so() {
    let home = tempfile::tempdir().expect("a folder");
    let node = answering();
    let mut kept = None;
    while_serving(node.clone(), home.path(), || {
        kept = Some(connect(&node, home.path()).expect("it runs"));
    });
    let error = kept
        .expect("connected")
        .handle(Verify {}, &mut |_| {})
        .expect_err("it is gone");
    assert_eq!(error.kind, ErrorKind::Network);
}
