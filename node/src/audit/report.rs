//! What a check of a bundle comes to.

use std::collections::BTreeMap;

use anjuan_sync::Timestamp;
use serde::Serialize;

use super::questions::Question;
use crate::calendar::to_jiff;
use crate::text;
use crate::text::Text;

/// Findings told of one check and gravity; more are counted.
const MAX_TOLD: u64 = 100;

/// What is checked. The names are stable: reports are compared and scripts read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The file has the form of a bundle, and is as it was written.
    Format,
    /// It is of the network whose root certificate the auditor holds.
    Root,
    /// Certificates and revocations come from the root, each signed by who might.
    Certificates,
    /// Headers are well formed.
    Headers,
    /// Who signed an update was certified to write there.
    Authority,
    /// Every header is signed by its author.
    Signatures,
    /// Logs are unbroken chains.
    Logs,
    /// Nobody signed two updates for one place.
    Forks,
    /// The records lead to the root that the node signed.
    Journal,
    /// Checkpoints are signed by the node whose log they are of.
    Checkpoints,
    /// Enough witnesses cosigned.
    Witnesses,
    /// The journal continues the checkpoints that the auditor kept.
    Since,
    /// Claimed times lie between what witnesses saw.
    Brackets,
    /// Payloads are those that were signed.
    Payloads,
    /// Changes fit their documents.
    Documents,
    /// Events count, or don't, and why.
    Fold,
    /// Disclosed particulars are those committed to.
    Commitments,
    /// Erasures are ordered by events, and carried out.
    Erasures,
    /// Nothing is held back.
    Coverage,
}

impl Check {
    /// Every check, in the order in which reports list them.
    pub const ALL: [Self; 19] = [
        Self::Format,
        Self::Root,
        Self::Certificates,
        Self::Headers,
        Self::Authority,
        Self::Signatures,
        Self::Logs,
        Self::Forks,
        Self::Journal,
        Self::Checkpoints,
        Self::Witnesses,
        Self::Since,
        Self::Brackets,
        Self::Payloads,
        Self::Documents,
        Self::Fold,
        Self::Commitments,
        Self::Erasures,
        Self::Coverage,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Root => "root",
            Self::Certificates => "certificates",
            Self::Headers => "headers",
            Self::Authority => "authority",
            Self::Signatures => "signatures",
            Self::Logs => "logs",
            Self::Forks => "forks",
            Self::Journal => "journal",
            Self::Checkpoints => "checkpoints",
            Self::Witnesses => "witnesses",
            Self::Since => "since",
            Self::Brackets => "brackets",
            Self::Payloads => "payloads",
            Self::Documents => "documents",
            Self::Fold => "fold",
            Self::Commitments => "commitments",
            Self::Erasures => "erasures",
            Self::Coverage => "coverage",
        }
    }

    /// For people.
    pub fn title(self) -> Text {
        let (zh, en) = match self {
            Self::Format => ("文件格式完整", "the file is whole"),
            Self::Root => ("属于所持根证书的网络", "it is of your root's network"),
            Self::Certificates => ("证书与吊销", "certificates and revocations"),
            Self::Headers => ("签名头格式", "headers are well formed"),
            Self::Authority => ("签名人有权在该单位记录", "signers were certified to write there"),
            Self::Signatures => ("签名", "signatures"),
            Self::Logs => ("日志连续", "logs are unbroken"),
            Self::Forks => ("无重复位置的签名", "nobody signed twice for one place"),
            Self::Journal => ("记录与签署的树根一致", "the records lead to the signed root"),
            Self::Checkpoints => ("检查点签名", "checkpoints are signed"),
            Self::Witnesses => ("见证人数", "enough witnesses"),
            Self::Since => ("与留存检查点一致", "consistent with what you kept"),
            Self::Brackets => ("所称时间在见证区间内", "claimed times lie within their brackets"),
            Self::Payloads => ("内容与签名一致", "payloads are those signed"),
            Self::Documents => ("案卷可重放", "documents replay"),
            Self::Fold => ("事件效力", "which events count"),
            Self::Commitments => (
                "披露材料与承诺值一致",
                "disclosed particulars fit their commitments",
            ),
            Self::Erasures => ("删除有据", "erasures are ordered and carried out"),
            Self::Coverage => ("没有保留未示", "nothing is held back"),
        };
        Text::new(zh, en)
    }
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gravity {
    /// To be known; nothing follows from it for the verdict.
    Note,
    /// What is shown holds, but something known is missing or unusual.
    Gap,
    /// Not enough is shown to prove it.
    Unproven,
    /// Proven false: two signed things, or a signed thing and what is shown, contradict one another.
    Forged,
}

/// What a bundle is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Verdict {
    /// Everything was checked, and holds.
    Verified,
    /// What is shown holds; what is missing or unusual is listed.
    VerifiedWithGaps,
    /// Not proven.
    Unproven,
    /// Proven to be false.
    Forged,
}

