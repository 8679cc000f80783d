//! One language of the help texts.

use anjuan_node::text::{Lang, Text};
use clap::builder::StyledStr;
use clap::{Arg, Command};

/// Stands between the Chinese and the English half. Clap drops control characters, so it's a printable one
/// that no text needs.
const SEPARATOR: char = '‖';

/// Both halves, for a help text made at run time.
pub fn joined(text: &Text) -> String {
    format!("{}{SEPARATOR}{}", text.zh, text.en)
}

/// The same command with every text in `lang`.
pub(super) fn localise(command: Command, lang: Lang) -> Command {
    let (options, arguments, commands, command_name, usage) = match lang {
        Lang::Zh => ("选项", "参数", "命令", "命令", "用法:"),
        Lang::En => ("Options", "Arguments", "Commands", "COMMAND", "Usage: "),
    };
    let about = command.get_about().map(|text| half(text, lang));
    let after = command.get_after_help().map(|text| half(text, lang));
    let mut command = command
        .help_template(format!(
            "{{about-with-newline}}\n{usage}{{usage}}\n\n{{all-args}}{{after-help}}\n"
        ))
        .subcommand_help_heading(commands)
        .subcommand_value_name(command_name)
        .disable_help_subcommand(true)
        .mut_args(|arg| {
            let heading = if arg.is_positional() { arguments } else { options };
            localise_arg(arg, lang).help_heading(heading)
        })
        .mut_subcommands(|subcommand| localise(subcommand, lang));
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(after) = after {
        command = command.after_help(after);
    }
    command
}

fn localise_arg(arg: Arg, lang: Lang) -> Arg {
    // What clap would add to the help is in English only; the texts say it themselves.
    let arg = if arg.get_action().takes_values() {
        arg.hide_possible_values(true).hide_default_value(true)
    } else {
        arg
    };
    match arg.get_help().map(|text| half(text, lang)) {
        Some(help) => arg.help(help),
        None => arg,
    }
}

fn half(text: &StyledStr, lang: Lang) -> String {
    let text = text.to_string();
    match (text.split_once(SEPARATOR), lang) {
        (Some((zh, _)), Lang::Zh) => zh.to_owned(),
        (Some((_, en)), Lang::En) => en.to_owned(),
        (None, _) => text,
    }
}
