//! The list of units that exist (行政区划): names, and which unit stands below which.
//!
//! The official list of Yulin of 2023 is part of the program; a file of the same form can replace it.
//! Professional committees (行业性专业性调委会) are not divisions and stand in no list: one is accepted
//! where its county or city is listed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use super::{Level, ParseUnitError, UnitCode};

/// Bytes in the longest name. The longest of the official list has 63, and a unit's certificate carries
/// its name.
pub const MAX_NAME: usize = 64;
/// Units in the longest list. A large province has some 20,000.
pub const MAX_UNITS: usize = 65_536;

const HEADINGS: &str = "code,name,level,parent";
/// Suggestions in an error.
const SUGGESTIONS: usize = 3;

static OFFICIAL: LazyLock<Divisions> = LazyLock::new(|| {
    Divisions::parse(include_bytes!("../../data/yulin-divisions.csv"))
        .expect("a test reads the embedded list")
});

/// One unit of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    code: UnitCode,
    name: Box<str>,
    children: Vec<UnitCode>,
}

impl Division {
    /// The code.
    pub fn code(&self) -> &UnitCode {
        &self.code
    }

    /// The official name, 1 to [`MAX_NAME`] bytes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// City, county, town or village; never a committee.
    pub fn level(&self) -> Level {
        self.code.level()
    }

    /// The unit above; `None` at the top of the list.
    pub fn parent(&self) -> Option<UnitCode> {
        self.code.parent()
    }

    /// The listed units directly below, in the order of their codes.
    pub fn children(&self) -> &[UnitCode] {
        &self.children
    }
}

impl fmt::Display for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.name)
    }
}

/// A list of units, complete upwards: whatever is listed, the units above it are too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divisions(BTreeMap<UnitCode, Division>);

/// A unit that is not in the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unit {wanted} is not in the division list{}", suggest(.nearest))]
pub struct UnknownUnit {
    /// What was asked for.
    pub wanted: String,
    /// Listed units that may have been meant, as code and name.
    pub nearest: Vec<String>,
}

