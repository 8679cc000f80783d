//! What counts in a history that several people wrote at once: the same for every kind of document.
//!
//! A history is a partial order. Every entry is judged by its kind's rules against the state that its author
//! could see: the fold of its own causal past. That judgement depends on nothing that comes later. Then, in
//! the fold of any set of entries that holds the past of each of its members:
//!
//! - A **note** (a message, a paper) counts if it was allowed.
//! - A **step** (a session, an investigation) and a **decision** (what moves stage or ownership) count if
//!   they were allowed and all decisions that they rest on count: those that counted for their author.
//! - Two allowed decisions that exclude one another, neither in the other's past, are **contested** as long
//!   as both would otherwise count. Neither counts, nor does what rests on them; the state before them holds.
//! - A **resolution** names one contested entry and drops those that exclude it, together with what rests on
//!   them. Two resolutions that contradict one another, neither in the other's past, are contested in turn,
//!   and the conflict stays open until somebody who saw both decides.
//!
//! While its author sees an open conflict, no decision is allowed but a resolution (and what a person is
//! free to do at any time: a party may always withdraw).
//!
//! Order among entries that do not know of each other is by size of the causal past, then update id. Both
//! are the entry's own, so neither the order of arrival nor the order of the slice has any influence, and
//! what a part of a history comes to is the same on every replica that holds it.
//!
//! **Stable**, whatever arrives later (the certificates' judgement being the same): whether an entry was
//! allowed; that an entry dropped by a resolution stays dropped as long as that resolution counts; and any
//! verdict on an entry all of whose rivals and resolutions are known. An entry that counts can become
//! contested only by a decision of somebody who did not know of it.

mod outcome;
mod status;

use std::collections::{BTreeMap, HashMap};

use anjuan_sync::{Space, UpdateId};
use serde_json::{Map, Value};

use self::status::Status;
use super::field::Fault;
use super::positions::Positions;
use super::{Conflict, Entry, History, Verdict};
use crate::authority::role::Role;
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;

/// How much an event moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Stands on its own: excludes nothing, rests on nothing.
    Note,
    /// Excludes nothing, but rests on the decisions before it.
    Step,
    /// Moves stage or ownership.
    Decision,
}

/// An event that names another entry of the same document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Keeps this contested entry.
    Keeps(UpdateId),
    /// Adopts the event of this entry, which does not count.
    Adopts(UpdateId),
}

/// One act to be judged or applied.
#[derive(Debug)]
pub struct Act<'a, E> {
    /// Position in the history.
    pub index: usize,
    /// The entry: who signed, and when.
    pub entry: &'a Entry,
    /// The event. Of an adoption: the adopted one.
    pub event: &'a E,
    /// Is this the content of another entry, adopted by this one?
    pub adopted: bool,
    /// Every entry, to look up one that an event names.
    pub history: &'a History,
}

impl<E> Clone for Act<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Act<'_, E> {}

/// What a kind says of its events.
pub trait Rules {
    /// An event, valid in itself.
    type Event;
    /// What counted events come to.
    type State: Clone;

    /// The state before the first event.
    fn blank(&self, space: &Space) -> Self::State;

    /// The event in `map`; `None` for a type that this program does not know.
    fn parse(&self, map: &Map<String, Value>) -> Result<Option<Self::Event>, Fault>;

    /// What the event is called.
    fn title(&self, event: &Self::Event) -> Text;

    /// How much it moves.
    fn weight(&self, event: &Self::Event) -> Weight;

    /// The entry that it names, if it is a resolution or an adoption.
    fn reference(&self, event: &Self::Event) -> Option<Reference>;

    /// Are two decisions one and the same?
    fn same(&self, a: &Self::Event, b: &Self::Event) -> bool;

    /// Can two decisions, neither knowing of the other, not both hold?
    fn excludes(&self, a: &Self::Event, b: &Self::Event) -> bool;

    /// May it be decided even while a conflict is open?
    fn is_free(&self, event: &Self::Event) -> bool;

    /// The unit, and the role there, that decides a conflict.
    fn decides(&self, state: &Self::State) -> (UnitCode, Role);

