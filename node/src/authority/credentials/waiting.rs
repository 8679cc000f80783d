//! Credentials that name a certificate which is not here yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anjuan_sync::hash::sha256;
use anjuan_sync::{CertificateId, Digest};

/// Credentials that wait, at most. Who sends them in order, issuers first, makes none wait.
pub const MAX_WAITING: usize = 16_384;
/// Bytes that wait, at most.
pub const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;

/// The table. Nothing in it has been checked, for that is what it waits for; so anybody can fill it. When
/// it is full the oldest leave, and are asked for again when digests are next compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    // By the hash of all bytes, not by id: a copy with a false signature must not keep out the true one.
    entries: BTreeMap<Digest, (CertificateId, Box<[u8]>)>,
    missing: BTreeMap<CertificateId, BTreeSet<Digest>>,
    // Also holds hashes of entries that have left; see `evict`.
    arrival: VecDeque<Digest>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Keeps `bytes` until `missing` comes.
    pub(super) fn add(&mut self, missing: CertificateId, bytes: &[u8]) {
        let hash = sha256(bytes);
        if self.entries.contains_key(&hash) {
            return;
        }
        self.entries.insert(hash, (missing, bytes.into()));
        self.missing.entry(missing).or_default().insert(hash);
        self.arrival.push_back(hash);
        self.bytes += bytes.len();
        self.evict();
    }

    /// Everything that waited for this certificate.
    pub(super) fn take(&mut self, came: CertificateId) -> Vec<Box<[u8]>> {
        let hashes = self.missing.remove(&came).unwrap_or_default();
        let entries: Vec<_> = hashes
            .iter()
            .filter_map(|hash| self.entries.remove(hash))
            .map(|(_, bytes)| bytes)
            .collect();
        self.bytes -= entries.iter().map(|bytes| bytes.len()).sum::<usize>();
        entries
    }

    fn evict(&mut self) {
        while self.entries.len() > MAX_WAITING || self.bytes > MAX_WAITING_BYTES {
            let Some(oldest) = self.arrival.pop_front() else {
                return;
            };
            let Some((missing, bytes)) = self.entries.remove(&oldest) else {
                continue;
            };
            self.bytes -= bytes.len();
            if let Some(hashes) = self.missing.get_mut(&missing) {
                hashes.remove(&oldest);
                if hashes.is_empty() {
                    self.missing.remove(&missing);
                }
            }
        }
        // Entries taken regularly would leave their hashes behind for ever.
        if self.arrival.len() > 2 * MAX_WAITING {
            let entries = &self.entries;
            let mut seen = BTreeSet::new();
            self.arrival
                .retain(|hash| entries.contains_key(hash) && seen.insert(*hash));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> CertificateId {
        CertificateId::from_bytes([n; 32])
    }

    #[test]
    fn a_full_table_lets_the_oldest_go() {
        let mut waiting = Waiting::default();
        for n in 0..MAX_WAITING + 10 {
            waiting.add(id(1), &n.to_be_bytes());
        }
        assert_eq!(waiting.len(), MAX_WAITING);
        let taken = waiting.take(id(1));
        assert!(!taken.iter().any(|bytes| **bytes == 9usize.to_be_bytes()));
        assert!(taken.iter().any(|bytes| **bytes == 10usize.to_be_bytes()));
        assert_eq!((waiting.len(), waiting.bytes), (0, 0));
    }

    #[test]
    fn bytes_are_bounded_too_and_nothing_leaks() {
        let mut waiting = Waiting::default();
        for n in 0..100u8 {
            waiting.add(id(n), &vec![n; 200_000]);
        }
        assert!(waiting.bytes <= MAX_WAITING_BYTES);
        assert_eq!(waiting.missing.len(), waiting.len());
        for n in 0..3 * MAX_WAITING {
            waiting.add(id(200), &n.to_be_bytes());
            waiting.take(id(200));
        }
        assert!(waiting.arrival.len() <= 2 * MAX_WAITING + 1);
    }
}
