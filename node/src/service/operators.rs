//! Operators: their keys, certificates, sessions and revocation.

use std::sync::Arc;

use anjuan_sync::{CertificateId, LogId, LogState, Timestamp};
use jiff::tz::TimeZone;
use rand::rng;

use super::call::{
    Handle, OperatorAdd, OperatorList, OperatorLock, OperatorPassphrase, OperatorRevoke, OperatorUnlock,
    Progress,
};
use super::signing::{AUTHORITY, key_name, kind_of};
use super::{ErrorKind, Service, ServiceError, instant, view, words};
use crate::authority::certificate::{CertificateKind, Certified, Issue};
use crate::authority::credentials::Standing;
use crate::authority::revocation::{Cutoff, Extent, Revocation};
use crate::keys::{KeyKind, NewPassphrase, Passphrase};
use crate::ledger::{Checked, Ledger};
use crate::text;
use crate::text::Text;

const DAY: i64 = 24 * 3_600_000;

fn usage(text: Text) -> ServiceError {
    ServiceError::new(ErrorKind::Usage, text)
}

fn new_passphrase(text: &str) -> Result<NewPassphrase, ServiceError> {
    NewPassphrase::chosen(text.to_owned())
        .map_err(|error| usage(Text::new("口令至少 8 个字符,至多 1024 字节", error.to_string())))
}

impl Service {
    /// The authority certificate in force of a key.
    pub(super) fn authority_certificate(
        &self,
        ledger: &Ledger,
        key: anjuan_sync::AuthorKey,
    ) -> Result<Arc<Certified>, ServiceError> {
        ledger
            .credentials()
            .authority(key, self.now())
            .cloned()
            .ok_or_else(|| {
                ServiceError::new(
                    ErrorKind::Forbidden,
                    Text::new(
                        "本单位的签发证书已失效或不存在",
                        "this unit's authority certificate is missing or no longer in force",
                    ),
                )
            })
    }

    fn operator_view(&self, certified: &Certified, ledger: &Ledger) -> view::Operator {
        let certificate = certified.certificate();
        let key = certificate.subject();
        let handle = self.0.keys.list(KeyKind::Operator).ok().and_then(|keys| {
            keys.into_iter()
                .find(|(_, public)| *public == key)
                .map(|(name, _)| name.to_string())
        });
        let standing = ledger.credentials().standing(certified.id(), self.now());
        view::Operator {
            handle,
            label: certificate.label().to_owned(),
            key: key.to_string(),
            certificate: certified.id().to_string(),
            unit: certificate.unit().clone(),
            roles: certificate.roles().map(|role| role.code().to_owned()).collect(),
            not_before: instant(certificate.not_before()),
            not_after: instant(certificate.not_after()),
            revoked: matches!(standing, Some(Standing::Revoked(_) | Standing::CutOff(_))),
        }
    }

    /// Operators at or below a unit.
    pub(super) fn operators(&self, at: &anjuan_sync::Path, only: bool) -> Vec<view::Operator> {
        let ledger = self.ledger();
        let mut found: Vec<_> = ledger
            .credentials()
            .certificates()
            .filter(|certified| certified.certificate().kind() == CertificateKind::Operator)
            .filter(|certified| {
                let path = certified.certificate().path();
                if only { path == at } else { at.is_at_or_above(path) }
            })
            .map(|certified| self.operator_view(certified, &ledger))
            .collect();
        found.sort_by(|a, b| (&a.unit, &a.label, a.not_before).cmp(&(&b.unit, &b.label, b.not_before)));
        found
    }

    /// Operators with a key in this home.
    pub(super) fn own_operators(&self) -> Result<Vec<view::Operator>, ServiceError> {
        let keys = self.0.keys.list(KeyKind::Operator)?;
        let ledger = self.ledger();
        let mut found = Vec::new();
        for (_, key) in keys {
            let newest = ledger
                .credentials()
                .certificates_for(key)
                .max_by_key(|certified| certified.certificate().not_before());
            found.extend(newest.map(|certified| self.operator_view(certified, &ledger)));
        }
        Ok(found)
    }

