//! Lists of codes that events use.

use crate::case::tables::tables;
use crate::kind::field::{choice, open_code};

open_code! {
    /// 纠纷类别
    pub struct Category = &tables().categories
}
open_code! {
    /// 救济途径: what else a party may do.
    pub struct Remedy = &tables().remedies
}
open_code! {
    /// 卷宗材料
    pub struct Paper = &tables().papers
}
open_code! {
    /// What a sealed item is: a paper of the file, or a code of its own such as `photo`.
    pub struct AttachmentRole = &tables().papers
}

choice! {
    /// 案件来源
    pub enum Source {
        Applied = "applied" "当事人申请" "applied for by a party",
        Proactive = "proactive" "主动调解" "taken up by the committee",
        Petition = "petition" "信访移交" "referred by a petition office",
        Court = "court" "法院委托" "referred by a court",
        Police = "police" "公安移交" "referred by the police",
        Screening = "screening" "排查发现" "found by screening",
    }
}
choice! {
    /// 当事人地位
    pub enum PartyRole {
        Applicant = "applicant" "申请人" "applicant",
        Respondent = "respondent" "被申请人" "respondent",
        ThirdParty = "third-party" "第三人" "third party",
    }
}
choice! {
    /// 当事人类型
    pub enum PartyKind {
        Person = "person" "自然人" "natural person",
        Organisation = "organisation" "法人或其他组织" "organisation",
    }
}
choice! {
    /// 涉及人数: a band, never a list.
    pub enum Headcount {
        UpTo4 = "up-to-4" "4人以下" "up to 4",
        From5 = "5-to-9" "5至9人" "5 to 9",
        From10 = "10-to-29" "10至29人" "10 to 29",
        From30 = "30-or-more" "30人以上" "30 or more",
    }
}
choice! {
    /// 不予受理理由
    pub enum DeclineReason {
        Reserved = "reserved" "法律规定由专门机关管辖" "the law reserves it to another organ",
        Forbidden = "forbidden" "法律禁止民间调解" "the law forbids mediation",
        Seised = "seised" "法院、公安或行政机关已受理" "a court, the police or an agency has accepted it",
        Settled = "settled" "法院、公安或行政机关已解决" "a court, the police or an agency has settled it",
        Refused = "refused" "一方明确拒绝调解" "a party refuses mediation",
        NotCivil = "not-civil" "不属民间纠纷" "not a civil dispute",
        OtherUnit = "other-unit" "不属本调委会受理范围" "not within this committee's reach",
    }
}
choice! {
    /// 回避提出人
    pub enum RecusalAsker {
        Mediator = "mediator" "调解员本人" "the mediator",
        Party = "party" "当事人" "a party",
        Committee = "committee" "调委会" "the committee",
    }
}
choice! {
    /// 回避理由
    pub enum RecusalGround {
        Kinship = "kinship" "与当事人有亲属关系" "kin of a party",
        Interest = "interest" "与纠纷有利害关系" "has an interest in the dispute",
        Relation = "relation" "有其他可能影响公正的关系" "another relation that might sway him",
        Request = "request" "当事人要求更换" "a party asks for another",
        Unable = "unable" "因故不能履职" "unable to go on",
    }
}
choice! {
    /// 邀请参加人
    pub enum Invitee {
        Expert = "expert" "专家" "expert",
        Judge = "judge" "法官" "judge",
        Prosecutor = "prosecutor" "检察官" "prosecutor",
        Police = "police" "警官" "police officer",
        Lawyer = "lawyer" "律师" "lawyer",
        Cadre = "cadre" "村(居)干部" "village official",
        Kin = "kin" "亲友" "kin or friends",
        Neighbour = "neighbour" "邻里、同事" "neighbours or colleagues",
        Agency = "agency" "有关单位" "an agency",
    }
}
choice! {
    /// 本次调解结果
    pub enum SessionResult {
        Continues = "continues" "继续调解" "goes on",
        Agreed = "agreed" "达成一致" "agreed",
        Disagreed = "disagreed" "未达成一致" "not agreed",
    }
}
choice! {
    /// 履行方式
    pub enum PerformanceManner {
        AtOnce = "at-once" "即时履行" "at once",
        Dated = "dated" "限期履行" "by a day",
        Instalments = "instalments" "分期履行" "by instalments",
    }
}
choice! {
    /// 履行情况
    pub enum Performance {
        None = "none" "未履行" "not performed",
        Partial = "partial" "部分履行" "performed in part",
        Full = "full" "全部履行" "performed",
    }
}
choice! {
    /// 满意度
    pub enum Satisfaction {
        Satisfied = "satisfied" "满意" "satisfied",
        Fair = "fair" "基本满意" "fairly satisfied",
        Dissatisfied = "dissatisfied" "不满意" "not satisfied",
        Unknown = "unknown" "未表态" "did not say",
    }
}
choice! {
    /// 转办决定
    pub enum TransferOutcome {
        Accepted = "accepted" "已接受" "accepted",
        Rejected = "rejected" "已退回" "rejected",
    }
}
choice! {
    /// 结案方式
    pub enum Outcome {
        AgreementWritten = "agreement-written" "书面协议" "written agreement",
        AgreementOral = "agreement-oral" "口头协议" "oral agreement",
        Failed = "failed" "调解不成" "no agreement",
        Withdrawn = "withdrawn" "当事人退出" "a party withdrew",
        Guided = "guided" "引导诉讼或仲裁" "went to court or arbitration",
    }
}
choice! {
    /// 反馈的结果
    pub enum ReportedResult {
        AgreementWritten = "agreement-written" "书面协议" "written agreement",
        AgreementOral = "agreement-oral" "口头协议" "oral agreement",
        Failed = "failed" "调解不成" "no agreement",
        Withdrawn = "withdrawn" "当事人退出" "a party withdrew",
        Guided = "guided" "引导诉讼或仲裁" "went to court or arbitration",
        Declined = "declined" "不予受理" "declined",
    }
}
choice! {
    /// 重开理由
    pub enum ReopenGround {
        NewFacts = "new-facts" "有新的事实" "new facts",
        AgreementVoid = "agreement-void" "协议无效或被撤销" "the agreement is void",
        AgreementBroken = "agreement-broken" "协议未履行" "the agreement is broken",
        Relapse = "relapse" "纠纷反复" "the dispute is back",
        DeclineMistaken = "decline-mistaken" "不予受理有误" "it should not have been declined",
    }
}
choice! {
    /// 删除依据
    pub enum ErasureBasis {
        PurposeDone = "purpose-done" "处理目的已实现" "the purpose is fulfilled",
        TermOver = "term-over" "保存期限届满" "the term of keeping is over",
        ConsentWithdrawn = "consent-withdrawn" "个人撤回同意" "consent was withdrawn",
        Unlawful = "unlawful" "处理违反法律法规" "it was handled unlawfully",
        Ordered = "ordered" "司法或主管机关决定" "a court or agency ordered it",
    }
}
