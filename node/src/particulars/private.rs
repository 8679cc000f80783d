//! Text that identifies a person: wiped when dropped, and shown by nothing but an explicit call.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use zeroize::Zeroizing;

/// Text that `Debug` does not show, that has no `Display`, and that is overwritten in memory when dropped.
///
/// It can be deserialised and serialised, since it has to get from the person who types it to the node that
/// seals it; serialising is disclosing. Wiping is best effort: copies made by input buffers are beyond reach.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Private(Zeroizing<String>);

impl Private {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Whoever calls this answers for where it goes.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹private›")
    }
}

impl From<&str> for Private {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Serialize for Private {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Private {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `deserialize_str`: serde_json would quote a number itself before the visitor is asked.
        deserializer.deserialize_any(PrivateVisitor)
    }
}

/// Serde's default for a value of the wrong type is an error that quotes the value. An ID number given as
/// a JSON number would end up in a log.
struct PrivateVisitor;

macro_rules! refuse {
    ($($visit:ident: $type:ty),*) => {
        $(fn $visit<E: Error>(self, _: $type) -> Result<Private, E> {
            Err(E::custom("expected text"))
        })*
    };
}

impl<'de> Visitor<'de> for PrivateVisitor {
    type Value = Private;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Private, E> {
        Ok(Private::new(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Private, E> {
        Ok(Private::new(text))
    }

    refuse!(
        visit_bool: bool,
        visit_i64: i64,
        visit_i128: i128,
        visit_u64: u64,
        visit_u128: u128,
        visit_f64: f64,
        visit_bytes: &[u8]
    );
}

impl<C> minicbor::Encode<C> for Private {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Private {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self::new(d.str()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Private::new("陈小明")), "‹private›");
    }

    #[test]
    fn input_of_the_wrong_type_is_refused_without_quoting_it() {
        for json in [
            "450902199001011234",
            "-7",
            "1.5",
            "true",
            "[\"45\"]",
            "{\"a\":1}",
            "1e400",
        ] {
            let error = serde_json::from_str::<Private>(json)
                .expect_err("not text")
                .to_string();
            assert!(
                !error.contains("45") && !error.contains('7') && !error.contains("1.5"),
                "{error}"
            );
        }
    }
}
