//! `anjuan todo`

use anjuan_node::service::{ServiceError, call};

use crate::app::App;
use crate::args::{bi, within};
use crate::host::Host;

/// What is due.
#[derive(Debug, clap::Args)]
pub struct Todo {
    /// Whose.
    #[arg(long = "as", value_name = "HANDLE")]
    #[arg(help = bi!("操作员代号(只有一个时可省略)", "the operator's handle (may be left out where there is one)"))]
    operator: Option<String>,
    /// How far ahead.
    #[arg(long, value_name = "DAYS", value_parser = within(0, 3660))]
    #[arg(help = bi!("只看这么多天之内到期的", "only what is due within so many days"))]
    within_days: Option<u32>,
}

impl Todo {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        let mut due = app.call(call::Todo {
            operator: self.operator,
            within_days: self.within_days,
        })?;
        // What has no date comes last.
        due.sort_by_key(|duty| (duty.due.is_none(), duty.due));
        app.show(&due)
    }
}
