//! Where there is no link: what one replica has for another, as a file.
//!
//! # Format
//! `ANJUANBU`, the version (16 bits), then:
//! - the header: its length (32 bits), CBOR, a digest of both;
//! - pages, each: `1`, its length before compression and after (32 bits each), the records as on a link
//!   ([`crate::session::page`]) under zstd, a digest of the header's, the page's number and its bytes;
//! - the end: `0`, how many pages and how many records (64 bits each), a digest of the header's, of all
//!   pages' and of both numbers.
//!
//! Numbers are big endian. So no byte can change unnoticed, nor a page move or be left out; and yet each
//! page stands for itself: what arrives in a whole page can be taken in, whatever became of the others.
//! The digests protect against damage alone. Whether a record is genuine is judged like that of any peer,
//! by its own signature.

use std::io;

use minicbor::{Decode, Encode};

use crate::hash::{Digest, Domain, Hasher};
use crate::id::{NetworkId, StoreEpoch};
use crate::path::Path;
use crate::replica::{Cursor, Position, ReplicaError, Roots};
use crate::update::Timestamp;

mod export;
mod import;

pub use export::{Export, Origin, Progress, Since, write_bundle};
pub use import::{Import, read_bundle};

const MAGIC: [u8; 8] = *b"ANJUANBU";
/// The version that this code writes, and the only one it reads.
pub const BUNDLE_VERSION: u16 = 1;
/// Bytes in the longest header.
const MAX_HEADER: usize = 4096;
/// Other stores that a header may tell of; what fits beside the longest paths.
pub const MAX_TAKEN: usize = 64;
/// Bytes in the longest page, compressed: what zstd cannot compress gets a little longer.
const MAX_BODY: usize = 1024 * 1024;
const _: () =
    assert!(crate::session::page::MAX_PAGE + crate::session::page::MAX_PAGE / 256 + 1024 < MAX_BODY);
const PAGE: u8 = 1;
const END: u8 = 0;

const HEADER_DOMAIN: Domain = Domain::new("anjuan/bundle-header/1");
const PAGE_DOMAIN: Domain = Domain::new("anjuan/bundle-page/1");
const END_DOMAIN: Domain = Domain::new("anjuan/bundle-end/1");

/// What a bundle says of itself, and of the replica it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Header {
    /// The network. A bundle of another one is refused.
    #[n(0)]
    pub network: NetworkId,
    /// The unit of the node that wrote it.
    #[n(1)]
    pub from: Path,
    /// It holds what concerns this unit: all that nodes of it hold.
    #[n(2)]
    pub scope: Path,
    /// The life of the store that wrote it.
    #[n(3)]
    pub epoch: StoreEpoch,
    /// What was accepted there from this position on is in it,
    #[n(4)]
    pub since: Position,
    /// up to this one.
    #[n(5)]
    pub position: Position,
    /// The digests of the scope there. Whoever comes to the same after the import lacks nothing; where
    /// they differ he lacks something, or has more.
    #[n(6)]
    pub roots: Roots,
    /// When it was written, by that node's clock.
    #[n(7)]
    pub written: Timestamp,
    /// How far the writer took other stores in, at least within the scope. Whoever finds his own store
    /// knows what the writer has, and sends no more than the rest.
    #[n(8)]
    pub taken: Vec<Cursor>,
}

/// Why a bundle cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It does not begin like one.
    #[error("this is not a bundle")]
    NotABundle,
    /// A version this code does not know.
    #[error("bundle version {0} is not supported; this program reads version {BUNDLE_VERSION}")]
    Version(u16),
    /// Of another network.
    #[error("the bundle belongs to another network")]
    Network,
    /// The header is damaged.
    #[error("the bundle's header is damaged: {0}")]
    Header(String),
    /// A page is damaged; what comes after it may be whole.
    #[error("page {number} of the bundle is damaged: {what}")]
    Page {
        /// Its number, from 1.
        number: u64,
        /// How.
        what: String,
    },
    /// A page that is said to be longer than any: where the next one begins is not known.
    #[error("page {number} of the bundle is damaged, and all after it: {length} bytes are too many")]
    Length {
        /// Its number, from 1.
        number: u64,
        /// What it says.
        length: usize,
    },
    /// It ends within a page, or before its end.
    #[error("the bundle ends too early, after {pages} whole pages")]
    Truncated {
        /// Pages before.
        pages: u64,
    },
    /// The end does not fit what came before it.
    #[error("the bundle's end is damaged or does not belong to it: {0}")]
    End(&'static str),
    /// The own store could not be read.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The file could not be read or written.
    #[error("the bundle could not be read or written: {0}")]
    Io(#[from] io::Error),
}

fn header_digest(header: &[u8]) -> Digest {
    HEADER_DOMAIN.hash(&[&BUNDLE_VERSION.to_be_bytes(), header])
}

fn page_digest(header: &Digest, number: u64, length: u32, body: &[u8]) -> Digest {
    let numbers = [number.to_be_bytes().as_slice(), &length.to_be_bytes()].concat();
    PAGE_DOMAIN.hash(&[header.as_bytes(), &numbers, body])
}

/// The digest of everything, as it grows.
#[derive(Clone, Debug)]
struct Whole(Hasher);

impl Whole {
    fn new(header: &Digest) -> Self {
        let mut hasher = Hasher::new(END_DOMAIN);
        hasher.part(header.as_bytes());
        Self(hasher)
    }

    fn page(&mut self, digest: &Digest) {
        self.0.part(digest.as_bytes());
    }

    fn finish(self, pages: u64, records: u64) -> Digest {
        let mut hasher = self.0;
        hasher.part(&pages.to_be_bytes());
        hasher.part(&records.to_be_bytes());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests;
