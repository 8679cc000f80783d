//! `anjuan sync`

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use anjuan_node::service::call::{Metrics, SyncNow, SyncStatus};
use anjuan_node::service::{ErrorKind, ServiceError, view};
use anjuan_node::text;
use anjuan_node::text::Text;
use clap::Subcommand;

use crate::app::App;
use crate::args::{bi, within};
use crate::host::Host;
use crate::output::{Progress, time};
use crate::view::states;

/// Between two looks of `--watch`.
const LOOK: Duration = Duration::from_secs(1);
/// Clears a terminal and goes to its first place.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

/// Syncing.
#[derive(Debug, clap::Args)]
pub struct Sync {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// How it goes.
    #[command(about = bi!("查看与各节点、各下级单位的同步情况", "show how it goes with every peer and every unit below"))]
    Status {
        /// On and on.
        #[arg(long)]
        #[arg(help = bi!(
            "持续显示;输出不是终端时,每有变化打印一行",
            "go on showing it; where the output is no terminal, print a line for each change"
        ))]
        watch: bool,
    },
    /// At once.
    #[command(about = bi!("立即连接并同步,直到一致", "connect at once, and wait until level"))]
    Now {
        /// With whom.
        #[arg(long, value_name = "PEER")]
        #[arg(help = bi!(
            "只与该节点(单位代码或节点号)",
            "only with this peer, by its unit's code or peer id"
        ))]
        peer: Option<String>,
        /// How long.
        #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = within(0, 3600))]
        #[arg(help = bi!(
            "最多等待的秒数,0 至 3600,默认 60",
            "seconds to wait at most, 0 to 3600; 60 if left out"
        ))]
        wait: u32,
    },
    /// For monitoring.
    #[command(about = bi!(
        "打印监控指标(Prometheus 文本格式;运行中的节点也在 GET /metrics 提供)",
        "print figures in the Prometheus text format; a running node has them at GET /metrics too"
    ))]
    Metrics,
}

impl Sync {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        match self.action {
            Action::Status { watch: false } => {
                let status = app.call(SyncStatus {})?;
                app.show(&status)
            }
            Action::Status { watch: true } => watch(app),
            Action::Now { peer, wait } => now(app, peer, wait),
            Action::Metrics => {
                let metrics = app.call(Metrics {})?;
                match app.ui.json {
                    true => app.print_json(&metrics),
                    false => app.print(&metrics.text),
                }
            }
        }
    }
}

fn now<H: Host>(app: &mut App<'_, H>, peer: Option<String>, wait: u32) -> Result<(), ServiceError> {
    let mut bar = Progress::new(&app.ui, &text!("同步", "syncing"));
    let call = SyncNow {
        peer,
        wait_seconds: wait,
    };
    let synced = app.call_with(call, &mut |step| bar.at(step.done, step.total))?;
    drop(bar);
    app.show(&synced)?;
    if synced.level || wait == 0 {
        return Ok(());
    }
    Err(ServiceError::new(
        ErrorKind::Network,
        text!("{wait} 秒内没有达到一致", "not level within {wait} seconds"),
    )
    .with_hint(Text::new(
        "同步仍在继续;用 anjuan sync status --watch 查看",
        "it goes on; see `anjuan sync status --watch`",
    )))
}

/// Shows it until somebody ends the program, or the node stops.
fn watch<H: Host>(app: &mut App<'_, H>) -> Result<(), ServiceError> {
    let mut before = BTreeMap::new();
    loop {
        let status = app.call(SyncStatus {})?;
        if !status.running {
            return Err(ServiceError::new(
                ErrorKind::Network,
                text!("节点没有运行", "the node does not run"),
            )
            .with_hint(text!("先运行 anjuan serve", "start it with `anjuan serve`")));
        }
        if app.ui.width.is_some() && !app.ui.json {
            app.print(CLEAR)?;
            app.show(&status)?;
        } else {
            let after = states(&app.ui, &status);
            tell(app, &before, &after, &status)?;
            before = after;
        }
        thread::sleep(LOOK);
    }
}

/// A line for each thing whose state is another than before; with JSON the whole status, if any is.
fn tell<H: Host>(
    app: &mut App<'_, H>,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    status: &view::SyncStatus,
) -> Result<(), ServiceError> {
    if app.ui.json {
        return match before == after {
            true => Ok(()),
            false => app.print_json(status),
        };
    }
    let now = time::second(&app.ui, jiff::Timestamp::now());
    for (name, state) in after {
        if before.get(name) != Some(state) {
            app.print(&format!("{now}  {name}  {state}\n"))?;
        }
    }
    let gone = app.ui.say(&text!("不再有", "gone")).to_owned();
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        app.print(&format!("{now}  {name}  {gone}\n"))?;
    }
    Ok(())
}
