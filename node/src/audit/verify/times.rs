//! When updates were recorded: what witnesses saw before and after each.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use anjuan_sync::Timestamp;

use super::Auditor;
use super::journal::{Journal, Shown, place};
use super::witnessed::{Checkpoints, Seen, Witnessed};
use crate::audit::report::{Check, Findings, moment};
use crate::audit::scope::Header;
use crate::evidence::bracket::{Bracket, Judgement};
use crate::evidence::cosignature::Seconds;
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;

const DAY: i64 = 24 * 3_600_000;

/// Between which instants each update was recorded.
#[derive(Debug)]
pub(super) struct Times {
    /// In the order of [`Journal::updates`].
    pub(super) brackets: Vec<Bracket>,
    /// The instant as of which the bundle is judged.
    pub(super) as_of: Timestamp,
    pub(super) witnessed_until: Option<Timestamp>,
    /// Updates without a lower bound.
    pub(super) unbounded: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            brackets: Vec::new(),
            as_of: Timestamp::EARLIEST,
            witnessed_until: None,
            unbounded: 0,
        }
    }
}

/// For authors of one unit: from each checkpoint on, the earliest time by which enough witnesses saw it.
fn latest_possible(good: &[Witnessed], author: &UnitCode, quorum: NonZeroUsize) -> Vec<Option<Timestamp>> {
    let mut bounds = vec![None; good.len()];
    let mut best: Option<Timestamp> = None;
    for (bound, one) in bounds.iter_mut().zip(good).rev() {
        let mut times: Vec<_> = foreign(&one.witnesses, author).collect();
        times.sort();
        let time = times.get(quorum.get() - 1).map(|time| time.last());
        best = best.into_iter().chain(time).min();
        *bound = best;
    }
    bounds
}

/// The times of witnesses of other units than the author's.
fn foreign<'a>(seen: &'a Seen, author: &'a UnitCode) -> impl Iterator<Item = Seconds> + 'a {
    seen.iter()
        .filter(move |(unit, _)| unit != author)
        .map(|(_, time)| *time)
}

pub(super) fn judge_times(
    journal: &Journal,
    checkpoints: &Checkpoints,
    header: &Header,
    auditor: &Auditor<'_>,
    findings: &mut Findings,
) -> Times {
    let policy = auditor.policy;
    let quorum = policy.quorum().unwrap_or(NonZeroUsize::MIN);
    let mut newest = header.made_at;
    let foreign_checkpoints = checkpoints.foreign();
    let good = checkpoints.good();
    let all_seen = good
        .iter()
        .map(|one| &one.witnesses)
        .chain(foreign_checkpoints.values().flatten());
    for (_, time) in all_seen.flatten() {
        newest = newest.max(time.first());
    }
    let sound = || journal.updates().iter().filter(|shown| shown.is_sound);
    newest = sound().map(|shown| shown.claimed).fold(newest, Timestamp::max);
    let mut times = Times {
        brackets: Vec::with_capacity(journal.updates().len()),
        as_of: auditor.as_of.unwrap_or(newest),
        witnessed_until: checkpoints.until(),
        unbounded: 0,
    };
    let mut bounds: BTreeMap<UnitCode, Vec<Option<Timestamp>>> = BTreeMap::new();
    for shown in journal.updates() {
        let certified = journal.credentials.certificate(shown.certificate);
        let Some(certified) = certified.filter(|_| shown.is_sound) else {
            times.brackets.push(Bracket::default());
            continue;
        };
        findings.look(Check::Brackets);
        let author = certified.certificate().unit();
        let named = shown.bracket.map(|digest| foreign_checkpoints.get(&digest));
        let named = match named {
            Some(Some(Some(seen))) => Some(seen),
            Some(_) => {
                findings.gap(
                    Check::Brackets,
                    place(shown.position),
                    Text::new(
                        "签名头所带的检查点不成立",
                        "the checkpoint that the header carries does not hold",
                    ),
                );
                None
            }
            None => None,
        };
        let not_before = named.and_then(|seen| {
            let mut times: Vec<_> = foreign(seen, author).collect();
            times.sort_by(|a, b| b.cmp(a));
            times.get(quorum.get() - 1).map(|time| time.first())
        });
        if !bounds.contains_key(author) {
            bounds.insert(author.clone(), latest_possible(good, author, quorum));
        }
        let after = good.partition_point(|one| one.size <= shown.position);
        let bracket = Bracket {
            not_before,
            not_after: bounds[author].get(after).copied().flatten(),
        };
        times.unbounded += u64::from(not_before.is_none());
        judge(shown, &bracket, auditor, times.as_of, findings);
        times.brackets.push(bracket);
    }
    if let (Some(days), Some(until)) = (policy.fresh_days, times.witnessed_until)
        && times.as_of.as_millis() - until.as_millis() > i64::from(days) * DAY
    {
        let until = moment(until);
        findings.gap(
            Check::Witnesses,
            "journal",
            text!(
                "最近一次足够的见证在 {until},早于政策所许的 {days} 天",
                "enough witnesses last vouched at {until}, longer ago than the {days} days that the policy allows"
            ),
        );
    }
    times
}

