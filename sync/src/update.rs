//! The header of a signed update: what its author vouches for, in canonical CBOR.

use minicbor::{Decode, Encode};

use crate::hash::Domain;
use crate::id::{AuthorKey, CertificateId, DocumentId, LogEpoch, NetworkId, PayloadHash, UpdateId};
use crate::log::LogId;
use crate::path::Space;

/// The header format this code writes, and the only one it reads.
pub const HEADER_VERSION: u8 = 1;
/// Bytes in the longest header.
pub const MAX_HEADER: usize = 2048;
/// Bytes in the longest payload. One case event with its texts is about 1 KB; the bound leaves room for
/// the longest minutes and keeps a page of updates within a frame.
pub const MAX_PAYLOAD: usize = 128 * 1024;
/// Bytes in the longest foreign checkpoint a header may carry.
pub const MAX_BRACKET: usize = 1024;

const HEADER_DOMAIN: Domain = Domain::new("anjuan/update-header/1");
const PAYLOAD_DOMAIN: Domain = Domain::new("anjuan/update-payload/1");

/// Milliseconds since 1970-01-01T00:00:00Z, as claimed by whoever wrote it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] i64);

impl Timestamp {
    /// The first instant a record can claim: 2000-01-01T00:00:00Z.
    pub const EARLIEST: Self = Self(946_684_800_000);
    /// The last instant a record can claim: 2200-01-01T00:00:00Z.
    pub const LATEST: Self = Self(7_258_118_400_000);

    /// An instant, from milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Is this an instant that a record can claim?
    pub fn is_plausible(self) -> bool {
        (Self::EARLIEST..=Self::LATEST).contains(&self)
    }
}

/// The fields of a header, not yet checked against one another.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RawHeader {
    /// [`HEADER_VERSION`].
    #[n(0)]
    pub version: u8,
    /// The network the update belongs to.
    #[n(1)]
    pub network: NetworkId,
    /// Where the document lives.
    #[n(2)]
    pub space: Space,
    /// The key that signs.
    #[n(3)]
    pub author: AuthorKey,
    /// The life of the author's store.
    #[n(4)]
    pub epoch: LogEpoch,
    /// Place in the log (author, epoch, space), from 1, without gaps.
    #[n(5)]
    pub seq: u64,
    /// The update before this one in the log; none exactly for the first.
    #[n(6)]
    pub previous: Option<UpdateId>,
    /// The document the payload changes. An Automerge change does not name its document.
    #[n(7)]
    pub document: DocumentId,
    /// Hash of the payload.
    #[n(8)]
    pub payload_hash: PayloadHash,
    /// Bytes in the payload.
    #[n(9)]
    pub payload_length: u32,
    /// The certificate the author acts under.
    #[n(10)]
    pub certificate: CertificateId,
    /// When the author says the change was recorded.
    #[n(11)]
    pub recorded_at: Timestamp,
    /// On the first update of an epoch: the last update the author's store knew of its former log.
    #[n(12)]
    pub continues: Option<UpdateId>,
    /// The newest checkpoint of another node, with its cosignatures, that the author's node knew: a lower
    /// bound in time that the author cannot forge.
    #[cbor(n(13), with = "minicbor::bytes")]
    pub bracket: Option<Vec<u8>>,
}

/// What is wrong with a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// More than [`MAX_HEADER`] bytes.
    #[error("header of {0} bytes is longer than {MAX_HEADER}")]
    TooLong(usize),
    /// Not the CBOR array of a header.
    #[error("header is not well-formed: {0}")]
    Malformed(String),
    /// Well formed, but not in the one canonical encoding.
    #[error("header is not in canonical encoding")]
    NotCanonical,
    /// A version this code does not know.
    #[error("header version {0} is not supported; this program reads version {HEADER_VERSION}")]
    Version(u8),
    /// Sequence number 0, or `previous` given exactly where it must not be.
    #[error("sequence number {seq} and predecessor do not fit together")]
    Sequence {
        /// The number given.
        seq: u64,
    },
    /// `continues` on an update that is not the first of its log.
    #[error("only the first update of a log may continue another")]
    Continues,
    /// A payload length of 0 or over [`MAX_PAYLOAD`].
    #[error("payload length {0} is not within 1 and {MAX_PAYLOAD}")]
    PayloadLength(u32),
    /// A claimed time outside 2000 to 2200.
    #[error("claimed time {0} ms is not within the years 2000 and 2200")]
    Time(i64),
    /// A foreign checkpoint over [`MAX_BRACKET`] bytes.
    #[error("foreign checkpoint of {0} bytes is longer than {MAX_BRACKET}")]
    Bracket(usize),
}

