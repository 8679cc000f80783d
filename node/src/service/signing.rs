//! Keys unlocked for a while, and whose key signs a call.

use std::collections::BTreeMap;
use std::sync::Arc;

use anjuan_sync::{CertificateId, Timestamp};

use super::call::{Passphrase as Given, SignAs};
use super::{ErrorKind, Service, ServiceError, instant, view};
use crate::authority::certificate::Certified;
use crate::keys::{KeyKind, KeyName, KeysError, Passphrase, Unlocked};
use crate::text;
use crate::text::Text;

/// The handle under which a unit's authority key is addressed.
pub(super) const AUTHORITY: &str = "authority";

const HOUR: i64 = 3_600_000;

/// Unlocked keys of a running node, each until a time.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<(KeyKindOrder, String), (Arc<Unlocked>, Timestamp)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KeyKindOrder {
    Authority,
    Operator,
}

impl From<KeyKind> for KeyKindOrder {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Authority => Self::Authority,
            KeyKind::Operator => Self::Operator,
        }
    }
}

impl Sessions {
    fn get(&mut self, kind: KeyKind, name: &str, now: Timestamp) -> Option<Arc<Unlocked>> {
        self.0.retain(|_, (_, until)| *until > now);
        self.0
            .get(&(kind.into(), name.to_owned()))
            .map(|(key, _)| Arc::clone(key))
    }

    fn put(&mut self, key: Arc<Unlocked>, until: Timestamp) {
        self.0
            .insert((key.kind().into(), key.name().to_string()), (key, until));
    }

    pub(super) fn close(&mut self, kind: KeyKind, name: &str) -> bool {
        self.0.remove(&(kind.into(), name.to_owned())).is_some()
    }

    /// What is unlocked, for people.
    pub(super) fn list(&mut self, now: Timestamp) -> Vec<view::Unlocked> {
        self.0.retain(|_, (_, until)| *until > now);
        let unlocked = |(key, until): &(Arc<Unlocked>, Timestamp)| view::Unlocked {
            handle: key.name().to_string(),
            until: (*until < Timestamp::LATEST).then(|| instant(*until)),
        };
        self.0.values().map(unlocked).collect()
    }
}

/// An operator's key, unlocked, with the certificate it acts under.
#[derive(Clone, Debug)]
pub(super) struct Signing {
    pub(super) key: Arc<Unlocked>,
    pub(super) certificate: Arc<Certified>,
}

impl Signing {
    pub(super) fn certificate_id(&self) -> CertificateId {
        self.certificate.id()
    }
}

/// Which kind of key a handle names.
pub(super) fn kind_of(handle: &str) -> KeyKind {
    if handle == AUTHORITY {
        KeyKind::Authority
    } else {
        KeyKind::Operator
    }
}

pub(super) fn key_name(handle: &str) -> Result<KeyName, ServiceError> {
    handle.parse().map_err(|error: crate::keys::ParseKeyNameError| {
        ServiceError::new(
            ErrorKind::Usage,
            Text::new(
                format!("{handle:?} 不能作为密钥名;可用 1 至 32 个 a-z、0-9、-、_"),
                error.to_string(),
            ),
        )
    })
}

impl Service {
    /// Opens a key: from a session, or with the passphrase given.
    pub(super) fn unlocked(&self, handle: &str, given: Option<&str>) -> Result<Arc<Unlocked>, ServiceError> {
        self.not_at_auditors()?;
        let kind = kind_of(handle);
        let name = key_name(handle)?;
        if given.is_none()
            && let Some(key) = self.sessions().get(kind, handle, self.now())
        {
            return Ok(key);
        }
        let Some(given) = given else {
            return Err(ServiceError::new(
                ErrorKind::Locked,
                text!("需要“{handle}”的口令", "the passphrase of {handle:?} is needed"),
            )
            .with_hint(Text::new(
                "用 ANJUAN_PASSPHRASE 或 --passphrase-file 给出,或在运行的节点上用 anjuan operator unlock",
                "give it by ANJUAN_PASSPHRASE or --passphrase-file, or unlock the key in the running node with `anjuan operator unlock`",
            )));
        };
        match self
            .0
            .keys
            .unlock(kind, &name, &Passphrase::entered(given.to_owned()))
        {
            Ok(key) => Ok(Arc::new(key)),
            Err(KeysError::Refused) => Err(ServiceError::new(
                ErrorKind::Locked,
                Text::new(
                    "没有这把密钥,或口令不对",
                    "there is no such key, or the passphrase is wrong",
                ),
            )),
            Err(other) => Err(other.into()),
        }
    }