    /// May this be done, by this signer, in this state?
    fn judge(&self, act: Act<'_, Self::Event>, state: &Self::State) -> Result<(), Text>;

    /// Takes an event that counts into the state. Must accept any event in any state: of two events that
    /// did not know of each other, the second may find a state that it would not have been allowed in.
    fn apply(&self, act: Act<'_, Self::Event>, state: &mut Self::State);
}

/// What a history comes to.
#[derive(Debug)]
pub struct Outcome<S> {
    /// One verdict for each entry, in the order of the history.
    pub verdicts: Vec<Verdict>,
    /// The fold of what counts.
    pub state: S,
    /// Conflicts, open ones first.
    pub conflicts: Vec<Conflict>,
    /// The record fields, last writer in canonical order, of what counts.
    pub record: BTreeMap<String, Value>,
}

/// Folds `history` by `rules`.
pub fn fold<R: Rules>(rules: &R, history: &History) -> Outcome<R::State> {
    Fold::new(rules, history).run()
}

/// What an entry is by itself.
enum Own {
    Quarantined,
    Unknown,
    Void(Text),
    Allowed(Weight),
}

/// An entry, judged in its author's view.
struct Judged {
    own: Own,
    /// Whose event it carries: its own position, or that of the entry it adopts.
    carries: usize,
    /// The decisions that counted in its author's view.
    basis: Positions,
    /// Of a resolution: what it keeps.
    keeps: Option<usize>,
    /// Of a resolution: what it drops.
    drops: Positions,
}

/// The fold of a set of entries that holds the past of each of its members.
#[derive(Clone)]
struct View<S> {
    members: Positions,
    status: Status,
    state: S,
}

/// By how many entries a view is still needed, and the view, once it was had.
type Wanted<S> = (usize, Option<View<S>>);

struct Fold<'a, R: Rules> {
    rules: &'a R,
    history: &'a History,
    /// `None` where the type is unknown.
    events: Vec<Result<Option<R::Event>, Fault>>,
    /// Canonical order.
    order: Vec<usize>,
    /// By position; filled in canonical order.
    judged: Vec<Option<Judged>>,
    /// Pairs of allowed entries that exclude one another.
    rivals: Vec<(usize, usize)>,
    /// Allowed resolutions, in canonical order.
    resolutions: Vec<usize>,
    /// The fold of all entries judged so far, as long as it is had for nothing: in a history without forks
    /// it is the view of every next author.
    running: Option<View<R::State>>,
    /// The views of authors who did not know everything before them in canonical order, and how many still
    /// need each.
    views: HashMap<Positions, Wanted<R::State>>,
}

impl<'a, R: Rules> Fold<'a, R> {
    fn new(rules: &'a R, history: &'a History) -> Self {
        let entries = &history.entries;
        let bound = entries.len();
        let mut order: Vec<usize> = (0..bound).collect();
        order.sort_by_key(|i| (entries[*i].past.len(), entries[*i].update));
        let mut views = HashMap::new();
        for (place, i) in order.iter().enumerate() {
            if entries[*i].past.len() != place {
                views.entry(entries[*i].past.clone()).or_insert((0, None)).0 += 1;
            }
        }
        let nothing = View {
            members: Positions::none(),
            status: Status::none(),
            state: rules.blank(&history.space),
        };
        Self {
            rules,
            history,
            events: entries
                .iter()
                .map(|entry| rules.parse(&entry.content.event))
                .collect(),
            order,
            judged: (0..bound).map(|_| None).collect(),
            rivals: Vec::new(),
            resolutions: Vec::new(),
            running: Some(nothing),
            views,
        }
    }

    fn run(mut self) -> Outcome<R::State> {
        for (place, i) in self.order.clone().into_iter().enumerate() {
            let knew_all = self.history.entries[i].past.len() == place;
            if knew_all {
                let view = self.take_running(i);
                let judged = self.judge(i, &view);
                self.enter(i, judged);
                self.running = self.extended(view, i);
            } else {
                self.running = None;
                let view = self.view(i);
                let judged = self.judge(i, &view);
                self.enter(i, judged);
                self.keep_extended(view, i);
            }
        }
        let view = match self.running.take() {
            Some(view) => view,
            None => self.fold_members(Positions::all(self.history.entries.len())),
        };
        self.outcome(view)
    }

