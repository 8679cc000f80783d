use proptest::prelude::*;

use super::*;

const TODAY: Date = Date::constant(2026, 6, 1);

pub(crate) fn woman() -> RawPerson {
    RawPerson {
        name: "韦秀英".into(),
        id_number: Some("11010519491231002X".into()),
        sex: Some("女".into()),
        birth_date: Some("1949-12-31".into()),
        ethnicity: Some("壮族".into()),
        occupation: None,
        phone: Some("13807750000".into()),
        address: Some("玉州区玉城街道东成路 1 号".into()),
    }
}

fn valid(raw: RawParticulars) -> Particulars {
    Particulars::new(raw, TODAY).expect("valid")
}

fn company() -> RawOrganisation {
    RawOrganisation {
        name: "玉林市某某有限公司".into(),
        credit_code: Some("91350100M000100Y43".into()),
        representative: Some("陆大海".into()),
        phone: None,
        address: None,
    }
}

fn scan() -> RawFile {
    RawFile {
        name: "身份证.jpg".into(),
        media_type: "image/jpeg".into(),
        bytes: Zeroizing::new(vec![0xff, 0xd8, 0xff]),
    }
}

#[test]
fn the_encodings_are_pinned() {
    for (raw, expected) in [
        (
            RawParticulars::Person(woman()),
            "8301008869e99fa6e7a780e88bb17231313031303531393439313233313030325863e5a5b36a313934392d31322d333166e5a3aee6978ff66b31333830373735303030307824e78e89e5b79ee58cbae78e89e59f8ee8a197e98193e4b89ce68890e8b7af203120e58fb7",
        ),
        (
            RawParticulars::Organisation(company()),
            "83010185781be78e89e69e97e5b882e69f90e69f90e69c89e99990e585ace58fb87239313335303130304d30303031303059343369e99986e5a4a7e6b5b7f6f6",
        ),
        (
            RawParticulars::File(scan()),
            "830102836de8baabe4bbbde8af812e6a70676a696d6167652f6a70656743ffd8ff",
        ),
    ] {
        assert_eq!(hex::encode(&*valid(raw).encode()), expected);
    }
}

#[test]
fn what_is_written_is_read_and_nothing_else() {
    for raw in [
        RawParticulars::Person(woman()),
        RawParticulars::Organisation(company()),
        RawParticulars::File(scan()),
    ] {
        let particulars = valid(raw);
        let bytes = particulars.encode();
        assert_eq!(Particulars::decode(&bytes), Ok(particulars));
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert!(Particulars::decode(&longer).is_err());
        for end in 0..bytes.len() {
            assert!(Particulars::decode(&bytes[..end]).is_err(), "{end}");
        }
    }
    let mut newer = valid(RawParticulars::Person(woman())).encode().to_vec();
    newer[1] = 2;
    assert_eq!(Particulars::decode(&newer), Err(BodyError::Version(2)));
}

#[test]
fn input_is_normalised() {
    let raw = RawPerson {
        name: " 韦秀英\u{3000}".into(),
        id_number: Some("１10105 19491231 002x".into()),
        phone: Some("（0775）2820000".into()),
        address: Some("  ".into()),
        sex: Some("female".into()),
        ..RawPerson::default()
    };
    let Particulars::Person(person) = valid(RawParticulars::Person(raw)) else {
        unreachable!("a person was given");
    };
    assert_eq!(person.fields().name.reveal(), "韦秀英");
    assert_eq!(
        person.id_number().map(IdNumber::reveal),
        Some("11010519491231002X")
    );
    assert_eq!(
        person.fields().phone.as_ref().map(Private::reveal),
        Some("(0775)2820000")
    );
    assert_eq!(person.fields().address, None);
    assert_eq!(person.fields().sex.as_ref().map(Private::reveal), Some("女"));
    assert_eq!(person.birth_date(), Some(Date::constant(1949, 12, 31)));
}

#[test]
fn every_broken_rule_is_named_at_once() {
    let raw = RawPerson {
        name: " ".into(),
        id_number: Some("110105194912310021".into()),
        sex: Some("?".into()),
        birth_date: Some("1949-02-30".into()),
        ethnicity: Some("x".repeat(31).as_str().into()),
        phone: Some("no".into()),
        address: Some("a\nb".into()),
        occupation: None,
    };
    let error = Particulars::new(RawParticulars::Person(raw), TODAY).expect_err("invalid");
    let found: Vec<_> = error
        .errors()
        .iter()
        .map(|error| (error.field, error.rule))
        .collect();
    assert_eq!(
        found,
        [
            (Field::Name, Rule::Empty),
            (Field::Ethnicity, Rule::TooLong(30)),
            (Field::Address, Rule::Control),
            (Field::IdNumber, Rule::IdCheck),
            (Field::Phone, Rule::Phone),
            (Field::BirthDate, Rule::DateForm),
            (Field::Sex, Rule::Sex),
        ]
    );
}

