//! `anjuan audit`

use std::fs::File;
use std::path::{Path, PathBuf};

use anjuan_node::audit::{Auditor, Policy, Unreadable, html, verify};
use anjuan_node::authority::certificate::{Certified, SignedCertificate};
use anjuan_node::evidence::checkpoint::SignedCheckpoint;
use anjuan_node::service::call::{AuditExport, Disclose, SignAs};
use anjuan_node::service::{ErrorKind, Progress as Step, ServiceError};
use anjuan_node::text;
use anjuan_node::text::Text;
use anjuan_node::unit::UnitCode;
use anjuan_sync::Timestamp;
use clap::Subcommand;

use crate::app::App;
use crate::args::{bi, instant, unit};
use crate::file;
use crate::host::Host;
use crate::output::Progress;

/// Bytes of a certificate, a policy or a checkpoint at most.
const MAX_SMALL: u64 = 64 << 10;

/// Evidence to carry away.
#[derive(Debug, clap::Args)]
pub struct Audit {
    /// Which.
    #[command(subcommand)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Writes a bundle.
    #[command(about = bi!("导出一个审计文件", "write an audit bundle"))]
    Export(Export),
    /// Checks one.
    #[command(about = bi!(
        "离线核验审计文件:不用网络、存储和节点目录。退出码:0 通过,3 有缺口,4 未证明,5 不实",
        "check an audit bundle offline: no network, no store, no home. Exit codes: 0 verified, 3 with gaps, 4 unproven, 5 forged"
    ))]
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
#[group(id = "scope", required = true, multiple = false)]
struct Scope {
    /// One case.
    #[arg(long, value_name = "ID", help = bi!("一个案件(编号或案号)", "one case, by id or number"))]
    case: Option<String>,
    /// A unit.
    #[arg(long, value_name = "CODE", value_parser = unit, help = bi!("一个单位及其下级的全部案卷", "all documents of a unit and of those below it"))]
    unit: Option<UnitCode>,
    /// From when on.
    #[arg(long, value_name = "TIME", value_parser = instant, help = bi!("所称时间自此起的案卷", "documents with something claimed from then on"))]
    from: Option<String>,
    /// Everything.
    #[arg(long, help = bi!("本节点全部记录", "everything this node holds"))]
    all: bool,
}

/// Writes a bundle.
#[derive(Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    scope: Scope,
    /// Until when.
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "from", help = bi!("与 --from 同用:至此为止(不含)", "with --from: until then, exclusive"))]
    to: Option<String>,
    /// With contents.
    #[arg(long, help = bi!("包括案卷内容(不含密封的个人信息)", "with what the documents say (not sealed particulars)"))]
    payloads: bool,
    /// All headers.
    #[arg(long, help = bi!("包括全部日志的签名头,使没有遗漏也能证明", "with the headers of all logs, so that it can be proven that nothing is left out"))]
    all_headers: bool,
    /// With particulars.
    #[arg(long, requires_all = ["payloads", "reason"], help = bi!(
        "披露本节点能打开的个人信息:在每个案件中留下签名的披露事件",
        "disclose the particulars that can be opened here: a signed event in each case says so"
    ))]
    disclose: bool,
    /// Why.
    #[arg(long, value_name = "TEXT", requires = "disclose", help = bi!("披露的法律依据和理由", "legal basis and reason of the disclosure"))]
    reason: Option<String>,
    /// Who signs.
    #[arg(long = "as", value_name = "HANDLE", requires = "disclose", help = bi!("签署披露的操作员代号", "handle of the operator who signs the disclosure"))]
    operator: Option<String>,
    /// Checkpoints to put in.
    #[arg(long, value_name = "FILE", help = bi!("放入本节点的检查点及其联署(可多次)", "put in a checkpoint of this node with its cosignatures (again for more)"))]
    checkpoint: Vec<PathBuf>,
    /// What the auditor kept.
    #[arg(long, value_name = "FILE", help = bi!("审计员留存的检查点,使文件能与之比较(可多次)", "a checkpoint that the auditor kept, so that the bundle can be compared with it (again for more)"))]
    since: Vec<PathBuf>,
    /// The file.
    #[arg(long, value_name = "FILE", help = bi!("写入的文件,不得已存在", "the file, which must not exist yet"))]
    out: PathBuf,
}

/// Checks a bundle.
#[derive(Debug, clap::Args)]
struct Verify {
    /// The bundle.
    #[arg(value_name = "FILE", help = bi!("审计文件", "the audit bundle"))]
    file: PathBuf,
    /// The root certificate.
    #[arg(long, value_name = "ROOTCERT", help = bi!("所持的根证书文件", "the root certificate that you hold"))]
    root: PathBuf,
    /// The policy.
    #[arg(long, value_name = "FILE", help = bi!("政策文件:见证人与人数;默认任一持证节点一名", "policy: which witnesses, how many; one certified node if left out"))]
    policy: Option<PathBuf>,
    /// What was kept.
    #[arg(long, value_name = "CHECKPOINT", help = bi!("从前留存的该节点检查点(可多次)", "a checkpoint of the node that you kept from earlier (again for more)"))]
    since: Vec<PathBuf>,
    /// As of when.
    #[arg(long, value_name = "TIME", value_parser = instant, help = bi!("以此时间为准;默认为文件中最新的时间", "judge as of then; the newest time in the bundle if left out"))]
    as_of: Option<String>,
    /// Disclosed particulars.
    #[arg(long, help = bi!("在报告中列出已披露的个人信息", "show disclosed particulars in the report"))]
    particulars: bool,
    /// The page.
    #[arg(long, value_name = "FILE", help = bi!("另写一页可打印的报告(中英文)", "also write the report as a page to print, in both languages"))]
    html: Option<PathBuf>,
}

