//! Checkpoints (C2SP tlog-checkpoint): what a node says of its log, as a signed note.
//!
//! ```text
//! <origin>
//! <number of leaves>
//! <base64 of the root>
//!
//! — <origin> <signature of the node's key>
//! ```
//! Extension lines are allowed by the specification, which advises against them; none are written and a
//! checkpoint that has some is refused: they would be signed by witnesses who can't judge them.
//!
//! Types carry proof: bytes → [`SignedCheckpoint`] (well formed) → [`VerifiedCheckpoint`] (the log's key
//! signed it) → [`CosignedCheckpoint`] (with the witnesses whose cosignatures hold).

use std::fmt;

use anjuan_sync::Digest;
use data_encoding::BASE64;
use ed25519_dalek::{SigningKey, VerifyingKey};

use super::cosignature::{self, Cosigned, Seconds, Verdict};
use super::merkle::{MAX_SIZE, TreeHead};
use super::name::{NodeName, Origin, ParseNameError};
use super::note::{Note, NoteError, SignatureLine};

/// Why bytes are no checkpoint, or not the one expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not three lines.
    #[error("a checkpoint has an origin, a size and a root, and no other lines")]
    Lines,
    /// The origin names no log.
    #[error("origin: {0}")]
    Origin(#[from] ParseNameError),
    /// Not a number as it is written here, or more leaves than a log can have.
    #[error("size is not a plain number up to {MAX_SIZE}")]
    Size,
    /// Not 32 bytes in canonical base64, or not what a log without leaves has.
    #[error("root is not the base64 of 32 bytes that a log of this size can have")]
    Root,
    /// The key at hand is not the one that the origin names.
    #[error("checkpoint of {0} is not of the key at hand")]
    Key(Origin),
    /// Without a signature of the log's key.
    #[error("checkpoint of {0} is not signed by its node")]
    Unsigned(Origin),
    /// With one that doesn't hold.
    #[error("signature of {0} does not hold")]
    Signature(String),
}

/// What a node says of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: Origin,
    head: TreeHead,
}

impl Checkpoint {
    /// What the log `origin` comes to.
    ///
    /// # Panics
    /// If the head is of more leaves than [`MAX_SIZE`], which no log has.
    pub fn new(origin: Origin, head: TreeHead) -> Self {
        assert!(head.size <= MAX_SIZE, "more leaves than a log can have");
        Self { origin, head }
    }

    /// What somebody says that the log comes to; none if no log can come to that.
    pub(crate) fn at(origin: Origin, head: TreeHead) -> Option<Self> {
        let fits = head.size <= MAX_SIZE && (head.size > 0 || head == TreeHead::empty());
        fits.then_some(Self { origin, head })
    }

    /// The log.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Its size and root.
    pub fn head(&self) -> &TreeHead {
        &self.head
    }

    /// Signs as the log's node. A node must never sign two heads of which neither continues the other: the
    /// caller opens a new epoch when its store may be old.
    pub fn sign(self, key: &SigningKey) -> Result<VerifiedCheckpoint, CheckpointError> {
        if !self.origin.node().is_of(&key.verifying_key()) {
            return Err(CheckpointError::Key(self.origin));
        }
        let note = Note::sign(&self.to_string(), &self.origin.to_string(), key);
        Ok(VerifiedCheckpoint(SignedCheckpoint {
            checkpoint: self,
            note,
        }))
    }

    /// This with a signature that came without it, to be verified.
    pub(crate) fn with_signature(self, key: &VerifyingKey, signature: &[u8; 64]) -> SignedCheckpoint {
        let note = Note::with_signature(&self.to_string(), &self.origin.to_string(), key, signature);
        SignedCheckpoint {
            checkpoint: self,
            note,
        }
    }

    fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<_> = text.split_terminator('\n').collect();
        let [origin, size, root] = *lines else {
            return Err(CheckpointError::Lines);
        };
        let number = size.parse().ok().filter(|number: &u64| *number <= MAX_SIZE);
        let number = number.filter(|number| number.to_string() == size);
        let bytes = BASE64.decode(root.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let origin = origin.parse()?;
        let head = TreeHead {
            size: number.ok_or(CheckpointError::Size)?,
            root: Digest::from_bytes(bytes.ok_or(CheckpointError::Root)?),
        };
        if head.size == 0 && head != TreeHead::empty() {
            return Err(CheckpointError::Root);
        }
        Ok(Self { origin, head })
    }
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = BASE64.encode(self.head.root.as_bytes());
        writeln!(f, "{}\n{}\n{root}", self.origin, self.head.size)
    }
}

