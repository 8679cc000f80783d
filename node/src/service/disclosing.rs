//! Particulars that go into an audit bundle: each case says by a signed event by whom, and why.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anjuan_sync::Reach;
use serde_json::json;

use super::call::Disclose;
use super::particulars::{commitment_of, subject};
use super::signing::Signing;
use super::{ErrorKind, Service, ServiceError};
use crate::audit::Scope;
use crate::audit::scope::Disclosed;
use crate::authority::role::Role;
use crate::ledger::DocumentKey;
use crate::particulars::{OpenError, Preimage};
use crate::text;
use crate::text::Text;

/// Bytes of particulars in one bundle: they are held in memory until it is written.
const MAX_BYTES: usize = 256 << 20;
/// How long witnesses have to see what was recorded, and how often it is looked whether they have.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);
/// Commitments that one event names.
const IN_ONE_EVENT: usize = 60;

/// What goes into the bundle, and how many of the same documents can't be opened here.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) disclosed: BTreeMap<DocumentKey, Vec<Disclosed>>,
    pub(super) closed: u64,
    bytes: usize,
}

impl Opened {
    /// How many particulars.
    pub(super) fn len(&self) -> u64 {
        self.disclosed.values().map(|all| all.len() as u64).sum()
    }
}

impl Service {
    /// Opens the particulars of the documents asked for, as far as this node can, and records in each document
    /// that they are disclosed. Nothing is recorded unless everything could be opened.
    pub(super) fn disclose(&self, scope: &Scope, call: &Disclose) -> Result<Opened, ServiceError> {
        if call.reason.trim().is_empty() {
            return Err(ServiceError::new(
                ErrorKind::Usage,
                Text::new("披露个人信息须说明理由", "disclosing particulars needs a reason"),
            )
            .with_hint(Text::new(
                "写明法律依据或文书编号,例如“审计法第三十六条,桂审〔2026〕12号”",
                "name the legal basis or the number of the decision",
            )));
        }
        let signing = self.signing(&call.sign)?;
        let mut opened = Opened::default();
        for key in self.documents_asked(scope)? {
            self.open_all(&key, &signing, &mut opened)?;
        }
        for (key, disclosed) in &opened.disclosed {
            for some in disclosed.chunks(IN_ONE_EVENT) {
                let commitments: Vec<_> = some.iter().map(|one| one.commitment.to_string()).collect();
                let event = json!({
                    "type": "ParticularsDisclosed", "commitments": commitments, "reason": call.reason,
                });
                self.record_event(key, event, &signing).map_err(|error| {
                    let (Text { zh, en }, id) = (&error.message, key.id);
                    let message = text!("案卷 {id}:{zh}", "document {id}: {en}");
                    ServiceError { message, ..error }
                })?;
            }
        }
        if opened.len() > 0 {
            self.let_witnesses_see();
        }
        Ok(opened)
    }

    /// What was just recorded is under no cosigned checkpoint yet, which in a bundle is a gap. A running node
    /// that has been witnessed gives its witnesses a moment.
    fn let_witnesses_see(&self) {
        let end = self.ledger().journal_end();
        let is_linked = self.peers().iter().any(|peer| peer.connected);
        let begun = Instant::now();
        while is_linked && begun.elapsed() < PATIENCE {
            match self.notary().cosigned() {
                Some(cosigned) if cosigned.head().size < end => {}
                _ => return,
            }
            sleep(PAUSE);
        }
    }

    fn documents_asked(&self, scope: &Scope) -> Result<Vec<DocumentKey>, ServiceError> {
        let mut ledger = self.ledger();
        let mut asked = Vec::new();
        for reach in [Reach::Up, Reach::Down] {
            for key in ledger.documents(reach)? {
                let is_asked = match scope {
                    Scope::Period(..) => {
                        let told = ledger.told(&key)?.map(|(_, told)| told).unwrap_or_default();
                        let asks = |time| scope.asks_for(&key.space, key.id, time);
                        told.iter().any(|told| asks(told.held.recorded_at))
                    }
                    _ => scope.asks_for(&key.space, key.id, self.now()),
                };
                if is_asked {
                    asked.push(key);
                }
            }
        }
        Ok(asked)
    }

    fn open_all(
        &self,
        key: &DocumentKey,
        signing: &Signing,
        opened: &mut Opened,
    ) -> Result<(), ServiceError> {
        let mut ledger = self.ledger();
        let Some(projection) = ledger.projection(key)? else {
            return Ok(());
        };
        let is_clerk = signing
            .certificate
            .certificate()
            .roles()
            .any(|role| role == Role::JudicialClerk);
        for reference in projection.particulars.iter().filter(|one| !one.erased) {
            let Some(commitment) = commitment_of(reference) else {
                continue;
            };
            // Nobody but a judicial clerk discloses what is for the handling unit alone.
            if reference.restricted && !is_clerk {
                opened.closed += 1;
                continue;
            }
            let secret = self.0.node.seal_secret();
            let found = ledger.keystore().preimage(&subject(key, commitment), secret);
            match found {
                Ok(Preimage { salt, content }) => {
                    opened.bytes += content.len();
                    if opened.bytes > MAX_BYTES {
                        return Err(too_much());
                    }
                    let one = Disclosed {
                        commitment,
                        salt: *salt,
                        content: content.to_vec(),
                    };
                    opened.disclosed.entry(key.clone()).or_default().push(one);
                }
                Err(OpenError::NoWrap | OpenError::NoBody | OpenError::Erased(_)) => opened.closed += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn too_much() -> ServiceError {
    ServiceError::new(
        ErrorKind::Usage,
        Text::new(
            "要披露的个人信息超过 256 MiB",
            "more than 256 MiB of particulars are to be disclosed",
        ),
    )
    .with_hint(Text::new(
        "按单位、期间或案件分别导出",
        "export by unit, period or case",
    ))
}
