//! The units of a city with their keys and certificates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anjuan_node::authority::certificate::{CertificateKind, Certified, Issue};
use anjuan_node::authority::role::Role;
use anjuan_node::unit::divisions::Divisions;
use anjuan_node::unit::{Level, UnitCode};
use anjuan_sync::hash::sha256;
use anjuan_sync::{AuthorKey, CertificateId, NodeKey, Path, Timestamp};
use ed25519_dalek::SigningKey;
use minicbor::bytes::ByteVec;

/// When the simulation begins: 2024-01-01 in Yulin.
pub(super) const BEGINNING: Timestamp = Timestamp::from_millis(1_704_038_400_000);
const DAY: i64 = 24 * 3_600_000;

/// Somebody who signs.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    pub(super) key: SigningKey,
    pub(super) author: AuthorKey,
    pub(super) certified: Arc<Certified>,
    pub(super) roles: BTreeSet<Role>,
    /// Knows that nothing signed from now on counts.
    pub(super) dismissed: bool,
}

impl Operator {
    pub(super) fn certificate(&self) -> CertificateId {
        self.certified.id()
    }

    pub(super) fn is_any(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.roles.contains(role))
    }
}

/// A unit, with all that its node is set up with.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) code: UnitCode,
    pub(super) path: Path,
    pub(super) parent: Option<usize>,
    pub(super) children: Vec<usize>,
    pub(super) authority: Arc<Certified>,
    pub(super) authority_key: SigningKey,
    pub(super) node_key: NodeKey,
    /// The chain of the node's certificate, as its Hello carries it.
    pub(super) chain: Vec<u8>,
    /// What the node is set up with: the chain, and its own operators.
    pub(super) credentials: Vec<Vec<u8>>,
    /// Mediator, chair, and from the town up a clerk.
    pub(super) operators: Vec<Operator>,
    serials: u64,
}

/// All units, each after the one above it.
#[derive(Debug)]
pub(super) struct Roll {
    pub(super) root: Arc<Certified>,
    pub(super) units: Vec<Unit>,
    pub(super) by_code: BTreeMap<UnitCode, usize>,
    /// Bytes of certificates that nodes had not been set up with and had to get.
    pub(super) bytes_to_get: u64,
}

pub(super) fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(sha256(name.as_bytes()).as_bytes())
}

pub(super) fn author(key: &SigningKey) -> AuthorKey {
    AuthorKey::from_bytes(key.verifying_key().to_bytes())
}

/// A public key that nobody has the secret of.
fn seal_key(name: &str) -> [u8; 32] {
    let mut bytes = *sha256(name.as_bytes()).as_bytes();
    bytes[31] &= 0x3f;
    bytes
}

fn days(n: i64) -> Timestamp {
    Timestamp::from_millis(BEGINNING.as_millis() + n * DAY)
}

fn issue(
    issuer: &Arc<Certified>,
    key: &SigningKey,
    kind: CertificateKind,
    unit: &UnitCode,
    subject: (AuthorKey, String, BTreeSet<Role>),
    serial: u64,
) -> Arc<Certified> {
    let (subject, label, roles) = subject;
    let is_node = kind == CertificateKind::Node;
    let issue = Issue {
        kind,
        subject,
        seal_key: is_node.then(|| seal_key(&label)),
        unit: unit.clone(),
        organisation: None,
        roles,
        label,
        serial,
        not_before: days(-30),
        not_after: days(3_000),
    };
    Arc::new(
        issuer
            .issue(key, issue)
            .expect("the authority of a unit certifies its own"),
    )
}

impl Unit {
    /// Certifies another operator.
    pub(super) fn appoint(&mut self, name: &str, roles: &[Role]) -> Operator {
        self.serials += 1;
        let key = key(name);
        let (author, roles) = (author(&key), BTreeSet::from_iter(roles.iter().copied()));
        let certified = issue(
            &self.authority,
            &self.authority_key,
            CertificateKind::Operator,
            &self.code,
            (author, "某甲".to_owned(), roles.clone()),
            self.serials,
        );
        Operator {
            key,
            author,
            certified,
            roles,
            dismissed: false,
        }
    }
}

