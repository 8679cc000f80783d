//! Many signatures at once, accepting exactly what the strict check accepts.
//!
//! The strict check of one signature (R, s) of key A over M is: s is reduced, R and A are points not of
//! small order, and the encoding of `sB − kA` with `k = SHA-512(R, A, M)` is R, byte for byte. Checking a
//! random combination `Σ z·(sB − R − kA) = 0` costs less than half of that, but sees the points only up
//! to the small subgroup: a crafted R with a component of order 2 passes it every other time. Two replicas
//! could then part over one update. So here, in addition,
//! - encodings of R that are not canonical are left to the strict check;
//! - all R and all keys are shown to lie in the prime-order subgroup: [`ROUNDS`] sums of random subsets of
//!   them must. A point outside spoils each sum with probability ½ or more, whatever the others are, so
//!   one slips through with probability at most 2^-[`ROUNDS`]. In that subgroup the random
//!   combination is sound with probability 1 − 2^-127.
//!
//! Whatever fails is checked again one by one, strictly, which names the bad ones. The randomness must be
//! this replica's own: with coefficients that can be computed from the batch, an attacker tries offline
//! until a batch passes.

use std::collections::BTreeMap;

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity, VartimeMultiscalarMul};
use rand::{CryptoRng, Rng, SeedableRng};
use sha2::{Digest as _, Sha512};

use crate::id::AuthorKey;
use crate::signed::{SignatureError, SignatureVerified, SignedHeader, SignedUpdate};

/// Random subset sums that must lie in the prime-order subgroup.
pub const ROUNDS: usize = 48;
/// Below this many signatures the strict check of each is cheaper.
const WORTHWHILE: usize = 96;
/// Signatures checked in one equation. More is hardly cheaper, and a bad one spoils fewer.
const CHUNK: usize = 1024;
/// Subset sums that are made together: for each, the buckets double, and so does the work that does not depend
/// on the number of points.
const AT_ONCE: usize = 6;

const _: () = assert!(ROUNDS.is_multiple_of(AT_ONCE) && AT_ONCE <= 8);

/// One update's verdict; a refused update is handed back.
pub type Verdict = Result<SignatureVerified<SignedUpdate>, (SignedUpdate, SignatureError)>;

/// The same of a header alone.
pub type HeaderVerdict = Result<SignatureVerified<SignedHeader>, (SignedHeader, SignatureError)>;

/// What carries a signature over a header.
trait Signed: Clone {
    fn signed_header(&self) -> &SignedHeader;
    fn verify(self) -> Result<SignatureVerified<Self>, SignatureError>;
    fn verified_in_batch(self) -> SignatureVerified<Self>;
}

impl Signed for SignedUpdate {
    fn signed_header(&self) -> &SignedHeader {
        Self::signed_header(self)
    }

    fn verify(self) -> Result<SignatureVerified<Self>, SignatureError> {
        Self::verify(self)
    }

    fn verified_in_batch(self) -> SignatureVerified<Self> {
        Self::verified_in_batch(self)
    }
}

impl Signed for SignedHeader {
    fn signed_header(&self) -> &SignedHeader {
        self
    }

    fn verify(self) -> Result<SignatureVerified<Self>, SignatureError> {
        Self::verify(self)
    }

    fn verified_in_batch(self) -> SignatureVerified<Self> {
        Self::verified_in_batch(self)
    }
}

/// Checks the signature of each update. The verdicts stand in the order of the updates, and are those of
/// [`SignedUpdate::verify`], but for a chance of 2^-[`ROUNDS`] per call that `rng` decides.
pub fn verify_all(updates: Vec<SignedUpdate>, rng: &mut impl CryptoRng) -> Vec<Verdict> {
    verify_each(updates, rng)
}

/// [`verify_all`] of headers without their payloads.
pub fn verify_headers(headers: Vec<SignedHeader>, rng: &mut impl CryptoRng) -> Vec<HeaderVerdict> {
    verify_each(headers, rng)
}

type Each<T> = Result<SignatureVerified<T>, (T, SignatureError)>;

fn verify_each<T: Signed>(all: Vec<T>, rng: &mut impl CryptoRng) -> Vec<Each<T>> {
    let mut verdicts = Vec::with_capacity(all.len());
    let mut rng = rand::rngs::StdRng::from_rng(rng);
    let mut all = all.into_iter();
    loop {
        let chunk: Vec<_> = all.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return verdicts;
        }
        if chunk.len() >= WORTHWHILE && holds(&chunk, &mut rng) {
            verdicts.extend(chunk.into_iter().map(T::verified_in_batch).map(Ok));
        } else {
            verdicts.extend(chunk.into_iter().map(strict));
        }
    }
}

