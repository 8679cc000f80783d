//! Signed headers and updates, and the proof that a signature holds.
//!
//! bytes → [`SignedUpdate`] (well formed) → [`SignatureVerified`] (its author signed it). Whether the
//! author might, and whether the update is safe for its document, is proved by types further up.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use minicbor::{Decode, Encode};

use crate::id::{AuthorKey, UpdateId};
use crate::update::{Header, HeaderError, MAX_HEADER, MAX_PAYLOAD, RawHeader, payload_hash};

/// Bytes in the longest encoded update.
pub const MAX_UPDATE: usize = MAX_HEADER + MAX_PAYLOAD + 128;

/// Why bytes are not a signed update.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// Longer than any update.
    #[error("update of {0} bytes is longer than {MAX_UPDATE}")]
    TooLong(usize),
    /// Not the CBOR of an update.
    #[error("update is not well-formed: {0}")]
    Malformed(String),
    /// Well formed, but not in the one canonical encoding.
    #[error("update is not in canonical encoding")]
    NotCanonical,
    /// Its header is not one.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The payload is not the one that the header was signed for.
    #[error("payload does not match the hash and length in the signed header")]
    Payload,
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The author's key is no usable Ed25519 key.
    #[error("the author's key is not a usable Ed25519 key")]
    Key,
    /// The author did not sign this header.
    #[error("the signature is not the author's over this header")]
    Forged,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[cbor(n(0), with = "minicbor::bytes")]
    header: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
    #[cbor(n(2), with = "minicbor::bytes")]
    payload: Option<Vec<u8>>,
}

/// A well-formed header with a signature not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeader {
    header: Header,
    encoded: Box<[u8]>,
    signature: [u8; 64],
    id: UpdateId,
}

impl SignedHeader {
    /// A header and the signature said to be over it.
    pub fn from_parts(encoded: &[u8], signature: [u8; 64]) -> Result<Self, HeaderError> {
        let header = Header::decode(encoded)?;
        Ok(Self {
            id: Header::id_of(encoded),
            header,
            encoded: encoded.into(),
            signature,
        })
    }

    /// Reads what [`Self::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, UpdateError> {
        let wire = decode_wire(bytes)?;
        if wire.payload.is_some() {
            return Err(UpdateError::Malformed(
                "a payload where a header alone is expected".into(),
            ));
        }
        Ok(Self::from_parts(&wire.header, wire.signature)?)
    }

    /// The header and signature alone, without the payload.
    pub fn encode(&self) -> Vec<u8> {
        encode_wire(self, None)
    }

    /// What was signed.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The signature's bytes.
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// The id of the update.
    pub fn id(&self) -> UpdateId {
        self.id
    }

    /// Checks the signature, strictly: no small-order keys or points, one encoding of each signature.
    pub fn verify(self) -> Result<SignatureVerified<Self>, SignatureError> {
        self.check()?;
        Ok(SignatureVerified(self))
    }

    /// The bytes that the signature is over.
    pub fn signing_input(&self) -> Vec<u8> {
        Header::signing_input(&self.encoded)
    }

    /// For [`crate::verify`] alone, which checks many signatures at once.
    pub(crate) fn verified_in_batch(self) -> SignatureVerified<Self> {
        SignatureVerified(self)
    }

    fn check(&self) -> Result<(), SignatureError> {
        let key =
            VerifyingKey::from_bytes(self.header.author().as_bytes()).map_err(|_| SignatureError::Key)?;
        let signature = Signature::from_bytes(&self.signature);
        key.verify_strict(&Header::signing_input(&self.encoded), &signature)
            .map_err(|_| SignatureError::Forged)
    }
}

/// A well-formed update with a signature not yet checked. Its payload is the one that the header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUpdate {
    signed: SignedHeader,
    payload: Box<[u8]>,
}

impl SignedUpdate {
    /// Signs `header` for `payload`.
    ///
    /// # Errors
    /// When the header names another payload or another author than `key`.
    pub fn sign(
        header: Header,
        payload: Vec<u8>,
        key: &SigningKey,
    ) -> Result<SignatureVerified<Self>, UpdateError> {
        if header.author().as_bytes() != key.verifying_key().as_bytes() {
            return Err(UpdateError::Malformed(
                "the header names another author than the key".into(),
            ));
        }
        let encoded = header.encode();
        let signature = key.sign(&Header::signing_input(&encoded)).to_bytes();
        let signed = SignedHeader {
            id: Header::id_of(&encoded),
            header,
            encoded: encoded.into(),
            signature,
        };
        Ok(SignatureVerified(Self::from_parts(signed, payload)?))
    }