#[test]
fn what_contradicts_the_id_number_is_refused() {
    let mut raw = woman();
    raw.sex = Some("男".into());
    raw.birth_date = Some("1949-12-30".into());
    let error = Particulars::new(RawParticulars::Person(raw), TODAY).expect_err("invalid");
    assert!(
        error
            .errors()
            .iter()
            .all(|error| error.rule == Rule::AgreesWithId)
    );
    assert_eq!(error.errors().len(), 2);

    let early = Date::constant(1949, 12, 30);
    let error = Particulars::new(RawParticulars::Person(woman()), early).expect_err("not born yet");
    assert_eq!(
        error.errors(),
        [FieldError {
            field: Field::IdNumber,
            rule: Rule::Born
        }]
    );
}

#[test]
fn files_are_bounded_and_named_plainly() {
    let with = |change: fn(&mut RawFile)| {
        let mut raw = scan();
        change(&mut raw);
        Particulars::new(RawParticulars::File(raw), TODAY)
    };
    assert!(with(|file| file.bytes = Zeroizing::new(vec![1; MAX_FILE])).is_ok());
    let error = with(|file| file.bytes = Zeroizing::new(vec![1; MAX_FILE + 1])).expect_err("too large");
    assert_eq!(
        error.to_string(),
        "file: the file has 193 KiB, and this version seals at most 192 KiB; scan at a lower resolution or split it"
    );
    for change in [
        (|file| file.name = "../a.jpg".into()) as fn(&mut RawFile),
        |file| file.name = "..".into(),
        |file| file.media_type = "jpeg".into(),
        |file| file.media_type = "image/jpeg; x".into(),
        |file| file.bytes = Zeroizing::default(),
    ] {
        assert!(with(change).is_err());
    }
    let largest = with(|file| {
        file.name = "卷".repeat(200).as_str().into();
        file.media_type = format!("application/{}", "x".repeat(88));
        file.bytes = Zeroizing::new(vec![1; MAX_FILE]);
    });
    assert!(largest.expect("within bounds").encode().len() <= MAX_ENCODED);
}

#[test]
fn json_input_with_unknown_or_misplaced_fields_is_refused_without_quoting_values() {
    for json in [
        r#"{"person":{"name":"韦秀英","id-number":11010519491231002}}"#,
        r#"{"person":{"name":["韦秀英"]}}"#,
        r#"{"file":{"name":"韦秀英","media-type":"image/jpeg","bytes":"韦秀英"}}"#,
    ] {
        let error = serde_json::from_str::<RawParticulars>(json)
            .expect_err("refused")
            .to_string();
        assert!(!error.contains("1101") && !error.contains('韦'), "{error}");
    }
    let raw = RawParticulars::File(scan());
    let json = serde_json::to_string(&raw).expect("serialises");
    assert_eq!(
        serde_json::from_str::<RawParticulars>(&json).expect("reads back"),
        raw
    );
}

proptest! {
    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Particulars::decode(&bytes);
    }

    #[test]
    fn a_flipped_byte_never_reads_as_the_same(at in 0usize..100, bit in 0u8..8) {
        let particulars = valid(RawParticulars::Person(woman()));
        let mut bytes = particulars.encode().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        prop_assert_ne!(Particulars::decode(&bytes), Ok(particulars));
    }

    #[test]
    fn no_value_shows(secret in "[a-zA-Z0-9]{6,40}") {
        let field = || Private::new(format!("zq{secret}qz"));
        let marker = format!("zq{secret}qz");
        let person = RawPerson {
            name: field(),
            id_number: Some(field()),
            sex: Some(field()),
            birth_date: Some(field()),
            ethnicity: Some(field()),
            occupation: Some(field()),
            phone: Some(field()),
            address: Some(field()),
        };
        let file = RawFile { name: field(), media_type: marker.clone(), bytes: Zeroizing::new(marker.clone().into_bytes()) };
        for raw in [
            RawParticulars::Person(person.clone()),
            RawParticulars::Organisation(RawOrganisation {
                name: field(),
                credit_code: Some(field()),
                representative: Some(field()),
                phone: Some(field()),
                address: Some(field()),
            }),
            RawParticulars::File(file),
            RawParticulars::Person(RawPerson { name: field(), occupation: Some(field()), ..RawPerson::default() }),
        ] {
            let mut shown = format!("{raw:?}");
            match Particulars::new(raw, TODAY) {
                Ok(particulars) => shown += &format!("{particulars:?}"),
                Err(error) => shown += &format!("{error:?} {error} {:?}", error.text()),
            }
            prop_assert!(!shown.to_lowercase().contains(&marker.to_lowercase()), "{}", shown);
        }
    }
}