    /// The view of entry `i`, whose author knew all that comes before it. Kept for those who knew just as
    /// much, and stand behind it in canonical order.
    fn take_running(&mut self, i: usize) -> View<R::State> {
        let view = match self.running.take() {
            Some(view) => view,
            None => self.fold_members(self.past(i).clone()),
        };
        if let Some((1.., kept)) = self.views.get_mut(&view.members) {
            kept.get_or_insert_with(|| view.clone());
        }
        view
    }

    /// The view of entry `i`, whose author did not know all that comes before it.
    fn view(&mut self, i: usize) -> View<R::State> {
        if let Some((uses, kept)) = self.views.get_mut(&self.history.entries[i].past) {
            *uses -= 1;
            let found = if *uses == 0 { kept.take() } else { kept.clone() };
            if let Some(view) = found {
                return view;
            }
        }
        let view = self.fold_members(self.past(i).clone());
        if let Some((1.., kept)) = self.views.get_mut(&view.members) {
            *kept = Some(view.clone());
        }
        view
    }

    /// `view`, of the author of entry `i`, with that entry: one step, where a fold of everything would come
    /// to the same. A resolution changes what counts before it, so there it would not.
    fn extended(&self, mut view: View<R::State>, i: usize) -> Option<View<R::State>> {
        view.members.insert(i);
        if let Own::Allowed(weight) = self.judged(i).own {
            if self.judged(i).keeps.is_some() {
                return None;
            }
            view.status.counts(i, weight);
            self.rules.apply(self.act(i), &mut view.state);
        }
        Some(view)
    }

    fn keep_extended(&mut self, view: View<R::State>, i: usize) {
        let mut members = view.members.clone();
        members.insert(i);
        if let Some((1.., None)) = self.views.get(&members) {
            let extended = self.extended(view, i);
            if let Some((_, kept)) = self.views.get_mut(&members) {
                *kept = extended;
            }
        }
    }

    fn enter(&mut self, i: usize, judged: Judged) {
        self.note_rivals(i, &judged);
        self.judged[i] = Some(judged);
    }

    fn fold_members(&self, members: Positions) -> View<R::State> {
        let status = self.settle(&members);
        let mut state = self.rules.blank(&self.history.space);
        for i in self.order.iter().copied().filter(|i| status.counted.has(*i)) {
            self.rules.apply(self.act(i), &mut state);
        }
        View {
            members,
            status,
            state,
        }
    }

    fn past(&self, i: usize) -> &'a Positions {
        &self.history.entries[i].past
    }

    fn judged(&self, i: usize) -> &Judged {
        self.judged[i]
            .as_ref()
            .expect("entries are judged before anything that has them in its past")
    }

    fn event(&self, i: usize) -> Option<&R::Event> {
        self.events[i].as_ref().ok()?.as_ref()
    }

