//! Opening a ledger: the journal first, then the case store against it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anjuan_sync::digest::Digests;
use anjuan_sync::id::ItemId;
use anjuan_sync::replica::{BlobKind, LogItem, LogTable, Waiting};
use anjuan_sync::{LogEpoch, LogState, Scope};
use lru::LruCache;

use super::admission::Intake;
use super::bracket::Brackets;
use super::cases::Cases;
use super::index::{LogEntry, Table, decode, read_log_key, read_space};
use super::order::Order;
use super::{Counts, FrameKind, Ledger, LedgerError, OPEN_DOCUMENTS, PROJECTIONS};
use crate::authority::certificate::Certified;
use crate::authority::credentials::Credentials;
use crate::epoch::{self, Opened};
use crate::files::Files;
use crate::journal::{self, Journal, Recovery};
use crate::particulars::Keystore;
use crate::store::{CaseStore, Opened as StoreOpened};
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;

/// Frames taken back in at a time while the store is rebuilt.
const REPLAY_STEP: u64 = 2_000;

/// What opening found.
#[derive(Clone, Debug, Default)]
pub struct OpenReport {
    /// What a person should know: a torn tail, a store rebuilt, a restored backup.
    pub notes: Vec<Text>,
}

/// What a ledger is opened for.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The home folder.
    pub home: &'a Path,
    /// The network's root certificate.
    pub root: Certified,
    /// The unit served.
    pub unit: &'a UnitCode,
    /// Where the journal's files lie.
    pub files: Arc<dyn Files>,
    /// Bytes that sled may use for its cache; none to keep no case store at all, but take everything in
    /// from the journal at each start, and hold it in memory.
    pub cache_bytes: Option<u64>,
    /// Becomes the epoch if this is a new store, or an old one restored.
    pub fresh: LogEpoch,
}

impl Ledger {
    /// Opens the ledger of a home whose lock the caller holds. `progress` is told frames done and in all
    /// while the case store is rebuilt.
    pub fn open(
        opening: Opening<'_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Self, OpenReport), LedgerError> {
        let home = opening.home;
        let mut report = OpenReport::default();
        let options = journal::Options::default();
        let (journal, recovery) = Journal::open(Arc::clone(&opening.files), &home.join("journal"), options)?;
        report.notes.extend(recovery_notes(&recovery));
        let store = match opening.cache_bytes {
            Some(cache_bytes) => Some(open_store(home, cache_bytes, &mut report)?),
            None => None,
        };
        let (keystore, scan) = Keystore::open(&home.join("keystore"))?;
        if !scan.damaged.is_empty() {
            let n = scan.damaged.len();
            report.notes.push(text!(
                "密封材料中有 {n} 个文件损坏,已移到一旁,将从其他节点重新取得",
                "{n} sealed items were damaged on disk; set aside, and fetched again from a peer"
            ));
        }
        let (epochs, opened) = epoch::open(home, opening.fresh)?;
        if opened == Opened::Restored && journal.end() > 0 {
            report.notes.push(Text::new(
                "本节点的数据是从备份恢复或复制而来;今后的记录写入新的日志,不会与旧日志冲突",
                "this store was restored or copied from another place; it writes to new logs from now on, so that the old ones are not forked",
            ));
        }
        let credentials = Credentials::new(opening.root).map_err(|error| LedgerError::Frame {
            position: 0,
            what: error.to_string(),
        })?;
        let mut ledger = Self {
            home: home.to_owned(),
            network: credentials.network(),
            scope: Scope::of(opening.unit.path()),
            epochs,
            credentials: Arc::new(credentials),
            logs: LogTable::new(),
            digests: Digests::new(),
            order: Order::default(),
            next: journal.end(),
            journal: Arc::new(journal),
            cases: Cases::new(store),
            cache_bytes: opening.cache_bytes,
            keystore,
            documents: LruCache::new(OPEN_DOCUMENTS),
            projections: LruCache::new(PROJECTIONS),
            waiting: Waiting::default(),
            recent: BTreeMap::new(),
            counts: Counts::default(),
            is_ahead: false,
            brackets: Brackets::default(),
            epoch_is_old: false,
        };
        ledger.digest_credentials();
        ledger.catch_up(&mut report, progress)?;
        Ok((ledger, report))
    }