fn judge(shown: &Shown, bracket: &Bracket, auditor: &Auditor<'_>, as_of: Timestamp, findings: &mut Findings) {
    let policy = auditor.policy;
    let claimed = moment(shown.claimed);
    let at = || format!("{} (update {})", place(shown.position), shown.id.short());
    match bracket.judge(shown.claimed, policy.tolerance()) {
        Judgement::ClaimedBefore { by } => {
            let Text { zh, en } = duration(by);
            findings.forged(
                Check::Brackets,
                at(),
                text!(
                    "自称记录于 {claimed},但签名头带有更晚的见证:至少倒签 {zh}",
                    "claims to be of {claimed}, and its header carries what witnesses signed later: backdated by {en} at least"
                ),
            );
        }
        Judgement::ClaimedAfter { by } => {
            let Text { zh, en } = duration(by);
            findings.forged(
                Check::Brackets,
                at(),
                text!(
                    "自称记录于 {claimed},而见证人此前已见到它:至少提前签署 {zh}",
                    "claims to be of {claimed}, and witnesses had seen it before: postdated by {en} at least"
                ),
            );
        }
        Judgement::Contradictory => findings.gap(
            Check::Brackets,
            at(),
            Text::new(
                "见证的上下限互相矛盾:某见证人时钟有误",
                "the bounds exclude each other: the clock of a witness is wrong",
            ),
        ),
        Judgement::Inside | Judgement::HalfOpen | Judgement::Unbracketed => {
            let late = bracket
                .not_after
                .map(|not_after| not_after.as_millis() - shown.claimed.as_millis());
            if let Some(late) = late.filter(|late| *late > i64::from(policy.prompt_days) * DAY) {
                let Text { zh, en } = duration(late.unsigned_abs());
                findings.gap(
                    Check::Brackets,
                    at(),
                    text!(
                        "自称记录于 {claimed},{zh} 后才首次得到见证:可能是长期离线,也可能是事后补入",
                        "claims to be of {claimed}, and was first witnessed {en} later: the node was long without a link, or it was inserted afterwards"
                    ),
                );
            }
        }
    }
    let ahead = shown.claimed.as_millis() - as_of.as_millis();
    if ahead > 0 && ahead.unsigned_abs() > policy.tolerance() {
        findings.gap(
            Check::Brackets,
            at(),
            text!(
                "自称记录于 {claimed},晚于核验所据时间",
                "claims to be of {claimed}, after the instant as of which it is judged"
            ),
        );
    }
}

/// A length of time for people, in its largest unit.
fn duration(millis: u64) -> Text {
    let minutes = millis / 60_000;
    let (count, zh, en) = match (minutes / 1440, minutes / 60) {
        (0, 0) => (minutes, "分钟", "minute"),
        (0, hours) => (hours, "小时", "hour"),
        (days, _) => (days, "天", "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    text!("{count} {zh}", "{count} {en}{plural}")
}
