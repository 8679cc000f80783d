//! What the counted events of a case come to.

use std::collections::BTreeSet;

use anjuan_sync::{AuthorKey, DocumentId, Timestamp, UpdateId};
use jiff::civil::Date;
use serde::Serialize;

use super::events::{
    Category, DeclineReason, Event, Headcount, Outcome, Party, Performance, PerformanceManner, Satisfaction,
    Source,
};
use super::number::CaseNumber;
use crate::kind::Link;
use crate::kind::field::{Commitment, Line, Prose, choice};
use crate::unit::{Level, UnitCode};

choice! {
    /// 阶段, in the order of the flow.
    pub enum Stage {
        Unopened = "unopened" "未立案" "not opened",
        Registered = "registered" "登记" "registered",
        Declined = "declined" "不予受理" "declined",
        Accepted = "accepted" "受理" "accepted",
        Assigned = "assigned" "交办" "assigned",
        InHand = "in-hand" "承办" "in hand",
        Prepared = "prepared" "调解准备" "prepared",
        Verified = "verified" "调解核实" "facts verified",
        Mediating = "mediating" "调解实施" "in mediation",
        Agreed = "agreed" "达成协议" "agreed",
        Failed = "failed" "调解不成" "failed",
        Withdrawn = "withdrawn" "当事人退出" "withdrawn",
        Guided = "guided" "引导诉讼或仲裁" "guided to court",
        Closed = "closed" "结案" "closed",
        Archived = "archived" "归档" "archived",
        Received = "received" "转入待接收" "received, not yet accepted",
        Rejected = "rejected" "转入已退回" "transfer rejected",
        Transferred = "transferred" "已转出" "transferred",
    }
}

impl Stage {
    /// Is the dispute still being dealt with in this document?
    pub fn is_open(self) -> bool {
        !matches!(
            self,
            Self::Unopened
                | Self::Declined
                | Self::Closed
                | Self::Archived
                | Self::Rejected
                | Self::Transferred
        )
    }
}

/// A mediator to whom the case is assigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mediator {
    /// The operator's key.
    pub key: AuthorKey,
    /// Has he taken it on?
    pub confirmed: bool,
}

/// The petition behind a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Petition {
    /// Its unit.
    pub unit: Option<UnitCode>,
    /// Its document.
    pub document: Option<DocumentId>,
    /// When it was registered: its own clock runs on.
    pub on: Option<Date>,
}

/// An agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// In writing?
    pub written: bool,
    /// Its number, if in writing.
    pub number: Option<Line<60>>,
    /// When it was made.
    pub on: Date,
    /// How it is performed.
    pub manner: PerformanceManner,
    /// By when.
    pub perform_by: Option<Date>,
    /// The last day to apply for judicial confirmation.
    pub confirm_by: Date,
    /// When that was applied for.
    pub confirmation_applied: Option<Date>,
    /// Whether the court confirmed it.
    pub confirmed: Option<bool>,
}

/// What the last visit found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FollowUp {
    /// How many visits.
    pub visits: u32,
    /// The last one.
    pub on: Date,
    /// Was the agreement performed?
    pub performance: Performance,
    /// Are the parties satisfied?
    pub satisfaction: Satisfaction,
    /// Is the dispute back?
    pub relapse: bool,
}

/// A decision that needs two signatures, as far as it has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cosigned<T> {
    /// What is decided.
    pub what: T,
    /// Since when.
    pub since: Date,
    /// Signed by the first who must: of a closing the mediator, of a reopening the chair.
    pub first: bool,
    /// Signed by the second: of a closing the chair, of a reopening the office that supervises.
    pub second: bool,
}

/// A case on its way to another unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// To which.
    pub to: UnitCode,
    /// Proposed, or routed, since.
    pub since: Date,
    /// The document opened there.
    pub document: Option<DocumentId>,
    /// What is shared.
    pub shared: Vec<Commitment>,
}

/// A sealed item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// Which.
    pub commitment: Commitment,
    /// What it is.
    pub role: String,
    /// For the handling unit alone.
    pub restricted: bool,
    /// Ordered to be erased.
    pub erased: bool,
    /// Units above whose reading is on record.
    pub disclosed_to: Vec<UnitCode>,
    /// The unit to which it went with a transfer.
    pub shared_with: Option<UnitCode>,
}

/// A correction, in force once author and chair have signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Correction {
    /// What it corrects.
    pub update: UpdateId,
    /// Which field.
    pub field: Line<60>,
    /// How it should read.
    pub correction: Prose<2000>,
    /// Signed by the author of the update.
    pub by_author: bool,
    /// Signed by the chair.
    pub by_chair: bool,
}

/// A step that came after its last day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Late {
    /// The event.
    pub event: &'static str,
    /// The last day.
    pub due: Date,
    /// When it came.
    pub done: Date,
}

