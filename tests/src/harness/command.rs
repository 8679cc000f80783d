//! One run of the program.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::wait::PATIENCE;

/// The program's file name where Cargo builds it for this package's tests: the command line's own `main`,
/// under another name. An integration test of a package always finds that package's programs up to date;
/// those of another package may be missing or stale.
pub const PROGRAM: &str = "anjuan-under-test";
/// The passphrase of every key in the stories.
pub const PASSPHRASE: &str = "玉州区东成社区 on the river";

/// The arguments of a command line in which none has a space.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The program with what every run of it is given.
#[derive(Clone, Debug)]
pub struct Anjuan {
    home: PathBuf,
    passphrase: Option<String>,
}

impl Anjuan {
    /// For this home, without a passphrase: what is signed needs a session in the running node.
    pub fn at(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            passphrase: None,
        }
    }

    /// The same with [`PASSPHRASE`] in the environment.
    #[must_use]
    pub fn unlocking(&self) -> Self {
        self.unlocking_with(PASSPHRASE)
    }

    /// The same with another passphrase in the environment.
    #[must_use]
    pub fn unlocking_with(&self, passphrase: &str) -> Self {
        Self {
            passphrase: Some(passphrase.to_owned()),
            ..self.clone()
        }
    }

    /// The home.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The process, not yet started, with no input.
    pub(super) fn command<A: AsRef<OsStr>>(&self, args: &[A]) -> Command {
        let mut command = Command::new(program());
        let inherited = std::env::vars_os().map(|(name, _)| name);
        for name in inherited.filter(|name| name.to_string_lossy().starts_with("ANJUAN_")) {
            command.env_remove(name);
        }
        if let Some(passphrase) = &self.passphrase {
            command.env("ANJUAN_PASSPHRASE", passphrase);
        }
        command
            .args(["--json", "--lang", "en", "--home"])
            .arg(&self.home)
            .args(args);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Ran {
        let told = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
        let child = self.command(args).spawn().expect("the program starts");
        finish(child, told)
    }

    /// Runs it and reads its answer.
    ///
    /// # Panics
    /// If it fails, with all that it said.
    #[track_caller]
    pub fn answer<A: AsRef<OsStr>>(&self, args: &[A]) -> Value {
        let ran = self.run(args);
        match ran.answer() {
            Ok(answer) => answer,
            Err(why) => panic!("{why}: {ran}"),
        }
    }

    /// Runs what has to be refused, and reads how.
    ///
    /// # Panics
    /// If it succeeds, or fails in another form than every error has.
    #[track_caller]
    pub fn refusal<A: AsRef<OsStr>>(&self, args: &[A]) -> Refusal {
        let ran = self.run(args);
        match ran.refusal() {
            Some(refusal) => refusal,
            None => panic!("expected an error as JSON and an exit code of its kind: {ran}"),
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The arguments, without those that every run has.
    pub args: Vec<OsString>,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// The answer, where there is one and the program says that it succeeded.
    pub fn answer(&self) -> Result<Value, String> {
        if !self.status.success() {
            return Err("failed".to_owned());
        }
        serde_json::from_str(self.stdout.trim()).map_err(|error| format!("no JSON ({error})"))
    }

    /// The error, where it failed with one.
    pub fn refusal(&self) -> Option<Refusal> {
        let code = self.status.code().filter(|code| *code != 0)?;
        let line = self
            .stderr
            .lines()
            .rev()
            .find(|line| line.starts_with("{\"error\""))?;
        let error = serde_json::from_str::<Value>(line).ok()?;
        let text = |pointer: &str| {
            error
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Some(Refusal {
            code,
            kind: text("/error/kind"),
            message: text("/error/message/en"),
            message_zh: text("/error/message/zh"),
            hint: text("/error/hint/en"),
            stderr: self.stderr.clone(),
        })
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<_> = self.args.iter().map(|arg| arg.to_string_lossy()).collect();
        write!(f, "anjuan {}\n{}\n", args.join(" "), self.status)?;
        write!(
            f,
            "--- stdout\n{}\n--- stderr\n{}",
            self.stdout.trim_end(),
            self.stderr.trim_end()
        )
    }
}

/// An error as the program told it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The exit code.
    pub code: i32,
    /// The kind, as JSON names it.
    pub kind: String,
    /// The message in English.
    pub message: String,
    /// The message in Chinese.
    pub message_zh: String,
    /// The hint in English; empty without one.
    pub hint: String,
    /// All of standard error.
    pub stderr: String,
}

/// The program: what `ANJUAN_BIN` names, else the one built for this package.
pub fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("ANJUAN_BIN").filter(|named| !named.is_empty()) {
        return named.into();
    }
    let test = std::env::current_exe().expect("the path of this test");
    // target/<profile>/deps/<test>
    let built = test.ancestors().nth(2).map(|folder| {
        folder
            .join(PROGRAM)
            .with_extension(std::env::consts::EXE_EXTENSION)
    });
    match built {
        Some(built) if built.exists() => built,
        _ => panic!(
            "no {PROGRAM} beside {}: run the stories with `cargo test`, or name a program in ANJUAN_BIN",
            test.display()
        ),
    }
}

/// Waits for the end, kills what does not come to one.
fn finish(mut child: Child, args: Vec<OsString>) -> Ran {
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    let ended = loop {
        match child.try_wait().expect("the state of a child process") {
            Some(status) => break Some(status),
            None if start.elapsed() > PATIENCE => break None,
            None => thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    let status = ended.unwrap_or_else(|| {
        child.kill().expect("a hanging child is killed");
        child.wait().expect("a killed child ends")
    });
    let ran = Ran {
        args,
        status,
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    };
    assert!(ended.is_some(), "killed after {PATIENCE:?}: {ran}");
    ran
}

fn read_all(stream: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What came before it broke off is told.
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
