//! `anjuan peer`

use anjuan_node::service::{ServiceError, call};
use clap::Subcommand;

use crate::app::App;
use crate::args::bi;
use crate::host::Host;

/// Peers.
#[derive(Debug, clap::Args)]
pub struct Peer {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// All of them.
    #[command(about = bi!("列出对端节点", "list peers"))]
    List,
    /// One more.
    #[command(about = bi!("保持与某地址节点的连接", "keep a connection to a node"))]
    Add {
        /// Where.
        #[arg(value_name = "MULTIADDR")]
        #[arg(help = bi!("以 /p2p/<节点号> 结尾的地址", "an address that ends in /p2p/<peer id>"))]
        address: String,
    },
    /// One less.
    #[command(about = bi!("不再保持连接", "stop keeping a connection"))]
    Remove {
        /// Which.
        #[arg(value_name = "PEER")]
        #[arg(help = bi!("地址或节点号", "the address, or the peer id"))]
        peer: String,
    },
}

impl Peer {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        match self.action {
            Action::List => {
                let peers = app.call(call::PeerList {})?;
                app.show(&peers)
            }
            Action::Add { address } => {
                let done = app.call(call::PeerAdd { address })?;
                app.show(&done)
            }
            Action::Remove { peer } => {
                let done = app.call(call::PeerRemove { peer })?;
                app.show(&done)
            }
        }
    }
}
