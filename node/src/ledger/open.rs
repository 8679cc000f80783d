//! Opening a ledger: the journal first, then the case store against it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use anjuan_sync::digest::Digests;
use anjuan_sync::id::ItemId;
use anjuan_sync::replica::{BlobKind, LogItem, LogTable, Waiting};
use anjuan_sync::{LogEpoch, LogState, Scope};
use lru::LruCache;

use super::admission::Intake;
use super::index::{Table, decode, read_log_key, read_space};
use super::order::Order;
use super::{Counts, FrameKind, Ledger, LedgerError, OPEN_DOCUMENTS};
use crate::authority::certificate::Certified;
use crate::authority::credentials::Credentials;
use crate::epoch::{self, Opened};
use crate::files::Disk;
use crate::journal::{self, Journal, Recovery};
use crate::particulars::Keystore;
use crate::store::{Batch, CaseStore, Opened as StoreOpened};
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;

/// Frames taken back in at a time while the store is rebuilt.
const REPLAY_STEP: u64 = 2_000;
/// Records deleted at a time before that.
const CLEAR_STEP: usize = 2_000;

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
    /// Bytes that sled may use for its cache.
    pub cache_bytes: u64,
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
        let (journal, recovery) = Journal::open(Arc::new(Disk), &home.join("journal"), options)?;
        report.notes.extend(recovery_notes(&recovery));
        let store = open_store(home, opening.cache_bytes, &mut report)?;
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
            credentials,
            logs: LogTable::new(),
            digests: Digests::new(),
            order: Order::default(),
            next: journal.end(),
            journal,
            store,
            keystore,
            documents: LruCache::new(OPEN_DOCUMENTS),
            projections: HashMap::new(),
            waiting: Waiting::default(),
            recent: BTreeMap::new(),
            counts: Counts::default(),
            is_ahead: false,
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
        let reflects = self.store.reflects();
        let mut from = reflects.map_or(0, |reflects| reflects.position);
        let ours = reflects.is_none_or(|reflects| reflects.journal == self.journal.id());
        if ours && from > end {
            let lost = from - end;
            report.notes.push(text!(
                "日志末尾的 {lost} 条记录已丢失;与其他节点同步后会补回其已收到的部分",
                "the last {lost} records of the journal are lost; syncing brings back what other nodes have of them"
            ));
        }
        let fits = ours && from <= end && (from == 0 || self.read_index(from).is_ok());
        if !fits {
            report.notes.push(Text::new(
                "案件库与日志不一致,已从日志重建",
                "the case store did not fit the journal; it was rebuilt from it",
            ));
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

    /// Forgets everything read from the store, and empties it.
    fn clear(&mut self) -> Result<(), LedgerError> {
        for table in Table::ALL {
            let keys = scan(&self.store, table)?;
            for some in keys.chunks(CLEAR_STEP) {
                let mut batch = Batch::new();
                for (key, _) in some {
                    batch.delete(table.into(), key);
                }
                self.store.apply(batch)?;
            }
        }
        self.forget()
    }

    /// Forgets everything read from the store.
    fn forget(&mut self) -> Result<(), LedgerError> {
        let root = self.credentials.root().as_ref().clone();
        self.credentials = Credentials::new(root).map_err(|error| LedgerError::Frame {
            position: 0,
            what: error.to_string(),
        })?;
        self.logs = LogTable::new();
        self.digests = Digests::new();
        self.digest_credentials();
        self.order = Order::default();
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
        let counts = self.store.get(Table::Counts.into(), &[])?;
        self.counts = decode(&counts.ok_or_else(|| broken("the figures are missing"))?)?;
        let credentials = scan(&self.store, Table::Credential)?;
        for (_, bytes) in &credentials {
            let _ = self.credentials.offer(bytes);
        }
        self.digest_credentials();
        for (key, value) in scan(&self.store, Table::Head)? {
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
        for (key, value) in scan(&self.store, Table::Order)? {
            let at = key.as_slice().try_into().map(u64::from_be_bytes);
            let at = at.map_err(|_| broken("a key of the order of acceptance"))?;
            let (space, _) =
                read_space(&value).ok_or_else(|| broken("a space in the order of acceptance"))?;
            self.order.push(&space, at);
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

/// A key of the case store and its value.
type Stored = (Vec<u8>, Vec<u8>);

fn scan(store: &CaseStore, table: Table) -> Result<Vec<Stored>, LedgerError> {
    Ok(store.scan_prefix(table.into(), &[]).collect::<Result<_, _>>()?)
}
