//! The one place that writes to standard output.

use std::io::{self, Write};

use serde::Serialize;

/// Writes text to standard output at once. Whoever reads may have read enough (`anjuan case list | head`):
/// a closed pipe is no error.
pub fn write(text: &str) -> io::Result<()> {
    write_to(&mut io::stdout().lock(), text)
}

fn write_to(output: &mut impl Write, text: &str) -> io::Result<()> {
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A value as one JSON document on a line of its own.
pub fn json(value: &(impl Serialize + ?Sized)) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|line| line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_has_read_enough_is_no_error() {
        assert!(write_to(&mut Failing(io::ErrorKind::BrokenPipe), "x").is_ok());
        assert!(write_to(&mut Failing(io::ErrorKind::StorageFull), "x").is_err());
    }

    #[test]
    fn json_is_one_line() {
        let value = serde_json::json!({"text": "一\n二"});
        assert_eq!(json(&value).expect("serialises"), "{\"text\":\"一\\n二\"}\n");
    }
}
