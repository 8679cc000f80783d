//! Blocks of labelled values.

use anjuan_node::text::Text;

use super::width::{clean_lines, display_width, pad, wrap};
use super::{Ink, Ui};

/// Labels in one column, values in the next, broken into lines where they are long.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(Text, String, Ink)>);

impl Fields {
    /// A block without lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value.
    pub fn add(&mut self, label: Text, value: impl AsRef<str>) -> &mut Self {
        self.add_in(Ink::Plain, label, value)
    }

    /// Adds a value with a meaning.
    pub fn add_in(&mut self, ink: Ink, label: Text, value: impl AsRef<str>) -> &mut Self {
        self.0.push((label, clean_lines(value.as_ref()), ink));
        self
    }

    /// Adds a value if there is one.
    pub fn add_some(&mut self, label: Text, value: Option<impl AsRef<str>>) -> &mut Self {
        match value {
            Some(value) => self.add(label, value),
            None => self,
        }
    }

    /// The lines, each ended.
    pub fn render(&self, ui: &Ui) -> String {
        let labels = self.0.iter().map(|(label, ..)| display_width(ui.say(label)));
        let indent = labels.max().unwrap_or(0) + 2;
        let room = ui
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(indent).max(10));
        let mut text = String::new();
        for (label, value, ink) in &self.0 {
            for (at, line) in wrap(value, room).iter().enumerate() {
                let label = if at == 0 { ui.say(label) } else { "" };
                let line = ui.paint(Ink::Quiet, &pad(label, indent)) + &ui.paint(*ink, line);
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use anjuan_node::text;
    use anjuan_node::text::Lang;

    use super::*;

    #[test]
    fn values_stand_under_one_another() {
        let mut fields = Fields::new();
        fields
            .add(text!("案号", "number"), "(2019)玉州东成人调字第12号")
            .add(text!("责任单位", "unit"), "东成村")
            .add_some(text!("到期", "due"), None::<&str>)
            .add(text!("事实", "facts"), "甲与乙因宅基地边界争执。\n已到现场。");
        let mut ui = Ui::plain(Lang::Zh);
        assert_eq!(
            fields.render(&ui),
            "案号      (2019)玉州东成人调字第12号\n\
             责任单位  东成村\n\
             事实      甲与乙因宅基地边界争执。\n\
             \x20         已到现场。\n"
        );
        ui.width = Some(24);
        assert!(fields.render(&ui).lines().all(|line| display_width(line) <= 24));
    }
}
