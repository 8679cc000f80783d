//! Days: local dates, working days, and terms counted in them.
//!
//! Working days are weekdays without public holidays, and the weekend days worked to make up for them
//! (调休), from a table that can be replaced. China has one time zone, without summer time: UTC+8.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use anjuan_sync::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::{Span, tz::Offset};
use serde::Deserialize;

/// The built-in table, an example that a unit may replace.
const BUILT_IN: &str = include_str!("../data/holidays.toml");

/// Beijing time.
const LOCAL: Offset = Offset::constant(8);

/// The day at an instant, in Beijing time. An instant outside what a record can claim counts as the nearest
/// one within.
pub fn local_date(instant: Timestamp) -> Date {
    LOCAL.to_datetime(to_jiff(instant)).date()
}

/// The instant in the form that is printed. Clamped as in [`local_date`].
pub fn to_jiff(instant: Timestamp) -> jiff::Timestamp {
    let instant = instant.clamp(Timestamp::EARLIEST, Timestamp::LATEST);
    jiff::Timestamp::from_millisecond(instant.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// `days` calendar days after `date`; the end of the calendar where there is no such day.
pub fn add_days(date: Date, days: u16) -> Date {
    date.checked_add(Span::new().days(i32::from(days)))
        .unwrap_or(Date::MAX)
}

/// A length of time that a rule allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Term {
    /// Calendar days (日).
    Days(u16),
    /// Working days (工作日).
    WorkingDays(u16),
}

/// A table of holidays that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// Not TOML of the expected shape.
    #[error("table of holidays can't be read: {0}")]
    Malformed(#[from] toml::de::Error),
    /// Not a day or a range of days of its year, of at most a month.
    #[error("table of holidays: {0:?} is not a day or a range of days of {1}")]
    Range(String, i16),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: u32,
    example: bool,
    year: Vec<Year>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Year {
    year: i16,
    off: Vec<String>,
    work: Vec<String>,
}

/// Which days are worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    version: u32,
    example: bool,
    years: BTreeSet<i16>,
    off: BTreeSet<Date>,
    work: BTreeSet<Date>,
}

impl Calendar {
    /// A calendar from a table in the form of `data/holidays.toml`.
    pub fn parse(table: &str) -> Result<Self, CalendarError> {
        let table: Table = toml::from_str(table)?;
        let mut calendar = Self {
            version: table.version,
            example: table.example,
            years: table.year.iter().map(|year| year.year).collect(),
            off: BTreeSet::new(),
            work: BTreeSet::new(),
        };
        for year in &table.year {
            for range in &year.off {
                calendar.off.extend(days_of(range, year.year)?);
            }
            for range in &year.work {
                calendar.work.extend(days_of(range, year.year)?);
            }
        }
        Ok(calendar)
    }

    /// The table that comes with the program.
    pub fn built_in() -> &'static Self {
        static CALENDAR: LazyLock<Calendar> =
            LazyLock::new(|| Calendar::parse(BUILT_IN).expect("the built-in table is tested"));
        &CALENDAR
    }

    /// The table's version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Is it the example that comes with the program?
    pub fn is_example(&self) -> bool {
        self.example
    }

    /// Does the table know the holidays of `year`? Of other years it knows the weekends alone.
    pub fn covers(&self, year: i16) -> bool {
        self.years.contains(&year)
    }

    /// Is `date` worked?
    pub fn is_working_day(&self, date: Date) -> bool {
        if self.work.contains(&date) {
            return true;
        }
        !self.off.contains(&date) && !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
    }

    /// The last day of `term`, counted from the day after `from`. A term in calendar days that ends on a day
    /// off runs to the next working day.
    pub fn due(&self, from: Date, term: Term) -> Date {
        match term {
            Term::Days(days) => {
                let mut date = add_days(from, days);
                // Bounded: no table makes more than two months off.
                for _ in 0..62 {
                    if self.is_working_day(date) {
                        break;
                    }
                    date = add_days(date, 1);
                }
                date
            }
            Term::WorkingDays(days) => {
                let mut date = from;
                for _ in 0..days {
                    date = add_days(date, 1);
                    for _ in 0..62 {
                        if self.is_working_day(date) {
                            break;
                        }
                        date = add_days(date, 1);
                    }
                }
                date
            }
        }
    }
}

