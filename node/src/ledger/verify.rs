//! Checking everything that is here: every frame, signature, chain, log and document.

use std::collections::BTreeMap;
use std::sync::Arc;

use anjuan_sync::replica::{LogTable, Offer};
use anjuan_sync::verify::verify_all;
use anjuan_sync::{LogId, SignedUpdate, UpdateId};

use super::document_state::{DocumentState, Payloads};
use super::fork::read_fork;
use super::index::{DocumentKey, DocumentRecord, Held};
use super::query::{Told, is_past_fork};
use super::replica::read_update;
use super::{FrameKind, Ledger, LedgerError};
use crate::authority::certificate::Certified;
use crate::authority::credentials::{Credentials, Offered};
use crate::journal::Journal;
use crate::kind::Verdict;

/// Updates whose signatures are checked at a time.
const STEP: usize = 512;

/// What was checked, and what does not hold.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// Certificates and revocations.
    pub credentials: u64,
    /// Updates.
    pub updates: u64,
    /// Logs.
    pub logs: u64,
    /// Documents replayed.
    pub documents: u64,
    /// What does not hold.
    pub faults: Vec<Fault>,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub what: String,
    /// The check that failed.
    pub check: &'static str,
    /// How.
    pub message: String,
}

/// A check under way: independent of the ledger's own state, from the root certificate up.
struct Check {
    credentials: Credentials,
    logs: LogTable,
    ids: BTreeMap<(LogId, u64), UpdateId>,
    found: Verification,
}

/// What was there at one moment, to be checked while the ledger goes on.
#[derive(Debug)]
pub struct Verifier {
    journal: Arc<Journal>,
    end: u64,
    root: Certified,
    logs: LogTable,
    documents: BTreeMap<DocumentKey, DocumentRecord>,
}

impl Payloads for Verifier {
    fn update(&self, position: u64) -> Result<SignedUpdate, LedgerError> {
        read_update(&self.journal, position)
    }
}

impl Verifier {
    /// Reads the whole journal anew, checks every signature, certificate chain and log from the root
    /// certificate up, replays every document, compares it with the case store and has Automerge merge it.
    /// `progress` is told frames and documents done, and in all.
    pub fn run(self, progress: &mut dyn FnMut(u64, u64)) -> Result<Verification, LedgerError> {
        let total = self.end + self.documents.len() as u64;
        let credentials = Credentials::new(self.root.clone()).map_err(|error| LedgerError::Frame {
            position: 0,
            what: error.to_string(),
        })?;
        let mut check = Check {
            credentials,
            logs: LogTable::new(),
            ids: BTreeMap::new(),
            found: Verification::default(),
        };
        self.check_frames(&mut check, &mut |done| progress(done, total));
        check.found.logs = check.logs.iter().count() as u64;
        for (log, state) in check.logs.iter() {
            if self.logs.state(log) != Some(state) {
                check.found.faults.push(Fault {
                    what: format!("log of {} in {}", log.author.short(), log.space),
                    check: "heads",
                    message: "the index does not have the head that the journal gives".into(),
                });
            }
        }
        for (done, (key, record)) in self.documents.iter().enumerate() {
            check.found.documents += 1;
            let positions = record.updates.iter().map(|held| held.position);
            let forked = |held: &Held| is_past_fork(&self.logs, &key.space, held);
            let fault = match DocumentState::replay(key.clone(), positions, forked, &self) {
                Ok(mut state) if state.record == *record => {
                    state.merge().err().map(|error| ("merge", error.to_string()))
                }
                Ok(_) => {
                    let message = "replaying its updates gives another result than the case store has";
                    Some(("replay", message.to_owned()))
                }
                Err(error) => Some(("replay", error.to_string())),
            };
            check.found.faults.extend(fault.map(|(check, message)| Fault {
                what: format!("document {}", key.id),
                check,
                message,
            }));
            if done % 64 == 0 {
                progress(self.end + done as u64, total);
            }
        }
        progress(total, total);
        Ok(check.found)
    }

    fn check_frames(&self, check: &mut Check, progress: &mut dyn FnMut(u64)) {
        let mut updates = Vec::new();
        for position in 0..self.end {
            let frame = match self.journal.read(position) {
                Ok(frame) => frame,
                Err(error) => {
                    check.fault(position, "journal", error.to_string());
                    continue;
                }
            };
            match FrameKind::of(frame.kind) {
                Some(FrameKind::Update) => match SignedUpdate::decode(&frame.bytes) {
                    Ok(update) => updates.push((position, update)),
                    Err(error) => check.fault(position, "encoding", error.to_string()),
                },
                Some(FrameKind::Credential) => {
                    check.updates(std::mem::take(&mut updates));
                    check.credential(position, &frame.bytes);
                }
                Some(FrameKind::Fork) => {
                    check.updates(std::mem::take(&mut updates));
                    check.fork(position, &frame.bytes);
                }
                Some(FrameKind::Evidence) => {}
                None => check.fault(position, "journal", format!("frame of unknown {:?}", frame.kind)),
            }
            if updates.len() >= STEP {
                check.updates(std::mem::take(&mut updates));
                progress(position);
            }
        }
        check.updates(updates);
    }
}

