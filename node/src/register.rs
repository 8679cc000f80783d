//! 备案登记: the register of organisations and mediators. One document for each organisation and for each
//! mediator; it flows down, so that everybody in line can see who is registered.

pub mod events;

use anjuan_sync::{AuthorKey, Reach, Space, Timestamp};
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Map, Value};

use self::events::{
    Background, Employment, Event, EventKind, MediatorChanged, OrganisationChanged, OrganisationKind,
    Speciality,
};
use crate::authority::role::Role;
use crate::calendar::{local_date, to_jiff};
use crate::case::home_of;
use crate::kind::catalog::EventSpec;
use crate::kind::causal::{self, Act, Reference, Rules, Weight};
use crate::kind::field::{Fault, Line, List, choice};
use crate::kind::who::{Who, anyone_of, require};
use crate::kind::{Duty, History, Kind, NextStep, Projection, Summary, Verdict};
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;

/// An entry of the register.
#[derive(Clone, Copy, Debug)]
pub struct Register;

choice! {
    /// 登记状态
    pub enum Stage {
        Unfiled = "unfiled" "未备案" "not filed",
        Filed = "filed" "在册" "on the register",
        Struck = "struck" "已注销" "struck off",
    }
}

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "subject")]
pub enum Subject {
    /// 调解组织
    Organisation {
        /// 备案编号
        code: Line<40>,
        /// 名称
        name: Line<60>,
        /// 类型
        kind: OrganisationKind,
        /// 专业领域
        fields: Vec<Speciality>,
    },
    /// 人民调解员
    Mediator {
        /// As in the official register.
        label: Line<40>,
        /// 备案编号 of the organisation.
        organisation: Line<40>,
        /// 背景
        backgrounds: Vec<Background>,
        /// 专长
        specialities: Vec<Speciality>,
        /// 专职 or 兼职
        employment: Employment,
        /// 领取工资
        salaried: bool,
        /// The operator's key, if he has one.
        key: Option<AuthorKey>,
    },
}

/// The state of an entry.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The unit that it belongs to.
    pub home: UnitCode,
    /// 登记状态
    pub stage: Stage,
    /// What it is about.
    #[serde(flatten)]
    pub subject: Option<Subject>,
    /// When it was filed.
    pub filed_on: Option<Date>,
    /// When it was last changed.
    pub changed_on: Option<Date>,
    /// When it was struck off.
    pub struck_on: Option<Date>,
    #[serde(skip)]
    opened_at: Option<Timestamp>,
}

/// Who keeps the register: the registrar or a judicial clerk, of the unit or above.
const KEEPERS: &[Role] = &[Role::Registrar, Role::JudicialClerk];

impl Kind for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn title(&self) -> Text {
        Text::new("备案登记", "register")
    }

    fn reach(&self) -> Reach {
        Reach::Down
    }

    fn catalog(&self) -> &'static [EventSpec] {
        events::catalog()
    }

    fn fold(&self, history: &History) -> Projection {
        project(causal::fold(self, history))
    }
}

impl Rules for Register {
    type Event = Event;
    type State = Entry;

    fn blank(&self, space: &Space) -> Entry {
        Entry {
            home: home_of(space),
            stage: Stage::Unfiled,
            subject: None,
            filed_on: None,
            changed_on: None,
            struck_on: None,
            opened_at: None,
        }
    }

    fn parse(&self, map: &Map<String, Value>) -> Result<Option<Event>, Fault> {
        Event::parse(map)
    }

    fn title(&self, event: &Event) -> Text {
        event.kind().title()
    }

    fn weight(&self, _: &Event) -> Weight {
        Weight::Decision
    }

    fn reference(&self, event: &Event) -> Option<Reference> {
        match event {
            Event::ConflictResolved(event) => Some(Reference::Keeps(event.kept)),
            Event::UpdateAdopted(event) => Some(Reference::Adopts(event.update)),
            _ => None,
        }
    }

    fn same(&self, a: &Event, b: &Event) -> bool {
        match (a, b) {
            (Event::OrganisationDissolved(_), Event::OrganisationDissolved(_))
            | (Event::MediatorRemoved(_), Event::MediatorRemoved(_)) => true,
            _ => a == b,
        }
    }

