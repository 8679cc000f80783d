//! `anjuan unit`

use anjuan_node::service::{ServiceError, call};
use anjuan_node::unit::UnitCode;
use clap::Subcommand;

use crate::app::App;
use crate::args::{bi, unit};
use crate::host::Host;

/// Units.
#[derive(Debug, clap::Args)]
pub struct Unit {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// By code or name.
    #[command(about = bi!("按代码或名称查找", "find units by code or name"))]
    Find {
        /// What to look for.
        #[arg(value_name = "TEXT", default_value = "")]
        #[arg(help = bi!("代码、名称或其一部分;不填则为本单位", "a code, a name or a part of it; this node's unit if left out"))]
        query: String,
    },
    /// One unit.
    #[command(about = bi!("查看一个单位及其上下级", "show a unit and what is above and below it"))]
    Show {
        /// Which.
        #[arg(value_name = "CODE", value_parser = unit)]
        #[arg(help = bi!("区划代码", "its code"))]
        unit: UnitCode,
    },
}

impl Unit {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        match self.action {
            Action::Find { query } => {
                let units = app.call(call::UnitFind { query })?;
                app.show(&units)
            }
            Action::Show { unit } => {
                let detail = app.call(call::UnitShow { unit })?;
                app.show(&detail)
            }
        }
    }
}
