//! A case that goes to another unit (转办) or to the next level (上报).

use anjuan_sync::DocumentId;

use super::codes::{Category, Headcount, Source, TransferOutcome};
use super::opening::Party;
use crate::case::number::CaseNumber;
use crate::kind::field::{ChangeHash, Commitment, Day, Line, List, Prose, Yes, fields};
use crate::unit::UnitCode;

fields! {
    /// 提出转办
    pub struct TransferProposed {
        to: UnitCode = "接收单位" / "unit that is to receive it",
        reason: Prose<1000> = "理由" / "reason",
        consent: Yes = "当事人同意" / "the parties consent",
        shared: List<Commitment, 0, 60> = "共享材料承诺值" / "commitments to what is shared",
    }
}

fields! {
    /// 分流转办
    pub struct TransferRouted {
        to: UnitCode = "接收单位" / "unit that receives it",
        document: DocumentId = "新案卷编号" / "the document opened there",
    }
}

fields! {
    /// 转入登记
    pub struct TransferReceived {
        source_unit: UnitCode = "原案卷所在单位" / "home unit of the first document",
        source_document: DocumentId = "原案卷编号" / "id of the first document",
        heads: List<ChangeHash, 1, 16> = "原案卷版本" / "heads of the first document",
        source: Source = "来源" / "where the dispute came from",
        category: Category = "纠纷类别" / "category",
        brief: Line<60> = "案由(不写人名)" / "the dispute in a line, without names",
        facts: Prose<2000> = "纠纷事实(不写个人信息)" / "the facts, without particulars of persons",
        parties: List<Party, 2, 50> = "当事人" / "the parties",
        headcount: Option<Headcount> = "涉及人数" / "how many people it concerns",
        restricted: Option<bool> = "限本单位查阅" / "for the handling unit alone",
        reason: Prose<1000> = "转办理由" / "why it is transferred",
        mediate_by: Option<Day> = "调解期限" / "day by which mediation is to end",
        petition_on: Option<Day> = "信访登记日期" / "day the petition behind it was registered",
    }
}

fields! {
    /// 接受转办
    pub struct TransferAccepted {
        rights_notice: Yes = "已告知权利义务" / "the notice of rights and duties was served",
        number: Option<CaseNumber> = "案号" / "case number",
    }
}

fields! {
    /// 退回转办
    pub struct TransferRejected {
        reason: Prose<1000> = "理由" / "reason",
    }
}

fields! {
    /// 转办结果
    pub struct TransferConcluded {
        outcome: TransferOutcome = "接收单位决定" / "what the receiver decided",
        reason: Option<Prose<1000>> = "理由" / "reason",
    }
}

fields! {
    /// 上报
    pub struct EscalationProposed {
        steps_tried: Prose<1000> = "已做工作" / "steps tried",
        reason: Prose<1000> = "理由" / "reason",
    }
}

fields! {
    /// 接受上报
    pub struct EscalationAccepted {
        note: Option<Prose<1000>> = "意见" / "note",
    }
}

fields! {
    /// 退回上报
    pub struct EscalationReturned {
        reason: Prose<1000> = "理由" / "reason",
    }
}
