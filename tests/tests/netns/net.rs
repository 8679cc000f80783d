//! Two network namespaces and the link between them.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Removed when dropped.
#[derive(Debug)]
pub(crate) struct Net {
    /// Of both namespaces, and of the interface in each.
    name: String,
    /// The third part of the addresses.
    number: usize,
}

fn run(command: &[&str]) -> Result<String, String> {
    let (program, args) = command.split_first().expect("a program");
    let told = |what: &str| format!("`{}`: {what}", command.join(" "));
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program)
        .args(args)
        .output()
        .map_err(|error| told(&error.to_string()))?;
    match status.success() {
        true => Ok(String::from_utf8_lossy(&stdout).trim().to_owned()),
        false => Err(told(String::from_utf8_lossy(&stderr).trim())),
    }
}

impl Net {
    /// A link that carries so much, in words of `tc`.
    pub(crate) fn new(rate: &str) -> Result<Self, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // Names of interfaces have at most 15 bytes.
        let name = format!("aj{}-{number}", std::process::id());
        let net = Self { name, number };
        let (above, below) = (net.above(), net.below());
        for space in [&above, &below] {
            run(&["ip", "netns", "add", space])?;
        }
        let link = [
            "ip", "link", "add", "up0", "netns", &above, "type", "veth", "peer", "name", "down0", "netns",
            &below,
        ];
        run(&link)?;
        for (space, interface, address) in [(&above, "up0", net.upper()), (&below, "down0", net.lower())] {
            // The program is asked over loopback.
            run(&["ip", "-n", space, "link", "set", "lo", "up"])?;
            let address = format!("{address}/24");
            run(&["ip", "-n", space, "addr", "add", &address, "dev", interface])?;
            run(&["ip", "-n", space, "link", "set", interface, "up"])?;
            run(&[
                "tc", "-n", space, "qdisc", "add", "dev", interface, "root", "tbf", "rate", rate, "burst",
                "3000", "latency", "500ms",
            ])?;
        }
        Ok(net)
    }

    /// The namespace of the parent.
    pub(crate) fn above(&self) -> String {
        format!("{}a", self.name)
    }

    /// The namespace of the child.
    pub(crate) fn below(&self) -> String {
        format!("{}b", self.name)
    }

    /// The parent's address.
    pub(crate) fn upper(&self) -> String {
        format!("10.77.{}.1", self.number)
    }

    /// The child's.
    pub(crate) fn lower(&self) -> String {
        format!("10.77.{}.2", self.number)
    }

    /// Bytes that the child has sent so far, with all that the protocols below add.
    pub(crate) fn sent(&self) -> u64 {
        let file = "/sys/class/net/down0/statistics/tx_bytes";
        let told = run(&["ip", "netns", "exec", &self.below(), "cat", file]);
        let told = told.expect("the counter of an interface");
        told.parse().expect("a number")
    }

    /// Nothing goes through any more, and nobody is told.
    pub(crate) fn cut(&self) {
        self.set("down");
    }

    /// It does again.
    pub(crate) fn restore(&self) {
        self.set("up");
    }

    fn set(&self, state: &str) {
        // The child's end sees that its own is up, as behind a modem that has lost its line.
        run(&["ip", "-n", &self.above(), "link", "set", "up0", state]).expect("the link is set");
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for space in [self.above(), self.below()] {
            // One that was never made is not there.
            let _ = run(&["ip", "netns", "del", &space]);
        }
    }
}
