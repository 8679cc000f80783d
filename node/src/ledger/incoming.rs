//! Things on their way in: their signatures checked, what became of them told.

use anjuan_sync::replica::{Record, Summary};
use anjuan_sync::signed::SignatureError;
use anjuan_sync::verify::verify_all;
use anjuan_sync::{SignatureVerified, SignedHeader, SignedUpdate};
use rand::CryptoRng;

use super::fork::fork_bytes;
use super::index::DocumentKey;

/// What became of one thing that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// New here, and stored.
    Stored,
    /// Here already.
    Known,
    /// Held back until what it builds on comes.
    Waiting,
    /// Refused for a reason on which honest replicas may differ for a while.
    Refused(String),
    /// What no honest replica sends.
    Forged(String),
}

/// What became of everything handed in, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// One for each.
    pub outcomes: Vec<Outcome>,
    /// The documents that changed.
    pub touched: Vec<DocumentKey>,
}

impl Taken {
    /// The counts that a session is told.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for outcome in &self.outcomes {
            let count = match outcome {
                Outcome::Stored => &mut summary.taken,
                Outcome::Known => &mut summary.known,
                Outcome::Waiting => &mut summary.waiting,
                Outcome::Refused(_) => &mut summary.refused,
                Outcome::Forged(_) => &mut summary.forged,
            };
            *count += 1;
        }
        summary
    }
}

/// Things that came in, with their signatures checked. Made before the ledger's lock is taken.
#[derive(Debug)]
pub struct Checked(pub(super) Vec<One>);

/// One of them.
#[derive(Debug)]
pub(super) enum One {
    Own(SignatureVerified<SignedUpdate>),
    Update(SignatureVerified<SignedUpdate>),
    Fork(Box<[SignatureVerified<SignedHeader>; 2]>),
    Credential(Vec<u8>),
    Sealed(Vec<u8>),
    Forged { reason: String, bytes: Vec<u8> },
}

/// Checks the signatures of what came in, those of updates in one batch.
pub fn check(records: Vec<Record>, rng: &mut impl CryptoRng) -> Checked {
    let mut updates = Vec::new();
    let mut others = Vec::new();
    // None marks the place of an update.
    for record in records {
        others.push(match record {
            Record::Update(update) => {
                updates.push(update);
                None
            }
            Record::Fork(pair) => Some(check_fork(*pair)),
            Record::Credential(blob) => Some(One::Credential(blob.bytes)),
            Record::Sealed(blob) => Some(One::Sealed(blob.bytes)),
            Record::Held { .. } => Some(One::Forged {
                reason: "an announcement where an item is due".into(),
                bytes: Vec::new(),
            }),
        });
    }
    let mut verified = verify_all(updates, rng).into_iter();
    let checked = others.into_iter().map(|other| {
        other.or_else(|| {
            Some(match verified.next()? {
                Ok(update) => One::Update(update),
                Err((update, error)) => One::Forged {
                    reason: error.to_string(),
                    bytes: update.encode(),
                },
            })
        })
    });
    Checked(checked.flatten().collect())
}

fn check_fork([a, b]: [SignedHeader; 2]) -> One {
    let bytes = fork_bytes(&a, &b);
    let verified = |a: SignedHeader, b: SignedHeader| Ok::<_, SignatureError>([a.verify()?, b.verify()?]);
    match verified(a, b) {
        Ok(pair) => One::Fork(Box::new(pair)),
        Err(error) => One::Forged {
            reason: error.to_string(),
            bytes,
        },
    }
}

impl Checked {
    /// An update that this node's own operator has just signed.
    pub(super) fn own(update: SignatureVerified<SignedUpdate>) -> Self {
        Self(vec![One::Own(update)])
    }

    /// Certificates and revocations, from a file or an authority's hand.
    pub fn credentials(items: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(items.into_iter().map(One::Credential).collect())
    }
}
