//! What the errors of the parts say, in Chinese: those that people commonly meet. The parts say it in English,
//! beside the rule that was broken.

use std::path::Path;

use anjuan_sync::bundle::{BUNDLE_VERSION, BundleError};
use anjuan_sync::replica::ReplicaError;

use super::{ErrorKind, ServiceError};
use crate::authority::certificate::IssueError;
use crate::authority::credentials::AuthorError;
use crate::document::content::ContentError;
use crate::document::{ChangeError, Refusal};
use crate::enrol::{AcceptError, BookError, GrantError, RedeemError, TicketError};
use crate::journal::{AppendError, Stopped};
use crate::ledger::LedgerError;
use crate::lock::LockError;
use crate::particulars::KeystoreError;
use crate::text::Text;
use crate::unit::divisions::UnknownUnit;

fn beside(zh: String, error: &impl ToString) -> Text {
    Text::new(zh, error.to_string())
}

/// A bundle that can't be written or read.
pub(super) fn bundle(path: &Path, error: &BundleError) -> ServiceError {
    let kind = match error {
        BundleError::NotABundle => ErrorKind::Usage,
        BundleError::Network => ErrorKind::Refused,
        BundleError::Version(_)
        | BundleError::Header(_)
        | BundleError::Page { .. }
        | BundleError::Length { .. }
        | BundleError::Truncated { .. }
        | BundleError::End(_)
        | BundleError::Replica(_) => ErrorKind::Damaged,
        BundleError::Io(_) => ErrorKind::Storage,
    };
    let hint = match error {
        BundleError::NotABundle => Text::new(
            "数据包由 anjuan bundle export 写出",
            "bundles are written by `anjuan bundle export`",
        ),
        BundleError::Version(_) => Text::new("请更新本程序", "use a newer program"),
        BundleError::Network => Text::new(
            "请核对文件是否来自本网络的节点;什么也没有导入",
            "see whether it comes from a node of this network; nothing was taken in",
        ),
        BundleError::Replica(_) => Text::new("请运行 anjuan verify", "run `anjuan verify`"),
        BundleError::Io(_) => Text::new("请检查磁盘空间与权限", "check free space and permissions"),
        _ => Text::new(
            "什么也没有导入;请对方重新导出,或用 --salvage 只导入完好的各页",
            "nothing was taken in; have it exported again, or take in its whole pages alone with --salvage",
        ),
    };
    let Text { zh, en } = bundle_damage(error);
    let name = path.display();
    ServiceError::new(kind, Text::new(format!("{name}:{zh}"), format!("{name}: {en}"))).with_hint(hint)
}

/// What is wrong with a bundle.
pub(super) fn bundle_damage(error: &BundleError) -> Text {
    let zh = match error {
        BundleError::NotABundle => "不是数据包".to_owned(),
        BundleError::Version(version) => {
            format!("数据包为第 {version} 版,本程序只能读第 {BUNDLE_VERSION} 版")
        }
        BundleError::Network => "数据包属于另一个网络".to_owned(),
        BundleError::Header(what) => format!("数据包的首部已损坏({what})"),
        BundleError::Page { number, what } => format!("数据包第 {number} 页已损坏({what})"),
        BundleError::Length { number, length } => {
            format!("数据包第 {number} 页及其后各页已损坏({length} 字节,过长)")
        }
        BundleError::Truncated { pages } => format!("数据包不完整,只有 {pages} 个完好的页"),
        BundleError::End(what) => format!("数据包的末尾已损坏,或不属于它({what})"),
        BundleError::Replica(error) => format!("本节点的数据无法读取:{error}"),
        BundleError::Io(error) => format!("数据包无法读写:{error}"),
    };
    beside(zh, error)
}

/// A store that can't be read.
pub(super) fn replica(error: &ReplicaError) -> ServiceError {
    let message = beside(format!("本节点的数据无法读取:{}", error.0), error);
    ServiceError::new(ErrorKind::Damaged, message)
        .with_hint(Text::new("请运行 anjuan verify", "run `anjuan verify`"))
}

/// Content that does not fit.
pub(super) fn change(error: &ChangeError) -> Text {
    let zh = match error {
        ChangeError::Content(error) | ChangeError::Refused(Refusal::Content(error)) => content(error),
        ChangeError::Refused(Refusal::TooLong(bytes)) => {
            format!("内容共 {bytes} 字节,超过一条记录的限度;请分成几条,或改附文件")
        }
        ChangeError::Refused(Refusal::TooManyOperations) => {
            "内容项目过多,超过一条记录的限度;请分成几条".to_owned()
        }
        ChangeError::Refused(refusal) => format!("这条记录无法写入文书({})", refusal.code()),
    };
    beside(zh, error)
}

