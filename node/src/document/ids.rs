//! Names derived from who writes and what was written.

use anjuan_sync::hash::Domain;
use anjuan_sync::{AuthorKey, DocumentId, LogEpoch, PayloadHash, Space};
use automerge::ActorId;

/// Bytes in the actor ids of this ledger.
pub(super) const ACTOR_LENGTH: usize = 16;

const ACTOR_DOMAIN: Domain = Domain::new("anjuan/actor/1");
const DOCUMENT_DOMAIN: Domain = Domain::new("anjuan/document/1");

/// The Automerge actor as whom `author` writes in one life of a store.
pub fn actor(author: &AuthorKey, epoch: &LogEpoch) -> ActorId {
    let digest = ACTOR_DOMAIN.hash(&[author.as_bytes(), epoch.as_bytes()]);
    ActorId::from(&digest.as_bytes()[..ACTOR_LENGTH])
}

/// The id of the document that the change with this hash creates, so that no document has a second
/// creating change.
pub fn document_id(
    space: &Space,
    author: &AuthorKey,
    epoch: &LogEpoch,
    payload_hash: &PayloadHash,
) -> DocumentId {
    let digest = DOCUMENT_DOMAIN.hash(&[
        space.to_string().as_bytes(),
        author.as_bytes(),
        epoch.as_bytes(),
        payload_hash.as_bytes(),
    ]);
    let mut id = [0; DocumentId::LENGTH];
    id.copy_from_slice(&digest.as_bytes()[..DocumentId::LENGTH]);
    DocumentId::from_bytes(id)
}

/// The key of the event that the actor's change number `seq` adds. No two changes can write the same.
pub fn event_key(actor: &ActorId, seq: u64) -> String {
    format!("{}-{seq:08}", actor.to_hex_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_every_input() {
        let (a, b) = (AuthorKey::from_bytes([1; 32]), AuthorKey::from_bytes([2; 32]));
        let (e, f) = (LogEpoch::from_bytes([3; 16]), LogEpoch::from_bytes([4; 16]));
        assert_ne!(actor(&a, &e), actor(&b, &e));
        assert_ne!(actor(&a, &e), actor(&a, &f));
        let up = Space::up("4509/02".parse().expect("a path"));
        let down = Space::down("4509/02".parse().expect("a path"));
        let (p, q) = (PayloadHash::from_bytes([5; 32]), PayloadHash::from_bytes([6; 32]));
        let ids = [
            document_id(&up, &a, &e, &p),
            document_id(&down, &a, &e, &p),
            document_id(&up, &b, &e, &p),
            document_id(&up, &a, &f, &p),
            document_id(&up, &a, &e, &q),
        ];
        assert_eq!(
            ids.iter().collect::<std::collections::BTreeSet<_>>().len(),
            ids.len()
        );
    }
}