    /// Two changes go together unless they change the same field differently.
    fn excludes(&self, a: &Event, b: &Event) -> bool {
        match (a, b) {
            (Event::OrganisationChanged(a), Event::OrganisationChanged(b)) => {
                differ(&a.name, &b.name) || differ(&a.kind, &b.kind) || differ_list(&a.fields, &b.fields)
            }
            (Event::MediatorChanged(a), Event::MediatorChanged(b)) => {
                differ(&a.label, &b.label)
                    || differ(&a.organisation, &b.organisation)
                    || differ(&a.employment, &b.employment)
                    || differ(&a.salaried, &b.salaried)
                    || differ(&a.key, &b.key)
                    || differ_list(&a.backgrounds, &b.backgrounds)
                    || differ_list(&a.specialities, &b.specialities)
            }
            _ => !self.same(a, b),
        }
    }

    fn is_free(&self, _: &Event) -> bool {
        false
    }

    fn decides(&self, state: &Entry) -> (UnitCode, Role) {
        (state.home.clone(), Role::Registrar)
    }

    fn judge(&self, act: Act<'_, Event>, state: &Entry) -> Result<(), Text> {
        let kind = act.event.kind();
        if !allowed_in(kind, state) {
            return Err(not_now(kind, state));
        }
        require(&kind.title(), &keepers(state), &act.entry.signer)
    }

    fn apply(&self, act: Act<'_, Event>, state: &mut Entry) {
        let today = local_date(act.entry.recorded_at);
        state.opened_at.get_or_insert(act.entry.recorded_at);
        match act.event {
            Event::OrganisationFiled(event) => {
                state.file(
                    today,
                    Subject::Organisation {
                        code: event.code.clone(),
                        name: event.name.clone(),
                        kind: event.kind,
                        fields: event.fields.as_slice().to_vec(),
                    },
                );
            }
            Event::MediatorFiled(event) => {
                state.file(
                    today,
                    Subject::Mediator {
                        label: event.label.clone(),
                        organisation: event.organisation.clone(),
                        backgrounds: event.backgrounds.as_slice().to_vec(),
                        specialities: event.specialities.as_slice().to_vec(),
                        employment: event.employment,
                        salaried: event.salaried,
                        key: event.key,
                    },
                );
            }
            Event::OrganisationChanged(event) => state.change_organisation(today, event),
            Event::MediatorChanged(event) => state.change_mediator(today, event),
            Event::OrganisationDissolved(_) | Event::MediatorRemoved(_) => {
                if state.stage == Stage::Filed {
                    state.stage = Stage::Struck;
                    state.struck_on = Some(today);
                }
            }
            Event::ConflictResolved(_) | Event::UpdateAdopted(_) => {}
        }
    }
}

impl Entry {
    fn file(&mut self, today: Date, subject: Subject) {
        if self.stage == Stage::Unfiled {
            self.stage = Stage::Filed;
            self.filed_on = Some(today);
            self.subject = Some(subject);
        }
    }

    fn change_organisation(&mut self, today: Date, change: &OrganisationChanged) {
        if let Some(Subject::Organisation {
            name, kind, fields, ..
        }) = &mut self.subject
        {
            set(name, &change.name);
            set(kind, &change.kind);
            set_list(fields, &change.fields);
            self.changed_on = Some(today);
        }
    }

    fn change_mediator(&mut self, today: Date, change: &MediatorChanged) {
        if let Some(Subject::Mediator {
            label,
            organisation,
            backgrounds,
            specialities,
            employment,
            salaried,
            key,
        }) = &mut self.subject
        {
            set(label, &change.label);
            set(organisation, &change.organisation);
            set(employment, &change.employment);
            set(salaried, &change.salaried);
            set_list(backgrounds, &change.backgrounds);
            set_list(specialities, &change.specialities);
            if change.key.is_some() {
                *key = change.key;
            }
            self.changed_on = Some(today);
        }
    }
}

fn differ<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

fn differ_list<T: PartialEq, const MAX: usize>(a: &List<T, 0, MAX>, b: &List<T, 0, MAX>) -> bool {
    !a.as_slice().is_empty() && !b.as_slice().is_empty() && a != b
}

fn set<T: Clone>(field: &mut T, change: &Option<T>) {
    if let Some(value) = change {
        field.clone_from(value);
    }
}

/// An empty list changes nothing.
fn set_list<T: Clone, const MAX: usize>(field: &mut Vec<T>, change: &List<T, 0, MAX>) {
    if !change.as_slice().is_empty() {
        *field = change.as_slice().to_vec();
    }
}

