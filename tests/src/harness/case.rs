//! Work on cases, as operators of the stories do it.

use std::path::Path;

use serde_json::{Value, json};

use super::command::Anjuan;

/// The kind of document.
pub const CASE: &str = "case";
/// Handle of a committee's chair.
pub const CHAIR: &str = "chair";
/// Handle of a mediator.
pub const MEDIATOR: &str = "mediator";

/// Writes a file with two parties of these names, to be given as `--party`.
pub fn parties(file: &Path, names: [&str; 2]) {
    let party = |role: &str, name: &str| json!({"role": role, "kind": "person", "person": {"name": name, "phone": "13800138000"}});
    let parties = json!([party("applicant", names[0]), party("respondent", names[1])]);
    std::fs::write(file, parties.to_string()).expect("a file with parties");
}

impl Anjuan {
    /// Takes a dispute down; its document's id.
    #[track_caller]
    pub fn register(&self, operator: &str, parties: &Path, brief: &str) -> String {
        let parties = parties.to_str().expect("a path in UTF-8");
        let recorded = self.answer(&[
            "case",
            "register",
            "--as",
            operator,
            "--source",
            "applied",
            "--category",
            "neighbours",
            "--brief",
            brief,
            "--facts",
            "宅基地边界有争议",
            "--party",
            parties,
        ]);
        text(&recorded["document"])
    }

    /// A message on a case; the update's id.
    #[track_caller]
    pub fn message(&self, operator: &str, case: &str, message: &str) -> String {
        let recorded = self.answer(&["case", "message", case, "--as", operator, "--text", message]);
        text(&recorded["update"])
    }

    /// The case whole, as `show` tells it.
    #[track_caller]
    pub fn show(&self, case: &str) -> Value {
        self.answer(&["case", "show", case])
    }

    /// The ids of the updates of a case that count, in the order of the history.
    #[track_caller]
    pub fn counted(&self, case: &str) -> Vec<String> {
        let history = self.answer(&["case", "history", case]);
        let entries = history["entries"].as_array().into_iter().flatten();
        let counted =
            entries.filter(|entry| entry["standing"] == "counts" && entry["signature_valid"] == true);
        counted.map(|entry| text(&entry["update"])).collect()
    }

    /// Checks the store; panics with the faults if it does not hold.
    #[track_caller]
    pub fn verify(&self) -> Value {
        let verification = self.answer(&["verify"]);
        assert_eq!(verification["ok"], true, "{verification}");
        verification
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text in the answer").to_owned()
}