/// The state of a case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseState {
    /// Where the document lives.
    pub home: UnitCode,
    /// 阶段
    pub stage: Stage,
    /// The stage is what it is since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Date>,
    /// The unit that handles the case.
    pub owner: UnitCode,
    /// Every unit that handles or handled it.
    pub owners: Vec<UnitCode>,
    /// 案号
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<CaseNumber>,
    /// 来源
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// 纠纷类别
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// 案由
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brief: Option<Line<60>>,
    /// 纠纷事实
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Prose<2000>>,
    /// 涉及人数
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headcount: Option<Headcount>,
    /// 当事人
    pub parties: Vec<Party>,
    /// For the handling unit alone.
    pub restricted: bool,
    /// When the first event was recorded, as claimed.
    #[serde(skip)]
    pub opened_at: Option<Timestamp>,
    /// The day of registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_on: Option<Date>,
    /// The day of acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_on: Option<Date>,
    /// The last day of mediation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mediate_by: Option<Date>,
    /// The day set at assignment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_until: Option<Date>,
    /// The petition behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub petition: Option<Petition>,
    /// Why it was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declined: Option<DeclineReason>,
    /// To whom it is assigned.
    pub mediators: Vec<Mediator>,
    /// Sessions held.
    pub sessions: u32,
    /// The last session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_session: Option<Date>,
    /// 协议
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
    /// 回访
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow_up: Option<FollowUp>,
    /// Signed for closing, as far as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closing: Option<Cosigned<Outcome>>,
    /// 结案方式
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Outcome>,
    /// 结案日期
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_on: Option<Date>,
    /// 反馈日期
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_on: Option<Date>,
    /// 签收日期
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_on: Option<Date>,
    /// 归档日期
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived_on: Option<Date>,
    /// Signed for reopening, as far as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reopening: Option<Cosigned<()>>,
    /// How often it was reopened.
    pub reopened: u32,
    /// Escalation proposed, not yet answered, since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Date>,
    /// Transfer proposed, not yet answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// Papers in the file.
    pub papers: BTreeSet<String>,
    /// Sealed items.
    #[serde(skip)]
    pub sealed: Vec<Sealed>,
    /// 更正
    pub corrections: Vec<Correction>,
    /// 消息
    pub messages: u32,
    /// Steps that came late.
    pub late: Vec<Late>,
    /// Other documents.
    #[serde(skip)]
    pub links: Vec<Link>,
}

impl CaseState {
    /// Before the first event of a document that lives in `home`.
    pub fn unopened(home: UnitCode) -> Self {
        Self {
            owner: home.clone(),
            home,
            stage: Stage::Unopened,
            since: None,
            owners: Vec::new(),
            number: None,
            source: None,
            category: None,
            brief: None,
            facts: None,
            headcount: None,
            parties: Vec::new(),
            restricted: false,
            opened_at: None,
            registered_on: None,
            accepted_on: None,
            mediate_by: None,
            assigned_until: None,
            petition: None,
            declined: None,
            mediators: Vec::new(),
            sessions: 0,
            last_session: None,
            agreement: None,
            follow_up: None,
            closing: None,
            result: None,
            closed_on: None,
            reported_on: None,
            acknowledged_on: None,
            archived_on: None,
            reopening: None,
            reopened: 0,
            escalation: None,
            transfer: None,
            papers: BTreeSet::new(),
            sealed: Vec::new(),
            corrections: Vec::new(),
            messages: 0,
            late: Vec::new(),
            links: Vec::new(),
        }
    }

    /// The unit that acts in this document: the owner. Of a case that was transferred here and never
    /// accepted, the home unit, which has to answer; of one that was transferred away, the last owner before.
    pub fn acting_unit(&self) -> &UnitCode {
        self.owners.last().unwrap_or(&self.home)
    }

    /// Keys of the mediators who have taken the case on.
    pub fn handlers(&self) -> Vec<AuthorKey> {
        self.mediators
            .iter()
            .filter(|m| m.confirmed)
            .map(|m| m.key)
            .collect()
    }

    /// The sealed item, if the case refers to it.
    pub fn sealed(&self, commitment: Commitment) -> Option<&Sealed> {
        self.sealed.iter().find(|item| item.commitment == commitment)
    }

    /// The papers that are missing of `required`.
    pub fn missing<'a>(&self, required: &'a [String], supplied: &BTreeSet<&str>) -> Vec<&'a str> {
        required
            .iter()
            .map(String::as_str)
            .filter(|paper| !self.papers.contains(*paper) && !supplied.contains(paper))
            .collect()
    }
}

/// The judicial office that supervises the committee of `unit`: of a village its town's, of a professional
/// committee that of the county or city it stands below, otherwise the unit's own.
pub fn supervisor(unit: &UnitCode) -> UnitCode {
    match unit.level() {
        Level::Village | Level::Committee => unit.parent().unwrap_or_else(|| unit.clone()),
        Level::Town | Level::County | Level::City => unit.clone(),
    }
}

/// The lowest unit at or above both.
pub fn common_ancestor(a: &UnitCode, b: &UnitCode) -> Option<UnitCode> {
    let path = a.path().common_ancestor(&b.path())?;
    UnitCode::from_path(&path).ok()
}

/// The papers that `event` puts into the file: by its type, and those that it says are in the paper file.
pub fn papers_of(event: &Event) -> BTreeSet<&str> {
    let by_type = super::tables::tables().supplied_by(event.kind().name());
    let mut papers: BTreeSet<&str> = by_type.iter().map(String::as_str).collect();
    match event {
        Event::CaseClosed(event) => papers.extend(event.papers.iter().map(|paper| paper.as_str())),
        Event::Archived(event) => papers.extend(event.papers.iter().map(|paper| paper.as_str())),
        Event::ParticularsAttached(event) => papers.extend(event.items.iter().map(|item| item.role.as_str())),
        Event::FactsVerified(event) => {
            if event.evidence.as_slice().is_empty() {
                papers.remove("evidence-list");
            }
            if event.records.get() == 0 {
                papers.remove("investigation-record");
            }
        }
        _ => {}
    }
    papers
}
