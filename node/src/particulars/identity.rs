//! Numbers that identify: resident identity numbers, unified social credit codes, telephone numbers.

use std::fmt;

use jiff::civil::Date;

use super::content::Rule;
use super::private::Private;

/// Sex, as a resident identity number states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// 男
    Male,
    /// 女
    Female,
}

impl Sex {
    /// From `男`, `女`, `male` or `female`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "男" | "male" => Some(Self::Male),
            "女" | "female" => Some(Self::Female),
            _ => None,
        }
    }

    /// The word on an official form.
    pub fn word(self) -> &'static str {
        match self {
            Self::Male => "男",
            Self::Female => "女",
        }
    }
}

/// A valid resident identity number (公民身份号码, GB 11643-1999): six digits of division, eight of birth
/// date, three of sequence, one check character.
#[derive(Clone, PartialEq, Eq)]
pub struct IdNumber {
    text: Private,
    birth: Date,
    sex: Sex,
}

/// The first two digits of GB/T 2260 codes; 81 to 83 are residence permits of people from Hong Kong, Macao
/// and Taiwan.
const PROVINCES: [u8; 35] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54,
    61, 62, 63, 64, 65, 71, 81, 82, 83,
];

/// The earliest year of birth taken for possible; the standard's own examples include 1880.
const EARLIEST_BIRTH: i16 = 1850;

impl IdNumber {
    /// Checks a normalised number (see [`half_width`]): length, digits, division, date, check character.
    pub(super) fn parse(text: &str) -> Result<Self, Rule> {
        let bytes: &[u8; 18] = text.as_bytes().try_into().map_err(|_| Rule::Length18)?;
        let (body, last) = (&bytes[..17], bytes[17]);
        if !body.iter().all(u8::is_ascii_digit) || !(last.is_ascii_digit() || last == b'X') {
            return Err(Rule::IdCharacters);
        }
        if !plausible_division(bytes) {
            return Err(Rule::Division);
        }
        let number =
            |from: usize, to: usize| body[from..to].iter().fold(0, |n, b| n * 10 + i16::from(b - b'0'));
        let (year, month, day) = (number(6, 10), number(10, 12) as i8, number(12, 14) as i8);
        let birth = Date::new(year, month, day)
            .ok()
            .filter(|_| year >= EARLIEST_BIRTH)
            .ok_or(Rule::BirthDate)?;
        // ISO 7064, MOD 11-2.
        let sum: u32 = body
            .iter()
            .enumerate()
            .map(|(at, digit)| u32::from(digit - b'0') * (1 << (17 - at)) % 11)
            .sum();
        if last != b"10X98765432"[(sum % 11) as usize] {
            return Err(Rule::IdCheck);
        }
        let sex = if bytes[16] % 2 == 1 {
            Sex::Male
        } else {
            Sex::Female
        };
        Ok(Self {
            text: Private::new(text),
            birth,
            sex,
        })
    }

    /// The 18 characters.
    pub fn reveal(&self) -> &str {
        self.text.reveal()
    }

    /// The date of birth it states.
    pub fn birth(&self) -> Date {
        self.birth
    }

    /// The sex it states.
    pub fn sex(&self) -> Sex {
        self.sex
    }
}

impl fmt::Debug for IdNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdNumber(‹private›)")
    }
}

fn plausible_division(digits: &[u8; 18]) -> bool {
    let pair = |at: usize| (digits[at] - b'0') * 10 + (digits[at + 1] - b'0');
    if digits[0] == b'9' {
        // 外国人永久居留身份证, 2017 form: 9, province, country.
        return PROVINCES.contains(&pair(1));
    }
    let province = pair(0);
    PROVINCES.contains(&province) && (province > 80 || pair(2) != 0)
}

/// A valid unified social credit code (统一社会信用代码, GB 32100-2015).
#[derive(Clone, PartialEq, Eq)]
pub struct CreditCode(Private);

const CREDIT_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

impl CreditCode {
    /// Checks a normalised code (see [`half_width`]): length, alphabet, division digits, check character.
    pub(super) fn parse(text: &str) -> Result<Self, Rule> {
        let bytes: &[u8; 18] = text.as_bytes().try_into().map_err(|_| Rule::Length18)?;
        let mut sum = 0;
        let mut weight = 1;
        let mut check = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let value = CREDIT_ALPHABET
                .iter()
                .position(|letter| letter == byte)
                .ok_or(Rule::CreditCharacters)?;
            if at == 17 {
                check = value;
            } else {
                sum += value * weight;
                weight = weight * 3 % 31;
            }
        }
        if !bytes[2..8].iter().all(u8::is_ascii_digit) {
            return Err(Rule::Division);
        }
        if (sum + check) % 31 != 0 {
            return Err(Rule::CreditCheck);
        }
        Ok(Self(Private::new(text)))
    }

    /// The 18 characters.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

