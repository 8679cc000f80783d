//! Clocks that are far apart. A clock that is off by years looks like a certificate that is not in force, so
//! both times are said, and which clock to set.

use anjuan_sync::Timestamp;
use jiff::tz::TimeZone;

use crate::text;
use crate::text::Text;

/// An instant as a clock on the wall here shows it.
pub(crate) fn shown(time: Timestamp) -> String {
    let instant = jiff::Timestamp::from_millisecond(time.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let local = TimeZone::system().to_datetime(instant);
    local.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A peer that is let in has another time.
pub(crate) fn apart(ours: Timestamp, theirs: Timestamp) -> Text {
    let (ours, theirs) = (shown(ours), shown(theirs));
    text!(
        "本节点时钟为 {ours},对方时钟为 {theirs};请校准不对的一方",
        "this node's clock says {ours}, the peer's says {theirs}; set the one that is wrong"
    )
}

/// A peer's certificate is in force by the peer's clock and not by ours. `ours_is_off`: so is this node's own.
pub(super) fn not_in_force(ours: Timestamp, theirs: Timestamp, ours_is_off: bool) -> Text {
    let (ours, theirs) = (shown(ours), shown(theirs));
    if ours_is_off {
        text!(
            "本节点时钟为 {ours},对方时钟为 {theirs};按对方时钟,双方证书都在有效期内:请校准本节点时钟",
            "this node's clock says {ours}, the peer's says {theirs}; by the peer's, the certificates of both are in force: set this node's clock"
        )
    } else {
        text!(
            "本节点时钟为 {ours},对方时钟为 {theirs};对方证书只按其自己的时钟有效:请校准不对的一方",
            "this node's clock says {ours}, the peer's says {theirs}; the peer's certificate is in force by its own clock only: set the one that is wrong"
        )
    }
}
