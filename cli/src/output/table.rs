//! Tables of mixed-width text that fit the terminal.

use anjuan_node::text::Text;

use super::width::{clean, cut, display_width, pad, wrap};
use super::{Ink, Ui};

/// Between two columns.
const GAP: usize = 2;

/// On which side a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Align {
    /// Text.
    #[default]
    Left,
    /// Numbers.
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Whole,
    Cut(usize),
    Wrap(usize),
}

/// A column: its heading, and how it behaves when there is not enough room.
#[derive(Clone, Debug)]
pub struct Column {
    heading: Text,
    align: Align,
    fit: Fit,
}

impl Column {
    /// A column that is always shown whole: numbers, dates, codes.
    pub fn new(heading: Text) -> Self {
        Self {
            heading,
            align: Align::Left,
            fit: Fit::Whole,
        }
    }

    /// Stands on the right.
    pub fn right(mut self) -> Self {
        self.align = Align::Right;
        self
    }

    /// May be cut, down to this many columns of the terminal.
    pub fn cut(mut self, least: usize) -> Self {
        self.fit = Fit::Cut(least);
        self
    }

    /// May be broken into lines, down to this many columns of the terminal.
    pub fn wrap(mut self, least: usize) -> Self {
        self.fit = Fit::Wrap(least);
        self
    }
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    ink: Ink,
}

impl Cell {
    /// A cell with a meaning.
    pub fn new(text: impl AsRef<str>, ink: Ink) -> Self {
        Self {
            text: clean(text.as_ref()),
            ink,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Ink::Plain)
    }
}

/// Rows under headings.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Cells that are missing are empty; what is beyond the last column is not shown.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) -> &mut Self {
        let mut cells: Vec<_> = cells.into_iter().collect();
        cells.resize(self.columns.len(), Cell::default());
        self.rows.push(cells);
        self
    }

    /// Are there no rows?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The headings and rows, each line ended. Without rows nothing at all.
    pub fn render(&self, ui: &Ui) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let headings: Vec<_> = self
            .columns
            .iter()
            .map(|column| Cell::new(ui.say(&column.heading), Ink::Quiet))
            .collect();
        let widths = self.widths(&headings, ui.width);
        let mut text = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            self.render_row(ui, row, &widths, &mut text);
        }
        text
    }

    /// What each column takes: what it needs, less what is missing, taken from the widest that can give.
    fn widths(&self, headings: &[Cell], room: Option<usize>) -> Vec<usize> {
        let need = |at: usize| {
            let rows = self.rows.iter().map(|row| &row[at]);
            rows.chain([&headings[at]])
                .map(|cell| display_width(&cell.text))
                .max()
                .unwrap_or(0)
        };
        let mut widths: Vec<_> = (0..self.columns.len()).map(need).collect();
        let Some(room) = room else { return widths };
        let gaps = GAP * self.columns.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
        while excess > 0 {
            let can_give = |at: &usize| match self.columns[*at].fit {
                Fit::Whole => false,
                Fit::Cut(least) | Fit::Wrap(least) => widths[*at] > least.max(2),
            };
            let Some(widest) = (0..widths.len()).filter(can_give).max_by_key(|at| widths[*at]) else {
                break;
            };
            widths[widest] -= 1;
            excess -= 1;
        }
        widths
    }

    fn render_row(&self, ui: &Ui, row: &[Cell], widths: &[usize], text: &mut String) {
        let lines: Vec<Vec<String>> = row
            .iter()
            .zip(&self.columns)
            .zip(widths)
            .map(|((cell, column), width)| match column.fit {
                Fit::Wrap(_) => wrap(&cell.text, *width),
                Fit::Whole | Fit::Cut(_) => vec![cut(&cell.text, *width)],
            })
            .collect();
        let height = lines.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let piece = lines[column].get(at).map_or("", String::as_str);
                let missing = " ".repeat(widths[column].saturating_sub(display_width(piece)));
                let painted = ui.paint(cell.ink, piece);
                match self.columns[column].align {
                    Align::Left => line.push_str(&(painted + &missing)),
                    Align::Right => line.push_str(&(missing + &painted)),
                }
                line.push_str(&pad("", GAP));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use anjuan_node::text;
    use anjuan_node::text::Lang;

    use super::*;

    fn table() -> Table {
        let mut table = Table::new([
            Column::new(text!("案号", "number")),
            Column::new(text!("标题", "title")).wrap(8),
            Column::new(text!("单位", "unit")).cut(6),
            Column::new(text!("天", "days")).right(),
        ]);
        table.row([
            "12".into(),
            "东成村宅基地相邻纠纷".into(),
            "东成村委会".into(),
            "3".into(),
        ]);
        table.row(["7".into(), "wages".into(), "x".into(), Cell::new("12", Ink::Bad)]);
        table
    }

    #[test]
    fn columns_align_with_mixed_text() {
        assert_eq!(
            table().render(&Ui::plain(Lang::Zh)),
            "案号  标题                  单位        天\n\
             12    东成村宅基地相邻纠纷  东成村委会   3\n\
             7     wages                 x           12\n"
        );
    }

    #[test]
    fn what_does_not_fit_is_wrapped_or_cut() {
        let mut ui = Ui::plain(Lang::Zh);
        ui.width = Some(31);
        let text = table().render(&ui);
        assert_eq!(
            text,
            "案号  标题        单位       天\n\
             12    东成村宅基  东成村委…   3\n\
             \x20     地相邻纠纷\n\
             7     wages       x          12\n"
        );
        for width in [20, 24, 28, 35] {
            ui.width = Some(width);
            let fits = table()
                .render(&ui)
                .lines()
                .all(|line| display_width(line) <= width.max(26));
            assert!(fits, "{width}");
        }
    }

    #[test]
    fn colours_do_not_count_as_width_and_missing_cells_are_empty() {
        let mut ui = Ui::plain(Lang::En);
        ui.color = true;
        let painted = table().render(&ui);
        assert!(painted.contains("\u{1b}[31m12\u{1b}[0m\n"), "{painted:?}");
        let mut short = Table::new([Column::new(text!("甲", "a")), Column::new(text!("乙", "b"))]);
        assert_eq!(short.render(&ui), "");
        short.row(["x\u{1b}[0m\ny".into()]);
        assert_eq!(short.render(&Ui::plain(Lang::En)), "a        b\nx\u{fffd}[0m y\n");
    }
}
