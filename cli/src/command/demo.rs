//! `anjuan demo`

use std::path::PathBuf;

use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text;

use crate::app::App;
use crate::args::bi;
use crate::demo;
use crate::host::Host;

/// The main job on four nodes.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// End after the story.
    #[arg(long, help = bi!("演示完即结束;否则节点一直运行到 Ctrl-C", "end after the story; otherwise the nodes stay up until Ctrl-C"))]
    exit: bool,
    /// Keep the homes.
    #[arg(long, value_name = "DIR", help = bi!("把四个节点目录留在 DIR/<区划代码>,根证书留在 DIR/root.cert", "leave the four homes at DIR/<unit code> and the root certificate at DIR/root.cert"))]
    keep: Option<PathBuf>,
}

impl Demo {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        let ui = app.ui.clone();
        let demo = demo::Demo {
            exit: self.exit,
            keep: self.keep,
        };
        if demo::run(&demo, &ui, app.console)? {
            return Ok(());
        }
        Err(ServiceError::new(
            ErrorKind::Unproven,
            text!("演示中有一项不成立", "something in the story did not hold"),
        ))
    }
}
