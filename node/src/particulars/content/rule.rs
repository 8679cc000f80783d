//! Which field breaks which rule. Never its value.

use std::fmt;

use super::super::identity::half_width;
use super::super::private::Private;
use super::MAX_FILE;
use crate::text;
use crate::text::Text;

/// A field of particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// 姓名或名称
    Name,
    /// 公民身份号码
    IdNumber,
    /// 性别
    Sex,
    /// 出生日期
    BirthDate,
    /// 民族
    Ethnicity,
    /// 职业或职务
    Occupation,
    /// 联系方式
    Phone,
    /// 单位或住址
    Address,
    /// 统一社会信用代码
    CreditCode,
    /// 法定代表人或负责人
    Representative,
    /// 文件名
    FileName,
    /// 文件类型
    MediaType,
    /// 文件内容
    FileBytes,
}

impl Field {
    /// The name on a form.
    pub fn title(self) -> Text {
        match self {
            Self::Name => text!("姓名(名称)", "name"),
            Self::IdNumber => text!("公民身份号码", "ID number"),
            Self::Sex => text!("性别", "sex"),
            Self::BirthDate => text!("出生日期", "birth date"),
            Self::Ethnicity => text!("民族", "ethnicity"),
            Self::Occupation => text!("职业", "occupation"),
            Self::Phone => text!("联系方式", "phone"),
            Self::Address => text!("住址", "address"),
            Self::CreditCode => text!("统一社会信用代码", "credit code"),
            Self::Representative => text!("法定代表人", "representative"),
            Self::FileName => text!("文件名", "file name"),
            Self::MediaType => text!("文件类型", "media type"),
            Self::FileBytes => text!("文件内容", "file"),
        }
    }
}

/// A rule that a field breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Something has to be there.
    Empty,
    /// More characters than this.
    TooLong(usize),
    /// Line breaks or control characters.
    Control,
    /// Not 18 characters.
    Length18,
    /// Not 17 digits and a digit or X.
    IdCharacters,
    /// The division digits name no division.
    Division,
    /// The digits for the date of birth are no date.
    BirthDate,
    /// The check character of an ID number.
    IdCheck,
    /// A character outside the alphabet of GB 32100.
    CreditCharacters,
    /// The check character of a credit code.
    CreditCheck,
    /// Not a telephone number.
    Phone,
    /// Not a date as `YYYY-MM-DD`.
    DateForm,
    /// A birth in the future.
    Born,
    /// Neither of the two words.
    Sex,
    /// Other than what the ID number states.
    AgreesWithId,
    /// A folder or drive in a file name.
    PlainFileName,
    /// Not a media type.
    MediaType,
    /// A file of this many bytes.
    FileTooLarge(usize),
}

impl Rule {
    /// What is wrong and what is expected.
    pub fn explain(self) -> Text {
        match self {
            Self::Empty => text!("不能为空", "must not be empty"),
            Self::TooLong(most) => text!("最多 {most} 个字符", "at most {most} characters are allowed"),
            Self::Control => text!(
                "不能含换行或控制字符",
                "line breaks and control characters are not allowed"
            ),
            Self::Length18 => text!("应为 18 位", "18 characters are expected"),
            Self::IdCharacters => text!(
                "应为 17 位数字加 1 位数字或 X(GB 11643)",
                "17 digits and a digit or X are expected (GB 11643)"
            ),
            Self::Division => text!(
                "区划代码部分不是有效的行政区划",
                "the division digits name no administrative division"
            ),
            Self::BirthDate => text!(
                "出生日期部分不是有效日期",
                "the digits for the date of birth are not a date"
            ),
            Self::IdCheck => text!(
                "校验码不符(GB 11643),请核对是否抄错",
                "the check character does not match (GB 11643); look for a slip in copying"
            ),
            Self::CreditCharacters => text!(
                "含 GB 32100 字符集以外的字符(不用 I、O、S、V、Z)",
                "a character is outside the alphabet of GB 32100, which has no I, O, S, V or Z"
            ),
            Self::CreditCheck => text!(
                "校验码不符(GB 32100),请核对是否抄错",
                "the check character does not match (GB 32100); look for a slip in copying"
            ),
            Self::Phone => text!(
                "应为 5 至 20 位数字,可含 +、-、空格和括号",
                "5 to 20 digits are expected, with +, -, spaces and brackets between them"
            ),
            Self::DateForm => text!("应为有效日期,格式 YYYY-MM-DD", "a date as YYYY-MM-DD is expected"),
            Self::Born => text!("出生日期晚于今天", "the date of birth is in the future"),
            Self::Sex => text!("应为“男”或“女”", "“male” or “female” is expected"),
            Self::AgreesWithId => text!("与公民身份号码不一致", "does not agree with the ID number"),
            Self::PlainFileName => text!(
                "只写文件名,不带路径",
                "a plain file name is expected, without a folder or drive"
            ),
            Self::MediaType => text!(
                "应为 image/jpeg 之类的媒体类型",
                "a media type such as image/jpeg is expected"
            ),
            Self::FileTooLarge(size) => {
                let most = MAX_FILE / 1024;
                let size = size.div_ceil(1024);
                text!(
                    "文件 {size} KiB,本版本最多密封 {most} KiB;请降低扫描分辨率或分成几个文件",
                    "the file has {size} KiB, and this version seals at most {most} KiB; scan at a lower \
                     resolution or split it"
                )
            }
        }
    }
}

