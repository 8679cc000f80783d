//! From arguments to an exit code.

use std::ffi::OsString;
use std::path::PathBuf;

use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text::Lang;
use serde::Serialize;

use crate::app::{App, json_line};
use crate::args::{Cli, Stop, language};
use crate::console::Console;
use crate::home::default_home;
use crate::host::Host;
use crate::output::{Ui, notice};
use crate::passphrase::Secrets;

/// Runs one command line, the program's name first. `ui` tells how to show things in a language, and whether
/// in JSON. Returns the exit code: 0, that of a verdict, or that of the error's kind.
pub fn run<H: Host>(
    args: &[OsString],
    env: impl Fn(&str) -> Option<String>,
    host: &H,
    console: &mut dyn Console,
    ui: impl Fn(Lang, bool) -> Ui,
) -> u8 {
    let lang = language(args, &env);
    let cli = match Cli::read(args, lang) {
        Ok(cli) => cli,
        // Nobody may be reading; there is nobody else to tell.
        Err(Stop::Print(text)) => {
            let _ = console.out(&text);
            return 0;
        }
        Err(Stop::Explain(text)) => {
            let _ = console.err(&text);
            return ErrorKind::Usage.exit_code();
        }
        Err(Stop::Wrong(error)) => {
            // Parsing failed, so whether JSON was asked for can only be guessed.
            let json = args.iter().any(|arg| arg == "--json");
            return tell(console, &ui(lang, json), &error);
        }
    };
    let ui = ui(lang, cli.common.json);
    let home = match cli.common.home {
        Some(home) => Ok(home),
        None if cli.command.needs_home() => default_home(&env),
        None => Ok(PathBuf::new()),
    };
    let done = home.and_then(|home| {
        let secrets = Secrets::from_environment(cli.common.passphrase_file, &env);
        let mut app = App::new(host, home, ui.clone(), secrets, console);
        cli.command.run(&mut app)?;
        Ok(app.code)
    });
    match done {
        Ok(code) => code,
        Err(error) => tell(console, &ui, &error),
    }
}

#[derive(Serialize)]
struct Failed<'e> {
    error: &'e ServiceError,
}

/// Says what failed, on standard error.
fn tell(console: &mut dyn Console, ui: &Ui, error: &ServiceError) -> u8 {
    let said = if ui.json {
        json_line(&Failed { error }).unwrap_or_default()
    } else {
        let ui = Ui {
            color: ui.color && console.paints_errors(),
            ..ui.clone()
        };
        notice(&ui, &error.message, error.hint.as_ref())
    };
    // With standard error gone, the exit code still tells.
    let _ = console.err(&said);
    error.kind.exit_code()
}

#[cfg(test)]
mod tests;
