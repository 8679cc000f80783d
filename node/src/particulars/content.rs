//! What is sealed: a person, an organisation or a file, checked, in canonical bytes.

mod rule;
mod wire;

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use rule::{Field, FieldError, InvalidParticulars, Rule};
pub(super) use wire::{BodyError, MAX_ENCODED};

use super::identity::{CreditCode, IdNumber, Sex, check_phone};
use super::private::Private;

/// Bytes in the largest file this version seals.
pub const MAX_FILE: usize = 192 * 1024;

/// A natural person as typed in. Absent and empty fields are the same.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct RawPerson {
    /// 姓名
    pub name: Private,
    /// 公民身份号码
    pub id_number: Option<Private>,
    /// 性别: `男`, `女`, `male` or `female`.
    pub sex: Option<Private>,
    /// 出生日期, as `YYYY-MM-DD`.
    pub birth_date: Option<Private>,
    /// 民族
    pub ethnicity: Option<Private>,
    /// 职业或职务
    pub occupation: Option<Private>,
    /// 联系方式
    pub phone: Option<Private>,
    /// 单位或住址
    pub address: Option<Private>,
}

/// An organisation (法人、其他组织) as typed in.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct RawOrganisation {
    /// 名称
    pub name: Private,
    /// 统一社会信用代码
    pub credit_code: Option<Private>,
    /// 法定代表人或负责人
    pub representative: Option<Private>,
    /// 联系方式
    pub phone: Option<Private>,
    /// 地址
    pub address: Option<Private>,
}

/// A file (身份证复印件, evidence, minutes …) as handed in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RawFile {
    /// The file's name, without folders.
    pub name: Private,
    /// Its media type, such as `image/jpeg`.
    pub media_type: String,
    /// The content; hexadecimal in JSON.
    #[serde(with = "hex_bytes")]
    pub bytes: Zeroizing<Vec<u8>>,
}

/// Particulars as they come from outside, unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RawParticulars {
    /// 自然人
    Person(RawPerson),
    /// 法人或其他组织
    Organisation(RawOrganisation),
    /// 文件
    File(RawFile),
}

/// A natural person whose fields keep the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    raw: RawPerson,
    id_number: Option<IdNumber>,
    birth_date: Option<Date>,
    sex: Option<Sex>,
}

/// An organisation whose fields keep the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    raw: RawOrganisation,
    credit_code: Option<CreditCode>,
}

/// A file within bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    raw: RawFile,
}

/// Particulars that keep the rules: what can be sealed, and what opening gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Particulars {
    /// 自然人
    Person(Person),
    /// 法人或其他组织
    Organisation(Organisation),
    /// 文件
    File(File),
}

impl Particulars {
    /// Normalises and checks what was typed in. `today` is the last day on which somebody can be born.
    ///
    /// # Errors
    /// Every field that breaks a rule, by name and rule, without its value.
    pub fn new(raw: RawParticulars, today: Date) -> Result<Self, InvalidParticulars> {
        match raw {
            RawParticulars::Person(raw) => Person::new(raw, today).map(Self::Person),
            RawParticulars::Organisation(raw) => Organisation::new(raw).map(Self::Organisation),
            RawParticulars::File(raw) => File::new(raw).map(Self::File),
        }
    }

    /// The fields, to show to whoever may read them. Serialising them is disclosing them.
    pub fn to_raw(&self) -> RawParticulars {
        match self {
            Self::Person(person) => RawParticulars::Person(person.raw.clone()),
            Self::Organisation(organisation) => RawParticulars::Organisation(organisation.raw.clone()),
            Self::File(file) => RawParticulars::File(file.raw.clone()),
        }
    }

    /// The canonical bytes that are sealed and committed to.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        wire::encode(self)
    }

    /// Reads particulars that were disclosed, from the canonical bytes that were committed to; `None` if they
    /// are none, or of a newer version.
    pub fn from_disclosed(content: &[u8]) -> Option<Self> {
        Self::decode(content).ok()
    }

    /// Reads the canonical bytes, and nothing else.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        wire::decode(bytes)
    }
}

