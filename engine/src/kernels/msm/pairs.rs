//! Additions of many pairs of points.
//!
//! An addition `a + b = c` of affine points is `λ = (y_b - y_a)/(x_b - x_a)`,
//! `x_c = λ² - x_a - x_b`, `y_c = λ(x_a - x_c) - y_a`. The divisors of a batch are inverted
//! together (Montgomery's trick), which makes 6 multiplications per addition.
//!
//! # Why every sum is right
//! The formulas hold for finite points with different x, and operands are finite. Points with the
//! same x (equal or opposite ones) make the product of all divisors of their lane zero, as a field
//! has no zero divisors, and that is tested for each batch. Such a batch is walked again: the
//! divisors that are zero are found one by one, replaced by one, and their pairs are added by
//! halo2's complete formulas. A sum of points with different x is finite, as are all doubles,
//! the order of the curve being an odd prime: only pairs of opposite points have an infinite sum.

use halo2_proofs::halo2curves::{
    bn256::{Fq, G1Affine},
    ff::Field,
    group::{Curve, prime::PrimeCurveAffine},
};

use super::{
    super::{
        arithmetic::Arithmetic,
        pack::{Coordinates, Pack, TablePoint},
    },
    lists::NEGATIVE,
};

/// Lanes of the widest pack.
pub(super) const MAX_WIDTH: usize = 8;
/// Pairs that share an inversion: what is kept for each takes 240 bytes of the cache.
const BATCH: usize = 1024;
/// Chains of divisors that are inverted together: a pack's is in that of its index modulo this.
/// In one chain, each product would wait for the one before.
const CHAINS: usize = 2;
/// Packs between the hint that points will be loaded and the load, which would wait for memory:
/// the points of a table are in no order.
const AHEAD: usize = 2;

/// Two points to add, and where the sum goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// The first point, by its entry.
    pub(super) a: u32,
    /// The second point.
    pub(super) b: u32,
    /// Index of the sum.
    pub(super) to: u32,
}

/// What the way back needs to know of the pairs in a pack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<P> {
    /// Product of the divisors before.
    prefix: P,
    /// The divisors, `x_b - x_a`, lazy.
    dx: P,
    /// `y_b - y_a`, lazy.
    dy: P,
    /// `x_a + x_b`, lazy.
    sum_x: P,
    xa: P,
    ya: P,
}

/// Adds pairs of finite points of `points`, or of `sums` itself if there are none, into `sums`;
/// says whether any sum is infinite. Points of `sums` are added and not subtracted.
///
/// A sum may replace a point of its own pair or of an earlier one. Repeats pairs to fill a pack.
pub(super) fn add_pairs<A: Arithmetic>(
    arithmetic: A,
    points: Option<&[TablePoint]>,
    sums: &mut [TablePoint],
    pairs: &mut Vec<Pair>,
    steps: &mut Vec<Step<A::Fq>>,
) -> bool {
    let Some(&last) = pairs.last() else { return false };
    pairs.resize(pairs.len().next_multiple_of(CHAINS * A::Fq::WIDTH), last);
    let mut has_infinite = false;
    for (number, batch) in pairs.chunks(BATCH).enumerate() {
        let from = points.unwrap_or(&[]);
        let next = if from.is_empty() { None } else { pairs.get((number + 1) * BATCH..) };
        let next = next.unwrap_or_default();
        arithmetic.vectorize(
            #[inline(always)]
            || {
                let products = match points {
                    Some(points) => forward::<_, true>(points, batch, steps),
                    None => forward::<_, false>(sums, batch, steps),
                };
                if let Some(inverses) = invert_chains(products) {
                    backward(steps, batch, sums, inverses, (from, next));
                } else {
                    let all = points.unwrap_or(&*sums);
                    let exceptions = find_exceptions(arithmetic, all, batch, steps);
                    let products = forward_again(steps);
                    let inverses = invert_chains(products).expect("no divisor is zero");
                    backward(steps, batch, sums, inverses, (from, next));
                    for (to, sum) in exceptions {
                        has_infinite |= sum.is_infinity();
                        sums[to as usize] = sum;
                    }
                }
            },
        );
    }
    has_infinite
}

/// The point of an entry.
#[inline(always)]
fn point(from: &[TablePoint], entry: u32) -> &TablePoint {
    &from[(entry & !NEGATIVE) as usize]
}

