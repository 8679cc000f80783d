//! Colours that mean something, and nothing else.

use super::Ui;

/// What a piece of text is, which gives it its colour. Meaning never rests on colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ink {
    /// As it comes.
    #[default]
    Plain,
    /// Headings, and what is current.
    Strong,
    /// What may be skipped: labels, ids.
    Quiet,
    /// In order.
    Good,
    /// Needs somebody's attention.
    Attention,
    /// Wrong, void, overdue.
    Bad,
}

impl Ui {
    /// The text in its colour, where there are colours.
    pub fn paint(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            _ if !self.color || text.is_empty() => return text.to_owned(),
            Ink::Plain => return text.to_owned(),
            Ink::Strong => "1",
            Ink::Quiet => "2",
            Ink::Good => "32",
            Ink::Attention => "33",
            Ink::Bad => "31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use anjuan_node::text::Lang;

    use super::*;

    #[test]
    fn colours_only_where_wanted() {
        let mut ui = Ui::plain(Lang::Zh);
        assert_eq!(ui.paint(Ink::Bad, "逾期"), "逾期");
        ui.color = true;
        assert_eq!(ui.paint(Ink::Bad, "逾期"), "\u{1b}[31m逾期\u{1b}[0m");
        assert_eq!(ui.paint(Ink::Plain, "x"), "x");
    }
}
