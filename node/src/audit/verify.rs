//! What a bundle proves.
//!
//! One pass over the file. What is kept of it in memory is a hundred and some bytes for each update and the
//! foreign checkpoints that headers carry; payloads are held one document at a time.

mod disclosed;
mod documents;
mod journal;
mod times;
mod witnessed;

use std::io::Read;

use anjuan_sync::{NetworkId, Timestamp};
use rand::CryptoRng;

use self::documents::Documents;
use self::journal::Journal;
use self::times::{Times, judge_times};
use self::witnessed::{Checkpoints, Known};
use super::format::{Next, Reader, Record, Tag, Unreadable};
use super::policy::Policy;
use super::questions;
use super::report::{Check, Figures, Findings, Gravity, Report, moment, unprovable};
use super::scope::Header;
use crate::authority::certificate::Certified;
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::text;
use crate::text::Text;

/// Version of the report's shape.
const REPORT_VERSION: u32 = 1;
/// Conflicts between checkpoints that are looked at.
const MAX_CONFLICTS: usize = 1024;

/// What an auditor brings: nothing of it is from the bundle.
#[derive(Clone, Debug)]
pub struct Auditor<'a> {
    /// The root certificate that he holds.
    pub root: &'a Certified,
    /// What he asks for.
    pub policy: &'a Policy,
    /// Checkpoints of the node that he kept from earlier.
    pub kept: &'a [SignedCheckpoint],
    /// The instant as of which he judges; without one, the newest time in the bundle.
    pub as_of: Option<Timestamp>,
    /// Put disclosed particulars into the report, besides who disclosed them and why.
    pub particulars: bool,
}

/// Checks a bundle. `rng` only serves to check many signatures at once; the report does not depend on it.
/// `progress` is told bytes read.
///
/// # Errors
/// When the file can't be read as a bundle at all. Whatever else is wrong with it is in the report.
pub fn verify(
    input: impl Read,
    auditor: &Auditor<'_>,
    rng: &mut impl CryptoRng,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, Unreadable> {
    let mut reader = Reader::new(std::io::BufReader::with_capacity(1 << 16, input))?;
    let mut findings = Findings::default();
    let header = match read_header(&mut reader)? {
        Ok(header) => header,
        Err(what) => {
            findings.unproven(Check::Format, "header", what);
            return Ok(without_header(reader.at(), auditor, findings));
        }
    };
    let ours = NetworkId::of_root(auditor.root.id());
    findings.look(Check::Root);
    if header.network != ours || !header.origin.node().is_in(ours) {
        let theirs = header.network;
        findings.unproven(
            Check::Root,
            "header",
            text!(
                "本文件属于网络 {theirs},不是所持根证书的网络 {ours};其中任何内容都不能据此证明",
                "the bundle is of network {theirs}, not of {ours}, whose root certificate you hold; nothing in it can be proven by that"
            ),
        );
        let mut report = without_header(reader.at(), auditor, findings);
        report.network = theirs.to_string();
        report.scope = header.scope.text();
        report.made_at = moment(header.made_at);
        return Ok(report);
    }
    let mut bundle = Bundle::new(&header, auditor, findings);
    bundle.read(&mut reader, rng, progress)?;
    Ok(bundle.finish(&reader))
}

/// The header, or what is wrong with it.
fn read_header(reader: &mut Reader<impl Read>) -> Result<Result<Header, Text>, Unreadable> {
    Ok(match reader.next()? {
        Next::Record(Record {
            tag: Tag::Header,
            body,
            ..
        }) => Header::decode(&body).map_err(|what| {
            text!(
                "文件头无法读取:{what}",
                "the bundle's header cannot be read: {what}"
            )
        }),
        Next::Broken(broken) => Err(Text::same(broken.what)),
        Next::Record(_) | Next::End => Err(Text::new("文件没有文件头", "the bundle has no header")),
    })
}

fn without_header(bytes: u64, auditor: &Auditor<'_>, findings: Findings) -> Report {
    let verdict = findings.verdict(true);
    let (checks, findings) = findings.finish();
    Report {
        version: REPORT_VERSION,
        verdict,
        network: String::new(),
        journal: String::new(),
        scope: Text::new("不明", "unknown"),
        made_at: String::new(),
        as_of: auditor.as_of.map(moment).unwrap_or_default(),
        witnessed_until: None,
        figures: Figures {
            bytes,
            ..Figures::default()
        },
        checks,
        findings,
        questions: Vec::new(),
        disclosures: Vec::new(),
        more_disclosures: 0,
        stories: Vec::new(),
        more_stories: 0,
        unprovable: unprovable(false, false, None, 0),
    }
}

/// What is gathered from a bundle while it is read.
struct Bundle<'a> {
    header: &'a Header,
    auditor: &'a Auditor<'a>,
    findings: Findings,
    journal: Journal,
    notes: Vec<Record>,
    /// After the journal: whose keys are certified.
    known: Option<Known>,
    checkpoints: Option<Checkpoints>,
    times: Option<Times>,
    documents: Option<Documents>,
    conflicts: u64,
    /// The file stops being a bundle somewhere: what is missing then says nothing.
    is_broken: bool,
    last: Tag,
}

