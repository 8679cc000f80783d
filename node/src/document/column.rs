//! The column encodings of an Automerge change: LEB128, run lengths, deltas.
//!
//! By hand, because Automerge has no bounds here: a run of 2^62 equal rows costs 10 bytes to write and
//! for ever to read, and a group column says how many predecessors to collect before any is seen. These
//! readers borrow from the change, hand out one row at a time, and never loop on a number that the
//! change states; so the caller bounds the work by bounding the rows it asks for.
//! Format: <https://automerge.org/automerge-binary-format-spec/>.

/// The bytes are not what the column's encoding allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Bytes read from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let (head, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    /// Unsigned LEB128 of at most 64 bits. Overlong forms pass: the comparison with the canonical
    /// encoding finds them.
    pub(super) fn unsigned(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// Signed LEB128 of at most 64 bits.
    pub(super) fn signed(&mut self) -> Result<i64, Malformed> {
        let mut value = 0i64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err(Malformed);
            }
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if shift < 57 && byte & 0x40 != 0 {
                    value |= -1 << (shift + 7);
                }
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    pub(super) fn prefixed(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.unsigned()?;
        self.take(length)
    }
}

/// One value of a run-length column.
pub(super) trait Cell<'a>: Copy {
    fn read(bytes: &mut Bytes<'a>) -> Result<Self, Malformed>;
}

impl Cell<'_> for u64 {
    fn read(bytes: &mut Bytes<'_>) -> Result<Self, Malformed> {
        bytes.unsigned()
    }
}

impl Cell<'_> for i64 {
    fn read(bytes: &mut Bytes<'_>) -> Result<Self, Malformed> {
        bytes.signed()
    }
}

impl<'a> Cell<'a> for &'a str {
    fn read(bytes: &mut Bytes<'a>) -> Result<Self, Malformed> {
        std::str::from_utf8(bytes.prefixed()?).map_err(|_| Malformed)
    }
}

#[derive(Clone, Copy, Debug)]
enum Run<T> {
    Repeat(T),
    Literal,
    Null,
}

/// A run-length column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs<'a, T> {
    bytes: Bytes<'a>,
    left: u64,
    run: Run<T>,
}

impl<'a, T: Cell<'a>> Runs<'a, T> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: Bytes(bytes),
            left: 0,
            run: Run::Null,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == 0 && self.bytes.is_empty()
    }

    /// The next row; null past the end, as a column of nulls only is not written at all.
    pub(super) fn next(&mut self) -> Result<Option<T>, Malformed> {
        // Every turn reads bytes, so runs of length zero cannot keep it here.
        while self.left == 0 {
            if self.bytes.is_empty() {
                return Ok(None);
            }
            let count = self.bytes.signed()?;
            (self.left, self.run) = match count {
                1.. => (count.unsigned_abs(), Run::Repeat(T::read(&mut self.bytes)?)),
                0 => (self.bytes.unsigned()?, Run::Null),
                _ => (count.unsigned_abs(), Run::Literal),
            };
        }
        self.left -= 1;
        match self.run {
            Run::Repeat(value) => Ok(Some(value)),
            Run::Literal => T::read(&mut self.bytes).map(Some),
            Run::Null => Ok(None),
        }
    }
}

/// A column of differences to the row before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deltas<'a> {
    runs: Runs<'a, i64>,
    value: i64,
}

impl<'a> Deltas<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            runs: Runs::new(bytes),
            value: 0,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<u64>, Malformed> {
        let Some(delta) = self.runs.next()? else {
            return Ok(None);
        };
        self.value = self.value.checked_add(delta).ok_or(Malformed)?;
        u64::try_from(self.value).map(Some).map_err(|_| Malformed)
    }
}

/// A column of booleans: lengths of alternating runs, the first of `false`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Booleans<'a> {
    bytes: Bytes<'a>,
    left: u64,
    value: bool,
}

impl<'a> Booleans<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: Bytes(bytes),
            left: 0,
            value: true,
        }
    }

    pub(super) fn next(&mut self) -> Result<bool, Malformed> {
        while self.left == 0 {
            if self.bytes.is_empty() {
                return Err(Malformed);
            }
            self.left = self.bytes.unsigned()?;
            self.value = !self.value;
        }
        self.left -= 1;
        Ok(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_to_their_full_width() {
        for value in [0, 1, 127, 128, 16_384, u64::MAX - 1, u64::MAX] {
            let mut written = Vec::new();
            let mut rest = value;
            while rest > 0x7f {
                written.push((rest & 0x7f) as u8 | 0x80);
                rest >>= 7;
            }
            written.push(rest as u8);
            assert_eq!(Bytes(&written).unsigned(), Ok(value));
        }
        for (written, value) in [
            (&[0x00][..], 0),
            (&[0x3f], 63),
            (&[0x40], -64),
            (&[0xc0, 0x00], 64),
            (&[0x7f], -1),
            (&[0x80, 0x7f], -128),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00],
                i64::MAX,
            ),
            (
                &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f],
                i64::MIN,
            ),
        ] {
            assert_eq!(Bytes(written).signed(), Ok(value), "{written:02x?}");
        }
    }

    #[test]
    fn integers_that_do_not_fit_or_do_not_end_are_malformed() {
        for written in [&[][..], &[0x80], &[0xff; 9], &[0xff; 11], &[0x80; 12]] {
            assert_eq!(Bytes(written).unsigned(), Err(Malformed), "{written:02x?}");
            assert_eq!(Bytes(written).signed(), Err(Malformed), "{written:02x?}");
        }
        let two_to_the_64 = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02];
        assert_eq!(Bytes(&two_to_the_64).unsigned(), Err(Malformed));
    }

    #[test]
    fn a_run_beyond_all_memory_costs_one_row_at_a_time() {
        let run = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x05];
        let mut rows = Runs::<u64>::new(&run);
        assert_eq!(rows.next(), Ok(Some(5)));
        assert_eq!(rows.next(), Ok(Some(5)));
        assert!(!rows.is_done());
    }

    #[test]
    fn literals_repeats_and_nulls_follow_one_another() {
        // Two literals 1 and 2, three nulls, twice 7.
        let mut rows = Runs::<u64>::new(&[0x7e, 1, 2, 0, 3, 2, 7]);
        let read: Vec<_> = std::iter::from_fn(|| (!rows.is_done()).then(|| rows.next())).collect();
        let expected = [Some(1), Some(2), None, None, None, Some(7), Some(7)];
        assert_eq!(read, expected.map(Ok));
        assert_eq!(rows.next(), Ok(None));
    }
}
