//! The columns of a page: what is alike stands together, so that it compresses.
//!
//! Numbers are in groups of seven bits, the lowest first, in their shortest form.

use crate::session::error::Violation;

/// Which column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// A byte for each record.
    Kind,
    /// A byte of flags for each update.
    Flags,
    /// The number of an update's log.
    Log,
    /// Logs as they are first named.
    Logs,
    /// Places in logs.
    Seq,
    /// Claimed times.
    Time,
    /// The number of an update's document.
    Document,
    /// Documents as they are first named.
    Documents,
    /// Ids that nothing else tells: predecessors, certificates, changes depended on.
    Ids,
    /// Foreign checkpoints.
    Brackets,
    /// What a chunk depends on, and who wrote it.
    Links,
    /// Actors as they are first named.
    Actors,
    /// Lengths of payloads.
    Lengths,
    /// Payloads.
    Payloads,
    /// Forks, credentials, sealed items.
    Others,
    /// Signatures. Last, since they do not compress.
    Signatures,
}

const COUNT: usize = Column::Signatures as usize + 1;

/// Columns being written.
#[derive(Debug, Default)]
pub(super) struct Writer([Vec<u8>; COUNT]);

impl Writer {
    pub(super) fn byte(&mut self, column: Column, byte: u8) {
        self.0[column as usize].push(byte);
    }

    pub(super) fn bytes(&mut self, column: Column, bytes: &[u8]) {
        self.0[column as usize].extend_from_slice(bytes);
    }

    pub(super) fn number(&mut self, column: Column, number: u64) {
        put_number(&mut self.0[column as usize], number);
    }

    /// For numbers near zero of either sign.
    pub(super) fn signed(&mut self, column: Column, number: i64) {
        self.number(column, ((number << 1) ^ (number >> 63)) as u64);
    }

    /// Bytes with their length before them.
    pub(super) fn text(&mut self, column: Column, bytes: &[u8]) {
        self.number(column, bytes.len() as u64);
        self.bytes(column, bytes);
    }

    pub(super) fn column(&mut self, column: Column) -> &mut Vec<u8> {
        &mut self.0[column as usize]
    }

    /// `page`, and then each column with its length.
    pub(super) fn finish(self, mut page: Vec<u8>) -> Vec<u8> {
        page.reserve(self.0.iter().map(|column| column.len() + 3).sum());
        for column in &self.0 {
            put_number(&mut page, column.len() as u64);
        }
        for column in &self.0 {
            page.extend_from_slice(column);
        }
        page
    }
}

/// Columns being read. Every way to read past the end is a [`Violation`].
#[derive(Debug)]
pub(super) struct Reader<'a>([&'a [u8]; COUNT]);

impl<'a> Reader<'a> {
    /// The columns that make up all of `bytes`.
    pub(super) fn new(mut bytes: &'a [u8]) -> Result<Self, Violation> {
        let mut lengths = [0; COUNT];
        for length in &mut lengths {
            *length = take_number(&mut bytes)?;
        }
        let mut columns = [&bytes[..0]; COUNT];
        for (column, length) in columns.iter_mut().zip(lengths) {
            *column = take(&mut bytes, length)?;
        }
        match bytes.is_empty() {
            true => Ok(Self(columns)),
            false => Err(damaged("bytes after its columns")),
        }
    }

    pub(super) fn bytes(&mut self, column: Column, count: u64) -> Result<&'a [u8], Violation> {
        take(&mut self.0[column as usize], count)
    }

    pub(super) fn array<const N: usize>(&mut self, column: Column) -> Result<[u8; N], Violation> {
        let bytes = self.bytes(column, N as u64)?;
        bytes.try_into().map_err(|_| damaged("a column ends too early"))
    }

    pub(super) fn byte(&mut self, column: Column) -> Result<u8, Violation> {
        Ok(self.array::<1>(column)?[0])
    }

    pub(super) fn number(&mut self, column: Column) -> Result<u64, Violation> {
        take_number(&mut self.0[column as usize])
    }

    pub(super) fn signed(&mut self, column: Column) -> Result<i64, Violation> {
        let number = self.number(column)?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(super) fn text(&mut self, column: Column) -> Result<&'a [u8], Violation> {
        let length = self.number(column)?;
        self.bytes(column, length)
    }

    /// Bytes whose length stands in another column.
    pub(super) fn text_apart(&mut self, lengths: Column, column: Column) -> Result<&'a [u8], Violation> {
        let length = self.number(lengths)?;
        self.bytes(column, length)
    }

    /// What is left of a column.
    pub(super) fn rest(&mut self, column: Column) -> &mut &'a [u8] {
        &mut self.0[column as usize]
    }

    pub(super) fn is_empty(&self, column: Column) -> bool {
        self.0[column as usize].is_empty()
    }

    /// Everything must have been read.
    pub(super) fn finish(self) -> Result<(), Violation> {
        match self.0.iter().all(|column| column.is_empty()) {
            true => Ok(()),
            false => Err(damaged("a column with more than its records")),
        }
    }
}

pub(super) fn damaged(what: &str) -> Violation {
    Violation::Page(what.into())
}

/// Refuses what would be said in another way.
pub(super) fn not_canonical(otherwise: bool) -> Result<(), Violation> {
    match otherwise {
        true => Err(damaged("not in canonical encoding")),
        false => Ok(()),
    }
}

pub(super) fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

pub(super) fn take<'a>(bytes: &mut &'a [u8], count: u64) -> Result<&'a [u8], Violation> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let (taken, rest) = bytes
        .split_at_checked(count)
        .ok_or_else(|| damaged("a column ends too early"))?;
    *bytes = rest;
    Ok(taken)
}

/// A number in its shortest form.
pub(super) fn take_number(bytes: &mut &[u8]) -> Result<u64, Violation> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        let group = u64::from(byte & 0x7f);
        if group << shift >> shift != group || (byte == 0 && shift > 0) {
            break;
        }
        number |= group << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(damaged("a number that is too long"))
}
