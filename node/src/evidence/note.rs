//! Signed notes (C2SP signed-note): a text, an empty line, and a line for each signature.
//!
//! ```text
//! <text, ending in a line feed>
//!
//! — <key name> <base64 of key id and signature>
//! ```
//! The specification lets a reader take several forms of one note; evidence must have one. So beyond what
//! it asks, the text has no empty lines (a checkpoint has none), base64 is canonical, and no key signs
//! twice. Signatures of unknown keys are kept, as it asks, and mean nothing.

use std::fmt;

use anjuan_sync::hash::sha256;
use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// Bytes in the longest note.
pub const MAX_NOTE: usize = 16 << 10;
/// Signatures on one note. The specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 32;
/// Bytes in the longest name of a key.
pub const MAX_KEY_NAME: usize = 255;
/// What a signature line begins with: em dash, space.
const DASH: &str = "\u{2014} ";

/// How a signature is made; part of the key id, so that one key may make both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SignatureType {
    /// Ed25519 over the text.
    Ed25519 = 0x01,
    /// Ed25519 over a time and the text (C2SP tlog-cosignature).
    Cosignature = 0x04,
}

/// Tells the keys of one name apart: not a strong hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// SHA-256(name, line feed, type, key), its first four bytes.
    pub fn of(name: &str, kind: SignatureType, key: &VerifyingKey) -> Self {
        let input = [name.as_bytes(), &[b'\n', kind as u8], key.as_bytes()].concat();
        Self(*sha256(&input).as_bytes().first_chunk().expect("a hash is longer"))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", hex::encode(self.0))
    }
}

/// A key as other programs take it: `<name>+<key id>+<base64 of type and key>` (signed-note, verifier keys).
pub fn verifier_key(name: &str, kind: SignatureType, key: &VerifyingKey) -> String {
    let id = hex::encode(KeyId::of(name, kind, key).0);
    let mut bytes = vec![kind as u8];
    bytes.extend_from_slice(key.as_bytes());
    format!("{name}+{id}+{}", BASE64.encode(&bytes))
}

/// Why bytes are no note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More than [`MAX_NOTE`] bytes.
    #[error("note of {0} bytes is longer than {MAX_NOTE}")]
    TooLong(usize),
    /// Not UTF-8, or with control characters.
    #[error("note is not plain text")]
    NotText,
    /// No text, empty line and signatures; or more than one empty line.
    #[error("note is not a text, an empty line and signatures")]
    Parts,
    /// A line that is no signature.
    #[error("signature line {0} is malformed")]
    Line(usize),
    /// More than [`MAX_SIGNATURES`].
    #[error("note has more than {MAX_SIGNATURES} signatures")]
    TooMany,
    /// A key that signs twice.
    #[error("signature line {0} repeats a key")]
    Repeated(usize),
}

/// One line of signature. What it is worth only its key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    name: Box<str>,
    id: KeyId,
    bytes: Box<[u8]>,
}

impl SignatureLine {
    /// # Panics
    /// If `name` is not [`is_key_name`], or there are no bytes: both are this program's own.
    pub(super) fn new(name: &str, id: KeyId, bytes: &[u8]) -> Self {
        assert!(
            is_key_name(name) && !bytes.is_empty(),
            "not a key's name: {name:?}"
        );
        Self {
            name: name.into(),
            id,
            bytes: bytes.into(),
        }
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The signature, as its type has it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Is it said to be by this key, in this way?
    pub fn is_by(&self, name: &str, kind: SignatureType, key: &VerifyingKey) -> bool {
        &*self.name == name && self.id == KeyId::of(name, kind, key)
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
        // Strict: padded, nothing in the spare bits, no line feeds.
        let decoded = BASE64.decode(encoded.as_bytes()).ok()?;
        let (id, bytes) = decoded.split_first_chunk::<4>()?;
        (is_key_name(name) && !bytes.is_empty()).then(|| Self::new(name, KeyId(*id), bytes))
    }
}

impl fmt::Display for SignatureLine {
    /// The line, with its line feed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.0[..], &self.bytes].concat();
        writeln!(f, "{DASH}{} {}", self.name, BASE64.encode(&bytes))
    }
}

