//! What a running node tells on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// The program's own doings and others' warnings, or what `ANJUAN_LOG` asks for (`info,anjuan_node=debug`).
/// Started once; a second time changes nothing.
pub fn to_standard_error() {
    let asked = std::env::var("ANJUAN_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(&asked)
        .ok()
        .filter(|_| !asked.is_empty())
        .unwrap_or_else(|| EnvFilter::new("warn,anjuan_cli=info,anjuan_node=info,anjuan_sync=info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A log file is read by people and searched by scripts: no colours in it.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}
