//! Where a home is when nobody says.

use std::path::PathBuf;

use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text;

/// `anjuan` in the platform's folder for programs' data.
pub fn default_home(env: impl Fn(&str) -> Option<String>) -> Result<PathBuf, ServiceError> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        // A relative one is to be ignored, says the XDG base directory specification.
        set("XDG_DATA_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| set("HOME").map(|home| home.join(".local/share")))
    };
    data.map(|data| data.join("anjuan")).ok_or_else(|| {
        ServiceError::new(
            ErrorKind::Usage,
            text!("不知道节点目录在哪里", "it is not known where the node's home is"),
        )
        .with_hint(text!(
            "用 --home DIR 或环境变量 ANJUAN_HOME 指定",
            "say so by --home DIR or ANJUAN_HOME"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_data_folder_of_the_platform() {
        let home = |pairs: &'static [(&'static str, &'static str)]| {
            default_home(move |name| {
                pairs
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(home(&[("HOME", "/h")]), Ok("/h/.local/share/anjuan".into()));
        assert_eq!(
            home(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")]),
            Ok("/d/anjuan".into())
        );
        assert_eq!(
            home(&[("HOME", "/h"), ("XDG_DATA_HOME", "relative")]),
            Ok("/h/.local/share/anjuan".into())
        );
        assert_eq!(home(&[]).map_err(|error| error.kind), Err(ErrorKind::Usage));
    }
}
