//! `anjuan operator`

use anjuan_node::authority::role::Role;
use anjuan_node::service::{ServiceError, call};
use anjuan_node::text;
use anjuan_node::text::Text;
use anjuan_node::unit::UnitCode;
use clap::Subcommand;

use crate::app::App;
use crate::args::{bi, instant, role, unit, within};
use crate::host::Host;
use crate::passphrase;

/// Operators and keys.
#[derive(Debug, clap::Args)]
pub struct Operator {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// A new one.
    #[command(about = bi!("新建操作员密钥并签发证书", "make an operator's key and certificate"))]
    #[command(after_help = bi!(
        "角色:petition-clerk 信访接待员,petition-reviewer 信访审查员,judicial-clerk 司法行政工作人员,mediator 人民调解员,chair 调委会主任,recorder 记录员,router 分流转办员,archivist 档案员,registrar 备案登记员,finance-clerk 财务人员,auditor 审计员",
        "Roles: petition-clerk, petition-reviewer, judicial-clerk, mediator, chair, recorder, router, archivist, registrar, finance-clerk, auditor"
    ))]
    Add {
        /// Short name.
        #[arg(value_name = "HANDLE")]
        #[arg(help = bi!("代号:小写字母、数字和连字符", "short name of the key: a-z, 0-9, -"))]
        handle: String,
        /// Name on the certificate.
        #[arg(long, value_name = "NAME")]
        #[arg(help = bi!("证书上的工作人员姓名", "the official's name, on the certificate"))]
        label: String,
        /// Roles.
        #[arg(long = "role", value_name = "ROLE", required = true, value_delimiter = ',', value_parser = role)]
        #[arg(help = bi!("角色,可多次给出", "what the operator may be; may be repeated"))]
        roles: Vec<Role>,
        /// Validity.
        #[arg(long, value_name = "DAYS", default_value = "1096", value_parser = within(1, 3660))]
        #[arg(help = bi!("证书有效天数,1 至 3660,默认 1096", "days of validity, 1 to 3,660; 1,096 if left out"))]
        valid_days: u32,
    },
    /// All of them.
    #[command(about = bi!("列出本单位及下级的操作员", "list the operators at and below this unit"))]
    List {
        /// Of one unit.
        #[arg(long, value_name = "CODE", value_parser = unit)]
        #[arg(help = bi!("只列出该单位的", "only those of this unit"))]
        unit: Option<UnitCode>,
    },
    /// No more.
    #[command(about = bi!("吊销操作员或节点的证书", "revoke an operator's or a node's certificate"))]
    Revoke {
        /// Whose.
        #[arg(value_name = "OPERATOR")]
        #[arg(help = bi!("证书编号(或其开头几位),或本节点操作员代号", "the certificate's id or its first digits, or a handle of this home"))]
        operator: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        #[arg(help = bi!("理由", "why"))]
        reason: String,
        /// From when.
        #[arg(long, value_name = "INSTANT", value_parser = instant)]
        #[arg(help = bi!(
            "此时刻之后记录的不再计入(默认:本节点已有的都计入)",
            "count only what was recorded before this instant (all that is here if left out)"
        ))]
        since: Option<String>,
        /// Don't ask.
        #[arg(long)]
        #[arg(help = bi!("不再询问", "do not ask"))]
        yes: bool,
    },
    /// Opens a session.
    #[command(about = bi!("在运行中的节点上解锁密钥", "unlock a key in the running node"))]
    Unlock {
        /// Which key.
        #[arg(value_name = "HANDLE")]
        #[arg(help = bi!("操作员代号,或 authority", "the operator's handle, or `authority`"))]
        handle: String,
        /// How long.
        #[arg(long, value_name = "HOURS", default_value = "8", value_parser = within(1, 24))]
        #[arg(help = bi!("小时数,1 至 24,默认 8", "hours, 1 to 24; 8 if left out"))]
        hours: u32,
    },
    /// Ends it.
    #[command(about = bi!("重新锁定密钥", "lock a key again"))]
    Lock {
        /// Which key.
        #[arg(value_name = "HANDLE")]
        #[arg(help = bi!("操作员代号,或 authority", "the operator's handle, or `authority`"))]
        handle: String,
    },
    /// Changes a passphrase.
    #[command(about = bi!("更换口令(脚本中新口令取自 ANJUAN_NEW_PASSPHRASE)", "change a passphrase (scripts: the new one in ANJUAN_NEW_PASSPHRASE)"))]
    Passphrase {
        /// Which key.
        #[arg(value_name = "HANDLE")]
        #[arg(help = bi!("操作员代号,或 authority", "the operator's handle, or `authority`"))]
        handle: String,
    },
}

impl Operator {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        match self.action {
            Action::Add {
                handle,
                label,
                roles,
                valid_days,
            } => {
                let given = app.secrets.given()?;
                let passphrase = app.new_passphrase(&key(&handle), given)?;
                let given = app.secrets.given_for_authority()?;
                let operator =
                    app.call_unlocking(&authority(), given, |authority_passphrase| call::OperatorAdd {
                        handle: handle.clone(),
                        label: label.clone(),
                        roles: roles.clone(),
                        valid_days,
                        passphrase: passphrase.clone(),
                        authority_passphrase,
                    })?;
                app.show(&operator)
            }
            Action::List { unit } => {
                let operators = app.call(call::OperatorList { unit })?;
                app.show(&operators)
            }
            Action::Revoke {
                operator,
                reason,
                since,
                yes,
            } => {
                app.confirm(
                    yes,
                    &text!(
                        "吊销 {operator} 的证书?吊销不能撤回。",
                        "Revoke {operator}? A revocation cannot be taken back."
                    ),
                )?;
                let given = app.secrets.given_for_authority()?;
                let revoked = app.call_unlocking(&authority(), given, |passphrase| call::OperatorRevoke {
                    operator: operator.clone(),
                    reason: reason.clone(),
                    since: since.clone(),
                    passphrase,
                })?;
                app.show(&revoked)
            }
            Action::Unlock { handle, hours } => {
                let passphrase = current_passphrase(app, &handle)?;
                let unlocked = app.call(call::OperatorUnlock {
                    handle,
                    passphrase,
                    hours,
                })?;
                app.show(&unlocked)
            }
            Action::Lock { handle } => {
                let done = app.call(call::OperatorLock { handle })?;
                app.show(&done)
            }
            Action::Passphrase { handle } => {
                let old = current_passphrase(app, &handle)?;
                let given = app.secrets.new.clone();
                let new = app.new_passphrase(&key(&handle), given)?;
                let done = app.call(call::OperatorPassphrase { handle, old, new })?;
                app.show(&done)
            }
        }
    }
}

/// The passphrase that opens `handle` now: here a session is no help, so it's asked for at once.
fn current_passphrase<H: Host>(app: &mut App<'_, H>, handle: &str) -> Result<call::Passphrase, ServiceError> {
    let given = if handle == "authority" {
        app.secrets.given_for_authority()?
    } else {
        app.secrets.given()?
    };
    match given {
        Some(passphrase) => Ok(passphrase),
        None if app.console.interactive() => passphrase::ask(app.console, app.ui.lang, &key(handle)),
        None => Err(passphrase::missing(&key(handle))),
    }
}

fn key(handle: &str) -> Text {
    text!("密钥 {handle} ", "the key {handle}")
}

fn authority() -> Text {
    text!("授权机构密钥", "the authority's key")
}