/// A well-formed checkpoint with signatures not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    /// Reads the one form of a note that is a checkpoint, and nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        Ok(Self {
            checkpoint: Checkpoint::parse(note.text())?,
            note,
        })
    }

    /// The note, with all its signatures.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// What it says; worth nothing before it is verified.
    pub fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Checks the log's signature. That `key` is a node's of that unit and network is for the caller to
    /// know from its certificate.
    pub fn verify(self, key: &VerifyingKey) -> Result<VerifiedCheckpoint, CheckpointError> {
        let origin = &self.checkpoint.origin;
        if !origin.node().is_of(key) {
            return Err(CheckpointError::Key(origin.clone()));
        }
        match self.note.is_signed_by(&origin.to_string(), key) {
            Some(true) => Ok(VerifiedCheckpoint(self)),
            Some(false) => Err(CheckpointError::Signature(origin.to_string())),
            None => Err(CheckpointError::Unsigned(origin.clone())),
        }
    }
}

/// A checkpoint that the log's key signed. Its cosignatures are not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint(SignedCheckpoint);

impl VerifiedCheckpoint {
    /// The log.
    pub fn origin(&self) -> &Origin {
        &self.0.checkpoint.origin
    }

    /// Its size and root.
    pub fn head(&self) -> &TreeHead {
        &self.0.checkpoint.head
    }

    /// The note, with all its signatures.
    pub fn note(&self) -> &Note {
        &self.0.note
    }

    /// The note, to keep or send.
    pub fn as_signed(&self) -> &SignedCheckpoint {
        &self.0
    }

    /// The log's own signature, which holds.
    pub(crate) fn signature(&self) -> Option<[u8; 64]> {
        let name = self.origin().to_string();
        let mut lines = self.note().signatures().iter();
        lines
            .find(|line| line.name() == name)
            .and_then(|line| line.bytes().try_into().ok())
    }

    /// This checkpoint with the log's own signature alone.
    pub fn alone(&self) -> Self {
        let mut alone = self.0.clone();
        alone.note.retain_name(&self.origin().to_string());
        Self(alone)
    }

    /// Adds a line that a witness made over this checkpoint; takes the place of an earlier one of its key.
    /// Whether it holds shows when it is checked.
    pub fn add(&mut self, line: SignatureLine) -> Result<(), NoteError> {
        self.0.note.add(line)
    }

    /// Checks the cosignatures of the witnesses that `key_of` knows, and leaves the others aside. One of a
    /// known witness that doesn't hold spoils the whole: nobody honest hands it on.
    pub fn cosigned(
        self,
        key_of: impl Fn(&NodeName) -> Option<VerifyingKey>,
    ) -> Result<CosignedCheckpoint, CheckpointError> {
        let mut witnesses = Vec::new();
        let mut lines = Vec::new();
        for line in self.note().signatures() {
            let Ok(name) = line.name().parse::<NodeName>() else {
                continue;
            };
            let Some(key) = key_of(&name).filter(|key| name.is_of(key)) else {
                continue;
            };
            match cosignature::verify(self.note().text(), line, &name, &key) {
                Verdict::Other => {}
                Verdict::Holds(cosigned) => {
                    lines.push((cosigned.time, line.clone()));
                    witnesses.push(cosigned);
                }
                Verdict::Fails => return Err(CheckpointError::Signature(name.to_string())),
            }
        }
        // By the order of names, not of lines: what is told of it does not hang on who wrote the note.
        witnesses.sort();
        lines.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.name().cmp(y.name())));
        Ok(CosignedCheckpoint {
            checkpoint: self,
            witnesses,
            lines,
        })
    }
}

/// A checkpoint with the witnesses whose cosignatures hold; there may be none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignedCheckpoint {
    checkpoint: VerifiedCheckpoint,
    witnesses: Vec<Cosigned>,
    /// The lines of these witnesses, latest first.
    lines: Vec<(Seconds, SignatureLine)>,
}

impl CosignedCheckpoint {
    /// The checkpoint.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }

    /// The witnesses, in the order of their names.
    pub fn witnesses(&self) -> &[Cosigned] {
        &self.witnesses
    }

    /// The note within `max` bytes, as a header carries it: with the latest cosignatures that there is room
    /// for, at least one, and without those that did not count. `None` if there is none, or no room.
    pub fn shortened(&self, max: usize) -> Option<Vec<u8>> {
        let mut short = None;
        let mut note = self.checkpoint.alone();
        for (_, line) in &self.lines {
            note.add(line.clone()).ok()?;
            let bytes = note.note().encode();
            if bytes.len() > max {
                break;
            }
            short = Some(bytes);
        }
        short
    }

    /// The witnesses but for one node. A node does not witness for itself.
    pub fn witnesses_without<'a>(&'a self, node: &'a NodeName) -> impl Iterator<Item = &'a Cosigned> {
        self.witnesses.iter().filter(move |witness| witness.name != *node)
    }
}
