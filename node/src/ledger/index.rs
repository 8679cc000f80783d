//! What the case store keeps: keys that sort by space, and small records.
//!
//! A space is a key prefix, so that everything of a unit, or of a unit and all below it, is one range.

use anjuan_sync::{AuthorKey, CertificateId, DocumentId, LogEpoch, LogId, Reach, Space, Timestamp, UpdateId};
use minicbor::{Decode, Encode};

use super::LedgerError;
use crate::store;

/// Tables of the case store. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Table {
    /// Credential id → the credential's bytes.
    Credential = 1,
    /// Log → [`LogState`].
    Head = 2,
    /// Journal position of a credential or a fork → key of the space that it belongs to.
    Order = 5,
    /// Document → [`DocumentRecord`].
    Document = 6,
    /// Log → [`ForkRecord`].
    Fork = 8,
    /// Log, number of a run → its [`LogEntry`]s, one behind the other.
    Run = 10,
    /// A document that orders particulars to be erased, or once could not be judged in full → nothing.
    Erasing = 12,
    /// The empty key → [`super::Counts`].
    Counts = 13,
}

/// Tables of former formats: a place of a log each, saved documents, the figures beside them, and those of a
/// store without [`Table::Erasing`]. A store that has any of them is built again from the journal.
pub(super) const RETIRED: [store::Table; 4] = [
    store::Table::new(3),
    store::Table::new(7),
    store::Table::new(9),
    store::Table::new(11),
];

impl Table {
    /// Every table.
    pub(super) const ALL: [Self; 8] = [
        Self::Credential,
        Self::Head,
        Self::Order,
        Self::Document,
        Self::Fork,
        Self::Run,
        Self::Erasing,
        Self::Counts,
    ];
}

impl From<Table> for store::Table {
    fn from(table: Table) -> Self {
        Self::new(table as u8)
    }
}

/// Writes a record of the case store.
pub(super) fn encode<T: Encode<()>>(record: &T) -> Vec<u8> {
    minicbor::to_vec(record).expect("writing to a vector does not fail")
}

/// Reads one.
pub(super) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, LedgerError> {
    minicbor::decode(bytes).map_err(|error| LedgerError::Index(error.to_string()))
}

/// Where a space's keys begin: reach, path, a byte that sorts before any path continues.
pub(crate) fn space_key(space: &Space) -> Vec<u8> {
    let reach = match space.reach {
        Reach::Up => b'u',
        Reach::Down => b'd',
    };
    let mut key = Vec::with_capacity(space.unit.as_str().len() + 2);
    key.push(reach);
    key.extend_from_slice(space.unit.as_str().as_bytes());
    key.push(0);
    key
}

/// Reads a space off the front of a key; the rest follows.
pub(crate) fn read_space(key: &[u8]) -> Option<(Space, &[u8])> {
    let (reach, rest) = key.split_first()?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let unit = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    let reach = match reach {
        b'u' => Reach::Up,
        b'd' => Reach::Down,
        _ => return None,
    };
    Some((Space { unit, reach }, &rest[end + 1..]))
}

/// Names a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct DocumentKey {
    /// Where it lives.
    #[n(0)]
    pub space: Space,
    /// Its id.
    #[n(1)]
    pub id: DocumentId,
}

impl DocumentKey {
    pub(crate) fn to_key(&self) -> Vec<u8> {
        let mut key = space_key(&self.space);
        key.extend_from_slice(self.id.as_bytes());
        key
    }

    pub(crate) fn from_key(key: &[u8]) -> Option<Self> {
        let (space, rest) = read_space(key)?;
        Some(Self {
            space,
            id: DocumentId::from_bytes(rest.try_into().ok()?),
        })
    }
}

/// The key of a log.
pub(crate) fn log_key(log: &LogId) -> Vec<u8> {
    let mut key = space_key(&log.space);
    key.extend_from_slice(log.author.as_bytes());
    key.extend_from_slice(log.epoch.as_bytes());
    key
}

/// Reads what [`log_key`] writes.
pub(crate) fn read_log_key(key: &[u8]) -> Option<LogId> {
    let (space, rest) = read_space(key)?;
    let (author, epoch) = rest.split_at_checked(AuthorKey::LENGTH)?;
    Some(LogId {
        space,
        author: AuthorKey::from_bytes(author.try_into().ok()?),
        epoch: LogEpoch::from_bytes(epoch.try_into().ok()?),
    })
}

/// Places of a log in one record: a row of its own for each was three quarters of what the case store is
/// asked to write, and its key longer than what it said.
pub(super) const RUN: u64 = 32;