/// Loads points; if they are `SIGNED`, y is lazy, below 2p, and negative where the entry says so.
#[inline(always)]
fn load<P: Coordinates, const SIGNED: bool>(
    from: &[TablePoint],
    entry: impl Fn(usize) -> u32,
) -> (P, P) {
    let (x, y) = P::load_points(
        #[inline(always)]
        |lane| point(from, entry(lane)),
    );
    if !SIGNED {
        return (x, y);
    }
    let mut negative = 0;
    for lane in 0..P::WIDTH {
        negative |= (entry(lane) / NEGATIVE) << lane;
    }
    // A y is not zero, no point having order two, so that 2p - y is below 2p.
    (x, y.replace((negative & 0xff) as u8, P::zero().sub_lazy_by::<2>(y)))
}

/// Loads the points and multiplies the divisors of each chain; only `SCATTERED` points may be subtracted.
#[inline(always)]
fn forward<P: Coordinates, const SCATTERED: bool>(
    from: &[TablePoint],
    pairs: &[Pair],
    steps: &mut Vec<Step<P>>,
) -> [P; CHAINS] {
    steps.clear();
    let mut products = [P::splat(Fq::ONE); CHAINS];
    for (i, pack) in pairs.chunks_exact(P::WIDTH).enumerate() {
        if SCATTERED {
            for pair in pairs.iter().skip((i + AHEAD) * P::WIDTH).take(P::WIDTH) {
                P::prefetch(point(from, pair.a));
                P::prefetch(point(from, pair.b));
            }
        }
        let (xa, ya) = load::<P, SCATTERED>(
            from,
            #[inline(always)]
            |lane| pack[lane].a,
        );
        let (xb, yb) = load::<P, SCATTERED>(
            from,
            #[inline(always)]
            |lane| pack[lane].b,
        );
        // Below 4p and 6p.
        let (dx, dy) = (xb.sub_lazy_by::<2>(xa), yb.sub_lazy(ya));
        let [prefix, other] = products;
        steps.push(Step { prefix, dx, dy, sum_x: xa.add_lazy(xb), xa, ya });
        products = [other, dx.mul_lazy(prefix)];
    }
    products
}

/// Finds the pairs whose divisor is zero, adds them and replaces their divisor by one.
#[cold]
#[inline(never)]
fn find_exceptions<A: Arithmetic>(
    arithmetic: A,
    from: &[TablePoint],
    pairs: &[Pair],
    steps: &mut [Step<A::Fq>],
) -> Vec<(u32, TablePoint)> {
    let width = A::Fq::WIDTH;
    let mut exceptions = Vec::new();
    for (step, pack) in steps.iter_mut().zip(pairs.chunks_exact(width)) {
        let zeros = arithmetic.vectorize(
            #[inline(always)]
            || {
                let dx = step.dx.relax();
                let zeros = dx.zero_lanes();
                step.dx = dx.replace(zeros, A::Fq::splat(Fq::ONE));
                zeros
            },
        );
        for (_, pair) in pack.iter().enumerate().filter(|(lane, _)| zeros >> lane & 1 == 1) {
            let [a, b] = [pair.a, pair.b].map(|entry| {
                let affine = to_affine(arithmetic, point(from, entry));
                if entry < NEGATIVE { affine } else { -affine }
            });
            let sum = a + b;
            exceptions.push((pair.to, from_affine(arithmetic, &sum.to_affine())));
        }
    }
    exceptions
}

/// Multiplies the divisors again, after some were replaced.
#[inline(always)]
fn forward_again<P: Coordinates>(steps: &mut [Step<P>]) -> [P; CHAINS] {
    let mut products = [P::splat(Fq::ONE); CHAINS];
    for step in steps {
        let [prefix, other] = products;
        step.prefix = prefix;
        products = [other, step.dx.mul_lazy(prefix)];
    }
    products
}

/// The inverses of the products of both chains, or nothing if any lane is zero.
#[inline(always)]
fn invert_chains<P: Coordinates>([a, b]: [P; CHAINS]) -> Option<[P; CHAINS]> {
    let inverse = invert(a.mul(b))?;
    Some([inverse.mul(b), inverse.mul(a)])
}

