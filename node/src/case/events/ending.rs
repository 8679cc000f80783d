//! How mediation ends, and what follows.

use super::codes::{
    Outcome, Paper, PartyRole, Performance, PerformanceManner, Remedy, ReopenGround, ReportedResult,
    Satisfaction,
};
use crate::kind::field::{Commitment, Count, Day, Line, List, Prose, Yes, fields};
use crate::unit::UnitCode;

fields! {
    /// 调解协议书
    pub struct AgreementSigned {
        number: Line<60> = "协议书编号" / "number of the agreement",
        facts: Prose<2000> = "主要事实(不写个人信息)" / "main facts, without particulars of persons",
        dispute: Prose<1000> = "争议事项" / "matters in dispute",
        responsibility: Prose<1000> = "各方责任" / "responsibility",
        terms: Prose<2000> = "协议内容" / "terms",
        manner: PerformanceManner = "履行方式" / "manner of performance",
        perform_by: Option<Day> = "履行期限" / "day by which it is performed",
        on: Day = "签订日期" / "day of signing",
        signatures: Yes = "当事人和调解员已签名" / "the parties and the mediator have signed",
        seal: Yes = "调委会已盖章" / "the committee has sealed it",
        document: Option<Commitment> = "协议书(密封)承诺值" / "commitment to the sealed agreement",
    }
}

fields! {
    /// 口头协议
    pub struct OralAgreementRecorded {
        content: Prose<2000> = "协议内容(不写个人信息)" / "what was agreed, without particulars of persons",
        manner: PerformanceManner = "履行方式" / "manner of performance",
        perform_by: Option<Day> = "履行期限" / "day by which it is performed",
        on: Day = "达成日期" / "day of the agreement",
    }
}

fields! {
    /// 当事人退出
    pub struct PartyWithdrew {
        party: PartyRole = "退出方" / "who withdraws",
        reason: Option<Prose<1000>> = "理由(可不说明)" / "reason, which need not be given",
        remedies: List<Remedy, 0, 10> = "已告知的其他途径" / "other ways that were told",
    }
}

fields! {
    /// 调解不成
    pub struct MediationFailed {
        reason: Prose<1000> = "理由" / "reason",
        undisputed: Option<Prose<2000>> = "无争议事实" / "facts not in dispute",
        remedies: List<Remedy, 1, 10> = "已告知的其他途径" / "other ways that were told",
    }
}

fields! {
    /// 引导诉讼或仲裁
    pub struct LitigationGuided {
        route: Remedy = "途径" / "way",
        receipt: Option<Line<100>> = "回执编号" / "number of the receipt",
    }
}

fields! {
    /// 申请司法确认
    pub struct ConfirmationApplied {
        both_parties: Yes = "双方共同申请" / "both parties apply together",
        court: Line<60> = "法院" / "court",
        on: Day = "申请日期" / "day of the application",
    }
}

fields! {
    /// 司法确认裁定
    pub struct ConfirmationRuled {
        number: Line<60> = "裁定书编号" / "number of the ruling",
        valid: bool = "确认有效" / "is the agreement confirmed?",
        on: Day = "裁定日期" / "day of the ruling",
    }
}

fields! {
    /// 跟踪回访
    pub struct FollowUpRecorded {
        on: Day = "回访日期" / "day",
        performance: Performance = "履行情况" / "performance",
        satisfaction: Satisfaction = "满意度" / "satisfaction",
        relapse: bool = "有无反复" / "is the dispute back?",
        notes: Option<Prose<1000>> = "回访记录(不写个人信息)" / "notes, without particulars of persons",
    }
}

fields! {
    /// 结案
    pub struct CaseClosed {
        result: Outcome = "结案方式" / "result",
        report: Prose<2000> = "结案报告(不写个人信息)" / "closing report, without particulars of persons",
        papers: List<Paper, 0, 30> = "已入纸质卷宗的材料" / "papers that are in the paper file",
    }
}

fields! {
    /// 结果反馈
    pub struct ResultReported {
        result: ReportedResult = "结果" / "result",
        summary: Prose<1000> = "办理情况(不含个人信息)" / "what was done, without particulars of persons",
        to: UnitCode = "反馈至" / "unit to which it is reported",
    }
}

fields! {
    /// 结果签收
    pub struct ResultAcknowledged {
        note: Option<Prose<1000>> = "意见" / "note",
    }
}

fields! {
    /// 重开
    pub struct CaseReopened {
        ground: ReopenGround = "理由" / "ground",
        explanation: Prose<1000> = "说明" / "explanation",
    }
}

fields! {
    /// 归档
    pub struct Archived {
        file_number: Line<60> = "档案号" / "number in the archive",
        pages: Count<1, 5000> = "页数" / "pages",
        papers: List<Paper, 0, 30> = "卷内其他材料" / "further papers that are in the paper file",
    }
}