impl Audit {
    /// Does it do without a home?
    pub(super) fn is_offline(&self) -> bool {
        matches!(self.which, Which::Verify(_))
    }

    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        match self.which {
            Which::Export(export) => export.run(app),
            Which::Verify(verify) => verify.run(app),
        }
    }
}

fn usage(message: Text) -> ServiceError {
    ServiceError::new(ErrorKind::Usage, message)
}

fn text_of(path: &Path) -> Result<String, ServiceError> {
    let name = path.display();
    String::from_utf8(file::read(path, MAX_SMALL)?)
        .map_err(|_| usage(text!("{name} 不是文本", "{name} is not text")))
}

impl Export {
    fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        file::check_free(&self.out)?;
        let notes = |paths: &[PathBuf]| {
            paths
                .iter()
                .map(|path| text_of(path))
                .collect::<Result<Vec<_>, _>>()
        };
        let (checkpoints, since) = (notes(&self.checkpoint)?, notes(&self.since)?);
        // The node that runs may stand in another folder.
        let out = std::path::absolute(&self.out).map_err(|error| {
            usage(text!(
                "写入路径不可用:{error}",
                "the path to write to cannot be used: {error}"
            ))
        })?;
        let call = |disclose| AuditExport {
            document: self.scope.case.clone(),
            unit: self.scope.unit.clone(),
            from: self.scope.from.clone(),
            to: self.to.clone(),
            payloads: self.payloads,
            all_headers: self.all_headers,
            disclose,
            checkpoints: checkpoints.clone(),
            since: since.clone(),
            out: out.to_string_lossy().into_owned(),
        };
        let mut bar = Progress::new(&app.ui, &text!("导出", "exporting"));
        let mut progress = |step: Step| bar.at(step.done, step.total);
        let exported = match &self.reason {
            Some(reason) if self.disclose => {
                let disclose = |sign: SignAs| Disclose {
                    reason: reason.clone(),
                    sign,
                };
                let operator = self.operator.clone();
                app.call_signing_with(operator, |sign| call(Some(disclose(sign))), &mut progress)?
            }
            _ => app.call_with(call(None), &mut progress)?,
        };
        drop(bar);
        app.show(&exported)
    }
}

impl Verify {
    fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        let root = root(&self.root)?;
        let policy = match &self.policy {
            Some(path) => text_of(path)?
                .parse::<Policy>()
                .map_err(|error| usage(Text::same(error.to_string())))?,
            None => Policy::default(),
        };
        let kept = self
            .since
            .iter()
            .map(|path| checkpoint(path))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(html) = &self.html {
            file::check_free(html)?;
        }
        let auditor = Auditor {
            root: &root,
            policy: &policy,
            kept: &kept,
            as_of: self.as_of.as_deref().and_then(as_of),
            particulars: self.particulars,
        };
        let name = self.file.display();
        let open =
            |error: std::io::Error| usage(text!("无法读取 {name}:{error}", "cannot read {name}: {error}"));
        let input = File::open(&self.file).map_err(open)?;
        let total = input.metadata().map_err(open)?.len();
        let mut bar = Progress::new(&app.ui, &text!("核验", "verifying"));
        let report = verify(input, &auditor, &mut rand::rng(), &mut |done| bar.at(done, total));
        drop(bar);
        let report = report.map_err(|error| {
            let hint = match error {
                Unreadable::Newer(_) => Text::new("请用更新的程序核验", "check it with a newer program"),
                _ => Text::new(
                    "确认文件无误,重新取得",
                    "see that it is the right file, and get it anew",
                ),
            };
            usage(text!("{name}:{error}", "{name}: {error}")).with_hint(hint)
        })?;
        if let Some(path) = &self.html {
            file::write_new(path, html::page(&report).as_bytes())?;
        }
        app.show(&report)?;
        app.code = report.verdict.exit_code();
        Ok(())
    }
}

fn root(path: &Path) -> Result<Certified, ServiceError> {
    let name = path.display();
    let bytes = file::read(path, MAX_SMALL)?;
    let wrong = |error: String| {
        usage(text!(
            "{name} 不是根证书:{error}",
            "{name} is not a root certificate: {error}"
        ))
    };
    let signed = SignedCertificate::decode(&bytes).map_err(|error| wrong(error.to_string()))?;
    Certified::root(signed).map_err(|error| wrong(error.to_string()))
}

fn checkpoint(path: &Path) -> Result<SignedCheckpoint, ServiceError> {
    let name = path.display();
    SignedCheckpoint::parse(&file::read(path, MAX_SMALL)?).map_err(|error| {
        usage(text!(
            "{name} 不是检查点:{error}",
            "{name} is not a checkpoint: {error}"
        ))
    })
}

/// The parser of the argument wrote it down.
fn as_of(text: &str) -> Option<Timestamp> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(instant.as_millisecond()))
}
