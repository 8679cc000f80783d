//! The stage ribbon (流程): where a case stands.

use anjuan_node::text::Lang;
use anjuan_node::text::Text;

use super::width::{clean, display_width};
use super::{Ink, Ui};

/// The stages in a row, the current one in brackets: `受理 → 登记 → 【交办】 → 承办 → 结案`. `current` beyond
/// the last stage marks none; all of them are past then.
pub fn ribbon(ui: &Ui, stages: &[Text], current: usize) -> String {
    let room = ui.width.unwrap_or(usize::MAX);
    let mut text = String::new();
    let mut column = 0;
    for (at, stage) in stages.iter().enumerate() {
        let title = clean(ui.say(stage));
        let (shown, ink) = match at.cmp(&current) {
            std::cmp::Ordering::Less => (title, Ink::Good),
            std::cmp::Ordering::Equal if ui.lang == Lang::Zh => (format!("【{title}】"), Ink::Strong),
            std::cmp::Ordering::Equal => (format!("[{title}]"), Ink::Strong),
            std::cmp::Ordering::Greater => (title, Ink::Quiet),
        };
        let width = display_width(&shown);
        if at > 0 {
            if column + ARROW.len() + width > room {
                text.push_str(" →\n");
                column = 0;
            } else {
                text.push_str(" → ");
                column += display_width(" → ");
            }
        }
        text.push_str(&ui.paint(ink, &shown));
        column += width;
    }
    text.push('\n');
    text
}

/// An arrow between two stages, with room for the one that ends a line.
const ARROW: &str = " →   ";

#[cfg(test)]
mod tests {
    use anjuan_node::text;

    use super::*;

    fn stages() -> Vec<Text> {
        vec![
            text!("受理", "accepted"),
            text!("登记", "registered"),
            text!("交办", "assigned"),
            text!("承办", "handled"),
            text!("结案", "closed"),
        ]
    }

    #[test]
    fn the_current_stage_is_marked_without_colours_too() {
        let zh = Ui::plain(Lang::Zh);
        assert_eq!(
            ribbon(&zh, &stages(), 2),
            "受理 → 登记 → 【交办】 → 承办 → 结案\n"
        );
        assert_eq!(ribbon(&zh, &stages(), 9), "受理 → 登记 → 交办 → 承办 → 结案\n");
        let en = Ui::plain(Lang::En);
        assert_eq!(ribbon(&en, &stages()[..2], 0), "[accepted] → registered\n");
    }

    #[test]
    fn a_ribbon_breaks_at_arrows() {
        let mut ui = Ui::plain(Lang::Zh);
        for width in 12..40 {
            ui.width = Some(width);
            let text = ribbon(&ui, &stages(), 2);
            assert!(
                text.lines().all(|line| display_width(line) <= width),
                "{width}: {text}"
            );
        }
    }
}
