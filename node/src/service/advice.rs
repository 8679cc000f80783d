//! From errors of the parts to errors as people meet them: kind, sentence, and what to do.

use super::{ErrorKind, ServiceError, words};
use crate::config::ConfigError;
use crate::enrol::{AcceptError, BookError, GrantError, RedeemError, TicketError};
use crate::epoch::EpochError;
use crate::home::HomeError;
use crate::journal::{OpenError, ReadError, Stopped};
use crate::keys::KeysError;
use crate::kind::field::is_about_a_field;
use crate::ledger::{LedgerError, RecordError};
use crate::lock::LockError;
use crate::text;
use crate::text::Text;
use crate::unit::divisions::UnknownUnit;

impl From<HomeError> for ServiceError {
    fn from(error: HomeError) -> Self {
        let path = |path: &std::path::Path| path.display().to_string();
        match error {
            HomeError::Missing(folder) => {
                let folder = path(&folder);
                Self::new(
                    ErrorKind::NotFound,
                    text!("{folder} 不是节点目录", "{folder} is not the home of a node"),
                )
                .with_hint(Text::new(
                    "用 anjuan init 建立网络,或用 anjuan join 加入;目录用 --home 指定",
                    "found a network with `anjuan init`, or join one with `anjuan join`; --home names the folder",
                ))
            }
            HomeError::Exists(folder) => {
                let folder = path(&folder);
                Self::new(
                    ErrorKind::Usage,
                    text!(
                        "{folder} 已经是节点目录",
                        "{folder} is the home of a node already"
                    ),
                )
                .with_hint(Text::new(
                    "请用 --home 指定另一个目录",
                    "name another folder with --home",
                ))
            }
            HomeError::Lock(error) => error.into(),
            other => {
                let hint = home_advice(&other);
                Self::new(ErrorKind::Damaged, Text::same(other.to_string())).with_hint(hint)
            }
        }
    }
}

/// What to do about a home that is there and can't be used.
fn home_advice(error: &HomeError) -> Text {
    match error {
        HomeError::Config(ConfigError::Newer(_)) => newer_program(),
        HomeError::Config(_) => Text::new(
            "请改正 config.toml,或从副本恢复",
            "correct config.toml, or restore it from a copy",
        ),
        HomeError::NoRoot(_) | HomeError::Root(_) | HomeError::Chain(_) => Text::new(
            "请恢复 root.cert:同一网络的每个节点都有同样的一份",
            "restore root.cert: every node of the network has the same one",
        ),
        HomeError::Tickets(_) => Text::new(
            "请从副本恢复 tickets;删除它则已发出的邀请码作废",
            "restore the file tickets from a copy; without it, tickets given out so far are void",
        ),
        HomeError::Io { .. } | HomeError::Missing(_) | HomeError::Exists(_) | HomeError::Lock(_) => {
            Text::new("请检查磁盘与权限", "check the disk and permissions")
        }
    }
}

fn newer_program() -> Text {
    Text::new("请使用较新的程序", "use the newer program")
}

impl From<LockError> for ServiceError {
    fn from(error: LockError) -> Self {
        let kind = if matches!(error, LockError::InUse { .. }) {
            ErrorKind::Busy
        } else {
            ErrorKind::Damaged
        };
        let newer_format = matches!(error, LockError::Newer { .. });
        let this = Self::new(kind, words::lock(&error));
        if kind == ErrorKind::Busy {
            this.with_hint(Text::new(
                "另一个 anjuan 进程正在使用这个目录;请先停止它",
                "another anjuan process uses this home; stop it first",
            ))
        } else {
            let newer = newer_format.then(newer_program);
            Self { hint: newer, ..this }
        }
    }
}

impl From<KeysError> for ServiceError {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Refused => Self::new(
                ErrorKind::Locked,
                Text::new("密钥未能打开", "the key did not open"),
            ),
            KeysError::Exists(path) => {
                let path = path.display();
                Self::new(
                    ErrorKind::Usage,
                    text!(
                        "已有同名密钥:{path}",
                        "there is a key of that name already: {path}"
                    ),
                )
            }
            other => Self::new(ErrorKind::Damaged, Text::same(other.to_string())),
        }
    }
}

