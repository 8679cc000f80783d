//! Canonical bytes of particulars: a CBOR array of version, kind and a fixed array of fields, shortest forms
//! only (RFC 8949, section 4.2.1), an absent field as null.

use jiff::civil::Date;
use minicbor::{Decoder, Encoder};
use zeroize::Zeroizing;

use super::{
    File, MAX_FILE, Organisation, Particulars, Person, RawFile, RawOrganisation, RawParticulars, RawPerson,
};
use crate::particulars::private::Private;

const VERSION: u8 = 1;
/// Bytes in the longest canonical form: a file and what stands around it.
pub(in crate::particulars) const MAX_ENCODED: usize = MAX_FILE + MAX_FIELDS;
/// Bytes in the longest fields of a person or an organisation, or around a file's content.
const MAX_FIELDS: usize = 4096;

/// Why bytes are not particulars. Deliberately without detail: the bytes are somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::particulars) enum BodyError {
    #[error("the particulars are of version {0}; this program reads version {VERSION}")]
    Version(u8),
    #[error("the particulars are not well-formed or break a rule")]
    Malformed,
    #[error("the particulars are not in canonical encoding")]
    NotCanonical,
}

pub(super) fn encode(particulars: &Particulars) -> Zeroizing<Vec<u8>> {
    // Room for everything at once: a vector that grows leaves copies of its content behind.
    let file = match particulars {
        Particulars::File(file) => file.bytes().len(),
        Particulars::Person(_) | Particulars::Organisation(_) => 0,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(file + MAX_FIELDS));
    let mut encoder = Encoder::new(&mut *bytes);
    write(&mut encoder, particulars).expect("writing to a vector does not fail");
    bytes
}

fn write(
    e: &mut Encoder<&mut Vec<u8>>,
    particulars: &Particulars,
) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
    e.array(3)?.u8(VERSION)?;
    match particulars {
        Particulars::Person(Person { raw, .. }) => {
            e.u8(0)?.array(8)?.encode(&raw.name)?;
            for field in [
                &raw.id_number,
                &raw.sex,
                &raw.birth_date,
                &raw.ethnicity,
                &raw.occupation,
                &raw.phone,
                &raw.address,
            ] {
                e.encode(field)?;
            }
        }
        Particulars::Organisation(Organisation { raw, .. }) => {
            e.u8(1)?.array(5)?.encode(&raw.name)?;
            for field in [&raw.credit_code, &raw.representative, &raw.phone, &raw.address] {
                e.encode(field)?;
            }
        }
        Particulars::File(File { raw }) => {
            e.u8(2)?
                .array(3)?
                .encode(&raw.name)?
                .str(&raw.media_type)?
                .bytes(&raw.bytes)?;
        }
    }
    Ok(())
}

pub(super) fn decode(bytes: &[u8]) -> Result<Particulars, BodyError> {
    if bytes.len() > MAX_ENCODED {
        return Err(BodyError::Malformed);
    }
    let mut decoder = Decoder::new(bytes);
    let head = decoder.array().and_then(|length| Ok((length, decoder.u8()?)));
    match head {
        Ok((Some(3), VERSION)) => {}
        Ok((_, version)) if version != VERSION => return Err(BodyError::Version(version)),
        _ => return Err(BodyError::Malformed),
    }
    let raw = read(&mut decoder).ok().flatten().ok_or(BodyError::Malformed)?;
    // Whether somebody was born before the body was sealed is not for a reader's clock to judge.
    let particulars = Particulars::new(raw, Date::MAX).map_err(|_| BodyError::Malformed)?;
    if **encode(&particulars) == *bytes {
        Ok(particulars)
    } else {
        Err(BodyError::NotCanonical)
    }
}

fn read(d: &mut Decoder<'_>) -> Result<Option<RawParticulars>, minicbor::decode::Error> {
    let raw = match (d.u8()?, d.array()?) {
        (0, Some(8)) => RawParticulars::Person(RawPerson {
            name: d.decode()?,
            id_number: d.decode()?,
            sex: d.decode()?,
            birth_date: d.decode()?,
            ethnicity: d.decode()?,
            occupation: d.decode()?,
            phone: d.decode()?,
            address: d.decode()?,
        }),
        (1, Some(5)) => RawParticulars::Organisation(RawOrganisation {
            name: d.decode()?,
            credit_code: d.decode()?,
            representative: d.decode()?,
            phone: d.decode()?,
            address: d.decode()?,
        }),
        (2, Some(3)) => RawParticulars::File(RawFile {
            name: d.decode::<Private>()?,
            media_type: d.str()?.to_owned(),
            bytes: Zeroizing::new(d.bytes()?.to_vec()),
        }),
        _ => return Ok(None),
    };
    Ok(Some(raw))
}
