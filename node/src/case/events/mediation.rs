//! Mediation itself.

use super::codes::{Invitee, SessionResult};
use crate::kind::field::{Commitment, Count, Day, Line, List, Prose, Yes, fields};

fields! {
    /// 调解准备
    pub struct Prepared {
        plan: Prose<2000> = "调解方案" / "plan",
        notified: Count<1, 200> = "已通知当事人数" / "parties notified",
        invitees: List<Invitee, 0, 10> = "邀请参加人" / "who is invited",
        invitees_consented: Option<Yes> = "各方同意邀请" / "the parties consent to those invited",
        expert_request: Option<Prose<500>> = "申请专家参与" / "request for an expert",
    }
}

fields! {
    /// 调解核实
    pub struct FactsVerified {
        findings: Prose<2000> = "查明事实(不写个人信息)" / "what was found, without particulars of persons",
        records: Count<0, 200> = "调查记录份数" / "number of investigation records",
        evidence: List<Commitment, 0, 50> = "证据(密封)承诺值" / "commitments to sealed evidence",
    }
}

fields! {
    /// 调解实施
    pub struct SessionHeld {
        on: Day = "日期" / "day",
        place: Option<Line<60>> = "地点(不写住址)" / "place, never a home",
        attendance: Count<1, 500> = "到场人数" / "how many attended",
        record: Prose<4000> = "调解记录(不写个人信息)" / "record, without particulars of persons",
        result: SessionResult = "本次结果" / "result",
        minutes: Option<Commitment> = "笔录(密封)承诺值" / "commitment to the sealed minutes",
    }
}

fields! {
    /// 延期
    pub struct ExtensionAgreed {
        until: Day = "延长至" / "new last day",
        consents: Yes = "各方同意" / "all parties consent",
        reason: Prose<1000> = "理由" / "reason",
    }
}
