//! `anjuan serve`

use anjuan_node::service::call::Passphrase;
use anjuan_node::service::{ServiceError, setup};
use anjuan_node::text;

use crate::app::{App, json_line};
use crate::args::bi;
use crate::host::Host;
use crate::log;
use crate::passphrase;
use crate::view::{Page, View as _};

/// Runs the node.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Where to listen.
    #[arg(long, value_name = "MULTIADDR")]
    #[arg(help = bi!(
        "监听地址,可多次给出,如 /ip4/0.0.0.0/tcp/4509(默认取自配置)",
        "where to listen, such as /ip4/0.0.0.0/tcp/4509; may be repeated (the configuration's if left out)"
    ))]
    listen: Vec<String>,
    /// Parents to stay connected to.
    #[arg(long, value_name = "MULTIADDR")]
    #[arg(help = bi!(
        "上级节点地址,以 /p2p/<节点号> 结尾,可多次给出",
        "a parent to stay connected to, ending in /p2p/<peer id>; may be repeated"
    ))]
    parent: Vec<String>,
    /// Look around on the local network.
    #[arg(long)]
    #[arg(help = bi!("在局域网内发现节点", "look for peers on the local network"))]
    mdns: bool,
    /// Keys to unlock.
    #[arg(long, value_name = "HANDLE")]
    #[arg(help = bi!(
        "启动时解锁的密钥(操作员代号,或 authority),可多次给出",
        "a key to unlock from the start (an operator's handle, or `authority`); may be repeated"
    ))]
    unlock: Vec<String>,
}

impl Serve {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        let unlock = self
            .unlock
            .into_iter()
            .map(|handle| {
                let passphrase = unlocking(app, &handle)?;
                Ok((handle, passphrase))
            })
            .collect::<Result<_, ServiceError>>()?;
        let serve = setup::Serve {
            listen: self.listen,
            parents: self.parent,
            mdns: self.mdns,
            unlock,
        };
        log::to_standard_error();
        let (host, home, ui) = (app.host, &app.home, &app.ui);
        let console = &mut *app.console;
        host.serve(home, serve, &mut |status| {
            let text = if ui.json {
                json_line(&status).unwrap_or_default()
            } else {
                let mut page = Page::new(ui);
                status.lay_out(&mut page);
                page.finish()
            };
            // Whoever started the node may have closed its output; the node runs on.
            let _ = console.out(&text);
        })
    }
}

fn unlocking<H: Host>(app: &mut App<'_, H>, handle: &str) -> Result<Passphrase, ServiceError> {
    let key = text!("密钥 {handle} ", "the key {handle}");
    let given = if handle == "authority" {
        app.secrets.given_for_authority()?
    } else {
        app.secrets.given()?
    };
    match given {
        Some(passphrase) => Ok(passphrase),
        None if app.console.interactive() => passphrase::ask(app.console, app.ui.lang, &key),
        None => Err(passphrase::missing(&key)),
    }
}
