//! Canonical CBOR, and the envelope that every credential travels in.

use minicbor::{Decode, Encode};

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// Longer than any honest one.
    #[error("{length} bytes are longer than the longest, {max}")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not the CBOR of it.
    #[error("not well-formed: {0}")]
    Malformed(String),
    /// Well formed, but not in the one canonical encoding.
    #[error("not in canonical encoding")]
    NotCanonical,
}

/// The canonical encoding: definite lengths, shortest forms (RFC 8949, section 4.2.1).
pub(crate) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to a vector does not fail")
}

/// Reads what [`encode`] writes, and nothing else.
pub(crate) fn decode<'b, T: Encode<()> + Decode<'b, ()>>(
    bytes: &'b [u8],
    max: usize,
) -> Result<T, EncodingError> {
    if bytes.len() > max {
        return Err(EncodingError::TooLong {
            length: bytes.len(),
            max,
        });
    }
    let value: T = minicbor::decode(bytes).map_err(|error| EncodingError::Malformed(error.to_string()))?;
    // Also catches bytes that follow the value.
    if encode(&value) != bytes {
        return Err(EncodingError::NotCanonical);
    }
    Ok(value)
}

/// What a credential says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum CredentialKind {
    #[n(0)]
    Certificate,
    #[n(1)]
    Revocation,
}

/// A credential on the wire. Its id is the hash of `body` alone, so it does not depend on the signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Envelope {
    #[n(0)]
    pub(crate) kind: CredentialKind,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) body: Vec<u8>,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) signature: [u8; 64],
}

impl Envelope {
    /// Bytes that an envelope adds to its body, at most.
    pub(crate) const OVERHEAD: usize = 80;
}

/// Does `text` have 1 to `max` bytes and nothing that could pass for other text on a screen: no control
/// characters, no line or paragraph separators, no direction marks, no blanks at the ends?
pub(crate) fn is_plain(text: &str, max: usize) -> bool {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    (1..=max).contains(&text.len()) && text.trim() == text && !text.chars().any(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_deceives_the_eye_is_not_plain() {
        for (text, plain) in [
            ("东成社区居委会", true),
            ("O'Brien (2)", true),
            ("", false),
            (" a", false),
            ("a\nb", false),
            ("a\u{202e}b", false),
            ("a\u{200b}b", false),
            ("abcdefghi", false),
        ] {
            assert_eq!(
                is_plain(text, if text.is_ascii() && text.len() == 9 { 8 } else { 64 }),
                plain,
                "{text:?}"
            );
        }
    }
}
