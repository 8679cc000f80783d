//! `anjuan doctor`

use anjuan_node::service::view::Urgency;
use anjuan_node::service::{ErrorKind, ServiceError, call};
use anjuan_node::text;

use crate::app::App;
use crate::host::Host;

/// What happened that somebody should know.
#[derive(Debug, clap::Args)]
pub struct Doctor {}

impl Doctor {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        let diagnosis = app.call(call::Doctor {})?;
        app.show(&diagnosis)?;
        let urgent = diagnosis
            .findings
            .iter()
            .filter(|one| one.urgency == Urgency::Act);
        match urgent.count() {
            0 => Ok(()),
            count => Err(ServiceError::new(
                ErrorKind::Unproven,
                text!(
                    "有 {count} 项需要处理",
                    "there is something to do about {count} of them"
                ),
            )),
        }
    }
}