/// The days of `yyyy-mm-dd` or `yyyy-mm-dd/yyyy-mm-dd`.
fn days_of(range: &str, year: i16) -> Result<Vec<Date>, CalendarError> {
    let error = || CalendarError::Range(range.to_owned(), year);
    let (first, last) = range.split_once('/').unwrap_or((range, range));
    let first: Date = first.parse().map_err(|_| error())?;
    let last: Date = last.parse().map_err(|_| error())?;
    let days: Vec<Date> = (0..31)
        .map(|n| add_days(first, n))
        .take_while(|day| *day <= last)
        .collect();
    let whole = days.last() == Some(&last) && first.year() == year && last.year() == year;
    if whole { Ok(days) } else { Err(error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().expect("a date")
    }

    #[test]
    fn weekends_holidays_and_make_up_days() {
        let calendar = Calendar::built_in();
        for worked in [
            "2019-12-27",
            "2019-02-02",
            "2024-02-18",
            "2024-02-09",
            "2025-01-26",
            "2026-02-28",
        ] {
            assert!(calendar.is_working_day(day(worked)), "{worked}");
        }
        for off in [
            "2019-12-28",
            "2019-10-03",
            "2024-02-10",
            "2025-10-08",
            "2026-01-02",
            "2026-09-25",
        ] {
            assert!(!calendar.is_working_day(day(off)), "{off}");
        }
        assert!(calendar.is_example() && calendar.covers(2026) && !calendar.covers(2023));
    }

    #[test]
    fn every_make_up_day_is_a_weekend_day_and_no_day_is_both() {
        let calendar = Calendar::built_in();
        for date in &calendar.work {
            assert!(
                matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday),
                "{date}"
            );
        }
        assert!(calendar.off.is_disjoint(&calendar.work));
    }

    #[test]
    fn terms_count_from_the_day_after() {
        let calendar = Calendar::built_in();
        for (from, term, due) in [
            ("2024-09-27", Term::WorkingDays(2), "2024-09-30"), // the Sunday before the holiday is worked
            ("2024-09-30", Term::WorkingDays(3), "2024-10-10"),
            ("2024-01-01", Term::Days(30), "2024-01-31"),
            ("2024-09-01", Term::Days(30), "2024-10-08"), // ends on National Day: runs on
            ("2026-02-13", Term::WorkingDays(2), "2026-02-24"),
        ] {
            assert_eq!(calendar.due(day(from), term), day(due), "{from} {term:?}");
        }
    }

    #[test]
    fn the_local_day_is_beijing_s() {
        for (millis, date) in [
            (1_577_376_000_000, "2019-12-27"), // 2019-12-26T16:00:00Z
            (1_577_375_999_999, "2019-12-26"),
        ] {
            assert_eq!(local_date(Timestamp::from_millis(millis)), day(date));
        }
        local_date(Timestamp::from_millis(i64::MAX));
        local_date(Timestamp::from_millis(i64::MIN));
    }

    #[test]
    fn a_damaged_table_is_refused() {
        for (off, why) in [
            ("\"2024-02-30\"", "no such day"),
            ("\"2024-03-02/2024-03-01\"", "backwards"),
            ("\"2023-12-31/2024-01-02\"", "another year"),
            ("\"2024-01-01/2024-12-31\"", "too long"),
        ] {
            let table = format!("version=1\nexample=false\n[[year]]\nyear=2024\noff=[{off}]\nwork=[]");
            assert!(Calendar::parse(&table).is_err(), "{why}");
        }
    }
}
