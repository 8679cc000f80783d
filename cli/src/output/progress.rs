//! Progress of what takes long, for who is watching.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anjuan_node::text::Text;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Ui;

/// What is done sooner than this needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar on standard error, shown only on a terminal and only for what takes longer than a second. It is
/// gone when this is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    watched: bool,
}

impl Progress {
    /// A bar that is not shown yet.
    pub fn new(ui: &Ui, what: &Text) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_message(super::clean(ui.say(what)));
        Self {
            bar,
            started: Instant::now(),
            watched: !ui.json && std::io::stderr().is_terminal(),
        }
    }

    /// So much of so much is done.
    pub fn at(&mut self, done: u64, total: u64) {
        if self.bar.is_hidden() && is_shown(self.watched, self.started.elapsed()) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn is_shown(watched: bool, elapsed: Duration) -> bool {
    watched && elapsed >= PATIENCE
}

#[cfg(test)]
mod tests {
    use anjuan_node::text;
    use anjuan_node::text::Lang;

    use super::*;

    #[test]
    fn only_who_watches_and_waits_sees_a_bar() {
        assert!(!is_shown(true, Duration::from_millis(999)));
        assert!(is_shown(true, Duration::from_secs(1)));
        assert!(!is_shown(false, Duration::from_secs(60)));
        let mut progress = Progress::new(&Ui::plain(Lang::Zh), &text!("核验", "verifying"));
        progress.at(1, 2);
        assert!(progress.bar.is_hidden());
        assert_eq!((progress.bar.position(), progress.bar.length()), (1, Some(2)));
    }
}
