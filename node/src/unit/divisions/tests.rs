use super::*;

fn code(text: &str) -> UnitCode {
    text.parse().expect("a unit code")
}

#[test]
fn the_official_list_is_yulin() {
    let list = Divisions::official();
    let count = |level| list.iter().filter(|d| d.level() == level).count();
    assert_eq!(
        [Level::City, Level::County, Level::Town, Level::Village].map(count),
        [1, 7, 110, 1508]
    );
    let town = list.get(&code("450902001")).expect("listed");
    assert_eq!((town.name(), town.children().len()), ("玉城街道", 12));
    assert_eq!(town.parent(), Some(code("450902")));
    let village = list.require(&code("450902001001")).expect("listed");
    assert_eq!(village.name(), "东成社区居委会");
}

#[test]
fn an_unknown_unit_is_told_its_neighbours() {
    let error = Divisions::official()
        .require(&code("450902001099"))
        .expect_err("not listed");
    assert_eq!(
        error.to_string(),
        "unit 450902001099 is not in the division list; nearest: 450902001012 胜利垌社区居委会, \
         450902001011 清湾江社区居委会, 450902001010 东岳社区居委会, 450902001 玉城街道"
    );
}

#[test]
fn a_committee_is_known_where_its_county_is() {
    let list = Divisions::official();
    assert_eq!(list.require(&code("450902-01")).map(Division::name), Ok("玉州区"));
    assert!(list.require(&code("450999-01")).is_err());
    assert!(list.require(&code("4401-01")).is_err());
}

#[test]
fn names_resolve_when_they_name_one_unit() {
    let list = Divisions::official();
    assert_eq!(list.resolve("玉城街道"), Ok(code("450902001")));
    assert_eq!(list.resolve("东成社区"), Ok(code("450902001001")));
    assert_eq!(list.resolve(" 450902000000 "), Ok(code("450902")));
    assert_eq!(list.resolve("450902-07"), Ok(code("450902-07")));
    assert!(matches!(
        list.resolve("大塘村委会"),
        Err(ResolveUnitError::Ambiguous { .. })
    ));
    assert!(matches!(list.resolve("45090"), Err(ResolveUnitError::Code(_))));
    let Err(ResolveUnitError::Unknown(unknown)) = list.resolve("玉城镇") else {
        panic!("no such name")
    };
    assert!(unknown.to_string().contains("450902001 玉城街道"), "{unknown}");
    assert!(list.resolve("").is_err());
}

#[test]
fn errors_of_a_file_name_the_line() {
    let file = |lines: &str| Divisions::parse(format!("{HEADINGS}\n{lines}").as_bytes());
    let error = |lines: &str| file(lines).expect_err("wrong").to_string();
    assert!(file("450902000000,玉州区,county,\n450902001000,玉城街道,town,450902000000").is_ok());
    assert!(file("450902001,玉城街道,town,450902\n\n450902,玉州区,county,").is_ok());
    for (lines, expected) in [
        ("", "line 1: the list is empty"),
        ("4509,玉林市,city", "line 2: 3 columns"),
        (
            "4509,玉林市,city,\n45x9,甲,county,4509",
            "line 3: not a unit code",
        ),
        ("4509,玉林市,county,", "line 2: 4509 is a city, not a \"county\""),
        ("4509,,city,", "line 2: the name of 4509"),
        ("4509-01,甲,committee,4509", "line 2: 4509-01 is a committee"),
        (
            "4509,玉林市,city,\n4509,玉林市,city,",
            "line 3: 4509 is listed twice",
        ),
        (
            "450902,玉州区,county,4509",
            "line 2: the unit above 450902 is not in the list",
        ),
        (
            "4509,玉林市,city,\n450902,玉州区,county,4510",
            "line 3: the unit above 450902 is 4509, not \"4510\"",
        ),
    ] {
        let message = error(lines);
        assert!(message.contains(expected), "{lines:?}: {message}");
    }
    assert!(matches!(
        Divisions::parse(b"code,name\n"),
        Err(DivisionFileError {
            line: 1,
            problem: DivisionProblem::Headings
        })
    ));
    let gbk = [HEADINGS.as_bytes(), b"\n4509,\xd3\xf1\xc1\xd6,city,\n"].concat();
    assert!(matches!(
        Divisions::parse(&gbk),
        Err(DivisionFileError {
            line: 2,
            problem: DivisionProblem::Encoding
        })
    ));
    let marked = format!("\u{feff}{HEADINGS}\r\n4509,玉林市,city,\r\n");
    assert_eq!(Divisions::parse(marked.as_bytes()).map(|list| list.len()), Ok(1));
}

proptest::proptest! {
    #[test]
    fn no_file_and_no_name_panics(bytes: Vec<u8>, lines in "[0-9,a-z\n-]{0,200}", name in "\\PC{0,40}") {
        drop(Divisions::parse(&bytes));
        drop(Divisions::parse(format!("{HEADINGS}\n{lines}").as_bytes()));
        drop(Divisions::official().resolve(&name));
    }
}
