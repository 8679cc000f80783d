//! A page put together from the parts of [`crate::output`].

use anjuan_node::text;
use anjuan_node::text::Text;
use jiff::Timestamp;

use crate::output::width::clean;
use crate::output::{self, Column, Fields, Ink, Moment, Table, Ui};

/// A piece of text with what it is.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    text: String,
    ink: Ink,
}

/// A plain piece.
pub(super) fn plain(text: impl Into<String>) -> Piece {
    toned(text, Ink::Plain)
}

/// A piece that is something.
pub(super) fn toned(text: impl Into<String>, ink: Ink) -> Piece {
    Piece {
        text: text.into(),
        ink,
    }
}

/// Bytes in the unit in which they are short: `812 B`, `1.4 MB`.
pub(super) fn size(bytes: u64) -> String {
    let mut shown = bytes as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if shown < 1000.0 {
            let places = usize::from(shown < 10.0 && unit != "B");
            return format!("{shown:.places$} {unit}");
        }
        shown /= 1000.0;
    }
    format!("{shown:.1} TB")
}

/// A page being written.
#[derive(Debug)]
pub struct Page<'u> {
    ui: &'u Ui,
    text: String,
}

impl<'u> Page<'u> {
    /// An empty page.
    pub fn new(ui: &'u Ui) -> Self {
        Self {
            ui,
            text: String::new(),
        }
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.text
    }

    /// The half of `text` in the page's language.
    pub fn say(&self, text: &Text) -> String {
        self.ui.say(text).to_owned()
    }

    /// A heading, with an empty line before it unless it is the first.
    pub fn heading(&mut self, text: &Text) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let title = toned(self.say(text), Ink::Strong);
        self.line(&[title]);
    }

    /// Pieces one after another, in a line.
    pub(super) fn line(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            self.text.push_str(&self.ui.paint(piece.ink, &clean(&piece.text)));
        }
        self.text.push('\n');
    }

    /// Something to be carried elsewhere as it is: never broken or coloured.
    pub fn verbatim(&mut self, text: &str) {
        self.line(&[plain(text)]);
    }

    /// Labels with what they stand for, one below the other.
    pub(super) fn facts(&mut self, facts: &[(Text, Piece)]) {
        let mut fields = Fields::new();
        for (label, piece) in facts {
            fields.add_in(piece.ink, label.clone(), &piece.text);
        }
        self.text.push_str(&fields.render(self.ui));
    }

    /// A table.
    pub(super) fn table(&mut self, columns: impl IntoIterator<Item = Column>, rows: &[Vec<Piece>]) {
        let mut table = Table::new(columns);
        for row in rows {
            table.row(row.iter().map(|piece| output::Cell::new(&piece.text, piece.ink)));
        }
        self.text.push_str(&table.render(self.ui));
    }

    /// Stages in a row.
    pub fn ribbon(&mut self, stages: &[Text], current: usize) {
        self.text.push_str(&output::ribbon(self.ui, stages, current));
    }

    /// Events in time.
    pub fn timeline(&mut self, moments: &[Moment]) {
        self.text.push_str(&output::timeline(self.ui, moments));
    }

    /// An instant in local time, to the minute.
    pub fn instant(&self, instant: Timestamp) -> String {
        output::time::moment(self.ui, instant)
    }

    /// A due date with the days left, as the node counted them.
    pub(super) fn due(&self, due: jiff::civil::Date, days_left: Option<i32>) -> Piece {
        let Some(days) = days_left else {
            return plain(due.to_string());
        };
        let ink = match days {
            ..0 => Ink::Bad,
            0..=3 => Ink::Attention,
            _ => Ink::Plain,
        };
        let late = days.unsigned_abs();
        let rest = match days {
            ..0 => text!("逾期 {late} 天", "{late} days late"),
            0 => text!("今天到期", "due today"),
            days => text!("剩 {days} 天", "{days} days left"),
        };
        toned(format!("{due} {}", self.say(&rest)), ink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_short() {
        let sizes = [0, 999, 1400, 53_000, 2_600_000, 7_100_000_000, 4_000_000_000_000];
        let shown = sizes.map(size);
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.4 KB", "53 KB", "2.6 MB", "7.1 GB", "4.0 TB"]
        );
    }
}