    fn find_certificate(&self, ledger: &Ledger, text: &str) -> Result<Arc<Certified>, ServiceError> {
        if let Ok(name) = key_name(text)
            && let Some((_, key)) = self
                .0
                .keys
                .list(KeyKind::Operator)?
                .into_iter()
                .find(|(own, _)| *own == name)
            && let Some(certified) = ledger.credentials().operator(key, self.now())
        {
            return Ok(Arc::clone(certified));
        }
        let matching: Vec<_> = ledger
            .credentials()
            .certificates()
            .filter(|certified| text.len() >= 4 && certified.id().to_string().starts_with(text))
            .collect();
        match matching.as_slice() {
            [one] => Ok(Arc::clone(one)),
            [] => Err(ServiceError::new(
                ErrorKind::NotFound,
                text!("没有证书 {text}", "there is no certificate {text}"),
            )
            .with_hint(Text::new(
                "用 anjuan operator list 查看",
                "see `anjuan operator list`",
            ))),
            _ => Err(usage(text!(
                "{text} 不唯一,请多给几位",
                "{text} is ambiguous; give more digits"
            ))),
        }
    }

    /// The last update that counts of each log of a certificate's key: all that is here, or all recorded
    /// before an instant.
    fn cutoffs(
        &self,
        ledger: &Ledger,
        certificate: CertificateId,
        key: anjuan_sync::AuthorKey,
        since: Option<Timestamp>,
    ) -> Result<Vec<(LogId, Cutoff)>, ServiceError> {
        let mut cutoffs = Vec::new();
        for (log, state) in ledger.logs().iter().filter(|(log, _)| log.author == key) {
            let mut seq = state.counted();
            let mut head = match state {
                LogState::Whole(head) => Some(*head),
                LogState::Forked { .. } => ledger.head_at(log, seq)?,
            };
            if let Some(since) = since {
                while let Some(last) = head {
                    let at = ledger.header_at(log, last.seq)?;
                    let counts = at.is_some_and(|header| {
                        header.recorded_at() < since && header.certificate() == certificate
                    });
                    if counts {
                        break;
                    }
                    seq = last.seq - 1;
                    head = ledger.head_at(log, seq)?;
                }
            }
            if let Some(head) = head {
                cutoffs.push((
                    log.clone(),
                    Cutoff {
                        space: log.space.clone(),
                        epoch: log.epoch,
                        head,
                    },
                ));
            }
        }
        Ok(cutoffs)
    }
}

impl Handle<OperatorAdd> for Service {
    fn handle(&self, call: OperatorAdd, _: &mut dyn FnMut(Progress)) -> Result<view::Operator, ServiceError> {
        let name = key_name(&call.handle)?;
        if call.handle == AUTHORITY {
            return Err(usage(Text::new(
                "authority 是本单位签发密钥的名称,请另取一个",
                "`authority` names this unit's own key; choose another name",
            )));
        }
        if call.roles.is_empty() {
            return Err(usage(Text::new(
                "至少要有一个角色",
                "at least one role is needed",
            )));
        }
        if !(1..=3660).contains(&call.valid_days) {
            return Err(usage(Text::new(
                "有效天数应在 1 至 3660 之间",
                "days of validity must be within 1 and 3660",
            )));
        }
        let passphrase = new_passphrase(&call.passphrase.0)?;
        let authority = self.authority(call.authority_passphrase.as_ref())?;
        let issuer = self.authority_certificate(&self.ledger(), authority.public())?;
        let key = self
            .0
            .keys
            .create_sealed(KeyKind::Operator, &name, &passphrase, &mut rng())?;
        let now = self.now();
        let issue = Issue {
            kind: CertificateKind::Operator,
            subject: key.public(),
            seal_key: None,
            unit: self.0.unit.clone(),
            organisation: None,
            roles: call.roles.iter().copied().collect(),
            label: call.label.clone(),
            serial: self.ledger().credentials().next_serial(issuer.id()),
            not_before: Timestamp::from_millis(now.as_millis() - DAY).max(issuer.certificate().not_before()),
            not_after: Timestamp::from_millis(now.as_millis() + i64::from(call.valid_days) * DAY),
        };
        let certified = issuer
            .issue(authority.signing_key(), issue)
            .map_err(|error| usage(words::issue(&error)))
            .inspect_err(|_| {
                // A key without a certificate is of no use, and would block its name.
                let _ = self.0.keys.remove(KeyKind::Operator, &name);
            })?;
        let (_, durable) = self
            .ledger()
            .take(Checked::credentials([certified.signed().encode()]))?;
        durable.wait()?;
        self.announce();
        Ok(self.operator_view(&certified, &self.ledger()))
    }
}

impl Handle<OperatorList> for Service {
    fn handle(
        &self,
        call: OperatorList,
        _: &mut dyn FnMut(Progress),
    ) -> Result<Vec<view::Operator>, ServiceError> {
        Ok(match call.unit {
            Some(unit) => self.operators(&unit.path(), true),
            None => self.operators(&self.0.unit.path(), false),
        })
    }
}