    /// An update from header fields that leave out what the payload tells: its hash and length in `raw`
    /// are ignored and computed.
    pub(crate) fn assemble(
        raw: RawHeader,
        signature: [u8; 64],
        payload: Vec<u8>,
    ) -> Result<Self, UpdateError> {
        let header = Header::try_from(RawHeader {
            payload_hash: payload_hash(&payload),
            payload_length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            ..raw
        })?;
        let encoded = header.encode();
        if encoded.len() > MAX_HEADER {
            return Err(HeaderError::TooLong(encoded.len()).into());
        }
        Ok(Self {
            signed: SignedHeader {
                id: Header::id_of(&encoded),
                header,
                encoded: encoded.into(),
                signature,
            },
            payload: payload.into(),
        })
    }

    /// A header and its payload.
    pub fn from_parts(signed: SignedHeader, payload: Vec<u8>) -> Result<Self, UpdateError> {
        let header = signed.header();
        if header.payload_length() as usize != payload.len()
            || header.payload_hash() != payload_hash(&payload)
        {
            return Err(UpdateError::Payload);
        }
        Ok(Self {
            signed,
            payload: payload.into(),
        })
    }

    /// Reads the canonical encoding, and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, UpdateError> {
        let wire = decode_wire(bytes)?;
        let signed = SignedHeader::from_parts(&wire.header, wire.signature)?;
        let payload = wire
            .payload
            .ok_or_else(|| UpdateError::Malformed("the payload is missing".into()))?;
        Self::from_parts(signed, payload)
    }

    /// Reads back what [`Self::encode`] wrote of an update that was read with [`Self::decode`] then, from a place
    /// where a checksum guards it: that the encoding is canonical, and the payload the one that the header names,
    /// was seen then, and is not looked at again. That takes as long as all else of reading it.
    ///
    /// # Errors
    /// When the bytes are no update, or the fields of its header do not fit together.
    pub fn read_back(bytes: &[u8]) -> Result<Self, UpdateError> {
        let malformed = |error: minicbor::decode::Error| UpdateError::Malformed(error.to_string());
        let mut decoder = minicbor::Decoder::new(bytes);
        if decoder.array().map_err(malformed)? != Some(3) {
            return Err(UpdateError::Malformed(
                "another number of parts than three".into(),
            ));
        }
        let encoded = decoder.bytes().map_err(malformed)?;
        let signature = decoder.bytes().map_err(malformed)?;
        let payload = decoder.bytes().map_err(malformed)?;
        let signature = signature
            .try_into()
            .map_err(|_| UpdateError::Malformed("a signature of another length".into()))?;
        Ok(Self {
            signed: SignedHeader {
                header: Header::read_back(encoded)?,
                id: Header::id_of(encoded),
                encoded: encoded.into(),
                signature,
            },
            payload: payload.into(),
        })
    }

    /// The canonical encoding: a CBOR array of header bytes, signature bytes, payload bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode_wire(&self.signed, Some(&self.payload))
    }

    /// The header with its signature.
    pub fn signed_header(&self) -> &SignedHeader {
        &self.signed
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.signed.header
    }

    /// The id.
    pub fn id(&self) -> UpdateId {
        self.signed.id
    }

    /// The author.
    pub fn author(&self) -> AuthorKey {
        self.signed.header.author()
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Checks the signature, strictly.
    pub fn verify(self) -> Result<SignatureVerified<Self>, SignatureError> {
        self.signed.check()?;
        Ok(SignatureVerified(self))
    }

    /// Takes a signature as checked that this store checked before it wrote the update down. Only for
    /// bytes read back from the journal, whose frames carry a checksum.
    pub fn trust_journal(self) -> SignatureVerified<Self> {
        SignatureVerified(self)
    }

    /// For [`crate::verify`] alone, which checks many signatures at once.
    pub(crate) fn verified_in_batch(self) -> SignatureVerified<Self> {
        SignatureVerified(self)
    }
}

/// Proof that the author's signature over the header holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureVerified<T>(T);

