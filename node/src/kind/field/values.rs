//! The types of value.

use anjuan_sync::{AuthorKey, Digest, DocumentId, UpdateId};
use jiff::civil::Date;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Fault, Field, expected};
use crate::kind::catalog::FieldKind;
use crate::text;
use crate::unit::UnitCode;

/// Serialises as it stands in the event map.
macro_rules! serialize_as_written {
    ($([$($generics:tt)*] $name:ty),* $(,)?) => {
        $(impl<$($generics)*> Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.write().serialize(serializer)
            }
        })*
    };
}

serialize_as_written!(
    [const MAX: usize] Line<MAX>,
    [const MAX: usize] Prose<MAX>,
    [const MIN: u32, const MAX: u32] Count<MIN, MAX>,
    [] Day,
    [] Yes,
    [] Commitment,
    [] ChangeHash,
    [T: Field, const MIN: usize, const MAX: usize] List<T, MIN, MAX>,
);

/// Characters that end a line, steer a terminal, or turn the direction of writing around so that a text
/// reads otherwise than it is stored.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn check_text(value: &Value, max: usize, lines: bool) -> Result<Box<str>, Fault> {
    let Value::String(text) = value else {
        return Err(expected("文字", "a text", value));
    };
    let allowed = |c: char| !is_unprintable(c) || (lines && matches!(c, '\n' | '\t'));
    // Four bytes are the most a character takes: a long text is refused before it is counted.
    if text.trim().is_empty() {
        Err(Fault::rule(text!("不能为空", "must not be empty")))
    } else if text.len() > max * 4 || text.chars().count() > max {
        Err(Fault::rule(text!(
            "最多{max}个字",
            "must have at most {max} characters"
        )))
    } else if !text.chars().all(allowed) {
        Err(Fault::rule(text!(
            "不得含有控制字符",
            "must not contain control characters"
        )))
    } else {
        Ok(text.as_str().into())
    }
}

/// One line of 1 to `MAX` characters, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line<const MAX: usize>(Box<str>);

/// Lines of text, 1 to `MAX` characters in all, without control characters but tab and line feed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prose<const MAX: usize>(Box<str>);

impl<const MAX: usize> Line<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Prose<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Field for Line<MAX> {
    fn read(value: &Value) -> Result<Self, Fault> {
        check_text(value, MAX, false).map(Self)
    }

    fn write(&self) -> Value {
        (*self.0).into()
    }

    fn kind() -> FieldKind {
        FieldKind::Line { max: MAX }
    }
}

impl<const MAX: usize> Field for Prose<MAX> {
    fn read(value: &Value) -> Result<Self, Fault> {
        check_text(value, MAX, true).map(Self)
    }

    fn write(&self) -> Value {
        (*self.0).into()
    }

