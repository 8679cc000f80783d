//! A node that answers what a test tells it to, and a person who types what a test tells them to.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anjuan_node::enrol::Joining;
use anjuan_node::service::setup::{Founded, Init, Join, Joined, Request, Requested, Serve};
use anjuan_node::service::view::Status;
use anjuan_node::service::{Call, ErrorKind, Handle, Progress, ServiceError};
use anjuan_node::text::Text;
use serde_json::{Value, json};

use crate::console::Console;
use crate::host::Host;
use crate::output::Ui;

type Answer = dyn Fn(&str, &Value) -> Result<Value, ServiceError> + Send + Sync;

/// Answers calls by a function of path and body, and keeps what it was asked.
#[derive(Clone)]
pub(crate) struct FakeNode {
    answer: Arc<Answer>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl std::fmt::Debug for FakeNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeNode")
    }
}

impl FakeNode {
    pub(crate) fn new(
        answer: impl Fn(&str, &Value) -> Result<Value, ServiceError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            answer: Arc::new(answer),
            asked: Arc::default(),
        }
    }

    /// Paths and bodies so far.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().expect("no panic holds it").clone()
    }

    fn ask(&self, path: &str, body: Value) -> Result<Value, ServiceError> {
        let answer = (self.answer)(path, &body);
        self.asked
            .lock()
            .expect("no panic holds it")
            .push((path.to_owned(), body));
        answer
    }
}

impl<C: Call> Handle<C> for FakeNode {
    fn handle(&self, call: C, progress: &mut dyn FnMut(Progress)) -> Result<C::Answer, ServiceError> {
        let body = serde_json::to_value(call).expect("calls are JSON");
        progress(Progress { done: 1, total: 2 });
        let answer = self.ask(C::PATH, body)?;
        Ok(serde_json::from_value(answer).expect("the canned answer fits the call"))
    }
}

impl Host for FakeNode {
    type Service = Self;

    fn open(&self, _: &Path, _: &mut dyn FnMut(Progress)) -> Result<Self, ServiceError> {
        self.ask("open", json!({}))?;
        Ok(self.clone())
    }

    fn init(&self, _: &Path, init: Init) -> Result<Founded, ServiceError> {
        let body = json!({"unit": init.unit, "name": init.name, "passphrase": init.passphrase});
        Ok(serde_json::from_value(self.ask("init", body)?).expect("the canned answer fits"))
    }

    fn join(&self, _: &Path, join: Join, _: &mut dyn FnMut(Progress)) -> Result<Joined, ServiceError> {
        let body = json!({"ticket": join.ticket, "passphrase": join.passphrase});
        Ok(serde_json::from_value(self.ask("join", body)?).expect("the canned answer fits"))
    }

    fn request(&self, _: &Path, request: Request) -> Result<Requested, ServiceError> {
        let body = json!({"unit": request.unit, "standby": request.joining == Joining::Standby, "passphrase": request.passphrase});
        Ok(serde_json::from_value(self.ask("request", body)?).expect("the canned answer fits"))
    }

    fn grant(&self, _: &Path, grant: &[u8]) -> Result<Joined, ServiceError> {
        let answer = self.ask("grant", json!({"grant": hex::encode(grant)}))?;
        Ok(serde_json::from_value(answer).expect("the canned answer fits"))
    }

    fn serve(&self, _: &Path, serve: Serve, ready: &mut dyn FnMut(Status)) -> Result<(), ServiceError> {
        let body = json!({"listen": serve.listen, "parents": serve.parents, "mdns": serve.mdns, "unlock": serve.unlock});
        ready(serde_json::from_value(self.ask("serve", body)?).expect("the canned answer fits"));
        Ok(())
    }
}

/// A person, or a script if nobody answers.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    pub(crate) interactive: bool,
    pub(crate) answers: VecDeque<String>,
    pub(crate) hidden: VecDeque<String>,
    pub(crate) input: Vec<u8>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Scripted {
    /// Somebody who types these lines.
    pub(crate) fn person(answers: &[&str]) -> Self {
        Self {
            interactive: true,
            answers: answers.iter().map(|answer| (*answer).to_owned()).collect(),
            ..Self::default()
        }
    }
}

impl Console for Scripted {
    fn interactive(&self) -> bool {
        self.interactive
    }

    fn ask(&mut self, question: &str) -> io::Result<Option<String>> {
        self.err.push_str(question);
        self.err.push('\n');
        Ok(self.answers.pop_front())
    }

    fn ask_hidden(&mut self, question: &str) -> io::Result<String> {
        self.err.push_str(question);
        self.err.push('\n');
        self.hidden
            .pop_front()
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn input(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let mut input = std::mem::take(&mut self.input);
        input.truncate(usize::try_from(limit).expect("small"));
        Ok(input)
    }

    fn out(&mut self, text: &str) -> io::Result<()> {
        self.out.push_str(text);
        Ok(())
    }

    fn err(&mut self, text: &str) -> io::Result<()> {
        self.err.push_str(text);
        Ok(())
    }

    fn paints_errors(&self) -> bool {
        false
    }
}

/// Runs `anjuan` with these arguments in an empty home.
pub(crate) fn anjuan(node: &FakeNode, console: &mut Scripted, env: &[(&str, &str)], args: &[&str]) -> u8 {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut all: Vec<OsString> = vec!["anjuan".into(), "--home".into(), home.path().into()];
    all.extend(args.iter().map(Into::into));
    let env = |name: &str| {
        env.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    crate::run(&all, env, node, console, |lang, json| Ui {
        json,
        ..Ui::plain(lang)
    })
}

/// An error of a kind, whose messages do not matter.
pub(crate) fn failing(kind: ErrorKind) -> ServiceError {
    ServiceError::new(kind, Text::new("不行", "it failed"))
}
