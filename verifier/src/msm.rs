//! `Σ scalar·point` by buckets (Pippenger), with affine additions that share one inversion.
//!
//! A curve addition in affine coordinates costs six multiplications once the inversions of many
//! independent additions are one (Montgomery's trick), and ten or more in projective ones.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "field and group arithmetic only: it wraps by definition and divides nowhere"
)]

use alloc::{vec, vec::Vec};

use ark_bn254::{Fq, Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, VariableBaseMSM};
use ark_ff::{AdditiveGroup, Field, Zero, batch_inversion};

use crate::endomorphism::split;

/// Factors are below 2¹²⁷.
const FACTOR_BITS: u32 = 127;
/// About as many points are sorted into buckets at once: bounds the memory and fits the cache.
const POINTS_AT_ONCE: usize = 1 << 13;

type Bucket = <G1Projective as VariableBaseMSM>::Bucket;

/// A point and a positive factor.
type Term = (G1Affine, u128);

/// `Σ scalar·point`.
pub(crate) fn msm(terms: impl IntoIterator<Item = (G1Affine, Fr)>) -> G1Projective {
    let halves = terms.into_iter().flat_map(|(point, scalar)| split(point, &scalar));
    let terms: Vec<Term> =
        halves.filter(|(point, factor)| *factor != 0 && !point.is_zero()).collect();
    let digits = Digits::for_terms(terms.len());
    let shifts: Vec<u32> = digits.shifts().collect();
    let at_once = POINTS_AT_ONCE.checked_div(terms.len()).unwrap_or(0).max(1);
    let sums: Vec<Bucket> =
        shifts.chunks(at_once).flat_map(|some| digits.sums(&terms, some)).collect();
    sums.iter().rev().fold(G1Projective::zero(), |mut total, sum| {
        (0..digits.bits).for_each(|_| {
            total.double_in_place();
        });
        total += sum;
        total
    })
}

/// How factors are cut into signed digits: each is at most [`half`](Self::half) in magnitude.
#[derive(Clone, Copy)]
struct Digits {
    bits: u32,
}

impl Digits {
    /// The cheapest cut for this many terms.
    fn for_terms(count: usize) -> Self {
        let cuts = (2..=12).map(|bits| Self { bits });
        cuts.min_by_key(|cut| cut.cost(count)).unwrap_or(Self { bits: 2 })
    }

    /// Multiplications: six to add a point into a bucket, and two projective additions a bucket.
    fn cost(self, count: usize) -> usize {
        let additions = count.saturating_mul(6).saturating_add(self.half().saturating_mul(18));
        self.shifts().count().saturating_mul(additions)
    }

    /// The largest digit, and the number of buckets.
    fn half(self) -> usize {
        1usize.wrapping_shl(self.bits) >> 1
    }

    /// The places of the digits, lowest first.
    fn shifts(self) -> impl Iterator<Item = u32> {
        (0..=FACTOR_BITS).step_by(usize::try_from(self.bits).unwrap_or(usize::MAX))
    }

    /// With this added to a factor, every unsigned digit but the highest is larger by `half` than
    /// the signed one. The highest is unsigned: it has a bit to spare for the carry.
    fn offset(self) -> u128 {
        let mut shifts = self.shifts();
        let half = u128::try_from(self.half()).unwrap_or(0);
        let all = shifts.by_ref().map(|shift| half.wrapping_shl(shift));
        let lower = all.zip(self.shifts().skip(1)).map(|(half, _)| half);
        lower.fold(0, |sum, half| sum | half)
    }

    /// For each place, the sum of `digit·point`.
    fn sums(self, terms: &[Term], shifts: &[u32]) -> Vec<Bucket> {
        let mut sorted = self.sort(terms, shifts);
        while sorted.add_pairs() {}
        let mut points = sorted.points.iter();
        let buckets: Vec<_> =
            sorted.lengths.iter().map(|&length| points.by_ref().take(length).next()).collect();
        let of_digit = buckets.chunks(self.half());
        of_digit
            .map(|buckets| {
                let (mut running, mut total) = (Bucket::default(), Bucket::default());
                for bucket in buckets.iter().rev() {
                    if let Some(point) = bucket {
                        running += *point;
                    }
                    total += &running;
                }
                total
            })
            .collect()
    }

    /// Sorts the points by place and magnitude of their digits, negated where the digit is.
    fn sort(self, terms: &[Term], shifts: &[u32]) -> Sorted {
        let (half, offset) = (self.half(), self.offset());
        let mask = u128::try_from(half).unwrap_or(0).wrapping_mul(2).wrapping_sub(1);
        let highest = self.shifts().last();
        let mut slots = Vec::with_capacity(terms.len().saturating_mul(shifts.len()));
        let mut lengths = vec![0usize; half.saturating_mul(shifts.len())];
        for (place, &shift) in shifts.iter().enumerate() {
            let zero = if Some(shift) == highest { 0 } else { half };
            let first = place.saturating_mul(half);
            for (_, factor) in terms {
                let raw = factor.wrapping_add(offset).wrapping_shr(shift) & mask;
                let raw = usize::try_from(raw).unwrap_or(0);
                let slot = raw.abs_diff(zero).checked_sub(1).map(|slot| first.saturating_add(slot));
                if let Some(length) = slot.and_then(|slot| lengths.get_mut(slot)) {
                    *length = length.saturating_add(1);
                }
                slots.push((slot, raw < zero));
            }
        }
        Sorted::new(terms, &slots, lengths)
    }
}

/// Points by bucket.
struct Sorted {
    points: Vec<G1Affine>,
    /// Number of points in each bucket.
    lengths: Vec<usize>,
}

