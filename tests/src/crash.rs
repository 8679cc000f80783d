//! What the process that gets killed writes, and how to tell that it is there.

use anjuan_node::journal::Kind;
use anjuan_node::store::{Batch, Reflects, Table};

/// Kind of the records.
pub const RECORD: Kind = Kind::new(1);
/// Journal segments this short, so that new ones are begun all the time.
pub const SEGMENT_BYTES: u64 = 64 << 10;
/// One entry a record; now and then of several parts.
pub const DOCUMENTS: Table = Table::new(1);
/// Another entry a record, of the same batch.
pub const INDEX: Table = Table::new(2);

/// The bytes of record `n` of writer `writer` in life `life`.
pub fn payload(life: u64, writer: u64, n: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in [life, writer, n] {
        bytes.extend_from_slice(&part.to_le_bytes());
    }
    let length = if n % 31 == 7 {
        9000
    } else {
        20 + (n * 131 + writer * 17) % 1500
    };
    bytes.extend((0..length).map(|i| (i * 7 + n * 3 + writer + life) as u8));
    bytes
}

/// What the store keeps of a record.
pub fn entries(batch: &mut Batch, position: u64, bytes: &[u8], journal: anjuan_node::journal::JournalId) {
    let key = position.to_be_bytes();
    batch.put(DOCUMENTS, &key, bytes);
    batch.put(INDEX, &key, (bytes.len() as u64).to_le_bytes());
    batch.reflect(Reflects {
        journal,
        position: position + 1,
    });
}
