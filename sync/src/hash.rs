//! Domain-separated SHA-256.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// What a hash or a signature is over. Bytes valid in one domain mean nothing in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain(&'static str);

impl Domain {
    /// Names a domain; by convention `anjuan/<what>/<version>`.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// SHA-256 over the length-prefixed domain name and then each part, length-prefixed (u64, big endian).
    pub fn hash(self, parts: &[&[u8]]) -> Digest {
        let mut hasher = Hasher::new(self);
        for part in parts {
            hasher.part(part);
        }
        hasher.finish()
    }

    /// The bytes that a signature in this domain is made over: domain name, NUL, message.
    pub fn signing_input(self, message: &[u8]) -> Vec<u8> {
        let mut input = Vec::with_capacity(self.0.len() + 1 + message.len());
        input.extend_from_slice(self.0.as_bytes());
        input.push(0);
        input.extend_from_slice(message);
        input
    }
}

/// A hash built part by part; the same as [`Domain::hash`] over the same parts.
#[derive(Clone, Debug)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Starts a hash in `domain`.
    pub fn new(domain: Domain) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.part(domain.0.as_bytes());
        hasher
    }

    /// Adds one part, prefixed with its length.
    pub fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// The hash of all parts so far.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// Plain SHA-256, for formats that others define.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", hex::encode(&self.0[..6]))
    }
}

impl<C> minicbor::Encode<C> for Digest {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Digest {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = d.bytes()?;
        let array = bytes
            .try_into()
            .map_err(|_| minicbor::decode::Error::message("a digest has 32 bytes"))?;
        Ok(Self(array))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_domains_do_not_run_together() {
        let a = Domain::new("anjuan/a/1");
        assert_ne!(a.hash(&[b"ab", b"c"]), a.hash(&[b"a", b"bc"]));
        assert_ne!(a.hash(&[b"x"]), Domain::new("anjuan/b/1").hash(&[b"x"]));
    }

    #[test]
    fn plain_hash_is_fips_180() {
        assert_eq!(
            sha256(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
