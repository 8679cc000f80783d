//! The figures for people.

use std::fmt::Write as _;

use serde_json::Value;

/// What came out, as tables.
pub fn print(report: &Value) -> String {
    let mut text = String::new();
    let Value::Object(parts) = report else {
        return text;
    };
    for (name, part) in parts {
        match part {
            Value::Object(figures) => {
                let _ = writeln!(text, "\n{}", title(name));
                for (name, figure) in figures {
                    let _ = writeln!(
                        text,
                        "  {:<28} {:>14}",
                        name.replace('_', " "),
                        shown(name, figure)
                    );
                }
            }
            figure => {
                let _ = writeln!(text, "{:<30} {:>14}", name.replace('_', " "), shown(name, figure));
            }
        }
    }
    text
}

fn title(name: &str) -> String {
    let what = match name {
        "floor" => "plain TCP, signatures in batches, a hash, appended and synced",
        "S1" => "an empty node catches up (aims: bytes 0.42 of the signed, CPU 3, wall 2, memory 400 MB)",
        "S2" => "nothing changed, after a restart (aims: 2 round trips, 1 KB in all)",
        "S3" => "100 cases got an update each (aims: 5 round trips, 1.1 × the updates + 64 KB)",
        "S3_by_digests" => "the same without cursors",
        "S4" => "a village and its town after a week (aims: 4 round trips, 2 KB over)",
        "S5" => "one update over three hops (aim: 5 × 3 round trips and 3 fdatasync)",
        "S6" => "villages return at once (aims: all level, local commits within 3 × the usual)",
        _ => "",
    };
    format!("{name}: {what}")
}

fn shown(name: &str, figure: &Value) -> String {
    match figure.as_f64() {
        Some(seconds) if name.ends_with("_s") && seconds < 0.1 => format!("{:.3} ms", seconds * 1e3),
        Some(seconds) if name.ends_with("_s") => format!("{seconds:.2} s"),
        Some(bytes) if name.contains("rss") => format!("{:.0} MB", bytes / 1e6),
        Some(bytes) if bytes >= 1e6 && name.contains("bytes") && !name.ends_with("ratio") => {
            format!("{:.2} MB", bytes / 1e6)
        }
        _ => figure.to_string(),
    }
}
