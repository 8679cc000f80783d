//! Where a unit stands in the administrative tree, and which spaces a node there holds.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Levels in the longest path.
pub const MAX_LEVELS: usize = 8;
/// Bytes in the longest label.
pub const MAX_LABEL: usize = 8;

/// A place in a tree: labels from the root down, written `4509/02/001/001`.
///
/// Labels are 1 to [`MAX_LABEL`] bytes of `0-9`, `a-z` and `-`; a path has 1 to [`MAX_LEVELS`] of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Arc<str>);

/// A text that is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a path in the tree: {0:?}")]
pub struct ParsePathError(String);

impl Path {
    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The labels, from the root down.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Number of labels; the root has 1.
    pub fn depth(&self) -> usize {
        self.labels().count()
    }

    /// One level up; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.rfind('/').map(|end| Self(self.0[..end].into()))
    }

    /// All paths above this one, nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.parent(), Self::parent)
    }

    /// One level down.
    pub fn child(&self, label: &str) -> Result<Self, ParsePathError> {
        format!("{}/{label}", self.0).parse()
    }

    /// Is `self` the same as `other`, or above it?
    pub fn is_at_or_above(&self, other: &Self) -> bool {
        other
            .0
            .strip_prefix(&*self.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Is one of the two at or above the other?
    pub fn is_in_line_with(&self, other: &Self) -> bool {
        self.is_at_or_above(other) || other.is_at_or_above(self)
    }

    /// The longest path at or above both, if they share a root.
    pub fn common_ancestor(&self, other: &Self) -> Option<Self> {
        std::iter::once(self.clone())
            .chain(self.ancestors())
            .find(|path| path.is_at_or_above(other))
    }
}

impl FromStr for Path {
    type Err = ParsePathError;

    fn from_str(text: &str) -> Result<Self, ParsePathError> {
        let label = |label: &str| {
            (1..=MAX_LABEL).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'-')
        };
        let short = text.len() <= MAX_LEVELS * (MAX_LABEL + 1);
        if short && text.split('/').all(label) && text.split('/').count() <= MAX_LEVELS {
            Ok(Self(text.into()))
        } else {
            Err(ParsePathError(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({})", self.0)
    }
}

impl<C> minicbor::Encode<C> for Path {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Path {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?
            .parse()
            .map_err(|_| minicbor::decode::Error::message("not a path in the tree"))
    }
}

/// Which way the content of a space flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Reach {
    /// Cases and all that concerns them: held by the home unit and every unit above it.
    #[n(0)]
    Up,
    /// Certificates, notices, tables: held by the home unit and every unit above and below it.
    #[n(1)]
    Down,
}

/// A home unit and a reach. Documents live in exactly one space for life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct Space {
    /// The home unit.
    #[n(0)]
    pub unit: Path,
    /// Which way its content flows.
    #[n(1)]
    pub reach: Reach,
}

impl Space {
    /// The space in which a unit's cases live.
    pub fn up(unit: Path) -> Self {
        Self {
            unit,
            reach: Reach::Up,
        }
    }

    /// The space in which a unit's notices and registers live.
    pub fn down(unit: Path) -> Self {
        Self {
            unit,
            reach: Reach::Down,
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reach = match self.reach {
            Reach::Up => "up",
            Reach::Down => "down",
        };
        write!(f, "{reach}:{}", self.unit)
    }
}

/// The spaces that a node of one unit holds.
///
/// Of two units in line, the lower one's scope lies within the upper one's; so what both hold is the
/// scope of the lower, and two units not in line share nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    unit: Path,
}

impl Scope {
    /// The scope of a node that serves `unit`.
    pub fn of(unit: Path) -> Self {
        Self { unit }
    }

    /// The unit.
    pub fn unit(&self) -> &Path {
        &self.unit
    }

    /// Does a node of this scope hold `space`?
    pub fn holds(&self, space: &Space) -> bool {
        match space.reach {
            Reach::Up => self.unit.is_at_or_above(&space.unit),
            Reach::Down => self.unit.is_in_line_with(&space.unit),
        }
    }

    /// What nodes of both units hold; `None` where the units are not in line.
    pub fn shared(&self, other: &Self) -> Option<Self> {
        if self.unit.is_at_or_above(&other.unit) {
            Some(other.clone())
        } else if other.unit.is_at_or_above(&self.unit) {
            Some(self.clone())
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        text.parse().expect("a path")
    }

    #[test]
    fn prefixes_end_at_labels() {
        assert!(path("4509/02").is_at_or_above(&path("4509/02/001")));
        assert!(!path("4509/02").is_at_or_above(&path("4509/021")));
        assert_eq!(
            path("4509/02/001").common_ancestor(&path("4509/02/002")),
            Some(path("4509/02"))
        );
    }

    #[test]
    fn malformed_paths_are_refused() {
        for text in [
            "",
            "/",
            "4509/",
            "/4509",
            "4509//02",
            "45 09",
            "ABC",
            "123456789",
            "1/1/1/1/1/1/1/1/1",
        ] {
            assert!(text.parse::<Path>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn cases_flow_up_and_notices_flow_both_ways() {
        let town = Scope::of(path("4509/02/001"));
        assert!(town.holds(&Space::up(path("4509/02/001/001"))));
        assert!(!town.holds(&Space::up(path("4509/02"))));
        assert!(town.holds(&Space::down(path("4509"))));
        assert!(town.holds(&Space::down(path("4509/02/001/001"))));
        assert!(!town.holds(&Space::down(path("4509/02/002"))));
    }

    #[test]
    fn what_two_units_share_is_the_scope_of_the_lower() {
        let (city, village) = (Scope::of(path("4509")), Scope::of(path("4509/02/001/001")));
        assert_eq!(city.shared(&village), Some(village.clone()));
        assert_eq!(village.shared(&city), Some(village.clone()));
        assert_eq!(village.shared(&Scope::of(path("4509/02/001/002"))), None);
    }
}
