//! What the command line reads from and writes to: standard streams, or a test's.

use std::io;
use std::io::{IsTerminal as _, Read as _, Write as _};

use crate::output::{prompt, stdout};

/// The streams, and the person in front of them, if there is one.
pub trait Console {
    /// Is there somebody to ask?
    fn interactive(&self) -> bool;

    /// Asks for a line; `None` at the end of the input.
    fn ask(&mut self, question: &str) -> io::Result<Option<String>>;

    /// Asks for a line that is not shown while typed.
    fn ask_hidden(&mut self, question: &str) -> io::Result<String>;

    /// Reads standard input to its end, `limit` bytes at most.
    fn input(&mut self, limit: u64) -> io::Result<Vec<u8>>;

    /// Writes to standard output.
    fn out(&mut self, text: &str) -> io::Result<()>;

    /// Writes to standard error.
    fn err(&mut self, text: &str) -> io::Result<()>;

    /// May errors be in colours?
    fn paints_errors(&self) -> bool;
}

/// The process's own streams.
#[derive(Debug)]
pub struct Terminal;

impl Console for Terminal {
    fn interactive(&self) -> bool {
        prompt::interactive()
    }

    fn ask(&mut self, question: &str) -> io::Result<Option<String>> {
        prompt::line(question)
    }

    fn ask_hidden(&mut self, question: &str) -> io::Result<String> {
        prompt::hidden(question)
    }

    fn input(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn out(&mut self, text: &str) -> io::Result<()> {
        stdout::write(text)
    }

    fn err(&mut self, text: &str) -> io::Result<()> {
        let mut err = io::stderr().lock();
        err.write_all(text.as_bytes())?;
        err.flush()
    }

    fn paints_errors(&self) -> bool {
        io::stderr().is_terminal()
    }
}
