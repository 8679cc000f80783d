//! What may be recorded at any stage.

use anjuan_sync::UpdateId;

use super::codes::{AttachmentRole, ErasureBasis};
use crate::kind::field::{Commitment, Line, List, Prose, fields};
use crate::unit::UnitCode;

fields! {
    /// 更正
    pub struct RecordCorrected {
        update: UpdateId = "被更正的更新" / "the update that is corrected",
        field: Line<60> = "字段" / "which field",
        correction: Prose<2000> = "更正为(不写个人信息)" / "how it should read, without particulars of persons",
        reason: Prose<1000> = "理由" / "why",
    }
}

fields! {
    /// 消息
    pub struct MessageSent {
        text: Prose<1000> = "内容(不写个人信息)" / "what it says, without particulars of persons",
        to: Option<UnitCode> = "致" / "to which unit",
    }
}

fields! {
    /// A sealed item of the file.
    pub struct Attachment {
        commitment: Commitment = "密封材料承诺值" / "commitment to the sealed item",
        role: AttachmentRole = "材料" / "what it is",
        restricted: Option<bool> = "限本单位查阅" / "for the handling unit alone",
    }
}

fields! {
    /// 附件入卷
    pub struct ParticularsAttached {
        items: List<Attachment, 1, 50> = "材料" / "the items",
    }
}

fields! {
    /// 上级查阅
    pub struct ParticularsDisclosed {
        commitments: List<Commitment, 1, 60> = "查阅的材料" / "the items that are read",
        reason: Prose<1000> = "理由" / "why",
    }
}

fields! {
    /// 个人信息删除
    pub struct ParticularsErased {
        commitments: List<Commitment, 1, 60> = "删除的材料" / "the items that are erased",
        basis: ErasureBasis = "法定情形" / "legal basis",
        reference: Line<200> = "法律条款或文书编号" / "article of law, or number of the decision",
        reason: Option<Prose<1000>> = "说明" / "explanation",
    }
}