impl fmt::Debug for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CreditCode(‹private›)")
    }
}

/// A telephone number, loosely: 5 to 20 digits, an optional leading `+`, and `-`, space or brackets between.
pub(super) fn check_phone(text: &str) -> Result<(), Rule> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let rest = text.strip_prefix('+').unwrap_or(text);
    let allowed = |c: char| c.is_ascii_digit() || matches!(c, '-' | ' ' | '(' | ')');
    if (5..=20).contains(&digits) && rest.chars().all(allowed) {
        Ok(())
    } else {
        Err(Rule::Phone)
    }
}

/// A number as the standards write it: full-width forms that Chinese input methods leave behind become
/// ASCII, letters upper case, spaces at the ends and between are dropped.
pub(super) fn half_width(text: &str, keep_spaces: bool) -> String {
    text.trim()
        .chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            '\u{3000}' => ' ',
            other => other,
        })
        .filter(|c| keep_spaces || !c.is_whitespace())
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The two examples in GB 11643-1999.
    const WOMAN: &str = "11010519491231002X";
    const MAN: &str = "440524188001010014";

    #[test]
    fn the_examples_of_the_standard_hold() {
        let woman = IdNumber::parse(WOMAN).expect("valid");
        assert_eq!(
            (woman.birth(), woman.sex()),
            (Date::constant(1949, 12, 31), Sex::Female)
        );
        let man = IdNumber::parse(MAN).expect("valid");
        assert_eq!((man.birth(), man.sex()), (Date::constant(1880, 1, 1), Sex::Male));
    }

    #[test]
    fn any_single_wrong_digit_is_noticed() {
        for at in 0..18 {
            for digit in b"0123456789X" {
                let mut bytes = WOMAN.as_bytes().to_vec();
                if bytes[at] != *digit {
                    bytes[at] = *digit;
                    let text = String::from_utf8(bytes).expect("ascii");
                    assert!(IdNumber::parse(&text).is_err(), "{text}");
                }
            }
        }
    }

    #[test]
    fn each_rule_of_an_id_number_is_named() {
        for (text, rule) in [
            ("", Rule::Length18),
            ("110105491231002", Rule::Length18),
            ("11010519491231002Y", Rule::IdCharacters),
            ("1101051949123100XX", Rule::IdCharacters),
            ("一二三四五六", Rule::IdCharacters),
            ("01010519491231002X", Rule::Division),
            ("110000194912310021", Rule::Division),
            ("110105194913310025", Rule::BirthDate),
            ("110105190002290021", Rule::BirthDate),
            ("110105170001010021", Rule::BirthDate),
            ("110105194912310021", Rule::IdCheck),
        ] {
            assert_eq!(IdNumber::parse(text).map(|_| ()), Err(rule), "{text}");
        }
    }

    #[test]
    fn credit_codes_follow_gb_32100() {
        for text in ["91350100M000100Y43", "91110000600037341L", "914403001922038216"] {
            assert!(CreditCode::parse(text).is_ok(), "{text}");
            for at in 0..18 {
                for letter in CREDIT_ALPHABET {
                    let mut bytes = text.as_bytes().to_vec();
                    if bytes[at] != *letter {
                        bytes[at] = *letter;
                        let wrong = String::from_utf8(bytes).expect("ascii");
                        assert!(CreditCode::parse(&wrong).is_err(), "{wrong}");
                    }
                }
            }
        }
        assert_eq!(CreditCode::parse("9135010").map(|_| ()), Err(Rule::Length18));
        assert_eq!(
            CreditCode::parse("91350100M000100I43").map(|_| ()),
            Err(Rule::CreditCharacters)
        );
    }

    #[test]
    fn phones_are_checked_loosely() {
        for text in [
            "13807750000",
            "0775-2820000",
            "+86 138 0775 0000",
            "(0775) 2820000-801",
            "12348",
        ] {
            assert_eq!(check_phone(text), Ok(()), "{text}");
        }
        for text in [
            "",
            "1234",
            "138x0775",
            "+",
            "13807750000138077500001",
            "86+138077500",
        ] {
            assert_eq!(check_phone(text), Err(Rule::Phone), "{text}");
        }
    }

    #[test]
    fn full_width_input_is_taken_for_what_it_means() {
        assert_eq!(half_width(" １１０105 1949　1231 002ｘ ", false), WOMAN);
        assert_eq!(half_width("＋８６ 138", true), "+86 138");
    }
}
