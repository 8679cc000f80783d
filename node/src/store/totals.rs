//! What the store should hold in all: written with every batch, compared when it is opened.

use std::collections::BTreeMap;

use crc32c::crc32c;

use super::Reflects;
use crate::journal::JournalId;

/// The format this program writes, and the newest it reads.
pub(super) const VERSION: u32 = 1;
/// The key of the totals, in a table of its own.
pub(super) const KEY: [u8; 1] = [0];

/// Counts and sums for each table, and how far the journal is reflected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) reflects: Option<Reflects>,
    tables: BTreeMap<u8, Total>,
}

/// One table: a number of entries, and a sum over them that does not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Total {
    count: u64,
    sum: u64,
}

/// What is found where totals should be.
pub(super) enum Found {
    Totals(Totals),
    Newer(u32),
    Broken,
}

impl Totals {
    /// An entry of `table` goes from one checksum to another; none is no entry.
    pub(super) fn change(&mut self, table: u8, old: Option<u32>, new: Option<u32>) {
        let total = self.tables.entry(table).or_default();
        if let Some(old) = old {
            total.count = total.count.wrapping_sub(1);
            total.sum = total.sum.wrapping_sub(spread(old));
        }
        if let Some(new) = new {
            total.count = total.count.wrapping_add(1);
            total.sum = total.sum.wrapping_add(spread(new));
        }
        if *total == Total::default() {
            self.tables.remove(&table);
        }
    }

    pub(super) fn count(&self, table: u8) -> u64 {
        self.tables.get(&table).map_or(0, |total| total.count)
    }

    pub(super) fn same_entries(&self, other: &Self) -> bool {
        self.tables == other.tables
    }

    /// `version u32 | reflects 0, or 1 id position | tables (number u8, count u64, sum u64)… | crc32c`
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        match &self.reflects {
            None => bytes.push(0),
            Some(reflects) => {
                bytes.push(1);
                bytes.extend_from_slice(reflects.journal.as_bytes());
                bytes.extend_from_slice(&reflects.position.to_le_bytes());
            }
        }
        for (table, total) in &self.tables {
            bytes.push(*table);
            bytes.extend_from_slice(&total.count.to_le_bytes());
            bytes.extend_from_slice(&total.sum.to_le_bytes());
        }
        let crc = crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Found {
        let Some((body, crc)) = bytes.split_last_chunk::<4>() else {
            return Found::Broken;
        };
        if crc32c(body) != u32::from_le_bytes(*crc) {
            return Found::Broken;
        }
        match body.split_first_chunk::<4>() {
            Some((version, rest)) => match u32::from_le_bytes(*version) {
                VERSION => Self::decode_body(rest).map_or(Found::Broken, Found::Totals),
                version => Found::Newer(version),
            },
            None => Found::Broken,
        }
    }

    fn decode_body(bytes: &[u8]) -> Option<Self> {
        let (reflects, mut rest) = match bytes.split_first()? {
            (0, rest) => (None, rest),
            (1, rest) => {
                let (journal, rest) = rest.split_first_chunk::<16>()?;
                let (position, rest) = rest.split_first_chunk::<8>()?;
                let journal = JournalId::from_bytes(*journal);
                (
                    Some(Reflects {
                        journal,
                        position: u64::from_le_bytes(*position),
                    }),
                    rest,
                )
            }
            _ => return None,
        };
        let mut tables = BTreeMap::new();
        while let Some((table, after)) = rest.split_first() {
            let (count, after) = after.split_first_chunk::<8>()?;
            let (sum, after) = after.split_first_chunk::<8>()?;
            tables.insert(
                *table,
                Total {
                    count: u64::from_le_bytes(*count),
                    sum: u64::from_le_bytes(*sum),
                },
            );
            rest = after;
        }
        Some(Self { reflects, tables })
    }
}

/// Spreads a checksum over 64 bits (the finaliser of SplitMix64), so that sums of different sets differ.
fn spread(crc: u32) -> u64 {
    let mut x = u64::from(crc).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
