//! Checks of plausibility: what looks unlike honest work, worded as a question to ask. None of it is a guilt,
//! and none bears on the verdict: a night shift, a market day or a form letter explains most of it.

mod facts;
mod likeness;

use std::collections::{BTreeMap, BTreeSet};

use anjuan_sync::{DocumentId, Timestamp};
use serde::Serialize;

use self::facts::CaseFacts;
pub(super) use self::facts::Facts;
use crate::text;
use crate::text::Text;

const DAY: i64 = 24 * 3_600_000;
/// Documents that a question names; more are counted.
const MAX_NAMED: usize = 20;
/// Questions of one code.
const MAX_EACH: usize = 50;
/// Cases registered by one person on one day from which on it is a burst, if it is also
/// [`OUT_OF_LINE`] times the person's median day.
const BURST: u64 = 8;
/// Cases of one unit from which on its volume is compared with its neighbours', and how many times their
/// median is out of line.
const VOLUME: u64 = 20;
const OUT_OF_LINE: u64 = 4;
/// Share of what somebody recorded between 22:00 and 6:00 that is asked about, of at least so many.
const ODD_SHARE: (u64, u64) = (1, 3);
const ODD_LEAST: u64 = 6;

/// A question to ask, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// What kind of question. Stable.
    pub code: &'static str,
    /// The figures that it rests on.
    pub figures: Text,
    /// What to ask.
    pub ask: Text,
    /// The documents that it is about, at most 20.
    pub documents: Vec<String>,
    /// How many more there are.
    pub more: u64,
}

