//! `anjuan status`

use anjuan_node::service::{ServiceError, call};
use anjuan_node::unit::UnitCode;

use crate::app::App;
use crate::args::{bi, unit};
use crate::host::Host;

/// What the node is, and how it does.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// What to digest.
    #[arg(long, value_name = "CODE", value_parser = unit)]
    #[arg(help = bi!(
        "摘要只涉及该下级单位节点所持有的内容,用于比较两节点是否一致",
        "digest only what a node of this unit holds, to tell whether two nodes are level in it"
    ))]
    scope: Option<UnitCode>,
}

impl Status {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        let status = app.call(call::Status { scope: self.scope })?;
        app.show(&status)
    }
}
