//! The units that take part, with their keys and certificates. Everything follows from their names, so that
//! each process has it without being told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anjuan_node::authority::certificate::{CertificateKind, Certified, Issue};
use anjuan_node::authority::role::Role;
use anjuan_node::keys::NodeKey;
use anjuan_node::unit::UnitCode;
use anjuan_node::unit::divisions::Divisions;
use anjuan_sync::hash::sha256;
use anjuan_sync::id::ItemId;
use anjuan_sync::replica::{Blob, Record};
use anjuan_sync::{AuthorKey, Timestamp};
use ed25519_dalek::SigningKey;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::AnyError;

/// The city.
pub(super) const CITY: &str = "4509";
/// Handles of the two operators that each unit has.
pub(super) const HANDLES: [&str; 2] = ["chair", "mediator"];
/// All certificates are valid from here, 2020-01-01, …
const FROM: Timestamp = Timestamp::from_millis(1_577_836_800_000);
/// … to here, 2050-01-01.
const TO: Timestamp = Timestamp::from_millis(2_524_608_000_000);

/// Chance that follows from a name.
pub(super) fn chance(name: &str) -> StdRng {
    StdRng::from_seed(*sha256(name.as_bytes()).as_bytes())
}

/// The key that goes by a name.
pub(super) fn key(name: &str) -> SigningKey {
    SigningKey::generate(&mut chance(name))
}

pub(super) fn public(key: &SigningKey) -> AuthorKey {
    AuthorKey::from_bytes(key.verifying_key().to_bytes())
}

/// Somebody who records.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    pub(super) key: SigningKey,
    pub(super) certified: Arc<Certified>,
}

#[derive(Clone, Debug)]
struct Unit {
    authority: Arc<Certified>,
    /// Its node, its standby and its operators.
    holders: Vec<Arc<Certified>>,
    operators: [Operator; 2],
}

/// Who takes part.
#[derive(Clone, Debug)]
pub(super) struct People {
    pub(super) root: Arc<Certified>,
    units: BTreeMap<UnitCode, Unit>,
}

/// The name that the key of a unit's operator goes by.
pub(super) fn operator_name(unit: &UnitCode, handle: &str) -> String {
    format!("{handle} {unit}")
}

/// The name that the keys of a unit's node go by.
pub(super) fn node_name(unit: &UnitCode, standby: bool) -> String {
    format!("{} {unit}", if standby { "standby" } else { "node" })
}

impl People {
    /// These units and all above them.
    pub(super) fn of(units: &[UnitCode]) -> Result<Self, AnyError> {
        let city: UnitCode = CITY.parse()?;
        let root_key = key(&format!("authority {city}"));
        let root = Arc::new(Certified::found(&root_key, &city, name(&city), FROM, TO)?);
        let mut all = BTreeSet::from([city]);
        for unit in units {
            all.extend(std::iter::successors(Some(unit.clone()), UnitCode::parent));
        }
        let mut people = Self {
            root,
            units: BTreeMap::new(),
        };
        // In the order of codes, a unit comes after those above it.
        for unit in all {
            people.add(&unit)?;
        }
        Ok(people)
    }

    fn add(&mut self, unit: &UnitCode) -> Result<(), AnyError> {
        let authority_key = key(&format!("authority {unit}"));
        let authority = match unit.parent() {
            None => Arc::clone(&self.root),
            Some(parent) => {
                let issuer = &self.unit(&parent)?.authority;
                let issuer_key = key(&format!("authority {parent}"));
                let subject = public(&authority_key);
                let kind = CertificateKind::Authority;
                Arc::new(issuer.issue(&issuer_key, issue(kind, subject, unit, name(unit)))?)
            }
        };
        let mut holders = Vec::new();
        for standby in [false, true] {
            // Only the city has one here.
            if standby && unit.as_str() != CITY {
                continue;
            }
            let node = NodeKey::generate(&mut chance(&node_name(unit, standby)));
            let issue = Issue {
                seal_key: Some(node.seal_public()),
                ..issue(CertificateKind::Node, node.public(), unit, name(unit))
            };
            holders.push(Arc::new(authority.issue(&authority_key, issue)?));
        }
        let mut operators = Vec::new();
        for handle in HANDLES {
            let key = key(&operator_name(unit, handle));
            let issue = issue(CertificateKind::Operator, public(&key), unit, handle.to_owned());
            let certified = Arc::new(authority.issue(&authority_key, issue)?);
            holders.push(Arc::clone(&certified));
            operators.push(Operator { key, certified });
        }
        let operators = operators.try_into().map_err(|_| "two operators each")?;
        self.units.insert(
            unit.clone(),
            Unit {
                authority,
                holders,
                operators,
            },
        );
        Ok(())
    }

    fn unit(&self, unit: &UnitCode) -> Result<&Unit, AnyError> {
        let known = self.units.get(unit);
        Ok(known.ok_or_else(|| format!("{unit} does not take part"))?)
    }

    /// A unit's operators, as [`HANDLES`] names them.
    pub(super) fn operators(&self, unit: &UnitCode) -> Result<&[Operator; 2], AnyError> {
        Ok(&self.unit(unit)?.operators)
    }

    /// What leads from the root to a unit's nodes.
    pub(super) fn chain(&self, unit: &UnitCode) -> Result<Vec<Record>, AnyError> {
        let mut records = Vec::new();
        for above in std::iter::successors(Some(unit.clone()), UnitCode::parent) {
            if above.parent().is_some() {
                records.insert(0, credential(&self.unit(&above)?.authority));
            }
        }
        let holders = &self.unit(unit)?.holders;
        let nodes = holders
            .iter()
            .filter(|one| one.certificate().kind() == CertificateKind::Node);
        records.extend(nodes.map(|node| credential(node)));
        Ok(records)
    }

    /// All certificates but the root's, each after the one it was issued under.
    pub(super) fn credentials(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for unit in self.units.values() {
            if unit.authority.issuer().is_some() {
                records.push(credential(&unit.authority));
            }
            records.extend(unit.holders.iter().map(|holder| credential(holder)));
        }
        records
    }
}

fn issue(kind: CertificateKind, subject: AuthorKey, unit: &UnitCode, label: String) -> Issue {
    let roles = match kind {
        CertificateKind::Operator => BTreeSet::from([Role::Mediator, Role::Chair]),
        CertificateKind::Authority | CertificateKind::Node => BTreeSet::new(),
    };
    // The issuer's number; no two certificates of one issuer may have the same.
    let serial = sha256(format!("{subject} {label}").as_bytes());
    let serial = serial.as_bytes()[..6]
        .iter()
        .fold(1, |serial, byte| serial << 8 | u64::from(*byte));
    Issue {
        kind,
        subject,
        seal_key: None,
        unit: unit.clone(),
        organisation: None,
        roles,
        label,
        serial,
        not_before: FROM,
        not_after: TO,
    }
}

fn name(unit: &UnitCode) -> String {
    let division = Divisions::official().get(unit);
    division.map_or_else(|| unit.to_string(), |division| division.name().to_owned())
}

fn credential(certified: &Certified) -> Record {
    Record::Credential(Blob {
        path: certified.certificate().path().clone(),
        id: ItemId::from_bytes(*certified.id().as_bytes()),
        bytes: certified.signed().encode(),
    })
}
