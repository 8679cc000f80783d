//! The stages of a case in a row (流程).

use anjuan_node::case::state::Stage;
use anjuan_node::text::Text;

/// The way of a case that goes well.
const MAIN: &[Stage] = &[
    Stage::Registered,
    Stage::Accepted,
    Stage::Assigned,
    Stage::InHand,
    Stage::Prepared,
    Stage::Verified,
    Stage::Mediating,
    Stage::Agreed,
    Stage::Closed,
    Stage::Archived,
];

/// The stages on the way of a case that is in the stage of this code, and where on it that is. `None` for a
/// code that no case has.
pub(super) fn flow(code: &str) -> Option<(Vec<Text>, usize)> {
    let stage = *Stage::ALL.iter().find(|stage| stage.code() == code)?;
    let way: Vec<Stage> = match stage {
        Stage::Declined => vec![Stage::Registered, stage],
        Stage::Received => vec![
            stage,
            Stage::Accepted,
            Stage::Assigned,
            Stage::Mediating,
            Stage::Closed,
        ],
        Stage::Rejected => vec![Stage::Received, stage],
        Stage::Transferred => vec![Stage::Registered, Stage::Accepted, stage],
        Stage::Failed | Stage::Withdrawn | Stage::Guided => MAIN
            .iter()
            .map(|main| if *main == Stage::Agreed { stage } else { *main })
            .collect(),
        _ => MAIN.to_vec(),
    };
    let current = way.iter().position(|on| *on == stage)?;
    Some((way.iter().map(|stage| stage.title()).collect(), current))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_stands_on_its_own_way() {
        for stage in Stage::ALL.iter().filter(|stage| **stage != Stage::Unopened) {
            let (way, current) = flow(stage.code()).expect("a known stage");
            assert_eq!(way[current], stage.title());
        }
        assert_eq!(flow("from-a-newer-version"), None);
    }
}