    /// Brings the store level with the journal: reads it if it fits, replays what it lacks, rebuilds it if
    /// it is ahead of the journal or damaged.
    fn catch_up(
        &mut self,
        report: &mut OpenReport,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), LedgerError> {
        let end = self.journal.end();
        self.next = end;
        let reflects = self.cases.reflects();
        let mut from = reflects.map_or(0, |reflects| reflects.position);
        let ours = reflects.is_none_or(|reflects| reflects.journal == self.journal.id());
        if ours && from > end {
            let lost = from - end;
            report.notes.push(text!(
                "日志末尾的 {lost} 条记录已丢失;与其他节点同步后会补回其已收到的部分",
                "the last {lost} records of the journal are lost; syncing brings back what other nodes have of them"
            ));
        }
        let outdated = self.cases.is_outdated();
        let fits = ours && !outdated && from <= end && (from == 0 || self.read_index(from).is_ok());
        if outdated {
            report.notes.push(Text::new(
                "案件库是旧格式,已从日志重建",
                "the case store was of a former format; it was rebuilt from the journal",
            ));
        } else if !fits {
            report.notes.push(Text::new(
                "案件库与日志不一致,已从日志重建",
                "the case store did not fit the journal; it was rebuilt from it",
            ));
        }
        if !fits {
            self.clear()?;
            from = 0;
        }
        while from < end {
            let to = end.min(from + REPLAY_STEP);
            self.replay(from, to)?;
            from = to;
            progress(from, end);
        }
        for path in self.keystore.paths() {
            for id in self.keystore.ids(&path) {
                self.digests
                    .blobs_mut(BlobKind::Sealed)
                    .put(&path, ItemId::from_bytes(*id.as_bytes()));
            }
        }
        self.digests.settle();
        Ok(())
    }

    fn replay(&mut self, from: u64, to: u64) -> Result<(), LedgerError> {
        let frames: Vec<_> = (from..to)
            .map(|position| self.journal.read(position))
            .collect::<Result<_, _>>()?;
        let mut intake = Intake::replay(self, from);
        for frame in frames {
            intake.replay_frame(frame.kind, frame.bytes)?;
        }
        let _ = intake.finish()?;
        Ok(())
    }

    /// Goes on after the journal had stopped, if it can: for want of room, say, when there is room again.
    /// What it did not take is forgotten; nothing of that was acknowledged.
    ///
    /// # Errors
    /// While it can't; reads go on.
    pub(crate) fn resume(&mut self) -> Result<(), LedgerError> {
        self.mend()?;
        self.is_ahead |= self.journal.stopped().is_some();
        if !self.is_ahead {
            return Ok(());
        }
        self.journal.try_resume()?;
        self.forget()?;
        let mut report = OpenReport::default();
        self.catch_up(&mut report, &mut |_, _| {})?;
        self.is_ahead = false;
        for note in report.notes {
            tracing::warn!(%note, "resumed");
        }
        Ok(())
    }

    /// Opens the case store anew if it failed: it is set aside, and built again from the journal.
    pub(super) fn mend(&mut self) -> Result<(), LedgerError> {
        let Some(cache_bytes) = self.cache_bytes.filter(|_| self.cases.has_failed()) else {
            return Ok(());
        };
        // What is not durable yet can't be read back.
        self.barrier()?.wait()?;
        let mut report = OpenReport::default();
        let home = self.home.clone();
        self.cases
            .reopen(|| open_store(&home, cache_bytes, &mut report))?;
        self.forget()?;
        self.catch_up(&mut report, &mut |_, _| {})?;
        for note in report.notes {
            tracing::warn!(%note, "the case store failed and was opened anew");
        }
        Ok(())
    }

    /// Forgets everything read from the store, and empties it.
    fn clear(&mut self) -> Result<(), LedgerError> {
        self.cases.clear()?;
        self.forget()
    }

    /// Forgets everything read from the store.
    fn forget(&mut self) -> Result<(), LedgerError> {
        let root = self.credentials.root().as_ref().clone();
        let credentials = Credentials::new(root).map_err(|error| LedgerError::Frame {
            position: 0,
            what: error.to_string(),
        })?;
        self.credentials = Arc::new(credentials);
        self.logs = LogTable::new();
        self.digests = Digests::new();
        self.digest_credentials();
        self.order = Order::default();
        self.cases.forget();
        self.documents.clear();
        self.projections.clear();
        self.waiting = Waiting::default();
        self.recent.clear();
        self.counts = Counts::default();
        Ok(())
    }

