//! Documents: their payloads, replayed and folded as a ledger does, and what is said of sealed particulars.

use std::collections::{BTreeMap, VecDeque};

use anjuan_sync::UpdateId;
use anjuan_sync::update::{MAX_PAYLOAD, payload_hash};

use super::disclosed::Given;
use super::journal::{Journal, Shown, place};
use super::times::Times;
use crate::audit::format::{Record, Tag};
use crate::audit::questions::Facts;
use crate::audit::report::{Check, Disclosure, Findings, Signed, Story, moment};
use crate::audit::scope::{Disclosed, DocumentName, Header, Holding, SealedState};
use crate::authority::encoding;
use crate::evidence::bracket::Bracket;
use crate::kind::{ParticularsRef, Verdict};
use crate::ledger::{DocumentKey, Held, Replayed, Standing, replay};
use crate::text;
use crate::text::Text;

/// Documents whose timelines a report tells; as many again of those that something is the matter with.
const MAX_STORIES: usize = 200;
/// Updates of one document that are replayed. A case has some twelve.
const MAX_UPDATES: usize = 8_192;
/// Bytes of payloads of one document that are replayed.
const MAX_BYTES: usize = 64 << 20;
/// Bytes in the longest name, state or disclosure.
const MAX_SMALL: usize = 512 * 1024;

/// What the documents came to.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) stories: Vec<Story>,
    pub(super) more: u64,
    pub(super) replayed: u64,
    /// Disclosed particulars in the bundle.
    pub(super) disclosed: u64,
    pub(super) disclosures: Vec<Disclosure>,
    pub(super) more_disclosures: u64,
    pub(super) facts: Facts,
}

/// A document of which payloads are being read.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) name: DocumentName,
    updates: Vec<u32>,
    payloads: Vec<Box<[u8]>>,
    bytes: usize,
    sealed: Vec<SealedState>,
    pub(super) disclosed: Vec<Given>,
    fits: bool,
}

/// Documents on their way through.
#[derive(Debug)]
pub(super) struct Documents {
    header: Header,
    brackets: Vec<Bracket>,
    expected: VecDeque<(DocumentName, Vec<u32>)>,
    pub(super) open: Option<Open>,
    troubled: usize,
    /// Are particulars that are disclosed put into the report?
    pub(super) shows_particulars: bool,
    pub(super) shown_bytes: usize,
    pub(super) told: Told,
}

impl Documents {
    pub(super) fn new(header: &Header, journal: &Journal, times: &Times, shows_particulars: bool) -> Self {
        let expected = journal
            .documents()
            .map(|(name, updates)| (name.clone(), updates.to_vec()))
            .collect();
        Self {
            header: header.clone(),
            brackets: times.brackets.clone(),
            expected,
            open: None,
            troubled: 0,
            shows_particulars,
            shown_bytes: 0,
            told: Told {
                stories: Vec::new(),
                more: 0,
                replayed: 0,
                disclosed: 0,
                disclosures: Vec::new(),
                more_disclosures: 0,
                facts: Facts::default(),
            },
        }
    }

    pub(super) fn into_told(self) -> Told {
        self.told
    }

