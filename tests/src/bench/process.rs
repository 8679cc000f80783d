//! A process that is asked, one JSON line for a question and one for its answer.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::{AnyError, Plan};

/// The argument that makes a child of the program.
pub const ROLE: &str = "--child";

/// A child process. Killed when dropped.
#[derive(Debug)]
pub(super) struct Child {
    process: process::Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Child {
    /// Starts one.
    pub(super) fn start(plan: &Plan) -> Result<Self, AnyError> {
        Self::start_as(Command::new(&plan.program))
    }

    /// Starts one that stands for other machines: it gets the processor where nobody else wants it, so that
    /// what is measured here is this machine's part. (Niceness is not enough: Linux lets a nice process finish
    /// its slice of some milliseconds before one that woke up.) Where there is nothing for it, it is as any
    /// other.
    pub(super) fn start_elsewhere(plan: &Plan) -> Result<Self, AnyError> {
        let after = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments).arg(&plan.program);
            Self::start_as(command)
        };
        after("chrt", &["--idle", "0"])
            .or_else(|_| after("nice", &["-n", "19"]))
            .or_else(|_| Self::start(plan))
    }

    fn start_as(mut command: Command) -> Result<Self, AnyError> {
        let mut process = command
            .arg(ROLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = process.stdin.take().ok_or("a piped input")?;
        let answers = process.stdout.take().ok_or("a piped output")?;
        Ok(Self {
            process,
            questions,
            answers: BufReader::new(answers),
        })
    }

    /// Asks without waiting for the answer.
    pub(super) fn send(&mut self, question: &Value) -> Result<(), AnyError> {
        // In one piece: each piece would wake a process whose time is being measured.
        let line = format!("{question}\n");
        Ok(self.questions.write_all(line.as_bytes())?)
    }

    /// The answer to the question sent first of those unanswered.
    pub(super) fn answer(&mut self) -> Result<Value, AnyError> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err("a process of the run has ended".into());
        }
        let answer: Value = serde_json::from_str(&line)?;
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned().into()),
            None => Ok(answer),
        }
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&mut self, question: &Value) -> Result<Value, AnyError> {
        self.send(question)?;
        self.answer()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