fn keepers(state: &Entry) -> Vec<Who> {
    vec![Who::at_or_above(KEEPERS, &state.home)]
}

/// May an event of this type happen now? An entry begins by being filed, and ends by being struck off.
fn allowed_in(kind: EventKind, state: &Entry) -> bool {
    use EventKind as E;
    match (&state.subject, kind) {
        (None, E::OrganisationFiled | E::MediatorFiled) => true,
        (Some(Subject::Organisation { .. }), E::OrganisationChanged | E::OrganisationDissolved)
        | (Some(Subject::Mediator { .. }), E::MediatorChanged | E::MediatorRemoved) => {
            state.stage == Stage::Filed
        }
        (Some(_), E::ConflictResolved) => true,
        _ => false,
    }
}

fn possible(state: &Entry) -> impl Iterator<Item = EventKind> + '_ {
    let flow = |kind: &EventKind| *kind != EventKind::ConflictResolved && allowed_in(*kind, state);
    EventKind::ALL.iter().copied().filter(flow)
}

fn not_now(kind: EventKind, state: &Entry) -> Text {
    let (stage, title) = (state.stage.title(), kind.title().zh);
    let (stage_zh, stage_en, name) = (stage.zh, stage.en, kind.name());
    let who = anyone_of(&keepers(state));
    let zh: Vec<String> = possible(state)
        .map(|kind| format!("{}({})", kind.title().zh, who.zh))
        .collect();
    let en: Vec<String> = possible(state)
        .map(|kind| format!("{} ({})", kind.name(), who.en))
        .collect();
    if zh.is_empty() {
        return text!(
            "“{stage_zh}”状态不能“{title}”;已无后续步骤",
            "{name} is not possible while \"{stage_en}\"; no further step is"
        );
    }
    let (zh, en) = (zh.join("、"), en.join(", "));
    text!(
        "“{stage_zh}”状态不能“{title}”;现可:{zh}",
        "{name} is not possible while \"{stage_en}\"; possible now: {en}"
    )
}

fn project(outcome: causal::Outcome<Entry>) -> Projection {
    let state = &outcome.state;
    let conflict = outcome.conflicts.iter().any(|conflict| conflict.kept.is_none());
    let adoptable = outcome
        .verdicts
        .iter()
        .any(|verdict| matches!(verdict, Verdict::Quarantined(_)));
    let keepers = keepers(state);
    let steps = |kind: EventKind| {
        keepers
            .iter()
            .map(move |who| who.step(kind.name()))
            .collect::<Vec<NextStep>>()
    };
    let mut next = match conflict {
        true => steps(EventKind::ConflictResolved),
        false => possible(state).flat_map(steps).collect(),
    };
    let mut duties = Vec::new();
    if conflict {
        duties.push(Duty {
            what: Text::new(
                "裁定相互排斥的登记",
                "decide between entries that exclude one another",
            ),
            event: EventKind::ConflictResolved.name(),
            unit: state.home.clone(),
            or_above: true,
            roles: KEEPERS.to_vec(),
            assignees: Vec::new(),
            due: None,
        });
    }
    if adoptable {
        next.extend(steps(EventKind::UpdateAdopted));
    }
    let (title, number, category) = match &state.subject {
        Some(Subject::Organisation { code, name, kind, .. }) => {
            let category = (kind.code().to_owned(), kind.title());
            (
                name.as_str().to_owned(),
                Some(code.as_str().to_owned()),
                Some(category),
            )
        }
        Some(Subject::Mediator { label, .. }) => {
            let category = ("mediator".to_owned(), Text::new("人民调解员", "mediator"));
            (label.as_str().to_owned(), None, Some(category))
        }
        None => (String::new(), None, None),
    };
    let (category, category_title) = category.unzip();
    Projection {
        summary: Summary {
            number,
            title,
            stage: state.stage.code().to_owned(),
            stage_title: state.stage.title(),
            category,
            category_title,
            owner: state.home.clone(),
            opened_at: state.opened_at.map(to_jiff),
            due: None,
            needs_decision: conflict,
            finished: state.stage == Stage::Struck && !conflict,
        },
        state: serde_json::to_value(state).unwrap_or(Value::Null),
        verdicts: outcome.verdicts,
        next,
        duties,
        conflicts: outcome.conflicts,
        particulars: Vec::new(),
        links: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
