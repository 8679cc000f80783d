//! The ledger is a store like the others.

use std::sync::Arc;

use anjuan_node::authority::certificate::{CertificateKind, Certified};
use anjuan_node::ledger::Ledger;
use anjuan_node::particulars::{Maker, Particulars, Prepared, RawFile, RawParticulars, Subject as About};
use anjuan_sync::id::{ItemId, StoreEpoch};
use anjuan_sync::replica::conformance::{self, Subject};
use anjuan_sync::replica::{
    Blob, BlobKind, Branch, LogItem, Page, Position, Record, Replica, ReplicaError, Status, Summary, Tree,
};
use anjuan_sync::{
    AuthorKey, CertificateId, DocumentId, LogEpoch, LogId, LogState, NetworkId, Path, Reach, Scope, Space,
    UpdateId,
};
use tempfile::TempDir;

use anjuan_tests::world::{certify, credential, key, open, public, root, take};

struct Store {
    ledger: Ledger,
    maker: Arc<Certified>,
    _home: TempDir,
}

impl Store {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let (mut ledger, _) = open(home.path(), "450902", LogEpoch::from_bytes([9; 16]));
        let maker = certify(
            &root(),
            CertificateKind::Operator,
            public(&key("maker")),
            "maker",
            "450902",
        );
        take(&mut ledger, vec![credential(&maker)]);
        Self {
            ledger,
            maker,
            _home: home,
        }
    }
}

impl Subject for Store {
    fn network(&self) -> NetworkId {
        self.ledger.network()
    }

    fn take(&mut self, records: Vec<Record>) -> Summary {
        take(&mut self.ledger, records).summary()
    }

    fn certify(&mut self, unit: &Path, author: AuthorKey) -> (CertificateId, Vec<Record>) {
        let code = unit.as_str().replace('/', "");
        let certified = certify(&root(), CertificateKind::Operator, author, "author", &code);
        (certified.id(), vec![credential(&certified)])
    }

    fn sealed(&mut self, unit: &Path, number: u8) -> Blob {
        let file = RawParticulars::File(RawFile {
            name: "a.txt".into(),
            media_type: "text/plain".into(),
            bytes: vec![number; 3].into(),
        });
        let particulars =
            Particulars::new(file, "2024-01-01".parse().expect("a date")).expect("within bounds");
        let prepared = Prepared::new(&particulars, &mut rand::rng());
        let about = About {
            space: Space::up(unit.clone()),
            document: DocumentId::from_bytes([number; 16]),
            commitment: prepared.commitment(),
        };
        let maker_key = key("maker");
        let maker = Maker {
            key: &maker_key,
            certificate: self.maker.id(),
        };
        let sealed = prepared
            .seal(&about, &[], maker, &mut rand::rng())
            .expect("sealed");
        Blob {
            path: unit.clone(),
            id: ItemId::from_bytes(*sealed.body.get().id().as_bytes()),
            bytes: sealed.body.get().encoded().to_vec(),
        }
    }
}

impl Replica for Store {
    fn epoch(&self) -> StoreEpoch {
        self.ledger.epoch()
    }
    fn status(&self, scope: &Scope) -> Result<Status, ReplicaError> {
        self.ledger.status(scope)
    }
    fn branch(&self, tree: Tree, path: &Path) -> Result<Branch, ReplicaError> {
        self.ledger.branch(tree, path)
    }
    fn logs(&self, reach: Reach, path: &Path) -> Result<Vec<LogItem>, ReplicaError> {
        Replica::logs(&self.ledger, reach, path)
    }
    fn ids(&self, kind: BlobKind, path: &Path) -> Result<Vec<ItemId>, ReplicaError> {
        self.ledger.ids(kind, path)
    }
    fn log_state(&self, log: &LogId) -> Result<Option<LogState>, ReplicaError> {
        self.ledger.log_state(log)
    }
    fn update_at(&self, log: &LogId, seq: u64) -> Result<Option<UpdateId>, ReplicaError> {
        Replica::update_at(&self.ledger, log, seq)
    }
    fn wants(&self, kind: BlobKind, path: &Path, id: &ItemId) -> Result<bool, ReplicaError> {
        self.ledger.wants(kind, path, id)
    }
    fn since(&self, scope: &Scope, after: Position, limit: usize) -> Result<Page, ReplicaError> {
        self.ledger.since(scope, after, limit)
    }
    fn log_range(&self, log: &LogId, from: u64, to: u64, limit: usize) -> Result<Vec<Record>, ReplicaError> {
        self.ledger.log_range(log, from, to, limit)
    }
    fn blob(&self, kind: BlobKind, path: &Path, id: &ItemId) -> Result<Option<Vec<u8>>, ReplicaError> {
        self.ledger.blob(kind, path, id)
    }
}

#[test]
fn the_ledger_keeps_the_promises_of_a_replica() {
    conformance::check(Store::new);
}