/// A header whose fields are within bounds and consistent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header(RawHeader);

impl Header {
    /// Reads the canonical encoding, and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() > MAX_HEADER {
            return Err(HeaderError::TooLong(bytes.len()));
        }
        let header = Self::read_back(bytes)?;
        if header.encode() != bytes {
            return Err(HeaderError::NotCanonical);
        }
        Ok(header)
    }

    /// Reads what was found to be canonical before.
    pub(crate) fn read_back(bytes: &[u8]) -> Result<Self, HeaderError> {
        let raw: RawHeader =
            minicbor::decode(bytes).map_err(|error| HeaderError::Malformed(error.to_string()))?;
        Self::try_from(raw)
    }

    /// The canonical encoding: a CBOR array of 14, shortest integer forms (RFC 8949, section 4.2.1).
    pub fn encode(&self) -> Vec<u8> {
        minicbor::to_vec(&self.0).expect("writing to a vector does not fail")
    }

    /// The id of the update with this header.
    pub fn id(&self) -> UpdateId {
        Self::id_of(&self.encode())
    }

    pub(crate) fn id_of(encoded: &[u8]) -> UpdateId {
        UpdateId::from_bytes(*HEADER_DOMAIN.hash(&[encoded]).as_bytes())
    }

    pub(crate) fn signing_input(encoded: &[u8]) -> Vec<u8> {
        HEADER_DOMAIN.signing_input(encoded)
    }

    /// The log this update stands in.
    pub fn log(&self) -> LogId {
        LogId {
            space: self.0.space.clone(),
            author: self.0.author,
            epoch: self.0.epoch,
        }
    }

    /// The network the update belongs to.
    pub fn network(&self) -> NetworkId {
        self.0.network
    }

    /// Where the document lives.
    pub fn space(&self) -> &Space {
        &self.0.space
    }

    /// The key that signs.
    pub fn author(&self) -> AuthorKey {
        self.0.author
    }

    /// The life of the author's store.
    pub fn epoch(&self) -> LogEpoch {
        self.0.epoch
    }

    /// Place in the log, from 1.
    pub fn seq(&self) -> u64 {
        self.0.seq
    }

    /// The update before this one in the log.
    pub fn previous(&self) -> Option<UpdateId> {
        self.0.previous
    }

    /// The document the payload changes.
    pub fn document(&self) -> DocumentId {
        self.0.document
    }

    /// Hash of the payload.
    pub fn payload_hash(&self) -> PayloadHash {
        self.0.payload_hash
    }

    /// Bytes in the payload.
    pub fn payload_length(&self) -> u32 {
        self.0.payload_length
    }

    /// The certificate the author acts under.
    pub fn certificate(&self) -> CertificateId {
        self.0.certificate
    }

    /// When the author says the change was recorded.
    pub fn recorded_at(&self) -> Timestamp {
        self.0.recorded_at
    }

    /// The last update known of the author's former log.
    pub fn continues(&self) -> Option<UpdateId> {
        self.0.continues
    }

    /// The newest foreign checkpoint the author's node knew.
    pub fn bracket(&self) -> Option<&[u8]> {
        self.0.bracket.as_deref()
    }

    /// The fields, to change and check anew.
    pub fn into_raw(self) -> RawHeader {
        self.0
    }
}

impl TryFrom<RawHeader> for Header {
    type Error = HeaderError;

    fn try_from(raw: RawHeader) -> Result<Self, HeaderError> {
        if raw.version != HEADER_VERSION {
            return Err(HeaderError::Version(raw.version));
        }
        if raw.seq == 0 || (raw.seq == 1) != raw.previous.is_none() {
            return Err(HeaderError::Sequence { seq: raw.seq });
        }
        if raw.continues.is_some() && raw.seq != 1 {
            return Err(HeaderError::Continues);
        }
        if raw.payload_length == 0 || raw.payload_length as usize > MAX_PAYLOAD {
            return Err(HeaderError::PayloadLength(raw.payload_length));
        }
        if !raw.recorded_at.is_plausible() {
            return Err(HeaderError::Time(raw.recorded_at.as_millis()));
        }
        if let Some(bracket) = &raw.bracket
            && bracket.len() > MAX_BRACKET
        {
            return Err(HeaderError::Bracket(bracket.len()));
        }
        Ok(Self(raw))
    }
}

/// The hash of a payload as headers state it.
pub fn payload_hash(payload: &[u8]) -> PayloadHash {
    PayloadHash::from_bytes(*PAYLOAD_DOMAIN.hash(&[payload]).as_bytes())
}
