//! Payloads that are chunks, without what their page tells of them.
//!
//! A chunk, as Automerge writes a change, is four fixed bytes, the first four bytes of the SHA-256 of what
//! follows them, a type, a length, and then: the hashes of the chunks it depends on, whoever wrote it, and
//! the rest. Of this the page leaves out the frame, which follows from the rest; each hash that is that of
//! a chunk earlier in the page; and each writer it has named. None of it has to be understood for that: a
//! payload of which this does not give back the very same bytes stands in the page as it is.

use std::collections::BTreeMap;

use super::columns::{Column, Reader, Writer, damaged, not_canonical, put_number, take, take_number};
use crate::hash::sha256;
use crate::id::DocumentId;
use crate::session::error::Violation;
use crate::update::MAX_PAYLOAD;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHANGE: u8 = 1;
/// Bytes before the type.
const FRAME: usize = 8;
/// Bytes in the longest writer's name that is left out: a reference of one byte must not stand for much.
const MAX_ACTOR: usize = 32;

type Hash = [u8; 32];

/// What the chunks of a page told so far.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    hashes: Vec<Hash>,
    numbers: BTreeMap<Hash, usize>,
    /// The number of the last chunk of each document.
    last: BTreeMap<DocumentId, usize>,
    actors: Vec<Vec<u8>>,
    actor_numbers: BTreeMap<Vec<u8>, usize>,
    /// The number of the last writer in each log, by the log's number in the page.
    writers: BTreeMap<usize, usize>,
}

/// A chunk's parts.
struct Parts<'a> {
    hash: Hash,
    deps: Vec<Hash>,
    actor: &'a [u8],
    rest: &'a [u8],
}

fn read(payload: &[u8]) -> Option<Parts<'_>> {
    let (frame, body) = payload.split_at_checked(FRAME)?;
    let hash = *sha256(body).as_bytes();
    if frame[..4] != MAGIC || frame[4..] != hash[..4] {
        return None;
    }
    let mut rest = body.strip_prefix(&[CHANGE])?;
    if take_number(&mut rest).ok()? != rest.len() as u64 {
        return None;
    }
    let count = take_number(&mut rest).ok()?;
    let hashes = take(&mut rest, count.checked_mul(32)?).ok()?;
    let deps = hashes.chunks_exact(32).map(|hash| hash.try_into().ok());
    let deps = deps.collect::<Option<_>>()?;
    let length = take_number(&mut rest).ok()?;
    let actor = take(&mut rest, length).ok()?;
    (actor.len() <= MAX_ACTOR).then_some(Parts {
        hash,
        deps,
        actor,
        rest,
    })
}

/// Would [`Chunks::write`] write it?
pub(super) fn is_chunk(payload: &[u8]) -> bool {
    read(payload).is_some()
}

impl Chunks {
    fn note(&mut self, hash: Hash, document: DocumentId) {
        let number = self.hashes.len();
        self.hashes.push(hash);
        self.numbers.insert(hash, number);
        self.last.insert(document, number);
    }

    fn name(&mut self, actor: &[u8]) -> usize {
        let number = self.actors.len();
        self.actors.push(actor.to_vec());
        self.actor_numbers.insert(actor.to_vec(), number);
        number
    }

    /// Writes a payload of log number `log`; false, and nothing written, if it is no chunk.
    pub(super) fn write(
        &mut self,
        writer: &mut Writer,
        payload: &[u8],
        log: usize,
        document: DocumentId,
    ) -> bool {
        let Some(parts) = read(payload) else {
            return false;
        };
        writer.number(Column::Links, parts.deps.len() as u64);
        let last = self.last.get(&document).copied();
        for hash in &parts.deps {
            // 0: named in full; 1: the last of this document; otherwise so many before this one.
            let link = match self.numbers.get(hash) {
                None => 0,
                Some(&number) if Some(number) == last => 1,
                Some(&number) => (self.hashes.len() - number) as u64 + 1,
            };
            writer.number(Column::Links, link);
            if link == 0 {
                writer.bytes(Column::Ids, hash);
            }
        }
        // 0: new; 1: the one before in this log; otherwise by number.
        let known = self.actor_numbers.get(parts.actor).copied();
        let link = match known {
            None => 0,
            Some(number) if self.writers.get(&log) == Some(&number) => 1,
            Some(number) => number as u64 + 2,
        };
        writer.number(Column::Links, link);
        let number = known.unwrap_or_else(|| {
            writer.text(Column::Actors, parts.actor);
            self.name(parts.actor)
        });
        self.writers.insert(log, number);
        self.note(parts.hash, document);
        writer.number(Column::Lengths, parts.rest.len() as u64);
        writer.bytes(Column::Payloads, parts.rest);
        true
    }

    /// Reads what [`Self::write`] wrote.
    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        log: usize,
        document: DocumentId,
    ) -> Result<Vec<u8>, Violation> {
        let unknown = || damaged("a reference to a chunk or a writer that is not in it");
        let last = self.last.get(&document).copied();
        let mut body = Vec::new();
        let count = reader.number(Column::Links)?;
        put_number(&mut body, count);
        for _ in 0..count {
            let number = match reader.number(Column::Links)? {
                0 => None,
                1 => Some(last.ok_or_else(unknown)?),
                back => {
                    let back = usize::try_from(back - 1).ok();
                    let number = back.and_then(|back| self.hashes.len().checked_sub(back));
                    let number = number.ok_or_else(unknown)?;
                    not_canonical(last == Some(number))?;
                    Some(number)
                }
            };
            let hash = match number {
                Some(number) => *self.hashes.get(number).ok_or_else(unknown)?,
                None => reader.array(Column::Ids)?,
            };
            not_canonical(self.numbers.get(&hash).copied() != number)?;
            body.extend_from_slice(&hash);
            if body.len() > MAX_PAYLOAD {
                return Err(damaged("a payload that is too long"));
            }
        }
        let actor = match reader.number(Column::Links)? {
            0 => {
                let actor = reader.text(Column::Actors)?;
                if actor.len() > MAX_ACTOR {
                    return Err(damaged("a writer with too long a name"));
                }
                not_canonical(self.actor_numbers.contains_key(actor))?;
                self.name(actor)
            }
            1 => *self.writers.get(&log).ok_or_else(unknown)?,
            number => {
                let number = usize::try_from(number - 2).map_err(|_| unknown())?;
                not_canonical(self.writers.get(&log) == Some(&number))?;
                number
            }
        };
        let name = self.actors.get(actor).ok_or_else(unknown)?;
        self.writers.insert(log, actor);
        put_number(&mut body, name.len() as u64);
        body.extend_from_slice(name);
        body.extend_from_slice(reader.text_apart(Column::Lengths, Column::Payloads)?);

        let mut payload = Vec::with_capacity(FRAME + 4 + body.len());
        payload.extend_from_slice(&MAGIC);
        payload.extend_from_slice(&[0; 4]);
        payload.push(CHANGE);
        put_number(&mut payload, body.len() as u64);
        payload.extend_from_slice(&body);
        let hash = *sha256(&payload[FRAME..]).as_bytes();
        payload[4..FRAME].copy_from_slice(&hash[..4]);
        self.note(hash, document);
        Ok(payload)
    }
}