impl From<LedgerError> for ServiceError {
    fn from(error: LedgerError) -> Self {
        let (kind, hint) = match &error {
            LedgerError::Stopped(_) | LedgerError::Append(_) => (
                ErrorKind::Storage,
                Text::new(
                    "请腾出磁盘空间;查阅不受影响,有空间后可继续登记",
                    "free some disk space; reading goes on, and recording resumes when there is room",
                ),
            ),
            LedgerError::Open(OpenError::Damaged { .. } | OpenError::BeyondMending { .. })
            | LedgerError::Read(ReadError::Lost { .. } | ReadError::Damaged(_)) => (
                ErrorKind::Damaged,
                Text::new(
                    "日志中有损坏的记录;请保留目录原样,并从上级或下级节点恢复",
                    "the journal is damaged; keep the folder as it is, and restore from the node above or below",
                ),
            ),
            LedgerError::Open(OpenError::Newer { .. }) => (ErrorKind::Damaged, newer_program()),
            LedgerError::Open(OpenError::Io { .. }) | LedgerError::Read(_) => (
                ErrorKind::Storage,
                Text::new("请检查磁盘与权限", "check the disk and permissions"),
            ),
            LedgerError::Frame { .. }
            | LedgerError::Document { .. }
            | LedgerError::Store(_)
            | LedgerError::Index(_) => (
                ErrorKind::Damaged,
                Text::new(
                    "请运行 anjuan verify;重启节点会从日志重建案件库",
                    "run `anjuan verify`; a restart rebuilds the case store from the journal",
                ),
            ),
            LedgerError::Keystore(_) | LedgerError::Epoch(EpochError::Io { .. }) => (
                ErrorKind::Storage,
                Text::new("请检查磁盘空间与权限", "check free space and permissions"),
            ),
            LedgerError::Epoch(EpochError::Newer { .. }) => (ErrorKind::Damaged, newer_program()),
        };
        Self::new(kind, words::ledger(&error)).with_hint(hint)
    }
}

impl From<Stopped> for ServiceError {
    fn from(stopped: Stopped) -> Self {
        LedgerError::from(stopped).into()
    }
}

impl From<RecordError> for ServiceError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Kind(name) => Self::new(
                ErrorKind::Usage,
                text!("没有这种文书:{name}", "there is no kind of document named {name}"),
            ),
            RecordError::NoDocument(key) => {
                let id = key.id;
                Self::new(
                    ErrorKind::NotFound,
                    text!("本节点没有文书 {id}", "document {id} is not on this node"),
                )
            }
            RecordError::Twice(key) => {
                let id = key.id;
                Self::new(
                    ErrorKind::Forbidden,
                    text!(
                        "同样的内容已由您登记为 {id}",
                        "you recorded exactly this before, as {id}"
                    ),
                )
                .with_hint(Text::new(
                    "若另有其事,请写明不同之处",
                    "if it is another matter, say what is different",
                ))
            }
            RecordError::Author(error) => Self::new(ErrorKind::Forbidden, words::author(&error)),
            RecordError::Quarantined(reason) => Self::new(ErrorKind::Forbidden, reason),
            RecordError::Forbidden { reason } if is_about_a_field(&reason) => {
                Self::new(ErrorKind::Usage, reason)
            }
            // The reason names what is possible now, and who may.
            RecordError::Forbidden { reason } => Self::new(ErrorKind::Forbidden, reason),
            RecordError::Change(error) => Self::new(ErrorKind::Usage, words::change(&error)),
            RecordError::Update(message) => Self::new(ErrorKind::Internal, Text::same(message)),
            RecordError::Ledger(error) => error.into(),
        }
    }
}

impl From<UnknownUnit> for ServiceError {
    fn from(error: UnknownUnit) -> Self {
        Self::new(ErrorKind::Usage, words::unit(&error)).with_hint(Text::new(
            "用 anjuan unit find 查找区划代码",
            "look codes up with `anjuan unit find`",
        ))
    }
}

impl From<TicketError> for ServiceError {
    fn from(error: TicketError) -> Self {
        Self::new(ErrorKind::Refused, words::ticket(&error))
    }
}

impl From<BookError> for ServiceError {
    fn from(error: BookError) -> Self {
        Self::new(ErrorKind::Refused, words::book(&error))
    }
}

impl From<RedeemError> for ServiceError {
    fn from(error: RedeemError) -> Self {
        Self::new(ErrorKind::Refused, words::redeem(&error)).with_hint(Text::new(
            "请上级重新运行 anjuan invite",
            "ask the parent to run `anjuan invite` again",
        ))
    }
}

impl From<GrantError> for ServiceError {
    fn from(error: GrantError) -> Self {
        Self::new(ErrorKind::Refused, words::grant(&error))
    }
}

impl From<AcceptError> for ServiceError {
    fn from(error: AcceptError) -> Self {
        Self::new(ErrorKind::Refused, words::accept(&error))
    }
}
