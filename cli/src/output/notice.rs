//! What goes wrong, and what to do about it.

use anjuan_node::text;
use anjuan_node::text::Text;

use super::width::{clean_lines, display_width, pad, wrap};
use super::{Ink, Ui};

/// An error with its hint, for standard error: each ended by a line break.
pub fn notice(ui: &Ui, message: &Text, hint: Option<&Text>) -> String {
    let mut lines = labelled(ui, &text!("错误:", "error: "), message, Ink::Bad);
    if let Some(hint) = hint {
        lines += &labelled(ui, &text!("提示:", "hint: "), hint, Ink::Good);
    }
    lines
}

fn labelled(ui: &Ui, label: &Text, message: &Text, ink: Ink) -> String {
    let label = ui.say(label);
    let indent = display_width(label);
    let room = ui
        .width
        .map_or(usize::MAX, |width| width.saturating_sub(indent).max(10));
    let mut text = ui.paint(ink, label);
    for (at, line) in wrap(&clean_lines(ui.say(message)), room).iter().enumerate() {
        if at > 0 {
            text += &pad("", indent);
        }
        text += line;
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use anjuan_node::text::Lang;

    use super::*;

    #[test]
    fn an_error_stands_before_its_hint() {
        let message = text!("找不到案件", "there is no such case");
        let hint = text!("用 anjuan case list 查看", "see anjuan case list");
        let mut ui = Ui::plain(Lang::Zh);
        assert_eq!(
            notice(&ui, &message, Some(&hint)),
            "错误:找不到案件\n提示:用 anjuan case list 查看\n"
        );
        ui.lang = Lang::En;
        ui.width = Some(22);
        assert_eq!(
            notice(&ui, &message, None),
            "error: there is no\n       such case\n"
        );
    }
}