/// Gathers questions, those of one code within bounds.
#[derive(Default)]
struct Asked(BTreeMap<&'static str, Vec<Question>>);

impl Asked {
    fn add(
        &mut self,
        code: &'static str,
        figures: Text,
        ask: Text,
        documents: impl IntoIterator<Item = DocumentId>,
    ) {
        let questions = self.0.entry(code).or_default();
        if questions.len() >= MAX_EACH {
            return;
        }
        let all: Vec<DocumentId> = documents.into_iter().collect();
        questions.push(Question {
            code,
            figures,
            ask,
            more: all.len().saturating_sub(MAX_NAMED) as u64,
            documents: all.iter().take(MAX_NAMED).map(ToString::to_string).collect(),
        });
    }
}

/// The questions that the documents raise as of an instant.
pub(super) fn ask(facts: Facts, as_of: Timestamp) -> Vec<Question> {
    let mut asked = Asked::default();
    for case in &facts.cases {
        of_case(case, &mut asked);
    }
    of_people(&facts, &mut asked);
    of_papers(&facts, as_of, &mut asked);
    of_units(&facts, &mut asked);
    of_texts(&facts, &mut asked);
    asked.0.into_values().flatten().collect()
}

fn of_case(case: &CaseFacts, asked: &mut Asked) {
    if let Some(closed) = case.closed
        && let took = closed.as_millis() - case.opened.as_millis()
        && took < DAY
    {
        let hours = took.max(0) / 3_600_000;
        let minutes = took.max(0) / 60_000 % 60;
        asked.add(
            "closed-within-a-day",
            text!(
                "登记到结案 {hours} 小时 {minutes} 分",
                "from registration to closing {hours} h {minutes} min"
            ),
            Text::new(
                "纠纷是否另有较早的处理?谁在场?",
                "Was the dispute dealt with earlier, and who was there?",
            ),
            [case.document],
        );
    }
    if let (Some(performed), Some(agreed)) = (case.performed_on, case.agreed_on)
        && performed < agreed
    {
        asked.add(
            "performed-before-agreed",
            text!(
                "回访记载 {performed} 已履行,协议日期为 {agreed}",
                "performed by {performed}, agreed on {agreed}"
            ),
            Text::new("协议是否事后补做?", "Was the agreement written down afterwards?"),
            [case.document],
        );
    }
    if let (Some(performed), Some(session)) = (case.performed_on, case.first_session)
        && performed < session
    {
        asked.add(
            "performed-before-mediated",
            text!(
                "回访记载 {performed} 已履行,首次调解为 {session}",
                "performed by {performed}, first session on {session}"
            ),
            Text::new(
                "调解是否在纠纷已了之后才记录?",
                "Was mediation recorded after the dispute was settled?",
            ),
            [case.document],
        );
    }
    if case.closed.is_some() && case.missing_papers > 0 {
        let missing = case.missing_papers;
        asked.add(
            "missing-papers",
            text!(
                "已结案,归档所需材料尚缺 {missing} 种",
                "closed, and {missing} of the papers that the archive needs are missing"
            ),
            Text::new("材料在哪里?", "Where are they?"),
            [case.document],
        );
    }
    if case.changed_after_closing > 0 {
        let changed = case.changed_after_closing;
        asked.add(
            "changed-after-closing",
            text!(
                "结案后更正或补充 {changed} 次",
                "corrected or added to {changed} times after closing"
            ),
            Text::new(
                "更正了什么,依据是什么?",
                "What was corrected, and on what ground?",
            ),
            [case.document],
        );
    }
    if let Some(days) = case.slowest_days {
        asked.add(
            "recorded-late",
            text!(
                "会议日期之后 {days} 天才记录",
                "recorded {days} days after the day it is said to have happened"
            ),
            Text::new(
                "为何隔这么久才记录?原始记录何在?",
                "Why so late, and where are the notes made at the time?",
            ),
            [case.document],
        );
    }
}

fn of_people(facts: &Facts, asked: &mut Asked) {
    let name = |key| facts.labels.get(key).cloned().unwrap_or_default();
    for (key, hours) in &facts.hours {
        let (odd, all) = (hours.odd, hours.all);
        if odd >= ODD_LEAST && odd * ODD_SHARE.1 >= all * ODD_SHARE.0 {
            let name = name(key);
            asked.add(
                "odd-hours",
                text!(
                    "{name}:{all} 条记录中 {odd} 条自称在 22 时至 6 时之间",
                    "{name}: {odd} of {all} records claim a time between 22:00 and 6:00"
                ),
                Text::new(
                    "这些时间如何解释?设备时钟是否准确?",
                    "What explains these hours? Is the clock of the machine right?",
                ),
                [],
            );
        }
    }
    for (key, days) in &facts.registered {
        let mut counts: Vec<u64> = days.values().map(|cases| cases.len() as u64).collect();
        counts.sort_unstable();
        let median = counts[(counts.len() - 1) / 2];
        for (day, cases) in days {
            let count = cases.len() as u64;
            if count >= BURST && count >= OUT_OF_LINE * median {
                let name = name(key);
                asked.add(
                    "burst",
                    text!(
                        "{name} 在 {day} 登记 {count} 件,平日中位数 {median} 件",
                        "{name} registered {count} cases on {day}; the median day has {median}"
                    ),
                    Text::new(
                        "是集中补录,还是集中发生?",
                        "Were they entered together, or did they happen together?",
                    ),
                    cases.iter().copied(),
                );
            }
        }
    }
    for ((key, day), places) in &facts.sessions {
        if places.len() > 1 {
            let (name, count) = (name(key), places.len());
            let listed: Vec<&str> = places.keys().map(String::as_str).collect();
            let listed = listed.join(", ");
            asked.add(
                "two-places",
                text!(
                    "{name} 在 {day} 于 {count} 处调解:{listed}",
                    "{name} held sessions in {count} places on {day}: {listed}"
                ),
                Text::new(
                    "一天之内是否都到了场?",
                    "Was the mediator at all of them that day?",
                ),
                places.values().flatten().copied().collect::<BTreeSet<_>>(),
            );
        }
    }
    // Without a register in the bundle nothing can be said.
    if !facts.on_register.is_empty() {
        for (key, cases) in facts
            .mediated
            .iter()
            .filter(|(key, _)| !facts.on_register.contains(key))
        {
            let (name, count) = (name(key), cases.len());
            asked.add(
                "unregistered-mediator",
                text!(
                    "{name} 主持 {count} 件调解,登记册中没有其密钥",
                    "{name} held sessions in {count} cases; the register has no entry with his key"
                ),
                Text::new("是否备案?何时备案?", "Is he on the register, and since when?"),
                cases.iter().copied(),
            );
        }
    }
}

fn of_papers(facts: &Facts, as_of: Timestamp, asked: &mut Asked) {
    for (commitment, cases) in facts.evidence.iter().filter(|(_, cases)| cases.len() > 1) {
        let (short, count) = (commitment.get(..12).unwrap_or(commitment), cases.len());
        asked.add(
            "same-evidence",
            text!(
                "同一密封材料 {short}… 出现在 {count} 个案卷",
                "one sealed item, {short}…, is in {count} documents"
            ),
            Text::new(
                "是同一纠纷,还是一证多用?",
                "Is it one dispute, or one paper used for several?",
            ),
            cases.iter().copied(),
        );
    }
    for erased in &facts.erased {
        let days = (as_of.as_millis() - erased.at.as_millis()) / DAY;
        if (0..=30).contains(&days) {
            let (name, basis) = (&erased.by, &erased.basis);
            asked.add(
                "erased-before-audit",
                text!(
                    "核验前 {days} 天由 {name} 删除(依据:{basis})",
                    "erased by {name} {days} days before the audit (basis: {basis})"
                ),
                Text::new(
                    "法定依据的原件在哪里?相关案件是否正在申领补贴?",
                    "Where is the paper behind that basis? Is a claim open on this case?",
                ),
                [erased.document],
            );
        }
    }
}

/// A unit's volume against that of the units under the same one.
fn of_units(facts: &Facts, asked: &mut Asked) {
    let mut families: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (unit, count) in &facts.volume {
        if let Some(parent) = unit.parent() {
            families.entry(parent).or_default().push((unit, *count));
        }
    }
    for family in families.values().filter(|family| family.len() >= 4) {
        let mut counts: Vec<u64> = family.iter().map(|(_, count)| *count).collect();
        counts.sort_unstable();
        let median = counts[counts.len() / 2];
        for (unit, count) in family
            .iter()
            .filter(|(_, count)| *count >= VOLUME && *count > OUT_OF_LINE * median)
        {
            asked.add(
                "volume-out-of-line",
                text!(
                    "{unit}:{count} 件,同级中位数 {median} 件",
                    "{unit}: {count} cases; the median of its neighbours is {median}"
                ),
                Text::new("当地有何不同?", "What is different there?"),
                [],
            );
        }
    }
}

fn of_texts(facts: &Facts, asked: &mut Asked) {
    for group in likeness::alike(&facts.texts) {
        let count = group.len();
        asked.add(
            "near-identical-texts",
            text!(
                "{count} 个案卷的事实和调解记录文字几乎相同",
                "facts and records of {count} cases are in nearly the same words"
            ),
            Text::new(
                "是套用文本,还是重复登记?",
                "Is it a form that was copied, or one dispute entered again?",
            ),
            group,
        );
    }
}