impl<'a> Bundle<'a> {
    fn new(header: &'a Header, auditor: &'a Auditor<'a>, findings: Findings) -> Self {
        Self {
            header,
            auditor,
            findings,
            journal: Journal::new(auditor.root, header),
            notes: Vec::new(),
            known: None,
            checkpoints: None,
            times: None,
            documents: None,
            conflicts: 0,
            is_broken: false,
            last: Tag::Header,
        }
    }

    fn read(
        &mut self,
        reader: &mut Reader<impl Read>,
        rng: &mut impl CryptoRng,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Unreadable> {
        let mut told = 0;
        loop {
            let record = match reader.next()? {
                Next::Record(record) => record,
                Next::End => break,
                Next::Broken(broken) => {
                    self.broken(broken.at, broken.what);
                    break;
                }
            };
            if reader.at() - told >= 1 << 18 {
                told = reader.at();
                progress(told);
            }
            if let Err(what) = self.take(record, rng) {
                self.broken(reader.at(), what);
                break;
            }
        }
        progress(reader.at());
        self.leave_journal(rng);
        self.leave_checkpoints();
        if let Some(documents) = &mut self.documents {
            documents.finish(&self.journal, &mut self.findings);
        }
        self.findings.look(Check::Format);
        if reader.is_intact() == Some(false) {
            self.findings.unproven(
                Check::Format,
                "end",
                Text::new(
                    "文件与写成时不同(末尾摘要不符):可能在传递中损坏或被改动,请重新取得",
                    "the file is not as it was written (its digest does not fit): damaged on its way, or changed; get it anew",
                ),
            );
        }
        Ok(())
    }

    fn broken(&mut self, at: u64, what: &str) {
        self.is_broken = true;
        let place = format!("byte {at}");
        self.findings.unproven(
            Check::Format,
            place,
            text!(
                "文件自此处起不可读:{what}",
                "the file is no bundle from here on: {what}"
            ),
        );
    }

    /// Takes a record in its place.
    fn take(&mut self, record: Record, rng: &mut impl CryptoRng) -> Result<(), &'static str> {
        const DOCUMENTS: [Tag; 4] = [Tag::Document, Tag::Payload, Tag::Sealed, Tag::Disclosed];
        let tag = record.tag;
        let in_documents = DOCUMENTS.contains(&tag);
        let in_order = match self.last {
            Tag::Header | Tag::Shown | Tag::Folded => tag != Tag::Header,
            last if DOCUMENTS.contains(&last) => in_documents,
            last => tag >= last,
        };
        if !in_order {
            return Err("a record stands where none of its kind can");
        }
        match tag {
            Tag::Shown => self.journal.show(&record.body, rng, &mut self.findings)?,
            Tag::Folded => self.journal.fold(&record.body)?,
            Tag::Checkpoint => {
                self.leave_journal(rng);
                if self.notes.len() as u64 >= self.header.counts[0] {
                    return Err("more checkpoints than the header says");
                }
                self.notes.push(record);
            }
            Tag::Conflict => {
                self.leave_journal(rng);
                self.leave_checkpoints();
                self.conflicts += 1;
                if self.conflicts > self.header.counts[1] || self.conflicts as usize > MAX_CONFLICTS {
                    return Err("more conflicts than the header says, or than are looked at");
                }
                if let (Some(known), Some(checkpoints)) = (&self.known, &mut self.checkpoints) {
                    checkpoints.conflict(&record.body, known, &mut self.findings);
                }
            }
            Tag::Document | Tag::Payload | Tag::Sealed | Tag::Disclosed => {
                self.leave_journal(rng);
                self.leave_checkpoints();
                if let Some(documents) = &mut self.documents {
                    documents.take(&record, &self.journal, &mut self.findings)?;
                }
            }
            Tag::Header | Tag::End => return Err("a record stands where none of its kind can"),
        }
        self.last = tag;
        Ok(())
    }

