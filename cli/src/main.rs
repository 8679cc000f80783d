//! `anjuan`, the command of the ledger's operators and auditors.

use std::process::ExitCode;

use anjuan_cli::host::Local;
use anjuan_cli::output::Ui;
use anjuan_cli::{Terminal, run};
use mimalloc::MiMalloc;

/// The system's own keeps a heap for each of many threads, and what one allocates and another frees leaves
/// all of them in pieces: a long catch-up grew to several times what it held.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let env = |name: &str| std::env::var(name).ok();
    ExitCode::from(run(&args, env, &Local, &mut Terminal, Ui::detect))
}
