use super::*;
use crate::id::{AuthorKey, CertificateId};
use crate::replica::Replica as _;
use crate::replica::conformance::{self, Subject};

impl Subject for MemoryReplica {
    fn network(&self) -> NetworkId {
        self.network
    }

    fn take(&mut self, records: Vec<Record>) -> Summary {
        Self::take(self, records)
    }

    fn certify(&mut self, unit: &Path, author: AuthorKey) -> (CertificateId, Vec<Record>) {
        let bytes = format!("{author} may write to {unit}").into_bytes();
        let id = item_id(&bytes);
        let blob = Blob {
            path: unit.clone(),
            id,
            bytes,
        };
        (
            CertificateId::from_bytes(*id.as_bytes()),
            vec![Record::Credential(blob)],
        )
    }

    fn sealed(&mut self, unit: &Path, number: u8) -> Blob {
        let bytes = vec![number; 100];
        Blob {
            path: unit.clone(),
            id: item_id(&bytes),
            bytes,
        }
    }
}

fn county() -> MemoryReplica {
    MemoryReplica::new(
        NetworkId::from_bytes([1; 32]),
        Scope::of("4509/02".parse().expect("a path")),
        StoreEpoch::from_bytes([2; 16]),
        Judge::certificate_known(),
    )
}

#[test]
fn it_keeps_the_promises_of_a_replica() {
    conformance::check(county);
}

#[test]
fn what_is_erased_does_not_come_back() {
    let mut county = county();
    let unit: Path = "4509/02/001".parse().expect("a path");
    let blob = county.sealed(&unit, 1);
    let empty = county.status(county.scope()).expect("readable").roots;
    county.take(vec![Record::Sealed(blob.clone())]);
    county.erase(BlobKind::Sealed, &unit, &blob.id);
    assert_eq!(county.status(county.scope()).expect("readable").roots, empty);
    assert_eq!(county.wants(BlobKind::Sealed, &unit, &blob.id), Ok(false));
    assert_eq!(county.take(vec![Record::Sealed(blob)]).refused, 1);
    let page = county
        .since(county.scope(), Position::START, 1000)
        .expect("readable");
    assert!(page.records.is_empty());
}
