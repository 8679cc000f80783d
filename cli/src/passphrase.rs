//! Where passphrases come from: a file, the environment, or the person at the keyboard.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anjuan_node::service::call::Passphrase;
use anjuan_node::service::{ErrorKind, ServiceError};
use anjuan_node::text;
use anjuan_node::text::{Lang, Text};
use zeroize::Zeroizing;

use crate::console::Console;

/// More than anybody types.
const MAX_BYTES: u64 = 1024;
/// How often a new passphrase may be typed differently the second time.
const TRIES: usize = 3;

/// What stands in for asking.
#[derive(Debug, Default)]
pub struct Secrets {
    /// `--passphrase-file`
    pub file: Option<PathBuf>,
    /// `ANJUAN_PASSPHRASE`
    pub environment: Option<Passphrase>,
    /// `ANJUAN_AUTHORITY_PASSPHRASE`, where the authority's key has another one than the operator's.
    pub authority: Option<Passphrase>,
    /// `ANJUAN_NEW_PASSPHRASE`, for changing one.
    pub new: Option<Passphrase>,
}

impl Secrets {
    /// From the environment.
    pub fn from_environment(file: Option<PathBuf>, env: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name| env(name).filter(|value| !value.is_empty()).map(Passphrase);
        Self {
            file,
            environment: variable("ANJUAN_PASSPHRASE"),
            authority: variable("ANJUAN_AUTHORITY_PASSPHRASE"),
            new: variable("ANJUAN_NEW_PASSPHRASE"),
        }
    }

    /// The passphrase given in advance, if one is: the file's, else the environment's.
    pub fn given(&self) -> Result<Option<Passphrase>, ServiceError> {
        match &self.file {
            Some(path) => read(path).map(Some),
            None => Ok(self.environment.clone()),
        }
    }

    /// The authority's, given in advance; the common one where it has none of its own.
    pub fn given_for_authority(&self) -> Result<Option<Passphrase>, ServiceError> {
        match &self.authority {
            Some(passphrase) => Ok(Some(passphrase.clone())),
            None => self.given(),
        }
    }
}

fn read(path: &Path) -> Result<Passphrase, ServiceError> {
    let name = path.display();
    let failed = |error: std::io::Error| {
        ServiceError::new(
            ErrorKind::Usage,
            text!(
                "无法读取口令文件 {name}:{error}",
                "cannot read the passphrase file {name}: {error}"
            ),
        )
    };
    let file = File::open(path).map_err(failed)?;
    if exposed(&file).map_err(failed)? {
        return Err(ServiceError::new(
            ErrorKind::Usage,
            text!(
                "其他用户可以读取口令文件 {name}",
                "the passphrase file {name} can be read by other users"
            ),
        )
        .with_hint(text!(
            "把权限改为 0600:chmod 600 {name}",
            "make its mode 0600: chmod 600 {name}"
        )));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    // The line end is an editor's, not the passphrase's.
    let passphrase = std::str::from_utf8(&bytes)
        .ok()
        .map(|text| text.trim_end_matches(['\r', '\n']))
        .filter(|text| !text.is_empty() && (text.len() as u64) < MAX_BYTES - 2);
    passphrase.map(|text| Passphrase(text.to_owned())).ok_or_else(|| {
        ServiceError::new(
            ErrorKind::Usage,
            text!(
                "口令文件 {name} 是空的、太长或不是文字",
                "the passphrase file {name} is empty, too long or not text"
            ),
        )
    })
}

/// A regular file that others may read; a pipe is its maker's affair.
#[cfg(unix)]
fn exposed(file: &File) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata()?;
    Ok(metadata.is_file() && metadata.permissions().mode() & 0o077 != 0)
}

/// Elsewhere the folder's access list protects it.
#[cfg(not(unix))]
fn exposed(_: &File) -> std::io::Result<bool> {
    Ok(false)
}

/// Asks for the passphrase of `key`.
pub fn ask(console: &mut dyn Console, lang: Lang, key: &Text) -> Result<Passphrase, ServiceError> {
    let (zh, en) = (&key.zh, &key.en);
    hidden(
        console,
        text!("{zh}的口令:", "Passphrase of {en}: ").in_lang(lang),
    )
}

/// Asks for a new passphrase of `key`, twice.
pub fn ask_new(console: &mut dyn Console, lang: Lang, key: &Text) -> Result<Passphrase, ServiceError> {
    let (zh, en) = (&key.zh, &key.en);
    for _ in 0..TRIES {
        let first = hidden(
            console,
            text!("{zh}的新口令:", "New passphrase of {en}: ").in_lang(lang),
        )?;
        let again = hidden(console, text!("再输入一次:", "Once more: ").in_lang(lang))?;
        if first.0 == again.0 {
            return Ok(first);
        }
        let differ = text!("两次输入不一致。\n", "They differ.\n");
        // What is shown in between is a courtesy; the next question tells as much.
        let _ = console.err(differ.in_lang(lang));
    }
    Err(ServiceError::new(
        ErrorKind::Usage,
        text!(
            "两次输入的口令始终不一致",
            "the passphrase was never typed twice the same"
        ),
    ))
}

/// What a script is told that gave no passphrase.
pub fn missing(key: &Text) -> ServiceError {
    let (zh, en) = (&key.zh, &key.en);
    ServiceError::new(
        ErrorKind::Locked,
        text!("需要{zh}的口令", "the passphrase of {en} is needed"),
    )
    .with_hint(text!(
        "用 --passphrase-file、环境变量 ANJUAN_PASSPHRASE,或在终端中运行",
        "give it by --passphrase-file or ANJUAN_PASSPHRASE, or run this in a terminal"
    ))
}

fn hidden(console: &mut dyn Console, prompt: &str) -> Result<Passphrase, ServiceError> {
    console
        .ask_hidden(prompt)
        .map(Passphrase)
        .map_err(|error| {
            ServiceError::new(
                ErrorKind::Locked,
                text!("没有读到口令:{error}", "no passphrase was read: {error}"),
            )
        })
        .and_then(|passphrase| {
            if passphrase.0.is_empty() {
                Err(ServiceError::new(
                    ErrorKind::Locked,
                    text!("口令为空", "the passphrase is empty"),
                ))
            } else {
                Ok(passphrase)
            }
        })
}
