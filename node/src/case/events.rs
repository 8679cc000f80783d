//! The events of a case. None has a field for what identifies a person: parties are commitments to sealed
//! particulars, officials and mediators are keys.

mod codes;
mod ending;
mod mediation;
mod moving;
mod opening;
mod record;

pub use codes::{
    AttachmentRole, Category, DeclineReason, ErasureBasis, Headcount, Invitee, Outcome, Paper, PartyKind,
    PartyRole, Performance, PerformanceManner, RecusalAsker, RecusalGround, Remedy, ReopenGround,
    ReportedResult, Satisfaction, SessionResult, Source, TransferOutcome,
};
pub use ending::{
    AgreementSigned, Archived, CaseClosed, CaseReopened, ConfirmationApplied, ConfirmationRuled,
    FollowUpRecorded, LitigationGuided, MediationFailed, OralAgreementRecorded, PartyWithdrew,
    ResultAcknowledged, ResultReported,
};
pub use mediation::{ExtensionAgreed, FactsVerified, Prepared, SessionHeld};
pub use moving::{
    EscalationAccepted, EscalationProposed, EscalationReturned, TransferAccepted, TransferConcluded,
    TransferProposed, TransferReceived, TransferRejected, TransferRouted,
};
pub use opening::{
    AssignmentConfirmed, CaseAccepted, CaseAssigned, CaseDeclined, CaseRegistered, MediatorRecused, Party,
};
pub use record::{
    Attachment, MessageSent, ParticularsAttached, ParticularsDisclosed, ParticularsErased, RecordCorrected,
};

pub use crate::kind::common::{ConflictResolved, UpdateAdopted};
use crate::kind::field::events;

