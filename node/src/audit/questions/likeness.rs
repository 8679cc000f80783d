//! Which texts are nearly the same: by comparing the least hashes of their pieces (min-wise hashing), so
//! that a year of a city takes one pass.

use std::collections::{BTreeMap, BTreeSet};

use anjuan_sync::DocumentId;

/// Characters in a piece.
const PIECE: usize = 4;
/// Characters below which a text says too little.
const LEAST: usize = 40;
/// Hashes of one text; bands of them that make two texts be compared; equal ones that make them alike.
const HASHES: usize = 16;
const BAND: usize = 4;
const ALIKE: usize = 14;

/// What stands for a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sketch([u64; HASHES]);

/// SplitMix64's mixing: the same on every machine.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Sketch {
    /// Of the letters alone: numbers, blanks and punctuation are what a copied text changes. `None` where
    /// there are too few.
    pub(super) fn of(text: &str) -> Option<Self> {
        let letters: Vec<u64> = text
            .chars()
            .filter(|c| c.is_alphabetic())
            .map(|c| u64::from(u32::from(c)))
            .collect();
        if letters.len() < LEAST {
            return None;
        }
        let mut least = [u64::MAX; HASHES];
        for piece in letters.windows(PIECE) {
            let piece = piece.iter().fold(0, |hash, letter| mix(hash ^ letter));
            for (seed, least) in (1u64..).zip(&mut least) {
                *least = (*least).min(mix(piece ^ mix(seed)));
            }
        }
        Some(Self(least))
    }

    fn is_like(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count() >= ALIKE
    }
}

/// Groups of two or more that are alike: each with the first of its group.
pub(super) fn alike(texts: &[(DocumentId, Sketch)]) -> Vec<Vec<DocumentId>> {
    let mut first_with: BTreeMap<(usize, &[u64]), usize> = BTreeMap::new();
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, (_, sketch)) in texts.iter().enumerate() {
        let bands = || sketch.0.chunks(BAND).enumerate();
        let candidates: BTreeSet<usize> = bands()
            .filter_map(|band| first_with.get(&band).copied())
            .collect();
        match candidates
            .into_iter()
            .find(|first| texts[*first].1.is_like(sketch))
        {
            Some(first) => groups.entry(first).or_default().push(at),
            None => {
                for band in bands() {
                    first_with.entry(band).or_insert(at);
                }
            }
        }
    }
    let id = |at: usize| texts[at].0;
    groups
        .into_iter()
        .map(|(first, others)| std::iter::once(first).chain(others).map(id).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_with_another_number_are_alike_and_other_texts_are_not() {
        let copied =
            "双方因排水沟走向发生争执,经现场查看,排水沟淤塞属实,双方同意共同清理并分摊费用,今后不再追究";
        let texts = [
            format!("{copied}第12号"),
            "申请人称被申请人拖欠货款未还,被申请人承认欠款但要求分期偿还,经协商按月支付至年底,利息双方自愿免除不再计算".to_owned(),
            format!("{copied}。第 13 号!"),
        ];
        let sketches: Vec<_> = (0u8..)
            .zip(&texts)
            .map(|(n, text)| {
                (
                    DocumentId::from_bytes([n; 16]),
                    Sketch::of(text).expect("long enough"),
                )
            })
            .collect();
        let ids = |ns: &[u8]| {
            ns.iter()
                .map(|n| DocumentId::from_bytes([*n; 16]))
                .collect::<Vec<_>>()
        };
        assert_eq!(alike(&sketches), [ids(&[0, 2])]);
        assert_eq!(Sketch::of("太短"), None);
    }
}
