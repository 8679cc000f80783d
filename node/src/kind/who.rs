//! Who may record an event, as a value that can be asked, listed and said in words.

use std::collections::BTreeSet;

use anjuan_sync::AuthorKey;

use super::{NextStep, Signer};
use crate::authority::role::Role;
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;

/// One way of being allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Anybody with one of the roles at the unit, or at a unit above where `or_above`.
    Role {
        /// Any of these.
        roles: &'static [Role],
        /// Held here.
        unit: UnitCode,
        /// Or higher up.
        or_above: bool,
    },
    /// These persons.
    Persons {
        /// Their keys.
        keys: Vec<AuthorKey>,
        /// What they are.
        role: Role,
        /// The unit for which they act.
        unit: UnitCode,
    },
}

impl Who {
    /// One of `roles`, held at `unit` itself.
    pub fn at(roles: &'static [Role], unit: &UnitCode) -> Self {
        Self::Role {
            roles,
            unit: unit.clone(),
            or_above: false,
        }
    }

    /// One of `roles`, held at `unit` or above it.
    pub fn at_or_above(roles: &'static [Role], unit: &UnitCode) -> Self {
        Self::Role {
            roles,
            unit: unit.clone(),
            or_above: true,
        }
    }

    /// May `signer`?
    pub fn admits(&self, signer: &Signer) -> bool {
        match self {
            Self::Role {
                roles,
                unit,
                or_above,
            } => {
                signer.is_any(roles)
                    && (signer.unit == *unit || (*or_above && is_at_or_above(&signer.unit, unit)))
            }
            Self::Persons { keys, .. } => keys.contains(&signer.key),
        }
    }

    /// As a next step.
    pub fn step(&self, event: &'static str) -> NextStep {
        match self {
            Self::Role {
                roles,
                unit,
                or_above,
            } => NextStep {
                event,
                roles: roles.to_vec(),
                unit: unit.clone(),
                or_above: *or_above,
                assignees: Vec::new(),
            },
            Self::Persons { keys, role, unit } => NextStep {
                event,
                roles: vec![*role],
                unit: unit.clone(),
                or_above: true,
                assignees: keys.clone(),
            },
        }
    }

    /// In words.
    pub fn text(&self) -> Text {
        match self {
            Self::Role {
                roles,
                unit,
                or_above,
            } => {
                let Text { zh, en } = role_names(roles.iter().copied());
                if *or_above {
                    text!("{unit}或其上级的{zh}", "{en} of {unit} or above")
                } else {
                    text!("{unit}的{zh}", "{en} of {unit}")
                }
            }
            Self::Persons { keys, role, unit } if keys.is_empty() => {
                let Text { zh, en } = role.title();
                text!("{unit}承办该案的{zh}", "the {en} handling it for {unit}")
            }
            Self::Persons { keys, role, unit } => {
                let Text { zh, en } = role.title();
                let keys = keys.iter().map(AuthorKey::short).collect::<Vec<_>>().join(", ");
                text!(
                    "{unit}承办该案的{zh}({keys})",
                    "the {en} handling it for {unit} ({keys})"
                )
            }
        }
    }
}

/// Is `upper` the same unit as `lower`, or above it?
///
/// The same as for their paths, told from the codes: levels end at the same digits everywhere, so a unit is
/// above another exactly if its code begins the other's, and nothing stands below a committee.
pub fn is_at_or_above(upper: &UnitCode, lower: &UnitCode) -> bool {
    lower.as_str().starts_with(upper.as_str())
}

/// Names of roles, as alternatives.
pub fn role_names(roles: impl IntoIterator<Item = Role>) -> Text {
    let titles: Vec<Text> = roles.into_iter().map(Role::title).collect();
    let join = |pick: fn(&Text) -> &str, with: &str| titles.iter().map(pick).collect::<Vec<_>>().join(with);
    Text::new(join(|t| &t.zh, "、"), join(|t| &t.en, ", "))
}

/// All alternatives, in words.
pub fn anyone_of(who: &[Who]) -> Text {
    let texts: Vec<Text> = who.iter().map(Who::text).collect();
    let join = |pick: fn(&Text) -> &str, with: &str| texts.iter().map(pick).collect::<Vec<_>>().join(with);
    Text::new(join(|t| &t.zh, ";或"), join(|t| &t.en, "; or "))
}

/// Lets `signer` through if one of `who` admits him; otherwise says who may, and what the signer is.
pub fn require(event: &Text, who: &[Who], signer: &Signer) -> Result<(), Text> {
    if who.iter().any(|who| who.admits(signer)) {
        return Ok(());
    }
    let (may, is) = (anyone_of(who), roles_held(&signer.roles));
    let (zh, en, unit) = (&event.zh, &event.en, &signer.unit);
    let (may_zh, may_en, is_zh, is_en) = (may.zh, may.en, is.zh, is.en);
    Err(text!(
        "“{zh}”只能由{may_zh}记录;签名人是{unit}的{is_zh}",
        "\"{en}\" may be recorded by {may_en}; the signer is {is_en} of {unit}"
    ))
}

fn roles_held(roles: &BTreeSet<Role>) -> Text {
    if roles.is_empty() {
        Text::new("无角色人员", "without a role")
    } else {
        role_names(roles.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_the_same_as_paths() {
        let units: Vec<UnitCode> = [
            "4509",
            "4510",
            "450902",
            "450921",
            "450902001",
            "450902002",
            "450902001001",
            "450902001002",
            "4509-12",
            "4509-02",
            "450902-01",
            "450902-001",
        ]
        .map(|code| code.parse().expect("a unit code"))
        .to_vec();
        for upper in &units {
            for lower in &units {
                let by_path = upper.path().is_at_or_above(&lower.path());
                assert_eq!(is_at_or_above(upper, lower), by_path, "{upper} {lower}");
            }
        }
    }
}