    /// At an auditor's node nothing is signed but its checkpoints and cosignatures.
    pub(super) fn not_at_auditors(&self) -> Result<(), ServiceError> {
        if !self.is_auditors() {
            return Ok(());
        }
        Err(ServiceError::new(
            ErrorKind::Forbidden,
            Text::new(
                "这是审计员的节点:只跟随,不登记,也不签发",
                "this is an auditor's node: it follows, and neither records nor certifies anything",
            ),
        )
        .with_hint(Text::new(
            "请在本单位的节点上办理",
            "do it at a node of the unit itself",
        )))
    }

    /// The authority's key of this unit.
    pub(super) fn authority(&self, given: Option<&Given>) -> Result<Arc<Unlocked>, ServiceError> {
        self.unlocked(AUTHORITY, given.map(|given| given.0.as_str()))
    }

    /// The operator who signs a call.
    pub(super) fn signing(&self, sign: &SignAs) -> Result<Signing, ServiceError> {
        self.not_at_auditors()?;
        let handle = self.operator_handle(sign.operator.as_deref())?;
        let key = self.unlocked(&handle, sign.passphrase.as_deref())?;
        let ledger = self.ledger();
        let certificate = ledger.credentials().operator(key.public(), self.now()).cloned();
        let certificate =
            certificate.ok_or_else(|| {
                ServiceError::new(
                ErrorKind::Forbidden,
                text!(
                    "操作员“{handle}”没有有效的证书:已过期、已吊销或尚未生效",
                    "operator {handle:?} has no certificate in force: it is expired, revoked or not yet valid"
                ),
            )
            .with_hint(Text::new("用 anjuan operator list 查看", "see `anjuan operator list`"))
            })?;
        Ok(Signing { key, certificate })
    }

    /// The handle given, or the only operator of this home.
    pub(super) fn operator_handle(&self, given: Option<&str>) -> Result<String, ServiceError> {
        if let Some(handle) = given {
            return Ok(handle.to_owned());
        }
        let operators = self.0.keys.list(KeyKind::Operator)?;
        match operators.as_slice() {
            [(only, _)] => Ok(only.to_string()),
            [] => Err(ServiceError::new(
                ErrorKind::NotFound,
                Text::new("本节点还没有操作员", "this home has no operator yet"),
            )
            .with_hint(Text::new(
                "用 anjuan operator add 添加",
                "add one with `anjuan operator add`",
            ))),
            several => {
                let names = several
                    .iter()
                    .map(|(name, _)| name.to_string())
                    .collect::<Vec<_>>()
                    .join(", ");
                Err(ServiceError::new(
                    ErrorKind::Usage,
                    text!(
                        "请用 --as 指明操作员:{names}",
                        "name the operator with --as: {names}"
                    ),
                ))
            }
        }
    }

    /// Keeps a key unlocked while this process runs: of a node that starts with its keys.
    pub fn unlock(&self, handle: &str, given: &Given) -> Result<(), ServiceError> {
        let key = self.unlocked(handle, Some(&given.0))?;
        self.sessions().put(key, Timestamp::LATEST);
        Ok(())
    }

    /// Keeps a key unlocked in this process.
    pub(super) fn open_session(
        &self,
        handle: &str,
        given: &Given,
        hours: u32,
    ) -> Result<view::Unlocked, ServiceError> {
        if !(1..=24).contains(&hours) {
            return Err(ServiceError::new(
                ErrorKind::Usage,
                Text::new("小时数应在 1 至 24 之间", "hours must be within 1 and 24"),
            ));
        }
        let key = self.unlocked(handle, Some(&given.0))?;
        let until = Timestamp::from_millis(self.now().as_millis() + i64::from(hours) * HOUR);
        self.sessions().put(key, until);
        Ok(view::Unlocked {
            handle: handle.to_owned(),
            until: Some(instant(until)),
        })
    }
}
