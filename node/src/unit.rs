//! Administrative units and their codes (行政区划代码).
//!
//! GB/T 2260 gives the first six digits (province, city, county), GB/T 10114 the next three (town), the
//! statistical code the last three (village). Trailing zeros are dropped: city `4509`, county `450902`,
//! town `450902001`, village `450902001001`. A professional committee (行业性专业性调委会) stands below its
//! county or city: `450902-01`.

pub mod divisions;

use std::fmt;
use std::str::FromStr;

use anjuan_sync::Path;
use serde::{Deserialize, Serialize};

/// The level of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// 村(社区)
    Village,
    /// 行业性专业性调委会
    Committee,
    /// 乡镇(街道)
    Town,
    /// 县(市、区)
    County,
    /// 设区的市
    City,
}

/// The code of a unit, well formed; whether such a unit exists is for the division list to say.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitCode(Box<str>);

/// A text that is not a unit code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a unit code: {0:?}; expected 4, 6, 9 or 12 digits, or a county or city code with -NN")]
pub struct ParseUnitError(String);

impl UnitCode {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The level, which the length of the code gives.
    pub fn level(&self) -> Level {
        match (self.0.contains('-'), self.0.len()) {
            (true, _) => Level::Committee,
            (false, 4) => Level::City,
            (false, 6) => Level::County,
            (false, 9) => Level::Town,
            _ => Level::Village,
        }
    }

    /// The unit above; `None` for a city.
    pub fn parent(&self) -> Option<Self> {
        Self::from_path(&self.path().parent()?).ok()
    }

    /// Where the unit stands in the tree.
    pub fn path(&self) -> Path {
        let (digits, committee) = match self.0.split_once('-') {
            Some((digits, number)) => (digits, Some(number)),
            None => (&*self.0, None),
        };
        let mut text = digits[..4].to_owned();
        for (from, to) in [(4, 6), (6, 9), (9, 12)] {
            if let Some(label) = digits.get(from..to) {
                text.push('/');
                text.push_str(label);
            }
        }
        if let Some(number) = committee {
            text.push_str("/-");
            text.push_str(number);
        }
        text.parse().expect("digits of a unit code make a path")
    }

    /// The unit that stands at `path`.
    pub fn from_path(path: &Path) -> Result<Self, ParseUnitError> {
        let code: Self = path.labels().collect::<String>().parse()?;
        // Digits grouped differently make the same code, but another path.
        if code.path() == *path {
            Ok(code)
        } else {
            Err(ParseUnitError(path.to_string()))
        }
    }
}

impl FromStr for UnitCode {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let error = || ParseUnitError(text.chars().take(40).collect());
        let (digits, committee) = match text.split_once('-') {
            Some((digits, number)) => (digits, Some(number)),
            None => (text, None),
        };
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        let digits = if digits.len() == 12 {
            let short = [(4, "00000000"), (6, "000000"), (9, "000")]
                .into_iter()
                .find(|(length, zeros)| digits[*length..] == **zeros);
            short.map_or(digits, |(length, _)| &digits[..length])
        } else if digits.len() == 6 {
            digits.strip_suffix("00").unwrap_or(digits)
        } else {
            digits
        };
        match (digits.len(), committee) {
            (4 | 6 | 9 | 12, None) => Ok(Self(digits.into())),
            (4 | 6, Some(n)) if (2..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Self(format!("{digits}-{n}").into()))
            }
            _ => Err(error()),
        }
    }
}

impl TryFrom<String> for UnitCode {
    type Error = ParseUnitError;

    fn try_from(text: String) -> Result<Self, ParseUnitError> {
        text.parse()
    }
}

impl From<UnitCode> for String {
    fn from(code: UnitCode) -> Self {
        code.0.into()
    }
}

impl fmt::Display for UnitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UnitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnitCode({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_paths_are_one_to_one() {
        for (text, path, level) in [
            ("4509", "4509", Level::City),
            ("450902", "4509/02", Level::County),
            ("450902001", "4509/02/001", Level::Town),
            ("450902001001", "4509/02/001/001", Level::Village),
            ("450902-01", "4509/02/-01", Level::Committee),
            ("4509-12", "4509/-12", Level::Committee),
        ] {
            let code: UnitCode = text.parse().expect("a unit code");
            assert_eq!((code.path().as_str(), code.level()), (path, level));
            assert_eq!(UnitCode::from_path(&code.path()), Ok(code));
        }
    }

    #[test]
    fn the_twelve_digit_form_is_the_same_unit() {
        for (long, short) in [
            ("450900000000", "4509"),
            ("450902000000", "450902"),
            ("450902001000", "450902001"),
            ("450900", "4509"),
        ] {
            assert_eq!(
                long.parse::<UnitCode>().map(|code| code.to_string()),
                Ok(short.to_owned())
            );
        }
    }

    #[test]
    fn malformed_codes_are_refused() {
        for text in [
            "",
            "45",
            "45090",
            "4509x2",
            "450902-",
            "450902-1",
            "450902001-01",
            "4509020010011",
            "一二三四",
        ] {
            assert!(text.parse::<UnitCode>().is_err(), "{text:?}");
        }
    }
}
