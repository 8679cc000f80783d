//! Things on their way in: their signatures checked, what became of them told.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use anjuan_sync::replica::{Record, Summary};
use anjuan_sync::signed::SignatureError;
use anjuan_sync::verify::{Verdict, verify_all};
use anjuan_sync::{SignatureVerified, SignedHeader, SignedUpdate};
use rand::rngs::StdRng;
use rand::{CryptoRng, SeedableRng as _};

use super::fork::fork_bytes;
use super::index::DocumentKey;
use crate::authority::credentials::{Refused, Unjudged};

/// Signatures that are worth a thread of their own: a fifth of a page.
const BATCH: usize = 128;

/// Asked for once: on Linux it reads half a dozen files, which costs as much as a signature.
static PROCESSORS: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, NonZeroUsize::get));

/// How many processors there are.
pub(crate) fn processors() -> usize {
    *PROCESSORS
}

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
    /// Adds what became of what was handed in after that.
    pub(crate) fn append(&mut self, mut next: Self) {
        self.outcomes.append(&mut next.outcomes);
        self.touched.append(&mut next.touched);
    }

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
    Credential {
        read: Result<Unjudged, Refused>,
        bytes: Vec<u8>,
    },
    Sealed(Vec<u8>),
    Forged {
        reason: String,
        bytes: Vec<u8>,
    },
}

impl One {
    fn credential(bytes: Vec<u8>) -> Self {
        let read = Unjudged::read(&bytes);
        Self::Credential { read, bytes }
    }
}

/// Checks the signatures of what came in, those of updates in batches on all processors but one, which is
/// for those who work here meanwhile.
pub fn check(records: Vec<Record>, rng: &mut impl CryptoRng) -> Checked {
    check_on(processors() - 1, records, rng)
}

/// As [`check`], on at most so many threads.
pub fn check_on(threads: usize, records: Vec<Record>, rng: &mut impl CryptoRng) -> Checked {
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
            Record::Credential(blob) => Some(One::credential(blob.bytes)),
            Record::Sealed(blob) => Some(One::Sealed(blob.bytes)),
            Record::Held { .. } => Some(One::Forged {
                reason: "an announcement where an item is due".into(),
                bytes: Vec::new(),
            }),
        });
    }
    let mut verified = verify_on(threads, updates, rng).into_iter();
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

fn verify_on(threads: usize, mut updates: Vec<SignedUpdate>, rng: &mut impl CryptoRng) -> Vec<Verdict> {
    let threads = threads.min(updates.len() / BATCH).max(1);
    let share = updates.len().div_ceil(threads);
    let mut shares = Vec::new();
    while updates.len() > share {
        let rest = updates.split_off(share);
        shares.push(std::mem::replace(&mut updates, rest));
    }
    let mut random: Vec<_> = shares.iter().map(|_| StdRng::from_rng(rng)).collect();
    std::thread::scope(|scope| {
        let others: Vec<_> = shares
            .into_iter()
            .zip(&mut random)
            .map(|(share, rng)| scope.spawn(move || verify_all(share, rng)))
            .collect();
        let last = verify_all(updates, rng);
        let mut verdicts = Vec::new();
        for other in others {
            verdicts.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        verdicts.extend(last);
        verdicts
    })
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
    /// The same in portions of so many, in order.
    pub(crate) fn portions(self, size: usize) -> impl Iterator<Item = Self> {
        let mut rest = self.0.into_iter();
        std::iter::from_fn(move || {
            let portion: Vec<_> = rest.by_ref().take(size).collect();
            (!portion.is_empty()).then_some(Self(portion))
        })
    }

    /// An update that this node's own operator has just signed.
    pub(super) fn own(update: SignatureVerified<SignedUpdate>) -> Self {
        Self(vec![One::Own(update)])
    }

    /// Certificates and revocations, from a file or an authority's hand.
    pub fn credentials(items: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(items.into_iter().map(One::credential).collect())
    }
}