impl Handle<OperatorRevoke> for Service {
    fn handle(
        &self,
        call: OperatorRevoke,
        _: &mut dyn FnMut(Progress),
    ) -> Result<view::Revoked, ServiceError> {
        let since = match &call.since {
            None => None,
            Some(text) => Some(parse_instant(text)?),
        };
        let authority = self.authority(call.passphrase.as_ref())?;
        let mut ledger = self.ledger();
        let by = self.authority_certificate(&ledger, authority.public())?;
        let revoked = self.find_certificate(&ledger, &call.operator)?;
        let certificate = revoked.certificate();
        let cutoffs = self.cutoffs(&ledger, revoked.id(), certificate.subject(), since)?;
        let extent = match certificate.kind() {
            CertificateKind::Node => Extent::Node,
            CertificateKind::Operator => {
                Extent::Operator(cutoffs.iter().map(|(_, cutoff)| cutoff.clone()).collect())
            }
            CertificateKind::Authority => {
                let below: Vec<_> = ledger.credentials().issued_under(revoked.id()).collect();
                if !below.is_empty() {
                    let n = below.len();
                    return Err(ServiceError::new(
                        ErrorKind::Forbidden,
                        text!(
                            "该签发证书下还有 {n} 份证书,吊销会使它们全部失效",
                            "{n} certificates hang on this authority; revoking it would blank them all"
                        ),
                    )
                    .with_hint(Text::new(
                        "请先由上级重新签发或逐一吊销下列证书",
                        "have the unit above issue them anew, or revoke them one by one, first",
                    )));
                }
                Extent::Authority(Vec::new())
            }
        };
        let revocation = Revocation::sign(
            &by,
            authority.signing_key(),
            &revoked,
            extent,
            call.reason,
            self.now(),
        )
        .map_err(|error| ServiceError::new(ErrorKind::Forbidden, Text::same(error.to_string())))?;
        let (_, durable) = ledger.take(Checked::credentials([revocation.signed().encode()]))?;
        drop(ledger);
        durable.wait()?;
        self.settle_revoked(&[certificate.path().clone()])?;
        self.announce();
        Ok(view::Revoked {
            certificate: revoked.id().to_string(),
            label: certificate.label().to_owned(),
            cutoffs: cutoffs
                .iter()
                .map(|(log, cutoff)| view::Cutoff {
                    space: log.space.to_string(),
                    seq: cutoff.head.seq,
                })
                .collect(),
        })
    }
}

fn parse_instant(text: &str) -> Result<Timestamp, ServiceError> {
    let instant = text.parse::<jiff::Timestamp>().or_else(|error| {
        let date = text.parse::<jiff::civil::Date>().map_err(|_| error)?;
        TimeZone::system().to_timestamp(date.at(0, 0, 0, 0))
    });
    let instant = instant.map_err(|_| {
        usage(text!("不是时间:{text}", "not an instant: {text}")).with_hint(Text::new(
            "例如 2026-03-01T08:00:00+08:00",
            "for example 2026-03-01T08:00:00+08:00",
        ))
    })?;
    Ok(Timestamp::from_millis(instant.as_millisecond()))
}

impl Handle<OperatorUnlock> for Service {
    fn handle(
        &self,
        call: OperatorUnlock,
        _: &mut dyn FnMut(Progress),
    ) -> Result<view::Unlocked, ServiceError> {
        self.open_session(&call.handle, &call.passphrase, call.hours)
    }
}

impl Handle<OperatorLock> for Service {
    fn handle(&self, call: OperatorLock, _: &mut dyn FnMut(Progress)) -> Result<view::Done, ServiceError> {
        let was = self.sessions().close(kind_of(&call.handle), &call.handle);
        let handle = call.handle;
        Ok(view::Done {
            message: if was {
                text!("“{handle}”已上锁", "{handle:?} is locked")
            } else {
                text!("“{handle}”本来就没有解锁", "{handle:?} was not unlocked")
            },
        })
    }
}

impl Handle<OperatorPassphrase> for Service {
    fn handle(
        &self,
        call: OperatorPassphrase,
        _: &mut dyn FnMut(Progress),
    ) -> Result<view::Done, ServiceError> {
        let new = new_passphrase(&call.new.0)?;
        let old = Passphrase::entered(call.old.0.clone());
        let name = key_name(&call.handle)?;
        self.0
            .keys
            .change_passphrase(kind_of(&call.handle), &name, &old, &new, &mut rng())?;
        let handle = call.handle;
        Ok(view::Done {
            message: text!(
                "“{handle}”的口令已更换",
                "the passphrase of {handle:?} was changed"
            ),
        })
    }
}
