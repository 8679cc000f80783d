//! Times: local for people, RFC 3339 for machines.

use anjuan_node::text;
use anjuan_node::text::Text;
use jiff::Timestamp;
use jiff::civil::Date;

use super::{Ink, Ui};

/// An instant in the user's zone, to the minute: `2019-05-06 09:12`.
pub fn moment(ui: &Ui, time: Timestamp) -> String {
    time.to_zoned_datetime(ui.zone.clone())
        .strftime("%Y-%m-%d %H:%M")
        .to_string()
}

/// An instant in the user's zone, to the second: `2019-05-06 09:12:30`.
pub fn second(ui: &Ui, time: Timestamp) -> String {
    time.to_zoned_datetime(ui.zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// An instant for machines: `2019-05-06T01:12:00Z`, with the fraction it has.
pub fn rfc3339(time: Timestamp) -> String {
    time.to_string()
}

/// The instant a signed record claims; none where jiff cannot express it.
pub fn claimed(time: anjuan_sync::Timestamp) -> Option<Timestamp> {
    Timestamp::from_millisecond(time.as_millis()).ok()
}

/// How many days are left until a date, and how urgent that is.
pub fn days_left(due: Date, today: Date) -> (Text, Ink) {
    let days = (due - today).get_days();
    match days {
        ..=-1 => {
            let late = -days;
            (text!("逾期 {late} 天", "{late} days late"), Ink::Bad)
        }
        0 => (text!("今天到期", "due today"), Ink::Attention),
        1..=3 => (text!("剩 {days} 天", "{days} days left"), Ink::Attention),
        _ => (text!("剩 {days} 天", "{days} days left"), Ink::Plain),
    }
}

/// How long ago something was.
pub fn ago(time: Timestamp, now: Timestamp) -> Text {
    let seconds = now.as_second() - time.as_second();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..0 => text!("时间在将来", "in the future"),
        0..60 => text!("刚才", "just now"),
        60..3600 => text!("{minutes} 分钟前", "{minutes} min ago"),
        3600..86_400 => text!("{hours} 小时前", "{hours} h ago"),
        _ => text!("{days} 天前", "{days} days ago"),
    }
}

#[cfg(test)]
mod tests {
    use anjuan_node::text::Lang;
    use jiff::tz::{Offset, TimeZone};

    use super::*;

    #[test]
    fn people_read_local_time_and_machines_utc() {
        let time: Timestamp = "2019-05-06T17:12:30.5Z".parse().expect("a time");
        let mut ui = Ui::plain(Lang::Zh);
        ui.zone = TimeZone::fixed(Offset::constant(8));
        assert_eq!(moment(&ui, time), "2019-05-07 01:12");
        assert_eq!(rfc3339(time), "2019-05-06T17:12:30.5Z");
        assert_eq!(
            claimed(anjuan_sync::Timestamp::from_millis(1_557_162_750_500)),
            Some(time)
        );
        assert_eq!(claimed(anjuan_sync::Timestamp::from_millis(i64::MAX)), None);
    }

    #[test]
    fn deadlines_say_how_urgent_they_are() {
        let today = Date::constant(2019, 5, 6);
        let left = |day| {
            let (text, ink) = days_left(Date::constant(2019, 5, day), today);
            (text.zh, ink)
        };
        assert_eq!(left(4), ("逾期 2 天".into(), Ink::Bad));
        assert_eq!(left(6), ("今天到期".into(), Ink::Attention));
        assert_eq!(left(8), ("剩 2 天".into(), Ink::Attention));
        assert_eq!(left(31), ("剩 25 天".into(), Ink::Plain));
        let (text, _) = days_left(Date::constant(2019, 8, 6), today);
        assert_eq!(text.en, "92 days left");
    }

    #[test]
    fn the_past_is_told_in_one_unit() {
        let now = Timestamp::constant(1_000_000, 0);
        let told = |seconds: i64| ago(Timestamp::constant(1_000_000 - seconds, 0), now).en;
        assert_eq!(told(5), "just now");
        assert_eq!(told(600), "10 min ago");
        assert_eq!(told(7300), "2 h ago");
        assert_eq!(told(200_000), "2 days ago");
        assert_eq!(told(-60), "in the future");
    }
}
