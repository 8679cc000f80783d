//! Short forms of ids and keys, made whole.

use anjuan_node::kind::catalog::{FieldKind, FieldSpec};
use anjuan_node::service::ServiceError;
use serde_json::{Map, Value};

/// Who knows what a short form stands for.
pub trait Lookup {
    /// The key of the operator with this handle, label, or these first digits of key or certificate.
    fn operator(&mut self, text: &str) -> Result<String, ServiceError>;

    /// The update of the document at hand with these first digits.
    fn update(&mut self, text: &str) -> Result<String, ServiceError>;

    /// The id of the document with this number or these first digits.
    fn document(&mut self, text: &str) -> Result<String, ServiceError>;

    /// The commitment, in the document at hand, with these first digits.
    fn commitment(&mut self, text: &str) -> Result<String, ServiceError>;
}

/// Replaces the short forms in the fields of `event` by what they stand for.
pub fn resolve(
    fields: &[FieldSpec],
    event: &mut Map<String, Value>,
    lookup: &mut dyn Lookup,
) -> Result<(), ServiceError> {
    fields
        .iter()
        .try_for_each(|field| match event.get_mut(field.name) {
            Some(value) => resolve_value(&field.kind, value, lookup),
            None => Ok(()),
        })
}

fn resolve_value(kind: &FieldKind, value: &mut Value, lookup: &mut dyn Lookup) -> Result<(), ServiceError> {
    match (kind, &mut *value) {
        (FieldKind::List { of, .. }, Value::Array(values)) => values
            .iter_mut()
            .try_for_each(|value| resolve_value(of, value, lookup)),
        (FieldKind::Group { fields }, Value::Object(group)) => resolve(fields, group, lookup),
        (FieldKind::Key, Value::String(text)) if !is_hex(text, 64) => {
            *text = lookup.operator(text)?;
            Ok(())
        }
        (FieldKind::Update, Value::String(text)) if !is_hex(text, 64) => {
            *text = lookup.update(text)?;
            Ok(())
        }
        (FieldKind::Document, Value::String(text)) if !is_hex(text, 32) => {
            *text = lookup.document(text)?;
            Ok(())
        }
        (FieldKind::Commitment, Value::String(text)) if !is_hex(text, 64) => {
            *text = lookup.commitment(text)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}