impl Person {
    fn new(mut raw: RawPerson, today: Date) -> Result<Self, InvalidParticulars> {
        let mut errors = rule::Collector::default();
        errors.line(Field::Name, &mut raw.name, 100);
        for (field, value, most) in [
            (Field::Ethnicity, &mut raw.ethnicity, 30),
            (Field::Occupation, &mut raw.occupation, 100),
            (Field::Address, &mut raw.address, 300),
        ] {
            errors.optional_line(field, value, most);
        }
        let id_number = errors.number(Field::IdNumber, &mut raw.id_number, false, IdNumber::parse);
        errors.number(Field::Phone, &mut raw.phone, true, check_phone);
        let mut birth_date = errors.number(Field::BirthDate, &mut raw.birth_date, false, |text| {
            let date: Date = text.parse().map_err(|_| Rule::DateForm)?;
            // One way to write a date: the parser takes several.
            if date.to_string() == text && date.year() >= 1850 {
                Ok(date)
            } else {
                Err(Rule::DateForm)
            }
        });
        errors.optional_line(Field::Sex, &mut raw.sex, 10);
        let mut sex = None;
        if let Some(given) = &mut raw.sex {
            match Sex::parse(given.reveal()) {
                Some(known) => {
                    *given = Private::new(known.word());
                    sex = Some(known);
                }
                None => errors.add(Field::Sex, Rule::Sex),
            }
        }
        if let Some(id) = &id_number {
            if birth_date.is_some_and(|date| date != id.birth()) {
                errors.add(Field::BirthDate, Rule::AgreesWithId);
            }
            if sex.is_some_and(|sex| sex != id.sex()) {
                errors.add(Field::Sex, Rule::AgreesWithId);
            }
            if id.birth() > today {
                errors.add(Field::IdNumber, Rule::Born);
            }
            birth_date.get_or_insert(id.birth());
            sex.get_or_insert(id.sex());
        } else if birth_date.is_some_and(|date| date > today) {
            errors.add(Field::BirthDate, Rule::Born);
        }
        errors.finish()?;
        Ok(Self {
            raw,
            id_number,
            birth_date,
            sex,
        })
    }

    /// The fields.
    pub fn fields(&self) -> &RawPerson {
        &self.raw
    }

    /// 公民身份号码
    pub fn id_number(&self) -> Option<&IdNumber> {
        self.id_number.as_ref()
    }

    /// 出生日期, as given or as the ID number states it.
    pub fn birth_date(&self) -> Option<Date> {
        self.birth_date
    }

    /// 性别, as given or as the ID number states it.
    pub fn sex(&self) -> Option<Sex> {
        self.sex
    }
}

impl Organisation {
    fn new(mut raw: RawOrganisation) -> Result<Self, InvalidParticulars> {
        let mut errors = rule::Collector::default();
        errors.line(Field::Name, &mut raw.name, 200);
        errors.optional_line(Field::Representative, &mut raw.representative, 100);
        errors.optional_line(Field::Address, &mut raw.address, 300);
        let credit_code = errors.number(Field::CreditCode, &mut raw.credit_code, false, CreditCode::parse);
        errors.number(Field::Phone, &mut raw.phone, true, check_phone);
        errors.finish()?;
        Ok(Self { raw, credit_code })
    }

    /// The fields.
    pub fn fields(&self) -> &RawOrganisation {
        &self.raw
    }

    /// 统一社会信用代码
    pub fn credit_code(&self) -> Option<&CreditCode> {
        self.credit_code.as_ref()
    }
}

impl File {
    fn new(mut raw: RawFile) -> Result<Self, InvalidParticulars> {
        let mut errors = rule::Collector::default();
        errors.line(Field::FileName, &mut raw.name, 200);
        if raw.name.reveal().contains(['/', '\\', ':']) || matches!(raw.name.reveal(), "." | "..") {
            errors.add(Field::FileName, Rule::PlainFileName);
        }
        let token = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$&^_.+-".contains(&b))
        };
        raw.media_type.make_ascii_lowercase();
        let well_formed = raw.media_type.len() <= 100
            && raw
                .media_type
                .split_once('/')
                .is_some_and(|(class, subclass)| token(class) && token(subclass));
        if !well_formed {
            errors.add(Field::MediaType, Rule::MediaType);
        }
        if raw.bytes.is_empty() {
            errors.add(Field::FileBytes, Rule::Empty);
        }
        if raw.bytes.len() > MAX_FILE {
            errors.add(Field::FileBytes, Rule::FileTooLarge(raw.bytes.len()));
        }
        errors.finish()?;
        Ok(Self { raw })
    }

    /// The file's name.
    pub fn name(&self) -> &Private {
        &self.raw.name
    }

    /// Its media type.
    pub fn media_type(&self) -> &str {
        &self.raw.media_type
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        &self.raw.bytes
    }
}

/// The size and media type tell files apart in a log; the name may hold a person's.
impl fmt::Debug for RawFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawFile")
            .field("name", &self.name)
            .field("bytes", &format_args!("‹{} bytes›", self.bytes.len()))
            .finish_non_exhaustive()
    }
}

/// Hexadecimal text in JSON, without quoting it in errors.
mod hex_bytes {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;
    use zeroize::Zeroizing;

    use crate::particulars::private::Private;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex::encode(bytes)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Zeroizing<Vec<u8>>, D::Error> {
        let text = Private::deserialize(deserializer)?;
        let bytes =
            hex::decode(text.reveal()).map_err(|_| D::Error::custom("expected hexadecimal digits"))?;
        Ok(Zeroizing::new(bytes))
    }
}

#[cfg(test)]
pub(super) mod tests;
