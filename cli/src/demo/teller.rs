//! How the story is told: a line for each thing that happens, with the time since the start.

use std::cell::RefCell;
use std::time::Instant;

use anjuan_node::service::ServiceError;
use anjuan_node::text;
use anjuan_node::text::{Lang, Text};

use super::Outcome;
use super::family::Family;
use crate::app::json_line;
use crate::console::Console;
use crate::output::{Ink, Ui};

/// Tells the story as it happens.
pub(super) struct Teller<'a> {
    ui: &'a Ui,
    console: RefCell<&'a mut dyn Console>,
    started: Instant,
}

impl<'a> Teller<'a> {
    pub(super) fn new(ui: &'a Ui, console: &'a mut dyn Console, started: Instant) -> Self {
        Self {
            ui,
            console: RefCell::new(console),
            started,
        }
    }

    /// The language of the story.
    pub(super) fn lang(&self) -> Lang {
        self.ui.lang
    }

    /// A new chapter.
    pub(super) fn chapter(&self, title: &Text) {
        self.write(&format!("\n{}\n", self.ui.paint(Ink::Strong, self.ui.say(title))));
    }

    /// Something happened at a unit.
    pub(super) fn happened(&self, at: &str, what: &Text) {
        self.line(Ink::Plain, at, self.ui.say(what));
    }

    /// Something holds, or does not.
    pub(super) fn shown(&self, holds: bool, what: &Text) {
        let (ink, mark) = if holds {
            (Ink::Good, "✓")
        } else {
            (Ink::Bad, "✗")
        };
        self.line(ink, mark, self.ui.say(what));
    }

    fn line(&self, ink: Ink, at: &str, what: &str) {
        let seconds = self.started.elapsed().as_secs_f32();
        let at = crate::output::width::pad(at, 14);
        self.write(&format!("{seconds:6.2} s  {} {what}\n", self.ui.paint(ink, &at)));
    }

    /// With `--json` the last line is the outcome and the story goes to nobody.
    fn write(&self, text: &str) {
        if !self.ui.json {
            // Whoever listens may have gone; the story goes on, and its outcome is the exit code.
            let _ = self.console.borrow_mut().out(text);
        }
    }

    pub(super) fn end(&self, outcome: &Outcome, family: &Family) -> Result<(), ServiceError> {
        if self.ui.json {
            let line = json_line(outcome)?;
            let _ = self.console.borrow_mut().out(&line);
            return Ok(());
        }
        let (cases, updates, seconds) = (outcome.cases, outcome.updates, outcome.seconds);
        self.chapter(&text!(
            "{cases} 起案件,{updates} 条签名记录,用时 {seconds:.1} 秒",
            "{cases} cases, {updates} signed updates, in {seconds:.1} s"
        ));
        self.shown(
            outcome.holds(),
            &match outcome.holds() {
                true => Text::new("以上各项全部成立", "all of the above holds"),
                false => Text::new("以上并非全部成立", "not all of the above holds"),
            },
        );
        if let Some(folder) = family.kept() {
            let folder = folder.display();
            let passphrase = super::family::PASSPHRASE;
            self.write(&format!(
                "{}\n",
                self.ui.say(&text!(
                    "各节点目录在 {folder}/<区划代码>,根证书在 {folder}/root.cert,所有口令为 {passphrase}",
                    "the homes are in {folder}/<unit code>, the root certificate is {folder}/root.cert; every passphrase is {passphrase}"
                ))
            ));
        }
        Ok(())
    }

    pub(super) fn stays_up(&self, family: &Family) {
        for (unit, home) in family.homes() {
            let home = home.display();
            self.write(&format!("  anjuan --home {home} status    # {unit}\n"));
        }
        self.write(&format!(
            "{}\n",
            self.ui.say(&Text::new(
                "四个节点仍在运行,可用上面的命令查看;按 Ctrl-C 结束",
                "the four nodes stay up, to look around in with the commands above; Ctrl-C ends them"
            ))
        ));
    }
}