    pub(super) fn take(
        &mut self,
        record: &Record,
        journal: &Journal,
        findings: &mut Findings,
    ) -> Result<(), &'static str> {
        if !self.header.payloads {
            return Err("payloads in a bundle that says it has none");
        }
        match record.tag {
            Tag::Document => {
                self.close(journal, findings);
                let name: DocumentName = encoding::decode(&record.body, MAX_SMALL)
                    .map_err(|_| "the name of a document is malformed")?;
                self.begin(name, findings)
            }
            Tag::Payload => self.payload(&record.body, journal, findings),
            Tag::Sealed => {
                let state =
                    encoding::decode(&record.body, MAX_SMALL).map_err(|_| "a sealed state is malformed")?;
                let open = self.open.as_mut().ok_or("a sealed state without a document")?;
                open.sealed.push(state);
                Ok(())
            }
            Tag::Disclosed => {
                let one: Disclosed =
                    encoding::decode(&record.body, MAX_SMALL).map_err(|_| "a disclosure is malformed")?;
                self.disclosed(&one, findings)
            }
            _ => Err("a record stands where none of its kind can"),
        }
    }

    /// Documents come in the order of their names, each that was asked for.
    fn begin(&mut self, name: DocumentName, findings: &mut Findings) -> Result<(), &'static str> {
        while let Some((expected, updates)) = self.expected.pop_front() {
            if expected == name {
                self.open = Some(Open {
                    name,
                    updates,
                    payloads: Vec::new(),
                    bytes: 0,
                    sealed: Vec::new(),
                    disclosed: Vec::new(),
                    fits: true,
                });
                return Ok(());
            }
            if expected > name {
                self.expected.push_front((expected, updates));
                break;
            }
            withheld(&expected, findings);
        }
        Err("a document stands where it cannot: twice, out of order, or not asked for")
    }

    fn payload(
        &mut self,
        bytes: &[u8],
        journal: &Journal,
        findings: &mut Findings,
    ) -> Result<(), &'static str> {
        let open = self.open.as_mut().ok_or("a payload without a document")?;
        let Some(number) = open.updates.get(open.payloads.len()) else {
            return Err("more payloads than the document has updates");
        };
        findings.look(Check::Payloads);
        let shown = &journal.updates()[*number as usize];
        if bytes.len() > MAX_PAYLOAD || payload_hash(bytes) != shown.payload_hash {
            open.fits = false;
            let id = open.name.id;
            findings.forged(
                Check::Payloads,
                format!("document {id}, {}", place(shown.position)),
                text!(
                    "内容不是所签的那一份",
                    "the payload is not the one that was signed"
                ),
            );
        }
        open.bytes += bytes.len();
        let keep = open.payloads.len() < MAX_UPDATES && open.bytes <= MAX_BYTES;
        open.payloads
            .push(if keep { bytes.into() } else { Box::default() });
        Ok(())
    }

    /// After the last record.
    pub(super) fn finish(&mut self, journal: &Journal, findings: &mut Findings) {
        self.close(journal, findings);
        let rest = std::mem::take(&mut self.expected);
        if self.header.payloads {
            rest.iter().for_each(|(name, _)| withheld(name, findings));
            return;
        }
        findings.gap(
            Check::Payloads,
            "bundle",
            Text::new(
                "本文件不含内容,只核验了签名、日志和时间",
                "the bundle is without payloads: signatures, logs and times were checked, contents were not",
            ),
        );
        for (name, updates) in rest {
            let timeline = updates
                .iter()
                .map(|number| self.signed(*number, journal))
                .collect();
            self.tell(
                Story {
                    document: name.id.to_string(),
                    unit: name.space.unit.to_string(),
                    kind: None,
                    number: None,
                    title: None,
                    stage: None,
                    timeline,
                },
                false,
            );
        }
    }

    fn close(&mut self, journal: &Journal, findings: &mut Findings) {
        let Some(mut open) = self.open.take() else { return };
        let (there, said) = (open.payloads.len(), open.updates.len());
        let place = format!("document {}", open.name.id);
        if there < said {
            findings.unproven(
                Check::Payloads,
                place,
                text!(
                    "{said} 条更新只有 {there} 份内容",
                    "{there} payloads for {said} updates"
                ),
            );
            return;
        }
        if !open.fits {
            return;
        }
        if there > MAX_UPDATES || open.bytes > MAX_BYTES {
            findings.unproven(
                Check::Documents,
                place,
                text!(
                    "案卷过大({there} 条更新),未重放",
                    "the document is too large to be replayed: {there} updates"
                ),
            );
            return;
        }
        findings.look(Check::Documents);
        match self.replay(&open, journal) {
            Ok(replayed) => self.judge(&mut open, &replayed, journal, findings),
            Err(error) => findings.unproven(
                Check::Documents,
                place,
                text!("案卷不能重放:{error}", "the document cannot be replayed: {error}"),
            ),
        }
    }

    fn replay(&self, open: &Open, journal: &Journal) -> Result<Replayed, crate::ledger::LedgerError> {
        let key = DocumentKey {
            space: open.name.space.clone(),
            id: open.name.id,
        };
        let sound = open
            .updates
            .iter()
            .zip(&open.payloads)
            .filter_map(|(number, payload)| {
                let shown = &journal.updates()[*number as usize];
                let log = journal.log(shown.log);
                let held = Held {
                    id: shown.id,
                    position: u64::from(*number),
                    author: log.author,
                    epoch: log.epoch,
                    seq: shown.seq,
                    certificate: shown.certificate,
                    recorded_at: shown.claimed,
                    change: [0; 32],
                    standing: Standing::Waiting,
                    genuine: false,
                };
                shown.is_sound.then(|| (held, payload.clone()))
            });
        let forked = |held: &Held| journal.is_forked(&held.log(&open.name.space), held.seq);
        replay(key, sound.collect(), forked, &journal.credentials)
    }

    /// Which updates are applied, which count, and what is said of sealed particulars.
    fn judge(&mut self, open: &mut Open, replayed: &Replayed, journal: &Journal, findings: &mut Findings) {
        let id = open.name.id;
        let mut stands: BTreeMap<u32, (bool, Text)> = BTreeMap::new();
        let mut troubled = false;
        for held in &replayed.updates {
            let number = held.position as u32;
            let at = || {
                format!(
                    "document {id}, {}",
                    place(journal.updates()[number as usize].position)
                )
            };
            let (what, is_gap) = match &held.standing {
                Standing::Applied => continue,
                Standing::Waiting => (
                    Text::new(
                        "所依据的前一变更未展示,未计入",
                        "it builds on a change that is not shown, and does not count",
                    ),
                    true,
                ),
                Standing::Refused(reason) => (
                    text!(
                        "变更不合案卷规则,不计入:{reason}",
                        "the change breaks a rule of documents and does not count: {reason}"
                    ),
                    false,
                ),
                Standing::Blocked => (
                    Text::new(
                        "依据不计入的变更,不计入",
                        "it builds on what does not count, and does not count",
                    ),
                    false,
                ),
                Standing::Forked => (
                    Text::new(
                        "其日志在此之前已分叉,不计入",
                        "its log is forked before it, and it does not count",
                    ),
                    false,
                ),
            };
            match is_gap {
                true => findings.gap(Check::Documents, at(), what.clone()),
                false => findings.note(Check::Documents, at(), what.clone()),
            }
            troubled = true;
            stands.insert(number, (false, what));
        }
        let numbers: BTreeMap<_, u32> = replayed
            .updates
            .iter()
            .map(|held| (held.id, held.position as u32))
            .collect();
        let verdicts = replayed
            .projection
            .as_ref()
            .map(|projection| &projection.verdicts);
        if verdicts.is_none() && replayed.kind.is_some() {
            let kind = replayed.kind.as_deref().unwrap_or_default();
            findings.unproven(
                Check::Fold,
                format!("document {id}"),
                text!(
                    "本程序不认识 {kind} 类案卷",
                    "this program does not know documents of kind {kind}"
                ),
            );
        }
        let mut order = Vec::with_capacity(replayed.history.entries.len());
        for (at, entry) in replayed.history.entries.iter().enumerate() {
            let number = numbers[&entry.update];
            order.push((number, Some(entry.event_type().to_owned())));
            let Some(verdict) = verdicts.and_then(|verdicts| verdicts.get(at)) else {
                continue;
            };
            findings.look(Check::Fold);
            let (counts, what) = match verdict {
                Verdict::Counts => (true, Text::new("计入", "counts")),
                Verdict::Void(Text { zh, en }) => (false, text!("无效:{zh}", "void: {en}")),
                Verdict::Quarantined(Text { zh, en }) => (false, text!("隔离:{zh}", "quarantined: {en}")),
                Verdict::Contested(Text { zh, en }) => (false, text!("待裁定:{zh}", "to be decided: {en}")),
                Verdict::Unknown => (
                    false,
                    Text::new("本程序不认识的事件", "an event that this program does not know"),
                ),
            };
            if !counts {
                troubled = true;
                let position = journal.updates()[number as usize].position;
                let (label, event) = (&entry.signer.label, entry.event_type());
                let Text { zh, en } = &what;
                findings.note(
                    Check::Fold,
                    format!("document {id}, {}", place(position)),
                    text!("{label} 的 {event} {zh}", "{event} by {label} is {en}"),
                );
            }
            stands.insert(number, (counts, what));
        }
        order.extend(
            open.updates
                .iter()
                .filter(|number| !order.iter().any(|(at, _)| at == *number))
                .map(|number| (*number, None))
                .collect::<Vec<_>>(),
        );
        let particulars = replayed
            .projection
            .as_ref()
            .map_or(&[][..], |projection| &projection.particulars);
        troubled |= self.judge_sealed(open, particulars, findings);
        troubled |= self.judge_disclosed(open, replayed, particulars, findings);
        self.told.replayed += 1;
        if let Some(projection) = &replayed.projection {
            let brackets = &self.brackets;
            let late = |update: &UpdateId| {
                let number = numbers.get(update)?;
                brackets[*number as usize].not_after
            };
            self.told
                .facts
                .add(&replayed.history, projection, replayed.kind.as_deref(), &late);
        }
        if self.has_room(troubled) {
            let timeline = order
                .into_iter()
                .map(|(number, event)| {
                    let mut signed = self.signed(number, journal);
                    signed.event = event;
                    if let Some((counts, what)) = stands.remove(&number) {
                        (signed.counts, signed.stands) = (counts, Some(what));
                    }
                    signed
                })
                .collect();
            let summary = replayed.projection.as_ref().map(|projection| &projection.summary);
            let story = Story {
                document: id.to_string(),
                unit: open.name.space.unit.to_string(),
                kind: replayed.kind.clone(),
                number: summary.and_then(|summary| summary.number.clone()),
                title: summary.map(|summary| summary.title.clone()),
                stage: summary.map(|summary| summary.stage_title.clone()),
                timeline,
            };
            self.tell(story, troubled);
        } else {
            self.told.more += 1;
        }
    }

    /// What is said of sealed particulars, against what events order. True if something is the matter.
    fn judge_sealed(&self, open: &Open, particulars: &[ParticularsRef], findings: &mut Findings) -> bool {
        let id = open.name.id;
        let said: Vec<String> = open
            .sealed
            .iter()
            .map(|state| state.commitment.to_string())
            .collect();
        let named: Vec<&str> = particulars.iter().map(|one| one.commitment.as_str()).collect();
        let expected: &[&str] = if self.header.sealed { &named } else { &[] };
        if said != expected {
            findings.unproven(
                Check::Erasures,
                format!("document {id}"),
                Text::new(
                    "所报密封材料与案卷承诺的不一一对应",
                    "what is said of sealed particulars does not go with what the document commits to",
                ),
            );
            return true;
        }
        let mut troubled = false;
        for (state, named) in open.sealed.iter().zip(particulars) {
            findings.look(Check::Erasures);
            let role = &named.role;
            let what = match (state.holding, named.erased) {
                (Holding::Held, false) | (Holding::Erased, true) => continue,
                (Holding::Held, true) => text!(
                    "{role}:事件命令删除,节点仍持有",
                    "{role}: an event orders its erasure, and the node still holds it"
                ),
                (Holding::Erased, false) => text!(
                    "{role}:已删除,但没有有效的删除事件",
                    "{role}: erased, and no event that counts orders it"
                ),
                (Holding::Absent, true) => text!(
                    "{role}:已删除,但节点没有删除记录",
                    "{role}: erased, and the node has no record of it"
                ),
                (Holding::Absent, false) => text!(
                    "{role}:节点没有,也没有删除事件",
                    "{role}: not there, and no event orders its erasure"
                ),
            };
            troubled = true;
            findings.gap(
                Check::Erasures,
                format!("document {id}, {}", state.commitment),
                what,
            );
        }
        for named in particulars.iter().filter(|named| named.erased) {
            let (role, commitment) = (&named.role, &named.commitment);
            findings.note(
                Check::Erasures,
                format!("document {id}, {commitment}"),
                text!("{role}已依事件删除", "{role} was erased as an event ordered"),
            );
            troubled = true;
        }
        troubled
    }

    fn has_room(&self, troubled: bool) -> bool {
        let plain = self.told.stories.len() - self.troubled;
        if troubled {
            self.troubled < MAX_STORIES
        } else {
            plain < MAX_STORIES
        }
    }

    fn tell(&mut self, story: Story, troubled: bool) {
        if self.has_room(troubled) {
            self.troubled += usize::from(troubled);
            self.told.stories.push(story);
        } else {
            self.told.more += 1;
        }
    }

    /// What the header says of an update.
    fn signed(&self, number: u32, journal: &Journal) -> Signed {
        let shown: &Shown = &journal.updates()[number as usize];
        let bracket = self.brackets.get(number as usize).copied().unwrap_or_default();
        let certified = journal.credentials.certificate(shown.certificate);
        let certificate = certified.map(|certified| certified.certificate());
        Signed {
            update: shown.id.to_string(),
            event: None,
            by: certificate.map_or_else(|| "?".into(), |certificate| certificate.label().to_owned()),
            unit: certificate.map_or_else(|| "?".into(), |certificate| certificate.unit().to_string()),
            claimed: moment(shown.claimed),
            not_before: bracket.not_before.map(moment),
            not_after: bracket.not_after.map(moment),
            stands: None,
            counts: false,
            instants: (
                shown.claimed.as_millis(),
                bracket.not_before.map(|time| time.as_millis()),
                bracket.not_after.map(|time| time.as_millis()),
            ),
        }
    }
}

fn withheld(name: &DocumentName, findings: &mut Findings) {
    let id = name.id;
    findings.unproven(
        Check::Payloads,
        format!("document {id}"),
        Text::new("案卷的内容未展示", "the payloads of the document are held back"),
    );
}
