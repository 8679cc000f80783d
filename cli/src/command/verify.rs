//! `anjuan verify`

use anjuan_node::service::{ErrorKind, ServiceError, call};
use anjuan_node::text;

use crate::app::App;
use crate::host::Host;
use crate::output::Progress;

/// Checks the store.
#[derive(Debug, clap::Args)]
pub struct Verify {}

impl Verify {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        let mut bar = Progress::new(&app.ui, &text!("核验", "verifying"));
        let verification = app.call_with(call::Verify {}, &mut |step| bar.at(step.done, step.total))?;
        drop(bar);
        app.show(&verification)?;
        if verification.ok {
            return Ok(());
        }
        let faults = verification.faults.len();
        Err(ServiceError::new(
            ErrorKind::Unproven,
            text!(
                "核验未通过:{faults} 处不符",
                "the store does not hold: {faults} faults"
            ),
        )
        .with_hint(text!(
            "保留现状,联系上级节点;损坏的日志段可从对端修复",
            "leave it as it is and tell the node above; damaged segments can be repaired from a peer"
        )))
    }
}
