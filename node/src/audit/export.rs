//! Making a bundle out of a journal.
//!
//! Two passes over the journal, then one over the payloads, document by document. In memory stay a hash for
//! each record and some hundred bytes for each update.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anjuan_sync::{Digest, LogId, NetworkId, SignedHeader, SignedUpdate, Timestamp, UpdateId};

use super::format::{Tag, Writer};
use super::scope::{Disclosed, DocumentName, Header, MAX_SPLITS, Scope, SealedState};
use super::tree::{fold, subtree};
use crate::authority::encoding::encode;
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::merkle::record_leaf;
use crate::evidence::name::Origin;
use crate::journal::Kind;
use crate::ledger::{DocumentKey, FrameKind, Journalled, LedgerError, read_fork};

/// Why no bundle is made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The journal can't be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The file can't be written.
    #[error("the bundle cannot be written: {0}")]
    Io(#[from] io::Error),
    /// A record of the journal is not what its kind says.
    #[error("journal position {position}: {what}")]
    Record {
        /// The position.
        position: u64,
        /// What is wrong.
        what: String,
    },
    /// Nothing of what was asked for is there.
    #[error("nothing in the journal is of what was asked for")]
    Nothing,
    /// More sizes than a bundle can name.
    #[error("more than {MAX_SPLITS} checkpoints; leave out the oldest")]
    TooManyCheckpoints,
}

/// Where a bundle comes from.
pub trait Source {
    /// How many records the journal has.
    fn end(&self) -> u64;

    /// Kind and bytes of a record.
    fn record(&mut self, position: u64) -> Result<(u8, Vec<u8>), ExportError>;

