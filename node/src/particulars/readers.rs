//! Which nodes may read. A pure function of what the document says and of the node certificates.

use std::collections::BTreeSet;

use crate::kind::ParticularsRef;
use crate::unit::{Level, UnitCode};

use super::item::{Purpose, Recipient};

/// A node with a valid certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderNode {
    /// The unit it serves.
    pub unit: UnitCode,
    /// Its certificate and the seal key on it.
    pub recipient: Recipient,
}

/// The recipients that should have a wrap, in order of unit and certificate.
///
/// - Nothing for what was erased.
/// - Every node of a unit that handles or handled the case.
/// - Unless restricted (minors, family violence, sexual harm, medical): also every node of the town whose
///   judicial office supervises a handling village. A restricted case stays with its handlers.
/// - Nobody else. A professional committee has no town above it, and higher levels read only by a signed
///   event with a reason, for which the service wraps with [`Purpose::Disclosure`].
pub fn readers(particulars: &ParticularsRef, nodes: &[ReaderNode]) -> Vec<(Recipient, Purpose)> {
    if particulars.erased {
        return Vec::new();
    }
    let handlers: BTreeSet<&UnitCode> = particulars.readers.iter().collect();
    let supervisors: BTreeSet<UnitCode> = handlers
        .iter()
        .filter(|unit| !particulars.restricted && unit.level() == Level::Village)
        .filter_map(|unit| unit.parent())
        .collect();
    let mut wanted: Vec<_> = nodes
        .iter()
        .filter_map(|node| {
            let purpose = if handlers.contains(&node.unit) {
                Purpose::Handling
            } else if supervisors.contains(&node.unit) {
                Purpose::Supervision
            } else {
                return None;
            };
            Some((&node.unit, node.recipient, purpose))
        })
        .collect();
    wanted.sort();
    wanted.dedup();
    wanted
        .into_iter()
        .map(|(_, recipient, purpose)| (recipient, purpose))
        .collect()
}

/// Those of `wanted` for whose seal key there is no wrap yet. A renewed certificate with the same seal key
/// needs none.
pub fn missing_wraps(wanted: &[(Recipient, Purpose)], present: &[Recipient]) -> Vec<(Recipient, Purpose)> {
    let mut have: BTreeSet<_> = present.iter().map(|recipient| recipient.key).collect();
    wanted
        .iter()
        .filter(|(recipient, _)| have.insert(recipient.key))
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use anjuan_sync::CertificateId;

    use super::*;
    use crate::particulars::SealKey;

    fn unit(code: &str) -> UnitCode {
        code.parse().expect("a unit code")
    }

    fn node(code: &str, number: u8) -> ReaderNode {
        ReaderNode {
            unit: unit(code),
            recipient: Recipient {
                certificate: CertificateId::from_bytes([number; 32]),
                key: SealKey::from_bytes([number; 32]),
            },
        }
    }

    fn nodes() -> Vec<ReaderNode> {
        [
            ("4509", 1),
            ("450902", 2),
            ("450902001", 3),
            ("450902001001", 4),
            ("450902001001", 5),
            ("450902001002", 6),
            ("450902-01", 7),
        ]
        .map(|(code, number)| node(code, number))
        .to_vec()
    }

    fn reading(handlers: &[&str], restricted: bool) -> Vec<(u8, Purpose)> {
        let particulars = ParticularsRef {
            commitment: String::new(),
            role: "party".into(),
            restricted,
            readers: handlers.iter().map(|code| unit(code)).collect(),
            erased: false,
        };
        readers(&particulars, &nodes())
            .into_iter()
            .map(|(recipient, purpose)| (recipient.key.as_bytes()[0], purpose))
            .collect()
    }

    #[test]
    fn the_village_handles_and_its_town_supervises() {
        assert_eq!(
            reading(&["450902001001"], false),
            [
                (3, Purpose::Supervision),
                (4, Purpose::Handling),
                (5, Purpose::Handling)
            ]
        );
    }

    #[test]
    fn a_restricted_case_stays_with_its_handlers() {
        assert_eq!(
            reading(&["450902001001"], true),
            [(4, Purpose::Handling), (5, Purpose::Handling)]
        );
        assert_eq!(
            reading(&["450902001001", "450902001"], true),
            [
                (3, Purpose::Handling),
                (4, Purpose::Handling),
                (5, Purpose::Handling)
            ]
        );
    }

    #[test]
    fn nobody_above_a_town_or_a_committee_reads() {
        assert_eq!(reading(&["450902001"], false), [(3, Purpose::Handling)]);
        assert_eq!(reading(&["450902-01"], false), [(7, Purpose::Handling)]);
    }

    #[test]
    fn nobody_reads_what_was_erased() {
        let erased = ParticularsRef {
            commitment: String::new(),
            role: "party".into(),
            restricted: false,
            readers: vec![unit("450902001001")],
            erased: true,
        };
        assert_eq!(readers(&erased, &nodes()), []);
    }

    #[test]
    fn only_keys_without_a_wrap_are_missing_and_each_once() {
        let at = |number| (node("450902", number).recipient, Purpose::Handling);
        let mut renewed = at(1);
        renewed.0.certificate = CertificateId::from_bytes([9; 32]);
        assert_eq!(missing_wraps(&[at(1), at(2), renewed], &[]), [at(1), at(2)]);
        assert_eq!(missing_wraps(&[renewed, at(2)], &[at(1).0]), [at(2)]);
    }
}
