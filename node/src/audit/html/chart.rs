//! Claimed times against brackets, as inline SVG: a bar from the lower to the upper bound, a mark at what is
//! claimed; bars that are open on one side run to the edge.

use std::fmt::Write as _;

use super::escaped;
use crate::audit::report::Signed;

const WIDTH: f64 = 800.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 790.0;
const ROW: f64 = 18.0;
const TOP: f64 = 26.0;
/// Rows drawn; the table has them all.
const MAX_ROWS: usize = 60;

pub(super) fn svg(timeline: &[Signed]) -> String {
    let rows = &timeline[..timeline.len().min(MAX_ROWS)];
    let instants = || {
        rows.iter().flat_map(|signed| {
            let (claimed, not_before, not_after) = signed.instants;
            [Some(claimed), not_before, not_after].into_iter().flatten()
        })
    };
    let (Some(first), Some(last)) = (instants().min(), instants().max()) else {
        return String::new();
    };
    // Instants are within two centuries, so a f64 holds them exactly.
    let span = (last - first).max(1) as f64;
    let x = |instant: i64| LEFT + (RIGHT - LEFT) * ((instant - first) as f64 / span);
    let height = TOP + ROW * rows.len() as f64 + 6.0;
    let mut svg = String::new();
    let edge = |instant: i64| {
        let time = crate::calendar::to_jiff(anjuan_sync::Timestamp::from_millis(instant)).to_string();
        time.get(..16).unwrap_or_default().replace('T', " ")
    };
    // Writing to a string does not fail.
    let _ = write!(
        svg,
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" font-size=\"11\" font-family=\"sans-serif\">\
         <title>所称时间与见证区间 claimed times and brackets</title>\
         <text x=\"{LEFT}\" y=\"12\" fill=\"#555\">{}</text>\
         <text x=\"{RIGHT}\" y=\"12\" text-anchor=\"end\" fill=\"#555\">{}</text>",
        edge(first),
        edge(last)
    );
    for (number, signed) in rows.iter().enumerate() {
        let (claimed, not_before, not_after) = signed.instants;
        let y = TOP + ROW * number as f64;
        let (from, to) = (not_before.map_or(LEFT, x), not_after.map_or(RIGHT, x));
        let is_outside =
            not_before.is_some_and(|bound| claimed < bound) || not_after.is_some_and(|bound| claimed > bound);
        let bar = if not_before.is_some() && not_after.is_some() {
            "#7aa7d9"
        } else {
            "#cfdff0"
        };
        let mark = if is_outside { "#b00020" } else { "#111" };
        let event: String = signed.event.as_deref().unwrap_or("—").chars().take(20).collect();
        let _ = write!(
            svg,
            "<text x=\"0\" y=\"{:.1}\">{} {}</text>\
             <rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"8\" fill=\"{bar}\"/>\
             <path d=\"M{:.1} {:.1}v12\" stroke=\"{mark}\" stroke-width=\"2\"/>",
            y + 8.0,
            number + 1,
            escaped(&event),
            from.min(to),
            y,
            (to - from).abs().max(1.0),
            x(claimed),
            y - 2.0,
        );
    }
    svg.push_str("</svg>");
    svg
}
