//! The arguments of the command line.
//!
//! Help stands next to what it explains, in both languages, joined by [`bi!`]; [`localise`] keeps the one
//! that was asked for.

mod language;
mod localise;
mod misuse;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use anjuan_node::service::ServiceError;
use anjuan_node::text::Lang;
use clap::error::ErrorKind as ClapKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser};

pub use language::language;
pub use localise::joined;
pub use values::{Said, day, instant, key_value, role, unit, within};

use crate::command::Command;

/// Help in both languages: `bi!("中文", "English")`.
macro_rules! bi {
    ($zh:literal, $en:literal $(,)?) => {
        concat!($zh, "‖", $en)
    };
}
pub(crate) use bi;

/// Everything on the command line.
#[derive(Debug, Parser)]
#[command(
    name = "anjuan",
    version,
    disable_help_flag = true,
    disable_version_flag = true
)]
#[command(about = bi!("案卷:调解案件的同步签名台账", "Anjuan: a peer-synced, signed ledger of mediation cases"))]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// The node's home.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "ANJUAN_HOME",
        hide_env = true,
        display_order = 900
    )]
    #[arg(help = bi!(
        "节点目录(或环境变量 ANJUAN_HOME)",
        "the node's home (or ANJUAN_HOME in the environment)"
    ))]
    pub home: Option<PathBuf>,
    /// Read before parsing, by [`language`]; stands here for the help and the check.
    #[arg(long, global = true, value_name = "LANG", value_parser = ["zh", "en"], display_order = 901)]
    #[arg(help = bi!("界面语言:zh 或 en", "language: zh or en"))]
    pub lang: Option<String>,
    /// JSON instead of text.
    #[arg(long, global = true, display_order = 902)]
    #[arg(help = bi!("以 JSON 输出", "print JSON"))]
    pub json: bool,
    /// Where the passphrase stands.
    #[arg(long, global = true, value_name = "FILE", display_order = 903)]
    #[arg(help = bi!(
        "从文件读取口令(否则用环境变量 ANJUAN_PASSPHRASE,或询问)",
        "read the passphrase from a file (else from ANJUAN_PASSPHRASE, or by asking)"
    ))]
    pub passphrase_file: Option<PathBuf>,
    /// Help.
    #[arg(short, long, global = true, action = clap::ArgAction::Help, display_order = 904)]
    #[arg(help = bi!("显示帮助", "print help"))]
    pub help: Option<bool>,
    /// Version.
    #[arg(short = 'V', long, action = clap::ArgAction::Version, display_order = 905)]
    #[arg(help = bi!("显示版本", "print the version"))]
    pub version: Option<bool>,
}

/// What parsing came to, when it isn't a command.
#[derive(Debug)]
pub enum Stop {
    /// Help or the version was asked for.
    Print(String),
    /// Help stands in for a subcommand that is missing.
    Explain(String),
    /// The arguments are wrong.
    Wrong(ServiceError),
}

impl Cli {
    /// The grammar, in `lang`.
    pub fn grammar(lang: Lang) -> clap::Command {
        localise::localise(Self::command(), lang)
    }

    /// Reads the arguments, the program's name first.
    pub fn read(args: &[OsString], lang: Lang) -> Result<Self, Stop> {
        Self::grammar(lang)
            .try_get_matches_from(args)
            .and_then(|mut matches| Self::from_arg_matches_mut(&mut matches))
            .map_err(|error| match error.kind() {
                ClapKind::DisplayHelp | ClapKind::DisplayVersion => Stop::Print(error.render().to_string()),
                ClapKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    Stop::Explain(error.render().to_string())
                }
                _ => Stop::Wrong(misuse::explain(&error)),
            })
    }
}

#[cfg(test)]
mod tests;