fn strict<T: Signed>(one: T) -> Each<T> {
    match one.clone().verify() {
        Ok(verified) => Ok(verified),
        Err(error) => Err((one, error)),
    }
}

/// Do all signatures of a chunk hold? False is no verdict on any one of them.
fn holds<T: Signed>(chunk: &[T], rng: &mut impl Rng) -> bool {
    equation(chunk, rng).is_some_and(|(sum, points)| sum.is_identity() && in_prime_subgroup(&points, rng))
}

/// The random combination, and the points that went into it: each R, and each key once.
fn equation<T: Signed>(chunk: &[T], rng: &mut impl Rng) -> Option<(EdwardsPoint, Vec<EdwardsPoint>)> {
    let mut keys: BTreeMap<AuthorKey, Scalar> = BTreeMap::new();
    let mut base = Scalar::ZERO;
    let mut scalars = Vec::with_capacity(2 * chunk.len() + 1);
    let mut points = Vec::with_capacity(2 * chunk.len() + 1);
    for update in chunk {
        let signed = update.signed_header();
        let (r, s) = signed.signature().split_at(32);
        let r: [u8; 32] = r.try_into().ok()?;
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?;
        let point = decompress_canonical(r)?;
        let author = signed.header().author();
        let mut hash = Sha512::new();
        hash.update(r);
        hash.update(author.as_bytes());
        hash.update(signed.signing_input());
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let mut z = [0; 16];
        rng.fill_bytes(&mut z);
        let z = Scalar::from(u128::from_le_bytes(z));
        base += z * s;
        *keys.entry(author).or_insert(Scalar::ZERO) += z * k;
        scalars.push(z);
        points.push(point);
    }
    for (key, scalar) in keys {
        let point = CompressedEdwardsY(*key.as_bytes()).decompress()?;
        if point.is_identity() {
            return None;
        }
        scalars.push(scalar);
        points.push(point);
    }
    let all = scalars.iter().copied().chain([-base]);
    let with_base = points
        .iter()
        .copied()
        .chain([curve25519_dalek::constants::ED25519_BASEPOINT_POINT]);
    Some((EdwardsPoint::vartime_multiscalar_mul(all, with_base), points))
}

/// The point of an encoding, if the encoding is the point's only one and the point is not the identity.
fn decompress_canonical(bytes: [u8; 32]) -> Option<EdwardsPoint> {
    // y < p = 2^255 − 19. The other ambiguity, a sign for x = 0, needs y = ±1: the identity, or a point
    // of order 2, which the subset sums find.
    let reduced =
        bytes[0] < 0xed || bytes[1..31].iter().any(|&byte| byte != 0xff) || bytes[31] & 0x7f != 0x7f;
    let point = CompressedEdwardsY(bytes).decompress()?;
    (reduced && !point.is_identity()).then_some(point)
}

/// Do all points lie in the subgroup of prime order? True for points that do; for others false but for a
/// chance of 2^-[`ROUNDS`].
fn in_prime_subgroup(points: &[EdwardsPoint], rng: &mut impl Rng) -> bool {
    (0..ROUNDS / AT_ONCE).all(|_| subset_sums(points, rng).iter().all(is_torsion_free))
}

/// The sums of random subsets. Each point goes to the bucket that its choices name, one bit for each subset;
/// what the subsets come to is then added up from the buckets: for each point one addition, not [`AT_ONCE`].
fn subset_sums(points: &[EdwardsPoint], rng: &mut impl Rng) -> [EdwardsPoint; AT_ONCE] {
    let mut buckets = [EdwardsPoint::identity(); 1 << AT_ONCE];
    let mut choices = vec![0; points.len()];
    rng.fill_bytes(&mut choices);
    for (point, choice) in points.iter().zip(choices) {
        let bucket = &mut buckets[usize::from(choice) % (1 << AT_ONCE)];
        *bucket += point;
    }
    let mut sums = [EdwardsPoint::identity(); AT_ONCE];
    let mut rest = buckets.as_mut_slice();
    for sum in sums.iter_mut().rev() {
        // The highest bit that is left chooses what is in the upper half; below it the two are one.
        let (lower, upper) = rest.split_at_mut(rest.len() / 2);
        for (below, above) in lower.iter_mut().zip(upper) {
            *sum += &*above;
            *below += &*above;
        }
        rest = lower;
    }
    sums
}

/// Does a point lie in the subgroup of prime order? In a time that depends on the point: for public ones. The
/// check of `curve25519-dalek`, which does not, takes twice as long.
pub fn is_torsion_free(point: &EdwardsPoint) -> bool {
    // −1 is held as order − 1, and multiplied by as that number.
    EdwardsPoint::vartime_multiscalar_mul([-Scalar::ONE], [*point]) == -point
}

#[cfg(test)]
mod tests;
