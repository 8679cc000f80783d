//! How things look: tables, blocks, ribbons and timelines of mixed Chinese and Latin text.
//!
//! Everything here is a pure function from data and a [`Ui`] to text, so that what a person sees can be
//! tested. Only [`stdout`], [`prompt`] and [`Progress`] touch a terminal. Texts that came from other nodes
//! go through [`clean`] before they are shown.

mod fields;
mod notice;
mod paint;
mod progress;
pub mod prompt;
mod ribbon;
pub mod stdout;
mod table;
pub mod time;
mod timeline;
pub mod width;

use std::io::IsTerminal;

use anjuan_node::text::{Lang, Text};
use jiff::tz::TimeZone;

pub use fields::Fields;
pub use notice::notice;
pub use paint::Ink;
pub use progress::Progress;
pub use ribbon::ribbon;
pub use table::{Align, Cell, Column, Table};
pub use timeline::{Mark, Moment, timeline};
pub use width::clean;

/// For whom, and on what, something is shown.
#[derive(Clone, Debug)]
pub struct Ui {
    /// The language of people.
    pub lang: Lang,
    /// One JSON document on standard output, and nothing else there?
    pub json: bool,
    /// Colours and bold?
    pub color: bool,
    /// Columns of the terminal; none where standard output is no terminal: nothing is cut or wrapped then.
    pub width: Option<usize>,
    /// The zone in which people read times.
    pub zone: TimeZone,
}

/// Narrower than this, and laying out makes no sense any more.
const MIN_WIDTH: usize = 40;

impl Ui {
    /// For the standard streams of this process: colours only on a terminal that is not told otherwise
    /// (<https://no-color.org>).
    pub fn detect(lang: Lang, json: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            lang,
            json,
            color: terminal && !json && !dumb && !set("NO_COLOR"),
            width: terminal
                .then(terminal_size::terminal_size)
                .flatten()
                .map(|(width, _)| usize::from(width.0).max(MIN_WIDTH)),
            zone: TimeZone::system(),
        }
    }

    /// Without colours, width or a local zone.
    pub fn plain(lang: Lang) -> Self {
        Self {
            lang,
            json: false,
            color: false,
            width: None,
            zone: TimeZone::UTC,
        }
    }

    /// The sentence in the language of this user.
    pub fn say<'a>(&self, text: &'a Text) -> &'a str {
        text.in_lang(self.lang)
    }
}
