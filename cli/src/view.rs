//! Answers laid out for people.

mod bundle;
mod document;
mod flow;
mod history;
mod listing;
mod page;
mod people;
mod setup;
mod status;
mod sync;
mod verification;
mod words;

use std::path::Path;

use anjuan_node::service::view::Unit;
use serde::Serialize;

pub use page::Page;
pub use sync::states;

/// An answer that can be laid out.
pub trait View {
    /// Writes itself on the page.
    fn lay_out(&self, page: &mut Page<'_>);
}

/// An answer of which a part was written to a file.
#[derive(Debug, Serialize)]
pub struct Written<T> {
    /// The file.
    pub file: String,
    /// The answer.
    #[serde(flatten)]
    pub answer: T,
}

impl<T> Written<T> {
    /// `answer`, with what is in `file`.
    pub fn new(file: &Path, answer: T) -> Self {
        Self {
            file: file.display().to_string(),
            answer,
        }
    }
}

/// Code and name of a unit.
fn unit_name(unit: &Unit) -> String {
    if unit.name.is_empty() {
        unit.code.to_string()
    } else {
        format!("{} {}", unit.code, unit.name)
    }
}

/// The first digits of an id, enough to tell it apart and to type.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests;
