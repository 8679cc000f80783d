//! What this node is, and how it does.

use anjuan_sync::replica::Replica;
use anjuan_sync::{LogState, Reach, Scope, Timestamp};

use super::call::{Handle, Progress, Status};
use super::{ErrorKind, Service, ServiceError, unit_view, view};
use crate::ledger::Ledger;
use crate::network::clock;
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;

/// A peer's clock that is off by more is worth a warning.
const SKEW_SECONDS: i64 = 300;

/// How many logs are forked.
pub(super) fn forks(ledger: &Ledger) -> u64 {
    let states = ledger.logs().iter().map(|(_, state)| state);
    states
        .filter(|state| matches!(state, LogState::Forked { .. }))
        .count() as u64
}

impl Service {
    /// The digest over everything within a scope: equal at two nodes exactly if they are level in it.
    pub fn digest_of(&self, scope: &Scope) -> Result<String, ServiceError> {
        let ledger = self.ledger();
        let status = ledger
            .status(scope)
            .map_err(|error| ServiceError::new(ErrorKind::Damaged, Text::same(error.to_string())))?;
        Ok(status.roots.together().to_string())
    }

    fn figures(&self) -> Result<view::StoreFigures, ServiceError> {
        let mut ledger = self.ledger();
        let mut figures = view::StoreFigures {
            credentials: ledger
                .credentials()
                .items()
                .values()
                .map(|ids| ids.len() as u64)
                .sum(),
            updates: ledger.counts().updates,
            forks: forks(&ledger),
            sealed: ledger.keystore().len() as u64,
            journal_records: ledger.journal_end(),
            stopped: ledger.stopped().map(|stopped| stopped.to_string()),
            waiting: ledger.waiting() as u64,
            ..view::StoreFigures::default()
        };
        for reach in [Reach::Up, Reach::Down] {
            for key in ledger.documents(reach)? {
                if let Some((kind, _, idle)) = ledger.figures(&key)? {
                    *figures
                        .documents
                        .entry(kind.unwrap_or_else(|| "?".into()))
                        .or_default() += 1;
                    figures.refused += idle;
                }
            }
        }
        Ok(figures)
    }
}

impl Service {
    /// What a node of `unit` holds, which has to be here: `unit` is this node's, or below it.
    fn scope_within(&self, unit: Option<&UnitCode>) -> Result<Scope, ServiceError> {
        let own = self.ledger().scope().clone();
        let Some(unit) = unit else { return Ok(own) };
        let asked = Scope::of(unit.path());
        if own.shared(&asked).as_ref() == Some(&asked) {
            return Ok(asked);
        }
        let ours = &self.0.unit;
        Err(ServiceError::new(
            ErrorKind::Usage,
            text!(
                "{unit} 不是 {ours} 或其下级",
                "{unit} is neither {ours} nor below it"
            ),
        )
        .with_hint(Text::new(
            "本节点只持有本单位及下级的全部",
            "a node holds all of its own unit and of those below",
        )))
    }
}

impl Service {
    /// A warning where this node's own certificate is not in force by its clock.
    fn own_clock(&self) -> Option<Text> {
        let (ledger, now) = (self.ledger(), self.now());
        let credentials = ledger.credentials();
        let own = self.0.node.public();
        if credentials.is_node(own, now).is_some() {
            return None;
        }
        let newest = credentials
            .certificates_for(own)
            .max_by_key(|certified| certified.certificate().not_before())?;
        let certificate = newest.certificate();
        if certificate.is_valid_at(now) {
            return None;
        }
        let (ours, from, to) = (
            clock::shown(now),
            clock::shown(certificate.not_before()),
            clock::shown(certificate.not_after()),
        );
        Some(text!(
            "本节点时钟为 {ours},而本节点证书自 {from} 至 {to} 有效;请核对时钟",
            "this node's clock says {ours}, and its certificate is valid from {from} to {to}; check the clock"
        ))
    }
}

impl Service {
    /// A line for each clock that is off: this node's, or a peer's against it.
    pub(super) fn clock_warnings(&self, peers: &[view::Peer]) -> Vec<Text> {
        let mut warnings = Vec::new();
        for peer in peers {
            if let Some(skew) = peer.clock_skew_seconds
                && skew.abs() > SKEW_SECONDS
            {
                let who = match &peer.unit {
                    Some(unit) => unit.code.to_string(),
                    None => peer.peer_id.clone(),
                };
                let ours = self.now();
                let theirs = Timestamp::from_millis(ours.as_millis().saturating_add(skew * 1000));
                let Text { zh, en } = clock::apart(ours, theirs);
                warnings.push(text!("{who}:{zh}", "{who}: {en}"));
            }
        }
        warnings.extend(self.own_clock());
        warnings
    }
}

impl Handle<Status> for Service {
    fn handle(&self, call: Status, _: &mut dyn FnMut(Progress)) -> Result<view::Status, ServiceError> {
        let scope = self.scope_within(call.scope.as_ref())?;
        let store = self.figures()?;
        let peers = self.peers();
        let mut warnings = self.0.notes.clone();
        if store.forks > 0 {
            let n = store.forks;
            warnings.push(text!(
                "有 {n} 条日志分叉:同一位置有两条签名记录,其后的记录不计",
                "{n} logs are forked: two signed records for one place; nothing after that counts"
            ));
        }
        let evidence = self.ledger().counts().evidence;
        if evidence > 0 {
            warnings.push(text!(
                "已拒收 {evidence} 件并保留为证据",
                "{evidence} things were refused and kept as evidence"
            ));
        }
        warnings.extend(self.conflict_warnings());
        warnings.extend(self.clock_warnings(&peers));
        let network = self.ledger().network().to_string();
        let key = self.0.node.public();
        Ok(view::Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            network,
            unit: unit_view(&self.0.unit),
            node_key: key.to_string(),
            peer_id: anjuan_sync::transport::key_peer(anjuan_sync::NodeKey::from_bytes(*key.as_bytes()))
                .map(|peer| peer.to_string())
                .unwrap_or_default(),
            auditor: self.is_auditors(),
            running: self.network().is_some(),
            addresses: self
                .network()
                .map(|network| network.addresses())
                .unwrap_or_default(),
            operators: self.own_operators()?,
            unlocked: self.sessions().list(self.now()),
            store,
            digest: self.digest_of(&scope)?,
            checkpoint: self.checkpoint_view(),
            peers,
            warnings,
        })
    }
}
