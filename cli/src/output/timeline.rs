//! The timeline of a document: who did what, as what, where, and whether it counts.

use anjuan_node::kind::Verdict;
use anjuan_node::text;
use anjuan_node::text::Text;

use super::time::moment;
use super::width::{clean, clean_lines, display_width, pad, wrap};
use super::{Ink, Ui};

/// Whether an update counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// 有效
    Counts,
    /// 无效
    Void,
    /// 隔离
    Quarantined,
    /// 待决
    Contested,
    /// 未知
    Unknown,
    /// 等待: something it builds on is not here.
    Waiting,
    /// 拒收: kept as evidence only.
    Refused,
}

impl Mark {
    /// The mark of a verdict, and its reason.
    pub fn of(verdict: &Verdict) -> (Self, Option<&Text>) {
        match verdict {
            Verdict::Counts => (Self::Counts, None),
            Verdict::Void(reason) => (Self::Void, Some(reason)),
            Verdict::Quarantined(reason) => (Self::Quarantined, Some(reason)),
            Verdict::Contested(reason) => (Self::Contested, Some(reason)),
            Verdict::Unknown => (Self::Unknown, None),
        }
    }

    fn look(self) -> (&'static str, Ink, Text) {
        match self {
            Self::Counts => ("✓", Ink::Good, text!("有效", "counts")),
            Self::Void => ("✗", Ink::Bad, text!("无效", "void")),
            Self::Quarantined => ("#", Ink::Bad, text!("隔离", "quarantined")),
            Self::Contested => ("!", Ink::Attention, text!("待决", "needs a decision")),
            Self::Unknown => ("?", Ink::Attention, text!("未知事件", "unknown event")),
            Self::Waiting => (
                "~",
                Ink::Attention,
                text!("等待前序更新", "waiting for what it builds on"),
            ),
            Self::Refused => ("✗", Ink::Bad, text!("拒收", "refused")),
        }
    }
}

/// One event on the timeline.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When, as claimed.
    pub time: jiff::Timestamp,
    /// Whether it counts.
    pub mark: Mark,
    /// Why not.
    pub reason: Option<Text>,
    /// The event.
    pub title: Text,
    /// Who.
    pub author: String,
    /// As what.
    pub role: String,
    /// Of which unit.
    pub unit: String,
    /// What it says, in lines.
    pub note: Option<String>,
}

/// The moments, each with its time, mark, event and author, and below it what it says and why it does not
/// count.
pub fn timeline(ui: &Ui, moments: &[Moment]) -> String {
    let titles = moments
        .iter()
        .map(|moment| display_width(&clean(ui.say(&moment.title))));
    let title_width = titles.max().unwrap_or(0);
    let mut text = String::new();
    for entry in moments {
        let (sign, ink, word) = entry.mark.look();
        let time = moment(ui, entry.time);
        let indent = display_width(&time) + 4;
        let title = clean(ui.say(&entry.title));
        let parts = [&entry.author, &entry.role, &entry.unit].map(|part| clean(part));
        let who = parts
            .iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join(" · ");
        let room = ui
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(indent).max(10));

        text.push_str(&format!(
            "{}  {} ",
            ui.paint(Ink::Quiet, &time),
            ui.paint(ink, sign)
        ));
        let in_one_line = title_width + 2 + display_width(&who) <= room;
        if in_one_line {
            text.push_str(&ui.paint(Ink::Strong, &title));
            text.push_str(&pad("", title_width - display_width(&title) + 2));
            text.push_str(&who);
            text.push('\n');
        } else {
            push_lines(ui, &mut text, 0, &wrap(&title, room), Ink::Strong, indent);
            push_lines(ui, &mut text, indent, &wrap(&who, room), Ink::Plain, indent);
        }
        if let Some(note) = &entry.note {
            push_lines(
                ui,
                &mut text,
                indent,
                &wrap(&clean_lines(note), room),
                Ink::Plain,
                indent,
            );
        }
        if entry.mark != Mark::Counts {
            let why = match &entry.reason {
                Some(reason) => Text::new(
                    format!("{}:{}", word.zh, reason.zh),
                    format!("{}: {}", word.en, reason.en),
                ),
                None => word,
            };
            push_lines(
                ui,
                &mut text,
                indent,
                &wrap(&clean(ui.say(&why)), room),
                ink,
                indent,
            );
        }
    }
    text
}

/// Lines below one another, the first one indented by `first`.
fn push_lines(ui: &Ui, text: &mut String, first: usize, lines: &[String], ink: Ink, indent: usize) {
    for (at, line) in lines.iter().enumerate() {
        text.push_str(&pad("", if at == 0 { first } else { indent }));
        text.push_str(&ui.paint(ink, line));
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use anjuan_node::text::Lang;

    use super::*;

    fn moments() -> Vec<Moment> {
        let time = |text: &str| text.parse().expect("a time");
        vec![
            Moment {
                time: time("2019-05-06T01:12:00Z"),
                mark: Mark::Counts,
                reason: None,
                title: text!("登记", "registered"),
                author: "李梅".into(),
                role: "人民调解员".into(),
                unit: "东成村".into(),
                note: Some("双方争执宅基地边界".into()),
            },
            Moment {
                time: time("2019-05-07T01:12:00Z"),
                mark: Mark::Quarantined,
                reason: Some(text!("证书已撤销", "certificate revoked")),
                title: text!("调解协议书", "agreement signed"),
                author: "李\u{1b}梅".into(),
                role: String::new(),
                unit: "东成村".into(),
                note: None,
            },
        ]
    }

    #[test]
    fn a_timeline_reads_downwards() {
        assert_eq!(
            timeline(&Ui::plain(Lang::Zh), &moments()),
            "2019-05-06 01:12  ✓ 登记        李梅 · 人民调解员 · 东成村\n\
             \x20                   双方争执宅基地边界\n\
             2019-05-07 01:12  # 调解协议书  李\u{fffd}梅 · 东成村\n\
             \x20                   隔离:证书已撤销\n"
        );
    }

    #[test]
    fn a_timeline_fits_the_terminal() {
        let mut ui = Ui::plain(Lang::En);
        for width in 40..90 {
            ui.width = Some(width);
            let text = timeline(&ui, &moments());
            assert!(
                text.lines().all(|line| display_width(line) <= width),
                "{width}:\n{text}"
            );
        }
    }
}