impl Roll {
    /// Founds the network and certifies everybody. Keys follow from `seed`.
    ///
    /// # Panics
    /// When the divisions have no city or several.
    pub(super) fn found(divisions: &Divisions, seed: u64) -> Self {
        let mut listed: Vec<_> = divisions.iter().collect();
        listed.sort_by_key(|division| division.code().path().depth());
        assert_eq!(
            listed.iter().filter(|one| one.level() == Level::City).count(),
            1,
            "the network of one city"
        );
        let city = listed[0].code();
        let root_key = key(&format!("{seed}/authority/{city}"));
        let root = Certified::found(&root_key, city, "市".into(), days(-60), days(3_600));
        let root = Arc::new(root.expect("a root"));
        let mut roll = Self {
            root,
            units: Vec::new(),
            by_code: BTreeMap::new(),
            bytes_to_get: 0,
        };
        for division in listed {
            let unit = roll.enrol(division.code(), seed);
            roll.by_code.insert(unit.code.clone(), roll.units.len());
            roll.units.push(unit);
        }
        roll.bytes_to_get = roll.count_bytes();
        roll
    }

    fn enrol(&mut self, code: &UnitCode, seed: u64) -> Unit {
        let name = |what: &str| format!("{seed}/{what}/{code}");
        let authority_key = key(&name("authority"));
        let at = self.units.len();
        let parent = code
            .parent()
            .and_then(|parent| self.by_code.get(&parent).copied());
        let authority = match parent {
            None => Arc::clone(&self.root),
            Some(parent) => {
                let above = &mut self.units[parent];
                above.serials += 1;
                above.children.push(at);
                issue(
                    &above.authority,
                    &above.authority_key,
                    CertificateKind::Authority,
                    code,
                    (author(&authority_key), code.to_string(), BTreeSet::new()),
                    above.serials,
                )
            }
        };
        let node_key = author(&key(&name("node")));
        let node = issue(
            &authority,
            &authority_key,
            CertificateKind::Node,
            code,
            (node_key, name("seal"), BTreeSet::new()),
            1,
        );
        let mut unit = Unit {
            code: code.clone(),
            path: code.path(),
            parent,
            children: Vec::new(),
            authority,
            authority_key,
            node_key: NodeKey::from_bytes(*node_key.as_bytes()),
            chain: Vec::new(),
            credentials: Vec::new(),
            operators: Vec::new(),
            serials: 1,
        };
        let mut chain = vec![node.signed().encode()];
        let mut above = Some(Arc::clone(&unit.authority));
        while let Some(certified) = above {
            chain.push(certified.signed().encode());
            above = certified.issuer().cloned();
        }
        chain.reverse();
        let clerk = [
            Role::PetitionClerk,
            Role::JudicialClerk,
            Role::Router,
            Role::Archivist,
        ];
        let mut staff: Vec<(&str, &[Role])> = vec![
            ("mediator", &[Role::Mediator]),
            ("chair", &[Role::Chair, Role::Mediator]),
        ];
        if code.level() != Level::Village {
            staff.push(("clerk", &clerk));
        }
        for (person, roles) in staff {
            let operator = unit.appoint(&name(person), roles);
            unit.operators.push(operator);
        }
        unit.credentials.clone_from(&chain);
        let operators = unit.operators.iter();
        unit.credentials
            .extend(operators.map(|operator| operator.certified.signed().encode()));
        let chain: Vec<ByteVec> = chain.into_iter().map(ByteVec::from).collect();
        unit.chain = minicbor::to_vec(chain).expect("writing to a vector does not fail");
        unit
    }

    /// A certificate goes to every node in line with its unit. A unit's node begins with its own and with
    /// the authorities above it.
    fn count_bytes(&self) -> u64 {
        let mut below = vec![0; self.units.len()];
        for at in (0..self.units.len()).rev() {
            if let Some(parent) = self.units[at].parent {
                below[parent] += below[at] + 1;
            }
        }
        let bytes = |at: usize, unit: &Unit| {
            let above = unit.path.depth() as u64 - 1;
            let authority = unit.authority.signed().encode().len() as u64 * above;
            let own = unit.credentials[unit.path.depth()..]
                .iter()
                .map(Vec::len)
                .sum::<usize>() as u64;
            authority + own * (above + below[at])
        };
        self.units
            .iter()
            .enumerate()
            .map(|(at, unit)| bytes(at, unit))
            .sum()
    }

    /// The unit and those above it, from itself up.
    pub(super) fn line(&self, unit: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(unit), |at| self.units[*at].parent)
    }
}
