//! Which stretch of a log to ask a peer for.

use crate::id::UpdateId;
use crate::log::LogState;

/// The stretch (first and last place) that may bring this log level with the peer's, after `tries`
/// attempts brought nothing; none if there is nothing to get, or no more to try.
///
/// A stretch that leads past the place where the chains part brings only what does not fit; the second
/// attempt therefore asks from the start. `stored` gives the id of the update stored at a place.
pub(crate) fn stretch<E>(
    mine: Option<&LogState>,
    theirs: &LogState,
    tries: u32,
    stored: impl FnOnce(u64) -> Result<Option<UpdateId>, E>,
) -> Result<Option<(u64, u64)>, E> {
    if mine == Some(theirs) || tries > 1 {
        return Ok(None);
    }
    let again = tries == 1;
    let to = match theirs {
        LogState::Whole(head) => head.seq,
        LogState::Forked { seq, .. } => *seq,
    };
    Ok(match (mine, theirs) {
        (None, _) if again => None,
        (None, _) => Some((1, to)),
        (Some(LogState::Whole(head)), _) if head.seq < to => Some((if again { 1 } else { head.seq + 1 }, to)),
        (Some(LogState::Whole(_)), LogState::Forked { .. }) => Some((if again { 1 } else { to }, to)),
        (Some(LogState::Whole(_)), LogState::Whole(head)) => {
            // Theirs is the beginning of mine, or the chains part at or before its end.
            let extended = again || stored(head.seq)? == Some(head.id);
            (!extended).then_some((1, to))
        }
        (Some(LogState::Forked { seq, .. }), LogState::Whole(head)) if head.seq < *seq => {
            let extended = again || stored(head.seq)? == Some(head.id);
            (!extended).then_some((1, to))
        }
        // They may hold better evidence of the fork, or part from us before it.
        (Some(LogState::Forked { seq, .. }), _) => {
            let at = to.min(*seq);
            Some((if again { 1 } else { at }, at))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::log::Head;

    fn id(byte: u8) -> UpdateId {
        UpdateId::from_bytes([byte; 32])
    }

    fn whole(seq: u64, byte: u8) -> LogState {
        LogState::Whole(Head { seq, id: id(byte) })
    }

    fn forked(seq: u64, first: u8) -> LogState {
        LogState::Forked {
            seq,
            first: id(first),
            second: id(first + 1),
        }
    }

    #[test]
    fn each_pair_of_states_has_its_stretch() {
        let ask = |mine: Option<LogState>, theirs: LogState, tries| {
            let stored = |seq| Ok::<_, Infallible>(Some(id(seq as u8)));
            let Ok(stretch) = stretch(mine.as_ref(), &theirs, tries, stored);
            stretch
        };
        assert_eq!(ask(None, whole(9, 9), 0), Some((1, 9)));
        assert_eq!(ask(None, whole(9, 9), 1), None);
        assert_eq!(ask(None, forked(4, 1), 0), Some((1, 4)));
        assert_eq!(ask(Some(whole(5, 5)), whole(9, 9), 0), Some((6, 9)));
        assert_eq!(ask(Some(whole(5, 5)), whole(9, 9), 1), Some((1, 9)));
        assert_eq!(ask(Some(whole(5, 5)), whole(9, 9), 2), None);
        assert_eq!(
            ask(Some(whole(9, 9)), whole(5, 5), 0),
            None,
            "theirs is the beginning of mine"
        );
        assert_eq!(ask(Some(whole(9, 9)), whole(5, 77), 0), Some((1, 5)));
        assert_eq!(ask(Some(whole(5, 5)), whole(5, 5), 0), None);
        assert_eq!(ask(Some(whole(9, 9)), forked(4, 1), 0), Some((4, 4)));
        assert_eq!(ask(Some(whole(2, 2)), forked(4, 1), 0), Some((3, 4)));
        assert_eq!(ask(Some(forked(4, 1)), whole(3, 3), 0), None);
        assert_eq!(ask(Some(forked(4, 1)), whole(9, 9), 0), Some((4, 4)));
        assert_eq!(ask(Some(forked(4, 1)), forked(3, 1), 0), Some((3, 3)));
        assert_eq!(ask(Some(forked(4, 1)), forked(4, 2), 0), Some((4, 4)));
        assert_eq!(ask(Some(forked(4, 1)), forked(4, 2), 1), Some((1, 4)));
    }
}
