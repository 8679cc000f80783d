//! One node: a real ledger on files in memory, and what its driver keeps beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anjuan_node::authority::certificate::Certified;
use anjuan_node::authority::credentials::Credentials;
use anjuan_node::kind::Content;
use anjuan_node::ledger::{Checked, DocumentKey, Draft, Ledger, LedgerError, Opening, RecordError, Recorded};
use anjuan_node::unit::UnitCode;
use anjuan_sync::replica::{Cursor, Replica as _};
use anjuan_sync::session::{Gate, NotAdmitted, message::Hello};
use anjuan_sync::{AuthorKey, Digest, LogEpoch, NodeKey, Path, Space, Timestamp};
use minicbor::bytes::ByteVec;

use super::memory_files::MemoryFiles;
use super::people::{BEGINNING, Operator};

/// Lets in whoever shows the chain of a node certificate, as the running node does.
///
/// Whoever was let in before, by the same credentials and the same chain, is not judged again: that took a
/// tenth of a year's time, and certificates here outlive the year.
struct NodeGate {
    credentials: Arc<Credentials>,
    admitted: Mutex<BTreeMap<NodeKey, (Vec<u8>, Path)>>,
}

impl Gate for NodeGate {
    fn admit(&self, key: &NodeKey, hello: &Hello, now: Timestamp) -> Result<Path, NotAdmitted> {
        let author = AuthorKey::from_bytes(*key.as_bytes());
        if hello.certificate.is_empty() {
            let known = self.credentials.is_node(author, now);
            return known
                .map(|known| known.certificate().path().clone())
                .ok_or_else(|| NotAdmitted("no node certificate for this key is known".into()));
        }
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((chain, path)) = admitted.get(key)
            && *chain == hello.certificate
        {
            return Ok(path.clone());
        }
        let refused = |error: &dyn std::fmt::Display| NotAdmitted(error.to_string());
        let chain: Vec<ByteVec> = minicbor::decode(&hello.certificate).map_err(|error| refused(&error))?;
        let chain: Vec<&[u8]> = chain.iter().map(|link| &link[..]).collect();
        let certified = self.credentials.judge_peer(&chain, author, now);
        let path = certified
            .map_err(|error| refused(&error))?
            .certificate()
            .path()
            .clone();
        admitted.insert(*key, (hello.certificate.clone(), path.clone()));
        Ok(path)
    }
}

/// What is put back when a node is restored.
#[derive(Debug)]
pub(super) struct Backup {
    files: MemoryFiles,
    marker: Vec<u8>,
    cursors: BTreeMap<usize, Cursor>,
}

/// How a backup is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restoring {
    /// The home is copied to another disk: the epoch marker does not fit the file it stands in.
    Copy,
    /// The whole machine is set back: nothing on it tells. Its people wait until it is level with a unit
    /// above.
    Machine,
    /// The same, but they go on at once.
    MachineInUse,
}

pub(super) struct Node {
    code: UnitCode,
    root: Arc<Certified>,
    home: PathBuf,
    files: MemoryFiles,
    /// None only while it is opened anew.
    ledger: Option<Ledger>,
    pub(super) cursors: BTreeMap<usize, Cursor>,
    /// The connections that are there.
    pub(super) links: BTreeSet<u64>,
    /// The one of them that it dialled, and whom it dialled.
    pub(super) uplink: Option<(u64, usize)>,
    /// Reasons for its link to be down, and for itself to be off.
    pub(super) cut: u32,
    pub(super) off: u32,
    /// Counts its starts: what was under way in a former one is gone.
    pub(super) life: u32,
    pub(super) skew_ms: i64,
    pub(super) bits_per_second: u64,
    pub(super) latency: Duration,
    pub(super) announces: bool,
    pub(super) dials: bool,
    /// Set back as a whole, and not level with anybody since: its people wait.
    pub(super) waits_for_level: bool,
    /// Set back as a whole at some time: it may write a place of a log twice.
    pub(super) may_fork: bool,
    gate: Option<(Digest, Arc<dyn Gate>)>,
}

impl Node {
    pub(super) fn new(
        code: &UnitCode,
        root: &Arc<Certified>,
        home: PathBuf,
        fresh: LogEpoch,
    ) -> Result<Self, LedgerError> {
        let mut node = Self {
            code: code.clone(),
            root: Arc::clone(root),
            home,
            files: MemoryFiles::new(),
            ledger: None,
            cursors: BTreeMap::new(),
            links: BTreeSet::new(),
            uplink: None,
            cut: 0,
            off: 0,
            life: 0,
            skew_ms: 0,
            bits_per_second: 10_000_000,
            latency: Duration::from_millis(20),
            announces: false,
            dials: false,
            waits_for_level: false,
            may_fork: false,
            gate: None,
        };
        node.open(fresh)?;
        Ok(node)
    }