fn content(error: &ContentError) -> String {
    match error {
        ContentError::Type => "缺少事件类型,或类型名过长".to_owned(),
        ContentError::NotAnInteger(path) => {
            format!("{path} 不是 64 位以内的整数;小数请改用更小的单位(如分)")
        }
        ContentError::StringTooLong { path, bytes, limit } => {
            format!("{path} 有 {bytes} 字节,至多 {limit} 字节(一个汉字为 3 字节)")
        }
        ContentError::FieldName(path) => format!("{path} 之下有字段名为空或过长"),
        ContentError::TooDeep(path) => format!("{path} 嵌套层数过多"),
        ContentError::TooManyValues => "事件中的项目过多".to_owned(),
        ContentError::TooManyFields(count) => format!("一次修改的字段过多:{count} 个"),
        ContentError::NotAScalar(path) => format!("{path} 只能是单个值"),
    }
}

/// A certificate that does not let its holder write there.
pub(super) fn author(error: &AuthorError) -> Text {
    let zh = match error {
        AuthorError::Unknown(certificate) => format!("本节点没有证书 {certificate}"),
        AuthorError::ForeignNetwork { .. } => "记录属于另一个网络".to_owned(),
        AuthorError::NotAnOperator(certificate) => {
            format!("证书 {certificate} 不是操作员证书;只有操作员可以签署记录")
        }
        AuthorError::Key(certificate) => format!("证书 {certificate} 与签署人的密钥不符"),
        AuthorError::Reach { operator, space } => {
            format!("{operator} 的操作员无权写入 {space}:该单位不在其本级或下级")
        }
    };
    beside(zh, error)
}

/// A line that is no ticket.
pub(super) fn ticket(error: &TicketError) -> Text {
    let zh = match error {
        TicketError::NotATicket => "这不是邀请码;邀请码是以 anjuan1 开头的一行".to_owned(),
        TicketError::Newer => "邀请码来自较新的程序;请更新本程序".to_owned(),
        TicketError::Character { character, position } => {
            format!("邀请码第 {position} 个字符 {character:?} 有误;邀请码只用 a-z 和 2-7")
        }
        TicketError::Typo => "邀请码有误或不完整;请重新复制整行".to_owned(),
        TicketError::Content(_) => "邀请码内容无效".to_owned(),
    };
    beside(zh, error)
}

/// A ticket that does not let in.
pub(super) fn redeem(error: &RedeemError) -> Text {
    let zh = match error {
        RedeemError::NoTicket => "申请没有附邀请码;请改用文件签发",
        RedeemError::Unknown => "邀请码不是由本节点发出的,或早已作废",
        RedeemError::Expired => "邀请码已过期",
        RedeemError::Used => "邀请码已被使用",
        RedeemError::Mismatch => "邀请码是发给另一单位或另一种加入方式的",
    };
    beside(zh.to_owned(), error)
}

/// The list of tickets.
pub(super) fn book(error: &BookError) -> Text {
    let zh = match error {
        BookError::Encoding(_) => "邀请码登记文件已损坏",
        BookError::Version(_) => "邀请码登记文件来自另一版本的程序",
        BookError::Full => "尚未过期的邀请码过多;请等待其中一些过期满 30 天",
    };
    beside(zh.to_owned(), error)
}

/// A request that is not granted.
pub(super) fn grant(error: &GrantError) -> Text {
    let zh = match error {
        GrantError::NotApproved => "核准的是另一份申请".to_owned(),
        GrantError::ForeignNetwork { .. } => "申请加入的是另一个网络".to_owned(),
        GrantError::UnknownUnit(error) => return unit(error),
        GrantError::NoAuthority(_) => "本节点没有有效的签发证书".to_owned(),
        GrantError::NotBelow { unit, issuer, .. } => {
            format!("{unit} 不在 {issuer} 之下,不能由此签发;请找其上级")
        }
        GrantError::Issue(error) => return issue(error),
    };
    beside(zh, error)
}

