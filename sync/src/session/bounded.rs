//! Lists in messages that a peer cannot make long.

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

/// At most `MAX` entries. What a peer sends beyond them is skipped unread and remembered as a fault, so
/// that the message can be refused by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<T, const MAX: usize> {
    entries: Vec<T>,
    overlong: bool,
}

impl<T, const MAX: usize> Few<T, MAX> {
    /// The first `MAX` of `entries`.
    pub fn new(mut entries: Vec<T>) -> Self {
        entries.truncate(MAX);
        Self {
            entries,
            overlong: false,
        }
    }

    /// Did the peer send more than `MAX`?
    pub fn is_overlong(&self) -> bool {
        self.overlong
    }

    /// The entries.
    pub fn as_slice(&self) -> &[T] {
        &self.entries
    }

    /// The entries.
    pub fn into_vec(self) -> Vec<T> {
        self.entries
    }
}

impl<C, T: Encode<C>, const MAX: usize> Encode<C> for Few<T, MAX> {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        self.entries.encode(e, ctx)
    }
}

impl<'b, C, T: Decode<'b, C>, const MAX: usize> Decode<'b, C> for Few<T, MAX> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        let count = d
            .array()?
            .ok_or_else(|| decode::Error::message("a list of unstated length"))?;
        let mut entries = Vec::new();
        for at in 0..count {
            if at >= MAX as u64 {
                d.skip()?;
            } else {
                entries.push(d.decode_with(ctx)?);
            }
        }
        Ok(Self {
            entries,
            overlong: count > MAX as u64,
        })
    }
}