    fn open(&mut self, fresh: LogEpoch) -> Result<(), LedgerError> {
        fs::create_dir_all(&self.home).expect("the temporary folder takes another one");
        let opening = Opening {
            home: &self.home,
            root: self.root.as_ref().clone(),
            unit: &self.code,
            files: Arc::new(self.files.clone()),
            cache_bytes: None,
            fresh,
        };
        let (ledger, _) = Ledger::open(opening, &mut |_, _| {})?;
        self.ledger = Some(ledger);
        Ok(())
    }

    pub(super) fn ledger(&self) -> &Ledger {
        self.ledger.as_ref().expect("open")
    }

    pub(super) fn ledger_mut(&mut self) -> &mut Ledger {
        self.ledger.as_mut().expect("open")
    }

    pub(super) fn is_running(&self) -> bool {
        self.off == 0
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.off == 0 && self.cut == 0
    }

    /// What its clock says.
    pub(super) fn wall(&self, now: Duration) -> Timestamp {
        let elapsed = i64::try_from(now.as_millis()).expect("some years");
        Timestamp::from_millis(BEGINNING.as_millis() + elapsed + self.skew_ms)
    }

    /// The gate of sessions that begin now.
    pub(super) fn gate(&mut self) -> Result<Arc<dyn Gate>, LedgerError> {
        let ledger = self.ledger.as_ref().expect("open");
        let status = ledger.status(ledger.scope());
        let known = status.map(|status| status.roots.credentials).unwrap_or_default();
        if let Some((of, gate)) = &self.gate
            && *of == known
        {
            return Ok(Arc::clone(gate));
        }
        let gate: Arc<dyn Gate> = Arc::new(NodeGate {
            credentials: Arc::clone(ledger.credentials()),
            admitted: Mutex::default(),
        });
        self.gate = Some((known, Arc::clone(&gate)));
        Ok(gate)
    }

    /// Takes certificates and revocations from an authority's hand.
    pub(super) fn take_credentials(&mut self, items: Vec<Vec<u8>>) -> Result<(), LedgerError> {
        let (_, durable) = self.ledger_mut().take(Checked::credentials(items))?;
        durable.wait()
    }

    /// Has an operator record something; acknowledged when this returns.
    pub(super) fn record(
        &mut self,
        operator: &Operator,
        space: Space,
        document: Option<DocumentKey>,
        content: Content,
        now: Duration,
        fresh: LogEpoch,
    ) -> Result<Recorded, RecordError> {
        let wall = self.wall(now);
        let draft = Draft {
            kind: "case".into(),
            space,
            document,
            content,
        };
        let (recorded, durable) = self.ledger_mut().record(
            &draft,
            operator.certificate(),
            &operator.key,
            wall,
            fresh,
            |_, _, _| Ok(()),
        )?;
        durable.wait()?;
        Ok(recorded)
    }

    fn marker(&self) -> PathBuf {
        self.home.join("epoch.json")
    }

    pub(super) fn back_up(&self) -> Backup {
        Backup {
            files: self.files.copy(),
            marker: fs::read(self.marker()).expect("a node has a marker"),
            cursors: self.cursors.clone(),
        }
    }

    /// Opens its store anew, as after a power cut.
    pub(super) fn restart(&mut self, fresh: LogEpoch) -> Result<(), LedgerError> {
        self.ledger = None;
        self.life += 1;
        self.open(fresh)
    }

    /// Puts a backup back. Gives how that was done: a machine whose marker has changed since can only be
    /// restored as a copy.
    pub(super) fn restore(
        &mut self,
        backup: Backup,
        how: Restoring,
        new_home: &FilePath,
        fresh: LogEpoch,
    ) -> Result<Restoring, LedgerError> {
        self.ledger = None;
        self.life += 1;
        self.files = backup.files;
        self.cursors = backup.cursors;
        let same = fs::read(self.marker()).is_ok_and(|marker| marker == backup.marker);
        let how = if same { how } else { Restoring::Copy };
        if how == Restoring::Copy {
            fs::create_dir_all(new_home).expect("the temporary folder takes another one");
            fs::write(new_home.join("epoch.json"), backup.marker).expect("written");
            self.files = self.files.moved(&self.home, new_home);
            self.home = new_home.to_owned();
        }
        self.waits_for_level = how == Restoring::Machine;
        self.may_fork |= how != Restoring::Copy;
        self.open(fresh)?;
        Ok(how)
    }
}