    /// After the last record of the journal.
    fn leave_journal(&mut self, rng: &mut impl CryptoRng) {
        if self.known.is_none() {
            self.journal.finish(rng, self.is_broken, &mut self.findings);
            self.known = Some(Known::new(&self.journal.credentials));
        }
    }

    /// After the last checkpoint: everything but documents is judged.
    fn leave_checkpoints(&mut self) {
        let (Some(known), None) = (&self.known, &self.checkpoints) else {
            return;
        };
        let notes = std::mem::take(&mut self.notes);
        let mut checkpoints = Checkpoints::new(self.header, self.auditor);
        if notes.len() as u64 != self.header.counts[0] && !self.is_broken {
            let (there, said) = (notes.len(), self.header.counts[0]);
            self.findings.unproven(
                Check::Format,
                "checkpoints",
                text!(
                    "文件头称有 {said} 个检查点,实有 {there} 个",
                    "the header says {said} checkpoints; there are {there}"
                ),
            );
        }
        checkpoints.read(&notes, &self.journal, known, &mut self.findings);
        if !self.is_broken {
            checkpoints.compare(&self.journal, known, &mut self.findings);
        }
        let times = judge_times(
            &self.journal,
            &checkpoints,
            self.header,
            self.auditor,
            &mut self.findings,
        );
        self.documents = Some(Documents::new(
            self.header,
            &self.journal,
            &times,
            self.auditor.particulars,
        ));
        self.times = Some(times);
        self.checkpoints = Some(checkpoints);
    }

    fn finish(mut self, reader: &Reader<impl Read>) -> Report {
        let intact = reader.is_intact() == Some(true);
        if self.conflicts != self.header.counts[1] && !self.is_broken {
            self.findings.unproven(
                Check::Format,
                "conflicts",
                Text::new(
                    "冲突检查点的数目与文件头不符",
                    "another number of conflicts than the header says",
                ),
            );
        }
        let times = self.times.unwrap_or_default();
        let tree = self.journal.tree();
        let mut figures = Figures {
            bytes: reader.at(),
            records: tree.size(),
            folded: tree.folded(),
            credentials: self.journal.credentials_seen(),
            updates: self.journal.updates().len() as u64,
            logs: self.journal.logs().iter().count() as u64,
            ..Figures::default()
        };
        if let Some(checkpoints) = &self.checkpoints {
            figures.checkpoints = checkpoints.len();
            figures.witnessed = checkpoints.witnessed();
        }
        let mut questions = Vec::new();
        let (mut stories, mut more_stories) = (Vec::new(), 0);
        let (mut disclosures, mut more_disclosures) = (Vec::new(), 0);
        if let Some(documents) = self.documents {
            let told = documents.into_told();
            if self.header.counts[2] != told.disclosed && !self.is_broken {
                self.findings.unproven(
                    Check::Format,
                    "documents",
                    Text::new(
                        "披露材料的数目与文件头不符",
                        "another number of disclosed particulars than the header says",
                    ),
                );
            }
            figures.documents = told.replayed;
            // Of what is proven false or cut off no figures follow.
            if !self.is_broken && !self.findings.has(Gravity::Forged) {
                questions = questions::ask(told.facts, times.as_of);
            }
            (stories, more_stories) = (told.stories, told.more);
            (disclosures, more_disclosures) = (told.disclosures, told.more_disclosures);
        }
        let until = times.witnessed_until.map(moment);
        let verdict = self.findings.verdict(intact);
        let (checks, findings) = self.findings.finish();
        Report {
            version: REPORT_VERSION,
            verdict,
            network: self.header.network.to_string(),
            journal: self.header.origin.to_string(),
            scope: self.header.scope.text(),
            made_at: moment(self.header.made_at),
            as_of: moment(times.as_of),
            witnessed_until: until.clone(),
            figures,
            checks,
            findings,
            questions,
            disclosures,
            more_disclosures,
            stories,
            more_stories,
            unprovable: unprovable(
                self.header.shows_all(),
                self.header.payloads,
                until.as_deref(),
                times.unbounded,
            ),
        }
    }
}
