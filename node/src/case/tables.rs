//! The replaceable tables of the case side: categories, remedies, papers, deadlines.
//!
//! They are compiled in: what a verdict depends on can't be a matter of a node's configuration, or
//! replicas would part. A city that has its own tables ships its own build of `data/case-tables.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::calendar::Term;
use crate::kind::catalog::Choice;
use crate::text::Text;

const BUILT_IN: &str = include_str!("../../data/case-tables.toml");

/// The tables.
#[derive(Debug)]
pub struct Tables {
    /// Version of the whole.
    pub version: u32,
    /// Is it the example that comes with the program?
    pub example: bool,
    /// 纠纷类别
    pub categories: Vec<Choice>,
    /// 救济途径
    pub remedies: Vec<Choice>,
    /// 卷宗材料
    pub papers: Vec<Choice>,
    /// 期限
    pub deadlines: Deadlines,
    terms: BTreeMap<String, Term>,
    supplied: BTreeMap<String, Vec<String>>,
    required: BTreeMap<String, Required>,
}

/// How long each step may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Deadlines {
    /// From registration to acceptance or refusal.
    pub decide: Term,
    /// From acceptance to the end of mediation.
    pub mediate: Term,
    /// From acceptance to assignment.
    pub assign: Term,
    /// From assignment to the mediator's confirmation.
    pub confirm_assignment: Term,
    /// From the agreement to the application for judicial confirmation.
    pub confirm_agreement: Term,
    /// From the agreement to the first follow-up visit.
    pub follow_up: Term,
    /// Each step of a transfer.
    pub route: Term,
    /// From the proposal of an escalation to its acceptance or return.
    pub escalate: Term,
    /// From the petition's registration to the report of the result.
    pub report_petition: Term,
    /// From closing to the report, where no petition stands behind the case.
    pub report: Term,
    /// From closing to archiving.
    pub archive: Term,
}

/// The papers that a result needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Required {
    result: String,
    close: Vec<String>,
    archive: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    example: bool,
    category: Vec<Row>,
    remedy: Vec<Row>,
    paper: Vec<Row>,
    required: Vec<Required>,
    deadlines: Deadlines,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Row {
    code: String,
    zh: String,
    en: String,
    term: Option<Term>,
    #[serde(default)]
    supplied_by: Vec<String>,
}

impl Tables {
    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let file: File = toml::from_str(text)?;
        let choices = |rows: &[Row]| {
            rows.iter()
                .map(|row| Choice {
                    code: row.code.clone(),
                    title: Text::new(&row.zh, &row.en),
                })
                .collect()
        };
        let mut supplied: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in &file.paper {
            for event in &row.supplied_by {
                supplied.entry(event.clone()).or_default().push(row.code.clone());
            }
        }
        Ok(Self {
            version: file.version,
            example: file.example,
            categories: choices(&file.category),
            remedies: choices(&file.remedy),
            papers: choices(&file.paper),
            deadlines: file.deadlines,
            terms: file
                .category
                .into_iter()
                .filter_map(|row| Some((row.code, row.term?)))
                .collect(),
            supplied,
            required: file
                .required
                .into_iter()
                .map(|required| (required.result.clone(), required))
                .collect(),
        })
    }

    /// How long mediation of a dispute of this category may take.
    pub fn mediation_term(&self, category: &str) -> Term {
        self.terms
            .get(category)
            .copied()
            .unwrap_or(self.deadlines.mediate)
    }

    /// The papers that an event of this type puts into the file.
    pub fn supplied_by(&self, event: &str) -> &[String] {
        self.supplied.get(event).map_or(&[], Vec::as_slice)
    }

    /// The papers without which a case with this result can't be closed.
    pub fn required_to_close(&self, result: &str) -> &[String] {
        self.required.get(result).map_or(&[], |required| &required.close)
    }

    /// The papers that must be there to archive it, besides those to close it.
    pub fn required_to_archive(&self, result: &str) -> &[String] {
        self.required
            .get(result)
            .map_or(&[], |required| &required.archive)
    }
}

/// The tables that come with the program.
pub fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> =
        LazyLock::new(|| Tables::parse(BUILT_IN).expect("the built-in tables are tested"));
    &TABLES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::events::{EventKind, Outcome};

    #[test]
    fn the_tables_hang_together() {
        let tables = tables();
        assert!(tables.example);
        assert_eq!(tables.categories.len(), 19);
        let paper = |code: &String| tables.papers.iter().any(|paper| paper.code == *code);
        for result in Outcome::ALL {
            let required = tables
                .required
                .get(result.code())
                .expect("papers for every result");
            assert!(
                required.close.iter().chain(&required.archive).all(paper),
                "{result:?}"
            );
        }
        for event in tables.supplied.keys() {
            assert!(EventKind::ALL.iter().any(|kind| kind.name() == event), "{event}");
        }
        assert_eq!(tables.mediation_term("medical"), Term::WorkingDays(30));
        assert_eq!(tables.mediation_term("labour"), Term::Days(15));
        assert_eq!(tables.mediation_term("from-a-newer-table"), Term::Days(30));
    }
}