/// Divides, last pairs first, and stores the sums. Meanwhile it asks for the points of the `next`
/// pairs, which are far away, as this computes and does not wait for memory.
#[inline(always)]
fn backward<P: Coordinates>(
    steps: &[Step<P>],
    pairs: &[Pair],
    sums: &mut [TablePoint],
    [mut even, mut odd]: [P; CHAINS],
    (from, next): (&[TablePoint], &[Pair]),
) {
    let steps = steps.as_chunks::<CHAINS>().0;
    let mut next = next.chunks(CHAINS * P::WIDTH);
    for ([a, b], pairs) in steps.iter().zip(pairs.chunks_exact(CHAINS * P::WIDTH)).rev() {
        for pair in next.next().unwrap_or_default() {
            P::prefetch_far_point(point(from, pair.a));
            P::prefetch_far_point(point(from, pair.b));
        }
        // Products of one line do not wait for each other.
        let (divisor_a, divisor_b) = (even.mul(a.prefix), odd.mul(b.prefix));
        (even, odd) = (a.dx.mul_lazy(even), b.dx.mul_lazy(odd));
        let (slope_a, slope_b) = (a.dy.mul_lazy(divisor_a), b.dy.mul_lazy(divisor_b));
        let (square_a, square_b) = (slope_a.square(), slope_b.square());
        let x_a = square_a.sub_lazy(a.sum_x).relax();
        let x_b = square_b.sub_lazy(b.sum_x).relax();
        let y_a = a.xa.sub_lazy(x_a).mul_lazy(slope_a);
        let y_b = b.xa.sub_lazy(x_b).mul_lazy(slope_b);
        let (pairs_a, pairs_b) = pairs.split_at(P::WIDTH);
        store(x_a, y_a.sub(a.ya), pairs_a, sums);
        store(x_b, y_b.sub(b.ya), pairs_b, sums);
    }
}

/// Stores the sums of pairs.
#[inline(always)]
fn store<P: Coordinates>(x: P, y: P, pairs: &[Pair], sums: &mut [TablePoint]) {
    P::store_points(
        x,
        y,
        #[inline(always)]
        |lane, point| sums[pairs[lane].to as usize] = point,
    );
}

/// Negates finite points.
pub(super) fn negate<A: Arithmetic>(arithmetic: A, points: &mut [TablePoint], which: &[u32]) {
    arithmetic.vectorize(
        #[inline(always)]
        || {
            for pack in which.chunks(A::Fq::WIDTH) {
                let index = |lane: usize| pack[lane.min(pack.len() - 1)] as usize;
                let (x, y) = A::Fq::load_points(|lane| &points[index(lane)]);
                let negative = A::Fq::zero().sub(y);
                A::Fq::store_points(x, negative, |lane, point| points[index(lane)] = point);
            }
        },
    );
}

/// The inverse of every lane, or nothing if any is zero.
#[inline(always)]
pub(super) fn invert<P: Coordinates>(pack: P) -> Option<P> {
    let mut lanes = [Fq::ONE; MAX_WIDTH];
    pack.to_lanes(&mut lanes[..P::WIDTH]);
    let mut prefixes = [Fq::ONE; MAX_WIDTH];
    for i in 1..P::WIDTH {
        prefixes[i] = prefixes[i - 1] * lanes[i - 1];
    }
    let product = prefixes[P::WIDTH - 1] * lanes[P::WIDTH - 1];
    let mut inverse: Fq = Option::from(product.invert())?;
    for i in (0..P::WIDTH).rev() {
        let lane = lanes[i];
        lanes[i] = inverse * prefixes[i];
        inverse *= lane;
    }
    Some(P::from_lanes(&lanes[..P::WIDTH]))
}

/// The point as halo2's library has it.
pub(super) fn to_affine<A: Arithmetic>(arithmetic: A, point: &TablePoint) -> G1Affine {
    let mut lanes = [[Fq::ZERO; MAX_WIDTH]; 2];
    arithmetic.vectorize(
        #[inline(always)]
        || {
            let (x, y) = A::Fq::load_points(
                #[inline(always)]
                |_| point,
            );
            x.to_lanes(&mut lanes[0]);
            y.to_lanes(&mut lanes[1]);
        },
    );
    // Both have (0, 0) for the point at infinity.
    G1Affine { x: lanes[0][0], y: lanes[1][0] }
}

/// The point as tables have it.
pub(super) fn from_affine<A: Arithmetic>(arithmetic: A, point: &G1Affine) -> TablePoint {
    if bool::from(point.is_identity()) {
        return TablePoint::default();
    }
    let mut points = [TablePoint::default(); MAX_WIDTH];
    arithmetic.vectorize(
        #[inline(always)]
        || {
            let x = A::Fq::from_lanes(&[point.x; MAX_WIDTH]);
            let y = A::Fq::from_lanes(&[point.y; MAX_WIDTH]);
            A::Fq::store_points(
                x,
                y,
                #[inline(always)]
                |lane, point| points[lane] = point,
            );
        },
    );
    points[0]
}