impl Verdict {
    /// The exit code of `anjuan audit verify`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::VerifiedWithGaps => 3,
            Self::Unproven => 4,
            Self::Forged => 5,
        }
    }

    /// The word that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "VERIFIED",
            Self::VerifiedWithGaps => "VERIFIED-WITH-GAPS",
            Self::Unproven => "UNPROVEN",
            Self::Forged => "FORGED",
        }
    }

    /// For people.
    pub fn text(self) -> Text {
        let (zh, en) = match self {
            Self::Verified => ("核验通过", "everything was checked, and holds"),
            Self::VerifiedWithGaps => (
                "所示内容核验通过,但有缺口",
                "what is shown holds; something is missing or unusual",
            ),
            Self::Unproven => ("未能证明", "not enough is shown to prove it"),
            Self::Forged => ("经证明不实", "proven to be false"),
        };
        Text::new(zh, en)
    }
}

/// What, where, by which check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check that found it.
    pub check: Check,
    /// How grave.
    pub gravity: Gravity,
    /// Where: a record of the journal, a log, a document, a checkpoint.
    pub place: String,
    /// What.
    pub what: Text,
}

/// What became of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Its name.
    pub check: Check,
    /// For people.
    pub title: Text,
    /// How many things were looked at; 0 where the bundle shows nothing of the kind.
    pub looked_at: u64,
    /// The gravest finding, if there is one.
    pub worst: Option<Gravity>,
    /// Findings that are not told one by one, being too many.
    pub more: u64,
}

/// Somebody's signature in the timeline of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// The update.
    pub update: String,
    /// What was recorded: the event's type; none where the payload is not shown.
    pub event: Option<String>,
    /// Who signed.
    pub by: String,
    /// The signer's unit.
    pub unit: String,
    /// The time claimed.
    pub claimed: String,
    /// Not recorded before.
    pub not_before: Option<String>,
    /// Not recorded after.
    pub not_after: Option<String>,
    /// Does it count, and if not, why not; none where the payload is not shown.
    pub stands: Option<Text>,
    /// Does it count?
    pub counts: bool,
    /// The same times in milliseconds, for the chart.
    #[serde(skip)]
    pub(super) instants: (i64, Option<i64>, Option<i64>),
}

/// Particulars that the bundle discloses, and who signed for that.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Disclosure {
    /// The document.
    pub document: String,
    /// Its home unit.
    pub unit: String,
    /// What the document commits to.
    pub commitment: String,
    /// What it is (party, file, …) as a code.
    pub role: String,
    /// For the handling unit alone.
    pub restricted: bool,
    /// Who signed the disclosure; none where no event that counts says so.
    pub by: Option<String>,
    /// The signer's unit.
    pub by_unit: Option<String>,
    /// The time that the signer claims.
    pub at: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The particulars themselves, where the auditor asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub particulars: Option<serde_json::Value>,
}

/// Shows which, never what.
impl std::fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disclosure")
            .field("document", &self.document)
            .field("commitment", &self.commitment)
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}

/// A document and who signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Story {
    /// Its id.
    pub document: String,
    /// Its home unit.
    pub unit: String,
    /// Its kind.
    pub kind: Option<String>,
    /// The number people know it by.
    pub number: Option<String>,
    /// A line that tells it apart.
    pub title: Option<String>,
    /// The stage it came to.
    pub stage: Option<Text>,
    /// Its updates, in the order in which they count.
    pub timeline: Vec<Signed>,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Bytes of the bundle.
    pub bytes: u64,
    /// Records of the journal.
    pub records: u64,
    /// Of these, folded.
    pub folded: u64,
    /// Certificates and revocations.
    pub credentials: u64,
    /// Updates.
    pub updates: u64,
    /// Logs.
    pub logs: u64,
    /// Documents of which the payloads are shown.
    pub documents: u64,
    /// Checkpoints of the journal.
    pub checkpoints: u64,
    /// Records under a checkpoint that enough witnesses cosigned.
    pub witnessed: u64,
}

/// What a bundle comes to. The same bundle, root, policy and kept checkpoints give the same report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of the report's shape.
    pub version: u32,
    /// The verdict.
    pub verdict: Verdict,
    /// The network.
    pub network: String,
    /// The journal.
    pub journal: String,
    /// What was asked for.
    pub scope: Text,
    /// When the bundle was made, as the exporter says.
    pub made_at: String,
    /// The instant as of which it was judged.
    pub as_of: String,
    /// The newest time that enough witnesses vouch for.
    pub witnessed_until: Option<String>,
    /// How much was looked at.
    pub figures: Figures,
    /// The checks.
    pub checks: Vec<Checked>,
    /// What was found, the gravest first.
    pub findings: Vec<Finding>,
    /// Questions to ask, which have no bearing on the verdict.
    pub questions: Vec<Question>,
    /// Particulars that the bundle discloses.
    pub disclosures: Vec<Disclosure>,
    /// Further ones, too many to be told one by one.
    pub more_disclosures: u64,
    /// Documents with their timelines.
    pub stories: Vec<Story>,
    /// Documents whose timelines are left out, being too many.
    pub more_stories: u64,
    /// What no check of this bundle can prove.
    pub unprovable: Vec<Text>,
}

/// An instant as reports show it.
pub(super) fn moment(time: Timestamp) -> String {
    to_jiff(time).to_string()
}

