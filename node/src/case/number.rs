//! Case numbers: `(2019)玉州东成人调字第12号`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::kind::catalog::FieldKind;
use crate::kind::field::{Fault, Field, expected};

/// The number of a case: the year, the committee in short, and a running number, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaseNumber {
    year: u16,
    place: Box<str>,
    serial: u32,
}

/// A text that is not a case number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a case number; expected the form (2019)玉州东成人调字第12号")]
pub struct ParseNumberError;

impl CaseNumber {
    /// The longest short form of a committee, in characters.
    pub const MAX_PLACE: usize = 16;

    /// A number from its parts. `place` is the committee in short, 1 to 16 Han characters, e.g. 玉州东成.
    pub fn new(year: u16, place: &str, serial: u32) -> Result<Self, ParseNumberError> {
        let han = |c: char| matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '〇');
        let valid = (1949..=2199).contains(&year)
            && (1..=9_999_999).contains(&serial)
            && (1..=Self::MAX_PLACE).contains(&place.chars().count())
            && place.chars().all(han);
        if valid {
            let place = place.into();
            Ok(Self { year, place, serial })
        } else {
            Err(ParseNumberError)
        }
    }

    /// The year.
    pub fn year(&self) -> u16 {
        self.year
    }

    /// The committee in short.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The running number.
    pub fn serial(&self) -> u32 {
        self.serial
    }
}

impl fmt::Display for CaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}){}人调字第{}号", self.year, self.place, self.serial)
    }
}

impl FromStr for CaseNumber {
    type Err = ParseNumberError;

    /// Full-width and half-width brackets, and those of official documents, are the same.
    fn from_str(text: &str) -> Result<Self, ParseNumberError> {
        let parts = || {
            let rest = text.strip_prefix(['(', '(', '〔'])?;
            let (year, rest) = rest.split_once([')', ')', '〕'])?;
            let (place, rest) = rest.split_once("人调字第")?;
            Some((year, place, rest.strip_suffix('号')?))
        };
        let (year, place, serial) = parts().ok_or(ParseNumberError)?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if year.len() != 4 || !digits(year) || !digits(serial) || serial.starts_with('0') {
            return Err(ParseNumberError);
        }
        let year = year.parse().map_err(|_| ParseNumberError)?;
        let serial = serial.parse().map_err(|_| ParseNumberError)?;
        Self::new(year, place, serial)
    }
}

impl Field for CaseNumber {
    fn read(value: &Value) -> Result<Self, Fault> {
        value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
            expected(
                "案号,如 (2019)玉州东成人调字第12号",
                "a case number such as (2019)玉州东成人调字第12号",
                value,
            )
        })
    }

    fn write(&self) -> Value {
        self.to_string().into()
    }

    fn kind() -> FieldKind {
        FieldKind::CaseNumber
    }
}

impl Serialize for CaseNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_form_round_trips() {
        let number: CaseNumber = "(2019)玉州东成人调字第12号"
            .parse()
            .expect("the form of the seed");
        assert_eq!(
            (number.year(), number.place(), number.serial()),
            (2019, "玉州东成", 12)
        );
        assert_eq!(number.to_string(), "(2019)玉州东成人调字第12号");
        assert_eq!("(2019)玉州东成人调字第12号".parse(), Ok(number.clone()));
        assert_eq!("〔2019〕玉州东成人调字第12号".parse(), Ok(number));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "12",
            "2019玉州东成人调字第12号",
            "(19)玉州东成人调字第12号",
            "(2019)人调字第12号",
            "(2019)玉州东成人调字第012号",
            "(2019)玉州东成人调字第0号",
            "(2019)玉州 东成人调字第12号",
            "(2019)玉州东成人调字第99999999号",
            "(2019)玉州东成人调字第+1号",
        ] {
            assert_eq!(text.parse::<CaseNumber>(), Err(ParseNumberError), "{text:?}");
        }
    }
}
