//! How many columns text takes, and making it take fewer.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a text without control characters; Chinese characters take two.
pub fn display_width(text: &str) -> usize {
    text.width()
}

/// Text that does nothing to a terminal but show: a line break becomes a space, and what would move the
/// cursor, start an escape sequence or turn the direction of writing becomes U+FFFD.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' || c == '\t' { ' ' } else { harmless(c) })
        .collect()
}

/// The same, with line breaks kept.
pub fn clean_lines(text: &str) -> String {
    text.chars()
        .filter(|c| *c != '\r')
        .map(|c| match c {
            '\n' => '\n',
            '\t' => ' ',
            other => harmless(other),
        })
        .collect()
}

fn harmless(c: char) -> char {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    if c.is_control() || turns || breaks {
        '\u{fffd}'
    } else {
        c
    }
}

/// Fills up with spaces to `columns`.
pub fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(display_width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// Cuts to `columns`, the last of which is `…` where something was cut off.
pub fn cut(text: &str, columns: usize) -> String {
    if display_width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 0;
    for c in text.chars() {
        taken += c.width().unwrap_or(0);
        if taken + 1 > columns {
            break;
        }
        kept.push(c);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// Breaks into lines of at most `columns`: at spaces, and between Chinese characters, but so that no line
/// starts with a closing mark or ends with an opening one (避头尾). A word longer than a line is broken.
/// Line breaks in the text stay. There is always at least one line.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut space = "";
        for piece in pieces(paragraph) {
            if piece.trim().is_empty() {
                space = if line.is_empty() { "" } else { " " };
                continue;
            }
            if !line.is_empty() && display_width(&line) + space.len() + display_width(piece) > columns {
                lines.push(std::mem::take(&mut line));
                space = "";
            }
            line.push_str(std::mem::take(&mut space));
            line.push_str(piece);
            while display_width(&line) > columns {
                let at = fitting(&line, columns);
                let rest = line.split_off(at);
                lines.push(std::mem::replace(&mut line, rest));
            }
        }
        lines.push(line);
    }
    lines
}

/// Bytes of the longest beginning that takes at most `columns`; at least one character.
fn fitting(text: &str, columns: usize) -> usize {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > columns && at > 0 {
            return at;
        }
    }
    text.len()
}

/// What must not be torn apart: words, runs of spaces, a Chinese character with the marks that stick to it.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut previous: Option<char> = None;
    for (at, c) in text.char_indices() {
        if previous.is_some_and(|previous| can_break(previous, c)) {
            pieces.push(&text[start..at]);
            start = at;
        }
        previous = Some(c);
    }
    pieces.push(&text[start..]);
    pieces
}

fn can_break(before: char, after: char) -> bool {
    if (before == ' ') != (after == ' ') {
        return true;
    }
    if after.width() == Some(0) || OPENING.contains(before) || CLOSING.contains(after) {
        return false;
    }
    before.width() == Some(2) || after.width() == Some(2)
}

const OPENING: &str = "(（[【〔《〈「『“‘";
const CLOSING: &str = ")）]】〕》〉」』”’,，.。、;；:：!！?？%％…";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_takes_two_columns() {
        assert_eq!(display_width("案卷 a1"), 7);
        assert_eq!(pad("案", 4), "案  ");
        assert_eq!(pad("案卷", 3), "案卷");
    }

    #[test]
    fn cutting_never_exceeds_and_marks_what_is_gone() {
        assert_eq!(cut("东成村委会", 10), "东成村委会");
        assert_eq!(cut("东成村委会", 9), "东成村委…");
        assert_eq!(cut("东成村委会", 8), "东成村…");
        assert_eq!(cut("abc", 2), "a…");
        assert_eq!(cut("abc", 0), "");
        for columns in 0..12 {
            assert!(display_width(&cut("东a成b村c委", columns)) <= columns);
        }
    }

    #[test]
    fn lines_break_between_words_and_characters() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("东成村调委会", 6), ["东成村", "调委会"]);
        assert_eq!(wrap("调处 OK 了", 7), ["调处 OK", "了"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a\nb", 4), ["a", "b"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("  a  b ", 9), ["a b"]);
    }

    #[test]
    fn marks_stay_with_what_they_belong_to() {
        assert_eq!(
            wrap("同意调解。当事人(甲方)", 8),
            ["同意调", "解。当事", "人(甲方)"]
        );
        assert_eq!(wrap("见《协议》", 4), ["见", "《协", "议》"]);
        for columns in 2..20 {
            for line in wrap(
                "当事人甲、乙(均为东成村人)同意:2019年5月1日前付清1200元。",
                columns,
            ) {
                assert!(display_width(&line) <= columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn terminals_are_not_at_the_mercy_of_a_peers_text() {
        assert_eq!(
            clean("a\u{1b}[31mb\u{202e}c\r\nd\u{9b}"),
            "a\u{fffd}[31mb\u{fffd}c\u{fffd} d\u{fffd}"
        );
        assert_eq!(clean_lines("a\r\nb\u{7}"), "a\nb\u{fffd}");
    }
}
