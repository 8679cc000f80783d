//! A set of positions in a history.

/// Positions, as bits. Two sets of the same positions are equal, however they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Positions(
    /// The last word is never zero.
    Vec<u64>,
);

impl Positions {
    /// The empty set.
    pub fn none() -> Self {
        Self::default()
    }

    /// All positions below `bound`.
    pub fn all(bound: usize) -> Self {
        let mut words = vec![u64::MAX; bound / 64];
        if !bound.is_multiple_of(64) {
            words.push((1 << (bound % 64)) - 1);
        }
        Self(words)
    }

    /// Adds one.
    pub fn insert(&mut self, i: usize) {
        if self.0.len() <= i / 64 {
            self.0.resize(i / 64 + 1, 0);
        }
        self.0[i / 64] |= 1 << (i % 64);
    }

    /// Is it in the set?
    pub fn has(&self, i: usize) -> bool {
        self.0.get(i / 64).is_some_and(|word| word & (1 << (i % 64)) != 0)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Is one in both sets?
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Adds all of another set.
    pub fn add_all(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a |= b;
        }
    }

    /// In ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(word, bits)| {
            let mut bits = *bits;
            std::iter::from_fn(move || {
                (bits != 0).then(|| {
                    let bit = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    word * 64 + bit
                })
            })
        })
    }
}

impl Extend<usize> for Positions {
    fn extend<I: IntoIterator<Item = usize>>(&mut self, positions: I) {
        positions.into_iter().for_each(|i| self.insert(i));
    }
}

impl FromIterator<usize> for Positions {
    fn from_iter<I: IntoIterator<Item = usize>>(positions: I) -> Self {
        let mut set = Self::none();
        set.extend(positions);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_beyond_one_word() {
        let bits: Positions = [129, 0, 63, 64].into_iter().collect();
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert_eq!(bits.len(), 4);
        assert!(bits.has(129) && !bits.has(128) && !bits.has(10_000));
        assert!(bits.meets(&Positions::all(130)) && !bits.meets(&Positions::none()));
    }

    #[test]
    fn equal_however_they_were_made() {
        for bound in [0, 1, 63, 64, 65, 128, 130] {
            let all: Positions = (0..bound).collect();
            assert_eq!(all, Positions::all(bound));
            let mut sum = Positions::none();
            sum.add_all(&all);
            assert_eq!(sum, all);
            assert_eq!(all.len(), bound);
            assert_eq!(all.is_empty(), bound == 0);
        }
    }
}
