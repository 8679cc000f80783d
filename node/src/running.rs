//! A node that runs: its network, its API, and what it does on the side.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::Listening;
use crate::ledger::processors;
use crate::network::{Network, Settings};
use crate::service::call::{Handle as _, Passphrase, Status};
use crate::service::setup::Serve;
use crate::service::{ErrorKind, Options, Service, ServiceError, view};
use crate::text::Text;

/// A running node within this process. Stops when told to, or when dropped.
#[derive(Debug)]
pub struct Node {
    service: Service,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    /// Runs an opened home: listens, keeps peers connected, answers the API if `api` says so.
    pub async fn start(service: Service, settings: Settings, api: bool) -> Result<Self, ServiceError> {
        let (stop, stopped) = watch::channel(false);
        let wait = |mut stopped: watch::Receiver<bool>| async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let network = Network::start(&service, &settings).await?;
        let signing = network.sign_checkpoints(service.clone(), wait(stopped.clone()));
        let mut tasks = vec![tokio::spawn(signing)];
        tasks.push(tokio::spawn(network.run(service.clone(), wait(stopped.clone()))));
        if api {
            let folder = service.home().folder().to_owned();
            let listening = Listening::open(&folder, 0).await?;
            tasks.push(tokio::spawn(
                listening.serve(service.clone(), wait(stopped.clone())),
            ));
        }
        let (sweeping, stopping) = (service.clone(), stopped.clone());
        tasks.push(tokio::task::spawn_blocking(move || {
            if let Err(error) = sweeping.sweep_erasures(|| *stopping.borrow()) {
                tracing::warn!(%error, "erasures ordered earlier were not all carried out");
            }
        }));
        Ok(Self { service, stop, tasks })
    }

    /// What can be asked of it.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Stops, and waits until ports and home are free.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for task in std::mem::take(&mut self.tasks) {
            let _ = tokio::time::timeout(Duration::from_secs(15), task).await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// A runtime for a node: what it does for peers leaves a processor to those who work here.
pub fn runtime() -> Result<Runtime, ServiceError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads((processors() - 1).clamp(1, 4))
        .enable_all()
        .build()
        .map_err(|error| ServiceError::new(ErrorKind::Internal, Text::same(error.to_string())))
}

/// Runs the node of `home` until it is told to stop by a signal. `ready` is called once it listens.
pub fn serve(
    home: &Path,
    serve: Serve,
    options: Options,
    ready: &mut dyn FnMut(view::Status),
) -> Result<(), ServiceError> {
    let service = Service::open(home, options, &mut |_| {})?;
    for (handle, passphrase) in &serve.unlock {
        service.unlock(handle, &Passphrase(passphrase.0.clone()))?;
    }
    let config = service.home().config().clone();
    let mut peers = config.peers;
    peers.extend(serve.parents);
    let settings = Settings {
        listen: if serve.listen.is_empty() {
            config.listen
        } else {
            serve.listen
        },
        peers,
        witnesses: config.witnesses,
        witness_for: config.witness_for,
        mdns: config.mdns || serve.mdns,
    };
    runtime()?.block_on(async {
        let node = Node::start(service, settings, true).await?;
        ready(node.service().handle(Status { scope: None }, &mut |_| {})?);
        told_to_stop().await;
        node.stop().await;
        Ok(())
    })
}

/// Waits for SIGINT or SIGTERM, or Ctrl-C where there are no signals.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