    fn kind() -> FieldKind {
        FieldKind::Prose { max: MAX }
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Count<MIN, MAX> {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> Field for Count<MIN, MAX> {
    fn read(value: &Value) -> Result<Self, Fault> {
        value
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| (MIN..=MAX).contains(n))
            .map(Self)
            .ok_or_else(|| {
                expected(
                    &format!("{MIN}至{MAX}的整数"),
                    &format!("a whole number from {MIN} to {MAX}"),
                    value,
                )
            })
    }

    fn write(&self) -> Value {
        self.0.into()
    }

    fn kind() -> FieldKind {
        FieldKind::Integer { min: MIN, max: MAX }
    }
}

/// A day in local time, from 1949-10-01 to 2199-12-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(Date);

impl Day {
    /// The first day that a field can name.
    pub const EARLIEST: Date = Date::constant(1949, 10, 1);
    /// The last.
    pub const LATEST: Date = Date::constant(2199, 12, 31);

    /// The date.
    pub fn date(self) -> Date {
        self.0
    }
}

impl Field for Day {
    fn read(value: &Value) -> Result<Self, Fault> {
        // `Date` parses longer forms, too; there is one way to write a day.
        let text = value.as_str().filter(|text| text.len() == 10);
        match text.and_then(|text| text.parse().ok()) {
            Some(date) if (Self::EARLIEST..=Self::LATEST).contains(&date) => Ok(Self(date)),
            Some(_) => Err(Fault::rule(text!(
                "日期应在1949-10-01至2199-12-31之间",
                "must be a day from 1949-10-01 to 2199-12-31"
            ))),
            None => Err(expected(
                "日历上有的日期,写作 yyyy-mm-dd",
                "a day of the calendar, written yyyy-mm-dd",
                value,
            )),
        }
    }

    fn write(&self) -> Value {
        self.0.to_string().into()
    }

    fn kind() -> FieldKind {
        FieldKind::Date
    }
}

/// A statement that the signer makes by recording the event: `true`, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yes;

impl Field for Yes {
    fn read(value: &Value) -> Result<Self, Fault> {
        match value {
            Value::Bool(true) => Ok(Self),
            _ => Err(expected(
                "是(true):须已办到",
                "true: it must have been done",
                value,
            )),
        }
    }

    fn write(&self) -> Value {
        true.into()
    }

    fn kind() -> FieldKind {
        FieldKind::Statement
    }
}

impl Field for bool {
    fn read(value: &Value) -> Result<Self, Fault> {
        value
            .as_bool()
            .ok_or_else(|| expected("是或否(true/false)", "true or false", value))
    }

    fn write(&self) -> Value {
        (*self).into()
    }

    fn kind() -> FieldKind {
        FieldKind::Flag
    }
}

/// `MIN` to `MAX` values of the same type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> List<T, MIN, MAX> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The values.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<T: Field, const MIN: usize, const MAX: usize> Field for List<T, MIN, MAX> {
    const REQUIRED: bool = MIN > 0;

    fn read(value: &Value) -> Result<Self, Fault> {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            Value::Null if MIN == 0 => &[],
            other => {
                return Err(expected(
                    &format!("{MIN}至{MAX}项的列表"),
                    &format!("a list of {MIN} to {MAX}"),
                    other,
                ));
            }
        };
        if !(MIN..=MAX).contains(&values.len()) {
            let found = values.len();
            return Err(Fault::rule(text!(
                "应有{MIN}至{MAX}项,现有{found}项",
                "must have {MIN} to {MAX} items, has {found}"
            )));
        }
        values
            .iter()
            .enumerate()
            .map(|(i, value)| T::read(value).map_err(|fault| fault.under(&format!("[{i}]"))))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn write(&self) -> Value {
        match self.0.as_slice() {
            [] => Value::Null,
            values => values.iter().map(T::write).collect(),
        }
    }

    fn kind() -> FieldKind {
        FieldKind::List {
            of: Box::new(T::kind()),
            min: MIN,
            max: MAX,
        }
    }
}

macro_rules! hash_field {
    ($(#[$meta:meta])* $name:ident, $kind:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Digest);

        impl $name {
            /// The 32 bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                self.0.as_bytes()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Field for $name {
            fn read(value: &Value) -> Result<Self, Fault> {
                let mut bytes = [0; 32];
                value
                    .as_str()
                    .and_then(|text| hex::decode_to_slice(text, &mut bytes).ok())
                    .ok_or_else(|| expected("64位十六进制数", "64 hexadecimal digits", value))?;
                Ok(Self(Digest::from_bytes(bytes)))
            }

            fn write(&self) -> Value {
                self.to_string().into()
            }

            fn kind() -> FieldKind {
                FieldKind::$kind
            }
        }
    };
}

hash_field!(
    /// SHA-256(domain, salt, body) of sealed particulars.
    Commitment,
    Commitment
);
hash_field!(
    /// The hash of an Automerge change: a head of the document that is cited.
    ChangeHash,
    Change
);

macro_rules! parsed_field {
    ($($name:ty, $kind:ident, $zh:literal, $en:literal;)*) => {
        $(impl Field for $name {
            fn read(value: &Value) -> Result<Self, Fault> {
                value
                    .as_str()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| expected($zh, $en, value))
            }

            fn write(&self) -> Value {
                self.to_string().into()
            }

            fn kind() -> FieldKind {
                FieldKind::$kind
            }
        })*
    };
}

parsed_field!(
    UnitCode, Unit, "区划代码(4、6、9或12位数字)", "a unit code (4, 6, 9 or 12 digits)";
    AuthorKey, Key, "操作员公钥(64位十六进制数)", "an operator's key (64 hexadecimal digits)";
    UpdateId, Update, "更新编号(64位十六进制数)", "an update id (64 hexadecimal digits)";
    DocumentId, Document, "文档编号(32位十六进制数)", "a document id (32 hexadecimal digits)";
);

/// The code in `value`: 1 to 40 of `a-z`, `0-9` and `-`.
pub fn check_code(value: &Value) -> Result<&str, Fault> {
    value
        .as_str()
        .filter(|code| {
            (1..=40).contains(&code.len())
                && code
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
        .ok_or_else(|| {
            expected(
                "代码(1至40个小写字母、数字或连字符)",
                "a code of 1 to 40 of a-z, 0-9 and -",
                value,
            )
        })
}

/// What a code outside a closed list is told.
pub fn unknown_code(value: &Value, codes: &[&str]) -> Fault {
    let codes = codes.join(", ");
    expected(&format!("以下之一:{codes}"), &format!("one of {codes}"), value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_bounded_and_printable() {
        assert!(Line::<3>::read(&json!("调解员")).is_ok());
        for bad in ["", "  ", "调解员们", "a\nb", "a\u{202e}b", "\u{1b}[1m"] {
            assert!(Line::<3>::read(&json!(bad)).is_err(), "{bad:?}");
        }
        assert!(Prose::<9>::read(&json!("一\n二")).is_ok());
        assert!(Prose::<9>::read(&json!("一\u{7}二")).is_err());
    }

    #[test]
    fn a_day_must_be_on_the_calendar() {
        assert!(Day::read(&json!("2024-02-29")).is_ok());
        for bad in [
            "2023-02-29",
            "2024-13-01",
            "1899-01-01",
            "2024-2-9",
            "2024-02-29T00:00",
            "昨天",
        ] {
            assert!(Day::read(&json!(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn faults_name_the_field_and_the_rule() {
        let fault = List::<Count<1, 5>, 1, 3>::read(&json!([1, 9]))
            .map_err(|fault| fault.under("numbers"))
            .expect_err("9 is too many");
        assert_eq!(
            fault.to_string(),
            "field numbers[1]: expected a whole number from 1 to 5"
        );
        assert!(List::<Count<1, 5>, 1, 3>::read(&json!([])).is_err());
        assert!(List::<Count<1, 5>, 0, 3>::read(&Value::Null).is_ok());
    }
}
