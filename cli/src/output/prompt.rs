//! Asking the person at the keyboard. Questions go to standard error or the terminal itself, so that
//! standard output holds nothing but answers.

use std::io::{self, BufRead, IsTerminal, Write};

/// Is there somebody to ask?
pub fn interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line, without its end; none at the end of the input.
pub fn line(question: &str) -> io::Result<Option<String>> {
    ask(question, &mut io::stdin().lock(), &mut io::stderr().lock())
}

fn ask(question: &str, input: &mut impl BufRead, output: &mut impl Write) -> io::Result<Option<String>> {
    output.write_all(question.as_bytes())?;
    output.flush()?;
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

/// Asks for a line that is not shown while typed, on the terminal even where the streams are redirected.
pub fn hidden(question: &str) -> io::Result<String> {
    rpassword::prompt_password(question)
}

/// Does an answer to a question of yes or no mean yes? Everything else means no.
pub fn is_yes(answer: &str) -> bool {
    matches!(
        answer.trim().to_lowercase().as_str(),
        "y" | "yes" | "是" | "是的" | "好" | "确认"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_shown_and_a_line_read() {
        let mut shown = Vec::new();
        let answer = ask("继续?", &mut "是\r\nrest".as_bytes(), &mut shown).expect("reads");
        assert_eq!(
            (answer.as_deref(), shown.as_slice()),
            (Some("是"), "继续?".as_bytes())
        );
        assert_eq!(ask("", &mut "".as_bytes(), &mut Vec::new()).expect("reads"), None);
    }

    #[test]
    fn only_yes_means_yes() {
        for yes in ["y", "Yes", " 是 ", "确认"] {
            assert!(is_yes(yes), "{yes}");
        }
        for no in ["", "n", "no", "否", "yep", "不是"] {
            assert!(!is_yes(no), "{no}");
        }
    }
}