/// Why a text names no unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveUnitError {
    /// Looks like a code, but is none.
    #[error(transparent)]
    Code(#[from] ParseUnitError),
    /// A code or name that is not listed.
    #[error(transparent)]
    Unknown(#[from] UnknownUnit),
    /// Several units of that name: give the code.
    #[error("several units are named {name:?}; give the code of one of them{}", suggest(.candidates))]
    Ambiguous {
        /// The name.
        name: String,
        /// The units it may mean, as code and name; at most 20.
        candidates: Vec<String>,
    },
}

/// What is wrong with a division file, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("division list, line {line}: {problem}")]
pub struct DivisionFileError {
    /// Counted from 1, the headings being line 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: DivisionProblem,
}

/// What is wrong with a line of a division file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DivisionProblem {
    /// Another encoding, such as GBK.
    #[error("not UTF-8; save the file as UTF-8")]
    Encoding,
    /// The first line names other columns.
    #[error("the first line has to be {HEADINGS:?}")]
    Headings,
    /// More or fewer columns than 4.
    #[error("{0} columns where 4 are expected ({HEADINGS}; no quotes)")]
    Columns(usize),
    /// The code is none.
    #[error(transparent)]
    Code(#[from] ParseUnitError),
    /// A professional committee.
    #[error("{0} is a committee; committees are not listed")]
    Committee(UnitCode),
    /// The level is not the one that the code has.
    #[error("{code} is a {expected}, not a {given:?}")]
    Level {
        /// The unit.
        code: UnitCode,
        /// What its code says.
        expected: &'static str,
        /// What the line says.
        given: String,
    },
    /// The parent is not the one that the code has.
    #[error("the unit above {code} is {expected}, not {given:?}")]
    Parent {
        /// The unit.
        code: UnitCode,
        /// What its code says.
        expected: String,
        /// What the line says.
        given: String,
    },
    /// The unit above is not listed.
    #[error("the unit above {0} is not in the list")]
    Orphan(UnitCode),
    /// Listed before.
    #[error("{0} is listed twice")]
    Twice(UnitCode),
    /// No name, or a long one, or one with control characters.
    #[error("the name of {0} has to have 1 to {MAX_NAME} bytes and no control characters")]
    Name(UnitCode),
    /// More than [`MAX_UNITS`] lines.
    #[error("more than {MAX_UNITS} units")]
    TooMany,
    /// Not one unit.
    #[error("the list is empty")]
    Empty,
}

impl Divisions {
    /// The official list of Yulin (玉林市), 2023: 1 city, 7 counties, 110 towns, 1,508 villages.
    pub fn official() -> &'static Self {
        &OFFICIAL
    }

    /// Reads a list: UTF-8, with or without a byte order mark, the headings `code,name,level,parent`, and
    /// a line for each unit in any order. The topmost units have no parent.
    ///
    /// # Errors
    /// Names the line and what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, DivisionFileError> {
        let at = |line, problem| DivisionFileError { line, problem };
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let good = &bytes[..error.valid_up_to()];
            at(
                1 + good.iter().filter(|&&b| b == b'\n').count(),
                DivisionProblem::Encoding,
            )
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        if lines.next().map(|(_, line)| line.trim_end()) != Some(HEADINGS) {
            return Err(at(1, DivisionProblem::Headings));
        }
        let mut list = BTreeMap::new();
        let mut parents = Vec::new();
        for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            if list.len() == MAX_UNITS {
                return Err(at(number, DivisionProblem::TooMany));
            }
            let (division, parent) = parse_line(line).map_err(|problem| at(number, problem))?;
            let code = division.code.clone();
            if list.insert(code.clone(), division).is_some() {
                return Err(at(number, DivisionProblem::Twice(code)));
            }
            parents.push((number, code, parent));
        }
        if list.is_empty() {
            return Err(at(1, DivisionProblem::Empty));
        }
        for (number, code, parent) in parents {
            let Some(parent) = parent else { continue };
            match list.get_mut(&parent) {
                Some(above) => above.children.push(code),
                None => return Err(at(number, DivisionProblem::Orphan(code))),
            }
        }
        for division in list.values_mut() {
            division.children.sort_unstable();
        }
        Ok(Self(list))
    }

    /// All units, in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = &Division> {
        self.0.values()
    }

    /// Number of units.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A list has one unit at least.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The unit with this code.
    pub fn get(&self, code: &UnitCode) -> Option<&Division> {
        self.0.get(code)
    }

    /// The units of exactly this name; 232 share theirs with another.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Division> {
        self.iter().filter(move |division| division.name() == name)
    }

    /// The units whose name begins with `prefix`.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Division> {
        self.iter()
            .filter(move |division| division.name().starts_with(prefix))
    }

    /// The unit with this code or, for a professional committee, the county or city it belongs to.
    ///
    /// # Errors
    /// Names the listed units nearest to it.
    pub fn require(&self, code: &UnitCode) -> Result<&Division, UnknownUnit> {
        let listed = match code.level() {
            Level::Committee => code.parent(),
            _ => Some(code.clone()),
        };
        listed
            .and_then(|listed| self.get(&listed))
            .ok_or_else(|| UnknownUnit {
                wanted: code.to_string(),
                nearest: self.near_code(code),
            })
    }

    /// The unit that a person typed: a code, a full name, or the beginning of exactly one name.
    pub fn resolve(&self, text: &str) -> Result<UnitCode, ResolveUnitError> {
        let text = text.trim();
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let code = text.parse()?;
            self.require(&code)?;
            return Ok(code);
        }
        let mut found: Vec<&Division> = self.named(text).collect();
        if found.is_empty() && !text.is_empty() {
            found = self.with_prefix(text).collect();
        }
        match found[..] {
            [only] => Ok(only.code.clone()),
            [] => Err(UnknownUnit {
                wanted: format!("{:?}", text.chars().take(MAX_NAME).collect::<String>()),
                nearest: self.near_name(text),
            }
            .into()),
            _ => Err(ResolveUnitError::Ambiguous {
                name: text.chars().take(MAX_NAME).collect(),
                candidates: found.into_iter().take(20).map(ToString::to_string).collect(),
            }),
        }
    }

    /// The children, nearest in number, of the lowest listed unit above `code`, and that unit itself.
    fn near_code(&self, code: &UnitCode) -> Vec<String> {
        let above = std::iter::successors(code.parent(), UnitCode::parent).find_map(|code| self.get(&code));
        let mut near: Vec<&Division> = match above {
            Some(above) => above
                .children
                .iter()
                .filter_map(|child| self.get(child))
                .collect(),
            None => self
                .iter()
                .filter(|division| division.parent().is_none())
                .collect(),
        };
        near.sort_by_key(|division| {
            (
                padded(&division.code).abs_diff(padded(code)),
                division.code.clone(),
            )
        });
        let near = near.into_iter().take(SUGGESTIONS);
        near.chain(above).map(ToString::to_string).collect()
    }

    /// The names that have most characters of `text`, two at least.
    fn near_name(&self, text: &str) -> Vec<String> {
        let shared = |name: &str| text.chars().take(MAX_NAME).filter(|c| name.contains(*c)).count();
        let mut scored: Vec<(usize, &Division)> = self
            .iter()
            .map(|division| (shared(division.name()), division))
            .filter(|(score, _)| *score >= 2)
            .collect();
        scored.sort_by_key(|(score, division)| (std::cmp::Reverse(*score), division.name().len()));
        scored
            .into_iter()
            .take(SUGGESTIONS)
            .map(|(_, division)| division.to_string())
            .collect()
    }
}

fn suggest(units: &[String]) -> String {
    if units.is_empty() {
        String::new()
    } else {
        format!("; nearest: {}", units.join(", "))
    }
}

/// The code's digits as a number of 12 digits.
fn padded(code: &UnitCode) -> u64 {
    let digits = code.as_str().split('-').next().unwrap_or_default();
    format!("{digits:0<12}").parse().unwrap_or(0)
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::City => "city",
        Level::County => "county",
        Level::Town => "town",
        Level::Village => "village",
        Level::Committee => "committee",
    }
}

fn parse_line(line: &str) -> Result<(Division, Option<UnitCode>), DivisionProblem> {
    let columns: Vec<&str> = line.trim_end().split(',').collect();
    let [code, name, level, parent] = columns[..] else {
        return Err(DivisionProblem::Columns(columns.len()));
    };
    let code: UnitCode = code.parse()?;
    if code.level() == Level::Committee {
        return Err(DivisionProblem::Committee(code));
    }
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(DivisionProblem::Name(code));
    }
    let expected = level_name(code.level());
    if level != expected {
        return Err(DivisionProblem::Level {
            code,
            expected,
            given: level.to_owned(),
        });
    }
    let given = match parent {
        "" => None,
        parent => Some(parent.parse::<UnitCode>()?),
    };
    // A unit without a parent is the top of this list, at whatever level that is.
    if given.is_some() && given != code.parent() {
        return Err(DivisionProblem::Parent {
            expected: code
                .parent()
                .map_or_else(|| "none".to_owned(), |code| code.to_string()),
            given: parent.to_owned(),
            code,
        });
    }
    let division = Division {
        code,
        name: name.into(),
        children: Vec::new(),
    };
    Ok((division, given))
}

#[cfg(test)]
mod tests;
