//! A running node.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::Value;

use super::command::Anjuan;
use super::wait::{PATIENCE, until};

/// `anjuan serve` for a home, in a process of its own. Killed when dropped.
#[derive(Debug)]
pub struct Node {
    anjuan: Anjuan,
    child: Child,
    address: SocketAddr,
    peer_id: String,
}

impl Node {
    /// Starts it on a port that the system chooses, with these keys unlocked, and waits until it says that it
    /// answers and listens. What it says on standard error is appended to `<home>.log`.
    pub fn start(anjuan: &Anjuan, unlock: &[&str]) -> Self {
        let mut args = vec!["serve", "--listen", "/ip4/127.0.0.1/tcp/0"];
        args.extend(unlock.iter().flat_map(|key| ["--unlock", key]));
        let log_path = anjuan.home().with_extension("log");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log_path)
            .expect("a log file");
        let mut child = anjuan
            .unlocking()
            .command(&args)
            .stderr(log)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (sender, lines) = mpsc::channel();
        let stdout = child.stdout.take().expect("a piped output");
        // Reads on to the end: a full pipe would stop the node.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut fail = |what: &str| -> ! {
            let _ = child.kill();
            let log = std::fs::read_to_string(&log_path).unwrap_or_default();
            panic!("{what}\n--- {}\n{log}", log_path.display())
        };
        let Ok(line) = lines.recv_timeout(PATIENCE) else {
            fail("`serve` ended, or was silent, before it was ready")
        };
        let Ok(status) = serde_json::from_str::<Value>(&line) else {
            fail(&format!(
                "`serve` said this where its status was expected: {line}"
            ))
        };
        let Some(address) = status["addresses"].as_array().into_iter().flatten().find_map(tcp) else {
            fail(&format!("`serve` listens on no TCP address: {status}"))
        };
        let peer_id = status["peer_id"].as_str().unwrap_or_default().to_owned();
        Self {
            anjuan: anjuan.clone(),
            child,
            address,
            peer_id,
        }
    }

    /// The program, to ask this node; without a passphrase.
    pub fn anjuan(&self) -> &Anjuan {
        &self.anjuan
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its peer id.
    pub fn peer_id(&self) -> &str {
        &self.peer_id
    }

    /// The address at which others reach it through `at`.
    pub fn multiaddress(&self, at: SocketAddr) -> String {
        format!("/ip4/{}/tcp/{}/p2p/{}", at.ip(), at.port(), self.peer_id)
    }

    /// The end without any warning (SIGKILL).
    pub fn kill9(mut self) {
        self.child.kill().expect("the node is killed");
        self.child.wait().expect("the end of a killed node");
    }

    /// Asks it to end (SIGTERM), and waits until it has; it has to say that all went well.
    pub fn stop(mut self) {
        let asked = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &self.child.id().to_string()])
            .status();
        assert!(asked.is_ok_and(|status| status.success()), "SIGTERM was not sent");
        let child = &mut self.child;
        let ended = until("the node has ended", || {
            let state = child.try_wait().expect("the state of a child process");
            state.ok_or_else(|| "it still runs".to_owned())
        });
        assert!(ended.success(), "the node ended with {ended}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tcp(address: &Value) -> Option<SocketAddr> {
    let mut parts = address.as_str()?.split('/').skip(1);
    match [(); 4].map(|()| parts.next()) {
        [Some("ip4"), Some(ip), Some("tcp"), Some(port)] => format!("{ip}:{port}").parse().ok(),
        _ => None,
    }
}
