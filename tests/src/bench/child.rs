//! What a child process does when it is asked: it runs one node or several, or one end of the floor.

use std::io::{BufRead as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use anjuan_node::keys::KdfCost;
use anjuan_node::network::Settings;
use anjuan_node::running::{self, Node};
use anjuan_node::service::call::{Handle as _, Passphrase, PeerList, Record, SignAs, Status};
use anjuan_node::service::{Options, Service, system_clock};
use anjuan_node::unit::UnitCode;
use anjuan_sync::session::Figures;
use anjuan_sync::{Reach, Scope};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::homes::PASSPHRASE;
use super::people::HANDLES;
use super::writing::{Pen, durable, last_bytes};
use super::{AnyError, floor, usage, year};

/// Nothing that is waited for takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Answers questions until there are no more.
pub fn run() -> Result<(), AnyError> {
    let mut child = Child {
        runtime: running::runtime()?,
        nodes: Vec::new(),
        began: Instant::now(),
        cpu: 0.0,
        listener: None,
        mark: 0,
        commits: None,
    };
    for line in std::io::stdin().lock().lines() {
        let question: Value = serde_json::from_str(&line?)?;
        let answer = child
            .answer(&question)
            .unwrap_or_else(|error| json!({"error": format!("{}: {error}", question["do"])}));
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// Records in the background until told to stop; gives the seconds that each took.
struct Commits {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<f64>, AnyError>>,
}

struct Child {
    runtime: Runtime,
    /// Each with its node, while that runs.
    nodes: Vec<(Service, Option<Node>)>,
    /// When the nodes were started, and what had been used by then.
    began: Instant,
    cpu: f64,
    listener: Option<TcpListener>,
    /// Updates that the first node had when it was asked to mark them.
    mark: u64,
    commits: Option<Commits>,
}

impl Child {
    fn answer(&mut self, question: &Value) -> Result<Value, AnyError> {
        Ok(match question["do"].as_str().unwrap_or_default() {
            "floor-listen" => {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                let address = listener.local_addr()?.to_string();
                self.listener = Some(listener);
                json!({"address": address})
            }
            "floor-receive" => {
                let listener = self.listener.take().ok_or("not listening")?;
                floor::receive(&listener, &path(&question["file"])?)?
            }
            "floor-send" => floor::send(&path(&question["file"])?, text(&question["to"])?.parse()?)?,
            "open" => self.open(question)?,
            "serve" => self.serve(question)?,
            "digests" => self.digests(question)?,
            "await-digest" => self.await_digest(text(&question["digest"])?)?,
            "await-level" => self.await_level(number(&question["peers"])? as usize)?,
            "await-witnessed" => self.await_witnessed()?,
            "usage" => json!({
                "cpu_s": usage::cpu_seconds(), "peak_rss_bytes": usage::peak_memory(),
                "rss_bytes": usage::memory(),
            }),
            "stop" => self.stop(),
            "close" => {
                self.nodes.clear();
                json!({})
            }
            "write" => self.write(question)?,
            "record" => self.record(question)?,
            "mark" => {
                let updates = self.first()?.ledger().counts().updates;
                self.mark = updates;
                json!({})
            }
            "arrivals" => self.arrivals(number(&question["count"])?)?,
            "commits-begin" => self.begin_commits(number(&question["every_ms"])?)?,
            "commits-end" => self.end_commits()?,
            other => return Err(format!("{other:?} is not known").into()),
        })
    }

    fn first(&self) -> Result<&Service, AnyError> {
        let first = self.nodes.first().map(|(service, _)| service);
        Ok(first.ok_or("no node is open")?)
    }

    /// Opens homes, with the keys of their operators unlocked.
    fn open(&mut self, question: &Value) -> Result<Value, AnyError> {
        let options = Options {
            kdf: KdfCost::reduced_for_tests(),
            clock: system_clock,
        };
        let began = Instant::now();
        for home in list(&question["homes"]) {
            let service = Service::open(&path(home)?, options, &mut |_| {})?;
            for handle in HANDLES {
                service.unlock(handle, &Passphrase(PASSPHRASE.into()))?;
            }
            self.nodes.push((service, None));
        }
        Ok(json!({"open_s": began.elapsed().as_secs_f64()}))
    }

    /// Runs the nodes of all that is open; each keeps a connection to the peers given.
    fn serve(&mut self, question: &Value) -> Result<Value, AnyError> {
        let peers: Vec<String> = list(&question["peers"])
            .map(|peer| text(peer).map(str::to_owned))
            .collect::<Result<_, _>>()?;
        (self.began, self.cpu) = (Instant::now(), usage::cpu_seconds());
        let mut addresses = Vec::new();
        for (service, node) in &mut self.nodes {
            let settings = Settings {
                listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
                peers: peers.clone(),
                mdns: false,
                witnesses: Vec::new(),
                witness_for: Vec::new(),
            };
            let started = self
                .runtime
                .block_on(Node::start(service.clone(), settings, false))?;
            addresses.extend(service.addresses());
            *node = Some(started);
        }
        Ok(json!({"addresses": addresses}))
    }

    /// Digests over the units given, at the first node; without any, of each node over its own.
    fn digests(&self, question: &Value) -> Result<Value, AnyError> {
        let mut digests = Vec::new();
        if question["units"].is_array() {
            for unit in list(&question["units"]) {
                let unit: UnitCode = text(unit)?.parse()?;
                digests.push(self.first()?.digest_of(&Scope::of(unit.path()))?);
            }
        } else {
            for (service, _) in &self.nodes {
                digests.push(own_digest(service)?);
            }
        }
        Ok(json!({"digests": digests}))
    }

    /// Waits until the first node holds what this is the digest of, durably.
    fn await_digest(&self, digest: &str) -> Result<Value, AnyError> {
        let service = self.first()?;
        let began = Instant::now();
        until("the digest is as expected", Duration::from_millis(1), || {
            // Looking costs the node: the longer it takes, the less often.
            thread::sleep(began.elapsed() / 500);
            Ok((own_digest(service)? == digest).then_some(()))
        })?;
        durable(service)?;
        Ok(json!({
            "wall_s": self.began.elapsed().as_secs_f64(), "cpu_s": usage::cpu_seconds() - self.cpu,
        }))
    }

    /// Waits until every node is level with so many peers.
    fn await_level(&self, peers: usize) -> Result<Value, AnyError> {
        for (service, _) in &self.nodes {
            until("peers are level", Duration::from_millis(1), || {
                let known = service.handle(PeerList {}, &mut |_| {})?;
                let level = known.iter().filter(|peer| peer.connected && peer.level);
                Ok((level.count() >= peers).then_some(()))
            })?;
        }
        Ok(json!({
            "wall_s": self.began.elapsed().as_secs_f64(), "cpu_s": usage::cpu_seconds() - self.cpu,
        }))
    }

    /// Waits until a peer has cosigned all that each node has.
    fn await_witnessed(&self) -> Result<Value, AnyError> {
        for (service, _) in &self.nodes {
            until("its checkpoint is cosigned", Duration::from_millis(5), || {
                let status = service.handle(Status { scope: None }, &mut |_| {})?;
                let all = service.ledger().journal_end();
                let cosigned = status.checkpoint.and_then(|newest| newest.cosigned);
                Ok(cosigned
                    .is_some_and(|cosigned| cosigned.size == all)
                    .then_some(()))
            })?;
        }
        Ok(json!({}))
    }

    /// Stops the nodes; what their sessions did, of each node the sum.
    fn stop(&mut self) -> Value {
        let mut sessions = Vec::new();
        for (service, node) in &mut self.nodes {
            if let Some(node) = node.take() {
                self.runtime.block_on(node.stop());
            }
            let mut sum = Figures::default();
            for (_, figures) in service.session_figures() {
                sum.sent += figures.sent;
                sum.received += figures.received;
                sum.round_trips += figures.round_trips;
                sum.pages += figures.pages;
                sum.records += figures.records;
                sum.page_bytes += figures.page_bytes;
            }
            sessions.push(json!({
                "sent": sum.sent, "received": sum.received, "round_trips": sum.round_trips,
                "pages": sum.pages, "records": sum.records, "page_bytes": sum.page_bytes,
            }));
        }
        json!({"sessions": sessions})
    }

    /// Each node's mediator writes messages in so many cases at or below `unit`, or anywhere; peers are told
    /// nothing.
    fn write(&self, question: &Value) -> Result<Value, AnyError> {
        let rng = &mut StdRng::seed_from_u64(number(&question["seed"])?);
        let count = number(&question["count"])?;
        let mut bytes = 0;
        for (service, _) in &self.nodes {
            let mut documents = service.ledger().documents(Reach::Up)?;
            if let Some(unit) = question["unit"].as_str() {
                let unit: UnitCode = unit.parse()?;
                documents.retain(|key| unit.path().is_at_or_above(&key.space.unit));
            }
            let pen = Pen::of(service)?;
            for n in 0..count {
                // A different one each time, while there are any.
                let picked = match documents.len() {
                    0 => None,
                    left => Some(documents.swap_remove(rng.random_range(0..left))),
                };
                let content = match picked {
                    Some(_) => year::message(rng),
                    None => year::registered(rng),
                };
                let document = pen.write(service, picked, content)?;
                if n + 1 < count && documents.is_empty() {
                    documents.push(document);
                }
                bytes += last_bytes(service)?;
            }
        }
        Ok(json!({"updates": count * self.nodes.len() as u64, "bytes": bytes}))
    }

    /// The first node's mediator records messages, one every so often, as a person does it at the running
    /// node; when each was asked for and acknowledged.
    fn record(&self, question: &Value) -> Result<Value, AnyError> {
        let service = self.first()?;
        let document = service.ledger().documents(Reach::Up)?;
        let document = document.first().ok_or("no case to write in")?.id.to_string();
        let rng = &mut StdRng::seed_from_u64(1);
        let mut times = Vec::new();
        for _ in 0..number(&question["count"])? {
            let content = year::message(rng);
            let call = Record {
                kind: "case".into(),
                document: Some(document.clone()),
                unit: None,
                event: content.event,
                record: Map::new(),
                seal: Vec::new(),
                sign: SignAs {
                    operator: Some(HANDLES[1].into()),
                    passphrase: None,
                },
            };
            let asked = micros();
            service.handle(call, &mut |_| {})?;
            times.push([asked, micros()]);
            thread::sleep(Duration::from_millis(number(&question["every_ms"])?));
        }
        Ok(json!({"times": times}))
    }

    /// When each of so many updates after the mark was durable at the first node.
    fn arrivals(&self, count: u64) -> Result<Value, AnyError> {
        let service = self.first()?;
        let mut times = Vec::new();
        until("the updates arrive", Duration::from_micros(100), || {
            let here = service.ledger().counts().updates.saturating_sub(self.mark);
            if here > times.len() as u64 {
                durable(service)?;
                let now = micros();
                times.resize(here as usize, now);
            }
            Ok((times.len() as u64 >= count).then_some(()))
        })?;
        Ok(json!({"times": times}))
    }

    fn begin_commits(&mut self, every_ms: u64) -> Result<Value, AnyError> {
        let service = self.first()?.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            // Other words each time: the same ones by the same author would be the same document.
            let rng = &mut StdRng::seed_from_u64(service.ledger().journal_end());
            let pen = Pen::of(&service)?;
            let (mut case, mut seconds) = (None, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                // Now and then another case, so that none becomes longer than cases are.
                let content = match seconds.len() % year::UPDATES {
                    0 => {
                        case = None;
                        year::registered(rng)
                    }
                    _ => year::message(rng),
                };
                let began = Instant::now();
                let document = pen.write(&service, case.take(), content)?;
                seconds.push(began.elapsed().as_secs_f64());
                case = Some(document);
                thread::sleep(Duration::from_millis(every_ms));
            }
            Ok(seconds)
        });
        self.commits = Some(Commits { stop, thread });
        Ok(json!({}))
    }

    fn end_commits(&mut self) -> Result<Value, AnyError> {
        let commits = self.commits.take().ok_or("nothing is recorded")?;
        commits.stop.store(true, Ordering::Relaxed);
        let seconds = commits.thread.join().map_err(|_| "the thread that records")??;
        Ok(json!({"seconds": seconds}))
    }
}

fn own_digest(service: &Service) -> Result<String, AnyError> {
    let scope = service.ledger().scope().clone();
    Ok(service.digest_of(&scope)?)
}

/// Asks again and again until there is an answer.
fn until<T>(
    what: &str,
    pause: Duration,
    mut ask: impl FnMut() -> Result<Option<T>, AnyError>,
) -> Result<T, AnyError> {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("waited for {PATIENCE:?} until {what}").into());
        }
        thread::sleep(pause);
    }
}

/// The clock that all processes of the machine share.
fn micros() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    since.as_micros() as u64
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Result<&str, AnyError> {
    Ok(value.as_str().ok_or("a text is missing in the question")?)
}

fn number(value: &Value) -> Result<u64, AnyError> {
    Ok(value.as_u64().ok_or("a number is missing in the question")?)
}

fn path(value: &Value) -> Result<PathBuf, AnyError> {
    Ok(text(value)?.into())
}
