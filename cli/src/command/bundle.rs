//! `anjuan bundle`

use std::path::{Path, PathBuf};

use anjuan_node::service::call::{BundleExport, BundleImport, BundleRead};
use anjuan_node::service::view::{BundleImported, BundleSummary};
use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text;
use anjuan_node::unit::UnitCode;
use clap::Subcommand;
use serde::Serialize;

use crate::app::App;
use crate::args::{bi, unit};
use crate::host::Host;
use crate::output::Progress;

/// Bundles.
#[derive(Debug, clap::Args)]
pub struct Bundle {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Writes one.
    #[command(about = bi!("把对方没有的内容写入文件", "write what a peer lacks to a file"))]
    Export {
        /// Without what this peer has.
        #[arg(
            long,
            value_name = "PEER",
            required_unless_present = "all",
            conflicts_with = "all"
        )]
        #[arg(help = bi!(
            "不含该节点(单位代码或节点号)已知拥有的内容",
            "without what this peer, by its unit's code or peer id, is known to have"
        ))]
        since: Option<String>,
        /// Everything.
        #[arg(long)]
        #[arg(help = bi!("全部内容", "everything"))]
        all: bool,
        /// Where it goes.
        #[arg(long, value_name = "FILE")]
        #[arg(help = bi!("写入的文件", "where it goes"))]
        out: PathBuf,
        /// For whom.
        #[arg(long, value_name = "CODE", value_parser = unit)]
        #[arg(help = bi!(
            "只含该单位的节点所持有的内容",
            "only what nodes of this unit hold"
        ))]
        scope: Option<UnitCode>,
    },
    /// Takes one in.
    #[command(about = bi!("导入文件中的内容", "take in what a file brings"))]
    Import {
        /// Which.
        #[arg(value_name = "FILE")]
        #[arg(help = bi!("数据包文件", "the bundle"))]
        file: PathBuf,
        /// Of a damaged one too.
        #[arg(long)]
        #[arg(help = bi!(
            "文件有损坏时,导入其中完好的各页",
            "if it is damaged, take in its whole pages"
        ))]
        salvage: bool,
    },
    /// Reads one.
    #[command(about = bi!("查看文件的来源与内容,不导入", "show where a file comes from and what it would bring"))]
    Show {
        /// Which.
        #[arg(value_name = "FILE")]
        #[arg(help = bi!("数据包文件", "the bundle"))]
        file: PathBuf,
    },
}

/// An import from beginning to end.
#[derive(Debug, Serialize)]
struct Imported {
    before: BundleSummary,
    after: BundleImported,
}

impl Bundle {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        match self.action {
            Action::Export {
                since, out, scope, ..
            } => {
                let file = named(&out)?;
                let mut bar = Progress::new(&app.ui, &text!("导出", "exporting"));
                let call = BundleExport { file, since, scope };
                let written = app.call_with(call, &mut |step| bar.at(step.done, step.total))?;
                drop(bar);
                app.show(&written)
            }
            Action::Show { file } => {
                let summary = read(app, &file)?;
                app.show(&summary)?;
                match summary.damage.first() {
                    None => Ok(()),
                    Some(damage) => Err(ServiceError::new(ErrorKind::Damaged, damage.clone())),
                }
            }
            Action::Import { file, salvage } => import(app, &file, salvage),
        }
    }
}

fn read<H: Host>(app: &mut App<'_, H>, file: &Path) -> Result<BundleSummary, ServiceError> {
    let file = named(file)?;
    let mut bar = Progress::new(&app.ui, &text!("读取", "reading"));
    app.call_with(BundleRead { file }, &mut |step| bar.at(step.done, step.total))
}

fn import<H: Host>(app: &mut App<'_, H>, file: &Path, salvage: bool) -> Result<(), ServiceError> {
    let before = read(app, file)?;
    if !app.ui.json {
        app.show(&before)?;
    }
    let file = named(file)?;
    let mut bar = Progress::new(&app.ui, &text!("导入", "importing"));
    let call = BundleImport { file, salvage };
    let after = app.call_with(call, &mut |step| bar.at(step.done, step.total))?;
    drop(bar);
    let imported = Imported { before, after };
    if app.ui.json {
        app.print_json(&imported)?;
    } else {
        app.show(&imported.after)?;
    }
    let (forged, damaged) = (imported.after.forged, imported.after.damage.len());
    if forged > 0 {
        return Err(ServiceError::new(
            ErrorKind::Refused,
            text!(
                "{forged} 条记录是伪造的,没有导入",
                "{forged} records are forged, and were not taken in"
            ),
        )
        .with_hint(text!(
            "其余的已导入;请查明文件的来历",
            "the others were taken in; find out where the file comes from"
        )));
    }
    if damaged > 0 {
        return Err(ServiceError::new(
            ErrorKind::Damaged,
            text!(
                "数据包有 {damaged} 处损坏,只导入了完好的各页",
                "the bundle is damaged in {damaged} places; its whole pages alone were taken in"
            ),
        )
        .with_hint(text!("请对方重新导出", "have it exported again")));
    }
    Ok(())
}

/// The path as the node, which may run in another folder, has to be told.
fn named(path: &Path) -> Result<String, ServiceError> {
    let unusable = |reason: String| {
        let name = path.display();
        ServiceError::new(
            ErrorKind::Usage,
            text!(
                "{name} 不能用作文件名:{reason}",
                "{name} cannot be used: {reason}"
            ),
        )
    };
    let absolute = std::path::absolute(path).map_err(|error| unusable(error.to_string()))?;
    let told = absolute.into_os_string().into_string();
    told.map_err(|_| unusable("not Unicode".to_owned()))
}
