//! Ways that work on the bytes of a change: its frame, its columns, and the encodings within.

use anjuan_sync::hash::sha256;
use automerge::Change;
use rand::RngExt;
use rand::rngs::StdRng;

use super::{Answer, Crafted, Scene};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];

/// A chunk with a checksum that fits.
fn seal(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut tail = vec![kind];
    unsigned(&mut tail, data.len() as u64);
    tail.extend_from_slice(data);
    let mut chunk = MAGIC.to_vec();
    chunk.extend_from_slice(&sha256(&tail).as_bytes()[..4]);
    chunk.extend_from_slice(&tail);
    chunk
}

/// The data of a chunk.
fn data(chunk: &[u8]) -> &[u8] {
    let (_, length) = read_unsigned(&chunk[9..]);
    &chunk[9 + length..]
}

fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn signed(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// Value and length of an honest number.
fn read_unsigned(bytes: &[u8]) -> (u64, usize) {
    let length = bytes.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    let value = bytes[..length]
        .iter()
        .rev()
        .fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    (value, length)
}

/// A change taken apart: all before its columns, and these by specification.
struct Parts {
    head: Vec<u8>,
    columns: Vec<(u64, Vec<u8>)>,
}

impl Parts {
    fn of(change: &[u8]) -> Self {
        let data = data(change);
        let mut at = 0;
        let number = |at: &mut usize| {
            let (value, length) = read_unsigned(&data[*at..]);
            *at += length;
            value as usize
        };
        let dependencies = number(&mut at);
        at += 32 * dependencies;
        let author = number(&mut at);
        at += author;
        // Number, first operation and time.
        for _ in 0..3 {
            number(&mut at);
        }
        let message = number(&mut at);
        at += message;
        for _ in 0..number(&mut at) {
            let actor = number(&mut at);
            at += actor;
        }
        let head = data[..at].to_vec();
        let layout: Vec<_> = (0..number(&mut at))
            .map(|_| (number(&mut at) as u64, number(&mut at)))
            .collect();
        let columns = layout
            .into_iter()
            .map(|(specification, size)| {
                at += size;
                (specification, data[at - size..at].to_vec())
            })
            .collect();
        Self { head, columns }
    }

    fn seal(&self) -> Vec<u8> {
        let mut data = self.head.clone();
        unsigned(&mut data, self.columns.len() as u64);
        for (specification, bytes) in &self.columns {
            unsigned(&mut data, *specification);
            unsigned(&mut data, bytes.len() as u64);
        }
        for (_, bytes) in &self.columns {
            data.extend_from_slice(bytes);
        }
        seal(1, &data)
    }

    fn column(&mut self, specification: u64) -> Option<&mut Vec<u8>> {
        self.columns
            .iter_mut()
            .find(|(there, _)| *there == specification)
            .map(|(_, bytes)| bytes)
    }

    fn set(&mut self, specification: u64, bytes: Vec<u8>) {
        self.columns.retain(|(there, _)| *there != specification);
        let place = self.columns.partition_point(|(there, _)| *there < specification);
        self.columns.insert(place, (specification, bytes));
    }
}

/// A run of `count` equal rows.
fn run(count: i64, row: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    signed(&mut out, count);
    out.extend_from_slice(row);
    out
}

/// Flips bits and leaves the checksum as it was, or mends it.
pub(super) fn flip(rng: &mut StdRng, honest: &[u8]) -> Crafted {
    let mend = rng.random_bool(0.9);
    let mut inner = if mend {
        data(honest).to_vec()
    } else {
        honest.to_vec()
    };
    for _ in 0..rng.random_range(1..4) {
        let place = rng.random_range(0..inner.len());
        inner[place] ^= 1 << rng.random_range(0..8);
    }
    Crafted {
        way: if mend {
            "flipped bits, sealed anew"
        } else {
            "flipped bits"
        },
        answer: Answer::Any,
        payload: if mend { seal(1, &inner) } else { inner },
    }
}

pub(super) fn craft(rng: &mut StdRng, scene: &Scene<'_>) -> Option<Crafted> {
    let honest = scene.honest;
    let refused = Answer::Refused;
    let (way, answer, payload) = match rng.random_range(0..21) {
        0..5 => return Some(flip(rng, honest)),
        5 => {
            let end = rng.random_range(0..honest.len());
            ("truncated", Answer::RefusedSomehow, honest[..end].to_vec())
        }
        6 => {
            let inner = data(honest);
            let end = rng.random_range(0..inner.len());
            (
                "truncated, sealed anew",
                Answer::RefusedSomehow,
                seal(1, &inner[..end]),
            )
        }
        7 => ("trailing bytes", refused("length"), [honest, &[0]].concat()),
        8 => {
            let extra = vec![rng.random(); rng.random_range(1..9)];
            (
                "extra bytes",
                refused("extra-bytes"),
                seal(1, &[data(honest), &extra].concat()),
            )
        }
        9 => {
            let kind = [0, 3, 4, 255][rng.random_range(0..4)];
            (
                "other kind of chunk",
                refused("not-a-change"),
                seal(kind, data(honest)),
            )
        }
        10 => {
            let mut change = Change::from_bytes(honest.to_vec()).ok()?;
            let deflated = change.bytes().into_owned();
            (deflated[8] == 2).then_some(("deflated", refused("deflated"), deflated))?
        }
        11 => {
            let padded = vec![0; anjuan_sync::update::MAX_PAYLOAD];
            (
                "too long",
                refused("too-long"),
                seal(1, &[data(honest), &padded].concat()),
            )
        }
        12 => {
            // The length of the chunk in one byte more than it needs.
            let mut tail = vec![1];
            unsigned(&mut tail, data(honest).len() as u64);
            *tail.last_mut()? |= 0x80;
            tail.push(0);
            tail.extend_from_slice(data(honest));
            let checksum = sha256(&tail);
            let chunk = [&MAGIC, &checksum.as_bytes()[..4], &tail].concat();
            ("overlong length", refused("not-canonical"), chunk)
        }
        13 => {
            // Automerge's own writer sorts them.
            let mut inner = data(honest).to_vec();
            let (count, length) = read_unsigned(&inner);
            let deps = inner.get_mut(length..length + 32 * count as usize)?;
            if count < 2 {
                return None;
            }
            deps[..64].rotate_left(32);
            (
                "dependencies out of order",
                refused("dependency-order"),
                seal(1, &inner),
            )
        }
        _ => return columns(rng, Parts::of(honest)),
    };
    Some(Crafted { way, answer, payload })
}

fn columns(rng: &mut StdRng, mut parts: Parts) -> Option<Crafted> {
    let refused = Answer::Refused;
    let huge = 1 << rng.random_range(20..62);
    let (way, answer) = match rng.random_range(0..13) {
        0 => {
            let place = rng.random_range(0..parts.columns.len());
            let twice = parts.columns[place].clone();
            parts.columns.insert(place, twice);
            ("duplicated column", refused("column-order"))
        }
        1 => {
            let place = rng.random_range(1..parts.columns.len());
            parts.columns.swap(place - 1, place);
            ("swapped columns", refused("column-order"))
        }
        2 => {
            let unknown = [0x94, 0xa5, 0x66, 0x6f0][rng.random_range(0..4)];
            parts.set(unknown, vec![1]);
            ("unknown column", Answer::RefusedSomehow)
        }
        3 => {
            let place = rng.random_range(0..parts.columns.len());
            parts.columns[place].0 |= 8;
            ("deflated column", refused("deflated"))
        }
        4 => {
            let place = rng.random_range(0..parts.columns.len());
            parts.columns.remove(place);
            ("missing column", Answer::RefusedSomehow)
        }
        5 => {
            // The same rows in other words: the insertions end with a run of none.
            parts.column(0x34)?.push(0);
            ("empty run", refused("not-canonical"))
        }
        6 => {
            // The first literal or repeated action in a run of its own.
            let actions = parts.column(0x42)?;
            let (count, rest) = (actions[0], actions[1..].to_vec());
            // One byte of count, of more than one row.
            if !(2..0x3f).contains(&count) {
                return None;
            }
            *actions = [&[1, rest[0], count - 1], rest.as_slice()].concat();
            ("split run", refused("not-canonical"))
        }
        7 => {
            // Endless rows, each putting null into the same field of the root.
            parts.columns.clear();
            parts.set(0x15, run(huge, &[1, b'x']));
            parts.set(0x34, {
                let mut bytes = Vec::new();
                unsigned(&mut bytes, huge as u64);
                bytes
            });
            parts.set(0x42, run(huge, &[1]));
            parts.set(0x56, run(huge, &[0]));
            parts.set(0x70, run(huge, &[0]));
            ("bomb of operations", refused("too-many-operations"))
        }
        8 => {
            // One row with endless predecessors.
            let mut count = Vec::new();
            unsigned(&mut count, huge as u64);
            parts.columns.clear();
            parts.set(0x15, run(1, &[1, b'x']));
            parts.set(0x34, vec![1]);
            parts.set(0x42, run(1, &[1]));
            parts.set(0x56, run(1, &[0]));
            parts.set(0x70, run(1, &count));
            parts.set(0x71, run(huge, &[0]));
            parts.set(0x73, run(huge, &[1]));
            ("bomb of predecessors", refused("too-many-predecessors"))
        }
        9 => {
            // Each row states a value as long as all memory.
            let mut meta = Vec::new();
            unsigned(&mut meta, (huge as u64) << 2 | 6);
            parts.set(0x56, run(huge, &meta));
            ("bomb of values", Answer::RefusedSomehow)
        }
        10 => {
            let names: Vec<u8> = std::iter::once(60).chain([b'n'; 60]).collect();
            parts.set(0x15, run(huge, &names));
            ("bomb of names", Answer::RefusedSomehow)
        }
        11 => {
            parts.set(0x34, [0x80; 12].to_vec());
            ("endless number", refused("malformed"))
        }
        _ => {
            let place = rng.random_range(0..parts.columns.len());
            let column = &mut parts.columns[place].1;
            let at = rng.random_range(0..=column.len());
            column.insert(at, rng.random());
            ("inserted byte", Answer::Any)
        }
    };
    Some(Crafted {
        way,
        answer,
        payload: parts.seal(),
    })
}