/// Can this stand as the name of a key? Not empty, no blanks, no plus sign, no control characters.
pub fn is_key_name(name: &str) -> bool {
    let fits = |c: char| !c.is_whitespace() && c != '+' && !c.is_control();
    (1..=MAX_KEY_NAME).contains(&name.len()) && name.chars().all(fits)
}

/// A well-formed note; which of its signatures hold is not yet known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: Box<str>,
    signatures: Vec<SignatureLine>,
}

impl Note {
    /// Signs a text of one or more lines, none of them empty, each with its line feed.
    pub(super) fn sign(text: &str, name: &str, key: &SigningKey) -> Self {
        let id = KeyId::of(name, SignatureType::Ed25519, &key.verifying_key());
        Self {
            text: text.into(),
            signatures: vec![SignatureLine::new(
                name,
                id,
                &key.sign(text.as_bytes()).to_bytes(),
            )],
        }
    }

    /// A text with a signature over it by `key`, to be checked.
    pub(super) fn with_signature(text: &str, name: &str, key: &VerifyingKey, signature: &[u8; 64]) -> Self {
        let id = KeyId::of(name, SignatureType::Ed25519, key);
        Self {
            text: text.into(),
            signatures: vec![SignatureLine::new(name, id, signature)],
        }
    }

    /// Reads what [`Self::encode`] writes, and nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        if note.chars().any(|c| c.is_control() && c != '\n') {
            return Err(NoteError::NotText);
        }
        let (text, lines) = note.split_once("\n\n").ok_or(NoteError::Parts)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Parts)?;
        if text.is_empty() || text.starts_with('\n') {
            return Err(NoteError::Parts);
        }
        let mut signatures = Vec::<SignatureLine>::new();
        for (number, line) in (1..).zip(lines.split('\n')) {
            if number > MAX_SIGNATURES {
                return Err(NoteError::TooMany);
            }
            let line = SignatureLine::parse(line).ok_or(NoteError::Line(number))?;
            if signatures
                .iter()
                .any(|other| other.name == line.name && other.id == line.id)
            {
                return Err(NoteError::Repeated(number));
            }
            signatures.push(line);
        }
        Ok(Self {
            text: format!("{text}\n").into(),
            signatures,
        })
    }

    /// The note's bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// The text, with its last line feed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in their order.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Adds a signature; takes the place of an earlier one by the same key.
    pub(super) fn add(&mut self, line: SignatureLine) -> Result<(), NoteError> {
        let same = |other: &SignatureLine| other.name == line.name && other.id == line.id;
        if let Some(other) = self.signatures.iter_mut().find(|other| same(other)) {
            *other = line;
            return Ok(());
        }
        if self.signatures.len() == MAX_SIGNATURES {
            return Err(NoteError::TooMany);
        }
        let length = self.encode().len() + line.to_string().len();
        if length > MAX_NOTE {
            return Err(NoteError::TooLong(length));
        }
        self.signatures.push(line);
        Ok(())
    }

    /// Leaves out all signatures but those by keys of this name.
    pub(super) fn retain_name(&mut self, name: &str) {
        self.signatures.retain(|line| &*line.name == name);
    }

    /// Did this key sign the text? `None` if it is not said to have.
    pub(super) fn is_signed_by(&self, name: &str, key: &VerifyingKey) -> Option<bool> {
        let line = self
            .signatures
            .iter()
            .find(|line| line.is_by(name, SignatureType::Ed25519, key))?;
        let signature = Signature::from_slice(&line.bytes).ok();
        Some(signature.is_some_and(|signature| key.verify_strict(self.text.as_bytes(), &signature).is_ok()))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| line.fmt(f))
    }
}
