//! What a person may be on the ledger.

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// A role that an operator's certificate grants, at the certificate's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// 信访接待员: registers demands.
    PetitionClerk,
    /// 信访审查员: examines and refers.
    PetitionReviewer,
    /// 司法行政工作人员: receives referrals, supervises, assigns, reports results.
    JudicialClerk,
    /// 人民调解员
    Mediator,
    /// 调委会主任, or the delegate that the committee named.
    Chair,
    /// 记录员: keeps the minutes of a session.
    Recorder,
    /// 分流转办员: routes work between units below the common ancestor.
    Router,
    /// 档案员
    Archivist,
    /// 备案登记员: keeps the register of organisations and mediators.
    Registrar,
    /// 财务人员
    FinanceClerk,
    /// 审计员: reads, and signs nothing but what an auditor signs.
    Auditor,
}

impl Role {
    /// Every role, in the order of the enumeration. The position is the number on the wire.
    pub const ALL: [Self; 11] = [
        Self::PetitionClerk,
        Self::PetitionReviewer,
        Self::JudicialClerk,
        Self::Mediator,
        Self::Chair,
        Self::Recorder,
        Self::Router,
        Self::Archivist,
        Self::Registrar,
        Self::FinanceClerk,
        Self::Auditor,
    ];

    /// The number on the wire.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The role with this number; `None` for one that a newer program added.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The name in commands and JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::PetitionClerk => "petition-clerk",
            Self::PetitionReviewer => "petition-reviewer",
            Self::JudicialClerk => "judicial-clerk",
            Self::Mediator => "mediator",
            Self::Chair => "chair",
            Self::Recorder => "recorder",
            Self::Router => "router",
            Self::Archivist => "archivist",
            Self::Registrar => "registrar",
            Self::FinanceClerk => "finance-clerk",
            Self::Auditor => "auditor",
        }
    }

    /// The role with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }

    /// The name for people.
    pub fn title(self) -> Text {
        let (zh, en) = match self {
            Self::PetitionClerk => ("信访接待员", "petition clerk"),
            Self::PetitionReviewer => ("信访审查员", "petition reviewer"),
            Self::JudicialClerk => ("司法行政工作人员", "judicial clerk"),
            Self::Mediator => ("人民调解员", "mediator"),
            Self::Chair => ("调委会主任", "committee chair"),
            Self::Recorder => ("记录员", "recorder"),
            Self::Router => ("分流转办员", "router"),
            Self::Archivist => ("档案员", "archivist"),
            Self::Registrar => ("备案登记员", "registrar"),
            Self::FinanceClerk => ("财务人员", "finance clerk"),
            Self::Auditor => ("审计员", "auditor"),
        };
        Text::new(zh, en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_name_one_role_each() {
        for (position, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(role.number()), position);
            assert_eq!(Role::from_number(role.number()), Some(role));
            assert_eq!(Role::from_code(role.code()), Some(role));
        }
        assert_eq!(Role::from_number(200), None);
    }
}
