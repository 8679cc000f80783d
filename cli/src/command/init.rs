//! `anjuan init`

use anjuan_node::service::{ServiceError, setup};
use anjuan_node::text;
use anjuan_node::unit::UnitCode;

use crate::app::App;
use crate::args::{bi, unit};
use crate::host::Host;

/// Founds a network.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// The unit at the top.
    #[arg(long, value_name = "CODE", value_parser = unit)]
    #[arg(help = bi!("最上级单位的区划代码,如 4509", "code of the unit at the top, such as 4509"))]
    unit: UnitCode,
    /// Its name.
    #[arg(long)]
    #[arg(help = bi!("单位名称(默认取自区划名录)", "its name (that of the list of divisions if left out)"))]
    name: Option<String>,
}

impl Init {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        let given = app.secrets.given_for_authority()?;
        let passphrase = app.new_passphrase(&text!("授权机构密钥", "the authority's key"), given)?;
        let init = setup::Init {
            unit: self.unit,
            name: self.name,
            passphrase,
        };
        let founded = app.host.init(&app.home, init)?;
        app.show(&founded)
    }
}