impl<T> SignatureVerified<T> {
    /// What the proof is about.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Lets go of the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

fn encode_wire(signed: &SignedHeader, payload: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(signed.encoded.len() + payload.map_or(0, <[u8]>::len) + 80);
    let mut encoder = minicbor::Encoder::new(&mut bytes);
    let write = |encoder: &mut minicbor::Encoder<&mut Vec<u8>>| {
        encoder
            .array(if payload.is_some() { 3 } else { 2 })?
            .bytes(&signed.encoded)?
            .bytes(&signed.signature)?;
        match payload {
            Some(payload) => encoder.bytes(payload)?.ok(),
            None => Ok(()),
        }
    };
    write(&mut encoder).expect("writing to a vector does not fail");
    bytes
}

fn decode_wire(bytes: &[u8]) -> Result<Wire, UpdateError> {
    if bytes.len() > MAX_UPDATE {
        return Err(UpdateError::TooLong(bytes.len()));
    }
    let wire: Wire = minicbor::decode(bytes).map_err(|error| UpdateError::Malformed(error.to_string()))?;
    // One encoding for one update: otherwise the same update could be told apart by its bytes.
    let mut canonical = Vec::with_capacity(bytes.len());
    let mut encoder = minicbor::Encoder::new(&mut canonical);
    let write = |encoder: &mut minicbor::Encoder<&mut Vec<u8>>| {
        encoder
            .array(if wire.payload.is_some() { 3 } else { 2 })?
            .bytes(&wire.header)?
            .bytes(&wire.signature)?;
        match &wire.payload {
            Some(payload) => encoder.bytes(payload)?.ok(),
            None => Ok(()),
        }
    };
    write(&mut encoder).expect("writing to a vector does not fail");
    if canonical != bytes {
        return Err(UpdateError::NotCanonical);
    }
    Ok(wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{CertificateId, DocumentId, LogEpoch, NetworkId};
    use crate::path::Space;
    use crate::update::{HEADER_VERSION, Timestamp};

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[1; 32])
    }

    fn raw(payload: &[u8]) -> RawHeader {
        RawHeader {
            version: HEADER_VERSION,
            network: NetworkId::from_bytes([2; 32]),
            space: Space::up("4509/02/001/001".parse().expect("a path")),
            author: AuthorKey::from_bytes(key().verifying_key().to_bytes()),
            epoch: LogEpoch::from_bytes([3; 16]),
            seq: 1,
            previous: None,
            document: DocumentId::from_bytes([4; 16]),
            payload_hash: payload_hash(payload),
            payload_length: payload.len() as u32,
            certificate: CertificateId::from_bytes([5; 32]),
            recorded_at: Timestamp::from_millis(1_700_000_000_000),
            continues: None,
            bracket: None,
        }
    }

    fn update() -> SignedUpdate {
        let header = Header::try_from(raw(b"payload")).expect("a header");
        SignedUpdate::sign(header, b"payload".to_vec(), &key())
            .expect("signed")
            .into_inner()
    }

    #[test]
    fn the_encoding_is_pinned() {
        let update = update();
        assert_eq!(
            update.id().to_string(),
            "f4b4f1fd1992e642f6e706847deb5676720f6dfd1329f67c02d3a795730ab76f"
        );
        assert_eq!(
            crate::hash::sha256(&update.encode()).to_string(),
            "b46c2a6eedc1abc792764ff992f0a87353d3ce3a56a9e7f760f34a51821b9fee"
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let update = update();
        assert_eq!(SignedUpdate::decode(&update.encode()), Ok(update.clone()));
        assert_eq!(SignedUpdate::read_back(&update.encode()), Ok(update.clone()));
        let header = update.signed_header().clone();
        assert_eq!(SignedHeader::decode(&header.encode()), Ok(header));
        assert!(update.verify().is_ok());
    }

    #[test]
    fn no_single_byte_can_change() {
        let bytes = update().encode();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let accepted = SignedUpdate::decode(&changed).is_ok_and(|update| update.verify().is_ok());
            assert!(!accepted, "byte {at}");
        }
    }

    #[test]
    fn inconsistent_headers_are_refused() {
        let with = |change: fn(&mut RawHeader)| {
            let mut raw = raw(b"payload");
            change(&mut raw);
            Header::try_from(raw)
        };
        assert_eq!(with(|h| h.version = 2), Err(HeaderError::Version(2)));
        assert_eq!(with(|h| h.seq = 0), Err(HeaderError::Sequence { seq: 0 }));
        assert_eq!(with(|h| h.seq = 2), Err(HeaderError::Sequence { seq: 2 }));
        assert_eq!(with(|h| h.payload_length = 0), Err(HeaderError::PayloadLength(0)));
        assert_eq!(
            with(|h| h.recorded_at = Timestamp::from_millis(0)),
            Err(HeaderError::Time(0))
        );
        assert_eq!(
            with(|h| h.bracket = Some(vec![0; 1025])),
            Err(HeaderError::Bracket(1025))
        );
    }
}
