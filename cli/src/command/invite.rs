//! `anjuan invite`

use std::path::{Path, PathBuf};

use anjuan_node::service::call::{Invite as InviteCall, SignRequest};
use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text;
use anjuan_node::text::Text;
use anjuan_node::unit::UnitCode;

use crate::app::App;
use crate::args::{bi, unit, within};
use crate::file;
use crate::host::Host;
use crate::view::Written;

/// Bytes of a join request at most.
const MAX_REQUEST: u64 = 64 << 10;

/// Lets a unit join.
#[derive(Debug, clap::Args)]
pub struct Invite {
    /// The unit that joins.
    #[arg(long, value_name = "CODE", value_parser = unit, required_unless_present = "sign")]
    #[arg(help = bi!("要加入的单位", "the unit that joins"))]
    unit: Option<UnitCode>,
    /// A second node.
    #[arg(long, conflicts_with = "sign")]
    #[arg(help = bi!("作为该单位的备用节点", "as a second node of that unit"))]
    standby: bool,
    /// An auditor's node.
    #[arg(long, conflicts_with_all = ["sign", "standby"])]
    #[arg(help = bi!("作为审计员的节点:跟随该单位,不登记,不能打开个人信息", "as an auditor's node: it follows that unit, records nothing and opens no particulars"))]
    auditor: bool,
    /// Hours until the ticket expires.
    #[arg(long, value_name = "HOURS", default_value = "72", value_parser = within(1, 720), conflicts_with = "sign")]
    #[arg(help = bi!("邀请码有效小时数,1 至 720,默认 72", "hours until the ticket expires, 1 to 720; 72 if left out"))]
    valid_hours: u32,
    /// A request that came as a file.
    #[arg(long, value_name = "FILE", conflicts_with = "unit")]
    #[arg(help = bi!("签发以文件送来的加入申请", "sign a join request that came as a file"))]
    sign: Option<PathBuf>,
    /// Where the grant goes.
    #[arg(long, value_name = "FILE", requires = "sign", conflicts_with = "unit")]
    #[arg(help = bi!("签发结果写入的文件(默认在申请文件名后加 .grant)", "where the grant goes (the request's name with .grant if left out)"))]
    out: Option<PathBuf>,
    /// Don't ask.
    #[arg(long, requires = "sign", conflicts_with = "unit")]
    #[arg(help = bi!("已核对指纹,不再询问", "the fingerprint was compared; do not ask"))]
    yes: bool,
}

impl Invite {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        match (self.sign, self.unit) {
            (Some(request), _) => sign(app, &request, self.out, self.yes),
            (None, Some(unit)) => {
                let given = app.secrets.given_for_authority()?;
                let invitation = app.call_unlocking(&authority(), given, |passphrase| InviteCall {
                    unit: unit.clone(),
                    standby: self.standby,
                    auditor: self.auditor,
                    valid_hours: self.valid_hours,
                    passphrase,
                })?;
                app.show(&invitation)
            }
            (None, None) => Err(ServiceError::new(
                ErrorKind::Usage,
                text!("缺少 --unit", "missing: --unit"),
            )),
        }
    }
}

fn sign<H: Host>(
    app: &mut App<'_, H>,
    path: &Path,
    out: Option<PathBuf>,
    yes: bool,
) -> Result<(), ServiceError> {
    let request = hex::encode(file::read(path, MAX_REQUEST)?);
    let out = out.unwrap_or_else(|| {
        let mut name = path.as_os_str().to_owned();
        name.push(".grant");
        name.into()
    });
    file::check_free(&out)?;
    let sign = |dry_run, passphrase| SignRequest {
        request: request.clone(),
        dry_run,
        passphrase,
    };
    let asked = app.call(sign(true, None))?;
    if !yes {
        let (code, name, fingerprint) = (&asked.unit.code, &asked.unit.name, &asked.fingerprint);
        let Text { zh, en } = match (asked.standby, asked.auditor) {
            (true, _) => text!(",作为备用节点", " as a second node"),
            (_, true) => text!(",作为审计员的节点", " as an auditor's node"),
            _ => text!("", ""),
        };
        app.confirm(
            false,
            &text!(
                "{code} {name} 申请加入{zh},指纹 {fingerprint}\n与对方核对一致吗?",
                "{code} {name} asks to join{en}, fingerprint {fingerprint}\nIs it the one that they see?"
            ),
        )?;
    }
    let given = app.secrets.given_for_authority()?;
    let signed = app.call_unlocking(&authority(), given, |passphrase| sign(false, passphrase))?;
    let grant = signed
        .grant
        .as_deref()
        .and_then(|grant| hex::decode(grant).ok())
        .ok_or_else(|| {
            ServiceError::new(
                ErrorKind::Internal,
                text!("节点没有给出签发结果", "the node gave no grant"),
            )
        })?;
    file::write_new(&out, &grant)?;
    app.show(&Written::new(&out, signed))
}

fn authority() -> anjuan_node::text::Text {
    text!("授权机构密钥", "the authority's key")
}