/// Findings on their way into a report.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    told: Vec<Finding>,
    counts: BTreeMap<(Check, Gravity), u64>,
    looked_at: BTreeMap<Check, u64>,
}

impl Findings {
    pub(super) fn add(&mut self, check: Check, gravity: Gravity, place: impl Into<String>, what: Text) {
        let count = self.counts.entry((check, gravity)).or_default();
        *count += 1;
        if *count <= MAX_TOLD {
            self.told.push(Finding {
                check,
                gravity,
                place: place.into(),
                what,
            });
        }
    }

    pub(super) fn forged(&mut self, check: Check, place: impl Into<String>, what: Text) {
        self.add(check, Gravity::Forged, place, what);
    }

    pub(super) fn unproven(&mut self, check: Check, place: impl Into<String>, what: Text) {
        self.add(check, Gravity::Unproven, place, what);
    }

    pub(super) fn gap(&mut self, check: Check, place: impl Into<String>, what: Text) {
        self.add(check, Gravity::Gap, place, what);
    }

    pub(super) fn note(&mut self, check: Check, place: impl Into<String>, what: Text) {
        self.add(check, Gravity::Note, place, what);
    }

    /// One more thing was looked at.
    pub(super) fn look(&mut self, check: Check) {
        *self.looked_at.entry(check).or_default() += 1;
    }

    /// Was anything as grave as this found?
    pub(super) fn has(&self, gravity: Gravity) -> bool {
        self.counts.keys().any(|(_, found)| *found >= gravity)
    }

    /// The verdict; `intact` tells whether the file is as it was written. What a damaged file contradicts
    /// is no proof against anybody.
    pub(super) fn verdict(&self, intact: bool) -> Verdict {
        let worst = self.counts.keys().map(|(_, gravity)| *gravity).max();
        match worst {
            None | Some(Gravity::Note) if intact => Verdict::Verified,
            Some(Gravity::Gap) if intact => Verdict::VerifiedWithGaps,
            Some(Gravity::Forged) if intact => Verdict::Forged,
            _ => Verdict::Unproven,
        }
    }

    /// The checks with what became of them, and the findings, gravest first.
    pub(super) fn finish(mut self) -> (Vec<Checked>, Vec<Finding>) {
        let checks = Check::ALL
            .into_iter()
            .map(|check| {
                let of_check = self.counts.iter().filter(|((of, _), _)| *of == check);
                Checked {
                    check,
                    title: check.title(),
                    looked_at: self.looked_at.get(&check).copied().unwrap_or(0),
                    worst: of_check.clone().map(|((_, gravity), _)| *gravity).max(),
                    more: of_check.map(|(_, count)| count.saturating_sub(MAX_TOLD)).sum(),
                }
            })
            .collect();
        // Stable: what was found first stays first.
        self.told
            .sort_by_key(|finding| (std::cmp::Reverse(finding.gravity), finding.check));
        (checks, self.told)
    }
}

/// What no bundle can prove, and what this one in particular can't.
pub(super) fn unprovable(shows_all: bool, payloads: bool, until: Option<&str>, unbounded: u64) -> Vec<Text> {
    let mut list = vec![
        Text::new(
            "从未记录的事:没有录入的纠纷、口头处理、记录之前发生的改动",
            "what was never recorded: a dispute not taken down, anything said and done before the record",
        ),
        Text::new(
            "所记内容是否属实:虚构的事项只要及时签名入账,核验同样通过",
            "that what is recorded is true: an invented matter that was promptly signed and logged verifies",
        ),
        Text::new(
            "全部见证人与本节点串通时的情形",
            "anything against all witnesses colluding with the node",
        ),
        Text::new(
            "签名人以外的人是否使用了其密钥和口令(吊销之前)",
            "that the signer himself, and nobody with his key and passphrase, signed (before a revocation)",
        ),
        Text::new(
            "记录距事发有多久:见证只约束记录的时间",
            "how long after it happened something was recorded: witnesses bound the time of recording alone",
        ),
    ];
    match until {
        Some(until) => list.push(text!(
            "{until} 之后的任何事:这是见证最后到达的时间",
            "anything after {until}, which is as far as witnesses vouch"
        )),
        None => list.push(Text::new(
            "记录的时间和日志未被整体改写:没有足够的见证",
            "when anything was recorded, and that the journal was not rewritten as a whole: there are too few witnesses",
        )),
    }
    if unbounded > 0 {
        list.push(text!(
            "{unbounded} 条更新没有早于所称时间的见证下限:其时间可能早于实际记录,但不晚于首次见证",
            "that {unbounded} updates were not backdated: they carry no witnessed checkpoint as a lower bound, only the first one that includes them as an upper"
        ));
    }
    if !shows_all {
        list.push(Text::new(
            "未展示的记录中没有同一日志的后续更新或相关吊销:可加 --all-headers 重新导出",
            "that the records not shown hold no later update of these logs: export again with --all-headers",
        ));
    }
    if !payloads {
        list.push(Text::new(
            "案卷写了什么:本文件不含内容",
            "what the documents say: the bundle is without payloads",
        ));
    }
    list
}