impl Ledger {
    /// Everything that is here now, to be checked without holding up the ledger. Waits for the disk.
    pub fn verifier(&self) -> Result<Verifier, LedgerError> {
        self.barrier()?.wait()?;
        Ok(Verifier {
            journal: Arc::clone(&self.journal),
            end: self.journal.end(),
            root: self.credentials.root().as_ref().clone(),
            logs: self.logs.clone(),
            documents: self.records()?,
        })
    }

    /// How many stored updates do not count, by why.
    pub fn not_counting(&mut self) -> Result<BTreeMap<String, u64>, LedgerError> {
        let mut counts = BTreeMap::new();
        for key in self.records()?.into_keys() {
            let Some((_, told)) = self.told(&key)? else {
                continue;
            };
            let verdicts = self
                .projection(&key)?
                .map(|projection| projection.verdicts.clone());
            for one in told {
                if let Some(name) = not_counting_name(&one, verdicts.as_deref()) {
                    *counts.entry(name.to_owned()).or_default() += 1;
                }
            }
        }
        Ok(counts)
    }
}

fn not_counting_name(told: &Told, verdicts: Option<&[Verdict]>) -> Option<&'static str> {
    use super::index::Standing;
    match &told.held.standing {
        Standing::Waiting => Some("waiting"),
        Standing::Refused(_) => Some("refused"),
        Standing::Blocked => Some("blocked"),
        Standing::Forked => Some("forked"),
        Standing::Applied => match verdicts?.get(told.entry?)? {
            Verdict::Counts => None,
            Verdict::Void(_) => Some("void"),
            Verdict::Quarantined(_) => Some("quarantined"),
            Verdict::Contested(_) => Some("contested"),
            Verdict::Unknown => Some("unknown"),
        },
    }
}

impl Check {
    fn fault(&mut self, position: u64, check: &'static str, message: String) {
        self.found.faults.push(Fault {
            what: format!("journal position {position}"),
            check,
            message,
        });
    }

    fn credential(&mut self, position: u64, bytes: &[u8]) {
        self.found.credentials += 1;
        match self.credentials.offer(bytes) {
            Offered::New(_) | Offered::Known => {}
            Offered::Waiting(missing) => {
                self.fault(
                    position,
                    "chain",
                    format!("its issuer {missing} is not before it in the journal"),
                );
            }
            Offered::Refused(refused) => self.fault(position, "chain", refused.to_string()),
        }
    }

    fn updates(&mut self, updates: Vec<(u64, SignedUpdate)>) {
        let (positions, updates): (Vec<_>, Vec<_>) = updates.into_iter().unzip();
        for (position, result) in positions.into_iter().zip(verify_all(updates, &mut rand::rng())) {
            self.found.updates += 1;
            match result {
                Ok(update) => self.update(position, update.get()),
                Err((_, error)) => self.fault(position, "signature", error.to_string()),
            }
        }
    }

    fn update(&mut self, position: u64, update: &SignedUpdate) {
        let header = update.header();
        if let Err(error) = self.credentials.certify_author(header) {
            self.fault(position, "certificate", error.to_string());
            return;
        }
        let log = header.log();
        let stored = |seq| Ok::<_, std::convert::Infallible>(self.ids.get(&(log.clone(), seq)).copied());
        let offer = self
            .logs
            .offer(update.signed_header(), stored)
            .unwrap_or_else(|never| match never {});
        if offer == Offer::Next {
            self.ids.insert((log, header.seq()), update.id());
            self.logs.advance(update.signed_header());
        } else {
            self.fault(
                position,
                "log",
                format!("the update does not continue its log: {offer:?}"),
            );
        }
    }

    fn fork(&mut self, position: u64, bytes: &[u8]) {
        let pair = match read_fork(bytes) {
            Ok(pair) => pair,
            Err(error) => return self.fault(position, "fork", error),
        };
        if pair.iter().any(|signed| signed.clone().verify().is_err()) {
            return self.fault(
                position,
                "fork",
                "a header of the evidence is not signed by its author".into(),
            );
        }
        let log = pair[0].header().log();
        let stored = |seq| Ok::<_, std::convert::Infallible>(self.ids.get(&(log.clone(), seq)).copied());
        match self
            .logs
            .offer_fork(&pair, stored)
            .unwrap_or_else(|never| match never {})
        {
            Offer::Fork { seq, first, second } => {
                self.logs.fork(log, seq, first, second);
            }
            Offer::Known => {}
            other => self.fault(
                position,
                "fork",
                format!("the evidence does not fit its log: {other:?}"),
            ),
        }
    }
}
