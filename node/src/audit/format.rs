//! The frame of a bundle: a line that names the format, records, and a digest over all of it.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use crate::journal::MAX_PAYLOAD as MAX_RECORD;

/// What every bundle begins with.
const NAME: &[u8] = b"anjuan audit bundle ";
/// The version this program writes, and the only one it reads.
const VERSION: &[u8] = b"1\n";
/// Bytes in the longest body: a record of a journal with its kind.
const MAX_BODY: usize = MAX_RECORD + 1;

/// What a record of a bundle is. The numbers are in the file; records stand in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Tag {
    /// What the bundle says of itself.
    Header = 0x01,
    /// A record of the journal: its kind, its bytes; of an update the signed header alone.
    Shown = 0x02,
    /// 2^level records of the journal that are not shown: level, hash.
    Folded = 0x03,
    /// A checkpoint, a signed note.
    Checkpoint = 0x04,
    /// Two checkpoints that do not go together: length of the first (u32), both.
    Conflict = 0x05,
    /// Begins a document: its space and id.
    Document = 0x06,
    /// The payload of the document's next update.
    Payload = 0x07,
    /// What the exporter holds of sealed particulars that the document commits to.
    Sealed = 0x08,
    /// Particulars disclosed: commitment, salt, content.
    Disclosed = 0x09,
    /// The SHA-256 of all bytes before this record.
    End = 0xff,
}

impl Tag {
    const ALL: [Self; 10] = [
        Self::Header,
        Self::Shown,
        Self::Folded,
        Self::Checkpoint,
        Self::Conflict,
        Self::Document,
        Self::Payload,
        Self::Sealed,
        Self::Disclosed,
        Self::End,
    ];
}

/// Why a file can't be read as a bundle at all.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The disk, or whatever the bytes come from.
    #[error("the bundle cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It does not begin as bundles do.
    #[error("this is not an audit bundle")]
    NotABundle,
    /// Written by a newer program.
    #[error("audit bundle of version {0:?}; this program reads version 1")]
    Newer(String),
}

/// Does a file that begins with these bytes claim to be a bundle, of whatever version?
pub fn is_bundle(bytes: &[u8]) -> bool {
    bytes.starts_with(NAME)
}

/// Where and how a file stops being a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Bytes before it.
    pub(super) at: u64,
    pub(super) what: &'static str,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) tag: Tag,
    /// Bytes before it in the file.
    pub(super) at: u64,
    pub(super) body: Vec<u8>,
}

/// Writes records, and the digest when it is done.
#[derive(Debug)]
pub(super) struct Writer<W> {
    out: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut writer = Self {
            out,
            hasher: Sha256::new(),
            bytes: 0,
        };
        writer.put(NAME)?;
        writer.put(VERSION)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Writes a record whose body is these parts, one behind the other.
    pub(super) fn record(&mut self, tag: Tag, parts: &[&[u8]]) -> io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length > MAX_BODY {
            return Err(io::Error::other("a record is longer than a bundle takes"));
        }
        self.put(&[tag as u8])?;
        self.put(&(length as u32).to_be_bytes())?;
        parts.iter().try_for_each(|part| self.put(part))
    }

    /// Writes the digest. Returns all bytes written.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        let digest: [u8; 32] = self.hasher.clone().finalize().into();
        self.record(Tag::End, &[&digest])?;
        self.out.flush()?;
        Ok(self.bytes)
    }
}

/// Reads records; holds one at a time.
#[derive(Debug)]
pub(super) struct Reader<R> {
    input: R,
    hasher: Sha256,
    at: u64,
    is_intact: Option<bool>,
}

/// The next record, or why there is none.
pub(super) enum Next {
    Record(Record),
    /// The end, with the right digest or a wrong one, and nothing behind it.
    End,
    Broken(Broken),
}

impl<R: Read> Reader<R> {
    pub(super) fn new(input: R) -> Result<Self, Unreadable> {
        let mut reader = Self {
            input,
            hasher: Sha256::new(),
            at: 0,
            is_intact: None,
        };
        let mut begin = [0; NAME.len() + VERSION.len()];
        let read = reader.fill(&mut begin)?;
        reader.hasher.update(begin);
        match begin[..read].strip_prefix(NAME) {
            Some(VERSION) => Ok(reader),
            Some(version) => {
                let line = version.split(|byte| *byte == b'\n').next().unwrap_or_default();
                Err(Unreadable::Newer(String::from_utf8_lossy(line).into_owned()))
            }
            None => Err(Unreadable::NotABundle),
        }
    }

    /// Bytes read so far.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Did the digest at the end fit what was read? None before the end.
    pub(super) fn is_intact(&self) -> Option<bool> {
        self.is_intact
    }

    /// Reads until `buffer` is full or the file ends.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.at += filled as u64;
        Ok(filled)
    }

    pub(super) fn next(&mut self) -> Result<Next, Unreadable> {
        let at = self.at;
        let broken = |what| Ok(Next::Broken(Broken { at, what }));
        let mut head = [0; 5];
        if self.fill(&mut head)? < head.len() {
            return broken("the file ends before its end");
        }
        let [kind, length @ ..] = head;
        let Some(tag) = Tag::ALL.into_iter().find(|tag| *tag as u8 == kind) else {
            return broken("a record of a kind that bundles of this version do not have");
        };
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_BODY {
            return broken("a record is longer than any");
        }
        // Not allocated before it is there: the length may lie.
        let mut body = Vec::new();
        let read = (&mut self.input).take(length as u64).read_to_end(&mut body)?;
        self.at += read as u64;
        if read < length {
            return broken("the file ends within a record");
        }
        if tag != Tag::End {
            self.hasher.update(head);
            self.hasher.update(&body);
            return Ok(Next::Record(Record { tag, at, body }));
        }
        let digest: [u8; 32] = self.hasher.clone().finalize().into();
        if self.fill(&mut [0])? != 0 {
            return broken("something follows the end");
        }
        self.is_intact = Some(body == digest);
        Ok(Next::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_and_a_newer_version_is_named() {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes).expect("memory");
        writer.record(Tag::Header, &[b"a", b"b"]).expect("memory");
        assert_eq!(writer.finish().expect("memory"), bytes.len() as u64);
        let mut reader = Reader::new(&bytes[..]).expect("a bundle");
        assert!(
            matches!(reader.next(), Ok(Next::Record(Record { tag: Tag::Header, at: 22, body })) if body == b"ab")
        );
        assert!(matches!(reader.next(), Ok(Next::End)));
        assert_eq!(reader.is_intact(), Some(true));
        bytes[20] = b'2';
        assert!(matches!(Reader::new(&bytes[..]), Err(Unreadable::Newer(version)) if version == "2"));
        assert!(matches!(Reader::new(&b"anjuan"[..]), Err(Unreadable::NotABundle)));
    }
}