/// A grant that the joiner does not take.
pub(super) fn accept(error: &AcceptError) -> Text {
    let zh = match error {
        AcceptError::Encoding(_) | AcceptError::Count(_) => "这不是加入许可文件,或已损坏",
        AcceptError::Version(_) => "加入许可来自另一版本的程序",
        AcceptError::Certificate(_) | AcceptError::Root(_) | AcceptError::Credential(_) => {
            "加入许可中的证书无效"
        }
        AcceptError::ForeignNetwork { .. } => "加入许可来自另一个网络,与邀请码不符",
        AcceptError::Missing(_) => "加入许可不是发给本申请的",
    };
    beside(zh.to_owned(), error)
}

/// A certificate that cannot be issued.
pub(super) fn issue(error: &IssueError) -> Text {
    let zh = match error {
        IssueError::Certificate(_) => "证书内容不合规定",
        IssueError::Chain(_) => "本单位的证书无权这样签发",
        IssueError::WrongKey(_) => "签发密钥与本单位的签发证书不符",
    };
    beside(format!("{zh}({error})"), error)
}

/// A unit that is not in the list.
pub(super) fn unit(error: &UnknownUnit) -> Text {
    let wanted = &error.wanted;
    let zh = match error.nearest.as_slice() {
        [] => format!("区划表中没有 {wanted}"),
        nearest => format!("区划表中没有 {wanted};是否为 {}", nearest.join("、")),
    };
    beside(zh, error)
}

/// A home that is in use, or that this program does not read.
pub(super) fn lock(error: &LockError) -> Text {
    let zh = match error {
        LockError::InUse { home, holder } => {
            let holder = holder.map_or_else(String::new, |pid| format!("(进程 {pid})"));
            format!("目录 {} 正被另一个 anjuan 进程使用{holder}", home.display())
        }
        LockError::Newer { home, found } => {
            format!("目录 {} 的格式 {found} 来自较新的程序", home.display())
        }
        LockError::NotAHome { path } => format!("文件 {} 不是节点目录的格式文件", path.display()),
        LockError::Io { path, source, .. } => format!("无法读写 {}:{source}", path.display()),
    };
    beside(zh, error)
}

/// Sealed items that can't be kept.
pub(super) fn keystore(error: &KeystoreError) -> Text {
    let zh = match error {
        KeystoreError::Io { path, source, .. } => format!("无法读写 {}:{source}", path.display()),
        KeystoreError::Format { path, .. } => format!("{} 的格式不是本程序所用的", path.display()),
        KeystoreError::Damaged(item) => format!("密封材料 {item} 已损坏;已移到一旁,将从其他节点重新取得"),
        KeystoreError::Full { most, .. } => format!("该操作员在此文书中已密封 {most} 件,不能再多"),
        KeystoreError::Erased => "这些个人信息已依法删除,不能以同一承诺再次密封".to_owned(),
    };
    beside(zh, error)
}

/// A ledger that can't do what was asked.
pub(super) fn ledger(error: &LedgerError) -> Text {
    let zh = match error {
        LedgerError::Stopped(stopped) | LedgerError::Append(AppendError::Stopped(stopped)) => {
            format!("日志已停止写入:{}", halted(stopped))
        }
        LedgerError::Append(AppendError::TooLong { length }) => {
            format!("内容 {length} 字节,无法一次写入日志")
        }
        LedgerError::Open(error) => format!("日志无法打开:{error}"),
        LedgerError::Read(error) => format!("日志无法读取:{error}"),
        LedgerError::Store(error) => format!("案件库出错:{error}"),
        LedgerError::Index(error) => format!("案件库中有记录无法读懂:{error}"),
        LedgerError::Keystore(error) => return keystore(error),
        LedgerError::Frame { position, what } => format!("日志第 {position} 条有误:{what}"),
        LedgerError::Document { document, what } => format!("文书 {} 有误:{what}", document.id),
        LedgerError::Epoch(error) => format!("纪元标记有误:{error}"),
    };
    beside(zh, error)
}

/// Why the journal takes nothing in.
pub(super) fn halted(stopped: &Stopped) -> String {
    match stopped {
        Stopped::NoRoom { free, needed } => {
            format!("磁盘只剩 {free} 字节,需要 {needed} 字节;腾出空间后会继续写入")
        }
        Stopped::Io { path, source, .. } => format!("无法写入 {}:{source}", path.display()),
        Stopped::Damaged(damage) => format!("日志读回的内容与写入的不同:{damage};请重启检查"),
        Stopped::Unfinished { path } => format!("{} 的重写没有完成;检查之前不再写入", path.display()),
        Stopped::Closed => "日志已关闭".to_owned(),
    }
}
