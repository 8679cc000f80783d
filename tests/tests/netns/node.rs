//! `anjuan` within a network namespace.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anjuan_tests::harness::program;
use serde_json::Value;

/// `anjuan serve`, killed when dropped.
#[derive(Debug)]
pub(crate) struct Node {
    space: String,
    home: PathBuf,
    /// The unit whose digest is asked for.
    unit: String,
    child: Child,
}

fn anjuan(space: &str, home: &Path) -> Command {
    let mut command = Command::new("ip");
    // It becomes the program itself, so that its end is the program's.
    command.args(["netns", "exec", space]).arg(program());
    command.args(["--json", "--lang", "en", "--home"]).arg(home);
    command.stdin(Stdio::null());
    command
}

impl Node {
    /// Starts it in a namespace, where it listens at this address, and dials its parent if it has one.
    pub(crate) fn serve(space: String, home: &Path, unit: &str, address: &str, parent: Option<&str>) -> Self {
        let log = File::create(home.with_extension("log")).expect("a log file");
        let mut command = anjuan(&space, home);
        command.args(["serve", "--listen", &format!("/ip4/{address}/tcp/4509")]);
        if let Some(parent) = parent {
            command.args(["--parent", parent]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut ready = String::new();
        let stdout = child.stdout.take().expect("a piped output");
        let read = BufReader::new(stdout).read_line(&mut ready);
        assert!(
            read.is_ok_and(|bytes| bytes > 0),
            "the node ended before it was ready; see {}",
            home.with_extension("log").display()
        );
        Self {
            space,
            home: home.to_owned(),
            unit: unit.to_owned(),
            child,
        }
    }

    fn ask(&self, args: &[&str]) -> Option<Value> {
        let ran = anjuan(&self.space, &self.home).args(args).output();
        serde_json::from_slice(&ran.expect("the program starts").stdout).ok()
    }

    /// What it holds of the unit.
    pub(crate) fn digest(&self) -> Option<String> {
        let status = self.ask(&["status", "--scope", &self.unit])?;
        status["digest"].as_str().map(str::to_owned)
    }

    /// Is anybody connected?
    pub(crate) fn is_connected(&self) -> bool {
        let peers = self.ask(&["peer", "list"]);
        let peers = peers.as_ref().and_then(Value::as_array).into_iter().flatten();
        peers.into_iter().any(|peer| peer["connected"] == true)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