/// The key of the run that holds this place of a log, and how many bytes of it come before the place.
pub(super) fn run_key(log: &LogId, seq: u64) -> (Vec<u8>, usize) {
    let before = seq.saturating_sub(1);
    let mut key = log_key(log);
    key.extend_from_slice(&(before / RUN).to_be_bytes());
    (key, (before % RUN) as usize * LogEntry::LENGTH)
}

/// An update at its place in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEntry {
    pub(crate) id: UpdateId,
    pub(crate) position: u64,
    pub(crate) document: DocumentId,
}

impl LogEntry {
    const LENGTH: usize = UpdateId::LENGTH + 8 + DocumentId::LENGTH;

    pub(super) fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (id, rest) = bytes.split_at_mut(UpdateId::LENGTH);
        let (position, document) = rest.split_at_mut(8);
        id.copy_from_slice(self.id.as_bytes());
        position.copy_from_slice(&self.position.to_be_bytes());
        document.copy_from_slice(self.document.as_bytes());
        bytes
    }

    /// Reads a run, or what of it stands behind a place.
    pub(super) fn read_run(run: &[u8]) -> impl Iterator<Item = Self> {
        run.chunks_exact(Self::LENGTH).filter_map(|bytes| {
            let (id, rest) = bytes.split_first_chunk()?;
            let (position, document) = rest.split_first_chunk()?;
            Some(Self {
                id: UpdateId::from_bytes(*id),
                position: u64::from_be_bytes(*position),
                document: DocumentId::from_bytes(document.try_into().ok()?),
            })
        })
    }
}

/// Two signed headers for one place of a log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct ForkRecord {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) first: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) second: Vec<u8>,
}

/// Whether a stored update is in its document. A pure function of the stored updates; kept so that a
/// document need not be judged anew each time it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Standing {
    /// It is applied.
    #[n(0)]
    Applied,
    /// A causal predecessor is not here yet.
    #[n(1)]
    Waiting,
    /// The guard refuses it, with a reason.
    #[n(2)]
    Refused(#[n(0)] String),
    /// It depends on an update that is refused or forked, or its author wrote it after one that does.
    #[n(3)]
    Blocked,
    /// Its log is forked at or before its place.
    #[n(4)]
    Forked,
}

/// One stored update of a document.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Held {
    /// The update.
    #[n(0)]
    pub id: UpdateId,
    /// Its place in the journal.
    #[n(1)]
    pub position: u64,
    /// Who signed it.
    #[n(2)]
    pub author: AuthorKey,
    /// In which life of the author's store.
    #[n(3)]
    pub epoch: LogEpoch,
    /// Its place in the log.
    #[n(4)]
    pub seq: u64,
    /// The certificate it was signed under.
    #[n(5)]
    pub certificate: CertificateId,
    /// The time claimed.
    #[n(6)]
    pub recorded_at: Timestamp,
    /// The hash of its Automerge change, computed from its bytes whether they can be read or not.
    #[n(7)]
    #[cbor(with = "minicbor::bytes")]
    pub change: [u8; 32],
    /// Is it in the document?
    #[n(8)]
    pub standing: Standing,
    /// Does its change name the signer as its author? Bytes that somebody else wrote, signed again, say
    /// nothing of the change that they repeat.
    #[n(9)]
    pub genuine: bool,
}

impl Held {
    /// The log it stands in, given the space of its document.
    pub fn log(&self, space: &Space) -> LogId {
        LogId {
            space: space.clone(),
            author: self.author,
            epoch: self.epoch,
        }
    }
}

/// All stored updates of a document, in the order of acceptance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct DocumentRecord {
    /// The value of the document's `kind` field; none until its creating change is here.
    #[n(0)]
    pub(crate) kind: Option<String>,
    #[n(1)]
    pub(crate) updates: Vec<Held>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_and_spaces_do_not_run_together() {
        let space = |unit: &str| Space::up(unit.parse().expect("a path"));
        let log = LogId {
            space: space("4509/02"),
            author: AuthorKey::from_bytes([0; 32]),
            epoch: LogEpoch::from_bytes([255; 16]),
        };
        assert_eq!(read_log_key(&log_key(&log)), Some(log));
        let document = DocumentKey {
            space: space("4509/02/001"),
            id: DocumentId::from_bytes([0; 16]),
        };
        assert_eq!(DocumentKey::from_key(&document.to_key()), Some(document.clone()));
        assert!(!document.to_key().starts_with(&space_key(&space("4509/02"))));
        assert_eq!(read_log_key(b"x"), None);
    }
}
