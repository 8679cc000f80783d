//! The events of the register.

use anjuan_sync::AuthorKey;

use crate::case::tables::tables;
use crate::kind::catalog::Choice;
pub use crate::kind::common::{ConflictResolved, UpdateAdopted};
use crate::kind::field::{Day, Line, List, Prose, choice, events, fields, open_code};

choice! {
    /// 组织类型
    pub enum OrganisationKind {
        Village = "village" "村(居)人民调解委员会" "village committee",
        Town = "town" "乡镇(街道)人民调解委员会" "town committee",
        Professional = "professional" "行业性专业性人民调解委员会" "professional committee",
        PetitionRoom = "petition-room" "信访人民调解室" "petition mediation room",
        ExpertPool = "expert-pool" "人民调解专家库" "expert pool",
    }
}
choice! {
    /// 调解员背景
    pub enum Background {
        Judge = "retired-judge" "退休法官" "retired judge",
        Prosecutor = "retired-prosecutor" "退休检察官" "retired prosecutor",
        Police = "retired-police" "退休警官" "retired police officer",
        Lawyer = "lawyer" "律师" "lawyer",
        Notary = "notary" "公证员" "notary",
        LegalWorker = "legal-worker" "基层法律服务工作者" "legal service worker",
        Doctor = "doctor" "医务人员" "medical staff",
        Teacher = "teacher" "教师" "teacher",
        Cadre = "cadre" "村(居)干部" "village official",
        Villager = "villager" "群众推选" "chosen by the villagers",
        OtherExpert = "other-expert" "其他专业人员" "other professional",
    }
}
choice! {
    /// 专职或兼职
    pub enum Employment {
        FullTime = "full-time" "专职" "full time",
        PartTime = "part-time" "兼职" "part time",
    }
}
choice! {
    /// 注销理由
    pub enum RemovalReason {
        Resigned = "resigned" "辞职" "resigned",
        TermOver = "term-over" "任期届满" "term over",
        Dismissed = "dismissed" "罢免或解聘" "dismissed",
        Unable = "unable" "不能履职" "unable to serve",
        Merged = "merged" "合并" "merged",
        Dissolved = "dissolved" "撤销" "dissolved",
    }
}

fn specialities() -> &'static [Choice] {
    &tables().categories
}

open_code! {
    /// 专长领域: the categories of dispute, and whatever code a newer table adds.
    pub struct Speciality = specialities()
}

fields! {
    /// 调解组织备案
    pub struct OrganisationFiled {
        code: Line<40> = "备案编号" / "filing code",
        name: Line<60> = "组织名称" / "name of the organisation",
        kind: OrganisationKind = "类型" / "kind",
        fields: List<Speciality, 0, 20> = "专业领域" / "fields",
        established: Option<Day> = "成立日期" / "day it was set up",
    }
}

fields! {
    /// 调解组织变更
    pub struct OrganisationChanged {
        name: Option<Line<60>> = "组织名称" / "name of the organisation",
        kind: Option<OrganisationKind> = "类型" / "kind",
        fields: List<Speciality, 0, 20> = "专业领域" / "fields",
        reason: Option<Prose<500>> = "变更原因" / "why",
    }
}

fields! {
    /// 调解组织撤销
    pub struct OrganisationDissolved {
        reason: RemovalReason = "原因" / "why",
        note: Option<Prose<500>> = "说明" / "note",
    }
}

fields! {
    /// 调解员备案
    pub struct MediatorFiled {
        label: Line<40> = "登记名称(以官方名册为准)" / "as in the official register",
        organisation: Line<40> = "所属组织备案编号" / "filing code of the organisation",
        backgrounds: List<Background, 0, 5> = "背景" / "background",
        specialities: List<Speciality, 0, 20> = "专长" / "specialities",
        employment: Employment = "专职或兼职" / "full or part time",
        salaried: bool = "领取工资" / "draws a salary for it",
        key: Option<AuthorKey> = "操作员公钥" / "key as an operator",
    }
}

fields! {
    /// 调解员变更
    pub struct MediatorChanged {
        label: Option<Line<40>> = "登记名称" / "as in the official register",
        organisation: Option<Line<40>> = "所属组织备案编号" / "filing code of the organisation",
        backgrounds: List<Background, 0, 5> = "背景" / "background",
        specialities: List<Speciality, 0, 20> = "专长" / "specialities",
        employment: Option<Employment> = "专职或兼职" / "full or part time",
        salaried: Option<bool> = "领取工资" / "draws a salary for it",
        key: Option<AuthorKey> = "操作员公钥" / "key as an operator",
    }
}

fields! {
    /// 调解员注销
    pub struct MediatorRemoved {
        reason: RemovalReason = "原因" / "why",
        note: Option<Prose<500>> = "说明" / "note",
    }
}

events! {
    /// An event of the register, valid in itself.
    pub enum Event / EventKind; creates [OrganisationFiled, MediatorFiled]; {
        OrganisationFiled "file-organisation" "调解组织备案" / "organisation filed",
            "调解组织首次备案。" / "Puts an organisation on the register.";
        OrganisationChanged "change-organisation" "调解组织变更" / "organisation changed",
            "只填变更的内容。" / "Give what changes, and nothing else.";
        OrganisationDissolved "dissolve-organisation" "调解组织撤销" / "organisation dissolved",
            "调解组织撤销或合并。" / "The organisation is no more.";
        MediatorFiled "file-mediator" "调解员备案" / "mediator filed",
            "人民调解员首次备案。" / "Puts a mediator on the register.";
        MediatorChanged "change-mediator" "调解员变更" / "mediator changed",
            "只填变更的内容。" / "Give what changes, and nothing else.";
        MediatorRemoved "remove-mediator" "调解员注销" / "mediator removed",
            "调解员不再任职。" / "The mediator no longer serves.";
        ConflictResolved "resolve" "冲突裁定" / "conflict resolved",
            "在相互排斥的登记中保留一项。" / "Keeps one of the entries that exclude one another.";
        UpdateAdopted "adopt" "采纳" / "update adopted",
            "以自己的签名采纳被隔离或无效更新的内容。" / "Adopts the content of an update that does not count, under one's own signature.";
    }
}
