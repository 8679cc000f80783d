//! `anjuan join`

use std::path::{Path, PathBuf};

use anjuan_node::enrol::Joining;
use anjuan_node::service::{ErrorKind, ServiceError, setup};
use anjuan_node::text;
use anjuan_node::text::Text;
use anjuan_node::unit::UnitCode;

use crate::app::App;
use crate::args::{bi, unit};
use crate::file;
use crate::host::Host;
use crate::passphrase;
use crate::view::Written;

/// Bytes of a grant at most.
const MAX_GRANT: u64 = 1 << 20;

/// Joins.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("way").required(true).args(["ticket", "request", "grant"])))]
pub struct Join {
    /// The ticket.
    #[arg(value_name = "TICKET")]
    #[arg(help = bi!("上级给的邀请码", "the ticket that the parent gave"))]
    ticket: Option<String>,
    /// Writes a request.
    #[arg(long, value_name = "FILE", requires = "unit")]
    #[arg(help = bi!("没有网络时:把加入申请写入文件", "without a network: write a request to a file"))]
    request: Option<PathBuf>,
    /// The unit that asks.
    #[arg(long, value_name = "CODE", value_parser = unit, requires = "request")]
    #[arg(help = bi!("申请加入的单位", "the unit that asks"))]
    unit: Option<UnitCode>,
    /// A second node.
    #[arg(long, requires = "request")]
    #[arg(help = bi!("作为该单位的备用节点", "as a second node of that unit"))]
    standby: bool,
    /// An auditor's node.
    #[arg(long, requires = "request", conflicts_with = "standby")]
    #[arg(help = bi!("作为审计员的节点", "as an auditor's node"))]
    auditor: bool,
    /// Takes in a grant.
    #[arg(long, value_name = "FILE")]
    #[arg(help = bi!("没有网络时:接收上级签发的文件", "without a network: take in what the parent signed"))]
    grant: Option<PathBuf>,
}

impl Join {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        match (self.ticket, self.request, self.unit, self.grant) {
            (Some(ticket), ..) => join(app, &ticket),
            (_, Some(path), Some(unit), _) => {
                let joining = match (self.standby, self.auditor) {
                    (true, _) => Joining::Standby,
                    (_, true) => Joining::Auditor,
                    _ => Joining::NewUnit,
                };
                request(app, &path, &unit, joining)
            }
            (.., Some(path)) => {
                let grant = file::read(&path, MAX_GRANT)?;
                let joined = app.host.grant(&app.home, &grant)?;
                app.show(&joined)
            }
            _ => Err(ServiceError::new(
                ErrorKind::Usage,
                text!(
                    "需要邀请码、--request 或 --grant",
                    "a ticket, --request or --grant is needed"
                ),
            )),
        }
    }
}

fn join<H: Host>(app: &mut App<'_, H>, ticket: &str) -> Result<(), ServiceError> {
    let attempt = |app: &mut App<'_, H>, passphrase| {
        let join = setup::Join {
            ticket: ticket.trim().to_owned(),
            passphrase,
        };
        app.host.join(&app.home, join, &mut |_| {})
    };
    let given = app.secrets.given_for_authority()?;
    let nothing_given = given.is_none();
    // A ticket for a standby or an auditor's node needs no passphrase, and only the service can read which one it is.
    let joined = match attempt(app, given) {
        Err(error) if error.kind == ErrorKind::Locked && nothing_given && app.console.interactive() => {
            let passphrase = passphrase::ask_new(app.console, app.ui.lang, &authority())?;
            attempt(app, Some(passphrase))
        }
        result => result,
    }?;
    app.show(&joined)
}

fn request<H: Host>(
    app: &mut App<'_, H>,
    path: &Path,
    unit: &UnitCode,
    joining: Joining,
) -> Result<(), ServiceError> {
    file::check_free(path)?;
    let passphrase = if joining != Joining::NewUnit {
        None
    } else {
        let given = app.secrets.given_for_authority()?;
        Some(app.new_passphrase(&authority(), given)?)
    };
    let request = setup::Request {
        unit: unit.clone(),
        joining,
        passphrase,
    };
    let requested = app.host.request(&app.home, request)?;
    let bytes = hex::decode(&requested.request).map_err(|_| {
        ServiceError::new(
            ErrorKind::Internal,
            text!("申请不是十六进制数", "the request is not hexadecimal"),
        )
    })?;
    file::write_new(path, &bytes)?;
    app.show(&Written::new(path, requested))
}

fn authority() -> Text {
    text!("本单位授权机构密钥", "this unit's authority key")
}
