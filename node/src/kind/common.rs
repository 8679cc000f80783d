//! Events that every kind has, because the fold itself needs them.

use anjuan_sync::UpdateId;

use super::field::{Prose, fields};

fields! {
    /// 冲突裁定: of concurrent decisions that exclude one another, one is kept.
    pub struct ConflictResolved {
        kept: UpdateId = "保留的更新" / "the update that is kept",
        reason: Prose<1000> = "理由" / "why",
    }
}

fields! {
    /// 采纳: an update that does not count is adopted, by somebody who may, under his own signature.
    pub struct UpdateAdopted {
        update: UpdateId = "被采纳的更新" / "the update whose content is adopted",
        reason: Prose<1000> = "理由" / "why",
    }
}