    /// The allowed entry `i` as an act.
    fn act(&self, i: usize) -> Act<'_, R::Event> {
        let carries = self.judged(i).carries;
        self.act_of(i, carries)
            .expect("an allowed entry carries an event")
    }

    fn act_of(&self, i: usize, carries: usize) -> Option<Act<'_, R::Event>> {
        Some(Act {
            index: i,
            entry: &self.history.entries[i],
            event: self.event(carries)?,
            adopted: carries != i,
            history: self.history,
        })
    }

    fn judge(&self, i: usize, view: &View<R::State>) -> Judged {
        let mut judged = Judged {
            own: Own::Unknown,
            carries: i,
            basis: view.status.decisions.clone(),
            keeps: None,
            drops: Positions::none(),
        };
        judged.own = if self.history.entries[i].quarantined.is_some() {
            Own::Quarantined
        } else {
            match &self.events[i] {
                Err(fault) => Own::Void(fault.text()),
                Ok(None) => Own::Unknown,
                Ok(Some(event)) => match self.judge_event(i, event, view, &mut judged) {
                    Ok(weight) => Own::Allowed(weight),
                    Err(reason) => Own::Void(reason),
                },
            }
        };
        judged
    }

    fn judge_event(
        &self,
        i: usize,
        event: &R::Event,
        view: &View<R::State>,
        judged: &mut Judged,
    ) -> Result<Weight, Text> {
        match self.rules.reference(event) {
            Some(Reference::Adopts(update)) => judged.carries = self.adoptable(i, update, view)?,
            Some(Reference::Keeps(update)) => {
                let kept = self.find(i, update).filter(|kept| view.status.is_choice(*kept));
                let kept = kept.ok_or_else(|| match view.status.open.is_empty() {
                    true => Text::new("没有待裁定的冲突", "there is no conflict to decide"),
                    false => text!(
                        "更新 {update} 不在待裁定的冲突之中",
                        "update {update} is not one of those in conflict"
                    ),
                })?;
                judged.keeps = Some(kept);
                judged.drops = self.dropped_by_keeping(kept, &view.status);
            }
            None => {}
        }
        let act = self
            .act_of(i, judged.carries)
            .ok_or_else(|| Text::new("被采纳的更新无法识别", "the adopted update can't be read"))?;
        let weight = self.rules.weight(act.event);
        let undecided = !view.status.open.is_empty() && judged.keeps.is_none();
        if undecided && weight == Weight::Decision && !self.rules.is_free(act.event) {
            let Text { zh, en } = self.rules.title(act.event);
            let (unit, role) = self.rules.decides(&view.state);
            let (role_zh, role_en) = (role.title().zh, role.title().en);
            return Err(text!(
                "有相互排斥的决定待{unit}的{role_zh}裁定,裁定前不能“{zh}”",
                "decisions that exclude one another wait for the {role_en} of {unit}; until then \"{en}\" is not possible"
            ));
        }
        self.rules.judge(act, &view.state)?;
        Ok(weight)
    }

    fn find(&self, i: usize, update: UpdateId) -> Option<usize> {
        self.past(i)
            .iter()
            .find(|j| self.history.entries[*j].update == update)
    }

    fn adoptable(&self, i: usize, update: UpdateId, view: &View<R::State>) -> Result<usize, Text> {
        let target = self.find(i, update).ok_or_else(|| {
            text!(
                "此前没有更新 {update}",
                "there is no update {update} before this one"
            )
        })?;
        let refers = self
            .event(target)
            .is_some_and(|event| self.rules.reference(event).is_some());
        match &self.judged(target).own {
            Own::Quarantined | Own::Void(_) if !refers => Ok(target),
            Own::Allowed(_) if view.status.counted.has(target) => Err(text!(
                "更新 {update} 本已有效,无须采纳",
                "update {update} counts already; there is nothing to adopt"
            )),
            _ => Err(text!(
                "更新 {update} 不能采纳:只有被隔离或无效的更新才能采纳",
                "update {update} can't be adopted: only one that is quarantined or void can"
            )),
        }
    }

    /// Records which earlier entries the allowed entry `i` excludes.
    fn note_rivals(&mut self, i: usize, judged: &Judged) {
        let Own::Allowed(Weight::Decision) = judged.own else {
            return;
        };
        let Some(event) = self.event(judged.carries) else {
            return;
        };
        let rivals: Vec<(usize, usize)> = self
            .order
            .iter()
            .copied()
            .take_while(|j| *j != i)
            .filter(|j| !self.past(i).has(*j))
            .filter(|j| self.are_rivals((*j, self.judged(*j)), (i, judged, event)))
            .map(|j| (j, i))
            .collect();
        self.rivals.extend(rivals);
        if judged.keeps.is_some() {
            self.resolutions.push(i);
        }
    }

    fn are_rivals(&self, (j, a): (usize, &Judged), (i, b, event): (usize, &Judged, &R::Event)) -> bool {
        if !matches!(a.own, Own::Allowed(Weight::Decision)) {
            return false;
        }
        match (a.keeps, b.keeps) {
            (Some(x), Some(y)) => x != y && (a.drops.has(y) || b.drops.has(x)),
            (None, None) => {
                let Some(other) = self.event(a.carries) else {
                    return false;
                };
                // Who knew of the same decision, made by somebody else, has not decided against it.
                self.rules.excludes(other, event)
                    && !self.knew_twin(a, (i, event))
                    && !self.knew_twin(b, (j, other))
            }
            _ => false,
        }
    }

    /// Did the author of `knower` see a decision that is the same as `event`, the one of entry `i`?
    fn knew_twin(&self, knower: &Judged, (i, event): (usize, &R::Event)) -> bool {
        knower.basis.iter().any(|twin| {
            twin != i
                && !self.past(i).has(twin)
                && self
                    .event(self.judged(twin).carries)
                    .is_some_and(|known| self.rules.same(known, event))
        })
    }
}