/// A field that breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field.
    pub field: Field,
    /// The rule.
    pub rule: Rule,
}

impl FieldError {
    /// For people.
    pub fn text(&self) -> Text {
        let (field, rule) = (self.field.title(), self.rule.explain());
        Text::new(
            format!("{}:{}", field.zh, rule.zh),
            format!("{}: {}", field.en, rule.en),
        )
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

/// Particulars with fields that break rules: all of them, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidParticulars {
    errors: Vec<FieldError>,
}

impl InvalidParticulars {
    /// Every field that breaks a rule.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// For people, in one sentence.
    pub fn text(&self) -> Text {
        let texts: Vec<Text> = self.errors.iter().map(FieldError::text).collect();
        let join =
            |pick: fn(&Text) -> &str, between| texts.iter().map(pick).collect::<Vec<_>>().join(between);
        Text::new(join(|text| &text.zh, ";"), join(|text| &text.en, "; "))
    }
}

impl fmt::Display for InvalidParticulars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

impl std::error::Error for InvalidParticulars {}

/// Normalises fields and gathers what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Collector(Vec<FieldError>);

impl Collector {
    pub(super) fn add(&mut self, field: Field, rule: Rule) {
        self.0.push(FieldError { field, rule });
    }

    /// A line of text that has to be there.
    pub(super) fn line(&mut self, field: Field, value: &mut Private, most: usize) {
        let trimmed = value.reveal().trim();
        if trimmed.len() != value.reveal().len() {
            *value = Private::new(trimmed);
        }
        let text = value.reveal();
        if text.is_empty() {
            self.add(field, Rule::Empty);
        } else if text.chars().count() > most {
            self.add(field, Rule::TooLong(most));
        } else if text.chars().any(char::is_control) {
            self.add(field, Rule::Control);
        }
    }

    /// A line of text that may be missing; blank counts as missing.
    pub(super) fn optional_line(&mut self, field: Field, value: &mut Option<Private>, most: usize) {
        *value = value.take().filter(|text| !text.reveal().trim().is_empty());
        if let Some(text) = value {
            self.line(field, text, most);
        }
    }

    /// A number, normalised, then read by `parse`.
    pub(super) fn number<T>(
        &mut self,
        field: Field,
        value: &mut Option<Private>,
        keep_spaces: bool,
        parse: impl Fn(&str) -> Result<T, Rule>,
    ) -> Option<T> {
        let text = Private::new(half_width(value.take()?.reveal(), keep_spaces));
        if text.reveal().is_empty() {
            return None;
        }
        let parsed = parse(text.reveal());
        *value = Some(text);
        parsed.map_err(|rule| self.add(field, rule)).ok()
    }

    pub(super) fn finish(self) -> Result<(), InvalidParticulars> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(InvalidParticulars { errors: self.0 })
        }
    }
}