events! {
    /// An event of a case, valid in itself.
    pub enum Event / EventKind; creates [CaseRegistered, TransferReceived]; {
        CaseRegistered "register" "登记" / "case registered",
            "登记一起纠纷;此后决定受理或不予受理。" / "Takes down a dispute. Acceptance or refusal follows.";
        CaseAccepted "accept" "受理" / "case accepted",
            "调委会主任受理:各方同意、已告知权利义务、无不得受理情形。调解期限自此起算。" /
            "The chair accepts: all parties consent, their rights were told, nothing excludes it. The term of mediation starts.";
        CaseDeclined "decline" "不予受理" / "case declined",
            "调委会主任不予受理,说明理由并告知其他途径。" / "The chair declines, gives the reason and names other ways.";
        CaseAssigned "assign" "交办" / "case assigned",
            "主任或上级司法行政机关指定调解员;可重新指定。" / "The chair, or a judicial office above, names the mediators; may name others later.";
        AssignmentConfirmed "confirm" "承办" / "assignment confirmed",
            "调解员承办,声明无利害关系。" / "The mediator takes the case on and declares that no interest stands against it.";
        MediatorRecused "recuse" "回避" / "mediator recused",
            "调解员回避(本人、当事人或调委会提出)。" / "A mediator steps back, of his own or on request.";
        Prepared "prepare" "调解准备" / "mediation prepared",
            "拟定方案,通知各方,经同意邀请有关人员参加。" / "Plan, notices, and who is invited with the parties' consent.";
        FactsVerified "verify-facts" "调解核实" / "facts verified",
            "调查核实,登记证据。" / "Investigation and evidence.";
        SessionHeld "session" "调解实施" / "session held",
            "一次调解会;可多次。" / "One session; may be repeated.";
        ExtensionAgreed "extend" "延期" / "extension agreed",
            "期满前经各方同意延长调解期限。" / "Before the term ends, all parties agree to a later day.";
        AgreementSigned "agree" "调解协议书" / "agreement signed",
            "各方签名、调委会盖章的书面协议。" / "The written agreement, signed by the parties and sealed.";
        OralAgreementRecorded "agree-orally" "口头协议" / "oral agreement recorded",
            "口头协议及其内容。" / "An oral agreement and what it says.";
        PartyWithdrew "withdraw" "当事人退出" / "party withdrew",
            "当事人随时可以不接受或终止调解。" / "A party may refuse or end mediation at any time.";
        MediationFailed "fail" "调解不成" / "mediation failed",
            "调解不成:理由、无争议事实、告知其他途径。" / "No agreement: reason, facts not in dispute, other ways told.";
        LitigationGuided "guide" "引导诉讼或仲裁" / "guided to court or arbitration",
            "引导当事人依法维权;当事人随时可以起诉。" / "The party is shown the way to court or arbitration, which is open at any time.";
        ConfirmationApplied "apply-confirmation" "申请司法确认" / "judicial confirmation applied for",
            "双方自协议生效之日起三十日内共同申请。" / "Both parties apply together, within 30 days of the agreement.";
        ConfirmationRuled "rule-confirmation" "司法确认裁定" / "judicial confirmation ruled",
            "法院裁定协议有效或驳回。" / "The court confirms the agreement, or does not.";
        FollowUpRecorded "follow-up" "跟踪回访" / "follow-up recorded",
            "回访:履行、满意度、有无反复。" / "A visit afterwards: performance, satisfaction, relapse.";
        TransferProposed "propose-transfer" "提出转办" / "transfer proposed",
            "提出转至另一单位,列明共享材料并经当事人同意。" / "The owner proposes to hand the case to another unit, with what is shared and the parties' consent.";
        TransferRouted "route-transfer" "分流转办" / "transfer routed",
            "共同上级的转办员在接收单位开立新案卷后,在原案卷登记。" / "The router of the common ancestor records the new document that he opened in the receiving unit.";
        TransferReceived "receive-transfer" "转入登记" / "transfer received",
            "共同上级的转办员在接收单位开立的案卷,引用原案卷。" / "Opens the document in the receiving unit, citing the first one; by the router of the common ancestor.";
        TransferAccepted "accept-transfer" "接受转办" / "transfer accepted",
            "接收单位受理转入案件,案件自此归其办理。" / "The receiver takes the case; it is his from now on.";
        TransferRejected "reject-transfer" "退回转办" / "transfer rejected",
            "接收单位不接受,原单位继续办理。" / "The receiver does not take it; the owner keeps it.";
        TransferConcluded "conclude-transfer" "转办结果" / "transfer concluded",
            "转办员将接收单位的决定登记在原案卷。" / "The router reports the receiver's decision on the first document.";
        EscalationProposed "escalate" "上报" / "escalation proposed",
            "向上一级上报,说明已做工作和理由。" / "To the next level, with the steps tried and the reason.";
        EscalationAccepted "accept-escalation" "接受上报" / "escalation accepted",
            "上一级接办,案件自此归其办理。" / "The next level takes the case; it is its own from now on.";
        EscalationReturned "return-escalation" "退回上报" / "escalation returned",
            "上一级退回,原单位继续办理。" / "The next level gives it back; the owner keeps it.";
        CaseClosed "close" "结案" / "case closed",
            "须调解员和主任先后签署同一结果;一人兼任的签一次。" / "Signed by the mediator and by the chair, with the same result; once if one person is both.";
        ResultReported "report" "结果反馈" / "result reported",
            "司法行政工作人员反馈结果,不含个人信息。" / "The judicial clerk reports the result, without particulars.";
        ResultAcknowledged "acknowledge" "结果签收" / "result acknowledged",
            "信访部门签收结果。" / "The petition office takes note.";
        CaseReopened "reopen" "重开" / "case reopened",
            "须主任提出并经监督的司法所签署同意。" / "Signed by the chair, and for approval by the judicial office that supervises.";
        Archived "archive" "归档" / "case archived",
            "卷宗齐全后归档。" / "The file is complete and goes to the archive.";
        RecordCorrected "correct" "更正" / "record corrected",
            "须原记录人和主任先后签署;案件状态不变。" / "Signed by the author of what is corrected and by the chair. The state does not change.";
        MessageSent "message" "消息" / "message sent",
            "就本案沟通,留痕。" / "A message on the case, kept.";
        ConflictResolved "resolve" "冲突裁定" / "conflict resolved",
            "所属调委会主任在相互排斥的决定中保留一项。" / "The chair of the owning committee keeps one of the decisions that exclude one another.";
        UpdateAdopted "adopt" "采纳" / "update adopted",
            "有权人员以自己的签名采纳被隔离或无效更新的内容。" / "Somebody who may adopts the content of an update that does not count, under his own signature.";
        ParticularsAttached "attach" "附件入卷" / "particulars attached",
            "密封材料入卷。" / "Sealed papers join the file.";
        ParticularsDisclosed "disclose" "上级查阅" / "particulars disclosed",
            "上级查阅密封材料,说明理由,留痕。" / "Somebody above reads sealed particulars, and says why.";
        ParticularsErased "erase" "个人信息删除" / "particulars erased",
            "依法删除密封材料;历史仍可验证。" / "Sealed particulars are erased on a legal basis; the history still verifies.";
    }
}

#[cfg(test)]
mod tests;
