//! Why links end and peers are not reached, for people.

use anjuan_sync::driver::Ended;
use anjuan_sync::session::{CloseReason, Late, Refusal, Violation};
use anjuan_sync::transport::{Cut, DialError, LinkError};

use crate::text::Text;

/// Why a link ended.
pub(super) fn ended(ended: &Ended) -> Text {
    let zh = match ended {
        Ended::Session(reason) => session(reason),
        Ended::Link(error) => link(error),
    };
    match ended {
        // How a witness of another line is let in is not to be guessed.
        Ended::Session(CloseReason::Refused(Refusal::NotInLine(_))) => Text::new(
            format!(
                "{zh};如要其为本节点见证或由本节点为其见证,双方须在 config.toml 中写明 witnesses 与 witness_for"
            ),
            format!(
                "{ended}; to witness one another, the one names the address in `witnesses`, the other the unit in `witness_for`, in config.toml"
            ),
        ),
        _ => Text::new(zh, ended.to_string()),
    }
}

fn session(reason: &CloseReason) -> String {
    match reason {
        CloseReason::Refused(refusal) => refused(refusal),
        CloseReason::Violation(violation) => format!("对方违反协议:{}", broken(violation)),
        CloseReason::Late(Late::Hello) => "对方未及时表明身份".to_owned(),
        CloseReason::Late(Late::State) => "对方未及时说明自己的状态".to_owned(),
        CloseReason::Late(Late::Answer) => "对方未及时答复".to_owned(),
        CloseReason::Bye(0) => "对方结束了同步".to_owned(),
        CloseReason::Bye(code) => format!("对方结束了同步,认为本节点违反协议(代码 {code})"),
        CloseReason::Replica(error) => format!("本节点的数据无法读取:{error}"),
        CloseReason::StoreFailed(error) => format!("收到的内容无法保存:{error}"),
        CloseReason::Local => "本节点结束了同步".to_owned(),
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Version(version) => format!("对方使用协议第 {version} 版,与本程序不同;请更新较旧的一方"),
        Refusal::Network => "对方属于另一个网络".to_owned(),
        Refusal::Certificate(why) => format!("对方的证书不被接受:{why}"),
        Refusal::NotInLine(unit) => format!("对方单位 {unit} 既不是上级也不是下级"),
    }
}

fn broken(violation: &Violation) -> String {
    match violation {
        Violation::FrameTooLong { bytes } => format!("一次发来 {bytes} 字节,超过限度"),
        Violation::Malformed(what) => format!("内容无法读懂({what})"),
        Violation::TooManyItems => "一条消息列出的内容过多".to_owned(),
        Violation::BeforeHello => "未表明身份即发来消息".to_owned(),
        Violation::SecondHello => "重复表明身份".to_owned(),
        Violation::Unsolicited => "发来没有要求的答复".to_owned(),
        Violation::TooManyRequests => "同时提出的请求过多".to_owned(),
        Violation::TooFast => "发送消息过于频繁".to_owned(),
        Violation::OutOfScope => "索取或发来双方共有范围之外的内容".to_owned(),
        Violation::Page(what) => format!("一页内容损坏或过大({what})"),
        Violation::Position => "位置不前进".to_owned(),
        Violation::EndlessTree => "摘要树没有尽头".to_owned(),
        Violation::Forged { count } => format!("发来 {count} 条伪造的记录"),
    }
}

fn link(error: &LinkError) -> String {
    match error {
        LinkError::Closed => "对方断开了连接".to_owned(),
        LinkError::Goodbye(reason) => format!("对方断开了连接({reason})"),
        LinkError::Cut(cut) => match cut {
            Cut::Replaced => "与该节点的新连接已取代此连接".to_owned(),
            Cut::Refused => "本节点暂不与其连接".to_owned(),
            Cut::NotAccepted => "连接未及时获准".to_owned(),
            Cut::Unresponsive => "对方没有响应".to_owned(),
            Cut::Shutdown => "本节点已停止".to_owned(),
        },
        LinkError::BeforeAcceptance { limit } => format!("对方在获准之前发来超过 {limit} 字节"),
        LinkError::Frame(error) => format!("传输出错:{error}"),
    }
}

/// Why a peer was not reached.
pub(super) fn not_reached(error: &DialError) -> Text {
    let zh = match error {
        DialError::Unreachable(detail) => format!("连接不上:{detail}"),
        DialError::OtherPeer { address, found } => format!("{address} 处应答的是另一个节点:{found}"),
        DialError::Own(address) => format!("{address} 是本节点自己的地址"),
        DialError::Refused => "本节点暂不与其连接".to_owned(),
        DialError::TurnedAway(detail) => format!("对方不与本节点通信:{detail}"),
        DialError::Name { name, detail } => format!("名称 {name} 无法解析:{detail}"),
        DialError::Busy => "正在进行的连接过多".to_owned(),
        DialError::Stopped => "本节点已停止".to_owned(),
    };
    Text::new(zh, error.to_string())
}
