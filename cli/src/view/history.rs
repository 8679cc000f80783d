//! The timeline of a document.

use anjuan_node::service::view::{DocumentHistory, HistoryEntry, Standing};
use anjuan_node::text;
use anjuan_node::text::Text;

use super::page::{Page, toned};
use super::people::role_titles;
use super::words::Words;
use super::{View, short, unit_name};
use crate::output::{Ink, Mark, Moment};

impl View for DocumentHistory {
    fn lay_out(&self, page: &mut Page<'_>) {
        super::document::title_line(page, &self.line);
        let words = Words::of(&self.line.kind);
        let moments: Vec<Moment> = self
            .entries
            .iter()
            .map(|entry| moment(page, words, entry))
            .collect();
        page.timeline(&moments);
        let number = self.entries.len();
        let counting = self
            .entries
            .iter()
            .filter(|entry| entry.standing == Standing::Counts)
            .count();
        let sum = page.say(&text!(
            "共 {number} 条,计入 {counting} 条",
            "{number} updates, {counting} count"
        ));
        page.line(&[toned(sum, Ink::Quiet)]);
    }
}

fn moment(page: &Page<'_>, words: Words, entry: &HistoryEntry) -> Moment {
    let title = if page.say(&entry.title).is_empty() {
        Text::new(&entry.event, &entry.event)
    } else {
        entry.title.clone()
    };
    Moment {
        time: entry.recorded_at,
        mark: mark(entry.standing),
        reason: reason(entry),
        title,
        author: entry.author.clone(),
        role: role_titles(page, &entry.roles),
        unit: unit_name(&entry.unit),
        note: Some(note(page, words, entry)),
    }
}

fn mark(standing: Standing) -> Mark {
    match standing {
        Standing::Counts => Mark::Counts,
        Standing::Void => Mark::Void,
        Standing::Quarantined => Mark::Quarantined,
        Standing::Contested => Mark::Contested,
        Standing::Unknown => Mark::Unknown,
        Standing::Waiting => Mark::Waiting,
        Standing::Refused | Standing::Blocked | Standing::Forked => Mark::Refused,
    }
}

/// Why an update does not count. Where the node gives no reason, the standing is one.
fn reason(entry: &HistoryEntry) -> Option<Text> {
    entry.reason.clone().or_else(|| match entry.standing {
        Standing::Blocked => Some(text!("所依赖的更新被拒收", "it builds on one that is refused")),
        Standing::Forked => Some(text!("签名人的日志在此分叉", "its author's log is forked here")),
        _ => None,
    })
}

/// The update's id and signature, and the event's plain fields.
fn note(page: &Page<'_>, words: Words, entry: &HistoryEntry) -> String {
    let (update, seq) = (short(&entry.update), entry.seq);
    let signature = if entry.signature_valid {
        text!("签名有效", "signature holds")
    } else {
        text!("签名无效", "SIGNATURE DOES NOT HOLD")
    };
    let signature = page.say(&signature);
    let place = page.say(&text!("日志第 {seq} 条", "no. {seq} of the log"));
    let mut note = format!("{update} · {signature} · {place}");
    for line in words.event(page, &entry.event, &entry.content) {
        note.push('\n');
        note.push_str(&line);
    }
    note
}
