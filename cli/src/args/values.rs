//! Values of options, with what is said when they are wrong.

use anjuan_node::authority::role::Role;
use anjuan_node::text;
use anjuan_node::text::Text;
use anjuan_node::unit::UnitCode;
use jiff::Timestamp;
use jiff::civil::Date;

/// Why a value is refused, in both languages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Said(pub Text);

/// A unit code.
pub fn unit(text: &str) -> Result<UnitCode, Said> {
    text.parse().map_err(|_| {
        Said(text!(
            "区划代码应为4、6、9或12位数字,行业性调委会为县市代码加-NN",
            "a unit code has 4, 6, 9 or 12 digits; a committee's is a county's or city's with -NN"
        ))
    })
}

/// A role by its code.
pub fn role(text: &str) -> Result<Role, Said> {
    Role::from_code(text).ok_or_else(|| {
        let codes: Vec<&str> = Role::ALL.into_iter().map(Role::code).collect();
        let codes = codes.join(", ");
        Said(text!("角色应为:{codes}", "the roles are: {codes}"))
    })
}

/// A day of the calendar.
pub fn day(text: &str) -> Result<Date, Said> {
    // jiff takes longer forms too; one way to write a day is enough.
    let date = if text.len() == 10 { text.parse().ok() } else { None };
    date.ok_or_else(|| {
        Said(text!(
            "日期应是日历上有的一天,写作 yyyy-mm-dd",
            "a date is a day of the calendar, written yyyy-mm-dd"
        ))
    })
}

/// An instant, RFC 3339, or a day, which means its first instant in local time.
pub fn instant(text: &str) -> Result<String, Said> {
    let instant = match text.parse::<Timestamp>() {
        Ok(instant) => Some(instant),
        Err(_) => day(text)
            .ok()
            .and_then(|date| date.to_zoned_datetime(jiff::tz::TimeZone::system()).ok())
            .map(|zoned| zoned.timestamp()),
    };
    instant.map(|instant| instant.to_string()).ok_or_else(|| {
        Said(text!(
            "时间应为 2019-06-01T08:00:00+08:00 或 2019-06-01",
            "an instant is 2019-06-01T08:00:00+08:00 or 2019-06-01"
        ))
    })
}

/// A parser of whole numbers between bounds, both included.
pub fn within(min: u32, max: u32) -> impl Fn(&str) -> Result<u32, Said> + Clone + Send + Sync + 'static {
    move |text| {
        text.parse()
            .ok()
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| {
                Said(text!(
                    "应为{min}至{max}的整数",
                    "expected a whole number from {min} to {max}"
                ))
            })
    }
}

/// `key=value`.
pub fn key_value(text: &str) -> Result<(String, String), Said> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err(Said(text!("应写作 键=值", "expected key=value"))),
    }
}
