//! The commands, one file each.

mod bundle;
mod demo;
mod document;
mod init;
mod invite;
mod join;
mod operator;
mod peer;
mod serve;
mod status;
mod sync;
mod todo;
mod unit;
mod verify;

use anjuan_node::service::ServiceError;
use clap::Subcommand;

use crate::app::App;
use crate::args::bi;
use crate::host::Host;

pub use document::{Case, Documents, Register};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Founds a network.
    #[command(about = bi!("建立根授权机构和本级节点", "found the root authority and its node"))]
    Init(init::Init),
    /// Lets a unit join.
    #[command(about = bi!("邀请下级单位加入(出具邀请码,或签发申请文件)", "let a unit join: print a ticket, or sign a request"))]
    Invite(invite::Invite),
    /// Joins.
    #[command(about = bi!("加入网络(用邀请码,或用文件)", "join a network, by a ticket or by files"))]
    Join(join::Join),
    /// Runs the node.
    #[command(about = bi!("运行节点", "run the node"))]
    Serve(serve::Serve),
    /// What the node is, and how it does.
    #[command(about = bi!("查看节点状态", "show what this node is and how it does"))]
    Status(status::Status),
    /// Operators and keys.
    #[command(about = bi!("管理操作员与密钥", "manage operators and their keys"))]
    Operator(operator::Operator),
    /// Units.
    #[command(about = bi!("查找行政区划单位", "look up units"))]
    Unit(unit::Unit),
    /// Peers.
    #[command(about = bi!("管理对端节点", "manage peers"))]
    Peer(peer::Peer),
    /// Syncing.
    #[command(about = bi!("查看同步情况,或立即同步", "show how syncing goes, or sync at once"))]
    Sync(sync::Sync),
    /// Bundles.
    #[command(about = bi!("没有网络时:用文件交换内容", "where there is no network: exchange by files"))]
    Bundle(bundle::Bundle),
    /// Cases.
    #[command(about = bi!("调解案件:登记、办理、查询", "cases: register, handle, look up"))]
    Case(Documents<Case>),
    /// The register of organisations and mediators.
    #[command(about = bi!("备案登记:调解组织与调解员", "the register of organisations and mediators"))]
    Register(Documents<Register>),
    /// What is due.
    #[command(about = bi!("查看我的待办和期限", "show what is due for me"))]
    Todo(todo::Todo),
    /// Checks the store.
    #[command(about = bi!("核验本节点全部签名、日志和文档", "check every signature, log and document of this store"))]
    Verify(verify::Verify),
    /// The main job on four nodes.
    #[command(about = bi!("演示:村、镇、县、市四级节点", "a demonstration on four nodes: village, town, county, city"))]
    Demo(demo::Demo),
}

impl Command {
    /// Does it.
    pub fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        match self {
            Self::Init(command) => command.run(app),
            Self::Invite(command) => command.run(app),
            Self::Join(command) => command.run(app),
            Self::Serve(command) => command.run(app),
            Self::Status(command) => command.run(app),
            Self::Operator(command) => command.run(app),
            Self::Unit(command) => command.run(app),
            Self::Peer(command) => command.run(app),
            Self::Sync(command) => command.run(app),
            Self::Bundle(command) => command.run(app),
            Self::Case(command) => command.run(app),
            Self::Register(command) => command.run(app),
            Self::Todo(command) => command.run(app),
            Self::Verify(command) => command.run(app),
            Self::Demo(command) => command.run(app),
        }
    }
}
