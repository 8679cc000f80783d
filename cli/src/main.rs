//! `anjuan`, the command of the ledger's operators and auditors.

use std::process::ExitCode;

use anjuan_cli::host::Local;
use anjuan_cli::output::Ui;
use anjuan_cli::{Terminal, run};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let env = |name: &str| std::env::var(name).ok();
    ExitCode::from(run(&args, env, &Local, &mut Terminal, Ui::detect))
}