impl Sorted {
    /// `slots` are the buckets of the terms, again and again, and whether the point is negated.
    fn new(terms: &[Term], slots: &[(Option<usize>, bool)], lengths: Vec<usize>) -> Self {
        let mut end = 0usize;
        let mut next: Vec<usize> = lengths
            .iter()
            .map(|&length| {
                let start = end;
                end = end.saturating_add(length);
                start
            })
            .collect();
        let mut points = vec![G1Affine::identity(); end];
        for ((point, _), &(slot, negative)) in terms.iter().cycle().zip(slots) {
            let Some(next) = slot.and_then(|slot| next.get_mut(slot)) else {
                continue;
            };
            if let Some(place) = points.get_mut(*next) {
                *place = if negative { -*point } else { *point };
            }
            *next = next.saturating_add(1);
        }
        Self { points, lengths }
    }

    /// Adds the points of every bucket in pairs; `false` if there are none.
    fn add_pairs(&mut self) -> bool {
        let mut slopes: Vec<Fq> = Vec::with_capacity(self.points.len() / 2);
        for bucket in self.buckets() {
            slopes.extend(bucket.as_chunks().0.iter().map(slope_denominator));
        }
        if slopes.is_empty() {
            return false;
        }
        batch_inversion(&mut slopes);
        let mut slopes = slopes.iter();
        let mut points = Vec::with_capacity(self.points.len().saturating_sub(slopes.len()));
        for bucket in self.buckets() {
            let (pairs, odd) = bucket.as_chunks();
            points.extend(pairs.iter().zip(slopes.by_ref()).map(|(pair, slope)| sum(pair, slope)));
            points.extend(odd);
        }
        self.points = points;
        self.lengths.iter_mut().for_each(|length| *length = length.div_ceil(2));
        true
    }

    fn buckets(&self) -> impl Iterator<Item = &[G1Affine]> {
        let mut rest = self.points.as_slice();
        self.lengths.iter().map(move |&length| {
            let (bucket, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = after;
            bucket
        })
    }
}

/// What the slope of the line through two points is divided by; one if there is no such line.
fn slope_denominator([a, b]: &[G1Affine; 2]) -> Fq {
    if a.is_zero() || b.is_zero() {
        Fq::ONE
    } else if a.x != b.x {
        b.x - a.x
    } else if a.y == b.y {
        // Never zero: the order of the curve is odd.
        a.y.double()
    } else {
        Fq::ONE
    }
}

/// The sum of two points, given the inverse of their [`slope_denominator`].
fn sum([a, b]: &[G1Affine; 2], inverse: &Fq) -> G1Affine {
    if a.is_zero() {
        return *b;
    }
    if b.is_zero() {
        return *a;
    }
    let rise = if a.x != b.x {
        b.y - a.y
    } else if a.y == b.y {
        let square = a.x.square();
        square.double() + square
    } else {
        return G1Affine::identity();
    };
    let slope = rise * inverse;
    let x = slope.square() - a.x - b.x;
    G1Affine::new_unchecked(x, slope * (a.x - x) - a.y)
}

#[cfg(test)]
mod tests {
    use ark_ec::CurveGroup;
    use ark_ff::One;

    use super::*;

    fn check(terms: &[(G1Affine, Fr)]) {
        let naive = terms.iter().map(|&(point, scalar)| point * scalar);
        assert_eq!(msm(terms.iter().copied()), naive.sum::<G1Projective>(), "{terms:?}");
    }

    fn multiple(i: u64) -> G1Affine {
        (G1Affine::generator() * Fr::from(i)).into_affine()
    }

    #[test]
    fn many_terms_of_every_count() {
        for count in [0, 1, 2, 3, 10, 60, 200, 700] {
            let scalar = |i: u64| Fr::from(i + 7).pow([1000 + i]);
            let terms: Vec<_> = (0..count).map(|i| (multiple(i * i + 1), scalar(i))).collect();
            check(&terms);
        }
    }

    /// Points that meet themselves, their negative or infinity in a bucket.
    #[test]
    fn colliding_points_and_special_scalars() {
        let (p, big) = (multiple(5), Fr::from(3).pow([300]));
        check(&[(p, big); 9]);
        check(&[(p, big), (-p, big)]);
        check(&[(p, big), (-p, big), (multiple(6), big), (p, big)]);
        check(&[(p, big), (p, -big), (G1Affine::identity(), big)]);
        check(&[(p, Fr::zero()), (p, Fr::one()), (p, -Fr::one())]);
        check(&[(p, Fr::from(1u128 << 127)), (p, Fr::from(u128::MAX)), (p, -Fr::from(u64::MAX))]);
        let sum_is_infinite = [(p, big), (multiple(10), -big), (p, big)];
        check(&sum_is_infinite);
    }

    /// Every cut of every factor gives the same sum.
    #[test]
    fn digits_make_up_the_factor() {
        let factors = [1, 2, 3, (1 << 127) - 1, 1 << 126, 0x5555 << 100, u128::from(u64::MAX)];
        for bits in 2..=12 {
            let digits = Digits { bits };
            let shifts: Vec<u32> = digits.shifts().collect();
            for factor in factors {
                let sums = digits.sums(&[(multiple(1), factor)], &shifts);
                let total = sums.iter().rev().fold(G1Projective::zero(), |mut total, sum| {
                    (0..bits).for_each(|_| {
                        total.double_in_place();
                    });
                    total += sum;
                    total
                });
                assert_eq!(total, G1Affine::generator() * Fr::from(factor), "{bits} {factor}");
            }
        }
    }
}