    /// What is held of the sealed particulars that a document commits to, in the document's order.
    fn sealed(&mut self, document: &DocumentKey) -> Result<Vec<SealedState>, ExportError>;
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Export {
    /// The network.
    pub network: NetworkId,
    /// The journal.
    pub origin: Origin,
    /// Which documents.
    pub scope: Scope,
    /// All headers, not only of the logs that have to do with these documents.
    pub whole: bool,
    /// The payloads, too.
    pub payloads: bool,
    /// The time.
    pub made_at: Timestamp,
    /// Further sizes at which the root is to be computable: those of checkpoints that the auditor kept.
    pub splits: Vec<u64>,
    /// Does the source know of sealed particulars?
    pub sealed: bool,
}

/// What goes into a bundle besides the journal.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Checkpoints of the journal with their cosignatures.
    pub checkpoints: Vec<SignedCheckpoint>,
    /// Pairs of checkpoints that do not go together, as witnesses keep them.
    pub conflicts: Vec<[SignedCheckpoint; 2]>,
    /// Particulars disclosed on purpose, by document.
    pub disclosed: BTreeMap<DocumentKey, Vec<Disclosed>>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Exported {
    /// Bytes.
    pub bytes: u64,
    /// Records of the journal.
    pub records: u64,
    /// Of these, shown.
    pub shown: u64,
    /// Documents whose payloads are in it.
    pub documents: u64,
    /// Checkpoints.
    pub checkpoints: u64,
}

/// What the first pass found of an update.
struct Update {
    position: u64,
    log: u32,
    id: UpdateId,
    continues: Option<UpdateId>,
}

/// The first pass over the journal.
#[derive(Default)]
struct Survey {
    leaves: Vec<Digest>,
    kinds: Vec<u8>,
    logs: BTreeMap<LogId, u32>,
    updates: Vec<Update>,
    forks: Vec<(u64, LogId)>,
    /// By document: is it asked for, positions, logs.
    documents: BTreeMap<DocumentName, (bool, Vec<u64>, BTreeSet<u32>)>,
    /// Sizes of this node's checkpoints that headers carry.
    named: BTreeSet<u64>,
}

/// The record as it is shown and hashed: of an update the signed header alone.
fn shown(position: u64, kind: u8, bytes: Vec<u8>) -> Result<(Vec<u8>, Option<SignedHeader>), ExportError> {
    if !is(kind, FrameKind::Update) {
        return Ok((bytes, None));
    }
    let update = SignedUpdate::decode(&bytes).map_err(|error| ExportError::Record {
        position,
        what: error.to_string(),
    })?;
    let header = update.signed_header().clone();
    Ok((header.encode(), Some(header)))
}

fn is(kind: u8, frame: FrameKind) -> bool {
    kind == Kind::from(frame).number()
}

impl Survey {
    fn of(
        source: &mut dyn Source,
        export: &Export,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, ExportError> {
        let mut survey = Self::default();
        for position in 0..source.end() {
            let (kind, bytes) = source.record(position)?;
            let (leaf, header) = shown(position, kind, bytes)?;
            survey.leaves.push(record_leaf(kind, &leaf));
            survey.kinds.push(kind);
            if let Some(header) = header {
                survey.update(position, &header, export);
            } else if is(kind, FrameKind::Fork) {
                let [a, _] = read_fork(&leaf).map_err(|what| ExportError::Record { position, what })?;
                survey.forks.push((position, a.header().log()));
            }
            if position % 1024 == 0 {
                progress(position);
            }
        }
        Ok(survey)
    }

    fn update(&mut self, position: u64, signed: &SignedHeader, export: &Export) {
        let header = signed.header();
        let next = self.logs.len() as u32;
        let log = *self.logs.entry(header.log()).or_insert(next);
        self.updates.push(Update {
            position,
            log,
            id: signed.id(),
            continues: header.continues(),
        });
        let asked = export
            .scope
            .asks_for(header.space(), header.document(), header.recorded_at());
        let name = DocumentName {
            space: header.space().clone(),
            id: header.document(),
        };
        let (is_asked, positions, logs) = self.documents.entry(name).or_default();
        *is_asked |= asked;
        positions.push(position);
        logs.insert(log);
        if let Some(note) = header.bracket()
            && let Ok(checkpoint) = SignedCheckpoint::parse(note)
            && *checkpoint.unverified().origin() == export.origin
        {
            self.named.insert(checkpoint.unverified().head().size);
        }
    }

    /// The logs to be shown whole: those of the documents asked for, and those that they continue.
    fn logs_asked(&self) -> BTreeSet<u32> {
        let asked = self.documents.values().filter(|(is_asked, _, _)| *is_asked);
        let mut logs: BTreeSet<u32> = asked.flat_map(|(_, _, logs)| logs).copied().collect();
        let log_of: BTreeMap<UpdateId, u32> = {
            let named: BTreeSet<_> = self
                .updates
                .iter()
                .filter_map(|update| update.continues)
                .collect();
            let those = self.updates.iter().filter(|update| named.contains(&update.id));
            those.map(|update| (update.id, update.log)).collect()
        };
        loop {
            let before = logs.len();
            let asked = self.updates.iter().filter(|update| logs.contains(&update.log));
            let former: Vec<u32> = asked
                .filter_map(|update| log_of.get(&update.continues?).copied())
                .collect();
            logs.extend(former);
            if logs.len() == before {
                return logs;
            }
        }
    }

    /// Which records are shown.
    fn shown(&self, export: &Export) -> Vec<bool> {
        if export.whole || export.scope == Scope::All {
            return vec![true; self.leaves.len()];
        }
        // All certificates and revocations: what is not shown of them could not be missed.
        let mut shown: Vec<bool> = self
            .kinds
            .iter()
            .map(|kind| is(*kind, FrameKind::Credential))
            .collect();
        let logs = self.logs_asked();
        for update in self.updates.iter().filter(|update| logs.contains(&update.log)) {
            shown[update.position as usize] = true;
        }
        for (position, log) in &self.forks {
            shown[*position as usize] |= self.logs.get(log).is_some_and(|log| logs.contains(log));
        }
        shown
    }
}

/// Writes a bundle. `progress` is told records done, of three times as many as the journal has, at most.
///
/// # Errors
/// When the journal can't be read, the file can't be written, or there is nothing of what was asked for.
pub fn export(
    source: &mut dyn Source,
    export: &Export,
    mut extras: Extras,
    out: impl Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, ExportError> {
    let survey = Survey::of(source, export, progress)?;
    if export.scope != Scope::All && !survey.documents.values().any(|(is_asked, _, _)| *is_asked) {
        return Err(ExportError::Nothing);
    }
    let end = source.end();
    let size_of = |checkpoint: &SignedCheckpoint| {
        let unverified = checkpoint.unverified();
        (unverified.head().size, unverified.origin().clone())
    };
    extras.checkpoints.sort_by_key(size_of);
    extras.checkpoints.dedup_by_key(|checkpoint| size_of(checkpoint));
    let sizes = extras.checkpoints.iter().map(|checkpoint| size_of(checkpoint).0);
    let splits: BTreeSet<u64> = sizes
        .chain(survey.named.iter().copied())
        .chain(export.splits.iter().copied())
        .filter(|size| (1..end).contains(size))
        .collect();
    let splits: Vec<u64> = splits.into_iter().collect();
    if splits.len() > MAX_SPLITS {
        return Err(ExportError::TooManyCheckpoints);
    }
    let asked: Vec<_> = survey
        .documents
        .iter()
        .filter(|(_, (is_asked, _, _))| *is_asked && export.payloads)
        .collect();
    let key = |name: &DocumentName| DocumentKey {
        space: name.space.clone(),
        id: name.id,
    };
    let disclosed = |name: &DocumentName| extras.disclosed.get(&key(name)).map_or(&[][..], Vec::as_slice);
    let mut writer = Writer::new(io::BufWriter::with_capacity(1 << 16, out))?;
    let header = Header {
        network: export.network,
        origin: export.origin.clone(),
        scope: export.scope.clone(),
        whole: export.whole,
        payloads: export.payloads,
        made_at: export.made_at,
        splits: splits.clone(),
        sealed: export.sealed && export.payloads,
        counts: [
            extras.checkpoints.len() as u64,
            extras.conflicts.len() as u64,
            asked.iter().map(|(name, _)| disclosed(name).len() as u64).sum(),
        ],
    };
    writer.record(Tag::Header, &[&header.encode()])?;
    let mut done = Exported {
        records: end,
        documents: asked.len() as u64,
        checkpoints: extras.checkpoints.len() as u64,
        ..Exported::default()
    };
    done.shown = write_journal(source, &survey, export, &splits, &mut writer, &mut |at| {
        progress(end + at)
    })?;
    for checkpoint in &extras.checkpoints {
        writer.record(Tag::Checkpoint, &[&checkpoint.note().encode()])?;
    }
    for [first, second] in &extras.conflicts {
        let (first, second) = (first.note().encode(), second.note().encode());
        let length = (first.len() as u32).to_be_bytes();
        writer.record(Tag::Conflict, &[&length, &first, &second])?;
    }
    let mut told = 0;
    for (name, (_, positions, _)) in asked {
        writer.record(Tag::Document, &[&encode(name)])?;
        for position in positions {
            let (_, bytes) = source.record(*position)?;
            let update = SignedUpdate::decode(&bytes).map_err(|error| ExportError::Record {
                position: *position,
                what: error.to_string(),
            })?;
            writer.record(Tag::Payload, &[update.payload()])?;
        }
        if header.sealed {
            for state in source.sealed(&key(name))? {
                writer.record(Tag::Sealed, &[&encode(&state)])?;
            }
        }
        for one in disclosed(name) {
            writer.record(Tag::Disclosed, &[&encode(one)])?;
        }
        told += positions.len() as u64;
        progress(2 * end + told);
    }
    done.bytes = writer.finish()?;
    Ok(done)
}

/// The second pass: what is shown, and hashes of the rest. Returns how many records are shown.
fn write_journal(
    source: &mut dyn Source,
    survey: &Survey,
    export: &Export,
    splits: &[u64],
    writer: &mut Writer<impl Write>,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, ExportError> {
    let is_shown = survey.shown(export);
    let mut count = 0;
    let mut hidden_from = 0;
    for position in 0..=is_shown.len() as u64 {
        let at_end = position == is_shown.len() as u64;
        if !at_end && !is_shown[position as usize] {
            continue;
        }
        for level in fold(hidden_from, position, splits) {
            let leaves = &survey.leaves[hidden_from as usize..(hidden_from + (1 << level)) as usize];
            writer.record(Tag::Folded, &[&[level], subtree(leaves).as_bytes()])?;
            hidden_from += 1 << level;
        }
        if at_end {
            break;
        }
        hidden_from = position + 1;
        count += 1;
        let (kind, bytes) = source.record(position)?;
        let (leaf, _) = shown(position, kind, bytes)?;
        writer.record(Tag::Shown, &[&[kind], &leaf])?;
        if position % 1024 == 0 {
            progress(position);
        }
    }
    Ok(count)
}

/// A journal alone, without what lies beside it.
impl Source for Journalled {
    fn end(&self) -> u64 {
        Self::end(self)
    }

    fn record(&mut self, position: u64) -> Result<(u8, Vec<u8>), ExportError> {
        Ok(Self::record(self, position)?)
    }

    fn sealed(&mut self, _: &DocumentKey) -> Result<Vec<SealedState>, ExportError> {
        Ok(Vec::new())
    }
}
