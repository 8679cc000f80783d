//! From registration to a mediator who has taken the case on.

use anjuan_sync::{AuthorKey, DocumentId};

use super::codes::{
    Category, DeclineReason, Headcount, PartyKind, PartyRole, RecusalAsker, RecusalGround, Remedy, Source,
};
use crate::case::number::CaseNumber;
use crate::kind::field::{Commitment, Day, Line, List, Prose, Yes, fields};
use crate::unit::UnitCode;

fields! {
    /// 当事人: who stands behind the commitment is sealed.
    pub struct Party {
        commitment: Commitment = "密封信息承诺值" / "commitment to the sealed particulars",
        role: PartyRole = "地位" / "role",
        kind: PartyKind = "类型" / "person or organisation",
    }
}

fields! {
    /// 登记
    pub struct CaseRegistered {
        source: Source = "来源" / "where it came from",
        category: Category = "纠纷类别" / "category",
        brief: Line<60> = "案由(不写人名)" / "the dispute in a line, without names",
        facts: Prose<2000> = "纠纷事实(不写个人信息)" / "the facts, without particulars of persons",
        parties: List<Party, 2, 50> = "当事人" / "the parties",
        headcount: Option<Headcount> = "涉及人数" / "how many people it concerns",
        restricted: Option<bool> = "限本单位查阅(未成年人、家暴、性侵害、医疗)" / "for the handling unit alone (minors, family violence, sexual harm, medical)",
        number: Option<CaseNumber> = "案号" / "case number",
        on: Option<Day> = "申请或发现日期" / "day of the application, if another",
        petition_unit: Option<UnitCode> = "信访事项所在单位" / "unit of the petition behind it",
        petition: Option<DocumentId> = "信访事项编号" / "document of the petition behind it",
        petition_on: Option<Day> = "信访登记日期" / "day the petition was registered",
    }
}

fields! {
    /// 受理
    pub struct CaseAccepted {
        consent: Yes = "各方当事人同意调解" / "all parties consent",
        rights_notice: Yes = "已告知权利义务" / "the notice of rights and duties was served",
        no_exclusion: Yes = "无不得受理情形" / "nothing excludes it",
        number: Option<CaseNumber> = "案号" / "case number",
        on: Option<Day> = "受理日期" / "day of acceptance, if another",
    }
}

fields! {
    /// 不予受理
    pub struct CaseDeclined {
        reason: DeclineReason = "理由" / "reason",
        explanation: Prose<1000> = "说明" / "explanation",
        remedies: List<Remedy, 1, 10> = "已告知的其他途径" / "other ways that were told",
    }
}

fields! {
    /// 交办
    pub struct CaseAssigned {
        mediators: List<AuthorKey, 1, 5> = "调解员公钥" / "keys of the mediators",
        due: Option<Day> = "办结日期" / "day by which it is to be done",
        instructions: Option<Prose<1000>> = "交办意见" / "instructions",
    }
}

fields! {
    /// 承办
    pub struct AssignmentConfirmed {
        no_interest: Yes = "声明无利害关系" / "declares that no interest stands against it",
    }
}

fields! {
    /// 回避
    pub struct MediatorRecused {
        mediator: AuthorKey = "回避的调解员公钥" / "key of the mediator who steps back",
        asked_by: RecusalAsker = "提出人" / "who asked for it",
        ground: RecusalGround = "理由" / "ground",
        explanation: Option<Prose<1000>> = "说明" / "explanation",
    }
}