    /// Has digests cover the credentials that are known: the root from the first moment, although no peer
    /// sends it.
    fn digest_credentials(&mut self) {
        let digests = self.digests.blobs_mut(BlobKind::Credential);
        for (path, ids) in self.credentials.items() {
            for id in ids {
                digests.put(path, ItemId::from_bytes(*id.as_bytes()));
            }
        }
    }

    /// Reads heads, order and credentials from the store.
    fn read_index(&mut self, position: u64) -> Result<(), LedgerError> {
        let broken = |what: &str| LedgerError::Frame {
            position,
            what: what.to_owned(),
        };
        let counts = self.cases.get(Table::Counts, &[])?;
        self.counts = decode(&counts.ok_or_else(|| broken("the figures are missing"))?)?;
        let credentials = self.cases.scan(Table::Credential, &[])?;
        let known = Arc::make_mut(&mut self.credentials);
        for (_, bytes) in &credentials {
            let _ = known.offer(bytes);
        }
        self.digest_credentials();
        for (key, value) in self.cases.scan(Table::Head, &[])? {
            let log = read_log_key(&key).ok_or_else(|| broken("a key of the table of heads"))?;
            let state: LogState = decode(&value)?;
            let item = LogItem {
                author: log.author,
                epoch: log.epoch,
                state,
            };
            self.digests.logs_mut(log.space.reach).put(&log.space.unit, item);
            self.logs.restore(log, state);
        }
        // Positions with the place of their space in a list: an update is one of very many in its space.
        let (mut order, mut spaces) = (Vec::new(), Vec::new());
        for (key, value) in self.cases.scan(Table::Order, &[])? {
            let at = key.as_slice().try_into().map(u64::from_be_bytes);
            let at = at.map_err(|_| broken("a key of the order of acceptance"))?;
            let (space, _) =
                read_space(&value).ok_or_else(|| broken("a space in the order of acceptance"))?;
            order.push((at, spaces.len()));
            spaces.push(space);
        }
        for (key, run) in self.cases.scan(Table::Run, &[])? {
            let (space, _) = read_space(&key).ok_or_else(|| broken("a key of the table of logs"))?;
            order.extend(LogEntry::read_run(&run).map(|entry| (entry.position, spaces.len())));
            spaces.push(space);
        }
        order.sort_unstable();
        for (at, space) in order {
            self.order.push(&spaces[space], at);
        }
        self.check_last(position)
    }

    /// Is the last update that the journal holds before `position` the one that the index has there?
    fn check_last(&self, position: u64) -> Result<(), LedgerError> {
        let frame = self.journal.read(position - 1)?;
        if FrameKind::of(frame.kind) != Some(FrameKind::Update) {
            return Ok(());
        }
        let update = self.update_at(position - 1)?;
        let header = update.header();
        let entry = self.log_entry(&header.log(), header.seq())?;
        if entry.is_some_and(|entry| entry.position == position - 1 && entry.id == update.id()) {
            return Ok(());
        }
        let what = "the index does not have the update that is here".to_owned();
        Err(LedgerError::Frame {
            position: position - 1,
            what,
        })
    }
}

fn open_store(home: &Path, cache_bytes: u64, report: &mut OpenReport) -> Result<CaseStore, LedgerError> {
    Ok(match CaseStore::open(home, cache_bytes)? {
        StoreOpened::Ready(store) => store,
        StoreOpened::SetAside { store, kept_in, why } => {
            let kept = kept_in.display();
            report.notes.push(text!(
                "案件库已损坏({why}),已移到 {kept} 并从日志重建",
                "the case store was damaged ({why}); set aside in {kept}, and rebuilt from the journal"
            ));
            store
        }
    })
}

fn recovery_notes(recovery: &Recovery) -> Vec<Text> {
    let mut notes = Vec::new();
    if let Some(cut) = &recovery.cut {
        let (bytes, segment, kept) = (cut.bytes, &cut.segment, cut.kept_in.display());
        notes.push(text!(
            "日志 {segment} 末尾有 {bytes} 字节未写完,已截去并保存在 {kept}",
            "{bytes} bytes at the end of journal {segment} were not written to the end; cut, and kept in {kept}"
        ));
    }
    if let Some(stopped) = &recovery.stopped {
        notes.push(Text::new(
            format!("日志不能写入:{stopped}"),
            format!("the journal can't be written: {stopped}"),
        ));
    }
    notes
}
