//! Units: the division list, and who is enrolled.

use super::call::{Handle, Progress, UnitFind, UnitShow};
use super::{ErrorKind, Service, ServiceError, unit_view, view};
use crate::authority::certificate::CertificateKind;
use crate::text;
use crate::unit::divisions::Divisions;

/// Units listed for one query at most.
const MAX_FOUND: usize = 200;

impl Handle<UnitFind> for Service {
    fn handle(&self, call: UnitFind, _: &mut dyn FnMut(Progress)) -> Result<Vec<view::Unit>, ServiceError> {
        let query = call.query.trim();
        if query.is_empty() {
            return Ok(vec![unit_view(&self.0.unit)]);
        }
        let code: Option<crate::unit::UnitCode> = query.parse().ok();
        let found: Vec<_> = Divisions::official()
            .iter()
            .filter(|division| {
                code.as_ref() == Some(division.code())
                    || division.code().as_str().starts_with(query)
                    || division.name().contains(query)
            })
            .take(MAX_FOUND)
            .map(|division| unit_view(division.code()))
            .collect();
        if found.is_empty() {
            return Err(ServiceError::new(
                ErrorKind::NotFound,
                text!(
                    "区划表中没有“{query}”",
                    "no unit in the division list matches {query:?}"
                ),
            ));
        }
        Ok(found)
    }
}

impl Handle<UnitShow> for Service {
    fn handle(&self, call: UnitShow, _: &mut dyn FnMut(Progress)) -> Result<view::UnitDetail, ServiceError> {
        let division = Divisions::official().require(&call.unit)?;
        let above = std::iter::successors(call.unit.parent(), crate::unit::UnitCode::parent);
        let below = if *division.code() == call.unit {
            division.children()
        } else {
            &[]
        };
        let path = call.unit.path();
        let (nodes, enrolled) = {
            let ledger = self.ledger();
            let credentials = ledger.credentials();
            let nodes: Vec<_> = credentials
                .nodes_of(&path, self.now())
                .map(|certified| certified.certificate().subject().to_string())
                .collect();
            let enrolled = credentials.certificates_of(&path).any(|certified| {
                let certificate = certified.certificate();
                certificate.kind() == CertificateKind::Authority
                    && credentials.authority(certificate.subject(), self.now()).is_some()
            });
            (nodes, enrolled)
        };
        Ok(view::UnitDetail {
            unit: unit_view(&call.unit),
            above: above.map(|unit| unit_view(&unit)).collect(),
            below: below.iter().map(unit_view).collect(),
            enrolled,
            nodes,
            operators: self.operators(&path, true),
        })
    }
}
