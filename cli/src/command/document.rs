//! `anjuan case` and `anjuan register`: what every kind of document has, and a command for each of its
//! events.

mod record;
mod sealed;

use std::marker::PhantomData;

use anjuan_node::kind::catalog::EventSpec;
use anjuan_node::kind::kind;
use anjuan_node::service::view::Filter;
use anjuan_node::service::{ServiceError, call};
use anjuan_node::unit::UnitCode;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use jiff::civil::Date;

use crate::app::App;
use crate::args::{bi, day, unit, within};
use crate::event;
use crate::host::Host;

/// A kind of document that has a command.
pub trait Kinded {
    /// The kind's name.
    const KIND: &'static str;
}

/// Cases.
#[derive(Debug)]
pub struct Case;

/// The register.
#[derive(Debug)]
pub struct Register;

impl Kinded for Case {
    const KIND: &'static str = "case";
}

impl Kinded for Register {
    const KIND: &'static str = "register";
}

/// The commands of one kind.
#[derive(Debug)]
pub struct Documents<K> {
    action: Action,
    kind: PhantomData<K>,
}

#[derive(Debug)]
enum Action {
    Common(Common),
    Event(&'static EventSpec, ArgMatches),
}

#[derive(Debug, Subcommand)]
enum Common {
    /// Lists them.
    #[command(about = bi!("列表(默认只列未办结的)", "list them (those not finished, unless --all)"))]
    List(List),
    /// One of them.
    #[command(about = bi!("查看一件:阶段、期限、当事人、下一步", "show one: stage, what is due, parties, next steps"))]
    Show(Which),
    /// Every update of one.
    #[command(about = bi!("查看一件的全部记录:谁签名、是否计入、为什么", "every update of one: who signed it, whether it counts, why not"))]
    History(Which),
    /// What is sealed.
    #[command(about = bi!("密封的个人信息:查阅、删除", "sealed particulars: read, erase"))]
    Particulars(sealed::Sealed),
}

/// Filters.
#[derive(Debug, Args)]
struct List {
    #[arg(long, value_name = "CODE", help = bi!("阶段代码", "code of a stage"))]
    stage: Option<String>,
    #[arg(long, value_name = "CODE", help = bi!("类别代码", "code of a category"))]
    category: Option<String>,
    #[arg(long, value_name = "CODE", value_parser = unit, help = bi!("由该单位或其下级办理", "handled by this unit or one below it"))]
    unit: Option<UnitCode>,
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day, help = bi!("在此日或之前到期", "due on this day or before"))]
    due_by: Option<Date>,
    #[arg(long, value_name = "TEXT", help = bi!("编号、标题或事实中的文字", "a text in number, title or facts"))]
    text: Option<String>,
    #[arg(long, help = bi!("只列待裁定的", "only those that need a decision"))]
    needs_decision: bool,
    #[arg(long, help = bi!("也列已办结的", "those that are finished, too"))]
    all: bool,
    #[arg(long, value_name = "N", default_value = "200", value_parser = within(1, 10_000), help = bi!("最多列多少件,默认 200", "at most so many; 200 if left out"))]
    limit: u32,
    #[arg(long, value_name = "N", default_value = "0", value_parser = within(0, u32::MAX), help = bi!("跳过前面多少件", "leave out so many first"))]
    offset: u32,
}

/// Names a document.
#[derive(Debug, Args)]
struct Which {
    #[arg(value_name = "DOCUMENT", help = bi!(
        "编号、案号,或编号的开头(至少4位)",
        "its id, its number, or the first digits of the id, 4 at least"
    ))]
    document: String,
}

/// The events that kinds of this name have.
fn events<K: Kinded>() -> &'static [EventSpec] {
    kind(K::KIND).map_or(&[], |kind| kind.catalog())
}

impl<K: Kinded> Args for Documents<K> {
    fn augment_args(command: Command) -> Command {
        Common::augment_subcommands(command)
            .subcommands(events::<K>().iter().map(event::command))
            .subcommand_required(true)
            .arg_required_else_help(true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<K: Kinded> FromArgMatches for Documents<K> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let recorded = matches.subcommand().and_then(|(name, matches)| {
            Some((events::<K>().iter().find(|spec| spec.command == name)?, matches))
        });
        let action = match recorded {
            Some((spec, matches)) => Action::Event(spec, matches.clone()),
            None => Action::Common(Common::from_arg_matches(matches)?),
        };
        Ok(Self {
            action,
            kind: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<K: Kinded> Documents<K> {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        let kind = K::KIND.to_owned();
        match self.action {
            Action::Event(spec, matches) => record::record(app, kind, spec, &matches),
            Action::Common(Common::List(list)) => {
                let listing = app.call(call::List {
                    kind,
                    filter: list.filter(),
                })?;
                app.show(&listing)
            }
            Action::Common(Common::Show(Which { document })) => {
                let detail = app.call(call::Show { kind, document })?;
                app.show(&detail)
            }
            Action::Common(Common::History(Which { document })) => {
                let history = app.call(call::History { kind, document })?;
                app.show(&history)
            }
            Action::Common(Common::Particulars(sealed)) => sealed.run(app),
        }
    }
}

impl List {
    fn filter(self) -> Filter {
        Filter {
            // Asking for a stage by name may mean one in which nothing is left to do.
            open: !self.all && self.stage.is_none(),
            stage: self.stage,
            category: self.category,
            unit: self.unit,
            due_by: self.due_by,
            text: self.text,
            needs_decision: self.needs_decision,
            limit: self.limit,
            offset: self.offset,
        }
    }
}
